"""Opens the files and folders that the write policy allows, reads and writes them by descriptor, and translates errors.

Rules:

- A path is opened from its root down, one component at a time, following no link (POSIX): what was checked is what is opened.
- A file with a second name (a hard link) is neither read nor written: the other name may lie outside the allowed folders.
- Errors of the system become `PathDenied` or `WriteFailed` with the path; denials are in the audit log.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.errors import PathDenied, WriteFailed
from kato.notes.policy import Place, WritePolicy
from kato.notes.roots import AT, RootUnavailable, device_of
from kato.system.regular import NotRegular, open_regular

#: Flags of every open: no link is followed, no child process inherits the descriptor, no byte is translated.
NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class FileState(NamedTuple):
    """A file's size in bytes and time of change, which show whether it was changed, and its device."""

    size: int
    mtime_ns: int
    device: int


class NoteMissing(WriteFailed):
    """The file that was to be appended to is gone."""


def refuse_special(found: os.stat_result, path: str, policy: WritePolicy) -> None:
    """Raises PathDenied for anything but a regular file with one name."""
    if not stat.S_ISREG(found.st_mode):
        raise PathDenied(f"{path} is not a regular file", path)
    if found.st_nlink > 1 and policy.is_bounded:
        raise PathDenied(
            f"{path} has {found.st_nlink} names (hard links), and one may lie outside the allowed folders: replace it by "
            "a copy, or name another note",
            path,
        )


@contextmanager
def folder_of(place: Place, *, create: bool) -> Iterator[tuple[int | str, str]]:
    """Opens the file's folder: yields its descriptor (its path where the system opens nothing by descriptor) and the file's
    name. Walks down from the root and follows no link, so that it refuses a folder that was swapped for a link since the
    check. `create` makes the folders that are missing below the root.
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
def failures(policy: WritePolicy, path: str) -> Iterator[None]:
    """Translates the system's errors into NoteMissing, PathDenied and WriteFailed; writes denials to the audit log."""
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
        if error.errno in _SWAPPED:
            raise PathDenied(
                f"{path}: a folder or the file turned into a link while it was opened", path
            ) from error
        raise WriteFailed(f"{path}: {error.strerror or type(error).__name__}", path) from error


#: What O_NOFOLLOW reports when it meets a link (EMLINK on FreeBSD).
_SWAPPED: Final = frozenset({errno.ELOOP, errno.EMLINK})


def state_of(found: os.stat_result) -> FileState:
    """The state of a file that was just looked at."""
    return FileState(found.st_size, found.st_mtime_ns, device_of(found))


def open_at(folder: int | str, name: str, flags: int, mode: int = 0o600) -> int:
    """Opens a file in a folder."""
    if isinstance(folder, int):
        return os.open(name, flags, mode, dir_fd=folder)
    return os.open(os.path.join(folder, name), flags, mode)


def open_old_at(folder: int | str, name: str, flags: int) -> int:
    """Opens a file that exists. Raises NotRegular when something else took its place since the check."""
    if isinstance(folder, int):
        return open_regular(name, flags, dir_fd=folder)
    return open_regular(os.path.join(folder, name), flags)


def lstat_at(folder: int | str, name: str) -> os.stat_result | None:
    """The state of a name in a folder; None if it does not exist."""
    try:
        if isinstance(folder, int):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        return os.lstat(os.path.join(folder, name))
    except FileNotFoundError:
        return None


def unlink_at(folder: int | str, name: str) -> None:
    """Removes a name from a folder, if it exists."""
    try:
        if isinstance(folder, int):
            os.unlink(name, dir_fd=folder)
        else:
            os.unlink(os.path.join(folder, name))
    except FileNotFoundError:
        pass


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of the data, in as many writes as the system needs."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_up_to(descriptor: int, length: int) -> bytes:
    """The next bytes, at most `length`; fewer only at the end of the file."""
    pieces = []
    while length > 0 and (piece := os.read(descriptor, min(length, limits.WRITE_PIECE_BYTES))):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
