"""`kato off` and `kato on`: whether a conversation is kept from now on. The editors see it with their next append."""

import argparse
import logging
from typing import TYPE_CHECKING

from kato.cli import options, terminal
from kato.core.errors import EXIT_OK, CommandRefused
from kato.core.gaps import Switch
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.core.events import SessionKey
    from kato.core.notices import Notice
    from kato.core.outcomes import CommandOutcome
    from kato.core.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that both have."""
    parser.add_argument(
        "session",
        metavar="SESSION",
        help="its id, or the beginning of it, or assistant/id (kato sessions lists them)",
    )
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace, switch: Switch) -> int:
    """Switches, and prints what that means."""
    from msgspec import UNSET  # noqa: PLC0415

    from kato.app.build import Assembly  # noqa: PLC0415
    from kato.app.chat import outcome_sentence  # noqa: PLC0415
    from kato.core.commands import command_from_editor  # noqa: PLC0415

    chosen = options.settings(arguments)
    if not chosen.journal:
        raise CommandRefused("the journal is off (setting journal): type ::off in the conversation instead")
    key = _find(chosen, arguments.session)
    logging.getLogger("kato").setLevel(logging.ERROR)  # a refusal is printed, once
    # The folder of the conversation's note is not known to be allowed here: lines that the note lacks are written by an editor.
    assembly = Assembly(chosen, listener=_Errors(), folders=[], started_at=now_ms())
    try:
        outcome = assembly.engine.run_editor_command(
            key, command_from_editor(switch, None, None), may_be_unknown=True
        )
    finally:
        assembly.engine.close()
    sentence = outcome_sentence(outcome, None) if outcome.message is UNSET else outcome.message
    if outcome.error is not UNSET:
        raise CommandRefused(outcome.error.message)
    terminal.print_line(f"{'/'.join(key)}: {sentence}")
    return EXIT_OK


def _find(chosen: "Settings", wanted: str) -> "SessionKey":
    """The conversation that the user means, in the journal or in a log. Raises CommandRefused."""
    from kato.app import config  # noqa: PLC0415
    from kato.cli import catalog, kept  # noqa: PLC0415
    from kato.core.events import SessionKey  # noqa: PLC0415
    from kato.logs.listing import describe  # noqa: PLC0415

    record = kept.find(config.state_dir(chosen.state_dir), wanted)
    if record is not None:
        return record.key
    places = catalog.Places.of(chosen)
    logs = catalog.list_found(places.roots, places.surroundings)
    found = catalog.pick(logs, wanted, places.surroundings)
    return SessionKey(found.assistant.name, describe(found, places.surroundings).info.session_id)


class _Errors:
    """The listener of an engine that runs one command, whose outcome is printed."""

    def changed(self) -> None:
        """Nothing shows it."""

    def executed(self, outcome: "CommandOutcome") -> None:
        """The outcome is printed."""

    def notify(self, notice: "Notice") -> None:
        """Prints what is wrong, unless it is the outcome."""
        if notice.severity == "error" and notice.kind != "command_failed":
            terminal.print_error(f"kato: {notice.message}")
