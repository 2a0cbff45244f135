"""Hooks as hosts run them: a real process for each prompt, real servers, and the sessions' logs."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from kato.app import chat
from kato.channels import BEHIND_ACP
from kato.channels.hooks import entry
from kato.cli.client import Client
from kato.core import limits
from kato.core.commands import COMMAND_NAMES
from kato.system import local_sockets
from logs import ClaudeLog, CodexLog, wait_for

Json = dict[str, Any]
pytestmark = pytest.mark.skipif(not local_sockets.IS_SUPPORTED, reason="Python has no local sockets here")


class Machine:
    """A user's machine: servers with open folders, and hosts that run the hook."""

    def __init__(self, start: Start, environment: dict[str, str], tmp_path: Path) -> None:
        self._start = start
        self.environment = environment
        self.home = Path(environment["HOME"])
        self.work = tmp_path / "work"
        self.work.mkdir()
        self.state = tmp_path / "state"

    def server(self, folder: Path | None = None) -> Client:
        """A server, in whose window a folder is open, and that answers."""
        client = self._start(initialize=False)
        client.initialize(
            options={"stateDir": str(self.state), "heartbeatSeconds": 0.2},
            folders=[str(folder or self.work)],
            capabilities={"experimental": {"katoNotice": True}},
        )
        path = Path(self.environment["KATO_RUNTIME_DIR"]) / f"{client.process.pid}.sock"
        wait_for(lambda: self._socket(client), f"the socket {path}")
        return client

    def _socket(self, client: Client) -> bool:
        client.request("kato/memory")
        return any(
            path.endswith(f"/{client.process.pid}.sock") for path in local_sockets.sockets(self.environment)
        )

    def hook(self, host: str, report: Any) -> Json | None:
        """What the hook prints for a report."""
        data = report if isinstance(report, bytes) else json.dumps(report).encode()
        done = subprocess.run(
            [sys.executable, "-m", "kato", "hook", host],
            input=data,
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return None if done.stdout == b"" else json.loads(done.stdout)

    def claude(self, log: ClaudeLog, prompt: str, **more: Any) -> Json | None:
        """A prompt in Claude Code."""
        report = {
            "hook_event_name": "UserPromptSubmit",
            "session_id": log.session,
            "transcript_path": str(log.path),
            "cwd": str(self.work),
            "prompt": prompt,
            "source": "user",
        }
        return self.hook("claude", report | more)


@pytest.fixture
def machine(start: Start, environment: dict[str, str], tmp_path: Path) -> Machine:
    return Machine(start, environment, tmp_path)


@pytest.fixture
def talk(machine: Machine) -> ClaudeLog:
    """A conversation in the folder, with nothing of `::` in it."""
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("What is a heap?"), *log.text("A tree with an order."))
    return log


def recorded(path: Path) -> Callable[[], bool]:
    return lambda: path.exists() and "A tree with an order." in path.read_text()


# --- Commands alone ---------------------------------------------------------------------------------------


def test_a_prompt_of_commands_alone_runs_and_costs_no_turn(machine: Machine, talk: ClaudeLog) -> None:
    machine.server()
    assert machine.claude(talk, "::capture notes/conv.md") == {
        "decision": "block",
        "reason": "Kato: recording to notes/conv.md",
    }
    note = machine.work / "notes" / "conv.md"
    assert recorded(note)()
    talk.write(talk.user("And a stack?"), *talk.text("A pile."))
    wait_for(lambda: "A pile." in note.read_text(), "what follows")
    assert machine.claude(talk, "::stop") == {
        "decision": "block",
        "reason": "Kato: stopped recording to notes/conv.md",
    }
    assert machine.claude(talk, "::stop") == {
        "decision": "block",
        "reason": "Kato: nothing was being recorded",
    }


def test_a_prompt_switches_the_conversation_off_and_on(machine: Machine, talk: ClaudeLog) -> None:
    client = machine.server()
    assert machine.claude(talk, "::off") == {
        "decision": "block",
        "reason": "Kato: nothing of this conversation is kept from here on; ::on resumes, and "
        f"`kato clean --session {talk.session}` removes what was kept",
    }
    talk.write(talk.user("SECRET"), *talk.text("SECRET"))
    assert machine.claude(talk, "::off") == {
        "decision": "block",
        "reason": "Kato: this conversation is off already: nothing of it is kept",
    }
    assert machine.claude(talk, "::on") == {
        "decision": "block",
        "reason": "Kato: this conversation is kept again",
    }
    talk.write(talk.user("back"))
    key = {"provider": "claude", "sessionId": talk.session}

    def contents() -> list[str]:
        return [event["content"] for event in client.request("kato/readSession", key)["events"]]

    wait_for(lambda: "back" in contents(), "what is said after ::on")
    assert "SECRET" not in contents()


@pytest.mark.parametrize("host_adds_words", [False, True])
def test_commands_that_ran_do_not_run_again_when_the_log_brings_them(
    machine: Machine, talk: ClaudeLog, host_adds_words: bool
) -> None:
    """In each window: one had the folder open and answered, the other one only reads the log."""
    machine.server()
    machine.server(machine.work.parent)
    assert machine.claude(talk, "::export a.md") is not None
    (machine.work / "a.md").unlink()
    words = "<system-reminder>A hook stopped it.</system-reminder>\n" if host_adds_words else ""
    talk.write(talk.user(f"{words}::export a.md", promptSource=None if words else "typed"))
    talk.write(talk.user("::export b.md", promptSource="typed"))
    wait_for((machine.work / "b.md").exists, "the command after it")
    assert not (machine.work / "a.md").exists()


def test_several_commands_are_answered_in_one_sentence(machine: Machine, talk: ClaudeLog) -> None:
    machine.server()
    answer = machine.claude(talk, "::init n.md\n\n::record\n::recrod")
    assert answer is not None
    assert answer["decision"] == "block"
    assert answer["reason"] == (
        "Kato: the note is n.md; ::record starts recording; recording to n.md; ::recrod is not a command; did you mean"
        " ::record?"
    )


def test_a_conversation_may_begin_with_a_command(machine: Machine) -> None:
    """The host wrote no log yet."""
    machine.server()
    (machine.home / ".claude" / "projects").mkdir(parents=True)
    log = ClaudeLog(machine.home, machine.work)
    assert machine.claude(log, "::record") is not None
    log.write(log.user("first words"), *log.text("A tree with an order."))
    (note,) = wait_for(lambda: [*(machine.work / "notes").glob("*.md")], "the note")
    wait_for(recorded(note), "the conversation in the note")


def test_a_path_that_the_policy_refuses_is_refused_in_the_chat(machine: Machine, talk: ClaudeLog) -> None:
    machine.server()
    answer = machine.claude(talk, f"::capture {machine.home}/.bashrc.md")
    assert answer is not None
    assert answer["reason"].startswith("Kato: ::capture failed: ")
    assert not (machine.home / ".bashrc.md").exists()


# --- Words and commands -----------------------------------------------------------------------------------


def test_words_go_through_and_the_user_sees_what_the_command_will_do(
    machine: Machine, talk: ClaudeLog
) -> None:
    machine.server()
    prompt = "Thanks.\n::capture n.md"
    assert machine.claude(talk, prompt) == {"systemMessage": "Kato: will capture to n.md and record there"}
    assert not (machine.work / "n.md").exists()
    talk.write(talk.user(prompt, promptSource="typed"))
    wait_for(recorded(machine.work / "n.md"), "the note")


def test_a_prompt_without_a_command_is_not_answered(machine: Machine, talk: ClaudeLog) -> None:
    machine.server()
    for prompt in ("hello", "std::vector", "`::capture`", "```\n::capture x.md\n```", "::before is CSS", ""):
        assert machine.claude(talk, prompt) is None


def test_what_the_host_reports_as_typed_is_proven(machine: Machine, talk: ClaudeLog) -> None:
    """The log alone leaves a doubt: text of the host stands in the same message."""
    machine.server()
    machine.claude(talk, "why?\n::export proven.md")
    talk.write(talk.user("<ide_opened_file>x</ide_opened_file> why?\n::export proven.md"))
    wait_for((machine.work / "proven.md").exists, "the export")


@pytest.mark.parametrize(
    "more", [{"source": "sdk"}, {"source": "system"}, {"source": None}, {"agent_id": "a1"}]
)
def test_a_prompt_that_the_user_did_not_type_runs_nothing(
    machine: Machine, talk: ClaudeLog, more: dict[str, Any]
) -> None:
    machine.server()
    answer = machine.claude(talk, "::capture n.md", **more)
    assert answer == {"systemMessage": "Kato: will capture to n.md and record there"}
    assert not (machine.work / "n.md").exists()


def test_a_report_about_a_log_that_is_not_the_hosts_runs_nothing(machine: Machine, talk: ClaudeLog) -> None:
    """Another program may run the hooks of Claude Code with sessions of its own."""
    machine.server()
    other = machine.work / "session.jsonl"
    other.write_text("{}\n")
    assert machine.claude(talk, "::capture n.md", transcript_path=str(other)) is None
    stranger = ClaudeLog(machine.home, machine.work)
    assert machine.claude(stranger, "::capture n.md", transcript_path=None) == {
        "systemMessage": "Kato: will capture to n.md and record there"
    }
    assert not (machine.work / "n.md").exists()


def test_a_conversation_of_long_ago_is_read_before_its_command_runs(
    machine: Machine, talk: ClaudeLog
) -> None:
    """The server listed its log only."""
    os.utime(talk.path, (1, 1))
    machine.server()
    assert machine.claude(talk, "::export old.md") == {
        "decision": "block",
        "reason": "Kato: exported to old.md",
    }
    assert recorded(machine.work / "old.md")()


def test_a_host_that_names_no_log_is_answered_about_a_conversation_that_kato_knows(
    machine: Machine, talk: ClaudeLog
) -> None:
    client = machine.server()
    wait_for(lambda: client.request("kato/status")["sessions"], "the conversation")
    answer = machine.claude(talk, "::export known.md", transcript_path=None)
    assert answer == {"decision": "block", "reason": "Kato: exported to known.md"}


@pytest.mark.parametrize("is_named", [True, False], ids=["a folder", "all folders"])
def test_kato_watch_answers_like_a_window(machine: Machine, talk: ClaudeLog, is_named: bool) -> None:
    command = [sys.executable, "-m", "kato", "watch", "--state-dir", str(machine.state)]
    command += [str(machine.work)] if is_named else []
    watch = subprocess.Popen(command, env=machine.environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: local_sockets.sockets(machine.environment), "the socket")
        answer = machine.claude(talk, "::capture w.md")
        assert answer == {"decision": "block", "reason": "Kato: recording to w.md"}
        talk.write(*talk.text("more"))
        answer = machine.claude(talk, "::export x.md")
        assert answer == {"decision": "block", "reason": "Kato: exported to x.md"}
        assert "more" in (machine.work / "x.md").read_text()
        stranger = ClaudeLog(machine.home, machine.work)
        answer = machine.claude(stranger, "::capture first.md")
        assert answer == {"decision": "block", "reason": "Kato: recording to first.md"}
    finally:
        watch.terminate()
        watch.wait(30)
    assert local_sockets.sockets(machine.environment) == []


# --- Which Kato answers -----------------------------------------------------------------------------------


def test_without_a_running_kato_the_user_learns_how_to_start_one(machine: Machine, talk: ClaudeLog) -> None:
    answer = machine.claude(talk, "::capture n.md")
    assert answer is not None
    assert answer["decision"] == "block"
    assert "not running" in answer["reason"]
    assert "kato watch" in answer["reason"]
    mixed = machine.claude(talk, "Thanks.\n::capture n.md")
    assert mixed is not None
    assert mixed.keys() == {"systemMessage"}
    assert "nothing was done" in answer["reason"]
    assert "nothing was done" not in mixed["systemMessage"], "a Kato that starts soon runs it from the log"
    assert machine.claude(talk, "a::b\n::before") is None


def test_the_window_with_the_nearest_folder_answers(
    machine: Machine, talk: ClaudeLog, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    machine.server(other)
    answer = machine.claude(talk, "::record")
    assert answer is not None
    assert "in other folders" in answer["reason"]
    machine.server(tmp_path)
    near = machine.server(machine.work)
    answer = machine.claude(talk, "::record")
    assert answer is not None
    assert "recording to" in answer["reason"]
    done = [one for one in near.notifications if one["method"] == "kato/commandExecuted"]
    wait_for(lambda: near.request("kato/status")["recordings"]["activeRecordings"] == 1, "the recording")
    done = [one for one in near.notifications if one["method"] == "kato/commandExecuted"]
    assert [one["params"]["command"] for one in done] == ["record"]


def test_sockets_of_killed_servers_are_ignored_and_removed(machine: Machine, talk: ClaudeLog) -> None:
    dead = machine.server()
    dead.process.kill()
    dead.process.wait()
    (path,) = local_sockets.sockets(machine.environment)
    machine.server()
    assert path not in local_sockets.sockets(machine.environment)
    answer = machine.claude(talk, "::record")
    assert answer is not None
    assert "recording to" in answer["reason"]


def test_what_is_not_a_socket_of_kato_stays_in_the_folder(machine: Machine) -> None:
    folder = Path(machine.environment["KATO_RUNTIME_DIR"])
    folder.mkdir(mode=0o700)
    (folder / "notes.md").write_text("mine")
    (folder / "1.sock").write_text("mine, too")
    machine.server()
    assert len(local_sockets.sockets(machine.environment)) == 1
    assert {"notes.md", "1.sock"} < {one.name for one in folder.iterdir()}


def test_a_kato_that_does_not_answer_costs_a_second_at_most(machine: Machine, talk: ClaudeLog) -> None:
    (folder,) = local_sockets.folders(machine.environment)
    Path(folder).mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/1.sock")
        silent.listen()
        answer = machine.claude(talk, "Thanks.\n::capture n.md")
    assert answer == {"systemMessage": "Kato: busy; the command runs as soon as it can"}


def test_a_server_removes_its_socket_at_its_end_and_keeps_it_for_its_user(machine: Machine) -> None:
    client = machine.server()
    (path,) = local_sockets.sockets(machine.environment)
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert Path(path).parent.stat().st_mode & 0o777 == 0o700
    client.close()
    assert local_sockets.sockets(machine.environment) == []


def test_a_folder_that_others_can_enter_is_not_used(machine: Machine) -> None:
    (folder,) = local_sockets.folders(machine.environment)
    client = machine.server()
    client.close()
    Path(folder).chmod(0o777)
    assert local_sockets.sockets(machine.environment) == []
    client = machine._start()
    client.request("kato/memory")
    assert list(Path(folder).iterdir()) == []


# --- Hosts ------------------------------------------------------------------------------------------------


def test_codex_is_answered_in_its_own_form(machine: Machine) -> None:
    machine.server()
    log = CodexLog(machine.home, machine.work)
    log.write(*log.start, *log.user("hello"), *log.text("A tree with an order."))
    report = {
        "hook_event_name": "UserPromptSubmit",
        "session_id": log.session,
        "turn_id": "t2",
        "transcript_path": str(log.path),
        "cwd": str(machine.work),
        "model": "gpt",
        "prompt": "::capture n.md",
    }
    assert machine.hook("codex", report) == {"decision": "block", "reason": "Kato: recording to n.md"}
    assert recorded(machine.work / "n.md")()
    assert machine.hook("codex", report | {"prompt": "so\n::stop"}) == {
        "systemMessage": "Kato: will stop recording"
    }


def test_gemini_takes_the_prompt_back_and_copilot_shows_nothing(machine: Machine) -> None:
    report = {"session_id": "s", "sessionId": "s", "cwd": str(machine.work), "prompt": "::stop"}
    answer = machine.hook("gemini", report)
    assert answer is not None
    assert answer["decision"] == "deny"
    assert answer["systemMessage"] == answer["reason"]
    assert machine.hook("copilot", report) is None


def test_cursor_gives_kato_the_conversation_itself(machine: Machine) -> None:
    """Kato reads no logs of Cursor: its hooks are the source."""
    machine.server()
    base = {"conversation_id": "c", "generation_id": "g1", "workspace_roots": [str(machine.work)]}
    ask = base | {"hook_event_name": "beforeSubmitPrompt"}
    reply = base | {"hook_event_name": "afterAgentResponse"}
    assert machine.hook("cursor", ask | {"prompt": "What is a heap?"}) == {"continue": True}
    assert machine.hook("cursor", reply | {"text": "A tree with an order."}) == {"continue": True}
    assert machine.hook("cursor", ask | {"generation_id": "g2", "prompt": "::capture n.md"}) == {
        "continue": False,
        "user_message": "Kato: recording to n.md",
    }
    assert recorded(machine.work / "n.md")()
    assert machine.hook("cursor", ask | {"generation_id": "g3", "prompt": "more\n::stop"}) == {
        "continue": True
    }


def test_behind_kato_acp_hooks_do_nothing(machine: Machine, talk: ClaudeLog) -> None:
    """`kato acp` gets the same prompts: it stores them, runs their commands and answers them."""
    server = machine.server()
    machine.environment = machine.environment | {BEHIND_ACP: "1"}
    assert machine.claude(talk, "::capture n.md") is None
    cursor = {"conversation_id": "c", "generation_id": "g1", "workspace_roots": [str(machine.work)]}
    report = cursor | {"hook_event_name": "beforeSubmitPrompt", "prompt": "::capture n.md"}
    assert machine.hook("cursor", report) == {"continue": True}
    status = server.request("kato/status", {"includeStale": True})
    assert "cursor" not in [one["provider"] for one in status["sessions"]]
    assert not (machine.work / "n.md").exists()


# --- Hostile reports --------------------------------------------------------------------------------------


REPORTS: list[Any] = [
    b"",
    b"::",
    b"::" + b"[" * 100_000,
    b"\xff::",
    5,
    [],
    {"prompt": "::stop"},
    {"prompt": "::stop", "session_id": ""},
    {"prompt": "::stop", "session_id": 5},
    {"prompt": ["::stop"], "session_id": "s"},
    {"prompt": "::stop" + "\n::stop" * 100_000, "session_id": "s"},
    {"prompt": "::stop", "session_id": "x" * 10_000, "cwd": "/x", "source": "user"},
    {"prompt": "::stop", "session_id": "s", "transcript_path": "/nul\0", "cwd": "\0"},
    {"prompt": "::stop \ud800", "session_id": "\ud800"},
]


@pytest.mark.parametrize("host", ["claude", "cursor", "unheard-of"])
def test_no_report_fails_a_prompt(machine: Machine, host: str) -> None:
    client = machine.server()
    for report in REPORTS:
        answer = machine.hook(host, report)
        assert answer is None or answer.get("decision") != "block" or "not running" not in answer["reason"]
    assert client.request("kato/memory")


REQUESTS = [
    b"",
    b"\n",
    b"[]\n",
    b"{}\n",
    b'{"op":"prompt"}\n',
    b'{"op":"rm","provider":"claude","sessionId":"s"}\n',
    b'{"op":"capture","provider":"claude","sessionId":"s","path":"n.md"}\n',
    b'{"op":"message","provider":"claude","sessionId":"s","turn":"","role":"user","text":""}\n',
    b'{"op":"message","provider":"claude","sessionId":"s","turn":"t","role":"user","text":"::record"}\n',
    b"x" * 2_000_000,
]


def test_no_request_on_the_socket_ends_the_server(machine: Machine) -> None:
    client = machine.server()
    (path,) = local_sockets.sockets(machine.environment)
    for request in REQUESTS:
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.connect(path)
            connection.sendall(request)  # a long one is given up
    assert client.request("kato/memory")
    look = {"op": "look", "provider": "claude", "sessionId": "s", "cwd": str(machine.work)}
    answer = wait_for(lambda: local_sockets.ask(path, look, 5), "an answer")
    assert answer["rank"] > 1
    assert client.request("kato/status")["sessions"] == []


# --- The entry --------------------------------------------------------------------------------------------


def test_the_entry_imports_next_to_nothing(environment: dict[str, str]) -> None:
    script = "import sys, kato.channels.hooks.entry; print(*sorted(n for n in sys.modules if n.startswith('kato')))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "kato",
        "kato.channels",
        "kato.channels.hooks",
        "kato.channels.hooks.entry",
        "kato.channels.hooks.hosts",
        "kato.system",
        "kato.system.local_sockets",
    ]
    script = "import sys, kato.channels.hooks.entry; print('asyncio' in sys.modules, 'orjson' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_what_is_declared_twice_agrees() -> None:
    assert set(chat._PLANS) == set(chat._DONE) == set(COMMAND_NAMES)
    assert entry.ID_CHARS_MAX == limits.ID_CHARS_MAX
