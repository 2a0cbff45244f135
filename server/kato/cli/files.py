"""The files that subcommands open and write: the journal of a state folder, and files whose paths the user typed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kato.app import process
from kato.cli import terminal
from kato.core.errors import JournalUnavailable
from kato.notes.files import NoteWriter
from kato.notes.leftovers import Leftovers
from kato.notes.policy import WritePolicy
from kato.storage.journal import FILE_NAME, Journal
from kato.system.clock import now_ms


@contextmanager
def open_journal(state_dir: Path) -> Iterator[Journal]:
    """The journal of a state folder. Raises JournalUnavailable if it does not exist, and does not create it."""
    path = state_dir / FILE_NAME
    if not path.exists():
        raise JournalUnavailable(
            f"the journal {path} does not exist; an editor with Kato or `kato watch` creates it", str(path)
        )
    journal = Journal.open(state_dir, now_ms=now_ms)
    try:
        if journal.recovery is not None:
            terminal.print_error(f"kato: {journal.recovery}")
        yield journal
    finally:
        journal.close()


def note_writer(state_dir: Path) -> NoteWriter:
    """A writer for paths that the user typed: in any folder, under the other rules of the write policy."""
    leftovers = Leftovers(process.mark(), process.is_mark_gone, now_ms)
    return NoteWriter(
        WritePolicy(None), backups_dir=state_dir / "backups", now_ms=now_ms, leftovers=leftovers
    )


def write_file(state_dir: Path, path: str, pieces: Iterator[bytes]) -> None:
    """Writes a file. A file that exists is copied to the backups first, and the user is notified."""
    writer = note_writer(state_dir)
    with writer.prepare(path, pieces) as prepared:
        written = prepared.commit(backup=writer.inspect(path).exists)
    if written.backup_path is not None:
        terminal.print_error(f"{path} was copied to {written.backup_path} first")
