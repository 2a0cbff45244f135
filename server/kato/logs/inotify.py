"""Watches folders on Linux through inotify itself: exactly the folders that can hold logs, one watch for each.

inotify names the reason when it cannot watch a folder, and costs nothing while nothing happens. watchfiles would watch all
folders below a root and wake several times a second to see whether something changed.
"""

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable, Container
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from kato.core import limits
from kato.logs.watcher import Failure, Report

# inotify.h
_MODIFY: Final = 0x0000_0002
_MOVED_TO: Final = 0x0000_0080
_CREATE: Final = 0x0000_0100
_OVERFLOW: Final = 0x0000_4000
_IGNORED: Final = 0x0000_8000
_ONLY_DIRECTORIES: Final = 0x0100_0000
_NOT_UNLINKED: Final = 0x0400_0000
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows


class InotifyWatcher:
    """See the module, and `Watcher`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Report) -> None:
        self._loop = loop
        self._report = report
        self._failure: Failure | None = None
        self._descriptor: int | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._watches: dict[str, int] = {}
        self._folders: dict[int, set[str]] = {}  # a folder with symbolic links to it has several paths

    @property
    def failure(self) -> Failure | None:
        """See `Watcher`."""
        return self._failure

    @property
    def count(self) -> int:
        """See `Watcher`."""
        return len(self._folders)

    def add(self, folder: str) -> None:
        """See `Watcher`. A folder that is watched already is added again: it may be a new one of the same name."""
        if self._failure is not None:
            return
        if len(self._folders) >= limits.LOG_FOLDERS_MAX and folder not in self._watches:
            self._failure = Failure(f"there are more than {limits.LOG_FOLDERS_MAX:,} folders", "")
            return
        try:
            watch = self._add(os.fsencode(folder))
        except OSError as error:
            # A folder that may not be read cannot be listed either: the scan counts it.
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
                self._failure = _inotify_failure(error)
            return
        before = self._watches.get(folder, watch)
        self._watches[folder] = watch
        self._folders.setdefault(watch, set()).add(folder)
        if before != watch:
            self._forget(before, folder)

    def _add(self, folder: bytes) -> int:
        if self._descriptor is None:
            self._descriptor = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
            self._loop.add_reader(self._descriptor, self._gather)
        mask = _CREATE | _MOVED_TO | _MODIFY | _ONLY_DIRECTORIES | _NOT_UNLINKED
        return _call("inotify_add_watch", self._descriptor, ctypes.c_char_p(folder), ctypes.c_uint32(mask))

    def _forget(self, watch: int, folder: str) -> None:
        paths = self._folders.get(watch, set())
        paths.discard(folder)
        if not paths and self._folders.pop(watch, None) is not None:
            assert self._descriptor is not None
            with suppress(OSError):  # the folder is gone, and its watch with it
                _call("inotify_rm_watch", self._descriptor, watch)

    def keep(self, folders: Container[str]) -> bool:
        """See `Watcher`."""
        for folder in [path for path in self._watches if path not in folders]:
            self._forget(self._watches.pop(folder), folder)
        return False

    def retry(self) -> None:
        """See `Watcher`."""
        self._failure = None

    def stop(self) -> None:
        """See `Watcher`."""
        if self._gathering is not None:
            self._gathering.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = None
        self._watches.clear()
        self._folders.clear()

    def _gather(self) -> None:
        """Waits before reading the events: a program that writes line by line causes one for each line."""
        assert self._descriptor is not None
        self._loop.remove_reader(self._descriptor)
        self._gathering = self._loop.call_later(limits.LOG_GATHER_SECONDS, self._read)

    def _read(self) -> None:
        self._gathering = None
        assert self._descriptor is not None
        self._loop.add_reader(self._descriptor, self._gather)
        try:
            data = os.read(self._descriptor, limits.LOG_WATCH_QUEUE_BYTES)
        except BlockingIOError:
            return
        changed = self._changed(data)
        if changed is None or changed:
            self._report(changed)

    def _changed(self, data: bytes) -> list[str] | None:
        changed: dict[str, None] = {}
        position = 0
        while position < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, position)
            position += _EVENT.size + length
            if mask & _OVERFLOW:
                return None
            if mask & _IGNORED:  # the folder is gone
                for folder in self._folders.pop(watch, set()):
                    if self._watches.get(folder) == watch:
                        del self._watches[folder]
                continue
            name = os.fsdecode(data[position - length : position].rstrip(b"\0"))
            changed.update((os.path.join(folder, name), None) for folder in self._folders.get(watch, ()))  # noqa: PTH118
        return list(changed)


def _call(name: str, *arguments: object) -> int:
    """Calls a function of the C library. Raises OSError."""
    result: int = _function(name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@cache
def _function(name: str) -> Callable[..., int]:
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    return function


#: The resource that is used up, the kernel's setting for it, and a usual value.
_LIMITS: Final = {
    errno.EMFILE: ("instances", "max_user_instances", 512),
    errno.ENOSPC: ("watches", "max_user_watches", 524_288),
}


def _inotify_failure(error: OSError) -> Failure:
    if error.errno not in _LIMITS:
        return Failure(f"inotify does not work here: {error.strerror}", "")
    noun, setting, usual = _LIMITS[error.errno]
    try:
        allowed = int(Path("/proc/sys/fs/inotify", setting).read_text(encoding="ascii"))
    except (OSError, ValueError):  # no descriptor is left, or a container hides the setting
        allowed, shown = 0, f"fs.inotify.{setting}"
    else:
        shown = f"fs.inotify.{setting} = {allowed}"
    return Failure(
        f"your programs use all inotify {noun} that the system allows ({shown})",
        f"Raise the limit: sudo sysctl fs.inotify.{setting}={max(2 * allowed, usual)}",
    )
