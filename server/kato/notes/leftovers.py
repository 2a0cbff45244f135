"""Temporary files: their names, and the removal of those that a killed process left.

Rule: each name contains the mark of its process (id, start, machine). The mark shows whether that process still runs.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from kato.core import limits, paths

_MARK: Final = r"\d{1,10}-[0-9a-f]{8}-[0-9a-f]{8}"
_NAME: Final = re.compile(
    rf"\..*\.kato-(?P<mark>{_MARK})-[0-9a-f]{{8}}\.tmp|kato-spool-(?P<spool>{_MARK})-.*"
)


class Leftovers:
    """`mark` identifies this process. `is_gone(mark, age)` decides whether the process of a mark ended; `age` is its file's age in
    seconds.
    """

    def __init__(self, mark: str, is_gone: Callable[[str, float], bool], now_ms: Callable[[], int]) -> None:
        self._mark = mark
        self._is_gone = is_gone
        self._now_ms = now_ms
        self._seen: dict[str, int] = {}

    def name(self, of: str) -> str:
        """The name of a temporary file in the same folder as a file."""
        return f".{paths.cut_to_bytes(of, limits.TEMPORARY_NAME_BYTES)}.kato-{self._mark}-{os.urandom(4).hex()}.tmp"

    @property
    def spool_prefix(self) -> str:
        """The prefix of a spool's name; on most systems a spool has no name."""
        return f"kato-spool-{self._mark}-"

    def sweep(self, folder: int | str) -> None:
        """Removes the temporary files of processes that ended from a folder, given by its descriptor or its path."""
        for found in self._found(folder):
            if found.is_gone:
                with suppress(OSError):
                    _unlink(folder, found.name)

    def sweep_if_changed(self, folder: str) -> None:
        """Like `sweep`, but skips a folder that had no temporary files and has not changed since."""
        try:
            changed = os.stat(folder).st_mtime_ns
            if self._seen.get(folder) == changed:
                return
            if len(self._seen) > limits.SWEPT_FOLDERS_MAX:
                self._seen.clear()
            self.sweep(folder)
            is_settled = self._now_ms() * 1_000_000 - changed > limits.MTIME_GRAIN_NS
            if is_settled and not any(self._found(folder)):
                self._seen[folder] = changed
        except OSError:
            self._seen.pop(folder, None)

    def _found(self, folder: int | str) -> Iterator["_Found"]:
        with suppress(OSError):
            for name in os.listdir(folder):
                match = _NAME.fullmatch(name)
                if match is not None:
                    about = _stat(folder, name)
                    if about is not None and stat.S_ISREG(about.st_mode):
                        age = self._now_ms() / 1000 - about.st_mtime
                        yield _Found(name, self._is_gone(match["mark"] or match["spool"], age))


class _Found(NamedTuple):
    name: str
    is_gone: bool


def _stat(folder: int | str, name: str) -> os.stat_result | None:
    try:
        if isinstance(folder, int):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        return os.lstat(os.path.join(folder, name))
    except OSError:
        return None


def _unlink(folder: int | str, name: str) -> None:
    if isinstance(folder, int):
        os.unlink(name, dir_fd=folder)
    else:
        os.unlink(os.path.join(folder, name))
