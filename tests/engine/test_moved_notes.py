"""A note that is renamed, moved or deleted while it records: the recording goes with it, or waits for the user. It is never
written a second time under its old name.
"""

import os
from pathlib import Path

import pytest

from builders import assistant, user
from engine.machine import MakeWindow, Window, words
from engine.windows import EditorWindow
from kato.core import limits


def recording(window: Window, name: str = "talk.md") -> Path:
    window.append(user(f"hello\n::capture {name}", 0), assistant("hi", 1))
    return window.notes / name


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NOTE_MISSING_GRACE_MS", 0)


def test_a_recording_follows_a_note_that_the_editor_renamed(window: MakeWindow) -> None:
    here = window()
    note = recording(here)
    new = note.with_name("heaven.md")
    note.rename(new)
    here.engine.move_notes(str(note), str(new))
    here.append(assistant("more", 2))
    assert words(new)[-1] == "more"
    assert not note.exists()
    here.append(user("::stop", 3), user("::capture", 4))
    assert here.outcomes[-1].output_path == str(new), "the destination went along"
    assert here.kinds == [], "the text in it is known to be Kato's"


def test_recordings_follow_a_folder_that_was_renamed_and_leave_its_neighbours(window: MakeWindow) -> None:
    here = window()
    for number, name in enumerate(
        ["log_1/talk.md", "log_1/inner/talk.md", "log_10/talk.md", "logX1/talk.md"]
    ):
        here.append(user(f"::capture {name}", 0, sessionId=f"s{number}"))
    (here.notes / "log_1").rename(here.notes / "renamed")
    here.engine.move_notes(str(here.notes / "log_1"), str(here.notes / "renamed"))
    for number in range(4):
        here.append(assistant("more", 1, sessionId=f"s{number}"))
    for name in ("renamed/talk.md", "renamed/inner/talk.md", "log_10/talk.md", "logX1/talk.md"):
        assert words(here.notes / name)[-1] == "more", name
    assert not (here.notes / "log_1").exists()


def test_a_recording_follows_a_note_that_another_tool_renamed_in_its_folder(window: MakeWindow) -> None:
    here = window()
    note = recording(here)
    (here.notes / "unrelated.md").write_text("---\nrecordingIds: [someone-elses]\n---\n\ntext\n")
    (here.notes / "broken.md").write_bytes(b"\xff\xfe---")
    (here.notes / ".hidden.md").write_bytes(note.read_bytes())
    (here.notes / "talk.md.bak").write_bytes(note.read_bytes())
    note.rename(note.with_name("heaven.md"))
    here.append(assistant("more", 2))
    assert words(note.with_name("heaven.md"))[-1] == "more"
    assert not note.exists()
    assert here.kinds == []


def test_the_newer_of_two_copies_is_followed(window: MakeWindow) -> None:
    here = window()
    note = recording(here)
    for name, age in (("old.md", 100), ("new.md", 10), ("older.md", 1000)):
        copy = note.with_name(name)
        copy.write_bytes(note.read_bytes())
        seconds = note.stat().st_mtime - age
        os.utime(copy, (seconds, seconds))
    note.unlink()
    here.append(assistant("more", 2))
    assert words(note.with_name("new.md"))[-1] == "more"


@pytest.mark.usefixtures("no_grace")
def test_a_recording_whose_note_is_gone_waits_and_is_reported_once(window: MakeWindow) -> None:
    here = window()
    note = recording(here)
    kept = note.read_bytes()
    note.unlink()
    here.append(assistant("one", 2))
    here.append(assistant("two", 3))
    here.beat()
    assert not note.exists(), "it is not written again unasked"
    (notice,) = here.notices
    assert (notice.kind, notice.severity) == ("note_missing", "warning")
    status = here.engine.ledger.active_recordings()[0]
    assert notice.data == {
        "recordingId": status.recording_id,
        "path": str(note),
        "provider": "claude",
        "sessionId": "session-1",
    }
    note.write_bytes(kept)
    here.beat()
    assert words(note)[2:] == ["hi", "one", "two"], "what was said meanwhile follows once the note is back"
    note.unlink()
    here.append(assistant("three", 4))
    assert here.kinds == ["note_missing", "note_missing"], "it is gone again"


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("command", ["::capture talk.md", "::stop"])
def test_a_missing_note_is_recreated_or_given_up_by_a_command(window: MakeWindow, command: str) -> None:
    here = window()
    note = recording(here)
    note.unlink()
    here.append(assistant("one", 2))
    here.append(user(command, 3))
    here.append(assistant("two", 4))
    assert here.outcomes[-1].status == "ok"
    if command == "::stop":
        assert not note.exists()
        assert here.engine.ledger.active_recordings() == []
    else:
        assert words(note) == ["hello", "::capture talk.md", "hi", "one", "::capture talk.md", "two"]


def test_a_note_that_is_missing_for_a_moment_is_not_reported(window: MakeWindow) -> None:
    """As while an editor saves by renaming."""
    here = window()
    note = recording(here)
    kept = note.read_bytes()
    note.unlink()
    here.append(assistant("one", 2))
    note.write_bytes(kept)
    here.append(assistant("two", 3))
    assert here.kinds == []
    assert words(note)[2:] == ["hi", "one", "two"]


def test_a_note_that_the_editor_deleted_is_reported_without_delay_and_no_copy_is_followed(
    window: MakeWindow,
) -> None:
    here = window()
    note = recording(here)
    copy = note.with_name("copy.md")
    copy.write_bytes(note.read_bytes())
    before = copy.read_bytes()
    note.unlink()
    here.engine.delete_notes(str(note))
    assert here.kinds == ["note_missing"]
    here.append(assistant("more", 2))
    here.beat()
    assert here.kinds == ["note_missing"]
    assert not note.exists()
    assert copy.read_bytes() == before


def test_deleting_another_file_or_one_that_is_there_again_reports_nothing(window: MakeWindow) -> None:
    here = window()
    note = recording(here)
    here.engine.delete_notes(str(note))
    here.engine.delete_notes(str(here.notes / "other.md"))
    here.engine.delete_notes(str(note)[:-1])
    assert here.kinds == []


def test_a_folder_with_a_note_that_is_deleted_is_reported(window: MakeWindow) -> None:
    here = window()
    note = recording(here, "log/talk.md")
    note.unlink()
    note.parent.rmdir()
    here.engine.delete_notes(str(note.parent))
    assert here.kinds == ["note_missing"]


def test_a_note_that_is_moved_out_of_the_folders_waits_with_the_reason(window: MakeWindow) -> None:
    here = window()
    note = recording(here)
    outside = here.notes.parent / "outside.md"
    note.rename(outside)
    before = outside.read_bytes()
    here.engine.move_notes(str(note), str(outside))
    here.append(assistant("more", 2))
    assert here.kinds == ["recording_paused"]
    assert "outside the allowed folders" in here.notices[0].message
    assert outside.read_bytes() == before


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize("opens_first", [True, False])
def test_an_unsaved_note_keeps_its_text_when_it_is_renamed(
    window: MakeWindow, reports: bool, opens_first: bool
) -> None:
    """The editor closes the old document and opens the new one with the unsaved text, then reports the new name."""
    here = EditorWindow(window(), reports=reports)
    note = recording(here.window)
    here.do(here.editor.open, note)
    here.do(here.editor.type, note, "my remark")
    here.say(assistant("said while it was unsaved", 2))
    unsaved = here.text(note)
    new = note.with_name("heaven.md")
    note.rename(new)
    if opens_first:
        here.do(here.editor.open, new, unsaved)
        here.do(here.editor.close, note)
    else:
        here.do(here.editor.close, note)
        here.say(assistant("said in between", 3))
        here.do(here.editor.open, new, unsaved)
    here.window.engine.move_notes(str(note), str(new))
    here.play()
    here.beat()
    here.say(assistant("more", 4))
    between = "" if opens_first else "\nsaid in between\n"
    assert here.text(new) == unsaved + between + "\nmore\n"
    assert not note.exists()
    here.do(here.editor.save, new)
    assert new.read_text() == here.text(new)
    assert here.window.kinds == []


def test_a_clean_note_that_is_deleted_on_disk_is_not_brought_back_through_the_editor(
    window: MakeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NOTE_MISSING_GRACE_MS", 0)
    here = EditorWindow(window())
    note = recording(here.window)
    here.do(here.editor.open, note)
    note.unlink()
    here.say(assistant("more", 2))
    assert here.editor.edits == 0
    assert not note.exists()
    assert here.window.kinds == ["note_missing"]


def test_an_edit_that_is_under_way_while_the_note_is_renamed_counts(window: MakeWindow) -> None:
    here = EditorWindow(window())
    note = recording(here.window)
    here.do(here.editor.open, note)
    here.do(here.editor.type, note, "my remark")
    here.editor.habit = "late"
    here.say(assistant("said while the note was renamed", 2))
    here.editor.habit = "apply"
    here.editor.answer_late()
    unsaved = here.text(note)
    new = note.with_name("heaven.md")
    note.rename(new)
    here.do(here.editor.close, note)
    here.do(here.editor.open, new, unsaved)
    here.window.engine.move_notes(str(note), str(new))
    here.beat()
    (hold,) = here.window.journal.holds()
    assert hold.path == str(new)
    here.do(here.editor.close, new)
    assert words(new)[2:] == ["hi", "said while the note was renamed"]
    assert not note.exists()
