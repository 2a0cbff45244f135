"""The table `chunk`: the lines of events, packed, and how they are read in bounded memory."""

import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from kato.core import limits
from kato.core.events import SessionKey, is_event
from kato.core.lines import Lines, are_sound, cut, numbered
from kato.storage.journal.database import Database
from kato.storage.journal.errors import mark_damaged
from kato.storage.journal.schema import SEQ_MAX, chunk_id
from kato.storage.journal.sessions import Sessions

log = logging.getLogger("kato.journal")


class Chunk(NamedTuple):
    """A row of `chunk`: the number of its first event, how many events it holds, their lines, the checksum of the lines."""

    first: int
    events: int
    data: bytes
    crc32: int | None

    @property
    def is_intact(self) -> bool:
        """Whether no byte changed since the chunk was written. SQLite does not notice damage inside a row."""
        if self.crc32 is None:  # an earlier version wrote it, without a checksum
            return are_sound(self.data)
        return zlib.crc32(self.data) == self.crc32

    def readable_lines(self) -> Iterator[tuple[int, bytes | None]]:
        """Number and line, ended by a newline, of each event in a damaged chunk. The line is None if it cannot be read."""
        for seq, line in enumerate(self.data.removesuffix(b"\n").split(b"\n"), self.first):
            yield seq, line + b"\n" if is_event(line) else None


class Chunks:
    """Reads and writes chunks."""

    def __init__(self, db: Database, sessions: Sessions) -> None:
        self._db = db
        self._sessions = sessions
        #: Called before a large chunk is read, with the bytes of memory that it takes; raises a KatoError if there is no room.
        self.make_room: Callable[[int], object] = lambda _: None

    def insert(self, session: int, first: int, lines: Lines) -> None:
        """Writes the lines of new events, which begin with event number `first`. Raises sqlite3.Error."""
        seq = first
        for data, count in lines.pieces(limits.JOURNAL_CHUNK_BYTES):
            self._insert_row((chunk_id(session, seq), count, data, zlib.crc32(data)))
            seq += count
        self._db.bytes_since_checkpoint += lines.size

    def _insert_row(self, row: tuple[int, int, bytes, int]) -> None:
        if len(row[2]) <= limits.LARGE_BYTES:
            self._db.connection.execute("INSERT INTO chunk VALUES (?, ?, ?, ?)", row)
            return
        # A prepared statement keeps a copy of its values until it is bound again: bind it to NULLs to free the memory.
        for values in (row, (None,) * len(row)):
            self._db.connection.execute(
                "INSERT INTO chunk SELECT ?1, ?2, ?3, ?4 WHERE ?1 IS NOT NULL", values
            )

    # --- Reading ----------------------------------------------------------------------------------------

    def read(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Number and line, without its newline, of each event from number `after` to before `until`, in order; otherwise like
        `read_pieces`.
        """
        return numbered(self.read_pieces(key, after=after, until=until))

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The same events in pieces of whole lines, each with the number of its first event, so that the caller can decode a
        piece in one call. Holds a few chunks in memory at a time and no lock between them. Leaves out damaged events.
        Raises what `make_room` raises.
        """
        session = self._sessions.number(key)
        if session is None:
            return
        for chunk in self.of_session(session, after, until):
            first, events, data, _ = chunk
            low, high = max(0, after - first), events if until is None else min(events, until - first)
            if low >= high:
                continue
            if chunk.is_intact:
                yield first + low, cut(data, low, high, events)
            else:
                readable = self._readable_events(key, chunk)
                yield from ((seq, line) for seq, line in readable if low <= seq - first < high)

    def _readable_events(self, key: SessionKey, chunk: Chunk) -> Iterator[tuple[int, bytes]]:
        """The undamaged events of a damaged chunk. Marks the journal as damaged: the next process that opens it recovers it."""
        reason = f"the chunk of event {chunk.first} of {key.provider}/{key.session_id} changed after it was written"
        log.error(
            "the journal %s is damaged: %s; restart Kato to recover what it can read", self._db.path, reason
        )
        mark_damaged(self._db.path, reason)
        for seq, line in chunk.readable_lines():
            if line is not None:
                yield seq, line
            else:
                log.error("event %d of %s/%s is damaged and left out", seq, *key)

    def of_session(self, session: int, after: int = 0, until: int | None = None) -> Iterator[Chunk]:
        """The chunks of a session, from the one that holds event `after` to the one that holds the event before `until`."""
        base = chunk_id(session, 0)
        start = self._db.one("SELECT max(id) FROM chunk WHERE id BETWEEN ? AND ?", (base, base + after))[0]
        previous = base - 1 if start is None else start - 1
        last = base + (SEQ_MAX if until is None else min(until - 1, SEQ_MAX))
        while rows := self._next_rows(previous, last):
            for previous, *columns in rows:  # the next query begins after the last of them
                yield Chunk(previous - base, *columns)

    def _next_rows(self, previous: int, last: int) -> list[Any]:
        """The next rows with ids after `previous`, up to `last`: several small ones, or one large one."""
        sizes = self._db.all(
            "SELECT id, length(data) FROM chunk WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (previous, last, limits.JOURNAL_READ_CHUNKS),
        )
        end, total = previous, 0
        for row_id, size in sizes:
            if total and total + size > limits.JOURNAL_READ_CHUNKS * limits.JOURNAL_CHUNK_BYTES:
                break
            end, total = row_id, total + size
        if end == previous:
            return []
        self._request_room(total)
        return self._db.all(
            "SELECT id, count, data, crc32 FROM chunk WHERE id > ? AND id <= ? ORDER BY id", (previous, end)
        )

    def _request_room(self, size: int) -> None:
        if size > limits.LARGE_BYTES:
            self.make_room(limits.JOURNAL_ROW_COST * size)

    def read_newest(
        self, key: SessionKey, *, max_events: int, max_bytes: int
    ) -> tuple[int, Sequence[tuple[bytes, int]]]:
        """The number of the first event of the newest chunks, and these chunks as pairs of lines and count. At least one
        chunk, otherwise as many as both bounds allow. Chunks before a damaged one are left out.
        """
        base = chunk_id(self._sessions.number(key) or 0, 0)
        first = 0
        chunks: list[tuple[bytes, int]] = []
        for row_id, size in reversed(self._newest_rows(base, max_events, max_bytes)):
            self._request_room(size)
            columns = self._db.one("SELECT count, data, crc32 FROM chunk WHERE id = ?", (row_id,))
            chunk = Chunk(row_id - base, *columns)
            if chunk.is_intact:
                first = first if chunks else chunk.first
                chunks.append((chunk.data, chunk.events))
            else:
                first, chunks = chunk.first + chunk.events, []
        return first, chunks

    def _newest_rows(self, base: int, max_events: int, max_bytes: int) -> list[tuple[int, int]]:
        """Ids and sizes of the newest chunks within both bounds, the newest first."""
        chosen: list[tuple[int, int]] = []
        events = total = 0
        with self._db.errors(), closing(self._db.connection.cursor()) as cursor:
            cursor.execute(
                "SELECT id, count, length(data) FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id DESC",
                (base, base + SEQ_MAX),
            )
            for row_id, count, size in cursor:
                if chosen and (events >= max_events or total + size > max_bytes):
                    break
                chosen.append((row_id, size))
                events, total = events + count, total + size
        return chosen
