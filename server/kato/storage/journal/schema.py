"""The tables of the journal, as one migration per schema version, and what identifies their rows."""

import sqlite3
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from kato.core.errors import JournalUnavailable

#: The largest number that an event can have in its session.
SEQ_MAX: Final = (1 << 32) - 1


def _create_tables(db: sqlite3.Connection) -> None:
    _execute_each(
        db,
        """
        CREATE TABLE session (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            provider TEXT NOT NULL,
            session_id TEXT NOT NULL,
            title TEXT, snippet TEXT, cwd TEXT, destination TEXT,
            event_count INTEGER NOT NULL, json_bytes INTEGER NOT NULL,
            created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, last_message_at INTEGER,
            UNIQUE (provider, session_id)
        ) STRICT;
        CREATE TABLE chunk (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
        CREATE TABLE event_id (
            session INTEGER NOT NULL, event_id TEXT NOT NULL, seq INTEGER NOT NULL,
            PRIMARY KEY (session, event_id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE claim (
            session INTEGER NOT NULL, event_id TEXT NOT NULL, line INTEGER NOT NULL,
            owner TEXT NOT NULL, claimed_at INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (session, event_id, line)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX claim_unfinished ON claim (session) WHERE NOT finished;
        CREATE TABLE recording (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            recording_id TEXT NOT NULL UNIQUE,
            session INTEGER NOT NULL,
            output_path TEXT NOT NULL, active INTEGER NOT NULL, started_at INTEGER NOT NULL,
            start_seq INTEGER NOT NULL, start_line INTEGER NOT NULL,
            seq INTEGER NOT NULL, line INTEGER NOT NULL,
            transcript_state BLOB NOT NULL, last_write_at INTEGER
        ) STRICT;
        CREATE INDEX recording_by_session ON recording (session, id);
        CREATE INDEX recording_active ON recording (id) WHERE active;
        CREATE TABLE note (
            path TEXT PRIMARY KEY, body_bytes INTEGER NOT NULL, body_crc32 INTEGER NOT NULL, file_bytes INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
    )


def _add_parents_and_logs(db: sqlite3.Connection) -> None:
    _execute_each(
        db,
        """
        ALTER TABLE session ADD COLUMN parent_id TEXT;
        ALTER TABLE session ADD COLUMN parent_call_id TEXT;
        CREATE INDEX session_by_parent ON session (provider, parent_id) WHERE parent_id IS NOT NULL;
        CREATE TABLE log (
            path TEXT PRIMARY KEY, provider TEXT NOT NULL, session_id TEXT NOT NULL, variant TEXT NOT NULL,
            size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX log_by_session ON log (provider, session_id);
        """,
    )


def _add_ends_of_recordings(db: sqlite3.Connection) -> None:
    _execute_each(
        db,
        """
        ALTER TABLE recording ADD COLUMN end_seq INTEGER;
        ALTER TABLE recording ADD COLUMN end_line INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX recording_open ON recording (session) WHERE active OR end_seq IS NOT NULL;
        """,
    )


def _add_removed_sessions(db: sqlite3.Connection) -> None:
    _execute_each(
        db,
        """
        CREATE TABLE removed_session (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            provider TEXT NOT NULL, session_id TEXT NOT NULL,
            event_count INTEGER NOT NULL, until_ms INTEGER NOT NULL, removed_at INTEGER NOT NULL,
            wiped INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX removed_by_session ON removed_session (provider, session_id);
        CREATE TABLE removed_event (mark INTEGER PRIMARY KEY) STRICT;
        """,
    )


def _index_sessions_by_moment(db: sqlite3.Connection) -> None:
    """A status lists the newest sessions and counts those that are not stale. With this index the time for that does not
    grow with the number of sessions.
    """
    db.execute("CREATE INDEX session_by_moment ON session (coalesce(last_message_at, updated_at))")


def _add_checksums_of_chunks(db: sqlite3.Connection) -> None:
    """SQLite has no checksum of a row's content: without this one, Kato returned damaged bytes as events."""
    db.execute("ALTER TABLE chunk ADD COLUMN crc32 INTEGER")


def _add_identities_of_notes(db: sqlite3.Connection) -> None:
    _execute_each(
        db,
        """
        ALTER TABLE note ADD COLUMN mtime_ns INTEGER;
        ALTER TABLE note ADD COLUMN device INTEGER;
        ALTER TABLE note ADD COLUMN provider TEXT;
        ALTER TABLE note ADD COLUMN session_id TEXT;
        ALTER TABLE note ADD COLUMN look BLOB NOT NULL DEFAULT x'';
        """,
    )


def _add_holds(db: sqlite3.Connection) -> None:
    db.execute(
        """
        CREATE TABLE hold (
            recording_id TEXT PRIMARY KEY, path TEXT NOT NULL, owner TEXT NOT NULL,
            seq INTEGER NOT NULL, line INTEGER NOT NULL, transcript_state BLOB NOT NULL, file_bytes INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    )


def _add_branches(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE session ADD COLUMN branch TEXT")


def _add_gaps(db: sqlite3.Connection) -> None:
    _execute_each(
        db,
        """
        CREATE TABLE gap (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            provider TEXT NOT NULL, session_id TEXT NOT NULL,
            reason TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER
        ) STRICT;
        CREATE INDEX gap_by_session ON gap (provider, session_id);
        ALTER TABLE recording ADD COLUMN awaits_on INTEGER NOT NULL DEFAULT 0;
        """,
    )


#: The function at index N changes the schema from version N to N + 1. It runs in one transaction with the version's change.
MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    _create_tables,
    _add_parents_and_logs,
    _add_ends_of_recordings,
    _add_removed_sessions,
    _index_sessions_by_moment,
    _add_checksums_of_chunks,
    _add_identities_of_notes,
    _add_holds,
    _add_branches,
    _add_gaps,
)


def _execute_each(db: sqlite3.Connection, statements: str) -> None:
    """Runs the statements in the open transaction; `executescript` would commit it first."""
    for statement in statements.split(";"):
        db.execute(statement)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Brings the schema to the newest version. Raises JournalUnavailable if a newer Kato wrote the journal."""
    while known_version(db, path) < len(MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")
        try:
            version = known_version(db, path)  # another process may have migrated meanwhile
            if version < len(MIGRATIONS):
                MIGRATIONS[version](db)
                db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            db.rollback()
            raise


def known_version(db: sqlite3.Connection, path: Path) -> int:
    """The schema version of the file. Raises JournalUnavailable if this Kato does not know it."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise JournalUnavailable(
            f"the journal {path} was written by a newer Kato (schema {version}, this one knows {len(MIGRATIONS)}): "
            "update Kato, or choose another stateDir",
            str(path),
        )
    return version


def chunk_id(session: int, seq: int) -> int:
    """The id of the chunk of this session that begins with event number `seq`."""
    return (session << 32) + seq


def event_mark(provider: str, session_id: str, event_id: str) -> int:
    """What the journal stores of a removed event: a 64-bit hash of its identity. SQL statements can call it."""
    identity = f"{provider}\0{session_id}\0{event_id}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(identity, digest_size=8).digest(), "big", signed=True)
