"""A command that a user typed runs exactly once, whatever fails after its message was stored."""

from pathlib import Path

import pytest

from builders import assistant, request, user
from engine.machine import Fails, MakeWindow, Window, faulty, never, words
from kato.core.events import SessionKey
from kato.lsp import wire
from kato.storage.journal.sessions import Sessions

TALK = [
    user("start\n::capture talk.md\nrest of the first", 0),
    assistant("between", 1),
    user("::stop\nnot in the note\n::record\nin the note again", 2),
    assistant("the end", 3),
]
NOTE = [
    "start",
    "::capture talk.md",
    "rest of the first",
    "between",
    "::stop",
    "::record",
    "in the note again",
    "the end",
]


def statements_after_the_commit(window: MakeWindow) -> tuple[int, int]:
    """The numbers of the first statement after the commit and of the last one, for `TALK` as one request."""
    one = window("counting")
    connection = faulty(one)
    one.append(*TALK)
    assert one.ran == ["capture ok", "stop ok", "record ok"]
    return connection.statements.index("COMMIT") + 1, len(connection.statements)


def between(first: int, end: int) -> Fails:
    return lambda number, _sql, _values: first <= number < end


def settle_everything(one: Window) -> None:
    for _ in range(3):
        one.beat()


def test_the_scenario_without_a_fault(window: MakeWindow) -> None:
    one = window()
    ticket = one.append(*TALK)
    assert ticket.error is None
    assert ticket.answer is not None
    assert [outcome.command for outcome in ticket.answer.commands] == ["capture", "stop", "record"]
    assert words(one.notes / "talk.md") == NOTE
    assert one.journal.unfinished_claims() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "times", "restarted"),
    [
        ("database or disk is full", 1, False),
        ("database or disk is full", 1000, True),
        ("database is locked", 1, True),
        ("disk I/O error", 1000, False),
    ],
)
def test_every_statement_after_the_commit_may_fail(
    tmp_path: Path, message: str, times: int, *, restarted: bool
) -> None:
    counting = tmp_path / "counting"
    counting.mkdir()
    first, last = statements_after_the_commit(lambda name: Window(counting, name))
    assert last - first > 20
    for number in range(first, last):
        folder = tmp_path / f"at-{number}"
        folder.mkdir()
        one = Window(folder)
        connection = faulty(one, message)
        connection.fails = between(number, number + times)
        ticket = one.append(*TALK)
        assert ticket.error is None, f"{number}: it is stored, so it must not be refused"
        assert ticket.answer is not None
        assert ticket.answer.accepted == 4
        connection.fails = never
        before = one
        if restarted:
            one.close()
            one = Window(folder)
            one.engine.resume()
        settle_everything(one)
        outcomes = before.outcomes if before is one else before.outcomes + one.outcomes
        where = f"statement {number}: {connection.statements[number]}"
        assert [f"{o.command} {o.status}" for o in outcomes if o.status != "error"] == [
            "capture ok",
            "stop ok",
            "record ok",
        ], where
        assert words(folder / "notes" / "talk.md") == NOTE, where
        assert one.journal.unfinished_claims() == [], where
        again = one.append(*TALK)
        assert again.answer is not None
        assert again.answer.duplicates == 4
        assert one.journal.check().problems == [], where
        one.close()


def test_a_failure_before_the_commit_keeps_nothing_and_runs_nothing(tmp_path: Path) -> None:
    counting = tmp_path / "counting"
    counting.mkdir()
    first, _ = statements_after_the_commit(lambda name: Window(counting, name))
    for number in range(first):
        folder = tmp_path / f"at-{number}"
        folder.mkdir()
        one = Window(folder)
        connection = faulty(one)
        connection.fails = between(number, number + 1)
        ticket = one.append(*TALK)
        assert ticket.error is not None, connection.statements[number]
        assert ticket.answer is None
        connection.fails = never
        settle_everything(one)
        assert one.outcomes == []
        assert one.journal.stats().event_count == 0
        retry = one.append(*TALK)
        assert retry.error is None
        assert one.ran == ["capture ok", "stop ok", "record ok"]
        assert words(folder / "notes" / "talk.md") == NOTE
        one.close()


def test_a_failure_of_one_session_does_not_stop_the_commands_of_others(window: MakeWindow) -> None:
    one = window()
    connection = faulty(one)
    one.append(user("first", 0, sessionId="b"))
    number = Sessions(one.journal.database).number(SessionKey("claude", "b"))
    connection.fails = lambda _, sql, values: sql.startswith("UPDATE claim") and values[0] == number
    tickets = [
        one.engine.append(
            wire.decode_append(request([user(f"::capture {name}.md", 1, sessionId=name)], cwd=str(one.notes)))
        )
        for name in ("a", "b", "c")
    ]
    one.engine.commit()
    assert [ticket.error for ticket in tickets] == [None, None, None]
    assert [o.session_id for o in one.outcomes] == ["a", "c"]
    one.beat()
    assert [notice.data for notice in one.notices] == [
        {"command": "capture", "provider": "claude", "sessionId": "b"}
    ], "reported once"
    connection.fails = never
    one.beat()
    assert [o.session_id for o in one.outcomes] == ["a", "c", "b"]
    assert [words(one.notes / f"{name}.md")[-1] for name in "abc"] == [
        f"::capture {name}.md" for name in "abc"
    ]


def test_a_stopped_recording_writes_the_lines_that_it_could_not_write_before(window: MakeWindow) -> None:
    one = window()
    talk = one.notes / "talk.md"
    one.append(user("::capture talk.md", 0))
    aside = one.notes / "aside"
    aside.mkdir()
    talk.rename(aside / "talk.md")
    talk.mkdir()  # nothing can be written there
    one.append(assistant("said before the stop", 1), user("::stop", 2), assistant("said after it", 3))
    one.append(user("::record", 4))
    assert one.ran == ["capture ok", "stop ok", "record error"]
    assert "recording_paused" in one.kinds
    talk.rmdir()
    (aside / "talk.md").rename(talk)
    one.append(user("::record again", 5), user("::record", 6), assistant("recorded again", 7))
    one.beat()
    assert words(talk) == [
        "::capture talk.md",
        "said before the stop",
        "::stop",
        "::record",
        "recorded again",
    ]
    assert one.journal.sessions_behind() == []
