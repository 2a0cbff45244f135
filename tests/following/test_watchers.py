"""What the watchers report, and how they fail."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kato.core import limits
from kato.logs.inotify import InotifyWatcher
from kato.logs.trees import TreeWatcher
from kato.logs.watcher import Watcher
from logs import overflow_the_queue, watches

if sys.platform != "win32":
    import resource

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify")
Make = Callable[[type[Watcher]], "Reports"]


class Reports:
    """A watcher, and what it reported."""

    def __init__(self, kind: Any) -> None:
        self.paths: set[str] = set()
        self.overflows = 0
        self.watcher: Watcher = kind(asyncio.get_running_loop(), self._take)

    def _take(self, paths: Any) -> None:
        if paths is None:
            self.overflows += 1
        else:
            self.paths.update(paths)

    async def comes(self, *paths: Path, seconds: float = 10) -> None:
        await self.until(lambda: {str(path) for path in paths} <= self.paths, seconds)

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.paths
            await asyncio.sleep(0.01)


@pytest.fixture
async def watch_with() -> AsyncIterator[Make]:
    made: list[Reports] = []

    def make(kind: type[Watcher]) -> Reports:
        made.append(Reports(kind))
        return made[-1]

    yield make
    for reports in made:
        reports.watcher.stop()


@LINUX
async def test_what_is_made_once_a_folder_was_added_is_reported(watch_with: Make, tmp_path: Path) -> None:
    reports = watch_with(InotifyWatcher)
    reports.watcher.add(str(tmp_path))
    (tmp_path / "log").write_text("1")  # before the loop runs: there is no gap
    (tmp_path / "folder").mkdir()
    await reports.comes(tmp_path / "log", tmp_path / "folder")
    reports.paths.clear()
    with (tmp_path / "log").open("a") as file:
        file.write("2")
    (tmp_path / "log").rename(tmp_path / "moved")
    (tmp_path / "folder" / "inner").write_text("")
    await reports.comes(tmp_path / "log", tmp_path / "moved")
    assert str(tmp_path / "folder" / "inner") not in reports.paths, "single folders, not trees"


@LINUX
async def test_a_folder_that_is_replaced_or_linked_to_is_watched_by_its_names(
    watch_with: Make, tmp_path: Path
) -> None:
    reports, folder, link = watch_with(InotifyWatcher), tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    link.symlink_to(folder)
    reports.watcher.add(str(folder))
    reports.watcher.add(str(link))
    assert reports.watcher.count == 1
    (folder / "x").write_text("")
    await reports.comes(folder / "x", link / "x")
    shutil.rmtree(folder)
    await reports.until(lambda: reports.watcher.count == 0)
    folder.mkdir()
    reports.watcher.add(str(folder))
    (folder / "y").write_text("")
    await reports.comes(folder / "y")
    folder.rename(tmp_path / "c")
    folder.mkdir()
    reports.watcher.add(str(folder))
    assert reports.watcher.count == 1, "the one that has another name now is not watched any more"
    (folder / "z").write_text("")
    await reports.comes(folder / "z")


@LINUX
async def test_only_folders_that_are_kept_stay_watched(watch_with: Make, tmp_path: Path) -> None:
    reports = watch_with(InotifyWatcher)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        reports.watcher.add(str(tmp_path / name))
    (tmp_path / "file").write_text("")
    reports.watcher.add(str(tmp_path / "file"))
    reports.watcher.add(str(tmp_path / "missing"))
    assert (reports.watcher.count, reports.watcher.failure) == (2, None)
    reports.watcher.keep({str(tmp_path / "b")})
    assert reports.watcher.count == 1
    for name in ("a", "b"):
        (tmp_path / name / "x").write_text("")
    await reports.comes(tmp_path / "b" / "x")
    assert str(tmp_path / "a" / "x") not in reports.paths


@LINUX
async def test_a_queue_that_overflows_is_reported_as_anything(watch_with: Make, tmp_path: Path) -> None:
    reports = watch_with(InotifyWatcher)
    reports.watcher.add(str(tmp_path))
    overflow_the_queue(tmp_path)
    await reports.until(lambda: reports.overflows)


@LINUX
async def test_without_an_inotify_instance_the_reason_is_named_and_it_is_tried_again(
    watch_with: Make, tmp_path: Path
) -> None:
    reports = watch_with(InotifyWatcher)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unused = os.dup(0)
    os.close(unused)
    resource.setrlimit(resource.RLIMIT_NOFILE, (unused, hard))
    try:
        reports.watcher.add(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    failure = reports.watcher.failure
    assert failure is not None
    assert "fs.inotify.max_user_instances" in failure.reason
    assert "sudo sysctl fs.inotify.max_user_instances=" in failure.cure
    reports.watcher.retry()
    reports.watcher.add(str(tmp_path))
    assert (reports.watcher.count, reports.watcher.failure) == (1, None)


@LINUX
async def test_more_folders_than_may_be_watched_are_a_failure(
    watch_with: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LOG_FOLDERS_MAX", 2)
    reports = watch_with(InotifyWatcher)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        reports.watcher.add(str(tmp_path / name))
    assert reports.watcher.count == 2
    assert reports.watcher.failure == ("there are more than 2 folders", "")


async def test_a_tree_is_watched_as_one(
    watch_with: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    reports, inner = watch_with(TreeWatcher), tmp_path / "tree" / "inner"
    inner.mkdir(parents=True)
    for folder in (tmp_path / "tree", inner):
        reports.watcher.add(str(folder))
    assert reports.watcher.keep({str(tmp_path / "tree"), str(inner)}), "it begins a moment from now"
    assert not reports.watcher.keep({str(tmp_path / "tree"), str(inner)})
    assert reports.watcher.count == 1

    def touch() -> bool:
        (inner / "log").write_text(str(time.monotonic()))
        return str(inner / "log") in reports.paths

    await reports.until(touch)
    if sys.platform == "linux":
        assert watches(os.getpid()) > 0, "the system's events, whatever watchfiles' environment asks for"


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of descriptors")
async def test_a_tree_that_cannot_be_watched_is_a_failure_until_there_are_others(
    watch_with: Make, tmp_path: Path
) -> None:
    reports = watch_with(TreeWatcher)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reports.watcher.add(str(tmp_path))
    unused = os.dup(0)
    os.close(unused)
    import watchfiles  # noqa: F401 - while files can still be opened

    resource.setrlimit(resource.RLIMIT_NOFILE, (unused, hard))
    try:
        reports.watcher.keep({str(tmp_path)})
        await reports.until(lambda: reports.watcher.failure is not None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    reports.watcher.retry()
    assert reports.watcher.failure is not None
    (tmp_path / "other").mkdir()
    reports.watcher.keep(set())
    reports.watcher.add(str(tmp_path / "other"))
    assert reports.watcher.keep({str(tmp_path / "other")})
    assert reports.watcher.failure is None
