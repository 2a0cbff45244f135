"""Views of stored events that leave out what a transcript does not show, so that it is not decoded."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Final, Union

import msgspec
from msgspec import UNSET, Struct, UnsetType

from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Decision,
    ProviderInfo,
    SystemMessage,
    Thinking,
    ToolOutcome,
    ToolResult,
    UserMessage,
)
from kato.notes.options import MarkdownOptions


class HiddenCall(Struct, frozen=True, rename="camel", tag_field="kind", tag="tool.call"):
    """A call that is not shown: its name, for a result that may be shown."""

    tool_call_id: str
    name: str


class HiddenResult(Struct, frozen=True, rename="camel", tag_field="kind", tag="tool.result"):
    """A result that is not shown: its call."""

    tool_call_id: str


class BriefCall(Struct, frozen=True, rename="camel", tag_field="kind", tag="tool.call"):
    """A call that is shown: its arguments are JSON that is decoded when they are needed."""

    tool_call_id: str
    name: str
    timestamp: datetime
    description: str | UnsetType = UNSET
    input: msgspec.Raw | UnsetType = UNSET
    model: str | UnsetType = UNSET


class BriefResult(Struct, frozen=True, rename="camel", tag_field="kind", tag="tool.result"):
    """A result for the summary: how the call ended."""

    tool_call_id: str
    outcome: ToolOutcome | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class HiddenThinking(Struct, frozen=True, tag_field="kind", tag="thinking"):
    """Thinking that is not shown."""


HiddenEvent = HiddenCall | HiddenResult | BriefCall | BriefResult | HiddenThinking


def decoder(options: MarkdownOptions) -> "msgspec.json.Decoder[ConversationEvent | HiddenEvent]":
    """Decodes stored lines to the views that these options need."""
    kinds: list[type] = [UserMessage, AssistantMessage, SystemMessage, Decision, ProviderInfo]
    calls, results = _TOOL_KINDS[options.tool_calls]
    # A sub-agent is shown where its call's result is.
    kinds += [calls, ToolResult if options.include_sub_agents else results]
    kinds.append(Thinking if options.include_thinking else HiddenThinking)
    return _decoder_of(tuple(kinds))


_TOOL_KINDS: Final[Mapping[str, tuple[type, type]]] = {
    "hidden": (HiddenCall, HiddenResult),
    "summary": (BriefCall, BriefResult),
    "full": (BriefCall, ToolResult),
}


@cache
def _decoder_of(kinds: tuple[type, ...]) -> "msgspec.json.Decoder[ConversationEvent | HiddenEvent]":
    return msgspec.json.Decoder(Union[kinds])  # noqa: UP007 - of a tuple
