"""Appends: requests, the open group of each session, and the tickets that get answers.

AppendRequest ──► Group (all requests of a session since the last commit) ──► AppendReceipt of the ledger
             └──► Ticket (one request) ──────────────────────────────────────► AppendAnswer or error
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from kato.core import gaps, grammar, paths
from kato.core.errors import KatoError
from kato.core.events import MESSAGE_TYPES, ConversationEvent, ProviderInfo, SessionKey, UserMessage
from kato.core.gaps import Switch
from kato.core.lines import Lines
from kato.core.moments import epoch_ms
from kato.core.outcomes import CommandOutcome
from kato.core.pictures import names_in
from kato.core.records import AppendReceipt, GapReason, LogRecord, SessionMeta, merge_meta


class AppendRequest(Struct, frozen=True):
    """Validated events of one session with their lines (same order, same length). With `make_resident` off, a session that
    is not in memory and that the journal has is not loaded: no client shows it now. `continues` is the session whose
    conversation the assistant moved to this one: its recording moves along. `switch` keeps nothing of the session from here on, or
    keeps it again. `has_global_ids`: an event has the same id in each session in which it occurs.
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
    switch: Switch | None = None
    has_global_ids: bool = False


class AppendAnswer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to an append. `withheld` counts the new events that are not kept, and `not_kept` says why nothing of the
    conversation is kept now: after `::off` (`off`), or because of a `.katoignore` file (`ignored`).
    """

    accepted: int
    duplicates: int
    event_count: int
    truncated_events: int
    commands: list[CommandOutcome]
    withheld: int | UnsetType = UNSET
    not_kept: GapReason | UnsetType = UNSET


class Group:
    """Everything that was appended to one session since the last commit. Ledger and store get it as one append."""

    __slots__ = (
        "continues",
        "cut_messages",
        "error",
        "has_global_ids",
        "has_switched",
        "ids",
        "key",
        "lines",
        "make_resident",
        "meta",
        "moments",
        "not_kept",
        "origins",
        "receipt",
        "resident_events",
        "snippet_index",
        "special",
        "switch",
        "withheld",
        "withheld_pictures",
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
        #: Messages that may switch what is kept, and notes that the session comes from another one, by their indices.
        self.special: dict[int, UserMessage | ProviderInfo] = {}
        #: The times of a sub-agent's events, in milliseconds.
        self.moments: list[int] = []
        self.snippet_index: int | None = None
        self.switch: Switch | None = None
        self.has_switched = False
        self.has_global_ids = False
        #: Set where events are left out: what each remaining event comes from, the cut messages by that index, and which events
        #: were new and left out.
        self.origins: list[int] | None = None
        self.cut_messages: Mapping[int, Sequence[tuple[int, UserMessage]]] = {}
        self.withheld: Sequence[int] = ()
        self.not_kept: GapReason | None = None
        self.withheld_pictures: set[str] = set()

    @property
    def cwd(self) -> str | None:
        """The folder that the appends name."""
        return None if self.meta is None else self.meta.cwd

    def pictures(self) -> tuple[set[str], set[str]]:
        """The names of pictures in the events that were stored, and in all others."""
        lines = Lines.joined(self.lines)
        accepted = () if self.receipt is None else self.receipt.accepted
        stored = names_in(b"".join(lines.chosen(accepted).parts))
        return stored, (names_in(b"".join(lines.parts)) | self.withheld_pictures) - stored

    def place_of(self, index: int) -> int:
        """How many of the events to append come from before this index."""
        return index if self.origins is None else bisect_left(self.origins, index)

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
                    if gaps.may_switch(event):
                        self.special[index] = event
                    if not snippet:
                        self.snippet_index = index
                        snippet = paths.title_from_text(event.content, grammar.is_command_line)
                    if "::" in event.content and not request.replay:
                        candidates.append((index, event))
            elif type(event) is ProviderInfo and event.subtype in ("forked", "resumed"):
                self.special[index] = event
        if request.parent_id is not None:
            self.moments += [epoch_ms(event.timestamp) for event in request.events]
        self.lines.append(request.lines)
        self.switch = request.switch or self.switch
        self.has_global_ids = self.has_global_ids or request.has_global_ids
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
        group = self._group
        receipt = group.receipt
        if receipt is None or self.error is not None:
            return None
        before = bisect_left(receipt.accepted, group.place_of(self._start))
        through = bisect_left(receipt.accepted, group.place_of(self._end))
        total = receipt.first_seq + through
        retained = min(total, group.resident_events)
        stored = receipt.accepted[before:through]
        # A cut message can be stored as several events, with a note of the gap.
        accepted = len(stored) if group.origins is None else len({group.origins[place] for place in stored})
        withheld = bisect_left(group.withheld, self._end) - bisect_left(group.withheld, self._start)
        return AppendAnswer(
            accepted=accepted,
            duplicates=self._end - self._start - accepted - withheld,
            event_count=retained,
            truncated_events=total - retained,
            commands=self.outcomes,
            withheld=withheld or UNSET,
            not_kept=UNSET if group.not_kept is None else group.not_kept,
        )

    @property
    def has_switched(self) -> bool:
        """Whether its switch changed something."""
        return self._group.has_switched

    def screened(self) -> Sequence[tuple[int, UserMessage]]:
        """The messages to be stored that may hold commands, with their places among the events to append."""
        group = self._group
        if group.origins is None:
            return self.candidates
        found: list[tuple[int, UserMessage]] = []
        for index, message in self.candidates:
            place = group.place_of(index)
            if index in group.cut_messages:
                found += group.cut_messages[index]
            elif place < len(group.origins) and group.origins[place] == index:
                found.append((place, message))
        return found

    def withheld_messages(self) -> Sequence[UserMessage]:
        """The new messages that may hold commands and are not kept."""
        withheld = set(self._group.withheld) if self.candidates else ()
        return [message for index, message in self.candidates if index in withheld]

    def seq_of(self, index: int) -> int | None:
        """The number in the session of the event at this place among those to append; None for a duplicate."""
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
