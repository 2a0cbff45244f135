"""A soak: a mixed load on two windows that share a state folder, for a time; then the checks.

feeders, twins, log writers, user ─► two windows, killed and restarted ─► events, notes, outcomes ─► checks
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from logs import ClaudeLog, CodexLog
from soak.actors import Actor, Chaos, Cleaner, Feeder, LogWriter, Reader, Twins, User
from soak.checks import Checks
from soak.conversations import Book
from soak.windows import SCARCE, Window

_FINISH_SECONDS = 180.0


@dataclass
class Soak:
    """One soak in `root`, an empty folder. The same seed gives the same load, not the same interleaving."""

    root: Path
    seed: int
    seconds: float
    book: Book = field(default_factory=Book)

    def run(self) -> list[str]:
        """Runs and checks; what is wrong."""
        self.chance = random.Random(self.seed)
        self.folder, self.state, self.home = (self.root / name for name in ("notes", "state", "home"))
        for path in (self.folder, self.home):
            path.mkdir(parents=True)
        (self.root / "config.toml").touch()
        environment = self.environment()
        self.windows = [
            Window(name, self.state, self.folder, environment, options, self.book.executed)
            for name, options in (("A", SCARCE), ("B", {}))
        ]
        for window in self.windows:
            window.start()
        actors = self._actors(environment)
        for actor in actors:
            actor.start()
        self._watch(actors)
        problems = list(self._finished(actors))
        checks = Checks(self.book, self.windows, self.state, self.folder)
        problems += [*self.book.problems, *checks.problems(), *checks.resources()]
        problems += [*self._closed(), *checks.ended(environment)]
        return problems

    def environment(self) -> dict[str, str]:
        """Nothing of the machine's own settings, logs or time zone."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KATO_CONFIG": str(self.root / "config.toml"),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
        }

    def _actors(self, environment: dict[str, str]) -> Sequence[Actor]:
        def of(name: str) -> tuple[str, random.Random, Book, Sequence[Window]]:
            return name, random.Random(self.chance.random()), self.book, self.windows

        return [
            *(Feeder(self.folder, *of(f"feeder{letter}")) for letter in "abc"),
            Twins(self.folder, *of("twins")),
            LogWriter(ClaudeLog, self.home, self.folder, *of("claudea")),
            LogWriter(ClaudeLog, self.home, self.folder, *of("claudeb")),
            LogWriter(CodexLog, self.home, self.folder, *of("codex")),
            User(self.state, self.folder, *of("user")),
            Reader(*of("reader")),
            Cleaner(self.state, self.folder, environment, *of("cleaner")),
            Chaos(*of("chaos")),
        ]

    def _watch(self, actors: Sequence[Actor]) -> None:
        """Lets the actors act for the given time and samples the servers' memory; ends early if an actor found a problem."""
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline and not self.book.problems:
            for window in self.windows:
                window.look()
            time.sleep(0.25)
        for actor in actors:
            actor.stop()

    def _finished(self, actors: Sequence[Actor]) -> Iterator[str]:
        """Waits for the actors to finish what they began. Chaos ends first, so that nothing disturbs the others."""
        deadline = time.monotonic() + _FINISH_SECONDS
        for actor in sorted(actors, key=lambda one: not isinstance(one, Chaos)):
            actor.join(max(0.1, deadline - time.monotonic()))
            if actor.is_alive():
                yield f"{actor.name} does not come to an end"

    def _closed(self) -> Iterator[str]:
        for window in self.windows:
            if window.peer is not None and (code := window.close()) != 0:
                yield f"window {window.name} ended with {code}"

    def summary(self) -> str:
        """A table of counts."""
        counts = dict(sorted(self.book.counts.items()))
        counts["windows started"] = sum(window.starts for window in self.windows)
        counts["notes"] = sum(1 for _ in self.folder.glob("*.*"))
        counts["lines in notes"] = sum(path.read_bytes().count(b"\n") for path in self.folder.glob("*.*"))
        counts["copies of notes with edits"] = sum(1 for _ in (self.state / "backups").iterdir())
        for window in self.windows:
            counts[f"peak memory of window {window.name}, MiB"] = window.peak_bytes >> 20
            for kind, count in sorted(window.notices.items()):
                counts[f"notices: {kind}"] = counts.get(f"notices: {kind}", 0) + count
        width = max(map(len, counts))
        return "\n".join(f"{name:<{width}}  {count:>9,}" for name, count in counts.items())
