"""The exit codes of every command, each with its meaning. The help, the man page and the README show them."""

from collections.abc import Mapping
from typing import Final

from kato.core.errors import EXIT_BUDGET, EXIT_CONFIG, EXIT_OK, CommandRefused

#: The command could not do what it was asked for, or found nothing.
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130

MEANINGS: Final[Mapping[int, str]] = {
    EXIT_OK: "the command did what it was asked for",
    EXIT_FAILED: "it failed, or found nothing (search) or a problem (journal check)",
    EXIT_USAGE: "the command line is not valid",
    EXIT_BUDGET: "a conversation outgrew the memory limit (serve, watch)",
    EXIT_CONFIG: "a setting is not valid, or the journal cannot be opened",
    EXIT_INTERRUPTED: "Ctrl+C ended it",
}


class UsageRefused(CommandRefused):
    """The command line is not valid in a way that only the command itself can find: the command ends with `EXIT_USAGE`."""
