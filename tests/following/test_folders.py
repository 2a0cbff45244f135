"""Which folders are listed, and when."""

import os
import shutil
from pathlib import Path

import pytest

from following.conftest import Scene
from kato.core import limits
from logs import ClaudeLog
from machine import Machine


def fresh(machine: Machine, project: str) -> ClaudeLog:
    """A session with a command, in a project's folder of its own."""
    log = ClaudeLog(machine.home, machine.work)
    log.path = machine.home / ".claude" / "projects" / project / log.path.name
    log.write(log.user("hello"))
    return log


def look(machine: Machine, *, closely: bool = False) -> list[str]:
    """Looks at the folders' times, and reads what that found; the folders that were listed for it, by their names."""
    listed: list[str] = []
    machine.follower.news.folders.watch = listed.append
    for _ in machine.follower.news.look_at_folders():
        pass
    for _ in machine.follower.news.look_at_folders_here() if closely else ():
        pass
    while machine.follower.pause is not None:
        machine.follower.step()
    return [Path(folder).name for folder in listed]


def test_a_look_at_the_folders_lists_only_those_in_which_something_was_made(scene: Scene) -> None:
    machine = scene()
    first = fresh(machine, "a")
    fresh(machine, "b")
    machine.read_all()
    machine.clock += 10
    look(machine)
    assert look(machine) == [], "all is listed and settled"
    second = fresh(machine, "a")
    assert look(machine) == ["a"]
    third = fresh(machine, "c")
    assert sorted(look(machine)) == ["c", "projects"]
    assert [machine.count(log.session) for log in (first, second, third)] == [1, 1, 1]


def test_a_folder_that_changes_twice_in_a_moment_is_listed_again(scene: Scene) -> None:
    """File systems count time in steps of up to two seconds."""
    machine = scene()
    folder = fresh(machine, "a").path.parent
    machine.read_all()
    before = folder.stat().st_mtime_ns
    second = fresh(machine, "a")
    os.utime(folder, ns=(before, before))
    look(machine)
    assert machine.count(second.session) == 1


def test_roots_and_folders_that_are_removed_and_made_again_are_found(scene: Scene) -> None:
    machine = scene()
    machine.read_all()
    log = fresh(machine, "a")
    look(machine)
    assert machine.count(log.session) == 1, "the assistant's first session"
    assert machine.follower.news.folders.paths == {str(log.path.parent), str(log.path.parent.parent)}
    shutil.rmtree(log.path.parent)
    look(machine)
    assert machine.follower.news.folders.paths == {str(log.path.parent.parent)}
    again = fresh(machine, "a")
    look(machine)
    assert machine.count(again.session) == 1
    shutil.rmtree(log.path.parent.parent)
    look(machine)
    assert machine.follower.news.folders.paths == set()
    last = fresh(machine, "a")
    look(machine)
    assert machine.count(last.session) == 1


def test_a_close_look_finds_old_sessions_of_this_window_that_go_on(scene: Scene) -> None:
    """Where nothing is reported: writing to a log changes no folder's time."""
    machine = scene()
    old, new, elsewhere = fresh(machine, "a"), fresh(machine, "a"), fresh(machine, "b")
    for log in (old, elsewhere):
        os.utime(log.path, (1, 1))
    machine.read_all()
    machine.clock += 10
    look(machine)
    for log in (old, new, elsewhere):
        log.write(log.user("more"))
    assert look(machine) == []
    look(machine, closely=True)
    assert [machine.count(log.session) for log in (old, new, elsewhere)] == [2, 2, 0]


def test_folders_that_are_remembered_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_FOLDERS_MAX", 3)
    machine = scene()
    logs = [fresh(machine, f"{number}") for number in range(60)]
    machine.read_all()
    assert len(machine.follower.news.folders.paths) <= 3 + len(machine.follower.news.folders.roots)
    assert {machine.count(log.session) for log in logs} == {1}, "the scan finds them all the same"


def test_a_scan_is_done_in_pieces_while_hints_are_taken(scene: Scene) -> None:
    machine = scene()
    logs = [fresh(machine, f"{number % 3}") for number in range(4 * limits.LOG_PIECE_LOGS)]
    pieces = machine.follower.news.scan_pieces()
    next(pieces)
    hinted = fresh(machine, "4")
    machine.follower.news.hint([str(hinted.path)])
    machine.follower.step()
    assert machine.count(hinted.session) == 1
    assert sum(1 for _ in pieces) >= 4
    while machine.follower.pause is not None:
        machine.follower.step()
    assert {machine.count(log.session) for log in [*logs, hinted]} == {1}
    assert next(iter(machine.follower.news.folders.paths), None)


@pytest.mark.parametrize("name", ["a\0b", "a\0b.jsonl"])
def test_a_hint_with_a_path_that_no_file_can_have_is_ignored(scene: Scene, name: str) -> None:
    machine = scene()
    log = fresh(machine, "a")
    machine.follower.news.hint([str(log.path.parent / name), str(log.path)])
    machine.follower.step()
    assert machine.count(log.session) == 1
