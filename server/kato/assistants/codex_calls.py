"""Codex: tool calls and their results, each once, by `call_id`.

- The result of a call stands in the model's history and, richer, in an event; the first is taken.
- A command that outlives its call goes on in polls (`write_stdin` without input): their outputs are the command's.
- In code mode (0.142), a script calls tools: those calls stand in their events only, which give both call and result.
- An output without `call_id` is that of the only open call, if there is one, else it stands by itself.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from kato.assistants.codex_words import closely
from kato.assistants.contract import Json
from kato.assistants.readers import LinesReader
from kato.assistants.values import as_text, object_of, objects_of, placeholder, remember, text_of
from kato.core.lenient_json import loads

#: What is remembered to know twins, answered calls and running commands again; a turn has some hundreds of calls.
REMEMBERED_MAX: Final = 4096
_RUNNING: Final = re.compile(r"Process running with session ID (\d+)")
_EXITED: Final = re.compile(r"Process exited with code (-?\d+)")
_HEADED: Final = ("Chunk ID:", "Exit code:", "Wall time:")
_HEAD_CHARS_MAX: Final = 400


class CallsReader(LinesReader):
    """Reads what the assistant did; a subclass reads what was said."""

    def _again(self) -> None:
        self._calls: dict[str, str] = {}  # ids and tools of calls without a result
        self._named: dict[str, str] = {}  # first generation: tool -> its newest call
        self._answered: dict[str, None] = {}
        self._polls: dict[str, str] = {}  # call id of a poll -> call id of the command that it polls
        self._running: dict[str, list[str]] = {}  # call id -> output so far
        self._processes: dict[str, str] = {}  # the terminal's session id -> call id
        self._questions: dict[str, Json] = {}
        self._own_goals: dict[str, None] = {}  # objectives that the assistant set

    @abstractmethod
    def _id(self, role: str, text: str, at: datetime | None) -> str:
        """An id for a record that has none, a different one for each."""

    @abstractmethod
    def _assistant_acts(self) -> None:
        """Called before anything that the assistant does."""

    # --- Calls ------------------------------------------------------------------------------------------

    def _call(
        self, call_id: str, at: datetime | None, kind: str, name: str, given: object, *, about: str = ""
    ) -> None:
        """A call, unless it was emitted."""
        self._assistant_acts()
        if call_id not in self._calls and call_id not in self._answered:
            remember(self._calls, call_id, name, REMEMBERED_MAX)
            self.emit_call(call_id, at, kind, call_id, name, given, about=about or None)

    def _item_call(self, what: str, item: Json, at: datetime | None) -> None:
        given = arguments(item.get("arguments", item.get("input", item.get("action"))))
        call_id = text_of(item, "call_id") or text_of(item, "id") or self._id("call", as_text(given), at)
        name = text_of(item, "name") or what.removesuffix("_call")
        if isinstance(given, dict):
            if name == "write_stdin" and not given.get("chars"):
                parent = self._processes.get(str(given.get("session_id")))
                if parent is not None:
                    remember(self._polls, call_id, parent, REMEMBERED_MAX)
                    return
            if name == "request_user_input" and call_id not in self._answered:
                remember(self._questions, call_id, given, REMEMBERED_MAX)
            if name == "create_goal":
                remember(self._own_goals, closely(text_of(given, "objective") or ""), None, REMEMBERED_MAX)
        self._call(call_id, at, what, name, given)

    def _item_output(self, what: str, item: Json, at: datetime | None) -> None:
        del what
        output = item.get("output", item.get("tools"))
        if isinstance(output, dict) and "content" in output:
            output = output["content"]
        text = _output(as_text(output))
        call_id = text_of(item, "call_id") or self._open_call() or self._id("output", text, at)
        parent = self._polls.pop(call_id, None)
        running = _RUNNING.search(text[:_HEAD_CHARS_MAX]) if text.startswith(_HEADED) else None
        if parent is not None:
            self._continue(parent, text, running is not None, at)
        elif call_id in self._answered:
            return
        elif running is not None:
            remember(self._processes, running[1], call_id, REMEMBERED_MAX)
            remember(self._running, call_id, [_body(text)], REMEMBERED_MAX)
        else:
            self._finish(call_id, _body(text), at, "function_call_output")

    def _open_call(self) -> str | None:
        """The call that has no result yet, if there is just one."""
        return next(iter(self._calls)) if len(self._calls) == 1 else None

    def _continue(self, parent: str, text: str, running: bool, at: datetime | None) -> None:
        """A poll's output belongs to the command that it polled."""
        if parent in self._running:
            self._running[parent].append(_body(text))
            if not running:
                self._finish(parent, "".join(self._running[parent]), at, "function_call_output")

    def _finish(self, call_id: str, text: str, at: datetime | None, kind: str) -> None:
        if call_id in self._answered:
            return
        self._assistant_acts()
        remember(self._answered, call_id, None, REMEMBERED_MAX)
        self._running.pop(call_id, None)
        self._calls.pop(call_id, None)
        self.emit_result(f"{call_id}:result", at, kind, call_id, text)
        asked = self._questions.pop(call_id, None)
        if asked is not None:
            self._answers(asked, text, call_id, at)

    def _finish_running(self, at: datetime | None, kind: str) -> None:
        """Commands that outlive the turn: what they gave by then."""
        for call_id, pieces in list(self._running.items()):
            self._finish(call_id, "".join(pieces), at, kind)

    def _answers(self, asked: Json, text: str, call_id: str, at: datetime | None) -> None:
        given = arguments(text)
        answers = object_of(given, "answers") if isinstance(given, dict) else {}
        for number, question in enumerate(objects_of(asked, "questions")):
            chosen = object_of(answers, text_of(question, "id") or "").get("answers")
            self.emit_question(
                f"{call_id}:answer{number}",
                at,
                "request_user_input",
                text_of(question, "question") or "",
                call_id=call_id,
                header=text_of(question, "header"),
                options=objects_of(question, "options"),
                answer=chosen if isinstance(chosen, list) else None,
                status="accepted" if chosen else "rejected",
            )

    def _first_generation_tool(self, kind: str, record: Json, at: datetime | None) -> None:
        """Calls without ids: a result belongs to the newest call of its tool."""
        self._assistant_acts()
        name = text_of(record, "name") or text_of(object_of(record, "function"), "name") or "tool"
        if kind == "tool_call":
            given = arguments(record.get("arguments"))
            call_id = self._named[name] = self._id(kind, f"{name}:{as_text(given)}", at)
            self.emit_call(call_id, at, kind, call_id, name, given)
        else:
            text = as_text(record.get("result"))
            event_id = self._id(kind, f"{name}:{text}", at)
            self.emit_result(event_id, at, kind, self._named.pop(name, event_id), text)

    # --- Events that hold a call and its result ---------------------------------------------------------

    def _command_end(self, what: str, event: Json, at: datetime | None) -> None:
        call_id = _call_id(event) or self._id("command", as_text(event.get("command")), at)
        text = text_of(event, "aggregated_output") or text_of(event, "aggregatedOutput") or _both(event)
        code = event.get("exit_code", event.get("exitCode"))
        if isinstance(code, int) and code != 0:
            text = f"{text.rstrip()}\n[exit code {code}]" if text.strip() else f"[exit code {code}]"
        command = event.get("command")
        self._call(call_id, at, what, "exec_command", {"command": command} if command else None)
        self._finish(call_id, text, at, what)

    def _patch_end(self, what: str, event: Json, at: datetime | None) -> None:
        changes = object_of(event, "changes")
        call_id = _call_id(event) or self._id("patch", ", ".join(changes), at)
        given = {"patch": _patch(changes)} if changes else None
        self._call(call_id, at, what, "apply_patch", given, about=", ".join(changes))
        text = _both(event)
        if not text.strip() and text_of(event, "status") not in (None, "completed"):
            text = f"[{text_of(event, 'status')}]"
        self._finish(call_id, text, at, what)

    def _outside_call(self, what: str, event: Json, at: datetime | None) -> None:
        """A call of an MCP server's or a client's tool."""
        invocation = object_of(event, "invocation") or event
        server = text_of(invocation, "server") or text_of(invocation, "namespace")
        tool = text_of(invocation, "tool") or "tool"
        name = f"{server}.{tool}" if server else tool
        call_id = _call_id(event) or self._id("call", name, at)
        self._call(call_id, at, what, name, invocation.get("arguments"))
        result = event.get("content_items", event.get("contentItems", event.get("result")))
        if isinstance(result, dict):
            result = result.get("Ok", result.get("Err", result))
        if isinstance(result, dict) and "content" in result:
            result = result["content"]
        self._finish(call_id, as_text(result) or as_text(event.get("error")), at, what)

    def _extension(self, what: str, item: Json, at: datetime | None) -> None:
        """A tool of Codex's own outside its core: `web.search`, `image_gen.generation`, `clock.sleep`."""
        name = text_of(item, "kind") or "extension"
        given = {
            key: value
            for key, value in item.items()
            if key not in ("type", "kind", "id", "results", "result", "status") and value
        }
        call_id = _call_id(item) or self._id("call", name, at)
        self._call(call_id, at, what, name, given or None)
        results = item.get("results")
        if results is not None:
            self._finish(call_id, as_text(results), at, what)

    def _image_generation(self, what: str, item: Json, at: datetime | None) -> None:
        about = text_of(item, "revised_prompt") or ""
        call_id = _call_id(item) or self._id("image", about, at)
        self._call(call_id, at, what, "image_generation", {"prompt": about} if about else None)
        saved = text_of(item, "saved_path")
        if saved:
            self._finish(call_id, placeholder("image", saved), at, what)

    def _agent_call(self, what: str, item: Json, at: datetime | None) -> None:
        """A call that starts a sub-agent, or speaks to one."""
        call_id = _call_id(item) or self._id("agents", as_text(item.get("prompt")), at)
        prompt = text_of(item, "prompt")
        tool = text_of(item, "tool") or "agent"
        self._call(call_id, at, what, tool, {"prompt": prompt} if prompt else None)
        children = item.get("receiverThreadIds", item.get("receiver_thread_ids"))
        if tool in ("spawnAgent", "spawn_agent") and isinstance(children, list):
            for child in children:
                self._start(child, call_id)

    def _spawned(self, what: str, event: Json, at: datetime | None) -> None:
        child, call_id = text_of(event, "new_thread_id"), text_of(event, "call_id")
        if child and call_id:
            self._start(child, call_id)
            self._finish(call_id, text_of(event, "new_agent_nickname") or child, at, what)

    def _agent_activity(self, what: str, event: Json, at: datetime | None) -> None:
        """What a sub-agent does; its id is that of the call that started it."""
        del what, at
        child = text_of(event, "agent_thread_id") or text_of(event, "agentThreadId")
        call_id = text_of(event, "event_id") or text_of(event, "id")
        if call_id and text_of(event, "kind") == "started":
            self._start(child, call_id)

    def _start(self, child: object, call_id: str) -> None:
        if isinstance(child, str) and child and not self._is_recovered:
            self.started.setdefault(child, call_id)


def _call_id(record: Json) -> str | None:
    return next((found for key in ("call_id", "callId", "id") if (found := text_of(record, key))), None)


def arguments(value: object) -> object:
    """A call's arguments: the object, where they are JSON."""
    if isinstance(value, str):
        try:
            parsed = loads(value.encode())
        except ValueError:
            return value
        return parsed if isinstance(parsed, dict) else value
    return value


def _both(event: Json) -> str:
    return "\n".join(part for part in (text_of(event, "stdout"), text_of(event, "stderr")) if part)


def _patch(changes: Mapping[str, object]) -> str:
    """Changes of files as one text: a line a file, then what it gained and lost."""
    lines = []
    for path, change in changes.items():
        about: Json = change if isinstance(change, dict) else {}
        moved = text_of(about, "move_path")
        lines.append(f"*** {text_of(about, 'type') or 'change'}: {path}{f' -> {moved}' if moved else ''}")
        text = text_of(about, "unified_diff") or text_of(about, "content") or ""
        lines += [text.rstrip("\n")] if text else []
    return "\n".join(lines)


def _output(text: str) -> str:
    """A custom tool's output is JSON around the text."""
    if text.startswith('{"output":'):
        parsed = arguments(text)
        inner = text_of(parsed, "output") if isinstance(parsed, dict) else None
        return text if inner is None else inner
    return text


def _body(text: str) -> str:
    """The output without the terminal's header; a failure stays visible."""
    if not text.startswith(_HEADED):
        return text
    head, marker, body = text.partition("\nOutput:\n")
    if not marker:
        head, body = text, ""
    code = _EXITED.search(head)
    if code is not None and code[1] != "0":
        return f"{body.rstrip()}\n[exit code {code[1]}]".lstrip("\n")
    return body
