"""The write policy on the real file system, and the two ways a note is written: whole and at its end.

    check    letters ─► real path of the nearest existing ancestor ─► inside a real allowed root ─► no link that leads
             nowhere or out, no folder, no device
    open     from the root down, one component at a time, following no link (POSIX): what was checked is what is opened
    whole    temporary file in the same folder, fsync, rename, fsync of the folder
    append   one write at the end; a partial one (disk full) is taken back

Rules: after a crash the old file or the new one is there; nothing is half-done; a refusal names the rule. Every decision
goes to the audit log, a repeated one (the appends of a recording) once.
"""

import errno
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path, PurePath
from types import TracebackType
from typing import Final, NamedTuple

import orjson

from kato import frontmatter, limits, paths
from kato.errors import PathDenied, WriteFailed

_WINDOWS: Final = sys.platform == "win32"
#: Opening relative to an open folder without following links: everywhere but on Windows.
_AT: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

Audit = Callable[[str, str, str], None]


class AuditLog:
    """`audit.jsonl`: one decision a line, bounded by one rotation. Writing it never fails a command."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, tuple[str, str]] = {}

    def __call__(self, decision: str, path: str, reason: str) -> None:
        """Notes a decision unless it is the same as the last one for this path."""
        if self._last.get(path) == (decision, reason):
            return
        if len(self._last) > 1000:
            self._last.clear()
        self._last[path] = (decision, reason)
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = orjson.dumps({"time": now, "decision": decision, "path": path, "reason": reason}) + b"\n"
        try:
            if self._path.exists() and self._path.stat().st_size > limits.AUDIT_FILE_BYTES_MAX:
                self._path.replace(self._path.with_suffix(".1.jsonl"))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NOFOLLOW, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError:
            self._last.pop(path, None)


class WritePolicy:
    """Which paths may be written. `roots` None: every folder (a path typed at the command line)."""

    def __init__(self, roots: Sequence[str] | None, *, audit: Audit | None = None) -> None:
        self._roots = roots
        self._audit = audit

    def check(self, path: str) -> "Place":
        """Where this path really leads. Raises PathDenied that names the rule."""
        try:
            place = self._place(path)
        except PathDenied as denied:
            if self._audit is not None:
                self._audit("deny", path, denied.message)
            raise
        if self._audit is not None:
            self._audit("allow", place.path, f"inside {place.root}")
        return place

    def _place(self, path: str) -> "Place":
        refusal = paths.policy_refusal(path, windows=_WINDOWS)
        if refusal is not None:
            raise PathDenied(f"{path}: {refusal}", path)
        try:
            real = _real_path(path)
        except OSError as error:
            raise PathDenied(f"{path}: {error.strerror or error}", path) from None
        if self._roots is None:
            return Place(real, os.path.splitdrive(real)[0] + os.sep)
        for root in self._roots:
            real_root = os.path.realpath(root)
            if real != real_root and _common(real, real_root) == real_root:
                return Place(real, real_root)
        allowed = ", ".join(self._roots) or "none"
        raise PathDenied(
            f"{path} is outside the allowed folders ({allowed}); allowedWriteRoots adds others",
            path,
            rule="outside",
        )


def _common(path: str, other: str) -> str | None:
    try:
        return os.path.commonpath([path, other])
    except ValueError:  # two drives
        return None


class Place(NamedTuple):
    """A real path, free of links, and the allowed root it lies in."""

    path: str
    root: str


class NoteFile(NamedTuple):
    """What stands in a file: its frontmatter (YAML text) and, of everything below, length and CRC-32."""

    exists: bool
    size: int = 0
    frontmatter: str | None = None
    body_bytes: int = 0
    body_crc32: int = 0
    body_is_empty: bool = True


class Written(NamedTuple):
    """The file's size after a write, and where its former content was copied to."""

    size: int
    backup_path: str | None = None


class NoteMissing(WriteFailed):
    """The file that was to be appended to is gone."""


class NoteWriter:
    """Reads and writes notes under a policy."""

    def __init__(self, policy: WritePolicy, *, backups_dir: Path, now_ms: Callable[[], int]) -> None:
        self.policy = policy
        self._backups_dir = backups_dir
        self._now_ms = now_ms

    def check(self, path: str) -> str:
        """The real path that will be written. Raises PathDenied."""
        return self.policy.check(path).path

    def size(self, path: str) -> int:
        """The file's size in bytes. Raises NoteMissing."""
        with _failures(path), self._open(path, os.O_RDONLY) as descriptor:
            return os.fstat(descriptor).st_size

    def inspect(self, path: str) -> NoteFile:
        """What stands in the file, read once from end to end in bounded memory."""
        try:
            with _failures(path), self._open(path, os.O_RDONLY) as descriptor:
                return _inspect(descriptor)
        except NoteMissing:
            return NoteFile(exists=False)

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`."""
        with _failures(path), self._open(path, os.O_RDONLY) as descriptor:
            os.lseek(descriptor, max(0, start), os.SEEK_SET)
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
                descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW)
                try:
                    head = _read_up_to(descriptor, limits.MOVED_NOTE_HEAD_BYTES)
                finally:
                    os.close(descriptor)
                yield path, head

    def prepare(self, path: str, pieces: Iterable[bytes]) -> "Prepared":
        """Writes a new content beside the file; `commit` puts it in its place, leaving the context takes it away."""
        place = self.policy.check(path)
        return Prepared(place, pieces, self._backups_dir, self._now_ms)

    def append(self, path: str, data: bytes) -> Written:
        """Writes at the end of an existing file, on a line of its own, wholly or not at all. Raises NoteMissing."""
        with _failures(path), self._open(path, os.O_RDWR | os.O_APPEND) as descriptor:
            before = os.fstat(descriptor).st_size
            if before and not _ends_with_newline(descriptor, before):
                data = b"\n" + data
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            return Written(before + len(data))

    @contextmanager
    def _open(self, path: str, flags: int) -> Iterator[int]:
        place = self.policy.check(path)
        with _folder_of(place, create=False) as (folder, name):
            descriptor = _open_at(folder, name, flags | _NOFOLLOW)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PathDenied(f"{path} is no regular file", path)
            yield descriptor
        finally:
            os.close(descriptor)


class Prepared:
    """A new content of a file, beside it, not yet in its place."""

    def __init__(
        self, place: Place, pieces: Iterable[bytes], backups_dir: Path, now_ms: Callable[[], int]
    ) -> None:
        self._place = place
        self._pieces = pieces
        self._backups_dir = backups_dir
        self._now_ms = now_ms
        self._size = 0
        self._temporary = (
            f".{os.path.basename(place.path)[:100]}.kato-{os.getpid()}-{os.urandom(4).hex()}.tmp"
        )

    def __enter__(self) -> "Prepared":
        with _failures(self._place.path):
            self._folder_context = _folder_of(self._place, create=True)
            self._folder, self._name = self._folder_context.__enter__()
            try:
                self._write_temporary()
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _unlink_at(self._folder, self._temporary)
        finally:
            self._folder_context.__exit__(None, None, None)

    def _write_temporary(self) -> None:
        mode = 0o666  # less the umask, as any editor makes a file
        old = _lstat_at(self._folder, self._name)
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise PathDenied(f"{self._place.path} is no regular file", self._place.path)
        descriptor = _open_at(
            self._folder, self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, mode
        )
        try:
            if old is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            for piece in self._pieces:
                _write_all(descriptor, piece)
                self._size += len(piece)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def commit(self, *, backup: bool) -> Written:
        """Puts the new content in its place, atomically; the old one is copied away first if `backup` is true."""
        path = self._place.path
        with _failures(path):
            copied = self._back_up() if backup else None
            if isinstance(self._folder, int):
                os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                os.fsync(self._folder)
            else:
                os.replace(
                    os.path.join(self._folder, self._temporary), os.path.join(self._folder, self._name)
                )
        return Written(self._size, copied)

    def _back_up(self) -> str | None:
        self._backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.fromtimestamp(self._now_ms() / 1000, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        stem, suffix = os.path.splitext(self._name)
        source = _open_at(self._folder, self._name, os.O_RDONLY | _NOFOLLOW)
        try:
            for number in range(limits.BACKUPS_PER_NAME_MAX):
                mark = f"-{number}" if number else ""
                target = self._backups_dir / f"{stem[:100]}.{moment}{mark}{suffix}"
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


def _real_path(path: str) -> str:
    """The path with every link resolved. Parts that are not there yet stay as they are, a link that leads nowhere is
    refused.
    """
    head, missing = path, []
    while not os.path.lexists(head):
        parent, name = os.path.split(head)
        if parent == head:
            break
        missing.append(name)
        head = parent
    real = os.path.realpath(head, strict=True)
    if missing:
        if not os.path.isdir(real):
            raise NotADirectoryError(0, f"{head} is no folder")
    elif os.path.isdir(real):
        raise IsADirectoryError(0, "it is a folder; name a file in it")
    elif not os.path.isfile(real):
        raise OSError(0, "it is a device, a socket or a pipe, no file")
    return os.path.join(real, *reversed(missing))


@contextmanager
def _folder_of(place: Place, *, create: bool) -> Iterator[tuple[int | str, str]]:
    """The file's folder, open, and the file's name. Walks down from the root following no link, so that a folder that
    was swapped for a link since the check is refused; missing folders are made on the way.
    """
    folder, name = os.path.split(place.path)
    if not _AT:
        if create:
            os.makedirs(folder, exist_ok=True)
        yield folder, name
        return
    if create and not os.path.isdir(place.root):
        os.makedirs(place.root, exist_ok=True)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    current = os.open(place.root, flags)
    try:
        for part in PurePath(os.path.relpath(folder, place.root)).parts:
            if part == ".":
                continue
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
def _failures(path: str) -> Iterator[None]:
    """The system's errors as Kato's, with the path and what is wrong."""
    try:
        yield
    except FileNotFoundError as error:
        raise NoteMissing(f"{path} is not there", path) from error
    except OSError as error:
        swapped = error.errno in _SWAPPED
        if swapped:
            raise PathDenied(
                f"{path}: a folder or the file turned into a link while it was opened", path
            ) from error
        raise WriteFailed(f"{path}: {error.strerror or type(error).__name__}", path) from error


#: What O_NOFOLLOW reports when it meets a link (EMLINK on FreeBSD).
_SWAPPED: Final = frozenset({errno.ELOOP, errno.EMLINK})


def _open_at(folder: int | str, name: str, flags: int, mode: int = 0o600) -> int:
    if isinstance(folder, int):
        return os.open(name, flags, mode, dir_fd=folder)
    return os.open(os.path.join(folder, name), flags, mode)


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
