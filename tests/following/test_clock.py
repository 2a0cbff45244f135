"""What is live when the clock is set, before or after the start."""

import os
import time

import pytest

from following.conftest import Scene
from kato.core import limits
from kato.system.clock import now_ms
from logs import ClaudeLog

HOUR, DAY = 3600.0, 86_400.0


def capture(log: ClaudeLog, note: str, at: str) -> None:
    log.write(log.user(f"::export {note}", timestamp=at))


@pytest.mark.parametrize("was_known", [False, True])
@pytest.mark.parametrize("by", [-HOUR, -DAY, -400 * DAY, HOUR, 400 * DAY])
def test_what_is_typed_runs_however_the_clock_is_set_after_the_start(
    scene: Scene, by: float, was_known: bool
) -> None:
    machine = scene()
    log, old = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    capture(old, "old.md", machine.now(-HOUR / 2))
    if was_known:
        log.write(log.user("hello", timestamp=machine.now()))
    machine.read_all()
    capture(log, "before.md", machine.now())
    machine.set_by = by
    capture(log, "after.md", machine.now())
    machine.read_all()
    machine.clock += 60
    capture(log, "later.md", machine.now())
    old.write(old.user("on we go", timestamp=machine.now()))
    machine.read_all()
    assert sorted(path.name for path in machine.work.iterdir()) == ["after.md", "before.md", "later.md"]


@pytest.mark.parametrize("was_known", [False, True])
@pytest.mark.parametrize("by", [HOUR, DAY, 400 * DAY])
def test_a_start_while_the_clock_is_behind_does_not_make_the_history_live(
    scene: Scene, by: float, was_known: bool
) -> None:
    """A machine without a battery starts in the past; until the network corrects it, the history lies in its future."""
    machine = scene()
    read, unread = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    capture(read, "read.md", machine.now(-HOUR / 2))
    capture(unread, "unread.md", machine.now(-HOUR / 4))
    if was_known:
        read.write(read.user("hello", timestamp=machine.now(-HOUR / 8)))
        machine.read_all()
    ran = len(machine.outcomes)
    machine = scene(set_by=-by)
    os.utime(unread.path, (1, 1))  # it is not read at the start
    machine.read_all()
    capture(read, "new.md", machine.now())
    machine.read_all()
    machine.set_by = 0
    machine.clock += 300
    for log in (read, unread):
        log.write(log.user("on we go", timestamp=machine.now()))
    capture(read, "corrected.md", machine.now())
    machine.read_all()
    assert ran == 0
    assert sorted(path.name for path in machine.work.iterdir()) == ["corrected.md", "new.md"]


def test_a_start_while_the_clock_is_ahead_runs_what_is_typed_once_it_is_corrected(scene: Scene) -> None:
    machine = scene(set_by=HOUR)
    known, new = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    known.write(known.user("hello", timestamp=machine.now()))
    machine.read_all()
    machine.set_by = 0
    capture(known, "a.md", machine.now())
    capture(new, "b.md", machine.now())
    machine.read_all()
    assert machine.ran == ["export ok", "export ok"]


def test_a_clock_that_went_back_before_the_first_look_does_not_count(scene: Scene) -> None:
    machine = scene(started_ms=now_ms() + 3_600_000)
    log = ClaudeLog(machine.home, machine.work)
    capture(log, "a.md", machine.now())
    machine.read_all()
    assert machine.ran == ["export ok"]


def test_an_old_log_that_goes_on_after_the_clock_went_back_to_its_time_stays_history(scene: Scene) -> None:
    """Two days ago, at the minute to which the clock is set now, a command was typed."""
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    capture(log, "old.md", machine.now(60 - 2 * DAY))
    os.utime(log.path, (time.time() - 2 * DAY, time.time() - 2 * DAY))
    machine.read_all()
    assert machine.count(log.session) == 0, "it is not read at the start"
    machine.set_by = -2 * DAY
    machine.follower.news.scan()
    machine.clock += 120
    capture(log, "new.md", machine.now())
    machine.read_all()
    assert [path.name for path in machine.work.iterdir()] == ["new.md"]


def test_a_clock_that_is_set_again_and_again_loses_nothing_that_is_typed_meanwhile(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    for number in range(3 * limits.CLOCK_SPANS_MAX):
        machine.set_by += HOUR if number % 2 else -HOUR - 10
        machine.clock += 1
        capture(log, f"{number}.md", machine.now())
        machine.read_all()
    assert len(machine.outcomes) == 3 * limits.CLOCK_SPANS_MAX
