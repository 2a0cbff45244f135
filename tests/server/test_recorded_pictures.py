"""Pictures in messages become files next to the notes that Kato records, while `markdown.images` is "files"."""

import base64
import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from kato.cli.client import Client
from logs import ClaudeLog, wait_for
from server.test_session_logs import holds, launch, sessions
from terminal import Terminal

DATA = b"\x89PNG\r\n\x1a\n and some more bytes"
LINK = re.compile(r"!\[image\]\((\S+?)/([0-9a-f]{16}\.png)\)")


def picture(log: ClaudeLog, text: str, data: bytes = DATA, **more: Any) -> dict[str, Any]:
    """A message of the user's with a picture."""
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(data).decode()}
    content = [{"type": "text", "text": text}, {"type": "image", "source": source}]
    return log.line("user", {"role": "user", "content": content}, **more)


def pictures_of(note: Path) -> list[bytes]:
    """The pictures that a note shows."""
    return [
        (note.parent / folder / name).read_bytes()
        for folder, name in LINK.findall(note.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def server(start: Start, tmp_path: Path, work: Path) -> Client:
    return launch(start, tmp_path, work, markdown={"images": "files"})


def test_a_recording_has_its_pictures_in_files_next_to_it(server: Client, home: Path, work: Path) -> None:
    log, note = ClaudeLog(home, work), work / "notes" / "talk.md"
    log.write(log.user("::capture notes/talk.md"))
    wait_for(note.exists, "the note")
    log.write(picture(log, "Look at this"))
    wait_for(lambda: holds(note, "Look at this", "![image]"), "the picture")
    log.write(picture(log, "The same, and another"), picture(log, "another", b"\x89PNG other"))
    wait_for(lambda: holds(note, "and another", "\nanother\n"), "the others")
    assert pictures_of(note) == [DATA, DATA, b"\x89PNG other"]
    assert len(list((work / "notes" / "talk.images").iterdir())) == 2


def test_a_capture_has_the_pictures_and_the_events_only_refer_to_them(
    server: Client, home: Path, work: Path
) -> None:
    log, note = ClaudeLog(home, work), work / "a.md"
    log.write(picture(log, "Look at this\n::capture a.md"))
    wait_for(lambda: holds(note, "Look at this", "![image]"), "the rest of the message")
    assert pictures_of(note) == [DATA]
    page = server.request("kato/readSession", {"provider": "claude", "sessionId": log.session})
    assert "[image: image/png, 1 kB, " in str(page)
    assert base64.b64encode(DATA).decode() not in str(page)


def test_without_the_setting_a_placeholder_says_where_the_picture_was(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    launch(start, tmp_path, work)
    log, note = ClaudeLog(home, work), work / "a.md"
    log.write(picture(log, "Look at this\n::capture a.md"))
    wait_for(lambda: holds(note, "Look at this", "[image: image/png"), "the note")
    assert not (tmp_path / "state" / "pictures").exists()
    assert not (work / "a.images").exists()


def test_a_picture_that_may_not_be_written_costs_only_the_picture(
    server: Client, home: Path, work: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (work / "a.images").symlink_to(outside)
    log, note = ClaudeLog(home, work), work / "a.md"
    log.write(picture(log, "Look at this\n::capture a.md"))
    wait_for(lambda: holds(note, "Look at this", "[image: image/png, 1 kB, "), "the note")
    assert list(outside.iterdir()) == []


def test_kato_capture_writes_the_pictures_of_a_conversation_whose_log_is_gone(
    server: Client, home: Path, work: Path, terminal: Terminal
) -> None:
    log = ClaudeLog(home, work)
    log.write(picture(log, "Look at this"))
    wait_for(lambda: log.session in sessions(server), "the session")
    wait_for(lambda: sessions(server)[log.session]["eventCount"] == 1, "the message")
    log.path.unlink()
    terminal.run("capture", log.session, "gone.md", "--images")
    assert pictures_of(work / "gone.md") == [DATA]
    terminal.run("capture", log.session, "gone.html", "--images")
    assert f"data:image/png;base64,{base64.b64encode(DATA).decode()}" in (work / "gone.html").read_text()


def test_kato_clean_removes_the_pictures_of_removed_conversations(
    server: Client, home: Path, work: Path, state: Path, terminal: Terminal
) -> None:
    old, young = ClaudeLog(home, work), ClaudeLog(home, work)
    old.write(picture(old, "old", b"\x89PNG old"))
    young.write(picture(young, "young"))
    kept = state / "pictures"
    wait_for(lambda: len(list(kept.glob("*.png"))) == 2 and len(sessions(server)) == 2, "the pictures")
    for path in kept.iterdir():
        os.utime(path, (time.time() - 600,) * 2)
    with closing(sqlite3.connect(state / "journal.sqlite3")) as db, db:
        db.execute(
            "UPDATE session SET updated_at = 0, last_message_at = 0 WHERE session_id = ?", (old.session,)
        )
    terminal.run("clean", "--older-than", "30d")
    assert [path.read_bytes() for path in kept.iterdir()] == [DATA]


def test_a_picture_in_a_message_that_is_not_kept_leaves_no_file(
    server: Client, home: Path, work: Path, tmp_path: Path
) -> None:
    log, note = ClaudeLog(home, work), work / "talk.md"
    secret, shown = b"\x89PNG secret", b"\x89PNG shown"
    log.write(picture(log, "Kept\n::capture talk.md", shown))
    wait_for(lambda: holds(note, "![image]"), "the kept picture")
    log.write(log.user("::off"), picture(log, "SECRET", secret), picture(log, "SECRET", shown))
    log.write(log.user("::on"), log.user("back"))
    wait_for(lambda: holds(note, "back"), "what is kept again")
    kept = [path.read_bytes() for path in tmp_path.rglob("pictures/*.png")]
    assert kept == [shown]
    assert not holds(note, "SECRET")
