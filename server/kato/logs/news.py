"""Which logs have news: hints come in, and the logs whose size or time changed wait in a queue.

    a watcher, the editor, a scan ──► hint: "this path may have news" ──► ReadingQueue

Rule: watcher, editor and scan give hints only. A log has news when its size or time differs from when it was last read. A log
that is OUTSIDE has news when what was appended to it names an open folder.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import eq

from kato.assistants.values import remember
from kato.core import limits
from kato.core.paths import parts_below
from kato.logs.discovery import Found, Root, look, scan
from kato.logs.folders import LogFolders
from kato.logs.followed import KnownLog
from kato.logs.livetimes import LiveTimes
from kato.logs.reading_queue import ReadingQueue
from kato.logs.scope import Scope
from kato.logs.state import LogSignal, LogState
from kato.logs.tail import read_end
from kato.logs.unreadable import UnreadablePaths


class LogNews:
    """See the module. The first scan queues only logs that changed since `recent_ms` (milliseconds since the Unix epoch).
    Remembers at most `limits.LOGS_MAX` logs; beyond that it forgets the one that was touched longest ago.
    """

    def __init__(
        self,
        folders: LogFolders,
        queue: ReadingQueue,
        scope: Scope,
        times: LiveTimes,
        unreadable: UnreadablePaths,
        recent_ms: Callable[[], float],
    ) -> None:
        self.folders = folders
        self.queue = queue
        self._scope = scope
        self._times = times
        self._unreadable = unreadable
        self._recent_ms = recent_ms
        self._known: dict[str, KnownLog] = {}
        self._used: dict[str, Root] = {}  # folders with sessions that belong here; the one used last is last
        self._is_first_scan = True

    def known(self, path: str) -> KnownLog:
        """What is remembered of a log, which is remembered from now on."""
        known = self._known.get(path) or KnownLog()
        remember(self._known, path, known, limits.LOGS_MAX)
        return known

    def note_seen(self, found: Found) -> None:
        """Takes the log's size and time as read."""
        self.known(found.path).seen = (found.size, found.mtime_ns)

    def note_used(self, found: Found) -> None:
        """Remembers the folder of a log whose session belongs here, for `look_at_folders_here`."""
        folder = os.path.dirname(found.path)  # noqa: PTH120 - a text
        remember(self._used, folder, Root(found.assistant, found.root), limits.LOG_BLIND_FOLDERS_MAX)

    # --- Scans ------------------------------------------------------------------------------------------

    def scan(self) -> None:
        """Lists all roots without a pause."""
        for _ in self.scan_pieces():
            pass

    def scan_pieces(self) -> Iterator[None]:
        """Lists all roots, a piece each time. The first time, only logs that changed lately have news; later, all that
        changed since.
        """
        self._times.look()
        recent_ns = self._recent_ms() * 1_000_000
        news: list[Found] = []

        def take(found: Found) -> None:
            if self._is_first_scan and found.mtime_ns < recent_ns:
                self.note_seen(found)
            elif self._has_news(found):
                news.append(found)

        yield from self._in_pieces(self.folders.scan_all(), take)
        news.sort(key=lambda found: found.mtime_ns)  # the queue puts each before the ones that came earlier
        self._notice_all(news)
        self._is_first_scan = False

    def look_at_folders(self) -> Iterator[None]:
        """Lists the folders in which something was made since they were listed, a piece each time."""
        self._times.look()
        yield from self._in_pieces(self.folders.scan_changed(), self.notice)

    def look_at_folders_here(self) -> Iterator[None]:
        """Lists the folders with sessions that belong here, a piece each time: a log that grows does not change the time of
        its folder.
        """
        for folder, root in list(self._used.items()):
            found = scan(root, folder, partial(eq, folder), self._unreadable)
            yield from self._in_pieces(found, self.notice)

    def _in_pieces(self, found: Iterable[Found | None], take: Callable[[Found], None]) -> Iterator[None]:
        """Takes the logs; yields at each None, and once for `limits.LOG_PIECE_LOGS` logs."""
        for number, one in enumerate(found):
            if one is None or number % limits.LOG_PIECE_LOGS == 0:
                yield
            if one is not None:
                take(one)

    # --- Hints ------------------------------------------------------------------------------------------

    def hint(self, paths: Iterable[str]) -> None:
        """Looks at files and folders that may have news."""
        for path in paths:
            if "\0" in path:
                continue  # an editor can send it, and no file can have it
            for root in self.folders.roots:
                if parts_below(root.path, path, platform=sys.platform) is not None:
                    found = look(root, path, self._unreadable)
                    self._notice_all(self.folders.logs_below(root, path) if found is None else [found])
                    break
                if parts_below(path, root.path, platform=sys.platform) is not None:
                    self._notice_all(self.folders.logs_below(root))  # a folder above the root was made

    def log_at(self, path: str) -> Found | None:
        """The log at a path, whose own path may be spelled otherwise; None if there is none."""
        for root in self.folders.roots:
            found = look(root, path, self._unreadable) if self._is_below(root, path) else None
            if found is not None:
                return found
        return None

    def request(self, found: Found) -> None:
        """Queues a log, also one that was only listed so far because it did not change lately."""
        if self.known(found.path).state is not LogState.OUTSIDE:
            self.queue.push(found)

    @staticmethod
    def _is_below(root: Root, path: str) -> bool:
        return "\0" not in path and parts_below(root.path, path, platform=sys.platform) is not None

    def look_at(self, found: Found) -> None:
        """Looks at a log again."""
        now = look(Root(found.assistant, found.root), found.path, self._unreadable)
        if now is not None:
            self.notice(now)

    def _notice_all(self, found: Iterable[Found]) -> None:
        for one in found:
            self.notice(one)

    def notice(self, found: Found) -> None:
        """Queues a log if it has news."""
        if self._has_news(found):
            self.queue.push(found)

    def _has_news(self, found: Found) -> bool:
        known = self._known.get(found.path)
        if known is None:
            return True
        if known.state is LogState.OUTSIDE and not self._has_come_in(found, known):
            return False
        return known.seen != (found.size, found.mtime_ns)

    def _has_come_in(self, found: Found, known: KnownLog) -> bool:
        """Whether a session that worked outside works in an open folder now: a record appended to its log names the folder."""
        before = 0 if known.seen is None else known.seen[0]
        if self._scope.is_unlimited or found.size == before:
            return False
        try:
            appended = read_end(found.path, before)
        except OSError as error:
            self._unreadable.add("file", found.path, error)
            return False
        self._unreadable.discard(found.path)
        if self._scope.is_named_in(appended):
            known.take(LogSignal.CAME_IN)
            known.seen = None
            return True
        known.seen, known.left_at = (found.size, found.mtime_ns), self._times.mark()
        return False
