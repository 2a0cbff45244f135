"""The life of the language server as a table: its states, the events that change them, and what is refused in which.

    STARTING ─initialize─► INITIALIZED ─initialized─► RUNNING ─shutdown─► SHUT_DOWN
        │                       │                        │                    │
        └───────────────────────┴──────── end ───────────┴────────────────────┴─► ENDING ─finish─► ENDED

The end comes by `exit`, the end of input, a client that is gone, a signal, or an error that is fatal.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

NOT_INITIALIZED: Final = -32002
INVALID_REQUEST: Final = -32600


class State(Enum):
    """A state of the server's life."""

    #: The process runs. Only `initialize` and `exit` are handled.
    STARTING = auto()
    #: `initialize` succeeded: requests are answered, but nothing is sent that the client did not ask for.
    INITIALIZED = auto()
    #: The client sent `initialized`: the session logs are followed, and the client is notified.
    RUNNING = auto()
    #: `shutdown` was answered. Only `exit` is handled.
    SHUT_DOWN = auto()
    #: The exit code is decided and the last steps run. No message is handled.
    ENDING = auto()
    #: The last steps ran.
    ENDED = auto()


class Event(Enum):
    """What changes the state."""

    INITIALIZE = auto()
    INITIALIZED = auto()
    SHUTDOWN = auto()
    END = auto()
    FINISH = auto()


#: The state that follows; an event that is not here is not allowed in that state.
TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.STARTING, Event.INITIALIZE): State.INITIALIZED,
    (State.STARTING, Event.END): State.ENDING,
    (State.INITIALIZED, Event.INITIALIZED): State.RUNNING,
    (State.INITIALIZED, Event.SHUTDOWN): State.SHUT_DOWN,
    (State.INITIALIZED, Event.END): State.ENDING,
    (State.RUNNING, Event.SHUTDOWN): State.SHUT_DOWN,
    (State.RUNNING, Event.END): State.ENDING,
    (State.SHUT_DOWN, Event.END): State.ENDING,
    (State.ENDING, Event.FINISH): State.ENDED,
}

#: The states in which messages are refused, with the code and the text of the error. `exit` is always handled.
REFUSALS: Final[Mapping[State, tuple[int, str]]] = {
    State.STARTING: (NOT_INITIALIZED, "initialize comes first"),
    State.SHUT_DOWN: (INVALID_REQUEST, "the server was shut down"),
    State.ENDING: (INVALID_REQUEST, "the server ends"),
    State.ENDED: (INVALID_REQUEST, "the server ended"),
}


class Life:
    """The state that the server is in."""

    def __init__(self) -> None:
        self.state = State.STARTING

    def may(self, event: Event) -> bool:
        """Whether this event is allowed now."""
        return (self.state, event) in TRANSITIONS

    def move(self, event: Event) -> bool:
        """Changes the state. False, and no change, when the event is not allowed now."""
        if not self.may(event):
            return False
        self.state = TRANSITIONS[self.state, event]
        return True

    def refusal(self, *, is_initialize: bool) -> tuple[int, str] | None:
        """The error with which a request is refused now; None if it is handled."""
        if is_initialize and self.state in (State.INITIALIZED, State.RUNNING):
            return INVALID_REQUEST, "initialize was already answered"
        if is_initialize and self.state is State.STARTING:
            return None
        return REFUSALS.get(self.state)

    @property
    def is_ending(self) -> bool:
        """True once the exit code is decided: no message is handled, answered or sent."""
        return self.state in (State.ENDING, State.ENDED)
