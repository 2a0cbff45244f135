"""The two ways a note is written, whole and at its end, on files that the write policy allows.

    open     from the root down, one component at a time, following no link (POSIX): what was checked is what is opened
    whole    temporary file in the same folder, fsync, rename, fsync of the folder
    append   one write at the end; a partial one (disk full) is taken back

Rules: after a crash the old file or the new one is there; nothing is half-done. A file with a second name (a hard link)
is neither read nor written: the other name may lie outside the allowed folders.
"""

import errno
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from kato.core import limits, paths
from kato.core.errors import PathDenied, WriteFailed
from kato.notes import frontmatter
from kato.notes.leftovers import Leftovers
from kato.notes.policy import AT, Place, RootUnavailable, WritePolicy, as_on_disk, device_of
from kato.system.regular import NotRegular, open_regular

_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class NoteFile(NamedTuple):
    """What stands in a file: its frontmatter (YAML text) and, of everything below, length and CRC-32."""

    exists: bool
    size: int = 0
    frontmatter: str | None = None
    body_bytes: int = 0
    body_crc32: int = 0
    body_is_empty: bool = True


class FileState(NamedTuple):
    """What shows whether a file was changed, and the device it is on."""

    size: int
    mtime_ns: int
    device: int


class Written(NamedTuple):
    """The file's state after a write, and where its former content was copied to."""

    state: FileState
    backup_path: str | None = None


class NoteMissing(WriteFailed):
    """The file that was to be appended to is gone."""


class NoteWriter:
    """Reads and writes notes under a policy. Without `leftovers`, temporary files of dead processes stay."""

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

    def state(self, path: str) -> FileState:
        """The file's size and time of change. Raises NoteMissing."""
        with _failures(self.policy, path), self._open(path, os.O_RDONLY) as descriptor:
            return _state(os.fstat(descriptor))

    def inspect(self, path: str, suffixes: Sequence[str] = paths.NOTE_SUFFIXES) -> NoteFile:
        """What stands in the file, read once from end to end in bounded memory."""
        try:
            with _failures(self.policy, path), self._open(path, os.O_RDONLY, suffixes) as descriptor:
                return _inspect(descriptor)
        except NoteMissing:
            return NoteFile(exists=False)

    def read_end(self, path: str, length: int) -> bytes:
        """The last bytes of the file, at most `length`. Raises NoteMissing."""
        with _failures(self.policy, path), self._open(path, os.O_RDONLY) as descriptor:
            os.lseek(descriptor, max(0, os.fstat(descriptor).st_size - length), os.SEEK_SET)
            return _read_up_to(descriptor, length)

    def heads(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The notes in a folder, the one that was changed last first, each with its beginning. What cannot be read is left
        out.
        """
        found: list[tuple[int, str]] = []
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    if paths.is_note(entry.name) and entry.is_file(follow_symlinks=False):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
        for _, path in sorted(found, reverse=True)[: limits.MOVED_NOTES_MAX]:
            with suppress(OSError):
                descriptor = open_regular(path, os.O_RDONLY | _NOFOLLOW)
                try:
                    head = _read_up_to(descriptor, limits.MOVED_NOTE_HEAD_BYTES)
                finally:
                    os.close(descriptor)
                yield path, head

    def prepare(
        self, path: str, pieces: Iterable[bytes], suffixes: Sequence[str] = paths.NOTE_SUFFIXES
    ) -> "Prepared":
        """Writes a new content beside the file; `commit` puts it in its place, leaving the context takes it away."""
        return Prepared(
            self.policy,
            self.policy.check(path, suffixes),
            pieces,
            self._backups_dir,
            self._now_ms,
            self.leftovers,
        )

    def append(self, path: str, data: bytes, *, continues_line: bool = False) -> Written:
        """Writes at the end of an existing file, wholly or not at all, on a line of its own unless it goes on with one that
        was cut off. Raises NoteMissing.
        """
        with _failures(self.policy, path), self._open(path, os.O_RDWR | os.O_APPEND) as descriptor:
            before = os.fstat(descriptor).st_size
            if before and not continues_line and not _ends_with_newline(descriptor, before):
                data = b"\n" + data
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            return Written(_state(os.fstat(descriptor)))

    def refuse_emptied_mount(self, path: str, device: int | None) -> None:
        """Raises RootUnavailable when a missing note was on a drive that is not mounted now: making it would put it on the
        disk below, where it is hidden as soon as the drive is back.
        """
        with _failures(self.policy, path):
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
        with _folder_of(place, create=False) as (folder, name):
            descriptor = _open_old_at(folder, name, flags | _NOFOLLOW)
        try:
            _refuse_special(os.fstat(descriptor), path, self.policy)
            yield descriptor
        finally:
            os.close(descriptor)


class Prepared:
    """A new content of a file, beside it, not yet in its place."""

    def __init__(
        self,
        policy: WritePolicy,
        place: Place,
        pieces: Iterable[bytes],
        backups_dir: Path,
        now_ms: Callable[[], int],
        leftovers: Leftovers,
    ) -> None:
        self._policy = policy
        self._place = place
        self._pieces = pieces
        self._backups_dir = backups_dir
        self._now_ms = now_ms
        self._leftovers = leftovers
        self._state: FileState | None = None
        self._is_in_place = False
        self._temporary = leftovers.name(os.path.basename(place.path))

    def __enter__(self) -> "Prepared":
        with _failures(self._policy, self._place.path):
            self._folder_context = _folder_of(self._place, create=True)
            self._folder, self._name = self._folder_context.__enter__()
            try:
                self._leftovers.sweep(self._folder)
                self._write_temporary()
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._is_in_place:
                _unlink_at(self._folder, self._temporary)
        finally:
            self._folder_context.__exit__(None, None, None)

    def _write_temporary(self) -> None:
        mode = 0o666  # less the umask, as any editor makes a file
        old = _lstat_at(self._folder, self._name)
        if old is not None:
            _refuse_special(old, self._place.path, self._policy)
        descriptor = _open_at(
            self._folder, self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, mode
        )
        try:
            if old is not None and hasattr(os, "fchmod"):
                # Never the right to execute: a transcript in the place of a script must not run as one.
                os.fchmod(descriptor, old.st_mode & 0o666)
            for piece in self._pieces:
                _write_all(descriptor, piece)
            os.fsync(descriptor)
            self._state = _state(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def commit(self, *, backup: bool) -> Written:
        """Puts the new content in its place, atomically; the old one is copied away first if `backup` is true."""
        assert self._state is not None
        with _failures(self._policy, self._place.path):
            copied = self._back_up() if backup else None
            if isinstance(self._folder, int):
                os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                self._is_in_place = True
                os.fsync(self._folder)
            else:
                os.replace(
                    os.path.join(self._folder, self._temporary), os.path.join(self._folder, self._name)
                )
                self._is_in_place = True
        return Written(self._state, copied)

    def _back_up(self) -> str | None:
        self._backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.fromtimestamp(self._now_ms() / 1000, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        stem, suffix = os.path.splitext(self._name)
        stem = paths.cut_to_bytes(stem, limits.TEMPORARY_NAME_BYTES)
        source = _open_old_at(self._folder, self._name, os.O_RDONLY | _NOFOLLOW)
        try:
            _refuse_special(os.fstat(source), self._place.path, self._policy)
            for number in range(limits.BACKUPS_PER_NAME_MAX):
                mark = f"-{number}" if number else ""
                target = self._backups_dir / f"{stem}.{moment}{mark}{suffix}"
                try:
                    copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600)
                except FileExistsError:
                    continue
                try:
                    while piece := os.read(source, limits.WRITE_PIECE_BYTES):
                        _write_all(copy, piece)
                    os.fsync(copy)
                finally:
                    os.close(copy)
                return str(target)
        finally:
            os.close(source)
        raise WriteFailed(f"{self._backups_dir} holds too many copies of this moment", self._place.path)


def _refuse_special(found: os.stat_result, path: str, policy: WritePolicy) -> None:
    """Raises PathDenied for what is not a file of one name."""
    if not stat.S_ISREG(found.st_mode):
        raise PathDenied(f"{path} is not a regular file", path)
    if found.st_nlink > 1 and policy.is_bounded:
        raise PathDenied(
            f"{path} has {found.st_nlink} names (hard links), and one may lie outside the allowed folders: replace it by "
            "a copy, or name another note",
            path,
        )


@contextmanager
def _folder_of(place: Place, *, create: bool) -> Iterator[tuple[int | str, str]]:
    """The file's folder, open, and the file's name. Walks down from the root following no link, so that a folder that
    was swapped for a link since the check is refused; missing folders below the root are made on the way.
    """
    folder, name = os.path.split(place.path)
    if create:
        place.root.make()
    if not AT:
        trouble = place.root.trouble()
        if trouble is not None:
            raise RootUnavailable(f"{place.path}: the allowed folder {place.root.path} {trouble}", place.path)
        if create:
            os.makedirs(folder, exist_ok=True)
        yield folder, name
        return
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    current = os.open(place.root.path, flags)
    try:
        place.root.confirm(current, place.path)
        for part in place.root.names_below(place.path)[:-1]:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=current)
            inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = inner
        yield current, name
    finally:
        os.close(current)


@contextmanager
def _failures(policy: WritePolicy, path: str) -> Iterator[None]:
    """The system's errors as Kato's, with the path and what is wrong; denials go to the audit log."""
    with policy.audited(path), _translated(path):
        yield


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NoteMissing(f"{path} is not there", path) from error
    except NotRegular as error:
        raise PathDenied(f"{path} is not a regular file", path) from error
    except OSError as error:
        swapped = error.errno in _SWAPPED
        if swapped:
            raise PathDenied(
                f"{path}: a folder or the file turned into a link while it was opened", path
            ) from error
        raise WriteFailed(f"{path}: {error.strerror or type(error).__name__}", path) from error


#: What O_NOFOLLOW reports when it meets a link (EMLINK on FreeBSD).
_SWAPPED: Final = frozenset({errno.ELOOP, errno.EMLINK})


def _state(found: os.stat_result) -> FileState:
    return FileState(found.st_size, found.st_mtime_ns, device_of(found))


def _open_at(folder: int | str, name: str, flags: int, mode: int = 0o600) -> int:
    if isinstance(folder, int):
        return os.open(name, flags, mode, dir_fd=folder)
    return os.open(os.path.join(folder, name), flags, mode)


def _open_old_at(folder: int | str, name: str, flags: int) -> int:
    """The file that is there, whatever took its place since the check."""
    if isinstance(folder, int):
        return open_regular(name, flags, dir_fd=folder)
    return open_regular(os.path.join(folder, name), flags)


def _lstat_at(folder: int | str, name: str) -> os.stat_result | None:
    try:
        if isinstance(folder, int):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        return os.lstat(os.path.join(folder, name))
    except FileNotFoundError:
        return None


def _unlink_at(folder: int | str, name: str) -> None:
    try:
        if isinstance(folder, int):
            os.unlink(name, dir_fd=folder)
        else:
            os.unlink(os.path.join(folder, name))
    except FileNotFoundError:
        pass


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read_up_to(descriptor: int, length: int) -> bytes:
    pieces = []
    while length > 0 and (piece := os.read(descriptor, min(length, limits.WRITE_PIECE_BYTES))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def _ends_with_newline(descriptor: int, size: int) -> bool:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


def _inspect(descriptor: int) -> NoteFile:
    head = _read_up_to(descriptor, limits.FRONTMATTER_BYTES_MAX + limits.KIB)
    found = frontmatter.find(head)
    body = head[found.body_offset :]
    crc, size, empty = 0, 0, True
    while body:
        crc = zlib.crc32(body, crc)
        size += len(body)
        empty = empty and not body.strip()
        body = os.read(descriptor, limits.WRITE_PIECE_BYTES)
    return NoteFile(True, found.body_offset + size, found.yaml, size, crc, empty)
