"""Translates SQLite's errors into Kato's: one sentence that names the file, what happened and what to do. Also decides whether a
database is damaged.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from kato.core import limits
from kato.core.errors import JournalNotOpened, JournalUnavailable
from kato.storage.journal.files import DAMAGED_NAME


@contextmanager
def translated_errors(path: Path, undo: Callable[[], None] | None = None) -> Iterator[None]:
    """Raises JournalUnavailable for an error of SQLite, after calling `undo`."""
    try:
        yield
    except sqlite3.Error as error:
        if undo is not None:
            undo()
        raise JournalUnavailable(_explain(path, error), str(path)) from error


@contextmanager
def errors_at_opening() -> Iterator[None]:
    """Raises JournalNotOpened instead of JournalUnavailable: a process whose journal cannot be opened must not start."""
    try:
        yield
    except JournalUnavailable as error:
        raise JournalNotOpened(error.message, error.data["path"]) from error


def _explain(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if says_damaged(error):
        mark_damaged(path, text)
        return f"the journal {path} is damaged ({text}); restart Kato: it moves the file aside and recovers what it can read"
    if "locked" in text:
        seconds = limits.JOURNAL_BUSY_MS // 1000
        return f"another process has locked the journal {path} for more than {seconds} s; try again, or end that process"
    if "full" in text:
        return f"nothing was stored: the disk of the journal {path} is full; free some space"
    if "readonly" in text or "unable to open" in text:
        return f"the journal {path} cannot be written ({text}); check the permissions of its folder"
    return f"the journal {path} failed: {text}"


def says_locked(error: sqlite3.Error) -> bool:
    """Whether another process holds the lock. The similar "database table is locked" is a defect of Kato: waiting does not
    help.
    """
    return str(error) == "database is locked"


def says_damaged(error: sqlite3.Error) -> bool:
    """Whether SQLite found the database damaged."""
    text = str(error)
    return "malformed" in text or "not a database" in text or "no such table" in text


def mark_damaged(path: Path, reason: str) -> None:
    """Makes the next process that opens the journal recover it."""
    with suppress(OSError):
        path.with_name(DAMAGED_NAME).write_text(reason, encoding="utf-8")


def is_damaged(path: Path) -> bool:
    """Whether the journal was marked as damaged, or a short test of the database finds damage."""
    if not path.exists():
        return False
    if path.with_name(DAMAGED_NAME).exists():
        return True
    wal = Path(f"{path}-wal")
    if path.stat().st_size == 0:
        return wal.exists() and wal.stat().st_size > 0  # SQLite would delete the WAL
    try:
        with closing(sqlite3.connect(path, timeout=limits.JOURNAL_BUSY_MS / 1000)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if _is_too_short(db, path, wal):
                return True
            if db.execute("PRAGMA user_version").fetchone()[0]:
                db.execute("SELECT max(id) FROM session").fetchone()
                db.execute("SELECT max(id) FROM chunk").fetchone()
    except sqlite3.DatabaseError as error:
        return says_damaged(error)
    return False


def _is_too_short(db: sqlite3.Connection, path: Path, wal: Path) -> bool:
    """Whether the file is shorter than its own header says. The order matters: another process may copy the WAL into the
    file and remove it meanwhile. So the file's size, which only grows, is read last, and the WAL before it.
    """
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    page_bytes = db.execute("PRAGMA page_size").fetchone()[0]
    has_wal = wal.exists() and wal.stat().st_size > 0
    return not has_wal and pages * page_bytes > path.stat().st_size
