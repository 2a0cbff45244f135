"""The handlers of Kato's requests and of `workspace/executeCommand`.

    appends of one read ─► engine.append ─► (after the read) commit ─► answers
    everything else ─► commit ─► the engine ─► answer

Rule: appends that come together are committed together, and each is answered after its events are kept.
"""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, Final

from msgspec import UNSET

from kato.app.catalogue import Conversation, ConversationList
from kato.app.runtime import Runtime
from kato.app.searching import Question, Searcher
from kato.core.commands import command_from_editor
from kato.core.errors import InvalidParams, KatoError, PathDenied, RequestCancelled, brief
from kato.core.events import SessionKey
from kato.core.moments import MOMENT_RULE, epoch_ms, is_supported
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome, OutcomeError
from kato.core.queries import Query
from kato.core.views import MemoryStatus, StatusSnapshot
from kato.engine import Page, Ticket
from kato.lsp import methods, wire
from kato.lsp.methods import Method
from kato.lsp.progress import Progress
from kato.lsp.protocol import DEFERRED, Handler, KatoProtocol, RequestId, is_id
from kato.system.folders import is_inside

#: Params of requests that show one session.
_ABOUT_A_SESSION: Final = (wire.ReadSessionParams, wire.RenderParams, wire.DestinationParams)


class Requests:
    """See the module. `runtime` is open when a handler is called."""

    def __init__(
        self,
        runtime: Runtime,
        protocol: KatoProtocol,
        progress: Progress,
        notify: Callable[[Notice], None],
    ) -> None:
        self._runtime = runtime
        self._protocol = protocol
        self._progress = progress
        self._notify = notify
        #: Requests that other turns answer, each with the sign that its client does not want the answer any more.
        self._later: dict[RequestId, Event] = {}
        self._deferred: list[tuple[RequestId | None, Ticket]] = []

    def handlers(self) -> dict[Method, Handler]:
        """A handler for each of these methods."""
        after_settling: dict[Method, Callable[[Any], object]] = {
            methods.MEMORY: self._memory,
            methods.STATUS: self._status,
            methods.READ_SESSION: self._read_session,
            methods.RENDER_SESSION: self._render_session,
            methods.DESTINATION: self._destination,
        }
        return {
            methods.APPEND_EVENTS: self._append,
            methods.SEARCH: self._search,
            methods.SESSIONS: self._sessions,
            methods.EVENTS: self._append,
            **{method: self._settling(method, handle) for method, handle in after_settling.items()},
        }

    def _settling(self, method: Method, handle: Callable[[Any], object]) -> Handler:
        """A handler of decoded params that sees everything that was appended before."""

        def run(params: Any, request_id: RequestId | None) -> object:
            decoded = None if method.params is None else wire.decode(params, method.params)
            self._runtime.commit()
            if isinstance(decoded, _ABOUT_A_SESSION):
                key = SessionKey(decoded.provider, decoded.session_id)
                return self._with_session(key, request_id, lambda: handle(decoded))
            return handle(decoded)

        return run

    def _with_session(
        self, key: SessionKey, request_id: RequestId | None, handle: Callable[[], object]
    ) -> object:
        """Handles a request about a session. A session that only a log has is read from there first: the answer comes later."""
        engine = self._runtime.engine
        if request_id is None or not engine.ledger.durable or engine.ledger.session(key) is not None:
            return handle()

        def answer() -> None:
            if self._later.get(request_id) is cancelled:
                del self._later[request_id]
                self._protocol.run_handler(lambda *_: handle(), request_id, None)

        cancelled = Event()
        try:
            self._runtime.fetch(key, answer)
        except KatoError:
            return handle()
        self._later[request_id] = cancelled
        return DEFERRED

    # --- Appends ----------------------------------------------------------------------------------------

    def _append(self, params: Any, request_id: RequestId | None) -> object:
        try:
            ticket = self._runtime.engine.append(wire.decode_append(params))
        except InvalidParams as error:
            if request_id is None:
                message = f"kato/events was refused: {error.message}"
                self._notify(Notice("events_rejected", "error", message, error.data))
            raise
        self._deferred.append((request_id, ticket))
        if ticket.candidates:
            self._runtime.commit()
        return DEFERRED

    def answer_appends(self) -> None:
        """Answers the appends, each once. To be called after each commit, whatever it raised."""
        deferred, self._deferred = self._deferred, []
        for request_id, ticket in deferred:
            if request_id is None:
                if ticket.error is not None:
                    self._notify(_rejected(ticket, ticket.error))
            elif ticket.error is not None:
                self._protocol.answer_kato_error(request_id, ticket.error)
            elif ticket.answer is not None:
                self._protocol.answer(request_id, ticket.answer)
            else:
                self._protocol.answer_kato_error(request_id, KatoError("internal error; see Kato's log"))

    # --- Questions --------------------------------------------------------------------------------------

    def _memory(self, params: None) -> MemoryStatus:
        del params
        return self._runtime.engine.memory_status()

    def _status(self, params: wire.StatusParams) -> StatusSnapshot:
        limit = params.limit if isinstance(params.limit, int) else None
        return self._runtime.engine.status(include_stale=params.include_stale, limit=limit)

    def _read_session(self, params: wire.ReadSessionParams) -> Page:
        key = SessionKey(params.provider, params.session_id)
        return self._runtime.engine.read_session(key, after=params.after, limit=params.limit)

    def _render_session(self, params: wire.RenderParams) -> wire.RenderedSession:
        key = SessionKey(params.provider, params.session_id)
        around = None if params.around is UNSET else params.around
        shown = self._runtime.engine.render_session(
            key, bytes_max=params.max_bytes, around=around, is_page=params.as_page
        )
        if around is None:
            return wire.RenderedSession(shown.text, shown.is_cut_after)
        return wire.RenderedSession(shown.text, shown.is_cut_after, shown.is_cut_before, shown.line)

    def _destination(self, params: wire.DestinationParams) -> wire.Destination:
        key = SessionKey(params.provider, params.session_id)
        path = None if params.path is UNSET else params.path
        try:
            return wire.Destination(self._runtime.engine.destination(key, params.format, path))
        except PathDenied as error:
            if path is None:
                raise
            return wire.Destination(path, OutcomeError.of(error))

    # --- Search -----------------------------------------------------------------------------------------

    def _search(self, params: Any, request_id: RequestId | None) -> object:
        """Answered by another thread, later; other requests are answered in the meantime."""
        decoded = wire.decode(params, wire.SearchParams)
        if decoded.since is not UNSET and not is_supported(decoded.since):
            raise InvalidParams("$.since", MOMENT_RULE, decoded.since.isoformat())
        question = Question(
            query=Query.parse(decoded.query),
            scope=decoded.scope,
            provider=decoded.provider or None,
            folder=decoded.folder or None,
            since_ms=epoch_ms(decoded.since) if decoded.since is not UNSET else None,
            limit=decoded.limit,
        )
        if request_id is None:
            return None
        self._runtime.commit()

        return self._ask(request_id, lambda searcher, cancelled: searcher.search(question, cancelled.is_set))

    def _sessions(self, params: Any, request_id: RequestId | None) -> object:
        """Answered by another thread, later, as well."""
        decoded = wire.decode(params, wire.SessionsParams)
        if request_id is None:
            return None
        self._runtime.commit()
        own = self._runtime.engine.locations.workspace_folders
        folders = own if decoded.folder is UNSET else (decoded.folder,)

        def is_chosen(one: Conversation) -> bool:
            if one.parent_id is not None and not decoded.include_sub_agents:
                return False
            return not folders or any(is_inside(one.cwd, folder) for folder in folders)

        def list_newest(searcher: Searcher, _: Event) -> ConversationList:
            with searcher.catalogue() as catalogue:
                return catalogue.newest(decoded.limit, after=decoded.after, is_chosen=is_chosen)

        return self._ask(request_id, list_newest)

    def _ask(self, request_id: RequestId, job: Callable[[Searcher, Event], object]) -> object:
        """Lets the search thread answer the request, unless the client cancels it before."""
        cancelled = Event()

        def run(searcher: Searcher) -> object:
            return None if cancelled.is_set() else job(searcher, cancelled)

        def answer(result: object) -> None:
            if self._later.get(request_id) is cancelled:
                self._answer_later(request_id, result)

        self._runtime.ask(run, answer)
        self._later[request_id] = cancelled
        return DEFERRED

    def cancel(self, params: Any, request_id: RequestId | None) -> None:
        """Handles `$/cancelRequest`: a request that another turn would answer is answered with an error now."""
        del request_id
        cancelled_id: Any = params.get("id") if isinstance(params, dict) else None
        if is_id(cancelled_id) and (cancelled := self._later.get(cancelled_id)) is not None:
            cancelled.set()
            self._answer_later(cancelled_id, RequestCancelled("the client cancelled the request"))

    def _answer_later(self, request_id: RequestId, result: object) -> None:
        del self._later[request_id]
        if isinstance(result, KatoError):
            self._protocol.answer_kato_error(request_id, result)
        else:
            self._protocol.answer(request_id, result)

    def refuse_later(self) -> None:
        """Answers the requests that still wait when the process ends."""
        for request_id in list(self._later):
            self._answer_later(request_id, KatoError("the server ends: the request was not answered"))

    # --- Commands ---------------------------------------------------------------------------------------

    def execute_command(self, params: Any, request_id: RequestId | None) -> object:
        """Handles `workspace/executeCommand`."""
        given: Mapping[str, Any] = params if isinstance(params, dict) else {}
        command_name = given.get("command")
        name = wire.COMMANDS.get(command_name) if isinstance(command_name, str) else None
        if name is None:
            raise InvalidParams("$.command", f"one of {', '.join(wire.COMMANDS)}", brief(command_name))
        arguments = given.get("arguments")
        if not isinstance(arguments, list) or len(arguments) != 1:
            raise InvalidParams("$.arguments", "one argument, an object", "something else")
        self._runtime.commit()
        decoded = wire.decode_command(arguments[0])
        key = SessionKey(decoded.provider, decoded.session_id)
        command = command_from_editor(name, decoded.path or None, decoded.format or None)
        token: Any = given.get("workDoneToken")

        def execute() -> CommandOutcome:
            if is_id(token):
                self._progress.begin(token)
            return self._runtime.engine.run_editor_command(key, command)

        return self._with_session(key, request_id, execute)


def _rejected(ticket: Ticket, error: KatoError) -> Notice:
    message = f"events of {ticket.key.session_id} were not kept: {error.message}"
    data = {"provider": ticket.key.provider, "sessionId": ticket.key.session_id}
    return Notice("events_rejected", "error", message, data)
