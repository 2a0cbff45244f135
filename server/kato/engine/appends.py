"""Appends: requests, the open group of each session, and the tickets that get answers.

AppendRequest ──► Group (all requests of a session since the last commit) ──► AppendReceipt of the ledger
             └──► Ticket (one request) ──────────────────────────────────────► AppendAnswer or error
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from kato.core import grammar, paths
from kato.core.errors import KatoError
from kato.core.events import MESSAGE_TYPES, ConversationEvent, SessionKey, UserMessage
from kato.core.lines import Lines
from kato.core.moments import epoch_ms
from kato.core.outcomes import CommandOutcome
from kato.core.records import AppendReceipt, LogRecord, SessionMeta, merge_meta


class AppendRequest(Struct, frozen=True):
    """Validated events of one session with their lines (same order, same length). With `make_resident` off, a session that
    is not in memory and that the journal has is not loaded: no client shows it now. `continues` is the session whose
    conversation the assistant moved to this one: its recording moves along.
    """

    key: SessionKey
    events: Sequence[ConversationEvent]
    lines: Lines
    title: str | None = None
    cwd: str | None = None
    replay: bool = False
    parent_id: str | None = None
    parent_call_id: str | None = None
    branch: str | None = None
    make_resident: bool = True
    continues: SessionKey | None = None


class AppendAnswer(Struct, frozen=True, rename="camel"):
    """The answer to an append."""

    accepted: int
    duplicates: int
    event_count: int
    truncated_events: int
    commands: list[CommandOutcome]


class Group:
    """Everything that was appended to one session since the last commit. Ledger and store get it as one append."""

    __slots__ = (
        "continues",
        "error",
        "ids",
        "key",
        "lines",
        "make_resident",
        "meta",
        "receipt",
        "resident_events",
    )

    def __init__(self, key: SessionKey) -> None:
        self.key = key
        self.ids: list[str] = []
        self.lines: list[Lines] = []
        self.make_resident = False
        self.meta: SessionMeta | None = None
        self.receipt: AppendReceipt | None = None
        self.resident_events = 0
        self.error: KatoError | None = None
        self.continues: SessionKey | None = None

    def add(self, request: AppendRequest, now_ms: int) -> "Ticket":
        """Adds a request's events."""
        start = len(self.ids)
        candidates = []
        last: datetime | None = None
        snippet = None if self.meta is None else self.meta.snippet
        for index, event in enumerate(request.events, start):
            self.ids.append(event.event_id)
            if type(event) in MESSAGE_TYPES:
                if last is None or event.timestamp > last:
                    last = event.timestamp
                if type(event) is UserMessage:
                    if not snippet:
                        snippet = paths.title_from_text(event.content, grammar.is_command_line)
                    if "::" in event.content and not request.replay:
                        candidates.append((index, event))
        self.lines.append(request.lines)
        self.make_resident = self.make_resident or request.make_resident
        self.continues = self.continues or request.continues
        meta = SessionMeta(
            updated_at=now_ms,
            title=request.title,
            snippet=snippet,
            cwd=request.cwd,
            last_message_at=None if last is None else epoch_ms(last),
            parent_id=request.parent_id,
            parent_call_id=request.parent_call_id,
            branch=request.branch,
        )
        self.meta = meta if self.meta is None else merge_meta(self.meta, meta)
        return Ticket(self, start, len(self.ids), candidates)


class Ticket:
    """An append under way: the events from `start` to before `end` of a session's group. After the commit it has an answer
    or an error. `candidates` are the user's messages that may hold commands, with their indices in the group.
    """

    __slots__ = ("_end", "_group", "_start", "candidates", "outcomes")

    def __init__(
        self, group: Group, start: int, end: int, candidates: Sequence[tuple[int, UserMessage]]
    ) -> None:
        self._group = group
        self._start = start
        self._end = end
        self.candidates = candidates
        self.outcomes: list[CommandOutcome] = []

    @property
    def key(self) -> SessionKey:
        """The session."""
        return self._group.key

    @property
    def error(self) -> KatoError | None:
        """Why none of its events were stored, or why the process has to end."""
        return self._group.error

    @property
    def answer(self) -> AppendAnswer | None:
        """The answer; None before the commit, and if the append failed."""
        receipt = self._group.receipt
        if receipt is None or self.error is not None:
            return None
        before = bisect_left(receipt.accepted, self._start)
        through = bisect_left(receipt.accepted, self._end)
        total = receipt.first_seq + through
        retained = min(total, self._group.resident_events)
        return AppendAnswer(
            accepted=through - before,
            duplicates=self._end - self._start - (through - before),
            event_count=retained,
            truncated_events=total - retained,
            commands=self.outcomes,
        )

    def seq_of(self, index: int) -> int | None:
        """The number in the session of the event at this index of the group; None for a duplicate."""
        receipt = self._group.receipt
        assert receipt is not None
        found = bisect_left(receipt.accepted, index)
        if found == len(receipt.accepted) or receipt.accepted[found] != index:
            return None
        return receipt.first_seq + found


class LogTicket:
    """A log record on its way into the ledger. After the commit, `error` says why it was not stored."""

    __slots__ = ("error", "record")

    def __init__(self, record: LogRecord) -> None:
        self.record = record
        self.error: KatoError | None = None
