"""Every kind of record in the tables of Codex's reader, alone in a log: what it is read as."""

from collections.abc import Mapping
from typing import Any

import pytest

from kato.assistants.codex import reader as codex
from kato.assistants.dispatch import Dispatch
from providers.codex_records import at, completed, event, item, line
from providers.reading import Json, brief, lines, read, reader_of

Expected = list[tuple[str, str]]
NOTHING: Expected = []
TEXT = {"type": "input_text", "text": "hi"}
REVIEW = {"overall_explanation": "Two bugs."}
CHANGES = {"/w/a.py": {"type": "add", "content": "x\n"}}
COMMAND = {"command": ["ls"], "aggregated_output": "a.py\n", "exit_code": 0}
OUTSIDE = {"server": "gh", "tool": "list", "arguments": {"a": 1}}
MCP_RESULT = {"content": [{"type": "text", "text": "one"}]}
RAN: Expected = [("call", "exec_command"), ("result", "a.py\n")]
PATCHED: Expected = [("call", "apply_patch"), ("result", "Success.")]
LISTED: Expected = [("call", "gh.list"), ("result", "one")]
DRAWN: Expected = [("call", "image_generation"), ("result", "[image: /w/x.png]")]
SEARCHED: Expected = [("call", "web_search")]
COMPACTED: Expected = [("info", "The conversation was compacted.")]

RECORDS: dict[str, tuple[Json, Expected]] = {
    "session_meta": (line("session_meta", id="s", cwd="/w"), NOTHING),
    "turn_context": (line("turn_context", turn_id="t", model="m", cwd="/w"), NOTHING),
    "event_msg": (event("agent_message", message="ok"), [("assistant", "ok")]),
    "response_item": (item("message", role="user", content=[TEXT]), [("user", "hi")]),
    "compacted": (line("compacted", message="", replacement_history=[TEXT]), COMPACTED),
    "inter_agent_communication": (
        line(
            "inter_agent_communication",
            author="/root/a",
            recipient="/root",
            content="done",
            trigger_turn=False,
        ),
        [("info", "/root/a: done")],
    ),
    "realtime_item": (
        line("realtime_item", type="transcript_segment", id="v1", role="assistant", text="Hello."),
        [("assistant", "Hello.")],
    ),
}
REALTIME: dict[str, tuple[Json, Expected]] = {
    "transcript_segment": (
        line("realtime_item", type="transcript_segment", id="v1", role="user", text="Which tests?"),
        [("user", "Which tests?")],
    ),
    "realtime_session_closed": (
        line("realtime_item", type="realtime_session_closed", id="v2", outcome="failed"),
        [("info", "The spoken conversation ended with a failure.")],
    ),
}
EVENTS: dict[str, tuple[Json, Expected]] = {
    "user_message": (event("user_message", message="hi"), [("user", "hi")]),
    "agent_message": (event("agent_message", message="ok"), [("assistant", "ok")]),
    "agent_reasoning": (event("agent_reasoning", text="hm"), [("thinking", "hm")]),
    "agent_reasoning_raw_content": (event("agent_reasoning_raw_content", text="hm"), [("thinking", "hm")]),
    "exited_review_mode": (event("exited_review_mode", review_output=REVIEW), [("assistant", "Two bugs.")]),
    "task_started": (event("task_started", turn_id="t"), NOTHING),
    "turn_started": (event("turn_started", turn_id="t"), NOTHING),
    "task_complete": (event("task_complete", error={"message": "No credit."}), [("info", "No credit.")]),
    "turn_complete": (event("turn_complete", turn_id="t"), NOTHING),
    "turn_aborted": (event("turn_aborted", reason="interrupted"), [("info", "The turn ended early: interrupted.")]),
    "context_compacted": (event("context_compacted"), COMPACTED),
    "thread_rolled_back": (event("thread_rolled_back", num_turns=1), [("info", "The last turn was taken back.")]),
    "thread_name_updated": (event("thread_name_updated", thread_name="A name"), NOTHING),
    "thread_goal_updated": (event("thread_goal_updated", goal={"objective": "Port it"}), [("user", "Port it")]),
    "model_reroute": (event("model_reroute", from_model="a", to_model="b"), NOTHING),
    "token_count": (event("token_count", info={"total_token_usage": {"input_tokens": 1, "output_tokens": 1}}), NOTHING),
    "item_completed": (completed("AgentMessage", content=[{"type": "Text", "text": "ok"}]), [("assistant", "ok")]),
    "exec_command_end": (event("exec_command_end", call_id="c", **COMMAND), RAN),
    "patch_apply_end": (event("patch_apply_end", call_id="c", changes=CHANGES, stdout="Success."), PATCHED),
    "mcp_tool_call_end": (event("mcp_tool_call_end", call_id="c", invocation=OUTSIDE, result={"Ok": MCP_RESULT}), LISTED),
    "dynamic_tool_call_response": (
        event("dynamic_tool_call_response", call_id="c", tool="do", content_items=[{"type": "inputText", "text": "x"}]),
        [("call", "do"), ("result", "x")],
    ),
    "web_search_end": (event("web_search_end", call_id="c", query="kato"), SEARCHED),
    "image_generation_end": (event("image_generation_end", call_id="c", result="AAAA", saved_path="/w/x.png"), DRAWN),
    "collab_agent_spawn_end": (event("collab_agent_spawn_end", call_id="c", new_thread_id="x"), [("result", "x")]),
    "sub_agent_activity": (event("sub_agent_activity", event_id="c", agent_thread_id="x", kind="started"), NOTHING),
    "error": (event("error", message="No credit."), [("info", "No credit.")]),
    "stream_error": (event("stream_error", message="again"), [("info", "again")]),
    "warning": (event("warning", message="careful"), [("info", "careful")]),
    "guardian_warning": (event("guardian_warning", message="careful"), [("info", "careful")]),
    "entered_review_mode": (event("entered_review_mode", user_facing_hint="changes"), [("info", "changes")]),
    "deprecation_notice": (event("deprecation_notice", summary="old"), [("info", "old")]),
}  # fmt: skip
CALL: Expected = [("call", "exec_command")]
OUTPUT: Expected = [("result", "a.py")]
RESPONSES: dict[str, tuple[Json, Expected]] = {
    "message": (item("message", role="assistant", content=[{"type": "output_text", "text": "ok"}]), [("assistant", "ok")]),
    "reasoning": (item("reasoning", summary=[{"type": "summary_text", "text": "hm"}], encrypted_content="gAAA"), [("thinking", "hm")]),
    "agent_message": (item("agent_message", author="/root/a", content=[TEXT]), [("info", "/root/a: hi")]),
    "web_search_call": (item("web_search_call", id="w", action={"type": "search", "query": "kato"}), SEARCHED),
    "image_generation_call": (item("image_generation_call", id="g", result="AAAA"), [("call", "image_generation")]),
    "function_call": (item("function_call", call_id="c", name="exec_command", arguments="{}"), CALL),
    "custom_tool_call": (item("custom_tool_call", call_id="c", name="apply_patch", input="*** Begin"), [("call", "apply_patch")]),
    "local_shell_call": (item("local_shell_call", call_id="c", action={"command": ["ls"]}), [("call", "local_shell")]),
    "tool_search_call": (item("tool_search_call", call_id="c", arguments={"query": "x"}), [("call", "tool_search")]),
    "mcp_call": (item("mcp_call", call_id="c", name="list", arguments="{}"), [("call", "list")]),
    "function_call_output": (item("function_call_output", call_id="c", output="a.py"), OUTPUT),
    "custom_tool_call_output": (item("custom_tool_call_output", call_id="c", output='{"output": "a.py"}'), OUTPUT),
    "local_shell_call_output": (item("local_shell_call_output", call_id="c", output="a.py"), OUTPUT),
    "mcp_tool_call_output": (item("mcp_tool_call_output", call_id="c", output={"content": [{"type": "text", "text": "a.py"}]}), OUTPUT),
    "tool_search_output": (item("tool_search_output", call_id="c", tools=[{"type": "text", "text": "a.py"}]), OUTPUT),
}  # fmt: skip
ITEMS: dict[str, tuple[Json, Expected]] = {
    "UserMessage": (completed("UserMessage", content=[{"type": "text", "text": "hi"}]), [("user", "hi")]),
    "AgentMessage": (completed("AgentMessage", content=[{"type": "Text", "text": "ok"}]), [("assistant", "ok")]),
    "Reasoning": (completed("Reasoning", summary_text=["hm"], raw_content=["ha"]), [("thinking", "hm"), ("thinking", "ha")]),
    "Plan": (completed("Plan", text="# Plan\n"), [("assistant", "# Plan")]),
    "ContextCompaction": (completed("ContextCompaction"), COMPACTED),
    "EnteredReviewMode": (completed("EnteredReviewMode", review={"user_facing_hint": "changes"}), [("info", "changes")]),
    "ExitedReviewMode": (completed("ExitedReviewMode", review_output=REVIEW), [("assistant", "Two bugs.")]),
    "HookPrompt": (completed("HookPrompt", fragments=[{"text": "a hook", "hookRunId": "h"}]), [("info", "a hook")]),
    "CommandExecution": (completed("CommandExecution", status="completed", **COMMAND), RAN),
    "FileChange": (completed("FileChange", changes=CHANGES, status="completed", stdout="Success."), PATCHED),
    "McpToolCall": (completed("McpToolCall", status="completed", result=MCP_RESULT, **OUTSIDE), LISTED),
    "DynamicToolCall": (
        completed("DynamicToolCall", namespace="ns", tool="do", contentItems=[{"type": "inputText", "text": "x"}]),
        [("call", "ns.do"), ("result", "x")],
    ),
    "WebSearch": (completed("WebSearch", query="kato", action={"type": "search"}), SEARCHED),
    "Extension": (
        completed("Extension", kind="web.search", query="kato", results=[{"type": "text_result", "text": "found"}]),
        [("call", "web.search"), ("result", "found")],
    ),
    "ImageGeneration": (completed("ImageGeneration", result="AAAA", saved_path="/w/x.png"), DRAWN),
    "FunctionCallOutput": (completed("FunctionCallOutput", call_id="c", output="a.py"), OUTPUT),
    "CollabAgentToolCall": (
        completed("CollabAgentToolCall", tool="spawnAgent", receiverThreadIds=["x"], prompt="look"),
        [("call", "spawnAgent")],
    ),
    "SubAgentActivity": (completed("SubAgentActivity", kind="started", agentThreadId="x"), NOTHING),
}  # fmt: skip
OLD = "2025-09-01T10:00:00Z"
BARE: dict[str, tuple[Json, Expected]] = {
    "session_meta": ({"id": "s", "timestamp": OLD, "instructions": None, "git": {}}, NOTHING),
    "tool_call": ({"timestamp": OLD, "type": "tool_call", "name": "ls", "arguments": "{}"}, [("call", "ls")]),
    "tool_result": (
        {"timestamp": OLD, "type": "tool_result", "name": "ls", "result": "a.py"},
        [("result", "a.py")],
    ),
    "error": ({"timestamp": OLD, "type": "error", "text": "No credit."}, [("info", "No credit.")]),
}

TABLES: Mapping[str, tuple[Dispatch[Any, Any], dict[str, tuple[Json, Expected]]]] = {
    "RECORDS": (codex.RECORDS, RECORDS),
    "EVENTS": (codex.EVENTS, EVENTS),
    "RESPONSES": (codex.RESPONSES, RESPONSES),
    "ITEMS": (codex.ITEMS, ITEMS),
    "REALTIME": (codex.REALTIME, REALTIME),
    "BARE": (codex.BARE, BARE),
}


@pytest.mark.parametrize("table", TABLES)
def test_each_kind_in_a_table_has_a_row_here(table: str) -> None:
    dispatch, rows = TABLES[table]
    assert set(rows) == set(dispatch._functions)


ROWS = [(table, kind) for table, (_, rows) in TABLES.items() for kind in rows]


@pytest.mark.parametrize(("table", "kind"), ROWS)
def test_a_record_alone_is_read_as_its_row_says(table: str, kind: str) -> None:
    record, expected = TABLES[table][1][kind]
    events, problems = read(reader_of("codex"), [lines(record)])
    assert (brief(events), problems) == (expected, [])


@pytest.mark.parametrize(("table", "kind"), ROWS)
def test_a_record_without_its_fields_costs_nothing_else(table: str, kind: str) -> None:
    """A kind that a later version fills in another way."""
    bare = {
        "RECORDS": line(kind),
        "EVENTS": event(kind),
        "RESPONSES": item(kind),
        "ITEMS": line("event_msg", type="item_completed", item={"type": kind}),
        "REALTIME": line("realtime_item", type=kind),
        "BARE": {"timestamp": OLD, "type": kind},
    }[table]
    events, problems = read(reader_of("codex"), [lines(bare, event("agent_message", message="ok"))])
    assert brief(events)[-1] == ("assistant", "ok")
    assert [problem for problem in problems if problem.kind == "invalid_record"] == []


#: Kinds that the patterns of a table ignore.
BY_PATTERN = {
    "EVENTS": ["exec_command_begin", "plan_delta", "codex/event/raw", "realtime_conversation_started"]
}


def spoken(kind: str, /, **fields: Any) -> Json:
    return line("realtime_item", type=kind, **fields)


@pytest.mark.parametrize("table", ["RECORDS", "EVENTS", "RESPONSES", "ITEMS", "REALTIME"])
def test_an_ignored_kind_gives_no_event_and_no_problem(table: str) -> None:
    makers = {"RECORDS": line, "EVENTS": event, "RESPONSES": item, "ITEMS": completed, "REALTIME": spoken}
    make = makers[table]
    for kind in [*sorted(TABLES[table][0]._ignored), *BY_PATTERN.get(table, [])]:
        assert read(reader_of("codex"), [lines(make(kind, text="words", data="A" * 9999))]) == ([], []), kind


def test_a_record_of_an_unknown_kind_is_counted_and_no_word_of_it_is_kept() -> None:
    prompt = line("prompt_snapshot", id="p1", system_prompt="You are …", asset="A" * 9999)
    events, problems = read(reader_of("codex"), [lines(at("2026-05-01T10:00:00Z", prompt))])
    assert events == []
    assert [(problem.detail, problem.example) for problem in problems] == [("prompt_snapshot", "p1")]


@pytest.mark.parametrize(
    ("record", "counted"),
    [
        (spoken("melody", text="la"), "realtime_item melody"),
        (spoken("transcript_segment", id="v1", role="guest", text="Hi"), "realtime_item role guest"),
        (spoken("transcript_segment", id="v1", text="Hi"), "realtime_item role none"),
    ],
)
def test_an_unknown_part_of_a_spoken_conversation_is_counted_and_kept(record: Json, counted: str) -> None:
    events, problems = read(reader_of("codex"), [lines(record)])
    assert [(problem.kind, problem.detail) for problem in problems] == [("unknown_kind", counted)]
    assert [kind for kind, _ in brief(events)] == ["info"]


def test_an_unknown_item_is_kept_without_its_data() -> None:
    picture = "A" * 4000
    events, _ = read(
        reader_of("codex"),
        [lines(completed("Sketch", text="a cat", png=picture, url=f"data:image/png;base64,{picture}"))],
    )
    (kept,) = events
    assert "a cat" in brief(events)[0][1]
    assert "AAAA" not in brief(events)[0][1]
    assert kept.source.provider_event_type == "item Sketch"
