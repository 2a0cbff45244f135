"""Removal of sessions (`kato clean`), and what stays known of them: that they were removed, and marks of their events' ids."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.records import SessionRecord
from kato.storage.journal.counts import Totals
from kato.storage.journal.database import Database
from kato.storage.journal.recordings import IS_OPEN
from kato.storage.journal.schema import SEQ_MAX, chunk_id
from kato.storage.journal.sessions import SESSION_COLUMNS, session_record
from kato.storage.journal.wiping import wipe

#: When a session was last updated. A message may have a later time than the clock had when it was stored.
_LAST_UPDATE: Final = "max(updated_at, coalesce(last_message_at, updated_at))"
#: Later than any moment that a row can hold.
_NEVER_MS: Final = (1 << 63) - 1
_HAS_OPEN_RECORDING: Final = f"EXISTS (SELECT 1 FROM recording WHERE session = session.id AND {IS_OPEN})"  # noqa: S608
_REMEMBER_SESSION: Final = (
    "INSERT INTO removed_session (provider, session_id, event_count, until_ms, removed_at)"  # noqa: S608
    f" SELECT provider, session_id, event_count, {_LAST_UPDATE}, ? FROM session WHERE id = ?"
)
_REMEMBER_EVENTS: Final = (
    "INSERT OR IGNORE INTO removed_event SELECT event_mark(?, ?, event_id) FROM event_id WHERE session = ?"
)


class CleanReport(NamedTuple):
    """The result of `clean`. `removed`: the sessions that were removed, or would be; `json_bytes` is the size of their
    events. `recording`: the older sessions that stay, because they or their sub-agents have an open recording. `remains`: one
    sentence for each place on the disk that still holds removed text.
    """

    removed: list[SessionRecord]
    recording: list[SessionRecord]
    json_bytes: int
    remains: list[str]


class _Family:
    """A session, the eldest, with its sub-agents and their sub-agents."""

    def __init__(self, eldest: SessionRecord) -> None:
        self.eldest = eldest
        self.members: list[SessionRecord] = []
        self.last_update: int | None = None
        self.has_open_recording = False

    def add(self, member: SessionRecord, last_update: int, *, has_open_recording: bool) -> None:
        self.members.append(member)
        self.last_update = last_update if self.last_update is None else max(self.last_update, last_update)
        self.has_open_recording = self.has_open_recording or has_open_recording


class Removal:
    """Removes sessions, and answers which were removed."""

    def __init__(self, db: Database, totals: Totals, now_ms: Callable[[], int]) -> None:
        self._db = db
        self._totals = totals
        self._now_ms = now_ms
        self._version: int | None = None  # of the database, at the last call of `newly_removed`
        self._last_id = 0  # of the rows of `removed_session` that `newly_removed` returned

    # --- What was removed -------------------------------------------------------------------------------

    def newly_removed(self) -> Sequence[SessionKey]:
        """The sessions that this process or another removed since the last call. Called before anything is answered from
        memory: takes about 2 µs unless another process committed something.
        """
        version = self._db.data_version()
        if version == self._version:
            return ()
        self._version = version
        rows = self._db.all(
            "SELECT id, provider, session_id FROM removed_session WHERE id > ? ORDER BY id", (self._last_id,)
        )
        if rows:
            self._last_id = rows[-1][0]
        return [SessionKey(provider, session_id) for _, provider, session_id in rows]

    def removed_until(self, key: SessionKey) -> int | None:
        """The last update (ms) of the session when it was last removed; None if it never was."""
        row = self._db.one(
            "SELECT max(until_ms) FROM removed_session WHERE provider = ? AND session_id = ?", key
        )
        return None if row[0] is None else int(row[0])

    # --- Removing ---------------------------------------------------------------------------------------

    def clean(
        self,
        *,
        older_than_ms: int | None = None,
        is_chosen: Callable[[SessionRecord], bool] = lambda _: True,
        dry_run: bool,
        alone: bool = False,
    ) -> CleanReport:
        """Removes the sessions that were last updated before `older_than_ms` (all, if it is None) and of which `is_chosen` is true,
        together with their sub-agents, and their text from the files. A session stays if it or one of its sub-agents is newer or
        has an open recording. `alone` says that no other process has to write meanwhile. Raises JournalUnavailable.
        """
        older_than_ms = _NEVER_MS if older_than_ms is None else older_than_ms
        old = [family for family in self._old_families(older_than_ms) if is_chosen(family.eldest)]
        removable = [family for family in old if not family.has_open_recording]
        recording = [member for family in old if family.has_open_recording for member in family.members]
        if dry_run:
            removed, remains = [member for family in removable for member in family.members], []
        else:
            removed = self._remove(removable, older_than_ms)
            self._version = None  # this process's own commits do not change it
            remains = wipe(self._db, alone=alone)
        return CleanReport(removed, recording, sum(record.json_bytes for record in removed), remains)

    def _old_families(self, older_than_ms: int) -> list[_Family]:
        """The families of which each member was last updated before `older_than_ms`."""
        rows = self._db.all(
            f"SELECT {_LAST_UPDATE}, {_HAS_OPEN_RECORDING}, {SESSION_COLUMNS} FROM session ORDER BY updated_at"  # noqa: S608
        )
        records = {record.key: record for record in (session_record(row[2:]) for row in rows)}
        families: dict[SessionKey, _Family] = {}
        for last_update, has_open_recording, *columns in rows:
            member = session_record(columns)
            eldest = _eldest(member, records)
            family = families.setdefault(eldest, _Family(records[eldest]))
            family.add(member, last_update, has_open_recording=bool(has_open_recording))
        return [
            family
            for family in families.values()
            if family.last_update is not None and family.last_update < older_than_ms
        ]

    def _remove(self, families: Sequence[_Family], older_than_ms: int) -> list[SessionRecord]:
        """Removes the families that are still old. Uses short transactions with pauses, so that other processes can write."""
        waiting = list(reversed(families))
        removed: list[SessionRecord] = []
        while waiting:
            deadline = time.monotonic() + limits.JOURNAL_HOLD_SECONDS
            with self._db.exclusive():
                has_time = True
                while waiting and has_time:
                    removed += self._remove_family(waiting.pop(), older_than_ms)
                    has_time = time.monotonic() < deadline
            if waiting:
                time.sleep(limits.JOURNAL_TURN_SECONDS)
        return removed

    def _remove_family(self, family: _Family, older_than_ms: int) -> list[SessionRecord]:
        """Removes a family unless another process continued it meanwhile; returns the removed sessions."""
        numbers = [self._number_if_old(member.key, older_than_ms) for member in family.members]
        found = [number for number in numbers if number is not None]
        if len(found) < len(family.members):
            return []
        for number, member in zip(found, family.members, strict=True):
            self._remove_session(number, member.key)
        return family.members

    def _number_if_old(self, key: SessionKey, older_than_ms: int) -> int | None:
        row = self._db.one(
            f"SELECT id FROM session WHERE provider = ? AND session_id = ? AND {_LAST_UPDATE} < ?"  # noqa: S608
            f" AND NOT {_HAS_OPEN_RECORDING}",
            (*key, older_than_ms),
        )
        return None if row is None else int(row[0])

    def _remove_session(self, number: int, key: SessionKey) -> None:
        run = self._db.run
        run(_REMEMBER_SESSION, (self._now_ms(), number))
        run(_REMEMBER_EVENTS, (*key, number))
        run("DELETE FROM chunk WHERE id BETWEEN ? AND ?", (chunk_id(number, 0), chunk_id(number, SEQ_MAX)))
        run(
            "DELETE FROM hold WHERE recording_id IN (SELECT recording_id FROM recording WHERE session = ?)",
            (number,),
        )
        for table in ("event_id", "claim", "recording"):
            run(f"DELETE FROM {table} WHERE session = ?", (number,))  # noqa: S608
        run("DELETE FROM session WHERE id = ?", (number,))
        self._totals.forget()


def _eldest(record: SessionRecord, records: Mapping[SessionKey, SessionRecord]) -> SessionKey:
    """The first known ancestor of a sub-agent's session; the session itself if its parent is not known."""
    seen = {record.key}
    while record.parent_id is not None:
        parent = records.get(SessionKey(record.key.provider, record.parent_id))
        if parent is None or parent.key in seen:
            break
        seen.add(parent.key)
        record = parent
    return record.key
