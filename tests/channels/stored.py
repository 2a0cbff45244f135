"""A journal with conversations, as `kato mcp` finds it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from builders import START_MS
from kato.core.events import ConversationEvent, SessionKey, encode_line
from kato.core.lines import Lines
from kato.core.records import SessionMeta
from kato.storage.journal import Journal


def store(
    state: Path,
    events: Sequence[dict[str, Any]],
    *,
    session: str = "session-1",
    cwd: Path | str | None = None,
    title: str | None = None,
    at: int = START_MS,
    **more: Any,
) -> str:
    """Stores a conversation; its id for the tools."""
    key = SessionKey("claude", session)
    parsed = [msgspec.convert(one, ConversationEvent) for one in events]
    lines = Lines.of([encode_line(one) for one in parsed])
    meta = SessionMeta(
        updated_at=at, title=title, cwd=None if cwd is None else str(cwd), last_message_at=at, **more
    )
    journal = Journal.open(state, now_ms=lambda: at)
    journal.append(key, [one.event_id for one in parsed], lines, meta)
    journal.commit()
    journal.close()
    return f"{key.provider}/{key.session_id}"
