"""Reading logs in tests: whole, in pieces, and what came of it in short."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from kato.assistants.contract import LogFile, Reader, Surroundings
from kato.assistants.registry import ASSISTANTS
from kato.core import grammar
from kato.core.events import ConversationEvent, UserMessage, encode_line
from kato.testing import commands_of, read

__all__ = [
    "SHORT",
    "Json",
    "brief",
    "encoded",
    "is_doubtful",
    "left_out",
    "lines",
    "read",
    "reader_of",
    "runs",
    "words",
]

Json = dict[str, Any]
SHORT = {
    "UserMessage": "user",
    "AssistantMessage": "assistant",
    "SystemMessage": "system",
    "ToolCall": "call",
    "ToolResult": "result",
    "Thinking": "thinking",
    "Decision": "decision",
    "ProviderInfo": "info",
}


def reader_of(
    provider: str, *, document: bool = False, session: str = "s", parent: str | None = None
) -> Reader:
    """A reader of the assistant with this name, as Kato makes it."""
    (assistant,) = (one for one in ASSISTANTS if one.name == provider)
    log = LogFile(session, parent_id=parent, rewritten=document)
    return assistant.reader(log, {}, Surroundings({}, "/home/u", "linux", ("/w",)))


def lines(*records: Json | str) -> bytes:
    """Records as a log's lines; a text stands as it is."""
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records]
    return "".join(text + "\n" for text in texts).encode()


def encoded(events: Sequence[ConversationEvent]) -> list[bytes]:
    return [encode_line(event) for event in events]


def brief(events: Sequence[ConversationEvent]) -> list[tuple[str, str]]:
    """Kind and words of each event."""
    return [(SHORT[type(event).__name__], words(event)) for event in events]


def words(event: ConversationEvent) -> str:
    for name in ("content", "result", "summary", "name"):
        if hasattr(event, name):
            return str(getattr(event, name))
    raise AssertionError(event)


def runs(events: Sequence[ConversationEvent]) -> list[str]:
    """The commands that run if all of these events are new."""
    return [name for event in events for name in commands_of(event)]


def left_out(events: Sequence[ConversationEvent]) -> list[str]:
    """The commands that do not run, and of which the user is notified."""
    return [
        command.name
        for event in events
        if isinstance(event, UserMessage) and event.doubt is not UNSET
        for command in grammar.parse(event.content)[0]
    ]


def is_doubtful(event: ConversationEvent) -> bool:
    """True for a user's message that is not proven to be typed, whether or not it has commands."""
    return isinstance(event, UserMessage) and event.doubt is not UNSET
