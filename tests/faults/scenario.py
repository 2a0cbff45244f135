"""A small conversation that uses every command, driven through a server in which something fails, and what must be true
afterwards.

The client behaves as clients do: it sends a batch again until it is acknowledged, and it starts the server again when
it is gone. All the rest is Kato's part: see `Drive.problems`.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from builders import START_MS, assistant, request, user
from expected import Message, Outcome, Place, World, notes_differ, worlds
from faults.injection import Plan
from kato.core.errors import EXIT_CONFIG
from kato.core.events import SessionKey
from kato.storage.journal import Journal
from peer import DEFECTS, Gone, Json, Peer, Refused, Running

if sys.platform != "win32":
    import resource

#: Starts `kato serve` with an environment and a file for its stderr.
Launch = Callable[[Mapping[str, str], Path], Running]
KEY: Final = {"provider": "claude", "sessionId": "session-1"}
SESSION: Final = SessionKey("claude", "session-1")
#: A failing step may refuse a batch this often; a plan with more failing steps in a row needs more tries.
TRIES_MAX: Final = 40
HEARTBEAT_SECONDS: Final = 0.2
#: How long the server may take to carry out later what it could not do when it was asked: some heartbeats.
PATIENCE_SECONDS: Final = 2.0
END_SECONDS: Final = 5.0


def batches() -> list[list[Json]]:
    """The conversation, as it is sent."""
    return [
        [user("question 0", 0), assistant("answer 1", 1)],
        [user("note this 2a\n::capture talk.md\nand go on 2b", 2), assistant("answer 3", 3)],
        [assistant("answer 4", 4)],
        [user("wait 5a\n::stop\nnot for the note 5b\n::record\nagain 5c", 5), assistant("answer 6", 6)],
        [user("for later 7a\n::export copy.md\nand 7b", 7), assistant("answer 8", 8)],
        [user("enough 9a\n::stop\nprivate 9b", 9), assistant("private 10", 10)],
        [assistant("private 11", 11)],
    ]


def message(event: Json) -> Message:
    return Message(event["eventId"], event["content"], event["kind"] == "message.user")


@dataclass
class Drive:
    """One run of the scenario in `folder`: each life of the server under the next plan, later ones without faults."""

    launch: Launch
    folder: Path
    environment: Mapping[str, str]
    plans: Sequence[Plan]
    lives: list[Peer] = field(default_factory=list)
    misbehaved: list[str] = field(default_factory=list)
    conversation: list[list[Json]] = field(default_factory=batches)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @property
    def was_killed(self) -> bool:
        """Whether a server ended that was not asked to."""
        return any(_is_killed(life) for life in self.lives)

    # --- Driving ----------------------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Drives the whole conversation, then what a restart does; what is wrong, a sentence each."""
        self.prepare()
        for batch in self.conversation:
            self.ask("kato/appendEvents", request(batch, cwd=str(self.notes)))
        problems = self.settled() + self.stop()
        self.start()
        problems += [f"after a restart: {one}" for one in self.settled()] + self.stop()
        return problems + self.left_over()

    def prepare(self) -> None:
        """Makes the folders and starts the first server."""
        self.notes.mkdir(parents=True)
        (self.folder / "home").mkdir()
        self.start()

    @property
    def peer(self) -> Peer:
        """The server that runs now."""
        return self.lives[-1]

    def start(self) -> None:
        """A server that is initialized. What keeps it from starting must be reported as an error, or end it."""
        for _ in range(TRIES_MAX):
            number = len(self.lives)
            plan = self.plans[number] if number < len(self.plans) else Plan()
            environment = {**self.environment, "HOME": str(self.folder / "home")}
            environment |= plan._replace(under=(str(self.folder),)).environment()
            self.lives.append(Peer(self.launch(environment, self.folder / "stderr")))
            try:
                options = {"stateDir": str(self.state), "heartbeatSeconds": HEARTBEAT_SECONDS}
                self.peer.initialize(options, [self.notes])
            except Gone:
                self.peer.ended()
            except Refused:
                self._ends(self.peer)
            else:
                return
        raise AssertionError(f"the server does not start: {(self.folder / 'stderr').read_text()[-2000:]}")

    def stop(self) -> list[str]:
        """Ends the server as a client does."""
        code = self.peer.close()
        return [] if code == 0 or _is_killed(self.peer) else [f"the server ended with {code}"]

    def ask(self, method: str, params: Any = None) -> Any:
        """Asks until there is an answer: after an error again, and again when the server had to be started again."""
        for _ in range(TRIES_MAX):
            try:
                return self.peer.request(method, params)
            except Refused:
                _make_space(self.peer)
            except Gone:
                self.peer.ended()
                self.start()
        raise AssertionError(f"{method} has no result in {TRIES_MAX} tries")

    def settled(self) -> list[str]:
        """What is still wrong after some heartbeats."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while problems := self.problems():
            if time.monotonic() > deadline:
                return problems
            time.sleep(HEARTBEAT_SECONDS / 4)
        return []

    def _ends(self, peer: Peer) -> None:
        """A server that refused to start must end by itself."""
        try:
            code = peer.process.wait(END_SECONDS)
        except (TimeoutError, subprocess.TimeoutExpired):
            self.misbehaved.append("a server that refused to start goes on running")
            peer.process.kill()
        else:
            if code != EXIT_CONFIG:
                self.misbehaved.append(f"a server that refused to start ended with {code}")
        peer.ended()

    # --- What must be true ------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """The oracles: events once and in order, an answer to each request, each command once, the note, the recording."""
        found = [*self.misbehaved, *self._events(), *self._answers(), *self._commands()]
        status = self.ask("kato/status", {"includeStale": True})
        if status["heartbeatAt"] <= status["startedAt"]:
            found.append("the heart does not beat")
        recording = status["sessions"][0].get("recording", {}) if status["sessions"] else {}
        active = recording["outputPath"] if recording.get("active") else None
        candidates = [
            [*self._statuses(world), *self._notes(world), *_recording(world, active)]
            for world in self._worlds()
        ]
        return found + min(candidates, key=len)

    def _events(self) -> Iterator[str]:
        wanted = [event for batch in self.conversation for event in batch]
        found = self.ask("kato/readSession", KEY | {"limit": 1000})["events"]
        if found != wanted:
            yield f"events kept: {[event['eventId'] for event in found]}"

    def _answers(self) -> Iterator[str]:
        for life in self.lives:
            for method in life.answered_again():
                yield f"{method} was answered more than once"
            if not _is_killed(life):
                for method in life.unanswered():
                    yield f"{method} was not answered"

    def _commands(self) -> Iterator[str]:
        """One outcome each; none may be seen where the server was killed between the command and its report."""
        places = [Place(event["eventId"], line) for event, line in _typed(self.conversation)]
        reported = self._reported()
        for place in places:
            count = len(reported.get(place, ()))
            if count > 1 or (count == 0 and not self.was_killed):
                yield f"{place} has {count} outcomes: {reported.get(place, [])}"

    def _statuses(self, world: World) -> Iterator[str]:
        """What the rules give. An error only where something fails; nothing to do only where it was done before a kill."""
        for place, some in self._reported().items():
            allowed = {world.predicted[place]}
            if any(plan.makes_errors for plan in self.plans):
                allowed.add("error")
            if self.was_killed and "ok" in allowed:
                allowed.add("noop")
            if some[0].status not in allowed:
                yield f"{place} gave {some[0].status}, not {' or '.join(sorted(allowed))}"

    def _reported(self) -> dict[Place, list[Outcome]]:
        reported: dict[Place, list[Outcome]] = {}
        for life in self.lives:
            for one in life.notifications:
                if one["method"] == "kato/commandExecuted":
                    params = one["params"]
                    place = Place(params["eventId"], params["line"])
                    outcome = Outcome(params["status"], params.get("outputPath"))
                    reported.setdefault(place, []).append(outcome)
        return reported

    def _worlds(self) -> list[World]:
        outcomes = {place: some[0] for place, some in self._reported().items()}
        messages = [message(event) for batch in self.conversation for event in batch]
        return worlds(messages, self.notes, outcomes)

    def _notes(self, world: World) -> Iterator[str]:
        yield from notes_differ(world)
        for file in self.notes.rglob("*"):
            if file.is_file() and str(file) not in world.notes and not file.name.endswith(".tmp"):
                yield f"{file.name} is there"

    def left_over(self) -> list[str]:
        """What the last server left on the disk."""
        problems = [f"left over: {file.name}" for file in self.folder.rglob("*.tmp")]
        problems += [f"a copy: {file.name}" for file in (self.state / "backups").iterdir()]
        text = (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")
        problems += [line for line in text.split("\n") if any(mark in line for mark in DEFECTS)]
        journal = Journal.open(self.state, now_ms=lambda: START_MS)
        problems += [] if journal.recovery is None else [journal.recovery]
        problems += journal.check().problems
        journal.close()
        return problems

    def close(self) -> None:
        """Ends what still runs and removes the files."""
        for life in self.lives:
            if life.process.poll() is None:
                life.kill()
        shutil.rmtree(self.folder)


def _is_killed(peer: Peer) -> bool:
    return (peer.process.poll() or 0) < 0


def _make_space(peer: Peer) -> None:
    """The user frees some disk space: files may grow again."""
    resource.prlimit(
        peer.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )


def _typed(conversation: Sequence[Sequence[Json]]) -> Iterator[tuple[Json, int]]:
    for batch in conversation:
        for event in batch:
            for number, line in enumerate(event["content"].split("\n"), 1):
                if line.startswith("::"):
                    yield event, number


def _recording(world: World, active: str | None) -> Iterator[str]:
    if world.recording != active:
        yield f"recording to {active}, not to {world.recording}"


def steps(record: Path) -> list[str]:
    """The steps of a run that was recorded: the first is step 1."""
    return [line.partition(" ")[2] for line in record.read_text(errors="replace").splitlines()]


def changes(step: str) -> bool:
    """Whether this step writes: only then dying before it differs from dying before the next one."""
    return not step.startswith(("sql SELECT", "sql PRAGMA", "sql BEGIN", "fsync", "open"))
