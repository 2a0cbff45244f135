"""`::off`, `::on` and `.katoignore` in conversations whose logs Kato reads, in whatever order and however often."""

import time
from pathlib import Path

import pytest

from following.conftest import Scene
from kato.assistants import registry
from kato.cli.log_events import SessionEvents
from kato.core.commands import Command
from kato.core.events import AssistantMessage, SessionKey, UserMessage, decode_line
from kato.core.moments import rfc3339
from kato.logs.descriptions import DescriptionCache
from kato.logs.listing import Listing
from kato.logs.screening import LogScreen, by_session
from kato.storage.journal import Journal
from logs import ClaudeLog
from machine import Machine, words


def said(machine: Machine, session: str) -> list[str]:
    events = [decode_line(line) for _, line in machine.engine.ledger.read(SessionKey("claude", session))]
    return [event.content for event in events if isinstance(event, UserMessage | AssistantMessage)]


def holding(folder: Path, text: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


@pytest.fixture
def talk(scene: Scene) -> tuple[Machine, ClaudeLog]:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("hello"))
    machine.read_all()
    return machine, log


def test_a_conversation_is_off_from_the_line_on_and_a_second_reading_changes_nothing(
    talk: tuple[Machine, ClaudeLog], scene: Scene, tmp_path: Path
) -> None:
    machine, log = talk
    log.write(log.user("::capture talk.md\n::off\nSECRET"), *log.text("SECRET"))
    machine.read_all()
    log.write(log.user("SECRET\n::on\nback"), *log.text("public"))
    machine.read_all()
    kept = ["hello", "::capture talk.md\n::off", "::on\nback", "public"]
    assert said(machine, log.session) == kept
    assert words(machine.work / "talk.md")[-3:] == ["::on", "back", "public"]
    log.path.write_bytes(log.path.read_bytes())  # replaced: it is read from its beginning
    log.path.touch()
    scene().read_all()
    again = scene()
    again.read_all()
    assert said(again, log.session) == kept
    assert holding(tmp_path / "state", b"SECRET") == []


def test_a_log_that_was_never_followed_is_kept_by_the_words_in_it(scene: Scene, tmp_path: Path) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("old\n::off\nSECRET"), *log.text("SECRET"), log.user("::on\nback"))
    later = scene()
    later.read_all()
    assert said(later, log.session) == ["old\n::off", "::on\nback"]
    assert holding(tmp_path / "state", b"SECRET") == []


def test_after_an_on_of_the_editor_the_log_brings_nothing_that_was_said_before_it(
    talk: tuple[Machine, ClaudeLog],
) -> None:
    machine, log = talk
    key = SessionKey("claude", log.session)
    machine.engine.run_editor_command(key, Command("off"))
    gap = machine.engine.ledger.gaps(key)[0]
    moment = gap.since_ms + 2
    log.write(log.user("SECRET", timestamp=rfc3339(moment)))
    while machine.now_ms() <= moment + 2:
        machine.clock += 0.01
    time.sleep(0.01)  # the engine has a clock of its own
    machine.engine.run_editor_command(key, Command("on"))
    machine.read_all()
    assert said(machine, log.session) == ["hello"]
    log.write(log.user("back"))
    machine.read_all()
    assert said(machine, log.session) == ["hello", "back"]


def test_a_fork_with_the_copied_lines_leaves_out_the_same_words(
    talk: tuple[Machine, ClaudeLog], tmp_path: Path
) -> None:
    machine, log = talk
    records = [log.user("::off\nSECRET"), *log.text("SECRET")]
    log.write(*records)
    machine.read_all()
    fork = ClaudeLog(machine.home, machine.work)
    fork.write(
        *(one | {"sessionId": fork.session, "forkedFrom": {"sessionId": log.session}} for one in records),
        fork.user("SECRET"),
        fork.user("::on\nback"),
    )
    machine.read_all()
    assert said(machine, fork.session) == ["::off", "::on\nback"]
    assert holding(tmp_path / "state", b"SECRET") == []


def test_a_fork_of_what_was_said_after_the_editors_off_brings_none_of_it(
    talk: tuple[Machine, ClaudeLog], tmp_path: Path
) -> None:
    machine, log = talk
    machine.engine.run_editor_command(SessionKey("claude", log.session), Command("off"))
    secret = [log.user("SECRET"), *log.text("SECRET")]
    log.write(*secret)
    machine.read_all()
    fork = ClaudeLog(machine.home, machine.work)
    fork.write(
        *(one | {"sessionId": fork.session, "forkedFrom": {"sessionId": log.session}} for one in secret),
        fork.user("::on\nback"),
    )
    machine.read_all()
    assert "SECRET" not in "".join(said(machine, fork.session))
    assert holding(tmp_path / "state", b"SECRET") == []


def test_an_ignored_folder_is_not_kept_and_reported_once(
    talk: tuple[Machine, ClaudeLog], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("kato.core.limits.IGNORE_SECONDS", 0.0)
    machine, log = talk
    ignore = machine.work / ".katoignore"
    ignore.touch()
    log.write(log.user("SECRET"))
    other = ClaudeLog(machine.home, machine.work)
    other.write(other.user("SECRET\n::capture talk.md"))
    machine.read_all()
    assert [notice.kind for notice in machine.notices if notice.kind == "folder_ignored"] == [
        "folder_ignored"
    ]
    assert machine.count(other.session) == 0
    assert holding(tmp_path / "state", b"SECRET") == []
    ignore.unlink()
    log.write(log.user("back"))
    machine.read_all()
    assert said(machine, log.session) == ["hello", "back"]


# --- Reading logs without the engine ----------------------------------------------------------------------


def test_a_capture_from_the_log_leaves_out_the_words_and_shows_the_gap(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("one\n::off\nSECRET"), *log.text("SECRET"), log.user("::on\ntwo"))
    found = machine.found(log.path)
    events = list(SessionEvents(found, machine.follower._place))
    assert "SECRET" not in str(events)
    assert [event.source.provider_event_type for event in events if event.event_id.endswith(":gap")] == [
        "kato"
    ]


def test_a_capture_from_the_log_leaves_out_what_the_editor_switched_off(
    talk: tuple[Machine, ClaudeLog],
) -> None:
    machine, log = talk
    key = SessionKey("claude", log.session)
    machine.engine.run_editor_command(key, Command("off"))
    journal = machine.engine.ledger
    assert isinstance(journal, Journal)
    moment = journal.gaps(key)[0].since_ms + 1
    log.write(log.user("SECRET", timestamp=rfc3339(moment)))
    screen = LogScreen(by_session(journal.sessions_with_gaps()))
    found = machine.found(log.path)
    events = list(SessionEvents(found, machine.follower._place, screen=screen))
    assert [event.content for event in events if isinstance(event, UserMessage)] == ["hello"]


def test_a_list_shows_and_remembers_no_word_that_is_not_kept(scene: Scene, tmp_path: Path) -> None:
    machine = scene()
    log, ignored = ClaudeLog(machine.home, machine.work), ClaudeLog(machine.home, machine.work / "private")
    (machine.work / "private").mkdir()
    log.write(log.user("::off\nSECRET"), {"type": "ai-title", "aiTitle": "SECRET", "sessionId": log.session})
    ignored.write(ignored.user("SECRET"))
    folder = tmp_path / "list"
    folder.mkdir()
    place = machine.follower._place
    roots = machine.follower.news.folders.roots
    assert registry.names()
    screen = LogScreen({}, lambda cwd: "file" if cwd and cwd.endswith("private") else None)
    with DescriptionCache(folder) as cache:
        listing = Listing(roots, place, cache, screen)
        titles = [listing.describe(found).title for found in listing.logs()]
    assert "SECRET" not in str(titles)
    assert holding(folder, b"SECRET") == []
