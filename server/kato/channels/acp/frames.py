"""The copy of the stream that the observer gets: pieces of bytes, each with the side that sent them.

    1 byte   what it is      4 bytes   how many bytes follow      the bytes

Rule: this module is loaded before the agent starts. It imports the standard library's smallest parts alone.
"""

import struct
from collections.abc import Iterator
from typing import Final

CLIENT: Final = 0
AGENT: Final = 1
#: Bytes of this side are missing from here on, because the observer was too slow.
GAP: Final = 2

_HEAD: Final = struct.Struct(">BI")
HEAD_BYTES: Final = _HEAD.size
#: No piece is larger: one read of a pipe.
PIECE_BYTES_MAX: Final = 64 * 1024


def head(kind: int, size: int) -> bytes:
    """What stands before a piece."""
    return _HEAD.pack(kind, size)


class FrameReader:
    """Bytes to pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The pieces that are complete now, each with what it is."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= HEAD_BYTES:
            kind, size = _HEAD.unpack_from(rest, at)
            end = at + HEAD_BYTES + size
            if len(rest) < end:
                break
            yield kind, bytes(rest[at + HEAD_BYTES : end])
            at = end
        del rest[:at]
