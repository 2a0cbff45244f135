"""The database of an open journal: what its tables share. Transactions, statements, durability, and lost files."""

import ctypes
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from kato.core import limits
from kato.core.errors import JournalLost
from kato.storage.journal.checkpoint import CheckpointThread
from kato.storage.journal.connection import Connection
from kato.storage.journal.errors import translated_errors
from kato.storage.journal.files import identities, identity
from kato.system.regular import open_regular


class Database:
    """One connection and its transactions. Two kinds exist: the *group*, which `begin` opens and `commit` ends, and the block
    of `exclusive`.
    """

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        #: Used directly where each microsecond counts, inside `errors`; elsewhere through `one`, `all` and `run`.
        self.connection = connection
        #: Bytes of lines that were written since the checkpoint thread was last woken.
        self.bytes_since_checkpoint = 0
        #: Called after each rollback: caches of what was rolled back are invalid then.
        self.on_rollback: list[Callable[[], None]] = []
        self._opened_files = identities(path)
        self._loss: str | None = None
        self._in_group = False
        self._exclusive_depth = 0
        self._is_unsynced = False
        self._checkpoint_thread: CheckpointThread | None = None

    # --- Transactions -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Opens the group, unless a transaction is open. Raises JournalLost or sqlite3.Error."""
        if self._loss is not None:
            raise JournalLost(self._loss, str(self.path))
        if not self._in_group and not self._exclusive_depth:
            self.connection.execute("BEGIN IMMEDIATE")
            self._in_group = True

    def begin_group(self) -> None:
        """Opens the group, unless a transaction is open: what is read from now on holds until the commit. Raises JournalUnavailable."""
        with self.errors(undo=self.rollback):
            self.begin()

    def commit(self) -> None:
        """Commits the group: its appends may be acknowledged. Rolls it back if that fails. Raises JournalUnavailable or
        JournalLost.
        """
        if self._in_group:
            with self.errors(undo=self.rollback):
                self.check_files()
                self.connection.execute("COMMIT")
                self._in_group = False
                self._is_unsynced = True
            if self.bytes_since_checkpoint > limits.JOURNAL_CHECKPOINT_BYTES:
                self.bytes_since_checkpoint = 0
                self._wake_checkpoint_thread()

    def rollback(self) -> None:
        """Undoes the open transaction as a whole."""
        self._in_group = False
        for forget in self.on_rollback:
            forget()
        with suppress(sqlite3.Error):
            self.connection.rollback()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps all other processes from writing meanwhile: a transaction around "read the position, write the file, store the
        position". Commits the open group first. If the block raises, everything in it is rolled back. Blocks can be nested;
        the outermost one commits.
        """
        if self._exclusive_depth:
            self._exclusive_depth += 1
            try:
                yield
            finally:
                self._exclusive_depth -= 1
            return
        self.commit()
        if self._loss is not None:
            raise JournalLost(self._loss, str(self.path))
        with self.errors():
            self.connection.execute("BEGIN IMMEDIATE")
        self._exclusive_depth = 1
        try:
            yield
        except BaseException:
            self._exclusive_depth = 0
            self.rollback()
            raise
        self._exclusive_depth = 0
        with self.errors(undo=self.rollback):
            self.connection.execute("COMMIT")
            self._is_unsynced = True

    # --- Statements -------------------------------------------------------------------------------------

    def errors(self, undo: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """Raises JournalUnavailable for an error of SQLite, after calling `undo`."""
        return translated_errors(self.path, undo)

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query; None if there is none. Raises JournalUnavailable."""
        with self.errors():
            return self.connection.execute(sql, values).fetchone()

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query. Raises JournalUnavailable."""
        with self.errors():
            return self.connection.execute(sql, values).fetchall()

    def run(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Runs a statement; returns how many rows it changed. Raises JournalUnavailable."""
        with self.errors():
            return self.connection.execute(sql, values).rowcount

    def data_version(self) -> int:
        """A number that changes with each commit of another process, and only then. Takes about 2 µs."""
        return int(self.one("PRAGMA data_version")[0])

    # --- Durability -------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Makes all commits so far survive a power loss: flushes the WAL to the disk. Raises JournalLost or
        JournalUnavailable.
        """
        self.check_files()
        if not self._is_unsynced or self._in_group:
            return
        self._is_unsynced = False
        with suppress(FileNotFoundError), self.errors():
            # Closing a descriptor would release SQLite's locks on the same file, but they are not on this one.
            descriptor = open_regular(f"{self.path}-wal", os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def empty_wal(self) -> bool:
        """Copies the WAL into the database and empties it; False if other processes prevented that for `JOURNAL_BUSY_MS`."""
        deadline = time.monotonic() + limits.JOURNAL_BUSY_MS / 1000
        while self.one("PRAGMA wal_checkpoint(TRUNCATE)")[0]:
            if time.monotonic() > deadline:
                return False
            time.sleep(limits.JOURNAL_TURN_SECONDS)
        return True

    def _wake_checkpoint_thread(self) -> None:
        """A failure here must not fail the commit, which succeeded: without the thread, commits do the checkpoints."""
        with suppress(RuntimeError):  # the system cannot start a thread
            if self._checkpoint_thread is None:
                self._checkpoint_thread = CheckpointThread(self.path)
            self._checkpoint_thread.wake()

    # --- Lost files and the end -------------------------------------------------------------------------

    def check_files(self) -> None:
        """Raises JournalLost once a file of the journal is not the one that was opened. SQLite does not notice that, and
        everything it commits from then on is in a file that no process can open again.
        """
        if self._loss is None:
            lost = [path for path, opened in self._opened_files.items() if identity(path) != opened]
            if not lost:
                return
            self.rollback()
            if lost == [f"{self.path}-wal"]:
                # Acknowledged commits are in the removed WAL, which this process still has open, and the database exists.
                with suppress(sqlite3.Error):
                    self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._loss = (
                f"{lost[0]}, a file of the journal, was removed or replaced while Kato ran, and Kato no longer stores "
                "anything. Restart Kato: it continues with the journal that exists then, or creates a new one"
            )
        raise JournalLost(self._loss, str(self.path))

    def close(self) -> None:
        """Rolls the open transaction back and closes the connection."""
        self.rollback()
        if self._checkpoint_thread is not None:
            self._checkpoint_thread.stop()
        if identity(str(self.path)) != self._opened_files.get(str(self.path)):
            keep_open(self.connection)
            return
        with suppress(sqlite3.Error):
            self.connection.close()


def keep_open(connection: sqlite3.Connection) -> None:
    """Keeps a connection from ever being closed, even when the process ends. At closing, SQLite removes the WAL by its name,
    and by now that file may belong to another database at the same path.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
