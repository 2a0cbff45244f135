"""`kato search`: finds what was said, in the journal and in session logs that the journal does not have."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kato.cli import options, progress, terminal
from kato.cli.catalog import Places
from kato.cli.exits import UsageRefused
from kato.cli.screen import Screen
from kato.core import limits
from kato.core.errors import EXIT_OK, CommandRefused
from kato.core.moments import ago, epoch_ms
from kato.core.queries import SCOPES
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kato.app.searching import Question, Searcher
    from kato.core.searching import SearchHit, SearchResult

#: As with grep: nothing was found.
EXIT_NOTHING_FOUND: Final = 1
_INDENT: Final = "  "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Finds the messages that contain all words of the query. A phrase stands in double quotes; a word that ends with * matches"
        " every word that begins so. Case and accents make no difference. Ends with 1 if nothing was found.",
        "kato search '\"write-ahead log\" checkpoint*' --in user",
    )
    parser.add_argument("query", nargs="+", metavar="QUERY", help='words, "phrases" and beginnings* of words')
    parser.add_argument(
        "--in", dest="scope", choices=SCOPES, default="all", help="whose words (default: all)"
    )
    parser.add_argument(
        "--assistant", metavar="NAME", help="conversations with this one only, for example claude"
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", help="conversations of this folder and the folders in it only"
    )
    options.add_since(parser, "messages from then on")
    parser.add_argument(
        "--limit",
        type=_count,
        metavar="COUNT",
        default=limits.SEARCH_HITS_DEFAULT,
        help="the most messages to show (20)",
    )
    options.add_json(parser)
    options.add_state_dir(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= limits.SEARCH_HITS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {limits.SEARCH_HITS_MAX}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from msgspec import to_builtins  # noqa: PLC0415

    from kato.app import config  # noqa: PLC0415
    from kato.app.searching import Searcher  # noqa: PLC0415
    from kato.storage.journal import FILE_NAME, Journal  # noqa: PLC0415

    question = _question(arguments)
    chosen = options.settings(arguments)
    folder = config.state_dir(chosen.state_dir)
    places = Places.of(chosen)
    place, roots = places.surroundings, places.roots
    has_journal = chosen.journal and (folder / FILE_NAME).exists()
    # Opening the journal recovers a damaged one and migrates one of an earlier Kato; the search then reads it by itself.
    journal = Journal.open(folder, now_ms=now_ms) if has_journal else None
    searcher = Searcher(folder if has_journal else None, roots, place)
    try:
        _index(searcher)
        with progress.shown("Searching the logs"):
            result = searcher.answer(question)
    finally:
        searcher.close()
        if journal is not None:
            journal.close()
    if arguments.json:
        terminal.print_json(to_builtins(result))
    else:
        screen = Screen()
        screen.print(view(result, now_ms(), screen.width))
    return EXIT_OK if result.hits else EXIT_NOTHING_FOUND


def _question(arguments: argparse.Namespace) -> "Question":
    from kato.app.searching import Question  # noqa: PLC0415
    from kato.assistants import registry  # noqa: PLC0415
    from kato.core.queries import Query  # noqa: PLC0415

    try:
        query = Query.parse(" ".join(arguments.query))
    except CommandRefused as refusal:
        raise UsageRefused(refusal.message) from None
    if arguments.assistant is not None and arguments.assistant not in registry.names():
        known = ", ".join(registry.names())
        raise UsageRefused(f"--assistant: {arguments.assistant!r} is not an assistant; write one of {known}")
    return Question(
        query=query,
        scope=arguments.scope,
        provider=arguments.assistant,
        folder=None if arguments.folder is None else str(Path(arguments.folder).expanduser().absolute()),
        since_ms=arguments.since,
        limit=arguments.limit,
    )


def _index(searcher: "Searcher") -> None:
    """Indexes what is new, with a bar when that takes long."""
    import time  # noqa: PLC0415

    indexer = searcher.indexer
    if indexer is None:
        return
    deadline = time.monotonic() + limits.SEARCH_FIRST_SECONDS
    searcher.catch_up(1.0)
    total = indexer.status().sessions_behind
    if not total:
        return
    with progress.shown("Indexing conversations", total) as bar:
        while indexer.step() and time.monotonic() < deadline:
            bar.update(total - indexer.status().sessions_behind)


def view(result: "SearchResult", now_ms: int, width: int) -> "RenderableType":
    """The hits by conversation, the one with the best hit first, in lines of this width."""
    from rich.console import Group  # noqa: PLC0415

    from kato.cli.screen import words  # noqa: PLC0415

    conversations: dict[tuple[str, str], list[SearchHit]] = {}
    for hit in result.hits:
        conversations.setdefault((hit.provider, hit.session_id), []).append(hit)
    parts: list[RenderableType] = []
    for hits in conversations.values():
        parts.append(_heading(hits[0], now_ms, width))
        parts += [_line(hit) for hit in hits]
    if not result.hits:
        parts.append(words("Nothing was found."))
    if not result.complete:
        parts.append(
            words(
                "Some messages were not searched: run the command again, narrow the query, or let `kato keep --all` read old logs into the"
                " index.",
                style="dim",
            )
        )
    return Group(*parts)


def _heading(hit: "SearchHit", now_ms: int, width: int) -> "RenderableType":
    """One line, or where that is too long the title and below it the rest."""
    from rich.console import Group  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415

    from kato.cli.screen import shown_path, words  # noqa: PLC0415

    said_ms = epoch_ms(datetime.fromisoformat(hit.timestamp.replace("Z", "+00:00")))
    heading = words(hit.title or "(no title)", style="bold")
    about = [ago(now_ms - said_ms), f"{hit.provider}/{hit.session_id}"]
    if hit.cwd:
        about.insert(1, shown_path(hit.cwd))
    if hit.source == "log":
        about.append("only in the assistant's log")
    rest = words(" · ".join(about), style="dim")
    if heading.cell_len + len(_INDENT) + rest.cell_len <= width:
        return heading.append(_INDENT).append_text(rest)
    return Group(heading, Padding(rest, (0, 0, 0, len(_INDENT)), expand=False))


def _line(hit: "SearchHit") -> "RenderableType":
    """Whose words, and the words next to it."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    units = hit.snippet.encode("utf-16-le", errors="surrogatepass")

    def part(start: int, end: int | None) -> str:
        return units[2 * start : None if end is None else 2 * end].decode("utf-16-le", errors="replace")

    line, at = Text(), 0
    for mark in hit.marks:
        line.append(part(at, mark.start)).append(part(mark.start, mark.end), style="bold yellow")
        at = mark.end
    grid = Table.grid()
    grid.add_row(Text(f"{_INDENT}{hit.role + ':':<11}", style="dim"), line.append(part(at, None)))
    return grid
