"""The notes that the client has open: its notifications about documents in, Kato's edits out.

    didOpen, didChange, didSave, didClose ─► OpenDocuments (no text) ─► HeldNotes: opened, dirty, ready
                                          └► NoteTexts (the texts of Kato's own notes)
    HeldNotes.append ─► workspace/applyEdit at the document's end, for its version ─► the answer, or the change itself

Rules:

- At most one edit of a document is under way, and the next one waits for the document's change that the last one caused:
  only that change gives the new end.
- An edit counts once the client confirms it. A refused one is repeated at the document's next change and at the heartbeat.
- A client that announces `experimental.katoDocuments` reports unsaved changes, and saves a document that was clean before
  Kato's edit. When it refuses such an edit because it has not reloaded the file yet, Kato writes the file.
- For any other client, Kato concludes from the changes what is unsaved, and writes clean documents on disk.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from lsprotocol import types
from pygls import uris

from kato.core import limits
from kato.lsp import methods, wire
from kato.lsp.documents import (
    Change,
    Document,
    Encoding,
    NoteTexts,
    OpenDocuments,
    Place,
    end_of,
    moved_end,
)
from kato.notes.held import HeldNotes
from kato.notes.note_head import read_head

#: Sends `workspace/applyEdit`, and passes on whether the client applied the edit.
ApplyEdit = Callable[[dict[str, Any], Callable[[bool], None]], None]
_ATTEMPTS_MAX: Final = 8


class _Attempt:
    """An edit that was sent: for which version, where it begins, what it puts there."""

    def __init__(self, document: Document, text: str, done: Callable[[str | None], None], now: float) -> None:
        self.version = document.version
        self.at = document.end
        self.text = text
        self.sent_at = now
        self._done = done
        self._is_confirmed = False

    def is_in(self, change: Change, end: Place) -> bool:
        """Whether a change of a document that ended at `end` is this edit."""
        is_there = change.start == change.end == end == self.at
        return is_there and change.text.replace("\r\n", "\n") == self.text

    def confirm(self) -> None:
        """The text is in the document. The client's answer and the document's change both confirm it; the first of them counts."""
        if not self._is_confirmed:
            self._is_confirmed = True
            self._done(self.text)

    def refuse(self) -> None:
        """The text is not in the document, as far as is known."""
        if not self._is_confirmed:
            self._done(None)


class _Flow:
    """The edits of one document: those without an answer, and what the next one waits for."""

    def __init__(self) -> None:
        self.unanswered: list[_Attempt] = []
        self.waits_for: _Attempt | None = None
        self.unseen_since: float | None = None  # confirmed, but the document's change was not seen
        self.was_refused = False


class EditorNotes:
    """See the module; a `kato.notes.held.OpenNotes`. `clock` counts seconds."""

    def __init__(self, held: HeldNotes, apply_edit: ApplyEdit, *, clock: Callable[[], float]) -> None:
        self._held = held
        self._apply_edit = apply_edit
        self._clock = clock
        self._documents = OpenDocuments()
        #: The texts of those that are Kato's own notes.
        self.texts = NoteTexts()
        #: Called with the path of a document that was closed.
        self.on_closed: Callable[[str], None] = lambda _: None
        self._flows: dict[str, _Flow] = {}
        self.encoding: Encoding = "utf-16"
        self._edits = False
        self._reports = False

    def negotiated(self, *, encoding: Encoding, edits: bool, reports: bool) -> None:
        """Stores the client's capabilities: how it counts characters, whether it takes edits for a version of a document, and
        whether it reports unsaved changes.
        """
        self.encoding, self._edits, self._reports = encoding, edits, edits and reports

    def document(self, path: str) -> Document | None:
        """The document at this real path, None if it is not open."""
        return self._documents.get(path)

    # --- OpenNotes --------------------------------------------------------------------------------------

    def takes(self, path: str) -> bool:
        """See `OpenNotes`."""
        document = self._documents.get(path)
        if document is None or not self._edits:
            return False
        takes_clean = self._reports and not document.is_stale
        return document.is_dirty or takes_clean or not self.is_ready(path)

    def is_dirty(self, path: str) -> bool:
        """See `OpenNotes`."""
        document = self._documents.get(path)
        return document is not None and document.is_dirty

    def is_ready(self, path: str) -> bool:
        """See `OpenNotes`."""
        flow = self._flows.get(path)
        return flow is None or (flow.waits_for is None and flow.unseen_since is None)

    def append(self, path: str, text: str, done: Callable[[str | None], None]) -> None:
        """See `OpenNotes`."""
        document = self._documents.get(path)
        if document is None:
            done(None)
            return
        text = "\n" * (document.end.character > 0) + text
        attempt = _Attempt(document, text, done, self._clock())
        flow = self._flows.setdefault(path, _Flow())
        flow.waits_for = attempt
        flow.unanswered = [*flow.unanswered, attempt][-_ATTEMPTS_MAX:]
        position = {"line": document.end.line, "character": document.end.character}
        edit = {"range": {"start": position, "end": position}, "newText": text}
        named = {"uri": document.uri, "version": document.version}
        params = {
            "label": "Kato: conversation",
            "edit": {"documentChanges": [{"textDocument": named, "edits": [edit]}]},
        }
        self._apply_edit(params, lambda applied: self._answered(path, flow, attempt, applied))

    def _answered(self, path: str, flow: _Flow, attempt: _Attempt, applied: bool) -> None:
        flow.unanswered = [one for one in flow.unanswered if one is not attempt]
        if flow.waits_for is attempt:
            flow.waits_for = None
        document = self._documents.get(path)
        is_seen = document is None or document.version != attempt.version
        if not applied and is_seen:
            self._held.ready(path)  # the document changed meanwhile: the edit was too late, not refused
            return
        if not applied:
            flow.was_refused = True
            attempt.refuse()
            if document is not None and not document.is_dirty:
                # It holds no changes of the user's: Kato writes the file until the client reloads it.
                document.is_stale = True
                self._held.ready(path)
            return
        if not is_seen:
            flow.unseen_since = self._clock()
        if document is not None and not self._reports:
            document.is_dirty = True
        attempt.confirm()
        self._held.ready(path)

    def expire(self) -> None:
        """Stops waiting for late answers. An answer that comes after that still counts."""
        before = self._clock() - limits.EDIT_ANSWER_SECONDS
        for flow in self._flows.values():
            if flow.waits_for is not None and flow.waits_for.sent_at < before:
                attempt, flow.waits_for = flow.waits_for, None
                attempt.refuse()
            if flow.unseen_since is not None and flow.unseen_since < before:
                flow.unseen_since = None

    # --- What the client reports ------------------------------------------------------------------------

    def did_open(self, params: Any) -> None:
        """Handles `textDocument/didOpen`."""
        item = wire.decode(params, wire.DidOpenParams).text_document
        path = path_of(item.uri)
        if path is None:
            return
        document = Document(item.uri, item.version, end_of(item.text, self.encoding), stamp=_stamp(path))
        self._documents.open(path, document)
        self._flows.pop(path, None)
        self._keep_if_note(path, item.text)
        document.is_dirty = not _is_on_disk(path, item.text)
        self._held.opened(path, item.text, is_dirty=document.is_dirty)
        self._held.ready(path)

    def did_change(self, params: Any) -> None:
        """Handles `textDocument/didChange`."""
        given = wire.decode(params, wire.DidChangeParams)
        path = path_of(given.text_document.uri)
        document = None if path is None else self._documents.get(path)
        if path is None:
            return
        if document is None:
            self.texts.drop(path)  # it is one of too many that are open
            return
        flow = self._flows.get(path) or _Flow()
        ours: list[_Attempt] = []
        for change in map(_change, given.content_changes):
            ours += [attempt for attempt in flow.unanswered if attempt.is_in(change, document.end)]
            document.end = moved_end(document.end, change, self.encoding)
            if change.start is None:
                self._keep_if_note(path, change.text)
            else:
                self.texts.change(path, change, self.encoding)
        document.version, document.is_stale = given.text_document.version, False
        has_waited = flow.was_refused or flow.unseen_since is not None
        flow.unseen_since, flow.was_refused = None, False
        if ours:
            document.is_dirty = True
        elif not self._reports and not document.is_dirty:
            self._conclude(path, document)
        for attempt in ours:
            attempt.confirm()
        if has_waited:
            self._held.ready(path)

    def _keep_if_note(self, path: str, text: str) -> None:
        """Keeps the text of a document that is one of Kato's notes. No other text is kept."""
        self.texts.drop(path)
        if read_head(text) is not None and len(text) <= limits.NOTE_TEXTS_BYTES_MAX:
            self.texts.keep(path, text.encode("utf-8", "surrogatepass"))

    def _conclude(self, path: str, document: Document) -> None:
        """A clean document changed. The editor loaded the file again if the file changed, else the user typed."""
        stamp = _stamp(path)
        if stamp == document.stamp:
            document.is_dirty = True
            self._held.dirty(path)
        document.stamp = stamp

    def did_save(self, params: Any) -> None:
        """Handles `textDocument/didSave`. A client that reports unsaved changes reports the save as well."""
        path = path_of(wire.decode(params, wire.DocumentParams).text_document.uri)
        document = None if path is None else self._documents.get(path)
        if path is not None and document is not None and not self._reports:
            document.is_dirty, document.stamp = False, _stamp(path)
            self._held.ready(path)

    def did_close(self, params: Any) -> None:
        """Handles `textDocument/didClose`. Unsaved changes are gone with it."""
        path = path_of(wire.decode(params, wire.DocumentParams).text_document.uri)
        if path is None:
            return
        self.texts.drop(path)
        self.on_closed(path)
        if self._documents.close(path) is not None:
            self._flows.pop(path, None)
            self._held.ready(path)

    def dirty(self, params: Any) -> None:
        """Handles `kato/documentDirty`: whether a document has changes that are not on disk."""
        given = wire.decode(params, wire.DocumentDirtyParams)
        path = path_of(given.uri)
        document = None if path is None else self._documents.get(path)
        if path is None or document is None or document.is_dirty == given.dirty:
            return
        document.is_dirty = given.dirty
        if given.dirty:
            self._held.dirty(path)
        else:
            self._held.ready(path)


#: The handlers of notifications about documents.
DOCUMENT_HANDLERS: Final[Mapping[str, Callable[[EditorNotes, Any], None]]] = {
    types.TEXT_DOCUMENT_DID_OPEN: EditorNotes.did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: EditorNotes.did_change,
    types.TEXT_DOCUMENT_DID_SAVE: EditorNotes.did_save,
    types.TEXT_DOCUMENT_DID_CLOSE: EditorNotes.did_close,
    methods.DOCUMENT_DIRTY.name: EditorNotes.dirty,
}


def path_of(uri: str) -> str | None:
    """The real path of a file's URI; None for other URIs."""
    path = uris.to_fs_path(uri) if uri.startswith("file:") else None
    return None if path is None else os.path.realpath(path)


def encoding_of(negotiated: str | None) -> Encoding:
    """How the client counts characters; UTF-16 unless it was agreed otherwise."""
    return "utf-8" if negotiated == "utf-8" else "utf-32" if negotiated == "utf-32" else "utf-16"


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _is_on_disk(path: str, text: str) -> bool:
    data = text.encode("utf-8", "surrogatepass")
    try:
        size = Path(path).stat().st_size
        if not 0 <= size - len(data) <= len(_BOM):
            return False
        return Path(path).read_bytes().removeprefix(_BOM) == data.removeprefix(_BOM)
    except OSError:
        return False


_BOM: Final = b"\xef\xbb\xbf"


def _change(given: wire.ContentChange) -> Change:
    if given.range is None:
        return Change(given.text)
    start, end = given.range.start, given.range.end
    return Change(given.text, Place(start.line, start.character), Place(end.line, end.character))
