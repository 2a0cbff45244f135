"""Codex's rollouts: tool calls and their results, each once."""

from collections.abc import Callable
from typing import Any

import pytest

from kato.core.events import Decision, ToolCall, ToolResult
from providers.codex_records import brief_of, completed, event, item, user_item
from providers.reading import Json, brief, lines, read, reader_of, runs


def test_polls_of_a_running_command_are_folded_into_it() -> None:
    head = "Chunk ID: a1\nWall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n"
    records = [
        item("function_call", name="exec_command", arguments='{"cmd": "make"}', call_id="c1"),
        item("function_call_output", call_id="c1", output=head + "one\n"),
        item("function_call", name="write_stdin", arguments='{"session_id": 7, "chars": ""}', call_id="c2"),
        item("function_call_output", call_id="c2", output=head + "two\n"),
        event("exec_command_end", call_id="c1", aggregated_output="one\ntwo\nthree\n", exit_code=2),
    ]
    assert brief_of(*records) == [("call", "exec_command"), ("result", "one\ntwo\nthree\n[exit code 2]")]
    ended = [*records[:4], event("task_complete", turn_id="t")]
    assert brief_of(*ended) == [("call", "exec_command"), ("result", "one\ntwo\n")]
    typed = item(
        "function_call", name="write_stdin", arguments='{"session_id": 7, "chars": "y\\n"}', call_id="c3"
    )
    assert brief_of(*records[:2], typed)[1] == ("call", "write_stdin")


def test_a_result_in_two_records_is_emitted_once() -> None:
    output = "Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 1\nOutput:\nno\n"
    records = [
        item("function_call", name="exec_command", arguments='{"cmd": "false"}', call_id="c1"),
        item("function_call_output", call_id="c1", output=output),
        event("exec_command_end", call_id="c1", aggregated_output="no\n", exit_code=1),
    ]
    assert brief_of(*records) == [("call", "exec_command"), ("result", "no\n[exit code 1]")]
    assert brief_of(records[0], records[2], records[1]) == [
        ("call", "exec_command"),
        ("result", "no\n[exit code 1]"),
    ]


def test_a_patch_a_search_and_an_outside_tool_are_calls() -> None:
    records = [
        item("custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="p1"),
        item("custom_tool_call_output", call_id="p1", output='{"output": "Success", "metadata": {}}'),
        event("web_search_end", call_id="w1", query="kato"),
        item("web_search_call", status="completed", action={"type": "search", "query": "kato"}),
        event("mcp_tool_call_end", call_id="m1", invocation={"server": "gh", "tool": "list", "arguments": {}}, result={"Ok": {"content": [{"type": "text", "text": "one"}]}}),
    ]  # fmt: skip
    assert brief_of(*records) == [
        ("call", "apply_patch"), ("result", "Success"), ("call", "web_search"), ("call", "gh.list"), ("result", "one"),
    ]  # fmt: skip


def test_a_question_comes_with_the_answer() -> None:
    question = '{"questions": [{"id": "q", "header": "Store", "question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}]}'
    events, _ = read(
        reader_of("codex"),
        [
            lines(
                item("function_call", name="request_user_input", arguments=question, call_id="c1"),
                item("function_call_output", call_id="c1", output='{"answers": {"q": {"answers": ["B"]}}}'),
            )
        ],
    )
    decision = events[-1]
    assert isinstance(decision, Decision)
    assert (decision.summary, decision.status) == ("B", "accepted")


def calls_and_results(*records: Json) -> list[tuple[str, str]]:
    """The tool of each result, and the result."""
    events, _ = read(reader_of("codex"), [lines(*records)])
    tools = {one.tool_call_id: one.name for one in events if isinstance(one, ToolCall)}
    return [(tools.get(one.tool_call_id, "?"), one.result) for one in events if isinstance(one, ToolResult)]


CHANGES = {
    "/w/a.py": {"type": "update", "unified_diff": "@@ -1 +1 @@\n-a\n+b\n"},
    "/w/b.py": {"type": "add", "content": "x\n"},
}


def test_a_patch_in_code_mode_has_its_call() -> None:
    script = item("custom_tool_call", name="exec", call_id="c1", input="await tools.apply_patch(…)")
    ended = item("custom_tool_call_output", call_id="c1", output="ok")
    fields = {"changes": CHANGES, "stdout": "Success.", "stderr": "", "status": "completed"}
    for patched in (event("patch_apply_end", call_id="exec-1", **fields), completed("FileChange", **fields)):
        assert calls_and_results(script, patched, ended) == [("apply_patch", "Success."), ("exec", "ok")]
        events, _ = read(reader_of("codex"), [lines(patched)])
        assert isinstance(events[0], ToolCall)
        assert events[0].description == "/w/a.py, /w/b.py"
        assert events[0].input == {"patch": "*** update: /w/a.py\n@@ -1 +1 @@\n-a\n+b\n*** add: /w/b.py\nx"}
    direct = item("custom_tool_call", name="apply_patch", call_id="i1", input="*** Begin Patch")
    assert brief_of(direct, completed("FileChange", **fields)) == [
        ("call", "apply_patch"),
        ("result", "Success."),
    ]
    declined = completed("FileChange", changes=CHANGES, status="declined")
    assert calls_and_results(declined) == [("apply_patch", "[declined]")]


def test_outputs_without_a_call_id_are_kept() -> None:
    one = item("function_call", name="a", arguments="{}")
    output = item("function_call_output", output="first")
    assert calls_and_results(one, output) == [("a", "first")]
    other = item("function_call_output", output="second")
    assert calls_and_results(one, item("function_call", name="b", arguments="{}"), output, other, other) == [
        ("?", "first"),
        ("?", "second"),
        ("?", "second"),
    ]


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (lambda found: completed("Extension", kind="web.search", id="e", query="kato", results=found), "web.search"),
        (lambda found: event("web_search_end", call_id="e", query="kato", results=found), "web_search"),
    ],
    ids=["Extension", "web_search_end"],
)  # fmt: skip
def test_the_results_of_a_search_on_the_web_are_readable(record: Callable[[Any], Json], name: str) -> None:
    found = [
        {
            "type": "result",
            "title": "Kato",
            "url": "https://kato.invalid/",
            "snippet": "Own it.",
            "ref_id": "r1",
        },
        {"type": "result", "title": None, "url": "https://b.invalid/"},
        {"type": "text_result", "text": "found"},
    ]
    events, problems = read(reader_of("codex"), [lines(record(found))])
    assert problems == []
    text = "Kato\nhttps://kato.invalid/\nOwn it.\n\nhttps://b.invalid/\n\nfound"
    assert brief(events) == [("call", name), ("result", text)]


def test_items_that_only_the_consolidated_records_have_are_emitted() -> None:
    records = [
        completed("Extension", kind="web.search", id="e1", query="kato", results=[{"type": "text_result", "text": "found"}]),
        completed("WebSearch", id="w1", query="hosted", action={"type": "search", "query": "hosted"}),
        item("web_search_call", id="w1", action={"type": "search", "query": "hosted"}),
        item("image_generation_call", id="g1", status="completed", revised_prompt="a cat", result="AAAA"),
        completed("ImageGeneration", id="g1", status="completed", revised_prompt="a cat", result="AAAA", saved_path="/w/x.png"),
        completed("DynamicToolCall", id="d1", namespace="ns", tool="do", arguments={"a": 1}, contentItems=[{"type": "inputText", "text": "done"}]),
        completed("FunctionCallOutput", id="f1", call_id="d2", output="late"),
        completed("HookPrompt", fragments=[{"text": "the hook says", "hookRunId": "h"}]),
        completed("EnteredReviewMode", review={"target": {}, "user_facing_hint": "current changes"}),
        completed("ImageView", path="/w/x.png"),
    ]  # fmt: skip
    events, problems = read(reader_of("codex"), [lines(*records)])
    assert problems == []
    assert brief(events) == [
        ("call", "web.search"), ("result", "found"), ("call", "web_search"), ("call", "image_generation"),
        ("result", "[image: /w/x.png]"), ("call", "ns.do"), ("result", "done"), ("result", "late"),
        ("info", "the hook says"), ("info", "current changes"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        event("collab_agent_spawn_end", call_id="c1", new_thread_id="child"),
        event(
            "sub_agent_activity", event_id="c1", agent_thread_id="child", agent_path="/root/x", kind="started"
        ),
        completed(
            "CollabAgentToolCall", id="c1", tool="spawnAgent", receiverThreadIds=["child"], prompt="look"
        ),
        completed("SubAgentActivity", id="c1", kind="started", agentThreadId="child", agentPath="/root/x"),
    ],
)
def test_a_sub_agent_is_known_by_the_call_that_started_it(record: Json) -> None:
    reader = reader_of("codex")
    call = item("function_call", name="spawn_agent", call_id="c1", arguments="{}")
    told_first, _ = read(reader, [lines(call, record)])
    assert reader.started == {"child": "c1"}
    assert [one for one in brief(told_first) if one[0] == "call"] == [("call", "spawn_agent")]


def test_what_agents_do_later_starts_none() -> None:
    reader = reader_of("codex")
    later = [
        completed("CollabAgentToolCall", id="c2", tool="wait", receiverThreadIds=["child"]),
        event("sub_agent_activity", event_id="c3", agent_thread_id="child", kind="interacted"),
    ]
    read(reader, [lines(*later)])
    assert reader.started == {}


# --- How a call ended ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (completed("CommandExecution", command=["rm", "x"], status="declined"), ("exec_command", "[declined]")),
        (
            completed("CommandExecution", command=["rm", "x"], status="declined", aggregated_output="rejected by user"),
            ("exec_command", "rejected by user\n[declined]"),
        ),
        (completed("FileChange", changes=CHANGES, status="declined", stderr="no"), ("apply_patch", "no\n[declined]")),
        (completed("DynamicToolCall", tool="do", status="failed", success=False), ("do", "[failed]")),
        (
            completed("McpToolCall", server="gh", tool="list", status="failed", error={"message": "user cancelled MCP tool call"}),
            ("gh.list", "user cancelled MCP tool call"),
        ),
    ],
)  # fmt: skip
def test_a_call_that_the_user_refused_or_that_failed_shows_it(
    record: Json, expected: tuple[str, str]
) -> None:
    assert calls_and_results(record) == [expected]


@pytest.mark.parametrize(
    "output",
    [
        "Exit code: 3\nWall time: 0.1 seconds\nOutput:\nno such file",
        '{"output": "no such file", "metadata": {"exit_code": 3, "duration_seconds": 0.1}}',
        "Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 3\nOutput:\nno such file",
    ],
)
def test_the_exit_code_of_a_failure_is_shown_in_every_version(output: str) -> None:
    call = item("function_call", name="shell", call_id="c1", arguments="{}")
    ended = item("function_call_output", call_id="c1", output=output)
    assert calls_and_results(call, ended) == [("shell", "no such file\n[exit code 3]")]


# --- What a terminal ran -------------------------------------------------------------------------------


def user_ran(command: str, output: str) -> list[Json]:
    """A command that the user ran (`!ls`), in the records that can hold it."""
    text = (
        f"<user_shell_command>\n<command>\n{command}\n</command>\n<result>\nExit code: 1\nDuration: 0.1 seconds\n"
        f"Output:\n{output}\n</result>\n</user_shell_command>"
    )
    ran = {
        "command": ["/bin/bash", "-lc", command],
        "source": "user_shell",
        "aggregated_output": output,
        "exit_code": 1,
    }
    return [
        user_item(text),
        completed("CommandExecution", **ran),
        event("exec_command_end", call_id="c9", **ran),
    ]


def test_a_command_that_the_user_ran_is_a_call_of_the_user_in_whatever_records_it_stands() -> None:
    records = user_ran("grep -r x", "a.py")
    expected = [("call", "user_shell"), ("result", "a.py\n[exit code 1]")]
    for some in (records, records[::-1], *([record] for record in records)):
        events, _ = read(reader_of("codex"), [lines(event("task_started", turn_id="t1"), *some)])
        assert brief(events) == expected
        assert isinstance(events[0], ToolCall)
        assert events[0].input == {"command": "grep -r x"}


def test_a_command_in_a_users_shell_runs_nothing() -> None:
    events, _ = read(reader_of("codex"), [lines(*user_ran("cat x\n::stop", "x\n::capture evil.md\ny"))])
    assert runs(events) == []
    assert {kind for kind, _ in brief(events)} == {"call", "result"}


def test_what_was_typed_into_a_terminal_is_shown_and_a_poll_is_not() -> None:
    head = "Chunk ID: a1\nWall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n"
    typed = completed(
        "CommandExecution", id="c3", source="unified_exec_interaction", interaction_input="y\n", exit_code=0
    )
    assert brief_of(typed) == [("call", "write_stdin"), ("result", "")]
    records = [
        item("function_call", name="exec_command", arguments='{"cmd": "make"}', call_id="c1"),
        item("function_call_output", call_id="c1", output=head),
        item("function_call", name="write_stdin", arguments='{"session_id": 7}', call_id="c2"),
        completed("CommandExecution", id="c2", source="unified_exec_interaction", exit_code=0),
        completed("CommandExecution", id="c1", command=["make"], aggregated_output="built\n", exit_code=0),
    ]
    assert brief_of(*records) == [("call", "exec_command"), ("result", "built\n")]


# --- Data and names ------------------------------------------------------------------------------------


def test_no_data_of_a_tools_result_is_kept() -> None:
    data = "QUJD" * 2000
    contents: list[list[Json]] = [
        [{"type": "image", "data": data, "mimeType": "image/png"}],
        [{"type": "audio", "data": data, "mimeType": "audio/wav"}],
        [{"type": "resource", "resource": {"uri": "file:///x", "blob": data}}],
        [{"type": "inputImage", "imageUrl": f"data:image/png;base64,{data}"}],
        [{"type": "input_audio", "audio_url": f"data:audio/wav;base64,{data}"}],
        [{"type": "encrypted_content", "encrypted_content": data}],
    ]
    for content in contents:
        for record in (
            completed(
                "McpToolCall", tool="t", result={"content": [*content, {"type": "text", "text": "words"}]}
            ),
            completed(
                "DynamicToolCall", tool="t", contentItems=[*content, {"type": "inputText", "text": "words"}]
            ),
            item(
                "function_call_output",
                call_id="c",
                output=[*content, {"type": "input_text", "text": "words"}],
            ),
        ):
            events, problems = read(reader_of("codex"), [lines(record)])
            result = brief(events)[-1][1]
            assert result.endswith("words")
            assert len(result) < 200, record
            assert problems == []


def test_a_tool_in_a_namespace_is_named_with_it() -> None:
    call = item("function_call", namespace="mcp__github__", name="list_issues", call_id="c1", arguments="{}")
    ended = completed("McpToolCall", id="c1", server="github", tool="list_issues", result={"content": []})
    assert brief_of(call, ended) == [("call", "github.list_issues"), ("result", "")]


def test_a_question_in_a_namespace_comes_with_the_answer() -> None:
    asked = '{"questions": [{"id": "q", "question": "Which?"}]}'
    call = item("function_call", namespace="ui", name="request_user_input", call_id="c1", arguments=asked)
    answer = item("function_call_output", call_id="c1", output='{"answers": {"q": {"answers": ["B"]}}}')
    assert brief_of(call, answer)[-1] == ("decision", "B")


def test_a_picture_that_was_made_is_named_and_a_pause_is_not_a_call() -> None:
    drawn = [("call", "image_generation"), ("result", "[image: /w/x.png]")]
    made = {
        "id": "g1",
        "status": "completed",
        "revised_prompt": "a cat",
        "result": "QUJD",
        "saved_path": "/w/x.png",
    }
    extension = completed("Extension", kind="image_gen.generation", **made)
    old = event("image_generation_end", call_id="g1", **made)
    call = item("image_generation_call", id="g1", revised_prompt="a cat", result="QUJD")
    for records in (
        [extension],
        [old],
        [old, call],
        [call, old],
        [call, completed("ImageGeneration", **made)],
    ):
        assert brief_of(*records) == drawn
    assert brief_of(completed("Extension", kind="clock.sleep", duration_ms=5)) == []
