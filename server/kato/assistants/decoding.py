"""Decodes a log's bytes to JSON values, also where a crash, an editor or another program damaged them.

    bytes ─► Utf8 (marks, UTF-16) ─► LineSplitter (lines, bounded) ─► decode (objects, damage)

Rules:

- A line is decoded object by object: two records on one line are two records.
- After a damaged part, decoding continues at the next `{"` from which everything up to the end of the line parses.
- Whatever is skipped is reported. The time is linear: the attempts in one line are bounded, and each begins where the last one
  failed.
- A record after damage is certain only where the damaged part cannot contain it, because JSON allows no object there. Any other
  record (`is_doubtful`) may be a part of the damaged one, such as a tool's input.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kato.core import limits
from kato.core.lenient_json import loads, without_surrogates

#: White space and the NULs that a crash can leave.
BLANK: Final = b" \t\r\n\0"
_UTF8_MARK: Final = codecs.BOM_UTF8
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
#: A run of this many bytes without a quote or a backslash can only be inside a string.
_LONG_STRING_BYTES: Final = 256 * limits.KIB
#: Replaces the omitted part of a string. It is not base64, so that the rest is not taken for a picture.
_LEFT_OUT: Final = "…".encode()
#: A record that follows a torn one begins at most this many characters after the place where the torn one stops being JSON:
#: the longest token that can be torn there is an escape (`\u12`).
_TORN_CHARS_MAX: Final = 8
_START: Final = '{"'
_SPACE: Final = re.compile(r"\s*")
_HOLE: Final = re.compile(rb"\0+")
_ESCAPED: Final = re.compile(rb"\\.", re.DOTALL)
#: Accepts control characters inside strings; values that are not JSON (NaN) become null.
_DECODER: Final = json.JSONDecoder(strict=False, parse_constant=lambda _: None)


class Utf8:
    """Converts the bytes of a text file to UTF-8: removes a byte order mark, and decodes UTF-16 if the mark is UTF-16's."""

    def __init__(self) -> None:
        self._head: bytes | None = b""  # the first bytes, while they can still become a mark
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bytes:
        """The next bytes, converted; the first ones are held until they cannot become a mark."""
        if self._head is not None:
            data = self._head + data
            if any(len(data) < len(mark) and mark.startswith(data) for mark in (_UTF8_MARK, *_UTF16)):
                self._head = data
                return b""
            self._head = None
            data = self._without_mark(data)
        if self._decoder is not None:
            return self._decoder.decode(data).encode(errors="replace")
        return data

    def _without_mark(self, data: bytes) -> bytes:
        if data.startswith(_UTF8_MARK):
            return data[len(_UTF8_MARK) :]
        encoding = _UTF16.get(data[:2])
        if encoding is None:
            return data
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        return data[2:]


def as_utf8(data: bytes) -> bytes:
    """A whole file's bytes as UTF-8, without a byte order mark."""
    if data.startswith(_UTF8_MARK):
        return data[len(_UTF8_MARK) :]
    encoding = _UTF16.get(data[:2])
    return data if encoding is None else data[2:].decode(encoding, errors="replace").encode()


class LineSplitter:
    """Splits pieces of any size into complete lines, in bounded memory. A line that outgrows `limits.LOG_LINE_BYTES_MAX` loses
    its long strings: most of them are pictures, and the words next to them are short.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skipping = False
        self._is_shortened = False

    @property
    def rest(self) -> bytes:
        """The unfinished line, unless it outgrew its bound."""
        return b"" if self._skipping or self._is_shortened else bytes(self._rest)

    def drop_rest(self) -> None:
        """Forgets the unfinished line, which was read as it is: its continuation is a line of its own."""
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes | None, bool]]:
        """The lines that are complete now, each with whether strings were omitted from it. None for a line that is too long
        even without them.
        """
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if self._skipping or self._rest or end - start > limits.LOG_LINE_BYTES_MAX:
                self._add(data[start:end])
                yield self._finished()
            else:
                yield data[start:end], False
            start = end + 1
        self._add(data[start:])

    def _add(self, data: bytes) -> None:
        if self._skipping:
            return
        self._rest += data
        if len(self._rest) > limits.LOG_LINE_BYTES_MAX:
            self._shorten()

    def _finished(self) -> tuple[bytes | None, bool]:
        if self._is_shortened and not self._skipping:
            self._shorten()
        line = None if self._skipping else bytes(self._rest), self._is_shortened
        self._rest, self._skipping, self._is_shortened = bytearray(), False, False
        return line

    def _shorten(self) -> None:
        """Omits long strings. A line that is still too long is skipped."""
        self._is_shortened = True
        self._rest = bytearray(without_long_strings(self._rest))
        if len(self._rest) > limits.LOG_LINE_BYTES_MAX // 2:
            self._rest = bytearray()
            self._skipping = True


def without_long_strings(line: bytes | bytearray) -> bytes:
    """A line without its long strings. Most of them are pictures; the words next to them are short."""
    kept = bytearray()
    at = 0  # up to here, the line is copied or omitted
    step = _LONG_STRING_BYTES // 2  # a run that is long holds one of these blocks as a whole
    for block in range(0, len(line) - step + 1, step):
        if block < at or _end_of_run(line, block, block + step) < block + step:
            continue
        begin = max(at, line.rfind(b'"', at, block) + 1, line.rfind(b"\\", at, block) + 1 + len("u0000"))
        end = _end_of_run(line, block, len(line))
        if end - begin >= _LONG_STRING_BYTES:
            kept += line[at:begin] + _LEFT_OUT
            at = end
    return bytes(kept + line[at:])


def _end_of_run(line: bytes | bytearray, start: int, end: int) -> int:
    """The offset of the first quote or backslash, `end` if there is none."""
    quote = line.find(b'"', start, end)
    end = end if quote < 0 else quote
    escape = line.find(b"\\", start, end)
    return end if escape < 0 else escape


# --- Values ------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """A value of a line. `is_doubtful`: it may be a part of a damaged value."""

    value: Any
    is_doubtful: bool = False


class Decoded(NamedTuple):
    """The values of a line. `damage` says what could not be decoded, without its text; `is_open`: the line ends inside a string,
    which the next line may end.
    """

    found: list[Found]
    damage: str | None = None
    is_open: bool = False


def whole(line: bytes) -> list[Found] | None:
    """The values of a line that is nothing but JSON objects; None for any other."""
    decoded = decode(line)
    is_whole = decoded.damage is None and all(isinstance(one.value, dict) for one in decoded.found)
    return decoded.found if is_whole else None


def document(data: bytes) -> Any:
    """A file that is one JSON value. Raises ValueError (never showing the text)."""
    text = as_utf8(data).strip(BLANK)
    try:
        return loads(text)
    except ValueError as error:
        found = decode(text)
        if found.damage is None and len(found.found) == 1:
            return found.found[0].value
        raise ValueError(found.damage or str(error)) from None


def decode(line: bytes, keys: frozenset[str] = frozenset()) -> Decoded:
    """The values of a line. `keys` are those that every record of the log has: an object that may be a part of a damaged
    record is taken for a record only if it has them.
    """
    line = line.strip(BLANK)
    if not line:
        return Decoded([])
    try:
        return Decoded([Found(loads(line))])
    except ValueError as error:
        damage = str(error)
    if b"\0" not in line:
        return _decode_damaged(line, keys, damage)
    # NULs are a hole in the file: the parts before and after it never were one record.
    found: list[Found] = []
    for number, part in enumerate(_HOLE.split(line, limits.LOG_LINE_TRIES_MAX)):
        if b"\0" not in part:
            decoded = decode(part, keys)
            # A part that is not whole may begin in the middle of a record.
            is_doubtful = number > 0 and decoded.damage is not None
            found += [Found(value, doubtful or is_doubtful) for value, doubtful in decoded.found]
    return Decoded(found, damage)


def _decode_damaged(line: bytes, keys: frozenset[str], damage: str) -> Decoded:
    text = line.decode(errors="replace")
    first = _run(text, 0)
    found = [Found(value) for value in first.values]
    if first.failed_at is None:
        return Decoded(found)
    later = _behind(text, first)
    if later is None:
        later = _inside(text, first, keys)
    return Decoded(found + (later or []), damage, is_open=later is None and first.is_open)


class _Run(NamedTuple):
    """Objects one behind the other, from `start`: up to `end`, where the next one fails at `failed_at`."""

    start: int
    values: list[Any]
    end: int
    failed_at: int | None
    is_open: bool = False


def _run(text: str, start: int) -> _Run:
    values: list[Any] = []
    at = _after_space(text, start)
    try:
        while at < len(text):
            if len(values) == limits.LOG_LINE_RECORDS_MAX:
                return _Run(start, values, at, at)
            value, end = _DECODER.raw_decode(text, at)
            values.append(without_surrogates(value))
            at = _after_space(text, end)
    except json.JSONDecodeError as error:
        return _Run(start, values, at, error.pos, error.msg.startswith("Unterminated string"))
    except (RecursionError, ValueError):  # nested too deep; a number too long
        return _Run(start, values, at, at + 1)
    return _Run(start, values, at, None)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _behind(text: str, failed: _Run) -> list[Found] | None:
    """The objects that begin where JSON allows none, and reach to the end of the line."""
    is_doubtful = False
    for _ in range(limits.LOG_LINE_TRIES_MAX):
        assert failed.failed_at is not None
        torn_at = failed.failed_at
        # A string that was torn ends with the quote of the next record's first key: two characters behind its start.
        start = text.find(_START, max(failed.end + 1, torn_at - len(_START)))
        if start < 0:
            return None
        is_doubtful = is_doubtful or start - torn_at > _TORN_CHARS_MAX
        failed = _run(text, start)
        if failed.failed_at is None:
            return [Found(value, is_doubtful) for value in failed.values]
    return None


def _inside(text: str, failed: _Run, keys: frozenset[str]) -> list[Found] | None:
    """The objects that begin where JSON allows one, inside the record that was torn, and reach to the end of the line."""
    start, budget = failed.end, max(4 * len(text), limits.MIB)
    for _ in range(limits.LOG_LINE_TRIES_MAX):
        start = text.find(_START, start + 1)
        if start < 0 or not keys or budget < 0:
            return None
        run = _run(text, start)
        if run.failed_at is None:
            is_record = all(isinstance(value, dict) and keys <= value.keys() for value in run.values)
            return [Found(value, is_doubtful=True) for value in run.values] if is_record else None
        budget -= len(text) - start
        # A part of an object that ended does not reach to the end of the line.
        start = max(start, run.end - 1)
    return None


def quotes(line: bytes) -> int:
    """How many quotes of a line begin or end a string."""
    return _ESCAPED.sub(b"", line).count(b'"')
