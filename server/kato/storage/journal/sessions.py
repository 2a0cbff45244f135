"""The table `session`."""

from collections.abc import Sequence
from typing import Any, Final

from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.records import SessionRecord
from kato.storage.journal.database import Database

SESSION_COLUMNS: Final = (
    "provider, session_id, event_count, json_bytes, created_at, updated_at, title, snippet, cwd, last_message_at,"
    " destination, parent_id, parent_call_id, branch"
)


def session_record(row: Sequence[Any]) -> SessionRecord:
    """The record of a row that begins with SESSION_COLUMNS."""
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
        branch=row[13],
    )


class Sessions:
    """Queries for single sessions. The *number* of a session is its id in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def number(self, key: SessionKey) -> int | None:
        """The session's number; None if the journal does not have it."""
        row = self._db.one("SELECT id FROM session WHERE provider = ? AND session_id = ?", key)
        return None if row is None else int(row[0])

    def known_number(self, key: SessionKey) -> int:
        """The session's number. Raises UnknownSession."""
        number = self.number(key)
        if number is None:
            raise UnknownSession(*key)
        return number

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record; None if the journal does not have it."""
        row = self._db.one(
            f"SELECT {SESSION_COLUMNS} FROM session WHERE provider = ? AND session_id = ?",  # noqa: S608
            key,
        )
        return None if row is None else session_record(row)

    def is_session_folder(self, folder: str) -> bool:
        """Whether a session was held in exactly this folder. Reads all sessions."""
        return self._db.one("SELECT 1 FROM session WHERE cwd = ? LIMIT 1", (folder,)) is not None

    def children(self, key: SessionKey) -> list[SessionRecord]:
        """The sessions of the sub-agents that this session started, the oldest first."""
        rows = self._db.all(
            f"SELECT {SESSION_COLUMNS} FROM session WHERE provider = ? AND parent_id = ? ORDER BY created_at, id",  # noqa: S608
            key,
        )
        return [session_record(row) for row in rows]

    def set_destination(self, key: SessionKey, path: str | None) -> None:
        """Sets the note to which the session's commands write unless they name a path. Raises UnknownSession."""
        self._db.run("UPDATE session SET destination = ? WHERE id = ?", (path, self.known_number(key)))
