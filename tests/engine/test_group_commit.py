"""Appends that arrive together are one append to the journal: its cost does not grow with their number."""

from builders import request, user
from engine.machine import MakeWindow, Window, faulty
from kato.lsp import wire


def statements_of_a_round(window: Window, numbers: range) -> list[str]:
    """The SQL statements of one commit after an append for each number."""
    connection = faulty(window)
    for number in numbers:
        events = [user(f"message {number}", number)]
        window.engine.append(wire.decode_append(request(events, cwd=str(window.notes))))
    window.engine.commit()
    return connection.statements


def test_a_hundred_appends_of_a_round_run_as_many_statements_as_one(window: MakeWindow) -> None:
    one = window()
    single = statements_of_a_round(one, range(1))
    hundred = statements_of_a_round(one, range(1, 101))
    assert [sql for sql in hundred if "chunk" in sql] == ["INSERT INTO chunk VALUES (?, ?, ?, ?)"]
    assert len(hundred) <= len(single)
    assert one.journal.stats().event_count == 101
