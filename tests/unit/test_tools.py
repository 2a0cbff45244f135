"""What tool calls did, as each assistant writes them, and how they are shown."""

from typing import Any

import pytest

from kato.notes import summary, tool_blocks
from kato.notes.tools import (
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
    action_of,
    lines_changed,
)

PATCH = """*** Begin Patch
*** Update File: src/a.py
@@
-old
+new
+more
*** Add File: src/b.py
+first
+second
*** Delete File: src/c.py
*** End Patch"""

CALLS: list[tuple[str, dict[str, Any], Action]] = [
    # Claude Code
    ("Edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"}, Edit("a.py", (Change("x", "y"),))),
    (
        "MultiEdit",
        {
            "file_path": "a.py",
            "edits": [{"old_string": "x", "new_string": "y"}, {"old_string": "p", "new_string": ""}],
        },
        Edit("a.py", (Change("x", "y"), Change("p", ""))),
    ),
    ("Write", {"file_path": "a.py", "content": "x"}, NewFile("a.py", "x")),
    ("Bash", {"command": "ls", "description": "List"}, Command("ls", "List")),
    ("Read", {"file_path": "a.py"}, Read("a.py")),
    ("Read", {"file_path": "a.py", "offset": 10, "limit": 5}, Read("a.py", 10, 14)),
    ("Read", {"file_path": "a.py", "limit": 5}, Read("a.py", 1, 5)),
    ("Grep", {"pattern": "x", "path": "src"}, Search("x", "src")),
    ("Glob", {"pattern": "*.py"}, Search("*.py")),
    ("WebFetch", {"url": "https://example.org", "prompt": "p"}, Fetch("https://example.org")),
    ("WebSearch", {"query": "q"}, Fetch("q", is_search=True)),
    ("Task", {"description": "Look", "prompt": "Find it.", "subagent_type": "x"}, Agent("Look", "Find it.")),
    (
        "TodoWrite",
        {"todos": [{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]},
        Todo((Item("a", is_done=True), Item("b", is_active=True))),
    ),
    ("AskUserQuestion", {"questions": [{"question": "Which?"}]}, Question("Which?")),
    ("ExitPlanMode", {"plan": "# Plan"}, Plan("# Plan")),
    # Codex
    ("exec_command", {"cmd": "ls -l"}, Command("ls -l")),
    ("shell", {"command": ["bash", "-lc", "ls | wc"]}, Command("ls | wc")),
    ("shell", {"command": ["rg", "a b", "src"]}, Command("rg 'a b' src")),
    (
        "apply_patch",
        {"input": PATCH},
        Patch(
            (
                Edit("src/a.py", diff="@@\n-old\n+new\n+more"),
                NewFile("src/b.py", "first\nsecond\n"),
                Deleted("src/c.py"),
            )
        ),
    ),
    ("update_plan", {"plan": [{"step": "a", "status": "pending"}]}, Todo((Item("a"),))),
    # Gemini CLI
    ("replace", {"file_path": "a", "old_string": "x", "new_string": "y"}, Edit("a", (Change("x", "y"),))),
    ("run_shell_command", {"command": "ls"}, Command("ls")),
    ("read_file", {"absolute_path": "/w/a"}, Read("/w/a")),
    ("google_web_search", {"query": "q"}, Fetch("q", is_search=True)),
    # Copilot
    (
        "replace_string_in_file",
        {"filePath": "a", "oldString": "x", "newString": "y"},
        Edit("a", (Change("x", "y"),)),
    ),
    ("create_file", {"filePath": "a", "content": "x"}, NewFile("a", "x")),
    ("read_file", {"filePath": "a", "startLine": 1, "endLine": 9}, Read("a", 1, 9)),
    ("run_in_terminal", {"command": "ls", "explanation": "List"}, Command("ls", "List")),
    ("fetch_webpage", {"urls": ["https://example.org"]}, Fetch("https://example.org")),
    # What is not as expected is shown as it is.
    ("Edit", {"file_path": "a.py"}, Other("Edit", {"file_path": "a.py"})),
    ("Bash", {"command": 7}, Other("Bash", {"command": 7})),
    ("mcp__db__query", {"sql": "x"}, Other("mcp__db__query", {"sql": "x"})),
]


@pytest.mark.parametrize(
    ("name", "given", "wanted"), CALLS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_call_is_read_as_its_assistant_writes_it(name: str, given: dict[str, Any], wanted: Action) -> None:
    assert action_of(name, given) == wanted


def test_an_assistant_may_add_tools() -> None:
    assert action_of("peek", {"at": "a"}, {"peek": lambda given: Read(str(given["at"]))}) == Read("a")


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("a\nb\nc", "a\nx\nc", (1, 1)),
        ("a", "a\nb\n", (1, 0)),
        ("", "a\nb\n", (2, 0)),
        ("a\n", "", (0, 1)),
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
        "<summary>Edited 1 file (+2 −1), created 1 file (+2), read 2 files, ran 2 commands (1 failed, 1 denied), "
        "made 2 searches, fetched 1 page, made 1 web search, started 1 sub-agent, asked 1 question, updated the to-do list, "
        "used 1 other tool</summary>"
    )
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- Edited `a.py` (+1 −1)",
        "- Edited `a.py` (+1)",
        "- Created `b.py` (+2)",
        "- Read `c.py`, lines 5–9",
        "- Read `/etc/hosts`",
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


RESULT = tool_blocks.Result
BLOCKS: list[tuple[Action, tool_blocks.Result, str]] = [
    (
        Edit("/w/a.py", (Change("a\nb\nc", "a\nx\nc"),)),
        RESULT("The file was updated."),
        "Edited a.py (+1 −1)|```diff\n--- a.py\n+++ a.py\n@@\n a\n-b\n+x\n c\n```",
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


def test_a_long_output_shows_its_head_and_its_tail() -> None:
    output = "\n".join(f"line {number}" for number in range(1, 101))
    text = tool_blocks.block(Command("x"), RESULT(output), tool_blocks.Style(lines_max=6))
    assert "line 4\n… 94 lines omitted …\nline 99\nline 100\n```" in text
    assert "line 5\n" not in text
