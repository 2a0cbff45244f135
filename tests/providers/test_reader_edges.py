"""Values at the edges of the formats: companions, states that are changed in place, logs that are too large."""

from typing import Any

import orjson
import pytest

from kato.assistants.claude import CLAUDE, ClaudeReader
from kato.assistants.claude.tree import PromptTree
from kato.assistants.contract import LogFile, Surroundings
from kato.assistants.copilot import companions, mutations
from kato.assistants.gemini.tools import result_text
from kato.assistants.registry import ASSISTANTS
from kato.core import limits
from kato.core.actions import Deleted, Edit, NewFile, lines_changed
from kato.core.tools import action_of

PLACE = Surroundings({}, "/home/user", "linux", ("/work",))


@pytest.mark.parametrize(
    ("files", "cwd", "title"),
    [
        ({"workspace.yaml": b"cwd: /work\nname: 'Bob''s task'\n"}, "/work", "Bob's task"),
        ({"workspace.yaml": b'cwd: "/w\\u00e9"\nsummary: "a: b"\n'}, "/wé", "a: b"),
        ({"workspace.yaml": b'cwd: "/broken\\q"\nname: null\n'}, "/broken\\q", None),
        ({"workspace.yaml": b"name: |-\n  two\n  lines\ncwd: ~\n"}, None, "two lines"),
        ({"workspace.json": b'{"folder": "file:///work/my%20app"}'}, "/work/my app", None),
        ({"workspace.json": b'{"workspace": "file:///work/all.code-workspace"}'}, "/work", None),
        ({"workspace.json": b'{"workspace": "file:///elsewhere/all.code-workspace"}'}, None, None),
        ({"workspace.json": b"[1]"}, None, None),
        ({"workspace.json": b"{broken"}, None, None),
        ({}, None, None),
    ],
)
def test_a_companion_gives_the_folder_and_the_title(
    files: dict[str, bytes], cwd: str | None, title: str | None
) -> None:
    assert companions.about(files, PLACE) == (cwd, title)


@pytest.mark.parametrize(
    ("state", "path", "record", "after"),
    [
        ({}, ["a"], {"kind": 1, "v": 2}, {"a": 2}),
        ({"a": [1]}, ["a", 0], {"kind": 1, "v": 2}, {"a": [2]}),
        ({"a": [1]}, ["a", 1], {"kind": 1, "v": 2}, {"a": [1, 2]}),
        ({"a": [[1]]}, ["a", 0], {"kind": 2, "v": [2]}, {"a": [[1, 2]]}),
        ({"a": [1, 2]}, ["a", 0], {"kind": 3}, {"a": [2]}),
        ({"a": [1]}, ["a"], {"kind": 2, "v": [2, 3]}, {"a": [1, 2, 3]}),
        ({"a": 1}, ["a"], {"kind": 3}, {}),
        ({}, ["a", 1, "b"], {"kind": 1, "v": 2}, {"a": [{}, {"b": 2}]}),
    ],
)
def test_a_state_is_changed_in_place(state: Any, path: list[Any], record: dict[str, Any], after: Any) -> None:
    assert mutations.apply(state, path, record)
    assert state == after


@pytest.mark.parametrize(
    ("state", "path", "record"),
    [
        ([], ["a"], {"kind": 1, "v": 2}),
        ({"a": 1}, ["a", "b"], {"kind": 1, "v": 2}),
        ({"a": [1]}, ["a", 5], {"kind": 1, "v": 2}),
        ({"a": [1]}, ["a", 0], {"kind": 2, "v": [2]}),
        ({"a": [1]}, ["a", 0], {"kind": 9}),
        ({"a": [{}]}, ["a", "b", "c"], {"kind": 1, "v": 2}),
        ({"a": 1}, ["a"], {"kind": 9}),
    ],
)
def test_a_record_that_does_not_fit_the_state_leaves_it(
    state: Any, path: list[Any], record: dict[str, Any]
) -> None:
    before = orjson.dumps(state)
    assert not mutations.apply(state, path, record)
    assert orjson.loads(before) == orjson.loads(orjson.dumps(state))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"result": [{"functionResponse": {"response": {"output": "out"}}}]}, "out"),
        ({"result": [{"functionResponse": {"response": {"error": "bad"}}}]}, "bad"),
        ({"resultDisplay": "shown"}, "shown"),
        ({"status": "cancelled"}, "[Operation Cancelled]"),
        ({"status": "success"}, "success"),
        ({}, ""),
    ],
)
def test_what_a_gemini_call_gave_back(call: dict[str, Any], text: str) -> None:
    assert text in result_text(call)


def test_a_sub_agents_companion_gives_its_title_call_and_parent() -> None:
    meta = {"agentType": "Explore", "description": "Look", "toolUseId": "t1", "parentAgentId": "a0"}
    info = ClaudeReader(LogFile("agent-a1", parent_id="s"), orjson.dumps(meta)).info
    assert (info.title, info.parent_tool_call_id, info.parent_id) == ("Explore: Look", "t1", "agent-a0")


@pytest.mark.parametrize("record", [{"uuid": "a"}, {"parentUuid": 7, "uuid": "a"}])
def test_a_prompt_without_a_parent_is_not_a_rewind(record: dict[str, Any]) -> None:
    assert not PromptTree().is_rewind(record, "a")
    assert not PromptTree().is_rewind({"parentUuid": None}, None)


def test_a_log_for_which_there_is_no_room_is_reported_and_the_rest_is_read() -> None:
    codex = next(one for one in ASSISTANTS if one.name == "codex")
    log = codex.match(
        ("2026", "11", "26", "rollout-2026-11-26T10-00-00-00000000-0000-4000-8000-000000000001.jsonl")
    )
    assert log is not None
    reader = codex.reader(log, {}, PLACE)
    reader.has_room = lambda size: size < limits.MIB
    large = orjson.dumps(
        {"type": "response_item", "payload": {"type": "message", "text": "x" * 3 * limits.MIB}}
    )
    problems = [one.kind for one in reader.feed(large + b"\n" + b'{"type": "x"}\n').problems]
    assert "oversize_line" in problems


def test_a_document_that_is_too_long_or_for_which_there_is_no_room_is_reported() -> None:
    gemini = next(one for one in ASSISTANTS if one.name == "gemini")
    log = gemini.match(("hash", "chats", "session-2026-01-01T00-00-abcdef12.json"))
    assert log is not None
    reader = gemini.reader(log, {}, PLACE)
    piece = b" " * limits.MIB
    kinds = {one.kind for _ in range(33) for one in reader.feed(piece).problems}
    assert kinds == {"oversize_line"}
    reader = gemini.reader(log, {}, PLACE)
    reader.has_room = lambda _: False
    reader.feed(b'{"messages": []}' + b" " * limits.MIB)
    assert [one.kind for one in reader.settle().problems] == ["oversize_line"]


def test_editors_and_lists_of_to_dos_are_read() -> None:
    assert action_of("str_replace_editor", {"command": "view", "path": "a"}).path == "a"  # type: ignore[union-attr]
    assert action_of("str_replace_editor", {"command": "create", "path": "a", "file_text": "x"}) == NewFile(
        "a", "x"
    )
    edit = action_of(
        "str_replace_editor", {"command": "str_replace", "path": "a", "old_str": "x", "new_str": "y"}
    )
    assert isinstance(edit, Edit)
    assert type(action_of("Edit", {"edits": [7, {"new_string": "x"}]})).__name__ == "Other"
    assert type(action_of("TodoWrite", {"todos": [7, {"status": "done"}]})).__name__ == "Other"
    assert lines_changed(Deleted("a")) == (0, 0)
    assert lines_changed(Edit("a", diff="--- a\n+++ a\n@@\n-x\n+y\n+z")) == (2, 1)
    assert lines_changed(Edit("a", counts=(4, 5))) == (4, 5)


def test_a_record_over_several_lines_for_which_there_is_no_room_is_reported() -> None:
    opened = b'{"type": "user", "message": {"content": "' + b"one " * limits.MIB + b"\n"
    reader = ClaudeReader(LogFile("s"))
    reader.feed(opened)
    reader.has_room = lambda _: False
    assert [one.kind for one in reader.feed(b'two"}}\n').problems] == ["oversize_line"]


def test_a_record_over_several_lines_that_is_damaged_is_reported() -> None:
    reader = ClaudeReader(LogFile("s"))
    reader.feed(b'{"type": "user", "message": {"content": "one\n')
    assert {one.kind for one in reader.feed(b'two" oops\n').problems} == {"broken_line"}


def test_the_desktop_apps_title_is_taken_when_it_changes() -> None:
    reader = CLAUDE.reader(LogFile("s"), {"local_1.json": b'{"title": "First", "cwd": "/w"}'}, PLACE)
    assert (reader.info.title, reader.info.cwd) == ("First", "/w")
    reader.take_companions({"local_1.json": b'{"title": "Second", "cwd": "/w"}'})
    assert reader.info.title == "Second"
    reader.restart()
    assert reader.info.title == "Second"
