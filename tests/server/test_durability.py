"""Nothing acknowledged is lost, no command runs twice, no line is written twice: real processes, killed, under load, out of space.

KATO_FAULT_ROUNDS (default 3) is the number of rounds of random faults; a release takes a hundred.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import START_MS, assistant, conversation, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed, ServerGone
from kato.core.events import SessionKey
from kato.storage.journal import Journal

if sys.platform == "win32":
    pytest.skip("kills by POSIX signals and bounds of file sizes", allow_module_level=True)

import resource

ROUNDS = int(os.environ.get("KATO_FAULT_ROUNDS", "3"))
KEY = {"provider": "claude", "sessionId": "session-1"}
SESSION = SessionKey("claude", "session-1")
MB = 1024 * 1024


def append(client: Client, *events: dict[str, Any], **fields: Any) -> Any:
    return client.request("kato/appendEvents", request(events, **fields))


def read_all(client: Client, **key: str) -> list[Any]:
    events: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = client.request("kato/readSession", KEY | key | {"after": after, "limit": 1000})
        events += page["events"]
        after = page["nextAfter"]
    return events


def body(path: Path) -> str:
    return path.read_text().split("---\n\n", 1)[1]


def words(note: str) -> list[str]:
    """The conversation in a note: every line that is neither blank nor a heading."""
    return [line for line in note.split("\n") if line and not line.startswith("# ")]


def checked(state: Path) -> Journal:
    journal = Journal.open(state, now_ms=lambda: START_MS)
    assert journal.recovery is None
    report = journal.check()
    assert report.problems == []
    return journal


def test_a_conversation_is_there_after_a_restart_and_is_not_taken_twice(start: Start, notes: Path) -> None:
    events = conversation(30)
    client = start()
    append(client, *events, cwd=str(notes))
    client.close()
    client = start()
    assert read_all(client) == events
    again = append(client, *events, assistant("new", 30))
    assert (again["accepted"], again["duplicates"]) == (1, 30)
    assert (again["eventCount"], again["truncatedEvents"]) == (31, 0)
    memory = client.request("kato/memory")
    assert memory["journal"]["eventCount"] == 31
    assert memory["journal"]["sessionCount"] == 1
    assert memory["journal"]["bytes"] > 0


def test_a_recording_goes_on_after_a_restart_without_a_gap_or_a_repetition(start: Start, notes: Path) -> None:
    client = start()
    append(client, user("one\n::capture talk.md\nand", 0), cwd=str(notes))
    append(client, assistant("two", 1))
    client.process.kill()
    client.process.wait()
    client = start()
    append(client, assistant("two", 1), assistant("three", 2))
    append(client, user("four", 3))
    assert words(body(notes / "talk.md")) == ["one", "::capture talk.md", "and", "two", "three", "four"]
    assert body(notes / "talk.md").count("# Assistant") == 1, "the run goes on"


def test_an_evicted_session_is_listed_captured_in_full_and_comes_back(start: Start, notes: Path) -> None:
    client = start({"maxSessions": 1})
    append(client, *conversation(5, session="a"), cwd=str(notes))
    append(client, *conversation(5, session="b"))
    listed = client.request("kato/status", {"includeStale": True})["sessions"]
    found = {one["sessionId"]: (one["resident"], one["eventCount"]) for one in listed}
    assert found == {"a": (False, 5), "b": (True, 5)}
    captured = client.request(
        "workspace/executeCommand",
        {"command": "kato.capture", "arguments": [{"provider": "claude", "sessionId": "a", "path": "a.md"}]},
    )
    assert captured["eventsWritten"] == 5
    answer = append(client, assistant("more", 5, sessionId="a"))
    assert (answer["eventCount"], answer["truncatedEvents"]) == (6, 0)
    listed = client.request("kato/status", {"includeStale": True})["sessions"]
    assert {one["sessionId"]: one["resident"] for one in listed} == {"a": True, "b": False}
    assert body(notes / "a.md").endswith("more\n")


def test_without_a_journal_a_recording_outlives_its_snapshot(start: Start, notes: Path) -> None:
    client = start({"journal": False, "maxSessions": 1})
    talk = [user("::record", 0), assistant("answer one", 1)]
    append(client, *talk, cwd=str(notes))
    recorded = client.request("kato/status", {"includeStale": True})["sessions"][0]["recording"]["outputPath"]
    append(client, *conversation(3, session="other"))
    assert append(client, *talk, assistant("answer two", 2))["duplicates"] == 2
    assert words(body(Path(recorded))).count("answer one") == 1
    assert words(body(Path(recorded)))[-1] == "answer two"


def test_a_note_is_the_same_out_of_memory_and_out_of_the_journal(start: Start, notes: Path) -> None:
    client = start({"maxSessions": 1})
    for session in ("a", "b"):
        append(client, *conversation(50, session=session, size=2000), cwd=str(notes))
    for session, resident in (("a", False), ("b", True)):
        listed = client.request("kato/status", {"includeStale": True})["sessions"]
        assert {one["sessionId"]: one["resident"] for one in listed}[session] is resident
        for kind in ("md", "jsonl"):
            argument = {"provider": "claude", "sessionId": session, "path": f"{notes}/{session}.{kind}"}
            client.request("workspace/executeCommand", {"command": "kato.export", "arguments": [argument]})
    assert body(notes / "a.md") == body(notes / "b.md")
    out_of_journal = (notes / "a.jsonl").read_text()
    assert out_of_journal.count("\n") == 50
    assert out_of_journal.replace('"sessionId":"a"', '"sessionId":"b"') == (notes / "b.jsonl").read_text()


def test_a_capture_beyond_the_cap_is_whole(start: Start, notes: Path) -> None:
    client = start({"maxEventsPerSession": 10})
    for first in range(0, 300, 50):
        append(client, *conversation(50, first=first), cwd=str(notes))
    answer = append(client, user("::capture talk.md", 300))
    assert (answer["eventCount"], answer["truncatedEvents"]) == (10, 291)
    assert answer["commands"][0]["eventsWritten"] == 301
    assert "truncatedEvents" not in (notes / "talk.md").read_text()
    assert [line.split()[1] for line in words(body(notes / "talk.md"))[:300]] == [str(n) for n in range(300)]


def test_without_a_journal_memory_is_all_there_is_and_a_capture_says_what_it_lacks(
    start: Start, notes: Path, tmp_path: Path
) -> None:
    client = start({"journal": False, "maxEventsPerSession": 10})
    append(client, *conversation(25), cwd=str(notes))
    assert client.request("kato/memory")["journal"] is None
    assert client.request("kato/readSession", KEY)["total"] == 10
    outcome = append(client, user("::capture talk.md", 25))["commands"][0]
    assert outcome["eventsWritten"] == 10
    assert "truncatedEvents: 16\n" in (notes / "talk.md").read_text()
    append(client, *conversation(20, first=26))
    assert words(body(notes / "talk.md"))[-1].startswith("message 45")
    client.close()
    assert not list((tmp_path / "state").glob("journal*"))


def test_a_command_that_was_claimed_by_a_killed_process_runs_at_the_next_start(
    start: Start, notes: Path, tmp_path: Path
) -> None:
    client = start()
    append(client, user("keep\n::capture talk.md", 0), assistant("a", 1), cwd=str(notes), replay=True)
    client.close()
    journal = Journal.open(tmp_path / "state", now_ms=lambda: START_MS)
    assert journal.claim(SESSION, "event-0", 2, "999999999:0.00", 0)
    journal.close()
    client = start()
    client.request("kato/memory")
    assert words(body(notes / "talk.md")) == ["keep", "::capture talk.md", "a"]
    client.close()
    (notes / "talk.md").unlink()
    start().request("kato/memory")
    assert not (notes / "talk.md").exists(), "it ran once"


@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_nothing_it_acknowledged(
    start: Start, notes: Path, tmp_path: Path
) -> None:
    """Each round kills the server at a random moment of a conversation that is being recorded."""
    chance = random.Random(91)
    number = 0
    acknowledged = -1
    first = True
    for _ in range(ROUNDS):
        client = start()
        killer = threading.Timer(chance.uniform(0.0, 0.4), client.process.kill)
        killer.start()
        try:
            if acknowledged >= 0:
                number = acknowledged + 1  # the client sends again what it has no answer for
            while True:
                size = chance.choice([1, 1, 2, 20])
                text = "::capture talk.md" if first else f"message {number}"
                events = [user(text, number), *conversation(size, first=number + 1)]
                append(client, *events, cwd=str(notes))
                acknowledged = number + size
                number = acknowledged + 1
                first = False
        except (ServerGone, BrokenPipeError):
            pass
        killer.join()
        client.process.wait()
    client = start()
    append(client, assistant("the end", 10**6))
    events = read_all(client)
    client.close()
    ids = [one["eventId"] for one in events]
    assert len(ids) == len(set(ids))
    sent = [f"event-{n}" for n in range(acknowledged + 1)]
    assert [one for one in ids if int(one[6:]) <= acknowledged] == sent
    assert words(body(notes / "talk.md")) == [one["content"] for one in events]
    checked(tmp_path / "state").close()


@pytest.mark.slow
def test_two_windows_fed_the_same_conversation_give_one_note(
    start: Start, notes: Path, tmp_path: Path
) -> None:
    for round_ in range(ROUNDS):
        session = f"s{round_}"
        name = f"talk-{round_}.md"
        events = [
            user("hello", 0, sessionId=session),
            user(f"::capture {name}", 1, sessionId=session),
            *conversation(60, first=2, session=session),
        ]
        windows = [start(), start()]
        ran: list[Any] = []

        def feed(client: Client, seed: int, events: list[Any] = events, ran: list[Any] = ran) -> None:
            chance = random.Random(seed)
            at = 0
            while at < len(events):
                size = chance.choice([1, 2, 5])
                ran.extend(append(client, *events[at : at + size], cwd=str(notes))["commands"])
                at += size

        threads = [threading.Thread(target=feed, args=(one, round_ * 2 + n)) for n, one in enumerate(windows)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one["status"] for one in ran] == ["ok"], "the command ran once"
        assert words(body(notes / name)) == [one["content"].rstrip() for one in events]
        assert read_all(windows[0], sessionId=session) == events
        for client in windows:
            client.close()
    checked(tmp_path / "state").close()


def test_a_process_that_is_stopped_while_it_holds_the_lock_blocks_others_only_briefly(
    start: Start, tmp_path: Path
) -> None:
    client = start()
    append(client, user("one"))
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from kato.storage.journal import Journal\n"
        "journal = Journal.open(Path(sys.argv[1]), now_ms=lambda: 0)\n"
        "with journal.exclusive():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "state")], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    asked = client.send_request("kato/appendEvents", request([user("two", 1)]))
    time.sleep(0.2)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert client.wait_for(asked)["accepted"] == 1


def test_a_lock_that_is_held_too_long_is_a_clear_error_and_passes(start: Start, tmp_path: Path) -> None:
    client = start()
    append(client, user("one"))
    journal = Journal.open(tmp_path / "state", now_ms=lambda: 0)
    with journal.exclusive(), pytest.raises(RequestFailed, match="another process has locked"):
        append(client, user("two", 1))
    assert append(client, user("two", 1))["accepted"] == 1
    journal.close()


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
from kato.__main__ import main
from kato.storage import journal
opened = journal.Journal.open.__func__
def open_then_limit(cls, *args, **kwargs):
    made = opened(cls, *args, **kwargs)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    return made
journal.Journal.open = classmethod(open_then_limit)
sys.argv = ["kato", "serve"]
sys.exit(main())
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs file size limits")
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_full_disk_is_an_error_that_keeps_nothing_and_passes(
    start: Start, tmp_path: Path, round_: int
) -> None:
    limit = 500_000 + 37_001 * round_
    client = start(command=(sys.executable, "-c", FULL, str(limit)))
    kept: list[Any] = []
    refused: list[Any] = []
    with pytest.raises(RequestFailed) as failure:
        for number in range(0, 10_000, 10):
            refused = conversation(10, first=number, size=2000)
            append(client, *refused)
            kept += refused
    assert failure.value.code == -32603
    assert "journal" in str(failure.value)
    assert str(tmp_path / "state") in str(failure.value)
    assert client.request("kato/memory")["snapshots"]["eventCount"] == len(kept)
    assert read_all(client) == kept
    resource.prlimit(
        client.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    assert append(client, *refused)["accepted"] == 10
    client.close()
    journal = checked(tmp_path / "state")
    assert [orjson.loads(line) for _, line in journal.read(SESSION)] == kept + refused
    journal.close()


def test_a_state_folder_that_cannot_be_is_a_clear_error(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    client = start(initialize=False)
    with pytest.raises(RequestFailed) as failure:
        client.initialize(options={"stateDir": str(tmp_path / "file")})
    assert failure.value.data["key"] == "stateDir"
    assert client.process.wait(10) == 78


def test_a_journal_of_a_newer_kato_is_left_alone(start: Start, tmp_path: Path) -> None:
    import sqlite3

    client = start()
    append(client, user("one"))
    client.close()
    path = tmp_path / "state" / "journal.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    client = start(initialize=False)
    with pytest.raises(RequestFailed, match="newer Kato"):
        client.initialize(options={"stateDir": str(tmp_path / "state")})
    assert client.process.wait(10) == 78
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["header", "middle", "truncated"])
def test_a_damaged_journal_is_moved_aside_and_recovered_as_far_as_it_can_be_read(
    start: Start, tmp_path: Path, damage: str
) -> None:
    client = start()
    for number in range(0, 400, 20):
        append(client, *conversation(20, first=number, size=1000))
    client.close()
    path = tmp_path / "state" / "journal.sqlite3"
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:100] = b"\xff" * 100
    elif damage == "middle":
        data[len(data) // 2 : len(data) // 2 + 20_000] = b"\xff" * 20_000
    else:
        del data[len(data) // 2 :]
    path.write_bytes(data)
    if damage == "middle":
        # Damage inside is met when that part is read: the check finds it and marks the file.
        journal = Journal.open(tmp_path / "state", now_ms=lambda: START_MS)
        assert journal.check().problems
        journal.close()
        data = bytearray(path.read_bytes())
    client = start()
    client.request("kato/memory")
    shown = [
        one["params"]["message"] for one in client.notifications if one["method"] == "window/showMessage"
    ]
    assert len(shown) == 1
    assert "recovered" in shown[0]
    (aside,) = (tmp_path / "state").glob("journal.damaged-*.sqlite3")
    assert aside.read_bytes() == data
    events, sent = read_all(client), conversation(400, size=1000)
    assert events
    assert all(one in sent for one in events)
    if damage == "header":
        assert events == sent
    assert append(client, user("on we go", 1000))["accepted"] == 1
    client.close()
    checked(tmp_path / "state").close()


@pytest.mark.slow
def test_a_long_history_is_captured_in_full_within_the_budget(start: Start, notes: Path) -> None:
    client = start({"daemonMaxMemoryMb": 110})
    count = 60_000
    for first in range(0, count, 500):
        append(client, *conversation(500, first=first, size=1500), cwd=str(notes))
    outcome = append(client, user("::capture talk.md", count))["commands"][0]
    assert outcome["eventsWritten"] == count + 1
    memory = client.request("kato/memory")
    assert memory["process"]["peakRss"] < 110 * MB
    assert memory["journal"]["eventCount"] == count + 1
    lines = words(body(notes / "talk.md"))
    assert [int(line.split()[1]) for line in lines[:-1]] == list(range(count))


def test_the_process_is_found_by_sigterm_in_the_middle_of_work_without_loss(
    start: Start, tmp_path: Path
) -> None:
    client = start()
    for first in range(0, 200, 10):
        client.notify("kato/events", request(conversation(10, first=first)))
    append(client, user("last", 200))
    client.process.send_signal(signal.SIGTERM)
    client.process.wait(10)
    journal = checked(tmp_path / "state")
    assert journal.stats().event_count == 201
    journal.close()
