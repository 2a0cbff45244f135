"""Reports changes in folders as the system sees them: on Linux in exactly the folders that can hold logs, elsewhere in trees.

Rule: a report is a hint. Only how soon a change is seen depends on it. A watcher names why it fails (`failure`), so that its
user can look more often.
"""

import asyncio
import ctypes
import errno
import os
import struct
import sys
import threading
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from kato.core import limits


class Failure(NamedTuple):
    """Why folders are not watched, and what to do about it."""

    reason: str
    cure: str


class Watcher(Protocol):
    """Reports paths below the folders that were added. Lives on the event loop's thread."""

    @property
    def failure(self) -> Failure | None:
        """Why some folders are not watched; None while all are."""
        ...

    @property
    def count(self) -> int:
        """How many folders are watched."""
        ...

    def add(self, folder: str) -> None:
        """Watches a folder. Called before it is listed, so that nothing is missed between the two."""
        ...

    def keep(self, folders: Container[str]) -> bool:
        """Ends watching all other folders. True: watching begins a moment from now, what is made until then is missed."""
        ...

    def retry(self) -> None:
        """What failed is tried again from now on, where that can succeed."""
        ...

    def stop(self) -> None:
        """Watches nothing more."""
        ...


#: Reports changed paths; None for "too many to say".
Report = Callable[[Sequence[str] | None], None]


def watcher(loop: asyncio.AbstractEventLoop, report: Report) -> Watcher:
    """This system's."""
    return InotifyWatcher(loop, report) if sys.platform == "linux" else TreeWatcher(loop, report)


class Trial:
    """Watches folders as a server would, to see whether that works. A context manager: `add` the folders inside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.watcher = watcher(self._loop, lambda _: None)

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *_: object) -> None:
        self.watcher.stop()
        self._loop.close()

    def add(self, folder: str) -> bool:
        """For `sources.scan`: watches the folder, and lets it be listed."""
        self.watcher.add(folder)
        return True


# --- Linux: a watch a folder -----------------------------------------------------------------------------

# inotify.h
_MODIFY: Final = 0x0000_0002
_MOVED_TO: Final = 0x0000_0080
_CREATE: Final = 0x0000_0100
_OVERFLOW: Final = 0x0000_4000
_IGNORED: Final = 0x0000_8000
_ONLY_DIRECTORIES: Final = 0x0100_0000
_NOT_UNLINKED: Final = 0x0400_0000
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
#: The kernel queues at most `max_queued_events` (16,384) events of some 50 bytes: this is a whole queue.
_QUEUE_BYTES: Final = 1 * limits.MIB


class InotifyWatcher:
    """inotify itself: it watches single folders, names the reason when it cannot, and costs nothing while nothing happens.
    watchfiles watches all folders below a root, and wakes several times a second to see whether there is news.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Report) -> None:
        self._loop = loop
        self._report = report
        self._failure: Failure | None = None
        self._descriptor: int | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._watches: dict[str, int] = {}
        self._folders: dict[int, set[str]] = {}  # a folder that is linked to has several paths

    @property
    def failure(self) -> Failure | None:
        """See `Watcher`."""
        return self._failure

    @property
    def count(self) -> int:
        """See `Watcher`."""
        return len(self._folders)

    def add(self, folder: str) -> None:
        """See `Watcher`. A folder that is watched already is added again: it may be another one of the same name."""
        if self._failure is not None:
            return
        if len(self._folders) >= limits.LOG_FOLDERS_MAX and folder not in self._watches:
            self._failure = Failure(f"there are more than {limits.LOG_FOLDERS_MAX:,} folders", "")
            return
        try:
            watch = self._add(os.fsencode(folder))
        except OSError as error:
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
        """A program that writes line by line makes an event a line: what comes in a moment is reported together."""
        assert self._descriptor is not None
        self._loop.remove_reader(self._descriptor)
        self._gathering = self._loop.call_later(limits.LOG_GATHER_SECONDS, self._read)

    def _read(self) -> None:
        self._gathering = None
        assert self._descriptor is not None
        self._loop.add_reader(self._descriptor, self._gather)
        try:
            data = os.read(self._descriptor, _QUEUE_BYTES)
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
    """A function of the C library. Raises OSError."""
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


#: What is used up, the setting that allows it, and a usual figure.
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
    except (OSError, ValueError):
        allowed = 0
    return Failure(
        f"your programs use all inotify {noun} that the system allows (fs.inotify.{setting} = {allowed})",
        f"Raise the limit: sudo sysctl fs.inotify.{setting}={max(2 * allowed, usual)}",
    )


# --- Elsewhere: a watch a tree ----------------------------------------------------------------------------


class TreeWatcher:
    """watchfiles, in a thread of its own: macOS and Windows watch a tree as cheaply as a folder."""

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Report) -> None:
        self._loop = loop
        self._report = report
        self._failure: Failure | None = None
        self._stop: threading.Event | None = None
        self._wanted: dict[str, None] = {}
        self._watched: tuple[str, ...] = ()

    @property
    def failure(self) -> Failure | None:
        """See `Watcher`."""
        return self._failure

    @property
    def count(self) -> int:
        """See `Watcher`: whole trees."""
        return len(self._watched)

    def add(self, folder: str) -> None:
        """See `Watcher`. A folder below one that is watched is."""
        if not any(
            folder == tree or folder.startswith(tree.rstrip(os.sep) + os.sep) for tree in self._wanted
        ):
            self._wanted[folder] = None

    def keep(self, folders: Container[str]) -> bool:
        """See `Watcher`."""
        self._wanted = {folder: None for folder in self._wanted if folder in folders}
        chosen = tuple(self._wanted)
        if chosen == self._watched:
            return False
        self._end()
        self._watched, self._failure = chosen, None
        if chosen:
            self._stop = threading.Event()
            run = threading.Thread(
                target=self._run, args=(chosen, self._stop), daemon=True, name="kato-watch"
            )
            run.start()
        return bool(chosen)

    def retry(self) -> None:
        """See `Watcher`. The same trees would fail again."""

    def stop(self) -> None:
        """See `Watcher`."""
        self._end()
        self._wanted.clear()

    def _end(self) -> None:
        if self._stop is not None:
            self._stop.set()
        self._stop, self._watched = None, ()

    def _run(self, folders: tuple[str, ...], stop: threading.Event) -> None:
        from watchfiles import watch  # noqa: PLC0415 - costs memory and time that a server without logs need not pay

        reason = "the watcher ended"
        try:
            # watchfiles wakes every `step` ms to see whether the system reported changes: 20 ms cost 0.3 % of a core, 150 ms
            # cost 0.04 %. It hands them out without waiting for more (`debounce`). Polling, which its environment variables
            # can ask for, costs 2 % and finds nothing that a look does not.
            for changes in watch(
                *folders,
                watch_filter=None,
                debounce=1,
                step=limits.LOG_WATCH_STEP_MS,
                stop_event=stop,
                rust_timeout=30_000,
                yield_on_timeout=False,
                raise_interrupt=False,
                force_polling=False,
            ):
                self._from_thread(stop, self._report, [path for _, path in changes])
        except (OSError, RuntimeError) as error:
            reason = str(error)
        self._from_thread(stop, self._failed, reason)

    def _from_thread(self, stop: threading.Event, call: Callable[..., None], argument: object) -> None:
        def run() -> None:
            if not stop.is_set():
                call(argument)

        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(run)

    def _failed(self, reason: str) -> None:
        if all(os.path.isdir(folder) for folder in self._watched):  # noqa: PTH112 - no object a folder
            self._failure = Failure(reason, "")
        else:
            self._watched = ()  # one went away: the others are watched again at the next `keep`
