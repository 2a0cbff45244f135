"""The checkpoint thread: copies the write-ahead log (WAL) into the database."""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from kato.core import limits


class CheckpointThread:
    """Copies the WAL into the database in the background: in line, the fsyncs of a checkpoint are a third of an append's
    cost.

    The thread has its own connection and blocks no writer (PASSIVE). Under a steady stream of events it never sees an idle
    WAL, and the WAL grows. From three quarters of its limit on, the thread makes writers wait until SQLite can write the
    WAL from its beginning (RESTART): for the few pages that the last pass left, and an fsync. If even that does not succeed,
    the limit of the main connection (`wal_autocheckpoint`) makes a commit do the work.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="kato-checkpoint", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Requests a checkpoint and returns immediately."""
        self._wanted.set()

    def stop(self) -> None:
        """Ends the thread. Waits for a running checkpoint for at most `END_LOCK_SECONDS_MAX`."""
        self._stopped = True
        self._wanted.set()
        self._thread.join(timeout=limits.END_LOCK_SECONDS_MAX)

    def _run(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute("PRAGMA cache_size = -64")
            db.execute("PRAGMA secure_delete = ON")
            while self._wanted.wait() and not self._stopped:
                self._wanted.clear()
                with suppress(sqlite3.Error):
                    _, wal_pages, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if wal_pages > limits.JOURNAL_WAL_PAGES_MAX * 3 // 4:
                        db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
