"""The engine with a log follower in this process, driven by hand."""

from pathlib import Path
from typing import Any

from msgspec import UNSET

from kato.app.build import Assembly
from kato.core import layers
from kato.core.events import SessionKey
from kato.core.moments import rfc3339
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.logs import discovery
from kato.logs.follow import LogFollower
from kato.logs.handover import storing
from kato.system.clock import now_ms


class Machine:
    """A home, a folder, and the engine with a log follower, driven by hand."""

    def __init__(
        self, tmp_path: Path, folders: list[str], *, journal: bool = True, set_by: float = 0, **more: Any
    ) -> None:
        self.home, self.work = tmp_path / "home", tmp_path / "work"
        self.work.mkdir(exist_ok=True)
        self.outcomes: list[CommandOutcome] = []
        self.notices: list[Notice] = []
        self.clock = 0.0
        self.started_ms = now_ms()
        self.set_by = set_by  # seconds by which the wall clock was set
        explicit = {"stateDir": str(tmp_path / "state"), "journal": journal}
        chosen = layers.resolve(explicit=explicit, environment={}, file=None, file_name="config.toml")
        self.assembly = Assembly(chosen, listener=self, folders=folders, started_at=now_ms())
        self.engine = self.assembly.engine
        place = discovery.surroundings({}, folders)
        place = type(place)(place.environment, str(self.home), place.platform, place.folders)
        self.follower = LogFollower(
            roots=discovery.roots(place, {}),
            place=place,
            ledger=self.engine.ledger,
            store=storing(self.engine, self.engine.commit),
            now_ms=self.now_ms,
            clock=lambda: self.clock,
            **more,
        )

    def now_ms(self) -> int:
        return self.started_ms + round(1000 * (self.clock + self.set_by))

    def now(self, offset_seconds: float = 0) -> str:
        """What an assistant writes now, by the clock as it is set."""
        return rfc3339(self.now_ms() + round(1000 * offset_seconds))

    def read_all(self, steps_max: int = 5000) -> int:
        """Scans, reads until nothing is new, and lets everything settle; how many pieces it took."""
        self.follower.news.scan()
        steps = 0
        while (pause := self.follower.pause) is not None:
            self.clock += pause
            self.follower.step()
            steps += 1
            assert steps < steps_max, "reading does not end"
        self.clock += 1
        self.follower.settle(all_of_them=True)
        return steps

    def count(self, session: str, provider: str = "claude") -> int:
        record = self.engine.ledger.session(SessionKey(provider, session))
        return 0 if record is None else record.event_count

    def found(self, path: Path) -> discovery.Found:
        """A log as a scan sees it."""
        (root,) = [root for root in self.follower.news.folders.roots if path.is_relative_to(root.path)]
        found = discovery.look(root, str(path))
        assert found is not None
        return found

    @property
    def unreadable_example(self) -> str:
        """A path that Kato cannot read, with the reason; empty if there is none."""
        status = self.follower.unreadable.status
        return "" if status is UNSET else status.example

    def changed(self) -> None: ...

    def executed(self, outcome: CommandOutcome) -> None:
        self.outcomes.append(outcome)

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def ran(self) -> list[str]:
        return [f"{one.command} {one.status}" for one in self.outcomes]


def words(note: Path) -> list[str]:
    """The lines of a note without blank lines, headings and marks."""
    body = note.read_text().partition("\n---\n")[2]
    return [line for line in body.splitlines() if line and not line.startswith(("# ", "*"))]
