"""Events as lines of JSON in one buffer, passed from the wire to the store and the journal without being split.

Rules: every line ends with a newline and contains no other. Passing lines on copies their bytes once, into the chunk that keeps
them, whatever their number. Splitting off a single line costs its copy.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence

import msgspec

_NEWLINE = b"\n"


class Lines:
    """`count` lines of `size` bytes in total, newlines included, in one or more parts of whole lines."""

    __slots__ = ("count", "parts", "size")

    def __init__(self, parts: Sequence[bytes | bytearray], count: int, size: int) -> None:
        self.parts = parts
        self.count = count
        self.size = size

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> "Lines":
        """Makes Lines from lines without newlines."""
        each = list(lines)
        data = _NEWLINE.join([*each, b""])
        return cls([data], len(each), len(data))

    @classmethod
    def joined(cls, several: "Sequence[Lines]") -> "Lines":
        """Concatenates Lines without copying their bytes."""
        if len(several) == 1:
            return several[0]
        parts = [part for lines in several for part in lines.parts]
        return cls(parts, sum([lines.count for lines in several]), sum([lines.size for lines in several]))

    @property
    def json_bytes(self) -> int:
        """The number of bytes without the newlines."""
        return self.size - self.count

    def __iter__(self) -> Iterator[bytes]:
        """Each line, without its newline."""
        return iter(b"".join(self.parts).split(_NEWLINE)[:-1])

    def chosen(self, indices: Sequence[int]) -> "Lines":
        """The lines with these indices (ascending)."""
        if len(indices) == self.count:
            return self
        each = list(self)
        return Lines.of(each[index] for index in indices)

    def pieces(self, size: int) -> Iterator[tuple[bytes, int]]:
        """The lines in pieces of at most `size` bytes, each with its number of lines. A longer line is a piece of its own."""
        small: list[bytes | bytearray] = []
        held = 0
        for part in self.parts:
            if held and held + len(part) > size:
                yield _counted(b"".join(small))
                small, held = [], 0
            if len(part) <= size:
                small.append(part)
                held += len(part)
                continue
            start, view = 0, memoryview(part)
            while start < len(part):
                end = part.rfind(_NEWLINE, start, start + size) + 1 or part.find(_NEWLINE, start) + 1
                yield _counted(bytes(view[start:end]))
                start = end
        if held:
            yield _counted(b"".join(small))


def cut(data: bytes, low: int, high: int, count: int) -> bytes:
    """The lines from `low` to before `high` of a piece of `count` lines."""
    if (low, high) == (0, count):
        return data
    return _NEWLINE.join([*data.split(_NEWLINE)[low:high], b""])


def first_lines(data: bytes, size: int, *, one_at_least: bool) -> bytes:
    """The first whole lines with at most `size` bytes in total, or the first line if it is longer."""
    if len(data) <= size:
        return data
    end = data.rfind(_NEWLINE, 0, max(size, 0)) + 1
    return data[: end or (data.find(_NEWLINE) + 1 if one_at_least else 0)]


def numbered(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Number and line, without its newline, of each line in pieces that carry the number of their first line."""
    for first, data in pieces:
        yield from enumerate(data.split(_NEWLINE)[:-1], first)


class _AnyObject(msgspec.Struct):
    """A JSON object whose members are not decoded."""


_SKIM = msgspec.json.Decoder(_AnyObject).decode_lines
_DECODE_BYTES = 64 * 1024


def are_sound(data: bytes) -> bool:
    """Whether these are whole lines of JSON objects: syntax and UTF-8 are checked, no values are made (1 ms a MB)."""
    try:
        # msgspec skips the members without checking their UTF-8.
        if len(_SKIM(data)) != data.count(_NEWLINE) or not data.endswith(_NEWLINE):
            return False
        decoder = codecs.getincrementaldecoder("utf-8")()
        for start in range(0, len(data), _DECODE_BYTES):
            decoder.decode(data[start : start + _DECODE_BYTES])
        decoder.decode(b"", final=True)
    except (ValueError, RecursionError):
        return False
    return True


def _counted(data: bytes) -> tuple[bytes, int]:
    return data, data.count(_NEWLINE)
