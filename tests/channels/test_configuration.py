"""Edits of configuration files: around what Kato adds and removes, every byte of the user's stays."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.channels.configuration import files, jsonc, toml
from kato.channels.configuration.errors import NotUnderstood

ENTRY = {"command": "/bin/kato", "args": ["mcp"]}

COMMENTED = """\
// settings of mine
{
\t"theme": "dark", // at night
\t/* servers */
\t"mcpServers": {
\t\t"other": { "command": "x" }, // keep
\t},
}
"""

ADDED = """\
// settings of mine
{
\t"theme": "dark", // at night
\t/* servers */
\t"mcpServers": {
\t\t"other": { "command": "x" }, // keep
\t\t"kato": {
\t\t\t"command": "/bin/kato",
\t\t\t"args": [
\t\t\t\t"mcp"
\t\t\t]
\t\t},
\t},
}
"""


def test_a_member_is_added_among_comments_tabs_and_trailing_commas() -> None:
    assert jsonc.set_member(COMMENTED, ("mcpServers", "kato"), ENTRY) == ADDED
    assert jsonc.set_member(ADDED, ("mcpServers", "kato"), ENTRY) == ADDED
    assert jsonc.remove_member(ADDED, ("mcpServers", "kato")) == COMMENTED


TEXTS = [
    "{\n}\n",
    '{\n  "a": 1\n}\n',
    '{\n    "a": 1,\n    "b": [1, 2] // two\n}',
    '{"a": 1}',
    '{"a": 1, "mcpServers": {"x": {}}}\n',
    '{\r\n  "a": "é",\r\n  "mcpServers": {\r\n    "x": {}\r\n  }\r\n}\r\n',
    '\ufeff{\n  "a": "// no comment, }"\n}\n',
    '/* a */ {\n  "mcpServers": {\n    "x": 1 /* x */\n    // the end\n  }\n} // b\n',
    '{\n  "mcpServers": {\n    "x": 1, "y": 2\n  }\n}\n',
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_was_added_is_removed_and_the_text_is_as_before(text: str) -> None:
    with_entry = jsonc.set_member(text, ("mcpServers", "kato"), ENTRY)
    assert jsonc.value_of(with_entry)["mcpServers"]["kato"] == ENTRY
    after = jsonc.remove_member(with_entry, ("mcpServers", "kato"))
    assert "".join(after.split()) == "".join(text.split())
    assert jsonc.value_of(after) == jsonc.value_of(text)


@pytest.mark.parametrize("text", ["", " \n", "\ufeff"])
def test_an_empty_file_becomes_an_object(text: str) -> None:
    assert jsonc.value_of(jsonc.set_member(text, ("a", "b"), 1)) == {"a": {"b": 1}}


def test_items_are_added_to_a_list_and_taken_out_of_it() -> None:
    text = '{\n  "hooks": {\n    "Stop": [\n      {"x": 1}, // mine\n      {"y": 2}\n    ]\n  }\n}\n'
    added = jsonc.append_item(text, ("hooks", "Stop"), {"kato": 1})
    assert jsonc.value_of(added)["hooks"]["Stop"] == [{"x": 1}, {"y": 2}, {"kato": 1}]
    assert "// mine" in added
    assert jsonc.remove_items(added, ("hooks", "Stop"), lambda one: "kato" in one) == text
    only = jsonc.append_item('{\n  "a": 1\n}\n', ("hooks", "Stop"), {"kato": 1})
    assert jsonc.remove_items(only, ("hooks", "Stop"), lambda one: "kato" in one) == '{\n  "a": 1\n}\n'


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "5",
        "{",
        '{"a"}',
        '{"a": }',
        "{a: 1}",
        '{"a": 1 "b": 2}',
        '{"a": 1} x',
        '{"a": 1, "a": 2}',
        "{'a': 1}",
        '{"a": ' + "[" * 200 + "]" * 200 + "}",
        '{"a": "x',
        "/* {",
        '{"a": yes}',
        '{"a": "\n"}',
    ],
)
def test_a_file_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        jsonc.set_member(text, ("mcpServers", "kato"), ENTRY)


@pytest.mark.parametrize("text", ['{"mcpServers": []}', '{"mcpServers": 5}', '{"hooks": {"Stop": {}}}'])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        jsonc.set_member(jsonc.append_item(text, ("hooks", "Stop"), 1), ("mcpServers", "kato"), ENTRY)


NAMES = st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from([None, 0, 2, 4, "\t"]), st.booleans())
def test_any_json_keeps_its_values(values: dict[str, Any], indent: Any, ascii_only: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    if not isinstance(values.get("kato!", {}), dict):
        return
    added = jsonc.set_member(text, ("kato!", "x"), ENTRY)
    assert jsonc.value_of(jsonc.remove_member(added, ("kato!", "x"))) == values


# --- TOML -------------------------------------------------------------------------------------------------

TOML = """\
# mine
model = "gpt" # best

[mcp_servers.other]
command = "x"

# about projects
[projects."/a.b"]
trust = true
"""


@pytest.mark.parametrize("text", ["", TOML, TOML.rstrip(), "a = 1", TOML.replace("\n", "\r\n")])
def test_a_table_is_added_at_the_end_and_removed(text: str) -> None:
    added = toml.set_table(text, ("mcp_servers", "kato"), {"command": 'a "b" \\ é', "args": ["mcp", "x"]})
    assert added.startswith(text)
    assert toml.value_of(added)["mcp_servers"]["kato"] == {"command": 'a "b" \\ é', "args": ["mcp", "x"]}
    assert (
        toml.set_table(added, ("mcp_servers", "kato"), {"command": 'a "b" \\ é', "args": ["mcp", "x"]})
        == added
    )
    assert toml.remove_table(added, ("mcp_servers", "kato")).rstrip() == text.rstrip()


def test_a_table_in_the_middle_is_removed_and_comments_around_it_stay() -> None:
    table = '[mcp_servers.kato] # by kato\ncommand = "y"\nargs = []\n\n'
    text = TOML.replace("# about projects", table + "# about projects")
    assert toml.remove_table(text, ("mcp_servers", "kato")).split() == TOML.split()


@pytest.mark.parametrize(
    "text",
    [
        "= 1",
        "mcp_servers = 5",
        'mcp_servers = { kato = { command = "x" } }',
        '[mcp_servers]\nkato.command = "x"\n',
        '[mcp_servers.kato]\ncommand = """\n[x]\n"""\n',
        '[mcp_servers]\nx = "y"\n[mcp_servers.kato]\n[mcp_servers.kato.env]\na = "b"\n',
    ],
)
def test_toml_that_cannot_be_edited_safely_is_left_alone(text: str) -> None:
    with pytest.raises(NotUnderstood):
        toml.set_table(text, ("mcp_servers", "kato"), {"command": "z"})


# --- Files ------------------------------------------------------------------------------------------------


def change(path: Path, edit: Callable[[str], str]) -> files.Change:
    before = files.read(path)
    return files.Change(path, before, edit(before or ""))


def test_a_file_keeps_its_mode_and_is_copied_before_the_first_change_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    path.chmod(0o640)
    backup = files.apply(change(path, lambda _: '{"a": 1}'))
    assert backup == tmp_path / "settings.json.before-kato"
    assert files.apply(change(path, lambda _: '{"a": 2}')) is None
    assert backup.read_text() == "{}"
    assert path.read_text() == '{"a": 2}'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["settings.json", "settings.json.before-kato"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "settings.json"
    real.write_text("{}")
    link = tmp_path / "settings.json"
    link.symlink_to(real)
    files.apply(change(link, lambda _: "{ }"))
    assert link.is_symlink()
    assert real.read_text() == "{ }"


def test_a_file_that_another_program_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    planned = change(path, lambda _: '{"kato": 1}')
    path.write_text('{"theirs": 1}')
    with pytest.raises(NotUnderstood, match="another program"):
        files.apply(planned)
    assert path.read_text() == '{"theirs": 1}'


def test_a_file_that_is_not_text_or_not_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(NotUnderstood):
        files.read(tmp_path / "binary")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="regular"):
        files.read(tmp_path / "pipe")


def test_line_ends_are_not_translated(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"{\r\n}\r\n")
    files.apply(change(path, lambda text: jsonc.set_member(text, ("a",), 1)))
    assert path.read_bytes() == b'{\r\n  "a": 1\r\n}\r\n'
