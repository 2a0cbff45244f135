"""The states of a followed log: every transition by name, no others, and how real logs take them."""

from pathlib import Path

import pytest

from engine.machine import FaultyConnection, never
from following.conftest import Scene
from kato.core import limits
from kato.core.errors import BudgetExceeded
from kato.logs.state import InvalidTransition, LogSignal, LogState, allows, next_state
from kato.storage.journal import Journal
from logs import ClaudeLog, append, now
from machine import Machine

#: From, signal, to.
TABLE = """
found      opened     buffering
buffering  belongs    replaying
buffering  restarted  buffering
buffering  dropped    closed
buffering  left_out   outside
buffering  refused    paused
buffering  error      failed
buffering  vanished   gone
replaying  caught_up  live
replaying  restarted  replaying
replaying  left_out   outside
replaying  refused    paused
replaying  error      failed
replaying  vanished   gone
live       moved_on   moved
live       restarted  replaying
live       dropped    closed
live       left_out   outside
live       refused    paused
live       error      failed
live       vanished   gone
moved      returned   live
moved      restarted  replaying
moved      dropped    closed
moved      left_out   outside
moved      refused    paused
moved      error      failed
moved      vanished   gone
outside    came_in    found
closed     opened     buffering
paused     opened     buffering
failed     opened     buffering
gone       opened     buffering
"""
EXPECTED = {
    (LogState[state.upper()], LogSignal[signal.upper()]): LogState[to.upper()]
    for state, signal, to in (line.split() for line in TABLE.strip().splitlines())
}


@pytest.mark.parametrize("signal", LogSignal)
@pytest.mark.parametrize("state", LogState)
def test_a_state_takes_the_signals_of_the_table_and_refuses_all_others(
    state: LogState, signal: LogSignal
) -> None:
    assert allows(state, signal) == ((state, signal) in EXPECTED)
    if (state, signal) in EXPECTED:
        assert next_state(state, signal) is EXPECTED[state, signal]
    else:
        with pytest.raises(
            InvalidTransition, match=f"'{state.value}' cannot take the signal '{signal.value}'"
        ):
            next_state(state, signal)


def test_every_state_is_reached_and_every_signal_is_used() -> None:
    assert {LogState.FOUND, *EXPECTED.values()} == set(LogState)
    assert {signal for _, signal in EXPECTED} == set(LogSignal)


def state(machine: Machine, path: Path) -> LogState:
    return machine.follower.news.known(str(path)).state


def test_a_log_is_found_buffered_and_live(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write({"type": "file-history-snapshot", "messageId": "m", "snapshot": {}})
    machine.follower.news.scan()
    assert state(machine, log.path) is LogState.FOUND
    machine.read_all()
    assert state(machine, log.path) is LogState.BUFFERING, "no record names the folder yet"
    log.write(log.user("hello"))
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE


def test_a_long_log_is_replayed_before_it_is_live(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(*[log.user("x" * limits.LOG_READ_BYTES, timestamp=now(-60)) for _ in range(3)])
    machine.follower.news.scan()
    machine.follower.step()
    machine.follower.step()
    assert state(machine, log.path) is LogState.REPLAYING
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE
    assert machine.count(log.session) == 3


def test_a_log_of_another_folder_is_outside_until_it_names_an_open_one(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work.parent)
    log.write(log.user("hello"))
    machine.read_all()
    assert state(machine, log.path) is LogState.OUTSIDE
    log.write(log.user("here", cwd=str(machine.work)))
    machine.follower.news.scan()
    assert state(machine, log.path) is LogState.FOUND
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE


def test_a_log_whose_conversation_continues_elsewhere_is_moved_until_it_returns(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("one"))
    log.write({"type": "continued-in", "sessionId": log.session, "continuedInSessionId": "elsewhere"})
    machine.read_all()
    assert state(machine, log.path) is LogState.MOVED
    log.write(log.user("two"))
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE


def test_a_log_that_is_replaced_is_replayed_from_its_beginning(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("one"))
    machine.read_all()
    log.path.write_text("")
    log.write(*[log.user("x" * limits.LOG_READ_BYTES) for _ in range(2)])
    machine.follower.news.scan()
    machine.follower.step()
    assert state(machine, log.path) is LogState.REPLAYING
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE
    assert machine.count(log.session) == 3


def test_a_log_that_is_removed_is_gone_and_one_that_is_made_again_is_opened(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("one"))
    machine.read_all()
    log.write(log.user("two"))
    machine.follower.news.scan()
    content = log.path.read_bytes()
    log.path.unlink()
    machine.follower.step()
    assert state(machine, log.path) is LogState.GONE
    log.path.write_bytes(content)
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE
    assert machine.count(log.session) == 2


def test_more_logs_than_stay_open_close_the_one_that_changed_longest_ago(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TAILS_MAX", 2)
    machine = scene()
    logs = [ClaudeLog(machine.home, machine.work) for _ in range(3)]
    for log in logs:
        log.write(log.user("one"))
        machine.read_all()
    assert [state(machine, log.path) for log in logs] == [LogState.CLOSED, LogState.LIVE, LogState.LIVE]
    logs[0].write(logs[0].user("two"))
    machine.read_all()
    assert [state(machine, log.path) for log in logs] == [LogState.LIVE, LogState.CLOSED, LogState.LIVE]
    assert machine.count(logs[0].session) == 2


def held_state(machine: Machine) -> Path:
    """A state of VS Code's chat, which its reader holds as a whole."""
    storage = machine.home / ".config" / "Code" / "User" / "workspaceStorage" / "abc"
    storage.mkdir(parents=True)
    (storage / "workspace.json").write_text(f'{{"folder": "file://{machine.work}"}}')
    request = {"requestId": "r", "timestamp": machine.now_ms(), "message": {"text": "hello"}}
    path = storage / "chatSessions" / "s.jsonl"
    append(path, {"kind": 0, "v": {"version": 3, "sessionId": "s", "requests": [request]}})
    return path


def test_a_log_that_finds_no_room_in_memory_is_paused_and_read_when_there_is_room(scene: Scene) -> None:
    is_full = True

    def make_room(_: int) -> None:
        if is_full:
            raise BudgetExceeded("the memory limit is reached", needed_bytes=2, budget_bytes=1, fatal=False)

    machine = scene(make_room=make_room)
    path = held_state(machine)
    machine.read_all()
    assert state(machine, path) is LogState.PAUSED
    assert "the memory limit is reached" in machine.unreadable_example
    is_full = False
    machine.read_all()
    assert state(machine, path) is LogState.LIVE
    assert machine.count("s", "copilot") == 1
    assert machine.unreadable_example == ""


def faulty_journal(machine: Machine) -> FaultyConnection:
    """From now on the journal works on a connection that can fail."""
    assert isinstance(machine.engine.ledger, Journal)
    connection = FaultyConnection(machine.engine.ledger.database.connection, "database or disk is full")
    machine.engine.ledger.database.connection = connection  # type: ignore[assignment]
    return connection


def test_a_log_whose_events_cannot_be_stored_fails_and_is_read_again(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("one"))
    journal = faulty_journal(machine)
    journal.fails = lambda _number, sql, _values: sql == "COMMIT"
    machine.read_all()
    journal.fails = never
    assert state(machine, log.path) is LogState.FAILED
    assert machine.count(log.session) == 0
    machine.read_all()
    assert state(machine, log.path) is LogState.LIVE
    assert machine.count(log.session) == 1


def test_a_log_that_fails_while_it_is_closed_for_another_does_not_stop_that_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TAILS_MAX", 1)
    machine = scene()
    old, new = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    old.write(old.user("one"))
    machine.follower.news.scan()
    machine.follower.step()
    new.write(new.user("two"))
    machine.follower.news.notice(machine.found(new.path))
    journal = faulty_journal(machine)
    journal.fails = lambda _number, sql, _values: sql == "COMMIT" and journal.statements.count("COMMIT") == 1
    machine.follower.step()
    assert state(machine, old.path) is LogState.FAILED
    assert state(machine, new.path) is LogState.LIVE
    machine.read_all()
    assert (machine.count(old.session), machine.count(new.session)) == (1, 1)
