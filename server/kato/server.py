"""The language server: decode, call the engine, encode; errors to codes.

    stdin ─► FrameReader ─► Protocol.receive ─┬─ kato/*, commands, configuration: plain JSON, straight to the engine
                                              └─ the rest of LSP: structured once by lsprotocol, handled by pygls
    end of the bytes that were read: engine.settle() ─► answers of the appends ─► stdout

Rules: messages are handled in the order in which they come, appends that come together are committed together, and
every request is answered. Handlers are synchronous. Logs carry methods, ids and sizes, never conversation text.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import orjson
from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter

from kato import __version__, config, limits, settings, sources, statusfiles, wire
from kato import engine as engines
from kato import process as processes
from kato.assembly import Assembly, now_ms
from kato.commands import command_from_editor
from kato.editor import EditorNotes, encoding_of, path_of
from kato.errors import (
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
)
from kato.feed import LogFeed
from kato.framing import Broken, Frame, FrameReader, Oversize, encode_frame, find_request_id
from kato.intake import Intake
from kato.json_text import loads
from kato.model import CommandOutcome, Notice, SessionKey, Severity
from kato.paths import NOTE_SUFFIXES
from kato.settings import Settings
from kato.transport import Input, Output

log = logging.getLogger("kato.server")

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
NOT_INITIALIZED: Final = -32002

#: Frames from this size on are looked at before they are read: what they would take in memory must be there.
_LARGE_BYTES: Final = 1 * limits.MIB


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
        """Handles one item of the stream."""
        if isinstance(item, Frame):
            self._receive_body(item.body)
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
        if len(body) >= _LARGE_BYTES:
            try:
                self._server.make_room(wire.decoded_bytes(body))
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
            self._answer_error(None, PARSE_ERROR, f"the message is no JSON: {error}")
            return
        size = len(body)
        del body  # a large one must not live beside what is made of it
        if not isinstance(message, dict):
            self._answer_error(None, INVALID_REQUEST, "the message is no JSON object")
            return
        self._receive_message(message, size)

    def _receive_message(self, message: dict[str, Any], size: int) -> None:
        method = message.get("method")
        if method is None:
            self._receive_response(message)
            return
        is_request = "id" in message
        request_id = message.get("id")
        if not isinstance(method, str) or (is_request and not _is_id(request_id)):
            log.warning("a message of %d bytes is no JSON-RPC", size)
            if is_request:
                answer_to = request_id if _is_id(request_id) else None
                self._answer_error(
                    answer_to, INVALID_REQUEST, "method must be a string, id a string or an integer"
                )
            return
        if method == types.EXIT:
            self._server.end(EXIT_OK if self._shutdown else EXIT_NO_SHUTDOWN)
            return
        if self._shutdown:
            if is_request:
                self._answer_error(request_id, INVALID_REQUEST, "the server was shut down")
            return
        if not self._server.is_initialized and method != types.INITIALIZE:
            if is_request:
                self._answer_error(request_id, NOT_INITIALIZED, "initialize comes first")
            return
        params = message.get("params")
        if (custom := self._server.custom_handlers.get(method)) is not None:
            self._run_custom(custom, request_id if is_request else None, params)
        elif is_request:
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

    def _receive_standard_request(
        self, message: dict[str, Any], method: str, request_id: int | str | None
    ) -> None:
        if method not in self.fm.builtin_features and method not in self.fm.features:
            self._answer_error(request_id, METHOD_NOT_FOUND, f"unknown method {method}")
            return
        if method == types.INITIALIZE:
            if self._server.is_initialized:
                self._answer_error(request_id, INVALID_REQUEST, "initialize was already answered")
                return
            self._server.note_initialize(message.get("params"))
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

    def answer(self, request_id: int | str, result: Any) -> None:
        """Sends a result."""
        self._server.send({"jsonrpc": "2.0", "id": request_id, "result": result})

    def answer_kato_error(self, request_id: int | str, error: KatoError) -> None:
        """Sends an error."""
        self._answer_error(request_id, error.code, error.message, error.data)

    def _answer_error(self, request_id: int | str | None, code: int, message: str, data: Any = None) -> None:
        error = {"code": code, "message": message} | ({"data": data} if data else {})
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
        self._state_dir = Path()
        self._started_at = now_ms()
        self._deferred: list[tuple[int | str | None, engines.Ticket]] = []
        self._status_timer: asyncio.TimerHandle | None = None
        self._heartbeat_timer: asyncio.Handle | None = None
        self._others_timer: asyncio.TimerHandle | None = None
        self._last_rss = 0
        self._exit_code: int | None = None
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
        return asyncio.run(self._run(stdin, stdout))

    async def _run(self, stdin: int, stdout: int) -> int:
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._output = Output(stdout, self._loop, lambda: self.end(EXIT_NO_SHUTDOWN))
        self._input = Input(stdin, self._loop, self._on_data, self._on_round, lambda: self._output.crowded)
        self.protocol.set_writer(_NoWriter())
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._loop.add_signal_handler(number, self.end, 128 + number)
            except NotImplementedError:  # Windows: the default action ends the process
                break
        self._input.start()
        await self._ended
        assert self._exit_code is not None
        return self._exit_code

    def _on_data(self, data: bytes) -> None:
        """One read's worth of bytes: every message in it."""
        if self.is_ending():
            return
        if not data:
            if self._reader.unfinished:
                log.warning("input ended in the middle of a message")
            self._settle()
            self.end(EXIT_OK if self.protocol.is_shut_down else EXIT_NO_SHUTDOWN)
            return
        for item in self._reader.feed(data):
            self.protocol.receive(item)
            if self.is_ending():
                return

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
        if self.is_ending():
            return
        self._exit_code = code
        for timer in (self._status_timer, self._heartbeat_timer, self._others_timer):
            if timer is not None:
                timer.cancel()
        self._input.stop()
        if self._feed is not None:
            self._feed.stop()
        if self._engine is not None:
            try:
                self._settle()
                self._write_status(running=False)
                self._engine.close()
            except (KatoError, OSError) as error:
                log.error("at the end: %s", error)
        self._output.drain(seconds=2)
        log.info("ending with exit code %d", code)
        if not self._ended.done():
            self._ended.set_result(None)

    def send(self, message: Mapping[str, Any]) -> None:
        """Queues a message for the client."""
        self._output.send(encode_frame(wire.dumps(message)))

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
        return self._exit_code is not None

    @property
    def frame_bytes_max(self) -> int:
        """The largest message that is read now."""
        return self._reader.frame_bytes_max

    @property
    def _live(self) -> engines.Engine:
        assert self._engine is not None
        return self._engine

    def note_initialize(self, params: Any) -> None:
        """Keeps `initializationOptions` and `capabilities.experimental` as they came: they are JSON, not LSP types."""
        given = params if isinstance(params, dict) else {}
        options = given.get("initializationOptions")
        self._initial = {} if options is None else options
        capabilities = given.get("capabilities")
        experimental = capabilities.get("experimental") if isinstance(capabilities, dict) else None
        announced = experimental if isinstance(experimental, dict) else {}
        self._client_takes_notices = announced.get("katoNotice") is True
        self._client_reports_documents = announced.get("katoDocuments") is True

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
            # What came at the start was valid.
            explicit_name="didChangeConfiguration" if self._changed_settings else "initializationOptions",
        )

    def _start_engine(self, chosen: Settings) -> None:
        self._assembly = Assembly(chosen, listener=self, folders=self._folders(), started_at=self._started_at)
        self._engine = self._assembly.engine
        self._engine.notebook.progress = self._on_progress
        self._state_dir = self._assembly.state_dir
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
            folders = [uris.to_fs_path(uri) for uri in self.workspace.folders]
            if not folders and self.workspace.root_path:
                folders = [self.workspace.root_path]
        return [folder for folder in folders if folder]

    def _on_initialized(self) -> None:
        for notice in self._late_notices:
            self.notify(notice)
        self._late_notices.clear()
        self._live.resume()
        self._send_status()
        self._heartbeat_timer = self._loop.call_soon(self._beat)
        self._make_spare_token()
        self._follow_logs()

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
        self._feed = LogFeed(self._loop, intake, self._on_round)
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
            types.RelativePattern(uris.from_fs_path(folder) or "", "**/*.{jsonl,json}") for folder in folders
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
        paths = [uris.to_fs_path(change["uri"]) for change in changes or () if isinstance(change, dict)]
        if self._feed is not None:
            self._feed.hint([path for path in paths if path])
        return None

    # --- Notes that are open in the editor --------------------------------------------------------------

    def _document_handlers(self) -> dict[str, Callable[[Any, int | str | None], object]]:
        """Documents as plain JSON; pygls, which would keep their text, sees none of it."""
        notes = [
            types.FileOperationFilter(types.FileOperationPattern(f"**/*.{{{','.join(NOTE_SUFFIXES)}}}")),
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
        """Settles the engine and answers the appends, each once."""
        if self._engine is None:
            return
        self._live.settle()
        self._end_work()
        deferred, self._deferred = self._deferred, []
        for request_id, ticket in deferred:
            if ticket.error is not None:
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
            self.send(_notification("kato/statusChanged", self._live.status(running=False)))
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
        lines, following, total = self._live.read_session(
            SessionKey(asked.provider, asked.session_id), after=asked.after, limit=asked.limit
        )
        return {"events": [orjson.Fragment(line) for line in lines], "nextAfter": following, "total": total}

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
        name = wire.COMMANDS.get(asked.get("command", ""))
        if name is None:
            raise InvalidParams("$.command", f"one of {', '.join(wire.COMMANDS)}", repr(asked.get("command")))
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
        self.send(_notification(types.PROGRESS, {"token": token, "value": value}))
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
        self.send(_notification("kato/commandExecuted", outcome))

    def notify(self, notice: Notice) -> None:
        """Sends a notice: as `kato/notice` to a client that announced `experimental.katoNotice`, else as a message that
        the editor shows.
        """
        if self._client_takes_notices:
            self.send(_notification("kato/notice", notice))
            return
        params = {"type": _MESSAGE_TYPES[notice.severity].value, "message": notice.message}
        self.send(_notification(types.WINDOW_SHOW_MESSAGE, params))

    # --- Status -----------------------------------------------------------------------------------------

    def _send_status(self) -> None:
        self._status_timer = None
        if self._engine is None or self.is_ending():
            return
        self._settle()
        if self.is_ending():
            return
        snapshot = self._live.status()
        self._last_rss = snapshot.memory.process.rss
        self.send(_notification("kato/statusChanged", snapshot))
        self._output.flush()

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
        if self._editor is not None:
            self._editor.expire()
        try:
            self._live.heartbeat()
            self._write_status(running=True)
        except (KatoError, OSError) as error:
            log.warning("heartbeat: %s", error)
        if abs(processes.rss_bytes() - self._last_rss) >= limits.PROCESS_MEMORY_NEWS_BYTES:
            self._send_status()
        self._output.flush()

    def _write_status(self, *, running: bool) -> None:
        statusfiles.write(self._state_dir, self._live.status(running=running))


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


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
