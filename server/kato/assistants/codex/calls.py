"""Codex: reads tool calls and their results, each once, by `call_id`.

- The model's history and an event both hold the result of a call; the reader takes the first.
- A command that outlives its call goes on in polls (`write_stdin` without input): their outputs are the command's.
- An output without `call_id` belongs to the only open call, if there is exactly one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from kato.assistants.codex.answers import AnswerReader
from kato.assistants.codex.outputs import (
    Ending,
    arguments_of,
    body_of,
    ending_in,
    ending_of,
    read_output,
    running_in,
)
from kato.assistants.codex.session import Entry
from kato.assistants.codex.twins import REMEMBERED_MAX
from kato.assistants.codex.words import closely
from kato.assistants.contract import Json
from kato.assistants.values import as_text, object_of, objects_of, remember, text_of

#: What most records say of a call's end: nothing.
_UNKNOWN: Final = Ending()


class CallReader(AnswerReader):
    """Reads the calls of the model's history."""

    def _again(self) -> None:
        super()._again()
        self._calls: dict[str, str] = {}  # ids and tools of calls without a result
        self._named: dict[str, str] = {}  # first generation: tool -> its newest call
        self._answered: dict[str, None] = {}
        self._polls: dict[str, str] = {}  # call id of a poll -> call id of the command that it polls
        self._running: dict[str, list[str]] = {}  # call id -> output so far
        self._processes: dict[str, str] = {}  # the terminal's session id -> call id
        self._questions: dict[str, Json] = {}

    def _assistant_acts(self) -> None:
        self._flush_waiting()
        self._twins.speaks("assistant")

    # --- Calls ------------------------------------------------------------------------------------------

    def _call(
        self, call_id: str, at: datetime | None, kind: str, name: str, given: object, *, about: str = ""
    ) -> None:
        """Emits a call, unless it was emitted."""
        self._assistant_acts()
        if call_id not in self._calls and call_id not in self._answered:
            remember(self._calls, call_id, name, REMEMBERED_MAX)
            self.emit_call(call_id, at, kind, call_id, name, given, about=about or None, model=self._model)

    def _item_call(self, entry: Entry) -> None:
        item, at = entry.body, entry.at
        given = arguments_of(item.get("arguments", item.get("input", item.get("action"))))
        call_id = text_of(item, "call_id") or text_of(item, "id") or self._id("call", as_text(given), at)
        name = text_of(item, "name") or entry.kind.removesuffix("_call")
        if isinstance(given, dict):
            if self._is_poll(call_id, name, given):
                return
            if name == "request_user_input" and call_id not in self._answered:
                remember(self._questions, call_id, given, REMEMBERED_MAX)
            if name == "create_goal":
                remember(self._own_goals, closely(text_of(given, "objective") or ""), None, REMEMBERED_MAX)
        self._call(call_id, at, entry.kind, tool_name(text_of(item, "namespace"), name), given)

    def _is_poll(self, call_id: str, name: str, given: Json) -> bool:
        """Whether a call only asks for more output of a command that is running; if so, it is remembered."""
        if name != "write_stdin" or given.get("chars"):
            return False
        parent = self._processes.get(str(given.get("session_id")))
        if parent is not None:
            remember(self._polls, call_id, parent, REMEMBERED_MAX)
        return parent is not None

    # --- Results ----------------------------------------------------------------------------------------

    def _item_output(self, entry: Entry) -> None:
        item, at = entry.body, entry.at
        text, ending = read_output(item.get("output", item.get("tools")))
        call_id = text_of(item, "call_id") or self._open_call() or self._id("output", text, at)
        parent = self._polls.pop(call_id, None)
        process = running_in(text)
        if parent is not None:
            self._continue(parent, text, process is not None, at)
        elif call_id in self._answered:
            return
        elif process is not None:
            remember(self._processes, process, call_id, REMEMBERED_MAX)
            remember(self._running, call_id, [body_of(text)], REMEMBERED_MAX)
        else:
            self._finish(call_id, body_of(text), at, "function_call_output", ending)

    def _open_call(self) -> str | None:
        """The call that has no result yet, if there is just one."""
        return next(iter(self._calls)) if len(self._calls) == 1 else None

    def _continue(self, parent: str, text: str, is_running: bool, at: datetime | None) -> None:
        """Adds a poll's output to that of the polled command."""
        if parent in self._running:
            self._running[parent].append(body_of(text))
            if not is_running:
                joined = "".join(self._running[parent])
                self._finish(parent, joined, at, "function_call_output", ending_of(text))

    def _finish(
        self, call_id: str, text: str, at: datetime | None, kind: str, ending: Ending = _UNKNOWN
    ) -> None:
        """Emits a result, unless the call has one."""
        if call_id in self._answered:
            return
        self._assistant_acts()
        remember(self._answered, call_id, None, REMEMBERED_MAX)
        self._running.pop(call_id, None)
        self._calls.pop(call_id, None)
        outcome, code = ending
        self.emit_result(f"{call_id}:result", at, kind, call_id, text, outcome=outcome, exit_code=code)
        asked = self._questions.pop(call_id, None)
        if asked is not None:
            self._answers(asked, text, call_id, at)

    def _finish_running(self, at: datetime | None, kind: str) -> None:
        """Emits the output so far of commands that outlive the turn."""
        for call_id, pieces in list(self._running.items()):
            self._finish(call_id, "".join(pieces), at, kind)

    def _answers(self, asked: Json, text: str, call_id: str, at: datetime | None) -> None:
        """Emits the user's answers to questions that stopped the turn."""
        given = arguments_of(text)
        answers: Mapping[str, object] = object_of(given, "answers") if isinstance(given, dict) else {}
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

    # --- The first generation: calls without ids --------------------------------------------------------------

    def _first_call(self, entry: Entry) -> None:
        self._assistant_acts()
        name, given = _first_name(entry.body), arguments_of(entry.body.get("arguments"))
        call_id = self._named[name] = self._id(entry.kind, f"{name}:{as_text(given)}", entry.at)
        self.emit_call(call_id, entry.at, entry.kind, call_id, name, given, model=self._model)

    def _first_result(self, entry: Entry) -> None:
        """A result belongs to the newest call of its tool."""
        self._assistant_acts()
        name, text = _first_name(entry.body), as_text(entry.body.get("result"))
        event_id = self._id(entry.kind, f"{name}:{text}", entry.at)
        call_id = self._named.pop(name, event_id)
        outcome, code = ending_in(object_of(entry.body, "result"))
        self.emit_result(event_id, entry.at, entry.kind, call_id, text, outcome=outcome, exit_code=code)


def tool_name(namespace: str | None, name: str) -> str:
    """The name of a tool in a namespace: `mcp__github__` and `list` are `github.list`."""
    space = (namespace or "").removeprefix("mcp__").strip("_")
    return f"{space}.{name}" if space else name


def _first_name(record: Json) -> str:
    return text_of(record, "name") or text_of(object_of(record, "function"), "name") or "tool"
