"""Codex: the titles of threads that stand in other files than their logs."""

from collections.abc import Mapping
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.values import object_of, text_of
from kato.core.lenient_json import loads

#: What the user called threads, a line each time.
INDEX: Final = "session_index.jsonl"
#: The state of the desktop app.
DESKTOP: Final = ".codex-global-state.json"


def title_in(companions: Mapping[str, bytes], session_id: str) -> str | None:
    """The title of a thread: the user's, else the desktop app's."""
    named = _name_in_index(companions.get(INDEX, b""), session_id)
    return named or _desktop_title(companions.get(DESKTOP, b""), session_id)


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
