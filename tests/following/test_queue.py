"""The order in which logs with news are read, and the bounds of what is remembered of logs."""

import os
from collections.abc import Callable

import pytest

from following.conftest import Scene
from kato.assistants.contract import LogFile
from kato.assistants.registry import ASSISTANTS
from kato.core import limits
from kato.logs.discovery import Found
from kato.logs.reading_queue import ReadingQueue
from logs import ClaudeLog


def found(name: str) -> Found:
    return Found(ASSISTANTS[0], "/logs", f"/logs/{name}", LogFile(name), 1, 1)


def names(queue: ReadingQueue) -> list[str]:
    """The logs in the order in which they are read."""
    taken = []
    while (due := queue.pop()) is not None:
        taken.append(due[0].log.session_id)
    return taken


def at(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def test_the_log_that_was_pushed_last_is_read_first() -> None:
    queue = ReadingQueue(0.0, at(0.0))
    for name in ("a", "b", "c", "a"):
        queue.push(found(name))
    assert queue.pause == 0.0
    assert names(queue) == ["a", "c", "b"]
    assert queue.pause is None


def test_a_log_that_a_host_asks_about_does_not_wait_for_another_window() -> None:
    queue = ReadingQueue(1.0, at(0.0))
    for name in ("a", "b"):
        queue.push(found(name))
    assert names(queue) == []
    queue.hurry("/logs/a")
    queue.hurry("/logs/unknown")
    assert queue.pause == 0.0
    assert names(queue) == ["a"]
    assert queue.pause == 1.0


def test_a_half_read_log_is_read_on_before_the_others() -> None:
    queue = ReadingQueue(0.0, at(0.0))
    for name in ("a", "b"):
        queue.push(found(name))
    due = queue.pop()
    assert due is not None
    queue.put_back(*due)
    assert names(queue) == ["b", "a"]


def test_with_patience_a_log_waits_and_news_of_it_do_not_make_it_wait_longer() -> None:
    now = 0.0
    queue = ReadingQueue(1.0, lambda: now)
    queue.push(found("a"))
    now = 0.75
    queue.push(found("a"))
    assert queue.pause == 0.25
    assert names(queue) == []
    now = 1.0
    assert names(queue) == ["a"]


def test_more_logs_than_the_bound_drop_the_oldest_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "LOGS_MAX", 2)
    queue = ReadingQueue(0.0, at(0.0))
    for name in ("a", "b", "c", "d"):
        queue.push(found(name))
    assert names(queue) == ["d", "c"]
    assert [record.getMessage() for record in caplog.records] == [
        "more than 2 session logs changed: only the newest are read"
    ]


def test_the_newest_logs_are_followed_if_there_are_more_than_the_bound(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOGS_MAX", 3)
    machine = scene()
    logs = [ClaudeLog(machine.home, machine.work) for _ in range(10)]
    for number, log in enumerate(logs):
        log.write(log.user("hello"))
        os.utime(log.path, (machine.started_ms // 1000 - 100 + number,) * 2)
    machine.read_all()
    assert [machine.count(log.session) for log in logs] == [0] * 7 + [1] * 3
    assert len(machine.follower.news._known) <= 3
    logs[0].write(logs[0].user("again"))
    machine.read_all()
    assert machine.count(logs[0].session) == 2
