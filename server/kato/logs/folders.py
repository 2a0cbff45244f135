"""The folders that can hold logs, and the time of each when it was last listed.

A folder's time of change shows that something was made in it. So looking for new logs costs one `stat` for each folder, however
many logs there are.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from kato.core import limits
from kato.logs.discovery import Found, Root, scan
from kato.logs.unreadable import UnreadablePaths, is_absent

_MISSING: Final = -1
#: The folder changed so recently that it may change again without a later time: it is listed again.
_UNSETTLED: Final = -2


class _Listed(NamedTuple):
    """A listed folder: its root, and its time of change in nanoseconds, `_MISSING` or `_UNSETTLED`."""

    root: Root
    changed_ns: int


class LogFolders:
    """See the module. `now_ms` is the wall clock. Remembers at most `limits.LOG_FOLDERS_MAX` folders in addition to the roots."""

    def __init__(self, roots: Sequence[Root], now_ms: Callable[[], int], unreadable: UnreadablePaths) -> None:
        self.roots = list(roots)
        self._now_ms = now_ms
        self._unreadable = unreadable
        self._listed: dict[str, _Listed] = {}  # roots that do not exist included
        #: Called with each folder before it is listed, so that a watcher reports what is made in it from then on.
        self.watch: Callable[[str], None] = lambda _: None

    @property
    def paths(self) -> set[str]:
        """The folders that exist and can hold logs."""
        return {folder for folder, listed in self._listed.items() if listed.changed_ns != _MISSING}

    def scan_all(self) -> Iterator[Found | None]:
        """All logs below all roots; None after each root, where the caller may pause."""
        self._listed = {}
        for root in self.roots:
            self._listed[root.path] = _Listed(root, _MISSING)
            yield from self.logs_below(root)
            yield None
        self._unreadable.discard_absent()

    def scan_changed(self) -> Iterator[Found | None]:
        """The logs in the folders in which something was made since they were listed; None now and then, where the caller
        may pause.
        """
        for number, (folder, (root, before)) in enumerate(list(self._listed.items())):
            if number % limits.LOG_PIECE_LOGS == 0:
                yield None
            now = self._changed_ns(folder)
            if now == _MISSING and folder != root.path:
                self._listed.pop(folder, None)
            elif now == _MISSING:
                self._listed[folder] = _Listed(root, _MISSING)
            elif now != before or now == _UNSETTLED:
                yield from self.logs_below(root, folder, only_new=True)

    def logs_below(self, root: Root, below: str | None = None, *, only_new: bool = False) -> Iterator[Found]:
        """The logs below a folder, the root if none is named. `only_new` leaves out the folders below it that were listed
        before.
        """

        def enter(folder: str) -> bool:
            is_known = folder in self._listed
            if only_new and is_known and folder != below:
                return False
            changed_ns = self._changed_ns(folder)
            if changed_ns == _MISSING:
                return False
            if is_known or len(self._listed) < limits.LOG_FOLDERS_MAX + len(self.roots):
                self._listed[folder] = _Listed(root, changed_ns)
            self.watch(folder)
            return True

        return scan(root, below, enter, self._unreadable)

    def _changed_ns(self, folder: str) -> int:
        try:
            status = os.stat(folder)  # noqa: PTH116 - called for each folder every few seconds
        except OSError as error:
            if not is_absent(error):
                self._unreadable.add("folder", folder, error)
            return _MISSING
        if not stat.S_ISDIR(status.st_mode):
            return _MISSING
        settled = (self._now_ms() - limits.LOG_FOLDER_SETTLED_MS) * 1_000_000
        return status.st_mtime_ns if status.st_mtime_ns < settled else _UNSETTLED
