"""Recovery: replaces a damaged journal by a new one with everything that can be read of the damaged one.

The new journal is complete before the damaged one is moved. Wherever a recovery is interrupted, the next process that opens
the journal continues it or starts it again.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from kato.core.events import ConversationEvent, SessionKey, decode_line
from kato.core.lines import Lines
from kato.core.moments import epoch_ms
from kato.core.records import SessionMeta
from kato.storage.journal.chunks import Chunks
from kato.storage.journal.connection import connect
from kato.storage.journal.counts import Totals
from kato.storage.journal.database import Database
from kato.storage.journal.errors import is_damaged
from kato.storage.journal.events import Events
from kato.storage.journal.files import (
    DAMAGED_NAME,
    RECOVERED_NAME,
    RECOVERING_NAME,
    SEARCH_NAME,
    WAL_SUFFIXES,
    move_aside,
)
from kato.storage.journal.recovery import DamagedJournal, SalvagedChunk, damaged_journal
from kato.storage.journal.salvage import Columns
from kato.storage.journal.schema import MIGRATIONS
from kato.storage.journal.sessions import Sessions

#: The columns of `session` that follow from the recovered events.
_COUNTED: Final = frozenset({"id", "provider", "session_id", "event_count", "json_bytes"})
#: The columns of `recording` that hold positions.
_POSITIONS: Final = (("start_seq", "start_line"), ("seq", "line"), ("end_seq", "end_line"))


def recover_if_damaged(path: Path, now_ms: Callable[[], int], hurried: Callable[[], bool]) -> str | None:
    """Recovers the journal if it is damaged; returns what was recovered, as a sentence. Raises JournalUnavailable, OSError or
    sqlite3.Error; then the damaged journal is unchanged.
    """
    complete = path.with_name(RECOVERED_NAME)
    result = "the new one holds what could be read of it"
    if not complete.exists():
        if not is_damaged(path):
            return None
        result = _recover(path, path.with_name(RECOVERING_NAME), complete, now_ms, hurried)
    aside = move_aside(path, complete.stat().st_mtime)
    path.with_name(DAMAGED_NAME).unlink(missing_ok=True)
    complete.rename(path)
    for suffix in (*WAL_SUFFIXES, ""):
        path.with_name(f"{SEARCH_NAME}{suffix}").unlink(missing_ok=True)
    return f"the journal was damaged and was moved to {aside}; {result}"


def _recover(
    path: Path, started: Path, complete: Path, now_ms: Callable[[], int], hurried: Callable[[], bool]
) -> str:
    for suffix in ("", *WAL_SUFFIXES):
        Path(f"{started}{suffix}").unlink(missing_ok=True)
    with (
        closing(Database(started, connect(started, hurried))) as db,
        damaged_journal(path, MIGRATIONS) as damaged,
    ):
        result = Rebuild(db, now_ms).add_everything(damaged)
        db.empty_wal()
    started.rename(complete)
    return result


class _Recovered:
    """A session that is being recovered: its key, as its first readable events have it, and the numbers that its recovered
    events had in the damaged journal.
    """

    def __init__(self) -> None:
        self.key: SessionKey | None = None
        self.seqs = array("q")

    def renumbered(self, recording: Columns) -> Columns:
        """The recording with its positions converted to the numbers of the recovered events."""
        result = dict(recording)
        for seq, line in _POSITIONS:
            old = recording[seq]
            if old is not None:
                result[seq] = sum(kept < old for kept in self.seqs)
                result[line] = recording[line] if old in self.seqs else 0
        return result


class Rebuild:
    """Fills a new journal from a damaged one."""

    def __init__(self, db: Database, now_ms: Callable[[], int]) -> None:
        self._db = db
        self._now_ms = now_ms
        self._sessions = Sessions(db)
        self._events = Events(db, self._sessions, Chunks(db, self._sessions), Totals(db))
        self._recovered: dict[int, _Recovered] = {}  # by the session's number in the damaged journal

    def add_everything(self, damaged: DamagedJournal) -> str:
        """Adds everything that can be read; returns how much that was, as a part of a sentence."""
        # Removed sessions come first: a page that is out of use can still hold their chunks, which must count as known.
        with self._db.exclusive():
            self._insert("removed_session", damaged.rows("removed_session"))
            self._insert("gap", damaged.rows("gap"))
            self._insert("removed_event", ({"mark": mark} for mark in damaged.removed_events))
            # Lost events change positions, so that what Kato remembers of a note's text no longer applies.
            self._insert("note", (note | {"look": b""} for note in damaged.rows("note")))
        for chunk in damaged.chunks():
            if chunk.session not in self._recovered:
                self._db.commit()
                self._recovered[chunk.session] = _Recovered()
            self._add_chunk(self._recovered[chunk.session], chunk)
        self._db.commit()
        sessions = {row["id"]: row for row in damaged.rows("session")}
        with self._db.exclusive():
            self._add_related(damaged, sessions)
        return self._summary(sessions)

    def _summary(self, sessions: Mapping[int, Columns]) -> str:
        counts = {number: len(recovered.seqs) for number, recovered in self._recovered.items()}
        lost = sum(max(0, row["event_count"] - counts.get(number, 0)) for number, row in sessions.items())
        total = f"{sum(counts.values())} events of {sum(map(bool, counts.values()))} sessions were recovered"
        return f"{total}, {lost} are lost" if lost else total

    def _add_chunk(self, recovered: _Recovered, chunk: SalvagedChunk) -> None:
        found = list(_events_of(chunk))
        if not found:
            return
        if recovered.key is None:  # decided by majority, because a damaged event may name another session
            keys = Counter(SessionKey(event.provider, event.session_id) for _, event, _ in found)
            ((recovered.key, _),) = keys.most_common(1)
        mine = [one for one in found if (one[1].provider, one[1].session_id) == recovered.key]
        moment = min(max((epoch_ms(event.timestamp) for _, event, _ in mine), default=0), self._now_ms())
        receipt = self._events.append(
            recovered.key,
            [event.event_id for _, event, _ in mine],
            Lines.of(line for _, _, line in mine),
            SessionMeta(moment, last_message_at=moment),
        )
        recovered.seqs.extend(mine[index][0] for index in receipt.accepted)

    def _add_related(self, damaged: DamagedJournal, sessions: Mapping[int, Columns]) -> None:
        """Adds what belongs to the recovered sessions: metadata, claims, recordings, and the session logs they were read from."""
        claims, recordings = damaged.by_session("claim"), damaged.by_session("recording")
        logs: dict[tuple[str, str], list[Columns]] = {}
        for log in damaged.rows("log"):
            logs.setdefault((log["provider"], log["session_id"]), []).append(log)
        for number, recovered in self._recovered.items():
            new_number = (
                None if recovered.key is None or not recovered.seqs else self._sessions.number(recovered.key)
            )
            if new_number is None or recovered.key is None:
                continue
            if number in sessions:
                self._set_meta(new_number, sessions[number])
                if len(recovered.seqs) == sessions[number]["event_count"]:
                    # If events are lost, Kato has to read the log again: the assistant may still have them.
                    self._insert("log", logs.get(recovered.key, ()))
            own = {"session": new_number}
            self._insert("claim", [claim | own for claim in claims.get(number, ())])
            for recording in sorted(recordings.get(number, ()), key=lambda row: row["id"]):
                self._insert("recording", [recovered.renumbered(recording) | own | {"id": None}])

    def _set_meta(self, number: int, session: Columns) -> None:
        names = [name for name in session if name not in _COUNTED]
        sets = ", ".join(f"{name} = :{name}" for name in names)
        self._db.run(f"UPDATE session SET {sets} WHERE id = :number", {**session, "number": number})  # noqa: S608

    def _insert(self, table: str, rows: Iterable[Columns]) -> None:
        for row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            self._db.run(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({values})", row)  # noqa: S608


def _events_of(chunk: SalvagedChunk) -> Iterator[tuple[int, ConversationEvent, bytes]]:
    """Number, event and line of each valid event in a chunk."""
    for seq, line in enumerate(chunk.data.split(b"\n"), chunk.first):
        with suppress(ValueError):
            yield seq, decode_line(line), line
