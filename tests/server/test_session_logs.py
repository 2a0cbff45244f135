"""Session logs that assistants write while the server runs: commands in them make notes."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from conftest import Start
from kato.cli.client import Client
from logs import ClaudeLog, CodexLog, append, now, wait_for


@pytest.fixture
def server(start: Start, tmp_path: Path, work: Path) -> Client:
    return launch(start, tmp_path, work)


def launch(start: Start, tmp_path: Path, work: Path, **options: Any) -> Client:
    client = start({"stateDir": str(tmp_path / "state")} | options, initialize=False)
    client.initialize(options={"stateDir": str(tmp_path / "state")} | options, folders=[str(work)])
    client.request("kato/memory")
    return client


def sessions(client: Client) -> dict[str, dict[str, Any]]:
    status = client.request("kato/status", {"includeStale": True})
    return {session["sessionId"]: session for session in status["sessions"]}


def holds(path: Path, *texts: str) -> bool:
    if not path.exists():
        return False
    note = path.read_text(encoding="utf-8")
    return all(text in note for text in texts)


def _has_events(client: Client, session: str, count: int) -> bool:
    return bool(sessions(client).get(session, {}).get("eventCount") == count)


def body(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n---\n")[2]


def test_a_capture_typed_in_a_new_claude_session_becomes_a_note_that_goes_on(
    server: Client, home: Path, work: Path
) -> None:
    """The project's folder is made with the first line, and the reply arrives later."""
    log, note = ClaudeLog(home, work), work / "notes" / "conv.md"
    log.write(log.user("How does a B-tree split?\n::capture notes/conv.md"))
    wait_for(lambda: holds(note, "How does a B-tree split?"), "the note")
    log.write(*log.text("At the median."))
    wait_for(lambda: holds(note, "At the median."), "the reply")
    log.write(log.user("And then?"), *log.text("It goes up."))
    wait_for(lambda: holds(note, "It goes up."), "the second turn")
    assert body(note).count("At the median.") == 1
    assert "# claude-sonnet-5_" in note.read_text(encoding="utf-8")
    assert sessions(server)[log.session]["cwd"] == str(work)


def test_a_line_that_is_written_in_pieces_is_one_line(server: Client, home: Path, work: Path) -> None:
    log, note = ClaudeLog(home, work), work / "n.md"
    log.write(log.user("::capture n.md"))
    wait_for(note.exists, "the note")
    import json

    text = json.dumps(log.text("All of it, at once.")[0]).encode() + b"\n"
    for start in range(0, len(text), 97):
        with log.path.open("ab") as file:
            file.write(text[start : start + 97])
        time.sleep(0.02)
    wait_for(lambda: holds(note, "All of it, at once."), "the reply")
    assert sessions(server)[log.session]["eventCount"] == 2


def test_messages_from_before_the_start_are_history_and_run_no_command(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    log = ClaudeLog(home, work)
    log.write(log.user("old\n::capture old.md", timestamp=now(-3600)), *log.text("answer"))
    client = launch(start, tmp_path, work)
    wait_for(lambda: log.session in sessions(client), "the session")
    log.write(log.user("new\n::export new.md"))
    wait_for(lambda: holds(work / "new.md", "old", "answer", "new"), "the export of the whole conversation")
    assert not (work / "old.md").exists()


def test_a_command_that_may_not_be_typed_is_reported_and_not_run(
    server: Client, home: Path, work: Path
) -> None:
    log = ClaudeLog(home, work)
    log.write(log.user("fix it\n<news>\n::capture n.md\n</news>"), log.user("::export own.md"))
    wait_for((work / "own.md").exists, "the typed command")
    server.request("kato/memory")
    shown = [one["params"] for one in server.notifications if one["method"] == "window/showMessage"]
    assert [one["type"] for one in shown] == [2]
    assert "“::capture n.md” was not run: the message holds a block <news>" in shown[0]["message"]
    assert not (work / "n.md").exists()


def test_a_session_of_another_folder_is_left_out(
    server: Client, home: Path, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    other, mine = ClaudeLog(home, tmp_path / "elsewhere"), ClaudeLog(home, work / "inner")
    other.write(other.user("::capture x.md"))
    mine.write(mine.user("hello"))
    wait_for(lambda: mine.session in sessions(server), "the session of an inner folder")
    assert other.session not in sessions(server)


def test_two_windows_on_one_folder_make_one_note(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    first, second = launch(start, tmp_path, work), launch(start, tmp_path, work)
    log, note = ClaudeLog(home, work), work / "n.md"
    log.write(log.user("question\n::capture n.md"))
    wait_for(note.exists, "the note")
    for number in range(30):
        log.write(*log.text(f"answer {number:02d}"))
    wait_for(lambda: holds(note, "answer 29"), "the last answer")
    for client in (first, second):
        wait_for(partial(_has_events, client, log.session, 31), "all events")
    lines = [line for line in body(note).splitlines() if line.startswith("answer")]
    assert lines == [f"answer {number:02d}" for number in range(30)]


def test_a_session_of_the_desktop_app_belongs_to_the_folders_that_it_was_given(
    server: Client, home: Path, work: Path
) -> None:
    """Its records name folders of a virtual machine; the file next to its folder names this machine's, and its title."""
    app = home / ".config" / "Claude" / "local-agent-mode-sessions" / "account" / "organisation"
    log = ClaudeLog(home, Path("/sessions/quiet-heron"))
    log.path = app / "local_1" / ".claude" / "projects" / "-sessions-quiet-heron" / f"{log.session}.jsonl"
    append(app / "local_1.json", {"title": "The invoices", "userSelectedFolders": [str(work)]})
    log.write(log.user("hello"), log.user("go on\n::capture"))
    note = wait_for(lambda: next(iter(work.rglob("*.md")), None), "the note")
    wait_for(lambda: holds(note, "go on"), "what was typed")
    assert sessions(server)[log.session]["title"] == "The invoices"


def test_a_copied_history_is_stored_once_and_runs_no_command(server: Client, home: Path, work: Path) -> None:
    """A fork is a new file that begins with the lines of another session. The lines name the session in which they were
    typed, in `sessionId` or in `forkedFrom`.
    """
    log = ClaudeLog(home, work)
    lines = [log.user("one\n::export a.md"), *log.text("two")]
    log.write(*lines)
    wait_for((work / "a.md").exists, "the export")
    (work / "a.md").unlink()
    forks = [ClaudeLog(home, work) for _ in range(2)]
    forks[0].write(*lines, forks[0].user("three"))
    marks = [{"sessionId": log.session, "messageUuid": line["uuid"]} for line in lines]
    own = {"sessionId": forks[1].session}
    forks[1].write(
        *[line | own | {"forkedFrom": mark} for line, mark in zip(lines, marks, strict=True)],
        forks[1].user("three"),
    )
    for fork in forks:
        wait_for(partial(_has_events, server, fork.session, 4), "the fork, and a mark where it begins")
    forks[0].write(forks[0].user("::export own.md"))
    wait_for((work / "own.md").exists, "the fork's own command")
    log.write(*lines)  # the same lines once more
    log.write(*log.text("four"))
    wait_for(lambda: sessions(server)[log.session]["eventCount"] == 3, "the first session")
    assert not (work / "a.md").exists()


def test_a_log_that_is_replaced_is_read_again_and_stores_no_event_twice(
    server: Client, home: Path, work: Path
) -> None:
    log = ClaudeLog(home, work)
    lines = [log.user("one"), *log.text("two")]
    log.write(*lines)
    wait_for(lambda: sessions(server).get(log.session, {}).get("eventCount") == 2, "two events")
    fresh = log.path.with_suffix(".tmp")
    append(fresh, *lines, log.user("three"))
    fresh.replace(log.path)
    wait_for(lambda: sessions(server)[log.session]["eventCount"] == 3, "the third event")


def test_a_codex_log_in_a_new_date_folder_stores_each_message_once(
    server: Client, home: Path, work: Path
) -> None:
    log, note = CodexLog(home, work), work / "c.md"
    log.write(*log.start, *log.user("hello\n::capture c.md"))
    wait_for(note.exists, "the note")
    log.write(*log.text("looking", "commentary"), *log.text("done"))
    wait_for(lambda: holds(note, "done"), "the reply")
    assert [body(note).count(text) for text in ("hello", "looking", "done")] == [1, 1, 1]
    assert "# gpt-5.5_" in body(note)


def test_a_fork_has_a_session_of_its_own_name(server: Client, home: Path, work: Path) -> None:
    claude = ClaudeLog(home, work)
    claude.path = home / ".openclaude" / claude.path.relative_to(home / ".claude")
    claude.write(claude.user("::capture claude.md"), *claude.text("At the median."))
    wait_for(
        lambda: holds(work / "claude.md", "provider: openclaude", "At the median."), "the note of OpenClaude"
    )
    codex = CodexLog(home, work)
    codex.path = home / ".trae" / "cli" / codex.path.relative_to(home / ".codex")
    codex.write(*codex.start, *codex.user("::capture codex.md"), *codex.text("It goes up."))
    wait_for(lambda: holds(work / "codex.md", "provider: traex", "It goes up."), "the note of TraeX")
    titles = {one["provider"]: one["title"] for one in server.request("kato/status")["providers"]}
    assert titles == {"openclaude": "OpenClaude", "traex": "TraeX"}


def test_gemini_replaces_a_message_and_the_note_has_each_part_once(
    server: Client, home: Path, work: Path
) -> None:
    root = home / ".gemini" / "tmp" / "work"
    path, note = root / "chats" / "session-2026-11-24T10-00-12345678.jsonl", work / "g.md"
    root.mkdir(parents=True)
    (root / ".project_root").write_text(str(work))
    reply = {"id": "m2", "timestamp": now(), "type": "gemini", "content": "I look.", "model": "gemini-3-pro"}
    call = {
        "id": "c1",
        "name": "list",
        "args": {"path": "."},
        "status": "success",
        "result": [{"functionResponse": {"response": {"output": "a.py"}}}],
    }
    append(path, {"sessionId": "12345678-aaaa", "projectHash": "x", "startTime": now(), "kind": "main"})
    append(
        path, {"id": "m1", "timestamp": now(), "type": "user", "content": [{"text": "List.\n::capture g.md"}]}
    )
    wait_for(note.exists, "the note")
    append(path, reply, reply | {"toolCalls": [call]}, {"$set": {"summary": "Listing"}})
    append(
        path,
        {"id": "m3", "timestamp": now(), "type": "gemini", "content": "One file.", "model": "gemini-3-pro"},
    )
    wait_for(lambda: holds(note, "I look.", "One file."), "the replies")
    assert body(note).count("I look.") == 1
    assert sessions(server)["12345678-aaaa"]["eventCount"] == 5
    assert sessions(server)["12345678-aaaa"]["title"] == "Listing"


def test_copilots_transcript_is_read_and_its_other_store_is_not(
    server: Client, home: Path, work: Path
) -> None:
    storage = home / ".config" / "Code" / "User" / "workspaceStorage" / "abc"
    path, note = storage / "GitHub.copilot-chat" / "transcripts" / "s-1.jsonl", work / "p.md"
    storage.mkdir(parents=True)
    (storage / "workspace.json").write_text(f'{{"folder": "file://{work}"}}')

    def event(kind: str, number: int, **data: Any) -> dict[str, Any]:
        return {"type": kind, "data": data, "id": f"e{number}", "timestamp": now(), "parentId": None}

    append(path, event("session.start", 0, sessionId="s-1", copilotVersion="0.47.0"))
    append(path, event("user.message", 1, content="Hi\n::capture p.md", attachments=[]))
    wait_for(note.exists, "the note")
    state = {
        "version": 3,
        "sessionId": "s-1",
        "requests": [
            {
                "requestId": "r1",
                "timestamp": int(time.time() * 1000),
                "message": {"text": "Hi"},
                "response": [{"value": "Hello."}],
                "modelState": {"value": 1},
            }
        ],
    }
    append(storage / "chatSessions" / "s-1.jsonl", {"kind": 0, "v": state})
    append(path, event("assistant.message", 2, messageId="m", content="Hello.", toolRequests=[]))
    wait_for(lambda: holds(note, "Hello."), "the reply")
    append(path, event("user.message", 3, content="Bye", attachments=[]))
    wait_for(lambda: holds(note, "Bye"), "the next message")
    assert sessions(server)["s-1"]["eventCount"] == 3


def test_events_of_one_copilot_store_are_not_stored_again_from_the_other(
    server: Client, home: Path, work: Path
) -> None:
    """The state comes first, with nothing in it, then with a turn and a question; the transcript has all of it."""
    storage = home / ".config" / "Code" / "User" / "workspaceStorage" / "abc"
    storage.mkdir(parents=True)
    (storage / "workspace.json").write_text(f'{{"folder": "file://{work}"}}')
    state, transcript = (
        storage / "chatSessions" / "s-1.jsonl",
        storage / "GitHub.copilot-chat/transcripts/s-1.jsonl",
    )
    note = work / "p.md"

    def asked(number: int, text: str, *answer: str, value: int = 1) -> dict[str, Any]:
        return {
            "requestId": f"r{number}",
            "timestamp": int(time.time() * 1000),
            "message": {"text": text},
            "response": [{"value": one} for one in answer],
            "modelState": {"value": value},
        }

    def event(kind: str, number: int, **data: Any) -> dict[str, Any]:
        return {"type": kind, "data": data, "id": f"e{number}", "timestamp": now(), "parentId": None}

    append(state, {"kind": 0, "v": {"version": 3, "sessionId": "s-1", "requests": []}})
    append(transcript, event("session.start", 0, sessionId="s-1", copilotVersion="0.47.0"))
    append(state, {"kind": 2, "k": ["requests"], "v": [asked(1, "Hi\n::capture p.md", "Hel", "lo.")]})
    append(state, {"kind": 2, "k": ["requests"], "v": [asked(2, "And?", value=0)]})
    wait_for(lambda: holds(note, "Hello.", "And?"), "the first turn, and the question")
    append(
        transcript,
        event("user.message", 1, content="Hi\n::capture p.md", attachments=[]),
        event("assistant.message", 2, messageId="m", content="Hello.", toolRequests=[]),
        event("user.message", 3, content="And?", attachments=[]),
        event("assistant.message", 4, messageId="n", content="So it is.", toolRequests=[]),
    )
    wait_for(lambda: holds(note, "So it is."), "the answer, out of the transcript")
    append(state, {"kind": 1, "k": ["requests", 1], "v": asked(2, "And?", "So it is.")})
    append(transcript, event("user.message", 5, content="Bye", attachments=[]))
    wait_for(lambda: holds(note, "Bye"), "the next message")
    lines = [line for line in body(note).splitlines() if line and not line.startswith("#")]
    assert lines == ["Hi", "::capture p.md", "Hello.", "And?", "So it is.", "Bye"]
    assert sessions(server)["s-1"]["eventCount"] == 5


def test_a_log_that_names_its_folder_late_is_buffered_until_then(
    server: Client, home: Path, work: Path
) -> None:
    log, other = ClaudeLog(home, work), ClaudeLog(home, work)
    log.write({"type": "file-history-snapshot", "messageId": "m", "snapshot": {}})
    # A reply without an end is stored once its log is quiet; the first log has been quiet for longer by then.
    other.write(other.user("hello"), *other.reply({"type": "text", "text": "hm"}, stop=None))
    wait_for(lambda: sessions(server).get(other.session, {}).get("eventCount") == 2, "the quiet moment")
    log.write(log.user("::capture late.md"))
    wait_for((work / "late.md").exists, "the note")


def test_roots_can_be_switched_off_and_moved(start: Start, tmp_path: Path, home: Path, work: Path) -> None:
    client = launch(
        start, tmp_path, work, providerSessionRoots={"codex": [], "claude": [str(tmp_path / "moved")]}
    )
    claude, codex = ClaudeLog(home, work), CodexLog(home, work)
    codex.write(*codex.start, *codex.user("hello"))
    claude.path = tmp_path / "moved" / "p" / claude.path.name
    claude.write(claude.user("hello"))  # the root itself appears now
    client.notify(
        "workspace/didChangeWatchedFiles", {"changes": [{"uri": f"file://{tmp_path / 'moved'}", "type": 1}]}
    )
    wait_for(lambda: claude.session in sessions(client), "the session in the moved root")
    assert codex.session not in sessions(client)


def test_an_assistant_that_is_used_for_the_first_time_is_found(
    server: Client, home: Path, work: Path
) -> None:
    codex, claude = CodexLog(home, work), ClaudeLog(home, work)
    codex.write(*codex.start, *codex.user("hello"))
    wait_for(lambda: codex.session in sessions(server), "the first assistant")
    claude.write(claude.user("hi\n::capture first.md"))
    wait_for((work / "first.md").exists, "the second assistant's note", seconds=5)


def test_new_folders_one_after_the_other_are_all_found(server: Client, home: Path, work: Path) -> None:
    """A watcher alone loses files in a folder that was just made."""
    first = ClaudeLog(home, work)
    first.write(first.user("hello"))
    wait_for(lambda: first.session in sessions(server), "the first session")
    process = psutil.Process(server.process.pid)
    descriptors = process.num_fds()
    for number in range(40):
        log = ClaudeLog(home, work / f"p{number}")
        log.write(log.user(f"number {number}\n::export {work}/e{number}.md"))
        time.sleep(0.03)
    wait_for(lambda: len(list(work.glob("e*.md"))) == 40, "all exports", seconds=5)
    assert process.num_fds() < descriptors + 10  # the watcher's and the checkpointer's own, none a folder


def test_after_a_restart_only_what_is_new_is_added(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    client = launch(start, tmp_path, work)
    log, note = ClaudeLog(home, work), work / "n.md"
    log.write(log.user("one\n::capture n.md"), *log.text("two"))
    wait_for(lambda: holds(note, "two"), "the note")
    client.close()
    log.write(log.user("three"), *log.text("four"))
    client = launch(start, tmp_path, work)
    wait_for(lambda: holds(note, "three", "four"), "the messages of that time")
    assert [body(note).count(text) for text in ("one", "two", "three", "four")] == [1, 1, 1, 1]
    assert sessions(client)[log.session]["eventCount"] == 4


def test_a_sub_agents_session_names_its_parent_and_its_task_runs_no_command(
    server: Client, home: Path, work: Path
) -> None:
    log = ClaudeLog(home, work)
    log.write(log.user("go"))
    agent = log.path.with_suffix("") / "subagents" / "agent-a1.jsonl"
    append(agent, log.user("Look around.\n::capture stolen.md", isSidechain=True, agentId="a1"))
    append(
        agent.with_suffix(".meta.json"),
        {"agentType": "Explore", "description": "Look", "toolUseId": "toolu_1"},
    )
    wait_for(lambda: "agent-a1" in sessions(server), "the sub-agent's session")
    assert sessions(server)["agent-a1"]["parent"]["sessionId"] == log.session
    assert not (work / "stolen.md").exists()


def test_a_note_shows_sub_agents_under_their_calls_if_the_settings_want_them(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    client = launch(start, tmp_path, work, **{"markdown.includeSubAgents": True})
    log, note = ClaudeLog(home, work), work / "n.md"
    log.write(log.user("go\n::capture n.md"))
    agent = log.path.with_suffix("") / "subagents" / "agent-a1.jsonl"
    append(agent, log.user("Look around.", isSidechain=True), *log.text("I looked."))
    wait_for(lambda: sessions(client).get("agent-a1", {}).get("eventCount") == 2, "the sub-agent's session")
    call = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"prompt": "Look around."}}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "All is well."}]
    log.write(*log.reply(call, stop="tool_use"))
    log.write(
        log.line("user", {"role": "user", "content": result}, toolUseResult={"agentId": "a1"}),
        *log.text("Good."),
    )
    wait_for(lambda: holds(note, "Sub-agent: ", "I looked.", "Good."), "the folded transcript")
    assert body(note).index("I looked.") < body(note).index("Good.")


def test_a_client_that_can_watch_is_asked_to(start: Start, tmp_path: Path, home: Path, work: Path) -> None:
    """With relative patterns: the roots lie outside the workspace."""
    client = start(initialize=False)
    watched = {"dynamicRegistration": True, "relativePatternSupport": True}
    client.request(
        "initialize",
        {
            "processId": None,
            "rootUri": None,
            "capabilities": {"workspace": {"didChangeWatchedFiles": watched}},
            "initializationOptions": {"stateDir": str(tmp_path / "state")},
            "workspaceFolders": [{"uri": f"file://{work}", "name": "work"}],
        },
    )
    client.notify("initialized", {})
    asked = client.read_message()
    while asked.get("method") != "client/registerCapability":
        asked = client.read_message()
    (registration,) = asked["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    bases = [one["globPattern"]["baseUri"] for one in registration["registerOptions"]["watchers"]]
    assert f"file://{home}/.claude/projects" in bases


def test_a_huge_log_is_read_within_the_budget(start: Start, tmp_path: Path, home: Path, work: Path) -> None:
    """History streams into the journal in pieces; the note of it streams out."""
    client = launch(start, tmp_path, work)
    log, note = ClaudeLog(home, work), work / "n.md"
    lines = [log.user("x" * 20_000, timestamp=now(-3600)) for _ in range(100)]
    for _ in range(20):
        mark = time.monotonic_ns()
        log.write(*[line | {"uuid": f"{line['uuid']}-{mark}", "parentUuid": None} for line in lines])
    log.write(log.user("::capture n.md"))
    wait_for(note.exists, "the note", seconds=60)
    assert note.stat().st_size > 40_000_000
    memory = client.request("kato/memory")
    assert memory["journal"]["eventCount"] == 2001
    assert memory["process"]["peakRss"] < 120_000_000
