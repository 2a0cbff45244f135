"""Short forms for tests of journals: events, appends, a recording."""

import orjson

from builders import START_MS, conversation
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.records import AppendReceipt, Recording, SessionMeta
from kato.storage.journal import Journal

KEY = SessionKey("claude", "session-1")
OTHER = SessionKey("codex", "session-1")
META = SessionMeta(START_MS)
DAY = 86_400_000


def pairs(count: int, first: int = 0, size: int = 20, key: SessionKey = KEY) -> list[tuple[str, bytes]]:
    """Ids and lines of `count` events, numbered from `first`, with texts of `size` characters."""
    events = conversation(count, first=first, size=size, session=key.session_id)
    return [(one["eventId"], orjson.dumps(one | {"provider": key.provider})) for one in events]


def append(
    journal: Journal, key: SessionKey, events: list[tuple[str, bytes]], meta: SessionMeta = META
) -> AppendReceipt:
    return journal.append(key, [one for one, _ in events], Lines.of(line for _, line in events), meta)


def put(
    journal: Journal, events: list[tuple[str, bytes]], key: SessionKey = KEY, meta: SessionMeta = META
) -> list[int]:
    """Appends and commits; returns the indices of the accepted events."""
    accepted = list(append(journal, key, events, meta).accepted)
    journal.commit()
    return accepted


def lines(journal: Journal, key: SessionKey = KEY) -> list[bytes]:
    return [line for _, line in journal.read(key)]


def recording(key: SessionKey = KEY, *, active: bool = True, name: str = "r1") -> Recording:
    return Recording(
        recording_id=name,
        key=key,
        output_path="/n/x.md",
        active=active,
        started_at=1,
        start_seq=0,
        start_line=0,
        seq=3,
        line=2,
        transcript_state=b"{}",
    )
