"""Keeps the index up to date, behind the journal and in bounded steps, and answers queries from both.

Rule: a step reads at most a chunk of the journal and writes it in one transaction with the session's position, so that
several processes can index, and each event is indexed once, wherever a process is killed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import UNSET

from kato.core import limits
from kato.core.events import ConversationEvent, SessionKey, decode_line
from kato.core.moments import epoch_ms, rfc3339
from kato.core.queries import Query, SearchScope
from kato.core.records import Gap
from kato.core.searching import SearchHit, SearchResult, excerpt, searched
from kato.core.views import SearchStatus
from kato.storage.journal.chunks import Chunk
from kato.storage.journal.reading import JournalReader
from kato.storage.search.index import IndexedEvent, IndexHit, SearchIndex

#: The share of the bound that is used after the index began again.
_KEPT_SHARE: Final = 0.5


class Indexer:
    """The index and the journal of a folder, opened when they are first needed. Each method raises SearchUnavailable or
    JournalUnavailable, after which it can be called again. Used by one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: SearchIndex | None = None
        self._journal: JournalReader | None = None
        self._version = -1  # of the journal, at the last look
        self._removal = -1  # the newest one at the last look
        self._positions: dict[int, int] = {}  # events that are indexed, by the sessions' numbers
        self._behind: list[
            tuple[int, int]
        ] = []  # last update and number of sessions with more, the newest last
        self._left_out = False  # sessions before the horizon

    # --- Indexing ---------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Indexes a piece. True if more remains."""
        index, journal = self._opened()
        self._look(index, journal)
        if not self._behind:
            return False
        _, number = self._behind[-1]
        record = journal.session(number)
        indexed = self._positions.get(number, 0)
        if record is None or indexed >= record.event_count:
            self._behind.pop()
            return bool(self._behind)
        events, end = _piece(journal, number, indexed)
        self._positions[number] = index.add(number, record.key, events, start=indexed, end=end)
        if end <= indexed or self._positions[number] >= record.event_count:
            self._behind.pop()
        if index.bytes_used() > limits.SEARCH_INDEX_BYTES_MAX and len(self._positions) > 1:
            self._begin_again(index, journal)
        return bool(self._behind)

    def _opened(self) -> tuple[SearchIndex, JournalReader]:
        if self._index is not None and not self._index.is_current:
            self.close()
        if self._journal is not None and not self._journal.is_current:
            self.close()
        if self._index is None or self._journal is None:
            self._journal = JournalReader(self._folder)
            self._index = SearchIndex(self._folder)
            self._version = self._removal = -1
        return self._index, self._journal

    def _look(self, index: SearchIndex, journal: JournalReader) -> None:
        """Finds the sessions that are behind, if the journal changed since the last look."""
        version = journal.data_version()
        if version == self._version:
            return
        removal = journal.last_removal()
        if removal != self._removal:
            self._check(index, journal)
            self._removal = removal
        horizon = index.horizon()
        behind, self._left_out = [], False
        for number, event_count, updated_at in journal.progress():
            if self._positions.get(number, 0) < event_count:
                if horizon is not None and updated_at < horizon:
                    self._left_out = True
                else:
                    behind.append((updated_at, number))
        self._behind = sorted(behind)
        self._version = version

    def _check(self, index: SearchIndex, journal: JournalReader) -> None:
        """Begins the index again if it holds sessions or events that the journal does not have."""
        positions = index.positions()
        keys = dict(journal.keys())
        counts = {number: count for number, count, _ in journal.progress()}
        fits = all(
            keys.get(number) == position.key and position.indexed <= counts.get(number, 0)
            for number, position in positions.items()
        )
        if not fits:
            index.reset()
        self._positions = {number: one.indexed for number, one in positions.items()} if fits else {}

    def _begin_again(self, index: SearchIndex, journal: JournalReader) -> None:
        """Keeps the newest sessions only: as many as fill half of the index, by what the indexed ones took."""
        events, json_bytes = journal.totals()
        indexed_bytes = json_bytes * sum(self._positions.values()) // max(1, events)
        share = _KEPT_SHARE * limits.SEARCH_INDEX_BYTES_MAX / max(1, index.bytes_used())
        index.reset(journal.newest(int(indexed_bytes * share)))
        self._positions = {}
        self._version = -1

    def reset(self) -> bool:
        """Empties the index: sessions were removed. Returns whether no removed word is left in its files."""
        index, _ = self._opened()
        self._version = self._removal = -1
        return index.reset()

    # --- Searching --------------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        *,
        scope: SearchScope = "all",
        provider: str | None = None,
        is_in_folder: Callable[[str | None], bool] | None = None,
        since_ms: int | None = None,
        limit: int = limits.SEARCH_HITS_DEFAULT,
    ) -> SearchResult:
        """The best matches in the journal. `is_in_folder` says of a session's folder whether to search the session."""
        index, journal = self._opened()
        self._look(index, journal)
        sessions: list[int] | None = None
        if provider is not None or is_in_folder is not None:
            sessions = [
                number
                for number, its_provider, cwd in journal.folders()
                if provider in (None, its_provider) and (is_in_folder is None or is_in_folder(cwd))
            ]
        found, is_complete = index.search(
            query, scope=scope, sessions=sessions, since_ms=since_ms, limit=limit
        )
        hits = [hit for one in found if (hit := _hit(journal, one, query)) is not None]
        return SearchResult(hits, is_complete and not self._behind and not self._left_out)

    def is_read(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether the journal has everything of a session log with this size and time."""
        return self._opened()[1].is_log_read(path, size, mtime_ns)

    def has_event(self, key: SessionKey, event_id: str) -> bool:
        """Whether the journal has an event."""
        return self._opened()[1].has_event(key, event_id)

    def gaps(self) -> list[tuple[SessionKey, Gap]]:
        """When nothing of a session was kept, by the journal."""
        return self._opened()[1].gaps()

    def status(self) -> SearchStatus:
        """The figures of the index."""
        index, journal = self._opened()
        self._look(index, journal)
        return SearchStatus(
            bytes=index.bytes_used(),
            events=index.event_count(),
            sessions_behind=len(self._behind),
        )

    def close(self) -> None:
        """Closes what is open; the next call opens it again."""
        if self._index is not None:
            self._index.close()
        if self._journal is not None:
            self._journal.close()
        self._index = self._journal = None


def _piece(journal: JournalReader, number: int, start: int) -> tuple[list[IndexedEvent], int]:
    """The events of a session from number `start` on to index in one step, and the number behind them."""
    events: list[IndexedEvent] = []
    end, size = start, 0
    for chunk, is_read in journal.chunks(number, start, limits.SEARCHED_EVENT_BYTES_MAX):
        if is_read:
            events += _events(chunk, start)
        end, size = max(end, chunk.first + chunk.events), size + len(chunk.data)
        if size >= limits.SEARCH_STEP_BYTES:
            break
    return events, end


def _events(chunk: Chunk, start: int) -> Iterator[IndexedEvent]:
    for seq, line in chunk.readable_lines() if not chunk.is_intact else _lines(chunk):
        event = None if seq < start or line is None else _decoded(line)
        if event is not None:
            yield IndexedEvent(seq, epoch_ms(event.timestamp), searched(event))


def _decoded(line: bytes) -> ConversationEvent | None:
    """The event of a line; None for one that this Kato cannot read: it must not keep those behind it from being indexed."""
    try:
        return decode_line(line)
    except ValueError:
        return None


def _lines(chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    return enumerate(chunk.data.removesuffix(b"\n").split(b"\n"), chunk.first)


def _hit(journal: JournalReader, found: IndexHit, query: Query) -> SearchHit | None:
    """What is shown of a match; None if the journal no longer has it."""
    record, line = journal.session(found.session), journal.line(found.session, found.seq)
    event = None if line is None else _decoded(line)
    if record is None or event is None:
        return None
    part, text = searched(event)
    snippet, marks = excerpt(text, query)
    return SearchHit(
        provider=record.key.provider,
        session_id=record.key.session_id,
        seq=found.seq,
        role=part,
        snippet=snippet,
        marks=marks,
        timestamp=rfc3339(found.moment),
        score=round(found.score, 4),
        source="journal",
        title=record.title or record.snippet or UNSET,
        cwd=record.cwd or UNSET,
    )
