"""The folders in which Kato may write, recognised by device and inode from the moment at which they were allowed.

Rule: a folder that is missing, became a link or was replaced is not the folder that was allowed, unless nothing existed there
before or a drive was mounted there.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import PurePath
from typing import Final, NamedTuple

from kato.core.errors import PathDenied

#: Whether the system opens files relative to an open folder without following links: true everywhere but on Windows.
AT: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")


class RootUnavailable(PathDenied):
    """The allowed folder is missing, or another one is in its place. It may come back, so recordings pause."""


class Identity(NamedTuple):
    """The identity of a folder whatever its name: device and inode, and the depth in its path at which its drive is mounted."""

    device: int
    inode: int
    mount_depth: int

    def is_same(self, found: os.stat_result) -> bool:
        """Whether both are the same folder."""
        return (self.device, self.inode) == (found.st_dev, found.st_ino)


class Root:
    """An allowed folder, and its identity when it was allowed.

    Kato makes its `own` folder whenever it is missing. It makes the folder for notes without a path (`is_new_made`) only if that
    never existed: one that existed may be a drive that is not mounted now.
    """

    def __init__(self, given: str, *, own: bool = False, is_new_made: bool = False) -> None:
        self.path = os.path.realpath(given)
        self.given = given
        self._own = own
        self._identity: Identity | None = None
        with suppress(OSError):
            self._identity = _reach(self.path)
        self._is_made = own or (is_new_made and self._identity is None and not os.path.lexists(self.path))

    def holds(self, real: str) -> bool:
        """Whether the text of a path leads below this folder."""
        return real != self.path and common_folder(real, self.path) == self.path

    def names_below(self, real: str) -> list[str]:
        """The names of the folders, and of the file, from this folder down to a path in it."""
        return real[len(self.path) :].strip(os.sep).split(os.sep)

    def trouble(self) -> str | None:
        """The reason why nothing may be written here now; None if the folder exists and is the one that was allowed."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None if self._is_made else "is not there"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if self._identity is not None and self._identity.is_same(found):
            return None
        if stat.S_ISLNK(found.st_mode):
            return "is a link now"
        if not stat.S_ISDIR(found.st_mode):
            return "is not a folder now"
        return self._trouble_of_another()

    def _trouble_of_another(self) -> str | None:
        """Accepts another folder in this one's place where that is safe: nothing existed there before, or a drive was mounted
        here, for which a program needs the right to mount.
        """
        known = self._identity
        try:
            reached = _reach(self.path)
        except OSError:
            return "lies behind a link now"
        is_mounted = known is not None and (
            reached.device != known.device and reached.mount_depth >= known.mount_depth
        )
        if known is None or self._own or is_mounted:
            self._identity = reached
            return None
        if reached.device != known.device:
            return "is on another drive now: the one it was on is not mounted"
        return "is another folder now; if you replaced it yourself, restart Kato"

    def confirm(self, descriptor: int, path: str) -> None:
        """Raises RootUnavailable unless the open folder is this one."""
        if self._identity is None or not self._identity.is_same(os.fstat(descriptor)):
            trouble = self.trouble() or "was swapped while it was opened"
            raise RootUnavailable(f"{path}: the allowed folder {self.path} {trouble}", path)

    def make(self) -> None:
        """Makes the folder if it is missing and Kato may make it."""
        if self._is_made and not os.path.lexists(self.path):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            os.mkdir(self.path, 0o700 if self._own else 0o777)
            self._identity = _reach(self.path)
            self._is_made = self._own

    def is_emptied_mount(self, device: int | None) -> bool:
        """Whether the folder is empty and on another device than its notes were: its drive is not mounted."""
        try:
            with os.scandir(self.path) as entries:
                return device not in (None, device_of(os.stat(self.path))) and next(entries, None) is None
        except OSError:
            return False


class Everywhere(Root):
    """Allows all folders of a drive: for a path that the user typed on the command line."""

    def trouble(self) -> str | None:  # noqa: D102
        return None

    def confirm(self, descriptor: int, path: str) -> None:  # noqa: D102
        pass


def device_of(found: os.stat_result) -> int:
    """The device of a file, in 63 bits: Windows numbers volumes with 64 bits, and integers of SQLite have a sign."""
    return found.st_dev & (1 << 63) - 1


def _reach(path: str) -> Identity:
    """The state of the folder at a path without links. Opens it from the top following no link where the system can, so that no
    race leads to another folder. Raises OSError for a link.
    """
    if AT:
        with suppress(
            PermissionError
        ):  # a folder on the way may be passed and not opened, where there is no O_PATH
            return _walk(path)
    if os.path.realpath(path) != path:
        raise OSError(errno.ELOOP, "a link", path)
    found = os.stat(path)
    return Identity(found.st_dev, found.st_ino, 0)


def _walk(path: str) -> Identity:
    top, *names = PurePath(path).parts
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", 0)
    current = os.open(top, flags)
    try:
        found, depth = os.fstat(current), 0
        for number, name in enumerate(names, 1):
            inner = os.open(name, flags, dir_fd=current)
            os.close(current)
            current = inner
            above, found = found, os.fstat(current)
            if found.st_dev != above.st_dev:
                depth = number
        return Identity(found.st_dev, found.st_ino, depth)
    finally:
        os.close(current)


def common_folder(path: str, other: str) -> str | None:
    """The folder that contains two paths; None if they are on two drives."""
    try:
        return os.path.commonpath([path, other])
    except ValueError:
        return None
