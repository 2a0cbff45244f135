"""`kato completions`: the script with which a shell completes `kato`, made from the parser."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kato.cli import options, terminal
from kato.cli.exits import UsageRefused
from kato.core.errors import EXIT_OK

if TYPE_CHECKING:
    from kato.cli.parser import Parser

SHELLS: Final = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Prints the script that completes commands, options, files and folders, or writes it to the folder from which the shell"
        " loads such scripts. Run it again after an update of Kato.",
        "kato completions bash --install",
        "kato completions zsh > ~/.zfunc/_kato",
    )
    parser.add_argument(
        "shell",
        nargs="?",
        choices=SHELLS,
        metavar="SHELL",
        help="bash, zsh or fish (default: the one in $SHELL)",
    )
    parser.add_argument("--install", action="store_true", help="write the script to the shell's own folder")


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes the script."""
    from kato.cli import parser  # noqa: PLC0415 - it lists this module

    shell = arguments.shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise UsageRefused(f"name the shell: {', '.join(SHELLS)}")
    text = script(parser.whole(), shell)
    if not arguments.install:
        terminal.write([text.encode()], str)
        return EXIT_OK
    path, advice = _PLACES[shell](os.environ, Path.home())
    _write(path, text)
    terminal.print_line(f"{path}: written")
    terminal.print_line(advice)
    return EXIT_OK


def script(whole: "Parser", shell: str) -> str:
    """The script for a shell."""
    import shtab  # noqa: PLC0415 - for this command alone

    completed = {"FILE": shtab.FILE, "PATH": shtab.FILE, "FOLDER": shtab.DIRECTORY}
    waiting = [whole]
    while waiting:
        parser = waiting.pop()
        waiting += parser.commands.values()
        for action in parser.actions:
            if action.metavar in completed:
                action.complete = completed[action.metavar]  # type: ignore[attr-defined]  # shtab's own attribute
    return str(shtab.complete(whole, shell))


def _write(path: Path, text: str) -> None:
    """Replaces the script that an earlier Kato wrote."""
    from kato.channels.configuration import files  # noqa: PLC0415 - to install only

    path.unlink(missing_ok=True)
    files.apply(files.Change(path, None, text))


def _bash(environment: Mapping[str, str], home: Path) -> tuple[Path, str]:
    given = environment.get("BASH_COMPLETION_USER_DIR")
    folder = Path(given) if given else _data(environment, home) / "bash-completion"
    return folder / "completions" / "kato", "New shells use it, if the package bash-completion is installed."


def _zsh(environment: Mapping[str, str], home: Path) -> tuple[Path, str]:
    folder = _data(environment, home) / "zsh" / "site-functions"
    return folder / "_kato", f"If ~/.zshrc does not have it yet, add before compinit: fpath=({folder} $fpath)"


def _fish(environment: Mapping[str, str], home: Path) -> tuple[Path, str]:
    folder = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return folder / "fish" / "completions" / "kato.fish", "New shells use it."


def _data(environment: Mapping[str, str], home: Path) -> Path:
    return Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")


_PLACES: Final[Mapping[str, Callable[[Mapping[str, str], Path], tuple[Path, str]]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
