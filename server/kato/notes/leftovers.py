"""Files that live only while a process writes them: their names, and the removal of those whose process is gone.

Rule: a name carries the mark of its process, which shows whether a killed process left the file or a live one is writing
it now.
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
    """`mark` names this process; `is_gone` says whether the process of a mark ended, given the age of its file in seconds."""

    def __init__(self, mark: str, is_gone: Callable[[str, float], bool], now_ms: Callable[[], int]) -> None:
        self._mark = mark
        self._is_gone = is_gone
        self._now_ms = now_ms
        self._seen: dict[str, int] = {}

    def name(self, of: str) -> str:
        """The name of a temporary file beside a file."""
        return f".{paths.cut_to_bytes(of, limits.TEMPORARY_NAME_BYTES)}.kato-{self._mark}-{os.urandom(4).hex()}.tmp"

    @property
    def spool_prefix(self) -> str:
        """How the name of a spool begins; on most systems a spool has no name."""
        return f"kato-spool-{self._mark}-"

    def sweep(self, folder: int | str) -> None:
        """Removes the files of processes that are gone from a folder, open or by its path."""
        for found in self._found(folder):
            if found.is_gone:
                with suppress(OSError):
                    _unlink(folder, found.name)

    def sweep_if_changed(self, folder: str) -> None:
        """The same, unless the folder has not changed since it was found without temporary files."""
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
