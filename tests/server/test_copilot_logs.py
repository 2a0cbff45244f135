"""Copilot's stores on disk: while a server runs, and captured in the terminal."""

from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from kato.cli.client import Client
from logs import append, now, wait_for
from server.test_session_logs import body, holds, launch, sessions
from terminal import Terminal

Json = dict[str, Any]


@pytest.fixture
def server(start: Start, tmp_path: Path, work: Path) -> Client:
    return launch(start, tmp_path, work)


def event(number: int, kind: str, *, agent: str | None = None, **data: Any) -> Json:
    record: Json = {"type": kind, "data": data, "id": f"e{number}", "timestamp": now(), "parentId": None}
    return record | ({} if agent is None else {"agentId": agent})


def asks(call_id: str, **arguments: str) -> list[Json]:
    return [{"toolCallId": call_id, "name": "task", "arguments": arguments}]


def test_the_user_folder_of_vs_code_is_a_root(start: Start, tmp_path: Path, work: Path) -> None:
    user = tmp_path / "Fork" / "User"
    storage = user / "workspaceStorage" / "abc"
    storage.mkdir(parents=True)
    (user / "settings.json").write_text("{ // not JSON\n}")
    (storage / "workspace.json").write_text(f'{{"folder": "file://{work}"}}')
    client = launch(start, tmp_path, work, providerSessionRoots={"copilot": [str(user)]})
    path = storage / "GitHub.copilot-chat" / "transcripts" / "s-1.jsonl"
    append(
        path,
        event(0, "session.start", sessionId="s-1"),
        event(1, "user.message", content="Hi\n::capture p.md"),
    )
    wait_for((work / "p.md").exists, "the note")
    assert list(sessions(client)) == ["s-1"]


def test_a_chat_of_the_agent_host_has_its_title_and_its_sub_agents(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    client = launch(start, tmp_path, work, markdown={"includeSubAgents": True})
    folder, note = home / ".copilot" / "session-state" / "c-1", work / "p.md"
    folder.mkdir(parents=True)
    about = folder / "workspace.yaml"
    about.write_text(f"id: c-1\ncwd: {work}\nclient_name: vscode-agent-host\n")
    log = folder / "events.jsonl"
    append(
        log,
        event(0, "session.start", sessionId="c-1", copilotVersion="1.0.86"),
        event(1, "hook.start", hookType="userPromptSubmitted"),
        event(2, "user.message", content="Look around\n::capture p.md"),
    )
    wait_for(note.exists, "the note")
    about.write_text(about.read_text() + "name: Looking around\nuser_named: true\n")
    append(
        log,
        event(
            3,
            "assistant.message",
            content="Launching.",
            toolRequests=asks("t1", prompt="look", description="Look"),
        ),
        event(4, "subagent.started", agent="a1", toolCallId="t1", agentName="explore"),
        event(5, "user.message", agent="a1", content="look\n::capture evil.md"),
        event(6, "assistant.message", agent="a1", content="I looked."),
        event(7, "tool.execution_complete", toolCallId="t1", success=True, result={"content": "found"}),
        event(8, "assistant.message", content="All done."),
    )
    wait_for(lambda: holds(note, "All done."), "the answer")
    text = body(note)
    assert text.index("Launching.") < text.index("I looked.") < text.index("All done.")
    assert not (work / "evil.md").exists()
    wait_for(lambda: sessions(client)["c-1"].get("title") == "Looking around", "the title")
    assert sessions(client)["subagent-t1"]["parent"]["sessionId"] == "c-1"


def test_a_chat_of_jetbrains_goes_on_in_its_next_partition(server: Client, home: Path, work: Path) -> None:
    folder, note = home / ".copilot" / "jb" / "j-1", work / "p.md"
    read_file: Json = {
        "toolCallId": "k1",
        "toolName": "read_file",
        "arguments": {"filePath": str(work / "A.java")},
    }
    append(
        folder / "partition-1.jsonl",
        event(0, "partition.created", conversationId="j-1"),
        event(1, "tool.execution_start", **read_file),
        event(2, "user.message", content="Refactor\n::capture p.md", turnId="t1"),
        event(3, "user.message_rendered", renderedMessage="<context>A</context>", turnId="t1"),
        event(4, "assistant.message", text="Refactored."),
    )
    wait_for(lambda: holds(note, "Refactored."), "the first partition")
    append(
        folder / "partition-2.jsonl",
        event(5, "partition.created", conversationId="j-1"),
        event(6, "tool.execution_start", **(read_file | {"toolCallId": "k2"})),
        event(
            7,
            "user.message_rendered",
            renderedMessage="<context>B</context>\n<userRequest>\nMore\n::stop\n</userRequest>",
            turnId="t2",
        ),
        event(8, "assistant.message", text="Refactored more."),
    )
    wait_for(lambda: holds(note, "Refactored more."), "the second partition")
    text = body(note)
    assert text.index("Refactored.") < text.index("More") < text.index("Refactored more.")
    assert "<context>" not in text


def test_all_partitions_of_a_jetbrains_chat_are_captured_in_order(terminal: Terminal) -> None:
    folder = terminal.home / ".copilot" / "jb" / "j-1"
    for number in range(1, 12):
        append(
            folder / f"partition-{number}.jsonl",
            event(2 * number, "user.message", content=f"Question {number}.", turnId=f"t{number}"),
            event(2 * number + 1, "assistant.message", text=f"Answer {number}."),
        )
    note = terminal.run("capture", "copilot/j-1", "-")
    body = note.partition("\n---\n")[2]
    places = [body.index(f"{what} {number}.") for number in range(1, 12) for what in ("Question", "Answer")]
    assert places == sorted(places)


def test_sub_agents_of_sub_agents_are_folded_under_their_calls(terminal: Terminal) -> None:
    append(
        terminal.home / ".copilot" / "session-state" / "c1" / "events.jsonl",
        event(0, "session.start", sessionId="c1", context={"cwd": str(terminal.cwd)}),
        event(1, "user.message", content="explore"),
        event(
            2,
            "assistant.message",
            content="Launching.",
            toolRequests=asks("t1", prompt="x", description="Look"),
        ),
        event(3, "subagent.started", agent="a1", toolCallId="t1", agentName="explore"),
        event(
            4,
            "assistant.message",
            agent="a1",
            content="Deeper.",
            toolRequests=asks("t2", prompt="y", description="Dig"),
        ),
        event(5, "subagent.started", agent="a2", toolCallId="t2", agentName="explore"),
        event(6, "assistant.message", agent="a2", content="I dug."),
        event(
            7, "tool.execution_complete", agent="a1", toolCallId="t2", success=True, result={"content": "dug"}
        ),
        event(8, "assistant.message", agent="a1", content="I looked."),
        event(9, "tool.execution_complete", toolCallId="t1", success=True, result={"content": "looked"}),
        event(10, "assistant.message", content="Good."),
    )
    note = terminal.run("capture", "copilot/c1", "-", "--sub-agents")
    order = ["Launching.", "Sub-agent: Look", "Deeper.", "Sub-agent: Dig", "I dug.", "I looked.", "Good."]
    places = [note.index(text) for text in order]
    assert places == sorted(places)


def test_partitions_that_were_there_before_the_server_are_read_in_order(
    start: Start, tmp_path: Path, home: Path, work: Path
) -> None:
    folder, note = home / ".copilot" / "jb" / "j-1", work / "p.md"
    path = str(work / "A.java")

    def partition(number: int, *records: Json) -> None:
        read_file = event(
            10 * number,
            "tool.execution_start",
            toolCallId=f"k{number}",
            toolName="read",
            arguments={"path": path},
        )
        append(folder / f"partition-{number}.jsonl", read_file, *records)

    partition(
        1,
        event(11, "user.message", content="First.", turnId="t1"),
        event(12, "assistant.message", text="One."),
    )
    partition(
        2,
        event(21, "user.message", content="Second.", turnId="t2"),
        event(22, "assistant.message", text="Two."),
    )
    client = launch(start, tmp_path, work)
    wait_for(lambda: sessions(client).get("j-1", {}).get("eventCount") == 6, "both partitions")
    partition(3, event(31, "user.message", content="Third.\n::capture p.md", turnId="t3"))
    wait_for(lambda: holds(note, "Third."), "the note")
    text = body(note)
    places = [text.index(words) for words in ("First.", "One.", "Second.", "Two.", "Third.")]
    assert places == sorted(places)
