"""Moves recordings to another session when a conversation goes on there. That session begins with a copy of the first one.

An assistant forks or moves a session when the user resumes it. The note has the copied events already, so that the moved
recording starts at the new session's own events.
"""

import logging
from collections.abc import Callable

from msgspec.structs import replace

from kato.core.events import ProviderInfo, SessionKey, decode_line
from kato.core.ports import Ledger
from kato.core.records import AppendReceipt, Recording
from kato.engine.appends import Group
from kato.engine.failures import guarded
from kato.engine.recordings import Recordings
from kato.notes.rendering import Position

log = logging.getLogger("kato.engine")


class Continuations:
    """Moves recordings. `new_id` makes ids of recordings."""

    def __init__(
        self, ledger: Ledger, recordings: Recordings, now_ms: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self._ledger = ledger
        self._recordings = recordings
        self._now_ms = now_ms
        self._new_id = new_id

    def follow(self, group: Group) -> None:
        """Moves the recording of the session that this one continues, and skips copied events at the start of a recording."""
        with guarded(f"moving a recording to {group.key.session_id}"):
            if group.continues is not None:
                self._move(group.continues, group.key)
            if group.receipt is not None and group.receipt.accepted:
                self._skip_copied(group.key, group.receipt)

    def _skip_copied(self, key: SessionKey, receipt: AppendReceipt) -> None:
        recording = self._ledger.recording(key)
        if recording is None or not recording.active or recording.line or recording.start_line:
            return
        if recording.seq == recording.start_seq == receipt.first_seq:
            start = self._own_start(key, recording.seq)
            if start > recording.seq:
                self._ledger.put_recording(replace(recording, seq=start, start_seq=start))

    def _move(self, old: SessionKey, new: SessionKey) -> None:
        self._recordings.flush(old)
        with self._ledger.exclusive():
            session, other = self._ledger.session(old), self._ledger.recording(new)
            if session is None or (other is not None and other.active):
                return
            recording = self._recordings.end(old, Position(session.event_count))
            if recording is None:
                return
            start = self._own_start(new, 0)
            self._ledger.set_destination(new, recording.output_path)
            self._ledger.put_recording(
                Recording(
                    recording_id=self._new_id(),
                    key=new,
                    output_path=recording.output_path,
                    active=True,
                    started_at=self._now_ms(),
                    start_seq=start,
                    start_line=0,
                    seq=start,
                    line=0,
                    transcript_state=recording.transcript_state,
                    last_write_at=recording.last_write_at,
                )
            )
        log.info("the recording of %s goes on with %s", old.session_id, new.session_id)

    def _own_start(self, key: SessionKey, after: int) -> int:
        """The number of the session's first own event, after those that were copied from another session."""
        for seq, line in self._ledger.read(key, after=after):
            event = decode_line(line)
            is_fork_mark = isinstance(event, ProviderInfo) and event.subtype == "forked"
            if not is_fork_mark and not self._ledger.is_elsewhere(key, event.event_id):
                return seq
            after = seq + 1
        return after
