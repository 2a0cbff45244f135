"""What an editor saved of a note that Kato appended to through it: how far the text reaches, and what is remembered of it."""

import re
from typing import Final

from msgspec.structs import replace

from kato.core import limits
from kato.core.ports import NoteLedger
from kato.core.records import Hold, Recording
from kato.notes.changes import NoteChanges, note_record
from kato.notes.files import NoteWriter
from kato.notes.rendering import Events, Position, moved, texts
from kato.notes.transcripts import Transcripts


class Saves:
    """Compares what an editor saved with what Kato sent to it."""

    def __init__(
        self, writer: NoteWriter, ledger: NoteLedger, transcripts: Transcripts, changes: NoteChanges
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._transcripts = transcripts
        self._changes = changes

    def reached(
        self, recording: Recording, since: Hold, events: Events, until: Position, text: bytes
    ) -> Recording:
        """The recording at the end of the last block between `since` and `until` that `text` contains.

        Compares letters and digits only, because an editor may format what it saves.
        """
        there = _letters(text)
        transcript = self._transcripts.resumed(recording.key, since.transcript_state)
        begin = Position(since.seq, since.line)
        found, state, at, is_behind = begin, since.transcript_state, 0, False
        end = until.end
        blocks = texts(
            transcript,
            events(after=begin.seq, until=end),
            begin,
            until,
            self._transcripts.fold(recording.key),
        )
        for seq, block in blocks:
            words = _letters(block.encode())
            where = there.find(words, at)
            is_behind = is_behind or where < 0
            if words and where >= 0:
                found, state, is_behind = min(Position(seq + 1), until), transcript.state, False
                at = where + len(words)
        if not is_behind:
            found, state = max(found, until), transcript.state
        return moved(recording, found, state)

    def saved(self, recording: Recording, body: tuple[int, int] | None, *, before: int) -> None:
        """Remembers a note as an editor saved it; the recording is at the position that the note reaches. `body` is the length in
        bytes and the CRC-32 of its text if the editor only appended what Kato sent, else None; `before` is the file's earlier
        size in bytes.
        """
        path = recording.output_path
        known, state = self._ledger.note(path), self._writer.state(path)
        old_bytes, old_crc = (0, 0) if known is None else (known.body_bytes, known.body_crc32)
        added = 0 if body is None else body[0] - old_bytes
        look = self._changes.comparable(known, recording) if state.size == before + added > before else None
        if look is None or look.written_bytes + added > limits.LOOK_WRITTEN_BYTES_MAX:
            # The text that is there now is the user's to change.
            look = self._changes.look_at(recording, self._writer.read_end(path, limits.LOOK_CONTEXT_BYTES))
        else:
            look = replace(look, written_bytes=look.written_bytes + added)
        size, crc = (old_bytes, old_crc) if body is None else body
        self._ledger.put_note(note_record(path, size, crc, state, recording.key, look.encode()))


_NO_LETTERS: Final = re.compile(rb"[^0-9A-Za-z\x80-\xff]+")


def _letters(text: bytes) -> bytes:
    """The letters and digits of a text. Every byte of a character beyond ASCII counts as a letter."""
    return _NO_LETTERS.sub(b"", text)
