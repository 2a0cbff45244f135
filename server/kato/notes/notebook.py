"""Conversations to files: a whole note, or the next piece of one that is being recorded.

    whole note   render to a spool ─► inspect the file ─► keep, adopt or back up what is there ─► temporary file ─►
                 (alone over all processes) rename, remember what was written
    next piece   render from the recording's position ─► has the file changed since the last write? then see what is left
                 of it (`looks`), go back to what is missing ─► append what is not there yet ─► remember

Rules: rendering streams, however long the conversation is; nothing of the user's, and no other conversation, is replaced
without a copy; what was written before a crash but not remembered is found again in the file, so that nothing stands
there twice; what an older version of the file, saved over it, lacks is written again at its end.
"""

import re
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, tzinfo
from itertools import accumulate
from pathlib import Path, PurePath
from typing import IO, Final, NamedTuple, Protocol

import msgspec
from msgspec import structs
from msgspec.structs import replace

from kato import __version__
from kato.core import limits, paths
from kato.core.actions import ReadArguments
from kato.core.errors import KatoError, PathDenied, WriteFailed
from kato.core.events import SessionKey, ToolResult, decode_line
from kato.core.moments import in_zone, utc
from kato.core.records import Hold, NoteRecord, Recording, SessionRecord
from kato.notes import frontmatter, html, looks, plain, redaction
from kato.notes.files import FileState, NoteFile, NoteMissing, NoteWriter, Prepared
from kato.notes.options import MarkdownOptions
from kato.notes.policy import RootUnavailable
from kato.notes.rendering import BEGINNING, Events, Fold, Position, SubAgents, next_blocks, render, texts
from kato.notes.transcript import Transcript

#: Bodies up to this size are rendered in memory, longer ones in an unlinked file of the state directory.
_SPOOL_BYTES: Final = 4 * limits.MIB


#: Sub-agents start sub-agents: so deep they are folded into each other.
_FOLD_DEPTH_MAX: Final = 4


class Notes(Protocol):
    """Where it is remembered what was last written to a file."""

    def note(self, path: str) -> NoteRecord | None:
        """None for a file that Kato never wrote."""
        ...

    def session(self, key: SessionKey) -> SessionRecord | None:
        """What is known of a session; None for one that was never stored."""
        ...

    def put_note(self, note: NoteRecord) -> None:
        """Replaces what is remembered."""
        ...

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to a file."""
        ...

    def put_recording(self, recording: Recording) -> None:
        """Keeps a recording."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Alone over all processes."""
        ...


class Replaced(NamedTuple):
    """What a whole note took the place of: where the former text was copied to, the session that had written it if it was
    another one, and the recordings to that file that were stopped.
    """

    backup_path: str | None = None
    session: SessionKey | None = None
    stopped: Sequence[Recording] = ()


class Whole(NamedTuple):
    """A note that was written: how many events went into it, the renderer's state at its end, what it replaced, and how many
    secrets were masked in it.
    """

    events: int
    transcript_state: bytes
    replaced: Replaced
    redactions: int = 0


class _Changed(NamedTuple):
    """A note that was changed since Kato last wrote to it: its text, or the end of a long one, and where that text ended after
    the last write if only its end grew. What is remembered of the note, None if that does not compare with the text, and
    what Kato wrote since, each piece with the position after it.
    """

    known: NoteRecord
    state: FileState
    text: bytes
    end: int
    look: looks.Look | None
    pieces: Sequence[tuple[Position, bytes]]

    @property
    def first_missing(self) -> int | None:
        """The number of the piece from which on nothing is left in the text; None if nothing is missing."""
        if self.look is None:
            return None
        count = looks.present(self.look, [piece for _, piece in self.pieces], self.text)
        is_wanted = self.look.restored_from != zlib.crc32(self.text)  # else the user deleted it, again
        return count if count < len(self.pieces) and is_wanted else None

    def is_surplus(self, start: int) -> bool:
        """True when what begins at `start` is not from what is remembered."""
        if self.look is None:
            return start >= self.end
        return looks.is_surplus(self.look, [piece for _, piece in self.pieces], self.text, start)


class NoteBook:
    """Writes notes. `now_ms` and `random_bytes` give times and ids; `tools` gives the table of a provider's tools
    (`Assistant.tools`); `sub_agents` is asked if the options want them.
    """

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
        tools: Callable[[str], Mapping[str, ReadArguments]] = lambda _: {},
    ) -> None:
        self.writer = writer
        self.options = options
        self.tz = tz
        self._notes = notes
        self._spool_dir = spool_dir
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        #: Notes that are as Kato left them: size, time of change.
        self._unchanged: dict[str, tuple[int, int]] = {}
        self.sub_agents: SubAgents | None = None
        self._tools = tools
        #: Told while a whole note is written: events done, events in all.
        self.progress: Callable[[int, int], None] = lambda _done, _total: None
        #: Called after the missing end of a note was written again.
        self.repaired: Callable[[Recording], None] = lambda _: None

    def create_if_missing(self, path: str, session: SessionRecord, recording_id: str | None) -> None:
        """A new note without a body; a file that is there stays as it is."""
        there = self.writer.inspect(path)
        if there.exists:
            if self._notes.note(path) is None:
                state = self.writer.state(path)
                self._notes.put_note(_record(path, 0, 0, state, None))
            return
        head = self._head(path, None, session, Transcript(self.options, self.tz), recording_id, 0)
        with self.writer.prepare(path, [head]) as prepared, self._notes.exclusive():
            if self.writer.inspect(path).exists:
                return
            written = prepared.commit(backup=False)
            self._notes.put_note(_record(path, 0, 0, written.state, session.key))

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
        """The conversation up to `until` as the whole body of the note at `path`. Recordings to that file for which `goes_on` is
        false are stopped.

        `remember` is called with the result while nobody else writes, after the file is in its place.
        """
        transcript = self.transcript(session)
        with tempfile.SpooledTemporaryFile(
            max_size=_SPOOL_BYTES, dir=str(self._spool_dir), prefix=self.writer.leftovers.spool_prefix
        ) as spool:
            crc = size = 0
            fold = self.fold(session.key)
            end = until.seq + (until.line > 0)
            is_over = recording_id is None
            for piece in render(
                transcript, events(after=0, until=end), BEGINNING, until, fold, is_over=is_over
            ):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                spool.write(piece)
                self.progress(transcript.fed, end)
            missing = end - transcript.fed
            there = self.writer.inspect(path)
            head = self._head(path, there, session, transcript, recording_id, missing)
            look = None
            if recording_id is not None:
                look = self._look_at_whole(recording_id, spool, size, until, transcript.state)
            with self.writer.prepare(path, _pieces(head, spool)) as prepared, self._notes.exclusive():
                replaced = self._put_in_place(prepared, _Body(path, size, crc, session.key, look), goes_on)
                whole = Whole(transcript.fed, transcript.state, replaced, transcript.facts.redactions)
                if remember is not None:
                    remember(whole)
        return whole

    def _look_at_whole(
        self, recording_id: str, spool: IO[bytes], size: int, until: Position, state: bytes
    ) -> looks.Look:
        """What is remembered of a whole note: all of it counts as new, or, of a long one, what will be appended."""
        if size <= limits.LOOK_WRITTEN_BYTES_MAX:
            return looks.Look(recording_id, *BEGINNING, b"", style=self._style, written_bytes=size)
        spool.seek(size - limits.LOOK_CONTEXT_BYTES)
        return looks.Look(recording_id, *until, state, looks.context_of(spool.read()), self._style)

    def write_jsonl(self, path: str, key: SessionKey, events: Events, until: Position) -> Whole:
        """The events up to and including that of `until`, one a line. Recordings to that file are stopped."""
        count = crc = size = secrets = 0
        end = until.seq + (until.line > 0)

        def pieces() -> Iterator[bytes]:
            nonlocal count, crc, size, secrets
            for _, lines in events(after=0, until=end):
                piece, found = redaction.masked_lines(lines) if self.options.redact_secrets else (lines, 0)
                secrets += found
                count += piece.count(b"\n")
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                self.progress(count, end)
                yield piece

        with self.writer.prepare(path, pieces()) as prepared, self._notes.exclusive():
            replaced = self._put_in_place(prepared, _Body(path, size, crc, key), lambda _: False)
        return Whole(count, b"", replaced, secrets)

    def write_html(self, path: str, session: SessionRecord, events: Events, until: Position) -> Whole:
        """The conversation up to `until` as one self-contained page."""
        options = structs.replace(self.options, heading_style="page")
        transcript = self.transcript(session, options)
        end = until.seq + (until.line > 0)
        shown = texts(transcript, events(after=0, until=end), BEGINNING, until, self.fold(session.key))

        def pieces() -> Iterator[str]:
            for _, text in shown:
                self.progress(transcript.fed, end)
                yield text
            yield transcript.finish()

        started = in_zone(utc(session.created_at), self.tz)
        about = [f"{session.key.provider}, {started:%Y-%m-%d %H:%M}", *([session.cwd] if session.cwd else [])]
        whole = self._write_pieces(
            path,
            session.key,
            html.page(self._title(path, session), about, pieces()),
            end,
            paths.PAGE_SUFFIXES,
        )
        return whole._replace(redactions=transcript.facts.redactions)

    def write_plain(self, path: str, session: SessionRecord, events: Events, until: Position) -> Whole:
        """The conversation up to `until` as plain text."""
        end = until.seq + (until.line > 0)
        decoded = (
            decode_line(line) for _, lines in events(after=0, until=end) for line in lines.splitlines()
        )
        secrets = 0

        def mask(text: str) -> str:
            nonlocal secrets
            text, found = redaction.masked(text) if self.options.redact_secrets else (text, 0)
            secrets += found
            return text

        pieces = (text.encode() for text in plain.pieces(decoded, self.tz, mask))
        whole = self._write_pieces(path, session.key, pieces, end, paths.NOTE_SUFFIXES)
        return whole._replace(redactions=secrets)

    def _write_pieces(
        self, path: str, key: SessionKey, pieces: Iterable[bytes], count: int, suffixes: Sequence[str]
    ) -> Whole:
        crc = size = 0

        def counted() -> Iterator[bytes]:
            nonlocal crc, size
            for piece in pieces:
                crc, size = zlib.crc32(piece, crc), size + len(piece)
                yield piece

        with self.writer.prepare(path, counted(), suffixes) as prepared, self._notes.exclusive():
            body = _Body(path, size, crc, key, suffixes=suffixes)
            replaced = self._put_in_place(prepared, body, lambda _: False)
        return Whole(count, b"", replaced)

    def _put_in_place(
        self, prepared: Prepared, body: "_Body", goes_on: Callable[[Recording], bool]
    ) -> Replaced:
        """Replaces a note by a new one. Text that Kato did not write, and another conversation, are copied first; of the
        recordings to the file, those go on for which `goes_on` is true.
        """
        there, ours = self.writer.inspect(body.path, body.suffixes), self._notes.note(body.path)
        found = (there.body_bytes, there.body_crc32)
        other = None if ours is None or ours.key == body.key else ours.key
        has_text = there.exists and not there.body_is_empty and found != (body.size, body.crc32)
        is_ours = ours is not None and found == (ours.body_bytes, ours.body_crc32) and other is None
        written = prepared.commit(backup=has_text and not is_ours)
        look = b"" if body.look is None else body.look.encode()
        self._notes.put_note(_record(body.path, body.size, body.crc32, written.state, body.key, look))
        ended = [one for one in self._notes.open_recordings_at(body.path) if not goes_on(one)]
        for one in ended:
            self._notes.put_recording(replace(one, active=False, end_seq=None, end_line=0))
        return Replaced(written.backup_path, other, [one for one in ended if one.active])

    def has_changed(self, recording: Recording) -> bool:
        """True when a note was changed since Kato last wrote to it or looked at it. A note that is missing, or that this
        process may not touch, is not looked at; raises RootUnavailable when its folder is missing.
        """
        path = recording.output_path
        # Asked for every recording at every heartbeat: the policy takes fifty times as long as this look at the file.
        with suppress(OSError):
            found = Path(path).stat()
            if self._unchanged.get(path) == (found.st_size, found.st_mtime_ns):
                return False
        known = self._notes.note(path)
        if known is None or not known.look:
            return False
        try:
            state = self.writer.state(path)
        except RootUnavailable:
            raise
        except (PathDenied, WriteFailed):
            return False
        if _differs(known, state):
            return True
        if len(self._unchanged) > limits.NOTES_SEEN_MAX:
            self._unchanged.clear()
        self._unchanged[path] = (state.size, state.mtime_ns)
        return False

    def append(self, recording: Recording, events: Events, until: Position) -> Iterator[Recording]:
        """Brings a recording's file up to `until`, in pieces; yields the recording as it stands after each, never before
        the position it had. What is missing before that position is written again first.

        The caller holds the right to write and stores what is yielded before it asks for more. Raises NoteMissing.
        """
        reached = Position(recording.seq, recording.line)
        if reached >= until and not self.has_changed(recording):
            return
        look = None
        changed = self._changed(recording, events)
        if changed is not None:
            recording, look = self._restored(recording, changed, events)
        is_restoring = (recording.seq, recording.line) < reached
        while (recording.seq, recording.line) < max(reached, until):
            is_new = (recording.seq, recording.line) >= reached
            moved, blocks = self.next_piece(recording, events, until if is_new else reached)
            if blocks:
                try:
                    self._append_blocks(recording, moved, blocks, changed, look, is_new=is_new)
                except NoteMissing:
                    known = self._notes.note(recording.output_path)
                    self.writer.refuse_emptied_mount(
                        recording.output_path, None if known is None else known.device
                    )
                    raise
                changed = look = None
            recording = moved
            if (recording.seq, recording.line) >= reached:
                if is_restoring:
                    is_restoring = False
                    self.repaired(recording)
                yield recording

    def next_piece(
        self, recording: Recording, events: Events, until: Position
    ) -> tuple[Recording, list[bytes]]:
        """The next bounded piece of a recording, in blocks, and the recording as it stands after it."""
        transcript = self._transcript(recording.key, recording.transcript_state)
        since = Position(recording.seq, recording.line)
        end, blocks = next_blocks(transcript, events, since, until, self.fold(recording.key))
        return _moved(recording, end, transcript.state, self._now_ms() if blocks else None), blocks

    def reached(
        self, recording: Recording, since: Hold, events: Events, until: Position, text: bytes
    ) -> Recording:
        """The recording as far as `text` holds it: after the last block from `since` to `until` that is in it.

        Compares letters and digits alone, for the user's editor may format what it saves.
        """
        there = _letters(text)
        transcript = self._transcript(recording.key, since.transcript_state)
        begin = Position(since.seq, since.line)
        found, state, at, is_behind = begin, since.transcript_state, 0, False
        end = until.seq + (until.line > 0)
        blocks = texts(transcript, events(after=begin.seq, until=end), begin, until, self.fold(recording.key))
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

    def saved(self, recording: Recording, body: tuple[int, int] | None, *, before: int) -> None:
        """Remembers a note as an editor saved it, with the recording at what the note holds. `body`: length and CRC-32 of its
        text if the editor changed nothing but appended what Kato gave it; `before`: the file's size before that.
        """
        path = recording.output_path
        known, state = self._notes.note(path), self.writer.state(path)
        old_bytes, old_crc = (0, 0) if known is None else (known.body_bytes, known.body_crc32)
        added = 0 if body is None else body[0] - old_bytes
        look = self._comparable(known, recording) if state.size == before + added > before else None
        if look is None or look.written_bytes + added > limits.LOOK_WRITTEN_BYTES_MAX:
            look = self._look(recording, self._end_of(path))  # what stands there now is the user's to change
        else:
            look = replace(look, written_bytes=look.written_bytes + added)
        size, crc = (old_bytes, old_crc) if body is None else body
        self._notes.put_note(_record(path, size, crc, state, recording.key, look.encode()))

    def is_there(self, recording: Recording) -> bool:
        """Whether the recording's note is on disk, or something in its place."""
        try:
            self.writer.state(recording.output_path)
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

    def _changed(self, recording: Recording, events: Events) -> _Changed | None:
        """The note as it is now if it was changed since Kato last wrote to it; None also where it is missing."""
        path = recording.output_path
        known = self._notes.note(path)
        try:
            state = self.writer.state(path)
            if known is None or not _differs(known, state):
                return None
            text = self.writer.read_end(path, limits.LOOK_TEXT_BYTES)
        except NoteMissing:
            return None
        offset = state.size - len(text)
        if offset == 0:
            offset = frontmatter.find(text).body_offset
            text = text[offset:]
        look = self._comparable(known, recording)
        pieces = [] if look is None else self._since(look, recording, events)
        return _Changed(known, state, text, known.file_bytes - offset, look, pieces)

    def _comparable(self, known: NoteRecord | None, recording: Recording) -> looks.Look | None:
        """What is remembered of a note's text, if this recording wrote it and Kato would write the same today: other
        settings or another version give other lines.
        """
        look = None if known is None else looks.decode(known.look)
        if look is None or (look.recording_id, look.style) != (recording.recording_id, self._style):
            return None
        start, end = (recording.start_seq, recording.start_line), (recording.seq, recording.line)
        return look if start <= (look.seq, look.line) <= end else None

    def _since(self, look: looks.Look, recording: Recording, events: Events) -> list[tuple[Position, bytes]]:
        """What the recording wrote since a look, each piece with the position after it."""
        since, until = Position(look.seq, look.line), Position(recording.seq, recording.line)
        transcript = self._transcript(recording.key, look.state)
        lines = events(after=since.seq, until=until.seq + (until.line > 0))
        return [
            (min(Position(seq + 1), until), text.encode())
            for seq, text in texts(transcript, lines, since, until, self.fold(recording.key))
        ]

    def _restored(
        self, recording: Recording, changed: _Changed, events: Events
    ) -> tuple[Recording, looks.Look]:
        """The recording at the position from which its note has to be written (again), and what is remembered of the note
        as it is now.
        """
        first = changed.first_missing
        if changed.look is None or first is None:
            look = self._look(recording, changed.text)
            size, mtime_ns, device = changed.state
            self._notes.put_note(
                replace(changed.known, file_bytes=size, mtime_ns=mtime_ns, device=device, look=look.encode())
            )
            return recording, look
        since = Position(changed.look.seq, changed.look.line)
        to = changed.pieces[first - 1][0] if first else since
        transcript = self._transcript(recording.key, changed.look.state)
        lines = events(after=since.seq, until=to.seq + (to.line > 0))
        deque(texts(transcript, lines, since, to, self.fold(recording.key)), maxlen=0)
        recording = _moved(recording, to, transcript.state, None)
        look = self._look(recording, changed.text)
        return recording, replace(look, restored_from=zlib.crc32(changed.text))

    def _append_blocks(
        self,
        recording: Recording,
        moved: Recording,
        blocks: list[bytes],
        changed: _Changed | None,
        look: looks.Look | None,
        *,
        is_new: bool,
    ) -> None:
        """Writes the blocks that lead from one position to the next at the end of the note, and remembers it."""
        path, data = recording.output_path, b"".join(blocks)
        known = self._notes.note(path)
        look = look or self._comparable(known, recording)
        if look is None:
            look = self._look(recording, self._end_of(path))
        if not recording.transcript_state and not self._ends_in_blank_line(path):
            data = b"\n" + data  # the first heading of this recording, below text that stands there already
        missing, continues_line = data, False
        cut = None if changed is None else self._written_before(changed, blocks)
        if changed is not None and cut is not None:
            start, length = cut
            missing = data.lstrip(b"\n")[length:]
            continues_line = start + length == len(changed.text)
            look = self._look(recording, changed.text[:start])
        if missing:
            state = self.writer.append(path, missing, continues_line=continues_line).state
        else:
            state = self.writer.state(path)
        body_bytes, body_crc = (0, 0) if known is None else (known.body_bytes, known.body_crc32)
        if is_new:
            body_bytes, body_crc = body_bytes + len(data), zlib.crc32(data, body_crc)
        look = replace(look, written_bytes=look.written_bytes + len(data))
        if look.written_bytes > limits.LOOK_WRITTEN_BYTES_MAX:
            look = self._look(moved, self._end_of(path))
        self._notes.put_note(_record(path, body_bytes, body_crc, state, recording.key, look.encode()))

    def _ends_in_blank_line(self, path: str) -> bool:
        return self.writer.read_end(path, 2) in (b"", b"\n\n")

    @staticmethod
    def _written_before(changed: _Changed, blocks: list[bytes]) -> tuple[int, int] | None:
        """Where in the note a first part of these blocks stands, from a write that was not remembered."""
        data = b"".join(blocks).lstrip(b"\n")
        skipped = sum(map(len, blocks)) - len(data)
        ends = [end - skipped for end in accumulate(map(len, blocks)) if end > skipped]
        found = looks.written_before(changed.text, changed.end, data, ends)
        return next((cut for cut in found if changed.is_surplus(cut[0])), None)

    def _end_of(self, path: str) -> bytes:
        return self.writer.read_end(path, limits.LOOK_CONTEXT_BYTES)

    def _look(self, recording: Recording, text: bytes) -> looks.Look:
        """What is remembered of a text that is written up to the recording's position."""
        return looks.Look(
            recording.recording_id,
            recording.seq,
            recording.line,
            recording.transcript_state,
            looks.context_of(text),
            self._style,
        )

    @property
    def _style(self) -> int:
        """Changes with whatever changes how a conversation is written."""
        zone = getattr(self.tz, "key", type(self.tz).__name__)
        return zlib.crc32(msgspec.json.encode((self.options, zone, __version__)))

    def _about(self, session: SessionRecord) -> str | None:
        """What a conversation is about, without secrets."""
        about = session.title or session.snippet
        return None if about is None else self._masked(about)

    def _masked(self, text: str) -> str:
        return redaction.masked(text)[0] if self.options.redact_secrets else text

    def _title(self, path: str, session: SessionRecord) -> str:
        """From the file's name if that says something, else what the conversation is about."""
        about = self._about(session)
        is_own_name = PurePath(path).name == self.default_file_name(session)
        if about is not None and (is_own_name or paths.says_nothing(path, session.key)):
            return about
        return self._masked(paths.title_from_filename(path)) or about or "Conversation"

    def _transcript(self, key: SessionKey, state: bytes) -> Transcript:
        """A transcript that goes on from a state. One that begins here asks for the session's folder."""
        session = None if state else self._notes.session(key)
        folder = "" if session is None or session.cwd is None else session.cwd
        return Transcript(self.options, self.tz, state, folder=folder, tools=self._tools(key.provider))

    def transcript(self, session: SessionRecord, options: MarkdownOptions | None = None) -> Transcript:
        """A transcript of a whole conversation; without `options`, as the settings want it."""
        tools = self._tools(session.key.provider)
        return Transcript(options or self.options, self.tz, folder=session.cwd or "", tools=tools)

    def fold(self, key: SessionKey, depth: int = 0) -> Fold | None:
        """Renders the sub-agents of a session's calls, and theirs; None if they are not wanted."""
        find = self.sub_agents
        if find is None or not self.options.include_sub_agents or depth == _FOLD_DEPTH_MAX:
            return None

        def folded(transcript: Transcript, result: ToolResult) -> str:
            text = ""
            for agent in find(key, result.tool_call_id):
                inner = Transcript(
                    self.options, self.tz, level=3, folder=transcript.folder, tools=self._tools(key.provider)
                )
                pieces, size = [], 0
                deeper = self.fold(agent.key, depth + 1)
                for piece in render(inner, agent.events, BEGINNING, None, deeper, is_over=True):
                    pieces.append(piece)
                    size += len(piece)
                    if size > limits.RENDERED_BYTES_MAX:
                        break
                transcript.facts.redactions += inner.facts.redactions
                text += transcript.fold(result, agent.title, b"".join(pieces).decode())
            return text

        return folded

    def default_file_name(self, session: SessionRecord) -> str:
        """The name of a note for which the user gave none."""
        return paths.default_file_name(
            self._about(session),
            when_ms=session.created_at,
            tz=self.tz,
            key=session.key,
            template=self.options.file_name,
            cwd=session.cwd,
            branch=session.branch,
        )

    def _head(
        self,
        path: str,
        there: NoteFile | None,
        session: SessionRecord,
        transcript: Transcript,
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
            participants=transcript.speakers,
            tags=("kato",),
            recording_ids=() if recording_id is None else (recording_id,),
            truncated_events=missing,
            chosen=self._chosen(session, transcript),
        )
        if there is not None and there.frontmatter is not None:
            try:
                return frontmatter.adopt(there.frontmatter, fields).encode()
            except frontmatter.FrontmatterInvalid as error:
                raise WriteFailed(f"the note's frontmatter cannot be kept: {error}", path) from error
        if not self.options.include_frontmatter:
            return b""
        return frontmatter.new(fields).encode()

    def _chosen(self, session: SessionRecord, transcript: Transcript) -> dict[str, str | int | Sequence[str]]:
        """The frontmatter's fields that the settings choose, as far as they are known."""
        facts = transcript.facts
        known: dict[str, str | int | Sequence[str] | None] = {
            "started": self._moment(facts.started),
            "ended": self._moment(facts.ended),
            "cwd": session.cwd,
            "branch": session.branch,
            "tokens": session.tokens,
            "models": list(facts.models),
            "files": list(facts.files),
            "turns": facts.turns,
            "redactions": facts.redactions,
        }
        return {
            key: value for key, value in known.items() if value and key in self.options.frontmatter_fields
        }

    def _moment(self, moment: datetime | None) -> str | None:
        return None if moment is None else in_zone(moment, self.tz).isoformat(timespec="seconds")


class _Body(NamedTuple):
    """The new text of a note, below its frontmatter."""

    path: str
    size: int
    crc32: int
    key: SessionKey
    look: looks.Look | None = None
    suffixes: Sequence[str] = paths.NOTE_SUFFIXES


def _record(
    path: str, size: int, crc32: int, state: FileState, key: SessionKey | None, look: bytes = b""
) -> NoteRecord:
    return NoteRecord(path, size, crc32, state.size, state.mtime_ns, state.device, key, look)


def _differs(known: NoteRecord, state: FileState) -> bool:
    """True when a file is not as Kato left it. What an earlier version of Kato wrote has no time of change."""
    return state.size != known.file_bytes or known.mtime_ns not in (None, state.mtime_ns)


_NO_LETTERS: Final = re.compile(rb"[^0-9A-Za-z\x80-\xff]+")


def _letters(text: bytes) -> bytes:
    return _NO_LETTERS.sub(b"", text)


def _moved(recording: Recording, to: Position, state: bytes, written_at: int | None) -> Recording:
    last = recording.last_write_at if written_at is None else written_at
    return replace(recording, seq=to.seq, line=to.line, transcript_state=state, last_write_at=last)


def _pieces(head: bytes, spool: IO[bytes]) -> Iterator[bytes]:
    yield head
    spool.seek(0)
    while piece := spool.read(limits.WRITE_PIECE_BYTES):
        yield piece
