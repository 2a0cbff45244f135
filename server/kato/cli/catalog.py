"""The conversations on this machine: which there are, what a list shows of them, and which one the user means.

Rule: listing reads the beginning of a log and its end, never the whole.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

from msgspec import Struct

from kato.assistants.contract import SessionInfo, Surroundings
from kato.core import grammar, limits, paths
from kato.core.errors import CommandRefused
from kato.core.events import MESSAGE_TYPES, ConversationEvent, SessionKey, UserMessage
from kato.core.settings import Settings
from kato.logs import discovery
from kato.logs.discovery import PACKED, Found, Root, scan
from kato.logs.tail import Tail
from kato.system.folders import is_inside
from kato.system.regular import open_regular

#: Bytes at the beginning and at the end of a log that listing reads: they contain the user's first words, and the newest title.
_HEAD_BYTES: Final = 1 * limits.MIB
_END_BYTES: Final = 64 * limits.KIB


class Places(NamedTuple):
    """Where to look for logs: this machine, and the roots of each assistant."""

    surroundings: Surroundings
    roots: Sequence[Root]

    @classmethod
    def of(cls, chosen: Settings) -> "Places":
        """The places that these settings give, for a user in the current folder."""
        surroundings = discovery.surroundings(os.environ, [str(Path.cwd())])
        return cls(surroundings, discovery.roots(surroundings, chosen.provider_session_roots))


class Conversation(Struct, frozen=True):
    """A conversation as a list shows it. `updated_at` in milliseconds, `size` in bytes of its log."""

    found: Found
    info: SessionInfo
    title: str | None
    updated_at: int

    @property
    def key(self) -> SessionKey:
        """Its identity."""
        return SessionKey(self.found.assistant.name, self.info.session_id)


def list_found(roots: Sequence[Root], place: Surroundings) -> list[Found]:
    """All logs, the one that changed last first; where an assistant keeps several of a session, the best one."""
    of_sessions: dict[tuple[str, str, str], list[Found]] = {}
    for root in roots:
        for found in scan(root):
            log = found.log
            name = os.path.basename(found.path) if log.parent_id is not None else ""  # noqa: PTH119
            of_sessions.setdefault((found.assistant.name, log.session_id, name), []).append(found)
    best = [
        several[0] if len(several) == 1 else max(several, key=lambda one: _rank(one, place))
        for several in of_sessions.values()
    ]
    return sorted(best, key=lambda found: found.mtime_ns, reverse=True)


def _rank(found: Found, place: Surroundings) -> tuple[bool, bool, bool, int]:
    """A log with messages before one without (a resumed session can leave one), the best store before the others, lines
    before a document, the newer before the older.
    """
    best = found.log.variant in found.assistant.stores[:1]
    return (_has_messages(found, place), best, not found.log.rewritten, found.mtime_ns)


def _has_messages(found: Found, place: Surroundings) -> bool:
    tail = Tail(found, place)
    with suppress(OSError):
        piece = tail.read()
        events = (
            piece.result.events if piece.more else [*piece.result.events, *tail.settle(is_final=True).events]
        )
        return piece.more or any(isinstance(event, MESSAGE_TYPES) for event in events)
    return False


def describe(found: Found, place: Surroundings) -> Conversation:
    """What a list shows of a log."""
    tail = Tail(found, place)
    first: str | None = None
    title: str | None = None
    more = True
    read = 0
    with suppress(OSError):
        while more and read < _HEAD_BYTES:
            piece = tail.read()
            more, read = piece.more, read + limits.LOG_READ_BYTES
            events = [
                *piece.result.events,
                *([] if more and read < _HEAD_BYTES else tail.settle(is_final=True).events),
            ]
            first = first or _first_words(events)
            if first is not None and tail.reader.info.cwd is not None and read >= limits.LOG_READ_BYTES:
                break
        title = _newest_title(found, place) if more else None
    info = tail.reader.info
    return Conversation(
        found, info, (title if more else None) or info.title or first, found.mtime_ns // 1_000_000
    )


def _first_words(events: Sequence[ConversationEvent]) -> str | None:
    for event in events:
        if isinstance(event, UserMessage):
            words = paths.title_from_text(event.content, grammar.is_command_line)
            if words:
                return words
    return None


def _newest_title(found: Found, place: Surroundings) -> str | None:
    """The title that the last line with one gives a long log, if there is one."""
    if found.log.rewritten or found.path.endswith(PACKED):
        return None
    with open(found.path, "rb", opener=open_regular) as file:
        file.seek(max(0, found.size - _END_BYTES))
        end = file.read(_END_BYTES)
        reader = found.assistant.reader(found.log, {}, place)
        reader.feed(end[end.find(b"\n") + 1 :])
        if reader.info.title is not None:
            return reader.info.title
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


def pick(all_found: Sequence[Found], wanted: str, place: Surroundings) -> Found:
    """The log of the session with this id, or the beginning of it. Raises CommandRefused for none or several."""
    provider, slash, name = wanted.partition("/")
    if not slash:
        provider, name = "", wanted
    fitting = [
        found
        for found in all_found
        if (not provider or found.assistant.name == provider) and found.log.session_id.startswith(name)
    ]
    if not fitting:
        # Gemini's file names hold the beginning of the id only.
        fitting = [
            found
            for found in all_found
            if (not provider or found.assistant.name == provider)
            and name.startswith(found.log.session_id)
            and describe(found, place).info.session_id == name
        ]
    exact = [found for found in fitting if found.log.session_id == name]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if not fitting:
        raise CommandRefused(
            f"no conversation {wanted!r} is on this machine; `kato sessions --all` lists them"
        )
    some = ", ".join(f"{found.assistant.name}/{found.log.session_id}" for found in fitting[:4])
    raise CommandRefused(
        f"{wanted!r} could be {len(fitting)} conversations: {some}{', …' if len(fitting) > 4 else ''}"
    )


def latest(all_found: Sequence[Found], folder: str, place: Surroundings) -> Found:
    """The log that changed last among those of the conversations in this folder. Raises CommandRefused if there is none."""
    for found in all_found:
        if found.log.parent_id is None:
            info = describe(found, place).info
            if info.parent_id is None and is_inside(info.cwd, folder):
                return found
    raise CommandRefused(
        f"no conversation was held in {folder}; `kato sessions` lists those of other folders"
    )
