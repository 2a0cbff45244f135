"""Appends to notes that are open in an editor through that editor, so that a save never conflicts with Kato's text.

    hold        a row in the ledger: an editor has changes of the note that are not on disk, and only the process that is
                connected to this editor may append to the note
    append      sends a piece to the editor ─► the editor confirms ─► the recording's position moves; one piece at a time
    reconcile   after the note was saved, closed or reloaded: moves the recording back to the last text since the hold that the
                file contains, and releases the hold

Rules: the ledger has the hold before the first piece is sent, so that neither a crash nor another window loses or repeats text.
While an editor holds a note, Kato reads the file and does not write it.
"""

import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec.structs import replace

from kato.core import limits, paths
from kato.core.errors import KatoError, WriteFailed
from kato.core.events import SessionKey
from kato.core.ports import Ledger
from kato.core.records import Hold, Recording
from kato.notes.notebook import NoteBook
from kato.notes.opening import NoteMissing
from kato.notes.rendering import Events, Position, position_of

log = logging.getLogger("kato.held")


class OpenNotes(Protocol):
    """The notes that are open in the editor of this process."""

    def takes(self, path: str) -> bool:
        """Whether what is appended to this note goes through the editor."""
        ...

    def is_ready(self, path: str) -> bool:
        """Whether the editor can take the next piece now; if not, `HeldNotes.ready` is called when it can."""
        ...

    def is_dirty(self, path: str) -> bool:
        """Whether the editor has changes of this note that are not on disk."""
        ...

    def append(self, path: str, text: str, done: Callable[[str | None], None]) -> None:
        """Asks the editor to insert a text at the end, on a new line. Calls `done` with the inserted text, or with None if the editor
        refused it.
        """
        ...


class NoEditor:
    """The `OpenNotes` of a process without an editor: every note is written as a file."""

    def takes(self, path: str) -> bool:
        """No."""
        del path
        return False

    is_dirty = takes
    is_ready = takes

    def append(self, path: str, text: str, done: Callable[[str | None], None]) -> None:
        """Refuses the text."""
        del path, text
        done(None)


def at_end(recording: Recording) -> Recording:
    """The recording, closed if it was stopped and has reached its end."""
    if recording.end_seq is None or (recording.seq, recording.line) < (recording.end_seq, recording.end_line):
        return recording
    return replace(recording, end_seq=None, end_line=0)


class HeldNotes:
    """See the module. `owner` names this process in holds, `is_alive` says whether the process of an owner still runs;
    `events` reads a session's events, `flush` brings a session's notes up to date, `on_lost_text` is called when a save left
    out text that Kato adds again; `now_ms` is the only clock.
    """

    def __init__(
        self,
        ledger: Ledger,
        notebook: NoteBook,
        *,
        owner: str,
        is_alive: Callable[[str], bool],
        events: Callable[[SessionKey], Events],
        flush: Callable[[SessionKey], None],
        on_lost_text: Callable[[Recording], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.open_notes: OpenNotes = NoEditor()
        self._ledger = ledger
        self._notebook = notebook
        self._owner = owner
        self._is_alive = is_alive
        self._events = events
        self._flush = flush
        self._on_lost_text = on_lost_text
        self._now_ms = now_ms
        self._refusals: Counter[str] = Counter()
        #: By recording: when the hold of a process that is gone may be taken over, in milliseconds.
        self._take_over_at: dict[str, int] = {}
        #: By path: length in bytes and CRC-32 of the body that a note will have once the editor saved it.
        self._bodies: dict[str, tuple[int, int]] = {}

    # --- For recordings and commands ---------------------------------------------------------------------------

    def goes_through_editor(self, path: str, *, is_changed: Callable[[], bool]) -> bool:
        """Whether Kato appends to this note through the editor. If another program changed the file and the editor has no unsaved
        changes, Kato writes the file, because it can lack earlier text.
        """
        return self.open_notes.takes(path) and (self.is_unsaved(path) or not is_changed())

    def holds(self, recording: Recording) -> bool:
        """Whether this process holds the recording's note."""
        return any(hold.owner == self._owner for hold in self._ledger.holds(recording.output_path))

    def is_unsaved(self, path: str) -> bool:
        """Whether the editor has changes of this note that are not on disk, or is about to insert text of Kato's."""
        notes = self.open_notes
        return notes.is_dirty(path) or (notes.takes(path) and not notes.is_ready(path))

    def is_held_elsewhere(self, path: str) -> bool:
        """Whether the editor of another process holds the note, so that this process must not write it. The hold of a process that
        ended lasts for `limits.HOLD_GRACE_MS`, because an editor that restarts restores its unsaved text.
        """
        for hold in self._ledger.holds(path):
            if hold.owner == self._owner:
                continue
            if self._is_alive(hold.owner):
                return True
            now = self._now_ms()
            if now < self._take_over_at.setdefault(hold.recording_id, now + limits.HOLD_GRACE_MS):
                return True
            self._take_over(hold)
        return False

    def append(self, recording: Recording, until: Position) -> None:
        """Sends the recording's next piece to the editor, if it can take one now. The caller excludes other processes.

        Raises NoteMissing or PathDenied when the editor shows a note that was removed or that Kato may not write, and WriteFailed
        when the editor refused the text several times.
        """
        path = recording.output_path
        size = self._notebook.writer.state(path).size
        if not self.open_notes.is_ready(path):
            return
        before, blocks = recording, list[bytes]()
        events = self._events(recording.key)
        while not blocks and (recording.seq, recording.line) < until:
            recording, blocks = self._notebook.appending.next_piece(recording, events, until)
        if not blocks:
            self._ledger.put_recording(at_end(recording))
            return
        text = b"".join(blocks).decode()
        if not before.transcript_state and self._ends_in_text(path, size):
            text = "\n" + text  # the first heading of this recording, below existing text
        self._put_hold(before)
        after = recording
        self.open_notes.append(path, text, lambda inserted: self._answered(before, after, inserted))
        if self._refusals[path] >= limits.EDIT_REFUSALS_MAX:
            raise WriteFailed("the editor does not take the text", path)

    def reconcile(self, path: str) -> bool:
        """Moves the recordings of a note back to what its file contains, and releases the hold: called after the editor saved,
        closed or reloaded the note. False if this process did not hold it. Raises NoteMissing. The caller excludes other
        processes.
        """
        mine = [hold for hold in self._ledger.holds(path) if hold.owner == self._owner]
        if not mine:
            return False
        size = self._size_if_needed(path, mine)
        body = self._bodies.pop(path, None)
        for hold in mine:
            recording = self._ledger.recording_by_id(hold.recording_id)
            if recording is not None and size is not None:
                self._reconcile_one(hold, recording, size, body)
            self._ledger.remove_hold(hold.recording_id)
        return True

    def _reconcile_one(
        self, hold: Hold, recording: Recording, size: int, body: tuple[int, int] | None
    ) -> None:
        reached = self._reached(hold, recording, hold.path, size)
        if position_of(reached) < position_of(recording):
            log.info("recording %s goes back to what was saved", hold.recording_id)
            self._ledger.put_recording(_moved_back(recording, reached))
            if hold.file_bytes != size:
                self._on_lost_text(recording)
            body = None
        if hold.file_bytes != size:
            self._notebook.saves.saved(reached, body, before=hold.file_bytes)

    def release(self, path: str) -> None:
        """Releases a note that was written as a whole, so that no text of it is only in an editor."""
        for hold in self._ledger.holds(path):
            self._ledger.remove_hold(hold.recording_id)
        self._bodies.pop(path, None)

    def heartbeat(self) -> None:
        """Takes over the holds of processes that ended, and reconciles notes that could not be reconciled before."""
        for path in {hold.path: None for hold in self._ledger.holds()}:
            if not self.open_notes.is_dirty(path) and not self.is_held_elsewhere(path):
                self.ready(path)

    # --- What the editor reports ------------------------------------------------------------------------

    def ready(self, path: str) -> None:
        """The editor saved, closed or reloaded the note, or can take the next piece."""
        if self.open_notes.takes(path) and not self.open_notes.is_ready(path):
            return  # what the document contains is unknown until the editor answers
        if not self.open_notes.is_dirty(path) and self._ledger.holds(path):
            try:
                with self._ledger.exclusive():
                    self.reconcile(path)
            except KatoError as error:
                log.debug("a note could not be reconciled: %s", error.message)
                return  # the heartbeat tries again; a note that is being renamed is missing for a moment
        for key in {recording.key: None for recording in self._ledger.open_recordings_at(path)}:
            self._flush(key)

    def dirty(self, path: str) -> None:
        """The user began to change the note in the editor: holds it, so that Kato does not write the file."""
        if not self._ledger.open_recordings_at(path):
            return
        with self._ledger.exclusive():
            for recording in self._ledger.open_recordings_at(path):
                self._put_hold(recording)

    def note_moved(self, path: str) -> None:
        """A note, or a folder with notes, was moved to this path: continues this process' holds in it."""
        for hold in self._ledger.holds():
            if paths.is_at_or_in(hold.path, path) and hold.owner == self._owner:
                self.ready(hold.path)

    def opened(self, path: str, text: str, *, is_dirty: bool) -> None:
        """The editor opened a note. An editor that restarts may restore unsaved text, with or without text of Kato's."""
        free = [hold for hold in self._ledger.holds(path) if self._is_free(hold)]
        for hold in free:
            with self._ledger.exclusive():
                self._take_over(hold)
                if is_dirty:
                    self._adopt(hold, text.encode("utf-8", "surrogatepass"))
        if is_dirty:
            self.dirty(path)

    # --- Pieces -----------------------------------------------------------------------------------------

    def _answered(self, before: Recording, after: Recording, inserted: str | None) -> None:
        if inserted is None:
            self._refusals[before.output_path] += 1
            return
        del self._refusals[before.output_path]
        with self._ledger.exclusive():
            now = self._ledger.recording_by_id(before.recording_id)
            if now is None:
                return
            if position_of(now) == position_of(before):
                self._put_hold(now)
                moved = _at(now, after)
                self._ledger.put_recording(at_end(replace(moved, last_write_at=self._now_ms())))
                self._add_to_body(now.output_path, inserted)
        self.ready(now.output_path)

    def _add_to_body(self, path: str, text: str) -> None:
        known = self._ledger.note(path)
        size, crc = self._bodies.get(path) or ((known.body_bytes, known.body_crc32) if known else (0, 0))
        data = text.encode()
        self._bodies[path] = (size + len(data), zlib.crc32(data, crc))

    def _ends_in_text(self, path: str, size: int) -> bool:
        if self.open_notes.is_dirty(path):
            return True
        return size > 0 and self._notebook.writer.read_end(path, 2) != b"\n\n"

    # --- Holds ------------------------------------------------------------------------------------------

    def _put_hold(self, recording: Recording) -> None:
        """Holds a recording's note from the recording's position on, unless it is held already."""
        held = [hold for hold in self._ledger.holds(recording.output_path) if self._is_current(hold)]
        if recording.recording_id not in [hold.recording_id for hold in held]:
            try:
                size = self._notebook.writer.state(recording.output_path).size
            except KatoError:
                size = -1  # no file has this size, so any later file counts as saved
            hold = Hold(
                recording_id=recording.recording_id,
                path=recording.output_path,
                owner=self._owner,
                seq=recording.seq,
                line=recording.line,
                transcript_state=recording.transcript_state,
                file_bytes=size,
            )
            self._ledger.put_hold(hold)

    def _is_current(self, hold: Hold) -> bool:
        return hold.owner == self._owner or self._is_alive(hold.owner)

    def _is_free(self, hold: Hold) -> bool:
        return hold.owner == self._owner or not self._is_alive(hold.owner)

    def _take_over(self, hold: Hold) -> None:
        self._take_over_at.pop(hold.recording_id, None)
        self._ledger.put_hold(replace(hold, owner=self._owner))

    def _adopt(self, hold: Hold, text: bytes) -> None:
        """Moves a recording to the end of the editor's restored text, which may be before or after its position."""
        recording = self._ledger.recording_by_id(hold.recording_id)
        session = None if recording is None else self._ledger.session(recording.key)
        if recording is None or session is None:
            self._ledger.remove_hold(hold.recording_id)
            return
        here = position_of(recording)
        until = max(here, Position(session.event_count)) if recording.active else here
        events = self._events(recording.key)
        reached = self._notebook.saves.reached(recording, hold, events, until, text)
        if position_of(reached) != here:
            self._ledger.put_recording(_moved_back(recording, reached))

    def _reached(self, hold: Hold, recording: Recording, path: str, size: int) -> Recording:
        """The recording at the last text since the hold that the file contains."""
        if position_of(recording) <= (hold.seq, hold.line):
            return recording
        if hold.file_bytes == size:
            # The editor saved nothing of what Kato sent.
            return replace(recording, seq=hold.seq, line=hold.line, transcript_state=hold.transcript_state)
        notebook, events = self._notebook, self._events(recording.key)
        reached = recording
        for length in (limits.HELD_TEXT_BYTES, limits.HELD_TEXT_BYTES_MAX):
            text = notebook.writer.read_end(path, length)
            reached = notebook.saves.reached(recording, hold, events, position_of(recording), text)
            if position_of(reached) >= position_of(recording) or length >= size:
                break
        return reached

    def _size_if_needed(self, path: str, holds: Iterable[Hold]) -> int | None:
        """The file's size in bytes; None if the file is missing and no recording to it is open. Raises NoteMissing."""
        try:
            return self._notebook.writer.state(path).size
        except NoteMissing:
            recordings = [self._ledger.recording_by_id(hold.recording_id) for hold in holds]
            if any(recording is not None and recording.is_open for recording in recordings):
                raise
            return None


def _at(recording: Recording, other: Recording) -> Recording:
    """The recording at another one's position."""
    return replace(recording, seq=other.seq, line=other.line, transcript_state=other.transcript_state)


def _moved_back(recording: Recording, reached: Recording) -> Recording:
    """The recording at an earlier position. A stopped recording is open again, up to its former position."""
    back = _at(recording, reached)
    if recording.is_open or position_of(reached) >= position_of(recording):
        return back
    return replace(back, end_seq=recording.seq, end_line=recording.line)
