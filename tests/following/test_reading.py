"""Reading logs: many of them, large ones, damaged ones, and ones without a folder."""

import os
from pathlib import Path

import pytest

from following.conftest import Scene
from kato.core import limits
from kato.system import zstd
from kato.system.clock import now_ms
from logs import ClaudeLog, append, now


def test_more_logs_than_may_be_open_are_all_read_to_their_ends(scene: Scene) -> None:
    machine = scene()
    logs = [ClaudeLog(machine.home, machine.work) for _ in range(limits.TAILS_MAX + 6)]
    for log in logs:
        log.write(*[log.user(f"{number} {'x' * 5000}", timestamp=now(-3600)) for number in range(100)])
    pieces = -(-logs[0].path.stat().st_size // limits.LOG_READ_BYTES)
    assert pieces > 1
    assert machine.read_all() == pieces * len(logs), "each piece once"
    assert {machine.count(log.session) for log in logs} == {100}


def test_logs_without_a_folder_are_left_out_and_not_read_again(scene: Scene) -> None:
    machine = scene()
    for session in range(limits.TAILS_MAX + 6):
        log = ClaudeLog(machine.home, machine.work)
        records = [log.user("x" * 3000, timestamp=now(-60)) for _ in range(200)]
        log.write(*[{key: value for key, value in one.items() if key != "cwd"} for one in records])
        del session
    assert machine.read_all() < 4 * (limits.TAILS_MAX + 6)


def test_a_log_without_a_folder_is_left_out_before_it_takes_memory(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    records = [log.user("x" * 100_000, timestamp=now(-60)) for _ in range(200)]
    log.write(*[{key: value for key, value in one.items() if key != "cwd"} for one in records])
    assert log.path.stat().st_size > 2 * limits.LOG_FOLDERLESS_BYTES_MAX
    assert machine.read_all() <= limits.LOG_FOLDERLESS_BYTES_MAX // limits.LOG_READ_BYTES + 2


def test_a_log_that_was_replaced_by_one_with_the_same_first_line_is_read_from_its_beginning(
    scene: Scene,
) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    lines = [log.user(f"message {number} {'x' * 2000}") for number in range(12)]
    log.write(*lines[:4])
    machine.read_all()
    log.path.write_text("")
    log.write(lines[0], *lines[4:])
    machine.read_all()
    assert machine.count(log.session) == 12


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
def test_a_pipe_named_like_a_log_is_not_opened(scene: Scene) -> None:
    machine = scene()
    folder = machine.home / ".claude" / "projects" / "p"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "11111111-1111-4111-8111-111111111111.jsonl")
    assert machine.read_all() == 0


def test_a_damaged_log_does_not_stop_the_others_from_being_read(scene: Scene) -> None:
    machine = scene()
    day = machine.home / ".codex" / "sessions" / "2026" / "05" / "01"
    day.mkdir(parents=True)
    broken = day / "rollout-2026-05-01T10-00-00-aaaa.jsonl.zst"
    broken.write_bytes(zstd.library().compress(b"x" * 1000)[:-4] + b"no zstd data at all")
    named = machine.home / ".claude" / "projects" / "p"
    named.mkdir(parents=True)
    (named / os.fsdecode(b"\xff\xfe.jsonl")).write_text("{}\n")
    log, deep, nul = (ClaudeLog(machine.home, machine.work) for _ in range(3))
    nul.write(nul.user("hello", cwd="/a\0b"))
    deep.write(deep.user("one"))
    with deep.path.open("a") as file:
        file.write('{"type":"user","x":"\\ud800","deep":' + "[" * 900 + "]" * 900 + "}\n")
    deep.write(deep.user("two"))
    log.write(log.user("hello"))
    machine.read_all()
    assert machine.count(log.session) == 1
    assert machine.count(deep.session) == 2
    assert machine.count(nul.session) == 0


def test_a_time_beyond_the_calendar_does_not_stop_a_recording(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for timezone in ("America/New_York", "Pacific/Auckland"):
        monkeypatch.setenv("TZ", timezone)
        machine = scene()
        log = ClaudeLog(machine.home, machine.work)
        note = machine.work / f"{timezone.partition('/')[2]}.md"
        log.write(log.user(f"hi\n::record {note}"))
        log.write(log.user(f"::capture {note}"))
        log.write(*[one | {"timestamp": "0001-01-01T00:00:00Z"} for one in log.text("first of all")])
        log.write(*[one | {"timestamp": "9999-12-31T23:59:59.999Z"} for one in log.text("last of all")])
        machine.read_all()
        assert "first of all" in note.read_text()
        assert "last of all" in note.read_text()
        machine.engine.resume()
        assert machine.engine.status(include_stale=True).sessions


def test_a_log_with_a_time_of_change_beyond_64_bits_is_read_once(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("hi"))
    os.utime(log.path, (14_000_000_000, 14_000_000_000))
    if log.path.stat().st_mtime_ns < 1 << 63:
        pytest.skip("this file system keeps no times beyond the year 2262")
    machine.read_all()
    assert machine.count(log.session) == 1
    machine.follower.news.scan()
    assert machine.follower.pause is None, "what did not change has no news"
    assert machine.engine.ledger.log(str(log.path)) is not None


def test_readers_that_hold_a_whole_log_are_dropped_for_others(scene: Scene) -> None:
    asked: list[int] = []
    machine = scene(make_room=asked.append)
    storage = machine.home / ".config" / "Code" / "User" / "workspaceStorage" / "abc"
    storage.mkdir(parents=True)
    (storage / "workspace.json").write_text(f'{{"folder": "file://{machine.work}"}}')
    size = limits.LOG_HELD_BYTES_MAX // 3
    for number in range(6):
        request = {"requestId": f"r{number}", "timestamp": now_ms(), "message": {"text": "q" * size}}
        state = {"version": 3, "sessionId": f"s{number}", "requests": [request]}
        append(storage / "chatSessions" / f"s{number}.jsonl", {"kind": 0, "v": state})
    machine.read_all()
    assert [machine.count(f"s{number}", "copilot") for number in range(6)] == [1] * 6
    held = [one.tail.size for one in machine.follower._open.values()]
    assert sum(held) <= limits.LOG_HELD_BYTES_MAX
    assert max(asked) >= limits.LOG_HELD_COST * size, "room is asked for before it is taken"
    oldest = Path(next(iter(machine.follower._open)))
    again = {"requestId": "again", "timestamp": now_ms(), "message": {"text": "q" * 2 * size}}
    append(oldest, {"kind": 2, "k": ["requests"], "v": [again]})
    machine.read_all()
    assert machine.count(oldest.stem, "copilot") == 2, (
        "the one that is read is not closed, however long ago it was"
    )
