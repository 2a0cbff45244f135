"""A request with more commands than a user types: the first ones run, the others are reported, and the time stays linear."""

from builders import user
from engine.machine import MakeWindow, faulty
from kato.core import limits


def test_commands_beyond_the_bound_are_not_run_and_the_user_is_notified(window: MakeWindow) -> None:
    one = window()
    per_message = limits.COMMANDS_PER_MESSAGE_MAX
    count = limits.COMMANDS_PER_APPEND_MAX // per_message + 2
    ticket = one.append(*(user("::stop\n" * per_message, number) for number in range(count)))
    assert len(one.outcomes) == limits.COMMANDS_PER_APPEND_MAX
    assert ticket.answer is not None
    assert len(ticket.answer.commands) == limits.COMMANDS_PER_APPEND_MAX
    assert ticket.answer.accepted == count
    (notice,) = [notice for notice in one.notices if notice.kind == "command_not_run"]
    assert "1000" in notice.message
    assert one.journal.unfinished_claims() == []
    one.append(user("::stop", count))
    assert len(one.outcomes) == limits.COMMANDS_PER_APPEND_MAX + 1


def test_the_claims_of_a_session_are_read_together(window: MakeWindow) -> None:
    """Read again for each command, 1,000 commands read 500,000 claims."""
    one = window()
    connection = faulty(one)
    one.append(*(user("::stop\n" * 30, number) for number in range(10)))
    assert len(one.outcomes) == 300
    reads = [sql for sql in connection.statements if "FROM claim" in sql]
    assert len(reads) < 10
