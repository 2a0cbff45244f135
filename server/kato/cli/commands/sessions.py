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
    from rich.console import RenderableType

    from kato.app.catalogue import Catalogue, Conversation

#: Enough to distinguish the ids of one user; every command takes the beginning of an id.
_ID_CHARS: Final = 13
_EXTENTS: Final = {"log": "", "partial": "kept in part", "kept": "kept", "log_gone": "kept, log gone"}


#: What stands for a title: of a conversation that is kept, or not.
_UNTITLED: Final = {True: "(nothing said yet)", False: "(not kept)"}


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
        terminal.print_line("No conversation was found. `kato doctor` shows where Kato looks.")
    else:
        screen = Screen()
        screen.print(view(listed, now_ms(), whole=not screen.is_terminal))
        if more:
            older = "older ones" if arguments.here or arguments.since is not None else f"{more:,} older ones"
            terminal.print_line(f"… and {older}: kato sessions --all")
    return EXIT_OK


@contextmanager
def open_catalogue(arguments: argparse.Namespace) -> "Iterator[Catalogue]":
    """The catalogue that the settings give."""
    from kato.app import config  # noqa: PLC0415
    from kato.app.catalogue import Catalogue, log_screen, open_journal  # noqa: PLC0415
    from kato.logs.descriptions import DescriptionCache  # noqa: PLC0415
    from kato.logs.listing import Listing  # noqa: PLC0415

    chosen = options.settings(arguments)
    places = Places.of(chosen)
    place, roots = places.surroundings, places.roots
    # Without a journal, nothing of a conversation is written.
    folder = config.state_dir(chosen.state_dir) if chosen.journal else None
    journal = open_journal(folder)
    try:
        with DescriptionCache(folder) as cache:
            yield Catalogue(Listing(roots, place, cache, log_screen(journal)), journal)
    finally:
        if journal is not None:
            journal.close()


def _kept(one: "Conversation") -> str:
    """How much of a conversation the journal keeps. One of an agent that writes no log that Kato reads never had a log."""
    if one.not_kept is not None:
        return "not kept"
    return _EXTENTS["kept" if one.extent == "log_gone" and one.gone_path is None else one.extent]


def view(listed: "Sequence[Conversation]", now_ms: int, *, whole: bool) -> "RenderableType":
    """The conversations by folder, the folder that was used last first. `whole`: no id and no title is cut, for files and pipes."""
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from kato.cli.screen import mb, shown_path, words  # noqa: PLC0415

    folders: dict[str, list[Conversation]] = {}
    for one in listed:
        folders.setdefault(one.cwd or "(no folder)", []).append(one)
    parts: list[RenderableType] = []
    for folder, conversations in folders.items():
        table = Table(box=None, show_header=False, padding=(0, 1), expand=not whole)
        for width, justify in (
            (12, "left"),
            (14, "left"),
            (None, "left"),
            (14, "left"),
            (9, "right"),
            (13, "left"),
        ):
            fixed = None if whole else width
            table.add_column(width=fixed, justify=justify, no_wrap=True, ratio=None if whole or width else 1)  # type: ignore[arg-type]
        for one in conversations:
            agent = "↳ " if one.parent_id is not None else ""
            table.add_row(
                ago(now_ms - one.updated_at),
                words(one.assistant_title),
                words(agent + (one.title or _UNTITLED[one.not_kept is None])),
                words(_kept(one), style="dim"),
                mb(one.size),
                words(one.key.session_id if whole else one.key.session_id[:_ID_CHARS], style="dim"),
            )
        parts += [words(shown_path(folder), style="bold"), table]
    return Group(*parts)


def as_json(one: "Conversation") -> dict[str, Any]:
    """A conversation for `--json`. Unknown values are null."""
    from msgspec import structs, to_builtins  # noqa: PLC0415

    from kato.app.catalogue import ConversationSummary  # noqa: PLC0415

    unknown: dict[str, Any] = {field.encode_name: None for field in structs.fields(ConversationSummary)}
    known: dict[str, Any] = to_builtins(ConversationSummary.of(one))
    return unknown | known
