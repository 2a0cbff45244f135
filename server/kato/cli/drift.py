"""`kato doctor --drift`: which kinds of records this Kato does not know, in all logs, in a form that can be published.

Rule: the report holds no text of a conversation and no path: names of kinds, versions, ids of records and counts only.
Memory stays bounded: a log is read a piece at a time, and `UnknownKinds` is bounded.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from kato import __version__
from kato.assistants.contract import Assistant, Problem, Surroundings
from kato.assistants.unknown import UnknownKinds
from kato.cli import progress
from kato.cli.screen import mb
from kato.core.text import counted
from kato.logs.discovery import Found, Root, scan
from kato.logs.tail import Tail

#: Kinds of a log's problems that are counted besides the unknown kinds of records.
_PROBLEMS: Final = {
    "broken_line": "broken line",
    "oversize_line": "oversize line",
    "invalid_record": "invalid record",
}


class Drift(Struct):
    """What was found in all logs of an assistant. `bytes_read` counts the files' bytes."""

    assistant: Assistant
    logs: int = 0
    bytes_read: int = 0
    unreadable: int = 0
    kinds: UnknownKinds = field(default_factory=UnknownKinds)
    problems: Counter[str] = field(default_factory=Counter)

    def add(self, problems: Sequence[Problem]) -> None:
        """Counts the problems of a piece of a log."""
        for problem in problems:
            if problem.kind == "unknown_kind":
                self.kinds.add(problem.detail, problem.version, problem.example)
            else:
                self.problems[problem.kind] += 1


def search(roots: Sequence[Root], place: Surroundings) -> list[Drift]:
    """Reads all logs, with a progress bar on stderr where that is a terminal."""
    found = [one for root in roots for one in scan(root)]
    with progress.shown("Reading logs", sum(one.size for one in found), "bytes") as bar:
        return examine(_assistants(roots), found, place, on_read=bar.advance)


def examine(
    assistants: Sequence[Assistant],
    found: Sequence[Found],
    place: Surroundings,
    on_read: Callable[[int], None] = lambda _: None,
) -> list[Drift]:
    """What is unknown in these logs, by assistant. `on_read` gets the bytes that were read since its last call."""
    drifts = {assistant.name: Drift(assistant) for assistant in assistants}
    for one in found:
        drift = drifts[one.assistant.name]
        drift.logs += 1
        done = 0
        try:
            for offset, problems in _pieces(one, place):
                drift.add(problems)
                on_read(offset - done)
                done = offset
            drift.bytes_read += one.size
        except OSError:
            drift.unreadable += 1
        on_read(one.size - done)
    return list(drifts.values())


def _pieces(found: Found, place: Surroundings) -> Iterator[tuple[int, Sequence[Problem]]]:
    """How far a log was read, and the problems of the piece before. What a program appends meanwhile is not read."""
    tail = Tail(found, place)
    more = True
    while more:
        piece = tail.read()
        more = piece.more and tail.offset < found.size
        yield min(tail.offset, found.size), piece.result.problems
    yield min(tail.offset, found.size), tail.settle(is_final=True).problems


def _assistants(roots: Sequence[Root]) -> list[Assistant]:
    by_name: dict[str, Assistant] = {}
    for root in roots:
        by_name.setdefault(root.assistant.name, root.assistant)
    return list(by_name.values())


# --- For a report ------------------------------------------------------------------------------------


def lines(drifts: Sequence[Drift]) -> Iterator[str]:
    """The report as text: the columns are aligned with spaces, so that it can be pasted."""
    python = ".".join(map(str, sys.version_info[:3]))
    logs, size = sum(one.logs for one in drifts), sum(one.bytes_read for one in drifts)
    yield f"Kato {__version__}, Python {python}, {sys.platform}: {counted(logs, 'log')}, {mb(size)} read"
    for drift in drifts:
        if drift.logs:
            yield ""
            yield from _assistant_lines(drift)


def _assistant_lines(drift: Drift) -> Iterator[str]:
    count = len(drift.kinds)
    understood = (
        "every kind of record is known" if not count else counted(count, "unknown kind") + " of records"
    )
    yield f"{drift.assistant.title}: {counted(drift.logs, 'log')}, {understood}"
    rows = [("count", "kind", "version", "example")] if count else []
    rows += [
        (f"{seen.count:,}", kind.name, kind.version or "-", seen.example or "-") for kind, seen in drift.kinds
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, *texts in rows:
        cells = [text.ljust(width) for text, width in zip(texts, widths[1:], strict=True)]
        yield "  ".join(["", number.rjust(widths[0]), *cells]).rstrip()
    if drift.kinds.others:
        yield f"  {counted(drift.kinds.others, 'record')} of further kinds"
    for kind, name in _PROBLEMS.items():
        if drift.problems[kind]:
            yield f"  {counted(drift.problems[kind], name)}"
    if drift.unreadable:
        yield f"  {counted(drift.unreadable, 'log')} could not be read"


def as_json(drifts: Sequence[Drift]) -> Mapping[str, Any]:
    """The report for `--json`."""
    return {
        "kato": __version__,
        "platform": sys.platform,
        "assistants": [
            {
                "provider": drift.assistant.name,
                "title": drift.assistant.title,
                "logs": drift.logs,
                "bytes": drift.bytes_read,
                "unreadable": drift.unreadable,
                "unknownKinds": [
                    {"kind": kind.name, "version": kind.version, "count": seen.count, "example": seen.example}
                    for kind, seen in drift.kinds
                ],
                "furtherKinds": drift.kinds.others,
                "problems": {kind: drift.problems[kind] for kind in _PROBLEMS if drift.problems[kind]},
            }
            for drift in drifts
        ],
    }
