"""Figures over all sessions, which are too slow to compute for every status."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from kato.core import limits
from kato.core.views import JournalStats
from kato.storage.journal.database import Database

_T = TypeVar("_T")


class CachedFigure(Generic[_T]):
    """A figure that is computed again only once that is due, so that computing takes at most `limits.COUNTING_SHARE` of a
    core. A figure that takes less than `limits.COUNTING_SECONDS_FREE` is always due.
    """

    def __init__(self) -> None:
        self.value: _T | None = None
        self._due_at = 0.0

    def is_due(self) -> bool:
        """Whether the figure may be computed now."""
        return self.value is None or time.monotonic() >= self._due_at

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measures the computation in this block and sets when the next one is due."""
        started = time.thread_time()
        yield
        taken = time.thread_time() - started
        pause = taken / limits.COUNTING_SHARE if taken > limits.COUNTING_SECONDS_FREE else 0
        self._due_at = time.monotonic() + pause


class Totals:
    """The number of sessions and events in the journal. Counted once; then this process adds what it appends, and counts
    again after another process wrote.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._figure: CachedFigure[tuple[int, int]] = CachedFigure()
        self._version = 0
        db.on_rollback.append(self.forget)

    def add(self, sessions: int, events: int) -> None:
        """Adds what this process stored."""
        if self._figure.value is not None:
            self._figure.value = (self._figure.value[0] + sessions, self._figure.value[1] + events)

    def forget(self) -> None:
        """Makes the next `stats` count again: sessions were removed, or appends rolled back."""
        self._figure.value = None

    def stats(self) -> JournalStats:
        """Bytes on disk, sessions, and events that were ever accepted."""
        sessions, events = self._current()
        size = 0
        for suffix in ("", "-wal"):
            with suppress(OSError):
                size += os.stat(f"{self._db.path}{suffix}").st_size  # noqa: PTH116
        return JournalStats(size, sessions, events)

    def _current(self) -> tuple[int, int]:
        version = self._db.data_version()
        figure = self._figure
        if figure.value is None or (version != self._version and figure.is_due()):
            with figure.measured():
                row = self._db.one("SELECT count(*), coalesce(sum(event_count), 0) FROM session")
                figure.value = (row[0], row[1])
            self._version = version
        assert figure.value is not None
        return figure.value
