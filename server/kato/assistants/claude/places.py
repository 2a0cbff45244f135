"""Claude Code: where the logs lie.

    projects/<slug>/<session>.jsonl                                      a session
    projects/<slug>/<session>/subagents/[workflows/<run>/]agent-<id>.jsonl   a sub-agent, with agent-<id>.meta.json
    projects/<slug>/agent-<id>.jsonl                                     a sub-agent (2.0.x)

`projects` lies in `~/.claude` and in each folder that `CLAUDE_CONFIG_DIR` names. The desktop app (Cowork) gives each of its
sessions a configuration folder of its own, with a file of facts next to it:

    local-agent-mode-sessions/<a>/<b>/[agent/]local_<id>/.claude/projects/<slug>/<session>.jsonl
    local-agent-mode-sessions/<a>/<b>/[agent/]local_<id>.json            {title, cwd, userSelectedFolders, …}

The slug is a lossy form of the folder. The reader takes the folder from the records, or from the desktop's file.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from kato.assistants.claude.own_tools import TOOLS
from kato.assistants.claude.reader import ClaudeReader
from kato.assistants.contract import Assistant, LogFile, Surroundings

_DESKTOP: Final = "local-agent-mode-sessions"
_DESKTOP_SESSION: Final = "local_"
#: The package of the desktop app from Microsoft's store.
_STORE_PACKAGE: Final = "Claude_pzs8sxrjxfjjc"
#: The longest path of folders below `subagents` that holds logs.
_SUBAGENT_FOLDERS_MAX: Final = 2


def _roots(surroundings: Surroundings) -> list[str]:
    folders = [*_configured(surroundings), surroundings.path(surroundings.home, ".claude")]
    if surroundings.platform != "win32":
        folders.append(surroundings.path(surroundings.variable("XDG_CONFIG_HOME", ".config"), "claude"))
    roots = [surroundings.path(folder, "projects") for folder in folders]
    roots += [surroundings.path(folder, _DESKTOP) for folder in _desktop_folders(surroundings)]
    return list(dict.fromkeys(roots))


def _configured(surroundings: Surroundings) -> list[str]:
    """The folders that `CLAUDE_CONFIG_DIR` names: the value as Claude Code reads it, and, with commas in it, each part."""
    value = surroundings.environment.get("CLAUDE_CONFIG_DIR", "").strip()
    parts = [part.strip() for part in value.split(",")] if "," in value else []
    return [_expanded(surroundings, folder) for folder in (value, *parts) if folder]


def _expanded(surroundings: Surroundings, folder: str) -> str:
    if folder.startswith("~"):
        return surroundings.path(surroundings.home, folder[1:].lstrip("/\\"))
    return folder


def _desktop_folders(surroundings: Surroundings) -> list[str]:
    """The folders in which the desktop app keeps its data."""
    folders = [surroundings.path(surroundings.applications, "Claude")]
    if surroundings.platform == "win32":
        local = surroundings.variable("LOCALAPPDATA", "AppData", "Local")
        folders.append(
            surroundings.path(local, "Packages", _STORE_PACKAGE, "LocalCache", "Roaming", "Claude")
        )
    return folders


def _desktop_depth(parts: Sequence[str]) -> int:
    """How many parts lead to the folder of the desktop app's session; 0 outside the desktop app's root."""
    at = 3 if parts[2:3] == ["agent"] else 2
    return at + 1 if len(parts) > at and parts[at].startswith(_DESKTOP_SESSION) else 0


def _match(parts: Sequence[str]) -> LogFile | None:
    parts = list(parts)
    depth = _desktop_depth(parts)
    if not depth:
        return _log(parts, ())
    inner = depth + 2  # `.claude/projects`
    if parts[depth:inner] != [".claude", "projects"]:
        return None
    return _log(parts, ("/".join(parts[:depth]) + ".json",), inner)


def _log(parts: Sequence[str], companions: tuple[str, ...], start: int = 0) -> LogFile | None:
    """The log at a path whose part below `projects` begins at `start`."""
    stem, dot, extension = parts[-1].rpartition(".")
    depth = len(parts) - start
    if not dot or extension != "jsonl" or depth < 2:
        return None
    if not stem.startswith("agent-"):
        return LogFile(stem, companions=companions) if depth == 2 else None
    if stem.startswith("agent-acompact"):
        return None
    companions = ("/".join([*parts[:-1], f"{stem}.meta.json"]), *companions)
    if depth >= 4 and parts[start + 2] == "subagents":
        return LogFile(stem, parent_id=parts[start + 1], companions=companions)
    # Flat: the parent stands in the records.
    return LogFile(stem, parent_id="", companions=companions) if depth == 2 else None


def _enter(parts: Sequence[str]) -> bool:
    parts = list(parts)
    if parts[2:3] == ["agent"] and len(parts) == 3:
        return True
    depth = _desktop_depth(parts)
    if not depth:
        return _holds_logs(parts)
    inner = parts[depth:]
    return inner[:2] == [".claude", "projects"][: len(inner)] and _holds_logs(inner[2:])


def _holds_logs(parts: Sequence[str]) -> bool:
    """Whether a folder below `projects` can hold logs."""
    return len(parts) <= 2 or (parts[2] == "subagents" and len(parts) <= 3 + _SUBAGENT_FOLDERS_MAX)


def _reader(log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings) -> ClaudeReader:
    del surroundings
    reader = ClaudeReader(log)
    reader.take_companions(companions)
    return reader


CLAUDE: Final = Assistant(
    "claude",
    "Claude Code",
    _roots,
    _match,
    _enter,
    _reader,
    has_global_ids=True,
    title_marks=(b'-title"', b'"agent-name"'),
    tools=TOOLS,
    resume=lambda _, session_id: ("claude", "--resume", session_id),
)
