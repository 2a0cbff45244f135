"""Where each assistant keeps its logs, and which files there are logs."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kato.assistants.contract import LogFile, Surroundings
from kato.assistants.copilot.places import EDITORS
from kato.assistants.registry import ASSISTANTS

BY_NAME = {assistant.name: assistant for assistant in ASSISTANTS}


@pytest.mark.parametrize(
    ("name", "platform", "environment", "expected"),
    [
        ("claude", "linux", {}, "/home/u/.claude/projects"),
        ("claude", "linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/projects"),
        ("claude", "linux", {"CLAUDE_CONFIG_DIR": "~/c"}, "/home/u/c/projects"),
        ("claude", "linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/home/u/.claude/projects"),
        ("claude", "linux", {"CLAUDE_CONFIG_DIR": "~/c, /d"}, "/home/u/c/projects"),
        ("claude", "linux", {"CLAUDE_CONFIG_DIR": "~/c, /d"}, "/d/projects"),
        ("claude", "linux", {"CLAUDE_CONFIG_DIR": "/c, d"}, "/c, d/projects"),
        ("claude", "linux", {}, "/home/u/.config/claude/projects"),
        ("claude", "linux", {}, "/home/u/.config/Claude/local-agent-mode-sessions"),
        ("claude", "linux", {"XDG_CONFIG_HOME": "/cfg"}, "/cfg/Claude/local-agent-mode-sessions"),
        (
            "claude",
            "darwin",
            {},
            "/home/u/Library/Application Support/Claude/local-agent-mode-sessions",
        ),
        ("codex", "darwin", {}, "/home/u/.codex/sessions"),
        ("codex", "linux", {"CODEX_HOME": "/x"}, "/x/archived_sessions"),
        ("gemini", "linux", {}, "/home/u/.gemini/tmp"),
        ("gemini", "linux", {"GEMINI_CLI_HOME": "/g"}, "/g/.gemini/tmp"),
        ("copilot", "linux", {}, "/home/u/.config/Code/User/workspaceStorage"),
        (
            "copilot",
            "linux",
            {},
            "/home/u/.config/Code - Insiders/User/globalStorage/emptyWindowChatSessions",
        ),
        ("copilot", "linux", {}, "/home/u/.vscode-server/data/User/workspaceStorage"),
        ("copilot", "linux", {"XDG_CONFIG_HOME": "/cfg"}, "/cfg/Code/User/workspaceStorage"),
        ("copilot", "linux", {}, "/home/u/.copilot/session-state"),
        ("copilot", "darwin", {}, "/home/u/Library/Application Support/Code/User/workspaceStorage"),
        ("copilot", "linux", {}, "/home/u/.copilot/jb"),
        ("copilot", "linux", {}, "/home/u/.config/VSCodium - Insiders/User/workspaceStorage"),
        ("copilot", "linux", {}, "/home/u/.config/Positron/User/workspaceStorage"),
        ("copilot", "linux", {}, "/home/u/.vscodium-server/data/User/workspaceStorage"),
        ("copilot", "linux", {}, "/home/u/.vscode-oss-server/data/User/workspaceStorage"),
        ("copilot", "linux", {}, "/home/u/.cursor-server/data/User/workspaceStorage"),
        (
            "copilot",
            "linux",
            {"XDG_CONFIG_HOME": "/cfg"},
            "/home/u/.var/app/com.visualstudio.code/config/Code/User/workspaceStorage",
        ),
        (
            "copilot",
            "linux",
            {},
            "/home/u/.var/app/com.vscodium.codium/config/VSCodium/User/globalStorage/emptyWindowChatSessions",
        ),
        ("copilot", "linux", {"VSCODE_PORTABLE": "/p"}, "/p/user-data/User/workspaceStorage"),
    ],
)
def test_roots(name: str, platform: str, environment: dict[str, str], expected: str) -> None:
    assert expected in BY_NAME[name].roots(Surroundings(environment, "/home/u", platform))


def test_roots_on_windows() -> None:
    place = Surroundings({"APPDATA": "C:\\Users\\u\\AppData\\Roaming"}, "C:\\Users\\u", "win32")
    assert BY_NAME["claude"].roots(place) == [
        "C:\\Users\\u\\.claude\\projects",
        "C:\\Users\\u\\AppData\\Roaming\\Claude\\local-agent-mode-sessions",
        "C:\\Users\\u\\AppData\\Local\\Packages\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming\\Claude\\local-agent-mode-sessions",
    ]
    assert "C:\\Users\\u\\AppData\\Roaming\\Code\\User\\workspaceStorage" in BY_NAME["copilot"].roots(place)


@pytest.mark.parametrize(
    ("name", "path", "session", "parent"),
    [
        ("claude", "-w/0a1b.jsonl", "0a1b", None),
        ("claude", "-w/agent-77.jsonl", "agent-77", ""),
        ("claude", "-w/0a1b/subagents/agent-77.jsonl", "agent-77", "0a1b"),
        ("claude", "-w/0a1b/subagents/agent-acompact-7.jsonl", None, None),
        ("claude", "-w/0a1b/subagents/workflows/wf_1/journal.jsonl", None, None),
        ("claude", "-w/0a1b/tool-results/x.txt", None, None),
        ("claude", "-w/notes.md", None, None),
        ("claude", "-w/0a1b/subagents/workflows/wf_1/agent-77.jsonl", "agent-77", "0a1b"),
        ("claude", "a/b/local_1/.claude/projects/-w/0a1b.jsonl", "0a1b", None),
        ("claude", "a/b/agent/local_ditto_1/.claude/projects/-w/0a1b.jsonl", "0a1b", None),
        ("claude", "a/b/local_1/.claude/projects/-w/0a1b/subagents/agent-77.jsonl", "agent-77", "0a1b"),
        ("claude", "a/b/local_1/.claude/projects/-w/agent-77.jsonl", "agent-77", ""),
        ("claude", "a/b/local_1/audit.jsonl", None, None),
        ("claude", "a/b/local_1/outputs/x.jsonl", None, None),
        ("codex", "2026/05/11/rollout-2026-05-11T11-26-55-019e1625-789d.jsonl", "019e1625-789d", None),
        ("codex", "rollout-2026-05-11T11-26-55-019e1625-789d.jsonl", "019e1625-789d", None),
        ("codex", "2026/05/11/other.jsonl", None, None),
        ("gemini", "slug/chats/session-2025-12-01T21-45-5b959dae.json", "5b959dae", None),
        ("gemini", "slug/chats/session-2025-12-01T21-45-5b959dae.jsonl", "5b959dae", None),
        ("gemini", "slug/chats/5b959dae-1/x1.jsonl", "x1", "5b959dae-1"),
        ("gemini", "slug/logs.json", None, None),
        ("copilot", "h/chatSessions/s.json", "s", None),
        ("copilot", "h/chatSessions/s.jsonl", "s", None),
        ("copilot", "h/GitHub.copilot-chat/transcripts/s.jsonl", "s", None),
        ("copilot", "h/GitHub.copilot-chat/debug-logs/s/main.jsonl", None, None),
        ("copilot", "h/state.vscdb", None, None),
        ("copilot", "uuid/events.jsonl", "uuid", None),
        ("copilot", "s.jsonl", "s", None),
        ("copilot", "conversation/partition-12.jsonl", "conversation", None),
        ("copilot", "conversation/partition-x.jsonl", None, None),
        ("copilot", "workspaceStorage/h/chatSessions/s.json", "s", None),
        ("copilot", "workspaceStorage/h/GitHub.copilot-chat/transcripts/s.jsonl", "s", None),
        ("copilot", "globalStorage/emptyWindowChatSessions/s.json", "s", None),
        ("copilot", "profiles/p/globalStorage/emptyWindowChatSessions/s.json", "s", None),
        ("copilot", "globalStorage/storage.json", None, None),
        ("copilot", "settings.json", None, None),
        (
            "copilot",
            "0a1b2c3d-0000-4000-8000-00000000000a.json",
            "0a1b2c3d-0000-4000-8000-00000000000a",
            None,
        ),
        ("copilot", "session-state/uuid/events.jsonl", "uuid", None),
        ("copilot", "jb/conversation/partition-1.jsonl", "conversation", None),
    ],
)
def test_which_files_are_logs(name: str, path: str, session: str | None, parent: str | None) -> None:
    parts = path.split("/")
    found = BY_NAME[name].match(parts)
    assert (None if found is None else found.session_id) == session
    if found is not None:
        assert found.parent_id == parent
        assert all(BY_NAME[name].enter(parts[: depth + 1]) for depth in range(len(parts) - 1))


@pytest.mark.parametrize(
    "folder", ["History", "globalStorage/other", "h/other", "globalStorage/github.copilot-chat/logs"]
)
def test_copilots_folders_without_logs_are_not_listed(folder: str) -> None:
    assert not BY_NAME["copilot"].enter(folder.split("/"))


def folder_of(
    name: str, log: LogFile, companions: dict[str, bytes], folders: Sequence[str] = ()
) -> str | None:
    place = Surroundings({}, "/home/u", "linux", tuple(folders))
    return BY_NAME[name].reader(log, companions, place).info.cwd


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("file:///w/a%20b", "/w/a b"),
        ("file:///c%3A/work", "c:\\work"),
        ("vscode-remote://wsl+Ubuntu/home/u/w", "/home/u/w"),
        ("vscode-remote://ssh-remote+host/srv/w", "/srv/w"),
    ],
)
def test_copilots_workspace_file_names_the_folder(uri: str, expected: str) -> None:
    assert (
        folder_of("copilot", LogFile("s"), {"workspace.json": f'{{"folder": "{uri}"}}'.encode()}) == expected
    )
    assert folder_of("copilot", LogFile("s"), {"workspace.json": b"{"}) is None
    assert folder_of("copilot", LogFile("s"), {}) is None


def test_the_desktop_app_names_the_session_and_its_folders() -> None:
    path = "a/b/local_1/.claude/projects/-sessions-x/0a1b.jsonl"
    log = BY_NAME["claude"].match(path.split("/"))
    assert log is not None
    assert log.companions == ("a/b/local_1.json",)
    facts = {"title": "Invoices", "cwd": "/sessions/x", "userSelectedFolders": ["/w", "/v"]}
    companions = {"local_1.json": json.dumps(facts).encode()}
    reader = BY_NAME["claude"].reader(log, companions, Surroundings({}, "/home/u", "darwin"))
    record = {"type": "user", "uuid": "u1", "sessionId": "0a1b", "cwd": "/sessions/x/mnt"}
    for _ in range(2):
        reader.feed(json.dumps(record).encode() + b"\n")
        assert (reader.info.title, reader.info.cwd) == ("Invoices", "/w")
        assert reader.folders == ["/w", "/v"], "a folder of the virtual machine is not one of this machine"
        reader.restart()
    assert folder_of("claude", log, {"local_1.json": b'{"cwd": "/w"}'}) == "/w"
    assert folder_of("claude", log, {"local_1.json": b"["}) is None


def test_geminis_project_folder_is_named_listed_or_hashed() -> None:
    log = LogFile("s", project="slug")
    assert folder_of("gemini", log, {".project_root": b"/w\n"}) == "/w"
    assert folder_of("gemini", log, {"projects.json": b'{"projects": {"/v": "slug"}}'}) == "/v"
    hashed = LogFile("s", project=hashlib.sha256(b"/w").hexdigest())
    assert folder_of("gemini", hashed, {}, ["/x", "/w"]) == "/w"
    assert folder_of("gemini", log, {"projects.json": b"[]"}, ["/w"]) is None


def test_codex_names_are_in_its_index() -> None:
    index = b'{"id": "s", "thread_name": "First"}\nbroken\n{"id": "s", "thread_name": "Second"}\n'
    reader = BY_NAME["codex"].reader(
        LogFile("s"), {"session_index.jsonl": index}, Surroundings({}, "/", "linux")
    )
    assert reader.info.title == "Second"


def test_the_document_names_each_editor_that_may_have_copilots_chats() -> None:
    document = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
    named = document.partition("## Copilot")[2].partition("\n\n")[2].partition("\n\n")[0]
    for editor in EDITORS:
        assert editor.label in named


YAML = """id: s
cwd: /w/app
name: "Split: the parser"
user_named: true
client_name: vscode-agent-host
"""


@pytest.mark.parametrize(
    ("yaml", "title", "cwd"),
    [
        (YAML, "Split: the parser", "/w/app"),
        ("cwd: '/w/it''s'\nsummary: Old title\n", "Old title", "/w/it's"),
        ("name: >-\n  a folded\n  title\ncwd: /w\n", "a folded title", "/w"),
        ("name: null\ncwd: ~\n", None, None),
        ("name: [", "[", None),
        ("\x00\xff: x\n- y", None, None),
        ("", None, None),
    ],
)
def test_copilot_clis_workspace_file_names_the_session_and_its_folder(
    yaml: str, title: str | None, cwd: str | None
) -> None:
    assistant = BY_NAME["copilot"]
    log = assistant.match(["s", "events.jsonl"])
    assert log is not None
    assert log.companions == ("s/workspace.yaml",)
    reader = assistant.reader(log, {"workspace.yaml": yaml.encode()}, Surroundings({}, "/home/u", "linux"))
    assert (reader.info.title, reader.info.cwd) == (title, cwd)
    reader.take_companions({"workspace.yaml": b"name: Renamed"})
    assert reader.info.title == "Renamed"
