"""LSP framing: bytes in, frames out, and back.

    header ──CRLF CRLF──► body complete? ── yes ──► Frame
       │                     │ no: wait
       │                     └ longer than the bound ──► drain, keep both ends ──► Oversize
       └ no usable Content-Length ──► Broken, continue at the next header

Rules: the reader holds at most one frame of the bounded size, whatever length the stream announces. After malformed bytes
it continues at the next header. It handles bytes and lengths, not JSON, except to find the request's id in a frame that is
too large to be read (`Oversize.request_id`).

Format: LSP 3.17, base protocol. Header names are matched in any case; `Content-Type` is optional and ignored.
"""

import re
from collections.abc import Iterator
from typing import Final

import orjson
from msgspec import Struct

from kato.core import limits

_END_OF_HEADER: Final = b"\r\n\r\n"
_CANONICAL: Final = b"Content-Length: "
_HEADER_BYTES_MAX: Final = 2 * limits.HEADER_LINE_BYTES_MAX
_LENGTH: Final = re.compile(rb"content-length[ \t]*:[ \t]*([0-9]{1,15})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_LENGTH_AT_END: Final = re.compile(
    rb"content-length[ \t]*:[ \t]*([0-9]{1,15})[ \t]*(?:\r\n[^\r\n]*)?$", re.IGNORECASE
)
#: A length of more digits is a mistake, and Python converts at most 4,300 digits to an integer.
_DIGITS_MAX: Final = 15
#: How much of each end of a drained frame is kept to find the request's id in it.
_END_BYTES: Final = 1 * limits.KIB


class Frame(Struct):
    """A complete body."""

    body: bytes | bytearray

    def take(self) -> bytes | bytearray:
        """Returns the body and drops it here, so that a large body can be freed while this frame is still referenced."""
        body, self.body = self.body, b""
        return body


class Oversize(Struct, frozen=True):
    """A frame that was drained. `request_id` is None for a notification, or when no id was found."""

    length: int
    request_id: int | str | None


class Broken(Struct, frozen=True):
    """Bytes that are not a frame and were skipped. `reason` never quotes them."""

    reason: str


class FrameReader:
    """Cuts a byte stream into frames. `frame_bytes_max` may be changed between two feeds."""

    def __init__(self, frame_bytes_max: int) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._buffer = b""  # an unfinished header
        self._body = bytearray()  # an unfinished body: it grows in place, in however many pieces it comes
        self._missing = 0  # bytes that the unfinished or drained body still lacks
        self._drained: _Drained | None = None

    def feed(self, data: bytes) -> Iterator[Frame | Oversize | Broken]:
        """The items that are complete with this data. All must be taken before the next feed."""
        position = 0
        if self._missing:
            position = min(len(data), self._missing)
            done = self._continue_body(data, position)
            if done is None:
                return
            yield done
        elif self._buffer:
            data = self._buffer + data
            self._buffer = b""
        while position < len(data):
            end = data.find(_END_OF_HEADER, position)
            if end < 0:
                position, broken = _skip_garbage(data, position)
                if broken is not None:
                    yield broken
                break
            body_at = end + len(_END_OF_HEADER)
            digits = data[position + len(_CANONICAL) : end]
            if digits.isdigit() and len(digits) <= _DIGITS_MAX and data.startswith(_CANONICAL, position):
                length = int(digits)
            else:
                found, broken = _content_length(data[position:end])
                if broken is not None:
                    yield broken
                if found is None:
                    position = body_at
                    continue
                length = found
            here = len(data) - body_at
            if length > self.frame_bytes_max:
                self._drained = _Drained(length)
            elif here >= length:
                position = body_at + length
                yield Frame(data[body_at:position])
                continue
            self._missing = length
            position = body_at + min(here, length)
            done = self._continue_body(data[body_at:position], position - body_at)
            if done is None:
                return
            yield done
        self._buffer = data[position:]

    @property
    def unfinished(self) -> bool:
        """True in the middle of a frame: if the input ends here, a message was cut."""
        return bool(self._missing or self._buffer)

    def _continue_body(self, data: bytes, count: int) -> Frame | Oversize | None:
        """Adds the first `count` bytes of `data` to the unfinished body."""
        self._missing -= count
        if self._drained is not None:
            self._drained.take(data[:count])
            if self._missing:
                return None
            oversize, self._drained = self._drained.result(), None
            return oversize
        self._body += memoryview(data)[:count]
        if self._missing:
            return None
        frame, self._body = Frame(self._body), bytearray()
        return frame


class _Drained:
    """Both ends of a body that is drained."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._head = b""
        self._tail = b""

    def take(self, data: bytes) -> None:
        if len(self._head) < _END_BYTES:
            self._head += data[: _END_BYTES - len(self._head)]
        self._tail = (self._tail + data[-_END_BYTES:])[-_END_BYTES:]

    def result(self) -> Oversize:
        return Oversize(self._length, _id_before_params(self._head, self._tail))


def encode_header(length: int) -> bytes:
    """The header of a body of this length."""
    return b"Content-Length: %d\r\n\r\n" % length


def encode_frame(body: bytes) -> bytes:
    """Header and body in one piece."""
    return encode_header(len(body)) + body


def find_request_id(body: bytes | bytearray) -> int | str | None:
    """The request id of a message that is not parsed; None for a notification."""
    return _id_before_params(bytes(body[:_END_BYTES]), bytes(body[-_END_BYTES:]))


def _content_length(header: bytes) -> tuple[int | None, Broken | None]:
    """The length that a header block announces. A malformed block gives its last length, or None, and a `Broken`."""
    lengths = {int(match[1]) for match in _LENGTH.finditer(header)}
    well_formed = all(b":" in line for line in header.split(b"\r\n"))
    if len(lengths) == 1 and well_formed and _starts_a_line(header):
        return lengths.pop(), None
    last = _LENGTH_AT_END.search(header)
    if last is not None:
        return int(last[1]), Broken("bytes before a header, or a malformed header, were skipped")
    return None, Broken("a header without a usable Content-Length was skipped")


def _starts_a_line(header: bytes) -> bool:
    match = _LENGTH.search(header)
    return match is not None and (match.start() == 0 or header[: match.start()].endswith(b"\r\n"))


def _skip_garbage(data: bytes, position: int) -> tuple[int, Broken | None]:
    """Where an unfinished header begins. Bytes that cannot be part of one are skipped."""
    if len(data) - position <= _HEADER_BYTES_MAX:
        return position, None
    start = data.lower().rfind(b"content-length", position)
    keep_from = start if 0 <= len(data) - start <= _HEADER_BYTES_MAX and start >= 0 else len(data) - 16
    return keep_from, Broken(f"{keep_from - position} bytes without a header were skipped")


_MEMBER = rb'\s*"(?P<key>id|jsonrpc|method)"\s*:\s*(?P<value>-?[0-9]{1,18}|"(?:[^"\\]|\\.){0,512}")\s*'
_FIRST_MEMBERS: Final = re.compile(rb"[{,]" + _MEMBER + rb"(?=,)")
_LAST_MEMBERS: Final = re.compile(rb"," + _MEMBER + rb"$")


def _id_before_params(head: bytes, tail: bytes) -> int | str | None:
    """The request id among the members at either end of the message, outside its params."""
    position = len(head) - len(head.lstrip())
    while (match := _FIRST_MEMBERS.match(head, position)) is not None:
        if match["key"] == b"id":
            return _id(match["value"])
        position = match.end()
    rest = tail.rstrip()
    if rest.endswith(b"}"):
        rest = rest[:-1]
        while (match := _LAST_MEMBERS.search(rest)) is not None:
            if match["key"] == b"id":
                return _id(match["value"])
            rest = rest[: match.start()]
    return None


def _id(token: bytes) -> int | str | None:
    try:
        value = orjson.loads(token)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, int | str) else None
