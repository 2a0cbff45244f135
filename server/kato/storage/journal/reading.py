"""A second connection to the journal, which only reads: for another thread, while the process uses its own."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kato.core import limits
from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey
from kato.core.records import Gap, SessionRecord
from kato.storage.journal.chunks import Chunk
from kato.storage.journal.connection import decode_text
from kato.storage.journal.errors import translated_errors
from kato.storage.journal.files import FILE_NAME, identity
from kato.storage.journal.schema import SEQ_MAX, chunk_id
from kato.storage.journal.sessions import SESSION_COLUMNS, session_record


class JournalReader:
    """Reads the journal of a folder. Each method raises JournalUnavailable if the database fails.

    The *number* of a session is its id in the database. Reads hold no lock between two calls, and never make a writer wait.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._identity = identity(str(self._path))
        if self._identity is None:
            raise JournalUnavailable(f"the journal {self._path} does not exist", str(self._path))
        with translated_errors(self._path):
            # Read only: at its end this connection neither copies nor removes a write-ahead log.
            self._db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=limits.JOURNAL_BUSY_STEP_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
            )
            self._db.text_factory = decode_text
            self._db.execute(f"PRAGMA cache_size = -{limits.SEARCH_READ_CACHE_BYTES // limits.KIB}")

    @property
    def is_current(self) -> bool:
        """Whether the journal of the folder is still the file that was opened."""
        return identity(str(self._path)) == self._identity

    def data_version(self) -> int:
        """A number that changes with each commit of another connection."""
        with translated_errors(self._path):
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def progress(self) -> Iterator[tuple[int, int, int]]:
        """Number, event count and last update (ms) of each session."""
        with translated_errors(self._path):
            yield from self._db.execute("SELECT id, event_count, updated_at FROM session")

    def keys(self) -> Iterator[tuple[int, SessionKey]]:
        """Number and key of each session."""
        with translated_errors(self._path):
            for number, *key in self._db.execute("SELECT id, provider, session_id FROM session"):
                yield number, SessionKey(*key)

    def records(self) -> list[SessionRecord]:
        """All sessions."""
        with translated_errors(self._path):
            return [session_record(row) for row in self._db.execute(f"SELECT {SESSION_COLUMNS} FROM session")]  # noqa: S608

    def folders(self) -> Iterator[tuple[int, str, str | None]]:
        """Number, provider and folder of each session."""
        with translated_errors(self._path):
            yield from self._db.execute("SELECT id, provider, cwd FROM session")

    def newest(self, json_bytes: int) -> int | None:
        """The last update (ms) of the oldest of the newest sessions whose events have at most so many bytes together."""
        total, moment = 0, None
        with translated_errors(self._path):
            rows = self._db.execute("SELECT updated_at, json_bytes FROM session ORDER BY updated_at DESC")
            for updated_at, size in rows:
                total += size
                if total > json_bytes and moment is not None:
                    break
                moment = int(updated_at)
        return moment

    def totals(self) -> tuple[int, int]:
        """How many events there are, and the bytes of their lines."""
        with translated_errors(self._path):
            row = self._db.execute("SELECT sum(event_count), sum(json_bytes) FROM session").fetchone()
        return row[0] or 0, row[1] or 0

    def last_removal(self) -> int:
        """A number that grows whenever sessions are removed."""
        with translated_errors(self._path):
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM removed_session").fetchone()[0])

    def session(self, number: int) -> SessionRecord | None:
        """The session with this number."""
        with translated_errors(self._path):
            row = self._db.execute(
                f"SELECT {SESSION_COLUMNS} FROM session WHERE id = ?",  # noqa: S608
                (number,),
            ).fetchone()
        return None if row is None else session_record(row)

    def gaps(self) -> list[tuple[SessionKey, Gap]]:
        """When nothing of a session was kept: all gaps with their sessions. None in a journal that an older Kato made."""
        with translated_errors(self._path):
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'gap'").fetchone():
                return []
            rows = self._db.execute(
                "SELECT provider, session_id, reason, since_ms, until_ms FROM gap ORDER BY id"
            )
            return [(SessionKey(row[0], row[1]), Gap(*row[2:])) for row in rows]

    def log_paths(self) -> dict[SessionKey, str]:
        """The path of a log of each session that was read from one, whether or not the log still exists."""
        with translated_errors(self._path):
            rows = self._db.execute("SELECT provider, session_id, path FROM log")
            return {SessionKey(provider, session_id): path for provider, session_id, path in rows}

    def is_log_read(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether a session log with this size and time was read to its end."""
        query = "SELECT 1 FROM log WHERE path = ? AND size = ? AND mtime_ns = ?"
        with translated_errors(self._path):
            return self._db.execute(query, (path, size, mtime_ns)).fetchone() is not None

    def has_event(self, key: SessionKey, event_id: str) -> bool:
        """Whether a session has an event."""
        query = (
            "SELECT 1 FROM session JOIN event_id ON event_id.session = session.id"
            " WHERE provider = ? AND session.session_id = ? AND event_id = ?"
        )
        with translated_errors(self._path):
            return self._db.execute(query, (*key, event_id)).fetchone() is not None

    def chunks(self, number: int, after: int, bytes_max: int) -> Iterator[tuple[Chunk, bool]]:
        """The chunks of a session from the one that holds event number `after` on, each with whether it was read: the lines of
        one with more than `bytes_max` bytes are left out.
        """
        base = chunk_id(number, 0)
        query = (
            "SELECT id, count, CASE WHEN length(data) <= ? THEN data END, crc32 FROM chunk"
            " WHERE id >= ? AND id <= ? ORDER BY id LIMIT 1"
        )
        with translated_errors(self._path):
            first = self._db.execute(
                "SELECT max(id) FROM chunk WHERE id BETWEEN ? AND ?", (base, base + after)
            ).fetchone()[0]
        at = base if first is None else first
        while True:
            with translated_errors(self._path):
                row = self._db.execute(query, (bytes_max, at, base + SEQ_MAX)).fetchone()
            if row is None:
                return
            yield Chunk(row[0] - base, row[1], row[2] or b"", row[3]), row[2] is not None
            at = row[0] + 1

    def line(self, number: int, seq: int) -> bytes | None:
        """The line of one event; None if it is not there, is damaged, or is too large to be searched."""
        for chunk, is_read in self.chunks(number, seq, limits.SEARCHED_EVENT_BYTES_MAX):
            if not is_read or not chunk.first <= seq < chunk.first + chunk.events:
                return None
            lines = (
                chunk.data.split(b"\n")
                if chunk.is_intact
                else [line or b"" for _, line in chunk.readable_lines()]
            )
            return lines[seq - chunk.first].rstrip(b"\n") or None
        return None

    def close(self) -> None:
        """Closes the connection."""
        with suppress(sqlite3.Error):
            self._db.close()
