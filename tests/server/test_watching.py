"""Which folders are watched, what a watcher reports, and how soon a session is found where none works."""

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from kato.cli.client import Client
from kato.core import limits
from kato.logs.inotify import InotifyWatcher
from kato.logs.trees import TreeWatcher
from kato.logs.watcher import Watcher
from logs import ClaudeLog, CodexLog, overflow_the_queue, wait_for

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


# --- The watchers -----------------------------------------------------------------------------------------


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


# --- A server -----------------------------------------------------------------------------------------------


def watches(pid: int) -> int:
    """How many inotify watches a process has."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            count += descriptor.read_text().count("inotify wd:")
        except FileNotFoundError:
            continue
    return count


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    return Path(environment["HOME"])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def launch(start: Start, work: Path, command: Any = None, **env: str) -> Client:
    more = {} if command is None else {"command": command}
    client = start(initialize=False, env=env, **more)
    client.initialize(
        options={"stateDir": str(work.parent / "state"), "heartbeatSeconds": 0.2},
        folders=[str(work)],
        capabilities={"experimental": {"katoNotice": True}},
    )
    return client


def watched(client: Client) -> dict[str, Any]:
    status: dict[str, Any] = client.request("kato/status").get("watching", {})
    return status


def seconds_until(condition: Callable[[], Any], what: str) -> float:
    started = time.monotonic()
    wait_for(condition, what, 60)
    return time.monotonic() - started


@LINUX
def test_exactly_the_folders_that_can_hold_logs_are_watched(start: Start, home: Path, work: Path) -> None:
    """VS Code keeps much else in a workspace's folder: four folders of it can hold logs."""
    storage = home / ".config" / "Code" / "User" / "workspaceStorage"
    for number in range(20):
        workspace = storage / f"{number:032x}"
        (workspace / "chatSessions").mkdir(parents=True)
        (workspace / "GitHub.copilot-chat" / "transcripts").mkdir(parents=True)
        for extension in range(30):
            (workspace / "GitHub.copilot-chat" / "debug-logs" / str(extension)).mkdir(parents=True)
    client = launch(start, work)
    expected = 1 + 20 * 4
    wait_for(lambda: watched(client) == {"folders": expected}, "the watcher")
    assert watches(client.process.pid) == expected
    (storage / "new" / "chatSessions").mkdir(parents=True)
    wait_for(lambda: watched(client) == {"folders": expected + 2}, "the new workspace")
    assert watches(client.process.pid) == expected + 2
    shutil.rmtree(storage / f"{0:032x}")
    wait_for(lambda: watches(client.process.pid) == expected - 2, "the one that went")


def test_the_first_line_in_a_new_folder_is_found_while_it_is_said(
    start: Start, home: Path, work: Path
) -> None:
    (home / ".claude" / "projects").mkdir(parents=True)
    client = launch(start, work)
    wait_for(lambda: watched(client).get("folders"), "the watcher")
    took = []
    for number in range(5):
        folder = work / f"{number}"
        folder.mkdir()
        log = ClaudeLog(home, folder)
        log.write(log.user("::export n.md"))
        took.append(seconds_until((folder / "n.md").exists, "the export"))
    assert sorted(took)[2] < 1.0


class Limited:
    """Commands that run under a real limit of the kernel, in a user namespace of their own."""

    def __init__(self, setting: str, value: int) -> None:
        script = f'echo {value} > /proc/sys/user/{setting} && exec "$@"'
        self.prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]

    def command(self, *arguments: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "kato", *arguments]


@pytest.fixture(
    params=[
        ("max_inotify_instances", 0, "max_user_instances"),
        ("max_inotify_watches", 1, "max_user_watches"),
    ],
    ids=["no instance", "one watch"],
)
def limited(request: pytest.FixtureRequest) -> tuple[Limited, str]:
    setting, value, named = request.param
    made = Limited(setting, value)
    try:
        subprocess.run([*made.prefix, "true"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no user namespaces here")
    return made, f"fs.inotify.{named}"


def test_where_the_watcher_fails_the_user_knows_and_sessions_are_found_in_two_seconds(
    start: Start, home: Path, work: Path, limited: tuple[Limited, str]
) -> None:
    made, setting = limited
    old = ClaudeLog(home, work)
    old.write(old.user("long ago", timestamp="2026-01-01T00:00:00Z"), *old.text("yes"))
    resumed = ClaudeLog(home, work)
    resumed.write(resumed.user("last year", timestamp="2025-01-01T00:00:00Z"))
    os.utime(resumed.path, (1, 1))
    CodexLog(home, work).path.parent.mkdir(parents=True)
    client = launch(start, work, made.command("serve"))
    wait_for(lambda: setting in watched(client).get("failed", ""), "the status")
    notices = [one["params"] for one in client.notifications if one["method"] == "kato/notice"]
    (failed,) = [one for one in notices if one["kind"] == "watcher_failed"]
    assert failed["severity"] == "warning"
    assert failed["data"]["reason"] == watched(client)["failed"]
    assert f"sudo sysctl {setting}=" in failed["message"]

    def took(name: str, write: Callable[[str], object]) -> float:
        write(f"::export {name}")
        return seconds_until((work / name).exists, name)

    def say(log: ClaudeLog, text: str) -> None:
        log.write(log.user(text))

    def say_codex(text: str) -> None:
        codex = CodexLog(home, work)
        codex.write(*codex.start, *codex.user(text))

    for number in range(1, 4):  # the best of three: the machine may be busy
        elsewhere = ClaudeLog(home, work)
        elsewhere.path = elsewhere.path.parent.with_name(f"new-{number}") / elsewhere.path.name
        times = {
            "in a known folder": took(f"a{number}.md", partial(say, ClaudeLog(home, work))),
            "in a new folder": took(f"b{number}.md", partial(say, elsewhere)),
            "in another root": took(f"c{number}.md", say_codex),
            "of last year": took(f"d{number}.md", partial(say, resumed)),
        }
        if max(times.values()) < 2:
            break
    assert max(times.values()) < 2, times
    kinds = [one["params"]["kind"] for one in client.notifications if one["method"] == "kato/notice"]
    assert kinds.count("watcher_failed") == 1, "once, however often it fails"


def test_the_doctor_and_the_status_name_a_watcher_that_fails(
    start: Start, environment: dict[str, str], home: Path, work: Path, limited: tuple[Limited, str]
) -> None:
    made, setting = limited
    for folder in (work, work / "inner"):
        log = ClaudeLog(home, folder)
        log.write(log.user("hello"))
    environment |= {"KATO_STATE_DIR": str(work.parent / "state"), "COLUMNS": "200"}

    def run(*arguments: str) -> str:
        return subprocess.run(
            arguments, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    assert setting in run(*made.command("doctor"))
    assert '"failed": "your programs use all inotify' in run(*made.command("doctor", "--json"))
    mine = [sys.executable, "-m", "kato"]
    assert "watched" not in run(*mine, "doctor")
    client = launch(start, work, made.command("serve"))
    wait_for(lambda: "failed" in watched(client), "the status")
    wait_for(lambda: "Not all folders with session logs are watched" in run(*mine, "status"), "the file")
    assert f"✘ Process {client.process.pid}: Not all folders" in run(*mine, "doctor")
