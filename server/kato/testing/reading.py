"""Reads a log as the server does, without files."""

from collections.abc import Iterable

from msgspec import UNSET

from kato.assistants.contract import Problem, Reader
from kato.core import grammar
from kato.core.events import ConversationEvent, UserMessage


def read(reader: Reader, pieces: Iterable[bytes]) -> tuple[list[ConversationEvent], list[Problem]]:
    """The events and problems of these pieces and of the quiet after them."""
    events: list[ConversationEvent] = []
    problems: list[Problem] = []
    for piece in pieces:
        result = reader.feed(piece)
        events += result.events
        problems += result.problems
    result = reader.settle()
    return events + result.events, problems + result.problems


def commands_of(event: ConversationEvent) -> list[str]:
    """The names of the commands that run if this event is new: those of a user's message that is proven to be typed."""
    if not isinstance(event, UserMessage) or event.doubt is not UNSET:
        return []
    return [command.name for command in grammar.parse(event.content)[0]]
