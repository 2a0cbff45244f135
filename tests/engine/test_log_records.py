"""How far a session log was read is stored in the transaction of the events that were read from it."""

import sqlite3
from contextlib import closing

import pytest

from builders import PROVIDER, SESSION, request, user
from engine.machine import MakeWindow, Window, faulty, never
from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey
from kato.core.records import LogRecord
from kato.engine import AppendRequest
from kato.logs.handover import storing
from kato.lsp import wire

KEY = SessionKey(PROVIDER, SESSION)
RECORD = LogRecord("/logs/s.jsonl", *KEY, "lines", 10, 11)


def appends(window: Window, *texts: str) -> list[AppendRequest]:
    return [
        wire.decode_append(request([user(text, number)], cwd=str(window.notes)))
        for number, text in enumerate(texts)
    ]


def committed(window: Window) -> tuple[int, int]:
    """How many sessions and log records another process sees."""
    with closing(sqlite3.connect(window.journal.database.path)) as db:
        (sessions,) = db.execute("SELECT count(*) FROM session").fetchone()
        (logs,) = db.execute("SELECT count(*) FROM log").fetchone()
    return sessions, logs


def test_events_and_the_log_record_are_one_transaction(window: MakeWindow) -> None:
    one = window()
    connection = faulty(one)
    storing(one.engine, one.engine.commit)(appends(one, "first", "second"), RECORD)
    first = connection.statements[: connection.statements.index("COMMIT")]
    assert any("INTO log" in sql for sql in first)
    assert any("INTO chunk" in sql for sql in first)
    assert committed(one) == (1, 1)


@pytest.mark.parametrize("fails", ["INSERT OR REPLACE INTO log", "COMMIT"])
def test_where_one_cannot_be_stored_the_other_is_not_either(window: MakeWindow, fails: str) -> None:
    one = window()
    store = storing(one.engine, one.engine.commit)
    connection = faulty(one)
    connection.fails = lambda _number, sql, _values: sql.startswith(fails)
    with pytest.raises(JournalUnavailable):
        store(appends(one, "first"), RECORD)
    assert committed(one) == (0, 0)
    connection.fails = never
    store(appends(one, "first"), RECORD)
    assert committed(one) == (1, 1)


def test_a_record_without_events_that_cannot_be_stored_is_an_error(window: MakeWindow) -> None:
    one = window()
    store = storing(one.engine, one.engine.commit)
    connection = faulty(one)
    connection.fails = lambda _number, sql, _values: sql == "COMMIT"
    with pytest.raises(JournalUnavailable):
        store([], RECORD)
    connection.fails = never
    store([], RECORD)
    assert committed(one) == (0, 1)


def test_a_record_does_not_commit_the_open_appends_of_a_client(window: MakeWindow) -> None:
    one = window()
    ticket = one.engine.append(appends(one, "of a client")[0])
    one.engine.note_log(RECORD)
    assert committed(one) == (0, 0)
    assert ticket.answer is None
    one.engine.commit()
    assert committed(one) == (1, 1)
    assert ticket.answer is not None
