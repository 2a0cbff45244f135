"""Drives the intake of session logs on the event loop: hints come in from everywhere, pieces are read in turn.

Rule: one bounded piece a turn of the loop, so that requests are answered in between; nothing is scheduled while nothing
is expected, but for the slow scan.
"""

import asyncio
import os
from collections.abc import Callable, Sequence

from kato import limits
from kato.intake import Intake
from kato.sources import Watcher

#: A folder that was just made is listed again: what is made in it at once can escape every watcher.
_AGAIN_SECONDS = (0.3, 1.0)
_AFTER_START_SECONDS = (0.5, 2.0)
_APPEAR_SECONDS = 5.0
#: The start belongs to the client's first requests.
_FIRST_SCAN_SECONDS = 0.05


class LogFeed:
    """See the module. `after_turn` is called after each turn that may have changed something."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, intake: Intake, after_turn: Callable[[], None]
    ) -> None:
        self.intake = intake
        self._loop = loop
        self._after_turn = after_turn
        self._watcher = Watcher(self._from_thread)
        self._turn: asyncio.Handle | None = None
        self._settle: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._look_at_all = 0.0
        self._scan: asyncio.TimerHandle | None = None
        self._appear: asyncio.TimerHandle | None = None
        self._folders: list[str] = []
        self._stopped = False

    def start(self) -> None:
        """Begins: a scan first, then whatever the watcher tells."""
        self._scan = self._loop.call_later(_FIRST_SCAN_SECONDS, self._scan_all)

    def stop(self) -> None:
        """Reads nothing more."""
        self._stopped = True
        self._watcher.stop()
        for handle in (self._turn, self._settle, self._look, self._scan, self._appear):
            if handle is not None:
                handle.cancel()

    def hint(self, paths: Sequence[str]) -> None:
        """These files or folders may have news."""
        if self._stopped:
            return
        self.intake.hint(paths)
        self._go_on()
        folders = [path for path in paths if os.path.isdir(path)]  # noqa: PTH112 - no object a path
        if folders:
            for seconds in _AGAIN_SECONDS:
                self._loop.call_later(seconds, self._hint_again, folders)

    def _hint_again(self, folders: Sequence[str]) -> None:
        if not self._stopped:
            self.intake.hint(folders)
            self._go_on()

    def _from_thread(self, paths: list[str]) -> None:
        if not self._stopped and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.hint, paths)

    def _scan_all(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
        self.intake.scan()
        self._folders = self.intake.watched_folders()
        if self._watcher.watch(self._folders):
            # It takes a moment until it watches; what is made in that moment is found by listing once more.
            for seconds in _AFTER_START_SECONDS:
                self._loop.call_later(seconds, self._scan_again)
        if self._appear is None and len(self._folders) < len(self.intake.roots):
            self._appear = self._loop.call_later(_APPEAR_SECONDS, self._look_for_roots)
        pause = max(limits.LOG_SCAN_SECONDS, self.intake.scan_seconds / limits.LOG_SCAN_SHARE)
        self._scan = self._loop.call_later(pause, self._scan_all)
        self._go_on()

    def _scan_again(self) -> None:
        if not self._stopped:
            self.intake.scan()
            self._go_on()

    def _look_for_roots(self) -> None:
        """An assistant that is used for the first time makes its folder: nothing else would tell of it."""
        self._appear = None
        if self.intake.watched_folders() != self._folders:
            self._scan_all()
        elif len(self._folders) < len(self.intake.roots):
            self._appear = self._loop.call_later(_APPEAR_SECONDS, self._look_for_roots)

    def _go_on(self) -> None:
        pause = self.intake.pause if self._turn is None else None
        if pause is not None:
            self._turn = self._loop.call_later(pause, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        if self._stopped:
            return
        self.intake.step()
        self._after_turn()
        self._go_on()
        if self._settle is None and self.intake.is_unsettled:
            self._settle = self._loop.call_later(limits.LOG_SETTLE_SECONDS, self._settle_quiet)
        self._look_soon()

    def _settle_quiet(self) -> None:
        self._settle = None
        self.intake.settle()
        self._after_turn()
        if self.intake.is_unsettled:
            self._settle = self._loop.call_later(limits.LOG_SETTLE_SECONDS, self._settle_quiet)

    def _look_soon(self) -> None:
        pause, now = limits.LOG_LOOK_SECONDS, self._loop.time()
        if self.intake.has_changed(limits.LOG_QUICK_SECONDS):
            pause = limits.LOG_QUICK_LOOK_SECONDS
        elif not self.intake.has_changed(limits.LOG_ACTIVE_SECONDS):
            return
        if self._look is None or self._look.when() > now + pause:
            if self._look is not None:
                self._look.cancel()
            self._look = self._loop.call_at(now + pause, self._look_at_active)

    def _look_at_active(self) -> None:
        self._look = None
        now = self._loop.time()
        if now >= self._look_at_all:
            self._look_at_all = now + limits.LOG_LOOK_SECONDS
            self.intake.look_at(limits.LOG_ACTIVE_SECONDS)
        else:
            self.intake.look_at(limits.LOG_QUICK_SECONDS)
        self._go_on()
        self._look_soon()
