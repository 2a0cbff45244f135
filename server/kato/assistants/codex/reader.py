"""Codex: the records of a rollout, and the function that reads each kind (tables at the end of the file).

A line is `{timestamp, type, payload}`, from 0.147 on with an `ordinal`. A message stands in records of up to three kinds: an
`event_msg`, a `response_item` of the model's history, and from 0.147 on an `item_completed`. Which of these
exist differs by message, so `twins` chooses for each message. `calls` pairs calls and results by `call_id`.

The ids of messages in a rollout do not last. Kato makes an id of the turn (the time, if the log names no turns), the text, and
the number of times that the turn had this text before. Such an id does not depend on which kind of record comes first, and
survives `codex migrate-rollouts`, which rewrites a log with other kinds of record.

`words` documents what proves that the user typed a text.
"""

# ruff: noqa: SLF001 - the tables name methods of the reader itself

from typing import Final

from kato.assistants.codex.copies import is_inherited
from kato.assistants.codex.notes import HOST_WORDS, NoteReader
from kato.assistants.codex.session import Entry
from kato.assistants.contract import Json
from kato.assistants.dispatch import Dispatch
from kato.assistants.values import moment, object_of, text_of


class CodexReader(NoteReader):
    """Reads a rollout."""

    def _record(self, record: Json) -> None:
        self._twins.number += 1
        kind = text_of(record, "type")
        at = moment(record.get("timestamp"))
        payload = record.get("payload")
        if not isinstance(payload, dict):
            self._bare(record, kind)
            return
        if self._is_recovered and kind not in ("event_msg", "response_item"):
            return  # a part of a damaged record proves neither a session's folder nor its parent
        if self._copy is not None and self._copy.ends_before(record, at):
            self._flush_waiting()
            self._end_copy(at)
        is_inherited_now = is_inherited(record)
        if self.parent_id is not None and (self.is_copy or is_inherited_now):
            return  # the log of the session that started this sub-agent holds it
        entry = Entry(payload, kind or "", at)
        if is_inherited_now:
            self._read_copied(kind, entry)
        else:
            RECORDS.take(self, kind, entry)

    def _read_copied(self, kind: str | None, entry: Entry) -> None:
        """Reads a single record that was copied from another session."""
        self._flush_waiting()
        self.is_copy = True
        RECORDS.take(self, kind, entry)
        self._flush_waiting()
        self.is_copy = self._copy is not None

    def _bare(self, record: Json, kind: str | None) -> None:
        """A line of the first generations: a response item without an envelope."""
        at = moment(record.get("timestamp"))
        if "record_type" in record:
            return
        self._model = text_of(record, "model") or self._model
        if kind is None and "role" in record:
            kind = "message"
        if kind is None and ("instructions" in record or "git" in record):
            kind = "session_meta"
        table = RESPONSES if kind is not None and RESPONSES.knows(kind) else BARE
        table.take(self, kind, Entry(record, kind or "", at))

    def _event(self, entry: Entry) -> None:
        kind = text_of(entry.body, "type")
        EVENTS.take(self, kind, entry._replace(kind=kind or ""))

    def _response(self, entry: Entry) -> None:
        kind = text_of(entry.body, "type")
        RESPONSES.take(self, kind, entry._replace(kind=kind or ""))

    def _item(self, entry: Entry) -> None:
        item = object_of(entry.body, "item")
        kind = text_of(item, "type")
        ITEMS.take(self, kind, Entry(item, kind or "", entry.at))

    def _realtime(self, entry: Entry) -> None:
        self._has_typed = True  # what is handed over from speech, in the role of the user, was not typed
        kind = text_of(entry.body, "type")
        REALTIME.take(self, kind, entry._replace(kind=kind or ""))

    def _keep_unknown(self, name: str, entry: Entry) -> None:
        """Keeps an event or item: it may hold words of the conversation."""
        readable = {key: value for key, value in entry.body.items() if key != "encrypted_content"}
        self.emit_unknown(name, readable, None, entry.at)

    def _count_unknown(self, name: str, entry: Entry) -> None:
        """Other records are bookkeeping: events and items hold the conversation."""
        self.count_unknown(name, entry.body, text_of(entry.body, "id"), entry.at)


# --- The format: the function that reads each kind -------------------------------------------------------------

#: The lines of a rollout.
RECORDS: Final = Dispatch(
    {
        "session_meta": CodexReader._meta,
        "turn_context": CodexReader._turn_context,
        "event_msg": CodexReader._event,
        "response_item": CodexReader._response,
        "compacted": CodexReader._compaction,
        "inter_agent_communication": CodexReader._agents_message,
        "realtime_item": CodexReader._realtime,
    },
    ignored="""world_state token_usage_record security_risk_score retained_context
    inter_agent_communication_metadata""".split(),
    default=CodexReader._count_unknown,
)

#: Events of the client's view. From 0.147 on, most are written as `item_completed` only.
EVENTS: Final = Dispatch(
    {
        "user_message": CodexReader._user_event,
        "agent_message": CodexReader._answer_event,
        "agent_reasoning": CodexReader._thought_event,
        "agent_reasoning_raw_content": CodexReader._thought_event,
        "exited_review_mode": CodexReader._review,
        "task_started": CodexReader._turn_context,
        "turn_started": CodexReader._turn_context,
        "task_complete": CodexReader._end_of_turn,
        "turn_complete": CodexReader._end_of_turn,
        "turn_aborted": CodexReader._end_of_turn,
        "context_compacted": CodexReader._compaction,
        "thread_rolled_back": CodexReader._rolled_back,
        "thread_name_updated": CodexReader._named_thread,
        "thread_goal_updated": CodexReader._goal,
        "model_reroute": CodexReader._rerouted,
        "token_count": CodexReader._count_tokens,
        "item_completed": CodexReader._item,
        "exec_command_end": CodexReader._command_end,
        "patch_apply_end": CodexReader._patch_end,
        "mcp_tool_call_end": CodexReader._outside_call,
        "dynamic_tool_call_response": CodexReader._outside_call,
        "web_search_end": CodexReader._search,
        "image_generation_end": CodexReader._image_generation,
        "collab_agent_spawn_end": CodexReader._spawned,
        "sub_agent_activity": CodexReader._agent_activity,
        **dict.fromkeys(HOST_WORDS, CodexReader._host_event),
    },
    ignored="""turn_diff background_event guardian_assessment thread_settings_applied undo_started undo_completed
    view_image_tool_call plan_update mcp_startup_update mcp_startup_complete session_configured hook_started hook_completed
    turn.completed turn_completed item_started exec_approval_request apply_patch_approval_request request_user_input
    request_permissions elicitation_request dynamic_tool_call_request collab_waiting_end collab_close_end collab_resume_end
    collab_agent_interaction_end skills_update_available shutdown_complete agent_reasoning_section_break
    terminal_interaction raw_response_item raw_response_completed patch_apply_updated safety_buffering model_verification
    turn_moderation_metadata thread_queue_changed auth_recovery_started auth_recovery_completed environment_connected
    environment_disconnected realtime_conversation_* *_begin *_delta */*""".split(),
    default=CodexReader._keep_unknown,
    label="event_msg",
)

#: Items of the model's history.
RESPONSES: Final = Dispatch(
    {
        "message": CodexReader._message,
        "reasoning": CodexReader._reasoning,
        "agent_message": CodexReader._agents_message,
        "web_search_call": CodexReader._search,
        "image_generation_call": CodexReader._image_generation,
        "function_call": CodexReader._item_call,
        "custom_tool_call": CodexReader._item_call,
        "local_shell_call": CodexReader._item_call,
        "tool_search_call": CodexReader._item_call,
        "mcp_call": CodexReader._item_call,
        "function_call_output": CodexReader._item_output,
        "custom_tool_call_output": CodexReader._item_output,
        "local_shell_call_output": CodexReader._item_output,
        "mcp_tool_call_output": CodexReader._item_output,
        "tool_search_output": CodexReader._item_output,
    },
    ignored="""ghost_snapshot compaction compaction_summary compaction_trigger context_compaction additional_tools
    configuration_update""".split(),
    default=CodexReader._keep_unknown,
    label="response_item",
)

#: Items of `item_completed`.
ITEMS: Final = Dispatch(
    {
        "UserMessage": CodexReader._user_item,
        "AgentMessage": CodexReader._answer_item,
        "Reasoning": CodexReader._reasoning_item,
        "Plan": CodexReader._plan_item,
        "ContextCompaction": CodexReader._compaction,
        "EnteredReviewMode": CodexReader._review_item,
        "ExitedReviewMode": CodexReader._review,
        "HookPrompt": CodexReader._hook_item,
        "CommandExecution": CodexReader._command_end,
        "FileChange": CodexReader._patch_end,
        "McpToolCall": CodexReader._outside_call,
        "DynamicToolCall": CodexReader._outside_call,
        "WebSearch": CodexReader._search,
        "Extension": CodexReader._extension,
        "ImageGeneration": CodexReader._image_generation,
        "FunctionCallOutput": CodexReader._item_output,
        "CollabAgentToolCall": CodexReader._agent_call,
        "SubAgentActivity": CodexReader._agent_activity,
    },
    ignored=["ImageView", "Sleep"],
    default=CodexReader._keep_unknown,
    label="item",
)

#: Items of a spoken conversation. What it promotes stands in the log as an item of its own.
REALTIME: Final = Dispatch(
    {
        "transcript_segment": CodexReader._spoken,
        "realtime_session_closed": CodexReader._end_of_speech,
    },
    ignored=["realtime_session_started", "bem_item_promoted"],
    default=CodexReader._keep_unknown,
    label="realtime_item",
)

#: Lines of the first generations (before 0.44) that are not response items.
BARE: Final = Dispatch(
    {
        "session_meta": CodexReader._meta,
        "tool_call": CodexReader._first_call,
        "tool_result": CodexReader._first_result,
        "error": CodexReader._first_error,
    },
    default=CodexReader._keep_unknown,
)
