"""Kinds of events that Copilot CLI adds, and VS Code's agent host with it.

    ~/.copilot/session-state/<id>/events.jsonl
    ~/.copilot/session-state/<id>/workspace.yaml   the session's name and folder (see `places`)

Facts: a sub-agent's events stand among those of the main session; `agentId`, next to `data`, names the sub-agent. Kinds that the
program marks as ephemeral (`session.title_changed`, `session.idle`) are not on disk in current versions; they are here because
older ones wrote them.
"""

from collections.abc import Callable, Mapping
from typing import Final

from kato.assistants.copilot.stream import Event, EventStream
from kato.assistants.copilot.transcripts import take_branch, take_model
from kato.assistants.copilot.words import doubt_of
from kato.assistants.values import number_of, object_of, remember, text_of

#: Pictures of a session that are remembered for the prompts that refer to them.
ASSETS_MAX: Final = 256
_BY_USER: Final = "denied-interactively-by-user"
_HUMAN: Final = "human_response"
#: Why a tool call was denied (`result.kind`).
_DENIALS: Final = {
    _BY_USER: "denied by the user",
    "denied-by-rules": "denied by a rule",
    "denied-by-policy": "denied by a policy",
    "denied-by-content-exclusion-policy": "denied by the content exclusion policy",
    "denied-by-permission-request-hook": "denied by a hook",
    "denied-no-approval-rule-and-could-not-request-from-user": "denied: no rule allows it, and the user could not be asked",
}


def resume(stream: EventStream, event: Event) -> None:
    """The session was opened again, perhaps with another model."""
    take_model(stream, event)
    session = stream.session
    session.cwd = session.cwd or text_of(object_of(event.data, "context"), "cwd")
    take_branch(stream, event)
    stream.mark(event, "The session was resumed.", "resumed")


def count_tokens(stream: EventStream, event: Event) -> None:
    """The program ended: it states the tokens of the session so far, by model. The input contains what was read from a cache."""
    total = None
    for model in object_of(event.data, "modelMetrics").values():
        usage = object_of(model, "usage") if isinstance(model, dict) else {}
        given, answered = number_of(usage, "inputTokens"), number_of(usage, "outputTokens")
        if given is not None and answered is not None:
            cached = number_of(usage, "cacheReadTokens") or 0
            total = (total or 0) + max(0, given - cached) + answered
    stream.session.tokens = total if total is not None else stream.session.tokens


def save_asset(stream: EventStream, event: Event) -> None:
    """The bytes of an attached file, to which the prompt behind it refers by their id."""
    asset_id, data = text_of(event.data, "assetId"), text_of(event.data, "data")
    session, media = stream.session, text_of(event.data, "mimeType") or ""
    if asset_id and data and session.save_picture is not None and media.startswith("image/"):
        remember(session.assets, asset_id, session.save_picture(media, data), ASSETS_MAX)


def take_title(stream: EventStream, event: Event) -> None:
    """A name for the session."""
    stream.session.title = text_of(event.data, "title") or stream.session.title


def request_permission(stream: EventStream, event: Event) -> None:
    """The user is asked whether a tool may run. The decision names the request, not always the call."""
    request_id, call_id = (
        text_of(event.data, "requestId"),
        text_of(object_of(event.data, "permissionRequest"), "toolCallId"),
    )
    if request_id is not None and call_id is not None:
        stream.request(request_id, call_id)


def decide_permission(stream: EventStream, event: Event) -> None:
    """The decision on a tool call. A denied call did not run; the user's words on a denial are a message to the assistant."""
    data, result = event.data, object_of(event.data, "result")
    requested = stream.requested(text_of(data, "requestId") or "")
    kind = text_of(result, "kind") or ""
    if not kind.startswith("denied"):
        return
    feedback = text_of(data, "feedback") or text_of(result, "feedback") or ""
    source = text_of(data, "decisionSource")
    is_users = source == _HUMAN or (source is None and kind == _BY_USER)
    call_id = text_of(data, "toolCallId") or requested
    if call_id is not None and call_id in stream.known_calls:
        stream.denied_calls.add(call_id)
        reason = feedback or text_of(result, "message") or ""
        why = f"\n{reason}" if reason.strip() and not is_users else ""
        text = f"Not run: {_DENIALS.get(kind, 'denied')}.{why}"
        stream.give_result(call_id, text, event, outcome="denied")
    if feedback.strip() and is_users:
        # Also where the call was a sub-agent's: the user talks in the main session.
        stream.session.main.emit_user(
            event.id, event.at, event.kind, feedback, event.id, doubt=doubt_of(feedback)
        )


def compact(stream: EventStream, event: Event) -> None:
    """The conversation was compacted, unless that failed."""
    if event.data.get("success") is not False:
        stream.mark(event, "The conversation was compacted.", "compaction")


def clear(stream: EventStream, event: Event) -> None:
    """The assistant forgot the conversation so far."""
    stream.mark(event, "The context was cleared.", "compaction")


def inform(stream: EventStream, event: Event) -> None:
    """A line on the user's screen: kept if the conversation went back, else the program's business."""
    if text_of(event.data, "infoType") == "rewind":
        stream.mark(event, text_of(event.data, "message") or "The conversation was taken back.", "rewind")


def summarize(stream: EventStream, event: Event) -> None:
    """The autopilot's summary of what it did."""
    summary = text_of(event.data, "summary")
    if summary:
        stream.mark(event, summary, "summary")


def warn(stream: EventStream, event: Event) -> None:
    """A warning or an error that the user was shown."""
    level = event.kind.partition(".")[2]
    stream.mark(event, text_of(event.data, "message") or event.kind, event.kind, level)


def start_sub_agent(stream: EventStream, event: Event) -> None:
    """A sub-agent begins; the stream is its own."""
    if stream.session.parent_id is not None:
        stream.session.title = text_of(event.data, "agentDisplayName") or text_of(event.data, "agentName")
        take_model(stream, event)


def fail_sub_agent(stream: EventStream, event: Event) -> None:
    """A sub-agent ended with an error; the stream is its own."""
    error = text_of(event.data, "error")
    if error:
        stream.mark(event, error, "error", "error")


KINDS: Final[Mapping[str, Callable[[EventStream, Event], None]]] = {
    "session.resume": resume,
    "session.model_change": take_model,
    "session.auto_mode_resolved": take_model,
    "session.title_changed": take_title,
    "session.binary_asset": save_asset,
    "binary_asset": save_asset,
    "session.context_changed": take_branch,
    "session.shutdown": count_tokens,
    "session.compaction_complete": compact,
    "session.compacted": compact,
    "session.context_cleared": clear,
    "context_cleared": clear,
    "session.info": inform,
    "session.task_complete": summarize,
    "session.error": warn,
    "session.warning": warn,
    "permission.requested": request_permission,
    "permission.completed": decide_permission,
    "subagent.started": start_sub_agent,
    "subagent.failed": fail_sub_agent,
}

#: Host context (whole system prompts, skills, hooks, files in base64 that are not pictures), figures, and states of the program.
IGNORED: Final = """
    system.message system.notification skill.* hook.* session.usage_info session.usage_checkpoint session.usage_record
    usage_checkpoint *completion_receipt session_limits_changed session.session_limits_changed session.truncation
    session.compaction_start session.handoff session.snapshot_rewind session.import_legacy session.mode_changed
    mode_notice_delivered session.mode_notice_delivered session.tools_updated session.background_tasks_changed
    session.custom_agents_updated session.skills_loaded session.mcp_servers_loaded permissions_changed
    session.permissions_changed plan_changed session.plan_changed autopilot_objective_changed
    session.autopilot_objective_changed remote_steerable_changed session.remote_steerable_changed workspace_file_changed
    session.workspace_file_changed schedule_* session.schedule_* canvas.* session.canvas.* *fusion_* external_tool.*
    tool.execution_progress tool.execution_partial_result tool.user_requested tool_search.activated subagent.completed
    subagent.configured subagent.selected subagent.deselected pending_messages.modified command.queued command.completed
""".split()
