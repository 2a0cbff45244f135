"""Tool calls in VS Code's state: what is shown of a call, joined with what the model asked for.

INVOCATION  {toolCallId, toolId, invocationMessage, pastTenseMessage, isConfirmed, toolSpecificData, resultDetails,
             resultError?, subAgentInvocationId?}
isConfirmed       {type: 0 denied | 1 not needed | 2 setting | 3 per tool | 4 user, selectedButton? | 5 skipped};
                  false for a denied call before 1.104
toolSpecificData  {kind: "terminal", commandLine: {original, userEdited?, toolEdited?}, terminalCommandOutput?, …}
                  {kind: "input", rawInput} | {kind: "subagent", description, prompt, result} | {kind: "simpleToolInvocation", …}
result.metadata   {toolCallRounds: [{toolCalls: [{id, name, arguments}]}], toolCallResults: {id: {content: [{value}]}}}
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from kato.assistants.contract import Json
from kato.assistants.copilot.session import Session
from kato.assistants.copilot.words import arguments_of, line_of
from kato.assistants.values import object_of, objects_of, placeholder, text_of
from kato.core.events import ToolOutcome

_DENIED: Final = 0
_BY_USER: Final = 4
_SKIPPED: Final = 5


class ModelCall(NamedTuple):
    """A call as the model made it, and its result where that is text."""

    name: str | None
    arguments: object
    result: str


_UNKNOWN_CALL: Final = ModelCall(None, None, "")


class ModelCalls:
    """The model's calls of all rounds, by the ids of the invocations that are shown. Where those carry other ids, and there are
    as many of them as calls, they belong together in their order.
    """

    def __init__(self, result: Json, shown: Iterable[str]) -> None:
        metadata = object_of(result, "metadata")
        results = object_of(metadata, "toolCallResults")
        calls: dict[str, ModelCall] = {}
        for one_round in objects_of(metadata, "toolCallRounds"):
            for call in objects_of(one_round, "toolCalls"):
                full = text_of(call, "id") or ""
                content = objects_of(object_of(results, full), "content")
                texts = [value for part in content if isinstance(value := part.get("value"), str)]
                made = ModelCall(text_of(call, "name"), call.get("arguments"), "\n".join(texts))
                calls[full.partition("__vscode-")[0]] = made
        ids = list(shown)
        if len(calls) == len(ids) and not any(call_id in calls for call_id in ids):
            calls = dict(zip(ids, calls.values(), strict=True))
        self._calls = calls

    def get(self, call_id: str) -> ModelCall:
        """The call with this id; one without a name if the log does not have it."""
        return self._calls.get(call_id, _UNKNOWN_CALL)


def emit_invocation(
    session: Session,
    call_id: str,
    part: Json,
    calls: ModelCalls,
    at: datetime | None,
    origin: str,
    model: str | None,
) -> None:
    """Emits the call, the button that the user pressed for it, and its result. A denied call has no other result."""
    call = calls.get(call_id)
    name = call.name or (text_of(part, "toolId") or "tool").removeprefix("copilot_")
    about = line_of(part.get("pastTenseMessage")) or line_of(part.get("invocationMessage"))
    session.emit_call(
        call_id,
        at,
        "toolInvocation",
        call_id,
        name,
        _given(part, call),
        about=about,
        origin=origin,
        model=model,
    )
    confirmed = part.get("isConfirmed")
    refusal = _refusal(confirmed)
    button = text_of(object_of(part, "isConfirmed"), "selectedButton")
    if button and refusal is None and object_of(part, "isConfirmed").get("type") == _BY_USER:
        session.emit_question(
            f"{call_id}:confirmed", at, "toolInvocation", about, call_id=call_id, header=name, answer=button
        )
    output = _output(part, call) if refusal is None else refusal
    if output:
        outcome, code = ("denied", None) if refusal is not None else _ending(part)
        event_id = f"{call_id}:result"
        session.emit_result(
            event_id, at, "toolInvocation", call_id, output, origin, outcome=outcome, exit_code=code
        )


def _refusal(confirmed: object) -> str | None:
    """Why a call did not run; None if it did."""
    if confirmed is False:
        return "Not run: denied."
    if not isinstance(confirmed, dict):
        return None
    kind = confirmed.get("type")
    if isinstance(kind, bool) or kind not in (_DENIED, _SKIPPED):
        return None
    reason = line_of(confirmed.get("reason")) or line_of(confirmed.get("reasonMessage"))
    return f"Not run: {'denied' if kind == _DENIED else 'skipped'}." + (f" {reason}" if reason else "")


def _ending(part: Json) -> tuple[ToolOutcome | None, object]:
    """How a call that ran ended: its outcome, and the exit code of a terminal."""
    code = object_of(object_of(part, "toolSpecificData"), "terminalCommandState").get("exitCode")
    if part.get("resultError") or object_of(part, "resultDetails").get("isError") is True:
        return "error", code
    return (None if code or part.get("isComplete") is not True else "ok"), code


def _given(part: Json, call: ModelCall) -> object:
    """The arguments: the model's, with the command line that really ran; else what the invocation shows."""
    data = object_of(part, "toolSpecificData")
    given = arguments_of(call.arguments)
    if data.get("kind") == "terminal":
        return _terminal(data, given)
    if given is not None:
        return given
    if data.get("kind") == "subagent":
        return {key: text for key in ("description", "prompt") if (text := text_of(data, key))}
    raw = data.get("rawInput") if data.get("kind") == "input" else data.get("input")
    if raw is None:
        raw = object_of(part, "resultDetails").get("input")
    return arguments_of(raw)


def _terminal(data: Json, given: object) -> object:
    line = object_of(data, "commandLine")
    original = text_of(line, "original") or text_of(data, "command")
    edited = text_of(line, "toolEdited")
    if data.get("editable") is not False:
        edited = text_of(line, "userEdited") or edited
    arguments = given if isinstance(given, dict) else {}
    ran = edited or original or text_of(arguments, "command")
    if ran is None:
        return given
    changed = {"original_command": original} if original and ran != original else {}
    return arguments | {"command": ran} | changed


def _output(part: Json, call: ModelCall) -> str:
    data = object_of(part, "toolSpecificData")
    output = (
        call.result
        or text_of(object_of(data, "terminalCommandOutput"), "text")
        or text_of(data, "result")
        or text_of(data, "output")
        or _details(object_of(part, "resultDetails"))
    )
    error = part.get("resultError")
    failure = error if isinstance(error, str) else "failed" if error is True and not output else ""
    code = object_of(data, "terminalCommandState").get("exitCode")
    exit_code = f"exit code {code}" if isinstance(code, int) and code != 0 and not call.result else ""
    return "\n".join(line for line in (output, failure, exit_code) if line)


def _details(details: Json) -> str:
    """The result as it is shown: texts, and placeholders for files in base64."""
    single = object_of(details, "output")
    entries = [single] if single else objects_of(details, "output")
    return "\n".join(shown for entry in entries if (shown := _entry(entry)))


def _entry(entry: Json) -> str:
    media = text_of(entry, "mimeType") or ""
    if "base64Data" in entry or entry.get("isText") is False:
        return placeholder("image" if media.startswith("image/") else "file", media)
    return text_of(entry, "value") or ""
