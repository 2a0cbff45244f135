"""A file of the journal that is removed or replaced under a running server: Kato notices it, notifies the user, and acknowledges nothing into it."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import START_MS, conversation, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed
from kato.core.errors import JournalLost
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.records import SessionMeta
from kato.storage.journal import Journal

pytestmark = pytest.mark.usefixtures("deadline")
KEY = {"provider": "claude", "sessionId": "session-1"}
NOTICES = {"experimental": {"katoNotice": True}}


def remove_all(state: Path) -> None:
    for path in state.glob("journal.sqlite3*"):
        path.unlink()


def remove_database(state: Path) -> None:
    (state / "journal.sqlite3").unlink()


def remove_log(state: Path) -> None:
    (state / "journal.sqlite3-wal").unlink()


def remove_index(state: Path) -> None:
    (state / "journal.sqlite3-shm").unlink()


def replace_database(state: Path) -> None:
    """As a restored copy, or another process that moved a damaged one aside."""
    shutil.copy(state / "journal.sqlite3", state / "copy")
    (state / "copy").replace(state / "journal.sqlite3")


def move_folder(state: Path) -> None:
    state.rename(state.with_name("moved"))


LOSSES = [remove_all, remove_database, remove_log, remove_index, replace_database, move_folder]
Loss = Callable[[Path], None]


def lost_notices(client: Client) -> list[dict[str, Any]]:
    notices = [one["params"] for one in client.notifications if one["method"] == "kato/notice"]
    return [one for one in notices if one["kind"] == "journal_lost"]


@pytest.mark.parametrize("lose", LOSSES)
def test_nothing_is_acknowledged_from_then_on_and_the_user_is_notified_once(
    start: Start, tmp_path: Path, notes: Path, lose: Loss
) -> None:
    state = tmp_path / "state"
    client = start({"heartbeatSeconds": 3600}, capabilities=NOTICES)
    client.request("kato/appendEvents", request(conversation(3)))
    lose(state)
    for first in (3, 5):
        with pytest.raises(RequestFailed, match="was removed or replaced while Kato ran"):
            client.request("kato/appendEvents", request(conversation(2, first=first)))
    (notice,) = lost_notices(client)
    assert notice["severity"] == "error"
    assert "Restart Kato" in notice["message"]
    assert notice["data"] == {"path": str(state / "journal.sqlite3")}
    assert client.request("kato/status", {"includeStale": True})["sessions"][0]["eventCount"] == 3
    assert len(client.request("kato/readSession", KEY)["events"]) == 3, "what is there can still be read"
    outcome = client.request(
        "workspace/executeCommand",
        {"command": "kato.capture", "arguments": [KEY | {"path": str(notes / "n.md")}]},
    )
    assert "was removed or replaced" in outcome["error"]["message"]
    assert client.close() == 0


@pytest.mark.parametrize("lose", LOSSES)
def test_the_heartbeat_notices_it_without_messages(start: Start, tmp_path: Path, lose: Loss) -> None:
    client = start({"heartbeatSeconds": 0.05}, capabilities=NOTICES)
    client.request("kato/appendEvents", request(conversation(3)))
    lose(tmp_path / "state")
    deadline = time.monotonic() + 10
    while not lost_notices(client):
        assert time.monotonic() < deadline
        client.request("kato/memory")
    for _ in range(20):
        client.request("kato/memory")
    assert len(lost_notices(client)) == 1
    assert client.close() == 0


@pytest.mark.parametrize("lose", [remove_all, remove_database])
def test_the_next_server_begins_a_new_journal(start: Start, tmp_path: Path, lose: Loss) -> None:
    client = start()
    client.request("kato/appendEvents", request(conversation(3)))
    lose(tmp_path / "state")
    with pytest.raises(RequestFailed):
        client.request("kato/appendEvents", request([user("lost", 3)]))
    client.close()
    client = start()
    assert client.request("kato/appendEvents", request(conversation(5)))["accepted"] == 5
    client.close()
    journal = Journal.open(tmp_path / "state", now_ms=lambda: START_MS)
    assert journal.recovery is None
    assert journal.check() == (1, 5, [])
    journal.close()


def test_what_was_acknowledged_before_the_log_was_removed_is_kept(start: Start, tmp_path: Path) -> None:
    """`rm *-wal`, and the server is killed: the newest events lay in that file alone."""
    client = start({"heartbeatSeconds": 3600})
    client.request("kato/appendEvents", request(conversation(50)))
    remove_log(tmp_path / "state")
    with pytest.raises(RequestFailed):
        client.request("kato/appendEvents", request([user("not kept", 50)]))
    client.process.kill()
    client.process.wait()
    journal = Journal.open(tmp_path / "state", now_ms=lambda: START_MS)
    assert journal.recovery is None
    assert journal.check() == (1, 50, [])
    journal.close()


def append(journal: Journal, number: int) -> None:
    one = conversation(1, first=number)[0]
    line = orjson.dumps(one)
    journal.append(
        SessionKey("claude", "session-1"), [one["eventId"]], Lines.of([line]), SessionMeta(START_MS)
    )
    journal.commit()


def test_a_lost_journal_that_is_closed_takes_nothing_away_from_the_one_that_lies_there_now(
    tmp_path: Path,
) -> None:
    """SQLite removes the log of what it closes by its name."""
    lost = Journal.open(tmp_path, now_ms=lambda: START_MS)
    append(lost, 0)
    for path in tmp_path.glob("journal.sqlite3*"):
        path.rename(tmp_path / f"aside-{path.name}")
    new = Journal.open(tmp_path, now_ms=lambda: START_MS)
    append(new, 1)
    log = (tmp_path / "journal.sqlite3-wal").stat()
    lost.close()
    assert (tmp_path / "journal.sqlite3-wal").stat().st_ino == log.st_ino
    append(new, 2)
    with sqlite3.connect(tmp_path / "journal.sqlite3") as other:
        assert other.execute("SELECT sum(event_count) FROM session").fetchone() == (2,)
    other.close()
    new.close()


def test_a_journal_whose_files_stay_is_never_lost(tmp_path: Path) -> None:
    """Not by another process that opens, cleans, checkpoints and closes it."""
    journal = Journal.open(tmp_path, now_ms=lambda: START_MS)
    for number in range(20):
        append(journal, number)
        other = Journal.open(tmp_path, now_ms=lambda: START_MS)
        append(other, 100 + number)
        other.database.all("PRAGMA wal_checkpoint(TRUNCATE)", ())
        other.clean(older_than_ms=0, dry_run=False)
        other.close()
        journal.sync()
    assert journal.check().problems == []
    journal.close()


def test_a_lost_journal_is_an_error_each_time_and_does_not_grow(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, now_ms=lambda: START_MS)
    append(journal, 0)
    remove_database(tmp_path)
    depths = []
    for number in range(1, 4):
        with pytest.raises(JournalLost) as failure:
            append(journal, number)
        depths.append(len(failure.traceback))
    assert depths[1] == depths[2]
    journal.close()
