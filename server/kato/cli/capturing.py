"""Writes a conversation from an assistant's log as a note, in one of four formats, to a file or to standard output.

log ─► SessionEvents ─► NoteBook ─► the user's file         the journal remembers what was written
                            └─► a temporary file ─► standard output   nothing is remembered
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePath
from typing import Final, Literal, NamedTuple, Protocol, get_args

from kato.app import build, config
from kato.assistants.contract import SavePicture, Surroundings
from kato.cli import progress
from kato.cli.files import note_writer
from kato.cli.log_events import SessionEvents, SubAgentLogs, session_of
from kato.core import limits
from kato.core.errors import CommandRefused
from kato.core.events import SessionKey
from kato.core.ports import NoteLedger
from kato.core.records import NoteRecord, Recording, SessionRecord
from kato.core.settings import Settings
from kato.logs.discovery import Found
from kato.logs.screening import LogScreen
from kato.notes.files import NoteWriter
from kato.notes.images import EmbeddedPictures, Pictures
from kato.notes.notebook import NoteBook, Whole
from kato.notes.rendering import Position
from kato.storage.journal import Journal
from kato.system.clock import now_ms

Format = Literal["md", "html", "txt", "jsonl"]
FORMATS: Final[Sequence[Format]] = get_args(Format)
_BY_SUFFIX: Final[Mapping[str, Format]] = {
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".txt": "txt",
    ".jsonl": "jsonl",
}


class HasPieces(Protocol):
    """The events of a conversation."""

    def pieces(self, *, after: int = 0, until: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Their lines in pieces, each with the number of its first."""
        ...


class Task(NamedTuple):
    """What to write: the conversation of a log, from a moment on (ms), as the settings say. `logs` are all logs of the machine,
    of which some may be those of its sub-agents. `screen` leaves out what is not to be kept.
    """

    chosen: Settings
    found: Found
    logs: Sequence[Found]
    surroundings: Surroundings
    since_ms: int | None
    screen: LogScreen


class Report(NamedTuple):
    """What was written: the note's path, and what `NoteBook` reports; the folder of the pictures with their number, and why
    some could not be written.
    """

    path: str
    whole: Whole
    pictures: tuple[str, int] | None = None
    pictures_failure: str | None = None


def names_note(path: str) -> bool:
    """Whether a path ends as a note does. Logs of sessions end in `.jsonl`, too."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower(), "jsonl") != "jsonl"


def format_of(path: str, chosen: Format | None) -> Format:
    """The format that a path's suffix names. Raises CommandRefused for an unknown suffix, or for one of another format than
    `chosen`.
    """
    suffix = PurePath(path).suffix.lower()
    named = _BY_SUFFIX.get(suffix)
    if named is None:
        *first, last = _BY_SUFFIX
        raise CommandRefused(
            f"{path}: the name of a note must end in {', '.join(first)} or {last}, for example "
            f"{PurePath(path).stem or 'note'}.{chosen or 'md'}"
        )
    if chosen is not None and chosen != named:
        raise CommandRefused(
            f"{path}: the name ends in {suffix}, and --format says {chosen}; give only one of them"
        )
    return named


def to_file(task: Task, path: str | None, chosen_format: Format | None) -> Report:
    """Writes the note, to the file with the conversation's default name if `path` is None. Raises KatoError."""
    file_format = None if path is None else format_of(path, chosen_format)
    state_dir = config.state_dir(task.chosen.state_dir)
    config.ensure_state_dir(state_dir)
    journal = Journal.open(state_dir, now_ms=now_ms)
    try:
        writer = note_writer(state_dir)
        notebook = build.notebook(task.chosen, writer, journal, state_dir)
        session = _session(task)
        if path is None:
            name = PurePath(notebook.heads.default_file_name(session))
            path = str(
                Path.cwd() / (name if chosen_format is None else name.with_suffix(f".{chosen_format}"))
            )
            file_format = format_of(path, chosen_format)
        assert file_format is not None
        return _write(task, notebook, writer, session, path, file_format)
    finally:
        journal.close()


def to_stdout(task: Task, chosen_format: Format | None, write: Callable[[Iterator[bytes]], None]) -> None:
    """Gives the note to `write`, in pieces. Nothing remembers it: the next capture of a file is not affected."""
    state_dir = config.state_dir(task.chosen.state_dir)
    config.ensure_state_dir(state_dir)
    with tempfile.TemporaryDirectory(prefix="kato-capture-", dir=state_dir) as folder:
        writer = note_writer(state_dir)
        notebook = build.notebook(task.chosen, writer, NoMemory(), state_dir)
        session = _session(task)
        file_format = chosen_format or "md"
        name = PurePath(notebook.heads.default_file_name(session)).with_suffix(f".{file_format}")
        # Files of pictures would vanish with the folder: only a page can hold them.
        is_page = file_format == "html"
        path = os.path.join(folder, name)  # noqa: PTH118 - a text
        _write(task, notebook, writer, session, path, file_format, may_write_pictures=is_page)
        write(pieces_of(path))


def _session(task: Task) -> SessionRecord:
    """The session's record. Raises CommandRefused if it has no events."""
    with progress.shown("Reading the conversation"):
        return _session_of(task)


def _session_of(task: Task) -> SessionRecord:
    events = SessionEvents(task.found, task.surroundings, since_ms=task.since_ms, screen=task.screen)
    session = session_of(task.found, task.surroundings, events)
    if session.event_count == 0:
        when = "" if task.since_ms is None else " of that time"
        raise CommandRefused(f"{task.found.path} holds no messages{when}; nothing was written")
    return session


def _write(
    task: Task,
    notebook: NoteBook,
    writer: NoteWriter,
    session: SessionRecord,
    path: str,
    file_format: Format,
    *,
    may_write_pictures: bool = True,
) -> Report:
    save: SavePicture | None = None
    files: Pictures | None = None
    if may_write_pictures and task.chosen.markdown_images == "files":
        if file_format == "html":
            embedded = EmbeddedPictures(config.state_dir(task.chosen.state_dir))
            notebook.pictures, save = embedded.source, embedded.save
        else:
            files = Pictures(writer, path)
            save = files.save
    events = SessionEvents(
        task.found, task.surroundings, since_ms=task.since_ms, save=save, screen=task.screen
    )
    if task.chosen.markdown_include_sub_agents:
        notebook.transcripts.sub_agents = _sub_agents(task, session, events, save)
    whole = write_format(notebook, session, path, file_format, events)
    if files is None:
        return Report(path, whole)
    return Report(path, whole, (files.folder, files.count) if files.count else None, files.failure)


def _sub_agents(
    task: Task, session: SessionRecord, events: SessionEvents, save: SavePicture | None
) -> SubAgentLogs:
    logs = [one for one in task.logs if one.assistant is task.found.assistant]
    agents = SubAgentLogs(logs, task.surroundings, save, since_ms=session.created_at, screen=task.screen)
    for _ in events:
        pass  # the sub-agents that a log names are known after a run through it
    agents.know(session.key, events.started, task.found)
    return agents


def write_format(
    notebook: NoteBook, session: SessionRecord, path: str, file_format: Format, events: HasPieces
) -> Whole:
    """Writes a conversation in one of the formats."""
    with progress.shown("Writing the note"):
        return _write_format(notebook, session, path, file_format, events)


def _write_format(
    notebook: NoteBook, session: SessionRecord, path: str, file_format: Format, events: HasPieces
) -> Whole:
    end = Position(session.event_count)
    if file_format == "jsonl":
        return notebook.write_jsonl(path, session.key, events.pieces, end)
    if file_format == "html":
        return notebook.write_html(path, session, events.pieces, end)
    if file_format == "txt":
        return notebook.write_plain(path, session, events.pieces, end)
    return notebook.write_markdown(
        path, session, events.pieces, end, goes_on=lambda one: one.key == session.key
    )


def pieces_of(path: str) -> Iterator[bytes]:
    """The bytes of a file."""
    with Path(path).open("rb") as file:
        while piece := file.read(limits.WRITE_PIECE_BYTES):
            yield piece


class NoMemory(NoteLedger):
    """For a note that Kato does not keep: no file is known, and nothing is remembered."""

    def note(self, path: str) -> NoteRecord | None:
        """None."""
        del path
        return None

    def session(self, key: SessionKey) -> SessionRecord | None:
        """None."""
        del key
        return None

    def put_note(self, note: NoteRecord) -> None:
        """Does nothing."""

    def open_recordings_at(self, path: str) -> list[Recording]:
        """No recordings."""
        del path
        return []

    def put_recording(self, recording: Recording) -> None:
        """Does nothing."""

    def exclusive(self) -> AbstractContextManager[None]:
        """No other process writes to the temporary folder."""
        return nullcontext()
