"""The journal: every accepted event, durable, once; with the claims, recordings and notes that must outlive a process.

    session    one row a conversation: counts, title, folder, destination
    chunk      its events in order, packed: `count` lines, each ended by a newline; the id is the session's, shifted by
               32 bits, plus the first event's number, so that a session's chunks lie side by side and need no index
    event_id   which event ids a session has, and their numbers: uniqueness lives here
    claim      commands that were claimed, by whom, and whether they are finished
    recording  destinations and positions
    note       what was last written to which file
    log        which session logs of assistants were read, and how far
    removed_*  which sessions `kato clean` removed, and hashes of their events' ids, so that no log brings them back

SQLite in `<stateDir>/journal.sqlite3`, one connection a process, several processes at once.

What survives what: a commit survives the end of the process, however it ends (`kill -9` too), because it is in the
operating system's hands when it returns. It survives a power loss from the next `sync` on, which the heartbeat calls;
a power loss before that may lose the newest commits, never tear the database.

Rules: appends join one transaction (the group) until `commit`; whatever fails, the group is undone as a whole; locks are
waited for no longer than `BUSY_MS`, and a process that dies lets go of its own (they are the system's, not rows).
"""

import ctypes
import logging
import os
import sqlite3
import sys
import threading
import time
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from msgspec.structs import astuple, replace

from kato.core import limits
from kato.core.errors import JournalLost, JournalNotOpened, JournalUnavailable, UnknownSession
from kato.core.events import ConversationEvent, SessionKey, decode_line, is_event
from kato.core.lines import Lines, are_sound, cut, numbered
from kato.core.moments import epoch_ms
from kato.core.records import (
    AppendReceipt,
    Claim,
    Hold,
    LogRecord,
    NoteRecord,
    ProviderSummary,
    Recording,
    SessionMeta,
    SessionRecord,
    Summary,
)
from kato.core.views import JournalStats
from kato.storage.recovery import Chunk, Salvaged, salvaged
from kato.storage.salvage import Record
from kato.system.regular import open_regular

log = logging.getLogger("kato.journal")

FILE_NAME: Final = "journal.sqlite3"
DAMAGED_NAME: Final = "journal.damaged"
#: What could be read of a damaged journal: under way, and complete but not yet in the journal's place.
RECOVERING_NAME: Final = "journal.recovering.sqlite3"
RECOVERED_NAME: Final = "journal.recovered.sqlite3"
_LOCK_NAME: Final = "journal.lock"
_LOG_SUFFIXES: Final = ("-wal", "-shm")

#: Each entry takes the schema one version up; it and the version's number are one transaction.
MIGRATIONS: Final = (
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
    """
    ALTER TABLE recording ADD COLUMN end_seq INTEGER;
    ALTER TABLE recording ADD COLUMN end_line INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX recording_open ON recording (session) WHERE active OR end_seq IS NOT NULL;
    """,
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
    # A status shows the newest sessions and counts those that are not stale: neither may take longer the more there are.
    """
    CREATE INDEX session_by_moment ON session (coalesce(last_message_at, updated_at));
    """,
    # SQLite keeps no checksum of a row's content: noise in it came out as events that are not JSON.
    "ALTER TABLE chunk ADD COLUMN crc32 INTEGER;",
    """
    ALTER TABLE note ADD COLUMN mtime_ns INTEGER;
    ALTER TABLE note ADD COLUMN device INTEGER;
    ALTER TABLE note ADD COLUMN provider TEXT;
    ALTER TABLE note ADD COLUMN session_id TEXT;
    ALTER TABLE note ADD COLUMN look BLOB NOT NULL DEFAULT x'';
    """,
    """
    CREATE TABLE hold (
        recording_id TEXT PRIMARY KEY, path TEXT NOT NULL, owner TEXT NOT NULL,
        seq INTEGER NOT NULL, line INTEGER NOT NULL, transcript_state BLOB NOT NULL, file_bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)

_SESSION_FIELDS: Final = (
    "provider, session_id, event_count, json_bytes, created_at, updated_at, title, snippet, cwd, last_message_at,"
    " destination, parent_id, parent_call_id"
)
#: The columns of a recording, and where they lie in the value.
_RECORDING_FIELDS: Final = (
    "recording_id, output_path, active, started_at, start_seq, start_line, seq, line, transcript_state, last_write_at,"
    " end_seq, end_line"
)
_NOTE_FIELDS: Final = "path, body_bytes, body_crc32, file_bytes, mtime_ns, device, provider, session_id, look"
_IS_OPEN: Final = "(active OR end_seq IS NOT NULL)"
_HOLDS: Final = "SELECT recording_id, path, owner, seq, line, transcript_state, file_bytes FROM hold"
#: Every column that holds the path of a note.
_NOTE_PATHS: Final = (
    ("recording", "output_path"),
    ("session", "destination"),
    ("note", "path"),
    ("hold", "path"),
)


_SESSION_COUNT: Final = len(_SESSION_FIELDS.split(","))
#: When something was last said, or done, in a session: the index `session_by_moment` is over this expression.
_MOMENT: Final = "coalesce(last_message_at, updated_at)"
_RECORDING_SESSIONS: Final = (
    f"SELECT {_SESSION_FIELDS}, {_RECORDING_FIELDS} FROM recording CROSS JOIN session ON session.id = recording.session"  # noqa: S608
    f" WHERE active AND {_MOMENT} >= :since ORDER BY {_MOMENT} DESC LIMIT :limit"
)
_OTHER_SESSIONS: Final = (
    f"SELECT {_SESSION_FIELDS}, {_RECORDING_FIELDS} FROM session"  # noqa: S608
    " LEFT JOIN recording ON recording.id = (SELECT max(id) FROM recording AS own WHERE own.session = session.id)"
    f" WHERE {_MOMENT} >= :since AND coalesce(active, 0) = 0 ORDER BY {_MOMENT} DESC LIMIT :limit"
)
_PROVIDERS: Final = (
    f"SELECT provider, count(*), sum({_MOMENT} >= ?), max(last_message_at) FROM session"  # noqa: S608
    f" INDEXED BY session_by_moment WHERE {_MOMENT} >= ? GROUP BY provider ORDER BY provider"
)


_LOG_FIELDS: Final = "path, provider, session_id, variant, size, mtime_ns"
_SEQ_MAX: Final = (1 << 32) - 1
#: Before every moment that a row can hold.
_ALWAYS_MS: Final = -(1 << 63)
#: What a session's row says of its events: counted from them when they are recovered.
_COUNTED: Final = frozenset({"id", "provider", "session_id", "event_count", "json_bytes"})
_FIND_SESSION: Final = (
    "SELECT id, event_count, EXISTS (SELECT 1 FROM removed_session WHERE provider = ?1 AND session_id = ?2)"
    " FROM (SELECT 1) LEFT JOIN session ON provider = ?1 AND session_id = ?2"
)


_T = TypeVar("_T")


class CheckReport(NamedTuple):
    """What `check` looked at and what it found wrong, a sentence each."""

    sessions: int
    events: int
    problems: list[str]


class CleanReport(NamedTuple):
    """The sessions that were (or would be) removed with the bytes of their events; the older ones that stay because they, or
    sub-agents of theirs, record; and what of the removed text is still on the disk, a sentence each.
    """

    removed: list[SessionRecord]
    recording: list[SessionRecord]
    json_bytes: int
    remains: list[str]


class Journal:
    """An open journal. Every method raises JournalUnavailable when the database cannot do it."""

    durable: Final = True

    def __init__(self, path: Path, connection: "_Connection", now_ms: Callable[[], int]) -> None:
        self._path = path
        self._db = connection
        self._files = _identities(path)
        self._loss: str | None = None
        self._now_ms = now_ms
        self._in_group = False
        self._pending: dict[SessionKey, _Pending] = {}
        self._exclusive_depth = 0
        self._unsynced = False
        self._logged = 0  # bytes since the log was last copied into the database
        self._checkpointer: _Checkpointer | None = None
        self._version_seen: int | None = None
        self._removal_seen = 0
        #: Asked before a large chunk is read, with what that takes; raises a KatoError where there is no room.
        self.make_room: Callable[[int], object] = lambda _: None
        self._totals: _Counted[tuple[int, int]] = _Counted()
        self._totals_version = 0
        self._providers: dict[bool, _Counted[list[ProviderSummary]]] = {True: _Counted(), False: _Counted()}
        #: What was recovered when the journal was opened, in a sentence; None if nothing had to be.
        self.recovery: str | None = None

    # --- Opening ----------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls, folder: Path, *, now_ms: Callable[[], int], hurried: Callable[[], bool] = lambda: False
    ) -> "Journal":
        """Opens or makes the journal in this folder. While `hurried` is true, other processes are waited for briefly.

        A damaged database is moved aside (`journal.damaged-<time>.sqlite3`) and what can be read of it goes into a new
        one. Raises JournalUnavailable for what a person has to mend: no space, no right to write, a newer schema.
        """
        path = folder / FILE_NAME
        with _opening(), _errors(path):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with _alone(folder / _LOCK_NAME, hurried):
                    recovery = cls._recover_if_damaged(path, now_ms, hurried)
                    journal = cls(path, _connect(path, hurried), now_ms)
                    journal.recovery = recovery
                    journal.newly_removed()  # what was removed before is in no memory of this process
            except OSError as error:
                raise JournalUnavailable(
                    f"the journal {path} cannot be opened: {error.strerror}; make the folder writable, choose another "
                    "stateDir, or set journal to false",
                    str(path),
                ) from error
        return journal

    @classmethod
    def _recover_if_damaged(
        cls, path: Path, now_ms: Callable[[], int], hurried: Callable[[], bool]
    ) -> str | None:
        """Replaces a damaged database by what can be read of it and says what that was; None if it is sound.

        The new database is complete before the damaged one is moved: wherever this ends, the next process goes on.
        """
        complete = path.with_name(RECOVERED_NAME)
        result = "what could be read of it is in the new one"
        if not complete.exists():
            if not _is_damaged(path):
                return None
            started = path.with_name(RECOVERING_NAME)
            for suffix in ("", *_LOG_SUFFIXES):
                Path(f"{started}{suffix}").unlink(missing_ok=True)
            with (
                closing(cls(started, _connect(started, hurried), now_ms)) as new,
                salvaged(path, MIGRATIONS) as found,
            ):
                result = new.take_in(found)
                new.empty_log()
            started.rename(complete)
        aside = _move_aside(path, complete.stat().st_mtime)
        path.with_name(DAMAGED_NAME).unlink(missing_ok=True)
        complete.rename(path)
        return f"the journal was damaged and lies at {aside}; {result}"

    def take_in(self, found: Salvaged) -> str:
        """Enters what was found in a damaged journal; says how much it was."""
        # What was removed comes first: chunks of it in pages that are out of use then count as known.
        with self.exclusive():
            self._enter("removed_session", found.records("removed_session"))
            self._enter("removed_event", ({"mark": mark} for mark in found.removed_events))
            # Positions move where events are lost: what is remembered of a note's text does not hold any more.
            self._enter("note", (record | {"look": b""} for record in found.records("note")))
        taken: dict[int, _Taken] = {}
        for chunk in found.chunks():
            if chunk.session not in taken:
                self.commit()
                taken[chunk.session] = _Taken()
            self._take_chunk(taken[chunk.session], chunk)
        self.commit()
        records = {record["id"]: record for record in found.records("session")}
        with self.exclusive():
            self._take_beside(found, taken, records)
        events = sum(len(one.seqs) for one in taken.values())
        sessions = sum(bool(one.seqs) for one in taken.values())
        lost = sum(
            max(0, record["event_count"] - (len(taken[number].seqs) if number in taken else 0))
            for number, record in records.items()
        )
        missing = f", {lost} are lost" if lost else ""
        return f"{events} events of {sessions} sessions were recovered{missing}"

    def _take_chunk(self, taken: "_Taken", chunk: Chunk) -> None:
        found = list(_events_of(chunk))
        if not found:
            return
        if taken.key is None:  # one event of noise must not name the session
            keys = Counter(SessionKey(event.provider, event.session_id) for _, event, _ in found)
            ((taken.key, _),) = keys.most_common(1)
        mine = [one for one in found if (one[1].provider, one[1].session_id) == taken.key]
        moment = min(max((epoch_ms(event.timestamp) for _, event, _ in mine), default=0), self._now_ms())
        receipt = self.append(
            taken.key,
            [event.event_id for _, event, _ in mine],
            Lines.of(line for _, _, line in mine),
            SessionMeta(moment, last_message_at=moment),
        )
        taken.seqs.extend(mine[index][0] for index in receipt.accepted)

    def _take_beside(
        self, found: Salvaged, taken: Mapping[int, "_Taken"], records: Mapping[int, Record]
    ) -> None:
        """What belongs to the sessions beside their events: names, claims, recordings, and the logs they were read from."""
        claims, recordings = found.by_session("claim"), found.by_session("recording")
        logs: dict[tuple[str, str], list[Record]] = {}
        for log in found.records("log"):
            logs.setdefault((log["provider"], log["session_id"]), []).append(log)
        for number, one in taken.items():
            mine = None if one.key is None or not one.seqs else self._number(one.key)
            if mine is None or one.key is None:
                continue
            record = records.get(number)
            if record is not None:
                names = [name for name in record if name not in _COUNTED]
                sets = ", ".join(f"{name} = :{name}" for name in names)
                self._run(f"UPDATE session SET {sets} WHERE id = :mine", {**record, "mine": mine})  # noqa: S608
                if len(one.seqs) == record["event_count"]:
                    # Where events are lost, the log is to be read again: the assistant may have them still.
                    self._enter("log", logs.get(one.key, ()))
            self._enter("claim", [claim | {"session": mine} for claim in claims.get(number, ())])
            for recording in sorted(recordings.get(number, ()), key=lambda record: record["id"]):
                self._enter("recording", [one.moved(recording) | {"id": None, "session": mine}])

    def _enter(self, table: str, records: Iterable[Record]) -> None:
        for record in records:
            names = ", ".join(record)
            values = ", ".join(f":{name}" for name in record)
            self._run(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({values})", record)  # noqa: S608

    # --- Appending: group commit ------------------------------------------------------------------------

    def append(self, key: SessionKey, ids: Sequence[str], lines: Lines, meta: SessionMeta) -> AppendReceipt:
        """Adds events to the open group. Ids that the session has are passed over, the first wins; so are those of events
        that were removed on the user's word, which alone do not bring their session back.
        """
        with _errors(self._path, self.rollback):
            self._begin()
            pending = self._pending.get(key) or self._find(key)
            chosen: Sequence[int] = range(len(ids))
            if pending.was_removed:
                chosen = [index for index, event_id in enumerate(ids) if not self._is_removed(key, event_id)]
                if len(chosen) < len(ids):
                    meta = replace(meta, snippet=None)  # it may be of a message that was removed
                if not chosen and pending.number is None:
                    return AppendReceipt((), 0, 0)
            if pending.number is None:
                pending.number = self._make_session(key, meta)
            self._pending[key] = pending
            first = pending.next_seq
            found = self._insert_ids(pending.number, first, [ids[index] for index in chosen])
            accepted = [chosen[index] for index in found] if pending.was_removed else found
            pending.add(lines.chosen(accepted), meta)
            self._add_to_counts(0, len(accepted))
            if pending.size > limits.JOURNAL_GROUP_BYTES:
                self._write_pending()
        return AppendReceipt(accepted, first, first + len(accepted))

    def _write_pending(self) -> None:
        """Writes the lines that were held back so that a group has few rows: one run of chunks a session."""
        pendings, self._pending = self._pending, {}
        for pending in pendings.values():
            assert pending.number is not None
            held = Lines.joined(pending.lines)
            seq = pending.next_seq - held.count
            for data, count in held.pieces(limits.JOURNAL_CHUNK_BYTES):
                self._insert_chunk(_chunk(pending.number, seq), count, data)
                seq += count
            self._db.execute(_UPDATE_SESSION, pending.values())
            self._logged += pending.size

    def _insert_chunk(self, chunk: int, count: int, data: bytes) -> None:
        row = (chunk, count, data, zlib.crc32(data))
        if len(data) <= limits.LARGE_BYTES:
            self._db.execute("INSERT INTO chunk VALUES (?, ?, ?, ?)", row)
            return
        # A statement keeps a copy of what was bound to it last, until it is bound again.
        for values in (row, (None,) * len(row)):
            self._db.execute("INSERT INTO chunk SELECT ?1, ?2, ?3, ?4 WHERE ?1 IS NOT NULL", values)

    def _find(self, key: SessionKey) -> "_Pending":
        number, count, was_removed = self._db.execute(_FIND_SESSION, key).fetchone()
        return _Pending(number, count or 0, was_removed=bool(was_removed))

    def _make_session(self, key: SessionKey, meta: SessionMeta) -> int:
        made = self._db.execute(
            "INSERT INTO session (provider, session_id, event_count, json_bytes, created_at, updated_at)"
            " VALUES (?, ?, 0, 0, ?, ?)",
            (*key, meta.updated_at, meta.updated_at),
        )
        assert made.lastrowid is not None
        self._add_to_counts(1, 0)
        return made.lastrowid

    def _is_removed(self, key: SessionKey, event_id: str) -> bool:
        found = self._db.execute("SELECT 1 FROM removed_event WHERE mark = ?", (_event_mark(*key, event_id),))
        return found.fetchone() is not None

    def _insert_ids(self, number: int, first: int, ids: Sequence[str]) -> Sequence[int]:
        """Enters the ids; the indices of those that are new, which get the numbers from `first` on."""
        before = self._db.total_changes
        rows = [(number, event_id, first + index) for index, event_id in enumerate(ids)]
        self._db.executemany("INSERT OR IGNORE INTO event_id VALUES (?, ?, ?)", rows)
        if self._db.total_changes - before == len(ids):
            return range(len(ids))
        # Some were there. A row that was entered just now has the number it was given; the numbers close up.
        accepted: list[int] = []
        for index, event_id in enumerate(ids):
            where = (number, event_id)
            row = self._db.execute(
                "SELECT seq FROM event_id WHERE session = ? AND event_id = ?", where
            ).fetchone()
            if row[0] != first + index:
                continue
            if len(accepted) != index:
                self._db.execute(
                    "UPDATE event_id SET seq = ? WHERE session = ? AND event_id = ?",
                    (first + len(accepted), *where),
                )
            accepted.append(index)
        return accepted

    def _begin(self) -> None:
        if self._loss is not None:
            raise JournalLost(self._loss, str(self._path))
        if not self._in_group and not self._exclusive_depth:
            self._db.execute("BEGIN IMMEDIATE")
            self._in_group = True

    def commit(self) -> None:
        """Ends the group: what it holds can be acknowledged."""
        if self._in_group:
            with _errors(self._path, self.rollback):
                self._check_files()
                self._write_pending()
                self._db.execute("COMMIT")
                self._in_group = False
                self._unsynced = True
            if self._logged > limits.JOURNAL_CHECKPOINT_BYTES:
                self._logged = 0
                self._wake_checkpointer()

    def _wake_checkpointer(self) -> None:
        """Failing here must not fail the commit, which is done: without the thread, SQLite checkpoints inline."""
        with suppress(RuntimeError):  # no thread can be started
            if self._checkpointer is None:
                self._checkpointer = _Checkpointer(self._path)
            self._checkpointer.wake()

    def rollback(self) -> None:
        """Undoes the group as a whole."""
        self._in_group = False
        self._pending = {}
        self._totals.value = None
        with suppress(sqlite3.Error):
            self._db.rollback()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone over all processes: a transaction around "read the position, write the file, store the position"."""
        if self._exclusive_depth:
            self._exclusive_depth += 1
            try:
                yield
            finally:
                self._exclusive_depth -= 1
            return
        self.commit()
        if self._loss is not None:
            raise JournalLost(self._loss, str(self._path))
        with _errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
        self._exclusive_depth = 1
        try:
            yield
        except BaseException:
            self._exclusive_depth = 0
            self.rollback()
            raise
        self._exclusive_depth = 0
        with _errors(self._path, self.rollback):
            self._write_pending()
            self._db.execute("COMMIT")
            self._unsynced = True

    # --- Reading ----------------------------------------------------------------------------------------

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record."""
        row = self._one(f"SELECT {_SESSION_FIELDS} FROM session WHERE provider = ? AND session_id = ?", key)  # noqa: S608
        return None if row is None else _session(row)

    def status_sessions(
        self, *, since_ms: int | None, limit: int
    ) -> Iterator[tuple[SessionRecord, Recording | None]]:
        """Sessions with their newest recordings: those that record now, then the newest. One row is in memory at a time."""
        values = {"since": _ALWAYS_MS if since_ms is None else since_ms, "limit": limit}
        recording: set[SessionKey] = set()
        with _errors(self._path):
            self._write_pending()
            with closing(self._db.execute(_RECORDING_SESSIONS, values)) as rows:
                for row in rows:
                    record = _session(row)
                    recording.add(record.key)
                    yield record, _recording(record.key, row[_SESSION_COUNT:])
            values["limit"] -= len(recording)
            with closing(self._db.execute(_OTHER_SESSIONS, values)) as rows:
                for row in rows:
                    record = _session(row)
                    if record.key not in recording:
                        recorded = row[_SESSION_COUNT] is not None
                        yield record, _recording(record.key, row[_SESSION_COUNT:]) if recorded else None

    def summary(self, *, since_ms: int | None, fresh_ms: int) -> Summary:
        """The providers, and what is recorded. Over very many sessions, the providers' counts are those of a moment ago."""
        active, destinations = self._one(
            "SELECT count(*), count(DISTINCT output_path) FROM recording WHERE active", ()
        )
        counted = self._providers[since_ms is None]
        if counted.is_due():
            with counted.measured():
                rows = self._all(_PROVIDERS, (fresh_ms, _ALWAYS_MS if since_ms is None else since_ms))
                counted.value = [ProviderSummary(*row) for row in rows]
        assert counted.value is not None
        return Summary(counted.value, active, destinations)

    def read(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Number and line, in order; otherwise as `read_pieces`."""
        return numbered(self.read_pieces(key, after=after, until=until))

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Pieces of whole lines, each with the number of its first, so that whoever decodes them can do it in one go. A
        few chunks are in memory at a time; no lock is held in between. An event that is damaged is passed over.
        """
        number = self._number(key)
        if number is None:
            return
        for chunk in self._chunks(number, after, until):
            first, count, data, _ = chunk
            low, high = max(0, after - first), count if until is None else min(count, until - first)
            if low >= high:
                continue
            if _is_as_written(chunk):
                yield first + low, cut(data, low, high, count)
            else:
                yield from (
                    (seq, line) for seq, line in self._undamaged(key, chunk) if low <= seq - first < high
                )

    def _undamaged(self, key: SessionKey, chunk: "_Chunk") -> Iterator[tuple[int, bytes]]:
        """The events of a damaged chunk that can be read still, each with its number. The next process that opens the
        journal recovers them.
        """
        reason = (
            f"the chunk of event {chunk.first} of {key.provider}/{key.session_id} is not as it was written"
        )
        log.error("the journal %s is damaged: %s; the next start recovers what it can", self._path, reason)
        _mark_damaged(self._path, reason)
        for seq, line in enumerate(chunk.data.removesuffix(b"\n").split(b"\n"), chunk.first):
            if is_event(line):
                yield seq, line + b"\n"
            else:
                log.error("event %d of %s/%s cannot be read and is passed over", seq, *key)

    def _chunks(self, number: int, after: int = 0, until: int | None = None) -> Iterator["_Chunk"]:
        """A session's chunks, from the one that holds event `after` to the one that holds the event before `until`."""
        base = _chunk(number, 0)
        start = self._one("SELECT max(id) FROM chunk WHERE id BETWEEN ? AND ?", (base, base + after))[0]
        place = base - 1 if start is None else start - 1
        last = base + (_SEQ_MAX if until is None else min(until - 1, _SEQ_MAX))
        while rows := self._next_chunks(place, last):
            for place, *rest in rows:  # the next page begins where this one ends
                yield _Chunk(place - base, *rest)

    def _next_chunks(self, place: int, last: int) -> list[Any]:
        """The rows of the chunks after `place`, some together or a large one alone."""
        sizes = self._all(
            "SELECT id, length(data) FROM chunk WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (place, last, limits.JOURNAL_READ_CHUNKS),
        )
        end, total = place, 0
        for one, size in sizes:
            if total and total + size > limits.JOURNAL_READ_CHUNKS * limits.JOURNAL_CHUNK_BYTES:
                break
            end, total = one, total + size
        if end == place:
            return []
        self._ask_for_room(total)
        return self._all(
            "SELECT id, count, data, crc32 FROM chunk WHERE id > ? AND id <= ? ORDER BY id", (place, end)
        )

    def _ask_for_room(self, size: int) -> None:
        if size > limits.LARGE_BYTES:
            self.make_room(limits.JOURNAL_ROW_COST * size)

    def read_newest(
        self, key: SessionKey, *, max_events: int, max_bytes: int
    ) -> tuple[int, Sequence[tuple[bytes, int]]]:
        """The newest chunks within both bounds (one at least), and the number of their first event. What lies before a
        damaged chunk is left out.
        """
        base = _chunk(self._number(key) or 0, 0)
        chosen: list[tuple[int, int]] = []  # ids and sizes, the newest first
        events = size = 0
        with _errors(self._path), closing(self._db.cursor()) as cursor:
            cursor.execute(
                "SELECT id, count, length(data) FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id DESC",
                (base, base + _SEQ_MAX),
            )
            for one, count, length in cursor:
                if chosen and (events >= max_events or size + length > max_bytes):
                    break
                chosen.append((one, length))
                events, size = events + count, size + length
        first = 0
        chunks: list[tuple[bytes, int]] = []
        for one, length in reversed(chosen):
            self._ask_for_room(length)
            row = self._one("SELECT count, data, crc32 FROM chunk WHERE id = ?", (one,))
            chunk = _Chunk(one - base, *row)
            if _is_as_written(chunk):
                first = first if chunks else chunk.first
                chunks.append((chunk.data, chunk.events))
            else:
                first, chunks = chunk.first + chunk.events, []
        return first, chunks

    def seq_of(self, key: SessionKey, event_id: str) -> int | None:
        """The number of an event in its session."""
        row = self._one(
            "SELECT seq FROM event_id WHERE session = ? AND event_id = ?", (self._number(key), event_id)
        )
        return None if row is None else int(row[0])

    def extra_bytes(self, key: SessionKey) -> int:
        """None: ids lie on disk."""
        del key
        return 0

    def evicted(self, keys: Sequence[SessionKey]) -> None:
        """Nothing to do: nothing is lost."""

    # --- Claims -----------------------------------------------------------------------------------------

    def claim(self, key: SessionKey, event_id: str, line: int, owner: str, seq: int) -> bool:
        """True for the one process, of all there ever are, that may run this command: line `line` of event number `seq`.
        Joins the open group: the claim is committed with the event it belongs to.
        """
        del seq  # the event's row has it
        with _errors(self._path):
            made = self._db.execute(
                "INSERT OR IGNORE INTO claim (session, event_id, line, owner, claimed_at) VALUES (?, ?, ?, ?, ?)",
                (self._number(key), event_id, line, owner, self._now_ms()),
            )
        return made.rowcount == 1

    def finish_claim(self, key: SessionKey, event_id: str, line: int) -> None:
        """The command was run to its end, whatever its outcome."""
        self._run(
            "UPDATE claim SET finished = 1 WHERE session = ? AND event_id = ? AND line = ?",
            (self._number(key), event_id, line),
        )

    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool:
        """Whether another session of the provider has an event of this id: a look-up a session."""
        row = self._one(
            "SELECT 1 FROM session CROSS JOIN event_id ON event_id.session = session.id AND event_id.event_id = ?"
            " WHERE provider = ? AND session_id <> ? LIMIT 1",
            (event_id, *key),
        )
        return row is not None

    def unfinished_claims(self, key: SessionKey | None = None) -> Sequence[Claim]:
        """Claims whose command has not ended (of one session, or of all), in the order of their lines."""
        one = "" if key is None else " AND provider = ? AND session_id = ?"
        rows = self._all(
            "SELECT provider, session_id, event_id, line, owner, claimed_at, seq FROM claim"  # noqa: S608
            " JOIN session ON session.id = claim.session JOIN event_id USING (session, event_id)"
            f" WHERE NOT finished{one} ORDER BY session, seq, line",
            key or (),
        )
        return [Claim(SessionKey(row[0], row[1]), *row[2:]) for row in rows]

    def take_over_claim(self, claim: Claim, owner: str) -> bool:
        """True if this process is the one that takes it from the owner it had."""
        with _errors(self._path):
            taken = self._db.execute(
                "UPDATE claim SET owner = ? WHERE session = ? AND event_id = ? AND line = ? AND owner = ? AND NOT finished",
                (owner, self._number(claim.key), claim.event_id, claim.line, claim.owner),
            )
        return taken.rowcount == 1

    # --- What was removed on the user's word ------------------------------------------------------------

    def newly_removed(self) -> Sequence[SessionKey]:
        """The sessions that were removed, by this process or another, since this was last asked for.

        Asked before anything is served from memory: `data_version` changes with each commit of another process, and costs
        two microseconds.
        """
        version = self._one("PRAGMA data_version", ())[0]
        if version == self._version_seen:
            return ()
        self._version_seen = version
        rows = self._all(
            "SELECT id, provider, session_id FROM removed_session WHERE id > ? ORDER BY id",
            (self._removal_seen,),
        )
        if rows:
            self._removal_seen = rows[-1][0]
        return [SessionKey(provider, session_id) for _, provider, session_id in rows]

    def removed_until(self, key: SessionKey) -> int | None:
        """The moment up to which this session was removed (ms); None if it never was."""
        row = self._one(
            "SELECT max(until_ms) FROM removed_session WHERE provider = ? AND session_id = ?", key
        )
        return None if row[0] is None else int(row[0])

    # --- Recordings, destinations, notes ----------------------------------------------------------------

    def set_destination(self, key: SessionKey, path: str | None) -> None:
        """Where the session's commands write when they name no path. Raises UnknownSession."""
        self._run("UPDATE session SET destination = ? WHERE id = ?", (path, self._known_number(key)))

    def recording(self, key: SessionKey) -> Recording | None:
        """The session's newest recording."""
        row = self._one(
            f"SELECT {_RECORDING_FIELDS} FROM recording"  # noqa: S608
            " WHERE session = (SELECT id FROM session WHERE provider = ? AND session_id = ?) ORDER BY id DESC LIMIT 1",
            key,
        )
        return None if row is None else _recording(key, row)

    def active_recordings(self) -> list[Recording]:
        """All that record now."""
        return self._recordings("active")

    def open_recordings(self, key: SessionKey) -> list[Recording]:
        """The session's recordings that may still write, the oldest first."""
        return self._recordings(f"{_IS_OPEN} AND provider = ? AND session_id = ? ORDER BY recording.id", key)

    def recordings_to(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to this file."""
        return self._recordings(f"{_IS_OPEN} AND output_path = ? ORDER BY recording.id", (path,))

    def sessions_behind(self) -> list[SessionKey]:
        """The sessions whose open recordings lack events."""
        rows = self._all(
            "SELECT DISTINCT provider, session_id FROM recording JOIN session ON session.id = recording.session"  # noqa: S608
            f" WHERE {_IS_OPEN} AND (end_seq IS NOT NULL OR seq < event_count)",
            (),
        )
        return [SessionKey(*row) for row in rows]

    def _recordings(self, which: str, values: Sequence[Any] = ()) -> list[Recording]:
        rows = self._all(
            f"SELECT provider, session_id, {_RECORDING_FIELDS} FROM recording"  # noqa: S608
            f" JOIN session ON session.id = recording.session WHERE {which}",
            values,
        )
        return [_recording(SessionKey(row[0], row[1]), row[2:]) for row in rows]

    def put_recording(self, recording: Recording) -> None:
        """Keeps a recording; a new one becomes the session's newest. Its others are ended if it is active. Raises
        UnknownSession.
        """
        number = self._known_number(recording.key)
        if recording.active:
            self._run(
                "UPDATE recording SET active = 0 WHERE session = ? AND active AND recording_id <> ?",
                (number, recording.recording_id),
            )
        values = (
            number,
            recording.output_path,
            recording.active,
            recording.started_at,
            recording.start_seq,
            recording.start_line,
            recording.seq,
            recording.line,
            recording.transcript_state,
            recording.last_write_at,
            recording.end_seq,
            recording.end_line,
            recording.recording_id,
        )
        with _errors(self._path):
            changed = self._db.execute(
                "UPDATE recording SET session = ?, output_path = ?, active = ?, started_at = ?, start_seq = ?,"
                " start_line = ?, seq = ?, line = ?, transcript_state = ?, last_write_at = ?, end_seq = ?, end_line = ?"
                " WHERE recording_id = ?",
                values,
            )
            if changed.rowcount == 0:
                self._db.execute(
                    "INSERT INTO recording (session, output_path, active, started_at, start_seq, start_line, seq, line,"
                    " transcript_state, last_write_at, end_seq, end_line, recording_id)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    values,
                )

    def recording_by_id(self, recording_id: str) -> Recording | None:
        """One recording, whether it may still write or not."""
        found = self._recordings("recording_id = ?", (recording_id,))
        return found[0] if found else None

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings that may still write to this note, the oldest first."""
        return self._recordings(f"{_IS_OPEN} AND output_path = ? ORDER BY recording.id", (path,))

    def holds(self, path: str | None = None) -> list[Hold]:
        """The recordings whose notes (all, or this one) editors hold."""
        rows = self._all(_HOLDS, ()) if path is None else self._all(f"{_HOLDS} WHERE path = ?", (path,))
        return [Hold(**dict(zip(Hold.__struct_fields__, row, strict=True))) for row in rows]

    def put_hold(self, hold: Hold) -> None:
        """Keeps a hold; a recording has at most one."""
        self._run("INSERT OR REPLACE INTO hold VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(hold))

    def remove_hold(self, recording_id: str) -> None:
        """The note is as the recording's position says, or is not held any more."""
        self._run("DELETE FROM hold WHERE recording_id = ?", (recording_id,))

    def move_notes(self, old: str, new: str) -> int:
        """A note, or a folder with notes in it, lies elsewhere now; how many entries of the journal that changed."""
        inside = old + os.sep
        return sum(
            self._run(
                f"UPDATE OR REPLACE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608
                f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # not LIKE: a path may hold % and _
                (new, len(old) + 1, old, len(inside), inside),
            )
            for table, column in _NOTE_PATHS
        )

    def children(self, key: SessionKey) -> list[SessionRecord]:
        """The sessions that this one started as sub-agents, the oldest first."""
        rows = self._all(
            f"SELECT {_SESSION_FIELDS} FROM session WHERE provider = ? AND parent_id = ? ORDER BY created_at, id",  # noqa: S608
            key,
        )
        return [_session(row) for row in rows]

    def log(self, path: str) -> LogRecord | None:
        """How far a session log was read."""
        row = self._one(f"SELECT {_LOG_FIELDS} FROM log WHERE path = ?", (path,))  # noqa: S608
        return None if row is None else LogRecord(*row)

    def variants(self, key: SessionKey) -> list[str]:
        """Which of an assistant's stores a session was read from."""
        return [
            str(one)
            for (one,) in self._all("SELECT variant FROM log WHERE provider = ? AND session_id = ?", key)
        ]

    def put_log(self, log: LogRecord) -> None:
        """Stores how far a session log was read. Joins the open group: the record is committed with the events that were
        read up to there.
        """
        values = (log.path, log.provider, log.session_id, log.variant, log.size, log.mtime_ns)
        with _errors(self._path, self.rollback):
            self._begin()
            self._db.execute(f"INSERT OR REPLACE INTO log ({_LOG_FIELDS}) VALUES (?, ?, ?, ?, ?, ?)", values)  # noqa: S608

    def note(self, path: str) -> NoteRecord | None:
        """What was last written to a file."""
        row = self._one(f"SELECT {_NOTE_FIELDS} FROM note WHERE path = ?", (path,))  # noqa: S608
        return None if row is None else _note(row)

    def note_paths(self) -> list[str]:
        """The files that Kato ever wrote."""
        return [str(path) for (path,) in self._all("SELECT path FROM note", ())]

    def put_note(self, note: NoteRecord) -> None:
        """Keeps what was last written to a file."""
        written = (note.path, note.body_bytes, note.body_crc32, note.file_bytes, note.mtime_ns, note.device)
        self._run(
            f"INSERT OR REPLACE INTO note ({_NOTE_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (*written, *(note.key or (None, None)), note.look),
        )

    # --- Upkeep -----------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Makes what was committed so far survive a power loss: the write-ahead log goes to the disk. Raises JournalLost."""
        self._check_files()
        if not self._unsynced or self._in_group:
            return
        self._unsynced = False
        with suppress(FileNotFoundError), _errors(self._path):
            # SQLite's own locks are not on this file, so that closing this descriptor gives up none of them.
            descriptor = open_regular(f"{self._path}-wal", os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def stats(self) -> JournalStats:
        """Bytes on disk, sessions, events ever accepted."""
        sessions, events = self._counts()
        size = 0
        for suffix in ("", "-wal"):
            with suppress(OSError):
                size += os.stat(f"{self._path}{suffix}").st_size  # noqa: PTH116
        return JournalStats(size, sessions, events)

    def _counts(self) -> tuple[int, int]:
        """Sessions and events: counted once, kept current by what this process adds, and counted again after another one
        wrote.
        """
        version = self._one("PRAGMA data_version", ())[0]
        counted = self._totals
        if counted.value is None or (version != self._totals_version and counted.is_due()):
            with counted.measured():
                row = self._one("SELECT count(*), coalesce(sum(event_count), 0) FROM session", ())
                counted.value = (row[0], row[1])
            self._totals_version = version
        assert counted.value is not None
        return counted.value

    def _add_to_counts(self, sessions: int, events: int) -> None:
        if self._totals.value is not None:
            self._totals.value = (self._totals.value[0] + sessions, self._totals.value[1] + events)

    def check(self) -> CheckReport:
        """Verifies the database and every count, order and id in it; reads all, in bounded memory."""
        problems: list[str] = []
        sessions = events = 0
        try:
            found = self._all("PRAGMA integrity_check(20)", ())
            problems += [f"SQLite: {row[0]}" for row in found if row[0] != "ok"]
            for number, provider, session_id, claimed in self._all(
                "SELECT id, provider, session_id, event_count FROM session ORDER BY id", ()
            ):
                sessions += 1
                try:
                    kept = self._check_session(number, SessionKey(provider, session_id), problems)
                except JournalUnavailable as error:
                    problems.append(f"{provider}/{session_id}: {error.message}")
                    continue
                if kept != claimed:
                    problems.append(f"{provider}/{session_id}: {kept} events are kept, {claimed} are claimed")
                events += kept
            orphans = self._one(
                "SELECT count(*) FROM chunk WHERE id >> 32 NOT IN (SELECT id FROM session)", ()
            )
            if orphans[0]:
                problems.append(f"{orphans[0]} chunks belong to no session")
        except JournalUnavailable as error:
            problems.append(error.message)
        if any(problem.startswith("SQLite") for problem in problems):
            _mark_damaged(self._path, problems[0])
        return CheckReport(sessions, events, problems)

    def _check_session(self, number: int, key: SessionKey, problems: list[str]) -> int:
        name = f"{key.provider}/{key.session_id}"
        expected = 0
        for chunk in self._chunks(number):
            first, count, data, _ = chunk
            if not _is_as_written(chunk):
                problems.append(f"{name}: the chunk of event {first} is not as it was written")
            if first != expected:
                problems.append(f"{name}: event {expected} should come next, {first} does")
            lines = data.split(b"\n")[:-1]
            if len(lines) != count:
                problems.append(f"{name}: the chunk of event {first} holds {len(lines)} lines, not {count}")
            for index, line in enumerate(lines):
                self._check_line(number, name, first + index, line, problems)
            expected = first + count
        ids = self._one("SELECT count(*) FROM event_id WHERE session = ?", (number,))
        if ids is not None and ids[0] != expected:
            problems.append(f"{name}: {ids[0]} ids are known for {expected} events")
        return expected

    def _check_line(self, number: int, name: str, seq: int, line: bytes, problems: list[str]) -> None:
        if len(problems) > limits.JOURNAL_PROBLEMS_MAX:
            return
        try:
            event_id = decode_line(line).event_id
        except ValueError:
            problems.append(f"{name}: event {seq} cannot be read")
            return
        row = self._one("SELECT seq FROM event_id WHERE session = ? AND event_id = ?", (number, event_id))
        if row is None:
            problems.append(f"{name}: the id of event {seq} is not known")
        elif row[0] != seq:
            problems.append(f"{name}: events {row[0]} and {seq} have the same id")

    def export(self, key: SessionKey | None, report: Callable[[str], None]) -> Iterator[bytes]:
        """The events of one session, or of all, as JSON lines (each ended by a newline). `report` is called with a sentence
        for each session that cannot be read wholly; the others come out all the same.
        """
        for number, provider, session_id in self._all(
            "SELECT id, provider, session_id FROM session WHERE ?1 IS NULL OR (provider, session_id) = (?1, ?2)"
            " ORDER BY coalesce(last_message_at, updated_at) DESC",
            key or (None, None),
        ):
            unreadable = 0
            try:
                for chunk in self._chunks(number):
                    if _is_as_written(chunk):
                        yield chunk.data
                        continue
                    for line in chunk.data.removesuffix(b"\n").split(b"\n"):
                        if is_event(line):
                            yield line + b"\n"
                        else:
                            unreadable += 1
            except JournalUnavailable as error:
                report(f"{provider}/{session_id} is not complete: {error.message}")
            if unreadable:
                report(f"{provider}/{session_id}: {unreadable} events cannot be read and were left out")

    def clean(self, *, older_than_ms: int, dry_run: bool, alone: bool = False) -> CleanReport:
        """Removes the conversations whose last update is older, sub-agents with them, never one that records; nothing of
        their text stays in the files. `alone`: no other process needs to write meanwhile.
        """
        removed: list[SessionRecord] = []
        recording: list[SessionRecord] = []
        old = self._old_families(older_than_ms)
        for family in old:
            (recording if family.records else removed).extend(family.members)
        remains: list[str] = []
        if not dry_run:
            removed = self._remove([family for family in old if not family.records], older_than_ms)
            self._version_seen = None  # it changes with the commits of others alone
            remains = self._wipe(alone=alone)
        return CleanReport(removed, recording, sum(record.json_bytes for record in removed), remains)

    def _old_families(self, older_than_ms: int) -> list["_Family"]:
        """Conversations, each with its sub-agents and theirs, of which nothing is newer."""
        rows = self._all(
            f"SELECT {_LAST_UPDATE}, EXISTS (SELECT 1 FROM recording WHERE session = session.id AND {_IS_OPEN}),"  # noqa: S608
            f" {_SESSION_FIELDS} FROM session ORDER BY updated_at",
            (),
        )
        records = {record.key: record for record in (_session(row[2:]) for row in rows)}
        families: dict[SessionKey, _Family] = {}
        for last_update, records_now, *fields in rows:
            record = _session(fields)
            family = families.setdefault(_eldest(record, records), _Family([], 0, records=False))
            family.members.append(record)
            family.last_update = max(family.last_update, last_update)
            family.records = family.records or bool(records_now)
        return [family for family in families.values() if family.last_update < older_than_ms]

    def _remove(self, families: Sequence["_Family"], older_than_ms: int) -> list[SessionRecord]:
        """Removes what is still old. In short transactions, and with pauses: others write meanwhile."""
        waiting = list(reversed(families))
        removed: list[SessionRecord] = []
        while waiting:
            until = time.monotonic() + limits.JOURNAL_HOLD_SECONDS
            with self.exclusive():
                is_due = True
                while waiting and is_due:
                    removed += self._remove_family(waiting.pop(), older_than_ms)
                    is_due = time.monotonic() < until
            if waiting:
                time.sleep(limits.JOURNAL_TURN_SECONDS)
        return removed

    def _remove_family(self, family: "_Family", older_than_ms: int) -> list[SessionRecord]:
        """Removes a conversation, unless it went on a moment ago; the sessions that were removed."""
        numbers = [self._number_if_old(record.key, older_than_ms) for record in family.members]
        found = [number for number in numbers if number is not None]
        if len(found) < len(family.members):
            return []
        for number, record in zip(found, family.members, strict=True):
            self._remove_session(number, record.key)
        return family.members

    def _number_if_old(self, key: SessionKey, older_than_ms: int) -> int | None:
        row = self._one(
            f"SELECT id FROM session WHERE provider = ? AND session_id = ? AND {_LAST_UPDATE} < ?"  # noqa: S608
            f" AND NOT EXISTS (SELECT 1 FROM recording WHERE session = session.id AND {_IS_OPEN})",
            (*key, older_than_ms),
        )
        return None if row is None else int(row[0])

    def _remove_session(self, number: int, key: SessionKey) -> None:
        self._run(_ENTER_REMOVED, (self._now_ms(), number))
        self._run(
            "INSERT OR IGNORE INTO removed_event SELECT event_mark(?, ?, event_id) FROM event_id WHERE session = ?",
            (*key, number),
        )
        whole = (_chunk(number, 0), _chunk(number, _SEQ_MAX))
        self._run("DELETE FROM chunk WHERE id BETWEEN ? AND ?", whole)
        held = "DELETE FROM hold WHERE recording_id IN (SELECT recording_id FROM recording WHERE session = ?)"
        self._run(held, (number,))
        for table in ("event_id", "claim", "recording"):
            self._run(f"DELETE FROM {table} WHERE session = ?", (number,))  # noqa: S608
        self._run("DELETE FROM session WHERE id = ?", (number,))
        self._totals.value = None

    def _wipe(self, *, alone: bool) -> list[str]:
        """Takes removed text out of the files; returns a sentence for each place where some is left.

        `secure_delete` overwrites deleted rows, but not the copies that SQLite leaves in the free space of a page when it
        moves rows to another page: only a whole new file is free of them.
        """
        remains = []
        if self._one("SELECT EXISTS (SELECT 1 FROM removed_session WHERE NOT wiped)", ())[0]:
            used = self._one("PRAGMA page_count", ())[0] - self._one("PRAGMA freelist_count", ())[0]
            small = used * limits.JOURNAL_PAGE_BYTES <= limits.JOURNAL_REWRITE_BYTES_MAX
            if (alone or small) and self._rewrite():
                self._run("UPDATE removed_session SET wiped = 1 WHERE NOT wiped")
            else:
                self._shrink()
                remains.append(
                    f"fragments of removed text can be left between the rows of {self._path}: the file could not be"
                    " rewritten, because other Kato processes use it and it is large, or for lack of space; close the"
                    " editors and run kato clean again"
                )
        if not self.empty_log():
            remains.append(
                f"{self._path}-wal still holds removed text: another process was reading the journal; run kato clean again"
            )
        return remains

    def _rewrite(self) -> bool:
        with suppress(JournalUnavailable):  # no space, or others hold the lock for too long
            self._run("PRAGMA temp_store = FILE")  # the copy must not be in memory
            try:
                self._run("VACUUM")
            finally:
                self._run("PRAGMA temp_store = MEMORY")
            return True
        return False

    def _shrink(self) -> None:
        """Gives back the free pages, some at a time."""
        with suppress(JournalUnavailable):
            before = sys.maxsize
            while 0 < (free := self._one("PRAGMA freelist_count", ())[0]) < before:
                before = free
                with _errors(self._path):  # `execute` takes one step of it, which frees one page
                    self._db.executescript(f"PRAGMA incremental_vacuum({limits.JOURNAL_HOLD_PAGES})")
                time.sleep(limits.JOURNAL_TURN_SECONDS)

    def empty_log(self) -> bool:
        """Copies the write-ahead log into the database and empties it; False if others did not let that happen in time."""
        deadline = time.monotonic() + limits.JOURNAL_BUSY_MS / 1000
        while self._one("PRAGMA wal_checkpoint(TRUNCATE)", ())[0]:
            if time.monotonic() > deadline:
                return False
            time.sleep(limits.JOURNAL_TURN_SECONDS)
        return True

    def close(self) -> None:
        """Lets go of the database; what is in an open group is undone."""
        self.rollback()
        if self._checkpointer is not None:
            self._checkpointer.stop()
        if _identity(str(self._path)) != self._files.get(str(self._path)):
            _abandon(self._db)
            return
        with suppress(sqlite3.Error):
            self._db.close()

    # --- The files under it -----------------------------------------------------------------------------

    def _check_files(self) -> None:
        """Raises JournalLost once a file of the journal is not the one that was opened: SQLite does not notice, and what it
        commits from then on is in no file that anyone can open again.
        """
        if self._loss is None:
            lost = [path for path, opened in self._files.items() if _identity(path) != opened]
            if not lost:
                return
            self.rollback()
            if lost == [f"{self._path}-wal"]:
                # What was acknowledged lies in the removed log. The database itself is there: it takes it over.
                with suppress(sqlite3.Error):
                    self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._loss = (
                f"{lost[0]}, a file of the journal, was removed or replaced while Kato ran, and Kato stores nothing more. "
                "Restart Kato: it goes on with the journal that is there then, or with a new one"
            )
        raise JournalLost(self._loss, str(self._path))

    # --- Statements -------------------------------------------------------------------------------------

    def _number(self, key: SessionKey) -> int | None:
        row = self._one("SELECT id FROM session WHERE provider = ? AND session_id = ?", key)
        return None if row is None else int(row[0])

    def _known_number(self, key: SessionKey) -> int:
        number = self._number(key)
        if number is None:
            raise UnknownSession(*key)
        return number

    def _one(self, sql: str, values: Sequence[Any]) -> Any:
        with _errors(self._path):
            self._write_pending()
            return self._db.execute(sql, values).fetchone()

    def _all(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with _errors(self._path):
            self._write_pending()
            return self._db.execute(sql, values).fetchall()

    def _run(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """How many rows the statement changed."""
        with _errors(self._path):
            return self._db.execute(sql, values).rowcount


class _Chunk(NamedTuple):
    """A row of `chunk`: the number of its first event, how many it holds, their lines, the lines' checksum."""

    first: int
    events: int
    data: bytes
    crc32: int | None


def _is_as_written(chunk: _Chunk) -> bool:
    """Whether no byte of a chunk changed since it was written. SQLite does not see it when the noise lies inside a row."""
    if chunk.crc32 is None:  # written by a version that kept no checksum
        return are_sound(chunk.data)
    return zlib.crc32(chunk.data) == chunk.crc32


class _Counted(Generic[_T]):
    """A figure over all sessions. One that took long is taken again only after many times as long."""

    def __init__(self) -> None:
        self.value: _T | None = None
        self._due_at = 0.0

    def is_due(self) -> bool:
        return self.value is None or time.monotonic() >= self._due_at

    @contextmanager
    def measured(self) -> Iterator[None]:
        started = time.thread_time()
        yield
        taken = time.thread_time() - started
        pause = taken / limits.COUNTING_SHARE if taken > limits.COUNTING_SECONDS_FREE else 0
        self._due_at = time.monotonic() + pause


class _Connection(sqlite3.Connection):
    """Waits for the lock of another process in short steps (see `limits.JOURNAL_BUSY_STEP_MS`)."""

    hurried: Callable[[], bool]
    _hurried_since: float | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """As SQLite's, with the wait."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if not _says_locked(error):
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
                if not _says_locked(error) or now >= deadline:
                    raise
            time.sleep(0.005)  # not every wait is SQLite's: switching to WAL fails without one


def _says_locked(error: sqlite3.Error) -> bool:
    """Another process holds it; "database table is locked" is a mistake of this one, for which no wait is long enough."""
    return str(error) == "database is locked"


class _Checkpointer:
    """Copies the log into the database beside the work: the fsyncs of a checkpoint are a third of an append's cost.

    It has a connection of its own and holds nobody up (PASSIVE). While events pour in it never finds the log at rest, and
    the log grows: then writers wait until it begins anew (RESTART), for the few pages that the last pass left and an
    fsync. If that never comes through, the connection's own limit (`wal_autocheckpoint`) does the work in line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="kato-checkpoint", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._wanted.set()

    def stop(self) -> None:
        self._stopped = True
        self._wanted.set()
        self._thread.join(timeout=limits.END_LOCK_SECONDS_MAX)

    def _run(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute("PRAGMA cache_size = -64")
            db.execute("PRAGMA secure_delete = ON")
            while self._wanted.wait() and not self._stopped:
                self._wanted.clear()
                with suppress(sqlite3.Error):
                    _, logged, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    if logged > limits.JOURNAL_WAL_PAGES_MAX * 3 // 4:
                        db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()


class _Pending:
    """A session's part of the open group: lines that have their numbers but no row yet, and what was said of it."""

    __slots__ = (
        "call",
        "cwd",
        "last",
        "lines",
        "next_seq",
        "number",
        "parent",
        "size",
        "snippet",
        "title",
        "updated",
        "was_removed",
    )

    def __init__(self, number: int | None, next_seq: int, *, was_removed: bool) -> None:
        self.number = number
        self.next_seq = next_seq
        self.was_removed = was_removed
        self.lines: list[Lines] = []
        self.size = 0
        self.updated = 0
        self.title: str | None = None
        self.snippet: str | None = None
        self.cwd: str | None = None
        self.parent: str | None = None
        self.call: str | None = None
        self.last: int | None = None

    def add(self, lines: Lines, meta: SessionMeta) -> None:
        self.lines.append(lines)
        self.next_seq += lines.count
        self.size += lines.json_bytes
        self.updated = max(self.updated, meta.updated_at)
        self.title = meta.title or self.title
        self.snippet = self.snippet or meta.snippet
        self.cwd = meta.cwd or self.cwd
        self.parent = meta.parent_id or self.parent
        self.call = meta.parent_call_id or self.call
        if meta.last_message_at is not None:
            self.last = meta.last_message_at if self.last is None else max(self.last, meta.last_message_at)

    def values(self) -> dict[str, Any]:
        return {
            "count": self.next_seq,
            "bytes": self.size,
            "updated": self.updated,
            "title": self.title,
            "snippet": self.snippet,
            "cwd": self.cwd,
            "parent": self.parent,
            "call": self.call,
            "last": self.last,
            "id": self.number,
        }


#: When a session was last updated: also by messages of a later moment than the clock's.
_LAST_UPDATE: Final = "max(updated_at, coalesce(last_message_at, updated_at))"
_ENTER_REMOVED: Final = (
    "INSERT INTO removed_session (provider, session_id, event_count, until_ms, removed_at)"  # noqa: S608
    f" SELECT provider, session_id, event_count, {_LAST_UPDATE}, ? FROM session WHERE id = ?"
)
_UPDATE_SESSION: Final = (
    "UPDATE session SET event_count = :count, json_bytes = json_bytes + :bytes, updated_at = max(updated_at, :updated),"
    " title = coalesce(:title, title), snippet = coalesce(snippet, :snippet), cwd = coalesce(:cwd, cwd),"
    " parent_id = coalesce(:parent, parent_id), parent_call_id = coalesce(:call, parent_call_id),"
    " last_message_at = coalesce(max(last_message_at, :last), last_message_at, :last) WHERE id = :id"
)


class _Family:
    """A conversation with its sub-agents and theirs."""

    def __init__(self, members: list[SessionRecord], last_update: int, *, records: bool) -> None:
        self.members = members
        self.last_update = last_update
        self.records = records


def _eldest(record: SessionRecord, records: Mapping[SessionKey, SessionRecord]) -> SessionKey:
    """The session that started this one, by way of others or not; itself, if that one is not known."""
    seen = {record.key}
    while record.parent_id is not None:
        parent = records.get(SessionKey(record.key.provider, record.parent_id))
        if parent is None or parent.key in seen:
            break
        seen.add(parent.key)
        record = parent
    return record.key


class _Taken:
    """A session that is being recovered: its key, from its first readable events, and the numbers that its recovered events
    had.
    """

    def __init__(self) -> None:
        self.key: SessionKey | None = None
        self.seqs = array("q")

    def moved(self, recording: Record) -> Record:
        """The recording with its positions as they are among the events that were recovered."""
        moved = dict(recording)
        for seq, line in (("start_seq", "start_line"), ("seq", "line"), ("end_seq", "end_line")):
            old = recording[seq]
            if old is not None:
                moved[seq] = sum(kept < old for kept in self.seqs)
                moved[line] = recording[line] if old in self.seqs else 0
        return moved


def _event_mark(provider: str, session_id: str, event_id: str) -> int:
    """What is kept of the id of an event that was removed: 64 bits of a hash."""
    identity = f"{provider}\0{session_id}\0{event_id}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(identity, digest_size=8).digest(), "big", signed=True)


def _text(data: bytes) -> str:
    """A damaged byte in a title must not keep all sessions from being listed."""
    return data.decode(errors="replace")


def _connect(path: Path, hurried: Callable[[], bool]) -> _Connection:
    """A connection with its settings, and the schema brought up to date."""
    os.close(open_regular(path, os.O_RDWR | os.O_CREAT))  # its mode becomes that of -wal and -shm
    db = sqlite3.connect(
        path,
        timeout=limits.JOURNAL_BUSY_STEP_MS / 1000,
        isolation_level=None,
        cached_statements=64,
        factory=_Connection,
    )
    db.hurried = hurried
    try:
        if _known_version(db, path) == 0:
            # These two must come before the first table. Pages of 8 KiB: a commit writes each page with two calls, and
            # 4 KiB cost a fifth more at batches of 100, while one event alone costs 0.09 ms instead of 0.06.
            db.execute(f"PRAGMA page_size = {limits.JOURNAL_PAGE_BYTES}")
            # Deleted sessions can give their pages back without a full VACUUM.
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # Overwrites what is deleted (see `clean`), also where SQLite was built without that default.
        db.execute("PRAGMA secure_delete = ON")
        db.create_function("event_mark", 3, _event_mark, deterministic=True)
        db.text_factory = _text
        # Readers do not block the writer, and a commit is one append.
        db.execute("PRAGMA journal_mode = WAL")
        # No fsync a commit: process death loses nothing, power loss what `sync` has not covered (see the module).
        db.execute("PRAGMA synchronous = NORMAL")
        # Bounded memory: the page cache (negative: in KiB), and no mapping that RSS would count.
        db.execute(f"PRAGMA cache_size = -{limits.JOURNAL_CACHE_BYTES // limits.KIB}")
        db.execute("PRAGMA mmap_size = 0")
        db.execute("PRAGMA temp_store = MEMORY")
        # The log is copied into the database beside the work (`_Checkpointer`), in line only when it grew to this many
        # pages all the same, and cut back to the size below when it starts anew.
        db.execute(f"PRAGMA wal_autocheckpoint = {limits.JOURNAL_WAL_PAGES_MAX}")
        db.execute(f"PRAGMA journal_size_limit = {limits.JOURNAL_WAL_BYTES_MAX}")
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    while _known_version(db, path) < len(MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")
        try:
            version = _known_version(db, path)  # another process may have been faster
            if version < len(MIGRATIONS):
                for statement in MIGRATIONS[version].split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")
            db.execute("COMMIT")
        except BaseException:
            db.rollback()
            raise


def _known_version(db: sqlite3.Connection, path: Path) -> int:
    """The file's schema version, if this Kato knows it."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise JournalUnavailable(
            f"the journal {path} was written by a newer Kato (schema {version}, this one knows {len(MIGRATIONS)}): "
            "update Kato, or choose another stateDir",
            str(path),
        )
    return version


def _move_aside(path: Path, moment: float) -> Path:
    """Where a damaged database, recovered at this moment, goes. A process that died in it may have moved some files."""
    name = f"journal.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(moment))}"
    aside = path.with_name(f"{name}.sqlite3")
    number = 0
    while path.exists() and aside.exists():
        number += 1
        aside = path.with_name(f"{name}-{number}.sqlite3")
    for suffix in (*_LOG_SUFFIXES, ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _is_damaged(path: Path) -> bool:
    if not path.exists():
        return False
    if path.with_name(DAMAGED_NAME).exists():
        return True
    log = Path(f"{path}-wal")
    if path.stat().st_size == 0:
        return log.exists() and log.stat().st_size > 0  # SQLite would throw the log away
    try:
        with closing(sqlite3.connect(path, timeout=limits.JOURNAL_BUSY_MS / 1000)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            page = db.execute("PRAGMA page_size").fetchone()[0]
            # The size is looked at last, and the log before it: another process may copy the log into the file and
            # remove it between two looks, and a file that only grows must not seem too short for that.
            logged = log.exists() and log.stat().st_size > 0
            if not logged and pages * page > path.stat().st_size:
                return True
            if db.execute("PRAGMA user_version").fetchone()[0]:
                db.execute("SELECT max(id) FROM session").fetchone()
                db.execute("SELECT max(id) FROM chunk").fetchone()
    except sqlite3.DatabaseError as error:
        return _says_damaged(error)
    return False


def _says_damaged(error: sqlite3.Error) -> bool:
    text = str(error)
    return "malformed" in text or "not a database" in text or "no such table" in text


def _mark_damaged(path: Path, reason: str) -> None:
    """The next process that opens the journal moves it aside and recovers what it can."""
    with suppress(OSError):
        path.with_name(DAMAGED_NAME).write_text(reason, encoding="utf-8")


def _events_of(chunk: Chunk) -> Iterator[tuple[int, ConversationEvent, bytes]]:
    """The events of a chunk that are whole, each with the number it had and its line."""
    for seq, line in enumerate(chunk.data.split(b"\n"), chunk.first):
        with suppress(ValueError):
            yield seq, decode_line(line), line


def _chunk(number: int, seq: int) -> int:
    """The id of the chunk of session `number` that begins with event `seq`."""
    return (number << 32) + seq


def _session(row: Sequence[Any]) -> SessionRecord:
    return SessionRecord(
        key=SessionKey(row[0], row[1]),
        event_count=row[2],
        json_bytes=row[3],
        created_at=row[4],
        updated_at=row[5],
        title=row[6],
        snippet=row[7],
        cwd=row[8],
        last_message_at=row[9],
        destination=row[10],
        parent_id=row[11],
        parent_call_id=row[12],
    )


def _note(row: Sequence[Any]) -> NoteRecord:
    path, body_bytes, body_crc32, file_bytes, mtime_ns, device, provider, session_id, look = row
    key = None if provider is None else SessionKey(provider, session_id)
    return NoteRecord(path, body_bytes, body_crc32, file_bytes, mtime_ns, device, key, look)


def _recording(key: SessionKey, row: Sequence[Any]) -> Recording:
    return Recording(
        recording_id=row[0],
        key=key,
        output_path=row[1],
        active=bool(row[2]),
        started_at=row[3],
        start_seq=row[4],
        start_line=row[5],
        seq=row[6],
        line=row[7],
        transcript_state=row[8],
        last_write_at=row[9],
        end_seq=row[10],
        end_line=row[11],
    )


def _identities(path: Path) -> dict[str, tuple[int, int]]:
    """The files of an open journal, by which the system tells them from others that have their names later."""
    names = [f"{path}{suffix}" for suffix in ("", "-wal", "-shm")]
    return {name: found for name in names if (found := _identity(name)) is not None}


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - at each commit: one microsecond, as pathlib three
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _abandon(db: sqlite3.Connection) -> None:
    """Keeps a connection from being closed, also at the end of the process. SQLite removes the log of what it closes by its
    name, and that file may be the log of another database that lies there by now.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))


@contextmanager
def _alone(path: Path, hurried: Callable[[], bool]) -> Iterator[None]:
    """One process at a time opens, migrates or recovers. The system lets go of the lock when its holder dies."""
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
            import msvcrt  # noqa: PLC0415 - this platform alone has it

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - POSIX alone has it

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _opening() -> Iterator[None]:
    """What keeps the journal from being opened keeps the process from starting."""
    try:
        yield
    except JournalUnavailable as error:
        raise JournalNotOpened(error.message, error.data["path"]) from error


@contextmanager
def _errors(path: Path, undo: Callable[[], None] | None = None) -> Iterator[None]:
    """SQLite's errors as one sentence that names the file and what to do; `undo` first."""
    try:
        yield
    except sqlite3.Error as error:
        if undo is not None:
            undo()
        raise JournalUnavailable(_explained(path, error), str(path)) from error


def _explained(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if _says_damaged(error):
        _mark_damaged(path, text)
        return f"the journal {path} is damaged ({text}); restart Kato: it moves the file aside and recovers what it can"
    if "locked" in text:
        return (
            f"the journal {path} was held by another process for more than {limits.JOURNAL_BUSY_MS // 1000} s"
        )
    if "full" in text:
        return f"no space is left for the journal {path}; free some, nothing of this was kept"
    if "readonly" in text or "unable to open" in text:
        return f"the journal {path} cannot be written ({text}); check the rights of its folder"
    return f"the journal {path} failed: {text}"
