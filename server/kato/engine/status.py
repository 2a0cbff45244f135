"""The status of this process: sessions, recordings, memory, and how session logs are watched."""

import logging
from collections.abc import Callable, Generator
from contextlib import closing

from msgspec import UNSET, UnsetType

from kato.assistants import registry
from kato.core import limits, status
from kato.core.events import SessionKey
from kato.core.ports import Ledger, Listener, Memory
from kato.core.records import GapReason
from kato.core.snapshots import SnapshotStore
from kato.core.views import MemoryStatus, SearchStatus, StatusSnapshot, WatchingStatus
from kato.engine import notices
from kato.engine.budget import MemoryBudget

log = logging.getLogger("kato.engine")


class StatusReporter:
    """Collects the figures of a status. `now_ms` is the clock, `not_kept` says why nothing of a session is kept."""

    def __init__(
        self,
        ledger: Ledger,
        store: SnapshotStore,
        budget: MemoryBudget,
        memory: Memory,
        listener: Listener,
        process: status.Process,
        now_ms: Callable[[], int],
        not_kept: Callable[[SessionKey], GapReason | None],
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._budget = budget
        self._memory = memory
        self._listener = listener
        self._process = process
        self._now_ms = now_ms
        self._not_kept = not_kept
        self.heartbeat_at = process.started_at
        self._watching: WatchingStatus | UnsetType = UNSET
        self._search: SearchStatus | UnsetType = UNSET
        self._is_failure_reported = False
        self._is_package_reported = False

    def memory(self) -> MemoryStatus:
        """The process, the snapshots, the journal."""
        bounds = self._budget.bounds
        return MemoryStatus(
            daemon_max_memory_bytes=bounds.daemon_max_bytes,
            process=self._memory.sample(),
            snapshots=self._store.stats(),
            journal=self._ledger.stats(),
            whole_process=bounds.whole_process,
            smallest_limit_bytes=bounds.smallest_limit_mb * limits.MIB,
        )

    def snapshot(
        self, *, include_stale: bool, limit: int | None, running: bool, recordings_dir: str, max_events: int
    ) -> StatusSnapshot:
        """The status now. Its cost grows with the sessions that it shows, not with all sessions."""
        now = self._now_ms()
        fresh = now - limits.STALE_AFTER_MS
        since = None if include_stale else fresh
        count = limits.STATUS_SESSIONS_MAX if limit is None else min(limit, limits.STATUS_SESSIONS_MAX)
        with closing(self._views(since, count)) as views:
            return status.snapshot(
                views,
                summary=self._ledger.summary(since_ms=since, fresh_ms=fresh),
                process=self._process,
                memory=self.memory(),
                recordings_dir=recordings_dir,
                now_ms=now,
                heartbeat_at=self.heartbeat_at,
                running=running,
                max_events=max_events,
                watching=self._watching,
                search=self._search,
                titles=registry.titles(),
            )

    def _views(self, since_ms: int | None, limit: int) -> Generator[status.SessionView, None, None]:
        for record, recording in self._ledger.status_sessions(since_ms=since_ms, limit=limit):
            resident = self._store.held(record.key)
            yield status.SessionView(
                record=record,
                resident_events=None if resident is None else resident.event_count,
                resident_bytes=0 if resident is None else resident.estimated_bytes,
                recording=recording,
                not_kept=self._not_kept(record.key),
            )

    def note_search(self, search: SearchStatus) -> None:
        """Takes the figures of the search index."""
        self._search = search
        self._listener.changed()

    def note_watching(self, watching: WatchingStatus, remedy: str) -> None:
        """Stores how session logs are watched now. Notifies the user of the first failure."""
        before, self._watching = self._watching, watching
        if watching.unreadable != (UNSET if before is UNSET else before.unreadable):
            self._listener.changed()
        self._notify_of_compressed(watching)
        if watching.failed is UNSET or (before is not UNSET and before.failed == watching.failed):
            return
        log.warning("not all folders with session logs are watched: %s", watching.failed)
        self._listener.changed()
        if not self._is_failure_reported:
            self._is_failure_reported = True
            self._listener.notify(notices.watcher_failed(watching.failed, remedy))

    def _notify_of_compressed(self, watching: WatchingStatus) -> None:
        """Notifies the user once of logs that this Python cannot decompress."""
        count = UNSET if watching.unreadable is UNSET else watching.unreadable.compressed
        if count is not UNSET and not self._is_package_reported:
            self._is_package_reported = True
            self._listener.notify(notices.zstandard_missing(count))
