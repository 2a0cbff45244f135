"""`kato clean` while windows are open: they show nothing of a removed conversation from memory, and everything new."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from builders import SESSION, assistant, conversation, user
from engine.machine import MakeWindow, Window, faulty, words
from kato.core.commands import command_from_editor
from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.storage.journal import FILE_NAME, Journal
from kato.system.clock import now_ms

KEY = SessionKey("claude", SESSION)
DAY = 86_400_000
OLD = [user("OLDTEXT question", 0), assistant("OLDTEXT answer", 1), user("OLDTEXT thanks", 2)]
NEW = [user("NEWTEXT question", 3), assistant("NEWTEXT answer", 4)]


def clean(state: Path) -> None:
    """Another process removes all that was not touched since yesterday; it was touched a year ago."""
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        long_ago = now_ms() - 365 * DAY
        db.execute(
            "UPDATE session SET updated_at = ?, last_message_at = min(last_message_at, ?)",
            (long_ago, long_ago),
        )
        db.commit()
    cleaner = Journal.open(state, now_ms=now_ms)
    assert cleaner.clean(older_than_ms=now_ms() - DAY, dry_run=False).removed
    cleaner.close()


@pytest.fixture
def resident(window: MakeWindow, tmp_path: Path) -> Window:
    """A window that has the old conversation in memory, which was removed after that."""
    made = window()
    made.append(*OLD)
    assert KEY in made.engine.store
    clean(tmp_path / "state")
    return made


def capture(window: Window, name: str = "talk.md") -> str:
    window.engine.run_editor_command(KEY, command_from_editor("capture", name, None))
    return (window.notes / name).read_text()


@pytest.mark.parametrize("count", [1, 2])
def test_a_note_after_the_removal_has_only_the_new_text(resident: Window, count: int) -> None:
    """Also while fewer events came than were in memory before."""
    answer = resident.append(*NEW[:count]).answer
    assert answer is not None
    assert (answer.accepted, answer.event_count, answer.truncated_events) == (count, count, 0)
    capture(resident)
    resident.append(assistant("LATER one", 5), assistant("LATER two", 6))
    said = [str(event["content"]) for event in NEW[:count]]
    assert words(resident.notes / "talk.md") == [*said, "LATER one", "LATER two"]


def test_as_many_new_events_as_were_removed_are_not_mistaken_for_them(resident: Window) -> None:
    events = conversation(3, first=10)
    resident.append(*events)
    assert "OLDTEXT" not in capture(resident)
    assert words(resident.notes / "talk.md") == [str(event["content"]).rstrip() for event in events]


Look = Callable[[Window], object]


@pytest.mark.parametrize(
    "look",
    [
        lambda window: window.engine.status(include_stale=True),
        lambda window: window.engine.memory_status(),
        lambda window: window.beat(),
        lambda window: window.append(user("another", sessionId="other")),
    ],
    ids=["status", "memory", "heartbeat", "another session"],
)
def test_a_window_drops_the_snapshot_whatever_it_does_next(resident: Window, look: Look) -> None:
    assert b"OLDTEXT" not in orjson.dumps(look(resident), default=str)
    assert KEY not in resident.engine.store
    assert resident.engine.store.check() == []


def test_a_removed_session_is_unknown(resident: Window) -> None:
    with pytest.raises(UnknownSession):
        resident.engine.read_session(KEY, after=0, limit=10)
    with pytest.raises(UnknownSession):
        resident.engine.render_session(KEY)
    outcome = resident.engine.run_editor_command(KEY, command_from_editor("capture", "n.md", None))
    assert outcome.status == "error"
    assert not (resident.notes / "n.md").exists()


def test_a_conversation_that_continues_is_read_and_shown_without_removed_events(resident: Window) -> None:
    resident.append(*NEW)
    page = resident.engine.read_session(KEY, after=0, limit=10)
    read = [orjson.loads(line) for line in b"".join(page.pieces).splitlines()]
    assert (read, page.next_after, page.total) == (NEW, None, 2)
    markdown = resident.engine.render_session(KEY).text
    assert "NEWTEXT answer" in markdown
    assert "OLDTEXT" not in markdown
    (session,) = resident.engine.status(include_stale=True).sessions
    assert session.snippet == "NEWTEXT question"


def test_a_client_that_sends_removed_events_again_does_not_restore_them(resident: Window) -> None:
    ticket = resident.append(*OLD, title="Old")
    assert ticket.answer is not None
    assert (ticket.answer.accepted, ticket.answer.duplicates, ticket.answer.event_count) == (0, 3, 0)
    assert resident.engine.status(include_stale=True).sessions == []
    ticket = resident.append(*OLD, *NEW)
    assert ticket.answer is not None
    assert (ticket.answer.accepted, ticket.answer.duplicates, ticket.answer.event_count) == (2, 3, 2)
    assert "OLDTEXT" not in capture(resident)
    (session,) = resident.engine.status(include_stale=True).sessions
    assert "OLDTEXT" not in str(session)


def test_a_command_in_what_was_removed_does_not_run_again(window: MakeWindow, tmp_path: Path) -> None:
    made = window()
    said = user("OLDTEXT\n::capture old.md\n::stop", 0)
    made.append(said)
    assert made.ran == ["capture ok", "stop ok"]
    (made.notes / "old.md").unlink()
    clean(tmp_path / "state")
    made.append(said, user("go on", 1))
    assert made.ran == ["capture ok", "stop ok"]
    assert not (made.notes / "old.md").exists()


def test_the_other_sessions_of_a_window_stay_in_memory(window: MakeWindow, tmp_path: Path) -> None:
    made = window()
    made.append(*OLD)
    state = tmp_path / "state"
    clean(state)
    made.append(*conversation(3, session="young"))
    made.beat()
    assert SessionKey("claude", "young") in made.engine.store


def test_delayed_commands_of_a_removed_session_are_forgotten(window: MakeWindow, tmp_path: Path) -> None:
    made = window()
    made.append(*OLD, user("::record", 3))
    connection = faulty(made)
    connection.fails = lambda _number, sql, _values: sql.startswith("UPDATE claim SET finished")
    made.append(user("::stop", 4))
    assert made.kinds[-1] == "command_delayed"
    connection.fails = lambda _number, _sql, _values: False
    with closing(sqlite3.connect(tmp_path / "state" / FILE_NAME)) as db:
        db.execute("UPDATE recording SET active = 0, end_seq = NULL")
        db.commit()
    clean(tmp_path / "state")
    ran = list(made.ran)
    made.beat()
    assert made.ran == ran
    assert not made.engine.claims.remembered
