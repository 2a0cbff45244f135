"""Whatever fails, and wherever the process dies: nothing acknowledged is lost, and each command runs once.

A first run of the scenario (see `scenario`), without faults, is recorded. Then the scenario runs again for each step: the step
fails, or the process dies there. `Drive.problems` lists what must be true in the end.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from faults.injection import Action, Plan
from faults.scenario import steps
from faults.sweep import GROUPS, HAPPENS, Run, check, label, points, runner, start_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="descriptors are named by /proc"),
]

#: The write-ahead log grows by pages of 8 KiB: every other page, each cut at another place.
STRIDE_BYTES = 2 * 8192 + 1001


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("action", ["busy", "full"])
def test_an_error_at_any_step_loses_nothing_and_each_command_runs_once(
    run: Run, recorded: list[str], action: Action, group: int
) -> None:
    check(run, points(recorded, group, action))


@pytest.mark.parametrize("group", range(2))
def test_an_error_that_lasts_has_the_same_outcome(run: Run, recorded: list[str], group: int) -> None:
    check(run, list(points(recorded, 0, "ioerror", times=25))[group::2])


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_kill_before_any_step_loses_nothing_and_each_command_runs_once(
    run: Run, recorded: list[str], group: int
) -> None:
    check(run, points(recorded, group, "kill-before"))


def test_a_kill_in_the_middle_of_a_write_leaves_no_half_of_it(run: Run, recorded: list[str]) -> None:
    killing = [
        (label(number, step), [Plan(number, "kill-half")])
        for number, step in enumerate(recorded, 1)
        if step.startswith("write")
    ]
    assert len(killing) > 2
    check(run, killing)


@pytest.mark.parametrize("group", range(4))
def test_a_kill_at_any_size_of_the_write_ahead_log_leaves_no_half_of_a_commit(run: Run, group: int) -> None:
    """The system itself cuts SQLite's write short: a torn page, whatever SQLite does in which order."""
    sizes = range(9_000 + group * STRIDE_BYTES, 500_000, 4 * STRIDE_BYTES)
    check(run, [(f"{size} bytes", [Plan(file_bytes=size, file_kill=True)]) for size in sizes])


@pytest.mark.parametrize("group", range(4))
def test_a_disk_that_is_full_at_any_size_of_the_write_ahead_log_loses_nothing(run: Run, group: int) -> None:
    """The system refuses the write; the client sends again when there is space."""
    sizes = range(9_000 + group * STRIDE_BYTES, 500_000, 4 * STRIDE_BYTES)
    check(run, [(f"{size} bytes", [Plan(file_bytes=size)]) for size in sizes])


#: Where the first life ends: a note is half written; it is written and not in its place; its command is not marked as run.
ENDS = {
    "writing": ("write", "/notes/.talk.md"),
    "written": ("replace", "/notes/"),
    "unmarked": ("sql UPDATE claim", ""),
}


@pytest.mark.parametrize(
    ("end", "action"), [*((end, "kill-before") for end in ENDS), ("writing", "busy"), ("unmarked", "busy")]
)
def test_a_recovery_that_fails_or_dies_itself_is_made_up_for(
    run: Run, recorded: list[str], tmp_path: Path, end: str, action: Action
) -> None:
    kind, mark = ENDS[end]
    first = 1 + next(n for n, step in enumerate(recorded) if step.startswith(kind) and mark in step)
    killed, record = Plan(first, "kill-before"), tmp_path / "steps"
    run([killed, Plan(record=str(record))])
    second = steps(record)
    resumed = next(n for n, step in enumerate(second) if "FROM claim" in step)
    resent = next(n for n, step in enumerate(second) if step.startswith("sql INSERT OR IGNORE INTO event_id"))
    happens = HAPPENS[action]
    recovery = [(n, step) for n, step in enumerate(second[:resent], 1) if n > resumed and happens(step)]
    assert recovery
    check(run, [(f"second life, {label(n, step)}", [killed, Plan(n, action)]) for n, step in recovery])


@pytest.mark.parametrize("action", ["busy", "full", "kill-before", "kill-after"])
def test_a_checkpoint_that_fails_or_dies_loses_nothing(run: Run, tmp_path: Path, action: Action) -> None:
    """The thread that copies the log into the database, woken by each commit."""
    every = Plan(thread="kato-checkpoint", checkpoint_bytes=1)
    record = tmp_path / "steps"
    assert run([every._replace(record=str(record))]) == []
    numbers = range(1, 1 + len(steps(record)))
    assert numbers
    failing = [(f"step {number}", [every._replace(step=number, action=action)]) for number in numbers]
    check(run, failing)


@pytest.mark.parametrize("action", ["full", "kill-before"])
def test_a_server_that_was_not_forked_behaves_the_same(
    plain_environment: Mapping[str, str], recorded: list[str], tmp_path: Path, action: Action
) -> None:
    """A sample of the sweeps in processes of their own, started as an editor starts them."""
    marks = ("sql UPDATE claim", "write", "replace")
    first = [next(point for point in enumerate(recorded, 1) if point[1].startswith(mark)) for mark in marks]
    run = runner(start_process, tmp_path, plain_environment)
    check(run, [(label(number, step), [Plan(number, action)]) for number, step in first])
