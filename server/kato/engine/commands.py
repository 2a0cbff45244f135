"""The commands: one function for each, and the table that finds it.

A command sees the conversation up to the position `Run.at`. It calls `Run.finish` in the transaction that stores what it
did, so that it runs once; a command that stores nothing does not call it.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from kato.core.commands import Command, CommandName
from kato.core.errors import CommandRefused, NoteUnsaved
from kato.core.events import ProviderInfo, SessionKey, decode_line
from kato.core.gaps import GAP
from kato.core.lenient_json import rendered_bytes
from kato.core.ports import Ledger
from kato.core.records import Recording, SessionRecord
from kato.engine.destinations import Destinations
from kato.engine.notices import name_of
from kato.engine.reading import SessionReader
from kato.engine.recordings import Recordings
from kato.engine.withholding import Withholding, refusal_of
from kato.notes.held import HeldNotes
from kato.notes.notebook import NoteBook, Replaced, Whole
from kato.notes.rendering import BEGINNING, Position


class Tools(NamedTuple):
    """What commands work with. `now_ms` is the clock, `new_id` makes ids of recordings."""

    ledger: Ledger
    notebook: NoteBook
    held: HeldNotes
    recordings: Recordings
    reader: SessionReader
    destinations: Destinations
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    withholding: Withholding


class Run(NamedTuple):
    """One run of a command. `is_new` is false for a switch of the editor that changed nothing."""

    session: SessionRecord
    command: Command
    at: Position
    finish: Callable[[], None]
    is_new: bool = True

    @property
    def key(self) -> SessionKey:
        """The session."""
        return self.session.key


class Result(Struct, frozen=True):
    """The effect of a command that worked: the note and the recording that it concerns, how many events it wrote, how
    many secrets it masked, and what it replaced. `noop` is true when nothing was to be done. `message` says what the command means from now on.
    """

    path: str | None = None
    replaced: Replaced = Replaced()
    recording_id: str | None = None
    events: int | None = None
    redactions: int = 0
    noop: bool = False
    message: str | None = None


def init(tools: Tools, run: Run) -> Result:
    """Sets the session's destination and creates the note. A recording ends here."""
    path = tools.destinations.of(run.session, run.command.argument)
    _refuse_shared(tools, run.key, path)
    tools.notebook.create_if_missing(path, run.session, None)
    tools.recordings.flush(run.key, run.at)
    with tools.ledger.exclusive():
        tools.recordings.end(run.key, run.at)
        tools.ledger.set_destination(run.key, path)
        run.finish()
    return Result(path=path)


def record(tools: Tools, run: Run) -> Result:
    """Starts or resumes recording: from a chat with the command's own line, from the editor with the next event."""
    at = run.at
    recording = tools.ledger.recording(run.key)
    if recording is not None and recording.active:
        return Result(path=recording.output_path, recording_id=recording.recording_id, noop=True)
    path = tools.destinations.of(run.session, run.command.argument)
    start = Position(at.seq, at.line - 1) if at.line else at
    # A recording that still lacks lines before its end gets them first: what follows is another recording of the note.
    resumed = recording if recording and recording.output_path == path and not recording.is_open else None
    recording_id = tools.new_id() if resumed is None else resumed.recording_id
    _refuse_shared(tools, run.key, path)
    tools.notebook.create_if_missing(path, run.session, recording_id)
    with tools.ledger.exclusive():
        _refuse_shared(tools, run.key, path)  # another process may have been faster
        reached = start if resumed is None else max(start, Position(resumed.seq, resumed.line))
        tools.ledger.set_destination(run.key, path)
        tools.ledger.put_recording(
            Recording(
                recording_id=recording_id,
                key=run.key,
                output_path=path,
                active=True,
                started_at=tools.now_ms(),
                start_seq=start.seq,
                start_line=start.line,
                seq=reached.seq,
                line=reached.line,
                transcript_state=b"" if resumed is None else resumed.transcript_state,
                last_write_at=None if resumed is None else resumed.last_write_at,
            )
        )
        run.finish()
    if at.line == 0:
        return Result(path=path, recording_id=recording_id, events=0)
    tools.recordings.flush(run.key, at)
    return Result(path=path, recording_id=recording_id, events=1)


def capture(tools: Tools, run: Run) -> Result:
    """Writes the whole conversation to the note, then keeps recording there."""
    recording = tools.ledger.recording(run.key)
    path = tools.destinations.of(run.session, run.command.argument)
    if tools.held.is_unsaved(path):
        return _capture_in_editor(tools, run, path)
    _refuse_held_elsewhere(tools, path)
    same = recording is not None and recording.active and recording.output_path == path
    recording_id = recording.recording_id if same and recording is not None else tools.new_id()
    if recording is not None and recording.active and not same:
        tools.recordings.flush(run.key, run.at)
    _flush_others(tools, run.key, path)

    def remember(whole: Whole) -> None:
        if not same:
            tools.recordings.end(run.key, run.at)
        tools.held.release(path)
        tools.ledger.set_destination(run.key, path)
        written = _whole_recording(tools, run.key, path, recording_id, reached=run.at)
        tools.ledger.put_recording(
            replace(written, transcript_state=whole.transcript_state, last_write_at=written.started_at)
        )
        run.finish()

    whole = tools.notebook.write_markdown(
        path,
        run.session,
        tools.reader.events(run.key),
        run.at,
        recording_id=recording_id,
        goes_on=lambda one: one.recording_id == recording_id,
        remember=remember,
    )
    return Result(
        path=path,
        recording_id=recording_id,
        events=whole.events,
        redactions=whole.redactions,
        replaced=whole.replaced,
    )


def _capture_in_editor(tools: Tools, run: Run, path: str) -> Result:
    """Captures onto a note that is open with unsaved changes: the conversation goes below what the user typed, and the user
    saves both together. Raises NoteUnsaved if the note has a transcript already, which must not be replaced unseen.
    """
    recording = tools.ledger.recording(run.key)
    is_whole = (
        recording is not None
        and recording.active
        and recording.output_path == path
        and (recording.start_seq, recording.start_line) == BEGINNING
    )
    known = tools.ledger.note(path)
    if not is_whole and known is not None and known.body_bytes:
        raise NoteUnsaved(path)
    tools.recordings.flush(run.key, run.at)
    events = run.at.end
    if is_whole:
        assert recording is not None
        return Result(path=path, recording_id=recording.recording_id, events=events)
    recording_id = tools.new_id()
    with tools.ledger.exclusive():
        tools.recordings.end(run.key, run.at)
        tools.ledger.set_destination(run.key, path)
        tools.ledger.put_recording(_whole_recording(tools, run.key, path, recording_id, reached=BEGINNING))
        run.finish()
    tools.recordings.flush(run.key, run.at)
    return Result(path=path, recording_id=recording_id, events=events)


def export(tools: Tools, run: Run) -> Result:
    """Writes the conversation to a file once. Stores nothing."""
    command = run.command
    if command.argument is None:
        raise CommandRefused("::export needs a path, for example ::export notes/conversation.md")
    path = tools.destinations.resolve(run.session, command.argument)
    if tools.held.is_unsaved(path):
        raise NoteUnsaved(path)
    _refuse_held_elsewhere(tools, path)
    jsonl = path.lower().endswith(".jsonl")
    if command.export_format is not None:
        jsonl = command.export_format == "jsonl"
    events = tools.reader.events(run.key, len if jsonl else rendered_bytes)
    _flush_others(tools, run.key, path)
    if jsonl:
        whole = tools.notebook.write_jsonl(path, run.key, events, run.at)
    else:
        # The session's own recording continues below the exported text, so it must have reached the same line.
        tools.recordings.flush(run.key, run.at)
        whole = tools.notebook.write_markdown(
            path, run.session, events, run.at, goes_on=lambda one: one.active and one.key == run.key
        )
    return Result(path=path, events=whole.events, redactions=whole.redactions, replaced=whole.replaced)


def stop(tools: Tools, run: Run) -> Result:
    """Ends the recording after the command's line."""
    tools.recordings.flush(run.key, run.at)
    with tools.ledger.exclusive():
        ended = tools.recordings.end(run.key, run.at)
        run.finish()
    if ended is None:
        return Result(noop=True)
    return Result(path=ended.output_path, recording_id=ended.recording_id)


def off(tools: Tools, run: Run) -> Result:
    """Ends the recording at the command's line. What comes after it is left out where it is stored (`withholding`)."""
    if not run.is_new:
        return Result(noop=True)
    tools.recordings.flush(run.key, run.at)
    with tools.ledger.exclusive():
        ended = tools.recordings.end(run.key, run.at, awaits_on=True)
        run.finish()
    message = (
        "Kato keeps nothing of this conversation from here on. ::on resumes; "
        f"`kato clean --session {run.key.session_id}` removes what was kept."
    )
    if ended is None:
        return Result(message=message)
    return Result(path=ended.output_path, recording_id=ended.recording_id, message=message)


def on(tools: Tools, run: Run) -> Result:
    """Resumes the recording that `::off` ended."""
    if tools.withholding.reason(run.key) == "ignored":
        raise CommandRefused(refusal_of("ignored"))
    ends_gap = run.is_new and _ends_gap(tools, run)
    with tools.ledger.exclusive():
        resumed = tools.recordings.resume_after_gap(run.key)
        run.finish()
    if not ends_gap:
        return Result(noop=True)
    tools.recordings.flush(run.key, run.at)
    message = "Kato keeps this conversation again, from here on."
    if resumed is None:
        return Result(message=message)
    return Result(path=resumed.output_path, recording_id=resumed.recording_id, message=message)


def _ends_gap(tools: Tools, run: Run) -> bool:
    """Whether an `::on` ended a gap: it begins its message then, and the note of the gap is before it."""
    if run.at.line != 1:
        return not run.at.line  # of the editor: `is_new` says it
    before = tools.ledger.read(run.key, after=run.at.seq - 1, until=run.at.seq)
    found = [decode_line(line) for _, line in before] if run.at.seq else []
    return any(isinstance(one, ProviderInfo) and one.subtype == GAP for one in found)


#: The function of each command.
FUNCTIONS: Final[Mapping[CommandName, Callable[[Tools, Run], Result]]] = {
    "init": init,
    "record": record,
    "capture": capture,
    "export": export,
    "stop": stop,
    "off": off,
    "on": on,
}


def _whole_recording(
    tools: Tools, key: SessionKey, path: str, recording_id: str, *, reached: Position
) -> Recording:
    """A new recording of the whole conversation, which has reached a position."""
    return Recording(
        recording_id=recording_id,
        key=key,
        output_path=path,
        active=True,
        started_at=tools.now_ms(),
        start_seq=0,
        start_line=0,
        seq=reached.seq,
        line=reached.line,
    )


def _refuse_shared(tools: Tools, key: SessionKey, path: str) -> None:
    """Raises CommandRefused for a note to which another session records: the two would be mixed."""
    for one in tools.ledger.open_recordings_at(path):
        if one.key != key:
            raise CommandRefused(
                f"{path} records another conversation ({name_of(tools.ledger, one.key)}): name another note, or ::stop that "
                "recording first"
            )


def _refuse_held_elsewhere(tools: Tools, path: str) -> None:
    """Raises NoteUnsaved for a note with unsaved changes in another window, which a replaced file would conflict with."""
    if tools.held.is_held_elsewhere(path):
        raise NoteUnsaved(path, where="another window")


def _flush_others(tools: Tools, key: SessionKey, path: str) -> None:
    """Brings a note that this session is about to replace up to date, so that the backup of it is whole."""
    for one in tools.ledger.open_recordings_at(path):
        if one.key != key:
            tools.recordings.flush(one.key)
