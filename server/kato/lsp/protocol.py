"""The protocol: JSON-RPC messages to handlers, results and errors to answers.

    Frame ─► receive ─► rules of JSON-RPC ─► state of life ─┬─ Kato's methods, commands, configuration: plain JSON
                                                            └─ the rest of LSP: structured by lsprotocol, handled by pygls
    KatoError ─► its code; any other exception ─► -32603, logged without its text

Rules: messages are handled in the order in which they come, and every request has exactly one answer. Handlers are
synchronous. Logs carry methods, ids and sizes, never conversation text.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

from kato.core import limits
from kato.core.errors import (
    EXIT_NO_SHUTDOWN,
    EXIT_OK,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BudgetExceeded,
    KatoError,
    brief,
)
from kato.core.lenient_json import decoded_bytes, loads
from kato.core.text import printable
from kato.engine import Page, log_defect
from kato.lsp import wire
from kato.lsp.connection import Connection
from kato.lsp.framing import Broken, Frame, Oversize, find_request_id
from kato.lsp.life import INVALID_REQUEST, Event, Life, State

log = logging.getLogger("kato.server")

PARSE_ERROR: Final = -32700
METHOD_NOT_FOUND: Final = -32601

RequestId = int | str
#: Takes params and the request's id (None for a notification); returns the result, or DEFERRED. Raises KatoError.
Handler = Callable[[Any, RequestId | None], object]
#: A handler's result whose answer is sent later.
DEFERRED: Final = object()

#: Notifications that pygls would handle and Kato has no use for: it would keep the text of every notebook.
_UNWANTED: Final = frozenset(
    {
        types.NOTEBOOK_DOCUMENT_DID_OPEN,
        types.NOTEBOOK_DOCUMENT_DID_CHANGE,
        types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    }
)


class KatoProtocol(LanguageServerProtocol):
    """pygls' protocol with another way in and out: bodies come from a bounded reader and are decoded once by orjson;
    Kato's own methods get plain JSON; every answer is written by orjson; no part of a body is logged.
    """

    def serve(
        self,
        connection: Connection,
        life: Life,
        handlers: Mapping[str, Handler],
        *,
        make_room: Callable[[int], None],
        note_initialize: Callable[[Any], Any],
        end: Callable[[int], None],
    ) -> None:
        """Connects the protocol; to be called before `receive`. `handlers` get plain JSON; `make_room` raises BudgetExceeded
        when memory has no room for that number of bytes; `note_initialize` returns the params that pygls is to read; `end` ends the
        process with an exit code.
        """
        self._connection = connection
        self._life = life
        self._handlers = handlers
        self._make_room = make_room
        self._note_initialize = note_initialize
        self._end = end
        self.set_writer(NoWriter())

    def receive(self, item: Frame | Oversize | Broken) -> None:
        """Handles one item of the stream. An item with an error does not stop the following ones."""
        try:
            self._receive(item)
        except Exception as error:  # noqa: BLE001 - one message's defect must not cost the others of the same read
            log_defect(log, "the handling of a message", error)

    def _receive(self, item: Frame | Oversize | Broken) -> None:
        if isinstance(item, Frame):
            self._receive_body(item.take())
        elif isinstance(item, Oversize):
            bound = self._connection.message_bytes_max
            reason = (
                f"a message may have at most {bound} bytes (maxMessageMb, and what daemonMaxMemoryMb leaves)"
            )
            log.warning("a message of %d bytes was drained: %s", item.length, reason)
            if item.request_id is not None:
                data = {"path": "$", "expected": reason, "got": f"{item.length} bytes"}
                self._answer_error(item.request_id, INVALID_REQUEST, reason, data)
        else:
            log.warning("input: %s", item.reason)

    def _receive_body(self, body: bytes | bytearray) -> None:
        if len(body) >= limits.LARGE_BYTES:
            try:
                self._make_room(decoded_bytes(body))
            except BudgetExceeded as error:
                log.warning("a message of %d bytes was refused: no memory to read it", len(body))
                request_id = find_request_id(body)
                if request_id is not None:
                    self.answer_kato_error(request_id, error)
                return
        try:
            message = loads(body)
        except (ValueError, RecursionError) as error:
            log.warning("a message of %d bytes is not JSON", len(body))
            # The client waits for an answer to its request: the id is searched for in the text.
            self._answer_error(find_request_id(body), PARSE_ERROR, f"the message is not JSON: {error}")
            return
        size = len(body)
        del body  # a large one must be freed before copies are made of its parts
        if not isinstance(message, dict):
            self._answer_error(None, INVALID_REQUEST, "the message is not a JSON object")
            return
        self._receive_message(message, size)

    def _receive_message(self, message: dict[str, Any], size: int) -> None:
        method, request_id = message.get("method"), message.get("id")
        is_request = "id" in message
        if "method" not in message and (not is_request or self._is_response(message)):
            self._receive_response(message)
            return
        rule = _broken_rule(message)
        if rule is not None:
            log.warning("a message of %d bytes is not JSON-RPC 2.0: %s", size, rule)
            if is_request:
                self._answer_error(request_id if is_id(request_id) else None, INVALID_REQUEST, rule)
            return
        assert isinstance(method, str)
        try:
            self._dispatch(message, method, request_id)
        except Exception as error:  # noqa: BLE001 - the request must be answered all the same
            log_defect(log, "a request's handler", error)
            if request_id is not None:
                self._answer_defect(request_id, error)

    def _is_response(self, message: Mapping[str, Any]) -> bool:
        """Whether a message without a method answers a request of the server. JavaScript omits a result that is undefined."""
        request_id = message["id"]
        is_ours = isinstance(request_id, str) and request_id in self._request_futures
        return "result" in message or "error" in message or is_ours

    def _dispatch(self, message: dict[str, Any], method: str, request_id: RequestId | None) -> None:
        """Handles a request or, without an id, a notification."""
        if method == types.EXIT:
            if request_id is not None:
                self.answer(request_id, None)
            self._end(EXIT_OK if self._life.state is State.SHUT_DOWN else EXIT_NO_SHUTDOWN)
            return
        refusal = self._life.refusal(is_initialize=method == types.INITIALIZE)
        if refusal is not None:
            if request_id is not None:
                self._answer_error(request_id, *refusal)
            return
        if request_id is not None and _is_notification(method):
            # Its handler would never answer.
            reason = f"{method} is a notification: it must not have an id"
            self._answer_error(request_id, INVALID_REQUEST, reason)
            return
        if (handler := self._handlers.get(method)) is not None:
            self.run_handler(handler, request_id, message.get("params"))
        elif request_id is not None:
            self._receive_standard_request(message, method, request_id)
        else:
            self._receive_standard_notification(message, method)

    def run_handler(self, handler: Handler, request_id: RequestId | None, params: Any) -> None:
        """Runs a handler, and answers with its result or its error."""
        try:
            result = handler(params, request_id)
        except KatoError as error:
            if request_id is not None:
                self.answer_kato_error(request_id, error)
            else:
                log.warning("a notification was refused: %s", error.message)
        except Exception as error:  # noqa: BLE001 - one request's defect must not end the process
            log_defect(log, "a request's handler", error)
            if request_id is not None:
                self._answer_defect(request_id, error)
        else:
            if request_id is not None and result is not DEFERRED:
                self.answer(request_id, result)
                self._connection.flush()  # the answer goes out before the messages behind are handled

    def _receive_standard_request(self, message: dict[str, Any], method: str, request_id: RequestId) -> None:
        if method not in self.fm.builtin_features and method not in self.fm.features:
            self._answer_error(request_id, METHOD_NOT_FOUND, f"unknown method {brief(method)}")
            return
        if method == types.INITIALIZE:
            message = message | {"params": self._note_initialize(message.get("params"))}
        try:
            structured = self.structure_message(message)
        except JsonRpcException:
            self._answer_error(request_id, INVALID_PARAMS, f"invalid params for {method}")
            return
        if method == types.SHUTDOWN:
            self._life.move(Event.SHUTDOWN)
        self.handle_message(structured)

    def _receive_standard_notification(self, message: dict[str, Any], method: str) -> None:
        is_known = method in self.fm.builtin_features or method in self.fm.features
        if method in _UNWANTED or not is_known or not _is_notification(method):
            return
        try:
            structured = self.structure_message(message)
        except JsonRpcException:
            log.warning("invalid params for %s", method)
            return
        self.handle_message(structured)

    def _receive_response(self, message: dict[str, Any]) -> None:
        if "id" not in message or not ("result" in message or "error" in message):
            log.warning("a message that is neither a request nor a response was ignored")
            return
        try:
            self.handle_message(self.structure_message(message))
        except Exception as error:  # noqa: BLE001 - the messages behind must be handled all the same
            log.warning("a response was ignored: %s", type(error).__name__)

    def _send_handler_result(self, future: "Future[Any]", *, msg_id: RequestId) -> None:
        """Sends the result of a standard request. pygls would send the text and the traceback of any exception."""
        error = None if future.cancelled() else future.exception()
        if error is None or isinstance(error, JsonRpcException):
            super()._send_handler_result(future, msg_id=msg_id)
            return
        assert isinstance(error, Exception)
        log_defect(log, "a request's handler", error)
        self._answer_defect(msg_id, error)

    def answer(self, request_id: RequestId, result: Any) -> None:
        """Sends a result."""
        if isinstance(result, Page):
            self._connection.send_parts(wire.page_parts(request_id, result))
        else:
            self._connection.send({"jsonrpc": "2.0", "id": request_id, "result": result})

    def answer_kato_error(self, request_id: RequestId, error: KatoError) -> None:
        """Sends an error."""
        self._answer_error(request_id, error.code, error.message, error.data)

    def _answer_defect(self, request_id: RequestId, error: Exception) -> None:
        """Sends the error for an exception that no handler may raise. Its text may hold conversation text."""
        self._answer_error(request_id, INTERNAL_ERROR, f"internal error ({type(error).__name__})")

    def _answer_error(self, request_id: RequestId | None, code: int, message: str, data: Any = None) -> None:
        error = {"code": code, "message": one_line(message)} | ({"data": data} if data else {})
        self._connection.send({"jsonrpc": "2.0", "id": request_id, "error": error})

    def send_edit(self, params: dict[str, Any]) -> "Future[Any]":
        """Sends `workspace/applyEdit`; the future is its answer."""
        edit = self._converter.structure(params, types.ApplyWorkspaceEditParams)
        return self.send_request(types.WORKSPACE_APPLY_EDIT, edit)

    def _send_data(self, data: Any) -> None:
        """Sends a message of pygls."""
        if data:
            self._connection.send(self._converter.unstructure(data))
            self._connection.flush()


class NoWriter:
    """pygls requires a writer; everything goes through the connection."""

    def write(self, data: bytes) -> None:
        """Never called."""
        raise AssertionError(data[:0])

    def close(self) -> None:
        """Nothing to close."""


def one_line(message: str) -> str:
    """A message in one line of bounded length. Editors show it, and write it to logs and terminals."""
    return printable(message, chars_max=limits.MESSAGE_CHARS_MAX)


def is_id(value: Any) -> bool:
    """Whether a value can be the id of a request, or a token: an integer or a string of bounded length."""
    if isinstance(value, str):
        return len(value) <= limits.ID_CHARS_MAX  # the answer repeats it
    return isinstance(value, int) and not isinstance(value, bool)


def _broken_rule(message: Mapping[str, Any]) -> str | None:
    """The rule of JSON-RPC that a request or notification breaks; None if it breaks none."""
    if message.get("jsonrpc") != "2.0":
        return 'jsonrpc must be "2.0"'
    if not isinstance(message.get("method"), str):
        return "method must be a string"
    if "id" in message and not is_id(message["id"]):
        return "id must be a string or an integer"
    return None


def _is_notification(method: str) -> bool:
    found = types.METHOD_TO_TYPES.get(method)
    return found is not None and found[1] is None
