"""Reads a log of Claude Code: a session, or one of its sub-agents.

The tables at the end of this file name every kind of the format and the function that reads it. What stands in no table is
counted: a conversation record is kept within bounds, any other record and any attachment is not kept.

Rules:

- Ids come from `uuid`, so that records that are copied (four times, or into a fork of the session) are the same events. In a
  fork, copied records keep the id of their own session, or name it as `forkedFrom`: they are its history.
- A reply's records share `message.id` (see `reply`).
- What the user typed is decided in `words`; in a tool's result, in `results`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kato.assistants.claude import kinds
from kato.assistants.claude.endings import Ending, ending
from kato.assistants.claude.replies import AssistantRecords
from kato.assistants.claude.results import DENIALS, Answer, answers, plan_status, rejection
from kato.assistants.claude.waiting import PromptQueue, Waiting
from kato.assistants.claude.words import (
    BESIDE_RESULT,
    NOTHING,
    Words,
    blocks_of,
    is_context,
    is_of_others,
    words_of,
)
from kato.assistants.contract import Json, LogFile, ReadResult
from kato.assistants.dispatch import Dispatch
from kato.assistants.values import as_text, digest, moment, object_of, objects_of, text_of

#: What starts a sub-agent before it has a task.
_WARMUP: Final = "Warmup"
_RESUMED_HOOK: Final = "SessionStart:resume"
#: Sub-agents inside a session's file that are under way at the same time.
_SIDES_MAX: Final = 16
#: Records of a conversation. In a damaged line, other records are not read: they could move a recording or name a session.
_CONVERSATION: Final = frozenset(["user", "assistant", "system", "attachment"])


class ClaudeReader(AssistantRecords):
    """Reads a session of Claude Code, or of one of its sub-agents."""

    def _again(self) -> None:
        super()._again()
        self.continued_in = None
        self._compacted = False  # a boundary was emitted whose summary follows
        self._resumed = False
        self._sides: dict[str, ClaudeReader] = {}  # sub-agents in this file, by their last record
        self._queue = PromptQueue()

    def _record(self, record: Json) -> None:
        kind = text_of(record, "type")
        if self.parent_id == "":
            self.parent_id = text_of(record, "sessionId") or ""
        elif self.parent_id is None and record.get("isSidechain") is True:
            self._side_record(record)
            return
        if self._is_recovered and kind not in _CONVERSATION:
            return
        at = moment(record.get("timestamp"))
        uuid = text_of(record, "uuid")
        self._about(record, uuid, at)
        self.RECORDS.take(self, kind, record, uuid, at)

    def _unknown(self, name: str, record: Json, uuid: str | None, at: datetime | None) -> None:
        """A record of an unknown kind. Only conversation records have a uuid."""
        if uuid is None:
            self.count_unknown(name, record, uuid, at)
        else:
            self._close()
            self.emit_unknown(name, record, uuid, at)

    def _quiet(self) -> None:
        self._emit_reply(is_done=False)
        self._emit_said()
        for side in self._sides.values():
            self._absorb(side.settle())

    def _side_record(self, record: Json) -> None:
        """A record of a sub-agent inside the session's own file (Claude Code 1). The record before it belongs to the same
        sub-agent.
        """
        before, uuid = text_of(record, "parentUuid") or "", text_of(record, "uuid") or ""
        side = self._sides.pop(before, None)
        if side is None:
            side = ClaudeReader(LogFile(f"sidechain-{uuid}", parent_id=self.session_id))
            side.provider = self.provider
        self._sides[uuid] = side
        side._record(record)
        self._absorb(side._taken())
        while len(self._sides) > _SIDES_MAX:
            self._absorb(self._sides.pop(next(iter(self._sides))).settle())

    def _absorb(self, result: ReadResult) -> None:
        self._events += result.events
        self._problems += result.problems

    # --- The user ---------------------------------------------------------------------------------------

    def _user(self, record: Json, uuid: str | None, at: datetime | None) -> None:
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
        if not others or is_context(record):
            return
        words = words_of(record, others, self.picture)
        if self.parent_id is None and words.kind == "user" and is_of_others(record):
            words = Words("host", words.text)
        if len(others) < len(blocks):
            event_id = f"{event_id}:words"  # the record's own id is the result's
            words = words._replace(doubt=words.doubt or BESIDE_RESULT)
        elif words.kind == "user":
            self._begin_turn(record, uuid, at)
        self._emit_words(words, event_id, at, "user", uuid)

    def _begin_turn(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        if not self.is_copy:
            self.continued_in = None  # the conversation goes on here after all
        self._emit_said()
        self._queue.begin_turn()
        if self._is_rewind(record, uuid):
            words = "The conversation went back to an earlier message."
            self.emit_note(f"{uuid}:rewind", at, "user", words, subtype="rewind", origin=uuid)

    def _is_rewind(self, record: Json, uuid: str | None) -> bool:
        """Whether a prompt goes back to an earlier message."""
        return self._tree.is_rewind(record, uuid)

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

    def _tool_result(
        self, record: Json, block: Json, event_id: str, uuid: str | None, at: datetime | None
    ) -> None:
        call_id = text_of(block, "tool_use_id") or text_of(record, "sourceToolUseID") or event_id
        detail = record.get("toolUseResult")
        text = self._result_text(block)
        if not text and isinstance(detail, dict):
            text = "\n".join(part for part in (text_of(detail, "stdout"), text_of(detail, "stderr")) if part)
        agent = text_of(detail, "agentId") if isinstance(detail, dict) else None
        if agent:
            self.started[f"agent-{agent}"] = call_id
        shown = text or DENIALS.get(text_of(record, "toolDenialKind") or "", "")
        tool = self._names.pop(call_id, None)
        outcome, code = self._ending(record, block, text, tool)
        self.emit_result(event_id, at, "user", call_id, shown, uuid, outcome=outcome, exit_code=code)
        if self.parent_id is not None:
            return
        said = rejection(record, block, text, tool)
        asked, plan = self._asked.pop(call_id, None), self._plans.pop(call_id, None)
        if asked is not None:
            self._emit_answers(
                asked, answers(objects_of(asked, "questions"), detail, text), call_id, event_id, at
            )
        if plan is not None:
            if isinstance(detail, dict) and (not plan or detail.get("planWasEdited") is True):
                plan = text_of(detail, "plan") or plan
            status = plan_status(block, text)
            self.emit_plan(
                f"{event_id}:plan", at, "user", plan, call_id=call_id, status=status, feedback=said.text
            )
        self._emit_words(said, f"{event_id}:said", at, "user", uuid)

    def _result_text(self, block: Json) -> str:
        """What a tool gave back, as text."""
        return as_text(block.get("content"))

    def _ending(self, record: Json, block: Json, text: str, tool: str | None) -> Ending:
        """How a call ended."""
        return ending(record, block, text, tool)

    def _emit_answers(
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

    # --- Prompts that the user typed while Claude worked ------------------------------------------------

    def _queue_operation(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        del uuid
        if self.parent_id is not None:
            return
        content = record.get("content")
        named = words_of({}, blocks_of(content), self.picture) if content else NOTHING
        prompt = Waiting(named, at, self.is_copy)
        self._queue.record(text_of(record, "operation"), text_of(record, "reason"), prompt)

    def _emit_said(self) -> None:
        """Emits the prompts of the queue that no attachment followed."""
        is_copy = self.is_copy
        for prompt in self._queue.take_said():
            self.is_copy = prompt.is_copy
            event_id = _made_id("queued", prompt.at, prompt.words.text)
            self._emit_words(prompt.words, event_id, prompt.at, "queue-operation", None)
        self.is_copy = is_copy

    def _queued_prompt(self, attachment: Json, record: Json, uuid: str | None, at: datetime | None) -> None:
        if is_context(attachment) or is_context(record):
            return
        words = words_of(attachment, blocks_of(attachment.get("prompt")), self.picture)
        mode = text_of(attachment, "commandMode") or "prompt"
        if words.kind != "user" or mode != "prompt" or self.parent_id is not None:
            return
        if self._queue.attach(words):
            self._emit_words(words, uuid or _made_id("queued", at, words.text), at, "attachment", uuid)

    # --- The host ---------------------------------------------------------------------------------------

    def _continued_in(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """The conversation moved to a background session, which begins with a copy of this one. A later prompt in this
        session cancels the move.
        """
        del uuid
        session_id = text_of(record, "continuedInSessionId")
        if not session_id or session_id == self.session_id or self.parent_id is not None:
            return
        self._close()
        self._emit_said()
        self.continued_in = session_id
        words = "The conversation goes on in another session."
        event_id = f"continued-in:{session_id}"
        self.emit_note(event_id, at, "continued-in", words, subtype="moved", origin=session_id)

    def _system(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        self._close()
        self.SYSTEM.take(self, text_of(record, "subtype"), record, uuid, at)

    def _boundary(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        trigger = text_of(object_of(record, "compactMetadata"), "trigger")
        words = f"The conversation was compacted{f' ({trigger})' if trigger else ''}."
        event_id = uuid or "system:compact_boundary"
        self.emit_note(event_id, at, "system", words, subtype="compaction", origin=uuid)
        self._compacted = True

    def _system_text(self, name: str, record: Json, uuid: str | None, at: datetime | None) -> None:
        """Any other line of the system is shown to the user, with its text."""
        del name
        subtype = text_of(record, "subtype") or ""
        content = text_of(record, "content") or text_of(object_of(record, "error"), "message") or subtype
        if content:
            event_id, level = uuid or f"system:{subtype}", text_of(record, "level")
            self.emit_note(event_id, at, "system", content, subtype=subtype or None, level=level, origin=uuid)

    def _attachment(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        self._close()
        attachment = object_of(record, "attachment")
        self.ATTACHMENTS.take(self, text_of(attachment, "type"), attachment, record, uuid, at)

    def _hook(self, attachment: Json, record: Json, uuid: str | None, at: datetime | None) -> None:
        del record
        if text_of(attachment, "hookName") == _RESUMED_HOOK and not self._resumed:
            self._resumed = True  # each hook leaves one
            words = "The conversation was resumed."
            event_id = f"{uuid or _made_id('hook', at, text_of(attachment, 'type') or '')}:resumed"
            self.emit_note(event_id, at, "attachment", words, subtype="resumed", origin=uuid)

    def _hook_message(self, attachment: Json, record: Json, uuid: str | None, at: datetime | None) -> None:
        """What a hook shows to the user."""
        del record
        text = text_of(attachment, "content")
        if text:
            event_id = uuid or _made_id("hook", at, text)
            self.emit_note(event_id, at, "attachment", text, subtype="hook", origin=uuid)

    def _unknown_attachment(
        self, name: str, attachment: Json, record: Json, uuid: str | None, at: datetime | None
    ) -> None:
        """An attachment of an unknown type is the host's context, which can be long."""
        del record
        self.count_unknown(name, attachment, uuid, at)

    # --- The kinds of the format -------------------------------------------------------------------------

    #: Records, by `type`.
    RECORDS: Final = Dispatch(
        {
            "assistant": AssistantRecords.take_assistant,
            "user": _user,
            "system": _system,
            "attachment": _attachment,
            "queue-operation": _queue_operation,
            "continued-in": _continued_in,
            "custom-title": AssistantRecords.take_title,
            "agent-name": AssistantRecords.take_title,
            "ai-title": AssistantRecords.take_title,
            "summary": AssistantRecords.take_title,
        },
        ignored=kinds.BOOKKEEPING,
        default=_unknown,
    )

    #: `system` records, by `subtype`.
    SYSTEM: Final = Dispatch(
        {"compact_boundary": _boundary},
        ignored=kinds.SYSTEM,
        default=_system_text,
        label="system",
    )

    #: `attachment` records, by the `type` of the attachment.
    ATTACHMENTS: Final = Dispatch(
        {
            "queued_command": _queued_prompt,
            "hook_system_message": _hook_message,
            **dict.fromkeys(kinds.HOOKS, _hook),
        },
        ignored=kinds.ATTACHMENTS,
        default=_unknown_attachment,
        label="attachment",
    )


def _made_id(kind: str, at: datetime | None, text: str) -> str:
    """The id of a record that has none."""
    return f"{kind}:{'' if at is None else at.isoformat()}:{digest(text)}"
