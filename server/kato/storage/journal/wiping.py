"""Wiping: takes the text of removed sessions out of the journal's files.

`secure_delete` overwrites deleted rows. But when SQLite moves rows to another page, it leaves copies in the free space of
the old one, and `secure_delete` does not overwrite those. Only a rewritten file (VACUUM) is free of them.
"""

import sys
import time
from contextlib import suppress

from kato.core import limits
from kato.core.errors import JournalUnavailable
from kato.storage.journal.database import Database


def wipe(db: Database, *, alone: bool) -> list[str]:
    """Wipes removed text; returns one sentence for each place where some is left. Rewrites a large file only if `alone`:
    writers have to wait meanwhile.
    """
    remains = []
    if db.one("SELECT EXISTS (SELECT 1 FROM removed_session WHERE NOT wiped)")[0]:
        used_pages = db.one("PRAGMA page_count")[0] - db.one("PRAGMA freelist_count")[0]
        is_small = used_pages * limits.JOURNAL_PAGE_BYTES <= limits.JOURNAL_REWRITE_BYTES_MAX
        if (alone or is_small) and _rewrite(db):
            db.run("UPDATE removed_session SET wiped = 1 WHERE NOT wiped")
        else:
            _shrink(db)
            remains.append(
                f"fragments of removed text can be left between the rows of {db.path}: the file could not be rewritten,"
                " because other Kato processes use it and it is large, or because the disk is full; close the editors and"
                " run kato clean again"
            )
    if not db.empty_wal():
        remains.append(
            f"{db.path}-wal still holds removed text: another process was reading the journal; run kato clean again"
        )
    return remains


def _rewrite(db: Database) -> bool:
    with suppress(JournalUnavailable):  # the disk is full, or another process holds the lock for too long
        db.run("PRAGMA temp_store = FILE")  # not in memory: the copy is as large as the journal
        try:
            db.run("VACUUM")
        finally:
            db.run("PRAGMA temp_store = MEMORY")
        return True
    return False


def _shrink(db: Database) -> None:
    """Returns the free pages to the system, in steps, so that other processes can write in between."""
    with suppress(JournalUnavailable):
        before = sys.maxsize
        while 0 < (free := db.one("PRAGMA freelist_count")[0]) < before:
            before = free
            with db.errors():  # not `execute`: that runs only the first step, which frees one page
                db.connection.executescript(f"PRAGMA incremental_vacuum({limits.JOURNAL_HOLD_PAGES})")
            time.sleep(limits.JOURNAL_TURN_SECONDS)
