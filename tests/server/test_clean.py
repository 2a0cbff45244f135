"""`kato clean`, `kato journal check` and `kato journal export` at the command line, while servers run."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from builders import assistant, conversation, request, user
from conftest import Start
from kato.app import cleaning
from kato.cli.client import Client

KEY = {"provider": "claude", "sessionId": "session-1"}
DAYS = 86_400
OLD = [user("OLDTEXT question\n::capture talk.md\n::stop", 0), *conversation(200, first=1, size=3000)]


def kato(state: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kato", *arguments, "--state-dir", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def age(state: Path, days: int = 10) -> None:
    """All sessions were last updated so long ago."""
    moment = (time.time_ns() // 10**6) - days * DAYS * 1000
    with closing(sqlite3.connect(state / "journal.sqlite3")) as db:
        db.execute(
            "UPDATE session SET updated_at = ?, last_message_at = min(last_message_at, ?)", (moment, moment)
        )
        db.commit()


def append(client: Client, *events: dict[str, object], **fields: object) -> dict[str, object]:
    answer: dict[str, object] = client.request("kato/appendEvents", request(list(events), **fields))
    return answer


def holding(state: Path, text: bytes) -> list[str]:
    """The files below the state folder that hold the text."""
    return [
        str(path.relative_to(state))
        for path in state.rglob("*")
        if path.is_file() and text in path.read_bytes()
    ]


def resident(client: Client) -> int:
    return int(client.request("kato/memory")["snapshots"]["sessionCount"])


def file(path: Path, text: str = "OLDTEXT", days: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    moment = time.time() - days * DAYS
    os.utime(path, (moment, moment))
    return path


def test_after_clean_no_file_holds_the_text_while_a_server_runs_and_goes_on(
    start: Start, notes: Path, state: Path
) -> None:
    client = start({"heartbeatSeconds": 0.1})
    append(client, *OLD, cwd=str(notes), title="OLDTEXT title")
    append(client, *conversation(50, session="young", size=2000), cwd=str(notes))
    with closing(sqlite3.connect(state / "journal.sqlite3")) as db:
        db.execute("UPDATE session SET updated_at = updated_at - 864000000 WHERE session_id = 'session-1'")
        db.execute("UPDATE session SET last_message_at = updated_at")
        db.commit()
    file(state / "backups" / "talk.20260101T000000Z.md")
    assert client.request("kato/search", {"query": "OLDTEXT"})["hits"]
    assert holding(state, b"OLDTEXT")
    assert "search.sqlite3" in " ".join(holding(state, b"oldtext"))
    shown = kato(state, "clean", "--older-than", "5d").stdout
    assert "OLDTEXT title" in shown
    assert "1 session," in shown
    assert holding(state, b"OLDTEXT") == []
    assert holding(state, b"oldtext") == []
    assert client.request("kato/search", {"query": "OLDTEXT"})["hits"] == []
    assert holding(state, b"message 150 ") == []
    deadline = time.monotonic() + 10
    while resident(client) != 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert resident(client) == 1
    listed = client.request("kato/status", {"includeStale": True})["sessions"]
    assert [one["sessionId"] for one in listed] == ["young"]
    append(client, user("NEWTEXT\n::capture talk.md", 500), assistant("LATER", 501), cwd=str(notes))
    note = (notes / "talk.md").read_text()
    body = note.split("---\n\n", 1)[1]
    assert [line for line in body.split("\n") if line and not line.startswith("# ")] == [
        "NEWTEXT",
        "::capture talk.md",
        "LATER",
    ]
    client.close()
    assert kato(state, "journal", "check").stdout.endswith("sound\n")


def test_clean_removes_what_is_old_of_every_kind_and_says_what_stays(state: Path) -> None:
    going = [
        file(state / "backups" / "a.20260101T000000Z.md"),
        file(state / "backups" / "folder" / "b.md"),
        file(state / "journal.damaged-20260101T000000Z.sqlite3"),
        file(state / "journal.damaged-20260101T000000Z.sqlite3-wal"),
        file(state / "servers" / "999999999.json", days=0),
        file(state / "servers" / ".999999999.tmp", days=1),
        file(state / "recordings" / ".n.md.kato-999999999-aaaa.tmp", days=1),
        file(state / "journal.recovering.sqlite3", days=1),
        file(state / "kato-capture-abcdefgh" / "talk.md", days=1),  # on its way to standard output
        file(state / "kato.log"),  # an earlier Kato's, one for all
        file(state / "kato.log.1"),
        file(state / "logs" / "kato-999999999.log"),
        file(state / "logs" / "kato-999999999.log.1"),
        file(state / "audit.1.jsonl"),
    ]
    staying = [
        file(state / "backups" / "young.md", days=1),
        file(state / "journal.damaged-20260701T000000Z.sqlite3", days=1),
        file(state / "servers" / f"{os.getpid()}.json"),
        file(state / "servers" / ".1.tmp", days=0),
        file(state / "recordings" / "note.md"),
        file(state / "kato.log.2", days=1),
        file(state / "logs" / "kato-999999998.log", days=1),
        file(state / "logs" / f"kato-{os.getpid()}.log"),
        file(state.parent / "elsewhere.md"),
    ]
    (state / "backups" / "link.md").symlink_to(state.parent / "elsewhere.md")
    dry = kato(state, "clean", "--older-than", "5d", "--dry-run").stdout
    assert all(path.exists() for path in [*going, *staying])
    shown = kato(state, "clean", "--older-than", "5d").stdout
    assert shown == dry.replace("would be removed", "removed")
    assert [path.name for path in going if path.exists()] == []
    assert [path.name for path in staying if not path.exists()] == []
    for line in (
        "2 backups, 0.0 kB removed",
        "2 damaged journal files, 0.0 kB removed",
        "1 status file of an ended server, 0.0 kB removed",
        "5 old log files, 0.0 kB removed",
        "4 temporary files, 0.0 kB removed",
        "1 backup, 0.0 kB stay: younger",
    ):
        assert line in shown
    assert "what was removed can be in them" in shown


def test_what_cannot_be_removed_is_reported_and_the_rest_goes(tmp_path: Path) -> None:
    stuck, path = tmp_path / "stuck", file(tmp_path / "a.md")
    stuck.mkdir()
    failures = cleaning.remove([cleaning.File(one, 0, 0) for one in (stuck, path, tmp_path / "gone")])
    assert not path.exists()
    assert [str(stuck) in failure for failure in failures] == [True]


def damaged(start: Start, state: Path, statements: Sequence[str]) -> list[bytes]:
    """A journal of three sessions in which a disk changed something; the lines of the undamaged ones."""
    client = start()
    for session in ("a", "b", "c"):
        append(client, *conversation(20, session=session, size=2000))
    client.close()
    lines = kato(state, "journal", "export").stdout.encode().splitlines()
    with closing(sqlite3.connect(state / "journal.sqlite3")) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    return [line for line in lines if orjson.loads(line)["sessionId"] != "b"]


@pytest.mark.parametrize(
    "noise",
    [
        "UPDATE chunk SET data = cast(replace(cast(data AS TEXT), '\"content\":', 'content:') AS BLOB) WHERE id >> 32 = 2",
        "UPDATE chunk SET data = zeroblob(length(data)) WHERE id >> 32 = 2",
    ],
)
def test_export_goes_on_behind_a_session_that_cannot_be_read(
    start: Start, tmp_path: Path, state: Path, noise: str
) -> None:
    expected = damaged(start, state, [noise])
    target = tmp_path / "out.jsonl"
    failed = kato(state, "journal", "export", "-o", str(target), code=1)
    assert target.read_bytes().splitlines() == expected
    assert "claude/b: " in failed.stderr
    assert kato(state, "journal", "export", "claude/a").stderr == ""
    assert kato(state, "journal", "export", "claude/b", code=1).stdout == ""
    assert "claude/b" in kato(state, "journal", "check", code=1).stdout


def test_a_damaged_page_keeps_no_other_session_from_coming_out_and_is_found(
    start: Start, tmp_path: Path, state: Path
) -> None:
    expected = damaged(start, state, [])
    path = state / "journal.sqlite3"
    data = bytearray(path.read_bytes())
    place = data.index(b'"sessionId":"b"')
    page = place // 8192 * 8192
    data[page : page + 8192] = b"\xff" * 8192
    path.write_bytes(data)
    failed = kato(state, "journal", "export", code=1)
    left = failed.stdout.encode().splitlines()
    assert [line for line in left if orjson.loads(line)["sessionId"] != "b"] == expected
    assert "claude/b is incomplete" in failed.stderr
    found = kato(state, "journal", "check", code=1)
    assert "recovered" in found.stderr
    assert "1 problem" in found.stdout
    assert kato(state, "journal", "check").stdout.endswith("sound\n")


def test_sessions_of_any_time_are_exported(start: Start, state: Path) -> None:
    client = start()
    events = [user("before the epoch", 0, timestamp="1969-07-20T20:17:40.000Z")]
    append(client, *events)
    client.close()
    assert [orjson.loads(line) for line in kato(state, "journal", "export").stdout.splitlines()] == events
