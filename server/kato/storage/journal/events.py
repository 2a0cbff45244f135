"""Appends events to the journal: which of them are new, their numbers, and what they change in their session."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import astuple, replace

from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.records import AppendReceipt, SessionMeta, merge_meta
from kato.storage.journal.chunks import Chunks
from kato.storage.journal.counts import Totals
from kato.storage.journal.database import Database
from kato.storage.journal.schema import event_mark
from kato.storage.journal.sessions import Sessions

#: The fields of SessionMeta, in their order.
_META_COLUMNS: Final = "updated_at, title, snippet, cwd, last_message_at, parent_id, parent_call_id, branch"
_FIND: Final = (
    "SELECT EXISTS (SELECT 1 FROM removed_session WHERE provider = ?1 AND session_id = ?2),"  # noqa: S608
    " EXISTS (SELECT 1 FROM gap WHERE provider = ?1), id, event_count,"
    f" {_META_COLUMNS} FROM (SELECT 1) LEFT JOIN session ON provider = ?1 AND session_id = ?2"
)
_INSERT: Final = (
    "INSERT INTO session (provider, session_id, event_count, json_bytes, created_at, updated_at)"
    " VALUES (?, ?, 0, 0, ?, ?)"
)
_UPDATE: Final = (
    f"UPDATE session SET ({_META_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?), event_count = ?, json_bytes = json_bytes + ?"  # noqa: S608
    " WHERE id = ?"
)


class _Stored(NamedTuple):
    """What the journal has of a session. `number` is None if it does not have the session. `is_marked`: events of the
    assistant were not to be kept.
    """

    was_removed: bool
    is_marked: bool
    number: int | None
    event_count: int
    meta: SessionMeta | None


class Events:
    """Appends events. Rules: the first event with an id wins; a later one is a duplicate. The id of an event that `kato clean`
    removed, or that was not to be kept (`gaps`), counts as known, and such events alone do not bring their session back.
    """

    def __init__(self, db: Database, sessions: Sessions, chunks: Chunks, totals: Totals) -> None:
        self._db = db
        self._sessions = sessions
        self._chunks = chunks
        self._totals = totals

    def append(self, key: SessionKey, ids: Sequence[str], lines: Lines, meta: SessionMeta) -> AppendReceipt:
        """Adds events with these ids and lines to the open group. A failure rolls the whole group back. Raises
        JournalUnavailable or JournalLost.
        """
        with self._db.errors(undo=self._db.rollback):
            self._db.begin()
            stored = self._find(key)
            if not (stored.was_removed or stored.is_marked):
                return self._add(key, stored, ids, lines, meta)
            kept = [index for index, event_id in enumerate(ids) if not self._is_removed(key, event_id)]
            if not kept and stored.number is None and (ids or stored.was_removed):
                return AppendReceipt((), 0, 0)
            if len(kept) < len(ids):
                meta = replace(meta, snippet=None)  # it may be the text of a removed message
            receipt = self._add(key, stored, [ids[index] for index in kept], lines.chosen(kept), meta)
            return replace(receipt, accepted=[kept[index] for index in receipt.accepted])

    def _add(
        self, key: SessionKey, stored: _Stored, ids: Sequence[str], lines: Lines, meta: SessionMeta
    ) -> AppendReceipt:
        number = self._insert_session(key, meta) if stored.number is None else stored.number
        first = stored.event_count
        accepted = self._insert_ids(number, first, ids)
        new = lines.chosen(accepted)
        self._chunks.insert(number, first, new)
        event_count = first + len(accepted)
        merged = merge_meta(stored.meta or SessionMeta(meta.updated_at), meta)
        self._db.connection.execute(_UPDATE, (*astuple(merged), event_count, new.json_bytes, number))
        self._totals.add(0, len(accepted))
        return AppendReceipt(accepted, first, event_count)

    def _find(self, key: SessionKey) -> _Stored:
        was_removed, is_marked, number, event_count, *meta = self._db.connection.execute(
            _FIND, key
        ).fetchone()
        if number is None:
            return _Stored(bool(was_removed), bool(is_marked), None, 0, None)
        return _Stored(bool(was_removed), bool(is_marked), number, event_count, SessionMeta(*meta))

    def _insert_session(self, key: SessionKey, meta: SessionMeta) -> int:
        made = self._db.connection.execute(_INSERT, (*key, meta.updated_at, meta.updated_at))
        assert made.lastrowid is not None
        self._totals.add(1, 0)
        return made.lastrowid

    def _is_removed(self, key: SessionKey, event_id: str) -> bool:
        found = self._db.connection.execute(
            "SELECT 1 FROM removed_event WHERE mark IN (?, ?)",
            (event_mark(*key, event_id), event_mark(key.provider, "", event_id)),
        )
        return found.fetchone() is not None

    def _insert_ids(self, number: int, first: int, ids: Sequence[str]) -> Sequence[int]:
        """Inserts the ids that are new and returns their indices. The new events get the numbers from `first` on."""
        connection = self._db.connection
        before = connection.total_changes
        rows = [(number, event_id, first + index) for index, event_id in enumerate(ids)]
        connection.executemany("INSERT OR IGNORE INTO event_id VALUES (?, ?, ?)", rows)
        if connection.total_changes - before == len(ids):
            return range(len(ids))
        # There are duplicates. A row with the number that was just proposed is new; the numbers of new events must have no
        # gaps, so later ones move down.
        accepted: list[int] = []
        for index, event_id in enumerate(ids):
            where = (number, event_id)
            row = connection.execute(
                "SELECT seq FROM event_id WHERE session = ? AND event_id = ?", where
            ).fetchone()
            if row[0] != first + index:
                continue
            if len(accepted) != index:
                connection.execute(
                    "UPDATE event_id SET seq = ? WHERE session = ? AND event_id = ?",
                    (first + len(accepted), *where),
                )
            accepted.append(index)
        return accepted

    # --- Ids --------------------------------------------------------------------------------------------

    def seq_of(self, key: SessionKey, event_id: str) -> int | None:
        """The number of an event in its session; None if the session does not have it."""
        row = self._db.one(
            "SELECT seq FROM event_id WHERE session = ? AND event_id = ?",
            (self._sessions.number(key), event_id),
        )
        return None if row is None else int(row[0])

    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool:
        """Whether another session of the same provider has an event with this id. Takes one look-up per session."""
        row = self._db.one(
            "SELECT 1 FROM session CROSS JOIN event_id ON event_id.session = session.id AND event_id.event_id = ?"
            " WHERE provider = ? AND session_id <> ? LIMIT 1",
            (event_id, *key),
        )
        return row is not None
