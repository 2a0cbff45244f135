"""Drives the intake of session logs on the event loop: hints come in from everywhere, pieces are read in turn.

Rule: one bounded piece a turn of the loop, so that requests are answered in between; nothing is scheduled while nothing
is expected, but for the slow scan and the look at the folders' times.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from msgspec import UNSET

from kato.core import limits
from kato.core.views import WatchingStatus
from kato.logs.follow import Intake
from kato.logs.watcher import watcher

#: It takes a moment until trees are watched: what is made in that moment is found by a scan.
_AFTER_START_SECONDS = (0.5, 2.0)
#: The start belongs to the client's first requests.
_FIRST_SCAN_SECONDS = 0.05
#: The system reported more changes than it could queue: everything is listed, soon but not all the time.
_OVERFLOW_SECONDS = 1.0
#: A scan that comes while folders are listed waits this long.
_BUSY_SECONDS = 1.0


class LogFeed:
    """See the module. `after_turn` is called after each turn that may have changed something, `note_watching` with how the
    logs are watched, and what to do where that fails, whenever it changes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        intake: Intake,
        after_turn: Callable[[], None],
        note_watching: Callable[[WatchingStatus, str], None],
    ) -> None:
        self.intake = intake
        self._loop = loop
        self._after_turn = after_turn
        self._note_watching = note_watching
        self._watcher = watcher(loop, self._take_report)
        self._watching: WatchingStatus | None = None
        self._has_missed = False  # changes, since the last scan began
        intake.watch = self._watcher.add
        self._turn: asyncio.Handle | None = None
        self._settle: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._look_at_all = 0.0
        self._pieces: Iterator[None] | None = None  # what is being listed
        self._then: Callable[[float], None] = lambda _: None
        self._took = 0.0
        self._piece: asyncio.Handle | None = None
        self._scan: asyncio.TimerHandle | None = None
        self._folders: asyncio.TimerHandle | None = None
        self._look_here_at = 0.0
        self._stopped = False

    def start(self) -> None:
        """Begins: a scan first, then whatever the watcher reports."""
        self._scan = self._loop.call_later(_FIRST_SCAN_SECONDS, self._scan_all)

    def stop(self) -> None:
        """Reads nothing more."""
        self._stopped = True
        self._watcher.stop()
        for handle in (self._turn, self._settle, self._look, self._piece, self._scan, self._folders):
            if handle is not None:
                handle.cancel()

    def hint(self, paths: Sequence[str]) -> None:
        """These files or folders may have news."""
        if self._stopped:
            return
        self.intake.hint(paths)
        if self._pieces is None:
            self._note()
        self._go_on()

    def _take_report(self, paths: Sequence[str] | None) -> None:
        """What the watcher saw."""
        if paths is not None:
            self.hint(paths)
        else:
            self._has_missed = True
            self._plan_scan(_OVERFLOW_SECONDS)

    # --- Listing, a piece a turn ------------------------------------------------------------------------

    def _list(self, pieces: Iterator[None], then: Callable[[float], None]) -> None:
        """Lists piece by piece, then calls `then` with the seconds that it took. One listing at a time."""
        assert self._pieces is None
        self._pieces, self._then, self._took = pieces, then, 0.0
        self._list_piece()

    def _list_piece(self) -> None:
        if self._stopped or self._pieces is None:
            return
        started = self._loop.time()
        done = True
        for _ in self._pieces:
            if self._loop.time() - started >= limits.LOG_PIECE_SECONDS:
                done = False
                break
        self._took += self._loop.time() - started
        if not done:
            self._piece = self._loop.call_soon(self._list_piece)
            return
        self._pieces = None
        self._keep_watching()
        self._then(self._took)
        self._go_on()

    def _plan_scan(self, pause: float) -> None:
        if self._scan is not None:
            self._scan.cancel()
        self._scan = self._loop.call_later(pause, self._scan_all)

    def _scan_all(self) -> None:
        """All logs."""
        if self._stopped:
            return
        if self._pieces is not None:
            self._plan_scan(_BUSY_SECONDS)
            return
        self._watcher.retry()
        self._has_missed = False
        self._list(self.intake.scan_pieces(), self._after_scan)

    def _after_scan(self, took: float) -> None:
        if self._has_missed:
            self._plan_scan(_OVERFLOW_SECONDS)  # in folders that may have been listed before
        elif self._is_blind:
            pause = max(limits.LOG_BLIND_SCAN_SECONDS, took / limits.LOG_BLIND_SHARE)
            self._plan_scan(min(pause, limits.LOG_BLIND_SCAN_SECONDS_MAX))
        else:
            pause = max(limits.LOG_SCAN_SECONDS, took / limits.LOG_SCAN_SHARE)
            self._plan_scan(min(pause, limits.LOG_SCAN_SECONDS_MAX))
        self._plan_folders(0.0)

    def _plan_folders(self, took: float) -> None:
        pause = max(limits.LOG_FOLDERS_SECONDS, took / limits.LOG_SCAN_SHARE)
        pause = min(pause, limits.LOG_FOLDERS_SECONDS_MAX)
        if self._folders is not None:
            self._folders.cancel()
        if self._is_blind:
            pause = limits.LOG_BLIND_FOLDERS_SECONDS
        self._folders = self._loop.call_later(pause, self._look_at_folders)

    def _look_at_folders(self) -> None:
        """The folders in which something was made."""
        if self._pieces is None:
            self._list(self.intake.look_at_folders(), self._after_folders)
        else:
            self._plan_folders(0.0)  # the scan, which sees the same

    def _after_folders(self, took: float) -> None:
        self._plan_folders(took)
        if self._is_blind and self._loop.time() >= self._look_here_at:
            self._list(self.intake.look_at_folders_here(), self._after_folders_here)

    def _after_folders_here(self, took: float) -> None:
        self._look_here_at = self._loop.time() + took / limits.LOG_BLIND_SHARE

    # --- The watcher ------------------------------------------------------------------------------------

    @property
    def _is_blind(self) -> bool:
        return self._watcher.failure is not None

    def _keep_watching(self) -> None:
        if self._watcher.keep(self.intake.folders):
            for seconds in _AFTER_START_SECONDS:
                self._loop.call_later(seconds, self._scan_all)
        self._note()

    def _note(self) -> None:
        failure = self._watcher.failure
        watching = WatchingStatus(
            folders=self._watcher.count, failed=UNSET if failure is None else failure.reason
        )
        if watching != self._watching:
            self._watching = watching
            self._note_watching(watching, "" if failure is None else failure.cure)

    # --- Reading ----------------------------------------------------------------------------------------

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
