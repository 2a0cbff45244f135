"""The memory budget: what the process may take (`daemonMaxMemoryMb`), and the evictions that keep it there.

    daemonMaxMemoryMb = footprint (the process without snapshots) + reserve (requests in flight) + snapshots

Above the ceiling, freed memory goes back to the system first; then the least recently updated sessions are evicted.
"""

import logging
import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from kato.core import limits
from kato.core.errors import BudgetExceeded
from kato.core.ports import Ledger, Memory
from kato.core.snapshots import Eviction, SnapshotStore

log = logging.getLogger("kato.engine")

#: The purposes for which room is made, as errors name them.
MESSAGE: Final = "the message"
EVENT: Final = "an event of this session"


class MemoryBounds(Struct, frozen=True):
    """The memory bounds of the process and the store. `footprint_bytes` is the memory of the process without snapshots."""

    daemon_max_bytes: int
    footprint_bytes: int
    snapshot_bytes: int
    #: False when the footprint leaves so little that `daemon_max_bytes` bounds the snapshots alone.
    whole_process: bool

    @classmethod
    def divide(cls, daemon_max_bytes: int, footprint_bytes: int) -> "MemoryBounds":
        """Divides `daemonMaxMemoryMb`: the footprint, a reserve for requests in flight, the rest for snapshots."""
        rest = daemon_max_bytes - footprint_bytes
        snapshots = int(rest * (1 - limits.WORKING_RESERVE_SHARE))
        if snapshots < limits.SNAPSHOT_BUDGET_BYTES_MIN:
            return cls(daemon_max_bytes, footprint_bytes, daemon_max_bytes, whole_process=False)
        return cls(daemon_max_bytes, footprint_bytes, snapshots, whole_process=True)

    @property
    def smallest_limit_mb(self) -> int:
        """The smallest `daemonMaxMemoryMb` that bounds the whole process."""
        least = self.footprint_bytes + limits.SNAPSHOT_BUDGET_BYTES_MIN / (1 - limits.WORKING_RESERVE_SHARE)
        return math.ceil(least / limits.MIB)

    @property
    def reserve_bytes(self) -> int:
        """The memory that requests in flight may take in addition to the snapshots."""
        return self.daemon_max_bytes - self.footprint_bytes - self.snapshot_bytes

    @property
    def ceiling_bytes(self) -> int:
        """The RSS above which memory is given back."""
        return self.daemon_max_bytes - limits.RSS_GUARD_BYTES


class MemoryBudget:
    """Keeps the process within its bounds. Every eviction goes through `note_evictions`."""

    def __init__(self, bounds: MemoryBounds, store: SnapshotStore, ledger: Ledger, memory: Memory) -> None:
        self.bounds = bounds
        self._store = store
        self._ledger = ledger
        self._memory = memory
        self._has_freed = False
        self._ingested = 0

    def make_room(self, needed_bytes: int, what: str) -> None:
        """Makes room before something large is read: gives freed memory back, then evicts sessions.

        Raises BudgetExceeded (not fatal) when even an empty store would not leave enough.
        """
        if not self.bounds.whole_process:
            return
        if not self._make_room(needed_bytes):
            limit = self.bounds.daemon_max_bytes // limits.MIB
            remedy = "send smaller batches or raise it" if what == MESSAGE else "raise it"
            message = f"{what} would take about {needed_bytes // limits.MIB + 1} MB of memory; daemonMaxMemoryMb is {limit}: {remedy}"
            raise BudgetExceeded(
                message,
                needed_bytes=needed_bytes,
                budget_bytes=self.bounds.daemon_max_bytes,
                fatal=False,
            )

    def guard(self) -> None:
        """Keeps the RSS below the ceiling."""
        if self.bounds.whole_process:
            self._make_room(0)

    def count_ingested(self, size: int) -> None:
        """Counts the bytes of committed events; looks at the RSS after each `RSS_CHECK_INTERVAL_BYTES` of them."""
        self._ingested += size
        if self._ingested >= limits.RSS_CHECK_INTERVAL_BYTES:
            self._ingested = 0
            self.guard()

    def _make_room(self, needed_bytes: int) -> bool:
        """Lowers the RSS until `needed_bytes` more fit below the ceiling; False if they still do not fit."""
        ceiling = self.bounds.ceiling_bytes - needed_bytes
        if self._memory.rss_bytes() <= ceiling:
            return True
        self._memory.trim()
        excess = self._memory.rss_bytes() - ceiling
        if excess <= 0:
            return True
        evictions = self._store.shrink(max(0, self._store.estimated_bytes - excess))
        self.note_evictions(evictions, trim_now=True)
        return self._memory.rss_bytes() <= ceiling

    def resize(self, bounds: MemoryBounds, *, max_sessions: int, max_events_per_session: int) -> None:
        """Puts new bounds in force immediately."""
        self.bounds = bounds
        evictions = self._store.resize(
            budget_bytes=bounds.snapshot_bytes,
            max_sessions=max_sessions,
            max_events_per_session=max_events_per_session,
        )
        self.note_evictions(evictions, trim_now=True)

    @property
    def fatal_error(self) -> BudgetExceeded | None:
        """Set once one session alone needs more than the budget: the process has to end."""
        if not self._store.over_budget:
            return None
        needed, budget = self._store.estimated_bytes, self._store.budget_bytes
        mb = limits.MIB
        key = self._store.keys()[-1]
        message = (
            f"session {key.provider}/{key.session_id} alone needs {needed / mb:.1f} MB, its snapshot may take {budget / mb:.1f} MB of "
            f"daemonMaxMemoryMb ({self.bounds.daemon_max_bytes // mb}): raise daemonMaxMemoryMb or lower maxEventsPerSession"
        )
        return BudgetExceeded(message, needed_bytes=needed, budget_bytes=budget, fatal=True, session=key)

    def note_evictions(self, evictions: Sequence[Eviction], *, trim_now: bool = False) -> None:
        """Informs the ledger of evicted sessions. With `trim_now`, what they freed goes back to the system immediately."""
        if evictions:
            log.info("evicted %d sessions, the last by %s", len(evictions), evictions[-1].reason)
            self._ledger.evicted([eviction.key for eviction in evictions])
            self._has_freed = True
        if trim_now:
            self.trim()

    def note_freed(self) -> None:
        """The store freed memory without an eviction."""
        self._has_freed = True

    def trim(self) -> None:
        """Returns freed memory to the system. During a flood new events reuse it, so it is returned only at the heartbeat or when
        the process comes near its ceiling. Returning 8 MiB took 3 ms, thirty times a second.
        """
        if self._has_freed:
            self._has_freed = False
            self._memory.trim()
