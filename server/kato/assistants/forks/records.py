"""Forks that keep Claude Code's folders, and write records of another form: each record is translated to Claude Code's.

- Command Code: `{type: "message", id, parentId, timestamp, message: {role, content, meta: {source}}, model, usage}` behind a first
  record `session`; before version 3 `{id, timestamp, sessionId, role, content, metadata}` with blocks `tool-call`,
  `tool-result` and `reasoning`. `meta.source` is `user`, `model` or `tool`. A record of the user without a source is the error
  that ended a turn.
- WorkBuddy: `{id, timestamp, type: "message", role, content: [input_text | output_text]}`, `function_call`,
  `function_call_result` and `reasoning`; the model and the usage stand in `providerData`.

Neither format proves that the user typed a text. So the rules for Claude Code's logs without `promptSource` hold: a block of
tags makes a message doubtful.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kato.assistants.claude.reader import ClaudeReader
from kato.assistants.claude.words import blocks_of
from kato.assistants.contract import Json
from kato.assistants.values import number_of, object_of, text_of
from kato.core.lenient_json import loads

Record = dict[str, Any]


class CommandCodeReader(ClaudeReader):
    """Reads a session of Command Code."""

    def _record(self, record: Json) -> None:
        super()._record(_of_command_code(record))


class WorkBuddyReader(ClaudeReader):
    """Reads a session of WorkBuddy, or of one of its sub-agents."""

    def _record(self, record: Json) -> None:
        super()._record(_of_workbuddy(record))


# --- Command Code ------------------------------------------------------------------------------------------


def _of_command_code(record: Json) -> Json:
    if text_of(record, "type") == "session":
        return {"type": "started", "timestamp": record.get("timestamp"), "cwd": record.get("cwd")}
    is_first_form = {"role", "sessionId"} <= record.keys() and "type" not in record
    message = record if is_first_form else object_of(record, "message")
    role = text_of(message, "role")
    if role not in ("user", "assistant", "tool") or not (is_first_form or record.get("type") == "message"):
        return record
    about = object_of(record, "metadata")
    blocks = [_block(block) for block in blocks_of(message.get("content"))]
    made = _record(record, "assistant" if role == "assistant" else "user", blocks)
    made["cwd"] = text_of(about, "cwd") or text_of(about, "projectPath") or text_of(record, "cwd")
    made["gitBranch"] = record.get("gitBranch")
    made["message"]["model"] = record.get("model")
    made["message"]["usage"] = _usage(object_of(record, "usage"))
    is_error = role == "user" and not is_first_form and not _has_source(message, blocks)
    return made | {"type": "assistant", "isApiErrorMessage": True} if is_error else made


def _has_source(message: Json, blocks: Sequence[Json]) -> bool:
    is_result = any(block.get("type") == "tool_result" for block in blocks)
    return is_result or text_of(object_of(message, "meta"), "source") is not None


_BLOCKS: Final[Mapping[str, Callable[[Json], Json]]] = {
    "reasoning": lambda block: {"type": "thinking", "thinking": text_of(block, "text")},
    "tool-call": lambda block: {
        "type": "tool_use",
        "id": text_of(block, "toolCallId"),
        "name": text_of(block, "toolName"),
        "input": block.get("input"),
    },
    "tool-result": lambda block: {
        "type": "tool_result",
        "tool_use_id": text_of(block, "toolCallId"),
        "content": object_of(block, "output").get("value", block.get("output")),
        "is_error": (text_of(object_of(block, "output"), "type") or "").startswith("error"),
    },
}


def _block(block: Json) -> Json:
    """A block in Claude Code's form. The first form has blocks of its own."""
    translate = _BLOCKS.get(text_of(block, "type") or "")
    return block if translate is None else translate(block)


# --- WorkBuddy ------------------------------------------------------------------------------------------------

_HOSTS_ROLES: Final = frozenset(["system", "developer"])
#: A record of Claude Code's that holds nothing of the conversation.
_HOSTS_CONTEXT: Final[Json] = {"type": "attachment", "attachment": {"type": "instructions"}}


def _of_workbuddy(record: Json) -> Json:
    kind = text_of(record, "type") or ""
    if kind == "message" and text_of(record, "role") in _HOSTS_ROLES:
        return _HOSTS_CONTEXT
    translate = _ITEMS.get(kind)
    if translate is None:
        return record
    made = translate(record)
    provider = object_of(record, "providerData")
    made["message"]["model"] = text_of(provider, "model")
    made["message"]["usage"] = _usage(object_of(provider, "usage") or object_of(provider, "rawUsage"))
    made["cwd"] = record.get("cwd")
    return made


#: Types of blocks that hold a text.
_TEXTS: Final = frozenset(["input_text", "output_text", None])


def _message(record: Json) -> Record:
    blocks = [
        {**block, "type": "text"} if text_of(block, "type") in _TEXTS else block
        for block in blocks_of(record.get("content"))
    ]
    return _record(record, text_of(record, "role") or "message without a role", blocks)


def _call(record: Json) -> Record:
    given = record.get("arguments")
    if isinstance(given, str):
        try:
            given = loads(given.encode())
        except ValueError:
            given = {"input": given}
    call = {
        "type": "tool_use",
        "id": text_of(record, "callId"),
        "name": text_of(record, "name"),
        "input": given,
    }
    return _record(record, "assistant", [call])


def _result(record: Json) -> Record:
    output = record.get("output")
    is_error = text_of(record, "status") in ("failed", "error", "incomplete")
    result = {
        "type": "tool_result",
        "tool_use_id": text_of(record, "callId"),
        "content": output,
        "is_error": is_error,
    }
    return _record(record, "user", [result])


def _thought(record: Json) -> Record:
    texts = (text_of(block, "text") for block in blocks_of(record.get("rawContent") or record.get("content")))
    thought = "\n\n".join(text for text in texts if text)
    return _record(record, "assistant", [{"type": "thinking", "thinking": thought}])


_ITEMS: Final[Mapping[str, Callable[[Json], Record]]] = {
    "message": _message,
    "function_call": _call,
    "function_call_result": _result,
    "reasoning": _thought,
}


# --- Both -----------------------------------------------------------------------------------------------------


def _record(record: Json, kind: str, blocks: Sequence[Json]) -> Record:
    """A record of Claude Code's with these blocks. Each stands for a whole reply."""
    record_id = text_of(record, "id")
    message: Record = {"id": record_id, "role": kind, "content": blocks}
    if kind == "assistant":
        message["stop_reason"] = (
            "tool_use" if any(one.get("type") == "tool_use" for one in blocks) else "end_turn"
        )
    made = {"type": kind, "uuid": record_id, "timestamp": record.get("timestamp"), "message": message}
    return made | {"parentUuid": record["parentId"]} if "parentId" in record else made


#: Names of the tokens of a reply: without a cache, out of it, answered.
_INPUT: Final = ("inputTokens", "input_tokens", "prompt_tokens")
_CACHED: Final = ("cacheReadTokens", "cacheReadInputTokens", "cache_read_input_tokens")
_OUTPUT: Final = ("outputTokens", "output_tokens", "completion_tokens")


def _usage(usage: Json) -> Json:
    """A reply's tokens by Claude Code's names."""
    given, answered = _first(usage, _INPUT), _first(usage, _OUTPUT)
    if given is None or answered is None:
        return {}
    details = object_of(usage, "prompt_tokens_details")
    cached = _first(usage, _CACHED) or number_of(details, "cached_tokens") or 0
    return {"input_tokens": max(0, given - cached), "output_tokens": answered}


def _first(usage: Json, names: tuple[str, ...]) -> int | None:
    return next((value for name in names if (value := number_of(usage, name)) is not None), None)
