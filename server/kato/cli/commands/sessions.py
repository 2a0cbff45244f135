"""`kato sessions`: the conversations on this machine, by folder."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table

from kato.cli import catalog, options, terminal
from kato.cli.catalog import Conversation
from kato.cli.screen import Screen, ago, mb, shown_path, words
from kato.core.errors import EXIT_OK
from kato.core.moments import rfc3339
from kato.system.folders import is_inside


class Listing(NamedTuple):
    """The conversations to show, the newest first, and how many older ones were left out."""

    shown: Sequence[Conversation]
    older: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Reads the assistants' logs, from their usual folders or those of the setting providerSessionRoots.",
        "kato sessions --here",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"list all, also sub-agents, instead of the newest {options.LISTED_MAX}",
    )
    parser.add_argument(
        "--here", action="store_true", help="list only the conversations of the current folder"
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Lists them. Returns 0, also if there is none."""
    listing = _listing(
        catalog.Places.of(options.settings(arguments)), every=arguments.all, here=arguments.here
    )
    if arguments.json:
        terminal.print_json({"sessions": [_as_json(one) for one in listing.shown]})
    elif not listing.shown:
        terminal.print_line("No conversation was found. `kato doctor` shows where Kato looks.")
    else:
        Screen().print(_view(listing.shown, options.now_ms()))
        if listing.older:
            terminal.print_line(f"… and {listing.older:,} older ones: kato sessions --all")
    return EXIT_OK


def _listing(places: catalog.Places, *, every: bool, here: bool) -> Listing:
    shown: list[Conversation] = []
    older = 0
    folder = str(Path.cwd())
    for found in catalog.list_found(places.roots, places.surroundings):
        if found.log.parent_id is not None and not every:
            continue
        if len(shown) == options.LISTED_MAX and not every:
            older += 1
            continue
        one = catalog.describe(found, places.surroundings)
        if one.info.parent_id is not None and not every:
            continue  # the log names a parent: a sub-agent
        if not here or is_inside(one.info.cwd, folder):
            shown.append(one)
    return Listing(shown, older)


def _view(listed: Sequence[Conversation], now_ms: int) -> RenderableType:
    """The conversations by folder, the folder that was used last first."""
    folders: dict[str, list[Conversation]] = {}
    for one in listed:
        folders.setdefault(one.info.cwd or "(no folder)", []).append(one)
    parts: list[RenderableType] = []
    for folder, conversations in folders.items():
        table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
        for width, justify in ((12, "left"), (14, "left"), (None, "left"), (9, "right"), (13, "left")):
            table.add_column(width=width, justify=justify, no_wrap=True, ratio=None if width else 1)  # type: ignore[arg-type]
        for one in conversations:
            agent = "↳ " if one.info.parent_id is not None else ""
            table.add_row(
                ago(now_ms - one.updated_at),
                one.found.assistant.title,
                words(agent + (one.title or "(no message yet)")),
                mb(one.found.size),
                words(one.info.session_id[:13], style="dim"),
            )
        parts += [words(shown_path(folder), style="bold"), table]
    return Group(*parts)


def _as_json(one: Conversation) -> dict[str, Any]:
    """A conversation for `kato sessions --json`."""
    return {
        "provider": one.key.provider,
        "sessionId": one.key.session_id,
        "title": one.title,
        "cwd": one.info.cwd,
        "updatedAt": rfc3339(one.updated_at),
        "sizeBytes": one.found.size,
        "path": one.found.path,
        "parentId": one.info.parent_id,
    }
