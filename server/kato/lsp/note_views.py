"""Handlers of what editors ask about Kato's own notes: symbols, folding, links, code lenses and hovers. For any other document
the answer is null.

    request ─► Outlines.ask ─► note_answers ─► answer
                                └ links: the search thread finds files and logs

Rule: no handler waits for a disk longer than it takes to look at one file.
"""

import asyncio
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from lsprotocol import types

from kato.app.runtime import Runtime
from kato.app.searching import Searcher
from kato.assistants import registry
from kato.core import limits, paths
from kato.core.errors import KatoError
from kato.core.events import SessionKey
from kato.core.records import SessionRecord
from kato.lsp import note_answers, wire
from kato.lsp.note_answers import Json
from kato.lsp.open_documents import path_of
from kato.lsp.outlines import Outlines
from kato.lsp.protocol import DEFERRED, KatoProtocol, RequestId
from kato.notes.outline import Outline, Place
from kato.system.clock import now_ms

_WINDOWS: Final = sys.platform == "win32"

#: Makes an answer of a document's path, its outline and the request's params.
_Make = Callable[[str, Outline, Any], object]


class NoteViews:
    """See the module. `client` are the client's capabilities; `refresh` asks it to fetch code lenses again."""

    def __init__(
        self,
        runtime: Runtime,
        protocol: KatoProtocol,
        outlines: Outlines,
        loop: asyncio.AbstractEventLoop,
        *,
        client: types.ClientCapabilities,
        refresh: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._protocol = protocol
        self._outlines = outlines
        self._loop = loop
        self._refresh = refresh
        document, workspace = client.text_document, client.workspace
        symbol = None if document is None else document.document_symbol
        folding = None if document is None else document.folding_range
        lens = None if workspace is None else workspace.code_lens
        self._takes_tree = bool(symbol and symbol.hierarchical_document_symbol_support)
        self._folds_max = None if folding is None else folding.range_limit
        self._may_refresh = bool(lens and lens.refresh_support)
        #: The state that each note's lens showed, with its session and when the note was written.
        self._shown: OrderedDict[str, tuple[SessionKey, int | None, str]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        #: The requests that the search thread works on, with what answers them.
        self._later: dict[RequestId, Callable[[Any], None]] = {}

    def symbols(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `textDocument/documentSymbol`."""
        return self._when_read(wire.decode(params, wire.DocumentParams), request_id, self._symbols)

    def folds(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `textDocument/foldingRange`."""
        return self._when_read(wire.decode(params, wire.DocumentParams), request_id, self._folds)

    def lenses(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `textDocument/codeLens`."""
        return self._when_read(wire.decode(params, wire.DocumentParams), request_id, self._lenses)

    def hover(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `textDocument/hover`."""
        return self._when_read(wire.decode(params, wire.PositionParams), request_id, self._hover)

    def _when_read(self, decoded: Any, request_id: RequestId | None, make: _Make) -> object:
        """Answers with what `make` returns, once the outline is there."""
        if request_id is None:
            return None
        return self._with_outline(decoded, request_id, partial(self._answer, request_id, make, decoded))

    def _with_outline(
        self, decoded: Any, request_id: RequestId, then: Callable[[str, Outline], None]
    ) -> object:
        path = path_of(decoded.text_document.uri)
        if path is None:
            return None

        def take(outline: Outline | None) -> None:
            if outline is None:
                self._reply(request_id, None)
            else:
                then(path, outline)

        self._outlines.ask(path, take)
        return DEFERRED

    def _reply(self, request_id: RequestId, result: object) -> None:
        """Answers, also in a turn of the loop that no message of the client caused."""
        self._protocol.run_handler(lambda *_: result, request_id, None)

    def _answer(self, request_id: RequestId, make: _Make, decoded: Any, path: str, outline: Outline) -> None:
        self._protocol.run_handler(lambda *_: make(path, outline, decoded), request_id, None)

    # --- From the note alone ----------------------------------------------------------------------------

    def _symbols(self, path: str, outline: Outline, params: wire.DocumentParams) -> list[Json]:
        del path
        if self._takes_tree:
            return note_answers.symbols(outline)
        return note_answers.flat_symbols(outline, params.text_document.uri)

    def _folds(self, path: str, outline: Outline, params: wire.DocumentParams) -> list[Json]:
        del path, params
        return note_answers.folds(outline, self._folds_max)

    # --- With what the journal knows ----------------------------------------------------------------------

    def _hover(self, path: str, outline: Outline, params: wire.PositionParams) -> Json | None:
        self._runtime.commit()
        key = outline.head.key
        title = registry.titles().get(key.provider, key.provider)
        state = self._state_title(path, key, outline.head.number("updated"))
        tokens = self._runtime.tokens_of(key) or outline.head.number("tokens")
        line = params.position.line
        return note_answers.hover(outline, line, self._session(key), title, state, tokens)

    def _session(self, key: SessionKey) -> SessionRecord | None:
        return self._runtime.engine.ledger.session(key)

    def _state_title(self, path: str, key: SessionKey, updated: int | None) -> str:
        return note_answers.state_title(self._runtime.engine.note_state(path, key), updated, now_ms())

    def _lenses(self, path: str, outline: Outline, params: wire.DocumentParams) -> list[Json]:
        del params
        self._runtime.commit()
        key, updated = outline.head.key, outline.head.number("updated")
        state = self._runtime.engine.note_state(path, key)
        self._show(path, key, updated, note_answers.state_title(state, updated, now_ms()))
        return note_answers.lenses(outline, path, state)

    def resolve_lens(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `codeLens/resolve`: gives the first lens of a note its text. It runs nothing."""
        del request_id
        lens = wire.decode(params, wire.UnresolvedLens)
        key, path = SessionKey(lens.data.provider, lens.data.session_id), lens.data.path
        self._runtime.commit()
        shown = self._shown.get(path)
        updated = shown[1] if shown is not None and shown[0] == key else None
        title = self._state_title(path, key, updated)
        self._show(path, key, updated, title)
        return params | {"command": {"title": note_answers.as_label(title), "command": ""}}

    def _show(self, path: str, key: SessionKey, updated: int | None, title: str) -> None:
        self._shown[path] = (key, updated, title)
        self._shown.move_to_end(path)
        if len(self._shown) > limits.LENSES_MAX:
            self._shown.popitem(last=False)

    # --- Lenses that change -------------------------------------------------------------------------------

    def recordings_changed(self) -> None:
        """A command ran: looks at the lenses soon, once for all that changes until then."""
        if self._may_refresh and self._shown and self._timer is None:
            self._timer = self._loop.call_later(limits.LENS_COALESCE_SECONDS, self.look)

    def look(self) -> None:
        """Asks the client to fetch code lenses again if one of them would show something else now."""
        self._timer = None
        if not self._may_refresh:
            return
        open_notes = {path: shown for path, shown in self._shown.items() if self._outlines.is_open(path)}
        self._shown = OrderedDict(open_notes)
        if any(self._state_title(path, *shown[:2]) != shown[2] for path, shown in open_notes.items()):
            self._shown.clear()  # until the client fetched them
            self._refresh()

    def stop(self) -> None:
        """Answers what waits: the process ends."""
        if self._timer is not None:
            self._timer.cancel()
        self._outlines.stop()
        later, self._later = self._later, {}
        for answer in later.values():
            answer(KatoError("the server ends: the request was not answered"))

    # --- Links --------------------------------------------------------------------------------------------

    def links(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `textDocument/documentLink`."""
        decoded = wire.decode(params, wire.DocumentParams)
        if request_id is None:
            return None

        def find(path: str, outline: Outline) -> None:
            del path
            session = self._session(outline.head.key)
            folder = outline.head.one("cwd") or (session and session.cwd) or ""
            places = outline.files[: limits.NOTE_LINKS_MAX]
            links = [note_answers.session_link(outline)]

            def answer(existing: Sequence[Json] | KatoError) -> None:
                more = [] if isinstance(existing, KatoError) else existing
                self._reply(request_id, [*links, *more])

            self._ask(request_id, lambda _: _existing(places, folder), answer)

        return self._with_outline(decoded, request_id, find)

    def resolve_link(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `documentLink/resolve`: finds the log of the session that the link is about."""
        data = wire.decode(params, wire.UnresolvedLink).data
        if request_id is None:
            return None
        key = SessionKey(data.provider, data.session_id)

        def find(searcher: Searcher) -> str | None:
            with searcher.catalogue() as catalogue:
                return catalogue.path_of(key)

        def answer(found: str | KatoError | None) -> None:
            if isinstance(found, str):
                target = {"target": paths.to_uri(found, windows=_WINDOWS)}
                self._reply(request_id, params | target)
            else:
                reason = "no log of this session exists on this machine any more"
                self._protocol.answer_kato_error(request_id, KatoError(reason))

        self._ask(request_id, find, answer)
        return DEFERRED

    def _ask(
        self, request_id: RequestId, job: Callable[[Searcher], Any], answer: Callable[[Any], None]
    ) -> None:
        """Runs a job in the search thread; `answer` gets its result, or the error, once."""

        def take(result: Any) -> None:
            if self._later.pop(request_id, None) is not None:
                answer(result)

        self._later[request_id] = answer
        try:
            self._runtime.ask(job, take)
        except KatoError as error:
            take(error)


#: The handlers of requests about notes.
VIEW_HANDLERS: Final[Mapping[str, Callable[[NoteViews, Any, RequestId | None], object]]] = {
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: NoteViews.symbols,
    types.TEXT_DOCUMENT_FOLDING_RANGE: NoteViews.folds,
    types.TEXT_DOCUMENT_CODE_LENS: NoteViews.lenses,
    types.CODE_LENS_RESOLVE: NoteViews.resolve_lens,
    types.TEXT_DOCUMENT_HOVER: NoteViews.hover,
    types.TEXT_DOCUMENT_DOCUMENT_LINK: NoteViews.links,
    types.DOCUMENT_LINK_RESOLVE: NoteViews.resolve_link,
}


def _existing(places: Sequence[Place], folder: str) -> list[Json]:
    """Links to those files and folders that exist. Relative paths start from the conversation's folder."""
    targets: dict[str, str | None] = {}
    for place in places:
        if place.text not in targets:
            path = os.path.normpath(os.path.join(folder, place.text))  # noqa: PTH118 - a path as a text
            is_there = os.path.isabs(path) and "\0" not in path and os.path.exists(path)  # noqa: PTH110, PTH117
            targets[place.text] = paths.to_uri(path, windows=_WINDOWS) if is_there else None
    found = ((place, targets[place.text]) for place in places)
    return [note_answers.file_link(place, uri) for place, uri in found if uri is not None]
