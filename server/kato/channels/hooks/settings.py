"""Where each host keeps its hooks, and how Kato's stands there. One entry a host."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from kato.channels.configuration import jsonc
from kato.channels.configuration.launcher import as_shell
from kato.channels.configuration.place import Machine, Place
from kato.channels.hooks.hosts import CLAUDE, CODEX, COPILOT, CURSOR, GEMINI, Host

#: How long a host waits for the hook, which ends within about a second by itself.
_SECONDS: Final = 5
_TRUST: Final = "Codex runs a new hook only when you trust it: type /hooks in Codex."
_SILENT: Final = (
    "Copilot CLI shows nothing of what a hook answers: its hook makes commands count as typed, and no more."
)

Item = dict[str, Any]


def places(machine: Machine, launcher: Sequence[str]) -> list[Place]:
    """The hosts, with the command that starts Kato."""
    claude, gemini = (
        machine.folder("CLAUDE_CONFIG_DIR", ".claude"),
        machine.folder("GEMINI_CLI_HOME") / ".gemini",
    )
    codex, copilot = machine.folder("CODEX_HOME", ".codex"), machine.folder("COPILOT_HOME", ".copilot")
    cursor = machine.home / ".cursor"
    return [
        _place(CLAUDE, "Claude Code", claude, claude / "settings.json", _group(_SECONDS), launcher),
        _place(CODEX, "Codex", codex, codex / "hooks.json", _group(_SECONDS), launcher, advice=_TRUST),
        _place(
            GEMINI,
            "Gemini CLI",
            gemini,
            gemini / "settings.json",
            _group(1000 * _SECONDS, name="kato"),
            launcher,
        ),
        _place(
            COPILOT,
            "Copilot CLI",
            copilot,
            copilot / "hooks" / "kato.json",
            lambda command: {
                "type": "command",
                "bash": command,
                "powershell": command,
                "timeoutSec": _SECONDS,
            },
            launcher,
            version=1,
            is_own=True,
            advice=_SILENT,
        ),
        _place(
            CURSOR,
            "Cursor",
            cursor,
            cursor / "hooks.json",
            lambda command: {"command": command},
            launcher,
            version=1,
        ),
    ]


def _group(timeout: int, **more: str) -> Callable[[str], Item]:
    """The form of Claude Code, which others took over; `timeout` in the host's unit."""
    return lambda command: {"hooks": [{**more, "type": "command", "command": command, "timeout": timeout}]}


def _place(
    host: Host,
    title: str,
    folder: Path,
    path: Path,
    item: Callable[[str], Item],
    launcher: Sequence[str],
    *,
    version: int | None = None,
    is_own: bool = False,
    advice: str = "",
) -> Place:
    command = as_shell([*launcher, "hook", host.name])
    events = [event for event in (host.event, host.reply_event) if event]
    return Place(
        host.name,
        title,
        folder,
        path,
        partial(_add, host=host, events=events, item=item(command), version=version),
        partial(_remove, host=host, events=events),
        is_own,
        advice,
    )


def _add(text: str, *, host: Host, events: Sequence[str], item: Item, version: int | None) -> str:
    values = jsonc.value_of(text)
    if version is not None and "version" not in values:
        text = jsonc.set_member(text, ("version",), version)
    for event in events:
        found = [one for one in _items(values, event) if is_kato(one, host.name)]
        if found != [item]:
            text = jsonc.remove_items(text, ("hooks", event), partial(is_kato, host=host.name))
            text = jsonc.append_item(text, ("hooks", event), item)
    return text


def _remove(text: str, *, host: Host, events: Sequence[str]) -> str:
    for event in events:
        text = jsonc.remove_items(text, ("hooks", event), partial(is_kato, host=host.name))
    return text


def _items(values: Any, event: str) -> list[Any]:
    hooks = values.get("hooks")
    found = hooks.get(event) if isinstance(hooks, dict) else None
    return found if isinstance(found, list) else []


def is_kato(item: Any, host: str) -> bool:
    """Whether an item of a list of hooks is Kato's, of whatever installation."""
    if isinstance(item, str):
        return "kato" in item and item.endswith(f" hook {host}")
    if isinstance(item, dict):
        return any(is_kato(one, host) for one in item.values())
    return isinstance(item, list) and len(item) == 1 and is_kato(item[0], host)
