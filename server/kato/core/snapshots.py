"""The bounded LRU snapshot store: the newest events of the sessions that were updated last.

State, and what may change it:

    append / load   the session becomes the newest; may drop its oldest events (cap), then evict others
    resize          new bounds; evicts immediately
    shrink          evicts down to a given size, never the newest session

Rules:

- Events are kept as JSON lines in chunks, never as objects.
- `estimated_bytes` is the size of everything that is kept: the buffers as they are allocated, and a constant for each chunk and
  session. Keeping it current takes time in proportion to the new events.
- Eviction begins with the session that was updated least recently: first for `max_sessions`, then for `memory_pressure`.
- The session that is being updated is never evicted. So a store above its budget contains one session, and reports that.
"""

import sys
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.lines import Lines, cut, numbered
from kato.core.views import EvictionReason, SnapshotStats


class Eviction(NamedTuple):
    """A session that was evicted, the reason, and the bytes that this freed."""

    key: SessionKey
    reason: EvictionReason
    bytes_reclaimed: int


class Held(Struct, frozen=True):
    """The events of a session in memory: numbers `first_seq` to `first_seq + event_count - 1`."""

    first_seq: int
    event_count: int
    estimated_bytes: int


class _Chunk:
    """Whole lines, each ended by a newline. The last chunk of a session is open: it still grows."""

    __slots__ = ("count", "data")

    def __init__(self, data: bytes | bytearray, count: int) -> None:
        self.data = data
        self.count = count

    @property
    def cost(self) -> int:
        return sys.getsizeof(self.data) + limits.CHUNK_OVERHEAD_BYTES


class _Session:
    """A session's chunks. `skip` events at the start of the first chunk are dropped already."""

    __slots__ = ("chunks", "cost", "count", "extra", "first_seq", "skip")

    def __init__(self, first_seq: int) -> None:
        self.chunks: deque[_Chunk] = deque()
        self.first_seq = first_seq
        self.count = 0
        self.skip = 0
        self.extra = 0
        self.cost = limits.SESSION_OVERHEAD_BYTES

    @property
    def next_seq(self) -> int:
        return self.first_seq + self.count

    def append(self, lines: Lines) -> None:
        tail = self.chunks[-1] if self.chunks else None
        if tail is not None and isinstance(tail.data, bytearray):
            before = tail.cost
            if len(tail.data) + lines.size <= limits.CHUNK_BYTES:
                for part in lines.parts:
                    tail.data += part
                tail.count += lines.count
                self.count += lines.count
                self.cost += tail.cost - before
                return
            tail.data = bytes(tail.data)  # a sealed chunk returns the reserve of a growing buffer
            self.cost += tail.cost - before
        for data, count in lines.pieces(limits.CHUNK_BYTES):
            self.add_chunk(_Chunk(data, count))
        last = self.chunks[-1]
        if len(last.data) < limits.CHUNK_BYTES:
            before = last.cost
            last.data = bytearray(last.data)
            self.cost += last.cost - before

    def add_chunk(self, chunk: _Chunk) -> None:
        self.chunks.append(chunk)
        self.count += chunk.count
        self.cost += chunk.cost

    def drop_oldest(self, excess: int) -> None:
        self.first_seq += excess
        self.count -= excess
        excess += self.skip
        while self.chunks and self.chunks[0].count <= excess:
            chunk = self.chunks.popleft()
            excess -= chunk.count
            self.cost -= chunk.cost
        self.skip = excess

    def set_extra(self, size: int) -> None:
        self.cost += size - self.extra
        self.extra = size

    def pieces(self, after: int, until: int) -> Iterator[tuple[int, bytes]]:
        first, seq = max(after, self.first_seq), self.next_seq
        wanted: list[tuple[int, _Chunk]] = []
        for chunk in reversed(self.chunks):  # most reads want the newest events, at the end
            if seq <= first:
                break
            seq -= chunk.count
            if seq < until:
                wanted.append((seq, chunk))
        for seq, chunk in reversed(wanted):
            low, high = max(first - seq, 0), min(until - seq, chunk.count)
            if low < high:
                yield seq + low, cut(bytes(chunk.data), low, high, chunk.count)


class SnapshotStore:
    """See the module. Bounds are positive. Bytes are the whole cost of the store, not only the length of the JSON."""

    def __init__(self, *, budget_bytes: int, max_sessions: int, max_events_per_session: int) -> None:
        self._sessions: OrderedDict[SessionKey, _Session] = OrderedDict()
        self._budget_bytes = budget_bytes
        self._max_sessions = max_sessions
        self._max_events = max_events_per_session
        self._bytes = 0
        self._events = 0
        self._evictions: dict[str, int] = {}
        self._reclaimed = 0

    def __contains__(self, key: SessionKey) -> bool:
        return key in self._sessions

    @property
    def estimated_bytes(self) -> int:
        """What all that is retained occupies."""
        return self._bytes

    @property
    def budget_bytes(self) -> int:
        """What it may occupy."""
        return self._budget_bytes

    @property
    def over_budget(self) -> bool:
        """True when one session alone needs more than the budget."""
        return self._bytes > self._budget_bytes

    def held(self, key: SessionKey) -> Held | None:
        """The range of the session's events in memory; None if the session is not resident."""
        session = self._sessions.get(key)
        return None if session is None else Held(session.first_seq, session.count, session.cost)

    def next_seq(self, key: SessionKey) -> int | None:
        """The number that the session's next event must have to follow the events in memory."""
        session = self._sessions.get(key)
        return None if session is None else session.next_seq

    def append(
        self, key: SessionKey, lines: Lines, *, first_seq: int, extra_bytes: int = 0
    ) -> list[Eviction]:
        """Adds events, the first of which has the number `first_seq`, and returns the evictions that they cause.

        A gap between the events in memory and `first_seq` starts a new snapshot, because a snapshot is always contiguous.
        `extra_bytes` are bytes that other parts keep for this session and that count as its cost: the total, not a change.
        """
        session = self._sessions.get(key)
        if session is not None and session.next_seq != first_seq:
            self._remove(key)
            session = None
        if session is None:
            session = _Session(first_seq)
            self._sessions[key] = session
            self._bytes += session.cost
        else:
            self._sessions.move_to_end(key)
        cost, count = session.cost, session.count
        if lines.count:
            session.append(lines)
        session.set_extra(extra_bytes)
        self._apply_cap(session)
        self._bytes += session.cost - cost
        self._events += session.count - count
        return self._enforce()

    def load(self, key: SessionKey, chunks: Sequence[tuple[bytes, int]], *, first_seq: int) -> list[Eviction]:
        """Loads a session from chunks of whole lines (each ended by a newline) with their counts."""
        if key in self._sessions:
            self._remove(key)
        session = _Session(first_seq)
        for data, count in chunks:
            session.add_chunk(_Chunk(data, count))
        self._apply_cap(session)
        self._sessions[key] = session
        self._bytes += session.cost
        self._events += session.count
        return self._enforce()

    def read(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Number and line of the events in memory, from number `after` to before `until`. The lines are copies."""
        return numbered(self.read_pieces(key, after=after, until=until))

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The same events in pieces of whole lines, each line ended by a newline, with the number of the first event."""
        session = self._sessions.get(key)
        if session is None:
            return iter(())
        last = session.next_seq
        return session.pieces(after, last if until is None else min(until, last))

    def covers(self, key: SessionKey, after: int, until: int) -> bool:
        """Whether all events from number `after` to before `until` are in memory."""
        session = self._sessions.get(key)
        return session is not None and session.first_seq <= after and until <= session.next_seq

    def forget(self, key: SessionKey) -> None:
        """Drops a session without counting an eviction."""
        if key in self._sessions:
            self._remove(key)

    def resize(self, *, budget_bytes: int, max_sessions: int, max_events_per_session: int) -> list[Eviction]:
        """Puts new bounds in force immediately, and returns the evictions that they cause."""
        self._budget_bytes = budget_bytes
        self._max_sessions = max_sessions
        self._max_events = max_events_per_session
        for session in self._sessions.values():
            cost, count = session.cost, session.count
            self._apply_cap(session)
            self._bytes += session.cost - cost
            self._events += session.count - count
        return self._enforce()

    def shrink(self, to_bytes: int) -> list[Eviction]:
        """Evicts because of memory pressure, until the store takes at most `to_bytes` or one session is left."""
        evictions = []
        while self._bytes > to_bytes and len(self._sessions) > 1:
            evictions.append(self._evict("memory_pressure"))
        return evictions

    def keys(self) -> list[SessionKey]:
        """The resident sessions, least recently updated first."""
        return list(self._sessions)

    def stats(self) -> SnapshotStats:
        """The store in figures."""
        return SnapshotStats(
            budget_bytes=self._budget_bytes,
            estimated_bytes=self._bytes,
            session_count=len(self._sessions),
            event_count=self._events,
            evictions_total=sum(self._evictions.values()),
            bytes_reclaimed_total=self._reclaimed,
            evictions_by_reason=dict(self._evictions),
            over_budget=self.over_budget,
        )

    def check(self) -> list[str]:
        """Recounts every figure of the store. Returns a sentence for each difference."""
        problems = []
        total_bytes = total_events = 0
        for key, session in self._sessions.items():
            counted = sum(bytes(chunk.data).count(b"\n") for chunk in session.chunks) - session.skip
            cost = limits.SESSION_OVERHEAD_BYTES + session.extra + sum(chunk.cost for chunk in session.chunks)
            if counted != session.count:
                problems.append(f"{key}: {counted} events are held, {session.count} are claimed")
            if cost != session.cost:
                problems.append(f"{key}: {cost} bytes are held, {session.cost} are claimed")
            if session.count > self._max_events:
                problems.append(f"{key}: {session.count} events are held, {self._max_events} are allowed")
            if any(chunk.count < 1 or bytes(chunk.data[-1:]) != b"\n" for chunk in session.chunks):
                problems.append(f"{key}: a chunk does not hold whole lines")
            if session.chunks and not 0 <= session.skip < session.chunks[0].count:
                problems.append(f"{key}: {session.skip} events are skipped in a chunk that has fewer")
            total_bytes += cost
            total_events += counted
        if total_bytes != self._bytes:
            problems.append(f"{total_bytes} bytes are held in all, {self._bytes} are claimed")
        if total_events != self._events:
            problems.append(f"{total_events} events are held in all, {self._events} are claimed")
        if len(self._sessions) > self._max_sessions:
            problems.append(f"{len(self._sessions)} sessions are held, {self._max_sessions} are allowed")
        if self.over_budget and len(self._sessions) > 1:
            problems.append("over budget with more than one session")
        return problems

    def _apply_cap(self, session: _Session) -> None:
        if session.count > self._max_events:
            session.drop_oldest(session.count - self._max_events)

    def _enforce(self) -> list[Eviction]:
        evictions = []
        while len(self._sessions) > self._max_sessions:
            evictions.append(self._evict("max_sessions"))
        evictions += self.shrink(self._budget_bytes)
        return evictions

    def _evict(self, reason: EvictionReason) -> Eviction:
        key = next(iter(self._sessions))
        reclaimed = self._remove(key)
        self._evictions[reason] = self._evictions.get(reason, 0) + 1
        self._reclaimed += reclaimed
        return Eviction(key, reason, reclaimed)

    def _remove(self, key: SessionKey) -> int:
        session = self._sessions.pop(key)
        self._bytes -= session.cost
        self._events -= session.count
        return session.cost
