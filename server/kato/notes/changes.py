"""What happened to a note since Kato last wrote to it: whether it was changed, and what of Kato's text is missing in it.

    has_changed   size or time of change differ from what Kato remembers; the file is not read
    read          reads the end of a changed note, and renders again what Kato wrote to it since its last look
    restored      the recording at the position from which the note lacks text, or at its own if nothing is missing

Rule: `looks` decides what is missing; it compares lines and reads no file.
"""

import zlib
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from kato.core import limits
from kato.core.errors import PathDenied, WriteFailed
from kato.core.events import SessionKey
from kato.core.ports import NoteLedger
from kato.core.records import NoteRecord, Recording
from kato.notes import frontmatter, looks
from kato.notes.files import NoteWriter
from kato.notes.opening import FileState, NoteMissing
from kato.notes.rendering import Events, Position, moved, position_of, texts
from kato.notes.roots import RootUnavailable
from kato.notes.transcripts import Transcripts


class ChangedNote(NamedTuple):
    """A note that was changed since Kato last wrote to it.

    `text` is its body, or the end of a long one; `end` is the offset in `text` at which Kato's last write ended, if the user
    changed nothing before it. `look` is what Kato remembers, None if that cannot be compared with the text; `pieces` are what
    Kato wrote since the look, each with the position after it.
    """

    known: NoteRecord
    state: FileState
    text: bytes
    end: int
    look: looks.Look | None
    pieces: Sequence[tuple[Position, bytes]]

    @property
    def first_missing(self) -> int | None:
        """The index of the first of the newest pieces that are missing in the text; None if nothing is missing."""
        if self.look is None:
            return None
        count = looks.present(self.look, [piece for _, piece in self.pieces], self.text)
        is_wanted = self.look.restored_from != zlib.crc32(self.text)  # else the user deleted it, again
        return count if count < len(self.pieces) and is_wanted else None

    def is_surplus(self, start: int) -> bool:
        """Whether the text from `start` on is not explained by what Kato remembers."""
        if self.look is None:
            return start >= self.end
        return looks.is_surplus(self.look, [piece for _, piece in self.pieces], self.text, start)


class NoteChanges:
    """Compares notes with what the ledger remembers of them."""

    def __init__(self, writer: NoteWriter, ledger: NoteLedger, transcripts: Transcripts) -> None:
        self._writer = writer
        self._ledger = ledger
        self._transcripts = transcripts
        #: Notes that are as Kato left them: size, time of change.
        self._unchanged: dict[str, tuple[int, int]] = {}

    def has_changed(self, recording: Recording) -> bool:
        """Whether a note was changed since Kato last wrote to it or looked at it. False for a note that is missing or that this
        process may not touch. Raises RootUnavailable when the allowed folder is missing.
        """
        path = recording.output_path
        # Called for every recording at every heartbeat: the write policy takes fifty times as long as this `stat`.
        with suppress(OSError):
            found = Path(path).stat()
            if self._unchanged.get(path) == (found.st_size, found.st_mtime_ns):
                return False
        known = self._ledger.note(path)
        if known is None or not known.look:
            return False
        try:
            state = self._writer.state(path)
        except RootUnavailable:
            raise
        except (PathDenied, WriteFailed):
            return False
        if differs(known, state):
            return True
        if len(self._unchanged) > limits.NOTES_SEEN_MAX:
            self._unchanged.clear()
        self._unchanged[path] = (state.size, state.mtime_ns)
        return False

    def read(self, recording: Recording, events: Events) -> ChangedNote | None:
        """The note as it is now; None if it was not changed since Kato last wrote to it, or is missing."""
        path = recording.output_path
        known = self._ledger.note(path)
        try:
            state = self._writer.state(path)
            if known is None or not differs(known, state):
                return None
            text = self._writer.read_end(path, limits.LOOK_TEXT_BYTES)
        except NoteMissing:
            return None
        offset = state.size - len(text)
        if offset == 0:
            offset = frontmatter.find(text).body_offset
            text = text[offset:]
        look = self.comparable(known, recording)
        pieces = [] if look is None else self._since(look, recording, events)
        return ChangedNote(known, state, text, known.file_bytes - offset, look, pieces)

    def restored(
        self, recording: Recording, changed: ChangedNote, events: Events
    ) -> tuple[Recording, looks.Look]:
        """The recording at the position from which its note has to be written, which is earlier than its own if text is
        missing; and what Kato remembers of the note as it is now.
        """
        first = changed.first_missing
        if changed.look is None or first is None:
            look = self.look_at(recording, changed.text)
            size, mtime_ns, device = changed.state
            self._ledger.put_note(
                replace(changed.known, file_bytes=size, mtime_ns=mtime_ns, device=device, look=look.encode())
            )
            return recording, look
        since = Position(changed.look.seq, changed.look.line)
        to = changed.pieces[first - 1][0] if first else since
        transcript = self._transcripts.resumed(recording.key, changed.look.state, recording.output_path)
        lines = events(after=since.seq, until=to.end)
        deque(texts(transcript, lines, since, to, self._transcripts.fold(recording.key)), maxlen=0)
        recording = moved(recording, to, transcript.state)
        look = self.look_at(recording, changed.text)
        return recording, replace(look, restored_from=zlib.crc32(changed.text))

    def comparable(self, known: NoteRecord | None, recording: Recording) -> looks.Look | None:
        """What Kato remembers of a note's text; None if another recording wrote it, or if Kato would write other lines now
        because the settings or its version changed.
        """
        look = None if known is None else looks.decode(known.look)
        if look is None or (look.recording_id, look.style) != (
            recording.recording_id,
            self._transcripts.style,
        ):
            return None
        start, end = (recording.start_seq, recording.start_line), position_of(recording)
        return look if start <= (look.seq, look.line) <= end else None

    def look_at(self, recording: Recording, text: bytes) -> looks.Look:
        """What Kato remembers of a text that reaches up to the recording's position."""
        return looks.Look(
            recording.recording_id,
            recording.seq,
            recording.line,
            recording.transcript_state,
            looks.context_of(text),
            self._transcripts.style,
        )

    def _since(self, look: looks.Look, recording: Recording, events: Events) -> list[tuple[Position, bytes]]:
        """What the recording wrote since a look, each piece with the position after it."""
        since, until = Position(look.seq, look.line), position_of(recording)
        transcript = self._transcripts.resumed(recording.key, look.state, recording.output_path)
        lines = events(after=since.seq, until=until.end)
        return [
            (min(Position(seq + 1), until), text.encode())
            for seq, text in texts(transcript, lines, since, until, self._transcripts.fold(recording.key))
        ]


def note_record(
    path: str, size: int, crc32: int, state: FileState, key: SessionKey | None, look: bytes = b""
) -> NoteRecord:
    """What is stored about a note after a write: its body's size and checksum, its file's state, and who wrote it."""
    return NoteRecord(path, size, crc32, state.size, state.mtime_ns, state.device, key, look)


def differs(known: NoteRecord, state: FileState) -> bool:
    """Whether a file is not as Kato left it. The record of an early version of Kato has no time of change."""
    return state.size != known.file_bytes or known.mtime_ns not in (None, state.mtime_ns)
