"""The states of a claimed command, one after another."""

from builders import user
from engine.machine import MakeWindow, Window, faulty
from kato.engine.claims import ClaimState


def states(window: Window, *, seen_by: Window) -> list[ClaimState]:
    """The states of the unfinished claims in the journal, as a window sees them."""
    return [seen_by.engine.claims.state(claim) for claim in window.journal.unfinished_claims()]


def test_a_command_that_ran_is_finished(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture n.md"))
    assert one.ran == ["capture ok"]
    assert states(one, seen_by=one) == []
    assert not one.engine.claims.remembered


def test_a_command_is_delayed_while_the_journal_cannot_be_written_and_runs_at_the_heartbeat(
    window: MakeWindow,
) -> None:
    one = window()
    connection = faulty(one)
    connection.fails = lambda _number, sql, _values: sql.startswith("UPDATE claim SET finished")
    one.append(user("::capture n.md"))
    assert (one.ran, one.kinds) == ([], ["command_delayed"])
    assert states(one, seen_by=one) == [ClaimState.DELAYED]
    one.beat()
    assert one.kinds == ["command_delayed"], "the user is notified once"
    connection.fails = lambda _number, _sql, _values: False
    one.beat()
    assert one.ran == ["capture ok"]
    assert states(one, seen_by=one) == []


def test_another_process_waits_for_a_command_and_takes_it_over_when_its_process_is_gone(
    window: MakeWindow,
) -> None:
    one, two = window("one"), window("two")
    faulty(one).fails = lambda _number, sql, _values: sql.startswith("UPDATE claim SET finished")
    one.append(user("::capture n.md"))
    assert states(one, seen_by=two) == [ClaimState.WAITING]
    two.beat()
    assert two.ran == []
    two.alive.discard("one")
    assert states(one, seen_by=two) == [ClaimState.ORPHANED]
    two.beat()
    assert two.ran == ["capture ok"]
    assert states(two, seen_by=two) == []


def test_a_command_is_claimed_by_its_process_until_its_turn_comes(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    faulty(one).fails = lambda _number, sql, _values: sql.startswith("UPDATE claim SET finished")
    one.append(user("::capture n.md", 1))
    two.append(user("::stop", 2))
    assert states(two, seen_by=two) == [ClaimState.WAITING, ClaimState.CLAIMED]
    assert two.engine.is_waiting
