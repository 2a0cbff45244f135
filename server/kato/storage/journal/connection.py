"""A connection to the journal: its settings, and how it waits for other processes."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kato.core import limits
from kato.storage.journal.errors import says_locked
from kato.storage.journal.schema import event_mark, known_version, migrate
from kato.system.regular import is_regular, open_regular


class Connection(sqlite3.Connection):
    """Waits for the lock of another process in short steps (see `limits.JOURNAL_BUSY_STEP_MS`). While `hurried()` is true,
    because the process has to end, all waits together take at most `limits.END_LOCK_SECONDS_MAX`.
    """

    hurried: Callable[[], bool]
    _hurried_since: float | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Runs a statement. Raises sqlite3.OperationalError if the lock stays held for too long."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if not says_locked(error):
                raise
        return self._execute_later(sql, parameters)

    def _execute_later(self, sql: str, parameters: Any) -> sqlite3.Cursor:
        deadline = time.monotonic() + limits.JOURNAL_BUSY_MS / 1000
        while True:
            now = time.monotonic()
            if self.hurried():
                self._hurried_since = self._hurried_since or now
                deadline = min(deadline, self._hurried_since + limits.END_LOCK_SECONDS_MAX)
            try:
                return super().execute(sql, parameters)
            except sqlite3.OperationalError as error:
                if not says_locked(error) or now >= deadline:
                    raise
            time.sleep(0.005)  # SQLite does not always wait by itself: switching to WAL fails immediately


def connect(path: Path, hurried: Callable[[], bool]) -> Connection:
    """Opens or creates a journal, sets the connection up and migrates the schema. Raises sqlite3.Error, OSError or
    JournalUnavailable.
    """
    # Closing a descriptor of an existing journal would release the locks that other connections of this process hold on it.
    if not is_regular(path):
        os.close(
            open_regular(path, os.O_RDWR | os.O_CREAT)
        )  # SQLite gives -wal and -shm the mode of this file
    db = sqlite3.connect(
        path,
        timeout=limits.JOURNAL_BUSY_STEP_MS / 1000,
        isolation_level=None,
        cached_statements=64,
        factory=Connection,
    )
    db.hurried = hurried
    try:
        if known_version(db, path) == 0:
            _set_up_file(db)
        _set_up(db)
        migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _set_up_file(db: Connection) -> None:
    """Settings of the file. They must precede the first table."""
    # Pages of 8 KiB: a commit writes each page with two system calls. Pages of 4 KiB made batches of 100 events a fifth
    # slower, but a single event takes 0.06 ms with them instead of 0.09 ms.
    db.execute(f"PRAGMA page_size = {limits.JOURNAL_PAGE_BYTES}")
    # Pages of removed sessions can be returned to the system without a full VACUUM.
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")


def _set_up(db: Connection) -> None:
    # Overwrites what is deleted (see `removal`), even if SQLite was built without that default.
    db.execute("PRAGMA secure_delete = ON")
    db.create_function("event_mark", 3, event_mark, deterministic=True)
    db.text_factory = decode_text
    # Readers do not block the writer, and a commit is one append to the WAL.
    db.execute("PRAGMA journal_mode = WAL")
    # No fsync per commit: see "Durability" in the package's docstring.
    db.execute("PRAGMA synchronous = NORMAL")
    # Bounded memory: the page cache (a negative value is in KiB), and no memory map, which would count as RSS.
    db.execute(f"PRAGMA cache_size = -{limits.JOURNAL_CACHE_BYTES // limits.KIB}")
    db.execute("PRAGMA mmap_size = 0")
    db.execute("PRAGMA temp_store = MEMORY")
    # A thread copies the WAL into the database (see `checkpoint`). Only if the WAL grows to this many pages nevertheless, a
    # commit does it. SQLite cuts a larger WAL file to `journal_size_limit` when it starts to write it from the beginning.
    db.execute(f"PRAGMA wal_autocheckpoint = {limits.JOURNAL_WAL_PAGES_MAX}")
    db.execute(f"PRAGMA journal_size_limit = {limits.JOURNAL_WAL_BYTES_MAX}")


def decode_text(data: bytes) -> str:
    """A damaged byte in one title must not make the list of sessions fail."""
    return data.decode(errors="replace")
