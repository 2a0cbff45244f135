"""One session that two stores of its assistant tell, each in its own words and under ids of its own.

Rule: what one store told is not told again by the other. The stores agree in what the user said and in the order of the
turns, and in little else (how an answer is cut into texts, what is told of a call), so a turn is taken whole from one of
them: from the first that told its answer.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from kato.core.events import ConversationEvent, UserMessage
from kato.core.text import words_of


class SecondStore:
    """Lets through what the second store tells beyond what the first one told. `told` is all that is kept of the session;
    `is_kept` says of an id whether its event is kept, which then came out of the second store itself.
    """

    def __init__(self, told: Iterable[ConversationEvent], is_kept: Callable[[str], bool]) -> None:
        self._is_kept = is_kept
        self._answered: dict[
            bytes, list[bool]
        ] = {}  # the user's words -> of each turn that began so: was more told?
        self._is_told = False  # by the first store: the turn that is under way
        turn: list[bool] | None = None
        for event in told:
            if isinstance(event, UserMessage):
                turn = self._answered.setdefault(_words(event), [])
                turn.append(False)
            elif turn is not None:
                turn[-1] = True

    def new(self, events: Sequence[ConversationEvent]) -> list[ConversationEvent]:
        """The next events, without those that the first store told."""
        return [event for event in events if self._is_new(event)]

    def _is_new(self, event: ConversationEvent) -> bool:
        kept = self._is_kept(event.event_id)
        if isinstance(event, UserMessage):
            turns = self._answered.get(_words(event))
            was_told = bool(turns)
            self._is_told = turns.pop(0) if turns else False
            return kept or not was_told
        if kept:
            self._is_told = False  # its answer was taken from here
        return not self._is_told


#: What one store writes and the other does not: placeholders of pictures, whom the words are for, a slash command.
_BESIDE: Final = re.compile(r"\[image(?:: [^\]\n]{0,1024})?\]|\A\s*(?:@\S+\s+)?(?:/\S+(?:\s+|\Z))?")


def _words(event: UserMessage) -> bytes:
    """A mark of the user's words: the words of a whole session would take as much memory as they are long."""
    return hashlib.blake2b(
        words_of(_BESIDE.sub("", event.content)).encode(errors="replace"), digest_size=16
    ).digest()
