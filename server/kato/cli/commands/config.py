"""`kato config`: the settings in force with where each comes from, and the configuration file. See `kato.cli.template`."""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato.cli import options, terminal
from kato.core.errors import EXIT_CONFIG, EXIT_OK, CommandRefused, SettingsInvalid

if TYPE_CHECKING:
    from kato.core.layers import Layer
    from kato.core.settings import Key

#: Where the user names none, the first of these that is installed.
_EDITORS: Final = ("sensible-editor", "nano", "vi")
_DEFAULT: Final = "default"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Lists every setting with its value and where that comes from: the configuration file, the environment or the default. Ends"
        " with 78 if a value is not valid. An editor's own settings come before these.",
        "kato config",
        "kato config --edit",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("action", nargs="?", choices=["show"], help="list the settings (the default)")
    group.add_argument("--path", action="store_true", help="print the path of the configuration file")
    group.add_argument(
        "--edit",
        action="store_true",
        help="open the configuration file in $VISUAL or $EDITOR, then check it; a new one lists every setting",
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the action. Returns 78 if a setting is not valid."""
    from kato.app import config  # noqa: PLC0415

    path = config.config_path(os.environ)
    if arguments.path:
        terminal.print_line(str(path))
        return EXIT_OK
    if arguments.edit:
        _edit(path)
    problems: list[SettingsInvalid] = []
    layers = options.setting_layers(arguments, problems.append)
    if arguments.json:
        terminal.print_json(_as_json(path, layers, problems))
    elif not arguments.edit:
        _show(path, layers)
    for problem in problems:
        if not arguments.json:
            terminal.print_error(f"kato: {problem.message}")
    if arguments.edit and not problems:
        terminal.print_line(f"{path} is valid. Processes that run take it at their next start.")
    return EXIT_CONFIG if problems else EXIT_OK


def _rows(layers: "Sequence[Layer]") -> "list[tuple[Key, Any, str]]":
    """Each setting with its value and the name of the layer that it comes from."""
    from kato.core.settings import TABLE  # noqa: PLC0415

    rows = []
    for key in TABLE:
        value, origin = key.default, _DEFAULT
        for layer in layers:
            if key.field in layer.values:
                value, origin = layer.values[key.field], layer.name
        rows.append((key, value, origin))
    return rows


def _show(path: Path, layers: "Sequence[Layer]") -> None:
    from rich.table import Table  # noqa: PLC0415

    from kato.cli.screen import Screen, shown_path, words  # noqa: PLC0415

    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for key, value, origin in _rows(layers):
        style = "dim" if origin == _DEFAULT else ""
        shown = (
            key.setting.default_in_words if value is None else json.dumps(_plain(value), ensure_ascii=False)
        )
        table.add_row(
            words(key.name, style=style),
            words("file" if origin == str(path) else shown_path(origin), style="dim"),
            words(shown or "", style=style),
        )
    state = "" if path.exists() else " (it does not exist: kato config --edit makes it)"
    screen = Screen()
    screen.print(words(f"Configuration file: {shown_path(str(path))}{state}"))
    screen.print(table)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    from msgspec import to_builtins  # noqa: PLC0415

    return to_builtins(value)


def _as_json(path: Path, layers: "Sequence[Layer]", problems: Sequence[SettingsInvalid]) -> Mapping[str, Any]:
    return {
        "path": str(path),
        "exists": path.exists(),
        "settings": {
            key.name: {"value": _plain(value), "origin": origin} for key, value, origin in _rows(layers)
        },
        "problems": [{"message": one.message, **one.data} for one in problems],
    }


def _edit(path: Path) -> None:
    """Opens the file in the user's editor. Raises CommandRefused if there is none, or if it fails."""
    from kato.channels.configuration import files  # noqa: PLC0415 - to edit only
    from kato.cli import template  # noqa: PLC0415

    if str(path) == os.devnull:
        raise CommandRefused(f"KATO_CONFIG is {path}: set it to the path of a file, or remove it")
    editor = _editor()
    if not path.exists():
        files.apply(files.Change(path, None, template.text()))
    try:
        code = subprocess.call([*editor, str(path)])  # noqa: S603 - the user's own program
    except OSError as error:
        raise CommandRefused(
            f"the editor {editor[0]} cannot be started ({error.strerror}); set EDITOR to one that can"
        ) from None
    if code:
        raise CommandRefused(f"the editor {editor[0]} ended with {code}")


def _editor() -> Sequence[str]:
    given = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if given:
        # A path on Windows has backslashes, which a POSIX shell would take for escapes.
        return (
            [given]
            if sys.platform == "win32" and Path(given).exists()
            else shlex.split(given, posix=os.name != "nt")
        )
    if sys.platform == "win32":
        return ["notepad"]
    found = next(filter(None, map(shutil.which, _EDITORS)), None)
    if found is None:
        raise CommandRefused("no editor was found; set EDITOR, for example to nano")
    return [found]
