"""The conversations on this machine, without a server: listed, found, read as a whole, examined.

Rule: listing reads the beginning of a log and its end, never the whole; a capture streams, however long the log is.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import PurePath
from typing import IO, Final

from msgspec import Struct

from kato.assistants.contract import SavePicture, SessionInfo, Surroundings
from kato.core import grammar, limits, paths
from kato.core.errors import CommandRefused
from kato.core.events import MESSAGE_TYPES, ConversationEvent, SessionKey, UserMessage, encode_line
from kato.core.moments import epoch_ms
from kato.core.records import SessionRecord
from kato.logs.discovery import PACKED, Found, Root, scan
from kato.logs.parts import part_order
from kato.logs.tail import Tail
from kato.notes.notebook import NoteBook, Whole
from kato.notes.rendering import Position, SubAgent
from kato.system.regular import open_regular

#: Of a log, so much is read to list it: the first words of the user lie there, and at the end the newest title.
_HEAD_BYTES: Final = 1 * limits.MIB
_END_BYTES: Final = 64 * limits.KIB


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


class LogEvents:
    """All events of one session of a log, each once, in order; read from the log each time. The session is the log's own, unless
    that of a sub-agent is named which the same log holds.
    """

    def __init__(
        self,
        found: Found,
        place: Surroundings,
        *,
        since_ms: int | None = None,
        save: SavePicture | None = None,
        session_id: str | None = None,
    ) -> None:
        self._session_id = session_id
        self._found = found
        self._place = place
        self._since_ms = since_ms
        self._save = save
        #: After a run through: the sub-agents that the session started, with the calls that did.
        self.started: Mapping[str, str] = {}
        #: The session's title, as far as it was read.
        self.title: str | None = None
        #: After a run through: what the log says about the session.
        self.info: SessionInfo | None = None

    def __iter__(self) -> Iterator[ConversationEvent]:
        seen: set[int] = set()  # hashes: a long log has many ids
        started: dict[str, str] = {}
        for found in _parts(self._found):
            tail = Tail(found, self._place)
            tail.reader.save_picture = self._save
            yield from self._of(tail, seen)
            started.update(tail.reader.started)
            self.info = tail.reader.about(self._session_id or tail.reader.info.session_id)
        self.started = started

    def _of(self, tail: Tail, seen: set[int]) -> Iterator[ConversationEvent]:
        more = True
        while more:
            piece = tail.read()
            more = piece.more
            events = (
                piece.result.events if more else [*piece.result.events, *tail.settle(is_final=True).events]
            )
            for event in events:
                mark = hash(event.event_id)
                wanted = tail.reader.info.session_id if self._session_id is None else self._session_id
                if mark not in seen and event.session_id == wanted:
                    seen.add(mark)
                    self.title = tail.reader.about(wanted).title
                    if self._since_ms is None or epoch_ms(event.timestamp) >= self._since_ms:
                        yield event

    def pieces(self, *, after: int = 0, until: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Their lines in pieces of a bounded size, each with the number of its first."""
        start, lines, size = after, [], 0
        for line in map(encode_line, islice(self, after, until)):
            lines.append(line)
            size += len(line)
            if size >= limits.WRITE_PIECE_BYTES:
                yield start, b"\n".join([*lines, b""])
                start, lines, size = start + len(lines), [], 0
        if lines:
            yield start, b"\n".join([*lines, b""])


def _parts(found: Found) -> list[Found]:
    """The logs of a session that is kept in several, up to this one."""
    if not found.log.is_later_part:
        return [found]
    name = os.path.basename(found.path)  # noqa: PTH119
    others = {
        os.path.basename(one.path): one  # noqa: PTH119
        for one in scan(Root(found.assistant, found.root))
        if one.log.session_id == found.log.session_id
    }
    earlier = (other for other in others if part_order(other) < part_order(name))
    return [*(others[other] for other in sorted(earlier, key=part_order)), found]


class SubAgentLogs:
    """The sub-agents of sessions, by the calls that started them: in logs of their own, whose path or first records name the
    parent, or in the parent's log.
    """

    def __init__(
        self,
        all_found: Sequence[Found],
        place: Surroundings,
        save: SavePicture | None = None,
        *,
        since_ms: int = 0,
    ) -> None:
        self._place = place
        self._save = save
        self._own: dict[SessionKey, Found] = {}  # the logs of sessions that may hold sub-agents
        self._logs: dict[SessionKey, list[tuple[str, str, Found]]] = {}  # parent -> session, title, log
        self._started: dict[SessionKey, Mapping[str, str]] = {}
        for found in all_found:
            # Where the path does not name the parent, the log may; it changed after the parent began.
            if found.log.parent_id or found.mtime_ns // 1_000_000 >= since_ms > 0:
                about = describe(found, place)
                if not about.info.parent_id:
                    continue
                parent = SessionKey(found.assistant.name, about.info.parent_id)
                title = about.title or about.info.session_id
                self._logs.setdefault(parent, []).append((about.info.session_id, title, found))
                if about.info.parent_tool_call_id:
                    known = dict(self._started.get(parent, {}))
                    self._started[parent] = known | {about.info.session_id: about.info.parent_tool_call_id}

    def know(self, key: SessionKey, started: Mapping[str, str], found: Found) -> None:
        """What a session's own log says of the sub-agents that it started."""
        self._started[key] = {**started, **self._started.get(key, {})}
        self._own[key] = found

    def __call__(self, key: SessionKey, tool_call_id: str) -> Iterator[SubAgent]:
        """The sub-agents that a tool call of a session started."""
        started = self._started.get(key, {})
        for session_id, title, found in self._logs.get(key, ()):
            if started.get(session_id) == tool_call_id:
                events = LogEvents(found, self._place, save=self._save)
                for _ in events:
                    pass  # its own sub-agents are known after a run through it
                self.know(SessionKey(key.provider, session_id), events.started, found)
                yield SubAgent(SessionKey(key.provider, session_id), title, events.pieces())
        with_logs = {session_id for session_id, _, _ in self._logs.get(key, ())}
        for session_id, call in started.items():
            if call == tool_call_id and session_id not in with_logs and key in self._own:
                events = LogEvents(self._own[key], self._place, save=self._save, session_id=session_id)
                if next(iter(events), None) is not None:
                    child = SessionKey(key.provider, session_id)
                    others = {one: its_call for one, its_call in started.items() if one != session_id}
                    self.know(child, others, self._own[key])  # the same log has its own sub-agents, too
                    yield SubAgent(child, events.title or session_id, events.pieces())


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


def is_inside(cwd: str | None, folder: str) -> bool:
    """Whether a session's folder lies in this one."""
    if cwd is None or not os.path.isabs(cwd):  # noqa: PTH117 - of this platform, as realpath takes it
        return False
    try:
        inner, outer = os.path.realpath(cwd), os.path.realpath(folder)
    except ValueError:  # a NUL, or what the file system's encoding has no bytes for
        return False
    return paths.parts_below(outer, inner, platform=sys.platform) is not None


def session_of(found: Found, place: Surroundings, events: LogEvents) -> SessionRecord:
    """What a note's frontmatter and name need to know."""
    about = describe(found, place)
    count = 0
    started: int | None = None
    for event in events:
        started = epoch_ms(event.timestamp) if started is None else started
        count += 1
    return SessionRecord(
        key=about.key,
        event_count=count,
        json_bytes=found.size,
        created_at=about.updated_at if started is None else started,
        updated_at=about.updated_at,
        title=about.title,
        cwd=about.info.cwd,
        branch=None if events.info is None else events.info.branch,
        tokens=None if events.info is None else events.info.tokens,
    )


#: What `kato capture` writes, by the suffix of the path.
FORMATS: Final = {
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".html": "a page",
    ".txt": "plain text",
    ".jsonl": "one event a line",
}


def capture(path: str, session: SessionRecord, events: LogEvents, notebook: NoteBook) -> Whole:
    """Writes a log's conversation in the format that the path's suffix names (`FORMATS`). Raises CommandRefused for another."""
    end = Position(session.event_count)
    suffix = PurePath(path).suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(f"{name} ({what})" for name, what in FORMATS.items())
        raise CommandRefused(f"{path}: the name of the file must end in one of {known}")
    if suffix == ".jsonl":
        return notebook.write_jsonl(path, session.key, events.pieces, end)
    if suffix == ".html":
        return notebook.write_html(path, session, events.pieces, end)
    if suffix == ".txt":
        return notebook.write_plain(path, session, events.pieces, end)
    return notebook.write_markdown(
        path, session, events.pieces, end, goes_on=lambda one: one.key == session.key
    )
