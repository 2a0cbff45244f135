"""The oracles of the durability tests: the rules of commands as they play them, and that they see what is wrong."""

from pathlib import Path

import pytest

from expected import FromEditor, Message, Outcome, Place, World, difference, notes_differ, worlds

FOLDER = Path("/work")


def user(text: str, number: int = 0) -> Message:
    return Message(f"e{number}", text, by_user=True)


def assistant(text: str) -> Message:
    return Message("a", text, by_user=False)


def notes(*said: Message | FromEditor) -> dict[str, list[str]]:
    """The notes of a conversation whose commands all worked, by their names."""
    (world,) = worlds(said, FOLDER, {})
    return {Path(path).name: list(lines) for path, lines in world.notes.items()}


def test_a_capture_holds_all_up_to_its_line_and_what_follows() -> None:
    talk = notes(assistant("a"), user("b\n::capture n.md\nc"), assistant("d"))
    assert talk == {"n.md": ["a", "b", "::capture n.md", "c", "d"]}


def test_a_stop_is_the_last_line_and_a_record_the_first() -> None:
    talk = notes(user("::capture n.md"), user("a\n::stop\nb\n::record\nc"), assistant("d"))
    assert talk == {"n.md": ["::capture n.md", "a", "::stop", "::record", "c", "d"]}


def test_an_export_ends_with_its_line_and_changes_nothing() -> None:
    talk = notes(user("::capture n.md"), user("a\n::export x.md\nb"))
    assert talk == {
        "n.md": ["::capture n.md", "a", "::export x.md", "b"],
        "x.md": ["::capture n.md", "a", "::export x.md"],
    }


def test_an_init_ends_the_recording_and_gives_the_next_one_its_note() -> None:
    talk = notes(user("::capture n.md"), user("::init m.md\na"), user("::record"), assistant("b"))
    assert talk == {"n.md": ["::capture n.md", "::init m.md"], "m.md": ["::record", "b"]}


def test_a_command_of_the_editor_comes_after_all_that_was_said() -> None:
    talk = notes(
        assistant("a"), FromEditor("capture", "n.md"), assistant("b"), FromEditor("stop"), assistant("c")
    )
    assert talk == {"n.md": ["a", "b"]}


def test_only_the_users_lines_are_commands() -> None:
    assert notes(assistant("::capture n.md"), user("text ::capture n.md")) == {}


@pytest.mark.parametrize("line", ["::recrod", "::stop now", "::export", "::capture /etc/n.md"])
def test_an_invalid_command_must_be_reported_as_an_error(line: str) -> None:
    (world,) = worlds([user(line)], FOLDER, {})
    assert world == World(predicted={Place("e0", 1): "error"})


def test_what_changes_nothing_must_be_reported_as_such() -> None:
    (world,) = worlds([user("::stop\n::capture n.md\n::record")], FOLDER, {})
    assert list(world.predicted.values()) == ["noop", "ok", "noop"]


def test_a_command_that_failed_changed_no_state_but_its_note_may_be_there() -> None:
    said = [user("a\n::capture n.md"), assistant("b")]
    states = worlds(said, FOLDER, {Place("e0", 2): Outcome("error", None)})
    assert [(dict(one.notes), one.recording) for one in states] == [
        ({}, None),
        ({"/work/n.md": ("a", "::capture n.md")}, None),
    ]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (["a", "b", "a"], ""),
        (["a", "b"], "1 missing ('a' first)"),
        (["a", "b", "a", "b"], "1 too often ('b' first)"),
        (["a", "b", "a", "c"], "1 that must not be there ('c' first)"),
        (["b", "a", "a"], "the order is wrong"),
    ],
)
def test_every_difference_between_two_notes_is_seen(found: list[str], wrong: str) -> None:
    assert difference(["a", "b", "a"], found).partition(": ")[2] == wrong


def test_the_conversation_in_a_note_is_read_without_frontmatter_headings_and_blank_lines(
    tmp_path: Path,
) -> None:
    note, copy = tmp_path / "n.md", tmp_path / "x.jsonl"
    world = World(notes={str(note): ("a", "b"), str(copy): ("a",)})
    assert list(notes_differ(world)) == ["n.md is missing", "x.jsonl is missing"]
    note.write_text("---\nid: x\n---\n\n# User_2026\n\na\n\nb\n")
    copy.write_text('{"content":"a\\nbelow the command"}\n')
    assert list(notes_differ(world)) == []
