"""The table `gap`: when nothing of a session was kept. The ids of what was said then are remembered as hashes, like those of
removed events, so that reading a log again does not bring it in.
"""

from collections.abc import Sequence

from kato.core.events import SessionKey
from kato.core.records import Gap, GapReason
from kato.storage.journal.database import Database
from kato.storage.journal.schema import event_mark


class Gaps:
    """Gaps of sessions. A session that the journal does not have can have some. All changes join the open transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def has_gaps(self) -> bool:
        """Whether any session has a gap."""
        return self._db.one("SELECT 1 FROM gap LIMIT 1") is not None

    def gaps(self, key: SessionKey) -> list[Gap]:
        """The gaps of a session, the oldest first."""
        rows = self._db.all(
            "SELECT reason, since_ms, until_ms FROM gap WHERE provider = ? AND session_id = ? ORDER BY id",
            key,
        )
        return [Gap(*row) for row in rows]

    def sessions_with_gaps(self) -> list[tuple[SessionKey, Gap]]:
        """All gaps with their sessions."""
        rows = self._db.all("SELECT provider, session_id, reason, since_ms, until_ms FROM gap ORDER BY id")
        return [(SessionKey(row[0], row[1]), Gap(*row[2:])) for row in rows]

    def put_gap(self, key: SessionKey, gap: Gap) -> None:
        """Stores a gap of a session."""
        self._db.run(
            "INSERT INTO gap (provider, session_id, reason, since_ms, until_ms) VALUES (?, ?, ?, ?, ?)",
            (*key, gap.reason, gap.since_ms, gap.until_ms),
        )

    def end_gap(self, key: SessionKey, reason: GapReason, until_ms: int) -> bool:
        """Ends the session's gap of this reason; False if there was none."""
        ended = self._db.run(
            "UPDATE gap SET until_ms = max(since_ms, ?) WHERE provider = ? AND session_id = ? AND reason = ?"
            " AND until_ms IS NULL",
            (until_ms, *key, reason),
        )
        return ended > 0

    def withhold(self, key: SessionKey, ids: Sequence[str], *, everywhere: bool = False) -> list[int]:
        """Remembers that events with these ids are not kept, unless the session has them already. Returns the indices of those
        that are new. `everywhere`: an event has the same id in each session in which it occurs.
        """
        new = []
        for index, event_id in enumerate(ids):
            if self._has_event(key, event_id):
                continue
            if self._mark(event_mark(*key, event_id)):
                new.append(index)
            if everywhere:
                self._mark(event_mark(key.provider, "", event_id))
        return new

    def knows(self, key: SessionKey, event_id: str) -> bool:
        """Whether an event with this id came before: it is kept, was removed, or was not to be kept."""
        marks = (event_mark(*key, event_id), event_mark(key.provider, "", event_id))
        found = self._db.one("SELECT 1 FROM removed_event WHERE mark IN (?, ?)", marks)
        return found is not None or self._has_event(key, event_id)

    def _has_event(self, key: SessionKey, event_id: str) -> bool:
        row = self._db.one(
            "SELECT 1 FROM event_id JOIN session ON session.id = event_id.session"
            " WHERE provider = ? AND session.session_id = ? AND event_id = ?",
            (*key, event_id),
        )
        return row is not None

    def _mark(self, mark: int) -> bool:
        return self._db.run("INSERT OR IGNORE INTO removed_event VALUES (?)", (mark,)) == 1
