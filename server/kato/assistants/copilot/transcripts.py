"""Kinds of events that all of Copilot's event stores have. VS Code's transcripts have no others.

    GitHub.copilot-chat/transcripts/<id>.jsonl

Facts: a transcript names its model in `assistant.usage` events at most; `session.start` often lacks the folder; the results of
tools are often absent. A transcript that is begun late starts with the turns so far, all with the time of its beginning.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.copilot.stream import Event, EventStream
from kato.assistants.copilot.words import doubt_of, with_attachments, without_notifications
from kato.assistants.values import as_text, identifier, object_of, objects_of, text_of
from kato.core.events import Phase, ToolOutcome

#: The shortest time that a turn takes.
_TURN_MIN: Final = timedelta(seconds=1)
#: Tools that run commands, or read the output of one, end in these.
#: Why no command runs in a line for the shell (`agentMode`).
IN_SHELL: Final = "it stands in a shell command"
_SHELLS: Final = ("bash", "powershell")
#: What Copilot CLI writes behind the output of a command.
_EXIT_CODE: Final = re.compile(r"<(?:shellId: [^<>\n]* completed|exited) with exit code (-?\d+)>\s*\Z")
_RESULT_TYPES: Final[Mapping[str, ToolOutcome]] = {
    "success": "ok",
    "failure": "error",
    "rejected": "denied",
    "denied": "denied",
}
#: The name that stands for "whichever model the host chooses".
AUTO: Final = "auto"


def start_session(stream: EventStream, event: Event) -> None:
    """The session's id, folder, version and model."""
    session, data = stream.session, event.data
    session.session_id = text_of(data, "sessionId") or session.session_id
    session.version = text_of(data, "copilotVersion") or session.version
    session.cwd = text_of(object_of(data, "context"), "cwd") or session.cwd
    take_branch(stream, event)
    take_model(stream, event)


def take_branch(stream: EventStream, event: Event) -> None:
    """The branch that the session works on from now on."""
    context = object_of(event.data, "context") or event.data
    stream.session.branch = text_of(context, "branch") or stream.session.branch


def take_model(stream: EventStream, event: Event) -> None:
    """The model that answers from now on. After a change to "auto" it is unknown until the host has chosen."""
    names = ("chosenModel", "selectedModel", "newModel", "model")
    name = next((name for key in names if (name := text_of(event.data, key))), None)
    if name is not None:
        stream.model = None if name == AUTO else name


def ask(stream: EventStream, event: Event) -> None:
    """A prompt: the user's, or the one that a sub-agent was started with. Any other prompt is the host's context."""
    session, data = stream.session, event.data
    typed = text_of(data, "content") or ""
    if session.parent_id is not None:
        if typed.strip():
            session.emit_user(event.id, event.at, event.kind, typed, event.id)
        return
    if (turn := text_of(data, "turnId")) is not None:
        stream.turns_asked.add(turn)
    if text_of(data, "source") not in (None, "user") or data.get("isAutopilotContinuation") is True:
        return
    words = without_notifications(typed)
    if words != typed:
        host = typed[len(words) :].strip()
        session.emit_system(f"{event.id}:notification", event.at, event.kind, host, event.id)
    is_shell = text_of(data, "agentMode") == "shell"
    content = with_attachments(
        f"! {words}" if is_shell else words,
        objects_of(data, "attachments"),
        session.save_picture,
        session.assets,
    )
    if content:
        _detect_replay(stream, event.id, event.at, content)
        session.emit_user(
            event.id, event.at, event.kind, content, event.id, doubt=IN_SHELL if is_shell else doubt_of(words)
        )


def _detect_replay(stream: EventStream, event_id: str, at: datetime | None, content: str) -> None:
    """A prompt that the next one follows within a second was copied from an earlier record of the session."""
    before, stream.asked = stream.asked, (event_id, at, "::" in content)
    if before is None or at is None:
        return
    said, said_at, may_hold_command = before
    if may_hold_command and said_at is not None and timedelta() <= at - said_at < _TURN_MIN:
        stream.session.copied.add(identifier(said))


def answer(stream: EventStream, event: Event) -> None:
    """What the assistant thought and said, and the tools that it asks for. JetBrains calls the text `text`."""
    data = event.data
    thinking = text_of(data, "reasoningText") or text_of(object_of(data, "thinking"), "text") or ""
    model = text_of(data, "model") or stream.model
    stream.think(f"{event.id}:thinking", event, thinking, model=model)
    stream.last_thinking = ""
    requests = objects_of(data, "toolRequests")
    text = text_of(data, "content") or text_of(data, "text") or ""
    if text.strip():
        phase: Phase = "commentary" if requests else "final"
        stream.session.emit_assistant(
            event.id, event.at, event.kind, text, event.id, model=model, phase=phase
        )
    for request in requests:
        call_id, name = text_of(request, "toolCallId") or event.id, text_of(request, "name") or "tool"
        stream.call(call_id, name, request.get("arguments"), event, model=model)


def think(stream: EventStream, event: Event) -> None:
    """The assistant's reasoning, in an event of its own."""
    stream.think(event.id, event, text_of(event.data, "content") or text_of(event.data, "text") or "")


def start_tool(stream: EventStream, event: Event) -> None:
    """A tool call begins; most were announced by the message before."""
    call_id = text_of(event.data, "toolCallId")
    if call_id is not None:
        name, model = text_of(event.data, "toolName") or "tool", text_of(event.data, "model")
        stream.call(call_id, name, event.data.get("arguments"), event, model=model)


def finish_tool(stream: EventStream, event: Event) -> None:
    """The result of a tool call, unless the call was denied: then that was its result."""
    call_id = text_of(event.data, "toolCallId")
    if call_id is None:
        return
    tool = stream.known_calls.pop(call_id, "")
    if call_id in stream.denied_calls:
        stream.denied_calls.discard(call_id)
        return
    text = _result_text(object_of(event.data, "result"))
    if event.data.get("success") is False:
        failure = text_of(object_of(event.data, "error"), "message")
        text = "\n".join(part for part in (text, failure or "failed") if part)
    if text:
        code = _EXIT_CODE.search(text) if tool.endswith(_SHELLS) else None
        outcome = None if code is not None and event.data.get("success") is True else _outcome(event.data)
        stream.give_result(call_id, text, event, outcome=outcome, exit_code=None if code is None else code[1])


def _outcome(data: Json) -> ToolOutcome | None:
    if isinstance(data.get("success"), bool):
        return "ok" if data["success"] else "error"
    return _RESULT_TYPES.get(text_of(object_of(data, "result"), "result_type") or "")


def _result_text(result: Json) -> str:
    """Copilot CLI has `content` and, for people, `detailedContent`; JetBrains has a list of values."""
    given = result.get("detailedContent") or result.get("content") or text_of(result, "text_result_for_llm")
    if given:
        return as_text(given)
    return "\n".join(value for part in objects_of(result, "result") if (value := text_of(part, "value")))


def abort(stream: EventStream, event: Event) -> None:
    """The turn was interrupted."""
    stream.mark(event, f"The turn ended early: {text_of(event.data, 'reason') or 'aborted'}.", "interruption")


KINDS: Final[Mapping[str, Callable[[EventStream, Event], None]]] = {
    "session.start": start_session,
    "user.message": ask,
    "assistant.turn_start": take_model,
    "assistant.message": answer,
    "assistant.reasoning": think,
    "assistant.usage": take_model,
    "tool.execution_start": start_tool,
    "tool.execution_complete": finish_tool,
    "abort": abort,
}

#: Parts of what other events hold as a whole, and states of the program.
IGNORED: Final = "assistant.*_delta assistant.intent session.idle".split()
