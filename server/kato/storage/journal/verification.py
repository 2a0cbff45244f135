"""`kato journal check`: verifies the database, and every count, order and id in it."""

from typing import NamedTuple

from kato.core import limits
from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey, decode_line
from kato.storage.journal.chunks import Chunk, Chunks
from kato.storage.journal.database import Database
from kato.storage.journal.errors import mark_damaged


class CheckReport(NamedTuple):
    """How much `check` read, and one sentence for each problem."""

    sessions: int
    events: int
    problems: list[str]


def check(db: Database, chunks: Chunks) -> CheckReport:
    """Reads the whole journal, in bounded memory. Marks the journal as damaged if SQLite finds damage."""
    return _Check(db, chunks).run()


class _Check:
    def __init__(self, db: Database, chunks: Chunks) -> None:
        self._db = db
        self._chunks = chunks
        self._problems: list[str] = []

    def run(self) -> CheckReport:
        sessions = events = 0
        try:
            found = self._db.all("PRAGMA integrity_check(20)")
            self._problems += [f"SQLite: {row[0]}" for row in found if row[0] != "ok"]
            for number, provider, session_id, event_count in self._db.all(
                "SELECT id, provider, session_id, event_count FROM session ORDER BY id"
            ):
                sessions += 1
                events += self._check_session(number, SessionKey(provider, session_id), event_count)
            orphans = self._db.one(
                "SELECT count(*) FROM chunk WHERE id >> 32 NOT IN (SELECT id FROM session)"
            )
            if orphans[0]:
                self._problems.append(f"{orphans[0]} chunks belong to no session")
        except JournalUnavailable as error:
            self._problems.append(error.message)
        if any(problem.startswith("SQLite") for problem in self._problems):
            mark_damaged(self._db.path, self._problems[0])
        return CheckReport(sessions, events, self._problems)

    def _check_session(self, number: int, key: SessionKey, event_count: int) -> int:
        """Returns how many events the session's chunks hold; 0 if they cannot be read."""
        name = f"{key.provider}/{key.session_id}"
        try:
            found = self._check_chunks(number, name)
        except JournalUnavailable as error:
            self._problems.append(f"{name}: {error.message}")
            return 0
        if found != event_count:
            self._problems.append(f"{name}: has {found} events, but its event count is {event_count}")
        return found

    def _check_chunks(self, number: int, name: str) -> int:
        expected = 0
        for chunk in self._chunks.of_session(number):
            if chunk.first != expected:
                self._problems.append(f"{name}: event {expected} is missing, event {chunk.first} follows")
            self._check_chunk(number, name, chunk)
            expected = chunk.first + chunk.events
        ids = self._db.one("SELECT count(*) FROM event_id WHERE session = ?", (number,))[0]
        if ids != expected:
            self._problems.append(f"{name}: {ids} ids are stored for {expected} events")
        return expected

    def _check_chunk(self, number: int, name: str, chunk: Chunk) -> None:
        if not chunk.is_intact:
            self._problems.append(f"{name}: the chunk of event {chunk.first} changed after it was written")
        lines = chunk.data.split(b"\n")[:-1]
        if len(lines) != chunk.events:
            self._problems.append(
                f"{name}: the chunk of event {chunk.first} holds {len(lines)} lines, not {chunk.events}"
            )
        for seq, line in enumerate(lines, chunk.first):
            self._check_line(number, name, seq, line)

    def _check_line(self, number: int, name: str, seq: int, line: bytes) -> None:
        if len(self._problems) > limits.JOURNAL_PROBLEMS_MAX:
            return
        try:
            event_id = decode_line(line).event_id
        except ValueError:
            self._problems.append(f"{name}: event {seq} is not a valid event")
            return
        row = self._db.one("SELECT seq FROM event_id WHERE session = ? AND event_id = ?", (number, event_id))
        if row is None:
            self._problems.append(f"{name}: the id of event {seq} is not stored")
        elif row[0] != seq:
            self._problems.append(f"{name}: events {row[0]} and {seq} have the same id")
