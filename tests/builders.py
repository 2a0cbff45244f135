"""Events and conversations for tests: JSON as a client sends it, deterministic, a second apart."""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from kato.core.events import ConversationEvent
from kato.core.moments import rfc3339

START_MS = 1_772_000_000_000  # 2026-02-25T06:13:20Z
PROVIDER = "claude"
SESSION = "session-1"

Json = dict[str, Any]


def event(kind: str, number: int, **fields: Any) -> Json:
    """An event of this kind with a number that gives its id and its time."""
    base: Json = {
        "eventId": f"event-{number}",
        "provider": PROVIDER,
        "sessionId": SESSION,
        "timestamp": rfc3339(START_MS + 1000 * number),
        "kind": kind,
        "source": {"providerEventType": kind},
    }
    return base | fields


def user(content: str, number: int = 0, **fields: Any) -> Json:
    return event("message.user", number, role="user", content=content, **fields)


def assistant(content: str, number: int = 0, **fields: Any) -> Json:
    return event("message.assistant", number, role="assistant", content=content, **fields)


def system(content: str, number: int = 0, **fields: Any) -> Json:
    return event("message.system", number, role="system", content=content, **fields)


def tool_call(name: str, number: int = 0, call: str = "call-1", **fields: Any) -> Json:
    return event("tool.call", number, toolCallId=call, name=name, **fields)


def tool_result(result: str, number: int = 0, call: str = "call-1", **fields: Any) -> Json:
    return event("tool.result", number, toolCallId=call, result=result, **fields)


def thinking(content: str, number: int = 0, **fields: Any) -> Json:
    return event("thinking", number, content=content, **fields)


def info(content: str, number: int = 0, **fields: Any) -> Json:
    return event("provider.info", number, content=content, **fields)


def decision(summary: str, number: int = 0, **fields: Any) -> Json:
    given = {"decisionId": "d-1", "decisionKey": "key", "status": "accepted", "decidedBy": "user"}
    return event("decision", number, summary=summary, basisEventIds=[], **(given | fields))


def conversation(count: int, *, first: int = 0, size: int = 20, session: str = SESSION) -> list[Json]:
    """User and assistant in turn, `size` characters each."""
    return [
        (user if number % 2 == 0 else assistant)(
            f"message {number} ".ljust(size, "x"), number, sessionId=session
        )
        for number in range(first, first + count)
    ]


def struct(json: Json) -> ConversationEvent:
    """The validated form."""
    return msgspec.convert(json, ConversationEvent)  # type: ignore[no-any-return]


def structs(events: Sequence[Json]) -> list[ConversationEvent]:
    return [struct(one) for one in events]


def request(events: Sequence[Json], **fields: Any) -> Json:
    """The params of kato/appendEvents."""
    first = events[0] if events else {"provider": PROVIDER, "sessionId": SESSION}
    return {"provider": first["provider"], "sessionId": first["sessionId"], "events": list(events)} | fields


def line(json: Json) -> bytes:
    return orjson.dumps(json)
