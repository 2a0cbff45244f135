"""Where each assistant keeps its list of MCP servers, and how Kato stands there. One entry an assistant."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from kato.channels.configuration import jsonc, toml
from kato.channels.configuration.place import Machine, Place

NAME: Final = "kato"
Entry = Callable[[str, Sequence[str]], dict[str, Any]]


def places(machine: Machine, command: Sequence[str]) -> list[Place]:
    """The assistants, with the command that starts `kato mcp`."""
    claude, gemini = (
        machine.folder("CLAUDE_CONFIG_DIR", ".claude"),
        machine.folder("GEMINI_CLI_HOME") / ".gemini",
    )
    claude_file = (claude if machine.environment.get("CLAUDE_CONFIG_DIR") else machine.home) / ".claude.json"
    codex, copilot = machine.folder("CODEX_HOME", ".codex"), machine.folder("COPILOT_HOME", ".copilot")
    code, cursor = _code_folder(machine), machine.home / ".cursor"
    return [
        _in_json("claude", "Claude Code", claude, claude_file, "mcpServers", _stdio, command),
        _in_toml("codex", "Codex", codex, codex / "config.toml", command),
        _in_json("gemini", "Gemini CLI", gemini, gemini / "settings.json", "mcpServers", _plain, command),
        _in_json(
            "copilot", "Copilot CLI", copilot, copilot / "mcp-config.json", "mcpServers", _local, command
        ),
        _in_json("vscode", "VS Code", code, code / "mcp.json", "servers", _stdio, command),
        _in_json("cursor", "Cursor", cursor, cursor / "mcp.json", "mcpServers", _plain, command),
    ]


def _code_folder(machine: Machine) -> Path:
    """The user's folder of VS Code."""
    if machine.platform == "win32":
        return machine.folder("APPDATA", "AppData", "Roaming") / "Code" / "User"
    if machine.platform == "darwin":
        return machine.home / "Library" / "Application Support" / "Code" / "User"
    return machine.folder("XDG_CONFIG_HOME", ".config") / "Code" / "User"


def _plain(program: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"command": program, "args": list(arguments)}


def _stdio(program: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"type": "stdio", **_plain(program, arguments)}


def _local(program: str, arguments: Sequence[str]) -> dict[str, Any]:
    return {"type": "local", **_plain(program, arguments), "tools": ["*"]}


def _in_json(
    name: str, title: str, folder: Path, path: Path, section: str, entry: Entry, command: Sequence[str]
) -> Place:
    program, *arguments = command
    where = (section, NAME)
    add = partial(jsonc.set_member, path=where, value=entry(program, arguments))
    return Place(name, title, folder, path, add, partial(jsonc.remove_member, path=where))


def _in_toml(name: str, title: str, folder: Path, path: Path, command: Sequence[str]) -> Place:
    program, *arguments = command
    where = ("mcp_servers", NAME)
    add = partial(toml.set_table, path=where, table={"command": program, "args": arguments})
    return Place(name, title, folder, path, add, partial(toml.remove_table, path=where))
