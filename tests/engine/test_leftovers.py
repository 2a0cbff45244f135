"""Files that killed processes left behind: removed at the start and while recordings run, never those of live processes."""

import os
from pathlib import Path

import pytest

from builders import user
from engine.machine import MakeWindow
from kato.app import process

#: No process has this id: Linux numbers them up to 2^22, others to less.
DEAD = 2**22 + 1


def left_behind(folder: Path, name: str, *, pid: int = DEAD) -> Path:
    mark = process.mark().replace(f"{os.getpid()}-", f"{pid}-", 1)
    path = folder / name.format(mark=mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half of a conversation")
    return path


@pytest.mark.parametrize(
    "command", ["::capture sub/talk.md", "::init sub/talk.md", "::export sub/talk.jsonl"]
)
def test_the_start_removes_them_next_to_every_note_that_kato_knows(window: MakeWindow, command: str) -> None:
    one = window()
    one.append(user(command, 0))
    one.close()
    dead = left_behind(one.notes / "sub", ".talk.md.kato-{mark}-0123abcd.tmp")
    live = left_behind(one.notes / "sub", ".talk.md.kato-{mark}-4567abcd.tmp", pid=os.getpid())
    window("window-2")
    assert not dead.exists()
    assert live.exists()


def test_the_heartbeat_removes_them_next_to_notes_that_record(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md", 0))
    one.beat()
    dead = left_behind(one.notes, ".talk.md.kato-{mark}-0123abcd.tmp")
    one.beat()
    assert not dead.exists()


def test_folders_that_are_not_allowed_are_left_alone(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture talk.md", 0))
    one.close()
    dead = left_behind(one.notes, ".talk.md.kato-{mark}-0123abcd.tmp")
    window("window-2", exclusiveWriteRoots=True).beat()
    assert dead.exists()


def test_the_start_removes_spools_and_halves_of_status_files(window: MakeWindow, tmp_path: Path) -> None:
    state = tmp_path / "state"
    dead = [
        left_behind(state, "kato-spool-{mark}-abcdefgh"),
        left_behind(state / "servers", f".{DEAD}.tmp"),
    ]
    live = [
        left_behind(state, "kato-spool-{mark}-abcdefgh", pid=os.getpid()),
        left_behind(state / "servers", f".{os.getppid()}.tmp"),
    ]
    window()
    assert [path.exists() for path in [*dead, *live]] == [False, False, True, True]
