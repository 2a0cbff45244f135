"""`::off`, `::on`, `.katoignore` and what removes the rest, in real servers and in a terminal."""

from pathlib import Path
from typing import Any

from builders import assistant, request, user
from conftest import Start
from kato.cli.client import Client
from logs import ClaudeLog, now, wait_for
from terminal import Terminal

Json = dict[str, Any]
KEY = {"provider": "claude", "sessionId": "session-1"}
GAP = "*Not kept: what was said between ::off and ::on.*"


def append(client: Client, *events: Json, **fields: object) -> Json:
    answer: Json = client.request("kato/appendEvents", request(list(events), **fields))
    return answer


def contents(client: Client) -> list[str]:
    page = client.request("kato/readSession", KEY)
    return [event["content"] for event in page["events"] if event["kind"] != "provider.info"]


def holding(state: Path, text: bytes) -> list[str]:
    return [path.name for path in state.rglob("*") if path.is_file() and text in path.read_bytes()]


def lines(note: Path) -> list[str]:
    body = note.read_text().split("---\n\n", 1)[1]
    return [line for line in body.split("\n") if line and not line.startswith("# ")]


def test_a_killed_server_and_two_windows_keep_no_word_that_was_said_after_off(
    start: Start, notes: Path, state: Path
) -> None:
    one, two = start(), start()
    append(one, user("::capture talk.md\n::off\nSECRET", 0), cwd=str(notes))
    answer = append(two, assistant("SECRET", 1), cwd=str(notes))
    assert (answer["accepted"], answer["withheld"], answer["notKept"]) == (0, 1, "off")
    two.process.kill()
    two.process.wait()
    again = start()
    append(again, user("SECRET", 2), user("SECRET\n::on\nback", 3), assistant("public", 4), cwd=str(notes))
    assert contents(again) == ["::capture talk.md\n::off", "::on\nback", "public"]
    wait_for(lambda: "public" in (notes / "talk.md").read_text(), "the recording goes on")
    assert lines(notes / "talk.md") == ["::capture talk.md", "::off", GAP, "::on", "back", "public"]
    assert again.request("kato/search", {"query": "SECRET"})["hits"] == []
    assert holding(state, b"SECRET") == []
    outcomes = [
        message["params"]
        for client in (one, again)
        for message in client.notifications
        if message["method"] == "kato/commandExecuted"
    ]
    assert [(outcome["command"], "message" in outcome) for outcome in outcomes] == [
        ("capture", False),
        ("off", True),
        ("on", True),
    ]


def test_the_editor_switches_a_conversation_off_and_on(start: Start, notes: Path) -> None:
    client = start()
    append(client, user("hello", 0), cwd=str(notes))
    run = {"command": "kato.off", "arguments": [KEY]}
    outcome = client.request("workspace/executeCommand", run)
    assert (outcome["status"], outcome["origin"]) == ("ok", "editor")
    assert outcome["message"].startswith("Kato keeps nothing of this conversation from here on.")
    append(client, user("SECRET", 1), cwd=str(notes))
    (session,) = client.request("kato/status", {"includeStale": True})["sessions"]
    assert session["notKept"] == "off"
    assert client.request("workspace/executeCommand", run)["status"] == "noop"
    client.request("workspace/executeCommand", {"command": "kato.on", "arguments": [KEY]})
    append(client, user("back", 2), cwd=str(notes))
    assert contents(client) == ["hello", "back"]


def test_a_katoignore_file_is_noticed_by_a_running_server(start: Start, notes: Path, state: Path) -> None:
    client = start({"heartbeatSeconds": 0.2})
    append(client, user("::capture talk.md", 0), cwd=str(notes))
    (notes / ".katoignore").touch()

    def not_kept() -> bool:
        (session,) = client.request("kato/status", {"includeStale": True})["sessions"]
        return session.get("notKept") == "ignored" and not session["recording"]["active"]

    wait_for(not_kept, "the file is noticed")
    answer = append(client, user("SECRET", 1), cwd=str(notes))
    assert (answer["accepted"], answer["withheld"], answer["notKept"]) == (0, 1, "ignored")
    assert holding(state, b"SECRET") == []
    client.close()


# --- In a terminal ----------------------------------------------------------------------------------------


def old(log: ClaudeLog, *words: str) -> None:
    for number, text in enumerate(words):
        log.write(log.user(text, timestamp=now(number - 3600 * 5)))


def test_off_and_on_in_a_terminal_and_what_the_other_commands_show(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    old(log, "public needle")
    terminal.run("keep", "--all")
    said = terminal.run("off", log.session[:8])
    assert "Kato keeps nothing of this conversation from here on." in said
    assert "this conversation is off already: nothing of it is kept" in terminal.run("off", log.session)
    log.write(log.user("hidden needle"))
    assert "not kept" in terminal.run("sessions")
    (listed,) = terminal.json("sessions")["sessions"]
    assert listed["notKept"] == "off"
    snippets = [hit["snippet"] for hit in terminal.json("search", "needle")["hits"]]
    assert snippets == ["public needle"]
    written = terminal.run("capture", log.session, "-")
    assert "public needle" in written
    assert "hidden needle" not in written
    assert "Kato keeps this conversation again" in terminal.run("on", log.session)
    log.write(log.user("later needle"))
    written = terminal.run("capture", log.session, "-")
    assert "later needle" in written
    assert "hidden needle" not in written


def test_a_conversation_that_only_a_log_has_can_be_switched_off_before_it_is_read(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    old(log, "SECRET needle")
    terminal.run("off", log.session)
    assert "Nothing new to keep" in terminal.run("keep", "--all")
    terminal.run("search", "needle", code=1)  # nothing is found
    assert holding(terminal.cwd.parent / "state", b"SECRET") == []
    assert "no conversation 'nonsense'" in terminal.run("off", "nonsense", code=1)


def test_an_ignored_folder_in_a_terminal(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    old(log, "SECRET needle")
    ignore = terminal.cwd / ".katoignore"
    ignore.touch()
    assert "Nothing new to keep" in terminal.run("keep", "--all")
    refused = terminal.run("capture", log.session, "-", code=1)
    assert f"because {ignore} is there" in refused
    (listed,) = terminal.json("sessions")["sessions"]
    assert (listed["notKept"], listed["title"]) == ("ignored", None)
    terminal.run("search", "needle", code=1)  # nothing is found
    assert holding(terminal.cwd.parent / "state", b"SECRET") == []


def test_clean_forgets_one_conversation_or_all_that_are_not_kept(terminal: Terminal) -> None:
    state = terminal.cwd.parent / "state"
    private = terminal.cwd / "private"
    private.mkdir()
    logs = [
        ClaudeLog(terminal.home, folder) for folder in (terminal.cwd, terminal.cwd, private, terminal.cwd)
    ]
    names = ("ALPHA", "BETA", "GAMMA", "DELTA")
    for name, log in zip(names, logs, strict=True):
        old(log, f"{name} words")
    terminal.run("keep", "--all")
    backup = state / "backups" / "talk.md"
    backup.parent.mkdir(exist_ok=True)
    backup.write_text(f"---\nsessionId: {logs[0].session}\n---\n\nALPHA words\n")
    other = state / "backups" / "other.md"
    other.write_text("no note of a conversation\n")
    terminal.json("search", "words")
    shown = terminal.run("clean", "--session", logs[0].session[:13], "--dry-run")
    assert "would be removed" in shown
    assert holding(state, b"ALPHA")
    assert "1 session," in terminal.run("clean", "--session", logs[0].session[:13])
    assert holding(state, b"ALPHA") == []
    assert not backup.exists()
    assert other.exists()
    terminal.run("off", logs[1].session)
    (private / ".katoignore").touch()
    assert "2 sessions," in terminal.run("clean", "--ignored")
    for word in (b"BETA", b"GAMMA"):
        assert holding(state, word) == []
    assert holding(state, b"DELTA")
    terminal.run("keep", "--all")
    for word in (b"ALPHA", b"BETA", b"GAMMA"):
        assert holding(state, word) == [], "a removed conversation does not come back"
    assert "no conversation 'nonsense'" in terminal.run("clean", "--session", "nonsense", code=1)
    assert "not allowed with" in terminal.run("clean", "--ignored", "--older-than", "3d", code=2)
