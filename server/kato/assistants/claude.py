"""Claude Code: `projects/<slug>/<session>.jsonl`, a line a block of a reply; sub-agents in files of their own.

Rule: ids come from `uuid`, so that lines that are copied (four times, or into a fork of the session) are the same events.
In a fork, they keep the id of the session that they were said in, or name it as `forkedFrom`: they are its history.
A reply's lines share `message.id`: its texts are held back until the reply goes on or ends, because only then is
known whether a text was a part of a longer one and whether it was commentary or the last word.

What the user typed, and what proves it, is written down in `claude_words`. A prompt that was typed while Claude worked stands
in a `queued_command` attachment, up to 2.1.4x only in the records of the queue: it was said when the queue gave it away in
the middle of a turn (`remove`); `dequeue` begins a turn with a line of its own, `popAll` took it back.

The format is internal to Claude Code; what is known of it is written down in docs/providers.md.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from kato.assistants.claude_words import (
    BESIDE_RESULT,
    NOTHING,
    PLAN_TOOLS,
    QUESTION_TOOL,
    Answer,
    Words,
    answers,
    blocks_of,
    plan_status,
    rejection,
    words_of,
)
from kato.assistants.contract import Assistant, Json, LogFile, ReadResult, Surroundings
from kato.assistants.readers import LinesReader
from kato.assistants.values import as_text, digest, moment, object_of, objects_of, remember, text_of
from kato.core.events import Phase
from kato.core.lenient_json import loads

#: Kinds of line that carry nothing of the conversation.
_SILENT: Final = frozenset(
    """file-history-snapshot file-history-delta permission-mode mode last-prompt progress pr-link frame-link relocated
    worktree-state bridge-session started result cost-state tag content-replacement agent-setting agent-color
    history-suppression atis-latch isolation-latch fork-context-ref ended-by-model observer-ref dev-mods
    attribution-snapshot speculation-accept""".split()
)
#: Kinds of system line, beside those that are told.
_SILENT_SYSTEM: Final = frozenset(
    "turn_duration stop_hook_summary session_start local_command bridge_status memory_saved".split()
)
#: Kinds of attachment that carry nothing that the user or the assistant said.
_SILENT_ATTACHMENTS: Final = frozenset(
    """agent_listing_delta command_permissions deferred_tools_delta edited_text_file file directory diagnostics
    mcp_instructions_delta nested_memory skill_listing task_reminder todo_reminder date_change read_truncation_notice
    plan_mode plan_mode_exit plan_mode_reentry plan_file_reference opened_file_in_ide selected_lines_in_ide auto_mode
    goal_status companion_intro total_tokens_reminder compact_file_reference invoked_skills dynamic_skill task_status
    budget_usd batching_reminder_sent silent_turn_reminder output_style async_hook_response bash_output_audience_note
    structured_output remote_session_change prompt_snapshot instructions session_context date environment model
    team_context deferred_tools_record thinking_drop""".split()
)
#: What the host puts in where no reply was asked for, after a local command.
_FILLER: Final = "No response requested."
#: What starts a sub-agent before it has a task.
_WARMUP: Final = "Warmup"
_RESUMED_HOOK: Final = "SessionStart:resume"
#: Calls whose names, questions and plans wait for their results; a turn has some dozens at a time.
_CALLS_MAX: Final = 256
#: Sub-agents inside a session's file that are under way at once.
_SIDES_MAX: Final = 16
#: Prompts that wait in the queue, and those that one of their two records gave.
_QUEUED_MAX: Final = 64
#: Records by whose ids a title is known to be this session's.
_RECENT_MAX: Final = 256
#: Prompts by whose predecessors a rewind is known.
_PROMPTS_MAX: Final = 1024
_FOLDERS_MAX: Final = 16
_CAME: Final = {
    "forked": "The conversation was forked from another one.",
    "resumed": "The conversation goes on from another session.",
}
_TITLES: Final = {
    "custom-title": "customTitle",
    "agent-name": "agentName",
    "ai-title": "aiTitle",
    "summary": "summary",
}


class _Said(Struct):
    """A text or a thought of the reply that is under way."""

    event_id: str
    at: datetime | None
    text: str
    thought: bool
    told: int = 0  # characters that were handed out, because the log was quiet


class _Reply(Struct):
    """The reply that is under way: all lines with this `message.id`."""

    message_id: str
    model: str | None
    said: list[_Said] = []
    phase: Phase | None = None


class _Queued(Struct):
    """A prompt in the queue. `is_copy`: its line was copied from another session."""

    words: Words
    at: datetime | None
    is_copy: bool


class ClaudeReader(LinesReader):
    """Reads a session of Claude Code, or of one of its sub-agents."""

    provider = "claude"

    def __init__(self, log: LogFile, meta: bytes = b"") -> None:
        super().__init__(log)
        if meta:
            self._read_meta(meta)
        self._again()

    def _read_meta(self, meta: bytes) -> None:
        try:
            about = loads(meta)
        except ValueError as error:
            self.report("broken_line", f"agent's meta.json: {error}")
            return
        if isinstance(about, dict):
            kind, task = text_of(about, "agentType"), text_of(about, "description")
            self.title = ": ".join(part for part in (kind, task) if part) or None
            self.parent_tool_call_id = text_of(about, "toolUseId")
            parent_agent = text_of(about, "parentAgentId")
            if parent_agent:
                self.parent_id = f"agent-{parent_agent}"

    def _again(self) -> None:
        self.continued_in = None
        self._titles: dict[str, str] = {}
        self._summaries: dict[str, str] = {}  # of leafs that were not seen yet
        self._recent: deque[str] = deque(maxlen=_RECENT_MAX)  # ids of the last records
        self._reply: _Reply | None = None
        self._asked: dict[str, Json] = {}
        self._plans: dict[str, str] = {}
        self._names: dict[str, str] = {}  # of the calls that have no result yet
        self._compacted = False
        self._sides: dict[str, ClaudeReader] = {}
        self._queue: list[_Queued] = []
        self._given: list[_Queued] = []  # left the queue in the middle of a turn, not emitted yet
        self._emitted_given: list[
            str
        ] = []  # texts of those that were emitted, and whose attachment may follow
        self._emitted_attached: list[str] = []  # texts of attachments that came before they left the queue
        self._prompts: dict[str, set[str]] = {}  # prompts by the record that they follow
        self._came_from: tuple[str, str] | None = None  # how, and from which session, the copied lines came
        self._resumed = False
        self._kinds: Mapping[str, Callable[[Json, str | None, datetime | None], None]] = {
            "assistant": self._reply_line,
            "user": self._user_line,
            "system": self._system_line,
            "attachment": self._attachment,
            "queue-operation": self._queue_line,
            "continued-in": self._continued_line,
        }

    def _record(self, record: Json) -> None:
        kind = text_of(record, "type") or ""
        if self.parent_id == "":
            self.parent_id = text_of(record, "sessionId") or ""
        elif self.parent_id is None and record.get("isSidechain") is True:
            self._side_line(record)
            return
        if self._is_recovered and kind not in ("user", "assistant", "system", "attachment"):
            return  # no part of a damaged record moves a recording or names a session
        at = moment(record.get("timestamp"))
        uuid = text_of(record, "uuid")
        self._about(record, uuid, at)
        if kind in _TITLES:
            self._take_title(kind, record)
        elif kind in self._kinds:
            self._kinds[kind](record, uuid, at)
        elif kind not in _SILENT and not kind.startswith(("marble-origami", "artifact-")):
            self._close()
            self.emit_unknown(kind or "a record without a type", record, uuid, at)

    def _about(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """What a record of any kind says about the session."""
        self.version = text_of(record, "version") or self.version
        cwd = text_of(record, "cwd")
        if cwd is not None and cwd not in self._folders and not self._is_recovered:
            self.cwd = self.cwd or cwd
            if len(self._folders) < _FOLDERS_MAX:
                self._folders[cwd] = None
        if uuid is not None:
            self._recent.append(uuid)
            if uuid in self._summaries:
                self._name("summary", self._summaries.pop(uuid))
        # A fork begins with the lines of the session that it was forked from; which writes down either.
        told_by = text_of(record, "sessionId")
        is_fork = "forkedFrom" in record
        self.is_copy = is_fork or (told_by is not None and told_by != self.log.session_id)
        if self.parent_id is not None or uuid is None:
            return
        if self.is_copy:
            forked_from = text_of(object_of(record, "forkedFrom"), "sessionId") if is_fork else None
            self._came_from = ("forked", forked_from) if forked_from else ("resumed", told_by or "")
        elif self._came_from is not None:
            (how, session_id), self._came_from = self._came_from, None
            self._close()
            event_id = f"{how}:{session_id}:{self.session_id}"
            self.emit_note(event_id, at, "user", _CAME[how], subtype=how, origin=session_id or None)

    def _quiet(self) -> None:
        self._tell(done=False)
        self._emit_given()
        for side in self._sides.values():
            self._absorb(side.settle())

    def _side_line(self, record: Json) -> None:
        """A line of a sub-agent inside the session's own file (Claude Code 1): which one tells the line before it."""
        before, uuid = text_of(record, "parentUuid") or "", text_of(record, "uuid") or ""
        side = self._sides.pop(before, None)
        if side is None:
            side = ClaudeReader(LogFile(f"sidechain-{uuid}", parent_id=self.session_id))
        self._sides[uuid] = side
        side._record(record)
        self._absorb(side._taken())
        while len(self._sides) > _SIDES_MAX:
            self._absorb(self._sides.pop(next(iter(self._sides))).settle())

    def _absorb(self, result: ReadResult) -> None:
        self._events += result.events
        self._problems += result.problems

    def _take_title(self, kind: str, record: Json) -> None:
        title, leaf = text_of(record, _TITLES[kind]), text_of(record, "leafUuid")
        if not title or not title.strip():
            return
        if kind == "summary" and leaf is not None and leaf not in self._recent:
            # A summary may be another session's: it is this one's if the line that it sums up to stands here.
            remember(self._summaries, leaf, title, _QUEUED_MAX)
            return
        self._name(kind, title)

    def _name(self, kind: str, title: str) -> None:
        self._titles[kind] = title
        self.title = next(self._titles[name] for name in _TITLES if name in self._titles)

    # --- The assistant ----------------------------------------------------------------------------------

    def _reply_line(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        message = object_of(record, "message")
        message_id = text_of(message, "id") or text_of(record, "requestId") or uuid or ""
        blocks = blocks_of(message.get("content"))
        if as_text(list(blocks)).strip() == _FILLER:
            return
        if record.get("isApiErrorMessage") is True:
            self._close()
            self.emit_note(
                uuid or message_id,
                at,
                "assistant",
                as_text(list(blocks)),
                subtype="api_error",
                level="error",
                origin=uuid,
            )
            return
        if self._reply is None or self._reply.message_id != message_id:
            self._close()
            self._emit_given()
            model = text_of(message, "model")
            self._reply = _Reply(message_id, None if model == "<synthetic>" else model)
        reason = text_of(message, "stop_reason")
        if reason is not None:
            self._reply.phase = "commentary" if reason == "tool_use" else "final"
        for index, block in enumerate(blocks):
            self._block(
                self._reply, block, f"{uuid or message_id}:{index}" if index else uuid or message_id, uuid, at
            )
        if reason is not None and reason != "tool_use":
            self._close()

    def _block(
        self, reply: _Reply, block: Json, event_id: str, uuid: str | None, at: datetime | None
    ) -> None:
        kind = text_of(block, "type") or ""
        if kind in ("text", "thinking"):
            text = text_of(block, kind) or ""
            thought = kind == "thinking"
            last = next((said for said in reversed(reply.said) if said.thought == thought), None)
            if last is not None and text.startswith(last.text):
                last.text = text  # a longer state of the same block, or the same line once more
            elif text.strip():
                reply.said.append(_Said(event_id, at, text, thought))
        elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            reply.phase = "commentary"
            self._tell(done=True)
            name, call_id = text_of(block, "name") or "", text_of(block, "id") or event_id
            given = block.get("input")
            if name == QUESTION_TOOL and isinstance(given, dict):
                remember(self._asked, call_id, given, _CALLS_MAX)
            elif name in PLAN_TOOLS:
                plan = text_of(given, "plan") if isinstance(given, dict) else None
                remember(self._plans, call_id, plan or "", _CALLS_MAX)
            remember(self._names, call_id, name, _CALLS_MAX)
            self.emit_call(event_id, at, "assistant", call_id, name, given, origin=uuid)
            reply.phase = None
        elif kind.endswith("_tool_result"):
            self._tell(done=True)
            self.emit_result(
                event_id,
                at,
                "assistant",
                text_of(block, "tool_use_id") or event_id,
                as_text(block.get("content")),
            )
        elif kind not in ("redacted_thinking", "fallback"):
            self.emit_unknown(f"block {kind}", block, event_id, at)

    def _tell(self, *, done: bool) -> None:
        """Hands out what the reply said so far; when it is not done, a text may still grow."""
        reply = self._reply
        if reply is None:
            return
        for said in reply.said:
            rest = said.text[said.told :]
            if not rest.strip():
                continue
            event_id = f"{said.event_id}+{said.told}" if said.told else said.event_id
            if said.thought:
                self.emit_thinking(event_id, said.at, "assistant", rest, said.event_id)
            else:
                self.emit_assistant(
                    event_id, said.at, "assistant", rest, said.event_id, model=reply.model, phase=reply.phase
                )
            said.told = len(said.text)
        if done:
            reply.said = []

    def _close(self) -> None:
        self._tell(done=True)
        self._reply = None

    # --- The user ---------------------------------------------------------------------------------------

    def _user_line(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        self._close()
        if record.get("isCompactSummary") is True:
            self._compaction(f"{uuid}:compaction", at)
            return
        self._compacted = False
        blocks = blocks_of(object_of(record, "message").get("content"))
        event_id = uuid or _made_id("user", at, as_text(list(blocks)))
        others = []
        for index, block in enumerate(blocks):
            if block.get("type") == "tool_result":
                self._tool_result(record, block, f"{event_id}:{index}" if index else event_id, uuid, at)
            else:
                others.append(block)
        if not others or record.get("isMeta") is True:
            return
        words = words_of(record, others, self.picture)
        if len(others) < len(blocks):
            event_id = f"{event_id}:words"  # the line's own id is the result's
            words = words._replace(doubt=words.doubt or BESIDE_RESULT)
        elif words.kind == "user":
            self._prompt(record, uuid, at)
        self._emit_words(words, event_id, at, "user", uuid)

    def _prompt(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """A turn begins."""
        if not self.is_copy:
            self.continued_in = None  # the conversation goes on here after all
        self._emit_given()
        self._emitted_given, self._emitted_attached = [], []
        self._rewound(record, uuid, at)

    def _emit_words(
        self, words: Words, event_id: str, at: datetime | None, kind: str, uuid: str | None
    ) -> None:
        if words.kind == "user":
            if self.parent_id is None or words.text.strip() != _WARMUP:
                self._resumed = False
                self.emit_user(event_id, at, kind, words.text, uuid, doubt=words.doubt)
        elif words.kind == "host":
            self.emit_system(event_id, at, kind, words.text, uuid)
        elif words.kind == "interruption":
            self.emit_note(event_id, at, kind, words.text, subtype="interruption", origin=uuid)
        elif words.kind == "compaction":
            self._compaction(event_id, at)

    def _compaction(self, event_id: str, at: datetime | None) -> None:
        """The summary that a compacted conversation goes on from, unless its boundary was emitted."""
        if not self._compacted:
            words = "The conversation was compacted."
            self.emit_note(event_id, at, "user", words, subtype="compaction")
        self._compacted = False

    def _rewound(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """Two prompts that follow the same record: the conversation went back to there."""
        before = text_of(record, "parentUuid")
        if before is None or uuid is None:
            return
        prompts = self._prompts.get(before)
        if prompts is None:
            remember(self._prompts, before, {uuid}, _PROMPTS_MAX)
        elif uuid not in prompts:
            prompts.add(uuid)
            words = "The conversation went back to an earlier message."
            self.emit_note(f"{uuid}:rewind", at, "user", words, subtype="rewind", origin=uuid)

    def _tool_result(
        self, record: Json, block: Json, event_id: str, uuid: str | None, at: datetime | None
    ) -> None:
        call_id = text_of(block, "tool_use_id") or text_of(record, "sourceToolUseID") or event_id
        text = as_text(block.get("content"))
        detail = record.get("toolUseResult")
        if not text and isinstance(detail, dict):
            text = "\n".join(part for part in (text_of(detail, "stdout"), text_of(detail, "stderr")) if part)
        agent = text_of(detail, "agentId") if isinstance(detail, dict) else None
        if agent:
            self.started[f"agent-{agent}"] = call_id
        self.emit_result(event_id, at, "user", call_id, text, uuid)
        if self.parent_id is not None:
            return
        said = rejection(record, block, text, self._names.pop(call_id, None))
        asked, plan = self._asked.pop(call_id, None), self._plans.pop(call_id, None)
        if asked is not None:
            self._answers(asked, answers(objects_of(asked, "questions"), detail, text), call_id, event_id, at)
        if plan is not None:
            if isinstance(detail, dict) and (not plan or detail.get("planWasEdited") is True):
                plan = text_of(detail, "plan") or plan
            status = plan_status(block, text)
            self.emit_plan(
                f"{event_id}:plan", at, "user", plan, call_id=call_id, status=status, feedback=said.text
            )
        self._emit_words(said, f"{event_id}:said", at, "user", uuid)

    def _answers(
        self, asked: Json, given: Sequence[Answer], call_id: str, event_id: str, at: datetime | None
    ) -> None:
        for number, (question, answer) in enumerate(zip(objects_of(asked, "questions"), given, strict=True)):
            is_list = question.get("multiSelect") is True or len(answer.chosen) != 1
            self.emit_question(
                f"{event_id}:answer{number}",
                at,
                "user",
                text_of(question, "question") or "",
                call_id=call_id,
                header=text_of(question, "header"),
                options=objects_of(question, "options"),
                answer=answer.chosen if is_list else answer.chosen[0],
                notes=answer.notes,
                status="accepted" if answer.chosen or answer.notes else "rejected",
            )

    # --- Prompts that were typed while Claude worked ----------------------------------------------------

    def _queue_line(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """What entered the queue, or left it: `content` may name what left, else it is the oldest."""
        del uuid
        if self.parent_id is not None:
            return
        operation = text_of(record, "operation")
        content = record.get("content")
        named = words_of({}, blocks_of(content), self.picture) if content else NOTHING
        if operation == "enqueue":
            self._queue = [*self._queue, _Queued(named, at, self.is_copy)][-_QUEUED_MAX:]
        elif operation == "dequeue":
            self._left(named)
        elif operation == "popAll":
            if self._left(named) is None or named is NOTHING:
                self._queue = []
        elif operation == "remove" and text_of(record, "reason") in (None, "absorbed_mid_turn"):
            left = self._left(named)
            if left is None:
                left = _Queued(named, at, self.is_copy)
            text = _closely(left.words.text)
            if text in self._emitted_attached:
                self._emitted_attached.remove(text)
            elif left.words.kind == "user":
                self._given = [*self._given, left][-_QUEUED_MAX:]
        elif operation == "remove":
            self._left(named)

    def _left(self, named: Words) -> _Queued | None:
        """Takes a prompt out of the queue: the one that is named, else the oldest; None if it is not there."""
        for queued in self._queue:
            if named is NOTHING or _closely(queued.words.text) == _closely(named.text):
                self._queue.remove(queued)
                return queued
        return None

    def _emit_given(self) -> None:
        """No attachment followed: the queue's records are all there is."""
        given, self._given = self._given, []
        is_copy = self.is_copy
        for queued in given:
            self.is_copy = queued.is_copy
            self._emitted_given = [*self._emitted_given, _closely(queued.words.text)][-_QUEUED_MAX:]
            event_id = _made_id("queued", queued.at, queued.words.text)
            self._emit_words(queued.words, event_id, queued.at, "queue-operation", None)
        self.is_copy = is_copy

    def _queued_prompt(self, attachment: Json, uuid: str | None, at: datetime | None) -> None:
        words = words_of(attachment, blocks_of(attachment.get("prompt")), self.picture)
        mode = text_of(attachment, "commandMode") or "prompt"
        if words.kind != "user" or mode != "prompt" or self.parent_id is not None:
            return
        text = _closely(words.text)
        twin = next((queued for queued in self._given if _closely(queued.words.text) == text), None)
        if twin is not None:
            self._given.remove(twin)
        elif text in self._emitted_given:
            self._emitted_given.remove(text)
            return
        else:
            self._emitted_attached = [*self._emitted_attached, text][-_QUEUED_MAX:]
        self._emit_words(words, uuid or _made_id("queued", at, words.text), at, "attachment", uuid)

    # --- The host ---------------------------------------------------------------------------------------

    def _continued_line(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """The conversation was moved to another session, which begins with a copy of this one."""
        del uuid
        session_id = text_of(record, "continuedInSessionId")
        if not session_id or session_id == self.session_id or self.parent_id is not None:
            return
        self._close()
        self._emit_given()
        self.continued_in = session_id
        words = "The conversation goes on in another session."
        event_id = f"continued-in:{session_id}"
        self.emit_note(event_id, at, "continued-in", words, subtype="moved", origin=session_id)

    def _system_line(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        self._close()
        subtype = text_of(record, "subtype") or ""
        if subtype in _SILENT_SYSTEM:
            return
        event_id = uuid or f"system:{subtype}"
        if subtype == "compact_boundary":
            trigger = text_of(object_of(record, "compactMetadata"), "trigger")
            words = f"The conversation was compacted{f' ({trigger})' if trigger else ''}."
            self.emit_note(event_id, at, "system", words, subtype="compaction", origin=uuid)
            self._compacted = True
            return
        content = text_of(record, "content") or text_of(object_of(record, "error"), "message") or subtype
        if content:
            level = text_of(record, "level")
            self.emit_note(event_id, at, "system", content, subtype=subtype or None, level=level, origin=uuid)

    def _attachment(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        self._close()
        attachment = object_of(record, "attachment")
        kind = text_of(attachment, "type") or ""
        if kind == "queued_command":
            if not (attachment.get("isMeta") is True or record.get("isMeta") is True):
                self._queued_prompt(attachment, uuid, at)
        elif kind.startswith("hook_"):
            if text_of(attachment, "hookName") == _RESUMED_HOOK and not self._resumed:
                self._resumed = True  # each hook leaves one
                words = "The conversation was resumed."
                event_id = f"{uuid or _made_id('hook', at, kind)}:resumed"
                self.emit_note(event_id, at, "attachment", words, subtype="resumed", origin=uuid)
        elif kind not in _SILENT_ATTACHMENTS:
            # Whatever it is, it is the host's context and can be long: its kind is kept.
            self.emit_unknown(f"attachment {kind}", {"type": kind}, uuid, at)


def _made_id(kind: str, at: datetime | None, text: str) -> str:
    """The id of a record that has none."""
    return f"{kind}:{'' if at is None else at.isoformat()}:{digest(text)}"


def _closely(text: str) -> str:
    """A text's words without what lies between them."""
    return "".join(text.split())


# --- Where -------------------------------------------------------------------------------------------


def _roots(surroundings: Surroundings) -> list[str]:
    return [surroundings.path(surroundings.variable("CLAUDE_CONFIG_DIR", ".claude"), "projects")]


def _match(parts: Sequence[str]) -> LogFile | None:
    name = parts[-1]
    stem, dot, extension = name.rpartition(".")
    if not dot or extension != "jsonl":
        return None
    if stem.startswith("agent-"):
        if stem.startswith("agent-acompact"):
            return None
        meta = "/".join([*parts[:-1], f"{stem}.meta.json"])
        if len(parts) >= 4 and parts[2] == "subagents":
            return LogFile(stem, parent_id=parts[1], companions=(meta,))
        if len(parts) == 2:
            return LogFile(stem, parent_id="", companions=(meta,))  # the parent stands in its lines
        return None
    return LogFile(stem) if len(parts) == 2 else None


def _enter(parts: Sequence[str]) -> bool:
    if len(parts) <= 2:
        return True
    return parts[2] == "subagents" and (
        len(parts) == 3 or parts[3].startswith(("workflows", "wf_")) or len(parts) == 5
    )


def _reader(log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings) -> ClaudeReader:
    del surroundings
    return ClaudeReader(log, next(iter(companions.values()), b""))


CLAUDE: Final = Assistant(
    "claude",
    "Claude Code",
    _roots,
    _match,
    _enter,
    _reader,
    has_global_ids=True,
    title_marks=(b'-title"', b'"agent-name"'),
)
