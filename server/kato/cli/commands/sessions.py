"""`kato sessions`: the conversations of this machine, from the assistants' logs and from the journal."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato.cli import options, progress, terminal
from kato.cli.catalog import Places
from kato.cli.screen import Screen
from kato.core.errors import EXIT_OK
from kato.core.moments import ago
from kato.system.clock import now_ms
from kato.system.folders import is_inside

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.text import Text

    from kato.app.catalogue import Catalogue, Conversation

    _Row = dict[str, Text]

#: Enough to distinguish the ids of one user; every command takes the beginning of an id.
_ID_CHARS: Final = 13
#: Cells between two columns.
_BETWEEN: Final = 2
#: A title of fewer cells says little.
_TITLE_CELLS_MIN: Final = 30
_JUSTIFIED: Final[dict[str, "JustifyMethod"]] = {"size": "right"}
_EXTENTS: Final = {"log": "", "partial": "kept in part", "kept": "kept", "log_gone": "kept"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Lists conversations by folder, the newest first: those whose logs the assistants still have, and those that the journal keeps.",
        "kato sessions --here",
        "kato sessions --since yesterday --all",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"list all, also sub-agents, instead of the newest {options.LISTED_MAX}",
    )
    parser.add_argument(
        "--here", action="store_true", help="list only the conversations of the current folder"
    )
    options.add_since(parser, "list only conversations that were updated since then")
    options.add_json(parser)
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    listed: list[Conversation] = []
    more = 0
    here = str(Path.cwd())
    with open_catalogue(arguments) as catalogue, progress.shown("Reading the logs' beginnings") as bar:
        for one in catalogue.conversations():
            if one.parent_id is not None and not arguments.all:
                continue
            if arguments.since is not None and one.updated_at < arguments.since:
                break
            bar.advance()
            if arguments.here and not is_inside(one.cwd, here):
                continue
            listed.append(one)
            if len(listed) == options.LISTED_MAX and not arguments.all:
                more = catalogue.left
                break
    if arguments.json:
        terminal.print_json({"sessions": [as_json(one) for one in listed]})
    elif not listed:
        terminal.print_line(_nothing(arguments, here))
    else:
        screen = Screen()
        screen.print(view(listed, now_ms(), width=screen.width if screen.is_terminal else None))
        if more:
            is_filtered = arguments.here or arguments.since is not None
            older = (
                "perhaps older ones: add --all"
                if is_filtered
                else f"{more:,} older ones: kato sessions --all"
            )
            terminal.print_line(f"… and {older}")
    return EXIT_OK


def _nothing(arguments: argparse.Namespace, here: str) -> str:
    """What a list without a conversation says."""
    if not arguments.here and arguments.since is None:
        return "No conversation was found. `kato doctor` shows where Kato looks."
    where = f" in {here}" if arguments.here else ""
    when = " since then" if arguments.since is not None else ""
    return f"No conversation was held{where}{when}. `kato sessions` lists the others."


@contextmanager
def open_catalogue(arguments: argparse.Namespace) -> "Iterator[Catalogue]":
    """The catalogue that the settings give."""
    from kato.app import catalogue, config  # noqa: PLC0415

    chosen = options.settings(arguments)
    places = Places.of(chosen)
    # Without a journal, nothing of a conversation is written.
    folder = config.state_dir(chosen.state_dir) if chosen.journal else None
    with catalogue.open_catalogue(folder, places.roots, places.surroundings) as opened:
        yield opened


def view(listed: "Sequence[Conversation]", now_ms: int, *, width: int | None) -> "RenderableType":
    """The conversations by folder, the folder that was used last first, in lines of this width. Without a width, for files and
    pipes, no id and no title is cut.
    """
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from kato.cli.screen import shown_path, words  # noqa: PLC0415

    folders: dict[str, list[_Row]] = {}
    for one in listed:
        folders.setdefault(one.cwd or "(no folder)", []).append(_row(one, now_ms, is_whole=width is None))
    widths = _widths([row for rows in folders.values() for row in rows], width)
    parts: list[RenderableType] = []
    for folder, rows in folders.items():
        table = Table(box=None, show_header=False, padding=(0, _BETWEEN, 0, 0), pad_edge=False)
        for name in widths:
            table.add_column(width=widths[name], justify=_JUSTIFIED.get(name, "left"), no_wrap=True)
        for row in rows:
            table.add_row(*(row[name] for name in widths))
        parts += [words(shown_path(folder), style="bold"), table]
    return Group(*parts)


def _row(one: "Conversation", now_ms: int, *, is_whole: bool) -> "_Row":
    """The columns of a conversation."""
    from kato.cli.screen import mb, words  # noqa: PLC0415

    agent = "↳ " if one.parent_id is not None else ""
    return {
        "age": words(f" {ago(now_ms - one.updated_at)}"),
        "assistant": words(one.assistant_title),
        "title": words(agent + (one.title or _untitled(one))),
        "extent": words(_extent(one), style="dim"),
        "size": words(mb(one.size)),
        "id": words(one.key.session_id if is_whole else one.key.session_id[:_ID_CHARS], style="dim"),
    }


def _untitled(one: "Conversation") -> str:
    """What stands for a title."""
    if one.not_kept is not None:
        return "(not kept)"
    # A title is made of the user's first words, which a sub-agent does not have.
    return "(nothing said yet)" if one.parent_id is None else "(no title)"


def _widths(rows: "Sequence[_Row]", width: int | None) -> dict[str, int]:
    """The width of each column that is shown: as its widest cell, the title as wide as the others leave it. Empty columns are left
    out, and the size where it leaves too little for the title.
    """
    widths = {name: max(row[name].cell_len for row in rows) for name in rows[0]}
    widths = {name: cells for name, cells in widths.items() if cells}
    if width is None:
        return widths
    free = width - sum(widths.values()) - _BETWEEN * (len(widths) - 1)
    if free < 0 and widths["title"] + free < _TITLE_CELLS_MIN:
        free += widths.pop("size") + _BETWEEN
    widths["title"] = max(1, widths["title"] + min(0, free))
    return widths


def _extent(one: "Conversation") -> str:
    """What is kept of a conversation."""
    if one.not_kept is not None:
        return "not kept"
    return "kept, log gone" if one.gone_path is not None else _EXTENTS[one.extent]


def as_json(one: "Conversation") -> dict[str, Any]:
    """A conversation for `--json`. Unknown values are null."""
    from msgspec import structs, to_builtins  # noqa: PLC0415

    from kato.app.catalogue import ConversationSummary  # noqa: PLC0415

    unknown: dict[str, Any] = {field.encode_name: None for field in structs.fields(ConversationSummary)}
    known: dict[str, Any] = to_builtins(ConversationSummary.of(one))
    return unknown | known
