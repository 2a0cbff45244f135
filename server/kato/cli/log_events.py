"""The events of a log and of the sub-agents that it started, read without a server.

Rule: reading streams, however long the log is. Each run through the events reads the log again.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from kato.app.parsing import pieces
from kato.assistants.contract import SavePicture, SessionInfo, Surroundings
from kato.core import limits
from kato.core.events import ConversationEvent, SessionKey, encode_line
from kato.core.moments import epoch_ms
from kato.core.records import SessionRecord
from kato.logs.discovery import Found, Root, scan
from kato.logs.listing import describe
from kato.logs.parts import part_order
from kato.logs.screening import LogScreen, ScreenedReading
from kato.logs.tail import Tail
from kato.notes.rendering import SubAgent


class SessionEvents:
    """All events of one session of a log, each once, in order. `session_id` names a sub-agent whose events are in the same log;
    without it, the session is the log's own. `since_ms` leaves out earlier events. `save` saves the pictures. What was said
    after `::off` is left out (`screen`).
    """

    def __init__(
        self,
        found: Found,
        place: Surroundings,
        *,
        since_ms: int | None = None,
        save: SavePicture | None = None,
        session_id: str | None = None,
        screen: LogScreen | None = None,
    ) -> None:
        self._session_id = session_id
        self.screen = screen or LogScreen()
        self._found = found
        self._place = place
        self._since_ms = since_ms
        self._save = save
        #: After a complete run: the sub-agents that the session started, each with the id of the call that started it.
        self.started: Mapping[str, str] = {}
        #: The session's title, as far as it was read.
        self.title: str | None = None
        #: After a complete run: what the log says about the session.
        self.info: SessionInfo | None = None

    def __iter__(self) -> Iterator[ConversationEvent]:
        seen: set[int] = set()  # hashes: a long log has many ids
        started: dict[str, str] = {}
        words = self.screen.reading()
        for found in _parts(self._found):
            tail = Tail(found, self._place)
            tail.reader.save_picture = self._save
            yield from self._of(tail, seen, words)
            started.update(tail.reader.started)
            self.info = tail.reader.about(self._session_id or tail.reader.info.session_id)
        self.started = started

    def _of(self, tail: Tail, seen: set[int], words: ScreenedReading) -> Iterator[ConversationEvent]:
        for piece in pieces(tail):
            for event in piece.events:
                mark = hash(event.event_id)
                wanted = tail.reader.info.session_id if self._session_id is None else self._session_id
                if mark not in seen and event.session_id == wanted:
                    seen.add(mark)
                    about = tail.reader.about(wanted)
                    self.title = about.title
                    kept = words.kept(event, about.parent_id)
                    if self._since_ms is None or epoch_ms(event.timestamp) >= self._since_ms:
                        yield from kept

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
    """The sub-agents of sessions, by the calls that started them. A sub-agent's events are in a log of its own, whose path or
    first records name the parent, or in the parent's log.
    """

    def __init__(
        self,
        all_found: Sequence[Found],
        place: Surroundings,
        save: SavePicture | None = None,
        *,
        since_ms: int = 0,
        screen: LogScreen | None = None,
    ) -> None:
        self._screen = screen or LogScreen()
        self._place = place
        self._save = save
        self._own: dict[SessionKey, Found] = {}  # the logs of sessions that may hold sub-agents
        self._logs: dict[SessionKey, list[tuple[str, str, Found]]] = {}  # parent -> session, title, log
        self._started: dict[SessionKey, Mapping[str, str]] = {}
        for found in all_found:
            # Where the path does not name the parent, the log may; it changed after the parent began.
            if found.log.parent_id or found.mtime_ns // 1_000_000 >= since_ms > 0:
                about = self._screen.described(found.assistant.name, describe(found, place))
                if not about.info.parent_id:
                    continue
                parent = SessionKey(found.assistant.name, about.info.parent_id)
                title = about.title or about.info.session_id
                self._logs.setdefault(parent, []).append((about.info.session_id, title, found))
                if about.info.parent_tool_call_id:
                    known = dict(self._started.get(parent, {}))
                    self._started[parent] = known | {about.info.session_id: about.info.parent_tool_call_id}

    def know(self, key: SessionKey, started: Mapping[str, str], found: Found) -> None:
        """Takes what a session's own log says about the sub-agents that it started."""
        self._started[key] = {**started, **self._started.get(key, {})}
        self._own[key] = found

    def __call__(self, key: SessionKey, tool_call_id: str) -> Iterator[SubAgent]:
        """The sub-agents that a tool call of a session started."""
        started = self._started.get(key, {})
        for session_id, title, found in self._logs.get(key, ()):
            if started.get(session_id) == tool_call_id:
                events = SessionEvents(found, self._place, save=self._save, screen=self._screen)
                for _ in events:
                    pass  # its own sub-agents are known after a run through it
                self.know(SessionKey(key.provider, session_id), events.started, found)
                yield SubAgent(SessionKey(key.provider, session_id), title, events.pieces())
        with_logs = {session_id for session_id, _, _ in self._logs.get(key, ())}
        for session_id, call in started.items():
            if call == tool_call_id and session_id not in with_logs and key in self._own:
                events = SessionEvents(
                    self._own[key],
                    self._place,
                    save=self._save,
                    session_id=session_id,
                    screen=self._screen,
                )
                if next(iter(events), None) is not None:
                    child = SessionKey(key.provider, session_id)
                    others = {one: its_call for one, its_call in started.items() if one != session_id}
                    self.know(child, others, self._own[key])  # the same log has its own sub-agents, too
                    yield SubAgent(child, events.title or session_id, events.pieces())


def session_of(found: Found, place: Surroundings, events: SessionEvents) -> SessionRecord:
    """The session's record, as a note's frontmatter and name need it. Runs through the events once."""
    about = events.screen.described(found.assistant.name, describe(found, place))
    updated_at = found.mtime_ns // 1_000_000 if about.said_at is None else about.said_at
    count = 0
    started: int | None = None
    for event in events:
        started = epoch_ms(event.timestamp) if started is None else started
        count += 1
    return SessionRecord(
        key=SessionKey(found.assistant.name, about.info.session_id),
        event_count=count,
        json_bytes=found.size,
        created_at=updated_at if started is None else started,
        updated_at=updated_at,
        title=about.title,
        cwd=about.info.cwd,
        branch=None if events.info is None else events.info.branch,
        tokens=None if events.info is None else events.info.tokens,
    )
