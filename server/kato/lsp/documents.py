"""The documents that an editor has open: version, unsaved changes and where each ends. Never their text, except that of Kato's own
notes (`NoteTexts`), up to a bound.

The end of a document follows from its changes alone: a change replaces a range by a text, so the end moves by the lines, and
in the last line by the characters, that were added or removed.
"""

import re
from collections import OrderedDict
from itertools import islice
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from kato.core import limits

Encoding = Literal["utf-8", "utf-16", "utf-32"]
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


class Place(NamedTuple):
    """A position in a document as LSP counts: lines and characters from 0, characters in units of the encoding."""

    line: int
    character: int


class Change(NamedTuple):
    """A change of a document: `text` replaces the range from `start` to `end`; without a range, the whole document."""

    text: str
    start: Place | None = None
    end: Place | None = None


def width(text: str, encoding: Encoding) -> int:
    """The number of units of the encoding in a text without line ends."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))


def end_of(text: str, encoding: Encoding) -> Place:
    """The end of a text that begins at the document's beginning."""
    return end_after(Place(0, 0), text, encoding)


def end_after(start: Place, text: str, encoding: Encoding) -> Place:
    """Where a text ends that begins at `start`."""
    lines = last = 0
    for found in _LINE_END.finditer(text):
        lines, last = lines + 1, found.end()
    tail = width(text[last:], encoding)
    return Place(start.line + lines, tail if lines else start.character + tail)


def moved_end(end: Place, change: Change, encoding: Encoding) -> Place:
    """The end of a document after a change; `end` is its end before."""
    if change.start is None or change.end is None:
        return end_of(change.text, encoding)
    start, stop = min(change.start, end), min(change.end, end)  # LSP: a position beyond the end means the end
    after = end_after(start, change.text, encoding)
    if stop.line < end.line:
        return Place(end.line - stop.line + after.line, end.character)
    return Place(after.line, after.character + end.character - stop.character)


def changed(text: bytes, change: Change, encoding: Encoding) -> bytes:
    """A text in UTF-8 after a change."""
    new = change.text.encode("utf-8", "surrogatepass")
    if change.start is None or change.end is None:
        return new
    start = offset_of(text, change.start, encoding)
    stop = offset_of(text, max(change.start, change.end), encoding)
    return b"".join((memoryview(text)[:start], new, memoryview(text)[stop:]))


def offset_of(text: bytes, place: Place, encoding: Encoding) -> int:
    """Where a position is in a text in UTF-8; LSP: one beyond the end of its line, or of the text, means the end."""
    start = _line_start(text, place.line)
    ending = _LINE_END_BYTES.search(text, start)
    line = text[start : len(text) if ending is None else ending.start()]
    if encoding == "utf-8" or line.isascii():
        return start + min(place.character, len(line))
    chars = line.decode("utf-8", "surrogatepass")
    if encoding == "utf-16":
        units = chars.encode("utf-16-le", "surrogatepass")[: 2 * place.character]
        return start + len(units.decode("utf-16-le", "ignore").encode("utf-8", "surrogatepass"))
    return start + len(chars[: place.character].encode("utf-8", "surrogatepass"))


def _line_start(text: bytes, line: int) -> int:
    if text.count(b"\r") != text.count(b"\r\n"):
        ends = (found.end() for found in _LINE_END_BYTES.finditer(text))
        return next(islice(ends, line - 1, None), len(text)) if line else 0
    # Counting is much faster than going from line to line: halves the range that contains the line's beginning.
    low, high = 0, len(text)
    while line > 0:
        middle = (low + high) // 2
        if high - low <= _SHORT_BYTES:
            for _ in range(line):
                low = text.find(b"\n", low) + 1
                if not low:
                    return len(text)
            return low
        before = text.count(b"\n", low, middle)
        if before >= line:
            high = middle
        else:
            line, low = line - before, middle
    return low


_LINE_END_BYTES: Final = re.compile(rb"\r\n|\n|\r")
_SHORT_BYTES: Final = 4096


class NoteTexts:
    """The texts of open notes of Kato's, by their real paths, in UTF-8: at most `limits.NOTE_TEXTS_BYTES_MAX` together. Drops the one
    that was read or changed least recently.
    """

    def __init__(self) -> None:
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0

    def keep(self, path: str, text: bytes) -> bool:
        """Keeps a text in the place of an earlier one; False if it is too large."""
        self.drop(path)
        if len(text) > limits.NOTE_TEXTS_BYTES_MAX:
            return False
        self._texts[path] = text
        self.size += len(text)
        while self.size > limits.NOTE_TEXTS_BYTES_MAX:
            self.size -= len(self._texts.popitem(last=False)[1])
        return True

    def change(self, path: str, change: Change, encoding: Encoding) -> None:
        """Applies a change to a text that is kept."""
        text = self._texts.get(path)
        if text is not None:
            self.keep(path, changed(text, change, encoding))

    def has(self, path: str) -> bool:
        """Whether the text is kept."""
        return path in self._texts

    def get(self, path: str) -> bytes | None:
        """The text; None if it is not kept."""
        if path in self._texts:
            self._texts.move_to_end(path)
        return self._texts.get(path)

    def drop(self, path: str) -> None:
        """Removes a text, if it is kept."""
        self.size -= len(self._texts.pop(path, b""))


class Document(Struct):
    """An open document. `stamp` is the file's time (ns) and size when document and file were last equal; `is_stale` is true
    while the editor shows an older version of the file.
    """

    uri: str
    version: int
    end: Place
    is_dirty: bool = False
    is_stale: bool = False
    stamp: tuple[int, int] | None = None


class OpenDocuments:
    """The open documents by their real paths. Keeps at most `limits.OPEN_DOCUMENTS_MAX`; drops the one that was opened first,
    which Kato then writes on disk.
    """

    def __init__(self) -> None:
        self._documents: OrderedDict[str, Document] = OrderedDict()

    def open(self, path: str, document: Document) -> None:
        """Adds or replaces a document."""
        self._documents[path] = document
        self._documents.move_to_end(path)
        if len(self._documents) > limits.OPEN_DOCUMENTS_MAX:
            self._documents.popitem(last=False)

    def get(self, path: str) -> Document | None:
        """The document at this path, None if it is not open."""
        return self._documents.get(path)

    def close(self, path: str) -> Document | None:
        """Removes a document, and returns it if it was open."""
        return self._documents.pop(path, None)
