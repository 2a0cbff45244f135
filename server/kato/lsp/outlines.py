"""Outlines of the notes that are open, made a piece a turn, so that a large note delays no other request.

    ask ─► known for this version ─► answer
         └► text that is kept, else the file of a document without unsaved changes ─► pieces of the note ─► answer all that asked

Rule: a document that is not one of Kato's notes has no outline, and nothing of its text stays.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.errors import KatoError
from kato.engine import log_failure
from kato.lsp.documents import Document, Encoding, end_of, width
from kato.lsp.open_documents import EditorNotes
from kato.notes.note_head import NoteHead, read_head
from kato.notes.outline import Outline, OutlineReader, lines_of
from kato.system.regular import open_regular, read_regular

_BOM: Final = b"\xef\xbb\xbf"
#: Gets the outline of a document; None if it has none.
Take = Callable[[Outline | None], None]


class _State(NamedTuple):
    """What an outline belongs to: the version of a document, and the time and size of its file if it is read from there."""

    path: str
    version: int
    is_dirty: bool
    stamp: tuple[int, int] | None


class _Work:
    """An outline that is being made."""

    def __init__(self, state: _State, head: NoteHead, lines: Iterator[list[str]], encoding: Encoding) -> None:
        self.state = state
        self.lines = lines
        self.reader = OutlineReader(head, lambda text: width(text, encoding))

    def is_done_by(self, deadline: float, clock: Callable[[], float]) -> bool:
        """Reads until the deadline. True at the end of the note."""
        for lines in self.lines:
            for line in lines:
                self.reader.read(line)
            if clock() >= deadline:
                return False
        return True


class Outlines:
    """See the module. `notes` are the documents that are open."""

    def __init__(self, notes: EditorNotes, loop: asyncio.AbstractEventLoop) -> None:
        self._notes = notes
        notes.on_closed = self._forget
        self._loop = loop
        self._known: OrderedDict[str, tuple[_State, Outline | None]] = OrderedDict()
        self._waiting: OrderedDict[str, list[Take]] = OrderedDict()
        self._work: _Work | None = None  # of the first path in `_waiting`
        self._timer: asyncio.Handle | None = None

    def ask(self, path: str, take: Take) -> None:
        """Calls `take` once: now, if the outline is known or can be made in an instant. Raises KatoError if too many wait."""
        known = self._current(path)
        if known is not None and path not in self._waiting:
            take(known[1])
            return
        if sum(map(len, self._waiting.values())) >= limits.OUTLINE_WAITING_MAX:
            raise KatoError("too many requests about notes wait for an answer; try again later")
        self._waiting.setdefault(path, []).append(take)
        if self._timer is None:
            self._step()

    def is_open(self, path: str) -> bool:
        """Whether the document at this path is open."""
        return self._notes.document(path) is not None

    def stop(self) -> None:
        """Answers those that wait with None: the process ends."""
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting, self._work = self._waiting, OrderedDict(), None
        for takes in waiting.values():
            for take in takes:
                take(None)

    # --- Making -----------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Works for `limits.NOTE_PIECE_SECONDS`, and goes on in a later turn if notes are left."""
        self._timer = None
        deadline = self._loop.time() + limits.NOTE_PIECE_SECONDS
        while self._waiting and self._advance(deadline):
            pass
        if self._waiting:
            self._timer = self._loop.call_soon(self._step)

    def _advance(self, deadline: float) -> bool:
        """Goes on with the note that was asked for first. False once the time is over."""
        path = next(iter(self._waiting))
        document = self._notes.document(path)
        state = None if document is None else self._state(path, document)
        known = self._current(path)
        if document is None or state is None or known is not None:
            self._answer(path, None if known is None else known[1])
            return self._loop.time() < deadline
        try:
            if self._work is None or self._work.state != state:  # the document changed: begins again
                self._work = self._begin(path, document, state)
            if self._work is None:
                self._finish(path, state, None)
            elif self._work.is_done_by(deadline, self._loop.time):
                self._finish(path, self._work.state, self._work.reader.outline())
            else:
                return False
        except Exception as error:  # noqa: BLE001 - those that wait must be answered all the same
            log_failure("the outline of a note", error)
            self._finish(path, state, None)
        return self._loop.time() < deadline

    def _begin(self, path: str, document: Document, state: _State) -> _Work | None:
        text = self._notes.texts.get(path)
        if text is None and state.stamp is not None:
            if state.stamp[1] > limits.NOTE_READ_BYTES_MAX:
                return None
            head = _head(read_regular(path, limits.FRONTMATTER_BYTES_MAX))
            if head is None:
                return None
            if state.stamp[1] > limits.NOTE_TEXTS_BYTES_MAX:
                lines = _until(lines_of(_read(path)), document.end.line + 1)
                return _Work(state, head, lines, self._notes.encoding)
            text = read_regular(path, limits.NOTE_TEXTS_BYTES_MAX).removeprefix(_BOM)
            self._adopt(path, document, text)
            state = self._state(path, document)
        head = None if text is None else _head(text[: limits.FRONTMATTER_BYTES_MAX])
        if text is None or head is None:
            self._notes.texts.drop(path)  # the user changed its frontmatter: it is not a note any more
            return None
        lines = _until(lines_of(_cut(text)), document.end.line + 1)
        return _Work(state, head, lines, self._notes.encoding)

    def _adopt(self, path: str, document: Document, text: bytes) -> None:
        """Keeps the text of a document that became one of Kato's notes while it was open, if the editor shows the same text."""
        with suppress(UnicodeDecodeError):
            if end_of(text.decode(), self._notes.encoding) == document.end:
                self._notes.texts.keep(path, text)

    def _finish(self, path: str, state: _State, outline: Outline | None) -> None:
        self._work = None
        self._known[path] = (state, outline)
        self._known.move_to_end(path)
        while len(self._known) > 1 and (len(self._known) > limits.OUTLINES_MAX or self._is_crowded()):
            self._known.popitem(last=False)
        self._answer(path, outline)

    def _is_crowded(self) -> bool:
        sizes = sum(outline.size for _, outline in self._known.values() if outline is not None)
        return sizes > limits.OUTLINES_SECTIONS_MAX

    def _answer(self, path: str, outline: Outline | None) -> None:
        for take in self._waiting.pop(path, ()):
            take(outline)

    def _forget(self, path: str) -> None:
        self._known.pop(path, None)

    def _current(self, path: str) -> tuple[_State, Outline | None] | None:
        """The outline, if it is known for the document as it is."""
        document, known = self._notes.document(path), self._known.get(path)
        if document is None or known is None or known[0] != self._state(path, document):
            return None
        self._known.move_to_end(path)
        return known

    def _state(self, path: str, document: Document) -> _State:
        stamp = None
        if not self._notes.texts.has(path) and not document.is_dirty:
            with suppress(OSError):
                found = Path(path).stat()
                stamp = found.st_mtime_ns, found.st_size
        return _State(path, document.version, document.is_dirty, stamp)


def _head(beginning: bytes) -> NoteHead | None:
    return read_head(beginning.removeprefix(_BOM).decode("utf-8", "ignore"))


def _cut(text: bytes) -> Iterator[bytes]:
    for start in range(0, len(text), limits.NOTE_PIECE_BYTES):
        yield text[start : start + limits.NOTE_PIECE_BYTES]


def _read(path: str) -> Iterator[bytes]:
    with open(path, "rb", opener=open_regular) as file:
        first = True
        while piece := file.read(limits.NOTE_PIECE_BYTES):
            yield piece.removeprefix(_BOM) if first else piece
            first = False


def _until(pieces: Iterator[list[str]], lines: int) -> Iterator[list[str]]:
    """The first lines: an editor can show an older text of the file, to whose end Kato appended meanwhile."""
    for piece in pieces:
        yield piece[:lines]
        lines -= len(piece)
        if lines <= 0:
            return
