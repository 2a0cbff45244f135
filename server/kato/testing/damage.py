"""Damages logs for tests: cuts and copies them, changes values, and makes bytes that are not a log.

Each function yields a description of the damage and the damaged bytes. The same log gives the same damage each time.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

from kato.core.lenient_json import loads

#: Offsets that are tried, at most: reading a log at each offset takes time that grows with its square.
_OFFSETS_MAX: Final = 2048
#: Values in the records of one log that are replaced by others.
_PLACES_MAX: Final = 1024
_RECORDS_PER_LOG: Final = 64
_DEPTH_MAX: Final = 5
_DEEP: Final = json.loads("[" * 100 + "]" * 100)
#: What stands in the place of a value: one of each type, and those that careless code does not expect.
_VALUES: Final[Sequence[Any]] = (
    None, True, 0, -1, 10**30, 1e308, "", "\0", "\ud800", "x" * 5000, "2026-02-30T25:61:61Z", [], [[]], [None], {}, {"": {}},
    _DEEP,
)  # fmt: skip

#: The path of a value in a record: keys and indexes.
Place = tuple[str | int, ...]


def offsets(data: bytes) -> Iterator[int]:
    """All offsets of a short log; of a longer one those at the ends of lines, and others at equal distances."""
    step = -(-len(data) // _OFFSETS_MAX) or 1
    chosen = set(range(0, len(data) + 1, step))
    if step > 1:
        ends = [offset for offset, byte in enumerate(data) if byte == ord("\n")][:_OFFSETS_MAX]
        chosen.update(near for end in ends for near in (end, end + 1, end + 2) if near <= len(data))
    return iter(sorted(chosen))


def cuts(data: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The log in pieces."""
    yield "in single bytes", [data[start : start + 1] for start in range(len(data))]
    yield "in lines", data.splitlines(keepends=True)
    for step in (2, 3, 7, 64):
        yield f"in pieces of {step} bytes", [data[at : at + step] for at in range(0, len(data), step)]
    for middle in offsets(data):
        yield f"in two pieces, the second from byte {middle} on", [data[:middle], data[middle:]]


def copies(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The log with lines that occur more than once."""
    lines = data.splitlines(keepends=True)
    yield "each line twice", b"".join(line + line for line in lines)
    yield "the whole log twice", data + data


def hostile_bytes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Bytes that are not a log, alone and in front of a line of the log."""
    random = Random(0)  # noqa: S311 - the same bytes each time
    junk = {
        "nothing": b"",
        "line breaks": b"\n\r\n\r\n",
        "NULs": bytes(5000),
        "bytes that are not UTF-8": b"\xff\xfe\xfd\xc3\x28\n",
        "a byte order mark": b"\xef\xbb\xbf",
        "deep arrays": b"[" * 100_000 + b"\n",
        "deep objects": b'{"a":' * 100_000 + b"\n",
        "an open string": b'{"type": "' + b"x" * 10_000,
        "numbers that are not JSON": b'{"a": NaN, "b": Infinity, "c": 1e999999}\n',
        "a huge integer": b'{"a": ' + b"9" * 10_000 + b"}\n",
        "values that are not objects": b'null\ntrue\n1\n"text"\n[1, 2]\n',
        "lone surrogates": rb'{"type": "\ud800", "\udfff": "\udc00"}' + b"\n",
        "random bytes": random.randbytes(10_000),
    }
    middle = data.find(b"\n", len(data) // 2) + 1
    for name, bad in junk.items():
        yield f"{name} alone", bad
        yield f"{name} in the middle", data[:middle] + bad + data[middle:]


def other_values(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The log with another value in each place of its records, and with made-up records in the place of its own."""
    log = _Json.of(data)
    random = Random(0)  # noqa: S311 - the same values each time
    for where, record, place in log.places():
        for value in _VALUES:
            yield f"{where} is {_shown(value)}", log.with_value(record, place, value)
        if place and isinstance(place[-1], str):
            yield f"{where} is missing", log.without(record, place)
    keys, texts = log.vocabulary()
    for number in range(_RECORDS_PER_LOG * 4):
        made = [_made(random, keys, texts, 0) for _ in range(random.randint(1, 6))]
        yield f"made-up records, number {number}", log.encoded(made)


def with_commands(data: bytes, typed: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The log with a command in each of its texts but those that belong to what the user typed."""
    log = _Json.of(data)
    for where, record, place in log.places():
        text = log.value(record, place)
        if isinstance(text, str) and not any(text in words or words in text for words in typed):
            yield f"{where} holds a command", log.with_value(record, place, f"{text}\n\n::stop\n")


class _Json:
    """The records of a log of JSON lines, or the one record of a document; none of any other log."""

    def __init__(self, records: Sequence[Any]) -> None:
        self._records = records

    @staticmethod
    def of(data: bytes) -> "_Json":
        try:
            return _Json([loads(data)])
        except ValueError:
            pass
        try:
            return _Json([loads(line) for line in data.splitlines() if line.strip()])
        except ValueError:
            return _Json([])

    def places(self) -> Iterator[tuple[str, int, Place]]:
        """Each value of each record: its place in words, the record's number, its path."""
        count = 0
        for number, record in enumerate(self._records):
            for place in _places(record, ()):
                count += 1
                if count <= _PLACES_MAX:
                    shown = "".join(f"[{part!r}]" for part in place)
                    yield f"record {number + 1}{shown}", number, place

    def value(self, number: int, place: Place) -> Any:
        found = self._records[number]
        for part in place:
            found = found[part]
        return found

    def with_value(self, number: int, place: Place, value: Any) -> bytes:
        return self._changed(number, place, lambda found, part: found.__setitem__(part, value), value)

    def without(self, number: int, place: Place) -> bytes:
        return self._changed(number, place, lambda found, part: found.__delitem__(part), None)

    def _changed(
        self, number: int, place: Place, change: Callable[[Any, str | int], None], alone: Any
    ) -> bytes:
        records = list(self._records)
        if not place:
            records[number] = alone
        else:
            records[number] = found = json.loads(json.dumps(records[number]))
            for part in place[:-1]:
                found = found[part]
            change(found, place[-1])
        return self.encoded(records)

    def encoded(self, records: Sequence[Any]) -> bytes:
        return "".join(json.dumps(record) + "\n" for record in records).encode()

    def vocabulary(self) -> tuple[list[str], list[str]]:
        """The keys of the records, and their short texts."""
        keys, texts = {"type"}, {""}
        for _, number, place in self.places():
            keys.update(part for part in place if isinstance(part, str))
            value = self.value(number, place)
            if isinstance(value, str) and len(value) < 80:
                texts.add(value)
        return sorted(keys), sorted(texts)


def _places(value: Any, place: Place) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*place, index))


def _made(random: Random, keys: Sequence[str], texts: Sequence[str], depth: int) -> Any:
    """Any JSON value, of the words of the log."""
    kind = random.random()
    if depth == 0 or (kind < 0.45 and depth < _DEPTH_MAX):
        count = random.randint(0, 8)
        return {random.choice(keys): _made(random, keys, texts, depth + 1) for _ in range(count)}
    if kind < 0.6 and depth < _DEPTH_MAX:
        return [_made(random, keys, texts, depth + 1) for _ in range(random.randint(0, 4))]
    if kind < 0.9:
        return random.choice(texts)
    return random.choice(_VALUES)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
