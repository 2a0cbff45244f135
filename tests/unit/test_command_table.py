"""The table of commands: what derives from it, and the documents and the client that repeat it."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from kato.core import grammar
from kato.core.commands import COMMANDS, CommandDeclaration, CommandName, argument_problem
from kato.lsp import wire

ROOT = Path(__file__).resolve().parents[2]
NAMES = {command.name for command in COMMANDS}
#: `kato.record`, but not the methods (`kato/status`), the client's own commands or settings with dots.
EDITOR_NAME = re.compile(r"`(kato\.[a-z]+)`")
CHAT_NAME = re.compile(r"(?<![:\w])::([a-z]+)")


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_table_and_the_type_have_the_same_names() -> None:
    assert set(get_args(CommandName)) == NAMES
    assert len(COMMANDS) == len(NAMES)


def test_the_editor_commands_are_those_of_the_table() -> None:
    assert {f"kato.{command.name}": command.name for command in COMMANDS} == wire.COMMANDS


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_grammar_knows_each_command_and_its_rule(command: CommandDeclaration) -> None:
    bare, with_path = grammar.parse(f"::{command.name}"), grammar.parse(f"::{command.name} a.md")
    assert len(bare[0]) == (command.path != "required")
    assert len(with_path[0]) == (command.path != "none")
    assert [problem.message for problem in bare[1]] == [
        problem for problem in [argument_problem(command.name, None)] if problem
    ]


@pytest.mark.parametrize("text", ["::one", "::no", "::son", "::o"])
def test_a_word_that_is_close_to_a_name_of_two_letters_is_text(text: str) -> None:
    assert grammar.parse(text) == ([], [])


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if len(one.name) > 2], ids=lambda command: command.name
)
def test_a_mistyped_name_suggests_the_command(command: CommandDeclaration) -> None:
    _, problems = grammar.parse(
        f"::{command.name}x" if len(command.name) > 4 else f"::{command.name}{command.name[-1]}"
    )
    assert [f"did you mean ::{command.name}?" in problem.message for problem in problems] == [True]


def test_the_readme_has_a_row_for_each_command_and_no_other() -> None:
    rows = re.findall(r"^\| `::.*$", document("README.md"), re.MULTILINE)
    assert rows == [
        f"| `{command.usage}` | `{command.editor_name}` | {command.summary} |" for command in COMMANDS
    ]


def test_the_protocol_document_lists_each_command_and_no_other() -> None:
    line = re.search(r"^Commands: (.*)\.$", document("docs/protocol.md"), re.MULTILINE)
    assert line is not None
    assert sorted(EDITOR_NAME.findall(line[1])) == sorted(wire.COMMANDS)


@pytest.mark.parametrize("name", ["README.md", "docs/protocol.md"])
def test_a_document_names_no_command_that_does_not_exist(name: str) -> None:
    text = document(name)
    assert set(CHAT_NAME.findall(text)) <= NAMES
    assert set(EDITOR_NAME.findall(text)) <= set(wire.COMMANDS)


def test_vscode_offers_the_commands_that_the_table_says_and_no_other() -> None:
    manifest = document("client-vscode/package.json")
    offered = {command["command"] for command in json.loads(manifest)["contributes"]["commands"]}
    runs_a_command = re.compile(rf"kato\.(?:{'|'.join(sorted(NAMES))})(?![a-z])")
    expected = {f"kato.{command.vscode_command}" for command in COMMANDS if command.vscode_command}
    assert {name for name in offered if runs_a_command.match(name) or name in expected} == expected
    assert set(CHAT_NAME.findall(manifest)) <= NAMES


def test_the_client_declares_the_same_names() -> None:
    declared = re.search(
        r"^export const COMMAND_NAMES = (.*) as const;$",
        document("client-vscode/src/protocol.ts"),
        re.MULTILINE,
    )
    assert declared is not None
    assert set(re.findall(r'"(\w+)"', declared[1])) == NAMES
