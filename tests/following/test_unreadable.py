"""What the file system does not let Kato read is counted, until Kato can read it or it is gone."""

import os
import shutil
from pathlib import Path

import pytest
from msgspec import UNSET

from following.conftest import Scene
from kato.core import limits
from kato.core.views import UnreadableStatus
from kato.logs.unreadable import UnreadablePaths
from kato.system import zstd
from logs import ClaudeLog, CodexLog

LINKS = pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")


@pytest.fixture
def restricted(tmp_path: Path) -> None:
    """Skips where the file system does not enforce the rights of files, as for the root user."""
    probe = tmp_path / "probe"
    probe.touch(mode=0o000)
    if os.access(probe, os.R_OK):
        pytest.skip("this user may read everything")


def counts(status: object) -> tuple[int, int, int]:
    assert isinstance(status, UnreadableStatus)
    return status.folders, status.files, status.names


def test_a_path_counts_once_and_the_first_is_the_example() -> None:
    paths = UnreadablePaths()
    assert paths.add("folder", "/a", PermissionError(13, "Permission denied"))
    assert not paths.add("folder", "/a", PermissionError(13, "Permission denied")), "known for this reason"
    assert paths.add("file", "/b", "not a regular file")
    assert paths.status == UnreadableStatus(folders=1, files=1, names=0, example="/a: Permission denied")
    paths.discard("/a")
    assert paths.status == UnreadableStatus(folders=0, files=1, names=0, example="/b: not a regular file")


def test_a_path_at_which_nothing_exists_does_not_count() -> None:
    paths = UnreadablePaths()
    paths.add("file", "/a", "not a regular file")
    assert not paths.add("file", "/a", FileNotFoundError(2, "No such file or directory"))
    assert paths.status is UNSET


def test_counted_paths_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_UNREADABLE_MAX", 3)
    paths = UnreadablePaths()
    for number in range(10):
        paths.add("name", f"/{number}", "the path is not valid text")
    assert counts(paths.status) == (0, 0, 3)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_log_whose_path_is_not_valid_text_counts_until_it_is_gone(scene: Scene) -> None:
    machine = scene()
    path = machine.home / ".claude" / "projects" / "p" / os.fsdecode(b"\xff.jsonl")
    path.parent.mkdir(parents=True)
    path.write_text("{}\n")
    machine.read_all()
    assert counts(machine.follower.unreadable.status) == (0, 0, 1)
    assert machine.unreadable_example.endswith("\\udcff.jsonl: the path is not valid text")
    path.unlink()
    machine.read_all()
    assert machine.follower.unreadable.status is UNSET


@LINKS
def test_a_root_that_cannot_be_entered_counts_until_it_can(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    root = machine.home / ".claude" / "projects"
    root.parent.mkdir(parents=True)
    root.symlink_to(root)
    machine.read_all()
    assert counts(machine.follower.unreadable.status) == (1, 0, 0)
    assert machine.unreadable_example.startswith(f"{root}: ")
    root.unlink()
    log.write(log.user("hello"))
    machine.read_all()
    assert machine.count(log.session) == 1
    assert machine.follower.unreadable.status is UNSET


@LINKS
def test_a_log_that_cannot_be_opened_counts_and_the_others_are_read(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("hello"))
    loop = log.path.with_name("11111111-1111-4111-8111-111111111111.jsonl")
    loop.symlink_to(loop)
    machine.read_all()
    assert machine.count(log.session) == 1
    assert counts(machine.follower.unreadable.status) == (0, 1, 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_named_like_a_log_counts(scene: Scene) -> None:
    machine = scene()
    path = machine.home / ".claude" / "projects" / "p" / "11111111-1111-4111-8111-111111111111.jsonl"
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    machine.read_all()
    assert machine.unreadable_example == f"{path}: not a regular file"


def test_a_log_that_cannot_be_decompressed_counts_and_is_logged_once_until_it_can(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    machine = scene()
    log = CodexLog(machine.home, machine.work)
    log.write(*log.start, *log.user("hello"))
    packed, content = log.path.with_name(f"{log.path.name}.zst"), log.path.read_bytes()
    log.path.unlink()
    packed.write_bytes(b"no compressed data")
    for _ in range(3):
        machine.read_all()
    assert machine.unreadable_example.startswith(f"{packed}: invalid Zstandard data")
    logged = [record.getMessage() for record in caplog.records if record.name == "kato.logs"]
    assert [message.partition(":")[0] for message in logged] == [f"{packed} was not read"]
    packed.write_bytes(zstd.library().compress(content))
    machine.read_all()
    assert machine.count(log.session, "codex") == 1
    assert machine.follower.unreadable.status is UNSET


@pytest.mark.usefixtures("restricted")
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_folder_without_the_right_to_read_or_enter_it_counts_until_it_has_it(
    scene: Scene, mode: int
) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("hello"))
    log.path.parent.chmod(mode)
    try:
        machine.read_all()
        assert counts(machine.follower.unreadable.status) == (1, 0, 0)
        assert machine.count(log.session) == 0
    finally:
        log.path.parent.chmod(0o700)
    machine.read_all()
    assert machine.count(log.session) == 1
    assert machine.follower.unreadable.status is UNSET


@pytest.mark.usefixtures("restricted")
def test_a_log_without_the_right_to_read_it_counts_until_it_has_it(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("hello"))
    log.path.chmod(0o000)
    machine.read_all()
    assert counts(machine.follower.unreadable.status) == (0, 1, 0)
    log.path.chmod(0o600)
    machine.read_all()
    assert machine.count(log.session) == 1
    assert machine.follower.unreadable.status is UNSET


@LINKS
def test_a_companion_that_cannot_be_read_counts(scene: Scene) -> None:
    machine = scene()
    project: Path = machine.home / ".gemini" / "tmp" / "p"
    log = project / "chats" / "session-2026-05-01T10-00-1234abcd.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"sessionId": "1234abcd-0000"}\n')
    name = project / ".project_root"
    name.symlink_to(name)
    machine.read_all()
    assert machine.unreadable_example.startswith(f"{name}: ")
    shutil.rmtree(project)
    machine.read_all()
    assert machine.follower.unreadable.status is UNSET
