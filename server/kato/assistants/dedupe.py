"""Removes from the second store of a session what its first store has.

Copilot keeps one session in two stores. Each has its own ids and its own way to cut an answer into texts. What both have in
common is what the user typed and the order of the turns. So the unit is a turn: a question and all events up to the next
one. Each turn is taken as a whole from one store, the first one that has its answer.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from kato.core.events import ConversationEvent, UserMessage
from kato.core.text import words_of


class SecondStore:
    """Lets those events of the second store pass that the session lacks. `kept` are all events that the session has;
    `is_kept` says whether it has an event with this id, which then came from the second store itself.
    """

    def __init__(self, kept: Iterable[ConversationEvent], is_kept: Callable[[str], bool]) -> None:
        self._is_kept = is_kept
        #: The turns that began with these words, in their order: for each, whether it has an answer.
        self._turns: dict[bytes, list[bool]] = {}
        self._is_answered = False  # by the first store: the turn that is read now
        turn: list[bool] | None = None
        for event in kept:
            if isinstance(event, UserMessage):
                turn = self._turns.setdefault(_words(event), [])
                turn.append(False)
            elif turn is not None:
                turn[-1] = True

    def new(self, events: Sequence[ConversationEvent]) -> list[ConversationEvent]:
        """Those of the next events that the session lacks."""
        return [event for event in events if self._is_new(event)]

    def _is_new(self, event: ConversationEvent) -> bool:
        is_kept = self._is_kept(event.event_id)
        if isinstance(event, UserMessage):
            turns = self._turns.get(_words(event))
            is_known = bool(turns)
            self._is_answered = turns.pop(0) if turns else False
            return is_kept or not is_known
        if is_kept:
            self._is_answered = False  # the answer of this turn came from the second store
        return not self._is_answered


#: What only one store writes: placeholders of pictures, the name of the agent that is addressed, a slash command.
_IN_ONE_STORE: Final = re.compile(r"\[image(?:: [^\]\n]{0,1024})?\]|\A\s*(?:@\S+\s+)?(?:/\S+(?:\s+|\Z))?")


def _words(event: UserMessage) -> bytes:
    """A hash of the user's words. The words of a whole session would take as much memory as they are long."""
    words = words_of(_IN_ONE_STORE.sub("", event.content))
    return hashlib.blake2b(words.encode(errors="replace"), digest_size=16).digest()
