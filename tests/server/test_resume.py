"""`kato resume`: the command line that continues a conversation."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.assistants.copilot import COPILOT
from kato.assistants.registry import ASSISTANTS
from kato.cli.commands.resume import command_of, shell_line
from kato.core.errors import CommandRefused
from kato.logs.discovery import Found
from logs import ClaudeLog, CodexLog
from terminal import Terminal


def test_the_command_is_printed_for_the_shell(terminal: Terminal) -> None:
    folder = terminal.cwd / "it's; a $folder"
    claude = ClaudeLog(terminal.home, folder)
    claude.write(claude.user("hello"))
    codex = CodexLog(terminal.home, terminal.cwd)
    codex.write(*codex.start, *codex.user("hello"))
    printed = terminal.run("resume", claude.session[:8])
    assert shlex.split(printed) == ["cd", str(folder), "&&", "claude", "--resume", claude.session]
    assert (
        terminal.run("resume", f"codex/{codex.session}")
        == f"cd {terminal.cwd} && codex resume {codex.session}\n"
    )


def test_the_command_runs_in_the_folder_of_the_conversation(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "a project"
    folder.mkdir()
    log = ClaudeLog(terminal.home, folder)
    log.write(log.user("hello"))
    programs = tmp_path / "bin"
    programs.mkdir()
    terminal.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    assert "was not found" in terminal.run("resume", log.session, "--run", code=1)
    (programs / "claude").write_text('#!/bin/sh\npwd\necho "$@"\n')
    (programs / "claude").chmod(0o755)
    assert terminal.run("resume", log.session, "--run") == f"{folder}\n--resume {log.session}\n"
    folder.rmdir()
    assert "does not exist any more" in terminal.run("resume", log.session, "--run", code=1)


def test_a_conversation_whose_log_is_gone_cannot_be_continued(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("long ago", timestamp="2026-01-01T00:00:00.000Z"))
    terminal.run("keep", "--all")
    log.path.unlink()
    assert "kato capture" in terminal.run("resume", log.session, code=1)
    assert "no conversation" in terminal.run("resume", "unknown", code=1)


@pytest.mark.parametrize(
    ("assistant", "path", "command"),
    [
        ("claude", "x/abc.jsonl", "claude --resume ID"),
        (
            "codex",
            "2026/05/01/rollout-2026-05-01T10-00-00-0197a2b1-0000-7000-8000-000000000001.jsonl",
            "codex resume ID",
        ),
        ("gemini", "app/chats/session-2026-09-10T09-00-3f2a9c1e.jsonl", "gemini --resume ID"),
        ("copilot", "0197a2b1-0000-7000-8000-000000000001/events.jsonl", "copilot --resume ID"),
        ("copilot", "hash/chatSessions/abc.jsonl", None),
        ("copilot", "abc/partition-1.jsonl", None),
        (
            "traex",
            "2026/05/01/rollout-2026-05-01T10-00-00-0197a2b1-0000-7000-8000-000000000001.jsonl",
            "traex resume ID",
        ),
        ("openclaude", "x/abc.jsonl", "openclaude --resume ID"),
        ("qoder", "x/abc.jsonl", "qodercli --resume ID"),
        ("qoder", "x/transcript/abc.jsonl", None),
        ("iflow", "x/session-abc.jsonl", "iflow --resume ID"),
        ("commandcode", "x/abc.jsonl", "commandcode --resume ID"),
        ("workbuddy", "x/abc.jsonl", None),
    ],
)
def test_each_assistant_declares_its_command(assistant: str, path: str, command: str | None) -> None:
    declared = next(one for one in ASSISTANTS if one.name == assistant)
    log = declared.match(path.split("/"))
    assert log is not None
    found = declared.resume(log, "ID")
    assert (None if found is None else " ".join(found)) == command


@pytest.mark.parametrize("session_id", ["--dangerous", "", "a b", "x;rm", "\x1b[1m", "a/b", "x" * 200])
def test_an_id_that_a_program_could_take_for_something_else_is_refused(session_id: str) -> None:
    log = COPILOT.match(["abc", "events.jsonl"])
    assert log is not None
    with pytest.raises(CommandRefused):
        command_of(Found(COPILOT, "/r", "/r/abc", log, 1, 1), session_id)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_a_folder_of_any_name_is_one_word_of_the_line(folder: str) -> None:
    try:
        line = shell_line(["true"], folder, "linux")
    except CommandRefused:
        assert not folder.isprintable()
        return
    assert shlex.split(line) == ["cd", folder, "&&", "true"]


def test_the_line_for_windows_names_the_drive_and_refuses_what_its_shell_replaces() -> None:
    assert (
        shell_line(["claude", "--resume", "x"], "C:\\a b", "win32") == 'cd /d "C:\\a b" && claude --resume x'
    )
    for folder in ("C:\\%PATH%", 'C:\\a" & calc'):
        with pytest.raises(CommandRefused):
            shell_line(["claude"], folder, "win32")


def test_the_printed_line_works_in_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "it's $HOME `x`"
    folder.mkdir()
    line = shell_line(["pwd"], str(folder), "linux")
    assert (
        subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout == f"{folder}\n"
    )
