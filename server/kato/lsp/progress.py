"""`$/progress` for a note that takes long to write.

    begins ─► (1 s) ─► begin ─► report … ─► end
                        └ under the request's `workDoneToken`, else under a token that was made beforehand

A token of the server's must be known to the client before it is used. One is kept ready for work that no request asked
for: a `::` line in a chat.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kato.core import limits

Token = int | str


class _Work:
    """A note that is being written."""

    def __init__(self, token: Token | None, now: float) -> None:
        self.token = token
        self.reported_at = now
        self.pause = limits.PROGRESS_AFTER_SECONDS
        self.is_shown = False


class Progress:
    """See the module. `send` sends the params of `$/progress` now; `make_token` asks the client to accept a token, and calls
    back when it did; `clock` counts seconds.
    """

    def __init__(
        self,
        send: Callable[[Mapping[str, Any]], None],
        make_token: Callable[[Token, Callable[[], None]], None],
        clock: Callable[[], float],
    ) -> None:
        self._send = send
        self._make_token = make_token
        self._clock = clock
        self._work: _Work | None = None
        self._spare: Token | None = None
        self._tokens_made = 0

    def prepare(self) -> None:
        """Asks the client for a token, unless one is ready."""
        if self._spare is not None:
            return
        self._tokens_made += 1
        token = f"kato-{self._tokens_made}"

        def accepted() -> None:
            self._spare = token

        self._make_token(token, accepted)

    def begin(self, token: Token) -> None:
        """Begins work for a request that brought this token."""
        self._work = _Work(token, self._clock())

    def report(self, done: int, total: int) -> None:
        """Reports that `done` of `total` events are written."""
        now = self._clock()
        if self._work is None:
            self._work = _Work(self._spare, now)
        work = self._work
        if work.token is None or now - work.reported_at < work.pause:
            return
        value: dict[str, Any] = {"kind": "report"}
        if not work.is_shown:
            value = {"kind": "begin", "title": "Kato writes a note", "cancellable": False}
        value |= {"message": f"{done:,} of {total:,} events", "percentage": 100 * done // max(total, 1)}
        self._send({"token": work.token, "value": value})
        work.is_shown, work.reported_at, work.pause = True, now, limits.PROGRESS_EVERY_SECONDS

    def end(self) -> None:
        """The note is written, or writing it failed."""
        work, self._work = self._work, None
        if work is None or not work.is_shown:
            return
        self._send({"token": work.token, "value": {"kind": "end"}})
        if work.token == self._spare:
            self._spare = None  # a token is good for one piece of work
            self.prepare()
