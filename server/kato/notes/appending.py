"""Appends a recording's next pieces to its note, after restoring what the note lacks.

    append   has the note changed? then see what is missing (`changes`) and go back to there ─► render the next piece ─►
             is a part of it there from a write that was not remembered? ─► write the rest at the end ─► remember it

Rule: what was written before a crash and not remembered is found again in the file and not repeated.
"""

import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate

from msgspec.structs import replace

from kato.core import limits
from kato.core.ports import NoteLedger
from kato.core.records import Recording
from kato.notes import looks
from kato.notes.changes import ChangedNote, NoteChanges, note_record
from kato.notes.files import NoteWriter
from kato.notes.opening import FileState, NoteMissing
from kato.notes.rendering import Events, Position, moved, next_blocks, position_of
from kato.notes.transcripts import Transcripts


class Appending:
    """See the module. `now_ms` is the clock, in milliseconds since 1970."""

    def __init__(
        self,
        writer: NoteWriter,
        ledger: NoteLedger,
        transcripts: Transcripts,
        changes: NoteChanges,
        now_ms: Callable[[], int],
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._transcripts = transcripts
        self._changes = changes
        self._now_ms = now_ms
        #: Called after the missing end of a note was written again.
        self.repaired: Callable[[Recording], None] = lambda _: None

    def append(self, recording: Recording, events: Events, until: Position) -> Iterator[Recording]:
        """Brings a recording's note up to `until`, piece by piece, after restoring what the note lacks before the recording's
        position. Yields the recording after each piece, never at an earlier position than it had.

        Writes nothing while an editor saves the note. No other process may write meanwhile, and the caller must store each recording before it asks for the next one.
        Raises NoteMissing.
        """
        reached = position_of(recording)
        if reached >= until and not self._changes.has_changed(recording):
            return
        look = None
        changed = self._changes.read(recording, events)
        if changed is not None and self._is_being_saved(changed.state):
            return
        if changed is not None:
            recording, look = self._changes.restored(recording, changed, events)
        is_restoring = position_of(recording) < reached
        while position_of(recording) < max(reached, until):
            is_new = position_of(recording) >= reached
            after, blocks = self.next_piece(recording, events, until if is_new else reached)
            if blocks:
                try:
                    self._append_blocks(recording, after, blocks, changed, look, is_new=is_new)
                except NoteMissing:
                    known = self._ledger.note(recording.output_path)
                    self._writer.refuse_emptied_mount(
                        recording.output_path, None if known is None else known.device
                    )
                    raise
                changed = look = None
            recording = after
            if position_of(recording) >= reached:
                if is_restoring:
                    is_restoring = False
                    self.repaired(recording)
                yield recording

    def _is_being_saved(self, state: FileState) -> bool:
        """Whether an editor is about to write the note: one that saves in place empties the file first."""
        age_ms = self._now_ms() - state.mtime_ns // 1_000_000
        return state.size == 0 and 0 <= age_ms < limits.NOTE_SAVING_MS

    def next_piece(
        self, recording: Recording, events: Events, until: Position
    ) -> tuple[Recording, list[bytes]]:
        """The next piece of a bounded size, in blocks, and the recording with its position after that piece."""
        transcript = self._transcripts.resumed(
            recording.key, recording.transcript_state, recording.output_path
        )
        since = position_of(recording)
        end, blocks = next_blocks(transcript, events, since, until, self._transcripts.fold(recording.key))
        recording = moved(recording, end, transcript.state)
        return replace(recording, last_write_at=self._now_ms()) if blocks else recording, blocks

    def _append_blocks(
        self,
        recording: Recording,
        after: Recording,
        blocks: list[bytes],
        changed: ChangedNote | None,
        look: looks.Look | None,
        *,
        is_new: bool,
    ) -> None:
        """Writes the blocks from the recording's position to that of `after` at the end of the note, and remembers the note."""
        path, data = recording.output_path, b"".join(blocks)
        known = self._ledger.note(path)
        look = look or self._changes.comparable(known, recording)
        if look is None:
            look = self._changes.look_at(recording, self._end_of(path))
        if not recording.transcript_state and not self._ends_in_blank_line(path):
            data = b"\n" + data  # the first heading of this recording, below text that is there already
        missing, continues_line = data, False
        cut = None if changed is None else self._written_before(changed, blocks)
        if changed is not None and cut is not None:
            start, length = cut
            missing = data.lstrip(b"\n")[length:]
            continues_line = start + length == len(changed.text)
            look = self._changes.look_at(recording, changed.text[:start])
        if missing:
            state = self._writer.append(path, missing, continues_line=continues_line).state
        else:
            state = self._writer.state(path)
        body_bytes, body_crc = (0, 0) if known is None else (known.body_bytes, known.body_crc32)
        if is_new:
            body_bytes, body_crc = body_bytes + len(data), zlib.crc32(data, body_crc)
        look = replace(look, written_bytes=look.written_bytes + len(data))
        if look.written_bytes > limits.LOOK_WRITTEN_BYTES_MAX:
            look = self._changes.look_at(after, self._end_of(path))
        self._ledger.put_note(note_record(path, body_bytes, body_crc, state, recording.key, look.encode()))

    def _ends_in_blank_line(self, path: str) -> bool:
        return self._writer.read_end(path, 2) in (b"", b"\n\n")

    def _end_of(self, path: str) -> bytes:
        return self._writer.read_end(path, limits.LOOK_CONTEXT_BYTES)

    @staticmethod
    def _written_before(changed: ChangedNote, blocks: list[bytes]) -> tuple[int, int] | None:
        """Offset and length, in bytes, of a first part of these blocks that is in the note from a write that was not remembered."""
        data = b"".join(blocks).lstrip(b"\n")
        skipped = sum(map(len, blocks)) - len(data)
        ends = [end - skipped for end in accumulate(map(len, blocks)) if end > skipped]
        found = looks.written_before(changed.text, changed.end, data, ends)
        return next((cut for cut in found if changed.is_surplus(cut[0])), None)
