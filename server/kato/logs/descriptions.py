"""What lists show of session logs, remembered by the size and time of each log: `<stateDir>/descriptions.sqlite3`.

Rule: everything here is derived from the logs. A file that cannot be used costs the time to read the logs, and nothing else.
"""

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec
from msgspec import Struct

from kato.assistants.contract import SessionInfo
from kato.core import limits

log = logging.getLogger("kato.logs")

FILE_NAME: Final = "descriptions.sqlite3"
#: Raised when a description has other fields or readers find other titles: the older ones are not used.
_VERSION: Final = 1


class Description(Struct, frozen=True):
    """What a list shows of a log. Times are in milliseconds: those of the first and the last message, as far as the beginning
    and the end of the log show them.
    """

    info: SessionInfo
    first_words: str | None = None
    started_at: int | None = None
    said_at: int | None = None

    @property
    def title(self) -> str | None:
        """The session's title, or the user's first words."""
        return self.info.title or self.first_words

    @property
    def has_messages(self) -> bool:
        """Whether a message was found."""
        return self.said_at is not None


class DescriptionCache:
    """See the module. Without a folder it remembers nothing. Used by one thread; writes when it is closed."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE_NAME
        self._db: sqlite3.Connection | None = None
        self._new: dict[str, tuple[int, int, bytes]] = {}
        self._open()

    def _open(self) -> None:
        if self._path is None or not self._path.parent.is_dir():
            return
        for _ in range(2):
            try:
                self._db = self._connect(self._path)
            except (sqlite3.Error, OSError) as error:
                log.info("%s is not used: %s", self._path, error)
                with suppress(OSError):
                    self._path.unlink()
            else:
                return

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(
            path, timeout=limits.JOURNAL_BUSY_STEP_MS / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            path.chmod(0o600)
            if db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                db.execute("BEGIN IMMEDIATE")
                db.execute("DROP TABLE IF EXISTS description")
                db.execute(
                    "CREATE TABLE description (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
                    " data BLOB NOT NULL) WITHOUT ROWID"
                )
                db.execute(f"PRAGMA user_version = {_VERSION}")
                db.execute("COMMIT")
            db.execute("SELECT path FROM description LIMIT 1").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def get(self, path: str, size: int, mtime_ns: int) -> Description | None:
        """What is remembered of a log with this size and time."""
        if self._db is None:
            return None
        try:
            row = self._db.execute(
                "SELECT data FROM description WHERE path = ? AND size = ? AND mtime_ns = ?",
                (path, size, mtime_ns),
            ).fetchone()
            return None if row is None else msgspec.msgpack.decode(row[0], type=Description)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            self._give_up(error)
            return None

    def put(self, path: str, size: int, mtime_ns: int, description: Description) -> None:
        """Remembers a description, once the cache is closed."""
        if self._db is not None:
            self._new[path] = (size, mtime_ns, msgspec.msgpack.encode(description))

    def close(self) -> None:
        """Writes what is new. Drops the oldest beyond `limits.LOGS_MAX`."""
        db, self._db = self._db, None
        if db is None:
            return
        try:
            if self._new:
                db.execute("BEGIN IMMEDIATE")
                db.executemany(
                    "INSERT OR REPLACE INTO description VALUES (?, ?, ?, ?)",
                    ((path, *values) for path, values in self._new.items()),
                )
                db.execute(
                    "DELETE FROM description WHERE path IN"
                    " (SELECT path FROM description ORDER BY mtime_ns DESC LIMIT -1 OFFSET ?)",
                    (limits.LOGS_MAX,),
                )
                db.execute("COMMIT")
        except sqlite3.Error as error:
            log.info("descriptions of logs were not stored: %s", error)
        with suppress(sqlite3.Error):
            db.close()

    def _give_up(self, error: Exception) -> None:
        """The file is damaged: it is removed, and made again when the next list is shown."""
        log.info("%s is not used: %s", self._path, error)
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = None
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def __enter__(self) -> "DescriptionCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
