"""What several subcommands share: their options, and values made of the user's arguments.

Rule: importing this module loads argparse and the errors only. `kato serve` and `kato --version` import it.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato.core.errors import CommandRefused

if TYPE_CHECKING:
    from kato.core.settings import Settings

#: The exit code of a subcommand that could not do what it was asked for.
EXIT_FAILED: Final = 1
#: Conversations that are listed or read without `--all`.
LISTED_MAX: Final = 20


# --- Options ---------------------------------------------------------------------------------------------


class _Help(argparse.HelpFormatter):
    """Wraps the paragraphs of a description, and keeps the lines of the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example"):
            return text
        return "\n\n".join(super(_Help, self)._fill_text(one, width, indent) for one in text.split("\n\n"))


def describe(parser: argparse.ArgumentParser, description: str, *examples: str) -> None:
    """Completes a subcommand's help: a paragraph after the summary, and examples."""
    parser.formatter_class = _Help
    parser.description = f"{parser.description}\n\n{description}"
    title = "example:" if len(examples) == 1 else "examples:"
    parser.epilog = "\n".join([title, *(f"  {one}" for one in examples)])


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """Adds `--state-dir`."""
    parser.add_argument(
        "--state-dir", metavar="FOLDER", help="the folder with the journal, recordings and logs (stateDir)"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print the same data as JSON")


def add_memory_limit(parser: argparse.ArgumentParser) -> None:
    """Adds `--max-memory-mb`."""
    parser.add_argument(
        "--max-memory-mb",
        type=int,
        metavar="MB",
        help="the most memory that the process may take (daemonMaxMemoryMb)",
    )


# --- Values ----------------------------------------------------------------------------------------------


def settings(arguments: argparse.Namespace) -> "Settings":
    """The settings in force: the options of the command line, then the environment, then the configuration file. Raises
    SettingsInvalid.
    """
    from kato.app import config  # noqa: PLC0415
    from kato.core import settings as declared  # noqa: PLC0415

    state_dir = getattr(arguments, "state_dir", None)
    explicit = {
        "stateDir": None if state_dir is None else absolute(state_dir),
        "daemonMaxMemoryMb": getattr(arguments, "max_memory_mb", None),
    }
    file, name = config.load_config(os.environ)
    return declared.resolve(
        explicit={key: value for key, value in explicit.items() if value is not None},
        environment=os.environ,
        file=file,
        file_name=name,
        unknown_provider=_unknown_provider,
    )


def _unknown_provider(name: str) -> str | None:
    from kato.assistants import registry  # noqa: PLC0415 - most settings name no assistant

    return registry.unknown_name(name)


def state_dir(arguments: argparse.Namespace) -> Path:
    """The state folder in force. Raises SettingsInvalid."""
    from kato.app import config  # noqa: PLC0415

    return config.state_dir(settings(arguments).state_dir)


def running_servers(folder: Path) -> list[dict[str, Any]]:
    """The status of each server that runs with this state folder, as JSON values."""
    from kato.app import process, statusfiles  # noqa: PLC0415

    return statusfiles.read_all(folder, is_running=process.is_running)


def absolute(path: str) -> str:
    """The path from the current folder or `~`. Raises CommandRefused where `~` names a user that does not exist."""
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        raise CommandRefused(
            f"{path}: the system does not know this user or the user's home folder"
        ) from None


def days(text: str) -> int:
    """`90d` as a number of days. Raises ArgumentTypeError."""
    if not text.endswith("d") or not text[:-1].isdecimal() or int(text[:-1]) < 1:
        raise argparse.ArgumentTypeError(f"invalid number of days: {text!r}; write for example 90d")
    return int(text[:-1])


def moment(text: str) -> int:
    """A moment as the user writes it, in milliseconds since the Unix epoch: `30m`, `2h` or `3d` ago; a time of today; a date,
    or a date and a time, in the local zone. Raises CommandRefused.
    """
    from datetime import datetime, timedelta  # noqa: PLC0415

    now = datetime.now().astimezone()
    unit = _UNITS.get(text[-1:])
    try:
        if unit is not None and text[:-1].isdecimal():
            found = now - timedelta(**{unit: int(text[:-1])})
        elif ":" in text and "-" not in text:
            found = datetime.combine(now.date(), datetime.strptime(text, "%H:%M").time()).astimezone()  # noqa: DTZ007 - local
        else:
            found = datetime.fromisoformat(text)
            found = found if found.tzinfo is not None else found.astimezone()
    except (ValueError, OverflowError):
        raise CommandRefused(
            f"--since: invalid moment {text!r}; write 30m, 2h, 3d, 14:30, 2026-11-24 or 2026-11-24T14:30"
        ) from None
    return int(found.timestamp() * 1000)


_UNITS: Final[Mapping[str, str]] = {"m": "minutes", "h": "hours", "d": "days"}
