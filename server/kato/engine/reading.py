"""Reads of sessions: events for notes and commands, pages for clients, Markdown for display.

Reads show what is committed; they do not commit open appends. Large events make room first, so that reading a session
cannot exceed the memory budget.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.lenient_json import rendered_bytes
from kato.core.lines import first_lines
from kato.core.ports import Ledger
from kato.core.records import SessionRecord
from kato.core.snapshots import SnapshotStore
from kato.engine.budget import EVENT, MemoryBudget
from kato.notes.notebook import NoteBook
from kato.notes.passages import Passage, passage
from kato.notes.rendering import Events, SubAgent

#: Events of which the sizes are looked up at a time.
_STEP_BACK_EVENTS: Final = 500


class Page(NamedTuple):
    """Events of a session: pieces of whole lines, the `after` of the next page (None at the end), and the total of events."""

    pieces: list[bytes]
    next_after: int | None
    total: int


class SessionReader:
    """Reads from memory if all requested events are resident, else from the ledger. `forget_removed` drops sessions
    that another process removed; it is called before anything is served from memory.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: SnapshotStore,
        notebook: NoteBook,
        budget: MemoryBudget,
        forget_removed: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._notebook = notebook
        self._budget = budget
        self._forget_removed = forget_removed

    def events(self, key: SessionKey, cost: Callable[[bytes], int] = rendered_bytes) -> Events:
        """A reader of the session's events. `cost` estimates the bytes of memory that the caller's use of a large one takes."""

        def read(*, after: int, until: int) -> Iterator[tuple[int, bytes]]:
            self._forget_removed()
            is_resident = self._store.covers(key, after, until)
            source = self._store if is_resident else self._ledger
            for first, data in source.read_pieces(key, after=after, until=until):
                if len(data) > limits.LARGE_BYTES:
                    self._budget.make_room(cost(data), EVENT)
                yield first, data

        return read

    def sub_agents(self, key: SessionKey, tool_call_id: str) -> Iterator[SubAgent]:
        """The sub-agents that a tool call of the session started."""
        for child in self._ledger.children(key):
            if child.parent_call_id == tool_call_id:
                title = child.title or child.snippet or child.key.session_id
                events = self.events(child.key)(after=0, until=child.event_count)
                yield SubAgent(child.key, title, events)

    def page(self, key: SessionKey, *, after: int, limit: int) -> Page:
        """Events from number `after` on: at most `limit`, and not more than fit into an answer, but at least one. Raises
        UnknownSession, and BudgetExceeded for an event that is too large to be sent.
        """
        record = self._known(key)
        is_durable = self._ledger.durable
        resident = self._store.held(key)
        if not is_durable and resident is None:
            raise UnknownSession(key.provider, key.session_id)
        base = 0 if is_durable or resident is None else resident.first_seq
        first = min(base + after, record.event_count)
        until = min(first + limit, record.event_count)
        pieces: list[bytes] = []
        reached, room = until, limits.PAGE_BYTES_MAX
        for start, data in self._ledger.read_pieces(key, after=first, until=until):
            part = first_lines(data, room, one_at_least=not pieces)
            if len(part) > limits.PAGE_BYTES_MAX:
                self._budget.make_room(limits.PAGE_COST * len(part), EVENT)
            if part:
                pieces.append(part)
            room -= len(part)
            if len(part) < len(data):
                reached = start + part.count(b"\n")
                break
        total = record.event_count - base
        return Page(pieces, reached - base if reached < record.event_count else None, total)

    def markdown(
        self, key: SessionKey, *, bytes_max: int, around: int | None = None, is_page: bool = False
    ) -> Passage:
        """The session as Markdown without frontmatter, as a note or as a page: its beginning, or the passage around event number
        `around`, or the newest passage if the session does not have that event yet. Raises UnknownSession and BudgetExceeded.
        """
        record = self._known(key)
        self._budget.make_room(limits.RENDERED_COST * bytes_max, "showing this session")
        seq = 0 if around is None else min(around, record.event_count)
        first = self._first_before(key, seq)
        events = self.events(key)(after=first, until=record.event_count)
        texts = self._notebook.texts(record, events, record.event_count, is_page=is_page)
        shown = passage(texts, seq, bytes_max=bytes_max)
        return shown if first == 0 else shown._replace(is_cut_before=True)

    def _first_before(self, key: SessionKey, seq: int) -> int:
        """From which event to render, so that a passage around `seq` costs the same however long the session is."""
        read = self.events(key)
        size = 0
        while seq > 0:
            first = max(0, seq - _STEP_BACK_EVENTS)
            size += sum(len(data) for _, data in read(after=first, until=seq))
            seq = first
            if size >= limits.PASSAGE_READ_BYTES:
                break
        return seq

    def _known(self, key: SessionKey) -> SessionRecord:
        record = self._ledger.session(key)
        if record is None:
            raise UnknownSession(key.provider, key.session_id)
        return record
