"""What tool calls did, as each assistant writes them, and how they are shown."""

from typing import Any

import pytest

from kato.assistants import registry
from kato.core.actions import (
    Action,
    Agent,
    Change,
    Command,
    Deleted,
    Edit,
    Fetch,
    Item,
    NewFile,
    Other,
    Patch,
    Plan,
    Question,
    Read,
    Search,
    Todo,
    lines_changed,
)
from kato.core.tools import action_of
from kato.notes import summary, tool_blocks

PATCH = """*** Begin Patch
*** Update File: src/a.py
@@ -1 +1,2 @@
-old
+new
+more
*** Add File: src/b.py
+first
+second
*** Delete File: src/c.py
*** End Patch"""
APPLIED = """*** update: src/a.py
@@ -1 +1,2 @@
-old
+new
+more
*** add: src/b.py
first
second
*** delete: src/c.py
gone"""

PATCHED = Patch(
    (
        Edit("src/a.py", diff="@@ -1 +1,2 @@\n-old\n+new\n+more"),
        NewFile("src/b.py", "first\nsecond\n"),
        Deleted("src/c.py"),
    )
)
#: Without the table of an assistant.
ANY = ""
#: Assistant, names of tools, arguments, what the call did.
ROWS: list[tuple[str, str, dict[str, Any], Action]] = [
    # Claude Code
    ("claude", "Edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"}, Edit("a.py", (Change("x", "y"),))),
    ("claude", "MultiEdit", {"file_path": "a.py", "edits": [{"old_string": "x", "new_string": "y"}, {"old_string": "p", "new_string": ""}]}, Edit("a.py", (Change("x", "y"), Change("p", "")))),
    ("claude", "NotebookEdit", {"notebook_path": "a.ipynb", "cell_id": "1", "new_source": "x"}, Edit("a.ipynb", (Change("", "x"),))),
    ("claude", "Write", {"file_path": "a.py", "content": "x"}, NewFile("a.py", "x")),
    ("claude", "Bash", {"command": "ls", "description": "List"}, Command("ls", "List")),
    ("claude", "Monitor", {"command": "tail -f log", "description": "Watch"}, Command("tail -f log", "Watch")),
    ("claude", "Read", {"file_path": "a.py"}, Read("a.py")),
    ("claude", "Read", {"file_path": "a.py", "offset": 10, "limit": 5}, Read("a.py", 10, 14)),
    ("claude", "Read", {"file_path": "a.py", "limit": 5}, Read("a.py", 1, 5)),
    ("claude", "LS", {"path": "/w"}, Read("/w", is_folder=True)),
    ("claude", "NotebookRead", {"notebook_path": "a.ipynb"}, Read("a.ipynb")),
    ("claude", "Grep", {"pattern": "x", "path": "src"}, Search("x", "src")),
    ("claude", "Glob", {"pattern": "*.py"}, Search("*.py")),
    ("claude", "WebFetch", {"url": "https://example.org", "prompt": "p"}, Fetch("https://example.org")),
    ("claude", "WebSearch", {"query": "q"}, Fetch("q", is_search=True)),
    ("claude", "Task", {"description": "Look", "prompt": "Find it.", "subagent_type": "x"}, Agent("Look", "Find it.")),
    ("claude", "Agent", {"description": "Look", "name": "al", "prompt": "Find it."}, Agent("Look", "Find it.")),
    ("claude", "TodoWrite", {"todos": [{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]}, Todo((Item("a", is_done=True), Item("b", is_active=True)))),
    ("claude", "AskUserQuestion", {"questions": [{"question": "Which?"}]}, Question("Which?")),
    ("claude", "ExitPlanMode", {"plan": "# Plan"}, Plan("# Plan")),
    ("claude", "TaskCreate", {"subject": "Port it", "description": "All"}, Other("TaskCreate", {"subject": "Port it", "description": "All"}, "Port it")),
    ("claude", "TaskUpdate", {"taskId": "2", "status": "completed"}, Other("TaskUpdate", {"taskId": "2", "status": "completed"}, "#2 completed")),
    ("claude", "Skill", {"skill": "review"}, Other("Skill", {"skill": "review"}, "review")),
    ("claude", "SendMessage", {"to": "al", "summary": "Go on"}, Other("SendMessage", {"to": "al", "summary": "Go on"}, "Go on")),
    ("claude", "BashOutput", {"bash_id": "1"}, Other("BashOutput", {"bash_id": "1"}, is_minor=True)),
    ("claude", "ToolSearch", {"query": "x"}, Other("ToolSearch", {"query": "x"}, is_minor=True)),
    # Codex
    ("codex", "exec_command shell_command container.exec unified_exec", {"cmd": "ls -l", "workdir": "/w"}, Command("ls -l")),
    ("codex", "shell", {"command": ["bash", "-lc", "ls | wc"]}, Command("ls | wc")),
    ("codex", "shell", {"command": ["rg", "a b", "src"]}, Command("rg 'a b' src")),
    ("codex", "local_shell", {"type": "exec", "command": ["ls"]}, Command("ls")),
    ("codex", "exec js_repl", {"input": "await tools.exec_command({})"}, Command("await tools.exec_command({})")),
    ("codex", "user_shell", {"command": "ls"}, Command("ls", is_users=True)),
    ("codex", "write_stdin", {"session_id": 7, "chars": "\x03"}, Other("write_stdin", {"session_id": 7, "chars": "\x03"}, r"\x03")),
    ("codex", "apply_patch", {"input": PATCH}, PATCHED),
    ("codex", "apply_patch", {"patch": APPLIED}, PATCHED),
    ("codex", "update_plan", {"plan": [{"step": "a", "status": "pending"}]}, Todo((Item("a"),))),
    ("codex", "web_search", {"query": "q"}, Fetch("q", is_search=True)),
    ("codex", "web_search", {"query": "https://example.org/a"}, Fetch("https://example.org/a")),
    ("codex", "web.search", {"query": "q"}, Fetch("q", is_search=True)),
    ("codex", "spawn_agent spawnAgent", {"agent_type": "explorer", "message": "\nFind it.\nAll."}, Agent("Find it.", "\nFind it.\nAll.")),
    ("codex", "request_user_input", {"questions": [{"id": "q", "question": "Which?"}]}, Question("Which?")),
    ("codex", "grep_files", {"pattern": "x", "include": "*.py", "path": "src"}, Search("x", "src")),
    ("codex", "view_image", {"path": "a.png"}, Read("a.png")),
    ("codex", "wait_agent", {"targets": ["x"]}, Other("wait_agent", {"targets": ["x"]}, is_minor=True)),
    # Gemini CLI
    ("gemini", "replace", {"file_path": "a", "old_string": "x", "new_string": "y", "instruction": "i"}, Edit("a", (Change("x", "y"),))),
    ("gemini", "write_file", {"file_path": "a", "content": "x"}, NewFile("a", "x")),
    ("gemini", "run_shell_command", {"command": "ls", "description": "List"}, Command("ls", "List")),
    ("gemini", "user_shell", {"command": "ls"}, Command("ls", is_users=True)),
    ("gemini", "read_file", {"absolute_path": "/w/a"}, Read("/w/a")),
    ("gemini", "read_file", {"absolute_path": "/w/a", "offset": 0, "limit": 5}, Read("/w/a", 1, 5)),
    ("gemini", "read_file", {"file_path": "a", "start_line": 3, "end_line": 9}, Read("a", 3, 9)),
    ("gemini", "read_many_files", {"include": ["a", "b"]}, Read("a, b")),
    ("gemini", "list_directory", {"dir_path": "/w"}, Read("/w", is_folder=True)),
    ("gemini", "grep_search", {"pattern": "x", "dir_path": "src"}, Search("x", "src")),
    ("gemini", "google_web_search", {"query": "q"}, Fetch("q", is_search=True)),
    ("gemini", "web_fetch", {"prompt": "Sum up https://example.org/a, briefly"}, Fetch("https://example.org/a")),
    ("gemini", "write_todos", {"todos": [{"description": "a", "status": "completed"}]}, Todo((Item("a", is_done=True),))),
    ("gemini", "invoke_agent delegate_to_agent", {"agent_name": "explore", "prompt": "Find it."}, Agent("Find it.", "Find it.")),
    ("gemini", "codebase_investigator cli_help", {"objective": "Find it."}, Agent("Find it.", "Find it.")),
    ("gemini", "exit_plan_mode", {"plan_path": "/w/p.md"}, Plan("")),
    ("gemini", "save_memory", {"fact": "It is blue"}, Other("save_memory", {"fact": "It is blue"}, "It is blue")),
    # Copilot in VS Code
    ("copilot", "replace_string_in_file", {"filePath": "a", "oldString": "x", "newString": "y"}, Edit("a", (Change("x", "y"),))),
    ("copilot", "multi_replace_string_in_file", {"explanation": "e", "replacements": [{"filePath": "a", "oldString": "x", "newString": "y"}, {"filePath": "b", "oldString": "p", "newString": "q"}]}, Patch((Edit("a", (Change("x", "y"),)), Edit("b", (Change("p", "q"),))))),
    ("copilot", "insert_edit_into_file", {"filePath": "a", "code": "x"}, Edit("a", (Change("", "x"),))),
    ("copilot", "edit_notebook_file", {"filePath": "a.ipynb", "newCode": "x"}, Edit("a.ipynb", (Change("", "x"),))),
    ("copilot", "edit", {"file_path": "/w/a.py", "edits": [{"lines": "1-1", "text": "x"}]}, Edit("/w/a.py", (Change("", "x"),))),
    ("copilot", "edit", {"file_path": "/w/a.py", "added": 3, "removed": 1}, Edit("/w/a.py", counts=(3, 1))),
    ("copilot", "edit", {"file_path": "/w/a.py"}, Edit("/w/a.py")),
    ("copilot", "apply_patch", {"input": PATCH, "explanation": "e"}, PATCHED),
    ("copilot", "create_file", {"filePath": "a", "content": "x"}, NewFile("a", "x")),
    ("copilot", "read_file", {"filePath": "a", "startLine": 1, "endLine": 9}, Read("a", 1, 9)),
    ("copilot", "run_in_terminal create_and_run_task", {"command": "ls", "explanation": "List"}, Command("ls", "List")),
    ("copilot", "grep_search", {"query": "x", "isRegexp": False, "includePattern": "src/**"}, Search("x", "src/**")),
    ("copilot", "semantic_search test_search github_repo", {"query": "where"}, Search("where")),
    ("copilot", "list_code_usages vscode_listCodeUsages", {"symbolName": "f"}, Search("f")),
    ("copilot", "fetch_webpage", {"urls": ["https://example.org"]}, Fetch("https://example.org")),
    ("copilot", "open_simple_browser", {"url": "https://example.org"}, Fetch("https://example.org")),
    ("copilot", "manage_todo_list", {"todoList": [{"id": 1, "title": "a", "description": "b", "status": "not-started"}]}, Todo((Item("a"),))),
    ("copilot", "runSubagent", {"description": "Look", "prompt": "Find it."}, Agent("Look", "Find it.")),
    ("copilot", "vscode_askQuestions askQuestions", {"questions": [{"header": "Store", "question": "Which?"}]}, Question("Which?")),
    # Copilot CLI
    ("copilot", "bash", {"command": "ls", "description": "List", "initial_wait": 5}, Command("ls", "List")),
    ("copilot", "create", {"path": "a", "file_text": "x"}, NewFile("a", "x")),
    ("copilot", "edit", {"path": "a", "old_str": "x", "new_str": "y"}, Edit("a", (Change("x", "y"),))),
    ("copilot", "show_file", {"path": "a"}, Read("a")),
    ("copilot", "view", {"path": "a", "view_range": [3, 9]}, Read("a", 3, 9)),
    ("copilot", "view", {"path": "a", "view_range": [3, -1]}, Read("a", 3)),
    ("copilot", "task", {"agent_type": "explore", "description": "Look", "prompt": "Find it."}, Agent("Look", "Find it.")),
    ("copilot", "update_todo", {"todos": "- [x] a\n- [ ] b"}, Todo((Item("a", is_done=True), Item("b")))),
    ("copilot", "task_complete", {"summary": "Done."}, Other("task_complete", {"summary": "Done."}, "Done.")),
    ("copilot", "report_intent", {"intent": "Looking"}, Other("report_intent", {"intent": "Looking"}, is_minor=True)),
    # Command Code
    ("commandcode", "shell_command", {"command": "ls"}, Command("ls")),
    ("commandcode", "read_directory", {"path": "src"}, Read("src", is_folder=True)),
    ("commandcode", "read_multiple_files", {"paths": ["a", "b"]}, Read("a, b")),
    # What is not as expected is shown as it is.
    (ANY, "Edit", {"file_path": "a.py"}, Other("Edit", {"file_path": "a.py"})),
    (ANY, "Bash", {"command": 7}, Other("Bash", {"command": 7})),
    (ANY, "shell", {"command": []}, Other("shell", {"command": []})),
    (ANY, "apply_patch", {"input": "no patch"}, Other("apply_patch", {"input": "no patch"})),
    (ANY, "mcp__db__query", {"sql": "x"}, Other("mcp__db__query", {"sql": "x"})),
    (ANY, "user_shell", {"command": "ls"}, Other("user_shell", {"command": "ls"})),
]  # fmt: skip


CALLS = [(provider, name, given, wanted) for provider, names, given, wanted in ROWS for name in names.split()]


@pytest.mark.parametrize(
    ("provider", "name", "given", "wanted"), CALLS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_call_is_read_as_its_assistant_writes_it(
    provider: str, name: str, given: dict[str, Any], wanted: Action
) -> None:
    assert action_of(name, given, registry.tools(provider)) == wanted


def test_each_tool_of_an_assistant_has_a_row() -> None:
    rows = {(provider, name.lower()) for provider, name, _, _ in CALLS}
    tested = {
        (name, registry.tools(provider).get(name)) for provider, name in rows
    }  # a fork has its parent's tools
    for assistant in registry.ASSISTANTS:
        shown = [
            name
            for name, read in assistant.tools.items()
            if not isinstance(read({}), Other) and (name, read) not in tested
        ]
        assert [name for name in shown if (assistant.name, name) not in rows] == []


def test_an_assistant_may_add_tools() -> None:
    assert action_of("peek", {"at": "a"}, {"peek": lambda given: Read(str(given["at"]))}) == Read("a")


def test_an_unknown_tool_is_described_by_its_event() -> None:
    assert action_of("lookUp", {"id": 7}, about="Looked up 7") == Other("lookUp", {"id": 7}, "Looked up 7")


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("a\nb\nc", "a\nx\nc", (1, 1)),
        ("a", "a\nb\n", (1, 0)),
        ("", "a\nb\n", (2, 0)),
        ("", "a\nb", (2, 0)),
        ("", "\n", (1, 0)),
        ("a\n", "", (0, 1)),
        ("a", "b", (1, 1)),
        ("", "", (0, 0)),
        ("one\na\nb\ntwo", "ONE\na\nb\nTWO", (2, 2)),
        ("same", "same", (0, 0)),
    ],
)
def test_lines_are_counted_as_a_diff_counts_them(old: str, new: str, counts: tuple[int, int]) -> None:
    assert lines_changed(Edit("x", (Change(old, new),))) == counts


def shown(*actions: tuple[Action, dict[str, Any]]) -> str:
    all_done = [one for action, _ in actions for one in summary.done("c", action, "/w")]
    for one, (_, ended) in zip(all_done, actions, strict=False):
        one.outcome, one.exit_code = ended.get("outcome"), ended.get("exit_code")
    return summary.block(all_done, 0)


def test_the_first_line_of_a_summary_says_it_all() -> None:
    text = shown(
        (Edit("/w/a.py", (Change("x", "y"),)), {}),
        (Edit("/w/a.py", (Change("", "z\n"),)), {}),
        (NewFile("/w/b.py", "x\ny\n"), {}),
        (Read("/w/c.py", 5, 9), {}),
        (Read("/etc/hosts"), {}),
        (Read("/w/src", is_folder=True), {}),
        (Command("pytest -q"), {"outcome": "error", "exit_code": 1}),
        (Command("rm -rf /"), {"outcome": "denied"}),
        (Search("x", "/w/src"), {}),
        (Search("y"), {}),
        (Fetch("https://example.org"), {}),
        (Fetch("kato", is_search=True), {}),
        (Agent("Look around", "…"), {}),
        (Question("Which one?"), {}),
        (Todo((Item("a", is_done=True), Item("b"))), {}),
        (Todo((Item("a", is_done=True), Item("b", is_done=True))), {}),
        (Other("mcp__x", {"description": "About it"}), {}),
    )
    assert text.splitlines()[1] == (
        "<summary>Edited 1 file (+2 −1), created 1 file (+2), read 2 files, listed 1 folder, "
        "ran 2 commands (1 failed, 1 denied), "
        "made 2 searches, fetched 1 page, made 1 web search, started 1 sub-agent, asked 1 question, updated the to-do list, "
        "made 1 other call</summary>"
    )
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- Edited `a.py` (+1 −1)",
        "- Edited `a.py` (+1)",
        "- Created `b.py` (+2)",
        "- Read `c.py`, lines 5–9",
        "- Read `/etc/hosts`",
        "- Listed `src`",
        "- Ran `pytest -q` (exit 1)",
        "- Ran `rm -rf /` (denied)",
        "- Searched for `x` in `src`",
        "- Searched for `y`",
        "- Fetched `https://example.org`",
        "- Searched the web for `kato`",
        "- Sub-agent: `Look around`",
        "- Question: `Which one?`",
        "- To-do list: 2 of 2 done",
        "- Used `mcp__x`: `About it`",
    ]


def test_the_same_line_several_times_in_a_row_is_one() -> None:
    other = (Other("TaskUpdate", {"taskId": "1"}), dict[str, Any]())
    text = shown(other, other, (Command("ls"), {}), other)
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- Used `TaskUpdate` (2 times)",
        "- Ran `ls`",
        "- Used `TaskUpdate`",
    ]


def test_a_file_failed_if_no_call_to_it_went_well() -> None:
    failed = {"outcome": "error"}
    edits = [(Edit("a.py", (Change("x", "y"),)), failed), (Edit("a.py", (Change("p", "q"),)), {})]
    assert "<summary>Edited 1 file (+1 −1)</summary>" in shown(*edits)
    assert "<summary>Edited 2 files (+1 −1, 1 failed)</summary>" in shown(*edits, (Edit("b.py"), failed))
    reads = [(Read("a.py"), failed), (Read("a.py", 1, 5), failed)]
    assert "<summary>Read 1 file (1 failed)</summary>" in shown(*reads)


def test_a_command_of_the_users_is_not_the_assistants() -> None:
    text = shown((Command("ls", is_users=True), {"outcome": "error", "exit_code": 2}), (Command("make"), {}))
    assert "<summary>Ran 1 command, you ran 1 command (1 failed)</summary>" in text
    assert "- You ran `ls` (exit 2)\n" in text


def test_a_summary_leaves_out_what_a_reader_would_not_miss() -> None:
    assert shown((Other("ToolSearch", {}, is_minor=True), {})) == ""


RESULT = tool_blocks.Result
BLOCKS: list[tuple[Action, tool_blocks.Result, str]] = [
    (
        Edit("/w/a.py", (Change("a\nb\nc", "a\nx\nc"),)),
        RESULT("The file was updated."),
        "Edited a.py (+1 −1)|```diff\n--- a.py\n+++ a.py\n@@\n a\n-b\n+x\n c\n```",
    ),
    (
        Edit("/w/a.py", (Change("", "x\ny\n"), Change("z", ""), Change("a", "a"))),
        RESULT("The file was updated."),
        "Edited a.py (+2 −1)|```diff\n--- a.py\n+++ a.py\n@@\n+x\n+y\n@@\n-z\n```",
    ),
    (NewFile("/w/a.py", "x = 1\n"), RESULT("ok"), "Created a.py (+1)|```python\nx = 1\n```"),
    (Command("ls\npwd"), RESULT("out\n"), "Ran ls pwd|```console\n$ ls\n> pwd\nout\n```"),
    (
        Command("false"),
        RESULT("no", "error", 1),
        "Ran false (exit 1)|```console\n$ false\nno\n```",
    ),
    (
        Todo((Item("done", is_done=True), Item("now", is_active=True), Item("later"))),
        RESULT("ok"),
        "To-do list: 1 of 3 done|- [x] done\n- [ ] **now**\n- [ ] later",
    ),
    (Search("x", "/w/src"), RESULT("a.py:1"), "Searched for x in src|```\na.py:1\n```"),
    (
        Agent("Look", "Find <b>it"),
        RESULT("Found."),
        "Sub-agent: Look|Prompt:\n\n> Find <b>it\n> </b>\n\nAnswer:\n\n> Found.",
    ),
    (
        Other("query", {"sql": "a | b", "limit": 3}),
        RESULT("rows"),
        "query|| argument | value |\n| --- | --- |\n| `sql` | `a \\| b` |\n| `limit` | `3` |\n\n```\nrows\n```",
    ),
    (
        Other(
            "send",
            {"to": "al", "text": "Dear al,\n\n  come.\n", "copy": "Dear al,\n\n  come.\n", "empty": " "},
        ),
        RESULT("sent"),
        (
            "send|| argument | value |\n| --- | --- |\n| `to` | `al` |\n| `copy` | the same as `text` |\n| `empty` |  |\n\n"
            "`text`:\n\n```\nDear al,\n\n  come.\n```\n\n```\nsent\n```"
        ),
    ),
    (
        Other("plot", {"points": [{"x": 1000000, "y": 2000000, "name": "p" * 90}]}),
        RESULT("drawn"),
        'plot|`points`:\n\n```json\n[\n  {\n    "x": 1000000,\n    "y": 2000000,\n    "name": "'
        + "p" * 90
        + '"\n  }\n]\n```'
        "\n\n```\ndrawn\n```",
    ),
    (
        Command("screenshot"),
        RESULT("taken\n![image](talk.images/0f.png)"),
        "Ran screenshot|```console\n$ screenshot\ntaken\n```\n\n![image](talk.images/0f.png)",
    ),
    (Edit("/w/a.py", (Change("a", "b"),)), RESULT("no such text", "error"), "Edited a.py (+1 −1) (failed)|"),
]


@pytest.mark.parametrize(("action", "result", "wanted"), BLOCKS, ids=lambda value: type(value).__name__)
def test_a_call_in_full(action: Action, result: tool_blocks.Result, wanted: str) -> None:
    line, _, body = wanted.partition("|")
    text = tool_blocks.block(action, result, tool_blocks.Style(folder="/w"))
    assert text.startswith(f"<details>\n<summary>{line}</summary>\n\n{body}")
    assert text.endswith("\n\n</details>")
    if result.outcome == "error":
        assert result.text is not None
        assert result.text in text, "why it failed"


def test_what_has_nothing_to_unfold_is_a_line() -> None:
    style = tool_blocks.Style(folder="/w")
    assert (
        tool_blocks.block(Read("/w/my_file*.py", 1, 20), RESULT("text"), style)
        == r"*Read my\_file\*.py, lines 1–20*"
    )
    assert tool_blocks.block(Deleted("/w/a.py"), RESULT(), style) == "*Deleted a.py*"
    assert tool_blocks.block(Read("/w/src", is_folder=True), RESULT("a.py"), style) == "*Listed src*"
    assert tool_blocks.block(Edit("/w/a.py", counts=(3, 1)), RESULT(), style) == "*Edited a.py (+3 −1)*"


def test_a_long_output_shows_its_head_and_its_tail() -> None:
    output = "\n".join(f"line {number}" for number in range(1, 101))
    text = tool_blocks.block(Command("x"), RESULT(output), tool_blocks.Style(lines_max=6))
    assert "line 4\n… 94 lines omitted …\nline 99\nline 100\n```" in text
    assert "line 5\n" not in text
