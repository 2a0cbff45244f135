"""What the engine keeps about sessions when there is no journal: everything in memory, nothing on disk.

It answers the same questions as the journal. The events themselves lie in the snapshot store; here are the ids that
are already known, the counts, the claims and the recordings. A session that the store evicts is forgotten but for its
record, so that what is gone stays counted.

Rules: it answers as the journal does, transactions included: what was appended, claimed or put since the last commit, or in
an `exclusive` block that failed, is undone together. Bounded: ids are remembered as 64-bit hashes, those of the events held and as many again; records of evicted
sessions are kept for `_FORGOTTEN_MAX` sessions.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from heapq import nlargest
from typing import Final, TypeVar

from msgspec.structs import replace

from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.lines import Lines
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
from kato.core.snapshots import SnapshotStore
from kato.core.views import JournalStats

#: What an id costs: an integer object and its dictionary entry (measured, CPython 3.11: 79 bytes).
ID_BYTES: Final = 80
_FORGOTTEN_MAX: Final = 10_000
_CLAIMS_MAX: Final = 10_000

_K = TypeVar("_K")
_V = TypeVar("_V")


class MemoryLedger:
    """The ledger of `journal: false`."""

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
        self._logs: OrderedDict[str, LogRecord] = OrderedDict()
        self._in_group = False
        self._exclusive_depth = 0
        self._undo: list[Callable[[], object]] = []  # for what is not committed, the newest last
        #: Never asked: there are no rows to read.
        self.make_room: Callable[[int], object] = lambda _: None

    def append(self, key: SessionKey, ids: Sequence[str], lines: Lines, meta: SessionMeta) -> AppendReceipt:
        """Takes note of the events whose ids are new; the store takes the events themselves."""
        self._in_group = self._in_group or not self._exclusive_depth
        known = self._ids.setdefault(key, {})
        accepted = []
        for index, event_id in enumerate(ids):
            mark = hash(event_id)
            if mark not in known:
                known[mark] = None
                accepted.append(index)
        self._undo.append(lambda: [known.pop(hash(ids[index]), None) for index in accepted])
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
        last = record.last_message_at
        if meta.last_message_at is not None:
            last = meta.last_message_at if last is None else max(last, meta.last_message_at)
        record = replace(
            record,
            event_count=first_seq + len(accepted),
            json_bytes=record.json_bytes + size,
            updated_at=max(record.updated_at, meta.updated_at),
            title=meta.title or record.title,
            snippet=record.snippet or meta.snippet,
            cwd=meta.cwd or record.cwd,
            last_message_at=last,
            parent_id=meta.parent_id or record.parent_id,
            parent_call_id=meta.parent_call_id or record.parent_call_id,
        )
        self._put(self._records, key, record)
        return AppendReceipt(accepted, first_seq, first_seq + len(accepted))

    def extra_bytes(self, key: SessionKey) -> int:
        """What the ids of a session occupy here: part of the session's cost in the store."""
        return len(self._ids.get(key, ())) * ID_BYTES

    def evicted(self, keys: Sequence[SessionKey]) -> None:
        """The store let go of these: their ids go too, but for those of sessions that record, whose notes must not get
        anything twice.
        """
        for key in keys:
            recording = self.recording(key)
            if recording is None or not recording.active:
                self._ids.pop(key, None)
        while len(self._records) > _FORGOTTEN_MAX:
            oldest, _ = self._records.popitem(last=False)
            self._recordings.pop(oldest, None)

    def _put(self, table: MutableMapping[_K, _V], key: _K, value: _V | None) -> None:
        """Sets an entry as the newest, or removes it (None), so that `rollback` can put back what was there."""
        if self._in_group or self._exclusive_depth:
            old = table.get(key)
            self._undo.append(lambda: _set(table, key, old))
        _set(table, key, value)

    def commit(self) -> None:
        """Ends the group: what it holds stays."""
        if not self._exclusive_depth:
            self._in_group = False
            self._undo.clear()

    def rollback(self) -> None:
        """Undoes the group, or the `exclusive` block, as a whole."""
        self._in_group = False
        while self._undo:
            self._undo.pop()()

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record."""
        return self._records.get(key)

    def read(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Number and line of what is still held."""
        return self._store.read(key, after=after, until=until)

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The same in pieces of whole lines."""
        return self._store.read_pieces(key, after=after, until=until)

    def read_newest(
        self, key: SessionKey, *, max_events: int, max_bytes: int
    ) -> tuple[int, Sequence[tuple[bytes, int]]] | None:
        """None: what the store does not hold is gone."""
        del key, max_events, max_bytes
        return None

    def seq_of(self, key: SessionKey, event_id: str) -> int | None:
        """The number of an event in its session, if its id is remembered: the ids are those of the newest events."""
        known, mark = self._ids.get(key, {}), hash(event_id)
        if mark not in known:
            return None
        return self._records[key].event_count - len(known) + list(known).index(mark)

    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool:
        """Whether another session of the provider has an event of this id."""
        mark = hash(event_id)
        return any(
            mark in known
            for other, known in self._ids.items()
            if other != key and other.provider == key.provider
        )

    def unfinished_claims(self, key: SessionKey | None = None) -> Sequence[Claim]:
        """Claims whose command has not ended (of one session, or of all), in the order of their lines."""
        chosen = [claim for claim in self._unfinished.values() if key is None or claim.key == key]
        return sorted(chosen, key=lambda claim: (claim.key, claim.seq, claim.line))

    def take_over_claim(self, claim: Claim, owner: str) -> bool:
        """True if the claim still has the owner that is named in it."""
        mark = (claim.key, claim.event_id, claim.line)
        mine = self._unfinished.get(mark)
        if mine is None or mine.owner != claim.owner:
            return False
        self._put(self._unfinished, mark, replace(mine, owner=owner))
        return True

    def claim(self, key: SessionKey, event_id: str, line: int, owner: str, seq: int) -> bool:
        """True the first time a command is claimed."""
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
        """The command was run to its end, whatever its outcome."""
        self._put(self._unfinished, (key, event_id, line), None)

    def set_destination(self, key: SessionKey, path: str | None) -> None:
        """Where the session's commands write when they name no path. Raises UnknownSession."""
        if key not in self._records:
            raise UnknownSession(*key)
        self._put(self._records, key, replace(self._records[key], destination=path))

    def recording(self, key: SessionKey) -> Recording | None:
        """The session's newest recording."""
        recordings = self._recordings.get(key)
        return recordings[-1] if recordings else None

    def active_recordings(self) -> list[Recording]:
        """All that record now."""
        newest = [recordings[-1] for recordings in self._recordings.values()]
        return [recording for recording in newest if recording.active]

    def open_recordings(self, key: SessionKey) -> list[Recording]:
        """The session's recordings that may still write, the oldest first."""
        return [one for one in self._recordings.get(key, ()) if one.is_open]

    def recordings_to(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to this file."""
        kept = [one for recordings in self._recordings.values() for one in recordings]
        return [one for one in kept if one.is_open and one.output_path == path]

    def sessions_behind(self) -> list[SessionKey]:
        """The sessions whose open recordings lack events."""
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
        """Sessions with their newest recordings: those that record now, then the newest."""
        active = {one.key for one in self.active_recordings()}
        newest = nlargest(
            limit, self._held(since_ms), key=lambda record: (record.key in active, _moment(record))
        )
        for record in newest:
            yield record, self.recording(record.key)

    def summary(self, *, since_ms: int | None, fresh_ms: int) -> Summary:
        """The providers, and what is recorded."""
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
        """The sessions with a message (or update) at `since_ms` or later. A session that was evicted is gone: without a
        journal there is nothing left of it to show.
        """
        held = [self._records[key] for key in self._store.keys() if key in self._records]  # noqa: SIM118 - no mapping
        return held if since_ms is None else [one for one in held if _moment(one) >= since_ms]

    def put_recording(self, recording: Recording) -> None:
        """Keeps a recording; a new one becomes the session's newest. Its others are ended if it is active. Raises
        UnknownSession.
        """
        if recording.key not in self._records:
            raise UnknownSession(*recording.key)
        kept = self._recordings.get(recording.key, [])
        if recording.active:
            kept = [replace(one, active=False) for one in kept]
        ids = [one.recording_id for one in kept]
        place = ids.index(recording.recording_id) if recording.recording_id in ids else len(kept)
        self._put(self._recordings, recording.key, [*kept[:place], recording, *kept[place + 1 :]])

    def newly_removed(self) -> Sequence[SessionKey]:
        """None: no other process shares this memory."""
        return ()

    def removed_until(self, key: SessionKey) -> int | None:
        """None: as above."""
        del key
        return None

    def recording_by_id(self, recording_id: str) -> Recording | None:
        """One recording, whether it may still write or not."""
        return next((one for one in self._all_recordings() if one.recording_id == recording_id), None)

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings that may still write to this note, the oldest first."""
        found = [one for one in self._all_recordings() if one.is_open and one.output_path == path]
        return sorted(found, key=lambda one: one.started_at)

    def _all_recordings(self) -> Iterator[Recording]:
        return (one for recordings in self._recordings.values() for one in recordings)

    def holds(self, path: str | None = None) -> list[Hold]:
        """The recordings whose notes (all, or this one) editors hold."""
        return [hold for hold in self._holds.values() if path in (None, hold.path)]

    def put_hold(self, hold: Hold) -> None:
        """Keeps a hold; a recording has at most one."""
        self._put(self._holds, hold.recording_id, hold)

    def remove_hold(self, recording_id: str) -> None:
        """The note is as the recording's position says, or is not held any more."""
        self._put(self._holds, recording_id, None)

    def move_notes(self, old: str, new: str) -> int:
        """A note, or a folder with notes in it, lies elsewhere now; how many entries that changed."""
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

    def children(self, key: SessionKey) -> list[SessionRecord]:
        """The sessions that this one started as sub-agents, the oldest first."""
        mine = [
            record
            for record in self._records.values()
            if record.parent_id == key.session_id and record.key.provider == key.provider
        ]
        return sorted(mine, key=lambda record: record.created_at)

    def log(self, path: str) -> LogRecord | None:
        """How far a session log was read."""
        return self._logs.get(path)

    def variants(self, key: SessionKey) -> list[str]:
        """Which of an assistant's stores a session was read from."""
        return [log.variant for log in self._logs.values() if (log.provider, log.session_id) == key]

    def put_log(self, log: LogRecord) -> None:
        """Stores how far a session log was read. Joins the open group."""
        self._in_group = self._in_group or not self._exclusive_depth
        self._put(self._logs, log.path, log)
        if len(self._logs) > _FORGOTTEN_MAX:
            self._logs.popitem(last=False)

    def note(self, path: str) -> NoteRecord | None:
        """What was last written to a file."""
        return self._notes.get(path)

    def note_paths(self) -> list[str]:
        """The files that Kato wrote since it started."""
        return list(self._notes)

    def put_note(self, note: NoteRecord) -> None:
        """Keeps what was last written to a file."""
        self._put(self._notes, note.path, note)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone by nature: no other process shares this memory. What fails in it is undone."""
        self.commit()
        self._exclusive_depth += 1
        try:
            yield
        except BaseException:
            if self._exclusive_depth == 1:
                self.rollback()
            raise
        finally:
            self._exclusive_depth -= 1
            self.commit()

    def stats(self) -> JournalStats | None:
        """None: there is no journal."""
        return None

    def sync(self) -> None:
        """Nothing to make durable."""

    def close(self) -> None:
        """Nothing to close."""


def _set(table: MutableMapping[_K, _V], key: _K, value: _V | None) -> None:
    table.pop(key, None)
    if value is not None:
        table[key] = value


def _moment(record: SessionRecord) -> int:
    """When something was last said, or done, in a session."""
    return record.updated_at if record.last_message_at is None else record.last_message_at
