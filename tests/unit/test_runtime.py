"""The runtime that the language server and `kato watch` share: from its settings to its exit code, in this process."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import conversation, request
from kato.app.runtime import Hooks, Runtime
from kato.core import layers
from kato.core.errors import EXIT_NO_SHUTDOWN, BudgetExceeded, SettingsInvalid
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.lsp import wire

ENDED_BY_ITS_OWNER = 7


class Owner:
    """The owner of a runtime: records the calls that it gets."""

    def __init__(self, tmp_path: Path, **more: Any) -> None:
        self.calls: list[str] = []
        self.failing = False
        self.state_dir = tmp_path / "state"
        hooks = Hooks(
            end=self.end,
            over_budget=self.over_budget,
            committed=lambda: self.calls.append("settled"),
            before_beat=lambda: self.calls.append("before the beat"),
            after_beat=lambda: self.calls.append("after the beat"),
            logs_followed=lambda _: self.calls.append("logs followed"),
        )
        self.runtime = Runtime(hooks, {}, **more)

    def run(self, main: Callable[[], Awaitable[None]], **explicit: Any) -> int:
        """Opens and starts the runtime, then runs `main`."""
        no_logs: dict[str, list[str]] = {name: [] for name in ("claude", "codex", "gemini", "copilot")}
        given = {"stateDir": str(self.state_dir), "heartbeatSeconds": 0.05, "providerSessionRoots": no_logs}
        chosen = layers.resolve(explicit=given | explicit, environment={}, file=None)

        async def work() -> None:
            self.runtime.open(chosen, [], self)
            self.runtime.start()
            await main()

        return self.runtime.run(work)

    def end(self, code: int) -> None:
        def step() -> None:
            self.calls.append("before")
            if self.failing:
                raise ZeroDivisionError

        self.runtime.finish(
            code, before=[("a step", step)], after=[("another", lambda: self.calls.append("after"))]
        )

    def over_budget(self, error: BudgetExceeded) -> None:
        self.calls.append("over budget")
        self.runtime.finish(ENDED_BY_ITS_OWNER)

    @property
    def status(self) -> dict[str, Any]:
        """The status file of this process."""
        path = self.state_dir / "servers" / f"{os.getpid()}.json"
        status: dict[str, Any] = orjson.loads(path.read_bytes())
        return status

    def changed(self) -> None: ...
    def executed(self, outcome: CommandOutcome) -> None: ...
    def notify(self, notice: Notice) -> None: ...


async def until(runtime: Runtime, condition: Callable[[], bool]) -> None:
    """Waits for a condition, at most ten seconds."""
    for _ in range(1000):
        if condition():
            return
        await runtime.wait(0.01)
    raise AssertionError("it did not come true")


def test_it_follows_logs_beats_and_ends_with_the_code_of_its_owner(tmp_path: Path) -> None:
    owner = Owner(tmp_path)

    async def main() -> None:
        await until(owner.runtime, lambda: owner.calls.count("after the beat") == 2)
        assert owner.status["daemonRunning"] is True
        owner.end(ENDED_BY_ITS_OWNER)
        owner.end(0)  # the first call counts

    assert owner.run(main) == ENDED_BY_ITS_OWNER
    assert owner.calls[0] == "logs followed"
    assert owner.calls[-3:] == ["before", "settled", "after"]
    assert owner.calls.index("before the beat") < owner.calls.index("after the beat")
    assert owner.status["daemonRunning"] is False


def test_every_last_step_runs_whatever_one_of_them_raises(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    owner.failing = True

    async def main() -> None:
        owner.end(ENDED_BY_ITS_OWNER)

    assert owner.run(main) == ENDED_BY_ITS_OWNER
    assert owner.calls[-3:] == ["before", "settled", "after"]
    assert owner.status["daemonRunning"] is False


@pytest.mark.parametrize(("signal_code", "expected"), [(None, 128 + signal.SIGTERM), (0, 0)])
def test_a_signal_ends_it_with_its_code(tmp_path: Path, signal_code: int | None, expected: int) -> None:
    owner = Owner(tmp_path, signal_code=signal_code)
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    assert owner.run(main) == expected
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_ends_when_its_main_part_raises(tmp_path: Path) -> None:
    owner = Owner(tmp_path)

    async def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        owner.run(main)
    assert owner.runtime.ending.code == EXIT_NO_SHUTDOWN
    assert owner.status["daemonRunning"] is False


def test_settings_that_cannot_be_used_are_raised(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    (tmp_path / "state").touch()

    async def main() -> None: ...

    with pytest.raises(SettingsInvalid, match="stateDir"):
        owner.run(main)
    assert not owner.runtime.is_open


def test_a_session_that_outgrows_the_budget_ends_it(tmp_path: Path) -> None:
    owner = Owner(tmp_path)

    async def main() -> None:
        for first in range(0, 1000, 100):
            events = conversation(100, first=first, size=5000)
            owner.runtime.engine.append(wire.decode_append(request(events)))
            owner.runtime.commit()
            if owner.runtime.is_ending:
                return

    assert owner.run(main, daemonMaxMemoryMb=1) == ENDED_BY_ITS_OWNER
    assert owner.calls.count("over budget") == 1
    assert owner.status["daemonRunning"] is False
