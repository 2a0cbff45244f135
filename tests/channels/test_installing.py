"""`kato mcp install` and `kato hooks install` on a user's configuration, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kato.channels.configuration import toml
from kato.channels.hooks.hosts import HOSTS
from terminal import run_kato


class User:
    """A user with a home folder, who runs `kato`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.home = Path(environment["HOME"])

    def kato(self, *arguments: str, code: int = 0) -> str:
        done = run_kato(*arguments, cwd=self.home, environment=self.environment, code=code)
        return done.stdout + done.stderr

    def write(self, path: str, text: str) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def values(self, path: str) -> Any:
        text = (self.home / path).read_text()
        return toml.value_of(text) if path.endswith(".toml") else json.loads(text)


@pytest.fixture
def someone(environment: dict[str, str]) -> User:
    return User(environment)


KATO = str(Path(sys.executable).with_name("kato"))
PLAIN = {"command": KATO, "args": ["mcp"]}
SERVERS: dict[str, tuple[str, str, Any]] = {
    "claude": (".claude.json", "mcpServers", {"type": "stdio", **PLAIN}),
    "codex": (".codex/config.toml", "mcp_servers", PLAIN),
    "gemini": (".gemini/settings.json", "mcpServers", PLAIN),
    "copilot": (".copilot/mcp-config.json", "mcpServers", {"type": "local", **PLAIN, "tools": ["*"]}),
    "vscode": (".config/Code/User/mcp.json", "servers", {"type": "stdio", **PLAIN}),
    "cursor": (".cursor/mcp.json", "mcpServers", PLAIN),
}
GROUP = {"type": "command", "command": f"{KATO} hook NAME", "timeout": 5}
HOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "claude": (".claude/settings.json", {"UserPromptSubmit": [{"hooks": [GROUP]}]}),
    "codex": (".codex/hooks.json", {"UserPromptSubmit": [{"hooks": [GROUP]}]}),
    "gemini": (
        ".gemini/settings.json",
        {"BeforeAgent": [{"hooks": [{"name": "kato", **GROUP, "timeout": 5000}]}]},
    ),
    "copilot": (
        ".copilot/hooks/kato.json",
        {
            "userPromptSubmitted": [
                {
                    "type": "command",
                    "bash": f"{KATO} hook NAME",
                    "powershell": f"{KATO} hook NAME",
                    "timeoutSec": 5,
                }
            ]
        },
    ),
    "cursor": (
        ".cursor/hooks.json",
        {
            "beforeSubmitPrompt": [{"command": f"{KATO} hook NAME"}],
            "afterAgentResponse": [{"command": f"{KATO} hook NAME"}],
        },
    ),
}
NO_LAUNCHER = pytest.mark.skipif(not Path(KATO).exists(), reason="Kato is not installed beside this Python")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the places are those of Linux")


@LINUX
@NO_LAUNCHER
@pytest.mark.parametrize("name", SERVERS)
def test_the_server_is_registered_where_each_assistant_looks(someone: User, name: str) -> None:
    path, section, entry = SERVERS[name]
    assert path in someone.kato("mcp", "install", name)
    assert someone.values(path) == {section: {"kato": entry}}
    assert "registered already" in someone.kato("mcp", "install", name)
    assert ": registered (" in someone.kato("mcp", "status", name)
    someone.kato("mcp", "uninstall", name)
    assert someone.values(path) == {}
    assert "not registered" in someone.kato("mcp", "status", name)


@LINUX
@NO_LAUNCHER
@pytest.mark.parametrize("name", HOOKS)
def test_the_hook_is_registered_where_each_host_looks(someone: User, name: str) -> None:
    path, hooks = HOOKS[name]
    someone.kato("hooks", "install", name)
    assert someone.values(path)["hooks"] == json.loads(json.dumps(hooks).replace("NAME", name))
    assert "registered already" in someone.kato("hooks", "install", name)
    someone.kato("hooks", "uninstall", name)
    left = someone.home / path
    assert not left.exists() or "hooks" not in json.loads(left.read_text())


def test_each_host_can_be_installed() -> None:
    assert set(HOOKS) == set(HOSTS)


def test_the_rest_of_the_file_stays_byte_for_byte(someone: User) -> None:
    text = '{\n   "model": "opus", // mine\n   "hooks": {\n      "Stop": [ {"hooks": []} ]\n   },\n}\n'
    file = someone.write(".claude/settings.json", text)
    someone.kato("hooks", "install", "claude")
    assert '"model": "opus", // mine' in file.read_text()
    assert file.with_name("settings.json.before-kato").read_text() == text
    someone.kato("hooks", "uninstall", "claude")
    assert file.read_text() == text


@pytest.mark.parametrize("command", ["hooks", "mcp"])
def test_a_file_that_kato_made_is_not_kept_as_the_users(someone: User, command: str) -> None:
    someone.kato(command, "install", "claude", "codex", "gemini")
    said = someone.kato(command, "uninstall", "claude", "codex", "gemini")
    assert said.count("taken out of") == 3
    assert list(someone.home.rglob("*.before-kato")) == []


def test_a_dry_run_shows_the_change_and_makes_none(someone: User) -> None:
    file = someone.write(".codex/config.toml", 'model = "gpt"\n')
    shown = someone.kato("mcp", "install", "codex", "--dry-run")
    assert "+[mcp_servers.kato]" in shown
    assert str(file) in shown
    assert file.read_text() == 'model = "gpt"\n'
    assert [one.name for one in file.parent.iterdir()] == ["config.toml"]
    assert "+" in someone.kato("hooks", "install", "gemini", "--dry-run")
    assert not (someone.home / ".gemini").exists()


def test_without_a_name_the_assistants_that_are_used_here_are_chosen(someone: User) -> None:
    (someone.home / ".gemini").mkdir()
    (someone.home / ".cursor").mkdir()
    shown = someone.kato("mcp", "install")
    assert "Gemini" in shown
    assert "Cursor" in shown
    assert not (someone.home / ".claude.json").exists()


def test_a_hook_of_an_earlier_installation_is_replaced_and_foreign_hooks_stay(someone: User) -> None:
    mine = {"hooks": [{"type": "command", "command": "notify hook claude"}]}
    old = {"hooks": [{"type": "command", "command": "/old/bin/kato hook claude", "timeout": 5}]}
    file = someone.write(
        ".claude/settings.json", json.dumps({"hooks": {"UserPromptSubmit": [mine, old]}}, indent=2)
    )
    assert "another command" in someone.kato("hooks", "status", "claude")
    someone.kato("hooks", "install", "claude")
    found = json.loads(file.read_text())["hooks"]["UserPromptSubmit"]
    assert found[0] == mine
    assert len(found) == 2
    assert "/old/" not in file.read_text()


@pytest.mark.parametrize("text", ["{ broken", "[]", '{"hooks": []}', '{"hooks": {"UserPromptSubmit": {}}}'])
def test_a_file_that_kato_does_not_understand_is_left_as_it_is(someone: User, text: str) -> None:
    file = someone.write(".claude/settings.json", text)
    said = someone.kato("hooks", "install", "claude", "cursor", code=1)
    assert f"{file} was left as it is" in said
    assert file.read_text() == text
    assert (someone.home / ".cursor" / "hooks.json").exists()


def test_an_assistant_that_does_not_exist_is_refused(someone: User) -> None:
    assert "not one of claude, codex" in someone.kato("hooks", "install", "clyde", code=2)
    assert "name the one to prepare" in someone.kato("mcp", "install", code=1)


@pytest.mark.parametrize("command", ["mcp", "hooks"])
def test_an_assistant_whose_configuration_is_unknown_is_refused_by_its_title(
    someone: User, command: str
) -> None:
    said = someone.kato(command, "install", "commandcode", code=2)
    assert (
        "the sessions of Command Code, but does not know its configuration files; write one of claude, "
        in said
    )


@NO_LAUNCHER
def test_the_registered_command_works_in_a_folder_with_modules_of_the_same_names(someone: User) -> None:
    """A folder that the user does not trust must not become a place of modules."""
    someone.kato("hooks", "install", "cursor")
    (item,) = someone.values(".cursor/hooks.json")["hooks"]["beforeSubmitPrompt"]
    evil = someone.home / "evil"
    (evil / "kato").mkdir(parents=True)
    for name in ("kato/__init__.py", "json.py", "socket.py", "re.py"):
        (evil / name).write_text("raise SystemExit(9)")
    report = json.dumps({"conversation_id": "c", "generation_id": "g", "prompt": "hello"})
    done = subprocess.run(
        item["command"],
        shell=True,
        input=report,
        cwd=evil,
        env=someone.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"continue": True}
