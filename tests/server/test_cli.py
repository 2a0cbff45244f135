"""The terminal: conversations are listed, captured and examined without a server."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from builders import assistant, request, user
from kato.assistants.registry import ASSISTANTS
from kato.cli.client import Client
from kato.system import zstd
from logs import ClaudeLog, CodexLog, append, now, wait_for
from providers.plugin import install
from terminal import Terminal


def body_of(note: str) -> str:
    """A note without its frontmatter, which names the conversation."""
    return note.partition("\n---\n")[2]


def test_sessions_are_listed_by_folder_with_their_titles(terminal: Terminal) -> None:
    claude, codex = ClaudeLog(terminal.home, terminal.cwd), CodexLog(terminal.home, Path("/elsewhere"))
    claude.write(
        claude.user("How does a B-tree split?"), {"type": "ai-title", "aiTitle": "B-trees", "sessionId": "x"}
    )
    codex.write(*codex.start, *codex.user("hello there"))
    os.utime(codex.path, (1, 1))
    listed = terminal.json("sessions")["sessions"]
    assert [(one["provider"], one["title"], one["cwd"]) for one in listed] == [
        ("claude", "B-trees", str(terminal.cwd)),
        ("codex", "hello there", "/elsewhere"),
    ]
    assert [one["sessionId"] for one in terminal.json("sessions", "--here")["sessions"]] == [claude.session]
    shown = terminal.run("sessions")
    assert shown.index(str(terminal.cwd)) < shown.index("B-trees") < shown.index("/elsewhere")


def test_only_the_newest_are_listed_unless_all_are_asked_for(terminal: Terminal) -> None:
    for number in range(25):
        log = ClaudeLog(terminal.home, terminal.cwd)
        log.write(log.user(f"number {number}"))
        os.utime(log.path, (number + 1, number + 1))
    assert "… and 5 older ones: kato sessions --all" in terminal.run("sessions")
    assert "… and perhaps older ones: add --all" in terminal.run("sessions", "--here")
    assert len(terminal.json("sessions")["sessions"]) == 20
    assert len(terminal.json("sessions", "--all")["sessions"]) == 25
    assert terminal.json("sessions")["sessions"][0]["title"] == "number 24"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "No conversation was found. `kato doctor` shows where Kato looks."),
        (["--here"], "No conversation was held in {home}. `kato sessions` lists the others."),
        (
            ["--here", "--since", "1d"],
            "No conversation was held in {home} since then. `kato sessions` lists the others.",
        ),
    ],
    ids=["at all", "here", "here since then"],
)
def test_an_empty_list_says_what_was_asked_for(terminal: Terminal, options: list[str], said: str) -> None:
    here = Terminal(terminal.environment, terminal.home)
    assert here.run("sessions", *options) == said.format(home=terminal.home) + "\n"


def test_a_title_in_the_middle_of_a_long_log_is_listed(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    filler = [log.user("x" * 20_000) for _ in range(200)]
    log.write(log.user("the first words"), *filler)
    for title in ("an older title", "the title"):
        log.write({"type": "ai-title", "aiTitle": title, "sessionId": log.session})
    log.write(*filler)
    (listed,) = terminal.json("sessions")["sessions"]
    assert listed["title"] == "the title"


def test_a_log_without_messages_hides_no_conversation_and_is_never_an_empty_note(terminal: Terminal) -> None:
    chats = terminal.home / ".gemini" / "tmp" / "app" / "chats"
    head = {"sessionId": "3f2a9c1e-1111", "projectHash": "x", "startTime": now(), "kind": "main"}
    said = {"id": "u1", "timestamp": now(), "type": "user", "content": [{"text": "the real question"}]}
    append(chats / "session-2026-09-10T09-00-3f2a9c1e.jsonl", head, said)
    append(chats / "session-2026-09-10T09-49-3f2a9c1e.jsonl", head)  # what a resumed session can leave
    os.utime(chats / "session-2026-09-10T09-00-3f2a9c1e.jsonl", (1, 1))
    terminal.run("capture", "3f2a9c1e", "n.md")
    assert "the real question" in (terminal.cwd / "n.md").read_text()
    append(chats / "session-2026-09-10T09-00-aaaaaaaa.jsonl", head | {"sessionId": "aaaaaaaa-1"})
    assert "holds no messages" in terminal.run("capture", "aaaaaaaa", "empty.md", code=1)
    assert not (terminal.cwd / "empty.md").exists()


def test_a_captured_note_says_the_branch_and_the_tokens(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    usage = {"input_tokens": 10, "cache_read_input_tokens": 900, "output_tokens": 5}
    answer = log.reply({"type": "text", "text": "Done."}, gitBranch="feat/cart")
    answer[0]["message"]["usage"] = usage
    log.write(log.user("Add a cart", gitBranch="main"), *answer)
    settings = terminal.cwd.parent / "config.toml"
    settings.write_text('[notes]\nfileName = "${title}-${branch}"\n')
    terminal.environment["KATO_CONFIG"] = str(settings)
    terminal.run("capture", "--latest")
    note = (terminal.cwd / "add-a-cart-feat-cart.md").read_text()
    assert "\nbranch: feat/cart\n" in note
    assert "\ntokens: 15\n" in note


def test_the_latest_conversation_of_the_folder_is_captured(terminal: Terminal) -> None:
    older, newer = ClaudeLog(terminal.home, terminal.cwd), ClaudeLog(terminal.home, terminal.cwd)
    other = CodexLog(terminal.home, Path("/elsewhere"))
    older.write(older.user("old"))
    newer.write(newer.user("new question"), *newer.text("new answer"))
    other.write(*other.start, *other.user("of another folder"))
    os.utime(older.path, (1, 1))
    terminal.run("capture", "--latest", "notes/n.md")
    note = (terminal.cwd / "notes" / "n.md").read_text()
    assert "new question" in note
    assert "new answer" in note
    assert f"sessionId: {newer.session}" in note
    terminal.run("capture")
    assert len(list(terminal.cwd.glob("*new-question*.md"))) == 1


def test_a_session_is_named_by_the_beginning_of_its_id(terminal: Terminal) -> None:
    first, second = (
        ClaudeLog(terminal.home, terminal.cwd, "aaa-1"),
        ClaudeLog(terminal.home, terminal.cwd, "aaa-2"),
    )
    first.write(first.user("one", timestamp=now(-3600)))
    second.write(second.user("two", timestamp=now(-3600)))
    terminal.run("capture", "aaa-2", "n.md")
    assert "two" in (terminal.cwd / "n.md").read_text()
    several = "'aaa' could be 2 conversations: claude/aaa-2, claude/aaa-1; write more of the id"
    assert several in terminal.run("capture", "aaa", "n.md", code=1)
    assert "no conversation 'zzz'" in terminal.run("capture", "zzz", "n.md", code=1)
    assert "one" in terminal.run("capture", "claude/aaa-1", "-")
    for log in (first, second):
        os.utime(log.path, (time.time() - 3600, time.time() - 3600))
    terminal.run("keep", "--all")
    exported = terminal.run("journal", "export", "aaa-2")
    assert [json.loads(line)["content"] for line in exported.splitlines()] == ["two"]
    assert "the journal has no conversation 'zzz'" in terminal.run("journal", "export", "zzz", code=1)
    for log in (first, second):
        log.path.unlink()
    assert "write more of the id" in terminal.run("capture", "aaa", "n.md", code=1), "of kept ones, too"


def test_a_name_without_a_notes_suffix_is_refused_with_a_hint(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hello"))
    assert "for example Makefile.md" in terminal.run("capture", "--latest", "Makefile", code=1)
    assert ".md, .markdown, .html, .txt or .jsonl" in terminal.run("capture", "--latest", "run.sh", code=1)
    assert list(terminal.cwd.iterdir()) == []
    terminal.run("capture", "--latest", ".notes/../.notes/n.md")
    assert (terminal.cwd / ".notes" / "n.md").exists(), (
        "a dot folder that the user types is the user's choice"
    )


def test_a_capture_over_a_note_that_records_another_conversation_stops_the_recording(
    terminal: Terminal, tmp_path: Path
) -> None:
    note = terminal.cwd / "n.md"
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("the second talk"))
    with Client(environment=terminal.environment) as client:
        client.initialize(options={"stateDir": str(tmp_path / "state")}, folders=[str(terminal.cwd)])
        client.request(
            "kato/appendEvents", request([user("the first talk\n::capture n.md")], cwd=str(terminal.cwd))
        )
        assert "the first talk" in note.read_text()
        terminal.run("capture", "--latest", "n.md")
        client.request("kato/appendEvents", request([assistant("the first goes on", 1)]))
        status = client.request("kato/status", {"includeStale": True})
    assert status["recordings"]["activeRecordings"] == 0
    assert "first" not in body_of(note.read_text())
    (copy,) = (tmp_path / "state" / "backups").iterdir()
    assert "the first talk" in copy.read_text()


def test_a_capture_over_foreign_text_keeps_a_copy(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hello"))
    (terminal.cwd / "n.md").write_text("mine\n")
    terminal.run("capture", "--latest", "n.md")
    copies = list((terminal.cwd.parent / "state" / "backups").rglob("*.md"))
    assert [copy.read_text() for copy in copies] == ["mine\n"]
    log.write(log.user("more"))
    terminal.run("capture", "--latest", "n.md")  # over what Kato wrote: no copy
    assert len(list((terminal.cwd.parent / "state" / "backups").rglob("*.md"))) == 1


def test_tools_thinking_and_since(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "a.py"}]
    log.write(log.user("before", timestamp=now(-7200)))
    log.write(log.user("after"), *log.reply({"type": "thinking", "thinking": "hm"}, call, stop="tool_use"))
    log.write(log.line("user", {"role": "user", "content": result}), *log.text("one file"))
    plain = terminal.run("capture", "--latest", "--tools=hidden", "-")
    assert "before" in plain
    assert "<details>" not in plain
    full = terminal.run("capture", "--latest", "--tools", "--thinking", "-", "--since", "1h")
    assert "before" not in body_of(full)
    for text in ("<summary>Thinking</summary>", "<summary>Ran ls</summary>", "$ ls\na.py", "one file"):
        assert text in full
    assert "invalid moment 'soon'" in terminal.run("capture", "--since", "soon", code=2)
    terminal.run("capture", "--latest", "e.jsonl")
    kinds = [json.loads(line)["kind"] for line in (terminal.cwd / "e.jsonl").read_text().splitlines()]
    assert kinds == [
        "message.user",
        "message.user",
        "thinking",
        "tool.call",
        "tool.result",
        "message.assistant",
    ]


def test_sub_agents_are_folded_under_the_call_that_started_them(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    call = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"prompt": "Look around."}}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "All is well."}]
    log.write(log.user("go"), *log.reply(call, stop="tool_use"))
    log.write(
        log.line("user", {"role": "user", "content": result}, toolUseResult={"agentId": "a1"}),
        *log.text("Good."),
    )
    agent = log.path.with_suffix("") / "subagents" / "agent-a1.jsonl"
    append(agent, log.user("Look around.", isSidechain=True), *log.text("I looked."))
    note = terminal.run("capture", log.session, "-", "--sub-agents")
    assert note.index("<summary>Sub-agent: ") < note.index("I looked.") < note.index("Good.")
    assert "\n### " in note
    assert "I looked." not in terminal.run("capture", log.session, "-")


def test_sub_agents_that_stand_in_their_parents_log_are_folded_too(terminal: Terminal) -> None:
    path = terminal.home / ".copilot" / "session-state" / "c1" / "events.jsonl"

    def event(number: int, kind: str, **data: Any) -> dict[str, Any]:
        return {"type": kind, "data": data, "id": f"e{number}", "timestamp": now(number - 100)}

    call = {"toolCallId": "call-1", "name": "task", "arguments": {}}
    append(
        path,
        event(0, "session.start", sessionId="c1", context={"cwd": str(terminal.cwd)}),
        event(1, "user.message", content="explore"),
        event(2, "assistant.message", content="Launching.", toolRequests=[call]),
        event(3, "assistant.message", content="I looked.", parentToolCallId="call-1", toolRequests=[]),
        event(4, "tool.execution_complete", toolCallId="call-1", success=True, result={"content": "done"}),
        event(5, "assistant.message", content="Good.", toolRequests=[]),
    )
    note = terminal.run("capture", "copilot/c1", "-", "--sub-agents")
    assert note.index("<summary>Sub-agent: ") < note.index("I looked.") < note.index("Good.")
    assert "I looked." not in terminal.run("capture", "copilot/c1", "-")


def test_sub_agents_whose_own_log_names_the_parent_are_folded_too(terminal: Terminal) -> None:
    parent, child = CodexLog(terminal.home, terminal.cwd), CodexLog(terminal.home, terminal.cwd)
    spawned = {"type": "collab_agent_spawn_end", "call_id": "call-1", "new_thread_id": child.session}
    call = {"type": "function_call", "name": "spawn_agent", "call_id": "call-1", "arguments": "{}"}
    parent.write(
        *parent.start,
        *parent.user("explore"),
        parent.record("response_item", call),
        parent.record("event_msg", spawned),
    )
    parent.write(*parent.text("Good."))
    source = {"subagent": {"thread_spawn": {"parent_thread_id": parent.session, "depth": 1}}}
    child.start[0]["payload"] |= {"source": source}
    child.write(*child.start, *child.user("Look around."), *child.text("I looked."))
    note = terminal.run("capture", parent.session, "-", "--sub-agents")
    assert note.index("<summary>Sub-agent: ") < note.index("I looked.") < note.index("Good.")
    assert "I looked." not in terminal.run("capture", parent.session, "-")


PICTURE = b"\x89PNG not really"


def picture_of(log: ClaudeLog) -> dict[str, Any]:
    """A message of the user: a picture, and "see"."""
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PICTURE).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "see"}]
    return log.line("user", {"role": "user", "content": content})


def test_pictures_become_files_next_to_the_note(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(picture_of(log), picture_of(log))
    report = terminal.run("capture", "--latest", "n.md", "--images").splitlines()
    (picture,) = (terminal.cwd / "n.images").iterdir()
    assert picture.read_bytes() == PICTURE
    assert f"![image](n.images/{picture.name})" in (terminal.cwd / "n.md").read_text()
    assert report == [
        f"{terminal.cwd / 'n.md'}: 2 messages from 2 events",
        f"{terminal.cwd / 'n.images'}: 1 picture",
    ]
    assert "[image: image/png, 1 kB]" in terminal.run("capture", "--latest", "-")


def test_the_setting_for_pictures_counts_for_captures(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(picture_of(log))
    configure(terminal, '[markdown]\nimages = "files"\n')
    terminal.run("capture", "--latest", "n.md")
    (picture,) = (terminal.cwd / "n.images").iterdir()
    assert picture.read_bytes() == PICTURE


def test_a_page_holds_its_pictures(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(picture_of(log), *log.text("![a](embedded:other.png) ![b](https://example.org/b.png)"))
    terminal.run("capture", "--latest", "n.html", "--images")
    page = (terminal.cwd / "n.html").read_text()
    assert f'src="data:image/png;base64,{base64.b64encode(PICTURE).decode()}"' in page
    assert page.count("<img") == 1, "only pictures of the conversation are shown"
    assert [one.name for one in terminal.cwd.iterdir()] == ["n.html"]
    assert "<img" in terminal.run("capture", "--latest", "--format", "html", "--images", "-")
    assert "<img" not in terminal.run("capture", "--latest", "--format", "html", "-")


def test_a_capture_reports_the_messages_that_it_wrote(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hello"), *log.reply({"type": "thinking", "thinking": "hm"}), *log.text("hi"))
    expected = {
        "n.md": "2 messages from 3 events",
        "n.html": "2 messages from 3 events",
        "n.txt": "2 messages from 3 events",
        "n.jsonl": "3 events",
    }
    for name, written in expected.items():
        assert terminal.run("capture", "--latest", name) == f"{terminal.cwd / name}: {written}\n"


def test_a_capture_reports_the_secrets_that_it_masked(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user(f"my key is ghp_{'a1B2' * 9}"))
    for name, written in (("n.md", "1 message from 1 event"), ("n.jsonl", "1 event")):
        reported = terminal.run("capture", "--latest", name)
        assert reported == f"{terminal.cwd / name}: {written}, 1 secret masked\n"
        assert "ghp_" not in (terminal.cwd / name).read_text()
        assert "ghp_" not in terminal.run("capture", "--latest", "--format", name.partition(".")[2], "-")


def test_standard_output_gets_what_a_file_gets(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hello"), *log.text("hi"))
    for name in ("md", "html", "txt", "jsonl"):
        terminal.run("capture", "--latest", f"n.{name}")
        written = (terminal.cwd / f"n.{name}").read_text()
        printed = terminal.run("capture", "--latest", "--format", name, "-")
        if name == "md":
            assert printed.startswith("---\nid: ")
            assert "\ntitle: hello\n" in printed
            assert printed.partition("\n---\n")[2] == written.partition("\n---\n")[2]
        elif name == "html":
            assert printed.partition("<main>")[2] == written.partition("<main>")[2]
        else:
            assert printed == written
    state = terminal.cwd.parent / "state"
    assert not list(state.glob("kato-capture-*")), "nothing is left of the way to standard output"


def test_a_format_names_the_file_and_must_fit_its_suffix(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hello"))
    terminal.run("capture", "--latest", "--format", "html")
    (page,) = terminal.cwd.iterdir()
    assert page.suffix == ".html"
    assert "--format says txt" in terminal.run("capture", "--latest", "n.md", "--format", "txt", code=1)


def test_an_option_for_tool_calls_takes_no_argument_for_its_value(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "a.py"}]
    log.write(log.user("look"), *log.reply(call, stop="tool_use"))
    log.write(log.line("user", {"role": "user", "content": result}), *log.text("one file"))
    assert "a.py" in terminal.run("capture", "--tools", log.session, "-")
    assert "a.py" in terminal.run("capture", "--tools=full", log.session, "-")
    summary = terminal.run("capture", "--tools=summary", log.session, "-")
    assert "a.py" not in summary
    assert "<details>" in summary
    assert "<details>" not in terminal.run("capture", "--tools=hidden", log.session, "-")
    configure(terminal, "[markdown]\nincludeToolCalls = true\n")
    assert "<details>" not in terminal.run("capture", "--tools=hidden", log.session, "-")


def test_compressed_rollouts_are_read_and_a_plain_one_wins(terminal: Terminal) -> None:
    log = CodexLog(terminal.home, terminal.cwd)
    log.write(*log.start, *log.user("packed"), *log.text("and read"))
    packed = log.path.with_name(log.path.name + ".zst")
    packed.write_bytes(zstd.library().compress(log.path.read_bytes()))
    assert [one["path"] for one in terminal.json("sessions")["sessions"]] == [str(log.path)]
    log.path.unlink()
    (one,) = terminal.json("sessions")["sessions"]
    assert (one["path"], one["title"], one["sessionId"]) == (str(packed), "packed", log.session)
    assert "and read" in terminal.run("capture", log.session, "-")


def test_the_doctor_shows_where_it_looked_and_what_it_did_not_understand(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hi"), log.line("novelty", {}))
    with log.path.open("a") as file:
        file.write("{broken\n")
    roots = terminal.json("doctor")["roots"]
    (root,) = [one for one in roots if one["provider"] == "claude" and one["exists"]]
    assert (root["sessions"], root["events"]) == (1, 2)
    unknown, broken = root["problems"]
    assert (unknown["kind"], unknown["detail"], unknown["version"]) == ("unknown_kind", "novelty", "2.1.42")
    assert (broken["kind"], broken["count"]) == ("broken_line", 1)
    assert {one["provider"] for one in roots} == {one.name for one in ASSISTANTS}
    shown = terminal.run("doctor")
    assert "unknown kind novelty (2.1.42)" in shown
    assert f"No folder was found of Codex (~{os.sep}.codex{os.sep}sessions), Gemini CLI (" in " ".join(
        shown.split()
    )
    assert "Kato's own logs are in " in shown
    assert terminal.json("doctor")["logs"] == str(terminal.cwd.parent / "state" / "logs")


def configure(terminal: Terminal, text: str) -> None:
    path = terminal.cwd.parent / "config.toml"
    path.write_text(text)
    terminal.environment["KATO_CONFIG"] = str(path)


def test_the_doctor_reports_a_configured_root_in_which_nothing_can_match(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hi"))
    above, inside = terminal.home / ".claude", log.path.parent
    for wrong in (above, inside):
        configure(terminal, f'[providerSessionRoots]\nclaude = ["{wrong}"]\n')
        shown = terminal.run("doctor").replace("\n", "")
        assert (
            f"✘ providerSessionRoots.claude: no file below {wrong} can be a session log of Claude Code."
            in shown
        )
        assert f"Set it to {above / 'projects'}." in shown


def test_the_doctor_reports_a_configured_root_that_is_not_there(terminal: Terminal) -> None:
    missing = terminal.cwd / "missing"
    configure(terminal, f'[providerSessionRoots]\ncodex = ["{missing}"]\ngemini = ["{terminal.cwd}"]\n')
    shown = terminal.run("doctor").replace("\n", "")
    assert f"✘ providerSessionRoots.codex: the folder {missing} does not exist." in shown
    assert "providerSessionRoots.gemini" not in shown, "an empty folder may get logs"


def test_the_doctor_reports_a_plugin_that_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    install(packages, "broken", "raise RuntimeError('no licence')")
    install(packages, "example")
    terminal.environment["PYTHONPATH"] = str(packages)
    report = terminal.json("doctor")
    assert report["refusedPlugins"] == [
        {"name": "broken", "package": "kato-broken", "reason": "RuntimeError: no licence"}
    ]
    assert "example" in [root["provider"] for root in report["roots"]]
    shown = terminal.run("doctor").replace("\n", "")
    assert "✘ The plugin kato-broken (assistant broken) is not used: RuntimeError: no licence." in shown


def test_drift_lists_unknown_kinds_and_no_text(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    records = [log.line("novelty", {"secret": "hunter2"}) for _ in range(3)]
    log.write(log.user("my secret is hunter2"), *records, log.line("my secret is hunter2", {}))
    with log.path.open("a") as file:
        file.write("{hunter2\n")
    report = terminal.json("doctor", "--drift")
    (claude,) = [one for one in report["assistants"] if one["provider"] == "claude"]
    assert (claude["title"], claude["logs"], claude["bytes"]) == ("Claude Code", 1, log.path.stat().st_size)
    assert claude["unknownKinds"] == [
        {"kind": "novelty", "version": "2.1.42", "count": 3, "example": records[0]["uuid"]},
        {"kind": "(an unusual name)", "version": "2.1.42", "count": 1, "example": ANY},
    ]
    assert claude["problems"] == {"broken_line": 1}
    shown = terminal.run("doctor", "--drift").splitlines()
    assert shown[0].startswith("Kato ")
    assert shown[2:] == [
        "Claude Code: 1 log, 2 unknown kinds of records",
        "  count  kind               version  example",
        f"      3  novelty            2.1.42   {records[0]['uuid']}",
        f"      1  (an unusual name)  2.1.42   {claude['unknownKinds'][1]['example']}",
        "  1 broken line",
    ]
    for text in ("hunter2", "secret", str(terminal.home)):
        assert text not in json.dumps(report) + "\n".join(shown)


def test_a_log_is_captured_by_its_path_also_where_no_assistant_keeps_it(
    terminal: Terminal, tmp_path: Path
) -> None:
    log, codex = ClaudeLog(terminal.home, terminal.cwd), CodexLog(terminal.home, terminal.cwd)
    log.write(log.user("by its path"), *log.text("yes"))
    codex.write(*codex.start, *codex.user("from a backup"), *codex.text("yes"))
    assert "n.md: 2 messages" in terminal.run("capture", str(log.path), "n.md")
    backup = tmp_path / "backup" / "talk.jsonl"
    backup.parent.mkdir()
    codex.path.rename(backup)
    assert "o.md: 2 messages" in terminal.run("capture", str(backup), "o.md")
    assert "from a backup" in (terminal.cwd / "o.md").read_text()
    (tmp_path / "backup" / "other.jsonl").write_text('{"a": 1}\n')
    refusal = terminal.run("capture", str(tmp_path / "backup" / "other.jsonl"), "p.md", code=1)
    assert "other.jsonl is not a session log of Claude" in refusal
    assert not (terminal.cwd / "p.md").exists()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("../missing.jsonl", "../missing.jsonl: the file does not exist; name a session log"),
        ("missing.jsonl", "missing.jsonl: the file does not exist"),
        (".", ". is a folder; name one session log in it"),
        ("claude/missing", "no conversation 'claude/missing' is on this machine"),
    ],
)
def test_a_path_without_a_log_is_called_so(terminal: Terminal, wanted: str, said: str) -> None:
    assert said in terminal.run("capture", wanted, "n.md", code=1)


def test_who_names_a_note_alone_is_shown_the_command(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hi"))
    assert "kato capture --latest notes.md" in terminal.run("capture", "notes.md", code=1)


def test_drift_reports_when_all_is_known(terminal: Terminal) -> None:
    log = CodexLog(terminal.home, terminal.cwd)
    log.write(*log.start, *log.user("hi"))
    assert "Codex: 1 log, every kind of record is known" in terminal.run("doctor", "--drift")


def test_nothing_is_older_than_an_absurd_number_of_days(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hi"))
    terminal.run("capture", "--latest", "n.md")
    assert "0 sessions," in terminal.run("clean", "--older-than", "9" * 30 + "d", "--dry-run")


@contextmanager
def watching(terminal: Terminal, *folders: str) -> Iterator[Path]:
    """`kato watch` runs, and is interrupted at the end; gives the file with what it prints."""
    printed = terminal.cwd.parent / "printed"
    with printed.open("w") as output:
        watch = subprocess.Popen(
            [sys.executable, "-m", "kato", "watch", *folders],
            env=terminal.environment,
            cwd=terminal.home,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(
            lambda: list((terminal.cwd.parent / "state" / "servers").glob("*.json")), "the status file", 30
        )
        yield printed
    finally:
        watch.send_signal(signal.SIGINT)
        watch.wait(timeout=30)
    assert watch.returncode == 0, printed.read_text()


@pytest.mark.parametrize("is_named", [True, False], ids=["a folder", "all folders"])
def test_watch_runs_commands_without_an_editor_and_ends_on_interrupt(
    terminal: Terminal, is_named: bool
) -> None:
    with watching(terminal, *([str(terminal.cwd)] if is_named else [])) as printed:
        log = ClaudeLog(terminal.home, terminal.cwd)
        log.write(log.user("question\n::capture w.md"), *log.text("answer"))
        note = terminal.cwd / "w.md"
        wait_for(lambda: note.exists() and "answer" in note.read_text(), "the note", 30)
        wait_for(lambda: "✔ ::capture" in printed.read_text(), "the outcome, while the command runs")
    assert "process memory" in printed.read_text().split("::capture")[-1], "the view, at the end"
    assert terminal.run("status") == "No Kato server is running.\n"


def test_without_a_path_watch_writes_to_the_folder_notes_of_the_conversation(terminal: Terminal) -> None:
    with watching(terminal) as printed:
        log, gone = (ClaudeLog(terminal.home, terminal.cwd.parent / name) for name in ("work", "gone"))
        log.write(log.user("question\n::capture"))
        gone.write(gone.user("question\n::capture"))
        wait_for(lambda: printed.read_text().count("✔ ::capture") == 2, "the outcomes", 30)
    assert len(list((terminal.cwd / "notes").glob("*question*.md"))) == 1
    recordings = terminal.cwd.parent / "state" / "recordings"
    assert len(list(recordings.glob("*question*.md"))) == 1, "of the one whose folder does not exist"
    assert not gone.cwd.exists()


def test_codexs_sub_agents_are_folded_and_not_listed_as_conversations(terminal: Terminal) -> None:
    log, agent = CodexLog(terminal.home, terminal.cwd), CodexLog(terminal.home, terminal.cwd)
    inner = CodexLog(terminal.home, terminal.cwd)

    def spawn(call_id: str, child: CodexLog, result: str) -> list[dict[str, Any]]:
        call = {"type": "function_call", "name": "spawn_agent", "call_id": call_id, "arguments": "{}"}
        begun = {
            "type": "sub_agent_activity",
            "event_id": call_id,
            "agent_thread_id": child.session,
            "kind": "started",
        }
        output = {"type": "function_call_output", "call_id": call_id, "output": result}
        return [
            log.record("response_item", call),
            log.record("event_msg", begun),
            log.record("response_item", output),
        ]

    log.write(*log.start, *log.user("go"), *spawn("c1", agent, "begun"), *log.text("Good."))
    for child, parent, words in ((agent, log, "I looked."), (inner, agent, "I looked deeper.")):
        spawned = {"thread_spawn": {"parent_thread_id": parent.session, "agent_nickname": f"Ada of {words}"}}
        child.start[0]["payload"]["source"] = {"subagent": spawned}
        child.write(*child.start, *child.user("look"), *child.text(words))
    agent.write(*spawn("c2", inner, "begun"))
    note = terminal.run("capture", log.session, "-", "--sub-agents")
    outer, deeper = (
        note.index("Sub-agent: Ada of I looked."),
        note.index("Sub-agent: Ada of I looked deeper."),
    )
    assert outer < note.index("I looked.\n") < deeper < note.index("I looked deeper.\n") < note.index("Good.")
    assert "I looked" not in terminal.run("capture", "--latest", "-"), "the newest log is a sub-agent's"
    rows = json.loads(terminal.run("sessions", "--json"))["sessions"]
    assert [row["sessionId"] for row in rows] == [log.session]
    assert len(json.loads(terminal.run("sessions", "--json", "--all"))["sessions"]) == 3


def test_an_older_sub_agents_log_next_to_its_session_is_folded_too(terminal: Terminal) -> None:
    """Claude Code 2.0 kept them in the folder of the sessions."""
    log = ClaudeLog(terminal.home, terminal.cwd)
    call = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"prompt": "Look around."}}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "All is well."}]
    log.write(log.user("go"), *log.reply(call, stop="tool_use"))
    log.write(log.line("user", {"role": "user", "content": result}, toolUseResult={"agentId": "a1"}))
    append(
        log.path.with_name("agent-a1.jsonl"),
        log.user("Look around.", isSidechain=True),
        *log.text("I looked."),
    )
    assert "I looked." in terminal.run("capture", log.session, "-", "--sub-agents")


def test_a_thread_that_went_back_is_captured_from_all_its_logs(terminal: Terminal) -> None:
    log = CodexLog(terminal.home, terminal.cwd)
    log.write(*log.start, *log.user("first"), *log.text("one"))
    later = CodexLog(terminal.home, terminal.cwd, log.session)
    later.path = log.path.with_name(
        f"rollout-{time.strftime('%Y-%m-%d')}T23-59-59-{log.session}_{uuid.uuid4()}.jsonl"
    )
    later.start[0]["payload"]["history_base"] = {"thread_id": log.session, "end_ordinal_exclusive": 4}
    later.write(*later.start, *later.user("second"), *later.text("two"))
    note = body_of(terminal.run("capture", log.session, "-"))
    words = ["first", "one", "*The conversation went back to an earlier message.*", "second", "two"]
    places = [note.index(one) for one in words]
    assert places == sorted(places)
    assert len(json.loads(terminal.run("sessions", "--json"))["sessions"]) == 1


def test_a_thread_that_was_named_in_the_middle_of_a_long_log_has_its_name(terminal: Terminal) -> None:
    log = CodexLog(terminal.home, terminal.cwd)
    named = {"type": "thread_name_updated", "thread_id": log.session, "thread_name": "The store, split"}
    long = [one for number in range(30) for one in log.text(f"{number} {'x' * 50_000}")]
    log.write(*log.start, *log.user("hello"), *long, log.record("event_msg", named), *long)
    (row,) = terminal.json("sessions")["sessions"]
    assert row["title"] == "The store, split"
