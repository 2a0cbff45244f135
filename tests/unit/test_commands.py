"""The grammar of chat commands, a case a row."""

import pytest

from kato.core import limits
from kato.core.commands import Command, command_from_editor
from kato.core.errors import CommandRefused
from kato.core.grammar import is_command_line, parse, unwrap


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("::capture", "capture", None),
        ("::capture /notes/conv.md", "capture", "/notes/conv.md"),
        ("  \t::CAPTURE   notes/a b.md  ", "capture", "notes/a b.md"),
        ("::Init ~/notes/x.md", "init", "~/notes/x.md"),
        ("::record", "record", None),
        ("::stop\r", "stop", None),
        ('::export "my file.jsonl"', "export", "my file.jsonl"),
        ("::export 'x.md'", "export", "x.md"),
        ("::export `x.md`", "export", "x.md"),
        ("::export @notes/x.md", "export", "notes/x.md"),
        ("::export `@notes/x.md`", "export", "notes/x.md"),
        ("::export [x](notes/x.md)", "export", "notes/x.md"),
        ("::export [x](<notes/a b.md>)", "export", "notes/a b.md"),
        ("::export [x](notes/a(1).md)", "export", "notes/a(1).md"),
        ("::export <notes/x.md>", "export", "notes/x.md"),
        ("::export C:\\notes\\x.md", "export", "C:\\notes\\x.md"),
        ("        ::stop", "stop", None),
    ],
)
def test_a_line_is_a_command(text: str, name: str, argument: str | None) -> None:
    commands, problems = parse(text)
    assert problems == []
    assert commands == [Command(name, argument, 1)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "::",
        ":: capture",
        ":::capture",
        "say ::capture",
        "> ::capture",
        "- ::capture",
        "* ::stop",
        "1. ::stop",
        "::before",
        "::after the fact",
        "std::vector",
        "::std::vector",
        "::record-player",
        "::123",
        "```\n::capture\n```",
        "~~~\n::capture\n~~~",
        "````md\n```\n::capture\n```\n````",
        "```\n::capture",
        "~~~\n```\n::stop\n~~~",
        "- ```\n  ::stop\n  ```",
        "10. do\n\n    ```\n    ::stop\n    ```",
        "> ```\n> text\n> ```\n- ~~~\n::stop",
        "- item\n  ::capture x",
        "- item\n\n  ::capture x",
        "1. item\n   ::capture x\n2. two",
        "- a\n  - b\n    ::capture x",
        "> quoted\n::capture x",
        "> - quoted\n::capture x",
        "text\n\n    ::capture x",
        "text\n\n\t::capture x",
        "<!--\n::capture x\n-->",
        "text\n<!-- a\n\n::capture x\n-->",
        "<pre>\n\n::capture x\n</pre>",
        "<details>\n::capture x\n</details>",
        "<details>\n\n::capture x\n\n</details>",
        "<details>\n<details>\n</details>\n\n::capture x\n\n</details>",
        "<div>\n::capture x",
        "<unheard-of>\n\n::capture x\n</unheard-of>",
        "<?php\n\n::capture x",
        "<script>\n\n::capture x\n\n</script>",
        "- ```\n  code\n::stop",
    ],
)
def test_a_line_is_ordinary_text(text: str) -> None:
    assert parse(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("::captrue", "did you mean ::capture"),
        ("::recrod", "did you mean ::record"),
        ("::exprot a", "did you mean ::export"),
        ("::stopp", "did you mean ::stop"),
        ("::export", "needs a path"),
        ('::export ""', "empty"),
        ("::record notes.md", "takes no argument"),
        ("::stop now", "takes no argument"),
        ("::capture a\0b", "control character"),
        ("::capture a\x1b[2Jb", "control character"),
        ("::capture/notes/x.md", "space"),
        ("::capture " + "x" * (limits.PATH_CHARS_MAX + 1), "characters"),
        (
            "::capture a" + " " * 200_000 + "b",
            "characters",
        ),  # each within a moment, not the square of its length
        ("::capture " + "@" * 200_000, "characters"),
    ],
)
def test_a_line_that_was_meant_as_a_command_is_a_problem_that_names_the_rule(text: str, words: str) -> None:
    commands, problems = parse(text)
    assert commands == []
    assert len(problems) == 1
    assert words in problems[0].message
    assert problems[0].line == 1


@pytest.mark.parametrize(
    "text",
    [
        "- one\n- two\n::capture x",
        "- one\n- two\n\n::capture x",
        "1. one\n\n::capture x",
        "> quoted\n\n::capture x",
        "text\n    ::capture x",
        "text\n  ::capture x",
        "\n\n        ::capture x",
        "why does <div> not close?\n::capture x",
        "<div>\n\n::capture x",
        "<details>\n</details>\n\n::capture x",
        "<br>\n\n::capture x\n\n</p>",
        "<!-- a -->\n::capture x",
        "# heading\n::capture x",
        "title\n===\n::capture x",
        "| a | b |\n|---|---|\n::capture x",
        "```\ncode\n```\n::capture x",
        "- ```\n  code\n  ```\n\n::capture x",
        "::capture x\n- item",
        "text\r\n\r\n::capture x\r\n",
        "***\n::capture x",
    ],
)
def test_a_line_of_prose_is_a_command_whatever_surrounds_it(text: str) -> None:
    commands, problems = parse(text)
    assert [one.argument for one in commands] == ["x"]
    assert problems == []


def test_lines_are_counted_from_one_and_problems_do_not_stop_commands() -> None:
    commands, problems = parse("hi\n::init a.md\n```\n::stop\n```\n::captrue\n\n::record")
    assert [(one.name, one.line) for one in commands] == [("init", 2), ("record", 8)]
    assert [one.line for one in problems] == [6]


def test_a_fence_opened_after_a_command_does_not_hide_it() -> None:
    commands, _ = parse("::stop\n```\ncode")
    assert [one.line for one in commands] == [1]


def test_commands_beyond_the_limit_of_a_message_are_left_out_and_reported() -> None:
    commands, problems = parse("::stop\n" * 100)
    assert len(commands) == limits.COMMANDS_PER_MESSAGE_MAX
    assert len(problems) == 1


@pytest.mark.parametrize("text", ["'", '"', "`", "@", "[]()", "<>", '"a', "a b", "[x](y"])
def test_characters_that_are_not_a_pair_of_quotes_stay(text: str) -> None:
    assert unwrap(text) in (text, "")


def test_a_command_line_is_recognised_without_its_message() -> None:
    assert is_command_line("::capture x.md")
    assert is_command_line("::captrue")
    assert not is_command_line("::before")


def test_the_editor_follows_the_same_rules() -> None:
    assert command_from_editor("export", "a.md", "jsonl") == Command("export", "a.md", None, "jsonl")
    for name, path, form in (("stop", "x", None), ("export", None, None), ("capture", None, "jsonl")):
        with pytest.raises(CommandRefused):
            command_from_editor(name, path, form)  # type: ignore[arg-type]
