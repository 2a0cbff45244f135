"""Which sessions belong here: those that work in a folder that is open in the editor, or all when no folder is open.

A session that belonged here once is followed wherever it continues: in another file, in another folder, in another session.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence

from kato.assistants.contract import SessionInfo
from kato.core.paths import comparable, parts_below
from kato.core.ports import LogLedger
from kato.logs.followed import OpenLog


class Scope:
    """See the module. `folders` are the open ones, as the editor writes them."""

    def __init__(self, folders: Sequence[str], ledger: LogLedger) -> None:
        self._ledger = ledger
        self._folders = _resolved(folders)
        self._naming = _naming(folders, self._folders)

    @property
    def is_unlimited(self) -> bool:
        """True when no folder is open: all sessions belong here."""
        return not self._folders

    def includes(self, log: OpenLog) -> bool:
        """Whether the session of a log belongs here, by the folders that the log names and the one that the journal has."""
        if not self._folders or any(self._works_in(log, folder) for folder in log.tail.reader.folders):
            return True
        record = self._ledger.session(log.key)
        return record is not None and self._is_inside(record.cwd)

    def cwd(self, log: OpenLog, info: SessionInfo) -> str | None:
        """The folder that a session's commands start from: its own, or, when that is not open here, the first of its
        folders that is. None leaves the one in the journal.
        """
        if not self._folders or info.cwd is None or self._works_in(log, info.cwd):
            return info.cwd
        if self._ledger.session(log.key_of(info.session_id)) is not None:
            return None
        return next((folder for folder in log.tail.reader.folders if self._works_in(log, folder)), None)

    def is_named_in(self, data: bytes) -> bool:
        """Whether a record in these bytes of a log names an open folder, or one below, as the session's."""
        return self._naming is not None and self._naming.search(data) is not None

    def _works_in(self, log: OpenLog, folder: str) -> bool:
        if folder not in log.in_scope:
            log.in_scope[folder] = self._is_inside(folder)
        return log.in_scope[folder]

    def _is_inside(self, cwd: str | None) -> bool:
        if not self._folders:
            return True
        if cwd is None or not os.path.isabs(cwd):  # noqa: PTH117 - of this platform, as realpath takes it
            return False
        try:
            (inner,) = _resolved([cwd])
        except ValueError:  # the log names a folder with a NUL
            return False
        return any(parts_below(folder, inner, platform=sys.platform) is not None for folder in self._folders)


def _naming(*several: Sequence[str]) -> "re.Pattern[bytes] | None":
    """Finds a record whose `cwd` is one of these folders, or lies below one; None without folders."""
    written = {
        json.dumps(folder.rstrip("/\\"), ensure_ascii=is_ascii)[1:-1].encode(errors="replace")
        for folders in several
        for folder in folders
        for is_ascii in (False, True)
    }
    if not written:
        return None
    return re.compile(
        rb'"cwd"\s*:\s*"(?:' + b"|".join(re.escape(one) for one in sorted(written)) + rb')[/\\"]'
    )


def _resolved(paths: Iterable[str]) -> tuple[str, ...]:
    """Real paths, in the form that this platform compares. Raises ValueError for a path with a NUL."""
    return tuple(comparable(os.path.realpath(path), sys.platform) for path in paths)
