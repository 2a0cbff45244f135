"""Records of Codex's rollouts, as short as a test wants them."""

from typing import Any

from kato.assistants.contract import Reader
from kato.core.events import ConversationEvent, UserMessage
from providers.reading import Json, brief, lines, read, reader_of

_clock = iter(range(10**6))


def line(kind: str, /, **payload: Any) -> Json:
    """A record; each is a second after the one before."""
    second = next(_clock)
    at = f"2026-05-01T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
    return {"timestamp": at, "type": kind, "payload": payload}


def event(what: str, /, **fields: Any) -> Json:
    return line("event_msg", type=what, **fields)


def item(what: str, /, **fields: Any) -> Json:
    return line("response_item", type=what, **fields)


def user_item(text: str) -> Json:
    return item("message", role="user", content=[{"type": "input_text", "text": text}])


def text_item(text: str, **fields: Any) -> Json:
    return item("message", role="assistant", content=[{"type": "output_text", "text": text}], **fields)


def completed(what: str, /, **fields: Any) -> Json:
    return event("item_completed", item={"type": what, "id": "i1"} | fields)


def brief_of(*records: Json, parent: str | None = None) -> list[tuple[str, str]]:
    return brief(read(reader_of("codex", parent=parent), [lines(*records)])[0])


def at(moment: str, record: Json) -> Json:
    return record | {"timestamp": moment}


def copied_of(reader: Reader, events: list[ConversationEvent]) -> dict[str, bool]:
    """What the user said, and whether it was said in another session."""
    return {one.content: one.event_id in reader.copied for one in events if isinstance(one, UserMessage)}


def kinds_item(**parts: str) -> Json:
    """A message of the history in the role of a user; each part is named by its kind."""
    content = [{"type": "input_text", "text": text} for text in parts.values()]
    about = {"content_item_kinds": [kind.rstrip("_").replace("__", ".") for kind in parts]}
    return item("message", role="user", content=content, internal_chat_message_metadata_passthrough=about)


def numbered(first: int, *records: Json) -> list[Json]:
    return [record | {"ordinal": number} for number, record in enumerate(records, start=first)]
