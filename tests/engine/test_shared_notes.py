"""Two conversations and one note: neither replaces the other without a copy and a notice, and they never mix."""

from pathlib import Path

import pytest

from builders import Json, assistant, request, user
from engine.machine import MakeWindow, Window, words
from kato.core.commands import Command
from kato.core.events import SessionKey
from kato.core.notices import Notice
from kato.lsp import wire

A, B = SessionKey("claude", "a"), SessionKey("claude", "b")


def said(text: str, number: int, session: str) -> Json:
    return (user if "::" in text else assistant)(text, number, sessionId=session)


def notices(one: Window, kind: str) -> list[Notice]:
    return [notice for notice in one.notices if notice.kind == kind]


@pytest.mark.parametrize("journal", [True, False])
def test_a_capture_over_another_conversations_note_copies_it_and_stops_its_recording(
    window: MakeWindow, *, journal: bool
) -> None:
    one = window(journal=journal)
    note = one.notes / "notes.md"
    one.append(said("first talk\n::capture notes.md", 0, "a"))
    one.append(said("still first", 1, "a"))
    recording = one.engine.ledger.active_recordings()[0]
    first = note.read_text()
    one.append(said("second talk\n::capture notes.md", 0, "b"))
    one.append(said("first goes on", 2, "a"))
    one.append(said("second goes on", 1, "b"))
    assert words(note) == ["second talk", "::capture notes.md", "second goes on"]
    outcome = one.outcomes[-1]
    assert (outcome.command, outcome.status) == ("capture", "ok")
    assert Path(str(outcome.backup_path)).read_text() == first
    (stopped,) = notices(one, "recording_stopped")
    assert stopped.severity == "warning"
    assert stopped.data == {
        "recordingId": recording.recording_id,
        "path": str(note),
        "backupPath": outcome.backup_path,
        "provider": "claude",
        "sessionId": "a",
    }
    assert "first talk" in stopped.message
    (copied,) = notices(one, "text_backed_up")
    assert "first talk" in copied.message
    assert "another conversation" in copied.message
    assert [one.key for one in one.engine.ledger.active_recordings()] == [B]


def test_the_copy_holds_what_the_first_conversation_had_not_written_yet(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "notes.md"
    one.append(said("first talk\n::capture notes.md", 0, "a"))
    for event in (said("said in the same moment", 1, "a"), said("::capture notes.md", 0, "b")):
        one.engine.append(wire.decode_append(request([event], cwd=str(one.notes))))
    one.engine.commit()
    assert "said in the same moment" in Path(str(one.outcomes[-1].backup_path)).read_text()
    assert words(note) == ["::capture notes.md"]


def test_a_note_of_a_conversation_that_records_no_more_is_copied_too(window: MakeWindow) -> None:
    one = window()
    one.append(said("first talk\n::capture notes.md", 0, "a"), said("::stop", 1, "a"))
    one.append(said("second talk\n::capture notes.md", 0, "b"))
    assert "first talk" in Path(str(one.outcomes[-1].backup_path)).read_text()
    assert notices(one, "recording_stopped") == []


def test_the_same_conversation_captures_to_its_note_again_without_a_copy(window: MakeWindow) -> None:
    one = window()
    one.append(said("talk\n::capture notes.md", 0, "a"))
    one.append(said("::capture notes.md", 1, "a"))
    assert one.notices == []
    assert [outcome.status for outcome in one.outcomes] == ["ok", "ok"]
    assert words(one.notes / "notes.md") == ["talk", "::capture notes.md", "::capture notes.md"]


@pytest.mark.parametrize("command", ["::init notes.md", "::init notes.md\n::record"])
def test_a_recording_to_a_note_that_records_another_conversation_is_refused(
    window: MakeWindow, command: str
) -> None:
    one = window()
    one.append(said("first talk\n::capture notes.md", 0, "a"))
    one.append(said(command, 0, "b"))
    failed = one.outcomes[1]
    assert (failed.command, failed.status) == ("init", "error")
    assert "first talk" in failed.error.message  # type: ignore[union-attr]
    assert "claude/a" in failed.error.message  # type: ignore[union-attr]
    one.append(said("second goes on", 1, "b"))
    one.append(said("first goes on", 1, "a"))
    assert words(one.notes / "notes.md") == ["first talk", "::capture notes.md", "first goes on"]


def test_a_record_at_a_destination_that_another_conversation_took_is_refused(window: MakeWindow) -> None:
    one = window()
    one.append(said("::capture notes.md", 0, "a"))
    one.append(said("second talk\n::capture notes.md", 0, "b"))
    outcome = one.engine.run_editor_command(A, Command("record"))
    assert outcome.status == "error"
    assert "second talk" in outcome.error.message  # type: ignore[union-attr]
    assert one.engine.run_editor_command(A, Command("stop")).status == "noop"


def test_a_note_that_another_conversation_left_can_be_recorded_to(window: MakeWindow) -> None:
    one = window()
    one.append(said("first talk\n::capture notes.md", 0, "a"), said("::stop", 1, "a"))
    one.append(said("::init notes.md", 0, "b"), said("::record", 1, "b"), said("second talk", 2, "b"))
    assert words(one.notes / "notes.md") == [
        "first talk",
        "::capture notes.md",
        "::stop",
        "::record",
        "second talk",
    ]


@pytest.mark.parametrize("name", ["notes.md", "notes.jsonl"])
def test_an_export_over_another_conversations_recording_copies_it_and_stops_it(
    window: MakeWindow, name: str
) -> None:
    one = window()
    note = one.notes / name
    one.append(said(f"first talk\n::capture {name}", 0, "a"))
    one.append(said(f"second talk\n::export {name}", 0, "b"))
    exported = note.read_text()
    assert "first talk" in Path(str(one.outcomes[-1].backup_path)).read_text()
    assert [notice.data["sessionId"] for notice in notices(one, "recording_stopped")] == ["a"]  # type: ignore[index]
    one.append(said("first goes on", 1, "a"))
    assert note.read_text() == exported


def test_an_export_over_the_conversations_own_recording_lets_it_go_on(window: MakeWindow) -> None:
    one = window()
    one.append(said("not recorded", 0, "a"), said("::init notes.md\n::record", 1, "a"))
    one.append(said("recorded", 2, "a"), said("::export notes.md", 3, "a"), said("goes on", 4, "a"))
    assert words(one.notes / "notes.md") == [
        "not recorded",
        "::init notes.md",
        "::record",
        "recorded",
        "::export notes.md",
        "goes on",
    ]
    assert notices(one, "recording_stopped") == []


def test_an_export_of_events_over_the_conversations_own_recording_stops_it(window: MakeWindow) -> None:
    one = window()
    one.append(said("::capture notes.jsonl", 0, "a"), said("::export notes.jsonl", 1, "a"))
    one.append(said("goes on", 2, "a"))
    assert (one.notes / "notes.jsonl").read_bytes().count(b"\n") == 2
    assert len(notices(one, "recording_stopped")) == 1


def test_two_windows_do_not_share_a_note_either(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    one.append(said("first talk\n::capture notes.md", 0, "a"))
    two.append(said("second talk\n::capture notes.md", 0, "b"))
    one.append(said("first goes on", 1, "a"))
    assert words(one.notes / "notes.md") == ["second talk", "::capture notes.md"]
    assert "first talk" in Path(str(two.outcomes[-1].backup_path)).read_text()


def test_names_that_differ_only_in_how_they_are_composed_are_one_note(window: MakeWindow) -> None:
    one = window()
    one.append(said("first talk\n::capture caf\u00e9.md", 0, "a"))
    one.append(said("::init cafe\u0301.md", 0, "b"))
    assert one.outcomes[-1].status == "error"
    one.append(said("second talk\n::capture cafe\u0301.md", 1, "b"))
    assert [path.name for path in one.notes.iterdir()] == ["caf\u00e9.md"]
    assert "first talk" in Path(str(one.outcomes[-1].backup_path)).read_text()


def test_the_frontmatter_of_a_replaced_note_is_about_the_new_conversation(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "a.md"
    one.append(said("first talk\n::capture a.md", 0, "a"))
    assert "title: first talk\n" in note.read_text()
    one.append(said("second talk\n::capture a.md", 0, "b"))
    assert "title: second talk\n" in note.read_text()
    note.write_text(note.read_text().replace("title: second talk", "title: Mine"))
    one.append(said("third talk\n::capture a.md", 0, "c"))
    assert "title: Mine\n" in note.read_text()
    assert "sessionId: c\n" in note.read_text()
