"""The paths that the file system does not let Kato read: counted, so that the status and `kato doctor` can show them.

Rule: a path that does not exist is not counted, because assistants remove logs and folders all the time.
"""

import errno
import os
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from kato.core import limits
from kato.core.views import UnreadableStatus
from kato.system.zstd import ZstandardMissing

#: `folder`: it cannot be listed. `file`: it cannot be opened. `name`: the path is not valid text. `compressed`: a log that this
#: Python cannot decompress.
Kind = Literal["folder", "file", "name", "compressed"]

_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


def is_absent(error: OSError) -> bool:
    """Whether the error means that nothing exists at the path."""
    return error.errno in _ABSENT


class UnreadablePaths:
    """Paths with the reason why Kato could not read them last time; at most `limits.LOG_UNREADABLE_MAX`, the newest."""

    def __init__(self) -> None:
        self._paths: dict[str, tuple[Kind, str]] = {}

    def add(self, kind: Kind, path: str, reason: OSError | str) -> bool:
        """Counts a path, unless nothing exists there. True when the path was not counted before for this reason; for compressed
        logs, which all lack the same package, when no other one was counted.
        """
        if isinstance(reason, ZstandardMissing):
            kind = "compressed"
        if isinstance(reason, OSError):
            if is_absent(reason):
                self.discard(path)
                return False
            reason = reason.strerror or type(reason).__name__
        is_repeated = kind == "compressed" and any(one == kind for one, _ in self._paths.values())
        known = self._paths.pop(path, None)
        self._paths[path] = (kind, reason)
        if len(self._paths) > limits.LOG_UNREADABLE_MAX:
            del self._paths[next(iter(self._paths))]
        return not is_repeated and known != (kind, reason)

    def discard(self, path: str) -> None:
        """Stops counting a path: Kato could read it, or it is gone."""
        self._paths.pop(path, None)

    def discard_absent(self) -> None:
        """Stops counting the paths at which nothing exists any more."""
        for path in [path for path in self._paths if not os.path.lexists(path)]:
            del self._paths[path]

    @property
    def status(self) -> UnreadableStatus | UnsetType:
        """The counts with one example, for the status; UNSET while Kato can read everything."""
        if not self._paths:
            return UNSET
        kinds = [kind for kind, _ in self._paths.values()]
        # A path whose cure differs from that of the others is the example only where it is the only kind.
        path, (_, reason) = min(self._paths.items(), key=lambda item: item[1][0] == "compressed")
        shown = path.encode(errors="backslashreplace").decode()
        return UnreadableStatus(
            folders=kinds.count("folder"),
            files=kinds.count("file"),
            names=kinds.count("name"),
            compressed=kinds.count("compressed") or UNSET,
            example=f"{shown}: {reason}",
        )
