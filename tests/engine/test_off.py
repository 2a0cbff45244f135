"""`::off` and `::on`: nothing that was said in between is stored, shown or written, whatever fails and whichever window reads."""

import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from builders import Json, assistant, info, structs, tool_call, tool_result, user
from engine.machine import MakeWindow, Window, faulty, never, words
from kato.core.commands import Command
from kato.core.errors import KatoError
from kato.core.events import AssistantMessage, ProviderInfo, SessionKey, UserMessage, decode_line, encode_line
from kato.core.lines import Lines
from kato.engine import AppendRequest

KEY = SessionKey("claude", "session-1")
GAP = "*Not kept: what was said between ::off and ::on.*"


def said(window: Window, key: SessionKey = KEY) -> list[str]:
    """What the journal has: the texts of messages, `~` for a note of a gap."""
    found = []
    for _, line in window.journal.read(key):
        event = decode_line(line)
        if isinstance(event, UserMessage | AssistantMessage):
            found.append(event.content)
        elif isinstance(event, ProviderInfo) and event.subtype == "gap":
            found.append("~")
    return found


def holding(folder: Path, text: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


# --- What is kept -----------------------------------------------------------------------------------------


def test_nothing_said_after_off_is_in_any_file_or_in_memory(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    one.append(user("hello", 0))
    one.append(user("last words\n::off\nSECRET", 1), assistant("SECRET", 2), title="SECRET")
    answer = one.append(
        user("SECRET", 3), tool_call("SECRET", 4), tool_result("SECRET", 5), title="SECRET"
    ).answer
    assert answer is not None
    assert (answer.accepted, answer.duplicates, answer.withheld, answer.not_kept) == (0, 0, 3, "off")
    assert said(one) == ["hello", "last words\n::off"]
    assert b"SECRET" not in b"".join(data for _, data in one.engine.store.read_pieces(KEY))
    one.beat()
    assert holding(tmp_path, b"SECRET") == []


def test_the_outcome_says_once_what_off_means_and_how_to_go_on(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello\n::off", 0))
    one.append(user("x", 1))
    assert one.ran == ["off ok"]
    assert one.outcomes[0].message == (
        "Kato keeps nothing of this conversation from here on. ::on resumes; "
        "`kato clean --session session-1` removes what was kept."
    )
    assert one.kinds == []


def test_a_recording_stops_at_the_line_and_goes_on_with_the_gap_shown(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md\nfine\n::off\nSECRET", 0), assistant("SECRET", 1))
    note = one.notes / "talk.md"
    assert words(note) == ["::capture talk.md", "fine", "::off"]
    assert one.engine.ledger.active_recordings() == []
    one.append(user("SECRET\n::on\nback", 2), assistant("public", 3))
    assert words(note) == ["::capture talk.md", "fine", "::off", GAP, "::on", "back", "public"]
    assert one.ran == ["capture ok", "off ok", "on ok"]
    one.append(user("::capture again.md", 4))
    assert words(one.notes / "again.md")[:5] == words(note)[:5], "a whole capture shows the gap, too"


def test_a_recording_that_the_user_stopped_is_not_resumed(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md\n::stop\n::off", 0), user("::on", 1), user("later", 2))
    assert words(one.notes / "talk.md") == ["::capture talk.md", "::stop"]
    assert one.engine.ledger.active_recordings() == []


def test_a_note_that_another_conversation_took_meanwhile_is_left_to_it(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md\n::off", 0))
    one.append(user("::capture talk.md", 1, sessionId="other"))
    one.append(user("::on\nback", 2))
    assert [recording.key.session_id for recording in one.engine.ledger.active_recordings()] == ["other"]
    assert "back" not in words(one.notes / "talk.md")


def test_off_and_on_in_one_message_run_in_the_order_of_their_lines(window: MakeWindow) -> None:
    one = window()
    one.append(user("a\n::capture talk.md\n::off\nSECRET\n::on\nb\n::stop\nc", 0), user("d", 1))
    assert one.ran == ["capture ok", "off ok", "on ok", "stop ok"]
    assert said(one) == ["a\n::capture talk.md\n::off", "~", "::on\nb\n::stop\nc", "d"]
    assert words(one.notes / "talk.md") == ["a", "::capture talk.md", "::off", GAP, "::on", "b", "::stop"]


def test_commands_that_are_said_while_off_do_not_run_and_are_reported_once(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    one.append(user("::off", 0))
    messages = [user("::capture SECRET.md\n::off", 1), user("::stop", 2)]
    one.append(*messages)
    two.append(*messages)
    assert one.ran == ["off ok", "capture error", "off error", "stop error"]
    assert two.ran == []
    assert not (one.notes / "SECRET.md").exists()
    failed = one.outcomes[1].error
    assert failed is not UNSET
    assert failed.message == "Kato keeps nothing of this conversation since ::off; ::on resumes"


def test_an_on_without_an_off_changes_nothing(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello\n::on\nmore", 0), user("::on", 1))
    assert one.ran == ["on noop", "on noop"]
    assert said(one) == ["hello\n::on\nmore", "::on"]


def test_an_off_that_is_not_proven_to_be_typed_is_reported_and_switches_nothing(window: MakeWindow) -> None:
    one = window()
    one.append(user("::off", 0, doubt="a tool wrote it"), user("kept", 1))
    assert one.kinds == ["command_not_run"]
    assert said(one) == ["::off", "kept"]


def test_a_title_that_comes_after_a_gap_is_not_stored(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0), title="Greeting")
    one.append(user("::off", 1))
    one.append(user("::on", 2), user("x", 3), title="About the SECRET")
    record = one.journal.session(KEY)
    assert record is not None
    assert record.title == "Greeting"


def test_a_conversation_that_begins_with_off_is_named_by_its_kept_words(window: MakeWindow) -> None:
    one = window()
    one.append(user("::off\nSECRET", 0), user("SECRET", 1), user("SECRET\n::on\npublic", 2))
    record = one.journal.session(KEY)
    assert record is not None
    assert record.snippet in (None, "public")


def test_without_a_journal_the_same_words_are_kept(window: MakeWindow) -> None:
    one = window(journal=False)
    one.append(user("a\n::off\nSECRET", 0), assistant("SECRET", 1), user("::on\nb", 2))
    one.append(assistant("SECRET", 1))
    page = b"".join(one.engine.read_session(KEY, after=0, limit=100).pieces)
    assert b"SECRET" not in page
    assert page.count(b"\n") == 3


# --- The editor, and the status ---------------------------------------------------------------------------


def test_the_editors_commands_do_the_same_from_now_on(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md", 0))
    outcome = one.engine.run_editor_command(KEY, Command("off"))
    assert (outcome.status, outcome.output_path) == ("ok", str(one.notes / "talk.md"))
    assert one.engine.run_editor_command(KEY, Command("off")).status == "noop"
    one.append(user("SECRET", 1))
    assert one.engine.run_editor_command(KEY, Command("on")).status == "ok"
    assert one.engine.run_editor_command(KEY, Command("on")).status == "noop"
    one.append(user("back", 2))
    assert words(one.notes / "talk.md") == ["::capture talk.md", GAP, "back"]
    assert said(one) == ["::capture talk.md", "~", "back"]


@pytest.mark.parametrize("name", ["capture", "record"])
def test_no_recording_can_begin_while_off_and_an_export_shows_what_was_kept(
    window: MakeWindow, name: str
) -> None:
    one = window()
    one.append(user("kept\n::off\nSECRET", 0))
    refused = one.engine.run_editor_command(KEY, Command(name, None))  # type: ignore[arg-type]
    assert refused.status == "error"
    assert one.engine.run_editor_command(KEY, Command("export", "all.md")).status == "ok"
    assert words(one.notes / "all.md") == ["kept", "::off"]


def test_a_status_says_that_a_conversation_is_not_kept(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0))
    (session,) = one.engine.status(include_stale=True).sessions
    assert session.not_kept is UNSET
    one.append(user("::off", 1))
    (session,) = one.engine.status(include_stale=True).sessions
    assert session.not_kept == "off"
    one.append(user("::on", 2))
    (session,) = one.engine.status(include_stale=True).sessions
    assert session.not_kept is UNSET


# --- Restarts, windows, history ---------------------------------------------------------------------------


def test_off_survives_a_restart(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    one.append(user("hello\n::off", 0))
    again = Window(tmp_path, "again")
    again.append(user("SECRET", 1))
    assert said(again) == ["hello\n::off"]
    again.close()


def test_what_was_said_while_off_never_enters_later(window: MakeWindow) -> None:
    one, late = window("one"), window("late")
    talk = [user("a\n::off\nSECRET", 0), assistant("SECRET", 1), user("::on\nb", 2), assistant("c", 3)]
    one.append(*talk)
    kept = said(one)
    for each in (late, one):
        for replay in (False, True):
            answer = each.append(*talk, replay=replay).answer
            assert answer is not None
            assert (answer.accepted, answer.duplicates, answer.withheld) == (0, 4, UNSET)
        for event in talk:
            each.append(event)
    assert said(late) == kept
    assert late.ran == []


def test_history_is_kept_by_the_same_rule_and_runs_no_command(window: MakeWindow) -> None:
    one = window()
    one.append(user("a\n::off\nSECRET", 0), assistant("SECRET", 1), user("::on\nb", 2), replay=True)
    assert said(one) == ["a\n::off", "~", "::on\nb"]
    assert one.outcomes == []


def test_a_recording_ends_also_where_the_off_is_history(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md", 0))
    one.append(user("::off\nSECRET", 1), assistant("SECRET", 2), replay=True)
    assert one.engine.ledger.active_recordings() == []
    assert words(one.notes / "talk.md") == ["::capture talk.md", "::off"]


def test_a_window_that_lags_behind_stores_nothing_of_what_was_said_while_off(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    talk = [user("a", 0), user("::off", 1), user("SECRET", 2), user("::on", 3), user("b", 4)]
    for event in talk:
        one.append(event)
    for event in talk:
        two.append(event)
    assert said(two) == ["a", "::off", "~", "::on", "b"]
    assert two.ran == []


_LINES = st.lists(
    st.sampled_from(["::off", "::on", "word", "::stop", "```", "> ::off", "", "::record"]),
    min_size=1,
    max_size=5,
)
_runs = count()


def expected(texts: Sequence[str]) -> list[str]:
    """The words outside, by a rule of its own: line by line, with fences that close in their message."""
    kept: list[str] = []
    is_off = False
    for text in texts:
        in_fence = in_quote = False
        for line in text.split("\n"):
            if line.startswith("```"):
                in_fence, in_quote = not in_fence, False
            elif not in_fence and line in ("::off", "::on", "::stop", "::record") and not in_quote:
                is_switch = line == "::on"
                if is_switch:
                    is_off = False
                if not is_off:
                    kept.append(line)
                if line == "::off":
                    is_off = True
                continue
            elif not in_fence:
                in_quote = line.startswith(">") or (in_quote and bool(line))
            if not is_off and line:
                kept.append(line)
    return kept


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    messages=st.lists(_LINES, min_size=1, max_size=8),
    cuts=st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 1), st.booleans()), max_size=6
    ),
)
def test_for_any_messages_and_readings_the_journal_holds_exactly_the_words_outside(
    tmp_path: Path, messages: list[list[str]], cuts: list[tuple[int, int, int, bool]]
) -> None:
    folder = tmp_path / str(next(_runs))
    folder.mkdir()
    windows = [Window(folder, name) for name in ("one", "two")]
    for one in windows:
        one.alive = {"one", "two"}
    texts = ["\n".join(lines) for lines in messages]
    talk = [user(text, number) for number, text in enumerate(texts)]
    try:
        reached = 0
        for start, length, who, replay in [*cuts, (0, len(talk), 0, False), (0, len(talk), 1, True)]:
            # A log is read from anywhere before what was read, on: never with a hole.
            first = min(start, reached)
            part = talk[first : max(reached, first) + length]
            if part:
                windows[who].append(*part, replay=replay)
                reached = max(reached, first + len(part))
        shown = [line for text in said(windows[0]) if text != "~" for line in text.split("\n") if line]
        assert shown == expected(texts)
        for one in windows:
            one.beat()
            assert one.journal.unfinished_claims() == []
    finally:
        for one in windows:
            one.close()


# --- Sub-agents and continuations -------------------------------------------------------------------------


def child(content: str, number: int) -> Json:
    return assistant(content, number, sessionId="child")


def append_child(window: Window, *events: Json) -> None:
    made = structs(events)
    lines = Lines.of(encode_line(one) for one in made)
    key = SessionKey("claude", "child")
    window.engine.append(AppendRequest(key, made, lines, parent_id="session-1", title="SECRET task"))
    window.engine.commit()


def test_a_sub_agent_follows_the_conversation_that_started_it(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0))
    append_child(one, child("before", 1))
    one.append(user("::off", 2))
    append_child(one, child("SECRET", 3))
    one.append(user("::on", 4))
    append_child(one, child("after", 5), child("SECRET", 3))
    assert said(one, SessionKey("claude", "child")) == ["before", "after"]


def test_what_a_sub_agent_said_while_off_is_left_out_also_where_all_is_read_at_one_time(
    window: MakeWindow,
) -> None:
    one = window()
    talk = structs([user("hello", 0), user("::off", 2), user("::on", 4)])
    made = structs([child("before", 1), child("SECRET", 3), child("after", 5)])
    for key, events, parent in ((SessionKey("claude", "child"), made, "session-1"), (KEY, talk, None)):
        lines = Lines.of(encode_line(event) for event in events)
        one.engine.append(AppendRequest(key, events, lines, parent_id=parent, replay=True))
    one.engine.commit()
    assert said(one, SessionKey("claude", "child")) == ["before", "after"]


def test_a_sub_agent_that_starts_while_off_leaves_no_trace(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    one.append(user("hello\n::off", 0))
    append_child(one, child("SECRET", 1))
    one.append(user("::on", 2))
    append_child(one, child("SECRET", 1))
    assert one.journal.session(SessionKey("claude", "child")) is None
    assert holding(tmp_path, b"SECRET") == []


def fork_mark(number: int) -> Json:
    source = {"providerEventType": "user", "providerEventId": "session-1"}
    return info("forked", number, subtype="forked", sessionId="fork", source=source)


def test_a_fork_of_a_conversation_that_is_off_is_off_until_its_own_on(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0))
    one.engine.run_editor_command(KEY, Command("off"))
    later = {"timestamp": "2099-01-01T00:00:00Z", "sessionId": "fork"}
    fork = [fork_mark(1) | later, user("SECRET", 2) | later, user("::on\nback", 3) | later]
    one.append(*fork)
    one.append(*fork)
    assert said(one, SessionKey("claude", "fork")) == ["~", "::on\nback"]


def test_a_fork_that_was_made_before_the_off_is_kept(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0), user("::off", 9))
    one.append(fork_mark(1), user("kept", 2, sessionId="fork"))
    assert said(one, SessionKey("claude", "fork")) == ["kept"]


# --- .katoignore ------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kato looks at a folder each time."""
    monkeypatch.setattr("kato.core.limits.IGNORE_SECONDS", 0.0)


@pytest.mark.usefixtures("quick")
def test_nothing_of_a_conversation_in_an_ignored_folder_is_kept_until_the_file_is_removed(
    window: MakeWindow, tmp_path: Path
) -> None:
    one = window()
    ignore = one.notes / ".katoignore"
    one.append(user("::capture talk.md", 0))
    ignore.touch()
    answer = one.append(user("SECRET", 1), assistant("SECRET", 2)).answer
    assert answer is not None
    assert (answer.accepted, answer.withheld, answer.not_kept) == (0, 2, "ignored")
    assert one.engine.ledger.active_recordings() == []
    assert one.kinds == ["folder_ignored"]
    assert str(ignore) in one.notices[0].message
    one.append(user("SECRET", 3))
    assert one.kinds == ["folder_ignored"], "the user is notified once"
    ignore.unlink()
    one.append(user("SECRET", 1), user("back", 4))
    assert said(one) == ["::capture talk.md", "~", "back"]
    assert words(one.notes / "talk.md") == [
        "::capture talk.md",
        "*Not kept: what was said while a .katoignore file lay in the folder.*",
        "back",
    ]
    assert holding(tmp_path, b"SECRET") == []


@pytest.mark.usefixtures("quick")
def test_a_conversation_that_begins_in_an_ignored_folder_leaves_no_trace(
    window: MakeWindow, tmp_path: Path
) -> None:
    one = window()
    (one.notes / ".katoignore").write_text("anything\n")
    answer = one.append(user("SECRET\n::capture talk.md", 0), title="SECRET").answer
    assert answer is not None
    assert (answer.accepted, answer.event_count, answer.not_kept) == (0, 0, "ignored")
    assert one.journal.session(KEY) is None
    assert one.ran == ["capture error"]
    assert "a .katoignore file" in str(one.outcomes[0].error)
    assert holding(tmp_path, b"SECRET") == []


@pytest.mark.usefixtures("quick")
def test_a_file_that_comes_is_noticed_at_the_heartbeat(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md", 0))
    (one.notes / ".katoignore").touch()
    one.beat()
    (session,) = one.engine.status(include_stale=True).sessions
    assert session.not_kept == "ignored"
    assert session.recording is not UNSET
    assert not session.recording.active
    assert one.kinds == ["folder_ignored"]
    one.beat()
    assert len(one.journal.gaps(KEY)) == 1
    (one.notes / ".katoignore").unlink()
    (session,) = one.engine.status(include_stale=True).sessions
    assert session.not_kept is UNSET


@pytest.mark.usefixtures("quick")
def test_an_off_that_is_said_in_an_ignored_folder_counts_after_it(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0))
    ignore = one.notes / ".katoignore"
    ignore.touch()
    one.append(user("::off", 1))
    ignore.unlink()
    one.append(user("SECRET", 2))
    assert said(one) == ["hello"]


# --- kato clean -------------------------------------------------------------------------------------------


def test_a_conversation_that_is_off_and_cleaned_does_not_come_back(window: MakeWindow) -> None:
    one = window()
    talk = [user("hello", 0), user("::off", 1), user("SECRET", 2)]
    one.append(*talk)
    report = one.journal.clean(is_chosen=lambda record: record.key == KEY, dry_run=False)
    assert [record.key for record in report.removed] == [KEY]
    one.append(*talk, user("SECRET", 3))
    assert one.journal.session(KEY) is None
    one.append(user("::on\nback", 4))
    assert said(one) == ["~", "::on\nback"]


def test_a_damaged_journal_keeps_its_gaps(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    one.append(user("hello\n::off", 0), user("SECRET", 1))
    one.close()
    path = tmp_path / "state" / "journal.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[:100] = b"\0" * 100
    path.write_bytes(data)
    again = Window(tmp_path, "again")
    assert again.journal.recovery is not None
    again.append(user("SECRET", 1), user("SECRET", 2))
    assert said(again) == ["hello\n::off"]
    again.close()


def test_a_journal_that_fails_stores_nothing_and_the_switch_can_be_repeated(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0))
    connection = faulty(one)
    connection.fails = lambda _number, sql, _values: sql.startswith("INSERT INTO gap")
    ticket = one.append(user("::off\nSECRET", 1))
    assert isinstance(ticket.error, KatoError)
    connection.fails = never
    assert said(one) == ["hello"]
    one.append(user("::off\nSECRET", 1))
    assert said(one) == ["hello", "::off"]
