"""A user edits a note while it records: every message is in it once and in order, whatever the editor saves."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import assistant, user
from engine.machine import MakeWindow, Window, faulty, never, words
from kato.core import limits

#: What a user may do to the text of a note that holds the messages `one` to `four`: the text that was in the editor before
#: the last two were appended, the text now, and the text that is saved.
Edit = Callable[[str, str], str]


def talk_to(one: Window, *, first: int, texts: list[str]) -> None:
    for number, text in enumerate(texts, first):
        one.append(assistant(text, number))


def empty(note: Path) -> None:
    """The user emptied the note, longer ago than an editor takes to save it."""
    note.write_bytes(b"")
    old = note.stat().st_mtime_ns - limits.NOTE_SAVING_MS * 1_000_000
    os.utime(note, ns=(old, old))


@pytest.mark.parametrize(
    ("edit", "lines", "is_repaired"),
    [
        # The tail is intact: what the user did stays.
        (lambda _, now: now.replace("message one", "message one, quoted"), "one' two three four", False),
        (lambda _, now: now + "\nmy remark\n", "one two three four remark", False),
        (lambda _, now: now + "no newline", "one two three four noline", False),
        (lambda _, now: now.replace("message three\n\n", ""), "one two four", False),
        (lambda _, now: now.replace("message four", "**message four** (!)"), "one two three four'", False),
        (lambda _, now: now.replace("message four", "message fuor"), "one two three fuor", False),
        (
            lambda _, now: now.replace("message three\n", "message three\n\nmy remark\n"),
            "one two three remark four",
            False,
        ),
        (lambda _, now: now.replace("\n", "\r\n"), "one two three four", False),
        # An older buffer was saved: the last two are missing.
        (lambda old, _: old, "one two three four", True),
        (lambda old, _: old + "\nmy remark\n", "one two remark three four", True),
        (lambda old, _: old + "no newline", "one two noline three four", True),
        (lambda old, _: old.replace("message one", "message one, quoted"), "one' two three four", True),
        (lambda old, _: old.replace("message two", "message two, quoted"), "one two' three four", True),
        (lambda old, _: old.replace("message one\n\n", ""), "two three four", True),
        (
            lambda old, _: old.replace("message one\n", "message one\n\nmy remark\n"),
            "one remark two three four",
            True,
        ),
    ],
)
@pytest.mark.parametrize("seen_by", ["append", "heartbeat"])
def test_an_edit_stays_and_an_older_version_is_completed(
    window: MakeWindow, edit: Edit, lines: str, seen_by: str, *, is_repaired: bool
) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    talk_to(one, first=1, texts=["message one", "message two"])
    old = note.read_text()
    talk_to(one, first=3, texts=["message three", "message four"])
    note.write_bytes(edit(old, note.read_text()).encode())
    if seen_by == "heartbeat":
        one.beat()
        assert ("note_repaired" in one.kinds) == is_repaired
    talk_to(one, first=5, texts=["message five"])
    short = {
        "one'": "message one, quoted",
        "two'": "message two, quoted",
        "four'": "**message four** (!)",
        "fuor": "message fuor",
        "remark": "my remark",
        "noline": "no newline",
    }
    expected = [short.get(word, f"message {word}") for word in [*lines.split(), "five"]]
    assert words(note) == ["::capture talk.md", *expected]
    assert ("note_repaired" in one.kinds) == is_repaired
    one.beat()
    assert words(note) == ["::capture talk.md", *expected]
    assert one.kinds.count("note_repaired") == is_repaired


def test_the_notice_of_a_repair_names_the_note(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    old = note.read_text()
    one.append(assistant("said while the note was open", 1))
    note.write_text(old + "my remark\n")
    one.beat()
    (notice,) = one.notices
    recording = one.journal.active_recordings()[0]
    assert (notice.kind, notice.severity) == ("note_repaired", "warning")
    session = {"provider": "claude", "sessionId": "session-1"}
    assert notice.data == {"path": str(note), "recordingId": recording.recording_id} | session


def test_lines_that_are_deleted_again_after_a_repair_stay_deleted(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0), assistant("message one", 1))
    talk_to(one, first=2, texts=["my password is hunter2"])
    without = note.read_text().replace("my password is hunter2\n", "")
    for _ in range(2):
        note.write_text(without)
        one.beat()
    assert "hunter2" not in note.read_text()
    talk_to(one, first=3, texts=["message two"])
    note.write_text(note.read_text().replace("message two", "message two!"))
    talk_to(one, first=4, texts=["message three"])
    assert words(note) == ["::capture talk.md", "message one", "message two!", "message three"]
    assert one.kinds == ["note_repaired"]


def test_what_was_there_at_the_users_last_save_is_the_users_to_delete(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    talk_to(one, first=1, texts=["message one", "message two", "message three"])
    note.write_text(note.read_text().replace("message one", "message one!"))
    one.beat()
    note.write_text("only my summary\n")
    one.beat()
    assert note.read_text() == "only my summary\n"
    talk_to(one, first=4, texts=["message four"])
    assert note.read_text() == "only my summary\n\nmessage four\n"
    assert one.kinds == []


def test_a_capture_over_a_note_that_is_open_in_an_editor_is_completed(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "draft.md"
    note.write_text("---\nid: abc\n---\n\n")
    one.append(assistant("message one", 0), user("::capture draft.md", 1))
    note.write_text("---\nid: abc\n---\n\nmy remark\n")
    one.beat()
    assert words(note) == ["my remark", "message one", "::capture draft.md"]
    assert one.kinds == ["note_repaired"]


def test_a_note_that_is_emptied_twice_stays_empty(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(assistant("message one", 0), user("::capture talk.md", 1))
    empty(note)
    one.beat()
    assert "message one" in note.read_text()
    empty(note)
    one.beat()
    assert note.read_text() == ""


def test_a_message_that_was_sent_twice_is_in_the_note_twice(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    talk_to(one, first=1, texts=["A longer message to edit.", "Running the tests."])
    note.write_text(note.read_text().replace("A longer", "A much longer"))
    talk_to(one, first=3, texts=["Running the tests."])
    # As many bytes more as the next message has: the file's size alone would say that it stands there.
    note.write_text(note.read_text().replace("A much", "A much, so to speak, "))
    talk_to(one, first=4, texts=["Running the tests."])
    assert words(note)[2:] == ["Running the tests."] * 3


def test_an_old_version_that_lacks_only_repetitions_is_completed(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    talk_to(one, first=1, texts=["Still waiting.", "Still waiting."])
    old = note.read_text()
    talk_to(one, first=3, texts=["Still waiting.", "Still waiting."])
    note.write_text(old + "my remark\n")
    one.beat()
    assert words(note)[1:] == ["Still waiting."] * 2 + ["my remark"] + ["Still waiting."] * 2


@pytest.mark.parametrize(
    ("edit", "remark"),
    [
        (lambda text: text, []),
        (lambda text: text + "\nmy remark\n", ["my remark"]),
        (lambda text: text.replace("::capture", "# ::capture"), []),
    ],
)
def test_what_was_written_before_a_crash_but_not_remembered_is_found(
    window: MakeWindow, edit: Callable[[str], str], remark: list[str]
) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0), assistant("message one", 1))
    forget = remembered(one, note)
    talk_to(one, first=2, texts=["message one", "message two"])
    forget()
    note.write_text(edit(note.read_text()))
    talk_to(one, first=4, texts=["message three"])
    said = ["message one", "message one", "message two", *remark, "message three"]
    assert words(note)[-len(said) :] == said
    assert [line for line in words(note) if line.startswith("message")] == [
        line for line in said if line.startswith("message")
    ]


@pytest.mark.parametrize("cut", range(1, len("a message of one line\n\n")))
def test_a_line_that_a_crash_cut_off_is_completed(window: MakeWindow, cut: int) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    forget = remembered(one, note)
    one.append(assistant("a message of one line", 1))
    whole = note.read_text()
    forget()
    note.write_text(whole[:-cut])
    one.beat()
    assert note.read_text() == whole


def remembered(one: Window, note: Path) -> Callable[[], None]:
    """Makes the journal remember what it remembers now, as after a crash between a write to a note and the commit."""
    (recording,) = one.journal.active_recordings()
    known = one.journal.note(str(note))
    assert known is not None

    def forget() -> None:
        one.journal.put_recording(recording)
        one.journal.put_note(known)

    return forget


def test_a_stop_and_a_new_record_do_not_bring_back_what_lies_between(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0), assistant("message one", 1), user("::stop", 2))
    one.append(assistant("not recorded", 3), user("::record", 4), assistant("message two", 5))
    note.write_text(note.read_text().replace("message one", "message one!"))
    one.beat()
    one.append(assistant("message three", 6))
    assert "not recorded" not in note.read_text()
    assert words(note)[1:] == ["message one!", "::stop", "::record", "message two", "message three"]


def test_settings_that_change_how_a_note_looks_bring_nothing_back(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("message one\n::capture talk.md", 0), assistant("message two", 1))
    one.close()
    two = window("window-2", markdown={"italicizeUserMessages": True})
    note.write_text(note.read_text().replace("message two", "message two!"))
    two.beat()
    two.append(user("message three", 2))
    assert words(note) == ["message one", "::capture talk.md", "message two!", "*message three*"]


def test_a_note_that_was_not_changed_is_not_read_again(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    one.append(user("::capture talk.md", 0), assistant("message one", 1))
    read: list[str] = []
    writer = one.engine.notebook.writer
    real = writer.read_end

    def counted(path: str, length: int) -> bytes:
        read.append(path)
        return real(path, length)

    writer.read_end = counted  # type: ignore[method-assign]
    one.beat()
    talk_to(one, first=2, texts=["message two"])
    assert read == []


def test_a_failure_during_a_repair_neither_loses_nor_repeats_text(tmp_path: Path) -> None:
    for number in count():
        folder = tmp_path / str(number)
        folder.mkdir()
        one = Window(folder)
        note = one.notes / "talk.md"
        one.append(user("::capture talk.md", 0))
        old = note.read_text()
        talk_to(one, first=1, texts=["message one", "message two"])
        note.write_text(old + "my remark\n")
        connection = faulty(one)
        connection.fails = lambda at, _sql, _values, number=number: at == number  # type: ignore[misc]
        one.beat()
        if len(connection.statements) <= number:
            break  # it ran to its end
        connection.fails = never
        talk_to(one, first=3, texts=["message three"])
        one.beat()
        where = f"statement {number}: {connection.statements[number]}"
        said = ["my remark", "message one", "message two", "message three"]
        assert words(note) == ["::capture talk.md", *said], where
        one.close()
    one.close()
    assert number > 10


MESSAGES = st.sampled_from(
    ["Running the tests.", "Still waiting.", "OK", "Here is\n\nmore of it", "```\ncode\n```"]
)
#: Append messages; edit the middle of the saved note; add a remark at its end; save an older version with a remark.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), MESSAGES),
        st.tuples(st.just("edit"), st.just("")),
        st.tuples(st.just("remark"), st.just("")),
        st.tuples(st.just("stale"), st.sampled_from(["end", "middle"])),
        st.tuples(st.just("beat"), st.just("")),
        st.tuples(st.just("reload"), st.just("")),
    ),
    max_size=14,
)
_runs = count()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_each_message_is_in_the_note_once_and_in_order_whatever_is_saved(
    tmp_path: Path, steps: list[tuple[str, str]]
) -> None:
    folder = tmp_path / str(next(_runs))
    folder.mkdir()
    one = Window(folder)
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    said: list[str] = []
    buffer = note.read_text()  # what a dirty editor holds: the file as it was when it was loaded or saved
    for number, (what, how) in enumerate(steps, 1):
        # Longer than all messages: two saves within one tick of the clock must not leave the same size.
        mark = f"\n<!-- remark {number} of the user {'x' * 1000 * number} -->\n"
        if what == "say":
            said.append(f"{how}\nnumber {number % 3}" if number % 2 else how)
            one.append(assistant(said[-1], number))
        elif what == "beat":
            one.beat()
        elif what == "reload":
            buffer = note.read_text()
        else:
            text = buffer if what == "stale" else note.read_text()
            at_end = what == "remark" or how == "end"
            at = text.index("::capture talk.md\n") + len("::capture talk.md\n")
            text = text + mark if at_end else text[:at] + mark + text[at:]
            note.write_text(text)
            buffer = text
    one.beat()
    one.append(assistant("the end", 1000))
    found = [line for line in words(note) if not line.startswith("<!-- remark")]
    expected = [line for text in [*said, "the end"] for line in text.split("\n") if line]
    assert found == ["::capture talk.md", *expected]
    one.close()


def test_a_note_that_an_editor_is_saving_in_place_is_left_alone(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    talk_to(one, first=1, texts=["message one"])
    text = note.read_text()
    note.write_bytes(b"")
    one.beat()
    talk_to(one, first=2, texts=["message two"])
    assert note.read_bytes() == b""
    note.write_text(text)
    one.beat()
    assert words(note) == ["::capture talk.md", "message one", "message two"]
    assert one.notices == []


def test_a_note_that_stays_empty_gets_its_text_again(window: MakeWindow) -> None:
    one = window()
    note = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    talk_to(one, first=1, texts=["message one"])
    empty(note)
    one.beat()
    assert "message one" in note.read_text()
    assert one.kinds == ["note_repaired"]
