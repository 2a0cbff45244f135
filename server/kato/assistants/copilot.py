"""GitHub Copilot: VS Code's two stores, and the CLI.

    workspaceStorage/<hash>/chatSessions/<id>.jsonl                    a log of mutations of one state
    workspaceStorage/<hash>/chatSessions/<id>.json                     the state itself, rewritten as a whole
    workspaceStorage/<hash>/GitHub.copilot-chat/transcripts/<id>.jsonl events, appended
    ~/.copilot/session-state/<id>/events.jsonl                         the same family of events, from the CLI

What proves that a text was typed: in a state, `message.text` of a request; in events, `content` of a `user.message` without a
source, or with the source "user", that is neither a sub-agent's (`agentId`, `parentToolCallId`) nor the autopilot's. Both can
hold blocks of the host all the same: notifications that stand behind the words are cut off, any other block of tags makes
the message doubtful. What JetBrains renders as a prompt holds the IDE's context, and is doubtful.

Rules: where a session has a transcript, that is its record; the state is read where it is all there is. Of a state, the
user's message is emitted when it is there, the answer when it is complete. The unsent draft (`inputState`) is never read.
What a sub-agent said and did is a session of its own.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePath
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from kato.assistants.builder import BaseReader
from kato.assistants.contract import Assistant, Json, LogFile, Surroundings
from kato.assistants.proof import host_block
from kato.assistants.readers import DocumentReader, LinesReader
from kato.assistants.values import (
    as_text,
    identifier,
    moment,
    object_of,
    objects_of,
    placeholder,
    remember,
    text_of,
)
from kato.core import limits
from kato.core.events import DecisionStatus, Phase
from kato.core.lenient_json import loads
from kato.core.text import one_line

_SILENT_PARTS: Final = frozenset(
    """undoStop progressMessage progressTaskSerialized progressTask multiDiffData mcpServersStarting command
    prepareToolInvocation codeblockUri codeCitation references notebookEditGroup extensions pullRequest treeData
    workspaceEdit clearToPreviousToolInvocation hook externalEdits usedContext""".split()
)
_SILENT_EVENTS: Final = frozenset(
    """assistant.turn_end assistant.intent assistant.message_delta
    assistant.reasoning_delta assistant.streaming_delta session.idle session.shutdown
    session.usage_info session.truncation session.handoff session.context_changed session.mode_changed
    session.import_legacy session.snapshot_rewind session.tools_updated session.background_tasks_changed
    session.custom_agents_updated session.skills_loaded session.mcp_servers_loaded
    session.compaction_start tool.execution_progress tool.execution_partial_result tool.user_requested hook.start
    hook.end system.message system.notification permission.requested skill.invoked subagent.started
    subagent.completed subagent.failed subagent.selected partition.created assistant.fusion_phase_completed
    assistant.fusion_phase_failed external_tool.requested external_tool.completed autopilot_objective_changed
    session.autopilot_objective_changed binary_asset session.binary_asset canvas.recorded canvas.removed completion_receipt
    mode_notice_delivered permissions_changed session.permissions_changed plan_changed session.plan_changed
    session.remote_steerable_changed remote_steerable_changed schedule_created schedule_cancelled schedule_rearmed
    session_limits_changed session.usage_checkpoint usage_checkpoint workspace_file_changed
    session.workspace_file_changed tool_search.activated
    pending_messages.modified command.queued command.completed""".split()
)
#: Arguments of tools that name a file or a folder.
_PATHS: Final = ("filePath", "file_path", "path", "dirPath", "uri")
#: No turn takes less than this.
_TURN_MIN: Final = timedelta(seconds=1)
_LANGUAGE: Final = re.compile(r"[\w-]*")
_FENCE_ALONE: Final = re.compile(r"`{3,}[\w-]*")
#: What the host puts behind the user's words.
_NOTIFICATION: Final = "<system_notification>"
_NOTIFICATION_END: Final = "</system_notification>"
#: Of a message about a tool call, so much is looked at: a line is made of it.
_SHOWN_CHARS_MAX: Final = 4096
#: A path into a state that names an element beyond those that are there makes the ones before it.
_REQUESTS_MAX: Final = 16_384
_EDITED_CHARS_MAX: Final = 64 * limits.KIB
_BARE_LINK: Final = re.compile(r"\[\]\((?P<uri>[^)]*)\)")
_LINK: Final = re.compile(r"\[(?P<text>[^\]]+)\]\([^)]*\)")


class _Copilot(BaseReader):
    """What the stores have in common: where they do not tell the session's folder, the files that its tools touch do."""

    provider = "copilot"

    def __init__(self, log: LogFile, cwd: str | None, surroundings: Surroundings) -> None:
        super().__init__(log)
        self.cwd = cwd
        self._surroundings = surroundings
        self._touched: PurePath | None = None  # the folder that they have in common
        self._touched_open: str | None = None  # the open folder that the first of them lies in
        self._agents: dict[str, CopilotReader] = {}  # by the calls that started them

    def _called(self, arguments: Json) -> None:
        """A call with these arguments was told: which files it touched."""
        if self.cwd is None:
            for key in _PATHS:
                path = self._surroundings.pure(text_of(arguments, key) or "")
                if path.is_absolute():
                    self._touch(path.parent)

    @contextmanager
    def agent(self, call_id: str) -> Iterator["CopilotReader"]:
        """Emits what the sub-agent did that this call started: in a session of its own."""
        child = self._agents.get(call_id)
        if child is None:
            log = LogFile(f"subagent-{call_id}", parent_id=self.session_id)
            child = CopilotReader(log, self.cwd, self._surroundings)
            remember(self._agents, call_id, child, _AGENTS_MAX)
        child.log = LogFile(child.log.session_id, parent_id=self.session_id)
        child.parent_id = self.session_id
        self.started[child.session_id] = identifier(call_id)
        yield child
        result = child.feed(b"")
        self._events += result.events
        self._problems += result.problems

    def _touch(self, folder: PurePath) -> None:
        if self._touched_open is None:
            around = {str(one) for one in (folder, *folder.parents)}
            self._touched_open = next((one for one in self._surroundings.folders if one in around), None)
        if self._touched is None:
            self._touched = folder
        while self._touched not in (folder, *folder.parents) and self._touched != self._touched.parent:
            self._touched = self._touched.parent

    def _guess_folder(self) -> None:
        touched = self._touched
        if self.cwd is None and touched is not None:
            common = None if touched == touched.parent else str(touched)
            self.cwd = self._touched_open or common


class _Event(NamedTuple):
    """An event of a transcript or of the CLI."""

    kind: str
    id: str
    at: datetime | None
    data: Json


class CopilotReader(_Copilot, LinesReader):
    """Reads a log of lines: mutations of a state, or events."""

    def __init__(self, log: LogFile, cwd: str | None, surroundings: Surroundings) -> None:
        super().__init__(log, cwd, surroundings)
        self._again()

    def _again(self) -> None:
        self._state: Any = {}
        self._requests = _Requests(self, ("isCanceled", "result", "response"))
        self._model: str | None = None
        self._known: set[str] = set()
        self._asked: tuple[str, datetime | None, bool] | None = (
            None  # the last user's message, and if it may hold a command
        )
        self._agents = {}
        self._agent_calls: dict[str, str] = {}  # agent id -> the call that started it
        self._turns_asked: set[str] = set()  # turns whose prompt was emitted

    def _record(self, record: Json) -> None:
        if isinstance(record.get("kind"), int):
            self._mutation(record)
        elif "type" in record:
            self._event(record)
        elif "requests" in record:
            self._state = record
            self._look(0)
        else:
            self.emit_unknown("a record without a type", record, None, None)

    def _quiet(self) -> None:
        requests = objects_of(self._state, "requests")
        self._requests.look(requests, 0, settled=True, is_final=self.is_final)
        self._guess_folder()

    # --- The mutation log -------------------------------------------------------------------------------

    def _mutation(self, record: Json) -> None:
        kind, path = record["kind"], record.get("k", [])
        if kind == 0:
            self._state = object_of(record, "v")
            self._look(0)
            return
        if not isinstance(path, list) or not path:
            self.report("invalid_record", f"a mutation of kind {kind} without a path")
            return
        if path[0] == "inputState":
            return
        requests = objects_of(self._state, "requests")
        before = len(requests)
        cut = record.get("i") if kind == 2 and path == ["requests"] else None
        if isinstance(cut, int) and 0 <= cut < before:
            self._rewind(requests, cut)
        if not self._apply(kind, path, record):
            self.report("invalid_record", f"a mutation of kind {kind} that does not fit the state")
        elif path[0] == "requests":
            self._look(path[1] if len(path) > 1 and isinstance(path[1], int) else max(0, before - 1))
        else:
            self._about()

    def _apply(self, kind: int, path: list[Any], record: Json) -> bool:
        if not isinstance(self._state, dict):
            return False
        target: Any = self._state
        for step, following in pairwise(path):
            if isinstance(target, dict) and isinstance(step, str):
                target = target.setdefault(step, [] if isinstance(following, int) else {})
            elif isinstance(target, list) and isinstance(step, int) and 0 <= step < _REQUESTS_MAX:
                target += [{} for _ in range(len(target), step + 1)]  # the log's beginning is gone
                target = target[step]
            else:
                return False
        last = path[-1]
        if isinstance(target, list) and isinstance(last, int) and 0 <= last <= len(target):
            return _mutate_list(target, last, kind, record)
        return (
            isinstance(target, dict) and isinstance(last, str) and _mutate_object(target, last, kind, record)
        )

    def _rewind(self, requests: Sequence[Json], cut: int) -> None:
        """The user edited an earlier message and sent it again: what follows it was taken back, and was said all the same."""
        self._requests.look(requests, 0, settled=True)
        taken_back = requests[cut]
        request_id = text_of(taken_back, "requestId")
        if request_id is not None:
            words = one_line(text_of(object_of(taken_back, "message"), "text") or "", limits.TITLE_CHARS_MAX)
            sentence = f"Rewound to before “{words}”." if words else "The conversation was taken back."
            self.emit_note(f"rewind:{request_id}", None, "requests", sentence, subtype="rewind")

    def _look(self, first: int) -> None:
        self._about()
        self._requests.look(objects_of(self._state, "requests"), max(0, first - 1), settled=False)

    def _about(self) -> None:
        if isinstance(self._state, dict):
            _take_about(self, self._state)

    # --- Events: transcripts and the CLI ----------------------------------------------------------------

    def _event(self, record: Json) -> None:
        data = object_of(record, "data")
        agent = text_of(record, "agentId")
        call_id = text_of(data, "parentToolCallId")
        if text_of(record, "type") == "subagent.started":
            started_by = text_of(data, "toolCallId")
            if agent is not None and started_by is not None:
                remember(self._agent_calls, agent, started_by, _AGENTS_MAX)
            return
        if call_id is None and agent is not None:
            call_id = self._agent_calls.get(agent, agent)
        if call_id is not None and self.parent_id is None:
            with self.agent(call_id) as child:
                child.own_event(record)
        else:
            self.own_event(record)

    def own_event(self, record: Json) -> None:
        """An event of this session, not of a sub-agent's."""
        kind, data = text_of(record, "type") or "", object_of(record, "data")
        event = _Event(kind, text_of(record, "id") or "", moment(record.get("timestamp")), data)
        take = self._EVENTS.get(kind)
        if take is not None:
            take(self, event)
        elif kind not in _SILENT_EVENTS:
            self.emit_unknown(kind, record, event.id or None, event.at)

    def _start_session(self, event: _Event) -> None:
        data = event.data
        self.session_id = text_of(data, "sessionId") or self.session_id
        self.version = text_of(data, "copilotVersion") or self.version
        self.cwd = text_of(object_of(data, "context"), "cwd") or self.cwd
        self._take_model(event)

    def _take_model(self, event: _Event) -> None:
        names = ("selectedModel", "newModel", "chosenModel", "model")
        self._model = next((name for key in names if (name := text_of(event.data, key))), self._model)

    def _resume(self, event: _Event) -> None:
        self._take_model(event)
        self.emit_note(
            event.id, event.at, event.kind, "The session was resumed.", subtype="resumed", origin=event.id
        )

    def _take_title(self, event: _Event) -> None:
        self.title = text_of(event.data, "title") or self.title

    def _prompt(self, event: _Event) -> None:
        data = event.data
        typed = text_of(data, "content") or ""
        if (turn := text_of(data, "turnId")) is not None:
            self._turns_asked.add(turn)
        if text_of(data, "source") not in (None, "user") or data.get("isAutopilotContinuation") is True:
            return
        words = _without_notifications(typed)
        if words != typed:
            host = typed[len(words) :].strip()
            self.emit_system(f"{event.id}:notification", event.at, event.kind, host, event.id)
        parts = [words, *_attachments(objects_of(data, "attachments"))]
        content = "\n\n".join(part for part in parts if part.strip())
        if content.strip():
            self._replayed(event.id, event.at, content)
            self.emit_user(event.id, event.at, event.kind, content, event.id, doubt=_doubt(words))

    def _rendered_prompt(self, event: _Event) -> None:
        """JetBrains writes the prompt as it sends it, often nowhere else."""
        turn = text_of(event.data, "turnId")
        content = text_of(event.data, "renderedMessage") or ""
        if content.strip() and turn not in self._turns_asked:
            doubt = "JetBrains puts the editor's context into the prompt"
            self.emit_user(event.id, event.at, event.kind, content, event.id, doubt=doubt)

    def _permission(self, event: _Event) -> None:
        """What the user says when a tool is denied is said to the assistant."""
        result = object_of(event.data, "result")
        feedback = text_of(event.data, "feedback") or text_of(result, "feedback") or ""
        if feedback.strip() and text_of(event.data, "decisionSource") in (None, "human_response"):
            self.emit_user(event.id, event.at, event.kind, feedback, event.id, doubt=_doubt(feedback))

    def _reason(self, event: _Event) -> None:
        content = text_of(event.data, "content") or text_of(event.data, "text") or ""
        self.emit_thinking(event.id, event.at, event.kind, content, event.id)

    def _compacted(self, event: _Event) -> None:
        if event.data.get("success") is not False:
            self._mark(event, "The conversation was compacted.", "compaction")

    def _cleared(self, event: _Event) -> None:
        self._mark(event, "The context was cleared.", "compaction")

    def _inform(self, event: _Event) -> None:
        if text_of(event.data, "infoType") == "rewind":
            self._mark(event, text_of(event.data, "message") or "The conversation was taken back.", "rewind")

    def _abort(self, event: _Event) -> None:
        reason = text_of(event.data, "reason") or "aborted"
        self._mark(event, f"The turn ended early: {reason}.", "interruption")

    def _summary(self, event: _Event) -> None:
        summary = text_of(event.data, "summary")
        if summary:
            self._mark(event, summary, "summary")

    def _mark(self, event: _Event, content: str, subtype: str) -> None:
        self.emit_note(event.id, event.at, event.kind, content, subtype=subtype, origin=event.id)

    def _trouble(self, event: _Event) -> None:
        level = event.kind.partition(".")[2]
        content = text_of(event.data, "message") or event.kind
        self.emit_note(
            event.id, event.at, event.kind, content, subtype=event.kind, level=level, origin=event.id
        )

    def _replayed(self, event_id: str, at: datetime | None, content: str) -> None:
        """A transcript that is begun late starts with the turns so far, all written at that moment: what is followed by
        the next message at once was said before.
        """
        before, self._asked = self._asked, (event_id, at, "::" in content)
        if before is None or at is None:
            return
        said, said_at, may_hold_command = before
        if may_hold_command and said_at is not None and timedelta() <= at - said_at < _TURN_MIN:
            self.copied.add(identifier(said))

    def _said(self, event: _Event) -> None:
        event_id, at, data = event.id, event.at, event.data
        self.emit_thinking(
            f"{event_id}:thinking", at, "assistant.message", text_of(data, "reasoningText") or "", event_id
        )
        requests = objects_of(data, "toolRequests")
        text = text_of(data, "content") or text_of(data, "text") or ""
        if text.strip():
            model = text_of(data, "model") or self._model
            phase: Phase = "commentary" if requests else "final"
            self.emit_assistant(event_id, at, "assistant.message", text, event_id, model=model, phase=phase)
        for request in requests:
            call_id, name = text_of(request, "toolCallId") or event_id, text_of(request, "name") or "tool"
            self._tool(call_id, name, request.get("arguments"), "assistant.message", at)

    def _start(self, event: _Event) -> None:
        call_id = text_of(event.data, "toolCallId")
        if call_id is not None:
            name = text_of(event.data, "toolName") or "tool"
            self._tool(call_id, name, event.data.get("arguments"), event.kind, event.at)

    def _tool(self, call_id: str, name: str, given: object, kind: str, at: datetime | None) -> None:
        if call_id not in self._known:
            self._known.add(call_id)
            self.emit_call(call_id, at, kind, call_id, name, _arguments(given))

    def _complete(self, event: _Event) -> None:
        data = event.data
        call_id = text_of(data, "toolCallId")
        if call_id is None:
            return
        self._known.discard(call_id)
        result = object_of(data, "result")
        values = [value for part in objects_of(result, "result") if (value := text_of(part, "value"))]
        text = as_text(result.get("detailedContent") or result.get("content") or "\n".join(values))
        failure = text_of(object_of(data, "error"), "message")
        if data.get("success") is False:
            text = "\n".join(part for part in (text, failure or "failed") if part)
        if text:
            self.emit_result(f"{call_id}:result", event.at, event.kind, call_id, text)

    #: What each kind of event means. All others are in `_SILENT_EVENTS`, or unknown.
    _EVENTS: ClassVar[Mapping[str, Callable[["CopilotReader", _Event], None]]] = {
        "session.start": _start_session,
        "session.resume": _resume,
        "session.model_change": _take_model,
        "session.auto_mode_resolved": _take_model,
        "assistant.turn_start": _take_model,
        "assistant.usage": _take_model,
        "session.title_changed": _take_title,
        "user.message": _prompt,
        "user.message_rendered": _rendered_prompt,
        "assistant.message": _said,
        "assistant.reasoning": _reason,
        "assistant.thinking": _reason,
        "tool.execution_start": _start,
        "tool.execution_complete": _complete,
        "permission.completed": _permission,
        "session.compaction_complete": _compacted,
        "session.compacted": _compacted,
        "session.context_cleared": _cleared,
        "context_cleared": _cleared,
        "session.info": _inform,
        "session.task_complete": _summary,
        "abort": _abort,
        "session.error": _trouble,
        "session.warning": _trouble,
    }


class CopilotDocument(_Copilot, DocumentReader):
    """Reads a state that is stored as one document."""

    def __init__(self, log: LogFile, cwd: str | None, surroundings: Surroundings) -> None:
        super().__init__(log, cwd, surroundings)
        self._requests = _Requests(self, ("isCanceled", "result"))

    def _document(self, document: Json) -> None:
        _take_about(self, document)
        requests = objects_of(document, "requests")
        self._requests.look(requests, 0, settled=True, is_final=self.is_final)
        self._guess_folder()


def _take_about(reader: BaseReader, state: Json) -> None:
    reader.session_id = text_of(state, "sessionId") or reader.session_id
    reader.title = text_of(state, "customTitle")
    folder = state.get("workingDirectory")
    if reader.cwd is None:
        reader.cwd = _folder(folder) if isinstance(folder, str) else None


def _mutate_list(target: list[Any], index: int, kind: int, record: Json) -> bool:
    if kind == 1:
        if index == len(target):
            target.append(record.get("v"))
        else:
            target[index] = record.get("v")
    elif kind == 2 and index < len(target) and isinstance(target[index], list):
        _push(target[index], record)
    elif kind == 3 and index < len(target):
        del target[index]
    else:
        return False
    return True


def _mutate_object(target: dict[str, Any], key: str, kind: int, record: Json) -> bool:
    if kind == 1:
        target[key] = record.get("v")
    elif kind == 2:
        held = target.setdefault(key, [])
        if not isinstance(held, list):
            return False
        _push(held, record)
    elif kind == 3:
        target.pop(key, None)
    else:
        return False
    return True


def _push(held: list[Any], record: Json) -> None:
    """Cuts the list to `i`, if that is given, then appends `v`."""
    cut, added = record.get("i"), record.get("v")
    if isinstance(cut, int):
        del held[max(0, cut) :]
    if isinstance(added, list):
        held += added


class _Requests:
    """What of a state's requests was handed out."""

    def __init__(self, reader: _Copilot, ends: Sequence[str]) -> None:
        self._reader = reader
        self._ends = ends  # what tells, in a request without a state, that its answer is complete
        self._asked: set[str] = set()
        self._answered: set[str] = set()

    def look(self, requests: Sequence[Json], first: int, *, settled: bool, is_final: bool = False) -> None:
        """Emits what is new from the request at `first` on; `settled`: the log is quiet; `is_final`: nothing more comes."""
        for index in range(first, len(requests)):
            request = requests[index]
            request_id = text_of(request, "requestId")
            if request_id is None or request_id in self._answered:
                continue
            self._reader.guarded(self._ask, request)
            state = object_of(request, "modelState").get("value")
            ended = any(request.get(key) for key in self._ends)
            complete = ended if state is None else state in (1, 2, 3) or request.get("isCanceled") is True
            # The newest answer may still be corrected: it is handed out when the log is quiet.
            if index + 1 < len(requests) or (settled and (complete or is_final)):
                self._answered.add(request_id)
                self._reader.guarded(self._answer, request)

    def _ask(self, request: Json) -> None:
        request_id = text_of(request, "requestId") or ""
        if request_id in self._asked:
            return
        self._asked.add(request_id)
        variables = objects_of(object_of(request, "variableData"), "variables")
        typed = text_of(object_of(request, "message"), "text") or ""
        parts = [typed, *_attachments(variables)]
        content = "\n\n".join(part for part in parts if part.strip())
        if content:
            at = moment(request.get("timestamp"))
            self._reader.emit_user(request_id, at, "request", content, request_id, doubt=_doubt(typed))

    def _answer(self, request: Json) -> None:
        _Answer(self._reader, request).tell()


class _Answer:
    """One request's answer: texts, calls and thoughts in their order."""

    def __init__(self, reader: _Copilot, request: Json) -> None:
        self._reader = reader
        self._request = request
        self._id = text_of(request, "requestId") or ""
        self._result = object_of(request, "result")
        self._at = _answered_at(request, self._result)
        self._model = _model(request, self._result)
        self._text = ""
        self._texts = 0
        self._calls = _calls(self._result)

    def tell(self) -> None:
        parts = objects_of(self._request, "response")
        last: dict[str, Json] = {}
        for part in parts:
            if part.get("kind") == "toolInvocationSerialized" and (call_id := text_of(part, "toolCallId")):
                last[call_id] = part
        self._match_calls(last)
        pending = dict(last)
        for number, part in enumerate(parts):
            kind = part.get("kind")
            if kind == "toolInvocationSerialized":
                call_id = text_of(part, "toolCallId") or f"{self._id}:call{number}"
                shown = pending.pop(call_id, None if call_id in last else part)
                if shown is not None:
                    self._invocation(call_id, shown)
            else:
                self._part(kind, part, number)
        self._flush(final=True)
        self._end()

    def _match_calls(self, shown: Mapping[str, Json]) -> None:
        """The model's calls carry other ids than what is shown of them: they belong together in their order."""
        rounds = list(self._calls.values())
        if len(rounds) == len(shown) and not any(call_id in self._calls for call_id in shown):
            self._calls = dict(zip(shown, rounds, strict=True))

    def _part(self, kind: object, part: Json, number: int) -> None:
        reader = self._reader
        event_id = f"{self._id}:{number}"
        if kind is None or kind in ("markdownContent", "markdownVuln"):
            text = text_of(part, "value") or text_of(object_of(part, "content"), "value") or ""
            if not _is_empty_fence(text):
                self._text += text
        elif kind == "inlineReference":
            self._text += _reference(part)
        elif kind == "thinking":
            self._flush()
            value = part.get("value")
            text = "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")
            reader.emit_thinking(event_id, self._at, "thinking", text, self._id)
        elif kind == "textEditGroup":
            self._flush()
            given = {"file_path": _path(object_of(part, "uri"))} | _edited(part)
            reader.emit_call(event_id, self._at, "textEditGroup", event_id, "edit", given, origin=self._id)
        elif kind == "questionCarousel":
            self._flush()
            self._carousel(part, event_id)
        elif kind in ("confirmation", "elicitationSerialized", "elicitation2"):
            self._flush()
            self._confirmation(part, event_id)
        elif kind in ("warning", "error"):
            self._flush()
            text = text_of(object_of(part, "content"), "value") or text_of(part, "content") or ""
            if text:
                reader.emit_note(
                    event_id, self._at, str(kind), text, subtype=str(kind), level=str(kind), origin=self._id
                )
        elif kind not in _SILENT_PARTS:
            self._flush()
            reader.emit_unknown(f"response part {kind}", part, event_id, self._at)

    def _flush(self, *, final: bool = False) -> None:
        text, self._text = self._text, ""
        if text.strip() and not _holds_fences_only(text):
            event_id = f"{self._id}:text{self._texts}"
            self._texts += 1
            self._reader.emit_assistant(
                event_id,
                self._at,
                "response",
                text,
                self._id,
                model=self._model,
                phase="final" if final else "commentary",
            )

    def _invocation(self, call_id: str, part: Json) -> None:
        self._flush()
        agent = text_of(part, "subAgentInvocationId")
        if agent is None or agent == call_id:
            self._call(self._reader, call_id, part)
        else:
            with self._reader.agent(agent) as child:
                self._call(child, call_id, part)

    def _call(self, reader: BaseReader, call_id: str, part: Json) -> None:
        call = self._calls.get(call_id, {})
        data = object_of(part, "toolSpecificData")
        details = object_of(part, "resultDetails")
        name = text_of(call, "name") or (text_of(part, "toolId") or "tool").removeprefix("copilot_")
        given = _arguments(call.get("arguments"))
        if given is None:
            command = object_of(data, "commandLine")
            given = {"command": text_of(command, "original")} if command else _arguments(details.get("input"))
        about = _message(part.get("pastTenseMessage")) or _message(part.get("invocationMessage"))
        reader.emit_call(
            call_id, self._at, "toolInvocation", call_id, name, given, about=about, origin=self._id
        )
        output = call.get("result") or text_of(object_of(data, "terminalCommandOutput"), "text")
        if not output:
            output = as_text([{"text": text_of(entry, "value")} for entry in objects_of(details, "output")])
        if output:
            reader.emit_result(
                f"{call_id}:result", self._at, "toolInvocation", call_id, str(output), self._id
            )

    def _carousel(self, part: Json, event_id: str) -> None:
        answers = object_of(part, "data")
        for number, question in enumerate(objects_of(part, "questions")):
            answer = answers.get(text_of(question, "id") or "")
            if isinstance(answer, dict):
                answer = (
                    answer.get("selectedValues") or answer.get("selectedValue") or answer.get("freeformValue")
                )
            words = _message(question.get("message")) or text_of(question, "title") or ""
            self._reader.emit_question(
                f"{event_id}:answer{number}",
                self._at,
                "questionCarousel",
                words,
                call_id=self._id,
                header=text_of(question, "title"),
                options=objects_of(question, "options"),
                answer=answer,
                status="accepted" if answer else "rejected",
            )

    def _confirmation(self, part: Json, event_id: str) -> None:
        title, message = _message(part.get("title")) or "", _message(part.get("message")) or ""
        state = part.get("state")
        used = part.get("isUsed") is True or state == "accepted"
        status: DecisionStatus = "accepted" if used else "rejected" if state == "rejected" else "proposed"
        self._reader.emit_question(
            event_id,
            self._at,
            "confirmation",
            message or title,
            call_id=self._id,
            header=title,
            options=[button for button in part.get("buttons") or [] if isinstance(button, str)],
            status=status,
        )

    def _end(self) -> None:
        reader = self._reader
        failure = text_of(object_of(self._result, "errorDetails"), "message")
        state = object_of(self._request, "modelState").get("value")
        if failure:
            reader.emit_note(f"{self._id}:error", self._at, "result", failure, subtype="error", level="error")
        elif state == 2 or self._request.get("isCanceled") is True:
            reader.emit_note(
                f"{self._id}:end",
                self._at,
                "result",
                "The turn ended early: cancelled.",
                subtype="interruption",
            )


def _answered_at(request: Json, result: Json) -> datetime | None:
    completed = moment(object_of(request, "modelState").get("completedAt"))
    asked, elapsed = request.get("timestamp"), object_of(result, "timings").get("totalElapsed")
    if completed is None and isinstance(asked, int) and isinstance(elapsed, int):
        completed = moment(asked + elapsed)
    return completed or moment(asked)


def _model(request: Json, result: Json) -> str | None:
    name = (text_of(request, "modelId") or "").removeprefix("copilot/")
    if name == "auto":
        resolved = object_of(request, "autoModeResolution") or object_of(
            object_of(result, "metadata"), "autoModeResolution"
        )
        name = text_of(resolved, "resolvedModel") or name
    return name or None


def _calls(result: Json) -> dict[str, dict[str, Any]]:
    """The calls of all rounds by their ids, each with its arguments and, where it is text, its result."""
    metadata = object_of(result, "metadata")
    results = object_of(metadata, "toolCallResults")
    calls: dict[str, dict[str, Any]] = {}
    for one_round in objects_of(metadata, "toolCallRounds"):
        for call in objects_of(one_round, "toolCalls"):
            full = text_of(call, "id") or ""
            content = objects_of(object_of(results, full), "content")
            texts = [value for part in content if isinstance(value := part.get("value"), str)]
            calls[full.partition("__vscode-")[0]] = {
                "name": text_of(call, "name"),
                "arguments": call.get("arguments"),
                "result": "\n".join(texts),
            }
    return calls


def _arguments(value: object) -> object:
    if isinstance(value, str):
        try:
            return loads(value.encode()) if value.strip() else None
        except ValueError:
            return value
    return value


def _doubt(words: str) -> str | None:
    """Why the words may hold text of the host."""
    block = host_block(words)
    return None if block is None else f"it holds a block of tags (<{block}>)"


def _without_notifications(words: str) -> str:
    """The words without the notifications of the host that stand behind them."""
    while words.rstrip().endswith(_NOTIFICATION_END):
        start = words.rfind(_NOTIFICATION)
        if start < 0 or words.count(_NOTIFICATION_END, start) != 1:
            break
        words = words[:start].rstrip()
    return words


def _attachments(entries: Sequence[Json]) -> list[str]:
    """Placeholders of attached pictures and pasted texts, which stay in the store; files are named in the words."""
    shown = []
    for entry in entries:
        name = text_of(entry, "name") or text_of(entry, "displayName") or text_of(entry, "path") or ""
        path = text_of(entry, "path") or ""
        if text_of(entry, "kind") == "image" or text_of(entry, "type") in ("image", "blob"):
            shown.append(placeholder("image", name))
        elif "pasted-text" in path or text_of(entry, "kind") == "paste":
            shown.append(placeholder("file", name))
    return shown


def _edited(part: Json) -> dict[str, object]:
    """The new texts of an edit, each with the lines that it replaces."""
    groups = part.get("edits")
    edits, size = [], 0
    for edit in (
        edit
        for group in (groups if isinstance(groups, list) else ())
        if isinstance(group, list)
        for edit in group
    ):
        text = text_of(edit, "text") if isinstance(edit, dict) else None
        if text is None or size > _EDITED_CHARS_MAX:
            continue
        lines = object_of(edit, "range")
        size += len(text)
        edits.append({"lines": f"{lines.get('startLineNumber')}-{lines.get('endLineNumber')}", "text": text})
    return {"edits": edits} if edits else {}


def _is_empty_fence(text: str) -> bool:
    """Whether a text is a fence without content: the host puts such around edits."""
    text = text.strip()
    if not text.startswith("```"):
        return False
    return _LANGUAGE.fullmatch(text[3:].removesuffix("```").strip()) is not None


def _holds_fences_only(text: str) -> bool:
    lines = [line.strip() for line in text.split("\n")]
    return all(not line or _FENCE_ALONE.fullmatch(line) for line in lines)


def _message(value: object) -> str | None:
    """A message that is shown: text, or Markdown whose links stand for files."""
    text = text_of(value, "value") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return None
    text = text[:_SHOWN_CHARS_MAX]
    text = _BARE_LINK.sub(
        lambda found: f"`{unquote(found['uri'].rpartition('/')[2]).partition('#')[0]}`", text
    )
    return one_line(_LINK.sub(lambda found: found["text"], text), 200)


def _reference(part: Json) -> str:
    target = object_of(part, "inlineReference")
    name = text_of(part, "name") or text_of(target, "name")
    path = (
        _path(target)
        or _path(object_of(target, "uri"))
        or _path(object_of(object_of(target, "location"), "uri"))
    )
    shown = name or path.rpartition("/")[2]
    return f"`{shown}`" if shown else ""


def _path(uri: Json) -> str:
    return text_of(uri, "fsPath") or text_of(uri, "path") or ""


# --- Where -------------------------------------------------------------------------------------------

_USER_FOLDERS: Final = {
    "linux": (".config/Code/User", ".config/Code - Insiders/User", ".config/VSCodium/User"),
    "darwin": (
        "Library/Application Support/Code/User",
        "Library/Application Support/Code - Insiders/User",
        "Library/Application Support/VSCodium/User",
    ),
    "win32": ("Code/User", "Code - Insiders/User", "VSCodium/User"),
}
#: Where a remote machine (SSH, WSL, a container, a codespace) keeps what VS Code keeps elsewhere.
_REMOTE_FOLDERS: Final = (
    ".vscode-server/data/User",
    ".vscode-server-insiders/data/User",
    ".vscode-remote/data/User",
)


_AGENTS_MAX: Final = 256
_TRANSCRIPTS: Final = ("GitHub.copilot-chat", "transcripts")


def _roots(surroundings: Surroundings) -> list[str]:
    base = surroundings.home
    if surroundings.platform == "win32":
        base = surroundings.environment.get("APPDATA", "") or surroundings.path(base, "AppData", "Roaming")
    elif surroundings.platform == "linux" and (config := surroundings.environment.get("XDG_CONFIG_HOME", "")):
        base = config
    folders = [*_USER_FOLDERS.get(surroundings.platform, _USER_FOLDERS["linux"])]
    if base != surroundings.home:
        folders = [folder.removeprefix(".config/") for folder in folders]
    users = [surroundings.path(base, *folder.split("/")) for folder in folders]
    users += [surroundings.path(surroundings.home, *folder.split("/")) for folder in _REMOTE_FOLDERS]
    portable = surroundings.environment.get("VSCODE_PORTABLE", "")
    if portable:
        users.append(surroundings.path(portable, "user-data", "User"))
    found = [surroundings.path(user, "workspaceStorage") for user in users]
    found += [
        surroundings.path(user, "globalStorage", name)
        for user in users
        for name in ("emptyWindowChatSessions", "transferredChatSessions")
    ]
    home = surroundings.variable("COPILOT_HOME", ".copilot")
    return [*found, surroundings.path(home, "session-state"), surroundings.path(home, "jb")]


def _match(parts: Sequence[str]) -> LogFile | None:
    stem, dot, kind = parts[-1].rpartition(".")
    if not dot or kind not in ("json", "jsonl"):
        return None
    workspace = (f"{parts[0]}/workspace.json",)
    if len(parts) == 4 and tuple(parts[1:3]) == _TRANSCRIPTS and kind == "jsonl":
        return LogFile(stem, variant="transcript", companions=workspace)
    if len(parts) == 3 and parts[1] == "chatSessions":
        return LogFile(stem, rewritten=kind == "json", variant="state", is_held=True, companions=workspace)
    if (
        len(parts) == 2
        and (parts[1] == "events.jsonl" or parts[1].startswith("partition-"))
        and kind == "jsonl"
    ):
        return LogFile(parts[0], variant="events")
    if len(parts) == 1:
        return LogFile(stem, rewritten=kind == "json", variant="state", is_held=True)
    return None


def _enter(parts: Sequence[str]) -> bool:
    return (
        len(parts) == 1
        or (len(parts) == 2 and parts[1] in ("chatSessions", "GitHub.copilot-chat"))
        or (len(parts) == 3 and tuple(parts[1:]) == _TRANSCRIPTS)
    )


def _reader(
    log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings
) -> CopilotReader | CopilotDocument:
    cwd = None
    try:
        workspace = loads(companions.get("workspace.json", b"{}"))
    except ValueError:
        workspace = {}
    if isinstance(workspace, dict):
        folder = text_of(workspace, "folder")
        file = text_of(workspace, "workspace") or text_of(workspace, "configuration")
        cwd = _folder(folder) if folder else None
        if cwd is None and file:
            # A workspace of several folders: where it lies elsewhere, the files that are touched tell.
            parent = surroundings.pure(_folder(file) or "").parent
            around = {str(one) for one in (parent, *parent.parents)}
            if not surroundings.folders or around.intersection(surroundings.folders):
                cwd = str(parent)
    return (CopilotDocument if log.rewritten else CopilotReader)(log, cwd, surroundings)


def _folder(uri: str) -> str | None:
    """The path that a folder's URI names on its own machine."""
    if "://" not in uri:
        return uri or None
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if re.match(r"^/[A-Za-z]:", path):
        return path[1:].replace("/", "\\")
    if parts.scheme == "file" and parts.netloc:
        return f"//{parts.netloc}{path}".replace("/", "\\")
    return path or None


COPILOT: Final = Assistant(
    "copilot", "GitHub Copilot", _roots, _match, _enter, _reader, stores=("transcript", "state")
)
