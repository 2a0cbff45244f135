"""Conversation events and the identity of their session.

An event exists in two forms. Its *line* is its JSON text (UTF-8, no newline inside): what is stored, exported and given
back, unknown fields included. Its *struct*, one of the classes below, is the validated, typed view of a line. The
structs' field names are the JSON's in snake_case. Events are frozen and hold no storage identity.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from kato.core import limits

Id = Annotated[str, Meta(min_length=1, max_length=limits.ID_CHARS_MAX)]

Timestamp = Annotated[datetime, Meta(tz=True)]

Phase = Literal["commentary", "final", "other"]

#: How a tool call ended: `denied` by the user or a rule of theirs.
ToolOutcome = Literal["ok", "error", "denied"]
DecisionStatus = Literal["proposed", "accepted", "rejected", "superseded"]


class SessionKey(NamedTuple):
    """A conversation's identity: never the session id alone."""

    provider: str
    session_id: str


class Source(Struct, frozen=True, rename="camel"):
    """Where in the provider's own log an event comes from."""

    provider_event_type: str
    provider_event_id: str | UnsetType = UNSET
    raw_cursor: Any = UNSET


class _Event(Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind"):
    event_id: Id
    provider: Id
    session_id: Id
    timestamp: Timestamp
    source: Source
    turn_id: str | UnsetType = UNSET


class UserMessage(_Event, frozen=True, kw_only=True, rename="camel", tag="message.user"):
    """What the user said. `doubt` says why the text is not proven to be typed, in words for the user: no command in it
    runs. Readers of session logs set it where the text could hold a command.
    """

    role: Literal["user"]
    content: str
    phase: str | UnsetType = UNSET
    doubt: str | UnsetType = UNSET


class AssistantMessage(_Event, frozen=True, kw_only=True, rename="camel", tag="message.assistant"):
    """What the assistant said."""

    role: Literal["assistant"]
    content: str
    model: str | UnsetType = UNSET
    phase: Phase | UnsetType = UNSET


class SystemMessage(_Event, frozen=True, kw_only=True, rename="camel", tag="message.system"):
    """What the host said to either of them."""

    role: Literal["system"]
    content: str


class ToolCall(_Event, frozen=True, kw_only=True, rename="camel", tag="tool.call"):
    """The assistant calls a tool. `description` is one line for people, `model` the assistant's name in the transcript."""

    tool_call_id: Id
    name: str
    description: str | UnsetType = UNSET
    input: dict[str, Any] | UnsetType = UNSET
    model: str | UnsetType = UNSET


class ToolResult(_Event, frozen=True, kw_only=True, rename="camel", tag="tool.result"):
    """What the tool gave back, as text. `outcome` and a command's `exit_code` are there where the log says them."""

    tool_call_id: Id
    result: str
    outcome: ToolOutcome | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class Thinking(_Event, frozen=True, kw_only=True, rename="camel", tag="thinking"):
    """The assistant's reasoning, as far as the provider shows it; `model` is the assistant's name in the transcript."""

    content: str
    model: str | UnsetType = UNSET


class Decision(_Event, frozen=True, kw_only=True, rename="camel", tag="decision"):
    """A question that was settled, by whom and on what grounds."""

    decision_id: Id
    decision_key: str
    summary: str
    status: DecisionStatus
    decided_by: str
    basis_event_ids: list[str]
    metadata: dict[str, Any] | UnsetType = UNSET


class ProviderInfo(_Event, frozen=True, kw_only=True, rename="camel", tag="provider.info"):
    """Anything else in the provider's log, kept so that nothing is lost."""

    content: str
    subtype: str | UnsetType = UNSET
    level: str | UnsetType = UNSET


ConversationEvent = (
    UserMessage
    | AssistantMessage
    | SystemMessage
    | ToolCall
    | ToolResult
    | Thinking
    | Decision
    | ProviderInfo
)

#: The subtypes of a `ProviderInfo` that marks a boundary in a conversation: the session went back to an earlier message,
#: was compacted, interrupted, resumed, moved to another session, or forked from one, or was not kept for a while. Its content
#: is one short sentence.
BOUNDARY_SUBTYPES: Final = frozenset(
    ["rewind", "compaction", "interruption", "resumed", "moved", "forked", "gap"]
)

#: The kinds of event that are a message: they set a session's `lastMessageAt`.
MESSAGE_TYPES: Final = (UserMessage, AssistantMessage, SystemMessage)

_LINE_DECODER: Final[msgspec.json.Decoder[ConversationEvent]] = msgspec.json.Decoder(ConversationEvent)

_LINE_ENCODER: Final = msgspec.json.Encoder()


def decode_line(line: bytes | bytearray | memoryview) -> ConversationEvent:
    """The struct of a stored line. A line that does not decode is a defect of the store: it raises."""
    return _LINE_DECODER.decode(line)


def is_event(line: bytes) -> bool:
    """Whether a stored line can be read: a damaged disk changes bytes in it that SQLite does not look at."""
    try:
        decode_line(line)
        line.decode()  # also where the fields are that no struct has
    except ValueError:
        return False
    return True


def encode_line(event: ConversationEvent) -> bytes:
    """The line of a struct that was made here (a reader's event); times are written in UTC."""
    return _LINE_ENCODER.encode(event)
