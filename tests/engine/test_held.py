"""Notes that are open in an editor while they record: no text of the user and no message gets lost,
no text is there twice, and saving never conflicts.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import assistant, conversation, user
from editors import SaveConflict
from engine.machine import MakeWindow, Window, words
from engine.windows import EditorWindow
from kato.core import limits
from kato.lsp.documents import Encoding

#: Kato's own client, and any other.
BOTH = pytest.mark.parametrize("reports", [True, False])


@pytest.fixture
def opened(window: MakeWindow) -> Callable[..., tuple[EditorWindow, Path]]:
    """A note that records and is open in an editor."""

    def make(*, reports: bool = True, encoding: Encoding = "utf-16") -> tuple[EditorWindow, Path]:
        here = EditorWindow(window(), reports=reports, encoding=encoding)
        here.say(user("hello\n::capture talk.md", 0), assistant("hi", 1))
        note = here.window.notes / "talk.md"
        here.do(here.editor.open, note)
        return here, note

    return make


Opened = Callable[..., tuple[EditorWindow, Path]]


@BOTH
def test_an_unsaved_note_is_appended_to_in_the_editor_and_saving_does_not_conflict(
    opened: Opened, reports: bool
) -> None:
    here, note = opened(reports=reports)
    before = note.read_bytes()
    here.do(here.editor.type, note, "My remark", at=here.text(note).index("hi\n"))
    here.say(assistant("said while it is unsaved", 2))
    here.say(user("and this", 3))
    assert note.read_bytes() == before, "the file is the user's now"
    assert here.text(note).endswith(
        "hi\n\nsaid while it is unsaved\n\n# User_2026-02-25_0613_23\n\nand this\n"
    )
    assert "My remark" in here.text(note)
    here.do(here.editor.save, note)
    here.say(assistant("after", 4))
    here.do(here.editor.look)
    assert words(note) == [
        "hello",
        "::capture talk.md",
        "My remarkhi",
        "said while it is unsaved",
        "and this",
        "after",
    ]
    assert here.window.kinds == []


def test_a_clean_note_of_katos_own_client_is_saved_by_it(opened: Opened) -> None:
    here, note = opened()
    here.say(assistant("one", 2))
    here.do(here.editor.type, note, "typed just after", at=len(here.text(note)) - len("one\n"))
    assert here.editor.edits == 1
    assert note.read_text().endswith("one\n")
    here.do(here.editor.save, note)
    assert here.window.journal.holds() == []


def test_a_clean_note_of_another_client_is_written_on_disk(opened: Opened) -> None:
    here, note = opened(reports=False)
    here.say(assistant("one", 2))
    assert here.editor.edits == 0
    assert note.read_text().endswith("one\n")
    here.do(here.editor.look)
    here.say(assistant("two", 3))
    assert here.editor.edits == 0, "loading the file again is not a change of the user's"


def test_a_client_without_edits_for_versions_gets_everything_on_disk(opened: Opened) -> None:
    here, note = opened()
    here._server.negotiated(encoding="utf-16", edits=False, reports=True)
    here.do(here.editor.type, note, "x")
    here.say(assistant("one", 2))
    assert here.editor.edits == 0
    assert note.read_text().endswith("one\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_text_is_inserted_at_the_end_whatever_the_note_ends_with(opened: Opened, encoding: Encoding) -> None:
    here, note = opened(encoding=encoding)
    here.do(here.editor.type, note, "mine 😀€, without a newline")
    here.say(assistant("said", 2))
    assert here.text(note).endswith("mine 😀€, without a newline\n\nsaid\n")


@BOTH
def test_what_was_not_saved_is_written_to_the_file_when_the_note_is_closed(
    opened: Opened, reports: bool
) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "never mind")
    for number in range(2, 6):
        here.say(assistant(f"message {number}", number))
    assert "message" not in note.read_text()
    here.do(here.editor.close, note)
    assert words(note)[2:] == ["hi", *(f"message {number}" for number in range(2, 6))]
    here.say(assistant("message 6", 6))
    assert words(note)[-1] == "message 6"
    assert here.window.journal.holds() == []
    assert here.window.kinds == []


def test_a_note_that_is_reverted_gets_the_text_again(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "never mind")
    here.say(assistant("one", 2))
    here.do(here.editor.revert, note)
    assert here.text(note).endswith("hi\n\none\n")
    assert note.read_text() == here.text(note), "it was clean, so it is saved"


@BOTH
def test_text_that_was_undone_and_saved_away_comes_back_and_is_reported(
    opened: Opened, reports: bool
) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "remark")
    here.say(assistant("a first message that stays", 2))
    here.say(user("a second message that is undone", 3))
    here.do(here.editor.delete, note, "\n# User_2026-02-25_0613_23\n\na second message that is undone\n")
    here.do(here.editor.save, note)
    assert here.window.kinds == ["note_repaired"]
    here.do(here.editor.look)
    assert words(note)[4:] == ["a first message that stays", "a second message that is undone"]


def test_what_a_formatter_changed_in_the_text_is_not_written_again(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "x")
    here.say(assistant("* one item of a list\n* another   item", 2))
    text = here.text(note)
    here.do(here.editor._change, note, 0, len(text), text.replace("* ", "- ").replace("   ", " "))
    here.do(here.editor.save, note)
    assert here.window.kinds == []
    assert note.read_text().count("another") == 1
    here.say(assistant("next", 3))
    assert words(note)[-1] == "next"


# --- Edits that fail ------------------------------------------------------------------------------------


@BOTH
def test_a_refused_edit_is_tried_again_at_the_next_change_and_at_the_heartbeat(
    opened: Opened, reports: bool
) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "a")
    here.editor.habit = "refuse"
    here.say(assistant("one", 2))
    assert here.text(note).endswith("a")
    here.editor.habit = "apply"
    here.do(here.editor.type, note, "b")
    assert here.text(note).endswith("ab\n\none\n")
    here.editor.habit = "refuse"
    here.say(assistant("two", 3))
    here.editor.habit = "apply"
    here.beat()
    assert here.text(note).endswith("one\n\ntwo\n")
    assert here.window.kinds == []


def test_an_editor_that_always_refuses_is_reported_once_and_catches_up(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "a")
    here.editor.habit = "refuse"
    here.say(assistant("one", 2))
    for _ in range(5):
        here.beat()
    assert here.window.kinds == ["recording_paused"]
    here.editor.habit = "apply"
    here.beat()
    assert here.text(note).endswith("one\n")


@BOTH
def test_keys_that_are_typed_while_the_edit_is_under_way_win(opened: Opened, reports: bool) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "a")
    here.editor.habit = "late"
    here.say(assistant("one", 2))
    here.do(here.editor.type, note, "b")
    here.editor.habit = "apply"
    here.do(here.editor.answer_late)
    assert here.text(note).endswith("ab\n\none\n")
    assert here.text(note).count("one") == 1


def test_long_typing_is_not_mistaken_for_an_editor_that_refuses(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "a")
    here.editor.habit = "late"
    here.say(assistant("one", 2))
    for _ in range(10):
        here.do(here.editor.type, note, "b")
        here.do(here.editor.answer_late)
    assert here.window.kinds == []
    here.editor.habit = "apply"
    here.do(here.editor.answer_late)
    assert here.text(note).endswith("abbbbbbbbbb\n\none\n")


@BOTH
def test_one_edit_is_under_way_at_a_time_and_later_messages_follow_in_order(
    opened: Opened, reports: bool
) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "a")
    here.editor.habit = "late"
    for number in range(2, 8):
        here.say(assistant(f"message {number}", number))
    assert here.editor.edits == 1
    here.editor.habit = "apply"
    here.do(here.editor.answer_late)
    assert here.editor.edits == 2
    found = [line for line in here.text(note).split("\n") if line.startswith("message")]
    assert found == [f"message {number}" for number in range(2, 8)]


@BOTH
@pytest.mark.parametrize("habit", ["ignore", "mute"])
def test_an_edit_without_an_answer_is_sent_again_unless_its_text_was_seen(
    opened: Opened, reports: bool, habit: str
) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "a")
    here.editor.habit = habit  # type: ignore[assignment]
    here.say(assistant("one", 2))
    here.editor.habit = "apply"
    here.beat()
    here.seconds += limits.EDIT_ANSWER_SECONDS + 1
    here.beat()
    here.say(assistant("two", 3))
    assert here.text(note).endswith("a\n\none\n\ntwo\n")
    assert here.text(note).count("one\n") == 1


def test_a_late_answer_counts(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "a")
    here.editor.habit = "late"
    here.say(assistant("one", 2))
    here.seconds += limits.EDIT_ANSWER_SECONDS + 1
    here._server.expire()
    here.editor.habit = "apply"
    here.do(here.editor.answer_late)
    here.say(assistant("two", 3))
    here.beat()
    assert here.text(note).endswith("a\n\none\n\ntwo\n")


def test_a_note_that_is_closed_while_an_edit_is_under_way_is_written_on_disk(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "a")
    here.editor.habit = "late"
    here.say(assistant("one", 2))
    here.do(here.editor.close, note)
    assert words(note)[2:] == ["hi", "one"]
    here.do(here.editor.answer_late)
    here.beat()
    assert words(note)[2:] == ["hi", "one"]


# --- Commands -------------------------------------------------------------------------------------------


@BOTH
def test_a_stop_is_in_order_also_when_the_editor_is_slow(opened: Opened, reports: bool) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "a")
    here.editor.habit = "late"
    here.say(assistant("one", 2))
    here.say(user("two\n::stop\nnot this", 3), assistant("nor this", 4), user("::record\nthis again", 5))
    here.editor.habit = "apply"
    here.do(here.editor.answer_late)
    said = [line for line in here.text(note).split("\n")[-30:] if line and not line.startswith("# ")]
    assert said[-6:] == ["a", "one", "two", "::stop", "::record", "this again"]
    assert here.window.ran == ["capture ok", "stop ok", "record ok"]


@BOTH
def test_a_stopped_recording_writes_text_again_that_was_not_saved(opened: Opened, reports: bool) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "a")
    here.say(assistant("one", 2), user("two\n::stop", 3), assistant("not this", 4))
    assert here.text(note).endswith("::stop\n")
    here.do(here.editor.close, note)
    assert words(note)[2:] == ["hi", "one", "two", "::stop"]
    here.beat()
    assert words(note)[2:] == ["hi", "one", "two", "::stop"]


@BOTH
def test_a_capture_onto_an_unsaved_draft_goes_below_what_the_user_typed(
    window: MakeWindow, reports: bool
) -> None:
    here = EditorWindow(window(), reports=reports)
    draft = here.window.notes / "draft.md"
    draft.write_text("# My draft\n")
    here.do(here.editor.open, draft)
    here.do(here.editor.type, draft, "words that were never saved")
    here.say(user("hello", 0), assistant("hi", 1), user("::capture draft.md\nand", 2), assistant("on", 3))
    text = here.text(draft)
    assert text.startswith("# My draft\nwords that were never saved\n\n# User_2026-02-25_0613_20\n\nhello\n")
    assert text.endswith("and\n\n# Assistant_2026-02-25_0613_23\n\non\n")
    assert here.window.outcomes[-1].events_written == 3
    here.do(here.editor.save, draft)
    here.say(assistant("after", 4))
    here.do(here.editor.look)
    assert draft.read_text() == text + "\nafter\n"
    assert here.window.kinds == []


@BOTH
def test_a_capture_again_onto_the_unsaved_note_brings_it_up_to_date(opened: Opened, reports: bool) -> None:
    here, note = opened(reports=reports)
    here.do(here.editor.type, note, "my remark")
    here.say(assistant("one", 2), user("::capture", 3))
    assert here.window.ran == ["capture ok", "capture ok"]
    assert here.text(note).count("\nhello\n") == 1
    assert "my remark" in here.text(note)
    assert here.text(note).endswith("::capture\n")


@BOTH
@pytest.mark.parametrize("command", ["::capture talk.md", "::export talk.md", "::export talk.jsonl"])
def test_a_transcript_with_unsaved_changes_is_not_replaced_by_another_one(
    opened: Opened, reports: bool, command: str
) -> None:
    here, note = opened(reports=reports)
    note = note.with_suffix(Path(command.split()[1]).suffix)
    if not note.exists():
        note.write_text("{}\n")
        here.do(here.editor.open, note)
    here.do(here.editor.type, note, "my remark")
    before = note.read_text()
    here.say(*conversation(2, session="other"), user(command, 2, sessionId="other"))
    error = here.window.outcomes[-1].error
    assert error, "it is refused"
    assert (error.code, error.rule, error.path) == (-32013, "unsaved", str(note))
    assert note.read_text() == before
    here.do(here.editor.save, note)
    here.say(user(command, 3, sessionId="other"))
    assert here.window.outcomes[-1].status == "ok"


def test_a_capture_onto_a_saved_note_replaces_the_file(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "my remark")
    here.do(here.editor.save, note)
    here.say(user("::capture", 2))
    assert here.window.kinds == ["text_backed_up"]
    here.do(here.editor.look)
    here.say(assistant("on", 3))
    assert words(note) == ["hello", "::capture talk.md", "hi", "::capture", "on"]


def test_what_follows_a_capture_is_written_on_disk_until_the_editor_shows_the_new_note(
    opened: Opened,
) -> None:
    here, note = opened()
    here.say(user("::capture", 2), assistant("right after", 3))
    here.say(assistant("and more", 4))
    assert words(note)[-3:] == ["::capture", "right after", "and more"]
    edits = here.editor.edits
    here.do(here.editor.look)
    here.say(assistant("later", 5))
    assert here.editor.edits == edits + 1
    assert note.read_text() == here.text(note)
    assert note.read_text().endswith("later\n")


@BOTH
@pytest.mark.parametrize("is_loaded", [True, False])
def test_an_older_version_that_another_tool_puts_under_an_open_note_gets_what_it_lacks(
    opened: Opened, reports: bool, is_loaded: bool
) -> None:
    here, note = opened(reports=reports)
    here.say(assistant("the first message after the old version", 2))
    here.do(here.editor.look)
    old = note.read_bytes().replace(b"\nthe first message after the old version\n", b"")
    note.write_bytes(old)
    if is_loaded:
        here.do(here.editor.look)
    here.say(assistant("the second message after the old version", 3))
    assert words(note)[2:] == [
        "hi",
        "the first message after the old version",
        "the second message after the old version",
    ]
    here.do(here.editor.look)
    here.say(assistant("the last message of them all", 4))
    here.do(here.editor.look)
    assert words(note)[-1] == "the last message of them all"
    assert here.text(note) == note.read_text()
    assert here.window.kinds == ["note_repaired"]


def test_what_the_user_deletes_and_saves_is_not_written_again(opened: Opened) -> None:
    here, note = opened()
    here.say(assistant("a message that the user deletes later", 2))
    here.say(assistant("a message that stays for good", 3))
    here.do(here.editor.delete, note, "\na message that the user deletes later\n")
    here.do(here.editor.save, note)
    here.say(assistant("the next message", 4))
    assert words(note)[2:] == ["hi", "a message that stays for good", "the next message"]
    assert here.window.kinds == []


def test_notes_that_only_kato_wrote_are_not_backed_up(opened: Opened) -> None:
    here, note = opened()
    here.say(assistant("one", 2))
    here.say(assistant("two", 3))
    here.say(user("::capture", 4))
    assert here.window.kinds == []
    assert words(note)[-3:] == ["one", "two", "::capture"]


# --- Other windows, and the next start ------------------------------------------------------------------


@BOTH
def test_another_window_does_not_write_a_note_that_is_unsaved_here(window: MakeWindow, reports: bool) -> None:
    here, other = EditorWindow(window("here"), reports=reports), window("other")
    here.say(user("hello\n::capture talk.md", 0))
    note = here.window.notes / "talk.md"
    here.do(here.editor.open, note)
    here.do(here.editor.type, note, "my remark")
    before = note.read_bytes()
    other.append(assistant("said in the other window", 1))
    other.beat()
    assert note.read_bytes() == before
    here.beat()
    assert here.text(note).endswith(
        "my remark\n\n# Assistant_2026-02-25_0613_21\n\nsaid in the other window\n"
    )
    other.append(user("::export talk.md", 2))
    assert other.ran == ["export error"]
    here.do(here.editor.save, note)
    other.append(assistant("last", 3))
    here.do(here.editor.look)
    assert words(note).count("last") == 1


@BOTH
def test_an_editor_that_restarts_with_its_unsaved_text_goes_on_where_it_was(
    window: MakeWindow, reports: bool
) -> None:
    first = EditorWindow(window("first"), reports=reports)
    first.say(user("hello\n::capture talk.md", 0))
    note = first.window.notes / "talk.md"
    first.do(first.editor.open, note)
    first.do(first.editor.type, note, "my remark")
    first.say(assistant("a message that was never saved", 1))
    unsaved = first.text(note)
    second = EditorWindow(window("second"), reports=reports)
    second.window.alive = {"second"}
    second.say(assistant("said before the editor showed the note", 2))
    second.beat()
    assert "said before" not in note.read_text(), "the editor may bring unsaved text back"
    second.do(second.editor.open, note, unsaved)
    second.beat()
    assert second.text(note) == unsaved + "\nsaid before the editor showed the note\n"
    second.do(second.editor.save, note)
    assert note.read_text() == second.text(note)


@BOTH
def test_an_editor_that_crashed_before_the_edit_was_confirmed_does_not_get_it_twice(
    window: MakeWindow, reports: bool
) -> None:
    first = EditorWindow(window("first"), reports=reports)
    first.say(user("hello\n::capture talk.md", 0))
    note = first.window.notes / "talk.md"
    first.do(first.editor.open, note)
    first.do(first.editor.type, note, "my remark")
    before = first.text(note)
    first.editor.habit = "ignore"
    first.say(assistant("a message that the editor got just before", 1))
    edited = before + "\n\n# Assistant_2026-02-25_0613_21\n\na message that the editor got just before\n"
    second = EditorWindow(window("second"), reports=reports)
    second.window.alive = {"second"}
    second.do(second.editor.open, note, edited)
    second.say(assistant("next", 2))
    assert second.text(note) == edited + "\nnext\n"


def test_text_that_a_dead_process_left_unsaved_is_written_after_a_moment(
    window: MakeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = EditorWindow(window("first"))
    first.say(user("hello\n::capture talk.md", 0))
    note = first.window.notes / "talk.md"
    first.do(first.editor.open, note)
    first.do(first.editor.type, note, "my remark")
    first.say(assistant("a message that was never saved", 1))
    monkeypatch.setattr(limits, "HOLD_GRACE_MS", 0)
    second = window("second")
    second.alive = {"second"}
    second.beat()
    assert words(note) == ["hello", "::capture talk.md", "a message that was never saved"]
    assert second.journal.holds() == []


# --- Any order ------------------------------------------------------------------------------------------

ACTIONS = st.lists(
    st.sampled_from(
        [
            "say",
            "say",
            "type",
            "type above",
            "save",
            "close",
            "open",
            "look",
            "revert",
            "beat",
            "capture",
            "late",
            "refuse",
            "apply",
        ]
    ),
    max_size=14,
)
_runs = count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS, st.booleans())
def test_whatever_the_user_does_every_message_is_in_the_note_once_and_no_save_conflicts(
    tmp_path: Path, actions: list[str], reports: bool
) -> None:
    folder = tmp_path / str(next(_runs))
    folder.mkdir()
    here = EditorWindow(Window(folder), reports=reports)
    here.say(user("message 0 of the conversation\n::capture talk.md", 0))
    note, editor = here.window.notes / "talk.md", here.editor
    saved: list[str] = []
    unsaved: list[str] = []
    said = 1
    here.do(editor.open, note)
    for number, action in enumerate(actions):
        is_open = note in editor.buffers
        here.do(editor.look)  # an editor that goes on with an old file conflicts by itself
        if action == "say":
            here.say(assistant(f"message {said} of the conversation", said))
            said += 1
        elif action in ("late", "refuse", "apply"):
            editor.habit = action  # type: ignore[assignment]
            if action == "apply":
                here.do(editor.answer_late)
        elif action == "open" and not is_open:
            here.do(editor.open, note)
        elif action == "look":
            here.do(editor.look)
        elif action == "beat":
            here.beat()
        elif action == "capture":
            if not (is_open and editor.buffers[note].is_dirty):
                saved = []  # replaced, with a copy in the backups
            here.say(user("::capture", 1000 + number))
        elif not is_open:
            continue
        elif action in ("type", "type above"):
            unsaved.append(f"remark-{number}")
            at = None if action == "type" else here.text(note).index("message 0")
            here.do(editor.type, note, f"remark-{number} ", at=at)
        elif action == "save":
            here.do(editor.save, note)
            saved, unsaved = saved + unsaved, []
        elif action == "revert" and reports:  # of another client it is not known
            here.do(editor.revert, note)
            unsaved = []
        elif action == "close":
            here.do(editor.close, note)
            unsaved = []
    editor.habit = "apply"
    here.do(editor.answer_late)
    here.beat()
    if note in editor.buffers:
        here.do(editor.look)
        here.do(editor.save, note)
        here.do(editor.close, note)
        saved += unsaved
    here.beat()
    text = note.read_text()
    found = [text.count(f"\nmessage {number} of the conversation") for number in range(said)]
    assert found == [1] * said, text
    places = [text.index(f"\nmessage {number} of the conversation") for number in range(said)]
    assert places == sorted(places)
    assert [remark for remark in saved if remark not in text] == []
    here.window.close()


def test_the_editor_of_these_tests_can_conflict(opened: Opened) -> None:
    here, note = opened()
    here.do(here.editor.type, note, "x")
    note.write_text("someone else was faster")
    with pytest.raises(SaveConflict):
        here.do(here.editor.save, note)
