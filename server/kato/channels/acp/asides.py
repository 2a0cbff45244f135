"""Sentences of Kato in a chat whose client has no notices: they are messages between those of the agent.

Many clients join messages that follow each other. So a sentence waits until the agent's own one ends, outside any code block, and
for a bounded time: a client may show nothing that comes after the turn.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

#: How long a sentence of Kato waits for the end of one of the agent's.
WAIT_SECONDS: Final = 1.0


class _Aside(NamedTuple):
    session: str
    line: bytes
    due: float


class Asides:
    """See the module. `is_in_sentence` says whether the agent is in the middle of a sentence in a session, `clock` is monotonic."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        is_in_sentence: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._write = write
        self._is_in_sentence = is_in_sentence
        self._clock = clock
        self._waiting: list[_Aside] = []

    def say(self, session: str, line: bytes) -> None:
        """Keeps a line for the client until `look`."""
        self._waiting.append(_Aside(session, line, self._clock() + WAIT_SECONDS))

    def look(self, *, is_over: bool = False) -> None:
        """Writes the lines that need not wait any longer."""
        if not self._waiting:
            return
        now, waiting, self._waiting = self._clock(), self._waiting, []
        for one in waiting:
            if is_over or now >= one.due or not self._is_in_sentence(one.session):
                self._write(one.line)
            else:
                self._waiting.append(one)
