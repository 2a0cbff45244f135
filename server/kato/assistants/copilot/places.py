"""Where Copilot's stores are, and which files in them are logs.

A root may be one of the folders that hold logs, or a folder above them: `<User>`, a profile of it, or `~/.copilot`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from kato.assistants.contract import Assistant, LogFile, Surroundings
from kato.assistants.copilot.own_tools import TOOLS
from kato.assistants.copilot.reader import CopilotDocument, CopilotReader


class Editor(NamedTuple):
    """A build of VS Code: where it keeps the user's data, and where its server does on a remote machine (SSH, WSL, a
    container, a codespace), below the home folder.
    """

    label: str
    folder: str
    servers: tuple[str, ...] = ()
    flatpak: str | None = None


EDITORS: Final = (
    Editor("VS Code", "Code", (".vscode-server", ".vscode-remote"), "com.visualstudio.code"),
    Editor("VS Code - Insiders", "Code - Insiders", (".vscode-server-insiders",)),
    Editor("Code - OSS", "Code - OSS", (".vscode-oss-server",)),
    Editor("VSCodium", "VSCodium", (".vscodium-server",), "com.vscodium.codium"),
    Editor(
        "VSCodium - Insiders",
        "VSCodium - Insiders",
        (".vscodium-server-insiders",),
        "com.vscodium.codium-insiders",
    ),
    Editor("Positron", "Positron", (".positron-server",)),
    Editor("Cursor", "Cursor", (".cursor-server",)),
    Editor("Windsurf", "Windsurf", (".windsurf-server",)),
)
_CHATS: Final = "chatSessions"
_TRANSCRIPTS: Final = ("GitHub.copilot-chat", "transcripts")
#: The chats of windows without a folder, and those that move to another window.
_WINDOWS: Final = (
    ("globalStorage", "emptyWindowChatSessions"),
    ("globalStorage", "transferredChatSessions"),
)
#: Paths from a folder above to one that holds logs; `*` stands for any name.
_ABOVE: Final[tuple[tuple[str, ...], ...]] = (
    ("workspaceStorage",),
    *_WINDOWS,
    *(("profiles", "*", *window) for window in _WINDOWS),
    ("session-state",),
    ("jb",),
)
#: Large folders of `<User>` without logs.
_NOT_ENTERED: Final = ("History", "snippets", "sync", "prompts", "extensions")
_SESSION_ID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PARTITION: Final = re.compile(r"partition-(?P<number>\d{1,9})\.jsonl")


def roots(surroundings: Surroundings) -> list[str]:
    """The folders that may hold logs."""
    users = _user_folders(surroundings)
    home = surroundings.variable("COPILOT_HOME", ".copilot")
    return [
        *(surroundings.path(user, "workspaceStorage") for user in users),
        *(surroundings.path(user, *window) for user in users for window in _WINDOWS),
        surroundings.path(home, "session-state"),
        surroundings.path(home, "jb"),
    ]


def _user_folders(surroundings: Surroundings) -> list[str]:
    home, environment = surroundings.home, surroundings.environment
    users = [surroundings.path(surroundings.applications, editor.folder, "User") for editor in EDITORS]
    if surroundings.platform == "linux":
        users += [
            surroundings.path(home, ".var", "app", editor.flatpak, "config", editor.folder, "User")
            for editor in EDITORS
            if editor.flatpak is not None
        ]
    users += [
        surroundings.path(home, server, "data", "User") for editor in EDITORS for server in editor.servers
    ]
    portable = environment.get("VSCODE_PORTABLE", "")
    if portable:
        users.append(surroundings.path(portable, "user-data", "User"))
    return users


def match(parts: Sequence[str]) -> LogFile | None:
    """What a file below a root is; None if it is not a log."""
    above, parts = _split(parts)
    stem, dot, kind = parts[-1].rpartition(".") if parts else ("", "", "")
    if not dot or kind not in ("json", "jsonl"):
        return None
    folder = "/".join((*above, parts[0]))
    is_document = kind == "json"
    if len(parts) == 4 and tuple(parts[1:3]) == _TRANSCRIPTS and not is_document:
        return LogFile(stem, variant="transcript", companions=(f"{folder}/workspace.json",))
    if len(parts) == 3 and parts[1] == _CHATS:
        workspace = (f"{folder}/workspace.json",)
        return LogFile(stem, rewritten=is_document, variant="state", is_held=True, companions=workspace)
    if len(parts) == 2 and parts[1] == "events.jsonl":
        return LogFile(parts[0], variant="events", companions=(f"{folder}/workspace.yaml",))
    if len(parts) == 2 and (partition := _PARTITION.fullmatch(parts[1])):
        return LogFile(parts[0], variant="events", is_later_part=int(partition["number"]) > 1)
    # A settings file of `<User>` or `~/.copilot` is a JSON document, too.
    if len(parts) == 1 and (above or not is_document or _SESSION_ID.fullmatch(stem)):
        return LogFile(stem, rewritten=is_document, variant="state", is_held=True)
    return None


def enter(parts: Sequence[str]) -> bool:
    """Whether a folder below a root can hold logs."""
    above, rest = _split(parts)
    if not rest or any(_begins(path, parts) for path in _ABOVE):
        return True
    return (
        (len(rest) == 1 and (bool(above) or rest[0] not in _NOT_ENTERED))
        or (len(rest) == 2 and rest[1] in (_CHATS, _TRANSCRIPTS[0]))
        or (len(rest) == 3 and tuple(rest[1:]) == _TRANSCRIPTS)
    )


def _split(parts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The way from a folder above to one that holds logs, and what stands behind it."""
    for path in _ABOVE:
        if len(parts) >= len(path) and _begins(path, parts[: len(path)]):
            return parts[: len(path)], parts[len(path) :]
    return (), parts


def _begins(path: Sequence[str], parts: Sequence[str]) -> bool:
    return len(parts) <= len(path) and all(
        wanted in ("*", part) for wanted, part in zip(path, parts, strict=False)
    )


def read_by(
    log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings
) -> CopilotReader | CopilotDocument:
    """A reader for a log."""
    reader = (CopilotDocument if log.rewritten else CopilotReader)(log, None, surroundings)
    reader.take_companions(companions)
    return reader


def _resume(log: LogFile, session_id: str) -> tuple[str, ...] | None:
    """The command of Copilot CLI for its own sessions; chats of editors have none."""
    is_of_cli = log.variant == "events" and bool(log.companions)
    return ("copilot", "--resume", session_id) if is_of_cli else None


COPILOT: Final = Assistant(
    "copilot",
    "GitHub Copilot",
    roots,
    match,
    enter,
    read_by,
    stores=("transcript", "state"),
    tools=TOOLS,
    resume=_resume,
)
