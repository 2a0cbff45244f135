"""What a list shows of session logs: which logs there are, and of each its title, folder and times.

Rule: describing a log reads its beginning and its end, never the whole, and nothing at all if the log has not changed since it
was described (`DescriptionCache`).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Final

from msgspec.structs import replace

from kato.assistants.contract import Surroundings
from kato.core import grammar, limits, paths
from kato.core.events import MESSAGE_TYPES, ConversationEvent, UserMessage
from kato.core.gaps import Reading
from kato.core.moments import epoch_ms
from kato.logs.descriptions import Description, DescriptionCache
from kato.logs.discovery import PACKED, Found, Root, scan
from kato.logs.screening import LogScreen
from kato.logs.tail import Tail
from kato.system.regular import open_regular

#: What is read of a log to describe it: its beginning, where the user's first words are, and its end, where the newest title is.
_HEAD_BYTES: Final = 1 * limits.MIB
_END_BYTES: Final = 64 * limits.KIB


class Listing:
    """The logs of a machine, described through a cache."""

    def __init__(
        self,
        roots: Sequence[Root],
        place: Surroundings,
        cache: DescriptionCache,
        screen: LogScreen | None = None,
    ) -> None:
        self.screen = screen or LogScreen()
        self._roots = roots
        self._place = place
        self._cache = cache

    def logs(self) -> list[Found]:
        """All logs, the one that changed last first; where an assistant keeps several of a session, the best one."""
        of_sessions: dict[tuple[str, str, str], list[Found]] = {}
        for root in self._roots:
            for found in scan(root):
                log = found.log
                name = os.path.basename(found.path) if log.parent_id is not None else ""  # noqa: PTH119
                of_sessions.setdefault((found.assistant.name, log.session_id, name), []).append(found)
        best = [
            several[0] if len(several) == 1 else max(several, key=self._rank)
            for several in of_sessions.values()
        ]
        return sorted(best, key=lambda found: found.mtime_ns, reverse=True)

    def describe(self, found: Found) -> Description:
        """What a list shows of a log."""
        known = self._cache.get(found.path, found.size, found.mtime_ns)
        described = known or describe(found, self._place)
        screened = self.screen.described(found.assistant.name, described)
        if known is None or screened is not described:
            self._cache.put(found.path, found.size, found.mtime_ns, screened)
        return screened

    def _rank(self, found: Found) -> tuple[bool, bool, bool, int]:
        """A log with messages before one without (a resumed session can leave one), the best store before the others, lines
        before a document, the newer before the older.
        """
        best = found.log.variant in found.assistant.stores[:1]
        return (self.describe(found).has_messages, best, not found.log.rewritten, found.mtime_ns)


def describe(found: Found, place: Surroundings) -> Description:
    """What a list shows of a log, read from it."""
    tail = Tail(found, place)
    known = Description(tail.reader.info)
    more = True
    read = 0
    words = Reading()
    with suppress(OSError):
        while more and read < _HEAD_BYTES:
            piece = tail.read()
            more, read = piece.more, read + limits.LOG_READ_BYTES
            is_over = not more or read >= _HEAD_BYTES
            events = [*piece.result.events, *(tail.settle(is_final=True).events if is_over else ())]
            known = _with(known, events, words)
            if (
                known.first_words is not None
                and tail.reader.info.cwd is not None
                and read >= limits.LOG_READ_BYTES
            ):
                break
        known = replace(known, info=tail.reader.info)
        if more:
            known = _with_end(known, found, place)
    if words.had_gap:
        known = replace(known, info=replace(known.info, title=None))  # it may be of what is not kept
    return known


def _with(
    known: Description, events: Sequence[ConversationEvent], words: Reading | None = None
) -> Description:
    """The description with what these events add: the user's first words, the times of the first and last message. `words` says
    what is kept of them.
    """
    kept = events if words is None else [part for event in events for part in words.kept(event)]
    said = [epoch_ms(event.timestamp) for event in events if isinstance(event, MESSAGE_TYPES)]
    if not said:
        return known
    return replace(
        known,
        first_words=known.first_words or first_words(kept),
        started_at=said[0] if known.started_at is None else known.started_at,
        said_at=max(said) if known.said_at is None else max(*said, known.said_at),
    )


def first_words(events: Sequence[ConversationEvent]) -> str | None:
    """The beginning of the user's first message with words, which stands for a title where there is none."""
    for event in events:
        if isinstance(event, UserMessage):
            words = paths.title_from_text(event.content, grammar.is_command_line)
            if words:
                return words
    return None


def _with_end(known: Description, found: Found, place: Surroundings) -> Description:
    """The description of a long log with what its end adds: the newest title, the time of the last message."""
    if found.log.rewritten or found.path.endswith(PACKED):
        return known
    with open(found.path, "rb", opener=open_regular) as file:
        file.seek(max(0, found.size - _END_BYTES))
        end = file.read(_END_BYTES)
        reader = found.assistant.reader(found.log, {}, place)
        events = reader.feed(end[end.find(b"\n") + 1 :]).events
        title = reader.info.title or newest_title(found, place, file)
    known = _with(known, [*events, *reader.settle().events])
    return known if title is None else replace(known, info=replace(known.info, title=title))


def newest_title(found: Found, place: Surroundings, file: IO[bytes]) -> str | None:
    """The title that the last line with one gives a long log, if there is one."""
    for line in _lines_with(found.assistant.title_marks, file, found.size):
        reader = found.assistant.reader(found.log, {}, place)
        reader.feed(line + b"\n")
        if reader.info.title is not None:
            return reader.info.title
    return None


def _lines_with(marks: Sequence[bytes], file: IO[bytes], size: int) -> Iterator[bytes]:
    """The lines that hold one of the marks, the last one first, without reading more than a piece at a time."""
    lowest = max(0, size - limits.LOG_TITLE_BYTES_MAX)
    end, rest = size, b""
    for _ in range(0, size - lowest, _HEAD_BYTES):
        if not marks:
            return
        start = max(lowest, end - _HEAD_BYTES)
        file.seek(start)
        data = file.read(end - start) + rest
        first = data.find(b"\n") + 1 if start > 0 else 0
        found = len(data)
        while (found := max(data.rfind(mark, first, found) for mark in marks)) >= 0:
            line_start = data.rfind(b"\n", 0, found) + 1
            line_end = data.find(b"\n", found)
            yield data[line_start : len(data) if line_end < 0 else line_end]
            found = line_start
        end, rest = start, data[:first][:_HEAD_BYTES]
