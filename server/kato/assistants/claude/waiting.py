"""Claude Code: prompts that the user typed while Claude worked.

Such a prompt stands in a `queued_command` attachment. Up to 2.1.4x only the records of the queue hold it:

    enqueue    the prompt enters the queue
    remove     it was said in the middle of a turn (or withdrawn, if `reason` is so)
    dequeue    it begins a turn, with a `user` record of its own
    popAll     the user took it back into the input field

`content` may name the prompt that left the queue; without it, the oldest left. From 2.1.117 on, an attachment and the records
of the queue hold the same prompt, in either order: it is emitted once.
"""

from datetime import datetime
from typing import Final, NamedTuple

from kato.assistants.claude.words import NOTHING, Words

#: Prompts that wait, and prompts that only one of their two records gave.
_PROMPTS_MAX: Final = 64
#: A removal with one of these reasons said the prompt; any other one withdrew it.
_SAID: Final = frozenset([None, "absorbed_mid_turn"])


class Waiting(NamedTuple):
    """A prompt in the queue. `is_copy`: its record was copied from another session."""

    words: Words
    at: datetime | None
    is_copy: bool


class PromptQueue:
    """Follows the queue through its records, and pairs them with attachments."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._said: list[Waiting] = []  # left the queue in the middle of a turn, not emitted yet
        self._emitted: list[str] = []  # of those that were emitted: an attachment may follow
        self._attached: list[str] = []  # of attachments: the queue's record may follow

    def record(self, operation: str | None, reason: str | None, prompt: Waiting) -> None:
        """Takes a record of the queue. `prompt.words` are `NOTHING` where the record names no prompt."""
        if operation == "remove" and reason not in _SAID:
            operation = "dequeue"
        if (change := self._OPERATIONS.get(operation or "")) is not None:
            change(self, prompt)

    def _enqueue(self, prompt: Waiting) -> None:
        self._waiting = [*self._waiting, prompt][-_PROMPTS_MAX:]

    def _dequeue(self, prompt: Waiting) -> None:
        self._leave(prompt.words)

    def _pop_all(self, prompt: Waiting) -> None:
        if self._leave(prompt.words) is None or prompt.words is NOTHING:
            self._waiting = []

    def _remove(self, prompt: Waiting) -> None:
        left = self._leave(prompt.words) or prompt
        text = _letters(left.words.text)
        if text in self._attached:
            self._attached.remove(text)
        elif left.words.kind == "user":
            self._said = [*self._said, left][-_PROMPTS_MAX:]

    def _leave(self, named: Words) -> Waiting | None:
        """Takes a prompt out of the queue: the named one, else the oldest; None if it is not there."""
        for waiting in self._waiting:
            if named is NOTHING or _letters(waiting.words.text) == _letters(named.text):
                self._waiting.remove(waiting)
                return waiting
        return None

    _OPERATIONS: Final = {
        "enqueue": _enqueue,
        "dequeue": _dequeue,
        "popAll": _pop_all,
        "remove": _remove,
    }

    def take_said(self) -> list[Waiting]:
        """Gives the prompts that were said and that no attachment holds."""
        said, self._said = self._said, []
        self._emitted = [*self._emitted, *(_letters(one.words.text) for one in said)][-_PROMPTS_MAX:]
        return said

    def attach(self, words: Words) -> bool:
        """Takes the prompt of an attachment; gives whether it has to be emitted."""
        text = _letters(words.text)
        twin = next((one for one in self._said if _letters(one.words.text) == text), None)
        if twin is not None:
            self._said.remove(twin)
        elif text in self._emitted:
            self._emitted.remove(text)
            return False
        else:
            self._attached = [*self._attached, text][-_PROMPTS_MAX:]
        return True

    def begin_turn(self) -> None:
        """A turn begins: no record of an earlier turn is paired any more."""
        self._emitted, self._attached = [], []


def _letters(text: str) -> str:
    """A text without white space, by which two records of one prompt are paired."""
    return "".join(text.split())
