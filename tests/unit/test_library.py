"""Kato as a library: `import kato`, logs that are read, an engine in another program's process."""

import ast
import re
import subprocess
import sys
from datetime import timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import kato
import library_program
from kato.core import limits
from kato.core.errors import LogNotRecognized
from logs import ClaudeLog, CodexLog, append
from test_architecture import STATE

ROOT = Path(__file__).resolve().parents[2]
SESSION = "3f2a9c1e-1111-4111-8111-111111111111"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without conversations, in a folder of their own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "COPILOT_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def claude_log(path: Path, *more: dict[str, Any]) -> Path:
    log = ClaudeLog(path.parent, Path("/work"), SESSION)
    log.path = path
    log.write(
        log.user("How does a B-tree split?", timestamp="2026-11-24T14:30:00.000Z"),
        *[one | {"timestamp": "2026-11-24T14:31:00.000Z"} for one in log.text("At its middle key.")],
        {"type": "ai-title", "aiTitle": "B-trees", "sessionId": SESSION},
        *more,
    )
    return path


def codex_log(path: Path) -> Path:
    log = CodexLog(path.parent, Path("/work"))
    log.path = path
    log.write(*log.start, *log.user("hello"), *log.text("hi"))
    return path


def copilot_log(path: Path) -> Path:
    moment = "2026-11-24T14:30:00.000Z"
    kinds = [("session.start", {"sessionId": "c1"}), ("user.message", {"content": "explore"})]
    append(
        path,
        *(
            {"type": kind, "data": data, "id": f"e{number}", "timestamp": moment}
            for number, (kind, data) in enumerate(kinds)
        ),
    )
    return path


def gemini_log(path: Path) -> Path:
    moment = "2026-11-24T14:30:00.000Z"
    head = {"sessionId": "g1", "projectHash": "x", "startTime": moment, "kind": "main"}
    append(path, head, {"id": "u1", "timestamp": moment, "type": "user", "content": [{"text": "why?"}]})
    return path


# --- The package -----------------------------------------------------------------------------------------


def test_each_public_name_is_declared_for_the_importer_the_type_checker_and_the_loader() -> None:
    tree = ast.parse(Path(str(kato.__file__)).read_text())
    checked = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    loaded = {name: module for module, names in kato._MODULES.items() for name in names.split()}
    assert loaded == checked
    assert sorted([*loaded, "__version__"]) == sorted(kato.__all__)
    for name in kato.__all__:
        assert getattr(kato, name) is not None
        assert name in dir(kato)
    with pytest.raises(AttributeError, match="no attribute 'parse'"):
        kato.parse  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_loads_nothing_of_it() -> None:
    program = "import sys, kato; print(*[one for one in sys.modules if one.startswith(('kato.', 'msgspec', 'sqlite3'))])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_each_public_function_and_class_has_a_docstring() -> None:
    for name in kato.__all__:
        value = getattr(kato, name)
        if callable(value) and not isinstance(value, ModuleType):
            assert value.__doc__, name


def test_opening_an_engine_changes_nothing_of_the_process(tmp_path: Path) -> None:
    program = STATE.replace(
        "import {module}",
        f"""
import kato
with kato.open_engine({str(tmp_path / "state")!r}) as engine:
    assert engine.sessions() == []
    inside = state()
    assert inside[:-3] == before[:-3], (before, inside)
    engine.heartbeat()
""",
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_typed_program_runs(home: Path) -> None:
    assert library_program.main(str(claude_log(home / "session.jsonl")), str(home / "state")) == 0


EXAMPLES = re.findall(
    r"^```python\n(.*?)^```\n\n```text\n(.*?)^```",
    (ROOT / "docs/library.md").read_text(),
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize(("program", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_documents_examples_run_as_they_stand(home: Path, program: str, expected: str) -> None:
    claude_log(home / "session.jsonl")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == expected, done.stderr


def test_every_example_in_the_document_is_run() -> None:
    assert len(EXAMPLES) == (ROOT / "docs/library.md").read_text().count("```python")


# --- Logs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name", "assistant"),
    [
        (claude_log, f".claude/projects/-work/{SESSION}.jsonl", "claude"),  # by its place
        (claude_log, f"backup/{SESSION}.jsonl", "claude"),
        (claude_log, "download.jsonl", "claude"),
        (codex_log, "download.jsonl", "codex"),
        (codex_log, f"backup/rollout-2026-11-24T14-30-00-{SESSION}.jsonl", "codex"),
        (copilot_log, "c1/events.jsonl", "copilot"),
        (copilot_log, "download.jsonl", "copilot"),
        (gemini_log, "tmp/app/chats/session-2026-11-24T14-30-3f2a9c1e.jsonl", "gemini"),
        (gemini_log, "download.jsonl", "gemini"),
    ],
)
def test_the_assistant_is_found_by_place_name_and_content(
    home: Path, make: Any, name: str, assistant: str
) -> None:
    log = kato.parse_log(make(home / name))
    assert log.assistant.name == assistant
    assert isinstance(log.events[0], kato.UserMessage)
    assert dict(log.problems) == {}


def test_a_log_in_an_assistants_folder_is_its_log_whatever_it_holds(home: Path) -> None:
    path = home / ".claude" / "projects" / "-work" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert kato.parse_log(path).events == []


@pytest.mark.parametrize("text", ["", "hello\n", "{}\n", '{"type": "ping"}\n', "[1, 2]\n", "\x00" * 1000])
def test_a_file_that_is_not_a_log_is_refused(home: Path, text: str) -> None:
    path = home / "notes.jsonl"
    path.write_text(text)
    with pytest.raises(LogNotRecognized, match="is not a session log of Claude Code or "):
        kato.parse_log(path)


def test_a_log_can_be_read_as_that_of_a_named_assistant(home: Path) -> None:
    path = claude_log(home / "download.jsonl")
    assert kato.parse_log(path, "claude").session.title == "B-trees"
    assert kato.parse_log(path, kato.ASSISTANTS[0]).assistant is kato.ASSISTANTS[0]
    with pytest.raises(LogNotRecognized, match="is not a session log of Codex"):
        kato.parse_log(path, "codex")
    with pytest.raises(ValueError, match="'klaude' is not the name of an assistant; known are claude, codex"):
        kato.parse_log(path, "klaude")
    with pytest.raises(FileNotFoundError):
        kato.parse_log(home / "missing.jsonl")


def test_problems_are_counted_and_events_come_once(home: Path) -> None:
    log = ClaudeLog(home, Path("/work"), SESSION)
    line = log.user("again")
    path = claude_log(home / "session.jsonl", line, line, log.line("novelty", {}), log.line("novelty", {}))
    parsed = kato.parse_log(path)
    assert [one.content for one in parsed.events if isinstance(one, kato.UserMessage)].count("again") == 1
    ((problem, count),) = parsed.problems.items()
    assert (problem.kind, problem.detail, count) == ("unknown_kind", "novelty", 2)


def test_a_long_log_is_read_a_piece_at_a_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_READ_BYTES", 1024)
    path = claude_log(home / "session.jsonl")
    log = ClaudeLog(home, Path("/work"), SESSION)
    log.path = path
    log.write(*(log.user(f"number {number} {'x' * 500}") for number in range(100)))
    events = kato.iter_log(path, "claude")
    first = next(events)
    assert isinstance(first, kato.UserMessage)
    assert events._tail.offset < path.stat().st_size / 10, "the rest has not been read yet"
    assert sum(isinstance(event, kato.UserMessage) for event in events) == 100
    assert events.session.title == "B-trees"


# --- An engine -------------------------------------------------------------------------------------------


def test_an_engine_stores_events_once_and_gives_them_back(home: Path) -> None:
    log = kato.parse_log(claude_log(home / "session.jsonl"))
    key = kato.SessionKey("claude", log.session.session_id)
    with kato.open_engine(home / "state") as engine:
        assert engine.append(log.events)[:2] == (2, 0)
        assert engine.append(log.events)[:2] == (0, 2)
    with kato.open_engine(home / "state") as engine:
        assert list(engine.events(key)) == log.events
        assert len(list(engine.events(key, after=1))) == 1
        assert "At its middle key." in engine.markdown(key)
        assert [one.key for one in engine.sessions()] == [key]
        assert (
            engine.status().memory.snapshots.budget_bytes == limits.DAEMON_MAX_MEMORY_MB_DEFAULT * limits.MIB
        )
        with pytest.raises(kato.UnknownSession):
            engine.events(kato.SessionKey("claude", "unknown"))


def test_commands_in_messages_run_only_on_request(home: Path) -> None:
    log = ClaudeLog(home, home, SESSION)
    log.path = home / "session.jsonl"
    log.write(log.user("hello\n::capture talk.md"))
    events = kato.parse_log(log.path).events
    with kato.open_engine(home / "state", folders=[home]) as engine:
        assert engine.append(events, cwd=home).commands == []
    assert not (home / "talk.md").exists()
    with kato.open_engine(home / "other", folders=[home]) as engine:
        (outcome,) = engine.append(events, cwd=home, run_commands=True).commands
    assert (outcome.command, outcome.status) == ("capture", "ok")
    assert "hello" in (home / "talk.md").read_text()


def test_notes_are_written_in_the_named_folders_only(home: Path) -> None:
    log = kato.parse_log(claude_log(home / "session.jsonl"))
    key = kato.SessionKey("claude", log.session.session_id)
    with kato.open_engine(home / "state") as engine:
        engine.append(log.events)
        outcome = engine.run(key, "capture", str(home / "talk.md"))
    assert outcome.status == "error"
    assert not (home / "talk.md").exists()


def test_settings_are_those_of_the_call_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KATO_DAEMON_MAX_MEMORY_MB", "7")
    with kato.open_engine(home / "state", settings={"journal": False, "daemonMaxMemoryMb": 9}) as engine:
        status = engine.status()
    assert status.memory.journal is None
    assert status.memory.daemon_max_memory_bytes == 9 * limits.MIB
    with pytest.raises(
        kato.SettingsInvalid, match=r"journl \(open_engine\): is not a setting; did you mean journal"
    ):
        kato.open_engine(home / "state", settings={"journl": False}).__enter__()


def test_a_rendered_transcript_is_the_engines(home: Path) -> None:
    log = kato.parse_log(claude_log(home / "session.jsonl"))
    options = kato.MarkdownOptions()
    transcript = kato.Transcript(options, timezone.utc)
    text = "".join(map(transcript.feed, log.events)) + transcript.finish()
    with kato.open_engine(home / "state", settings={"markdown.timezone": "UTC"}) as engine:
        engine.append(log.events)
        assert engine.markdown(kato.SessionKey("claude", log.session.session_id)) == text
