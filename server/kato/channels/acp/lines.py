"""Pieces of a stream to the messages in it: JSON-RPC, one object a line.

Rule: a line over the bound is never held as a whole. It is counted, and the next one is read as usual.
"""

from collections import Counter
from typing import Final

from kato.core import limits
from kato.core.lenient_json import loads

_WHITE: Final = b" \t\r"


class MessageLines:
    """One side's stream. `problems` counts what was left out, by its reason."""

    def __init__(self, line_bytes_max: int = limits.ACP_LINE_BYTES_MAX) -> None:
        self._line_bytes_max = line_bytes_max
        self._parts: list[bytes] = []
        self._size = 0
        self._is_skipping = False
        self.problems: Counter[str] = Counter()

    def feed(self, data: bytes) -> list[object]:
        """The messages that end in this piece."""
        *ended, last = data.split(b"\n")
        messages: list[object] = []
        for part in ended:
            line = self._end(part)
            if line is not None:
                self._decode(line, messages)
        self._add(last)
        return messages

    def skip(self) -> None:
        """Bytes are missing from here on: the line that is under way, and what comes up to the next line, cannot be read."""
        self.problems["gap"] += 1
        self._drop()

    def _add(self, part: bytes) -> None:
        if self._is_skipping or not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._line_bytes_max:
            self.problems["long line"] += 1
            self._drop()

    def _drop(self) -> None:
        self._parts, self._size, self._is_skipping = [], 0, True

    def _end(self, part: bytes) -> bytes | None:
        """The line that ends with this part; None for one that is left out."""
        self._add(part)
        is_whole, self._is_skipping = not self._is_skipping, False
        line, self._parts, self._size = b"".join(self._parts), [], 0
        return line if is_whole and line.strip(_WHITE) else None

    def _decode(self, line: bytes, messages: list[object]) -> None:
        try:
            message = loads(line)
        except ValueError:
            self.problems["invalid JSON"] += 1
            return
        messages += message if isinstance(message, list) else [message]
