"""Codex (CLI, VS Code, Desktop): `sessions/YYYY/MM/DD/rollout-<time>-<uuid>.jsonl`, each thing said once or twice.

Rule: which of the records that tell the same thing is there differs by message (`event_msg`, `response_item`, from 0.149
on `item_completed`), so the choice is made for each message: the first is taken, its twins of another kind
are passed over; a twin of the same kind is a repetition by the speaker and stays. Tools go by `call_id`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from kato.json_text import loads
from kato.model import Phase
from kato.providers.base import (
    Assistant,
    Json,
    LinesReader,
    LogFile,
    Surroundings,
    as_text,
    digest,
    moment,
    object_of,
    objects_of,
    placeholder,
    remember,
    text_of,
)

_SILENT: Final = frozenset(
    """world_state token_usage_record security_risk_score retained_context realtime_item
    inter_agent_communication_metadata""".split()
)
_SILENT_EVENTS: Final = frozenset(
    """token_count turn_diff background_event guardian_assessment thread_settings_applied thread_goal_updated
    undo_started undo_completed image_generation_end view_image_tool_call plan_update sub_agent_activity
    mcp_startup_update mcp_startup_complete session_configured hook_started hook_completed turn.completed
    turn_completed item_started exec_approval_request apply_patch_approval_request request_user_input
    dynamic_tool_call_request collab_waiting_end collab_close_end
    collab_agent_interaction_end skills_update_available shutdown_complete""".split()
)
_SILENT_ITEMS: Final = frozenset(["ghost_snapshot", "compaction", "compaction_summary", "context_compaction"])
#: Events that tell something of the host; the key that holds the words.
_TOLD_EVENTS: Final = {
    "error": "message",
    "stream_error": "message",
    "warning": "message",
    "entered_review_mode": "user_facing_hint",
    "deprecation_notice": "summary",
}
_ENVELOPES: Final = (
    "environment_context",
    "user_instructions",
    "permissions instructions",
    "turn_aborted",
    "skill",
    "user_shell_command",
    "subagent_notification",
    "INSTRUCTIONS",
    "collaboration_mode",
    "skills_instructions",
    "personality_spec",
    "apps_instructions",
    "plugins_instructions",
    "hook_context",
    "hook_prompt",
    "recommended_plugins",
    "goal_context",
)
#: What stands around a picture in the model's history.
_PICTURE_TAG: Final = re.compile(r"\s*</?(?:local_)?image(?:\s[^<>]*)?>\s*")
_PREAMBLES: Final = ("# Context from my IDE setup:", "# Files mentioned by the user:")
_REQUEST: Final = re.compile(r"^## My request[^\n]*$", re.MULTILINE)
_PHASES: Final[Mapping[str, Phase]] = {"commentary": "commentary", "final_answer": "final", "output": "other"}
_CALLS: Final = frozenset("function_call custom_tool_call local_shell_call tool_search_call mcp_call".split())
_RUNNING: Final = re.compile(r"Process running with session ID (\d+)")
_EXITED: Final = re.compile(r"Process exited with code (-?\d+)")
_HEADED: Final = ("Chunk ID:", "Exit code:", "Wall time:")
#: What is remembered to know twins, answered calls and running commands again; a turn has some hundreds of calls.
_REMEMBERED_MAX: Final = 4096


#: So long a fork takes to write down its history (seen: 50 ms).
_FORK_WRITTEN: Final = timedelta(seconds=2)
#: Twins stand some records apart; what stands further apart was said again.
_TWIN_RECORDS_MAX: Final = 64


class _Words(Struct):
    """A user's message of the model's history; the event that tells what was really typed follows, or does not."""

    text: str
    pictures: list[str]
    event_id: str
    at: datetime | None


class _Told(Struct):
    """Which kinds of record told a text, and the number of the first."""

    number: int
    tellers: set[str]


class CodexReader(LinesReader):
    """Reads a rollout."""

    provider = "codex"

    def __init__(self, log: LogFile, index: bytes = b"") -> None:
        super().__init__(log)
        self.title = _name_in_index(index, log.session_id)
        self._again()

    def _again(self) -> None:
        self._number = 0
        self._model: str | None = None
        self._turn = ""
        self._has_meta = False
        self._own_id: str | None = None
        self._begun_at: datetime | None = None
        self._has_typed = False  # events tell what is typed
        self._forked_at: datetime | None = None
        self.is_copy = False
        self._told: dict[str, _Told] = {}
        self._waiting: list[_Words] = []
        self._calls: dict[str, str] = {}  # call id -> what its result must know: the tool's name
        self._answered: dict[str, None] = {}
        self._polls: dict[str, str] = {}  # call id of a poll -> call id of the command that it polls
        self._running: dict[str, list[str]] = {}  # call id -> output so far
        self._processes: dict[str, str] = {}  # the terminal's session id -> call id
        self._questions: dict[str, Json] = {}

    def _record(self, record: Json) -> None:
        self._number += 1
        kind = text_of(record, "type")
        payload = record.get("payload")
        if not isinstance(payload, dict):
            self._bare(record, kind)
            return
        at = moment(record.get("timestamp"))
        what = text_of(payload, "type") or ""
        if self._forked_at is not None and self._is_own(kind, payload, at):
            self._flush_waiting()
            self._forked_at, self.is_copy = None, False
        if self.is_copy and self.parent_id is not None:
            return  # what the session that started this sub-agent had said stands there
        if kind == "event_msg":
            self._event(what, payload, at)
        elif kind == "response_item":
            self._item(what, payload, at)
        elif kind == "session_meta":
            self._meta(payload, at)
        elif kind == "turn_context":
            self._model = text_of(payload, "model") or self._model
            self._turn = text_of(payload, "turn_id") or self._turn
            self.cwd = self.cwd or text_of(payload, "cwd")
        elif kind == "compacted":
            self._compaction("compacted", at)
        elif kind not in _SILENT:
            self.tell_unknown(kind or "a record without a type", payload, None, at)

    def _bare(self, record: Json, kind: str | None) -> None:
        """A line of the first generations: a response item without an envelope."""
        at = moment(record.get("timestamp"))
        if "record_type" in record:
            return
        self._model = text_of(record, "model") or self._model
        if kind is None and "role" not in record:
            if "instructions" in record or "git" in record:
                self._meta(record, at)
            else:
                self.tell_unknown("a record without a type", record, None, at)
        elif kind in (None, "message"):
            self._message(record, at)
        elif kind in ("tool_call", "tool_result"):
            self._first_generation_tool(kind, record, at)
        elif kind == "error":
            self.tell_note(
                self._id(at, "error", ""), at, "error", text_of(record, "text") or "error", level="error"
            )
        else:
            self._item(kind, record, at)

    def _first_generation_tool(self, kind: str, record: Json, at: datetime | None) -> None:
        """Calls without ids: a result belongs to the newest call of its tool."""
        self._flush_waiting()
        name = text_of(record, "name") or text_of(object_of(record, "function"), "name") or "tool"
        if kind == "tool_call":
            call_id = f"{name}:{self._number}"
            self._calls[name] = call_id
            self.tell_call(
                self._id(at, kind, name), at, kind, call_id, name, _arguments(record.get("arguments"))
            )
        else:
            call_id = self._calls.pop(name, f"{name}:{self._number}")
            self.tell_result(self._id(at, kind, name), at, kind, call_id, as_text(record.get("result")))

    def _is_own(self, kind: str | None, payload: Json, at: datetime | None) -> bool:
        """Whether the history that a fork begins with, written down in one go, ends before this record: the first turn
        that began after the fork is the session's own. Turns have ids that tell when they began (UUID version 7); copied
        records have the times at which they were said, or that of the fork.
        """
        assert self._forked_at is not None
        if kind == "turn_context" or text_of(payload, "type") == "task_started":
            began = _uuid7_moment(text_of(payload, "turn_id") or "")
            if began is not None:
                return began >= self._forked_at
        return at is not None and at > self._forked_at + _FORK_WRITTEN

    def _meta(self, payload: Json, at: datetime | None) -> None:
        if self._has_meta:
            # Copied history of the session that this one was forked from, whether it says so itself or not.
            if self._forked_at is None and text_of(payload, "id") not in (
                None,
                self.session_id,
                self._own_id,
            ):
                self._forked_at = self._begun_at or at
                self.is_copy = self._forked_at is not None
            return
        self._has_meta = True
        self._own_id = text_of(payload, "id")
        self._begun_at = _uuid7_moment(self.session_id) or moment(payload.get("timestamp")) or at
        self._last = self._last or moment(payload.get("timestamp")) or at  # for records without a time
        self.cwd = text_of(payload, "cwd") or self.cwd
        self.version = text_of(payload, "cli_version")
        if text_of(payload, "forked_from_id"):
            self._forked_at = self._begun_at
            self.is_copy = self._forked_at is not None
        source = object_of(payload, "source")
        spawned = object_of(object_of(source, "subagent"), "thread_spawn")
        parent = text_of(spawned, "parent_thread_id") or text_of(payload, "parent_thread_id")
        if parent or "subagent" in source:
            # A review or a guardian names no parent; what it is told is not the user's word all the same.
            self.parent_id = parent or text_of(payload, "forked_from_id") or ""
            name = text_of(spawned, "agent_nickname") or text_of(spawned, "agent_role")
            self.title = self.title or name or text_of(source, "subagent")

    # --- Who said what ----------------------------------------------------------------------------------

    def _id(self, at: datetime | None, role: str, text: str) -> str:
        """Rollouts give messages no ids: their time and their text, or the line where there is no time."""
        when = f"line{self._number}" if at is None else at.isoformat()
        return f"{when}:{role}:{digest(text)}"

    def _is_twin(self, role: str, text: str, teller: str) -> bool:
        """Whether another kind of record told this already."""
        key = f"{role}:{digest(_closely(text))}"
        told = self._told.get(key)
        if (
            told is not None
            and teller not in told.tellers
            and self._number - told.number <= _TWIN_RECORDS_MAX
        ):
            told.tellers.add(teller)
            return True
        remember(self._told, key, _Told(self._number, {teller}), _REMEMBERED_MAX)
        return False

    def _typed(self, text: str, pictures: list[str], teller: str, at: datetime | None) -> None:
        """What the user typed, as an event tells it."""
        self._has_typed = True
        words = _request(text)
        for waiting in self._waiting:
            if _closely(waiting.text) == _closely(words):
                # The history's copy came first, and gave the message its id.
                self._waiting.remove(waiting)
                if not self._is_twin("user", words, teller):
                    self._is_twin("user", words, "item")
                    self._say(waiting.event_id, waiting.at, words, pictures or waiting.pictures)
                return
        if not self._is_twin("user", words, teller):
            self._say(self._id(at, "user", words), at, words, pictures)

    def _say(
        self,
        event_id: str,
        at: datetime | None,
        words: str,
        pictures: Sequence[str],
        *,
        doubt: str | None = None,
    ) -> None:
        content = "\n\n".join(part for part in (words.strip("\n"), *pictures) if part.strip())
        if content:
            if content.lstrip().startswith(_PREAMBLES):
                doubt = doubt or "where the user's own words begin behind the IDE's text is not known"
            self.tell_user(event_id, at, "user_message", content, doubt=doubt)

    def _flush_waiting(self) -> None:
        """No event followed: the history's copies are all there is."""
        waiting, self._waiting = self._waiting, []
        for words in waiting:
            if not self._is_twin("user", words.text, "item"):
                # In a log whose events tell what was typed, what they do not tell is the host's, in whatever envelope.
                doubt = "it does not stand among what was typed" if self._has_typed else None
                self._say(words.event_id, words.at, words.text, words.pictures, doubt=doubt)

    def _quiet(self) -> None:
        self._flush_waiting()

    def _answer(self, text: str, phase: str | None, teller: str, at: datetime | None) -> None:
        self._flush_waiting()
        if text.strip() and not self._is_twin("assistant", text, teller):
            self.tell_assistant(
                self._id(at, "assistant", text),
                at,
                "agent_message",
                text,
                model=self._model,
                phase=None if phase is None else _PHASES.get(phase, "other"),
            )

    def _thought(self, text: str, teller: str, at: datetime | None) -> None:
        self._flush_waiting()
        if text.strip() and not self._is_twin("thinking", text, teller):
            self.tell_thinking(self._id(at, "thinking", text), at, "reasoning", text)

    def _compaction(self, teller: str, at: datetime | None) -> None:
        if not self._is_twin("compaction", "", teller):
            self.tell_note(
                self._id(at, "compaction", ""),
                at,
                "compacted",
                "The conversation was compacted.",
                subtype="compaction",
            )

    # --- The model's history ----------------------------------------------------------------------------

    def _item(self, what: str, item: Json, at: datetime | None) -> None:
        if what == "message":
            self._message(item, at)
        elif what == "reasoning":
            for part in (*objects_of(item, "summary"), *objects_of(item, "content")):
                self._thought(text_of(part, "text") or "", "item", at)
        elif what in _CALLS:
            self._item_call(what, item, at)
        elif what.endswith(("_call_output", "_search_output")):
            self._item_output(item, at)
        elif what == "web_search_call":
            query = _query(item)
            if not self._is_twin("web", query, "item"):
                self._search(text_of(item, "id"), query, at)
        elif what == "image_generation_call":
            self._flush_waiting()
            about = text_of(item, "revised_prompt") or ""
            call_id = text_of(item, "id") or self._id(at, "image", about)
            self.tell_call(
                call_id, at, what, call_id, "image_generation", {"prompt": about} if about else None
            )
        elif what == "agent_message":
            text = as_text([part for part in objects_of(item, "content") if "text" in part])
            author = text_of(item, "author") or "agent"
            if text:
                self.tell_note(
                    self._id(at, "agent", text), at, what, f"{author}: {text}", subtype="agent_message"
                )
        elif what not in _SILENT_ITEMS:
            self.tell_unknown(f"response_item {what}", item, None, at)

    def _message(self, item: Json, at: datetime | None) -> None:
        role = text_of(item, "role")
        content = item.get("content")
        blocks: Sequence[Json] = (
            [{"type": "input_text", "text": content}]
            if isinstance(content, str)
            else objects_of(item, "content")
        )
        if role == "assistant":
            text = "\n\n".join(part for block in blocks if (part := text_of(block, "text")))
            self._answer(text, text_of(item, "phase"), "item", at)
        elif role == "user":
            texts = [text_of(block, "text") or "" for block in blocks]
            typed = [one for one in texts if not _PICTURE_TAG.fullmatch(one)]
            words = "\n\n".join(part for one in typed if (part := _words(one)))
            pictures = [
                shown for block in blocks if block.get("image_url") and (shown := self.picture(block))
            ]
            if words or pictures:
                self._waiting.append(_Words(words, pictures, self._id(at, "user", words), at))
                if len(self._waiting) > 16:
                    self._flush_waiting()

    def _item_call(self, what: str, item: Json, at: datetime | None) -> None:
        self._flush_waiting()
        call_id = text_of(item, "call_id") or text_of(item, "id") or self._id(at, "call", "")
        name = text_of(item, "name") or what.removesuffix("_call")
        given = _arguments(item.get("arguments", item.get("input", item.get("action"))))
        if name == "write_stdin" and isinstance(given, dict) and not given.get("chars"):
            parent = self._processes.get(str(given.get("session_id")))
            if parent is not None:
                remember(self._polls, call_id, parent, _REMEMBERED_MAX)
                return
        if call_id in self._calls:
            return
        if name == "request_user_input" and isinstance(given, dict):
            remember(self._questions, call_id, given, _REMEMBERED_MAX)
        remember(self._calls, call_id, name, _REMEMBERED_MAX)
        self.tell_call(call_id, at, what, call_id, name, given)

    def _item_output(self, item: Json, at: datetime | None) -> None:
        call_id = text_of(item, "call_id") or ""
        output = item.get("output", item.get("tools"))
        if isinstance(output, dict) and "content" in output:
            output = output["content"]
        text = _output(as_text(output))
        parent = self._polls.pop(call_id, None)
        running = _RUNNING.search(text[:400]) if text.startswith(_HEADED) else None
        if parent is not None:
            self._continue(parent, text, running is not None, at)
        elif call_id in self._answered:
            return
        elif running is not None:
            remember(self._processes, running[1], call_id, _REMEMBERED_MAX)
            remember(self._running, call_id, [_body(text)], _REMEMBERED_MAX)
        else:
            self._finish(call_id, _body(text), at, "function_call_output")

    def _continue(self, parent: str, text: str, running: bool, at: datetime | None) -> None:
        """A poll's output belongs to the command that it polled."""
        if parent in self._running:
            self._running[parent].append(_body(text))
            if not running:
                self._finish(parent, "".join(self._running[parent]), at, "function_call_output")

    def _finish(self, call_id: str, text: str, at: datetime | None, kind: str) -> None:
        if call_id in self._answered:
            return
        self._flush_waiting()
        remember(self._answered, call_id, None, _REMEMBERED_MAX)
        self._running.pop(call_id, None)
        self._calls.pop(call_id, None)
        self.tell_result(f"{call_id}:result", at, kind, call_id, text)
        asked = self._questions.pop(call_id, None)
        if asked is not None:
            self._answers(asked, text, call_id, at)

    def _answers(self, asked: Json, text: str, call_id: str, at: datetime | None) -> None:
        try:
            given = loads(text.encode())
        except ValueError:
            given = {}
        answers = object_of(given, "answers") if isinstance(given, dict) else {}
        for number, question in enumerate(objects_of(asked, "questions")):
            chosen = object_of(answers, text_of(question, "id") or "").get("answers")
            self.tell_question(
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

    # --- What happened ----------------------------------------------------------------------------------

    def _event(self, what: str, event: Json, at: datetime | None) -> None:
        if what == "user_message":
            pictures = ["[image]" for _ in event.get("images") or []]
            pictures += [
                placeholder("image", path)
                for path in event.get("local_images") or []
                if isinstance(path, str)
            ]
            if text_of(event, "kind") in (None, "plain"):
                self._typed(text_of(event, "message") or "", pictures, "event", at)
        elif what == "agent_message":
            self._answer(text_of(event, "message") or "", text_of(event, "phase"), "event", at)
        elif what in ("agent_reasoning", "agent_reasoning_raw_content"):
            self._thought(text_of(event, "text") or "", "event", at)
        elif what == "task_started":
            self._turn = text_of(event, "turn_id") or self._turn
        elif what in ("task_complete", "turn_aborted"):
            self._end_of_turn(what, event, at)
        elif what == "exec_command_end":
            self._command_end(event, at)
        elif what == "patch_apply_end":
            call_id = text_of(event, "call_id") or ""
            self._finish(call_id, _both(event), at, what)
        elif what in ("mcp_tool_call_end", "dynamic_tool_call_response"):
            self._outside_call(what, event, at)
        elif what == "web_search_end":
            query = _query(event)
            if not self._is_twin("web", query, "event"):
                self._search(text_of(event, "call_id"), query, at)
        elif what == "context_compacted":
            self._compaction("event", at)
        elif what == "collab_agent_spawn_end":
            child, parent_call = text_of(event, "new_thread_id"), text_of(event, "call_id")
            if child and parent_call:
                self.started[child] = parent_call
                self._finish(parent_call, text_of(event, "new_agent_nickname") or child, at, what)
        elif what == "thread_name_updated":
            self.title = text_of(event, "thread_name") or self.title
        elif what == "thread_rolled_back":
            turns = event.get("num_turns")
            self.tell_note(
                self._id(at, "rewind", str(turns)),
                at,
                what,
                f"The last {turns} turns were taken back.",
                subtype="rewind",
            )
        elif what == "exited_review_mode":
            words = text_of(object_of(event, "review_output"), "overall_explanation")
            self._answer(words or "", None, "event", at)
        elif what in _TOLD_EVENTS:
            words = (
                text_of(event, _TOLD_EVENTS[what]) or text_of(object_of(event, "error"), "message") or what
            )
            level = "error" if "error" in what else None
            self.tell_note(self._id(at, what, words), at, what, words, subtype=what, level=level)
        elif what == "item_completed":
            self._completed(object_of(event, "item"), at)
        elif not (what in _SILENT_EVENTS or what.endswith(("_begin", "_delta")) or "/" in what):
            self.tell_unknown(f"event_msg {what}", event, None, at)

    def _end_of_turn(self, what: str, event: Json, at: datetime | None) -> None:
        self._flush_waiting()
        for call_id, pieces in list(self._running.items()):
            # A command that outlives the turn: what it had said by then.
            self._finish(call_id, "".join(pieces), at, what)
        if what == "turn_aborted":
            reason = text_of(event, "reason") or "aborted"
            self.tell_note(
                self._id(at, what, reason),
                at,
                what,
                f"The turn ended early: {reason}.",
                subtype="interruption",
            )

    def _command_end(self, event: Json, at: datetime | None) -> None:
        call_id = text_of(event, "call_id") or text_of(event, "id") or ""
        text = text_of(event, "aggregated_output") or text_of(event, "aggregatedOutput") or _both(event)
        code = event.get("exit_code", event.get("exitCode"))
        if isinstance(code, int) and code != 0:
            text = f"{text.rstrip()}\n[exit code {code}]" if text.strip() else f"[exit code {code}]"
        if call_id not in self._calls and call_id not in self._answered:
            command = event.get("command")
            self.tell_call(
                call_id,
                at,
                "exec_command",
                call_id,
                "exec_command",
                {"command": command} if command else None,
            )
        self._finish(call_id, text, at, "exec_command_end")

    def _outside_call(self, what: str, event: Json, at: datetime | None) -> None:
        """A call of an MCP server's or a client's tool."""
        call_id = text_of(event, "call_id") or text_of(event, "callId") or text_of(event, "id") or ""
        if call_id in self._answered:
            return
        invocation = object_of(event, "invocation") or event
        server = text_of(invocation, "server") or text_of(invocation, "namespace")
        tool = text_of(invocation, "tool") or "tool"
        if call_id not in self._calls:
            self.tell_call(
                call_id,
                at,
                what,
                call_id,
                f"{server}.{tool}" if server else tool,
                invocation.get("arguments"),
            )
        result = event.get("content_items", event.get("result"))
        if isinstance(result, dict):
            result = result.get("Ok", result.get("Err", result))
        if isinstance(result, dict) and "content" in result:
            result = result["content"]
        self._finish(call_id, as_text(result), at, what)

    def _search(self, call_id: str | None, query: str, at: datetime | None) -> None:
        self._flush_waiting()
        event_id = call_id or self._id(at, "web", query)
        self.tell_call(
            event_id, at, "web_search", event_id, "web_search", {"query": query} if query else None
        )

    def _completed(self, item: Json, at: datetime | None) -> None:
        """The consolidated records of 0.149 and later."""
        what = text_of(item, "type") or ""
        if what == "UserMessage":
            blocks = objects_of(item, "content")
            text = "\n\n".join(part for block in blocks if (part := text_of(block, "text")))
            pictures = [shown for block in blocks if "text" not in block and (shown := self.picture(block))]
            self._typed(text, pictures, "completed", at)
        elif what == "AgentMessage":
            text = "\n\n".join(
                part for block in objects_of(item, "content") if (part := text_of(block, "text"))
            )
            self._answer(text, text_of(item, "phase"), "completed", at)
        elif what == "Reasoning":
            for key in ("summary_text", "raw_content"):
                parts = item.get(key)
                for part in parts if isinstance(parts, list) else ():
                    self._thought(part if isinstance(part, str) else "", "completed", at)
        elif what == "Plan":
            self._answer(text_of(item, "text") or "", None, "completed", at)
        elif what == "CommandExecution":
            self._command_end(item, at)
        elif what == "McpToolCall":
            self._outside_call(what, item, at)
        elif what == "ContextCompaction":
            self._compaction("completed", at)


def _uuid7_moment(identity: str) -> datetime | None:
    """When an id of version 7 was made (RFC 9562, 5.7); None for any other."""
    try:
        made = UUID(identity)
    except ValueError:
        return None
    return moment(made.int >> 80) if made.version == 7 else None


def _closely(text: str) -> str:
    """A text's words without what lies between them: how blocks and lines are joined differs by record."""
    return "".join(text.split())


def _request(text: str) -> str:
    """The user's words in a message that an IDE has put a preamble in front of."""
    if text.lstrip().startswith(_PREAMBLES):
        ends = [marker.end() for marker in _REQUEST.finditer(text)]
        if ends:
            return text[ends[-1] :].strip("\n")
    return text


def _words(text: str) -> str:
    """The user's words in a text of the model's history, "" for what the host put there."""
    start = text.lstrip()
    if start.startswith("# AGENTS.md instructions for"):
        return ""
    for name in _ENVELOPES:
        if start.startswith(f"<{name}") and start.rstrip().endswith(f"</{name.partition(' ')[0]}>"):
            return ""
        if start.startswith(f"<{name}>") and start.rstrip().endswith(f"</{name}>"):
            return ""
    return _request(text)


def _arguments(value: object) -> object:
    if isinstance(value, str):
        try:
            parsed = loads(value.encode())
        except ValueError:
            return value
        return parsed if isinstance(parsed, dict) else value
    return value


def _query(record: Json) -> str:
    action = object_of(record, "action")
    return text_of(record, "query") or text_of(action, "query") or text_of(action, "url") or ""


def _both(event: Json) -> str:
    return "\n".join(part for part in (text_of(event, "stdout"), text_of(event, "stderr")) if part)


def _output(text: str) -> str:
    """A custom tool's output is JSON around the text."""
    if text.startswith('{"output":'):
        parsed = _arguments(text)
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


def _name_in_index(index: bytes, session_id: str) -> str | None:
    """The name that the user gave the thread: the newest line of `session_index.jsonl` about it."""
    name = None
    for line in index.splitlines():
        if session_id.encode() in line:
            try:
                entry = loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("id") == session_id:
                name = text_of(entry, "thread_name") or name
    return name


# --- Where -------------------------------------------------------------------------------------------

_ROLLOUT: Final = re.compile(
    # A fork's name may hold the id of the session that all began with before its own.
    r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-(?:[0-9A-Za-z-]+_)?(?P<id>[0-9A-Za-z-]+)\.jsonl(?P<packed>\.zst)?$"
)


def _roots(surroundings: Surroundings) -> list[str]:
    home = surroundings.variable("CODEX_HOME", ".codex")
    return [surroundings.path(home, "sessions"), surroundings.path(home, "archived_sessions")]


def _match(parts: Sequence[str]) -> LogFile | None:
    found = _ROLLOUT.match(parts[-1])
    if found is None or len(parts) not in (1, 4):
        return None
    return LogFile(found["id"], companions=("../session_index.jsonl",))


def _enter(parts: Sequence[str]) -> bool:
    return len(parts) <= 3 and parts[-1].isdecimal()


def _reader(log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings) -> CodexReader:
    del surroundings
    return CodexReader(log, companions.get("session_index.jsonl", b""))


CODEX: Final = Assistant("codex", "Codex", _roots, _match, _enter, _reader)
