"""The ledger without a journal: everything in memory, nothing on disk.

The snapshot store holds the events. This ledger holds the ids that are known, the sessions' records, the claims, the
recordings and the notes. When the store evicts a session, only its record stays, so that its event numbers continue.

Rules:

- It behaves like the journal, transactions included (see `undo`).
- It is bounded. Per session it remembers the ids of the newest events, at most twice `max_events_per_session`, as 64-bit
  hashes; overall the records of at most `_SESSIONS_MAX` sessions and as many session logs.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from typing import Final

from msgspec.structs import asdict, replace

from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.records import (
    AppendReceipt,
    Claim,
    Gap,
    GapReason,
    Hold,
    LogRecord,
    NoteRecord,
    ProviderSummary,
    Recording,
    SessionMeta,
    SessionRecord,
    Summary,
    merge_meta,
)
from kato.core.snapshots import SnapshotStore
from kato.core.views import JournalStats
from kato.storage.undo import UndoLog

#: Memory per id: an integer object and its dictionary entry (79 bytes, measured with CPython 3.11).
ID_BYTES: Final = 80
_SESSIONS_MAX: Final = 10_000
_CLAIMS_MAX: Final = 10_000


class MemoryLedger:
    """The `Ledger` for the setting `journal: false`."""

    durable: Final = False

    def __init__(self, store: SnapshotStore, *, max_events_per_session: int) -> None:
        self._store = store
        self.max_events_per_session = max_events_per_session
        self._records: OrderedDict[SessionKey, SessionRecord] = OrderedDict()
        self._ids: dict[SessionKey, dict[int, None]] = {}
        self._claims: OrderedDict[tuple[SessionKey, str, int], bool] = OrderedDict()
        self._unfinished: dict[tuple[SessionKey, str, int], Claim] = {}
        self._recordings: dict[SessionKey, list[Recording]] = {}
        self._notes: dict[str, NoteRecord] = {}
        self._holds: dict[str, Hold] = {}
        self._gaps: dict[SessionKey, list[Gap]] = {}
        self._withheld: dict[SessionKey, dict[int, bool]] = {}
        self._logs: OrderedDict[str, LogRecord] = OrderedDict()
        transaction = UndoLog()
        self.begin = transaction.begin
        self.commit = transaction.commit
        self.rollback = transaction.rollback
        self.exclusive = transaction.exclusive
        self._put = transaction.put
        self._transaction = transaction
        #: Never called: there are no rows to read.
        self.make_room: Callable[[int], object] = lambda _: None

    def append(self, key: SessionKey, ids: Sequence[str], lines: Lines, meta: SessionMeta) -> AppendReceipt:
        """Remembers the ids that are new. The caller puts these events into the store after the commit."""
        self._transaction.begin()
        known = self._ids.setdefault(key, {})
        withheld = self._withheld.get(key, ())
        accepted = []
        for index, event_id in enumerate(ids):
            mark = hash(event_id)
            if mark not in known and mark not in withheld:
                known[mark] = None
                accepted.append(index)
        self._transaction.add(lambda: [known.pop(hash(ids[index]), None) for index in accepted])
        size = lines.chosen(accepted).json_bytes
        excess = len(known) - 2 * self.max_events_per_session
        if excess > 0:
            for mark in list(known)[:excess]:
                del known[mark]
        record = self._records.get(key) or SessionRecord(
            key=key,
            event_count=0,
            json_bytes=0,
            created_at=meta.updated_at,
            updated_at=meta.updated_at,
        )
        first_seq = record.event_count
        record = replace(
            record,
            event_count=first_seq + len(accepted),
            json_bytes=record.json_bytes + size,
            **asdict(merge_meta(record, meta)),
        )
        self._put(self._records, key, record)
        return AppendReceipt(accepted, first_seq, first_seq + len(accepted))

    def extra_bytes(self, key: SessionKey) -> int:
        """Bytes of memory for the ids of a session; the store adds them to the session's size."""
        return len(self._ids.get(key, ())) * ID_BYTES

    def evicted(self, keys: Sequence[SessionKey]) -> None:
        """Drops the ids of sessions that the store evicted, unless the session has an active recording: duplicates must not
        be written to its note.
        """
        for key in keys:
            recording = self.recording(key)
            if recording is None or not recording.active:
                self._ids.pop(key, None)
        while len(self._records) > _SESSIONS_MAX:
            oldest, _ = self._records.popitem(last=False)
            self._recordings.pop(oldest, None)

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record; None if it is not known."""
        return self._records.get(key)

    def read(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Number and line of each event that the store still holds."""
        return self._store.read(key, after=after, until=until)

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The same events in pieces of whole lines."""
        return self._store.read_pieces(key, after=after, until=until)

    def read_newest(
        self, key: SessionKey, *, max_events: int, max_bytes: int
    ) -> tuple[int, Sequence[tuple[bytes, int]]] | None:
        """None: events that the store does not hold are lost."""
        del key, max_events, max_bytes
        return None

    def seq_of(self, key: SessionKey, event_id: str) -> int | None:
        """The number of an event in its session; None if its id is not remembered."""
        known, mark = self._ids.get(key, {}), hash(event_id)
        if mark not in known:
            return None
        return self._records[key].event_count - len(known) + list(known).index(mark)

    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool:
        """Whether another session of the same provider has an event with this id."""
        mark = hash(event_id)
        return any(
            mark in known
            for other, known in self._ids.items()
            if other != key and other.provider == key.provider
        )

    def unfinished_claims(self, key: SessionKey | None = None) -> Sequence[Claim]:
        """The claims of one session, or of all, whose command has not run, in the order of their lines."""
        chosen = [claim for claim in self._unfinished.values() if key is None or claim.key == key]
        return sorted(chosen, key=lambda claim: (claim.key, claim.seq, claim.line))

    def take_over_claim(self, claim: Claim, owner: str) -> bool:
        """Gives an unfinished claim to a new owner; False if it is finished or has another owner than `claim` says."""
        mark = (claim.key, claim.event_id, claim.line)
        mine = self._unfinished.get(mark)
        if mine is None or mine.owner != claim.owner:
            return False
        self._put(self._unfinished, mark, replace(mine, owner=owner))
        return True

    def claim(self, key: SessionKey, event_id: str, line: int, owner: str, seq: int) -> bool:
        """Claims the command in line `line` of event number `seq`; True the first time."""
        mark = (key, event_id, line)
        if mark in self._claims or key not in self._records:
            return False
        self._put(self._claims, mark, True)
        self._put(self._unfinished, mark, Claim(key, event_id, line, owner, 0, seq))
        if len(self._claims) > _CLAIMS_MAX:
            oldest, _ = self._claims.popitem(last=False)
            self._unfinished.pop(oldest, None)
        return True

    def finish_claim(self, key: SessionKey, event_id: str, line: int) -> None:
        """Marks a command as run, whatever its outcome."""
        self._put(self._unfinished, (key, event_id, line), None)

    def set_destination(self, key: SessionKey, path: str | None) -> None:
        """Sets the note to which the session's commands write unless they name a path. Raises UnknownSession."""
        if key not in self._records:
            raise UnknownSession(*key)
        self._put(self._records, key, replace(self._records[key], destination=path))

    def recording(self, key: SessionKey) -> Recording | None:
        """The session's newest recording."""
        recordings = self._recordings.get(key)
        return recordings[-1] if recordings else None

    def active_recordings(self) -> list[Recording]:
        """The active recordings of all sessions."""
        newest = [recordings[-1] for recordings in self._recordings.values()]
        return [recording for recording in newest if recording.active]

    def open_recordings(self, key: SessionKey) -> list[Recording]:
        """The session's recordings whose note Kato may still write to, the oldest first."""
        return [one for one in self._recordings.get(key, ()) if one.is_open]

    def sessions_behind(self) -> list[SessionKey]:
        """The sessions with an open recording whose note lacks events."""
        return [
            key
            for key, recordings in self._recordings.items()
            if any(
                one.end_seq is not None or (one.active and one.seq < self._records[key].event_count)
                for one in recordings
            )
        ]

    def status_sessions(
        self, *, since_ms: int | None, limit: int
    ) -> Iterator[tuple[SessionRecord, Recording | None]]:
        """At most `limit` sessions with a message or update at `since_ms` or later, each with its newest recording: first the
        sessions with an active recording, then the newest.
        """
        active = {one.key for one in self.active_recordings()}
        newest = nlargest(
            limit, self._held(since_ms), key=lambda record: (record.key in active, _moment(record))
        )
        for record in newest:
            yield record, self.recording(record.key)

    def summary(self, *, since_ms: int | None, fresh_ms: int) -> Summary:
        """Totals of the sessions with a message or update at `since_ms` or later; those at `fresh_ms` or later are not stale."""
        providers: dict[str, ProviderSummary] = {}
        for record in self._held(since_ms):
            name = record.key.provider
            known = providers.get(name) or ProviderSummary(name, 0, 0, None)
            moments = [one for one in (known.last_message_at, record.last_message_at) if one is not None]
            providers[name] = ProviderSummary(
                provider=name,
                sessions=known.sessions + 1,
                active_sessions=known.active_sessions + (_moment(record) >= fresh_ms),
                last_message_at=max(moments, default=None),
            )
        active = self.active_recordings()
        return Summary(
            providers=[providers[name] for name in sorted(providers)],
            active_recordings=len(active),
            destinations=len({one.output_path for one in active}),
        )

    def _held(self, since_ms: int | None) -> list[SessionRecord]:
        """The sessions in the store with a message or update at `since_ms` or later. Evicted sessions are left out: without a
        journal nothing of them can be shown.
        """
        held = [self._records[key] for key in self._store.keys() if key in self._records]  # noqa: SIM118 - no mapping
        return held if since_ms is None else [one for one in held if _moment(one) >= since_ms]

    def put_recording(self, recording: Recording) -> None:
        """Stores a recording under its id. A new one becomes the session's newest; an active one ends the session's other
        active recording. Raises UnknownSession.
        """
        if recording.key not in self._records:
            raise UnknownSession(*recording.key)
        kept = self._recordings.get(recording.key, [])
        if recording.active:
            kept = [replace(one, active=False) for one in kept]
        ids = [one.recording_id for one in kept]
        index = ids.index(recording.recording_id) if recording.recording_id in ids else len(kept)
        self._put(self._recordings, recording.key, [*kept[:index], recording, *kept[index + 1 :]])

    def has_gaps(self) -> bool:
        """Whether any session has a gap."""
        return bool(self._gaps)

    def gaps(self, key: SessionKey) -> list[Gap]:
        """The gaps of a session, the oldest first."""
        return self._gaps.get(key, [])

    def put_gap(self, key: SessionKey, gap: Gap) -> None:
        """Stores a gap of a session."""
        self._put(self._gaps, key, [*self.gaps(key), gap])

    def end_gap(self, key: SessionKey, reason: GapReason, until_ms: int) -> bool:
        """Ends the session's gap of this reason; False if there was none."""
        ended = [
            replace(one, until_ms=max(one.since_ms, until_ms))
            if one.reason == reason and one.until_ms is None
            else one
            for one in self.gaps(key)
        ]
        if ended == self.gaps(key):
            return False
        self._put(self._gaps, key, ended)
        return True

    def withhold(self, key: SessionKey, ids: Sequence[str], *, everywhere: bool = False) -> list[int]:
        """Remembers that events with these ids are not kept. Returns the indices of those that are new."""
        del everywhere  # no log is read that an earlier process knew
        known = self._withheld.setdefault(key, {})
        new = [
            index
            for index, event_id in enumerate(ids)
            if hash(event_id) not in known and hash(event_id) not in self._ids.get(key, ())
        ]
        for index in new:
            self._put(known, hash(ids[index]), True)
        for mark in list(known)[: max(0, len(known) - 2 * self.max_events_per_session)]:
            del known[mark]
        return new

    def knows(self, key: SessionKey, event_id: str) -> bool:
        """Whether an event with this id came before."""
        return hash(event_id) in self._withheld.get(key, ()) or hash(event_id) in self._ids.get(key, ())

    def newly_removed(self) -> Sequence[SessionKey]:
        """Nothing: `kato clean` only removes sessions from a journal."""
        return ()

    def removed_until(self, key: SessionKey) -> int | None:
        """None, for the same reason."""
        del key
        return None

    def recording_by_id(self, recording_id: str) -> Recording | None:
        """The recording with this id, open or not."""
        return next((one for one in self._all_recordings() if one.recording_id == recording_id), None)

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to this note, the oldest first."""
        found = [one for one in self._all_recordings() if one.is_open and one.output_path == path]
        return sorted(found, key=lambda one: one.started_at)

    def _all_recordings(self) -> Iterator[Recording]:
        return (one for recordings in self._recordings.values() for one in recordings)

    def holds(self, path: str | None = None) -> list[Hold]:
        """All holds, or those of one note."""
        return [hold for hold in self._holds.values() if path in (None, hold.path)]

    def put_hold(self, hold: Hold) -> None:
        """Stores the hold of a recording, instead of an earlier one."""
        self._put(self._holds, hold.recording_id, hold)

    def remove_hold(self, recording_id: str) -> None:
        """Removes the hold of a recording, if there is one."""
        self._put(self._holds, recording_id, None)

    def move_notes(self, old: str, new: str) -> int:
        """Replaces the path of a renamed note, or of a renamed folder with notes in it. Returns how many entries changed."""
        changed = 0

        def moved(path: str) -> str:
            nonlocal changed
            if path != old and not path.startswith(old + os.sep):
                return path
            changed += 1
            return new + path[len(old) :]

        for key, recordings in list(self._recordings.items()):
            kept = [replace(one, output_path=moved(one.output_path)) for one in recordings]
            self._put(self._recordings, key, kept)
        for key, record in list(self._records.items()):
            if record.destination is not None:
                self._put(self._records, key, replace(record, destination=moved(record.destination)))
        for note in list(self._notes.values()):
            self._put(self._notes, note.path, None)
            self.put_note(replace(note, path=moved(note.path)))
        for hold in list(self._holds.values()):
            self.put_hold(replace(hold, path=moved(hold.path)))
        return changed

    def is_session_folder(self, folder: str) -> bool:
        """Whether a session was held in exactly this folder."""
        return any(record.cwd == folder for record in self._records.values())

    def children(self, key: SessionKey) -> list[SessionRecord]:
        """The sessions of the sub-agents that this session started, the oldest first."""
        mine = [
            record
            for record in self._records.values()
            if record.parent_id == key.session_id and record.key.provider == key.provider
        ]
        return sorted(mine, key=lambda record: record.created_at)

    def log(self, path: str) -> LogRecord | None:
        """How far Kato read this session log; None if it never did."""
        return self._logs.get(path)

    def variants(self, key: SessionKey) -> list[str]:
        """The assistant's stores from which Kato read this session."""
        return [log.variant for log in self._logs.values() if (log.provider, log.session_id) == key]

    def put_log(self, log: LogRecord) -> None:
        """Stores how far a session log was read. Joins the open group."""
        self._transaction.begin()
        self._put(self._logs, log.path, log)
        if len(self._logs) > _SESSIONS_MAX:
            self._logs.popitem(last=False)

    def note(self, path: str) -> NoteRecord | None:
        """What Kato last wrote to this note; None if it never did."""
        return self._notes.get(path)

    def note_paths(self) -> list[str]:
        """The paths of the notes that this process wrote."""
        return list(self._notes)

    def put_note(self, note: NoteRecord) -> None:
        """Stores what Kato last wrote to a note."""
        self._put(self._notes, note.path, note)

    def stats(self) -> JournalStats | None:
        """None: there is no journal."""
        return None

    def sync(self) -> None:
        """Does nothing: nothing here can be made durable."""

    def close(self) -> None:
        """Does nothing."""


def _moment(record: SessionRecord) -> int:
    """When a session last had a message, or was updated."""
    return record.updated_at if record.last_message_at is None else record.last_message_at
