"""Which sessions belong here, and how they are followed into other folders, files and sessions."""

import uuid

import pytest

from following.conftest import Scene
from kato.core import limits
from kato.core.events import SessionKey
from logs import ClaudeLog, CodexLog, append, now
from machine import words


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


def test_without_an_open_folder_a_log_waits_for_the_window_that_has_its_folder_open(scene: Scene) -> None:
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
    first_lines = [old.user("one\n::capture n.md"), *old.text("two")]
    old.write(*first_lines)
    machine.read_all()
    new = ClaudeLog(machine.home, machine.work)
    copies = [
        line
        | {"sessionId": new.session, "forkedFrom": {"sessionId": old.session, "messageUuid": line["uuid"]}}
        for line in first_lines
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


def test_a_conversation_that_is_not_recorded_makes_no_session_where_it_moves(scene: Scene) -> None:
    machine = scene()
    old = ClaudeLog(machine.home, machine.work)
    old.write(old.user("one"))
    old.write({"type": "continued-in", "sessionId": old.session, "continuedInSessionId": "elsewhere"})
    machine.read_all()
    assert machine.engine.ledger.session(SessionKey("claude", "elsewhere")) is None
    assert machine.count(old.session) == 2


def test_a_fork_that_is_recorded_with_its_first_message_has_no_copies_in_its_note(scene: Scene) -> None:
    machine = scene()
    old = ClaudeLog(machine.home, machine.work)
    first_lines = [old.user("one"), *old.text("two")]
    old.write(*first_lines)
    machine.read_all()
    new = ClaudeLog(machine.home, machine.work)
    new.write(*first_lines, new.user("three\n::record"), *new.text("four"))
    machine.read_all()
    (note,) = (machine.work / "notes").glob("*.md")
    assert words(note) == ["::record", "four"]


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
