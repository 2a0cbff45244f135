"""The history of a session that an agent repeats, compared with what is stored of it.

The protocol gives a repeated message neither a time nor a lasting id, and agents leave parts out or join them in another way. So
turns are compared, not events: a turn of which any message or tool call is stored is a copy as a whole. A stored message counts
once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from kato.core.events import AssistantMessage, ConversationEvent, ToolCall, UserMessage


class Copies:
    """Compares one repetition, in as many parts as it comes."""

    def __init__(self, stored: Iterable[ConversationEvent]) -> None:
        self._stored = Counter(mark for event in stored if (mark := _mark(event)) is not None)
        self._is_copy = False

    def new(self, events: Sequence[ConversationEvent]) -> list[ConversationEvent]:
        """The events of turns that are not stored."""
        found: list[ConversationEvent] = []
        turn: list[ConversationEvent] = []
        for event in events:
            if isinstance(event, UserMessage):
                found += self._judged(turn)
                turn, self._is_copy = [], False
            turn.append(event)
        return [*found, *self._judged(turn)]

    def _judged(self, turn: Sequence[ConversationEvent]) -> Sequence[ConversationEvent]:
        for mark in map(_mark, turn):
            if mark is not None and self._stored[mark] > 0:
                self._stored[mark] -= 1
                self._is_copy = True
        return () if self._is_copy else turn


def _mark(event: ConversationEvent) -> tuple[str, str] | None:
    if isinstance(event, UserMessage | AssistantMessage):
        return event.role, event.content.strip()
    return ("call", event.tool_call_id) if isinstance(event, ToolCall) else None
