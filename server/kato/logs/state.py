"""The states of a followed log, as a table.

    FOUND ─► BUFFERING ─► REPLAYING ─► LIVE ⇄ MOVED
                 └────────────┴──────────┴──────┴─► OUTSIDE, CLOSED, PAUSED, FAILED, GONE

A log has news or not in each state: `ReadingQueue` keeps the logs that wait for their turn to be read.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class LogState(Enum):
    """What Kato does with a log."""

    FOUND = "found"  #: Kato knows its name, size and time; this process did not read it.
    BUFFERING = "buffering"  #: Kato reads it and keeps its events until the log names the session's folder.
    REPLAYING = "replaying"  #: The session belongs here; Kato reads what the log held when it was opened.
    LIVE = "live"  #: Kato read it to its end, and reads what is appended.
    MOVED = "moved"  #: As LIVE; the assistant continues the conversation in another session, and the recording followed.
    OUTSIDE = "outside"  #: Not read: the session belongs to other folders, or is read from another store.
    CLOSED = "closed"  #: Its reader was dropped in favour of other logs; a change opens it again.
    PAUSED = "paused"  #: There was no room in memory to read it; the next scan opens it again.
    FAILED = (
        "failed"  #: It could not be read, or its events could not be stored; the next scan opens it again.
    )
    GONE = "gone"  #: No file existed at its path when Kato wanted to read it; a file there opens it again.


class LogSignal(Enum):
    """What happens to a log."""

    OPENED = "opened"  #: Kato begins to read it.
    BELONGS = "belongs"  #: One of the session's folders is open here.
    CAUGHT_UP = "caught up"  #: Kato read to the end of the file.
    RESTARTED = "restarted"  #: The file was replaced or truncated: Kato reads it from its beginning.
    MOVED_ON = "moved on"  #: The log names another session that continues the conversation.
    RETURNED = "returned"  #: The conversation continues in this session after all.
    LEFT_OUT = "left out"  #: The session does not belong here, or is read from a better store.
    CAME_IN = "came in"  #: What was appended outside names an open folder.
    DROPPED = "dropped"  #: More logs were open than Kato keeps open.
    REFUSED = "refused"  #: The memory limit leaves no room for it.
    ERROR = "error"  #: Reading it, or storing its events, raised an error.
    VANISHED = "vanished"  #: The file does not exist any more.


#: What can happen in each state in which a log is open, whatever else can.
_WHILE_OPEN: Final = {
    LogSignal.LEFT_OUT: LogState.OUTSIDE,
    LogSignal.REFUSED: LogState.PAUSED,
    LogSignal.ERROR: LogState.FAILED,
    LogSignal.VANISHED: LogState.GONE,
}
_OPENS: Final = {LogSignal.OPENED: LogState.BUFFERING}

TRANSITIONS: Final[Mapping[LogState, Mapping[LogSignal, LogState]]] = MappingProxyType(
    {
        LogState.FOUND: _OPENS,
        LogState.BUFFERING: _WHILE_OPEN
        | {
            LogSignal.BELONGS: LogState.REPLAYING,
            LogSignal.RESTARTED: LogState.BUFFERING,
            LogSignal.DROPPED: LogState.CLOSED,
        },
        # A log that is half read is not dropped: closed, it would be read from its beginning, again and again.
        LogState.REPLAYING: _WHILE_OPEN
        | {LogSignal.CAUGHT_UP: LogState.LIVE, LogSignal.RESTARTED: LogState.REPLAYING},
        LogState.LIVE: _WHILE_OPEN
        | {
            LogSignal.MOVED_ON: LogState.MOVED,
            LogSignal.RESTARTED: LogState.REPLAYING,
            LogSignal.DROPPED: LogState.CLOSED,
        },
        LogState.MOVED: _WHILE_OPEN
        | {
            LogSignal.RETURNED: LogState.LIVE,
            LogSignal.RESTARTED: LogState.REPLAYING,
            LogSignal.DROPPED: LogState.CLOSED,
        },
        LogState.OUTSIDE: {LogSignal.CAME_IN: LogState.FOUND},
        LogState.CLOSED: _OPENS,
        LogState.PAUSED: _OPENS,
        LogState.FAILED: _OPENS,
        LogState.GONE: _OPENS,
    }
)

#: The states in which the engine gets the log's events.
FOLLOWED: Final = frozenset({LogState.REPLAYING, LogState.LIVE, LogState.MOVED})


class InvalidTransition(Exception):
    """A signal that the state does not allow: a defect of the log follower."""

    def __init__(self, state: LogState, signal: LogSignal) -> None:
        super().__init__(f"a log in state {state.value!r} cannot take the signal {signal.value!r}")


def next_state(state: LogState, signal: LogSignal) -> LogState:
    """The state after a signal. Raises InvalidTransition."""
    try:
        return TRANSITIONS[state][signal]
    except KeyError:
        raise InvalidTransition(state, signal) from None


def allows(state: LogState, signal: LogSignal) -> bool:
    """Whether a signal is possible in a state."""
    return signal in TRANSITIONS[state]
