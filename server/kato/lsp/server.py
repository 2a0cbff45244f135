"""The language server: decode, call the engine, encode; errors to codes.

    stdin ─► FrameReader ─► Protocol.receive ─┬─ kato/*, commands, configuration: plain JSON, straight to the engine
                                              └─ the rest of LSP: structured once by lsprotocol, handled by pygls
    end of the bytes that were read: engine.settle() ─► answers of the appends ─► stdout

Rules: messages are handled in the order in which they come, appends that come together are committed together, and
every request is answered. Handlers are synchronous. Logs carry methods, ids and sizes, never conversation text.
"""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from lsprotocol import types
from msgspec.structs import replace
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter

from kato import __version__
from kato.app import config
from kato.app import process as processes
from kato.app.build import Assembly, now_ms
from kato.app.ending import Ending
from kato.assistants import registry
from kato.core import limits, paths, settings
from kato.core.commands import command_from_editor
from kato.core.errors import (
    EXIT_BUDGET,
    EXIT_CONFIG,
    EXIT_NO_SHUTDOWN,
    EXIT_OK,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BudgetExceeded,
    InvalidParams,
    JournalUnavailable,
    KatoError,
    SettingsInvalid,
    brief,
)
from kato.core.events import SessionKey
from kato.core.lenient_json import decoded_bytes, dumps, loads
from kato.core.notices import Notice, Severity
from kato.core.outcomes import CommandOutcome
from kato.core.paths import NOTE_SUFFIXES
from kato.core.settings import Settings
from kato.core.text import printable
from kato.engine import engine as engines
from kato.logs import sources
from kato.logs.driver import LogFeed
from kato.logs.follow import Intake
from kato.lsp import wire
from kato.lsp.editor import EditorNotes, encoding_of, path_of
from kato.lsp.framing import (
    Broken,
    Frame,
    FrameReader,
    Oversize,
    encode_frame,
    encode_header,
    find_request_id,
)
from kato.lsp.transport import Input, Output

log = logging.getLogger("kato.server")

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
NOT_INITIALIZED: Final = -32002

_WINDOWS: Final = sys.platform == "win32"


class _EndOfInput:
    """Comes after the last message."""


_END_OF_INPUT: Final = _EndOfInput()
_Item = Frame | Oversize | Broken | _EndOfInput


class KatoProtocol(LanguageServerProtocol):
    """pygls' protocol with another way in and out: bodies come from a bounded reader and are decoded once by orjson;
    Kato's own methods get plain JSON; every answer is written by orjson; nothing of a body is logged.
    """

    _server: "KatoServer"

    @property
    def is_shut_down(self) -> bool:
        """True after `shutdown`."""
        return self._shutdown

    def receive(self, item: Frame | Oversize | Broken) -> None:
        """Handles one item of the stream. Whatever is wrong with it, those behind it are handled too."""
        try:
            self._receive(item)
        except Exception as error:  # noqa: BLE001 - one message's defect must not cost the others of the same read
            engines.log_defect(log, "the handling of a message", error)

    def _receive(self, item: Frame | Oversize | Broken) -> None:
        if isinstance(item, Frame):
            self._receive_body(item.take())
        elif isinstance(item, Oversize):
            bound = self._server.frame_bytes_max
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
                self._server.make_room(decoded_bytes(body))
            except BudgetExceeded as error:
                log.warning("a message of %d bytes was refused: no memory to read it", len(body))
                request_id = find_request_id(body)
                if request_id is not None:
                    self.answer_kato_error(request_id, error)
                return
        try:
            message = loads(body)
        except (ValueError, RecursionError) as error:
            log.warning("a message of %d bytes is no JSON", len(body))
            # Where the id can be made out all the same, its request does not wait for ever.
            self._answer_error(find_request_id(body), PARSE_ERROR, f"the message is no JSON: {error}")
            return
        size = len(body)
        del body  # a large one must not live beside what is made of it
        if not isinstance(message, dict):
            self._answer_error(None, INVALID_REQUEST, "the message is no JSON object")
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
                self._answer_error(request_id if _is_id(request_id) else None, INVALID_REQUEST, rule)
            return
        assert isinstance(method, str)
        try:
            self._dispatch(message, method, request_id)
        except Exception as error:  # noqa: BLE001 - the request must be answered all the same
            engines.log_defect(log, "a request's handler", error)
            if is_request:
                self._answer_error(request_id, INTERNAL_ERROR, f"internal error ({type(error).__name__})")

    def _is_response(self, message: Mapping[str, Any]) -> bool:
        """Whether a message without a method answers one of ours. JavaScript leaves out a result that is undefined."""
        request_id = message["id"]
        is_ours = isinstance(request_id, str) and request_id in self._request_futures
        return "result" in message or "error" in message or is_ours

    def _dispatch(self, message: dict[str, Any], method: str, request_id: int | str | None) -> None:
        """Handles a request or, without an id, a notification."""
        if method == types.EXIT:
            if request_id is not None:
                self.answer(request_id, None)
            self._server.end(EXIT_OK if self._shutdown else EXIT_NO_SHUTDOWN)
            return
        if self._shutdown:
            if request_id is not None:
                self._answer_error(request_id, INVALID_REQUEST, "the server was shut down")
            return
        if not self._server.is_initialized and method != types.INITIALIZE:
            if request_id is not None:
                self._answer_error(request_id, NOT_INITIALIZED, "initialize comes first")
            return
        params = message.get("params")
        if request_id is not None and _is_notification(method):
            # Its handler would never answer.
            reason = f"{method} is a notification: it must not have an id"
            self._answer_error(request_id, INVALID_REQUEST, reason)
            return
        if (custom := self._server.custom_handlers.get(method)) is not None:
            self._run_custom(custom, request_id, params)
        elif request_id is not None:
            self._receive_standard_request(message, method, request_id)
        else:
            self._receive_standard_notification(message, method)

    def _run_custom(
        self, handler: Callable[[Any, int | str | None], Any], request_id: int | str | None, params: Any
    ) -> None:
        """One of Kato's own methods. A handler returns its result, or DEFERRED when the answer follows later."""
        try:
            result = handler(params, request_id)
        except KatoError as error:
            if request_id is not None:
                self.answer_kato_error(request_id, error)
            else:
                log.warning("a notification was refused: %s", error.message)
        except Exception as error:  # noqa: BLE001 - one request's defect must not end the process
            engines.log_defect(log, "a request's handler", error)
            if request_id is not None:
                self._answer_error(request_id, INTERNAL_ERROR, f"internal error ({type(error).__name__})")
        else:
            if request_id is not None and result is not DEFERRED:
                self.answer(request_id, result)
                self._server.flush_output()  # who asks does not wait for the messages behind

    def _receive_standard_request(self, message: dict[str, Any], method: str, request_id: int | str) -> None:
        if method not in self.fm.builtin_features and method not in self.fm.features:
            self._answer_error(request_id, METHOD_NOT_FOUND, f"unknown method {brief(method)}")
            return
        if method == types.INITIALIZE:
            if self._server.is_initialized:
                self._answer_error(request_id, INVALID_REQUEST, "initialize was already answered")
                return
            message = message | {"params": self._server.note_initialize(message.get("params"))}
        try:
            structured = self.structure_message(message)
        except JsonRpcException:
            self._answer_error(request_id, INVALID_PARAMS, f"invalid params for {method}")
            return
        self.handle_message(structured)

    def _receive_standard_notification(self, message: dict[str, Any], method: str) -> None:
        if method in _UNWANTED or (method not in self.fm.builtin_features and method not in self.fm.features):
            return
        try:
            structured = self.structure_message(message)
        except JsonRpcException:
            log.warning("invalid params for %s", method)
            return
        self.handle_message(structured)

    def _receive_response(self, message: dict[str, Any]) -> None:
        if "id" not in message or not ("result" in message or "error" in message):
            log.warning("a message that is neither a request nor a response was passed over")
            return
        try:
            self.handle_message(self.structure_message(message))
        except Exception as error:  # noqa: BLE001 - a response that cannot be used concerns nobody else
            log.warning("a response was passed over: %s", type(error).__name__)

    def _send_handler_result(self, future: "Future[Any]", *, msg_id: int | str) -> None:
        """The result of a standard request. pygls would send what a defect raises with its traceback, words included."""
        error = None if future.cancelled() else future.exception()
        if error is None or isinstance(error, JsonRpcException):
            super()._send_handler_result(future, msg_id=msg_id)
            return
        assert isinstance(error, Exception)
        engines.log_defect(log, "a request's handler", error)
        self._answer_error(msg_id, INTERNAL_ERROR, f"internal error ({type(error).__name__})")

    def answer(self, request_id: int | str, result: Any) -> None:
        """Sends a result."""
        if isinstance(result, engines.Page):
            self._server.send_parts(wire.page_parts(request_id, result))
        else:
            self._server.send({"jsonrpc": "2.0", "id": request_id, "result": result})

    def answer_kato_error(self, request_id: int | str, error: KatoError) -> None:
        """Sends an error."""
        self._answer_error(request_id, error.code, error.message, error.data)

    def _answer_error(self, request_id: int | str | None, code: int, message: str, data: Any = None) -> None:
        error = {"code": code, "message": _for_people(message)} | ({"data": data} if data else {})
        self._server.send({"jsonrpc": "2.0", "id": request_id, "error": error})

    def send_edit(self, params: dict[str, Any]) -> "Future[Any]":
        """Sends `workspace/applyEdit`; the future is its answer."""
        edit = self._converter.structure(params, types.ApplyWorkspaceEditParams)
        return self.send_request(types.WORKSPACE_APPLY_EDIT, edit)

    def _send_data(self, data: Any) -> None:
        """Pygls' way out."""
        if data:
            self._server.send(self._converter.unstructure(data))
            self._server.flush_output()


_MESSAGE_TYPES: Final[Mapping[Severity, types.MessageType]] = {
    "error": types.MessageType.Error,
    "warning": types.MessageType.Warning,
    "info": types.MessageType.Info,
}
_WATCHERS_ID: Final = "kato-session-logs"
#: A handler's result whose answer is sent later.
DEFERRED: Final = object()

#: Notebooks are not notes: a client that sends them all the same costs no memory here.
_UNWANTED: Final = frozenset(
    {
        types.NOTEBOOK_DOCUMENT_DID_OPEN,
        types.NOTEBOOK_DOCUMENT_DID_CHANGE,
        types.NOTEBOOK_DOCUMENT_DID_CLOSE,
        types.CANCEL_REQUEST,
    }
)


class KatoServer(LanguageServer):
    """The process as an editor sees it. `run` returns the exit code."""

    protocol: KatoProtocol

    def __init__(self, environment: Mapping[str, str], explicit: Mapping[str, Any]) -> None:
        super().__init__(
            "kato",
            __version__,
            protocol_cls=KatoProtocol,
            converter_factory=default_converter,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
        )
        self._environment = environment
        self._cli = explicit
        self._initial: Mapping[str, Any] = {}
        self._changed_settings: Mapping[str, Any] = {}
        self._settings: Settings | None = None
        self._engine: engines.Engine | None = None
        self._started_at = now_ms()
        self._deferred: list[tuple[int | str | None, engines.Ticket]] = []
        self._status_timer: asyncio.TimerHandle | None = None
        self._heartbeat_timer: asyncio.Handle | None = None
        self._others_timer: asyncio.TimerHandle | None = None
        self._last_rss = 0
        self._ending = Ending()
        self._begun = False  # `initialized` came
        self._root: str | None = None
        self._reader = FrameReader(limits.MESSAGE_MB_MAX_DEFAULT * limits.MIB)
        self._parent: str | None = None
        self._assembly: Assembly | None = None
        self._feed: LogFeed | None = None
        self._watchers_registered = False
        self._client_takes_notices = False
        self._client_reports_documents = False
        self._editor: EditorNotes | None = None
        self._work: _Work | None = None
        self._spare_token: int | str | None = (
            None  # one that the client knows, for work that it did not ask for
        )
        self._tokens_made = 0
        self._late_notices: list[Notice] = []  # found before the client may be notified
        self._held: deque[_Item] = deque()  # messages that wait until the client has read
        self._held_bytes = 0
        self._stalled_timer: asyncio.TimerHandle | None = None
        self._status_end = 0  # where in the output the last status ends
        self._status_is_due = False
        self._dropped_at = -1
        self.custom_handlers: Mapping[str, Callable[[Any, int | str | None], Any]] = {
            "kato/appendEvents": self._on_append_events,
            "kato/events": self._on_append_events,
            "kato/memory": self._on_memory,
            "kato/status": self._on_status,
            "kato/readSession": self._on_read_session,
            "kato/renderSession": self._on_render_session,
            types.WORKSPACE_EXECUTE_COMMAND: self._on_execute_command,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._on_did_change_configuration,
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: self._on_did_change_watched_files,
            "kato/destination": self._on_destination,
            **self._document_handlers(),
        }
        for name in wire.COMMANDS:
            # For the capabilities; the command itself is handled as plain JSON in `_on_execute_command`.
            self.command(name)(lambda *_: None)
        # pygls marks its handlers with attributes, which a bound method cannot carry.
        self.feature(types.INITIALIZE)(lambda params: self._on_initialize(params))  # noqa: PLW0108
        self.feature(types.INITIALIZED)(lambda _: self._on_initialized())
        self.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(lambda _: self._on_folders())

    # --- The process ------------------------------------------------------------------------------------

    def run(self, stdin: int, stdout: int) -> int:
        """Serves until the client says exit or goes away."""
        try:
            return asyncio.run(self._run(stdin, stdout))
        finally:
            self._ending.close()

    async def _run(self, stdin: int, stdout: int) -> int:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_log_loop_error)
        self._ended = self._loop.create_future()
        self._output = Output(
            stdout, self._loop, lambda: self.end(EXIT_NO_SHUTDOWN), on_written=self._on_written
        )
        self._input = Input(stdin, self._loop, self._on_data, self._on_round)
        self.protocol.set_writer(_NoWriter())
        self._ending.listen(self._end_soon)
        self._input.start()
        await self._ended
        assert self._ending.code is not None
        return self._ending.code

    def _end_soon(self, code: int) -> None:
        with suppress(RuntimeError):  # the loop ended in this moment
            self._loop.call_soon_threadsafe(self.end, code)

    def _is_hurried(self) -> bool:
        """Whether nobody waits for what this process does: other processes are then waited for briefly."""
        return self._ending.is_wanted or self._input.is_hung_up

    def _on_data(self, data: bytes) -> None:
        """One read's worth of bytes: every message in it, or the end of the input."""
        if self.is_ending():
            return
        items = self._reader.feed(data) if data else iter((_END_OF_INPUT,))
        if self._held or self._output.crowded:
            self._hold(items)
        else:
            self._handle(items)

    def _handle(self, items: "Iterator[_Item]") -> None:
        """Handles what came, in order, until the client leaves too much unread: then the rest waits."""
        for item in items:
            if isinstance(item, _EndOfInput):
                self._end_of_input()
            else:
                self.protocol.receive(item)
            if self.is_ending():
                return
            if self._output.crowded:
                self._output.flush()
                if self._output.crowded:
                    self._hold(items)
                    return

    def _end_of_input(self) -> None:
        if self._reader.unfinished:
            log.warning("input ended in the middle of a message")
        self._settle()
        self.end(EXIT_OK if self.protocol.is_shut_down else EXIT_NO_SHUTDOWN)

    def _hold(self, items: "Iterator[_Item]") -> None:
        """Keeps messages until the client has read. When a round of them waits, nothing more is read."""
        for item in items:
            self._held.append(item)
            self._held_bytes += len(item.body) if isinstance(item, Frame) else 0
        if self._held_bytes >= limits.READ_ROUND_BYTES:
            self._input.pause()
        if self._held and self._stalled_timer is None:
            self._watch_for_a_stall()

    def _on_written(self) -> None:
        """The client has read some of what waited: what was held goes on."""
        if self.is_ending() or self._output.crowded:
            return
        if self._held:
            held, self._held, self._held_bytes = self._held, deque(), 0
            self._input.resume()
            self._handle(iter(held))
            self._on_round()
        if self._status_is_due:
            self._send_status()

    def _watch_for_a_stall(self) -> None:
        self._stalled_timer = self._loop.call_later(
            limits.UNREAD_SECONDS_MAX, self._end_a_stall, self._output.written
        )

    def _end_a_stall(self, written: int) -> None:
        """A client that wants nothing more and reads nothing gets no more answers, or this process would wait forever."""
        self._stalled_timer = None
        if self.is_ending() or not self._held:
            return
        is_leaving = self._input.is_hung_up or any(map(_is_last, self._held))
        if self._output.written == written and is_leaving:
            log.warning(
                "the client ends and does not read: %d bytes are given up", self._output.waiting_bytes
            )
            self._output.discard()
            self._on_written()
        else:
            self._watch_for_a_stall()

    def _on_round(self) -> None:
        """After the reads: what was deferred, then the answers go out."""
        if not self.is_ending():
            self._settle()
            self._output.flush()
            self._wait_for_others(limits.OTHERS_COMMANDS_SECONDS_MIN)

    def _wait_for_others(self, pause: float) -> None:
        """Looks again soon while commands of this window wait for those of another window, less and less often."""
        if self._engine is None or not self._live.is_waiting or self._others_timer is not None:
            return

        def look() -> None:
            self._others_timer = None
            if not self.is_ending():
                self._live.run_waiting()
                self._output.flush()
                self._wait_for_others(min(2 * pause, limits.OTHERS_COMMANDS_SECONDS_MAX))

        self._others_timer = self._loop.call_later(pause, look)

    def end(self, code: int) -> None:
        """Writes the last status and ends with this exit code. The first call counts."""
        if not self._ending.begin(code):
            return
        try:
            self._ending.finish(self._last_steps())
            log.info("ending with exit code %d", code)
        finally:
            if not self._ended.done():
                self._ended.set_result(None)

    def _last_steps(self) -> list[tuple[str, Callable[[], object]]]:
        timers = [
            timer
            for timer in (self._status_timer, self._heartbeat_timer, self._others_timer)
            if timer is not None
        ]
        steps: list[tuple[str, Callable[[], object]]] = [("timers", timer.cancel) for timer in timers]
        steps.append(("input", self._input.stop))
        if self._feed is not None:
            steps.append(("session logs", self._feed.stop))
        if self._assembly is not None:
            steps += [
                ("last events", self._settle),
                ("status file", partial(self._assembly.write_status, running=False)),
                ("journal", self._assembly.engine.close),
            ]
        return [*steps, ("output", partial(self._output.drain, limits.END_DRAIN_SECONDS_MAX))]

    def send(self, message: Mapping[str, Any]) -> None:
        """Queues a message for the client. One that cannot be written as JSON is logged; a request gets an error instead."""
        try:
            body = dumps(message)
        except (TypeError, ValueError, RecursionError) as error:
            engines.log_defect(log, "a message to the client", error)
            if "id" not in message or "method" in message:
                return
            internal = {"code": INTERNAL_ERROR, "message": "internal error (the answer is not JSON)"}
            body = dumps({"jsonrpc": "2.0", "id": message["id"], "error": internal})
        self._output.send(
            (encode_frame(body),) if len(body) < limits.KIB else (encode_header(len(body)), body)
        )

    def send_parts(self, parts: Sequence[bytes]) -> None:
        """Queues a message that comes in parts, which are not copied."""
        self._output.send((encode_header(sum(map(len, parts))), *parts))

    def _send_notification(self, method: str, params: Any) -> None:
        """Queues a notification, unless too much waits for a client that does not read."""
        if self._output.waiting_bytes <= limits.UNREAD_NOTIFICATIONS_BYTES_MAX:
            self.send(_notification(method, params))
        elif self._output.queued != self._dropped_at:
            self._dropped_at = self._output.queued
            log.warning("the client does not read: %s and what follows it is not sent", method)

    def flush_output(self) -> None:
        """Lets queued messages go out."""
        self._output.flush()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Pygls would show a popup; the log is enough, and the request was answered."""
        del source
        log.error("%s", type(error).__name__)

    # --- Start ------------------------------------------------------------------------------------------

    @property
    def is_initialized(self) -> bool:
        """True once `initialize` was answered."""
        return self._engine is not None

    def is_ending(self) -> bool:
        """True once the exit code is decided: nothing more is read, answered or told."""
        return self._ending.code is not None

    @property
    def frame_bytes_max(self) -> int:
        """The largest message that is read now."""
        return self._reader.frame_bytes_max

    @property
    def _live(self) -> engines.Engine:
        assert self._engine is not None
        return self._engine

    def note_initialize(self, params: Any) -> Any:
        """Keeps `initializationOptions` and `capabilities.experimental` as they came: they are JSON, not LSP types. Returns
        what pygls is to read: without a root, whose URI it would take apart in ways that raise.
        """
        given = params if isinstance(params, dict) else {}
        root, path = given.get("rootUri"), given.get("rootPath")
        self._root = paths.from_uri(root, windows=_WINDOWS)
        if root is None and isinstance(path, str) and settings.is_absolute(path, windows=_WINDOWS):
            self._root = path
        options = given.get("initializationOptions")
        self._initial = {} if options is None else options
        capabilities = given.get("capabilities")
        experimental = capabilities.get("experimental") if isinstance(capabilities, dict) else None
        announced = experimental if isinstance(experimental, dict) else {}
        self._client_takes_notices = announced.get("katoNotice") is True
        self._client_reports_documents = announced.get("katoDocuments") is True
        texts = [name for name in ("rootUri", "rootPath") if isinstance(given.get(name), str)]
        return params | dict.fromkeys(texts) if texts else params

    def _on_initialize(self, params: types.InitializeParams) -> None:
        try:
            if not isinstance(self._initial, dict):
                raise SettingsInvalid(
                    "initializationOptions", "must be an object", self._initial, "initializationOptions"
                )
            self._start_engine(self._resolve_settings())
            self._follow_documents(params.capabilities.workspace)
        except (SettingsInvalid, JournalUnavailable) as error:
            log.error("cannot start: %s", error.message)
            self._loop.call_soon(self.end, EXIT_CONFIG)
            data = error.data
            if isinstance(error, JournalUnavailable):
                data = {"key": "stateDir", "rule": error.message, "got": error.data["path"]}
            raise JsonRpcInvalidParams(message=error.message, data=data) from error
        except Exception:  # the protocol answers it
            self._loop.call_soon(self.end, EXIT_NO_SHUTDOWN)
            raise
        parent = params.process_id
        if parent is not None:
            self._parent = processes.identity(parent)

    def _resolve_settings(self) -> Settings:
        file, name = config.load_config(self._environment)
        return settings.resolve(
            explicit={**self._cli, **self._initial, **self._changed_settings},
            environment=self._environment,
            file=file,
            file_name=name,
            unknown_provider=registry.unknown_name,
            # What came at the start was valid.
            explicit_name="didChangeConfiguration" if self._changed_settings else "initializationOptions",
        )

    def _start_engine(self, chosen: Settings) -> None:
        self._assembly = Assembly(
            chosen,
            listener=self,
            folders=self._folders(),
            started_at=self._started_at,
            hurried=self._is_hurried,
        )
        self._engine = self._assembly.engine
        self._engine.notebook.progress = self._on_progress
        if self._assembly.recovery is not None:
            log.error("%s", self._assembly.recovery)
            message = f"Kato: {self._assembly.recovery}."
            self._late_notices.append(Notice("journal_recovered", "warning", message))
        self._apply(chosen)

    def _apply(self, chosen: Settings) -> None:
        """Puts settings in force: at the start, and live."""
        assert self._assembly is not None
        self._settings = chosen
        self._assembly.apply(chosen, self._folders())
        self._reader.frame_bytes_max = self._assembly.message_bytes_max(chosen)

    def _folders(self) -> list[str]:
        """The folders that are open in the editor."""
        folders: list[str | None] = []
        if self.protocol._workspace is not None:  # noqa: SLF001 - pygls' property raises where None would do
            # The keys of `folders` are decoded already: decoded again, `%41` would become `A`.
            folders = [
                paths.from_uri(folder.uri, windows=_WINDOWS) for folder in self.workspace.folders.values()
            ]
            if not folders:
                folders = [self._root]
        return [folder for folder in folders if folder]

    def _on_initialized(self) -> None:
        if self._begun:
            log.warning("initialized came again and was passed over")
            return
        self._begun = True
        for notice in self._late_notices:
            self.notify(notice)
        self._late_notices.clear()
        self._guarded("the work of an earlier process", self._live.resume)
        self._send_status()
        self._heartbeat_timer = self._loop.call_soon(self._beat)
        self._make_spare_token()
        self._guarded("session logs", self._follow_logs)

    def _guarded(self, name: str, step: Callable[[], object]) -> None:
        """What fails here is logged: the next heartbeat tries again, or the next scan."""
        try:
            step()
        except (KatoError, OSError) as error:
            reason = error.message if isinstance(error, KatoError) else error.strerror
            log.warning("%s: %s", name, reason or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one duty's defect must not keep the others from being done
            engines.log_defect(log, name, error)

    def _on_folders(self) -> None:
        assert self._settings is not None
        self._apply(self._settings)
        self._follow_logs()

    # --- Session logs -----------------------------------------------------------------------------------

    def _follow_logs(self) -> None:
        """Follows the assistants' session logs, from the beginning when folders or settings changed."""
        assert self._settings is not None
        if self._feed is not None:
            self._feed.stop()
        place = sources.surroundings(self._environment, self._live.place.workspace_folders)
        intake = Intake(
            roots=sources.roots(place, self._settings.provider_session_roots),
            place=place,
            ledger=self._live.ledger,
            append=self._append_from_log,
            make_room=self._live.make_room,
            now_ms=now_ms,
            clock=self._loop.time,
            # What was said in a folder before it was opened is history.
            started_ms=self._started_at if self._feed is None else now_ms(),
        )
        self._feed = LogFeed(self._loop, intake, self._on_round, self._live.note_watching)
        self._feed.start()
        self._register_watchers([root.path for root in intake.roots])

    def _append_from_log(self, request: engines.AppendRequest) -> None:
        ticket = self._live.append(request)
        self._settle()
        if ticket.error is not None:
            raise ticket.error

    def _register_watchers(self, folders: Sequence[str]) -> None:
        """Asks a client that can to tell of changes below these folders: one more hint, where no other comes."""
        workspace = self.client_capabilities.workspace
        watched = None if workspace is None else workspace.did_change_watched_files
        if watched is None or not watched.dynamic_registration or not watched.relative_pattern_support:
            return
        if self._watchers_registered:
            old = types.Unregistration(_WATCHERS_ID, types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
            self.client_unregister_capability(types.UnregistrationParams([old]))
        patterns = [
            types.RelativePattern(paths.to_uri(folder, windows=_WINDOWS), "**/*.{jsonl,json}")
            for folder in folders
        ]
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(one) for one in patterns]
        )
        new = types.Registration(_WATCHERS_ID, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        self.client_register_capability(types.RegistrationParams([new]))
        self._watchers_registered = True

    def _on_did_change_watched_files(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        changes = params.get("changes") if isinstance(params, dict) else None
        uris = (
            [one.get("uri") for one in changes if isinstance(one, dict)] if isinstance(changes, list) else ()
        )
        changed = [paths.from_uri(uri, windows=_WINDOWS) for uri in uris]
        if self._feed is not None:
            self._feed.hint([path for path in changed if path])
        return None

    # --- Notes that are open in the editor --------------------------------------------------------------

    def _document_handlers(self) -> dict[str, Callable[[Any, int | str | None], object]]:
        """Documents as plain JSON; pygls, which would keep their text, sees none of it."""
        notes = [
            types.FileOperationFilter(types.FileOperationPattern(f"**/*{{{','.join(NOTE_SUFFIXES)}}}")),
            types.FileOperationFilter(
                types.FileOperationPattern("**", matches=types.FileOperationPatternKind.Folder)
            ),
        ]
        operations = types.FileOperationRegistrationOptions(notes)
        # For the capabilities; pygls' own features of documents make the rest of them.
        self.feature(types.TEXT_DOCUMENT_DID_SAVE, types.SaveOptions(include_text=False))(lambda _: None)
        self.feature(types.WORKSPACE_DID_RENAME_FILES, operations)(lambda _: None)
        self.feature(types.WORKSPACE_DID_DELETE_FILES, operations)(lambda _: None)

        def to_editor(
            handle: Callable[[EditorNotes, Any], None],
        ) -> Callable[[Any, int | str | None], object]:
            def run(params: Any, request_id: int | str | None) -> object:
                del request_id
                assert self._editor is not None
                self._settle()
                handle(self._editor, params)
                return None

            return run

        return {
            types.TEXT_DOCUMENT_DID_OPEN: to_editor(EditorNotes.did_open),
            types.TEXT_DOCUMENT_DID_CHANGE: to_editor(EditorNotes.did_change),
            types.TEXT_DOCUMENT_DID_SAVE: to_editor(EditorNotes.did_save),
            types.TEXT_DOCUMENT_DID_CLOSE: to_editor(EditorNotes.did_close),
            "kato/documentDirty": to_editor(EditorNotes.dirty),
            types.WORKSPACE_DID_RENAME_FILES: self._on_did_rename_files,
            types.WORKSPACE_DID_DELETE_FILES: self._on_did_delete_files,
        }

    def _follow_documents(self, client: types.WorkspaceClientCapabilities | None) -> None:
        edit = None if client is None else client.workspace_edit
        self._editor = EditorNotes(self._live.held, self._apply_edit, clock=self._loop.time)
        self._editor.negotiated(
            encoding=encoding_of(self.workspace.position_encoding),
            edits=bool(client and client.apply_edit and edit and edit.document_changes),
            reports=self._client_reports_documents,
        )
        self._live.held.open_notes = self._editor

    def _apply_edit(self, params: dict[str, Any], take: Callable[[bool], None]) -> None:
        def answered(future: "Future[Any]") -> None:
            is_answered = not future.cancelled() and future.exception() is None
            if not self.is_ending():
                take(is_answered and bool(getattr(future.result(), "applied", False)))

        self.protocol.send_edit(params).add_done_callback(answered)

    def _on_did_rename_files(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        self._settle()
        for file in wire.decode(params, wire.DidRenameParams).files:
            old, new = path_of(file.old_uri), path_of(file.new_uri)
            if old is not None and new is not None:
                self._live.move_notes(old, new)
        return None

    def _on_did_delete_files(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        self._settle()
        for file in wire.decode(params, wire.DidDeleteParams).files:
            path = path_of(file.uri)
            if path is not None:
                self._live.delete_notes(path)
        return None

    # --- Requests ---------------------------------------------------------------------------------------

    def _on_append_events(self, params: Any, request_id: int | str | None) -> object:
        try:
            ticket = self._live.append(wire.decode_append(params))
        except InvalidParams as error:
            if request_id is None:
                message = f"kato/events was refused: {error.message}"
                self.notify(Notice("events_rejected", "error", message, error.data))
            raise
        self._deferred.append((request_id, ticket))
        if ticket.candidates:
            self._settle()
        return DEFERRED

    def _settle(self) -> None:
        """Settles the engine and answers the appends, each once, whatever settling raises."""
        if self._engine is None:
            return
        deferred, self._deferred = self._deferred, []
        self._guarded("settling", self._live.settle)
        self._end_work()
        for request_id, ticket in deferred:
            if ticket.error is None and ticket.answer is None:
                if request_id is not None:
                    self.protocol.answer_kato_error(request_id, KatoError("internal error; see Kato's log"))
            elif ticket.error is not None:
                if request_id is not None:
                    self.protocol.answer_kato_error(request_id, ticket.error)
                else:
                    message = f"events of {ticket.key.session_id} were not kept: {ticket.error.message}"
                    data = {"provider": ticket.key.provider, "sessionId": ticket.key.session_id}
                    self.notify(Notice("events_rejected", "error", message, data))
            elif request_id is not None:
                self.protocol.answer(request_id, ticket.answer)
        self._end_if_over_budget()

    def _end_if_over_budget(self) -> None:
        fatal = self._live.fatal_error
        if fatal is None or self.is_ending():
            return
        log.error("over budget: %s", fatal.message)
        data = fatal.data | {"reason": fatal.message}
        self.notify(Notice("over_budget", "error", f"Kato stops: {fatal.message}.", data))
        try:
            last = self._live.status(running=False, limit=limits.STATUS_NEWS_SESSIONS_MAX)
            self.send(_notification("kato/statusChanged", last))
        except Exception as error:  # noqa: BLE001 - whatever it is, the process has to end
            engines.log_failure("the last status", error)
        self.end(EXIT_BUDGET)

    def _on_memory(self, params: Any, request_id: int | str | None) -> object:
        del params, request_id
        self._settle()
        return self._live.memory_status()

    def _on_status(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        asked = wire.decode(params, wire.StatusParams)
        self._settle()
        limit = asked.limit if isinstance(asked.limit, int) else None
        return self._live.status(include_stale=asked.include_stale, limit=limit)

    def _on_read_session(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        asked = wire.decode(params, wire.ReadSessionParams)
        self._settle()
        key = SessionKey(asked.provider, asked.session_id)
        return self._live.read_session(key, after=asked.after, limit=asked.limit)

    def _on_render_session(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        asked = wire.decode(params, wire.SessionParams)
        self._settle()
        markdown, truncated = self._live.render_session(SessionKey(asked.provider, asked.session_id))
        return {"markdown": markdown, "truncated": truncated}

    def _on_destination(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        asked = wire.decode(params, wire.DestinationParams)
        self._settle()
        path = self._live.destination(SessionKey(asked.provider, asked.session_id), asked.format)
        return {"path": path}

    def _on_execute_command(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        asked = params if isinstance(params, dict) else {}
        command_name = asked.get("command")
        name = wire.COMMANDS.get(command_name) if isinstance(command_name, str) else None
        if name is None:
            raise InvalidParams("$.command", f"one of {', '.join(wire.COMMANDS)}", brief(command_name))
        arguments = asked.get("arguments")
        if not isinstance(arguments, list) or len(arguments) != 1:
            raise InvalidParams("$.arguments", "one argument, an object", "something else")
        self._settle()
        decoded = wire.decode_command(arguments[0])
        key = SessionKey(decoded.provider, decoded.session_id)
        command = command_from_editor(name, decoded.path or None, decoded.format or None)
        if _is_id(token := asked.get("workDoneToken")):
            self._work = _Work(token, self._loop.time())
        return self._live.run_editor_command(key, command)

    # --- Work that takes long ---------------------------------------------------------------------------

    def _make_spare_token(self) -> None:
        """A token must be known to the client before it is used: one is kept ready for captures out of a chat."""
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress or self._spare_token is not None:
            return
        self._tokens_made += 1
        token = f"kato-{self._tokens_made}"

        def take(future: "Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None:
                self._spare_token = token

        request = types.WorkDoneProgressCreateParams(token)
        self.protocol.send_request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, request).add_done_callback(take)

    def _on_progress(self, done: int, total: int) -> None:
        now = self._loop.time()
        if self._work is None:
            self._work = _Work(self._spare_token, now)
        work = self._work
        if work.token is None or now - work.told_at < work.pause:
            return
        percentage = 100 * done // max(total, 1)
        message = f"{done:,} of {total:,} events"
        if work.is_shown:
            value: dict[str, Any] = {"kind": "report"}
        else:
            value = {"kind": "begin", "title": "Kato writes a note", "cancellable": False}
        self._tell_progress(work.token, value | {"message": message, "percentage": percentage})
        work.is_shown, work.told_at, work.pause = True, now, limits.PROGRESS_EVERY_SECONDS

    def _end_work(self) -> None:
        work, self._work = self._work, None
        if work is None:
            return
        if work.is_shown and work.token is not None:
            self._tell_progress(work.token, {"kind": "end"})
            if work.token == self._spare_token:
                self._spare_token = None  # a token is good for one piece of work
                self._make_spare_token()

    def _tell_progress(self, token: int | str, value: Mapping[str, Any]) -> None:
        self._send_notification(types.PROGRESS, {"token": token, "value": value})
        self._output.flush()

    def make_room(self, needed_bytes: int) -> None:
        """See `Engine.make_room`."""
        if self._engine is not None:
            self._settle()
            self._live.make_room(needed_bytes)

    # --- Settings, live ---------------------------------------------------------------------------------

    def _on_did_change_configuration(self, params: Any, request_id: int | str | None) -> object:
        del request_id
        given = params.get("settings") if isinstance(params, dict) else None
        section = given.get("kato") if isinstance(given, dict) else None
        if section is None:
            self._pull_configuration()
        else:
            self._change_settings(section)
        return None

    def _pull_configuration(self) -> None:
        """A client that sends no settings with the change wants to be asked for them."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return

        def take(future: "Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None and future.result():
                section = future.result()[0]
                if section is not None:
                    self._change_settings(section)

        request = types.ConfigurationParams([types.ConfigurationItem(section="kato")])
        self.protocol.send_request(types.WORKSPACE_CONFIGURATION, request).add_done_callback(take)

    def _change_settings(self, section: Any) -> None:
        before, kept = self._settings, self._changed_settings
        assert before is not None
        try:
            if not isinstance(section, dict):
                raise SettingsInvalid("kato", "must be an object", section, "didChangeConfiguration")
            self._changed_settings = section
            chosen = self._resolve_settings()
        except SettingsInvalid as error:
            self._changed_settings = kept
            message = f"Kato keeps its settings: {error.message}"
            self.notify(Notice("settings_rejected", "error", message, error.data))
            return
        self._settle()
        self._apply(chosen)
        late = sorted(settings.difference(before, chosen) & settings.RESTART_KEYS)
        if before.provider_session_roots != chosen.provider_session_roots:
            self._follow_logs()
        if late:
            message = f"Kato uses {', '.join(late)} after its next start."
            self.notify(Notice("restart_needed", "info", message, {"keys": late}))
        self._end_if_over_budget()

    # --- What the engine tells (engine.Listener) --------------------------------------------------------

    def changed(self) -> None:
        """Tells the client soon, once for all that happens until then; before `initialized` it must not be told."""
        if self._status_timer is None and self._heartbeat_timer is not None and not self.is_ending():
            self._status_timer = self._loop.call_later(limits.STATUS_COALESCE_SECONDS, self._send_status)

    def executed(self, outcome: CommandOutcome) -> None:
        """Tells the client at once."""
        self._end_work()
        self._send_notification("kato/commandExecuted", outcome)
        self._output.flush()  # one request can run many

    def notify(self, notice: Notice) -> None:
        """Sends a notice: as `kato/notice` to a client that announced `experimental.katoNotice`, else as a message that
        the editor shows.
        """
        message = _for_people(notice.message)
        if self._client_takes_notices:
            self._send_notification("kato/notice", replace(notice, message=message))
            return
        params = {"type": _MESSAGE_TYPES[notice.severity].value, "message": message}
        self._send_notification(types.WINDOW_SHOW_MESSAGE, params)

    # --- Status -----------------------------------------------------------------------------------------

    def _send_status(self) -> None:
        self._status_timer = None
        if self._engine is None or self.is_ending():
            return
        # One status at most waits to be read: the next one is sent when the client has read it.
        self._status_is_due = self._output.crowded or self._output.written < self._status_end
        if self._status_is_due:
            return
        self._settle()
        if not self.is_ending():
            self._guarded("status", self._send_status_now)
            self._output.flush()

    def _send_status_now(self) -> None:
        snapshot = self._live.status(limit=limits.STATUS_NEWS_SESSIONS_MAX)
        self._last_rss = snapshot.memory.process.rss
        self._send_notification("kato/statusChanged", snapshot)
        self._status_end = self._output.queued

    def _beat(self) -> None:
        """The heartbeat: samples, writes the status file, tells the client if there is news."""
        if self.is_ending():
            return
        assert self._settings is not None
        self._heartbeat_timer = self._loop.call_later(self._settings.heartbeat_seconds, self._beat)
        if self._parent is not None and not processes.is_alive(self._parent):
            log.warning("the client's process is gone")
            self.end(EXIT_NO_SHUTDOWN)
            return
        self._settle()
        assert self._assembly is not None
        if self._editor is not None:
            self._guarded("edits without an answer", self._editor.expire)
        self._guarded("heartbeat", self._live.heartbeat)
        self._guarded("status file", self._assembly.write_status)
        if abs(processes.rss_bytes() - self._last_rss) >= limits.PROCESS_MEMORY_NEWS_BYTES:
            self._send_status()
        self._output.flush()


class _Work:
    """A note under way: under which token it is told of, and when that was done last."""

    def __init__(self, token: int | str | None, now: float) -> None:
        self.token = token
        self.told_at = now
        self.pause = limits.PROGRESS_AFTER_SECONDS
        self.is_shown = False


class _NoWriter:
    """pygls wants a writer; everything goes through `KatoServer.send`."""

    def write(self, data: bytes) -> None:
        raise AssertionError(data[:0])

    def close(self) -> None:
        pass


def _notification(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _is_last(item: "_Item") -> bool:
    """True for `exit` and for the end of the input: the client wants nothing more."""
    if not isinstance(item, Frame):
        return isinstance(item, _EndOfInput)
    if len(item.body) > limits.KIB:
        return False
    try:
        message = loads(item.body)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("method") == types.EXIT


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback of the loop raised: asyncio would print the error's words, which may be the conversation's."""
    del loop
    error = context.get("exception")
    if isinstance(error, Exception):
        engines.log_defect(log, "a callback", error)
    else:
        log.error("the event loop: %s", context.get("message"))


def _broken_rule(message: Mapping[str, Any]) -> str | None:
    """The rule of JSON-RPC that a request or notification breaks; None if it breaks none."""
    if message.get("jsonrpc") != "2.0":
        return 'jsonrpc must be "2.0"'
    if not isinstance(message.get("method"), str):
        return "method must be a string"
    if "id" in message and not _is_id(message["id"]):
        return "id must be a string or an integer"
    return None


def _is_notification(method: str) -> bool:
    found = types.METHOD_TO_TYPES.get(method)
    return found is not None and found[1] is None


def _for_people(message: str) -> str:
    """A message in one line of bounded length. Editors show it, and write it to logs and terminals."""
    return printable(message, chars_max=limits.MESSAGE_CHARS_MAX)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= limits.ID_CHARS_MAX  # it is said again in the answer
    return isinstance(value, int) and not isinstance(value, bool)
