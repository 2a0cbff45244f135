"""Watches trees of folders through watchfiles, in a thread of its own: macOS and Windows watch a tree as cheaply as a folder."""

import asyncio
import os
import threading
from collections.abc import Callable, Container
from contextlib import suppress

from kato.core import limits
from kato.logs.watcher import Failure, Report


class TreeWatcher:
    """See the module, and `Watcher`."""

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
        """How many trees are watched."""
        return len(self._watched)

    def add(self, folder: str) -> None:
        """See `Watcher`. A folder below a watched tree is watched already."""
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
        """Does nothing: the same trees would fail again."""

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
            # cost 0.04 %. `debounce=1` makes it yield changes without waiting for more. Polling, which its environment
            # variables can switch on, costs 2 % and finds nothing that the look at the folders does not.
            for changes in watch(
                *folders,
                watch_filter=None,
                debounce=1,
                step=limits.LOG_WATCH_STEP_MS,
                stop_event=stop,
                rust_timeout=limits.LOG_WATCH_WAIT_MS,
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
        if all(os.path.isdir(folder) for folder in self._watched):  # noqa: PTH112 - a text
            self._failure = Failure(reason, "")
        else:
            self._watched = ()  # a tree was removed: the next `keep` watches the others again
