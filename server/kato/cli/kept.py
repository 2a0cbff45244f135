"""Captures of conversations that only the journal has, because the assistant deleted their logs."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

from msgspec.structs import replace

from kato.app import build, config
from kato.app.catalogue import open_journal
from kato.cli import catalog, terminal
from kato.cli.capturing import Format, NoMemory, Report, format_of, pieces_of, write_format
from kato.cli.files import note_writer
from kato.core.errors import CommandRefused
from kato.core.events import SessionKey, decode_line
from kato.core.lines import numbered
from kato.core.moments import epoch_ms
from kato.core.records import SessionRecord
from kato.core.settings import Settings
from kato.core.text import printable
from kato.notes.rendering import SubAgent
from kato.storage.journal import Journal
from kato.system.clock import now_ms


class Target(NamedTuple):
    """Where to write: a path, `-` for standard output, None for the default name; and the format that the user chose."""

    path: str | None
    file_format: Format | None


class KeptEvents:
    """The events of a session in the journal, from a moment (ms) on."""

    def __init__(self, journal: Journal, key: SessionKey, since_ms: int | None) -> None:
        self._journal = journal
        self._key = key
        self._since_ms = since_ms

    def pieces(self, *, after: int = 0, until: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Their lines in pieces of a bounded size, each with the number of its first."""
        if self._since_ms is None:
            yield from self._journal.read_pieces(self._key, after=after, until=until)
            return
        number = 0
        for _, line in numbered(self._journal.read_pieces(self._key)):
            if epoch_ms(decode_line(line).timestamp) >= self._since_ms:
                if number >= after and (until is None or number < until):
                    yield number, line + b"\n"
                number += 1

    def count(self) -> int:
        """How many they are."""
        return sum(piece.count(b"\n") for _, piece in self.pieces())


def find_or_refuse(state_dir: Path, wanted: str) -> SessionRecord:
    """As `find`. Raises CommandRefused for none, too."""
    record = find(state_dir, wanted)
    if record is None:
        raise CommandRefused(unknown(wanted))
    return record


def unknown(wanted: str) -> str:
    """Why a command has nothing to work on."""
    return f"the journal has no conversation {wanted!r}; `kato sessions --all` lists the conversations"


def find(state_dir: Path, wanted: str) -> SessionRecord | None:
    """The session in the journal with this id, or the beginning of it; None if there is none. Raises CommandRefused for several."""
    with open_journal(state_dir) as reader:
        records = [] if reader is None else reader.records()
    provider, slash, name = wanted.partition("/")
    if not slash:
        provider, name = "", wanted
    fitting = [
        one for one in records if provider in ("", one.key.provider) and one.key.session_id.startswith(name)
    ]
    exact = [one for one in fitting if one.key.session_id == name]
    if len(exact or fitting) > 1:
        raise CommandRefused(catalog.several(wanted, ["/".join(one.key) for one in exact or fitting]))
    return next(iter(exact or fitting), None)


def write(chosen: Settings, record: SessionRecord, target: Target, since_ms: int | None) -> Report | None:
    """Writes a conversation of the journal to a note; None if it went to standard output. Raises KatoError."""
    folder = config.state_dir(chosen.state_dir)
    journal = Journal.open(folder, now_ms=now_ms)
    try:
        writer = note_writer(folder)
        notebook = build.notebook(chosen, writer, journal, folder)
        notebook.transcripts.sub_agents = partial(_sub_agents, journal)
        events = KeptEvents(journal, record.key, since_ms)
        count = record.event_count if since_ms is None else events.count()
        if not count:
            raise CommandRefused(f"{'/'.join(record.key)} has no events of that time; nothing was written")
        session = replace(record, event_count=count)
        if target.path == "-":
            with tempfile.TemporaryDirectory(prefix="kato-capture-", dir=folder) as temporary:
                file_format = target.file_format or "md"
                path = str(Path(temporary) / f"note.{file_format}")
                notebook = build.notebook(chosen, writer, NoMemory(), folder)
                write_format(notebook, session, path, file_format, events)
                terminal.write(pieces_of(path), partial(printable, keep="\n\t"))
            return None
        name = PurePath(notebook.heads.default_file_name(record))
        if target.path is None and target.file_format is not None:
            name = name.with_suffix(f".{target.file_format}")
        path = str(Path.cwd() / name) if target.path is None else target.path
        return Report(
            path, write_format(notebook, session, path, format_of(path, target.file_format), events)
        )
    finally:
        journal.close()


def _sub_agents(journal: Journal, key: SessionKey, tool_call_id: str) -> Iterator[SubAgent]:
    for child in journal.children(key):
        if child.parent_call_id == tool_call_id:
            title = child.title or child.snippet or child.key.session_id
            yield SubAgent(child.key, title, journal.read_pieces(child.key))
