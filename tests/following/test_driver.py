"""The feed on a real event loop: how often it looks, and what it does when the system reports too much."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kato.core import limits
from kato.core.views import WatchingStatus
from kato.logs.driver import LogFeed
from logs import ClaudeLog, overflow_the_queue
from machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, [str(tmp_path / "work")])
    yield made
    made.engine.close()


def feed_of(machine: Machine, noted: list[WatchingStatus] | None = None) -> LogFeed:
    machine.follower.news.folders.watch = lambda _: None

    def note(watching: WatchingStatus, _: str) -> None:
        if noted is not None:
            noted.append(watching)

    return LogFeed(asyncio.get_running_loop(), machine.follower, machine.engine.commit, note)


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.75, 30.0])
async def test_the_pause_until_the_next_scan_is_bounded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """50,000 logs take 0.75 s: 5,000 times that would be an hour."""
    feed, loop = feed_of(machine), asyncio.get_running_loop()

    def pauses() -> tuple[float, float]:
        feed._after_scan(seconds)
        feed._plan_folders(seconds)
        assert feed._scan is not None
        assert feed._folders is not None
        return feed._scan.when() - loop.time(), feed._folders.when() - loop.time()

    scan, folders = pauses()
    assert min(seconds / limits.LOG_SCAN_SHARE, limits.LOG_SCAN_SECONDS_MAX) - 1 <= scan
    assert limits.LOG_SCAN_SECONDS - 1 <= scan <= limits.LOG_SCAN_SECONDS_MAX
    assert folders <= limits.LOG_FOLDERS_SECONDS_MAX
    monkeypatch.setattr(limits, "LOG_FOLDERS_MAX", 0)
    feed._watcher.add(str(machine.work))
    assert feed._is_blind
    scan, folders = pauses()
    assert scan <= limits.LOG_BLIND_SCAN_SECONDS_MAX
    assert folders <= limits.LOG_BLIND_FOLDERS_SECONDS
    feed.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
async def test_what_the_kernel_could_not_queue_is_found_by_a_scan(machine: Machine) -> None:
    noted: list[WatchingStatus] = []
    log, later = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    log.write(log.user("hello"))
    feed = feed_of(machine, noted)
    feed.start()
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if noted and machine.count(log.session):
            break
    assert noted == [WatchingStatus(folders=2)]
    overflow_the_queue(later.path.parent)  # while the loop waits
    later.write(later.user("hello"))
    for _ in range(400):
        await asyncio.sleep(0.01)
        if machine.count(later.session):
            break
    assert machine.count(later.session) == 1
    feed.stop()
