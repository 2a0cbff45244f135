"""Notes that are open in an editor: appended to through the editor, so that the user's unsaved changes and Kato's text
never compete for the file.

    hold     the editor has changes that are not on disk: only the process that speaks to it may bring the note on
    append   a piece to the editor ─► the editor confirms ─► the recording's position moves; one piece at a time
    settle   saved, closed or reloaded: what of the text since the hold is not in the file is owed to the note again

Rules: a hold is in the ledger before its first piece leaves, so that no crash and no other window loses or repeats text;
the note on disk is the user's while an editor holds it: it is read, never written.
"""

import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec.structs import replace

from kato.core import limits, paths
from kato.core.errors import KatoError, WriteFailed
from kato.core.events import SessionKey
from kato.core.records import Hold, NoteRecord, Recording, SessionRecord
from kato.notes.files import NoteMissing
from kato.notes.notebook import NoteBook
from kato.notes.rendering import Events, Position

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
        """Has the editor put a text at the end, on a line of its own; `done` gets what was put there, None if nothing was."""
        ...


class NoEditor:
    """Where no editor is: every note is a file."""

    def takes(self, path: str) -> bool:
        """No."""
        del path
        return False

    is_dirty = takes
    is_ready = takes

    def append(self, path: str, text: str, done: Callable[[str | None], None]) -> None:
        """Nothing takes it."""
        del path, text
        done(None)


class Ledger(Protocol):
    """What the ledger keeps of held notes and their recordings."""

    def holds(self, path: str | None = None) -> list[Hold]: ...  # noqa: D102
    def put_hold(self, hold: Hold) -> None: ...  # noqa: D102
    def remove_hold(self, recording_id: str) -> None: ...  # noqa: D102
    def recording_by_id(self, recording_id: str) -> Recording | None: ...  # noqa: D102
    def open_recordings_at(self, path: str) -> list[Recording]: ...  # noqa: D102
    def put_recording(self, recording: Recording) -> None: ...  # noqa: D102
    def session(self, key: SessionKey) -> SessionRecord | None: ...  # noqa: D102
    def note(self, path: str) -> NoteRecord | None: ...  # noqa: D102
    def put_note(self, note: NoteRecord) -> None: ...  # noqa: D102
    def exclusive(self) -> AbstractContextManager[None]: ...  # noqa: D102


def at_end(recording: Recording) -> Recording:
    """The recording; one that was stopped and has reached its end owes its note nothing any more."""
    if recording.end_seq is None or (recording.seq, recording.line) < (recording.end_seq, recording.end_line):
        return recording
    return replace(recording, end_seq=None, end_line=0)


class HeldNotes:
    """See the module. `owner` names this process in holds, `is_alive` says whether the process of an owner still runs;
    `events` reads a session's events, `flush` brings a session's notes up to date, `repaired` reports that a save left out
    text which Kato writes again; `now_ms` is the only clock.
    """

    def __init__(
        self,
        ledger: Ledger,
        notebook: NoteBook,
        *,
        owner: Callable[[], str],
        is_alive: Callable[[str], bool],
        events: Callable[[SessionKey], Events],
        flush: Callable[[SessionKey], None],
        repaired: Callable[[Recording], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.open_notes: OpenNotes = NoEditor()
        self._ledger = ledger
        self._notebook = notebook
        self._owner = owner
        self._is_alive = is_alive
        self._events = events
        self._flush = flush
        self._repaired = repaired
        self._now_ms = now_ms
        self._refusals: Counter[str] = Counter()
        self._deserted: dict[str, int] = {}  # holds of processes that are gone: when they may be taken over
        #: By path: length and CRC-32 of a note's body once the editor saved it.
        self._bodies: dict[str, tuple[int, int]] = {}

    # --- What the engine asks ---------------------------------------------------------------------------

    def takes(self, path: str, *, is_changed: Callable[[], bool]) -> bool:
        """Whether what is appended to this note goes through the editor. A file that something else changed is written on
        disk if the editor has nothing unsaved, for it can lack what was written before.
        """
        return self.open_notes.takes(path) and (self.is_unsaved(path) or not is_changed())

    def holds(self, recording: Recording) -> bool:
        """Whether this process holds the recording's note."""
        return any(hold.owner == self._owner() for hold in self._ledger.holds(recording.output_path))

    def is_unsaved(self, path: str) -> bool:
        """Whether the editor has, or is just getting, changes of this note that are not on disk."""
        notes = self.open_notes
        return notes.is_dirty(path) or (notes.takes(path) and not notes.is_ready(path))

    def is_elsewhere(self, path: str) -> bool:
        """Whether the note must not be written now: the editor of another process holds it. One of a process that is gone is
        waited for a moment, for an editor that starts again brings its unsaved text back.
        """
        for hold in self._ledger.holds(path):
            if hold.owner == self._owner():
                continue
            if self._is_alive(hold.owner):
                return True
            now = self._now_ms()
            if now < self._deserted.setdefault(hold.recording_id, now + limits.HOLD_GRACE_MS):
                return True
            self._take_over(hold)
        return False

    def append(self, recording: Recording, until: Position) -> None:
        """Hands the recording's next piece to the editor, if it can take one now. The caller is alone over all processes.

        Raises NoteMissing or PathDenied: an editor may still show a note that is gone, or must not be written; and
        WriteFailed when the editor refused it several times.
        """
        path = recording.output_path
        size = self._notebook.writer.state(path).size
        if not self.open_notes.is_ready(path):
            return
        before, blocks = recording, list[bytes]()
        events = self._events(recording.key)
        while not blocks and (recording.seq, recording.line) < until:
            recording, blocks = self._notebook.next_piece(recording, events, until)
        if not blocks:
            self._ledger.put_recording(at_end(recording))
            return
        text = b"".join(blocks).decode()
        if not before.transcript_state and self._ends_in_text(path, size):
            text = "\n" + text  # the first heading of this recording, below text that stands there already
        self._hold(before)
        after = recording
        self.open_notes.append(path, text, lambda put: self._answered(before, after, put))
        if self._refusals[path] >= limits.EDIT_REFUSALS_MAX:
            raise WriteFailed("the editor does not take the text", path)

    def settle(self, path: str) -> bool:
        """After the editor saved, closed or reloaded a note: text since the hold that is not in the file is owed to it again.
        False if this process did not hold it. Raises NoteMissing. The caller is alone over all processes.
        """
        mine = [hold for hold in self._ledger.holds(path) if hold.owner == self._owner()]
        if not mine:
            return False
        size = self._size_if_needed(path, mine)
        body = self._bodies.pop(path, None)
        for hold in mine:
            recording = self._ledger.recording_by_id(hold.recording_id)
            if recording is not None and size is not None:
                self._settle_one(hold, recording, size, body)
            self._ledger.remove_hold(hold.recording_id)
        return True

    def _settle_one(self, hold: Hold, recording: Recording, size: int, body: tuple[int, int] | None) -> None:
        reached = self._reached(hold, recording, hold.path, size)
        if _position(reached) < _position(recording):
            log.info("recording %s goes back to what was saved", hold.recording_id)
            self._ledger.put_recording(_owing(recording, reached))
            if hold.file_bytes != size:
                self._repaired(recording)
            body = None
        if hold.file_bytes != size:
            self._notebook.saved(reached, body, before=hold.file_bytes)

    def replaced(self, path: str) -> None:
        """The note was written as a whole: nothing of it is in an editor alone."""
        for hold in self._ledger.holds(path):
            self._ledger.remove_hold(hold.recording_id)
        self._bodies.pop(path, None)

    def beat(self) -> None:
        """Takes over what processes that are gone held, and settles what could not be settled before."""
        for path in {hold.path: None for hold in self._ledger.holds()}:
            if not self.open_notes.is_dirty(path) and not self.is_elsewhere(path):
                self.ready(path)

    # --- What the editor reports ------------------------------------------------------------------------

    def ready(self, path: str) -> None:
        """Editor and file say the same, or the editor can take the next piece."""
        if self.open_notes.takes(path) and not self.open_notes.is_ready(path):
            return  # what is in the note is not known before the editor answered
        if not self.open_notes.is_dirty(path) and self._ledger.holds(path):
            try:
                with self._ledger.exclusive():
                    self.settle(path)
            except KatoError as error:
                log.debug("a note could not be settled: %s", error.message)
                return  # at the heartbeat; a note that is being renamed is not there for a moment
        for key in {recording.key: None for recording in self._ledger.open_recordings_at(path)}:
            self._flush(key)

    def dirty(self, path: str) -> None:
        """The user began to change the note: from here on the file is left alone."""
        if not self._ledger.open_recordings_at(path):
            return
        with self._ledger.exclusive():
            for recording in self._ledger.open_recordings_at(path):
                self._hold(recording)

    def moved(self, path: str) -> None:
        """A note, or a folder with notes, lies here now: what an editor held goes on, at its new place."""
        for hold in self._ledger.holds():
            if paths.is_at_or_in(hold.path, path) and hold.owner == self._owner():
                self.ready(hold.path)

    def opened(self, path: str, text: str, *, is_dirty: bool) -> None:
        """The editor opened a note. One that starts again may bring back unsaved text, with or without pieces of Kato's."""
        free = [hold for hold in self._ledger.holds(path) if self._is_free(hold)]
        for hold in free:
            with self._ledger.exclusive():
                self._take_over(hold)
                if is_dirty:
                    self._adopt(hold, text.encode("utf-8", "surrogatepass"))
        if is_dirty:
            self.dirty(path)

    # --- Pieces -----------------------------------------------------------------------------------------

    def _answered(self, before: Recording, after: Recording, put: str | None) -> None:
        if put is None:
            self._refusals[before.output_path] += 1
            return
        del self._refusals[before.output_path]
        with self._ledger.exclusive():
            now = self._ledger.recording_by_id(before.recording_id)
            if now is None:
                return
            if _position(now) == _position(before):
                self._hold(now)
                moved = _at(now, after)
                self._ledger.put_recording(at_end(replace(moved, last_write_at=self._now_ms())))
                self._add_to_body(now.output_path, put)
        self.ready(now.output_path)

    def _add_to_body(self, path: str, put: str) -> None:
        known = self._ledger.note(path)
        size, crc = self._bodies.get(path) or ((known.body_bytes, known.body_crc32) if known else (0, 0))
        data = put.encode()
        self._bodies[path] = (size + len(data), zlib.crc32(data, crc))

    def _ends_in_text(self, path: str, size: int) -> bool:
        if self.open_notes.is_dirty(path):
            return True
        return size > 0 and self._notebook.writer.read_end(path, 2) != b"\n\n"

    # --- Holds ------------------------------------------------------------------------------------------

    def _hold(self, recording: Recording) -> None:
        """Holds a recording at its position, unless it is held already."""
        held = [hold for hold in self._ledger.holds(recording.output_path) if self._is_current(hold)]
        if recording.recording_id not in [hold.recording_id for hold in held]:
            try:
                size = self._notebook.writer.state(recording.output_path).size
            except KatoError:
                size = -1  # whatever is there later, it was saved since
            hold = Hold(
                recording_id=recording.recording_id,
                path=recording.output_path,
                owner=self._owner(),
                seq=recording.seq,
                line=recording.line,
                transcript_state=recording.transcript_state,
                file_bytes=size,
            )
            self._ledger.put_hold(hold)

    def _is_current(self, hold: Hold) -> bool:
        return hold.owner == self._owner() or self._is_alive(hold.owner)

    def _is_free(self, hold: Hold) -> bool:
        return hold.owner == self._owner() or not self._is_alive(hold.owner)

    def _take_over(self, hold: Hold) -> None:
        self._deserted.pop(hold.recording_id, None)
        self._ledger.put_hold(replace(hold, owner=self._owner()))

    def _adopt(self, hold: Hold, text: bytes) -> None:
        """Moves a recording to where the editor's restored text ends, which may be before or after its position."""
        recording = self._ledger.recording_by_id(hold.recording_id)
        session = None if recording is None else self._ledger.session(recording.key)
        if recording is None or session is None:
            self._ledger.remove_hold(hold.recording_id)
            return
        here = _position(recording)
        until = max(here, Position(session.event_count)) if recording.active else here
        events = self._events(recording.key)
        reached = self._notebook.reached(recording, hold, events, until, text)
        if _position(reached) != here:
            self._ledger.put_recording(_owing(recording, reached))

    def _reached(self, hold: Hold, recording: Recording, path: str, size: int) -> Recording:
        """How far the file holds the text since the hold."""
        if _position(recording) <= (hold.seq, hold.line):
            return recording
        if hold.file_bytes == size:
            # Nothing of what the editor was given was saved.
            return replace(recording, seq=hold.seq, line=hold.line, transcript_state=hold.transcript_state)
        notebook, events = self._notebook, self._events(recording.key)
        reached = recording
        for length in (limits.HELD_TEXT_BYTES, limits.HELD_TEXT_BYTES_MAX):
            text = notebook.writer.read_end(path, length)
            reached = notebook.reached(recording, hold, events, _position(recording), text)
            if _position(reached) >= _position(recording) or length >= size:
                break
        return reached

    def _size_if_needed(self, path: str, holds: Iterable[Hold]) -> int | None:
        """The file's size; None if it is gone and no recording wants it any more. Raises NoteMissing."""
        try:
            return self._notebook.writer.state(path).size
        except NoteMissing:
            recordings = [self._ledger.recording_by_id(hold.recording_id) for hold in holds]
            if any(recording is not None and recording.is_open for recording in recordings):
                raise
            return None


def _position(recording: Recording) -> Position:
    return Position(recording.seq, recording.line)


def _at(recording: Recording, place: Recording) -> Recording:
    return replace(recording, seq=place.seq, line=place.line, transcript_state=place.transcript_state)


def _owing(recording: Recording, reached: Recording) -> Recording:
    """The recording back at what was reached; one that was stopped owes its note the rest."""
    back = _at(recording, reached)
    if recording.is_open or _position(reached) >= _position(recording):
        return back
    return replace(back, end_seq=recording.seq, end_line=recording.line)
