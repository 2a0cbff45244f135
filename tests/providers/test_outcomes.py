"""How tool calls ended and which model made them, as each assistant's log says it."""

from typing import Any

import pytest
from msgspec import UNSET

from kato.core.events import ToolCall, ToolResult
from providers.codex_records import completed, event, item, line
from providers.reading import Json, lines, read, reader_of

AT = "2026-05-01T10:00:00.000Z"
Ending = tuple[str | None, int | None]


def ended(provider: str, *records: Json, document: bool = False) -> list[Ending]:
    """Outcome and exit code of each result."""
    events, _ = read(reader_of(provider, document=document), [lines(*records)])
    return [
        (None if one.outcome is UNSET else one.outcome, None if one.exit_code is UNSET else one.exit_code)
        for one in events
        if isinstance(one, ToolResult)
    ]


def models(provider: str, *records: Json, document: bool = False) -> list[str | None]:
    """The model of each call."""
    events, _ = read(reader_of(provider, document=document), [lines(*records)])
    return [None if one.model is UNSET else one.model for one in events if isinstance(one, ToolCall)]


# --- Claude Code ----------------------------------------------------------------------------------------


def claude(kind: str, *blocks: Json, **fields: Any) -> Json:
    message = {"role": kind, "content": list(blocks), "id": "m1", "model": "claude-x"}
    return {"type": kind, "uuid": f"{kind}1", "timestamp": AT, "sessionId": "s", "message": message} | fields


def claude_call(name: str) -> Json:
    return claude("assistant", {"type": "tool_use", "id": "t", "name": name, "input": {}})


def claude_result(text: str, *, error: bool | None = None, **fields: Any) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": "t", "content": text}
    return claude("user", block if error is None else block | {"is_error": error}, **fields)


@pytest.mark.parametrize(
    ("tool", "result", "ending"),
    [
        ("Bash", claude_result("a.py", error=False), ("ok", None)),
        ("Read", claude_result("1→x"), ("ok", None)),
        ("Bash", claude_result("Exit code 2\nno such file", error=True), ("error", 2)),
        ("Bash", claude_result("Exit code 127", error=True), ("error", 127)),
        ("Bash", claude_result("Exit code 2 is what it gave", error=False), ("ok", None)),
        ("mcp__x", claude_result("Exit code 2\nno", error=True), ("error", None)),
        ("Read", claude_result("File does not exist.", error=True), ("error", None)),
        ("Bash", claude_result("", toolDenialKind="permission-rule"), ("denied", None)),
        ("Bash", claude_result("No.", error=True, toolDenialKind="user-rejected"), ("denied", None)),
        ("Edit", claude_result("The user doesn't want to proceed with this tool use. The tool use was …", error=True), ("denied", None)),
        ("Bash", claude_result("Permission to use Bash with command rm -rf x has been denied.", error=True), ("denied", None)),
        ("Write", claude_result("Claude requested permissions to write to /w/a, but you haven't granted it yet.", error=True), ("denied", None)),
        ("Bash", claude_result("PreToolUse:Bash hook error: [check.sh]: blocked", error=True), ("denied", None)),
        ("Bash", claude_result("PreToolUse:Bash hook error: [check.sh]: blocked"), ("ok", None)),
    ],
)  # fmt: skip
def test_claude_says_how_a_call_ended(tool: str, result: Json, ending: Ending) -> None:
    assert ended("claude", claude_call(tool), result) == [ending]


@pytest.mark.parametrize(
    ("block", "ending"),
    [
        ({"type": "web_search_tool_result", "content": [{"type": "web_search_result", "title": "x"}]}, ("ok", None)),
        ({"type": "web_search_tool_result", "content": {"type": "web_search_tool_result_error", "error_code": "x"}}, ("error", None)),
        ({"type": "mcp_tool_result", "is_error": True, "content": "x"}, ("error", None)),
    ],
)  # fmt: skip
def test_a_tool_of_the_api_says_how_its_call_ended(block: Json, ending: Ending) -> None:
    assert ended("claude", claude("assistant", block | {"tool_use_id": "t"})) == [ending]


def test_claude_names_the_model_of_a_call() -> None:
    assert models("claude", claude_call("Read")) == ["claude-x"]


# --- Codex ----------------------------------------------------------------------------------------------


def header(code: int, body: str) -> str:
    return f"Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n{body}"


@pytest.mark.parametrize(
    ("record", "ending"),
    [
        (item("function_call_output", call_id="c", output=header(0, "x")), ("ok", 0)),
        (item("function_call_output", call_id="c", output=header(3, "x")), ("error", 3)),
        (item("function_call_output", call_id="c", output="Exit code: 1\nWall time: 1 s\nOutput:\nx"), ("error", 1)),
        (item("function_call_output", call_id="c", output='{"output": "x", "metadata": {"exit_code": 2}}'), ("error", 2)),
        (item("function_call_output", call_id="c", output='{"output": "x", "metadata": {"exit_code": 0}}'), ("ok", 0)),
        (item("function_call_output", call_id="c", output="exec command rejected by user"), ("denied", None)),
        (item("custom_tool_call_output", call_id="c", output="patch rejected by user"), ("denied", None)),
        (item("function_call_output", call_id="c", output={"content": "x", "success": False}), ("error", None)),
        (item("function_call_output", call_id="c", output="Process exited with code 3"), (None, None)),
        (event("exec_command_end", call_id="c", aggregated_output="x", exit_code=0), ("ok", 0)),
        (event("exec_command_end", call_id="c", aggregated_output="x", exit_code=-1, status="declined"), ("denied", None)),
        (event("exec_command_end", call_id="c", aggregated_output="x", exit_code=1, source="user_shell", command=["ls"]), ("error", 1)),
        (completed("CommandExecution", command=["ls"], aggregatedOutput="x", exitCode=4, status="failed"), ("error", 4)),
        (completed("FileChange", changes={"/w/a": {"type": "add", "content": "x"}}, status="failed", stderr="no"), ("error", None)),
        (completed("FileChange", changes={"/w/a": {"type": "add", "content": "x"}}, status="declined"), ("denied", None)),
        (event("patch_apply_end", call_id="c", changes={}, success=True, stdout="done"), ("ok", None)),
        (event("patch_apply_end", call_id="c", changes={}, success=False, stderr="no"), ("error", None)),
        (event("mcp_tool_call_end", call_id="c", invocation={}, result={"Err": "gone"}), ("error", None)),
        (event("mcp_tool_call_end", call_id="c", invocation={}, result={"Ok": {"content": [], "isError": True}}), ("error", None)),
        (event("mcp_tool_call_end", call_id="c", invocation={}, result={"Ok": {"content": []}}), ("ok", None)),
        (completed("McpToolCall", status="failed", error={"message": "gone"}), ("error", None)),
        (event("dynamic_tool_call_response", call_id="c", tool="x", success=False), ("error", None)),
        ({"timestamp": AT, "type": "tool_result", "name": "ls", "result": {"exit_code": 1}}, ("error", 1)),
    ],
)  # fmt: skip
def test_codex_says_how_a_call_ended(record: Json, ending: Ending) -> None:
    assert ended("codex", record) == [ending]


def test_a_polled_command_ends_as_its_last_poll_says() -> None:
    running = "Chunk ID: a1\nWall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\none\n"
    records = [
        item("function_call", name="exec_command", arguments='{"cmd": "make"}', call_id="c1"),
        item("function_call_output", call_id="c1", output=running),
        item("function_call", name="write_stdin", arguments='{"session_id": 7, "chars": ""}', call_id="c2"),
        item("function_call_output", call_id="c2", output=header(2, "two\n")),
    ]
    assert ended("codex", *records) == [("error", 2)]


def test_codex_names_the_model_of_the_turn() -> None:
    call = item("function_call", call_id="c", name="exec_command", arguments="{}")
    first = {"timestamp": AT, "type": "tool_call", "name": "ls", "arguments": "{}"}
    context = line("turn_context", turn_id="t", model="gpt-x", cwd="/w")
    assert models("codex", context, call, event("web_search_end", call_id="w", query="q")) == ["gpt-x"] * 2
    assert models("codex", context, first) == ["gpt-x"]
    assert models("codex", call) == [None]


# --- Gemini CLI -----------------------------------------------------------------------------------------


def gemini(name: str, output: Json, status: str) -> Json:
    response = {"functionResponse": {"id": "c", "name": name, "response": output}}
    call = {"id": "c", "name": name, "args": {"command": "ls"}, "status": status, "result": [response]}
    return {
        "id": "m",
        "timestamp": AT,
        "type": "gemini",
        "content": "",
        "model": "gemini-x",
        "toolCalls": [call],
    }


FAILED = (
    "Command: ls\nOutput: Exit Code: 7\nError: (none)\nExit Code: 2\nSignal: (none)\nProcess Group PGID: 9"
)


@pytest.mark.parametrize(
    ("name", "output", "status", "ending"),
    [
        ("read_file", {"output": "x"}, "success", ("ok", None)),
        ("read_file", {"error": "gone"}, "error", ("error", None)),
        ("read_file", {"error": "[Operation Cancelled]"}, "cancelled", ("denied", None)),
        ("run_shell_command", {"output": "Output: x"}, "success", ("ok", None)),
        ("run_shell_command", {"output": FAILED}, "success", ("error", 2)),
        ("run_shell_command", {"output": "Output: x\nExit Code: 0"}, "success", ("ok", 0)),
        (
            "run_shell_command",
            {"output": f"<untrusted_context>\n{FAILED}\n</untrusted_context>"},
            "success",
            ("error", 2),
        ),
        ("run_shell_command", {"output": "Output: Exit Code: 7\nand more"}, "success", ("ok", None)),
        ("read_file", {"output": "Exit Code: 2"}, "success", ("ok", None)),
    ],
)
def test_gemini_says_how_a_call_ended(name: str, output: Json, status: str, ending: Ending) -> None:
    record = gemini(name, output, status)
    assert ended("gemini", record) == [ending]
    assert ended("gemini", {"sessionId": "s", "messages": [record]}, document=True) == [ending]
    assert models("gemini", record) == ["gemini-x"]


# --- Copilot --------------------------------------------------------------------------------------------


def copilot(kind: str, number: int, **data: Any) -> Json:
    return {"type": kind, "id": f"e{number}", "timestamp": AT, "data": data}


@pytest.mark.parametrize(
    ("tool", "data", "ending"),
    [
        (
            "bash",
            {"success": True, "result": {"content": "x\n<shellId: 0 completed with exit code 0>"}},
            ("ok", 0),
        ),
        ("bash", {"success": True, "result": {"content": "x\n<exited with exit code 3>"}}, ("error", 3)),
        ("grep", {"success": True, "result": {"content": "<exited with exit code 3>"}}, ("ok", None)),
        ("bash", {"success": False, "error": {"message": "gone"}}, ("error", None)),
        ("view", {"result": {"result_type": "success", "text_result_for_llm": "x"}}, ("ok", None)),
        ("view", {"result": {"result_type": "denied", "text_result_for_llm": "x"}}, ("denied", None)),
        ("view", {"result": {"content": "x"}}, (None, None)),
    ],
)
def test_copilots_events_say_how_a_call_ended(tool: str, data: Json, ending: Ending) -> None:
    call = copilot("tool.execution_start", 1, toolCallId="c", toolName=tool, arguments={})
    assert ended("copilot", call, copilot("tool.execution_complete", 2, toolCallId="c", **data)) == [ending]


def test_a_call_that_copilot_denied_did_not_run() -> None:
    call = copilot("tool.execution_start", 1, toolCallId="c", toolName="bash", arguments={})
    denied = copilot("permission.completed", 2, toolCallId="c", result={"kind": "denied-by-rules"})
    assert ended("copilot", call, denied) == [("denied", None)]


def test_copilots_events_name_the_model_of_a_call() -> None:
    asked = [{"toolCallId": "c", "name": "bash", "arguments": "{}"}]
    changed = copilot("session.model_change", 1, newModel="gpt-x")
    assert models("copilot", changed, copilot("assistant.message", 2, content="", toolRequests=asked)) == [
        "gpt-x"
    ]
    message = copilot("assistant.message", 2, content="", model="gpt-y", toolRequests=asked)
    assert models("copilot", changed, message) == ["gpt-y"]


def state(**fields: Any) -> Json:
    part = {
        "kind": "toolInvocationSerialized",
        "toolCallId": "c",
        "toolId": "copilot_x",
        "isComplete": True,
    } | fields
    request = {
        "requestId": "r",
        "timestamp": 1,
        "message": {"text": "hi"},
        "modelId": "copilot/gpt-x",
        "response": [part],
    }
    return {"kind": 0, "v": {"sessionId": "s", "requests": [request | {"modelState": {"value": 1}}]}}


TERMINAL: Json = {
    "kind": "terminal",
    "commandLine": {"original": "ls"},
    "terminalCommandOutput": {"text": "x"},
}


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"toolSpecificData": TERMINAL | {"terminalCommandState": {"exitCode": 0}}}, ("ok", 0)),
        ({"toolSpecificData": TERMINAL | {"terminalCommandState": {"exitCode": 2}}}, ("error", 2)),
        ({"toolSpecificData": TERMINAL}, ("ok", None)),
        ({"resultError": "gone"}, ("error", None)),
        ({"isConfirmed": {"type": 0}}, ("denied", None)),
        ({"isConfirmed": {"type": 5}}, ("denied", None)),
        ({"isConfirmed": False}, ("denied", None)),
        ({"resultDetails": {"output": [{"value": "x"}], "isError": True}}, ("error", None)),
    ],
)
def test_copilots_state_says_how_a_call_ended(fields: Json, ending: Ending) -> None:
    assert ended("copilot", state(**fields)) == [ending]
    assert models("copilot", state(**fields)) == ["gpt-x"]


# --- All ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [True, 1.5, "x", "²", 1 << 32, None, [], {}])
def test_what_is_not_an_exit_code_is_absent(code: object) -> None:
    record = event("exec_command_end", call_id="c", aggregated_output="x", exit_code=code)
    assert ended("codex", record) == [(None, None)]
