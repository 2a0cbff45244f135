"""The watcher of this platform, and a trial of it for `kato doctor`."""

import asyncio
import sys

from kato.logs.inotify import InotifyWatcher
from kato.logs.trees import TreeWatcher
from kato.logs.watcher import Report, Watcher


def platform_watcher(loop: asyncio.AbstractEventLoop, report: Report) -> Watcher:
    """A watcher that uses what this platform offers."""
    return InotifyWatcher(loop, report) if sys.platform == "linux" else TreeWatcher(loop, report)


class Trial:
    """Watches folders as a server would, to see whether that works. A context manager: `add` the folders inside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.watcher = platform_watcher(self._loop, lambda _: None)

    def __enter__(self) -> "Trial":
        return self

    def __exit__(self, *_: object) -> None:
        self.watcher.stop()
        self._loop.close()

    def add(self, folder: str) -> bool:
        """Watches the folder. True, so that it can be the `enter` of `discovery.scan`."""
        self.watcher.add(folder)
        return True
