"""Drives the log follower on the event loop: passes hints on, and reads the logs in pieces.

Rule: one bounded piece in each turn of the loop, so that requests are answered in between. While no log has news, only the slow
scan and the look at the folders' times are scheduled.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from msgspec import UNSET

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.views import WatchingStatus
from kato.logs.follow import LogFollower
from kato.logs.platform_watcher import platform_watcher


class LogFeed:
    """See the module. Calls `after_turn` after each turn that may have changed something. Calls `note_watching`, whenever it
    changes, with how the logs are watched and what the user can do if that fails.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        follower: LogFollower,
        after_turn: Callable[[], None],
        note_watching: Callable[[WatchingStatus, str], None],
    ) -> None:
        self._follower = follower
        self._news = follower.news
        self._loop = loop
        self._after_turn = after_turn
        self._note_watching = note_watching
        self._watcher = platform_watcher(loop, self._take_report)
        self._watching: WatchingStatus | None = None
        self._has_missed = False  # changes since the last scan began
        self._news.folders.watch = self._watcher.add
        self._turn: asyncio.Handle | None = None
        self._settle: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._look_at_all = 0.0
        self._pieces: Iterator[None] | None = None  # the listing that runs
        self._then: Callable[[float], None] = lambda _: None
        self._took = 0.0
        self._piece: asyncio.Handle | None = None
        self._scan: asyncio.TimerHandle | None = None
        self._folders: asyncio.TimerHandle | None = None
        self._look_here_at = 0.0
        self._stopped = False

    def start(self) -> None:
        """Schedules the first scan; the watcher starts with it."""
        self._scan = self._loop.call_later(limits.LOG_FIRST_SCAN_SECONDS, self._scan_all)

    def stop(self) -> None:
        """Stops watching and reading."""
        self._stopped = True
        self._watcher.stop()
        for handle in (self._turn, self._settle, self._look, self._piece, self._scan, self._folders):
            if handle is not None:
                handle.cancel()

    def tokens_of(self, key: SessionKey) -> int | None:
        """See `LogFollower.tokens_of`."""
        return self._follower.tokens_of(key)

    def hint(self, paths: Sequence[str]) -> None:
        """Looks at files and folders that may have news."""
        if self._stopped:
            return
        self._news.hint(paths)
        if self._pieces is None:
            self._note()
        self._go_on()

    def is_behind(self, path: str | None) -> bool:
        """True while the log at a path has news that were not read; without a path, while any log has."""
        if path is not None:
            return self._follower.is_behind(path)
        return self._turn is not None or self._follower.pause is not None

    def request(self, path: str) -> None:
        """Reads a log now, as far as it was not read."""
        if self._stopped:
            return
        self._follower.request(path)
        if self._turn is not None:  # it may be planned for later
            self._turn.cancel()
            self._turn = None
        self._go_on()

    def look(self) -> None:
        """Looks at the logs that changed lately for news that no watcher reported yet."""
        if not self._stopped:
            self._follower.look_at(limits.LOG_ACTIVE_SECONDS)
            self._go_on()

    def _take_report(self, paths: Sequence[str] | None) -> None:
        """Takes a report of the watcher: changed paths, or None when it missed some."""
        if paths is not None:
            self.hint(paths)
        else:
            self._has_missed = True
            self._plan_scan(limits.LOG_OVERFLOW_SCAN_SECONDS)

    # --- Listing, a piece a turn ------------------------------------------------------------------------

    def _list(self, pieces: Iterator[None], then: Callable[[float], None]) -> None:
        """Lists piece by piece, then calls `then` with the seconds that this took. One listing runs at a time."""
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
        """Lists all roots, or waits while another listing runs."""
        if self._stopped:
            return
        if self._pieces is not None:
            self._plan_scan(limits.LOG_BUSY_SCAN_SECONDS)
            return
        self._watcher.retry()
        self._has_missed = False
        self._list(self._news.scan_pieces(), self._after_scan)

    def _after_scan(self, took: float) -> None:
        if self._has_missed:
            self._plan_scan(
                limits.LOG_OVERFLOW_SCAN_SECONDS
            )  # the changes may lie in folders that the scan had listed by then
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
        """Lists the folders in which something was made."""
        if self._pieces is None:
            self._list(self._news.look_at_folders(), self._after_folders)
        else:
            self._plan_folders(0.0)  # a scan runs, which finds the same

    def _after_folders(self, took: float) -> None:
        self._plan_folders(took)
        if self._is_blind and self._loop.time() >= self._look_here_at:
            self._list(self._news.look_at_folders_here(), self._after_folders_here)

    def _after_folders_here(self, took: float) -> None:
        self._look_here_at = self._loop.time() + took / limits.LOG_BLIND_SHARE

    # --- The watcher ------------------------------------------------------------------------------------

    @property
    def _is_blind(self) -> bool:
        return self._watcher.failure is not None

    def _keep_watching(self) -> None:
        if self._watcher.keep(self._news.folders.paths):
            for seconds in limits.LOG_WATCH_START_SECONDS:
                self._loop.call_later(seconds, self._scan_all)
        self._note()

    def _note(self) -> None:
        failure = self._watcher.failure
        watching = WatchingStatus(
            folders=self._watcher.count,
            failed=UNSET if failure is None else failure.reason,
            unreadable=self._follower.unreadable.status,
        )
        if watching != self._watching:
            self._watching = watching
            self._note_watching(watching, "" if failure is None else failure.cure)

    # --- Reading ----------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        pause = self._follower.pause if self._turn is None else None
        if pause is not None:
            self._turn = self._loop.call_later(pause, self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        if self._stopped:
            return
        self._follower.step()
        self._after_turn()
        self._go_on()
        if self._settle is None and self._follower.is_unsettled:
            self._settle = self._loop.call_later(limits.LOG_SETTLE_SECONDS, self._settle_quiet)
        self._look_soon()

    def _settle_quiet(self) -> None:
        self._settle = None
        self._follower.settle()
        self._after_turn()
        if self._follower.is_unsettled:
            self._settle = self._loop.call_later(limits.LOG_SETTLE_SECONDS, self._settle_quiet)

    def _look_soon(self) -> None:
        pause, now = limits.LOG_LOOK_SECONDS, self._loop.time()
        if self._follower.has_changed(limits.LOG_QUICK_SECONDS):
            pause = limits.LOG_QUICK_LOOK_SECONDS
        elif not self._follower.has_changed(limits.LOG_ACTIVE_SECONDS):
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
            self._follower.look_at(limits.LOG_ACTIVE_SECONDS)
        else:
            self._follower.look_at(limits.LOG_QUICK_SECONDS)
        self._go_on()
        self._look_soon()
