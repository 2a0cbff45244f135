"""The documents that an editor has open: version, unsaved changes and where each ends. Never their text.

The end of a document follows from its changes alone: a change replaces a range by a text, so the end moves by the lines, and
in the last line by the characters, that were added or removed.
"""

import re
from collections import OrderedDict
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
