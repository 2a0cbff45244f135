"""Conversations to files: a whole note, or the next piece of one that is being recorded.

    whole note   render to a spool ─► inspect the file ─► keep, adopt or back up what is there ─► temporary file ─►
                 (alone over all processes) rename, remember what was written
    next piece   render from the recording's position ─► compare the file's size with what was last written ─►
                 append what is not there yet ─► remember

Rules: rendering streams, however long the conversation is; nothing of the user's is replaced without a copy; what was
written before a crash but not remembered is found again in the file, so that nothing stands there twice.
"""

import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import tzinfo
from pathlib import Path, PurePath
from typing import IO, Final, NamedTuple, Protocol

from kato import frontmatter, limits, paths
from kato.errors import KatoError, WriteFailed
from kato.model import (
    Hold,
    NoteRecord,
    Recording,
    SessionKey,
    SessionRecord,
    ToolResult,
    UserMessage,
)
from kato.transcript import MarkdownOptions, Transcript
from kato.writer import NoteFile, NoteMissing, NoteWriter

#: Bodies up to this size are rendered in memory, longer ones in an unlinked file of the state directory.
_SPOOL_BYTES: Final = 4 * limits.MIB


class Position(NamedTuple):
    """A place in a conversation: after `seq` whole events and the first `line` lines of the next."""

    seq: int
    line: int = 0


BEGINNING: Final = Position(0)
#: Sub-agents start sub-agents: so deep they are folded into each other.
_FOLD_DEPTH_MAX: Final = 4


class Events(Protocol):
    """Reads a session's events in order."""

    def __call__(self, *, after: int, until: int) -> Iterator[tuple[int, bytes]]:
        """The lines from number `after` to before `until`, in pieces of whole lines with the number of their first."""
        ...


class SubAgent(NamedTuple):
    """A sub-agent's session, to be folded under the call that started it."""

    key: SessionKey
    title: str
    events: Iterable[tuple[int, bytes]]


#: The sub-agents that a tool call of a session started.
SubAgents = Callable[[SessionKey, str], Iterable[SubAgent]]
#: What follows a tool's result: the sub-agents of its call.
Fold = Callable[[Transcript, ToolResult], str]


class Notes(Protocol):
    """Where it is remembered what was last written to a file."""

    def note(self, path: str) -> NoteRecord | None:
        """None for a file that Kato never wrote."""
        ...

    def put_note(self, note: NoteRecord) -> None:
        """Replaces what is remembered."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Alone over all processes."""
        ...


class Whole(NamedTuple):
    """A note that was written: how many events went into it, and the renderer's state at its end."""

    events: int
    backup_path: str | None
    transcript_state: bytes


class NoteBook:
    """Writes notes. `now_ms` and `random_bytes` give times and ids; `sub_agents` is asked if the options want them."""

    def __init__(
        self,
        writer: NoteWriter,
        notes: Notes,
        *,
        spool_dir: Path,
        options: MarkdownOptions,
        tz: tzinfo,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.writer = writer
        self.options = options
        self.tz = tz
        self._notes = notes
        self._spool_dir = spool_dir
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self.sub_agents: SubAgents | None = None
        #: Told while a whole note is written: events done, events in all.
        self.progress: Callable[[int, int], None] = lambda _done, _total: None

    def create_if_missing(self, path: str, session: SessionRecord, recording_id: str | None) -> None:
        """A new note without a body; a file that is there stays as it is."""
        if self.writer.inspect(path).exists:
            return
        head = self._head(path, None, session, (), recording_id, 0)
        with self.writer.prepare(path, [head]) as prepared, self._notes.exclusive():
            if self.writer.inspect(path).exists:
                return
            written = prepared.commit(backup=False)
            self._notes.put_note(NoteRecord(path, 0, 0, written.size))

    def write_markdown(
        self,
        path: str,
        session: SessionRecord,
        events: Events,
        until: Position,
        *,
        recording_id: str | None = None,
        remember: Callable[[Whole], None] | None = None,
    ) -> Whole:
        """The conversation up to `until` as the whole body of the note at `path`.

        `remember` is called with the result while nobody else writes, after the file is in its place.
        """
        transcript = Transcript(self.options, self.tz)
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, dir=str(self._spool_dir)) as spool:
            crc = size = 0
            fold = self.fold(session.key)
            end = until.seq + (until.line > 0)
            for piece in render(transcript, events(after=0, until=end), BEGINNING, until, fold):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                spool.write(piece)
                self.progress(transcript.fed, end)
            missing = end - transcript.fed
            there = self.writer.inspect(path)
            head = self._head(path, there, session, transcript.speakers, recording_id, missing)
            with self.writer.prepare(path, _pieces(head, spool)) as prepared, self._notes.exclusive():
                there = self.writer.inspect(path)
                theirs = self._is_theirs(path, there, size, crc)
                written = prepared.commit(backup=theirs)
                self._notes.put_note(NoteRecord(path, size, crc, written.size))
                whole = Whole(transcript.fed, written.backup_path, transcript.state)
                if remember is not None:
                    remember(whole)
        return whole

    def write_jsonl(self, path: str, events: Events, until: Position) -> Whole:
        """The events up to and including that of `until`, one a line."""
        count = crc = size = 0
        end = until.seq + (until.line > 0)

        def pieces() -> Iterator[bytes]:
            nonlocal count, crc, size
            for _, piece in events(after=0, until=end):
                count += piece.count(b"\n")
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                self.progress(count, end)
                yield piece

        with self.writer.prepare(path, pieces()) as prepared, self._notes.exclusive():
            there = self.writer.inspect(path)
            written = prepared.commit(backup=self._is_theirs(path, there, size, crc))
            self._notes.put_note(NoteRecord(path, size, crc, written.size))
        return Whole(count, written.backup_path, b"")

    def append(self, recording: Recording, events: Events, until: Position) -> Iterator[Recording]:
        """Brings a recording's file up to `until`, in pieces; yields the recording as it stands after each.

        The caller holds the right to write and stores what is yielded before it asks for more.
        """
        while (recording.seq, recording.line) < until:
            moved, blocks = self.next_piece(recording, events, until)
            if blocks:
                self._append_blocks(recording, blocks)
            recording = moved
            yield recording

    def next_piece(
        self, recording: Recording, events: Events, until: Position
    ) -> tuple[Recording, list[bytes]]:
        """The next bounded piece of a recording, in blocks, and the recording as it stands after it."""
        transcript = Transcript(self.options, self.tz, recording.transcript_state)
        since = Position(recording.seq, recording.line)
        end, blocks = _next_blocks(transcript, events, since, until, self.fold(recording.key))
        return _moved(recording, end, transcript.state, self._now_ms() if blocks else None), blocks

    def reached(
        self, recording: Recording, since: Hold, events: Events, until: Position, text: bytes
    ) -> Recording:
        """The recording as far as `text` holds it: after the last block from `since` to `until` that is in it.

        Compares letters and digits alone, for the user's editor may format what it saves.
        """
        there = _letters(text)
        transcript = Transcript(self.options, self.tz, since.transcript_state)
        begin = Position(since.seq, since.line)
        found, state, at, is_behind = begin, since.transcript_state, 0, False
        end = until.seq + (until.line > 0)
        blocks = _texts(
            transcript, events(after=begin.seq, until=end), begin, until, self.fold(recording.key)
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
        return _moved(recording, found, state, None)

    def is_there(self, recording: Recording) -> bool:
        """Whether the recording's note is on disk, or something in its place."""
        try:
            self.writer.size(recording.output_path)
        except NoteMissing:
            return False
        except KatoError:
            return True
        return True

    def find_moved(self, recording: Recording) -> str | None:
        """Where a recording's note lies that was renamed in its folder: the note whose frontmatter names the recording, of
        several the one that was changed last.
        """
        folder = PurePath(recording.output_path).parent
        for path, head in self.writer.heads(str(folder)):
            if recording.recording_id in (frontmatter.find(head).yaml or ""):
                return path
        return None

    def _append_blocks(self, recording: Recording, blocks: list[bytes]) -> None:
        path = recording.output_path
        data = b"".join(blocks)
        known = self._notes.note(path)
        size = self.writer.size(path)
        body_bytes, body_crc = (0, 0) if known is None else (known.body_bytes, known.body_crc32)
        if not recording.transcript_state and size and self.writer.read_range(path, size - 2, 2) != b"\n\n":
            data = b"\n" + data  # the first heading of this recording, below text that stands there already
        missing = data
        if known is None or size != known.file_bytes:
            missing = data[self._already_there(path, size, known, blocks, data) :]
        if missing:
            size = self.writer.append(path, missing).size
        self._notes.put_note(NoteRecord(path, body_bytes + len(data), zlib.crc32(data, body_crc), size))

    def _already_there(
        self, path: str, size: int, known: NoteRecord | None, blocks: list[bytes], data: bytes
    ) -> int:
        """How many bytes of `data` the file got from a write that was cut off before it was remembered."""
        if known is None or size <= 0:
            return 0
        grown = size - known.file_bytes
        if grown > 0:
            tail = self.writer.read_range(path, known.file_bytes, min(grown, len(data)))
            if data.startswith(tail) and (grown <= len(data) or len(tail) == len(data)):
                return len(tail)
        # The user edited the file as well: what is already there can still be seen at its end.
        end = self.writer.read_range(path, max(0, size - len(data)), len(data))
        lengths, total = [], 0
        for block in blocks:
            total += len(block)
            lengths.append(total)
        offset = len(data) - total
        for length in reversed(lengths):
            if end.endswith(data[: offset + length]):
                return offset + length
        return 0

    def _is_theirs(self, path: str, there: NoteFile, size: int, crc: int) -> bool:
        """True when the file holds text that Kato did not write, or that was changed since."""
        if not there.exists or there.body_is_empty:
            return False
        ours = self._notes.note(path)
        body = (there.body_bytes, there.body_crc32)
        return body != (size, crc) and (ours is None or body != (ours.body_bytes, ours.body_crc32))

    def _title(self, path: str, session: SessionRecord) -> str:
        """From the file's name where the user gave one, else what the conversation is about."""
        about = session.title or session.snippet
        if about is not None and PurePath(path).name == self.default_file_name(session):
            return about
        return paths.title_from_filename(path) or about or "Conversation"

    def fold(self, key: SessionKey, depth: int = 0) -> Fold | None:
        """Renders the sub-agents of a session's calls, and theirs; None if they are not wanted."""
        find = self.sub_agents
        if find is None or not self.options.include_sub_agents or depth == _FOLD_DEPTH_MAX:
            return None

        def folded(transcript: Transcript, result: ToolResult) -> str:
            text = ""
            for agent in find(key, result.tool_call_id):
                inner = Transcript(self.options, self.tz, level=3)
                pieces, size = [], 0
                for piece in render(inner, agent.events, BEGINNING, None, self.fold(agent.key, depth + 1)):
                    pieces.append(piece)
                    size += len(piece)
                    if size > limits.RENDERED_BYTES_MAX:
                        break
                text += transcript.fold(result, agent.title, b"".join(pieces).decode())
            return text

        return folded

    def default_file_name(self, session: SessionRecord) -> str:
        """The name of a note for which the user gave none."""
        about = session.title or session.snippet
        return paths.default_file_name(about, when_ms=session.created_at, tz=self.tz, key=session.key)

    def _head(
        self,
        path: str,
        there: NoteFile | None,
        session: SessionRecord,
        speakers: Iterable[str],
        recording_id: str | None,
        missing: int,
    ) -> bytes:
        now = self._now_ms()
        fields = frontmatter.NoteFields(
            id=frontmatter.make_id(self._random_bytes(32)),
            title=self._title(path, session),
            updated=now,
            created=now,
            provider=session.key.provider,
            session_id=session.key.session_id,
            participants=tuple(speakers),
            tags=("kato",),
            recording_ids=() if recording_id is None else (recording_id,),
            truncated_events=missing,
        )
        if there is not None and there.frontmatter is not None:
            try:
                return frontmatter.adopt(there.frontmatter, fields).encode()
            except frontmatter.FrontmatterInvalid as error:
                raise WriteFailed(f"the note's frontmatter cannot be kept: {error}", path) from error
        if not self.options.include_frontmatter:
            return b""
        return frontmatter.new(fields).encode()


def render(
    transcript: Transcript,
    events: Iterable[tuple[int, bytes]],
    since: Position,
    until: Position | None,
    fold: Fold | None = None,
) -> Iterator[bytes]:
    """The Markdown of these events in pieces of a bounded size, cut at both ends where a line says so."""
    return _joined(_texts(transcript, events, since, until, fold))


def _texts(
    transcript: Transcript,
    events: Iterable[tuple[int, bytes]],
    since: Position,
    until: Position | None,
    fold: Fold | None,
) -> Iterator[tuple[int, str]]:
    """The texts that events gave, each with its event's number; most events of a session give none."""
    read, feed = transcript.read, transcript.feed
    first = since.seq if since.line else -1
    last = until.seq if until is not None and until.line else -1
    cut = {first, last}
    for start, lines in events:
        for seq, event in enumerate(read(lines), start):
            if type(event) is UserMessage and seq in cut:
                after = since.line if seq == first else 0
                through = until.line if until is not None and seq == last else None
                text = feed(event, after_line=after, through_line=through)
            else:
                text = feed(event)
            if fold is not None and type(event) is ToolResult:
                text += fold(transcript, event)
            if text:
                yield seq, text


def _next_blocks(
    transcript: Transcript, events: Events, since: Position, until: Position, fold: Fold | None
) -> tuple[Position, list[bytes]]:
    blocks: list[bytes] = []
    size = 0
    end = until.seq + (until.line > 0)
    for seq, text in _texts(transcript, events(after=since.seq, until=end), since, until, fold):
        blocks.append(text.encode())
        size += len(blocks[-1])
        if size >= limits.WRITE_PIECE_BYTES:
            return min(Position(seq + 1), until), blocks
    # What could not be read (dropped from memory, without a journal) is passed over, not waited for.
    return max(since, until), blocks


_NO_LETTERS: Final = re.compile(rb"[^0-9A-Za-z\x80-\xff]+")


def _letters(text: bytes) -> bytes:
    return _NO_LETTERS.sub(b"", text)


def _moved(recording: Recording, to: Position, state: bytes, written_at: int | None) -> Recording:
    return Recording(
        recording_id=recording.recording_id,
        key=recording.key,
        output_path=recording.output_path,
        active=recording.active,
        started_at=recording.started_at,
        start_seq=recording.start_seq,
        start_line=recording.start_line,
        seq=to.seq,
        line=to.line,
        transcript_state=state,
        last_write_at=recording.last_write_at if written_at is None else written_at,
    )


def _joined(texts: Iterable[tuple[int, str]]) -> Iterator[bytes]:
    waiting: list[str] = []
    size = 0
    for _, text in texts:
        waiting.append(text)
        size += len(text)
        if size >= limits.WRITE_PIECE_BYTES:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()


def _pieces(head: bytes, spool: IO[bytes]) -> Iterator[bytes]:
    yield head
    spool.seek(0)
    while piece := spool.read(limits.WRITE_PIECE_BYTES):
        yield piece
