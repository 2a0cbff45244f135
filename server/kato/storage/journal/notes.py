"""The tables `note` and `log`: which files Kato wrote, and which session logs it read."""

import os
from collections.abc import Sequence
from typing import Any, Final

from kato.core.events import SessionKey
from kato.core.records import LogRecord, NoteRecord
from kato.storage.journal.database import Database

_NOTE_COLUMNS: Final = (
    "path, body_bytes, body_crc32, file_bytes, mtime_ns, device, provider, session_id, look"
)
#: The fields of LogRecord, in their order.
_LOG_COLUMNS: Final = "path, provider, session_id, variant, size, mtime_ns"
#: Every column that holds the path of a note.
_PATH_COLUMNS: Final = (
    ("recording", "output_path"),
    ("session", "destination"),
    ("note", "path"),
    ("hold", "path"),
)


def _note_record(row: Sequence[Any]) -> NoteRecord:
    path, body_bytes, body_crc32, file_bytes, mtime_ns, device, provider, session_id, look = row
    key = None if provider is None else SessionKey(provider, session_id)
    return NoteRecord(path, body_bytes, body_crc32, file_bytes, mtime_ns, device, key, look)


class Notes:
    """Records of notes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def note(self, path: str) -> NoteRecord | None:
        """What Kato last wrote to this note; None if it never did."""
        row = self._db.one(f"SELECT {_NOTE_COLUMNS} FROM note WHERE path = ?", (path,))  # noqa: S608
        return None if row is None else _note_record(row)

    def note_paths(self) -> list[str]:
        """The paths of all notes that Kato ever wrote."""
        return [str(path) for (path,) in self._db.all("SELECT path FROM note")]

    def put_note(self, note: NoteRecord) -> None:
        """Stores what Kato last wrote to a note."""
        written = (note.path, note.body_bytes, note.body_crc32, note.file_bytes, note.mtime_ns, note.device)
        self._db.run(
            f"INSERT OR REPLACE INTO note ({_NOTE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (*written, *(note.key or (None, None)), note.look),
        )

    def move_notes(self, old: str, new: str) -> int:
        """Replaces the path of a renamed note, or of a renamed folder with notes in it, wherever the journal has it. Returns
        how many rows changed.
        """
        inside = old + os.sep
        return sum(
            self._db.run(
                f"UPDATE OR REPLACE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608
                f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # not LIKE: a path may contain % and _
                (new, len(old) + 1, old, len(inside), inside),
            )
            for table, column in _PATH_COLUMNS
        )


class SessionLogs:
    """Records of session logs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def log(self, path: str) -> LogRecord | None:
        """How far Kato read this session log; None if it never did."""
        row = self._db.one(f"SELECT {_LOG_COLUMNS} FROM log WHERE path = ?", (path,))  # noqa: S608
        return None if row is None else LogRecord(*row)

    def variants(self, key: SessionKey) -> list[str]:
        """The assistant's stores from which Kato read this session."""
        rows = self._db.all("SELECT variant FROM log WHERE provider = ? AND session_id = ?", key)
        return [str(variant) for (variant,) in rows]

    def put_log(self, log: LogRecord) -> None:
        """Stores how far Kato read a session log. Joins the open group: the record is committed with the events that were
        read up to there.
        """
        with self._db.errors(undo=self._db.rollback):
            self._db.begin()
            self._db.connection.execute(
                f"INSERT OR REPLACE INTO log ({_LOG_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
                (log.path, log.provider, log.session_id, log.variant, log.size, log.mtime_ns),
            )
