"""The stored conversations as an assistant may read them: listed, searched, read in parts.

Rules:

- What is read is bounded in bytes and answers in characters; an answer that is cut shows this, and how to continue.
- Conversations outside the scope do not exist for the caller.
- Secrets are masked as in notes, in whole texts before they are cut. `tools` marks the text as untrusted.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from kato.core import limits
from kato.core.errors import BudgetExceeded
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
from kato.core.records import Recording, SessionRecord
from kato.system.folders import is_inside

#: The most sessions that Kato checks for the scope: the newest ones.
SESSIONS_MAX: Final = 20_000
#: A search without an index reads at most so much, the newest conversations first, and takes at most so long.
SEARCH_BYTES_MAX: Final = 256 * limits.MIB
SEARCH_SECONDS_MAX: Final = 5.0
_HITS_PER_SESSION_MAX: Final = 3
_SNIPPET_CHARS: Final = 240
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


class Match(NamedTuple):
    """Where a message is that has all words that were searched for. `number` counts the session's events from 1."""

    session: SessionRecord
    number: int


class Matches(NamedTuple):
    """What a search found. `is_complete` is False where it ended before it saw all conversations in scope."""

    found: Sequence[Match]
    is_complete: bool


class Hit(NamedTuple):
    """A match with what is shown of the message. `number` counts the session's events from 1."""

    session: SessionRecord
    number: int
    role: str
    snippet: str


class Found(NamedTuple):
    """The hits of a search. `is_complete` as in `Matches`."""

    hits: Sequence[Hit]
    is_complete: bool


class Search(Protocol):
    """Finds messages among sessions; the newest session first. An index can take the place of `stream_search`."""

    def __call__(
        self, ledger: Ledger, sessions: Sequence[SessionRecord], words: Sequence[str], limit: int
    ) -> Matches:
        """See the class. `words` are casefolded; a message has to hold all of them."""
        ...


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
        self, ledger: Ledger, folder: str | None, search: Search, mask: Callable[[str], str]
    ) -> None:
        self._ledger = ledger
        self._mask = mask
        self._folder = folder
        self._search = search
        ledger.make_room = _refuse_huge

    def sessions(self, *, folder: str | None = None, since_ms: int | None = None) -> Iterator[Listed]:
        """The conversations in scope, without those of sub-agents: first those that record, then the newest."""
        for record, recording in self._ledger.status_sessions(since_ms=since_ms, limit=SESSIONS_MAX):
            is_wanted = folder is None or is_inside(record.cwd, folder)
            if record.parent_id is None and is_wanted and self.covers(record):
                yield Listed(record, recording)

    def covers(self, record: SessionRecord) -> bool:
        """Whether a conversation is in scope."""
        return self._folder is None or is_inside(record.cwd, self._folder)

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The record of a conversation in scope."""
        record = self._ledger.session(key)
        return record if record is not None and self.covers(record) else None

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
        words: Sequence[str],
        *,
        folder: str | None,
        provider: str | None,
        since_ms: int | None,
        limit: int,
    ) -> Found:
        """Messages that hold all of the words."""
        sessions = [
            one.session
            for one in self.sessions(folder=folder, since_ms=since_ms)
            if provider is None or one.session.key.provider == provider
        ]
        sessions.sort(key=lambda one: one.last_message_at or one.updated_at, reverse=True)
        found, is_complete = self._search(self._ledger, sessions, words, limit)
        hits = [hit for match in found if (hit := self._hit(match, words)) is not None]
        return Found(hits, is_complete)

    def _hit(self, match: Match, words: Sequence[str]) -> Hit | None:
        """The text around the words; None for a message that was removed meanwhile."""
        pieces = self._ledger.read_pieces(match.session.key, after=match.number - 1, until=match.number)
        for _, line in numbered(pieces):
            event = decode_line(line)
            if isinstance(event, UserMessage | AssistantMessage):
                return Hit(*match, event.role, _around(self._mask(event.content), words))
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


def _around(text: str, words: Sequence[str]) -> str:
    """The part of a text around the first of the words. Folding can change lengths: it is near the word, not exactly around it."""
    folded = text.casefold()
    at = min((place for word in words if (place := folded.find(word)) >= 0), default=0)
    start = max(0, at - _SNIPPET_CHARS // 3)
    return text[start : start + _SNIPPET_CHARS]


def stream_search(
    ledger: Ledger,
    sessions: Sequence[SessionRecord],
    words: Sequence[str],
    limit: int,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Matches:
    """A search without an index: reads the conversations, within `SEARCH_BYTES_MAX` and `SEARCH_SECONDS_MAX`."""
    found: list[Match] = []
    room, end = SEARCH_BYTES_MAX, clock() + SEARCH_SECONDS_MAX
    for session in sessions:
        in_session = 0
        for first, piece in ledger.read_pieces(session.key):
            room -= len(piece)
            if room < 0 or clock() > end:
                return Matches(found, is_complete=False)
            if not _may_hold(piece, words):
                continue
            for number, line in numbered([(first, piece)]):
                if not _holds(line, words):
                    continue
                found.append(Match(session, number + 1))
                in_session += 1
                if len(found) == limit:
                    return Matches(found, is_complete=False)
                if in_session == _HITS_PER_SESSION_MAX:
                    break
            if in_session == _HITS_PER_SESSION_MAX:
                break
    return Matches(found, is_complete=True)


def _may_hold(piece: bytes, words: Sequence[str]) -> bool:
    """False where a piece of lines cannot hold a word. Checks only words that JSON does not escape."""
    if b"\\u" in piece:
        return True
    # Some letters fold to several: bytes in lower case are enough for ASCII alone.
    folded = piece.lower() if piece.isascii() else piece.decode(errors="replace").casefold().encode()
    return all(word.encode() in folded for word in words if word.isalnum())


def _holds(line: bytes, words: Sequence[str]) -> bool:
    event = decode_line(line)
    if not isinstance(event, UserMessage | AssistantMessage):
        return False
    text = event.content.casefold()
    return all(word in text for word in words)


def _refuse_huge(needed_bytes: int) -> None:
    """An event that is larger than this is not for an assistant to read."""
    if needed_bytes > _EVENT_BYTES_MAX * limits.JOURNAL_ROW_COST:
        raise BudgetExceeded(
            "an event of this conversation is too large to be read here: capture the conversation to a note",
            needed_bytes=needed_bytes,
            budget_bytes=_EVENT_BYTES_MAX,
            fatal=False,
        )
