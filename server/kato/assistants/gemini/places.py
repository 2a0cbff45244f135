"""Gemini CLI: where the logs lie.

    tmp/<project>/chats/session-<time>-<id8>.jsonl     a session; before 0.39 `.json`
    tmp/<project>/chats/<session>/<id>.jsonl           a sub-agent of the session
    tmp/<project>/.project_root                        the project's folder
    projects.json                                      the projects' folders by their short names

Before 0.29, `<project>` is the SHA-256 of the project's folder.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from kato.assistants.contract import Assistant, LogFile, Surroundings
from kato.assistants.gemini.own_tools import TOOLS
from kato.assistants.gemini.reader import GeminiDocument, GeminiReader
from kato.assistants.values import object_of
from kato.core.lenient_json import loads

_SESSION: Final = re.compile(r"session-\d{4}-\d\d-\d\dT\d\d-\d\d-(?P<id>[0-9A-Za-z_-]+)\.(?P<kind>jsonl?)$")


def _roots(surroundings: Surroundings) -> list[str]:
    home = surroundings.environment.get("GEMINI_CLI_HOME", "").strip() or surroundings.home
    return [surroundings.path(home, ".gemini", "tmp")]


def _match(parts: Sequence[str]) -> LogFile | None:
    if len(parts) not in (3, 4) or parts[1] != "chats":
        return None
    companions = (f"{parts[0]}/.project_root", "../projects.json")
    if len(parts) == 4:
        stem, dot, kind = parts[3].rpartition(".")
        return LogFile(stem, parent_id=parts[2], companions=companions) if dot and kind == "jsonl" else None
    found = _SESSION.match(parts[2])
    if found is None:
        return None
    return LogFile(found["id"], rewritten=found["kind"] == "json", project=parts[0], companions=companions)


def _enter(parts: Sequence[str]) -> bool:
    return len(parts) == 1 or (len(parts) <= 3 and parts[1] == "chats")


def _reader(
    log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings
) -> GeminiReader | GeminiDocument:
    cwd = companions.get(".project_root", b"").decode(errors="replace").strip() or None
    if cwd is None:
        cwd = _project(log.project, companions.get("projects.json", b""), surroundings)
    return (GeminiDocument if log.rewritten else GeminiReader)(log, cwd)


def _project(folder: str, projects: bytes, surroundings: Surroundings) -> str | None:
    """The project that a folder of `tmp` belongs to: by the list of short names, or by SHA-256."""
    try:
        listed = object_of(loads(projects), "projects") if projects else {}
    except (ValueError, AttributeError):
        listed = {}
    for path, name in listed.items():
        if name == folder:
            return str(path)
    for path in surroundings.folders:
        if hashlib.sha256(path.encode()).hexdigest() == folder:
            return path
    return None


GEMINI: Final = Assistant(
    "gemini",
    "Gemini CLI",
    _roots,
    _match,
    _enter,
    _reader,
    title_marks=(b'"summary"',),
    tools=TOOLS,
    resume=lambda _, session_id: ("gemini", "--resume", session_id),
)
