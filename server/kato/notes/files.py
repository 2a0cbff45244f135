"""The files of notes: read, appended to, and replaced, as far as the write policy allows it.

    whole    `prepare` writes a temporary file in the same folder, `Prepared.commit` puts it in its place (`replacing`)
    append   one write at the end; a partial one (disk full) is taken back

Rule: after a crash the old content or the new one is there, as a whole.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from kato.core import limits, paths
from kato.notes import frontmatter
from kato.notes.leftovers import Leftovers
from kato.notes.opening import (
    NOFOLLOW,
    FileState,
    NoteMissing,
    failures,
    folder_of,
    open_old_at,
    read_up_to,
    refuse_special,
    state_of,
    write_all,
)
from kato.notes.policy import WritePolicy, as_on_disk
from kato.notes.replacing import Prepared, Written
from kato.notes.roots import RootUnavailable
from kato.system.regular import open_regular


class NoteFile(NamedTuple):
    """The content of a note: its frontmatter (YAML text), and length in bytes and CRC-32 of the body below it."""

    exists: bool
    size: int = 0
    frontmatter: str | None = None
    body_bytes: int = 0
    body_crc32: int = 0
    body_is_empty: bool = True


class NoteWriter:
    """Reads and writes notes under a policy. `leftovers` removes temporary files of processes that ended; by default they
    stay. `now_ms` is the clock, in milliseconds since 1970.
    """

    def __init__(
        self,
        policy: WritePolicy,
        *,
        backups_dir: Path,
        now_ms: Callable[[], int],
        leftovers: Leftovers | None = None,
    ) -> None:
        self.policy = policy
        self.leftovers = leftovers or Leftovers(f"{os.getpid()}-00000000-00000000", lambda *_: False, now_ms)
        self._backups_dir = backups_dir
        self._now_ms = now_ms

    def check(self, path: str) -> str:
        """The real path that will be written, with the file's name as it is spelled on the disk. Raises PathDenied."""
        return as_on_disk(self.policy.check(path).path)

    def look(self, path: str) -> str:
        """As `check`, for a path to which nothing is written yet."""
        return as_on_disk(self.policy.look(path).path)

    def state(self, path: str) -> FileState:
        """The file's size and time of change. Raises NoteMissing."""
        with failures(self.policy, path), self._open(path, os.O_RDONLY) as descriptor:
            return state_of(os.fstat(descriptor))

    def inspect(self, path: str, suffixes: Sequence[str] = paths.NOTE_SUFFIXES) -> NoteFile:
        """The file's content, read once from beginning to end in bounded memory."""
        try:
            with failures(self.policy, path), self._open(path, os.O_RDONLY, suffixes) as descriptor:
                return _inspect(descriptor)
        except NoteMissing:
            return NoteFile(exists=False)

    def read_end(self, path: str, length: int) -> bytes:
        """The last bytes of the file, at most `length`. Raises NoteMissing."""
        with failures(self.policy, path), self._open(path, os.O_RDONLY) as descriptor:
            os.lseek(descriptor, max(0, os.fstat(descriptor).st_size - length), os.SEEK_SET)
            return read_up_to(descriptor, length)

    def heads(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The notes in a folder, the newest change first, each with its first bytes. Leaves out what it cannot read."""
        found: list[tuple[int, str]] = []
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    if paths.is_note(entry.name) and entry.is_file(follow_symlinks=False):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
        for _, path in sorted(found, reverse=True)[: limits.MOVED_NOTES_MAX]:
            with suppress(OSError):
                descriptor = open_regular(path, os.O_RDONLY | NOFOLLOW)
                try:
                    head = read_up_to(descriptor, limits.MOVED_NOTE_HEAD_BYTES)
                finally:
                    os.close(descriptor)
                yield path, head

    def prepare(
        self, path: str, pieces: Iterable[bytes], suffixes: Sequence[str] = paths.NOTE_SUFFIXES
    ) -> "Prepared":
        """Writes a new content to a temporary file; `Prepared.commit` puts it in the place of the old one."""
        return Prepared(
            self.policy,
            self.policy.check(path, suffixes),
            pieces,
            self._backups_dir,
            self._now_ms,
            self.leftovers,
        )

    def append(self, path: str, data: bytes, *, continues_line: bool = False) -> Written:
        """Writes at the end of an existing file, wholly or not at all: on a new line, or, with `continues_line`, behind a line
        that was cut off. Raises NoteMissing.
        """
        with failures(self.policy, path), self._open(path, os.O_RDWR | os.O_APPEND) as descriptor:
            before = os.fstat(descriptor).st_size
            if before and not continues_line and not _ends_with_newline(descriptor, before):
                data = b"\n" + data
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            return Written(state_of(os.fstat(descriptor)))

    def refuse_emptied_mount(self, path: str, device: int | None) -> None:
        """Raises RootUnavailable when a missing note was on a drive that is not mounted now: a new file would be on the disk
        below, and hidden as soon as the drive is back.
        """
        with failures(self.policy, path):
            root = self.policy.check(path).root
            if root.is_emptied_mount(device):
                raise RootUnavailable(
                    f"{path}: the allowed folder {root.path} is empty; its drive seems not to be mounted",
                    path,
                )

    def sweep(self, folders: Iterable[str]) -> None:
        """Removes the temporary files of dead processes from these folders, as far as the policy allows."""
        for folder in folders:
            if self.policy.allows_folder(folder):
                self.leftovers.sweep_if_changed(folder)

    @contextmanager
    def _open(self, path: str, flags: int, suffixes: Sequence[str] = paths.NOTE_SUFFIXES) -> Iterator[int]:
        place = self.policy.check(path, suffixes)
        with folder_of(place, create=False) as (folder, name):
            descriptor = open_old_at(folder, name, flags | NOFOLLOW)
        try:
            refuse_special(os.fstat(descriptor), path, self.policy)
            yield descriptor
        finally:
            os.close(descriptor)


def _ends_with_newline(descriptor: int, size: int) -> bool:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


def _inspect(descriptor: int) -> NoteFile:
    head = read_up_to(descriptor, limits.FRONTMATTER_BYTES_MAX + limits.KIB)
    found = frontmatter.find(head)
    body = head[found.body_offset :]
    crc, size, empty = 0, 0, True
    while body:
        crc = zlib.crc32(body, crc)
        size += len(body)
        empty = empty and not body.strip()
        body = os.read(descriptor, limits.WRITE_PIECE_BYTES)
    return NoteFile(True, found.body_offset + size, found.yaml, size, crc, empty)
