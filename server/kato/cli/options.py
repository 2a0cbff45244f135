"""What several subcommands share: their options, and values made of the user's arguments.

Rule: importing this module loads argparse and the errors only. `kato serve` and `kato --version` import it.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato.core.errors import CommandRefused, SettingsInvalid
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.core.layers import Layer, OnInvalid
    from kato.core.settings import Settings

#: Conversations that are listed or read without `--all`.
LISTED_MAX: Final = 20


# --- Options ---------------------------------------------------------------------------------------------


class Help(argparse.HelpFormatter):
    """Wraps the paragraphs of a description, and keeps the lines of the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example"):
            return text
        return "\n\n".join(super(Help, self)._fill_text(one, width, indent) for one in text.split("\n\n"))


def describe(parser: argparse.ArgumentParser, description: str, *examples: str) -> None:
    """Completes a subcommand's help: a paragraph after the summary, and examples."""
    parser.formatter_class = Help
    parser.description = f"{parser.description}\n\n{description}"
    title = "example:" if len(examples) == 1 else "examples:"
    parser.epilog = "\n".join([title, *(f"  {one}" for one in examples)])


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """Adds `--state-dir`."""
    parser.add_argument(
        "--state-dir", metavar="FOLDER", help="the folder with the journal, recordings and logs (stateDir)"
    )


def add_json(parser: "argparse._ActionsContainer") -> None:
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


def add_since(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds `--since`. `what` says what the command leaves out or takes."""
    parser.add_argument(
        "--since",
        type=moment,
        metavar="WHEN",
        help=f"{what}: 3d, '2 weeks ago', yesterday, monday, 14:30, 2026-11-24",
    )


# --- Values ----------------------------------------------------------------------------------------------


def settings(arguments: argparse.Namespace) -> "Settings":
    """The settings in force: the options of the command line, then the environment, then the configuration file. Raises
    SettingsInvalid.
    """
    from kato.core.layers import combine, refuse  # noqa: PLC0415

    return combine(setting_layers(arguments, refuse))


def setting_layers(arguments: argparse.Namespace, on_invalid: "OnInvalid") -> "list[Layer]":
    """The layers of the settings, the strongest last. `on_invalid` takes the error of each value that is not valid."""
    from kato.app import config  # noqa: PLC0415
    from kato.core import layers  # noqa: PLC0415

    state_dir = getattr(arguments, "state_dir", None)
    explicit = {
        "stateDir": None if state_dir is None else absolute(state_dir),
        "daemonMaxMemoryMb": getattr(arguments, "max_memory_mb", None),
    }
    given = {key: value for key, value in explicit.items() if value is not None}
    file, name = None, ""
    try:
        file, name = config.load_config(os.environ)
    except SettingsInvalid as error:
        on_invalid(error)
    return [
        layers.of_mapping(file, name, _unknown_provider, on_invalid),
        *layers.of_environment(os.environ, on_invalid),
        layers.of_mapping(given, "command line", _unknown_provider, on_invalid),
    ]


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


def moment(text: str) -> int:
    """A moment as the user writes it (`core.when`), in milliseconds since the Unix epoch. Raises ArgumentTypeError."""
    from datetime import datetime  # noqa: PLC0415 - for those who name a moment

    from kato.app.config import LocalZone  # noqa: PLC0415
    from kato.core.when import EXAMPLES, parse_moment  # noqa: PLC0415

    try:
        found = parse_moment(text, datetime.now(LocalZone()))
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid moment {text!r}; write for example {EXAMPLES}") from None
    return int(found.timestamp() * 1000)


def past_moment(text: str) -> int:
    """A moment that is at least a day ago. Raises ArgumentTypeError."""
    found = moment(text)
    if found > now_ms() - _DAY_MS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is less than a day ago; name an earlier moment, for example 90d"
        )
    return found


_DAY_MS: Final = 86_400_000
