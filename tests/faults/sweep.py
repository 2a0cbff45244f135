"""What the sweeps share: the scenario run under plans, and its points dealt out to groups that run in parallel."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from faults.injection import Action, Plan
from faults.scenario import Drive, Launch, changes

#: Runs the scenario, each life of the server under the next plan; returns what is wrong.
Run = Callable[[Sequence[Plan]], list[str]]
#: A point of a sweep: its name in reports, and the plans.
Point = tuple[str, Sequence[Plan]]

GROUPS: Final = 8
#: A group stops after so many failing points: each waits seconds for what does not come.
FAILURES_MAX: Final = 5
_TESTS: Final = Path(__file__).resolve().parents[1]


def runner(launch: Launch, folder: Path, environment: Mapping[str, str]) -> Run:
    """Runs of the scenario, one after the other, in `folder`."""

    def run(plans: Sequence[Plan]) -> list[str]:
        drive = Drive(launch, folder / "run", environment, plans)
        try:
            return drive.run()
        except (AssertionError, subprocess.TimeoutExpired, TimeoutError) as error:
            return [f"{type(error).__name__}: {error}"]
        finally:
            drive.close()

    return run


def check(run: Run, points: Iterable[Point]) -> None:
    """Runs all points; fails with the names of those that failed and what is wrong there."""
    found = []
    for name, plans in points:
        if problems := run(plans):
            found.append(f"{name}:" + "".join(f"\n    {problem}" for problem in problems))
        if len(found) == FAILURES_MAX:
            found.append("(and perhaps more)")
            break
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def points(recorded: Sequence[str], group: int, action: Action, times: int = 1) -> Iterator[Point]:
    """The steps of a group at which the action can happen."""
    happens = HAPPENS[action]
    for number, step in list(enumerate(recorded, 1))[group::GROUPS]:
        if happens(step):
            yield label(number, step), [Plan(number, action, times)]


def is_locked_out(step: str) -> bool:
    """Whether this step can find the journal locked: at the ends of a transaction, and when it reads outside of one."""
    return step.startswith(("sql SELECT", "sql PRAGMA", "sql BEGIN", "sql COMMIT"))


def needs_space(step: str) -> bool:
    """Whether this step can find the disk full or broken."""
    return not step.startswith(("sql SELECT", "sql PRAGMA", "sql BEGIN"))


HAPPENS: Final[Mapping[Action, Callable[[str], bool]]] = {
    "busy": is_locked_out,
    "full": needs_space,
    "ioerror": needs_space,
    "kill-before": changes,
}


def label(number: int, step: str) -> str:
    """A step in a few words."""
    kind, _, rest = step.partition(" ")
    return f"step {number}, {rest[:60] if kind == 'sql' else f'{kind} of {Path(rest).name}'}"


def start_process(environment: Mapping[str, str], stderr: Path) -> "subprocess.Popen[bytes]":
    """`kato serve` with faults, by its launcher."""
    with stderr.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "faults.launcher", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**environment, "PYTHONPATH": str(_TESTS)},
            bufsize=0,
        )
