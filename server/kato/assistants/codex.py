"""Codex (CLI, VS Code, Desktop): `sessions/YYYY/MM/DD/rollout-<time>-<thread>[_<part>].jsonl`, each message in one to three records.

Rule: a message stands in records of up to three kinds (`event_msg`, `response_item`, from 0.147 on `item_completed`), and which of
them are there differs by message. So the choice is made for each message: the first record is taken, its twins of other kinds are
passed over. A second record of the same kind, or one behind words of the other speaker, is a repetition and stays. Tools go
by `call_id` (`codex_calls`).

Rollouts give messages no ids. A message's id is made of its turn (of its time, where the log names no turns), its text, and how
often the turn had it before: it does not depend on the kind of record that comes first.

What the user typed, and what proves it, is written down in `codex_words`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from kato.assistants.codex_calls import REMEMBERED_MAX, CallsReader
from kato.assistants.codex_words import (
    IN_GOAL,
    IN_PARTS,
    NOT_AN_INPUT,
    Input,
    answer_of,
    closely,
    envelope_of,
    input_of,
    key_of,
    objective_of,
    words_of,
)
from kato.assistants.contract import Assistant, Json, LogFile, Surroundings
from kato.assistants.values import (
    as_text,
    digest,
    moment,
    object_of,
    objects_of,
    placeholder,
    remember,
    text_of,
)
from kato.core.events import Phase
from kato.core.lenient_json import loads

#: Records, events and items that carry nothing of the conversation, or what others carry too.
_SILENT: Final = frozenset(
    """world_state token_usage_record security_risk_score retained_context realtime_item
    inter_agent_communication_metadata""".split()
)
_SILENT_EVENTS: Final = frozenset(
    """token_count turn_diff background_event guardian_assessment thread_settings_applied
    undo_started undo_completed image_generation_end view_image_tool_call plan_update
    mcp_startup_update mcp_startup_complete session_configured hook_started hook_completed turn.completed
    turn_completed item_started exec_approval_request apply_patch_approval_request request_user_input
    dynamic_tool_call_request collab_waiting_end collab_close_end collab_resume_end
    collab_agent_interaction_end skills_update_available shutdown_complete""".split()
)
_SILENT_RESPONSES: Final = frozenset(
    ["ghost_snapshot", "compaction", "compaction_summary", "context_compaction", "additional_tools"]
)
_SILENT_ITEMS: Final = frozenset(["ImageView", "Sleep"])
#: Events with words of the host; the key that holds them.
_NOTES: Final = {
    "error": "message",
    "stream_error": "message",
    "warning": "message",
    "entered_review_mode": "user_facing_hint",
    "deprecation_notice": "summary",
}
_PHASES: Final[Mapping[str, Phase]] = {"commentary": "commentary", "final_answer": "final", "output": "other"}
#: What a `session_meta` says of a session that the user did not start.
_OTHERS_SESSIONS: Final = frozenset(["subagent", "guardian_review", "memory_consolidation"])
_FOLDERS_MAX: Final = 16
#: So long a fork takes to write down its history (seen: 50 ms).
_FORK_WRITTEN: Final = timedelta(seconds=2)
#: Twins stand some records apart; what stands further apart was said again.
_TWIN_RECORDS_MAX: Final = 64
#: Messages of the history that wait for their events.
_WAITING_MAX: Final = 16

Take = Callable[[str, Json, datetime | None], None]


class _Waiting(Struct):
    """A message of the history; the event that says that it was an input follows, or does not."""

    input: Input
    key: str
    pictures: list[str]
    scope: str
    at: datetime | None


class _Emitted(Struct):
    """A text that was emitted: the kinds of record that hold it, the number of the first, and how often the speaker had
    changed by then.
    """

    number: int
    kinds: set[str]
    change: int


class CodexReader(CallsReader):
    """Reads a rollout."""

    provider = "codex"

    def __init__(self, log: LogFile, index: bytes = b"") -> None:
        super().__init__(log)
        self.title = _name_in_index(index, log.session_id)
        self._records: Mapping[str, Take] = {
            "event_msg": self._event,
            "response_item": self._response,
            "session_meta": self._meta,
            "turn_context": self._turn_context,
            "compacted": self._compaction,
        }
        self._events_of: Mapping[str, Take] = {
            "user_message": self._user_event,
            "agent_message": self._answer_event,
            "agent_reasoning": self._thought_event,
            "agent_reasoning_raw_content": self._thought_event,
            "exited_review_mode": self._review,
            "task_started": self._turn_context,
            "task_complete": self._end_of_turn,
            "turn_aborted": self._end_of_turn,
            "context_compacted": self._compaction,
            "thread_rolled_back": self._rolled_back,
            "thread_name_updated": self._named_thread,
            "thread_goal_updated": self._goal,
            "model_reroute": self._rerouted,
            "item_completed": self._completed,
            "exec_command_end": self._command_end,
            "patch_apply_end": self._patch_end,
            "mcp_tool_call_end": self._outside_call,
            "dynamic_tool_call_response": self._outside_call,
            "web_search_end": self._search,
            "collab_agent_spawn_end": self._spawned,
            "sub_agent_activity": self._agent_activity,
            **dict.fromkeys(_NOTES, self._host_note),
        }
        self._responses: Mapping[str, Take] = {
            "message": self._message,
            "reasoning": self._reasoning,
            "agent_message": self._agents_message,
            "web_search_call": self._search,
            "image_generation_call": self._image_generation,
            **dict.fromkeys(
                ("function_call", "custom_tool_call", "local_shell_call", "tool_search_call", "mcp_call"),
                self._item_call,
            ),
        }
        self._items: Mapping[str, Take] = {
            "UserMessage": self._user_item,
            "AgentMessage": self._answer_item,
            "Reasoning": self._reasoning_item,
            "Plan": self._plan_item,
            "ContextCompaction": self._compaction,
            "EnteredReviewMode": self._review_note,
            "ExitedReviewMode": self._review,
            "HookPrompt": self._hook_note,
            "CommandExecution": self._command_end,
            "FileChange": self._patch_end,
            "McpToolCall": self._outside_call,
            "DynamicToolCall": self._outside_call,
            "WebSearch": self._search,
            "Extension": self._extension,
            "ImageGeneration": self._image_generation,
            "FunctionCallOutput": self._item_output,
            "CollabAgentToolCall": self._agent_call,
            "SubAgentActivity": self._agent_activity,
        }
        self._again()

    def _again(self) -> None:
        super()._again()
        self._number = 0
        self._model: str | None = None
        self._turn = ""
        self._has_meta = False
        self._own_id: str | None = None
        self._begun_at: datetime | None = None
        self._has_typed = False  # the log has events of the user's
        self._forked_at: datetime | None = None
        self._forked_from: str | None = None
        self._first_own: int | None = None  # the ordinal of the first record behind the copy
        self.is_copy = False
        self._folders = {}
        self._emitted: dict[str, _Emitted] = {}
        self._speaker = ""
        self._changes = 0  # of the speaker
        self._ids: dict[str, int] = {}  # how often an id was made
        self._waiting: list[_Waiting] = []
        self._not_typed: dict[str, int] = {}  # keys of the host's messages, and their records' numbers
        self._objective = ""
        self._reviewed = ""  # the text of the review that was emitted last

    # --- Records ----------------------------------------------------------------------------------------

    def _record(self, record: Json) -> None:
        self._number += 1
        kind = text_of(record, "type")
        payload = record.get("payload")
        if not isinstance(payload, dict):
            self._bare(record, kind)
            return
        if self._is_recovered and kind not in ("event_msg", "response_item"):
            return  # no part of a damaged record says where a session works, or what it was forked from
        at = moment(record.get("timestamp"))
        if self._forked_at is not None and self._is_own(kind, record, payload, at):
            self._flush_waiting()
            self._forked_at, self.is_copy = None, False
            self._mark_fork(at)
        if self.is_copy and self.parent_id is not None:
            return  # what the session that started this sub-agent had said stands there
        take = self._records.get(kind or "")
        if take is not None:
            take(kind or "", payload, at)
        elif kind not in _SILENT:
            self.emit_unknown(kind or "a record without a type", payload, None, at)

    def _bare(self, record: Json, kind: str | None) -> None:
        """A line of the first generations: a response item without an envelope."""
        at = moment(record.get("timestamp"))
        if "record_type" in record:
            return
        self._model = text_of(record, "model") or self._model
        if kind is None and "role" not in record:
            if "instructions" in record or "git" in record:
                self._meta("session_meta", record, at)
            else:
                self.emit_unknown("a record without a type", record, None, at)
        elif kind in (None, "message"):
            self._message("message", record, at)
        elif kind in ("tool_call", "tool_result"):
            self._first_generation_tool(kind, record, at)
        elif kind == "error":
            words = text_of(record, "text") or "error"
            self.emit_note(self._id("error", words, at), at, "error", words, level="error")
        else:
            self._response("response_item", record, at)

    def _event(self, kind: str, event: Json, at: datetime | None) -> None:
        what = text_of(event, "type") or ""
        take = self._events_of.get(what)
        if take is not None:
            take(what, event, at)
        elif not (what in _SILENT_EVENTS or what.endswith(("_begin", "_delta")) or "/" in what):
            self.emit_unknown(f"{kind} {what}", event, None, at)

    def _response(self, kind: str, item: Json, at: datetime | None) -> None:
        what = text_of(item, "type") or ""
        take = self._responses.get(what)
        if take is None and what.endswith(("_call_output", "_search_output")):
            take = self._item_output
        if take is not None:
            take(what, item, at)
        elif what not in _SILENT_RESPONSES:
            self.emit_unknown(f"{kind} {what}", item, None, at)

    def _completed(self, kind: str, event: Json, at: datetime | None) -> None:
        """The consolidated records of 0.147 and later."""
        del kind
        item = object_of(event, "item")
        what = text_of(item, "type") or ""
        take = self._items.get(what)
        if take is not None:
            take(what, item, at)
        elif what not in _SILENT_ITEMS:
            self.emit_unknown(f"item {what}", item, None, at)

    # --- The session ------------------------------------------------------------------------------------

    def _meta(self, kind: str, payload: Json, at: datetime | None) -> None:
        del kind
        if self._has_meta:
            # Copied history of the session that this one was forked from, whether it says so itself or not.
            other = text_of(payload, "id")
            if self._forked_at is None and other not in (None, self.session_id, self._own_id):
                self._forked_from = self._forked_from or other
                self._copy(self._begun_at or at)
            return
        self._has_meta = True
        self._own_id = text_of(payload, "id")
        self._begun_at = _uuid7_moment(self.session_id) or moment(payload.get("timestamp")) or at
        self._last = self._last or moment(payload.get("timestamp")) or at  # for records without a time
        self._work_in(text_of(payload, "cwd"))
        self.version = text_of(payload, "cli_version")
        self._started_by(payload)
        self._continue_from(payload, at)

    def _started_by(self, payload: Json) -> None:
        """The session that started this one, if it is a sub-agent's."""
        source = object_of(payload, "source")
        spawned = object_of(object_of(source, "subagent"), "thread_spawn")
        parent = text_of(spawned, "parent_thread_id") or text_of(payload, "parent_thread_id")
        is_others = text_of(payload, "thread_source") in _OTHERS_SESSIONS
        if parent or is_others or "subagent" in source or "internal" in source:
            # A review or a guardian names no parent; its task is not the user's word all the same.
            self.parent_id = parent or text_of(payload, "forked_from_id") or ""
            name = text_of(spawned, "agent_nickname") or text_of(spawned, "agent_role")
            self.title = self.title or name or text_of(source, "subagent")

    def _continue_from(self, payload: Json, at: datetime | None) -> None:
        """What this log goes on from: a copy at its beginning, or the beginning of another log."""
        self._forked_from = text_of(payload, "forked_from_id")
        base = payload.get("history_base")
        if isinstance(base, dict):  # the history stays where it is
            if self._forked_from:
                self._mark_fork(at)
            elif self.parent_id is None:
                event_id = f"rewind:{text_of(base, 'thread_id')}:{base.get('end_ordinal_exclusive')}"
                words = "The conversation went back to an earlier message."
                self.emit_note(event_id, at, "session_meta", words, subtype="rewind")
            return
        for key in ("subagent_history_start_ordinal", "forked_from_ordinal_exclusive"):
            first = payload.get(key)
            if isinstance(first, int) and first > 0 and self._first_own is None:
                self._first_own = first
        if self._forked_from or self._first_own is not None:
            self._copy(self._begun_at or at)

    def _copy(self, forked_at: datetime | None) -> None:
        """What follows was copied from another session."""
        self._forked_at = forked_at
        self.is_copy = forked_at is not None

    def _mark_fork(self, at: datetime | None) -> None:
        if self._forked_from and self.parent_id is None:
            words = "The conversation was forked from another one."
            event_id = f"forked:{self._forked_from}"
            self.emit_note(event_id, at, "session_meta", words, subtype="forked", origin=self._forked_from)

    def _is_own(self, kind: str | None, record: Json, payload: Json, at: datetime | None) -> bool:
        """Whether the history that a fork begins with, written down in one go, ends before this record: the log says
        where, or the first turn that began after the fork is the session's own. Turns have ids that hold when they began
        (UUID version 7); copied records have the times at which they were said, or that of the fork.
        """
        assert self._forked_at is not None
        if kind == "turn_context" or text_of(payload, "type") == "task_started":
            began = _uuid7_moment(text_of(payload, "turn_id") or "")
            if began is not None and (began >= self._forked_at or self._first_own is None):
                return began >= self._forked_at
        ordinal = record.get("ordinal")
        if self._first_own is not None and isinstance(ordinal, int):
            return ordinal >= self._first_own
        return at is not None and at > self._forked_at + _FORK_WRITTEN

    def _turn_context(self, kind: str, payload: Json, at: datetime | None) -> None:
        del kind, at
        self._model = text_of(payload, "model") or self._model
        self._turn = text_of(payload, "turn_id") or self._turn
        if not self.is_copy:
            self._work_in(text_of(payload, "cwd"))

    def _work_in(self, folder: str | None) -> None:
        if folder:
            self.cwd = self.cwd or folder
            if len(self._folders) < _FOLDERS_MAX:
                self._folders[folder] = None

    def _named_thread(self, what: str, event: Json, at: datetime | None) -> None:
        del what, at
        if not self._is_recovered:
            self.title = text_of(event, "thread_name") or self.title

    def _rerouted(self, what: str, event: Json, at: datetime | None) -> None:
        del what, at
        self._model = text_of(event, "to_model") or self._model

    # --- Who said what ----------------------------------------------------------------------------------

    def _id(self, role: str, text: str, at: datetime | None, scope: str = "") -> str:
        event_id = f"{scope or self._scope(at)}:{role}:{digest(closely(text))}"
        count = self._ids.get(event_id, 0) + 1
        remember(self._ids, event_id, count, REMEMBERED_MAX)
        return event_id if count == 1 else f"{event_id}#{count}"

    def _scope(self, at: datetime | None) -> str:
        """What ids are made in: the turn, else the time, else the line."""
        return self._turn or (f"line{self._number}" if at is None else at.isoformat())

    def _speaks(self, speaker: str) -> None:
        if self._speaker != speaker:
            self._speaker, self._changes = speaker, self._changes + 1
        if speaker == "user":
            self._reviewed = ""

    def _is_twin(self, speaker: str, role: str, text: str, kind: str) -> bool:
        """Whether a record of another kind gave this already, and the other speaker was silent since. `speaker` is "" for
        what neither of them said.
        """
        key = f"{role}:{digest(closely(text))}"
        known = self._emitted.get(key)
        if (
            known is not None
            and kind not in known.kinds
            and self._number - known.number <= _TWIN_RECORDS_MAX
            and (not speaker or (speaker == self._speaker and known.change == self._changes))
        ):
            known.kinds.add(kind)
            return True
        if speaker:
            self._speaks(speaker)
        remember(self._emitted, key, _Emitted(self._number, {kind}, self._changes), REMEMBERED_MAX)
        return False

    def _assistant_acts(self) -> None:
        self._flush_waiting()
        self._speaks("assistant")

    # --- The user ---------------------------------------------------------------------------------------

    def _user_event(self, what: str, event: Json, at: datetime | None) -> None:
        if text_of(event, "kind") not in (None, "plain"):
            return
        pictures = [self._picture_at(url) for url in _texts(event, "images")]
        for key, noun in (("local_images", "image"), ("local_audio", "audio")):
            pictures += [placeholder(noun, name) for name in _texts(event, key)]
        self._typed([text_of(event, "message") or ""], pictures, what, at)

    def _picture_at(self, url: str) -> str:
        block = {"type": "input_image", "image_url": url}
        return (self.picture(block) if self.save_picture is not None else None) or "[image]"

    def _user_item(self, what: str, item: Json, at: datetime | None) -> None:
        blocks = objects_of(item, "content")
        texts = [text for block in blocks if (text := text_of(block, "text"))]
        pictures = [shown for block in blocks if "text" not in block and (shown := self.picture(block))]
        self._typed(texts, pictures, what, at)

    def _typed(self, texts: list[str], pictures: list[str], kind: str, at: datetime | None) -> None:
        """An input of the user's, out of an event."""
        self._has_typed = self._has_typed or not self._is_recovered
        key, scope, doubt = key_of(texts), "", None
        waiting = next((one for one in self._waiting if one.key == key), None)
        if waiting is not None:
            # The history came first. It keeps the parts apart, knows their kinds, and may hold the pictures themselves.
            self._waiting.remove(waiting)
            self._note_author(waiting)
            at, scope, doubt = waiting.at, waiting.scope, waiting.input.doubt
            parts = waiting.input.texts
            if len(parts) > len(texts):
                doubt = doubt or IN_PARTS
                texts = parts if "".join(parts) == "".join(texts) else texts
            if not pictures or (self.save_picture is not None and waiting.pictures):
                pictures = waiting.pictures
        if self._is_twin("user", "user", key, kind):
            return
        if waiting is not None:
            self._is_twin("user", "user", key, "history")
        event_id = self._id("user", key, at, scope)
        if self._number - self._not_typed.get(key, -_TWIN_RECORDS_MAX - 1) <= _TWIN_RECORDS_MAX:
            self._say_others(event_id, at, "\n\n".join(texts))
        else:
            self._say(event_id, at, texts, pictures, doubt)

    def _note_author(self, waiting: _Waiting) -> None:
        """An event may repeat what is not typed: a schedule's message, for instance."""
        if waiting.input.author == "host":
            remember(self._not_typed, waiting.key, self._number, _WAITING_MAX)

    def _flush_waiting(self) -> None:
        """No event followed: the history is all there is."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self._note_author(one)
            if one.input.author == "host" or self._is_twin("user", "user", one.key, "history"):
                continue
            event_id, texts = self._id("user", one.key, one.at, one.scope), one.input.texts
            if one.input.author == "user" or not self._has_typed:
                self._say(event_id, one.at, texts, one.pictures, one.input.doubt)
            elif len(texts) == 1 and envelope_of(texts[0]) is not None:
                self._say_others(event_id, one.at, texts[0])
            else:
                self._say(event_id, one.at, texts, one.pictures, NOT_AN_INPUT)

    def _quiet(self) -> None:
        self._flush_waiting()

    def _say(
        self,
        event_id: str,
        at: datetime | None,
        texts: Sequence[str],
        pictures: Sequence[str],
        doubt: str | None,
    ) -> None:
        words = words_of(texts)
        if words.kind == "host":
            self._say_others(event_id, at, words.text)
        elif words.kind == "answers" and not self._is_recovered:
            for number, reply in enumerate(words.replies):
                self.emit_question(
                    f"{event_id}:answer{number}",
                    at,
                    "request_user_input_async",
                    reply.question,
                    call_id=reply.call_id or event_id,
                    answer=[reply.answer],
                )
        else:
            content = "\n\n".join(part for part in (words.text.strip("\n"), *pictures) if part.strip())
            if content:
                self.emit_user(event_id, at, "user_message", content, doubt=words.doubt or doubt)

    def _say_others(self, event_id: str, at: datetime | None, text: str) -> None:
        """What neither the user nor the assistant said."""
        if text.strip():
            self.emit_system(event_id, at, "user_message", text)

    def _message(self, what: str, item: Json, at: datetime | None) -> None:
        role, content = text_of(item, "role"), item.get("content")
        blocks = objects_of({"content": content}, "content")
        if isinstance(content, str):
            blocks = [{"type": "input_text", "text": content}]
        if role == "assistant":
            self._answer(_joined(blocks), text_of(item, "phase"), what, at)
        elif role == "user":
            said = input_of(item, blocks)
            pictures = [
                shown for block in blocks if block.get("image_url") and (shown := self.picture(block))
            ]
            if said.texts or (pictures and said.author != "host"):
                waiting = _Waiting(said, key_of(said.texts), pictures, self._scope(at), at)
                self._waiting.append(waiting)
            for block in blocks:
                self._objective_in(objective_of(text_of(block, "text") or ""), at)
            if len(self._waiting) > _WAITING_MAX:
                self._flush_waiting()

    def _goal(self, what: str, event: Json, at: datetime | None) -> None:
        del what
        self._objective_in(text_of(object_of(event, "goal"), "objective"), at)

    def _objective_in(self, objective: str | None, at: datetime | None) -> None:
        """A goal that the user set stands nowhere else; the log repeats it with each change of its state."""
        key = closely(objective or "")
        if objective is None or not key or key == self._objective:
            return
        self._objective = key
        if key not in self._own_goals:
            self._flush_waiting()
            if not self._is_twin("user", "user", key, "goal"):
                self.emit_user(
                    self._id("goal", key, at), at, "thread_goal_updated", objective.strip(), doubt=IN_GOAL
                )

    # --- The assistant ----------------------------------------------------------------------------------

    def _answer_event(self, what: str, event: Json, at: datetime | None) -> None:
        self._answer(text_of(event, "message") or "", text_of(event, "phase"), what, at)

    def _answer_item(self, what: str, item: Json, at: datetime | None) -> None:
        self._answer(_joined(objects_of(item, "content")), text_of(item, "phase"), what, at)

    def _answer(self, text: str, phase: str | None, kind: str, at: datetime | None) -> None:
        said = answer_of(text)
        words = said.text
        if self._reviewed and words.lstrip().startswith(f"{self._reviewed}\n"):
            words = words.lstrip()[len(self._reviewed) :].strip("\n")  # the findings, behind what was emitted
        self._say_answer("assistant", words, phase, kind, at)
        self._say_answer("plan", said.plan, phase, kind, at)

    def _say_answer(self, role: str, text: str, phase: str | None, kind: str, at: datetime | None) -> None:
        self._flush_waiting()
        if not text.strip() or self._is_twin("assistant", role, text, kind):
            return
        self.emit_assistant(
            self._id(role, text, at),
            at,
            "agent_message",
            text,
            model=self._model,
            phase=None if phase is None else _PHASES.get(phase, "other"),
        )

    def _plan_item(self, what: str, item: Json, at: datetime | None) -> None:
        self._say_answer("plan", (text_of(item, "text") or "").strip("\n"), None, what, at)

    def _review(self, what: str, record: Json, at: datetime | None) -> None:
        """A review's text; its findings stand behind it in the answer that follows."""
        words = (text_of(object_of(record, "review_output"), "overall_explanation") or "").strip()
        self._reviewed = words
        self._say_answer("assistant", words, None, what, at)

    def _thought_event(self, what: str, event: Json, at: datetime | None) -> None:
        self._think(text_of(event, "text") or "", what, at)

    def _reasoning(self, what: str, item: Json, at: datetime | None) -> None:
        for part in (*objects_of(item, "summary"), *objects_of(item, "content")):
            self._think(text_of(part, "text") or "", what, at)

    def _reasoning_item(self, what: str, item: Json, at: datetime | None) -> None:
        for part in (*_texts(item, "summary_text"), *_texts(item, "raw_content")):
            self._think(part, what, at)

    def _think(self, text: str, kind: str, at: datetime | None) -> None:
        self._flush_waiting()
        if text.strip() and not self._is_twin("assistant", "thinking", text, kind):
            self.emit_thinking(self._id("thinking", text, at), at, "reasoning", text)

    def _search(self, what: str, record: Json, at: datetime | None) -> None:
        self._flush_waiting()
        query = _query(record)
        if not self._is_twin("assistant", "web", query, what):
            call_id = text_of(record, "call_id") or text_of(record, "id") or self._id("web", query, at)
            self._call(call_id, at, "web_search", "web_search", {"query": query} if query else None)

    # --- The host ---------------------------------------------------------------------------------------

    def _compaction(self, what: str, record: Json, at: datetime | None) -> None:
        del record
        if not self._is_twin("", "compaction", "", what):
            words = "The conversation was compacted."
            self.emit_note(self._id("compaction", "", at), at, "compacted", words, subtype="compaction")

    def _end_of_turn(self, what: str, event: Json, at: datetime | None) -> None:
        self._flush_waiting()
        self._finish_running(at, what)
        if what == "turn_aborted":
            reason = text_of(event, "reason") or "aborted"
            words = f"The turn ended early: {reason}."
            self.emit_note(self._id(what, reason, at), at, what, words, subtype="interruption")

    def _rolled_back(self, what: str, event: Json, at: datetime | None) -> None:
        self._flush_waiting()
        turns = event.get("num_turns")
        words = "The last turn was taken back." if turns == 1 else f"The last {turns} turns were taken back."
        self.emit_note(self._id("rewind", str(turns), at), at, what, words, subtype="rewind")

    def _host_note(self, what: str, event: Json, at: datetime | None) -> None:
        words = text_of(event, _NOTES[what]) or text_of(object_of(event, "error"), "message") or what
        level = "error" if "error" in what else None
        self.emit_note(self._id(what, words, at), at, what, words, subtype=what, level=level)

    def _review_note(self, what: str, item: Json, at: datetime | None) -> None:
        del what
        self._host_note("entered_review_mode", object_of(item, "review") or item, at)

    def _hook_note(self, what: str, item: Json, at: datetime | None) -> None:
        words = as_text(objects_of(item, "fragments"))
        if words:
            self.emit_note(self._id("hook", words, at), at, what, words, subtype="hook_prompt")

    def _agents_message(self, what: str, item: Json, at: datetime | None) -> None:
        text = as_text([part for part in objects_of(item, "content") if "text" in part])
        author = text_of(item, "author") or "agent"
        if text:
            words = f"{author}: {text}"
            self.emit_note(self._id("agent", text, at), at, what, words, subtype="agent_message")


def _texts(record: Json, key: str) -> list[str]:
    """The texts of the list under a key."""
    value = record.get(key)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _joined(blocks: Sequence[Json]) -> str:
    return "\n\n".join(text for block in blocks if (text := text_of(block, "text")))


def _uuid7_moment(identity: str) -> datetime | None:
    """When an id of version 7 was made (RFC 9562, 5.7); None for any other."""
    try:
        made = UUID(identity)
    except ValueError:
        return None
    return moment(made.int >> 80) if made.version == 7 else None


def _query(record: Json) -> str:
    action = object_of(record, "action")
    return text_of(record, "query") or text_of(action, "query") or text_of(action, "url") or ""


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
    # A thread that went back to an earlier message goes on in another file: the thread's id, then that of the file.
    r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-(?P<thread>[0-9A-Za-z-]+)(?P<part>_[0-9A-Za-z-]+)?\.jsonl(?:\.zst)?$"
)


def _roots(surroundings: Surroundings) -> list[str]:
    home = surroundings.variable("CODEX_HOME", ".codex")
    return [surroundings.path(home, "sessions"), surroundings.path(home, "archived_sessions")]


def _match(parts: Sequence[str]) -> LogFile | None:
    found = _ROLLOUT.match(parts[-1])
    if found is None or len(parts) not in (1, 4):
        return None
    is_later = found["part"] is not None
    return LogFile(found["thread"], companions=("../session_index.jsonl",), is_later_part=is_later)


def _enter(parts: Sequence[str]) -> bool:
    return len(parts) <= 3 and parts[-1].isdecimal()


def _reader(log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings) -> CodexReader:
    del surroundings
    return CodexReader(log, companions.get("session_index.jsonl", b""))


CODEX: Final = Assistant(
    "codex", "Codex", _roots, _match, _enter, _reader, title_marks=(b'"thread_name_updated"',)
)
