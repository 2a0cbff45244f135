"""The handlers of Kato's requests and of `workspace/executeCommand`.

    appends of one read ─► engine.append ─► (after the read) commit ─► answers
    everything else ─► commit ─► the engine ─► answer

Rule: appends that come together are committed together, and each is answered after its events are kept.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kato.app.runtime import Runtime
from kato.core.commands import command_from_editor
from kato.core.errors import InvalidParams, KatoError, brief
from kato.core.events import SessionKey
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.core.views import MemoryStatus, StatusSnapshot
from kato.engine import Page, Ticket
from kato.lsp import methods, wire
from kato.lsp.methods import Method
from kato.lsp.progress import Progress
from kato.lsp.protocol import DEFERRED, Handler, KatoProtocol, RequestId, is_id


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
            methods.EVENTS: self._append,
            **{method: self._settling(method, handle) for method, handle in after_settling.items()},
        }

    def _settling(self, method: Method, handle: Callable[[Any], object]) -> Handler:
        """A handler of decoded params that sees everything that was appended before."""

        def run(params: Any, request_id: RequestId | None) -> object:
            del request_id
            decoded = None if method.params is None else wire.decode(params, method.params)
            self._runtime.commit()
            return handle(decoded)

        return run

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

    def _render_session(self, params: wire.SessionParams) -> wire.RenderedSession:
        key = SessionKey(params.provider, params.session_id)
        return wire.RenderedSession(*self._runtime.engine.render_session(key))

    def _destination(self, params: wire.DestinationParams) -> wire.Destination:
        key = SessionKey(params.provider, params.session_id)
        return wire.Destination(self._runtime.engine.destination(key, params.format))

    # --- Commands ---------------------------------------------------------------------------------------

    def execute_command(self, params: Any, request_id: RequestId | None) -> CommandOutcome:
        """Handles `workspace/executeCommand`."""
        del request_id
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
        if is_id(token):
            self._progress.begin(token)
        return self._runtime.engine.run_editor_command(key, command)


def _rejected(ticket: Ticket, error: KatoError) -> Notice:
    message = f"events of {ticket.key.session_id} were not kept: {error.message}"
    data = {"provider": ticket.key.provider, "sessionId": ticket.key.session_id}
    return Notice("events_rejected", "error", message, data)
