"""The files of a journal: their names, their identities, and the lock under which they are opened."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kato.core import limits
from kato.core.errors import JournalUnavailable

FILE_NAME: Final = "journal.sqlite3"
#: A process that finds damage creates this file. The next process that opens the journal recovers it.
DAMAGED_NAME: Final = "journal.damaged"
#: The new journal of a recovery: while it is incomplete, and once it is complete but not yet renamed to FILE_NAME.
RECOVERING_NAME: Final = "journal.recovering.sqlite3"
RECOVERED_NAME: Final = "journal.recovered.sqlite3"
LOCK_NAME: Final = "journal.lock"
#: The search index, which is derived from the journal and removed when a journal is recovered: events have other numbers then.
SEARCH_NAME: Final = "search.sqlite3"
#: SQLite's files next to the database: the write-ahead log (WAL) and its shared index.
WAL_SUFFIXES: Final = ("-wal", "-shm")


def identities(path: Path) -> dict[str, tuple[int, int]]:
    """The identity of each file of an open journal, by path. A file that replaces one of them has another identity."""
    names = [f"{path}{suffix}" for suffix in ("", *WAL_SUFFIXES)]
    return {name: found for name in names if (found := identity(name)) is not None}


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of a file; None if it cannot be found."""
    try:
        status = os.stat(path)  # noqa: PTH116 - at each commit: takes 1 µs, pathlib 3 µs
    except OSError:
        return None
    return status.st_dev, status.st_ino


def move_aside(path: Path, moment: float) -> Path:
    """Renames a damaged database to `journal.damaged-<time>.sqlite3` and returns that path. `moment` is when the recovery was
    complete, in seconds since the epoch: a process that continues an interrupted move chooses the same name.
    """
    name = f"journal.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(moment))}"
    aside = path.with_name(f"{name}.sqlite3")
    number = 0
    while path.exists() and aside.exists():
        number += 1
        aside = path.with_name(f"{name}-{number}.sqlite3")
    for suffix in (*WAL_SUFFIXES, ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


@contextmanager
def opening_lock(path: Path, hurried: Callable[[], bool]) -> Iterator[None]:
    """Only one process at a time opens, migrates or recovers a journal. Raises JournalUnavailable if another process holds
    the lock for too long. The system releases the lock when its holder ends.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        deadline = time.monotonic() + limits.JOURNAL_OPEN_SECONDS_MAX
        while not _try_lock(descriptor):
            if time.monotonic() > deadline or hurried():
                raise JournalUnavailable(
                    f"another process has been opening the journal for {limits.JOURNAL_OPEN_SECONDS_MAX} s ({path})",
                    str(path),
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only on Windows

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - only on POSIX

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
