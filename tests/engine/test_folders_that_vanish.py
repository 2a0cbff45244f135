"""Allowed folders that vanish, turn into links or are swapped while a note in them records."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builders import assistant, user
from engine.machine import MakeWindow, Window, words


def beats(one: Window, times: int) -> None:
    for _ in range(times):
        one.beat()


def vanished(folder: Path, aside: Path) -> None:
    folder.rename(aside)


def linked(folder: Path, aside: Path) -> None:
    folder.rename(aside)
    elsewhere = aside.parent / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)


def linked_to_a_copy(folder: Path, aside: Path) -> None:
    folder.rename(aside)
    shutil.copytree(aside, aside.parent / "elsewhere")
    folder.symlink_to(aside.parent / "elsewhere")


def swapped(folder: Path, aside: Path) -> None:
    folder.rename(aside)
    folder.mkdir()


def swapped_for_a_copy(folder: Path, aside: Path) -> None:
    folder.rename(aside)
    shutil.copytree(aside, folder)


def swapped_for_a_file(folder: Path, aside: Path) -> None:
    folder.rename(aside)
    folder.write_text("in the way")


def put_back(folder: Path, aside: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
    aside.rename(folder)


CHANGES = [vanished, linked, linked_to_a_copy, swapped, swapped_for_a_copy, swapped_for_a_file]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_quiet", [True, False])
def test_the_recording_pauses_and_goes_on_when_the_folder_is_back(
    window: MakeWindow, tmp_path: Path, change: Callable[[Path, Path], None], *, is_quiet: bool
) -> None:
    one = window()
    note, aside = one.notes / "talk.md", tmp_path / "aside"
    one.append(user("::capture talk.md", 0))
    kept = note.read_text()
    (recording,) = one.journal.active_recordings()
    change(one.notes, aside)
    before = sorted(path for path in tmp_path.rglob("*") if "state" not in path.parts)
    texts = {path: path.read_bytes() for path in before if path.is_file()}
    if is_quiet:
        beats(one, 2)
    one.append(assistant("said while the folder was away", 1))
    beats(one, 2)
    assert sorted(path for path in tmp_path.rglob("*") if "state" not in path.parts) == before
    assert {path: path.read_bytes() for path in texts} == texts, "nothing was written anywhere"
    (paused,) = one.notices
    assert (paused.kind, paused.severity) == ("recording_paused", "error")
    assert isinstance(paused.data, dict)
    assert paused.data["recordingId"] == recording.recording_id
    assert paused.data["path"] == str(note)
    assert str(one.notes) in paused.data["reason"]
    put_back(one.notes, aside)
    assert note.read_text() == kept
    beats(one, 2)
    assert words(note) == ["::capture talk.md", "said while the folder was away"]
    resumed = one.notices[-1]
    assert (resumed.kind, resumed.severity, len(one.notices)) == ("recording_resumed", "info", 2)


@pytest.mark.parametrize("change", CHANGES)
def test_a_new_capture_is_denied_with_the_reason(
    window: MakeWindow, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    one = window()
    change(one.notes, tmp_path / "aside")
    one.append(user("::capture talk.md", 0), user("::export sub/talk.jsonl", 1))
    for outcome in one.outcomes:
        assert outcome.status == "error"
        assert outcome.error.code == -32012  # type: ignore[union-attr]
        assert f"the allowed folder {one.notes} " in outcome.error.message  # type: ignore[union-attr]
    assert '"decision":"deny"' in (tmp_path / "state" / "audit.jsonl").read_text()
    put_back(one.notes, tmp_path / "aside")
    one.append(user("::capture talk.md", 2))
    assert one.outcomes[-1].status == "ok"


def test_a_folder_that_is_a_link_from_the_start_is_its_target(window: MakeWindow, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "notes").symlink_to(tmp_path / "real")
    one = window()
    one.append(user("::capture talk.md", 0))
    assert (tmp_path / "real" / "talk.md").exists()
    (tmp_path / "notes").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "notes").symlink_to(tmp_path / "elsewhere")
    one.append(assistant("goes on", 1), user("::capture other.md", 2))
    assert words(tmp_path / "real" / "talk.md") == ["::capture talk.md", "goes on", "::capture other.md"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert one.outcomes[-1].status == "error"


def test_a_folder_that_is_missing_at_the_start_is_not_made_and_allowed_once_it_is_there(
    window: MakeWindow, tmp_path: Path
) -> None:
    vault = tmp_path / "vault"
    one = window(allowedWriteRoots=[str(vault)])
    one.append(user(f"::capture {vault}/talk.md", 0))
    assert one.outcomes[-1].status == "error"
    assert "is not there" in one.outcomes[-1].error.message  # type: ignore[union-attr]
    assert not vault.exists()
    vault.mkdir()
    one.append(user(f"::capture {vault}/talk.md", 1))
    assert one.ran == ["capture error", "capture ok"]


def test_kato_makes_its_own_recordings_folder_again(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    shutil.rmtree(tmp_path / "state" / "recordings")
    one.append(user(f"::capture {tmp_path}/state/recordings/a.md", 0))
    assert one.ran == ["capture ok"]
    assert (tmp_path / "state" / "recordings").stat().st_mode & 0o777 == 0o700


def test_a_window_without_the_folder_reports_nothing(window: MakeWindow, tmp_path: Path) -> None:
    one = window("one")
    one.append(user("::capture talk.md", 0))
    two = window("two", exclusiveWriteRoots=True)
    (one.notes / "talk.md").write_text("changed\n")
    one.notes.rename(tmp_path / "aside")
    two.beat()
    assert two.notices == []


MOUNTS = """
import os, subprocess, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from builders import assistant, user
from engine.machine import Window, words
folder = Path(sys.argv[1])
drive = folder / "drive"
drive.mkdir()
def mount():
    subprocess.run(["mount", "-t", "tmpfs", "none", str(drive)], check=True)
def window(name):
    one = Window(folder, name, allowedWriteRoots=[str(drive)])
    one.alive = {name}
    return one
one = window("one")  # before the drive is mounted
mount()
one.append(user(f"::capture {drive}/talk.md", 0))
assert one.ran == ["capture ok"], one.outcomes
kept = (drive / "talk.md").read_bytes()
subprocess.run(["umount", str(drive)], check=True)
one.append(assistant("said while the drive was away", 1))
one.beat()
assert one.kinds == ["recording_paused"], one.notices
assert list(drive.iterdir()) == []
one.close()
two = window("two")  # starts while the drive is away: an empty folder is there
two.append(assistant("said later", 2))
two.beat()
assert list(drive.iterdir()) == [], "a note on the disk below would be hidden when the drive is back"
assert two.kinds == ["recording_paused"], two.notices
mount()
(drive / "talk.md").write_bytes(kept)
two.beat()
assert two.kinds == ["recording_paused", "recording_resumed"], two.notices
assert words(drive / "talk.md")[1:] == ["said while the drive was away", "said later"]
two.close()
"""


def _can_mount() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="needs a mount namespace of its own")
def test_nothing_is_written_below_the_place_of_a_drive_that_is_not_mounted(tmp_path: Path) -> None:
    paths = [path for path in sys.path if path]
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", MOUNTS]
    done = subprocess.run(
        [*command, str(tmp_path), *paths], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
