"""The answer to one request of VS Code's state: its parts in their order.

PART  {value} or {kind: "markdownContent", content}   text; an `inlineReference` goes on inside a sentence
      {kind: "toolInvocationSerialized", toolCallId}  see `invocations`; of several with one id, the last counts
      {kind: "questionCarousel" | "planReview" | …}   see `decisions`
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.copilot import decisions
from kato.assistants.copilot.invocations import ModelCalls, emit_invocation
from kato.assistants.copilot.session import Session
from kato.assistants.copilot.words import (
    holds_fences_only,
    is_empty_fence,
    markdown_of,
    path_of,
    reference_of,
)
from kato.assistants.dispatch import Dispatch
from kato.assistants.values import moment, object_of, objects_of, text_of
from kato.core import limits

_INVOCATION: Final = "toolInvocationSerialized"
#: Characters of new text of one edit.
_EDITED_CHARS_MAX: Final = 64 * limits.KIB
_VERBS: Final = {"create": "Create", "delete": "Delete", "rename": "Rename", "edit": "Edit"}
_CANCELLED: Final = 2


class Answer:
    """Emits one answer: texts, thoughts, calls and decisions."""

    def __init__(self, session: Session, request: Json) -> None:
        self.session = session
        self.id = text_of(request, "requestId") or ""
        self._request = request
        self._result = object_of(request, "result")
        self._parts = objects_of(request, "response")
        self.at = _answered_at(request, self._result)
        self.model = _model_of(request, self._result, self._parts)
        self._text: list[str] = []
        self._texts = 0

    def emit(self) -> None:
        """Emits all of it."""
        last = {
            call_id: part
            for part in self._parts
            if part.get("kind") == _INVOCATION and (call_id := text_of(part, "toolCallId"))
        }
        calls = ModelCalls(self._result, last)
        for number, part in enumerate(self._parts):
            event_id = f"{self.id}:{number}"
            if part.get("kind") == _INVOCATION:
                call_id = text_of(part, "toolCallId")
                shown = part if not call_id else last.pop(call_id, None)
                if shown is not None:
                    self._invoke(call_id or f"{self.id}:call{number}", shown, calls)
            else:
                PARTS.take(self, _kind_of(part), part, event_id)
        self.flush(is_final=True)
        self._end()

    def _invoke(self, call_id: str, part: Json, calls: ModelCalls) -> None:
        self.flush()
        agent = text_of(part, "subAgentInvocationId")
        if agent is None or agent == call_id:
            emit_invocation(self.session, call_id, part, calls, self.at, self.id, self.model)
        else:
            with self.session.sub_agent(agent) as child:
                emit_invocation(child, call_id, part, calls, self.at, self.id, self.model)

    def flush(self, *, is_final: bool = False) -> None:
        """Emits the text that was gathered."""
        text, self._text = "".join(self._text), []
        if text.strip() and not holds_fences_only(text):
            event_id = f"{self.id}:text{self._texts}"
            self._texts += 1
            phase: Final = "final" if is_final else "commentary"
            self.session.emit_assistant(
                event_id, self.at, "response", text, self.id, model=self.model, phase=phase
            )

    def _end(self) -> None:
        failure = text_of(object_of(self._result, "errorDetails"), "message")
        state = object_of(self._request, "modelState").get("value")
        if failure:
            self.note(f"{self.id}:error", "result", failure, "error", level="error")
        elif state == _CANCELLED or self._request.get("isCanceled") is True:
            self.note(f"{self.id}:end", "result", "The turn ended early: cancelled.", "interruption")

    def note(self, event_id: str, kind: str, content: str, subtype: str, *, level: str | None = None) -> None:
        """Emits a note about the answer."""
        self.session.emit_note(event_id, self.at, kind, content, subtype=subtype, level=level, origin=self.id)

    # Parts

    def write(self, part: Json, _: str) -> None:
        """Text, which goes on until another part interrupts it."""
        text = markdown_of(part) or markdown_of(part.get("content"))
        if not is_empty_fence(text):
            self._text.append(text)

    def refer(self, part: Json, _: str) -> None:
        """The name of a file or a symbol inside a sentence."""
        self._text.append(reference_of(part))

    def think(self, part: Json, event_id: str) -> None:
        """The assistant's reasoning."""
        self.flush()
        value = part.get("value")
        text = "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")
        self.session.emit_thinking(event_id, self.at, "thinking", text, self.id, model=self.model)

    def edit(self, part: Json, event_id: str) -> None:
        """An edit of a file."""
        self.flush()
        given = {"file_path": path_of(object_of(part, "uri")), **_edits_of(part)}
        self.session.emit_call(
            event_id, self.at, "textEditGroup", event_id, "edit", given, origin=self.id, model=self.model
        )

    def edit_externally(self, part: Json, event_id: str) -> None:
        """An edit that the agent host made itself; its text is not in the state."""
        self.flush()
        path, original = path_of(object_of(part, "uri")), path_of(object_of(part, "originalUri"))
        verb = _VERBS.get(text_of(part, "editKind") or "", "Edit")
        lines = object_of(part, "diff")
        given: dict[str, object] = {"file_path": path}
        if original:
            given["original_path"] = original
        given |= {name: lines[name] for name in ("added", "removed") if name in lines}
        about = f"{verb} {path.rpartition('/')[2]}"
        agent = text_of(part, "subAgentInvocationId")
        if agent is None:
            self._emit_edit(self.session, event_id, given, about)
        else:
            with self.session.sub_agent(agent) as child:
                self._emit_edit(child, event_id, given, about)

    def _emit_edit(self, session: Session, event_id: str, given: Json, about: str) -> None:
        session.emit_call(
            event_id,
            self.at,
            "externalEdit",
            event_id,
            "edit",
            given,
            about=about,
            origin=self.id,
            model=self.model,
        )

    def decide(self, part: Json, event_id: str) -> None:
        """A question or a plan for the user (see `decisions`)."""
        self.flush()
        decisions.KINDS[_kind_of(part)](self.session, part, event_id, self.at, self.id)

    def notify(self, part: Json, event_id: str) -> None:
        """A line that the user was shown: `warning`, `error`, `info` or `systemNotification`."""
        self.flush()
        kind, text = _kind_of(part), markdown_of(part.get("content"))
        if text.strip():
            self.note(event_id, kind, text, kind, level="info" if kind == "systemNotification" else kind)

    def hook(self, part: Json, event_id: str) -> None:
        """A hook: Kato keeps what it showed to the user, if that is anything."""
        shown = [text for key in ("stopReason", "systemMessage") if (text := text_of(part, key))]
        if shown:
            self.flush()
            self.note(event_id, "hook", "\n".join(shown), "hook", level="warning")

    def route(self, part: Json, _: str) -> None:
        """The model that "auto" stands for from here on."""
        self.flush()
        self.model = _resolved(part) or self.model

    def unknown(self, name: str, part: Json, event_id: str) -> None:
        """A part of an unknown kind, kept without its files in base64."""
        self.flush()
        self.session.emit_unknown(name, part, event_id, self.at)


def _kind_of(part: Json) -> str:
    kind = part.get("kind")
    return kind if isinstance(kind, str) else "" if kind is None else str(kind)


def _answered_at(request: Json, result: Json) -> datetime | None:
    completed = moment(object_of(request, "modelState").get("completedAt"))
    asked, elapsed = request.get("timestamp"), object_of(result, "timings").get("totalElapsed")
    if completed is None and isinstance(asked, int) and isinstance(elapsed, int):
        completed = moment(asked + elapsed)
    return completed or moment(asked)


def _model_of(request: Json, result: Json, parts: list[Json]) -> str | None:
    """The model that answers first; for "auto", the model that was chosen. None if no field names it."""
    name = (text_of(request, "modelId") or "").removeprefix("copilot/")
    if name != "auto":
        return name or None
    places = [
        *(part for part in parts if part.get("kind") == "autoModeResolution"),
        object_of(request, "autoModeResolution"),
        object_of(object_of(result, "metadata"), "autoModeResolution"),
        *(part for part in parts if part.get("kind") == "usage"),
    ]
    return next((model for place in places if (model := _resolved(place))), None)


def _resolved(place: Json) -> str | None:
    return (
        text_of(place, "resolvedModel")
        or text_of(object_of(place, "resolved"), "id")
        or text_of(place, "actualModelId")
    )


def _edits_of(part: Json) -> Mapping[str, object]:
    """The new texts of an edit, each with the lines that it replaces."""
    groups = part.get("edits")
    edits, size = [], 0
    for group in groups if isinstance(groups, list) else ():
        for edit in group if isinstance(group, list) else ():
            text = text_of(edit, "text") if isinstance(edit, dict) else None
            if text is None or size > _EDITED_CHARS_MAX:
                continue
            lines = object_of(edit, "range")
            size += len(text)
            edits.append(
                {"lines": f"{lines.get('startLineNumber')}-{lines.get('endLineNumber')}", "text": text}
            )
    return {"edits": edits} if edits else {}


#: What each kind of part means.
KINDS: Final[Mapping[str, Callable[[Answer, Json, str], None]]] = {
    "": Answer.write,
    "markdownContent": Answer.write,
    "markdownVuln": Answer.write,
    "inlineReference": Answer.refer,
    "thinking": Answer.think,
    "textEditGroup": Answer.edit,
    "externalEdit": Answer.edit_externally,
    **dict.fromkeys(decisions.KINDS, Answer.decide),
    "warning": Answer.notify,
    "error": Answer.notify,
    "info": Answer.notify,
    "systemNotification": Answer.notify,
    "hook": Answer.hook,
    "autoModeResolution": Answer.route,
}
#: Progress, what other parts show better, and states of the window.
IGNORED: Final = """
    undoStop progressMessage progressTask progressTaskSerialized progressTaskResult voiceProgress
    prepareToolInvocation externalToolInvocationUpdate clearToPreviousToolInvocation toolInvocation
    multiDiffData codeblockUri codeCitation reference references usedContext treeData move command
    notebookEditGroup workspaceEdit externalEdits extensions pullRequest usage disabledClaudeHooks
    mcpServersStarting mcpServersStartingSlow mcpAuthenticationRequired
""".split()
PARTS: Final[Dispatch[Answer, [Json, str]]] = Dispatch(
    KINDS, ignored=IGNORED, default=Answer.unknown, label="response part"
)
