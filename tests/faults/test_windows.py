"""Two windows with the same folder open, of which one writes slowly: a conversation that both receive gives one note.

KATO_WINDOW_RUNS (default 20) conversations are held; `make soak-windows` holds a thousand.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from builders import assistant, request, user
from expected import Message, Outcome, Place, notes_differ, worlds
from faults.injection import Plan
from faults.zygote import Zygote
from logs import ClaudeLog
from peer import Json, Peer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="descriptors are named by /proc"),
]

RUNS = int(os.environ.get("KATO_WINDOW_RUNS", "20"))
#: What a write to a note takes longer in the slow window: the other one gets in between.
SLOW_MS = 20
SETTLE_SECONDS = 20.0
GROUPS = 4


class Windows:
    """Two servers on one state folder, the second one slow, and what they reported."""

    def __init__(self, zygote: Zygote, folder: Path, environment: Mapping[str, str]) -> None:
        self.notes, self.home = folder / "notes", folder / "home"
        for path in (self.notes, self.home):
            path.mkdir()
        self.outcomes: list[Json] = []
        self.peers = []
        for plan in (Plan(), Plan(slow=str(self.notes), delay_ms=SLOW_MS)):
            given = {**environment, "HOME": str(self.home), **plan.environment()}
            peer = Peer(zygote.start(given, folder / "stderr"), self._take)
            peer.initialize({"stateDir": str(folder / "state"), "heartbeatSeconds": 0.5}, [self.notes])
            self.peers.append(peer)

    def _take(self, message: Json) -> None:
        if message["method"] == "kato/commandExecuted":
            self.outcomes.append(message["params"])

    def check(self, texts: Sequence[Message], key: Json, run: str) -> None:
        """Fails with what is wrong with a conversation when both windows had time to settle."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while found := list(self._problems(texts, key)):
            if time.monotonic() > deadline:
                pytest.fail("\n    ".join([f"{run}:", *found]), pytrace=False)
            time.sleep(0.05)

    def _problems(self, texts: Sequence[Message], key: Json) -> Iterator[str]:
        events = self.peers[0].request("kato/readSession", key | {"limit": 1000})["events"]
        if [one["content"] for one in events] != [one.text for one in texts]:
            yield f"{len(events)} of {len(texts)} events, or in another order"
            return
        messages = [one._replace(id=event["eventId"]) for one, event in zip(texts, events, strict=True)]
        reported: dict[Place, list[Outcome]] = {}
        for one in list(self.outcomes):
            if one["sessionId"] == key["sessionId"]:
                outcome = Outcome(one["status"], one.get("outputPath"))
                reported.setdefault(Place(one["eventId"], one["line"]), []).append(outcome)
        (world,) = worlds(messages, self.notes, {})
        for place, status in world.predicted.items():
            if [one.status for one in reported.get(place, ())] != [status]:
                yield f"{place} gave {reported.get(place)}, not {status}"
        yield from notes_differ(world)

    def close(self) -> None:
        for peer in self.peers:
            assert peer.close() == 0
            assert peer.answered_again() == []


def conversation(number: int, chance: random.Random) -> list[Message]:
    """An assistant that goes on while the user types commands."""
    said = 0

    def message(*commands: str) -> Message:
        nonlocal said
        said += 1
        lines = [f"line {said} of talk {number}"]
        for index, command in enumerate(commands):
            lines += [command, f"line {said}.{index} of talk {number}"]
        return Message(f"talk-{number}-{said}", "\n".join(lines), by_user=bool(commands))

    def goes_on() -> list[Message]:
        return [message() for _ in range(chance.randint(1, 12))]

    return [
        *goes_on(),
        message(f"::capture talk-{number}.md"),
        *goes_on(),
        message("::stop", "::record"),
        *goes_on(),
        message("::stop"),
        *goes_on(),
        message("::record"),
        message("::stop", f"::export copy-{number}.md", "::record"),
        *goes_on(),
        message("::stop"),
        *goes_on(),
    ]


@pytest.fixture
def windows(zygote: Zygote, environment: dict[str, str], tmp_path: Path) -> Iterator[Windows]:
    folder = tmp_path / "windows"
    folder.mkdir()
    opened = Windows(zygote, folder, environment)
    yield opened
    opened.close()


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_both_windows_receive_is_in_the_note_once_and_nothing_after_a_stop(
    windows: Windows, group: int
) -> None:
    for number in range(group, RUNS, GROUPS):
        chance = random.Random(number)
        said, session = conversation(number, chance), f"session-{number}"
        events = [
            (user if one.by_user else assistant)(one.text, index, sessionId=session, eventId=one.id)
            for index, one in enumerate(said)
        ]
        seeds = [chance.random() for _ in windows.peers]
        together(
            partial(feed, peer, events, random.Random(seed), windows.notes)
            for peer, seed in zip(windows.peers, seeds, strict=True)
        )
        windows.check(said, {"provider": "claude", "sessionId": session}, f"run {number}")


@pytest.mark.parametrize("group", range(2))
def test_a_log_that_both_windows_follow_is_in_the_note_once_and_nothing_after_a_stop(
    windows: Windows, group: int
) -> None:
    for number in range(group, max(2, RUNS // 3), 2):
        chance = random.Random(number)
        said = conversation(number, chance)
        log = ClaudeLog(windows.home, windows.notes)
        key = {"provider": "claude", "sessionId": log.session}
        for one in said:
            log.write(*([log.user(one.text)] if one.by_user else log.text(one.text)))
            time.sleep(chance.choice([0, 0, 0.01, 0.1]))
        windows.check(said, key, f"run {number}")


def feed(peer: Peer, events: Sequence[Json], chance: random.Random, cwd: Path) -> None:
    """Pushes a conversation piece by piece."""
    at = 0
    while at < len(events):
        size = chance.choice([1, 1, 2, 5])
        peer.request("kato/appendEvents", request(events[at : at + size], cwd=str(cwd)))
        at += size


def together(tasks: Iterable[Callable[[], Any]]) -> None:
    """Runs them side by side; an error in one is an error here."""
    errors: list[BaseException] = []

    def run(task: Callable[[], Any]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
