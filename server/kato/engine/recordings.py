"""Recordings: brings their notes up to date, and follows notes that are renamed, deleted or cannot be written.

    up to date ──new events──► behind ──flush──► up to date
                                 │  note cannot be written ──► paused:  the user is notified, each heartbeat tries again
                                 │  note is missing ─────────► missing: searched under another name, then the user decides

A failure of one recording stops no other session. The recordings of one session are written in their order, because
two of them may write to the same note.
"""

import logging
from collections.abc import Callable
from pathlib import PurePath
from typing import Literal, NamedTuple

from msgspec.structs import replace

from kato.core import limits, paths
from kato.core.events import SessionKey
from kato.core.ports import Ledger, Listener
from kato.core.records import Recording, SessionRecord
from kato.engine import notices
from kato.engine.failures import guarded, log_failure
from kato.engine.reading import SessionReader
from kato.notes.held import HeldNotes, at_end
from kato.notes.notebook import NoteBook
from kato.notes.opening import NoteMissing
from kato.notes.rendering import Position
from kato.notes.roots import RootUnavailable

log = logging.getLogger("kato.engine")


class NoteState(NamedTuple):
    """Whether a note records, and since when nothing was written to it (ms), if that is known."""

    kind: Literal["recording", "paused", "captured"]
    since: int | None


class Recordings:
    """The recordings of all sessions. `held` has the notes that are open in an editor."""

    def __init__(
        self,
        ledger: Ledger,
        notebook: NoteBook,
        held: HeldNotes,
        reader: SessionReader,
        listener: Listener,
        now_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._notebook = notebook
        self._held = held
        self._reader = reader
        self._listener = listener
        self._now_ms = now_ms
        #: Ids of recordings whose last write failed; the user was notified.
        self._paused: set[str] = set()
        #: Ids of recordings whose note is missing, with the moment since which it is; None once the user was notified.
        self._missing: dict[str, int | None] = {}

    # --- Writing ----------------------------------------------------------------------------------------

    def flush(self, key: SessionKey, until: Position | None = None) -> None:
        """Brings the notes of the session's recordings up to date, the oldest recording first. A failure is reported once
        and tried again at each heartbeat.
        """
        with guarded(f"recordings of {key.session_id}"):
            for recording in self._ledger.open_recordings(key):
                if not self._flush_one(recording, until):
                    return  # the next one may write to the same note, and comes after it

    def _flush_one(self, recording: Recording, until: Position | None) -> bool:
        """False when the recording's note cannot be written now."""
        try:
            more = True
            while more:
                more = self._flush_piece(recording.key, recording.recording_id, until)
        except NoteMissing:
            return self._find_note(recording, until)
        except Exception as error:  # noqa: BLE001 - one session's defect must not stop the others, nor the start
            self._pause(recording, log_failure(f"recording {recording.recording_id}", error))
            return False
        self._resume(recording)
        if recording.recording_id in self._missing and self._notebook.is_there(recording):
            del self._missing[recording.recording_id]
        return True

    def _flush_piece(self, key: SessionKey, recording_id: str, until: Position | None) -> bool:
        """Writes one bounded piece while no other process writes; True when there is more."""
        with self._ledger.exclusive():
            found = [one for one in self._ledger.open_recordings(key) if one.recording_id == recording_id]
            session = self._ledger.session(key)
            if not found or session is None:
                return False
            recording, end = found[0], self._end_of(found[0], session, until)
            path = recording.output_path
            if self._held.is_held_elsewhere(path):
                return False
            if self._held.goes_through_editor(
                path, is_changed=lambda: self._notebook.changes.has_changed(recording)
            ):
                self._held.append(recording, end)
                return False
            if self._held.reconcile(path):
                return True
            for moved in self._notebook.appending.append(recording, self._reader.events(key), end):
                self._ledger.put_recording(at_end(moved))
                return (moved.seq, moved.line) < end
        return False

    def _end_of(self, recording: Recording, session: SessionRecord, until: Position | None) -> Position:
        """How far a recording may be written now: to the line at which it was stopped, else to the first line whose command
        has not run, for that command may stop the recording there.
        """
        ends = [Position(session.event_count)]
        if until is not None:
            ends.append(until)
        if recording.end_seq is not None:
            ends.append(Position(recording.end_seq, recording.end_line))
        else:
            claims = self._ledger.unfinished_claims(session.key)
            ends += [Position(claim.seq, claim.line) for claim in claims[:1]]
        return min(ends)

    def end(self, key: SessionKey, at: Position, *, awaits_on: bool = False) -> Recording | None:
        """Ends the session's active recording at a position, if there is one. Lines before it that could not be written are
        still written later. `awaits_on`: it goes on when the session is kept again. The caller is in a transaction.
        """
        recording = next((one for one in self._ledger.open_recordings(key) if one.active), None)
        if recording is None:
            return None
        is_whole = Position(recording.seq, recording.line) >= at
        ended = replace(
            recording,
            active=False,
            end_seq=None if is_whole else at.seq,
            end_line=0 if is_whole else at.line,
            awaits_on=awaits_on,
        )
        self._ledger.put_recording(ended)
        return ended

    def follow_gap(self, key: SessionKey, *, is_kept: bool) -> None:
        """Ends the recording of a session of which nothing is kept now; resumes it where it ended once the session is kept again.
        Commands that have not run do that themselves, in the order of their lines.
        """
        session, recording = self._ledger.session(key), self._ledger.recording(key)
        is_due = recording is not None and (recording.awaits_on if is_kept else recording.active)
        if session is None or not is_due or self._ledger.unfinished_claims(key):
            return
        at = Position(session.event_count)
        if not is_kept:
            self.flush(key, at)
        with self._ledger.exclusive():
            if is_kept:
                self.resume_after_gap(key)
            else:
                self.end(key, at, awaits_on=True)

    def resume_after_gap(self, key: SessionKey) -> Recording | None:
        """Resumes the recording that a gap ended, at the position that it has reached: nothing was kept since. Not if another
        session records to the note now. The caller is in a transaction.
        """
        recording = self._ledger.recording(key)
        if recording is None or not recording.awaits_on:
            return None
        others = self._ledger.open_recordings_at(recording.output_path)
        if any(one.key != key for one in others):
            return None
        resumed = replace(recording, active=True, end_seq=None, end_line=0, awaits_on=False)
        self._ledger.put_recording(resumed)
        return resumed

    def _pause(self, recording: Recording, reason: str) -> None:
        if recording.recording_id not in self._paused:
            self._paused.add(recording.recording_id)
            self._listener.notify(notices.recording_paused(recording, reason))

    def _resume(self, recording: Recording) -> None:
        if recording.recording_id in self._paused and not self._held.is_unsaved(recording.output_path):
            self._paused.discard(recording.recording_id)
            self._listener.notify(notices.recording_resumed(recording))

    def note_state(self, path: str, key: SessionKey) -> NoteState:
        """What Kato does with a note of the session now."""
        for one in self._ledger.open_recordings_at(path):
            if one.active and one.key == key:
                is_paused = one.recording_id in self._paused or one.recording_id in self._missing
                since = one.started_at if one.last_write_at is None else one.last_write_at
                return NoteState("paused" if is_paused else "recording", since)
        last = self._ledger.recording(key)
        is_its_note = last is not None and last.output_path == path
        return NoteState("captured", last.last_write_at if last is not None and is_its_note else None)

    # --- Heartbeat --------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Flushes recordings that lack text from an earlier process or a failed write, and checks the notes of the others."""
        with guarded("recordings"):
            for key in self._ledger.sessions_behind():
                self.flush(key)
        self._look_after_notes()

    def _look_after_notes(self) -> None:
        """Notices what happened to the notes of recordings that have nothing to write now, and removes temporary files that
        killed processes left in their folders.
        """
        recordings: list[Recording] = []
        with guarded("recordings"):
            recordings = self._ledger.active_recordings()
            self._notebook.writer.sweep({str(PurePath(one.output_path).parent) for one in recordings})
        for recording in recordings:
            with guarded(f"recording {recording.recording_id}"):
                try:
                    is_due = recording.recording_id in self._paused or self._notebook.changes.has_changed(
                        recording
                    )
                except RootUnavailable as error:
                    self._pause(recording, error.message)
                else:
                    if is_due:
                        self.flush(recording.key)

    def forget_removed(self) -> None:
        """Drops the state in memory of recordings whose sessions were removed."""
        self._paused &= {recording.recording_id for recording in self._ledger.active_recordings()}

    # --- Notes that move --------------------------------------------------------------------------------

    def _find_note(self, recording: Recording, until: Position | None) -> bool:
        """Follows a missing note to its new name, if it was renamed; otherwise the recording waits and the user decides."""
        since = self._missing.setdefault(recording.recording_id, self._now_ms())
        if since is None:
            return False  # the user was notified
        is_overdue = self._now_ms() - since >= limits.NOTE_MISSING_GRACE_MS
        # An editor that renames a note with unsaved changes closes it before it opens and reports the new one.
        may_search = is_overdue or not self._held.holds(recording)
        found = self._notebook.find_moved(recording) if may_search else None
        if found is not None:
            self.move_notes(recording.output_path, found)
            moved = self._ledger.recording_by_id(recording.recording_id)
            return moved is not None and self._flush_one(moved, until)
        if is_overdue:
            self._report_missing(recording)
        return False

    def move_notes(self, old: str, new: str) -> None:
        """A note, or a folder with notes, was renamed: its recordings and destinations follow."""
        with self._ledger.exclusive():
            changed = self._ledger.move_notes(old, new)
        if not changed:
            return
        log.info("%d entries follow a renamed note", changed)
        self._held.note_moved(new)
        for recording in self._ledger.active_recordings():
            if paths.is_at_or_in(recording.output_path, new):
                self.flush(recording.key)
        self._listener.changed()

    def delete_notes(self, path: str) -> None:
        """A note, or a folder with notes, was deleted: its recordings wait until the user decides."""
        for recording in self._ledger.active_recordings():
            is_gone = paths.is_at_or_in(recording.output_path, path) and not self._notebook.is_there(
                recording
            )
            if is_gone and self._missing.get(recording.recording_id, 0) is not None:
                self._report_missing(recording)

    def _report_missing(self, recording: Recording) -> None:
        self._missing[recording.recording_id] = None
        self._listener.notify(notices.note_missing(recording))
