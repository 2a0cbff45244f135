"""Decodes JSON as other programs write it, and encodes values as valid JSON.

Rules: the wire and the session logs use this one decoder. It raises ValueError for invalid text, without quoting the text. The
encoder writes valid JSON whatever characters its texts contain.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import msgspec
import orjson


def loads(text: bytes | bytearray | memoryview) -> Any:
    """JSON to values. Raises ValueError (never showing the text).

    JavaScript writes half of a surrogate pair (an emoji that was cut in two) as an escape that orjson refuses;
    such a text is read by the standard library and the halves become U+FFFD, so that nothing is lost.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # The message of orjson's error holds no text of the document, its attribute `doc` does.
        if "surrogate" not in str(error):
            raise ValueError(error.msg) from None
    try:
        return without_surrogates(json.loads(bytes(text), parse_constant=_refuse_constant))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def dumps(value: Any) -> bytes:
    """Values, structs among them, to JSON. Lone surrogates, which a path whose bytes are not UTF-8 holds, become U+FFFD."""
    try:
        return orjson.dumps(value, default=msgspec.to_builtins)
    except orjson.JSONEncodeError:
        return orjson.dumps(without_surrogates(msgspec.to_builtins(value)))


def without_surrogates(value: Any) -> Any:
    """The value with lone surrogates as U+FFFD and integers beyond 64 bits as floats, as orjson reads them."""
    clean: Callable[[Any], Any] = without_surrogates
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return float(value)
    return value


def decoded_bytes(text: bytes | bytearray) -> int:
    """An upper estimate of the memory that reading and storing this text takes in addition to its own bytes.

    Measured on CPython 3.11: a member or element costs at most about 110 bytes in addition to its text, an object 240 more; text
    takes its length, or up to four times that if it has characters outside Latin-1; writing it takes twice as
    much (a growing buffer). Counts inside strings make the estimate too high, never too low.
    """
    wide = not text.isascii() or b"\\u" in text
    return _structure_bytes(text) + (7 if wide else 4) * len(text)


def rendered_bytes(text: bytes | bytearray) -> int:
    """The same estimate for an event's line that is rendered: its text, a copy with its heading, and the encoded bytes."""
    copies = 3 if b"\\r" in text else 2
    chars = len(text) if text.isascii() else len(text.translate(None, _INNER_BYTES))
    return _structure_bytes(text) + 2 * len(text) + copies * _char_bytes(text) * chars


def _structure_bytes(text: bytes | bytearray) -> int:
    return 110 * (text.count(b",") + text.count(b"[")) + 350 * text.count(b"{")


def _char_bytes(text: bytes | bytearray) -> int:
    """The bytes that CPython stores for each character of this text: the size of the widest one."""
    if any(first in text for first in _BEYOND_16_BITS):
        return 4
    return 1 if text.isascii() and b"\\u" not in text else 2


#: The beginning of a character beyond U+FFFF: in UTF-8, or escaped as a surrogate pair.
_BEYOND_16_BITS: Final = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4", b"\\ud", b"\\uD")
#: The bytes of UTF-8 that continue a character.
_INNER_BYTES: Final = bytes(range(0x80, 0xC0))
