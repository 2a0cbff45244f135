"""`.katoignore`: a file that says that nothing of the conversations in its folder, and in those below, is kept.

Rules:

- The presence of the file counts, whatever is in it. It counts for the folder of a conversation as it is written and as it is with
  its links resolved, from there up to the home folder, or up to the root for a folder outside of it.
- What cannot be looked at (no permission, a folder that is gone) has no such file.
- Kato looks at each folder once in `limits.IGNORE_SECONDS`, whatever the number of conversations.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from kato.core import limits

FILE_NAME: Final = ".katoignore"


class IgnoredFolders:
    """See the module. `clock` is monotonic, in seconds."""

    def __init__(self, home: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = {os.path.normpath(home), os.path.realpath(home)}
        self._clock = clock
        self._looked_at = clock()
        self._files: dict[str, bool] = {}
        self._found: dict[str, str | None] = {}

    def __call__(self, cwd: str | None) -> str | None:
        """The path of the file because of which a conversation in this folder is not kept; None if it is kept."""
        if cwd is None or not os.path.isabs(cwd):  # noqa: PTH117 - of this platform, as realpath takes it
            return None
        now = self._clock()
        if now - self._looked_at >= limits.IGNORE_SECONDS or len(self._found) >= limits.IGNORE_FOLDERS_MAX:
            self._looked_at = now
            self._files.clear()
            self._found.clear()
        if cwd not in self._found:
            self._found[cwd] = self._look(cwd)
        return self._found[cwd]

    def _look(self, cwd: str) -> str | None:
        try:
            starts = dict.fromkeys((os.path.normpath(cwd), os.path.realpath(cwd)))
        except (OSError, ValueError):  # a NUL, or what the file system's encoding has no bytes for
            return None
        for start in starts:
            for folder in self._upwards(start):
                if self._has_file(folder):
                    return os.path.join(folder, FILE_NAME)  # noqa: PTH118 - a text
        return None

    def _upwards(self, folder: str) -> Iterator[str]:
        while True:
            yield folder
            above = os.path.dirname(folder)  # noqa: PTH120 - a text
            if above == folder or folder in self._home:
                return
            folder = above

    def _has_file(self, folder: str) -> bool:
        if folder not in self._files:
            try:
                os.lstat(os.path.join(folder, FILE_NAME))  # noqa: PTH118 - a link counts, wherever it leads
            except (OSError, ValueError):
                self._files[folder] = False
            else:
                self._files[folder] = True
        return self._files[folder]
