"""Decides which times are after a moment, although the wall clock may be set while the process runs.

Assistants date what the user types by the wall clock. When the clock is set back, new messages are dated before the start. When
it was behind at the start and is corrected, old messages are dated after the start. So each span in which the clock ran steadily
is remembered separately: a time lies after a moment when it is later within the moment's own span, or lies in a later span.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from kato.core import limits


class Mark(NamedTuple):
    """A moment: the number of the clock's span that it lies in, from 0, and its time in milliseconds since the Unix epoch."""

    span: int
    ms: int


class _Span(NamedTuple):
    """A span's first and last time in milliseconds since the Unix epoch, by the clock as it was set then."""

    first: int
    last: int


class LiveTimes:
    """See the module. `clock` is monotonic, in seconds; `now_ms` is the wall clock."""

    def __init__(self, *, started_ms: int, now_ms: Callable[[], int], clock: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._clock = clock
        self._seen_at, self._seen_ms = clock(), now_ms()
        self._earlier: deque[_Span] = deque(maxlen=limits.CLOCK_SPANS_MAX)
        self._count = 0  # of spans that ended
        # The earlier one: the clock may have been set back since the process started.
        self._first = min(started_ms, self._seen_ms)
        self.start = Mark(0, self._first)

    def look(self) -> None:
        """Checks whether the clock was set since the last look. When between the two looks that was is unknown."""
        at, now = self._clock(), self._now_ms()
        elapsed = int((at - self._seen_at) * 1000)
        if abs(now - self._seen_ms - elapsed) >= limits.CLOCK_STEP_MS:
            # Changes of less than a step are not noticed, so both ends are uncertain by a step.
            self._earlier.append(_Span(self._first, self._seen_ms + elapsed + limits.CLOCK_STEP_MS))
            self._first = now - elapsed - limits.CLOCK_STEP_MS
            self._count += 1
        self._seen_at, self._seen_ms = at, now

    def mark(self) -> Mark:
        """The present moment."""
        self.look()
        return Mark(self._count, self._seen_ms)

    def hold(self, ms: int, *, since: Mark, grace_ms: int = 0, was_there: bool = False) -> bool:
        """Whether a message with this date was typed since a mark, or at most `grace_ms` before it. `was_there`: the message lay
        in its log when the log was first listed, soon after the start; so it was typed since only if the clock as it was set
        at the start dated it so.
        """
        if since.ms - grace_ms <= ms < since.ms:
            return True
        spans = [*self._earlier, _Span(self._first, self._seen_ms + limits.CLOCK_SKEW_MS)]
        for number, span in enumerate(spans, self._count - len(self._earlier)):
            first = max(span.first, since.ms) if number == since.span else span.first
            if number >= since.span and first <= ms <= span.last:
                return not was_there or number == self.start.span
        return False
