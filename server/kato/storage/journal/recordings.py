"""The tables `recording` and `hold`: what is written to which note, and up to which position."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import asdict, astuple

from kato.core.events import SessionKey
from kato.core.records import Hold, Recording
from kato.storage.journal.database import Database
from kato.storage.journal.sessions import Sessions

RECORDING_COLUMNS: Final = (
    "recording_id, output_path, active, started_at, start_seq, start_line, seq, line, transcript_state, last_write_at,"
    " end_seq, end_line, awaits_on"
)
_COLUMNS: Final = ("session", *RECORDING_COLUMNS.split(", "))
_UPDATE: Final = f"UPDATE recording SET {', '.join(f'{name} = :{name}' for name in _COLUMNS)} WHERE recording_id = :recording_id"  # noqa: S608
_INSERT: Final = (
    f"INSERT INTO recording ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608
)
#: `Recording.is_open` in SQL.
IS_OPEN: Final = "(active OR end_seq IS NOT NULL)"
#: The fields of Hold, in their order.
_HOLD_COLUMNS: Final = "recording_id, path, owner, seq, line, transcript_state, file_bytes"


def recording_of(key: SessionKey, row: Sequence[Any]) -> Recording:
    """The recording of a row that begins with RECORDING_COLUMNS."""
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
        awaits_on=bool(row[12]),
    )


class Recordings:
    """Recordings, of which a session has at most one active."""

    def __init__(self, db: Database, sessions: Sessions) -> None:
        self._db = db
        self._sessions = sessions

    def recording(self, key: SessionKey) -> Recording | None:
        """The session's newest recording."""
        row = self._db.one(
            f"SELECT {RECORDING_COLUMNS} FROM recording"  # noqa: S608
            " WHERE session = (SELECT id FROM session WHERE provider = ? AND session_id = ?) ORDER BY id DESC LIMIT 1",
            key,
        )
        return None if row is None else recording_of(key, row)

    def recording_by_id(self, recording_id: str) -> Recording | None:
        """The recording with this id, open or not."""
        found = self._where("recording_id = ?", (recording_id,))
        return found[0] if found else None

    def active_recordings(self) -> list[Recording]:
        """The active recordings of all sessions."""
        return self._where("active")

    def open_recordings(self, key: SessionKey) -> list[Recording]:
        """The session's recordings whose note Kato may still write to, the oldest first."""
        return self._where(f"{IS_OPEN} AND provider = ? AND session_id = ? ORDER BY recording.id", key)

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to this note, the oldest first."""
        return self._where(f"{IS_OPEN} AND output_path = ? ORDER BY recording.id", (path,))

    def sessions_behind(self) -> list[SessionKey]:
        """The sessions with an open recording whose note lacks events."""
        rows = self._db.all(
            "SELECT DISTINCT provider, session_id FROM recording JOIN session ON session.id = recording.session"  # noqa: S608
            f" WHERE {IS_OPEN} AND (end_seq IS NOT NULL OR seq < event_count)"
        )
        return [SessionKey(*row) for row in rows]

    def _where(self, condition: str, values: Sequence[Any] = ()) -> list[Recording]:
        rows = self._db.all(
            f"SELECT provider, session_id, {RECORDING_COLUMNS} FROM recording"  # noqa: S608
            f" JOIN session ON session.id = recording.session WHERE {condition}",
            values,
        )
        return [recording_of(SessionKey(row[0], row[1]), row[2:]) for row in rows]

    def put_recording(self, recording: Recording) -> None:
        """Stores a recording under its id. A new one becomes the session's newest; an active one ends the session's other
        active recording. Raises UnknownSession.
        """
        session = self._sessions.known_number(recording.key)
        if recording.active:
            self._db.run(
                "UPDATE recording SET active = 0 WHERE session = ? AND active AND recording_id <> ?",
                (session, recording.recording_id),
            )
        values = {**asdict(recording), "session": session}
        if self._db.run(_UPDATE, values) == 0:
            self._db.run(_INSERT, values)


class Holds:
    """Holds, of which a recording has at most one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def holds(self, path: str | None = None) -> list[Hold]:
        """All holds, or those of one note."""
        condition, values = ("", ()) if path is None else (" WHERE path = ?", (path,))
        rows = self._db.all(f"SELECT {_HOLD_COLUMNS} FROM hold{condition}", values)  # noqa: S608
        return [Hold(**dict(zip(Hold.__struct_fields__, row, strict=True))) for row in rows]

    def put_hold(self, hold: Hold) -> None:
        """Stores the hold of a recording, instead of an earlier one."""
        self._db.run(
            f"INSERT OR REPLACE INTO hold ({_HOLD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            astuple(hold),
        )

    def remove_hold(self, recording_id: str) -> None:
        """Removes the hold of a recording, if there is one."""
        self._db.run("DELETE FROM hold WHERE recording_id = ?", (recording_id,))
