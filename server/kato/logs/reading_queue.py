"""The logs that have news and wait for their turn to be read.

Rule: the log that changed last is read first, and to its end before the next one, so that few logs are half read at any time.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable

from kato.core import limits
from kato.logs.discovery import Found
from kato.logs.parts import first_part

log = logging.getLogger("kato.logs")


class ReadingQueue:
    """See the module. `patience` is how many seconds a log waits at least; `clock` is monotonic, in seconds. Holds at most
    `limits.LOGS_MAX` logs: beyond that it drops the one that changed longest ago, and logs a warning the first time.
    """

    def __init__(self, patience: float, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        self._has_warned = False
        self._logs: OrderedDict[str, tuple[Found, float]] = (
            OrderedDict()
        )  # the next one first; since when it waits

    def __contains__(self, path: str) -> bool:
        return path in self._logs

    def __len__(self) -> int:
        return len(self._logs)

    def push(self, found: Found) -> None:
        """Puts a log first. One that waits already keeps the time since when it does."""
        _, since = self._logs.get(found.path, (found, self._clock()))
        self.put_back(found, since)
        if len(self._logs) > limits.LOGS_MAX:
            self._logs.popitem()
            if not self._has_warned:
                self._has_warned = True
                log.warning("more than %s session logs changed: only the newest are read", limits.LOGS_MAX)

    def hurry(self, path: str) -> None:
        """Makes a log that waits readable now."""
        if path in self._logs:
            found, since = self._logs[path]
            self._logs[path] = found, min(since, self._clock() - self._patience)

    def put_back(self, found: Found, since: float) -> None:
        """Puts a log first that was not read to its end; it waits since `since`."""
        self._logs[found.path] = (found, since)
        self._logs.move_to_end(found.path, last=False)

    def pop(self) -> tuple[Found, float] | None:
        """The next log that may be read now, and since when it waited."""
        due = self._clock() - self._patience
        path = next((path for path, (_, since) in self._logs.items() if since <= due), None)
        if path is None:
            return None
        if self._logs[path][0].log.is_later_part:
            path = first_part(path, {found.path: found.log for found, _ in self._logs.values()})
        return self._logs.pop(path)

    @property
    def pause(self) -> float | None:
        """In how many seconds a log may be read; None when no log waits."""
        if not self._logs:
            return None
        if not self._patience:
            return 0.0
        oldest = min(since for _, since in self._logs.values())
        return max(0.0, oldest + self._patience - self._clock())
