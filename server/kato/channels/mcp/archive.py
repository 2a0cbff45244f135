"""The stored conversations as an assistant may read them: listed, searched, read in parts.

Rules:

- A call reads a bounded number of bytes and returns a bounded number of characters; an answer that was cut says how to continue.
- Conversations outside the scope do not exist for the caller.
- Secrets are masked as in notes, in whole texts before they are cut. `tools` marks the text as untrusted.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from kato.core import limits
from kato.core.errors import BudgetExceeded, KatoError
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Decision,
    SessionKey,
    SystemMessage,
    ToolCall,
    ToolResult,
    UserMessage,
    decode_line,
)
from kato.core.lines import numbered
from kato.core.moments import epoch_ms
from kato.core.queries import Query, SearchScope
from kato.core.records import Recording, SessionRecord
from kato.core.searching import excerpt
from kato.storage.search import Indexer
from kato.system.folders import is_inside

#: The most sessions that Kato checks for the scope: the newest ones.
SESSIONS_MAX: Final = 20_000
#: The most hits of one conversation.
_HITS_PER_SESSION_MAX: Final = 3
#: Matches that the index gives for a hit: some are of sub-agents, or of a conversation with enough hits.
_MATCHES_PER_HIT: Final = 5
#: Whose messages are searched.
_ROLES: Final[Sequence[SearchScope]] = ("user", "assistant")
#: Events that one call looks at; those that are not shown (results of tools) count too.
_EVENTS_MAX: Final = 20_000
_RESULT_CHARS: Final = 600
_EVENT_BYTES_MAX: Final = 64 * limits.MIB


class Ledger(Protocol):
    """What the archive asks the journal."""

    make_room: Callable[[int], object]

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record."""
        ...

    def status_sessions(
        self, *, since_ms: int | None, limit: int
    ) -> Iterator[tuple[SessionRecord, Recording | None]]:
        """Sessions with their newest recording: first those with an active recording, then the newest."""
        ...

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The session's events in pieces of whole lines, each with the number of its first event."""
        ...

    def active_recordings(self) -> list[Recording]:
        """The active recordings of all sessions."""
        ...


class Hit(NamedTuple):
    """A message that matches a query, and the text around the first match. `number` counts the session's events from 1."""

    session: SessionRecord
    number: int
    role: str
    snippet: str


class Found(NamedTuple):
    """The hits of a search, the best first. `is_complete` is false if not everything could be searched."""

    hits: Sequence[Hit]
    is_complete: bool


class Listed(NamedTuple):
    """A session in scope with its newest recording."""

    session: SessionRecord
    recording: Recording | None


class Passage(NamedTuple):
    """An event as text. `number` counts the session's events from 1; `omitted` bytes of its end are left out."""

    number: int
    role: str
    timestamp_ms: int
    text: str
    omitted: int = 0


class Excerpt(NamedTuple):
    """Passages of a session. `next_number` is where to go on; None at the end of what was asked for."""

    session: SessionRecord
    passages: Sequence[Passage]
    next_number: int | None


class Archive:
    """See the module. `folder` limits what can be read to conversations that were held there or below; None allows all. `mask`
    masks the secrets of a text.
    """

    def __init__(
        self, ledger: Ledger, folder: str | None, index: Indexer, mask: Callable[[str], str]
    ) -> None:
        self._ledger = ledger
        self._mask = mask
        self._folder = folder
        self._index = index
        ledger.make_room = _refuse_huge

    def sessions(self, *, folder: str | None = None, since_ms: int | None = None) -> Iterator[Listed]:
        """The conversations in scope, without those of sub-agents: first those that record, then the newest."""
        for record, recording in self._ledger.status_sessions(since_ms=since_ms, limit=SESSIONS_MAX):
            if record.parent_id is None and self._is_in_scope(record.cwd, folder):
                yield Listed(record, recording)

    def _is_in_scope(self, cwd: str | None, folder: str | None = None) -> bool:
        """Whether conversations that were held in a folder are in scope, and in `folder` if that is given."""
        return all(outer is None or is_inside(cwd, outer) for outer in (self._folder, folder))

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The record of a conversation in scope."""
        record = self._ledger.session(key)
        return record if record is not None and self._is_in_scope(record.cwd) else None

    def title(self, record: SessionRecord) -> str:
        """The title of a conversation, or how it begins."""
        return self._mask(record.title or record.snippet or "")

    def recordings(self) -> list[Listed]:
        """The conversations in scope that are recorded now."""
        found = []
        for recording in self._ledger.active_recordings():
            record = self.session(recording.key)
            if record is not None:
                found.append(Listed(record, recording))
        return found

    def search(
        self,
        query: Query,
        *,
        folder: str | None,
        provider: str | None,
        since_ms: int | None,
        limit: int,
    ) -> Found:
        """Messages of the user and of the assistant that match. Raises SearchUnavailable."""
        self._catch_up()
        results = [
            self._index.search(
                query,
                scope=scope,
                provider=provider,
                is_in_folder=lambda cwd: self._is_in_scope(cwd, folder),
                since_ms=since_ms,
                limit=limit * _MATCHES_PER_HIT,
            )
            for scope in _ROLES
        ]
        found = sorted((hit for result in results for hit in result.hits), key=lambda hit: -hit.score)
        hits: list[Hit] = []
        counts: Counter[SessionKey] = Counter()
        for one in found:
            key = SessionKey(one.provider, one.session_id)
            hit = self._hit(key, one.seq, query) if counts[key] < _HITS_PER_SESSION_MAX else None
            if hit is not None:
                hits.append(hit)
                counts[key] += 1
        is_complete = len(hits) <= limit and all(result.complete for result in results)
        return Found(hits[:limit], is_complete)

    def _catch_up(self) -> None:
        """Indexes what the journal has and the index lacks, the newest conversations first, for a bounded time."""
        end = time.monotonic() + limits.MCP_INDEX_SECONDS_MAX
        with suppress(KatoError):  # what is indexed can be searched nevertheless
            while self._index.step() and time.monotonic() < end:
                pass

    def _hit(self, key: SessionKey, number: int, query: Query) -> Hit | None:
        """The hit of the event with this number, from 0; None for a conversation that is not to be shown, and for a message whose
        masked text does not match: a query must not find out a secret.
        """
        record = self.session(key)
        if record is None or record.parent_id is not None:
            return None
        for _, line in numbered(self._ledger.read_pieces(key, after=number, until=number + 1)):
            event = decode_line(line)
            if isinstance(event, UserMessage | AssistantMessage):
                text = self._mask(event.content)[: limits.SEARCHED_CHARS_MAX]
                if query.find_in(text) is not None:
                    return Hit(record, number + 1, event.role, excerpt(text, query)[0])
        return None

    def read(
        self, record: SessionRecord, *, first: int, last: int, bytes_max: int, with_results: bool
    ) -> Excerpt:
        """The events number `first` to `last` (from 1) as text of at most `bytes_max` bytes: messages, calls, decisions, and the
        beginnings of results if they are asked for.
        """
        passages: list[Passage] = []
        room, looked_at = bytes_max, 0
        for index, line in numbered(self._ledger.read_pieces(record.key, after=first - 1, until=last)):
            if looked_at == _EVENTS_MAX:
                return Excerpt(record, passages, index + 1)
            looked_at += 1
            event = decode_line(line)
            shown = as_text(event, with_results=with_results, mask=self._mask)
            if shown is None:
                continue
            role, text = shown
            data = text.encode(errors="replace")
            if len(data) > room and passages:
                return Excerpt(record, passages, index + 1)
            kept = data[: max(room, 0)].decode(errors="ignore")
            omitted = len(data) - len(kept.encode())
            passages.append(Passage(index + 1, role, epoch_ms(event.timestamp), kept, omitted))
            room -= len(data)
        return Excerpt(record, passages, last + 1 if last < record.event_count else None)


def as_text(
    event: ConversationEvent, *, with_results: bool, mask: Callable[[str], str]
) -> tuple[str, str] | None:
    """The role and the masked text of an event; None for what a reader of the conversation does not need."""
    if isinstance(event, UserMessage | AssistantMessage | SystemMessage):
        return event.role, mask(event.content)
    if isinstance(event, ToolCall):
        return "tool call", mask(f"{event.name} {event.description or ''}".rstrip())
    if isinstance(event, Decision):
        return "decision", mask(event.summary)
    if isinstance(event, ToolResult) and with_results:
        result = mask(event.result)
        rest = len(result) - _RESULT_CHARS
        cut = f" [{rest} more characters]" if rest > 0 else ""
        return "tool result", result[:_RESULT_CHARS] + cut
    return None


def _refuse_huge(needed_bytes: int) -> None:
    """An event that is larger than this is not for an assistant to read."""
    if needed_bytes > _EVENT_BYTES_MAX * limits.JOURNAL_ROW_COST:
        raise BudgetExceeded(
            "an event of this conversation is too large to be read here: capture the conversation to a note",
            needed_bytes=needed_bytes,
            budget_bytes=_EVENT_BYTES_MAX,
            fatal=False,
        )
