"""Old conversations: listed from logs and journal, read into the journal, by the command, in a server, and when they are opened."""

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from builders import request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed
from logs import ClaudeLog, CodexLog, now, wait_for
from terminal import Terminal

Json = dict[str, Any]
HOUR = 3600


def old_log(home: Path, cwd: Path, *words: str, hours: int = 5) -> ClaudeLog:
    """A conversation that ended some hours ago."""
    log = ClaudeLog(home, cwd)
    for number, text in enumerate(words):
        log.write(log.user(text, timestamp=now(number - hours * HOUR)))
    os.utime(log.path, (time.time() - (hours - 1) * HOUR,) * 2)
    return log


def extents(terminal: Terminal) -> dict[str, str]:
    return {one["sessionId"]: one["extent"] for one in terminal.json("sessions", "--all")["sessions"]}


def test_keep_reads_all_conversations_once_and_runs_no_command(terminal: Terminal) -> None:
    claude = old_log(terminal.home, Path("/elsewhere"), "needle", "::capture never.md")
    codex = CodexLog(terminal.home, terminal.cwd)
    codex.write(*[one | {"timestamp": now(-HOUR)} for one in (*codex.start, *codex.user("hello"))])
    os.utime(codex.path, (time.time() - HOUR,) * 2)
    assert set(extents(terminal).values()) == {"log"}
    assert "2 new conversations" in terminal.run("keep", "--all")
    assert extents(terminal) == {claude.session: "kept", codex.session: "kept"}
    assert "Nothing new to keep" in terminal.run("keep", "--all")
    claude.path.unlink()
    assert extents(terminal)[claude.session] == "log_gone"
    assert [hit["source"] for hit in terminal.json("search", "needle")["hits"]] == ["journal"]
    assert not list(terminal.cwd.rglob("never.md"))


def test_only_a_conversation_that_had_a_log_is_listed_as_one_whose_log_is_gone(terminal: Terminal) -> None:
    log = old_log(terminal.home, terminal.cwd, "deleted")
    with Client(environment=terminal.environment) as client:
        client.initialize(options={}, folders=[str(terminal.cwd)])
        client.request("kato/appendEvents", request([user("pushed", 0)], cwd=str(terminal.cwd)))
    terminal.run("keep", "--all")
    log.path.unlink()
    shown = terminal.run("sessions").splitlines()
    pushed, deleted = (next(line for line in shown if word in line) for word in ("pushed", "deleted"))
    assert "kept" in pushed
    assert "log gone" not in pushed
    assert "kept, log gone" in deleted


def test_keep_takes_what_is_named(terminal: Terminal) -> None:
    here = old_log(terminal.home, terminal.cwd, "here", hours=5)
    new = old_log(terminal.home, Path("/elsewhere"), "new", hours=3)
    old = old_log(terminal.home, Path("/elsewhere"), "old", hours=90)
    assert "name what to keep" in terminal.run("keep", code=2)
    assert "not a folder" in terminal.run("keep", "missing", code=1)
    terminal.run("keep", ".")
    assert extents(terminal) == {here.session: "kept", new.session: "log", old.session: "log"}
    terminal.run("keep", "--since", "1d")
    assert extents(terminal) == {here.session: "kept", new.session: "kept", old.session: "log"}


def test_keep_leaves_a_conversation_that_goes_on_to_the_server(
    terminal: Terminal,
    notes: Path,
) -> None:
    log = old_log(terminal.home, notes, "an old question")
    log.write(log.user("a new question\n::capture n.md", timestamp=now(5)))
    assert "1 conversations are going on" in terminal.run("keep", "--all")
    assert extents(terminal)[log.session] in ("log", "partial")


def test_keep_needs_a_journal(terminal: Terminal) -> None:
    Path(terminal.environment["KATO_CONFIG"]).write_text("journal = false\n")
    old_log(terminal.home, terminal.cwd, "words")
    assert "journal is off" in terminal.run("keep", "--all", code=1)
    assert "words" in terminal.run("sessions")
    assert not list((terminal.cwd.parent / "state").glob("*.sqlite3"))


def test_a_server_keeps_all_history_where_the_user_wants_it(
    start: Start, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = old_log(Path(environment["HOME"]), Path("/elsewhere"), "needle", hours=400)
    client = start({"keepHistory": "all"})

    def kept() -> bool:
        listed = client.request("kato/status", {"includeStale": True})["sessions"]
        return log.session in [one["sessionId"] for one in listed]

    assert wait_for(kept, "the old conversation", 30)


def test_all_conversations_of_the_workspace_are_listed(
    start: Start, environment: dict[str, str], notes: Path
) -> None:
    home = Path(environment["HOME"])
    inside = old_log(home, notes / "sub", "inside", hours=400)
    outside = old_log(home, Path("/elsewhere"), "outside", hours=500)
    client = start()
    client.request("kato/appendEvents", request([user("pushed", 0)], cwd=str(notes)))
    listed = client.request("kato/sessions", {})
    assert [(one["sessionId"], one["extent"], one["title"]) for one in listed["sessions"]] == [
        (inside.session, "log", "inside"),
        ("session-1", "log_gone", "pushed"),
    ]
    assert not listed["more"]
    assert listed["titles"] == {"claude": "Claude Code"}, (
        "also of an assistant of which the server holds no session"
    )
    assert client.request("kato/sessions", {"limit": 1})["more"]
    rest = client.request("kato/sessions", {"limit": 1, "after": 1})
    assert ([one["sessionId"] for one in rest["sessions"]], rest["more"]) == (["session-1"], False)
    assert client.request("kato/sessions", {"after": 2})["sessions"] == []
    (other,) = client.request("kato/sessions", {"folder": "/elsewhere"})["sessions"]
    assert (other["sessionId"], other["path"]) == (outside.session, str(outside.path))


def test_a_log_that_was_deleted_is_distinguished_from_one_that_never_was(
    start: Start, environment: dict[str, str], notes: Path
) -> None:
    log = old_log(Path(environment["HOME"]), notes, "deleted", hours=400)
    client = start()
    client.request("kato/appendEvents", request([user("pushed", 0)], cwd=str(notes)))
    key = {"provider": "claude", "sessionId": log.session}
    client.request("kato/renderSession", key)
    assert "gonePath" not in client.request("kato/sessions", {})["sessions"][0]
    log.path.unlink()
    pushed, deleted = sorted(
        client.request("kato/sessions", {})["sessions"], key=lambda one: "gonePath" in one
    )
    assert (pushed["extent"], pushed["title"]) == ("log_gone", "pushed")
    assert (deleted["extent"], deleted["gonePath"]) == ("log_gone", str(log.path))


def test_a_part_of_a_transcript_is_shown(start: Start) -> None:
    client = start()
    events = [user(f"question {number}" + " word" * 100, number) for number in range(20)]
    client.request("kato/appendEvents", request(events))
    key = {"provider": "claude", "sessionId": "session-1"}
    whole = client.request("kato/renderSession", key)
    assert not whole["truncated"]
    newest = client.request("kato/renderSession", {**key, "around": 10**9, "maxBytes": 2048})
    assert whole["markdown"].endswith(newest["markdown"])
    assert (newest["truncated"], newest["truncatedBefore"]) == (False, True)
    middle = client.request("kato/renderSession", {**key, "around": 10, "maxBytes": 4096})
    assert middle["markdown"] in whole["markdown"]
    assert "question 10" in "".join(middle["markdown"].splitlines()[middle["line"] :][:4])
    assert (middle["truncated"], middle["truncatedBefore"]) == (True, True)
    page = client.request("kato/renderSession", {**key, "asPage": True})["markdown"]
    assert re.match(r"## You, \d{4}-\d\d-\d\d \d\d:\d\d\n\nquestion 0 word", page)
    for wrong in ({"around": -1}, {"maxBytes": 10}, {"maxBytes": 3 * 2**20}):
        with pytest.raises(RequestFailed):
            client.request("kato/renderSession", key | wrong)


def test_a_conversation_that_only_a_log_has_is_read_when_it_is_opened(
    start: Start, environment: dict[str, str], notes: Path
) -> None:
    home = Path(environment["HOME"])
    logs = [old_log(home, notes, f"question {number}", hours=400) for number in range(3)]
    client = start()
    keys = [{"provider": "claude", "sessionId": log.session} for log in logs]
    assert client.request("kato/readSession", keys[0])["events"][0]["content"] == "question 0"
    assert "question 1" in client.request("kato/renderSession", keys[1])["markdown"]
    outcome = client.request(
        "workspace/executeCommand",
        {"command": "kato.capture", "arguments": [keys[2] | {"path": str(notes / "n.md")}]},
    )
    assert outcome["status"] == "ok"
    assert "question 2" in (notes / "n.md").read_text()
    with pytest.raises(RequestFailed) as refused:
        client.request("kato/readSession", {"provider": "claude", "sessionId": "unknown"})
    assert refused.value.code == -32011


@pytest.mark.parametrize("path", ["n.md", "n.jsonl", "-", None])
def test_a_conversation_whose_log_is_gone_is_captured_from_the_journal(
    terminal: Terminal,
    path: str | None,
) -> None:
    log = old_log(terminal.home, terminal.cwd, "the question", "another")
    terminal.run("keep", "--all")
    log.path.unlink()
    shown = terminal.run("capture", log.session[:8], *([] if path is None else [path]))
    written = (
        shown
        if path == "-"
        else next(terminal.cwd.glob("*.jsonl" if path == "n.jsonl" else "*.md")).read_text()
    )
    assert "the question" in written
    assert "no conversation" in terminal.run("capture", "unknown", code=1)


def test_a_capture_from_the_journal_begins_at_the_moment_that_is_named(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("long ago", timestamp=now(-9 * HOUR)), log.user("lately", timestamp=now(-HOUR)))
    terminal.run("keep", "--all")
    log.path.unlink()
    shown = terminal.run("capture", log.session, "-", "--since", "2h")
    assert "lately" in shown
    assert "\n\nlong ago" not in shown
