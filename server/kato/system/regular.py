"""Opens files that other programs can replace, without waiting.

Rule: Kato opens every such file here. A pipe, a device or a folder in the file's place raises an OSError: a plain `open` of a pipe
would block the whole process until another program opens the other end.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_ALWAYS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class NotRegular(OSError):
    """Something else than a file of bytes lies at the path."""


def open_regular(
    path: str | os.PathLike[str], flags: int, mode: int = 0o600, *, dir_fd: int | None = None
) -> int:
    """A descriptor of a regular file; also for `open(..., opener=open_regular)`. Raises OSError, of which NotRegular says
    that it is none.
    """
    descriptor = os.open(path, flags | _AT_ONCE | _ALWAYS, mode, dir_fd=dir_fd)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegular(errno.EINVAL, "not a regular file", os.fspath(path))
        if _AT_ONCE:
            os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file lies at the path; False if nothing does. Raises OSError, of which NotRegular says that something else
    does.
    """
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular(errno.EINVAL, "not a regular file", os.fspath(path))
    return True


def read_regular(path: str | os.PathLike[str], bytes_max: int) -> bytes:
    """The first `bytes_max` bytes of a regular file. Raises OSError."""
    with open(path, "rb", opener=open_regular) as file:
        return file.read(bytes_max)
