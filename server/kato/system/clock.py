"""The wall clock, in the unit in which Kato stores moments."""

import time


def now_ms() -> int:
    """The wall clock, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
