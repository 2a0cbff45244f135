"""The index: a SQLite database next to the journal. It knows which words each event contains.

    session   how many events of a session are indexed, by the session's number in the journal
    message   an indexed event: its session, its number in the session, its time
    words_N   FTS5 tables without content: the words of each message in the column of its part. They cannot give texts back;
              an excerpt is made from the journal. Each holds the same number of messages, so that a word that stands
              everywhere is ranked among the newest of them: the time for that does not grow with the journal
    shard     these tables, and the time of the newest message in each
    state     the horizon: sessions that were last updated before it are not indexed

Rules:

- The index is derived from the journal. Where it is damaged, or does not fit the journal, it is removed and made again.
- Words of single sessions cannot be removed from a table without content, so a removal of sessions begins the index again.
"""

import heapq
import logging
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.errors import SearchUnavailable
from kato.core.events import SessionKey
from kato.core.queries import WORD_CATEGORIES, Query, SearchScope, indexed_text
from kato.core.searching import PARTS, Searched
from kato.storage.journal.connection import decode_text
from kato.storage.journal.database import keep_open
from kato.storage.journal.files import SEARCH_NAME, WAL_SUFFIXES, identity, opening_lock

log = logging.getLogger("kato.search")

LOCK_NAME: Final = "search.lock"
#: A file of another version is removed and made again.
_VERSION: Final = 1
_SCHEMA: Final = (
    """CREATE TABLE session (
        number INTEGER PRIMARY KEY, provider TEXT NOT NULL, session_id TEXT NOT NULL, indexed INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE message (
        id INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL, moment INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE shard (number INTEGER PRIMARY KEY, newest INTEGER NOT NULL) STRICT",
    "CREATE TABLE state (horizon INTEGER) STRICT",
)
_WORDS: Final = (
    f"CREATE VIRTUAL TABLE words_{{}} USING fts5({', '.join(PARTS)}, content = '',"
    f" tokenize = \"unicode61 remove_diacritics 0 categories '{WORD_CATEGORIES}'\")"
)
#: How much a match counts in each column: what was said counts more than what tools put out.
_WEIGHTS: Final = "4.0, 3.0, 1.0, 1.0"


class IndexedEvent(NamedTuple):
    """An event on its way into the index. `moment` is its time in milliseconds."""

    seq: int
    moment: int
    searched: Searched


class IndexHit(NamedTuple):
    """A match: the session's number in the journal, the event's number in the session, its time (ms), and a score that is
    higher for a better match.
    """

    session: int
    seq: int
    moment: int
    score: float


class Position(NamedTuple):
    """How far a session is indexed: before event number `indexed`."""

    key: SessionKey
    indexed: int


class SearchIndex:
    """An open index. Each method raises SearchUnavailable: the caller closes the index then, and opens it again later. Used
    by one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SEARCH_NAME
        try:
            with opening_lock(folder / LOCK_NAME, lambda: False):
                self._db = self._open()
        except OSError as error:
            raise SearchUnavailable(
                f"the search index {self._path} cannot be opened: {error.strerror}"
            ) from error
        self._identity = identity(str(self._path))

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _says_damaged(error):
                raise SearchUnavailable(self._explain(error)) from error
        self._remove_files()
        with self._errors():
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path,
            timeout=limits.SEARCH_BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            db.text_factory = decode_text
            self._path.chmod(0o600)
            db.execute(f"PRAGMA page_size = {limits.JOURNAL_PAGE_BYTES}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            # What is removed is removed as a whole, by VACUUM: overwriting each page before would write the index twice.
            db.execute("PRAGMA secure_delete = OFF")
            db.execute(f"PRAGMA cache_size = -{limits.SEARCH_CACHE_BYTES // limits.KIB}")
            db.execute(f"PRAGMA journal_size_limit = {limits.JOURNAL_CHECKPOINT_BYTES}")
            db.execute("PRAGMA temp_store = MEMORY")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise sqlite3.DatabaseError("no such table: the index of another version")
            if version == 0:
                self._create(db, None)
            db.execute("SELECT max(id) FROM message").fetchone()
            db.execute("SELECT horizon FROM state").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _create(db: sqlite3.Connection, horizon: int | None) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            tables = db.execute(
                "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
            ).fetchall()
            for (table,) in [*tables, *((one,) for one in ("session", "message", "shard", "state"))]:
                db.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO state VALUES (?)", (horizon,))
            db.execute(f"PRAGMA user_version = {_VERSION}")
            db.execute("COMMIT")
        except BaseException:
            db.rollback()
            raise

    # --- Filling ----------------------------------------------------------------------------------------

    def horizon(self) -> int | None:
        """Sessions that were last updated before this moment (ms) are not indexed; None if all are."""
        with self._errors():
            row = self._db.execute("SELECT horizon FROM state").fetchone()
        return None if row is None else row[0]

    def positions(self) -> dict[int, Position]:
        """The indexed sessions by their numbers."""
        with self._errors():
            rows = self._db.execute("SELECT number, provider, session_id, indexed FROM session")
            return {
                number: Position(SessionKey(provider, session_id), indexed)
                for number, provider, session_id, indexed in rows
            }

    def add(
        self, number: int, key: SessionKey, events: Sequence[IndexedEvent], *, start: int, end: int
    ) -> int:
        """Indexes the events of a session from number `start` to before `end`, and returns how far the session is indexed then:
        elsewhere if another process moved its position. All of it or nothing.
        """
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                row = self._db.execute("SELECT indexed FROM session WHERE number = ?", (number,)).fetchone()
                indexed = 0 if row is None else int(row[0])
                if indexed == start:
                    self._insert(number, events)
                    self._db.execute(
                        "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", (number, *key, end)
                    )
                    indexed = end
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise
        return indexed

    def _insert(self, number: int, events: Sequence[IndexedEvent]) -> None:
        execute = self._db.execute
        last = execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0]
        newest: dict[int, int] = {}
        for row, event in enumerate(events, last + 1):
            shard = row // limits.SEARCH_SHARD_EVENTS
            if (
                shard not in newest
                and not execute("SELECT 1 FROM shard WHERE number = ?", (shard,)).fetchone()
            ):
                execute(_WORDS.format(shard))
            newest[shard] = max(event.moment, newest.get(shard, event.moment))
            execute("INSERT INTO message VALUES (?, ?, ?, ?)", (row, number, event.seq, event.moment))
            part, text = event.searched
            execute(f"INSERT INTO words_{shard} (rowid, {part}) VALUES (?, ?)", (row, indexed_text(text)))  # noqa: S608
        for item in newest.items():
            execute(
                "INSERT INTO shard VALUES (?, ?) ON CONFLICT DO UPDATE SET newest = max(newest, excluded.newest)",
                item,
            )

    def reset(self, horizon: int | None = None) -> bool:
        """Empties the index. Returns whether no removed word is left in its files: another process that reads the index can
        prevent that.
        """
        with self._errors():
            self._create(self._db, horizon)
        with suppress(sqlite3.OperationalError):
            self._db.execute("VACUUM")
            return not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return False

    def bytes_used(self) -> int:
        """The size of its files."""
        size = 0
        for suffix in ("", "-wal"):
            with suppress(OSError):
                size += Path(f"{self._path}{suffix}").stat().st_size
        return size

    def event_count(self) -> int:
        """How many events are indexed."""
        with self._errors():
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0])

    # --- Searching --------------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        *,
        scope: SearchScope,
        sessions: Collection[int] | None,
        since_ms: int | None,
        limit: int,
    ) -> tuple[list[IndexHit], bool]:
        """The best matches, the newer one first where two are equal, and whether all matches were ranked. `sessions` are the
        numbers of the sessions to search; None searches all.
        """
        match = query.match_expression if scope == "all" else f"{{{scope}}} : ({query.match_expression})"
        conditions = ""
        if since_ms is not None:
            conditions += f" AND moment >= {since_ms:d}"
        if sessions is not None:
            conditions += " AND session IN (SELECT number FROM wanted)"
        found: list[IndexHit] = []
        deadline = time.monotonic() + limits.SEARCH_SECONDS_MAX
        is_complete = True
        with self._errors():
            self._prepare(sessions)
            self._db.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
            try:
                for (shard,) in self._db.execute("SELECT number FROM shard ORDER BY newest DESC").fetchall():
                    if len(found) >= limits.SEARCH_RANKED_MAX:
                        is_complete = False
                        break
                    sql = (
                        f"SELECT session, seq, moment, -bm25(words_{shard}, {_WEIGHTS}) FROM words_{shard}"  # noqa: S608
                        f" CROSS JOIN message ON message.id = words_{shard}.rowid WHERE words_{shard} MATCH ?{conditions}"
                    )
                    for row in self._db.execute(sql, (match,)):
                        found.append(IndexHit(*row))  # noqa: PERF401 - what was found before an interruption counts
            except sqlite3.OperationalError as error:
                if "interrupted" not in str(error):
                    raise
                is_complete = False
            finally:
                self._db.set_progress_handler(None, 0)
        return heapq.nsmallest(limit, found, key=lambda hit: (-hit.score, -hit.moment)), is_complete

    def _prepare(self, sessions: Collection[int] | None) -> None:
        if sessions is None:
            return
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (number INTEGER PRIMARY KEY)")
        self._db.execute("DELETE FROM temp.wanted")
        self._db.executemany("INSERT INTO temp.wanted VALUES (?)", ((number,) for number in sessions))

    # --- Errors and the end -----------------------------------------------------------------------------

    @property
    def is_current(self) -> bool:
        """Whether the index is still the file that was opened: another process may have replaced a damaged one."""
        return identity(str(self._path)) == self._identity

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _says_damaged(error):
                log.warning("the search index is damaged (%s) and is made again", error)
                self._discard()
            raise SearchUnavailable(self._explain(error)) from error

    def _explain(self, error: sqlite3.Error) -> str:
        text = str(error)
        if _says_damaged(error):
            return f"the search index {self._path} is damaged ({text}); Kato makes it again from the journal"
        if "locked" in text:
            return f"another process writes to the search index {self._path}; Kato tries again later"
        if "full" in text:
            return f"the disk of the search index {self._path} is full; free some space"
        if "no such module" in text:
            return (
                "search needs SQLite with FTS5, which this Python's SQLite lacks; use another build of Python"
            )
        return f"the search index {self._path} failed: {text}"

    def _discard(self) -> None:
        """Removes the damaged files, unless another process replaced them."""
        with (
            suppress(OSError, SearchUnavailable),
            opening_lock(self._path.with_name(LOCK_NAME), lambda: True),
        ):
            is_current = self.is_current
            self.close()
            if is_current:
                self._remove_files()

    def _remove_files(self) -> None:
        for suffix in (*WAL_SUFFIXES, ""):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the connection."""
        if not self.is_current:
            keep_open(self._db)  # closing it would remove the log of the file that took its place
            return
        with suppress(sqlite3.Error):
            self._db.close()


def _says_damaged(error: sqlite3.Error) -> bool:
    """Whether only a new index helps. A closed connection, full disk or lock is not damage."""
    text = str(error)
    return any(
        sign in text
        for sign in (
            "malformed",
            "not a database",
            "no such table",
            "vtable constructor",
            "corrupt",
            "no such column",
        )
    )
