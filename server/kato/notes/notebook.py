"""Conversations to files: whole notes, and the parts of this package that bring recorded notes up to date.

    whole note   render to a spool ─► inspect the file ─► keep, adopt or back up what is there ─► temporary file ─►
                 (no other process commits) rename, remember what was written
    next piece   `appending`: only the end of the file is written

Rules:

- Rendering streams, however long the conversation is.
- Text that Kato did not write, and another conversation, are copied before they are replaced.
"""

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from kato.core import limits, paths
from kato.core.actions import ReadArguments
from kato.core.errors import KatoError
from kato.core.events import AssistantMessage, ConversationEvent, SessionKey, UserMessage, decode_line
from kato.core.moments import in_zone, utc
from kato.core.ports import NoteLedger
from kato.core.records import Recording, SessionRecord
from kato.notes import frontmatter, images, looks, plain
from kato.notes.appending import Appending
from kato.notes.changes import NoteChanges, note_record
from kato.notes.facts import Facts
from kato.notes.files import NoteWriter
from kato.notes.heads import Heads
from kato.notes.images import Pictures, ReadPicture
from kato.notes.opening import NoteMissing
from kato.notes.options import MarkdownOptions
from kato.notes.rendering import BEGINNING, Events, Position, render, texts
from kato.notes.replacing import Prepared
from kato.notes.saves import Saves
from kato.notes.transcripts import Transcripts

if TYPE_CHECKING:
    from kato.notes.html import FindPicture

#: Bodies up to this size are rendered in memory, longer ones in an unlinked file of the state directory.
_SPOOL_BYTES: Final = 4 * limits.MIB


class Replaced(NamedTuple):
    """What a whole note replaced: the path of the former text's copy, the session that had written it if it was another
    one, and the recordings to that file that were stopped.
    """

    backup_path: str | None = None
    session: SessionKey | None = None
    stopped: Sequence[Recording] = ()


class Whole(NamedTuple):
    """A note that was written: the number of its events, the renderer's state at its end, what it replaced, the number of
    secrets that were masked in it, and the number of messages it shows (None where events are written as they are).
    """

    events: int
    transcript_state: bytes
    replaced: Replaced
    redactions: int = 0
    messages: int | None = None


class _Body(NamedTuple):
    """The new text of a note, below its frontmatter."""

    path: str
    size: int
    crc32: int
    key: SessionKey
    look: looks.Look | None = None
    suffixes: Sequence[str] = paths.NOTE_SUFFIXES


class NoteBook:
    """See the module. `spool_dir` is the folder of temporary files; `now_ms` is the clock, in milliseconds since 1970;
    `random_bytes` gives the bytes of ids. `title_of` gives an assistant's name for people.
    """

    def __init__(
        self,
        writer: NoteWriter,
        ledger: NoteLedger,
        *,
        spool_dir: Path,
        options: MarkdownOptions,
        tz: tzinfo,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        tools: Callable[[str], Mapping[str, ReadArguments]] = lambda _: {},
        read_picture: ReadPicture = lambda _: None,
        title_of: Callable[[str], str] = str,
    ) -> None:
        self.writer = writer
        self.transcripts = Transcripts(options, tz, ledger.session, tools)
        self.transcripts.pictures = lambda path: partial(Pictures(writer, path).link, read=read_picture)
        self.heads = Heads(self.transcripts, now_ms=now_ms, random_bytes=random_bytes)
        self.changes = NoteChanges(writer, ledger, self.transcripts)
        self.appending = Appending(writer, ledger, self.transcripts, self.changes, now_ms)
        self.saves = Saves(writer, ledger, self.transcripts, self.changes)
        self._ledger = ledger
        self._spool_dir = spool_dir
        self._read_picture = read_picture
        self._title_of = title_of
        #: Finds the pictures of a page that are not kept.
        self.pictures: FindPicture = lambda _: None
        #: Called while a whole note is written, with the number of events that are done and of all.
        self.progress: Callable[[int, int], None] = lambda _done, _total: None

    def texts(
        self,
        session: SessionRecord,
        events: Iterable[tuple[int, bytes]],
        until: int,
        *,
        is_page: bool = False,
    ) -> Iterator[tuple[int, str]]:
        """The Markdown of events as a note or as a page, each text with its event's number, without frontmatter. `until` is the
        number behind the last one: the open turn ends there.
        """
        transcript = self.transcripts.new(session, is_page=is_page)
        yield from texts(transcript, events, BEGINNING, None, self.transcripts.fold(session.key))
        if rest := transcript.finish():
            yield until, rest

    def create_if_missing(self, path: str, session: SessionRecord, recording_id: str | None) -> None:
        """Makes a new note without a body, unless a file exists."""
        there = self.writer.inspect(path)
        if there.exists:
            if self._ledger.note(path) is None:
                state = self.writer.state(path)
                self._ledger.put_note(note_record(path, 0, 0, state, None))
            return
        head = self.heads.head(path, None, session, self.transcripts.new(session), recording_id, 0)
        with self.writer.prepare(path, [head]) as prepared, self._ledger.exclusive():
            if self.writer.inspect(path).exists:
                return
            written = prepared.commit(backup=False)
            self._ledger.put_note(note_record(path, 0, 0, written.state, session.key))

    def write_markdown(
        self,
        path: str,
        session: SessionRecord,
        events: Events,
        until: Position,
        *,
        recording_id: str | None = None,
        goes_on: Callable[[Recording], bool] = lambda _: True,
        remember: Callable[[Whole], None] | None = None,
    ) -> Whole:
        """Writes the conversation up to `until` as the whole body of the note at `path`. Stops the recordings to that file for
        which `goes_on` is false.

        Calls `remember` with the result once the file is in its place, while no other process can write.
        """
        transcript = self.transcripts.new(session, path)
        with tempfile.SpooledTemporaryFile(
            max_size=_SPOOL_BYTES, dir=str(self._spool_dir), prefix=self.writer.leftovers.spool_prefix
        ) as spool:
            crc = size = 0
            fold = self.transcripts.fold(session.key)
            end = until.end
            is_over = recording_id is None
            for piece in render(
                transcript, events(after=0, until=end), BEGINNING, until, fold, is_over=is_over
            ):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                spool.write(piece)
                self.progress(transcript.fed, end)
            missing = end - transcript.fed
            there = self.writer.inspect(path)
            head = self.heads.head(path, there, session, transcript, recording_id, missing)
            look = None
            if recording_id is not None:
                look = self._look_at_whole(recording_id, spool, size, until, transcript.state)
            with self.writer.prepare(path, _pieces(head, spool)) as prepared, self._ledger.exclusive():
                replaced = self._put_in_place(prepared, _Body(path, size, crc, session.key, look), goes_on)
                facts = transcript.facts
                whole = Whole(transcript.fed, transcript.state, replaced, facts.redactions, facts.messages)
                if remember is not None:
                    remember(whole)
        return whole

    def _look_at_whole(
        self, recording_id: str, spool: IO[bytes], size: int, until: Position, state: bytes
    ) -> looks.Look:
        """What Kato remembers of a whole note: of a short one that all of it is new, of a long one its last lines."""
        if size <= limits.LOOK_WRITTEN_BYTES_MAX:
            return looks.Look(recording_id, *BEGINNING, b"", style=self.transcripts.style, written_bytes=size)
        spool.seek(size - limits.LOOK_CONTEXT_BYTES)
        return looks.Look(recording_id, *until, state, looks.context_of(spool.read()), self.transcripts.style)

    def write_jsonl(self, path: str, key: SessionKey, events: Events, until: Position) -> Whole:
        """Writes the events up to and including that of `until`, one a line. Stops the recordings to that file."""
        count = crc = size = secrets = 0
        end = until.end

        def pieces() -> Iterator[bytes]:
            nonlocal count, crc, size, secrets
            for _, lines in events(after=0, until=end):
                piece, found = self.transcripts.masked_lines(lines)
                secrets += found
                count += piece.count(b"\n")
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                self.progress(count, end)
                yield piece

        with self.writer.prepare(path, pieces()) as prepared, self._ledger.exclusive():
            replaced = self._put_in_place(prepared, _Body(path, size, crc, key), lambda _: False)
        return Whole(count, b"", replaced, secrets)

    def write_html(self, path: str, session: SessionRecord, events: Events, until: Position) -> Whole:
        """Writes the conversation up to `until` as one self-contained HTML page. Stops the recordings to that file."""
        transcript = self.transcripts.new(session, is_page=True)
        if self.transcripts.options.has_pictures:
            transcript.link = images.embedded
        end = until.end
        shown = texts(
            transcript, events(after=0, until=end), BEGINNING, until, self.transcripts.fold(session.key)
        )

        def pieces() -> Iterator[str]:
            for _, text in shown:
                self.progress(transcript.fed, end)
                yield text
            yield transcript.finish()

        started = in_zone(utc(session.created_at), self.transcripts.tz)
        assistant = self._title_of(session.key.provider)
        about = [f"{assistant}, {started:%Y-%m-%d %H:%M}", *([session.cwd] if session.cwd else [])]
        from kato.notes import html  # noqa: PLC0415 - 0.5 MB, for pages alone

        def find(target: str) -> str | None:
            return self.pictures(target) or images.source(target, self._read_picture)

        page = html.page(self.heads.title(path, session), about, pieces(), find)
        whole = self._write_pieces(path, session.key, page, end, paths.PAGE_SUFFIXES)
        return whole._replace(redactions=transcript.facts.redactions, messages=transcript.facts.messages)

    def write_plain(self, path: str, session: SessionRecord, events: Events, until: Position) -> Whole:
        """Writes the conversation up to `until` as plain text. Stops the recordings to that file."""
        end = until.end
        decoded = (
            decode_line(line) for _, lines in events(after=0, until=end) for line in lines.splitlines()
        )
        facts = Facts()

        def mask(text: str) -> str:
            text, found = self.transcripts.masked(text)
            facts.redactions += found
            return text

        pieces = (text.encode() for text in plain.pieces(_counted(decoded, facts), self.transcripts.tz, mask))
        whole = self._write_pieces(path, session.key, pieces, end, paths.NOTE_SUFFIXES)
        return whole._replace(redactions=facts.redactions, messages=facts.messages)

    def _write_pieces(
        self, path: str, key: SessionKey, pieces: Iterable[bytes], count: int, suffixes: Sequence[str]
    ) -> Whole:
        crc = size = 0

        def counted() -> Iterator[bytes]:
            nonlocal crc, size
            for piece in pieces:
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                yield piece

        with self.writer.prepare(path, counted(), suffixes) as prepared, self._ledger.exclusive():
            body = _Body(path, size, crc, key, suffixes=suffixes)
            replaced = self._put_in_place(prepared, body, lambda _: False)
        return Whole(count, b"", replaced)

    def _put_in_place(
        self, prepared: Prepared, body: _Body, goes_on: Callable[[Recording], bool]
    ) -> Replaced:
        """Replaces a note by a new one, with a copy of text that Kato did not write and of another conversation. Stops the
        recordings to the file for which `goes_on` is false.
        """
        there, ours = self.writer.inspect(body.path, body.suffixes), self._ledger.note(body.path)
        found = (there.body_bytes, there.body_crc32)
        other = None if ours is None or ours.key == body.key else ours.key
        has_text = there.exists and not there.body_is_empty and found != (body.size, body.crc32)
        is_ours = ours is not None and found == (ours.body_bytes, ours.body_crc32) and other is None
        written = prepared.commit(backup=has_text and not is_ours)
        look = b"" if body.look is None else body.look.encode()
        self._ledger.put_note(note_record(body.path, body.size, body.crc32, written.state, body.key, look))
        ended = [one for one in self._ledger.open_recordings_at(body.path) if not goes_on(one)]
        for one in ended:
            self._ledger.put_recording(replace(one, active=False, end_seq=None, end_line=0))
        return Replaced(written.backup_path, other, [one for one in ended if one.active])

    def is_there(self, recording: Recording) -> bool:
        """Whether the recording's note, or anything else under its name, is on disk."""
        try:
            self.writer.state(recording.output_path)
        except NoteMissing:
            return False
        except KatoError:
            return True
        return True

    def find_moved(self, recording: Recording) -> str | None:
        """The path of a recording's note that was renamed in its folder: the note whose frontmatter names the recording. Takes
        the newest of several.
        """
        folder = PurePath(recording.output_path).parent
        for path, head in self.writer.heads(str(folder)):
            if recording.recording_id in (frontmatter.find(head).yaml or ""):
                return path
        return None


def _pieces(head: bytes, spool: IO[bytes]) -> Iterator[bytes]:
    yield head
    spool.seek(0)
    while piece := spool.read(limits.WRITE_PIECE_BYTES):
        yield piece


def _counted(events: Iterable[ConversationEvent], facts: Facts) -> Iterator[ConversationEvent]:
    """The events. Counts the messages that a plain text shows."""
    for event in events:
        if isinstance(event, UserMessage | AssistantMessage) and event.content.strip():
            facts.messages += 1
        yield event
