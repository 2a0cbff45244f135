"""The intake of session logs in one process: many of them, damaged ones, copies, other windows."""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kato.app.build import now_ms
from kato.core import limits
from kato.core.events import AssistantMessage, SessionKey, decode_line
from kato.core.moments import rfc3339
from logs import ClaudeLog, CodexLog, append, now
from machine import Machine

Scene = Callable[..., "Machine"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made: list[Machine] = []

    def make(folders: list[str] | None = None, **more: Any) -> Machine:
        for machine in made:
            machine.assembly.engine.close()
        made.clear()
        made.append(Machine(tmp_path, [str(tmp_path / "work")] if folders is None else folders, **more))
        return made[-1]

    yield make
    for machine in made:
        machine.engine.close()


def test_more_logs_than_may_be_open_are_all_read_to_their_ends(scene: Scene) -> None:
    machine = scene()
    logs = [ClaudeLog(machine.home, machine.work) for _ in range(limits.TAILS_MAX + 6)]
    for log in logs:
        log.write(*[log.user(f"{number} {'x' * 5000}", timestamp=now(-3600)) for number in range(100)])
    pieces = -(-logs[0].path.stat().st_size // limits.LOG_READ_BYTES)
    assert pieces > 1
    assert machine.read_all() == pieces * len(logs), "each piece once"
    assert {machine.count(log.session) for log in logs} == {100}


def test_logs_that_tell_no_folder_are_given_up_and_not_begun_again(scene: Scene) -> None:
    machine = scene()
    for session in range(limits.TAILS_MAX + 6):
        log = ClaudeLog(machine.home, machine.work)
        records = [log.user("x" * 3000, timestamp=now(-60)) for _ in range(200)]
        log.write(*[{key: value for key, value in one.items() if key != "cwd"} for one in records])
        del session
    assert machine.read_all() < 4 * (limits.TAILS_MAX + 6)


def test_a_log_without_a_folder_is_given_up_before_it_takes_memory(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    records = [log.user("x" * 100_000, timestamp=now(-60)) for _ in range(200)]
    log.write(*[{key: value for key, value in one.items() if key != "cwd"} for one in records])
    assert log.path.stat().st_size > 2 * limits.LOG_FOLDERLESS_BYTES_MAX
    assert machine.read_all() <= limits.LOG_FOLDERLESS_BYTES_MAX // limits.LOG_READ_BYTES + 2


def test_a_log_that_was_replaced_by_one_that_begins_alike_is_read_anew(scene: Scene) -> None:
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
def test_a_pipe_named_like_a_log_is_not_waited_for(scene: Scene) -> None:
    machine = scene()
    folder = machine.home / ".claude" / "projects" / "p"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "11111111-1111-4111-8111-111111111111.jsonl")
    assert machine.read_all() == 0


def test_what_ends_the_process_in_one_command_leaves_the_rest_to_the_next(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("go\n::capture a.md\n::export b.md"))

    def die(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    machine.engine.notebook.progress = die
    with pytest.raises(KeyboardInterrupt):
        machine.read_all()
    assert not (machine.work / "b.md").exists()
    machine = scene()
    machine.engine.resume()
    assert machine.ran == ["capture ok", "export ok"]


def test_one_damaged_log_keeps_no_other_from_being_read(scene: Scene) -> None:
    machine = scene()
    day = machine.home / ".codex" / "sessions" / "2026" / "05" / "01"
    day.mkdir(parents=True)
    broken = day / "rollout-2026-05-01T10-00-00-aaaa.jsonl.zst"
    broken.write_bytes(zstandard.compress(b"x" * 1000)[:-4] + b"no zstd data at all")
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


def test_a_time_beyond_every_calendar_stops_nothing(
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


def test_a_fork_that_has_the_lines_under_its_own_id_runs_nothing_again(scene: Scene) -> None:
    machine = scene()
    log, fork = ClaudeLog(machine.home, machine.work), ClaudeLog(machine.home, machine.work)
    said = log.user("::capture a.md")
    log.write(said)
    machine.read_all()
    fork.write(said | {"sessionId": fork.session}, fork.user("::export b.md"))
    machine.read_all()
    assert machine.ran == ["capture ok", "export ok"]
    assert machine.count(fork.session) == 2


def test_what_was_said_before_a_folder_was_opened_is_history(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("::capture a.md", timestamp=now(-5)))
    log.write(log.user("::export b.md", timestamp=rfc3339(now_ms() + 1000)))
    machine.read_all()
    assert machine.ran == ["export ok"]


@pytest.mark.parametrize("steps", [("Hel", "Hello, you."), ("Hel", "Hello", "Hello, you."), ("Hello, you.",)])
def test_a_text_that_grew_while_nobody_looked_is_told_to_its_end(
    scene: Scene, steps: tuple[str, ...]
) -> None:
    chats = scene().home / ".gemini" / "tmp" / "p" / "chats"
    chats.mkdir(parents=True)
    log = chats / "session-2026-05-01T10-00-1234abcd.json"
    for text in steps * 2:
        machine = scene()  # a restart each time
        (chats.parent / ".project_root").write_text(str(machine.work))
        messages = [
            {"id": "m1", "timestamp": now(), "type": "user", "content": "hi"},
            {"id": "m2", "timestamp": now(), "type": "gemini", "content": text},
        ]
        log.unlink(missing_ok=True)
        append(log, {"sessionId": "1234abcd-0000", "messages": messages})
        machine.read_all()
    key = SessionKey("gemini", "1234abcd-0000")
    kept = [decode_line(line) for _, line in machine.engine.ledger.read(key)]
    assert "".join(event.content for event in kept if isinstance(event, AssistantMessage)) == "Hello, you."
    assert len(kept) == 1 + len(steps)


@pytest.mark.parametrize("last", [".jsonl", ".json"])
def test_a_gemini_session_that_moved_to_another_folder_is_read_on(scene: Scene, last: str) -> None:
    machine = scene()
    chats = machine.home / ".gemini" / "tmp"
    name = "session-2026-05-01T10-00-1234abcd"
    for folder in ("old", "new"):
        (chats / folder / "chats").mkdir(parents=True)
        (chats / folder / ".project_root").write_text(str(machine.work))
    messages = [
        {"id": f"m{number}", "timestamp": now(), "type": "user", "content": text}
        for number, text in enumerate(("one", "two", "::export n.md"))
    ]
    head = {"sessionId": "1234abcd-0000", "startTime": now()}
    append(chats / "old" / "chats" / f"{name}.jsonl", head, *messages[:2])
    machine.read_all()
    moved = chats / "new" / "chats" / f"{name}{last}"
    if last == ".json":
        append(moved, head | {"messages": messages})
    else:
        append(moved, head, *messages)
    machine.read_all()
    assert machine.count("1234abcd-0000", "gemini") == 3
    assert machine.ran == ["export ok"]


def test_states_that_their_readers_hold_do_not_pile_up(scene: Scene) -> None:
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


def test_without_a_folder_a_session_is_left_to_a_window_that_has_it_open(scene: Scene) -> None:
    machine = scene([])
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("::record"))
    machine.follower.news.scan()
    assert machine.follower.pause == limits.LOG_PATIENCE_SECONDS
    machine.follower.step()
    assert machine.count(log.session) == 0
    machine.clock += limits.LOG_PATIENCE_SECONDS
    machine.follower.step()
    assert machine.count(log.session) == 1


def words(note: Path) -> list[str]:
    """What stands in a note, without blank lines, headings and marks."""
    body = note.read_text().partition("\n---\n")[2]
    return [line for line in body.splitlines() if line and not line.startswith(("# ", "*"))]


def test_what_may_not_be_typed_is_reported_once_and_not_run(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("<novelty>\nnews\n</novelty>\n\n::export x.md"), log.user("::export own.md"))
    machine.read_all()
    assert machine.ran == ["export ok"]
    (notice,) = machine.notices
    assert notice.kind == "command_not_run"
    assert "“::export x.md” was not run: the message holds a block <novelty>" in notice.message
    machine = scene()
    log.write(log.user("go on"))
    machine.read_all()
    assert machine.notices == [], "a restart reports it no more"


def test_what_may_not_be_typed_and_is_history_is_not_reported(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("<novelty>\nnews\n</novelty>\n\n::export x.md", timestamp=now(-3600)))
    machine.read_all()
    assert machine.count(log.session) == 1
    assert machine.notices == []


def test_a_session_that_comes_into_an_open_folder_is_followed_from_there(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work.parent)
    log.write(log.user("look around\n::export before.md"))
    machine.read_all()
    assert machine.count(log.session) == 0
    log.write(*log.text(f"I would go to {machine.work}"))
    machine.read_all()
    assert machine.count(log.session) == 0
    log.write(
        log.user("now in the folder\n::export after.md", cwd=str(machine.work), timestamp=machine.now())
    )
    machine.read_all()
    assert machine.ran == ["export ok"], "what was typed outside is history"
    assert words(machine.work / "after.md") == [
        "look around",
        "::export before.md",
        f"I would go to {machine.work}",
        "now in the folder",
        "::export after.md",
    ]


def test_a_session_that_belonged_here_is_followed_into_another_folder(scene: Scene) -> None:
    """The assistant goes on with it in a second file, whose records name a folder that is not open."""
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("one\n::capture n.md"))
    machine.read_all()
    away = machine.work.parent / "away"
    away.mkdir()
    second = ClaudeLog(machine.home, away, session=log.session)
    second.write(second.user("two"), second.user("::export more.md"))
    machine.read_all()
    assert words(machine.work / "n.md") == ["one", "::capture n.md", "two", "::export more.md"]
    assert machine.ran == ["capture ok", "export ok"]
    assert (machine.work / "more.md").exists(), "its commands start from the folder that it had"
    stranger = ClaudeLog(machine.home, away)
    stranger.write(stranger.user("not mine"))
    machine.read_all()
    assert machine.count(stranger.session) == 0


@pytest.mark.parametrize(("restarted", "journal"), [(False, True), (True, True), (False, False)])
@pytest.mark.parametrize("first", ["the old log", "the new log"])
def test_a_recording_goes_on_with_a_conversation_that_moves_to_another_session(
    scene: Scene, first: str, restarted: bool, journal: bool
) -> None:
    machine = scene(journal=journal)
    old = ClaudeLog(machine.home, machine.work)
    said = [old.user("one\n::capture n.md"), *old.text("two")]
    old.write(*said)
    machine.read_all()
    new = ClaudeLog(machine.home, machine.work)
    copies = [
        line
        | {"sessionId": new.session, "forkedFrom": {"sessionId": old.session, "messageUuid": line["uuid"]}}
        for line in said
    ]
    moved = {"type": "continued-in", "sessionId": old.session, "continuedInSessionId": new.session}
    steps = [(old, [moved]), (new, [*copies, new.user("three"), *new.text("four")])]
    for log, records in steps if first == "the old log" else reversed(steps):
        log.write(*records)
        machine.read_all()
        if restarted:
            machine = scene()
    new.write(new.user("five\n::stop"))
    machine.read_all()
    new.write(new.user("six"))
    machine.read_all()
    expected = ["one", "::capture n.md", "two", "three", "four", "five", "::stop"]
    assert words(machine.work / "n.md") == expected
    marks = [line for line in (machine.work / "n.md").read_text().splitlines() if line.startswith("*")]
    assert marks == ["*The conversation goes on in another session.*"]
    assert [key.session_id for key in machine.engine.ledger.sessions_behind()] == []
    assert machine.engine.ledger.active_recordings() == []


def test_a_conversation_that_was_not_recorded_moves_without_a_trace(scene: Scene) -> None:
    machine = scene()
    old = ClaudeLog(machine.home, machine.work)
    old.write(old.user("one"))
    old.write({"type": "continued-in", "sessionId": old.session, "continuedInSessionId": "elsewhere"})
    machine.read_all()
    assert machine.engine.ledger.session(SessionKey("claude", "elsewhere")) is None
    assert machine.count(old.session) == 2


def test_a_fork_that_is_recorded_before_it_says_something_has_no_copies_in_its_note(scene: Scene) -> None:
    machine = scene()
    old = ClaudeLog(machine.home, machine.work)
    said = [old.user("one"), *old.text("two")]
    old.write(*said)
    machine.read_all()
    new = ClaudeLog(machine.home, machine.work)
    new.write(*said, new.user("three\n::record"), *new.text("four"))
    machine.read_all()
    (note,) = (machine.work / "notes").glob("*.md")
    assert words(note) == ["::record", "four"]


@pytest.mark.parametrize("command", ["/clear", "/model opus"])
def test_a_session_is_named_by_its_first_words_not_by_a_slash_command(scene: Scene, command: str) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    name, _, words = command.partition(" ")
    wrapped = f"<command-name>{name}</command-name>\n<command-args>{words}</command-args>"
    log.write(log.user(wrapped), log.user("Refactor the importer"))
    machine.read_all()
    record = machine.engine.ledger.session(SessionKey("claude", log.session))
    assert record is not None
    assert record.snippet == "Refactor the importer"


def test_what_a_client_of_codex_puts_around_a_request_is_not_run(scene: Scene) -> None:
    machine = scene()
    log = CodexLog(machine.home, machine.work)
    front = "# Selected text:\n::export evil.md\n\n## My request for Codex:\n"
    log.write(*log.start, *log.user(f"{front}::export own.md"), *log.text("ok"))
    log.write(*log.user(f"{front}this is the line:\n## My request:\n::export quoted.md"), *log.text("ok"))
    machine.read_all()
    assert machine.ran == ["export ok"]
    (notice,) = machine.notices
    assert "“::export quoted.md” was not run: several lines of it could begin the request" in notice.message


def test_a_recording_follows_a_codex_thread_that_goes_back_into_its_next_log(scene: Scene) -> None:
    machine = scene()
    log, note = CodexLog(machine.home, machine.work), machine.work / "a.md"
    log.write(*log.start, *log.user("first\n::capture a.md"), *log.text("one"))
    machine.read_all()
    again = CodexLog(machine.home, machine.work, log.session)
    again.path = log.path.with_name(f"{log.path.stem}_{uuid.uuid4()}.jsonl")
    again.start[0]["payload"]["history_base"] = {"thread_id": log.session, "end_ordinal_exclusive": 2}
    again.write(*again.start, *again.user("second"), *again.text("two"))
    machine.read_all()
    shown = [
        line for line in note.read_text().partition("\n---\n")[2].splitlines() if line and line[0] != "#"
    ]
    assert shown == ["first", "::capture a.md", "one", "*The conversation went back to an earlier message.*", "second", "two"]  # fmt: skip
    machine = scene()
    again.write(*again.user("third"))
    machine.read_all()
    assert note.read_text().count("went back") == 1
    assert note.read_text().rstrip().endswith("third")


HOUR, DAY = 3600.0, 86_400.0


def capture(log: ClaudeLog, note: str, at: str) -> None:
    log.write(log.user(f"::export {note}", timestamp=at))


@pytest.mark.parametrize("was_known", [False, True])
@pytest.mark.parametrize("by", [-HOUR, -DAY, -400 * DAY, HOUR, 400 * DAY])
def test_what_is_typed_runs_however_the_clock_is_set_after_the_start(
    scene: Scene, by: float, was_known: bool
) -> None:
    machine = scene()
    log, old = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    capture(old, "old.md", machine.now(-HOUR / 2))
    if was_known:
        log.write(log.user("hello", timestamp=machine.now()))
    machine.read_all()
    capture(log, "before.md", machine.now())
    machine.set_by = by
    capture(log, "after.md", machine.now())
    machine.read_all()
    machine.clock += 60
    capture(log, "later.md", machine.now())
    old.write(old.user("on we go", timestamp=machine.now()))
    machine.read_all()
    assert sorted(path.name for path in machine.work.iterdir()) == ["after.md", "before.md", "later.md"]


@pytest.mark.parametrize("was_known", [False, True])
@pytest.mark.parametrize("by", [HOUR, DAY, 400 * DAY])
def test_a_start_while_the_clock_is_behind_takes_no_history_for_new(
    scene: Scene, by: float, was_known: bool
) -> None:
    """A machine without a battery starts in the past; until the network corrects it, the history lies in its future."""
    machine = scene()
    read, unread = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    capture(read, "read.md", machine.now(-HOUR / 2))
    capture(unread, "unread.md", machine.now(-HOUR / 4))
    if was_known:
        read.write(read.user("hello", timestamp=machine.now(-HOUR / 8)))
        machine.read_all()
    ran = len(machine.outcomes)
    machine = scene(set_by=-by)
    os.utime(unread.path, (1, 1))  # it is not read at the start
    machine.read_all()
    capture(read, "new.md", machine.now())
    machine.read_all()
    machine.set_by = 0
    machine.clock += 300
    for log in (read, unread):
        log.write(log.user("on we go", timestamp=machine.now()))
    capture(read, "corrected.md", machine.now())
    machine.read_all()
    assert ran == 0
    assert sorted(path.name for path in machine.work.iterdir()) == ["corrected.md", "new.md"]


def test_a_start_while_the_clock_is_ahead_runs_what_is_typed_once_it_is_corrected(scene: Scene) -> None:
    machine = scene(set_by=HOUR)
    known, new = (ClaudeLog(machine.home, machine.work) for _ in range(2))
    known.write(known.user("hello", timestamp=machine.now()))
    machine.read_all()
    machine.set_by = 0
    capture(known, "a.md", machine.now())
    capture(new, "b.md", machine.now())
    machine.read_all()
    assert machine.ran == ["export ok", "export ok"]


def test_a_clock_that_went_back_before_the_first_look_does_not_count(scene: Scene) -> None:
    machine = scene(started_ms=now_ms() + 3_600_000)
    log = ClaudeLog(machine.home, machine.work)
    capture(log, "a.md", machine.now())
    machine.read_all()
    assert machine.ran == ["export ok"]


def test_an_old_log_that_goes_on_after_the_clock_went_back_to_its_time_stays_history(scene: Scene) -> None:
    """Two days ago, at the minute to which the clock is set now, a command was typed."""
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    capture(log, "old.md", machine.now(60 - 2 * DAY))
    os.utime(log.path, (time.time() - 2 * DAY, time.time() - 2 * DAY))
    machine.read_all()
    assert machine.count(log.session) == 0, "it is not read at the start"
    machine.set_by = -2 * DAY
    machine.follower.news.scan()
    machine.clock += 120
    capture(log, "new.md", machine.now())
    machine.read_all()
    assert [path.name for path in machine.work.iterdir()] == ["new.md"]


def test_a_clock_that_is_set_again_and_again_loses_nothing_that_is_typed_meanwhile(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    for number in range(3 * limits.CLOCK_SPANS_MAX):
        machine.set_by += HOUR if number % 2 else -HOUR - 10
        machine.clock += 1
        capture(log, f"{number}.md", machine.now())
        machine.read_all()
    assert len(machine.outcomes) == 3 * limits.CLOCK_SPANS_MAX


# --- Folders ------------------------------------------------------------------------------------------------


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


def test_roots_and_folders_may_come_and_go(scene: Scene) -> None:
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
