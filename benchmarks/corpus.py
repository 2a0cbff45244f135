"""Conversations for measurements: made from a seed, in the mix of kinds and sizes that coding sessions have.

About 1 kB of JSON an event, as in the sessions of the four assistants: short questions, long tool results, Markdown with
code in the replies, some text beyond ASCII.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

Event = dict[str, Any]

PROVIDER: Final = "bench"
_WORDS: Final = (
    "the journal keeps every event before the answer goes out and a page splits at its median key when it is full "
    'return value index buffer offset lock cache "quoted" test(self) self.items[key] path/to/file.py if not None:'
).split(" ")
_BEYOND_ASCII: Final = "naïve Größe — “quoted” λ ✓ → 語".split(" ")
#: One text in so many holds words beyond ASCII.
_ASCII_TEXTS: Final = 5


def events(count: int, session: str = "s", *, seed: int = 7, start: int = 0) -> list[Event]:
    """`count` events of a session; those of different `start` have different ids."""
    chance = random.Random(seed + start)
    return [_event(chance, session, number) for number in range(start, start + count)]


def small_events(count: int, session: str, *, start: int) -> list[Event]:
    """Short messages, cheap to make: for sessions of a million."""
    return [
        {
            "eventId": f"{session}-{number}-{number * 2654435761 % 2**32:08x}",
            "provider": PROVIDER,
            "sessionId": session,
            "timestamp": "2026-03-01T10:00:00Z",
            "kind": "message.user" if number % 2 == 0 else "message.assistant",
            "role": "user" if number % 2 == 0 else "assistant",
            "content": f"Message {number}: the journal keeps every event before the answer goes out.",
            "source": {"providerEventType": "record"},
        }
        for number in range(start, start + count)
    ]


def lines(batch: Sequence[Event]) -> list[bytes]:
    """Each event's JSON."""
    return [orjson.dumps(event) for event in batch]


def append_frames(
    batches: Iterator[list[Event]], session: str, *, method: str = "kato/events", first_id: int | None = None
) -> Iterator[bytes]:
    """A frame a batch; a request with ids from `first_id`, or a notification."""
    for number, batch in enumerate(batches):
        message: Event = {"jsonrpc": "2.0", "method": method}
        if first_id is not None:
            message["id"] = first_id + number
        message["params"] = {"provider": PROVIDER, "sessionId": session, "events": batch}
        yield frame(message)


def batched(items: Sequence[Event], size: int) -> Iterator[list[Event]]:
    """Pieces of `size` events."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def frame(message: Event) -> bytes:
    """A message with its LSP header."""
    body = orjson.dumps(message)
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _event(chance: random.Random, session: str, number: int) -> Event:
    second = number // 4
    event: Event = {
        "eventId": f"{session}-{number:07d}-{chance.getrandbits(64):016x}",
        "provider": PROVIDER,
        "sessionId": session,
        "timestamp": f"2026-03-{1 + second // 86400 % 28:02d}T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{number % 4 * 250:03d}Z",
        "turnId": f"turn-{number // 12}",
        "source": {"providerEventType": "record", "rawCursor": number},
    }
    place = number % 12
    if place == 0:
        return event | {"kind": "message.user", "role": "user", "content": _prose(chance, 40)}
    if place == 1:
        return event | {"kind": "thinking", "content": _prose(chance, 90)}
    if place == 11:
        text = f"{_prose(chance, 120)}\n\n```python\n{_code(chance, 12)}\n```\n\n{_prose(chance, 30)}"
        return event | {
            "kind": "message.assistant",
            "role": "assistant",
            "content": text,
            "model": "model-1",
            "phase": "final",
        }
    call = f"call-{number // 2}"
    if place % 2 == 0:
        given = {"file_path": f"/work/src/module_{number % 97}.py", "new_string": _code(chance, 6)}
        return event | {"kind": "tool.call", "toolCallId": call, "name": "Edit", "input": given}
    return event | {"kind": "tool.result", "toolCallId": call, "result": _code(chance, 34)}


def _prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_vocabulary(chance), k=words)) + "."


def _code(chance: random.Random, count: int) -> str:
    words = _vocabulary(chance)
    return "\n".join(
        f"{'    ' * chance.randint(0, 3)}{' '.join(chance.choices(words, k=chance.randint(3, 8)))}"
        for _ in range(count)
    )


def _vocabulary(chance: random.Random) -> Sequence[str]:
    return _WORDS if chance.randrange(_ASCII_TEXTS) else [*_WORDS, *_BEYOND_ASCII]
