"""Codex: which files are its logs, and which other files hold titles."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from kato.assistants.codex.document import CodexDocument
from kato.assistants.codex.own_tools import TOOLS
from kato.assistants.codex.reader import CodexReader
from kato.assistants.contract import Assistant, Json, LogFile, Reader, Surroundings
from kato.assistants.values import object_of, text_of
from kato.core.lenient_json import loads

_ROLLOUT: Final = re.compile(
    # When the user goes back to an earlier message, Codex begins another file: the thread's id, then the file's id.
    r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-(?P<thread>[0-9A-Za-z-]+)(?P<part>_[0-9A-Za-z-]+)?\.jsonl(?:\.zst)?"
)
#: Until the summer of 2025: one JSON object; the name contains the day only.
_DOCUMENT: Final = re.compile(r"rollout-\d{4}-\d\d-\d\d-(?P<thread>[0-9A-Za-z-]+)\.json")
_INDEX: Final = "session_index.jsonl"
_DESKTOP: Final = ".codex-global-state.json"


def _roots(surroundings: Surroundings) -> list[str]:
    home = surroundings.variable("CODEX_HOME", ".codex")
    return [surroundings.path(home, "sessions"), surroundings.path(home, "archived_sessions")]


def _match(parts: Sequence[str]) -> LogFile | None:
    if len(parts) == 1 and (found := _DOCUMENT.fullmatch(parts[0])) is not None:
        return LogFile(found["thread"], rewritten=True)
    found = _ROLLOUT.fullmatch(parts[-1])
    if found is None or len(parts) not in (1, 4):
        return None
    is_later = found["part"] is not None
    companions = (f"../{_INDEX}", f"../{_DESKTOP}")
    return LogFile(found["thread"], companions=companions, is_later_part=is_later)


def _enter(parts: Sequence[str]) -> bool:
    return len(parts) <= 3 and parts[-1].isdecimal()


def _reader(log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings) -> Reader:
    del surroundings
    if log.rewritten:
        return CodexDocument(log)
    title = _name_in_index(companions.get(_INDEX, b""), log.session_id)
    return CodexReader(log, title or _desktop_title(companions.get(_DESKTOP, b""), log.session_id))


def _name_in_index(index: bytes, session_id: str) -> str | None:
    """The name that the user gave the thread: the newest line of `session_index.jsonl` about it."""
    name = None
    for line in index.splitlines():
        if session_id.encode() in line:
            entry = _object(line)
            if entry.get("id") == session_id:
                name = text_of(entry, "thread_name") or name
    return name


def _desktop_title(state: bytes, session_id: str) -> str | None:
    """The title that the desktop app gave the thread."""
    if session_id.encode() not in state:
        return None
    return text_of(object_of(object_of(_object(state), "thread-titles"), "titles"), session_id)


def _object(text: bytes) -> Json:
    try:
        value = loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


CODEX: Final = Assistant(
    "codex",
    "Codex",
    _roots,
    _match,
    _enter,
    _reader,
    title_marks=(b'"thread_name_updated"',),
    tools=TOOLS,
    resume=lambda _, session_id: ("codex", "resume", session_id),
)
