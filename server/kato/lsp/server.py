"""The language server: its life from `initialize` to the exit code, and the parts that it is made of.

    stdin ─► Connection ─► KatoProtocol ─┬─ Requests, EditorNotes, Configuration, ClientFiles ─► Runtime (the engine)
    stdout ◄─ Connection ◄───────────────┴─ Notifications, Progress ◄──────────────────────────────┘

Rules: messages are handled in the order in which they come, messages that come together are committed together, and
every request is answered. The states of the server's life are in `kato.lsp.life`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from kato import __version__
from kato.app import process as processes
from kato.app.runtime import Hooks, Runtime, guarded
from kato.core.errors import (
    EXIT_BUDGET,
    EXIT_CONFIG,
    EXIT_NO_SHUTDOWN,
    EXIT_OK,
    BudgetExceeded,
    JournalUnavailable,
    SettingsInvalid,
)
from kato.core.notices import Notice
from kato.core.settings import Settings
from kato.engine import log_defect
from kato.lsp import methods, wire
from kato.lsp.configuration import Configuration
from kato.lsp.connection import Callbacks, Connection
from kato.lsp.files import ClientFiles, can_watch, note_operations
from kato.lsp.life import Event, Life, State
from kato.lsp.note_views import VIEW_HANDLERS, NoteViews
from kato.lsp.notifications import Notifications
from kato.lsp.open_documents import DOCUMENT_HANDLERS, EditorNotes, encoding_of
from kato.lsp.outlines import Outlines
from kato.lsp.progress import Progress, Token
from kato.lsp.protocol import Handler, KatoProtocol, RequestId
from kato.lsp.requests import Requests

log = logging.getLogger("kato.server")


class KatoServer(LanguageServer):
    """The process as an editor sees it. `explicit` are settings of the command line. `run` returns the exit code."""

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
        self._explicit = explicit
        self._life = Life()
        hooks = Hooks(
            end=self.end,
            over_budget=self._end_over_budget,
            committed=self._on_committed,
            turn_ended=self._on_turn_ended,
            before_beat=self._before_beat,
            after_beat=self._after_beat,
            logs_followed=self._watch_logs,
        )
        self._runtime = Runtime(hooks, environment, hurried=lambda: self._connection.is_hung_up)
        self._reports_documents = False
        self._parent: str | None = None  # the client's process
        self._views: NoteViews | None = None
        self._early_notices: list[Notice] = []  # found before the client may be notified
        self._register_features()

    def _register_features(self) -> None:
        """Announces the capabilities to pygls. What has an entry in `_handlers` never reaches the functions given here."""
        for name in wire.COMMANDS:
            self.command(name)(lambda *_: None)
        for name in VIEW_HANDLERS:
            self.feature(name)(lambda _: None)
        self.feature(types.TEXT_DOCUMENT_DID_SAVE, types.SaveOptions(include_text=False))(lambda _: None)
        self.feature(types.WORKSPACE_DID_RENAME_FILES, note_operations())(lambda _: None)
        self.feature(types.WORKSPACE_DID_DELETE_FILES, note_operations())(lambda _: None)
        # pygls marks its handlers with attributes, which a bound method cannot carry.
        self.feature(types.INITIALIZE)(lambda params: self._on_initialize(params))  # noqa: PLW0108
        self.feature(types.INITIALIZED)(lambda _: self._on_initialized())
        self.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(lambda _: self._on_folders())

    # --- The process ------------------------------------------------------------------------------------

    def run(self, stdin: int, stdout: int) -> int:
        """Serves until the client sends `exit` or is gone."""
        return self._runtime.run(partial(self._serve, stdin, stdout))

    async def _serve(self, stdin: int, stdout: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_loop_error)
        self._put_together(stdin, stdout, loop)
        self.protocol.serve(
            self._connection,
            self._life,
            self._handlers(),
            make_room=self._make_room,
            note_initialize=self._note_initialize,
            end=self.end,
        )
        self._connection.start()

    def _put_together(self, stdin: int, stdout: int, loop: asyncio.AbstractEventLoop) -> None:
        """Makes the parts."""
        self._loop = loop
        self._connection = Connection(
            stdin,
            stdout,
            loop,
            Callbacks(
                receive=self.protocol.receive,
                on_round=self._runtime.turn,
                on_end=self._on_end_of_input,
                on_gone=partial(self.end, EXIT_NO_SHUTDOWN),
                on_written=self._on_written,
                is_ending=lambda: self._life.is_ending,
            ),
        )
        self._progress = Progress(self._send_progress, self._make_token, loop.time)
        self._notifications = Notifications(
            self._connection,
            self._runtime,
            loop,
            may_send=lambda: self._life.state is State.RUNNING,
            before_outcome=self._before_outcome,
        )
        self._requests = Requests(self._runtime, self.protocol, self._progress, self._notifications.notify)
        self._configuration = Configuration(
            self._runtime,
            self._environment,
            self._explicit,
            folders=self._folder_uris,
            put_in_force=self._apply,
            pull=self._pull_configuration,
            notify=self._notifications.notify,
        )
        self._files = ClientFiles(
            self._runtime, self.client_register_capability, self.client_unregister_capability
        )

    def _handlers(self) -> dict[str, Handler]:
        """The handlers of plain JSON, by method. pygls handles the rest of LSP."""
        handlers: dict[str, Handler] = {
            types.WORKSPACE_EXECUTE_COMMAND: self._requests.execute_command,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._configuration.did_change,
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: self._files.did_change,
            types.WORKSPACE_DID_RENAME_FILES: self._files.did_rename,
            types.WORKSPACE_DID_DELETE_FILES: self._files.did_delete,
            types.CANCEL_REQUEST: self._requests.cancel,
        }
        handlers |= {method.name: handle for method, handle in self._requests.handlers().items()}
        handlers |= {name: self._with_documents(handle) for name, handle in DOCUMENT_HANDLERS.items()}
        handlers |= {name: self._with_views(handle) for name, handle in VIEW_HANDLERS.items()}
        assert {one.name for one in methods.METHODS if one.sender == "client"} <= handlers.keys()
        return handlers

    def _with_documents(self, handle: Callable[[EditorNotes, Any], None]) -> Handler:
        def run(params: Any, request_id: RequestId | None) -> None:
            del request_id
            self._runtime.commit()
            handle(self._documents, params)

        return run

    def _with_views(self, handle: Callable[[NoteViews, Any, RequestId | None], object]) -> Handler:
        def run(params: Any, request_id: RequestId | None) -> object:
            assert self._views is not None  # no request is handled before initialize
            return handle(self._views, params, request_id)

        return run

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Logs an error in place of pygls, which would show a popup. The request was answered."""
        del source
        log.error("%s", type(error).__name__)

    # --- Start ------------------------------------------------------------------------------------------

    def _note_initialize(self, params: Any) -> Any:
        """Keeps what is JSON and not LSP types. Returns what pygls is to read: without a root, as it raises on some URIs."""
        given = params if isinstance(params, dict) else {}
        self._configuration.note_initialize(given)
        capabilities = given.get("capabilities")
        experimental = capabilities.get("experimental") if isinstance(capabilities, dict) else None
        announced = experimental if isinstance(experimental, dict) else {}
        self._notifications.takes_notices = announced.get("katoNotice") is True
        self._reports_documents = announced.get("katoDocuments") is True
        texts = [name for name in ("rootUri", "rootPath") if isinstance(given.get(name), str)]
        return params | dict.fromkeys(texts) if texts else params

    def _on_initialize(self, params: types.InitializeParams) -> None:
        try:
            self._start_engine(self._configuration.resolve())
            self._follow_documents(params.capabilities)
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
        if params.process_id is not None:
            self._parent = processes.identity(params.process_id)
        self._life.move(Event.INITIALIZE)

    def _start_engine(self, chosen: Settings) -> None:
        folders = self._configuration.folders()
        self._runtime.open(chosen, folders, self._notifications)
        self._runtime.engine.report_progress_to(self._progress.report)
        recovery = self._runtime.assembly.recovery
        if recovery is not None:
            log.error("%s", recovery)
            self._early_notices.append(Notice("journal_recovered", "warning", f"Kato: {recovery}."))
        self._apply(chosen, folders)

    def _follow_documents(self, capabilities: types.ClientCapabilities) -> None:
        held, client = self._runtime.engine.held, capabilities.workspace
        edit = None if client is None else client.workspace_edit
        self._documents = EditorNotes(held, self._apply_edit, clock=self._loop.time)
        self._documents.negotiated(
            encoding=encoding_of(self.workspace.position_encoding),
            edits=bool(client and client.apply_edit and edit and edit.document_changes),
            reports=self._reports_documents,
        )
        held.open_notes = self._documents
        self._views = NoteViews(
            self._runtime,
            self.protocol,
            Outlines(self._documents, self._loop),
            self._loop,
            client=capabilities,
            refresh=self._refresh_lenses,
        )

    def _on_initialized(self) -> None:
        if self._life.state is not State.INITIALIZED:
            log.warning("initialized came again and was ignored")
            return
        for notice in self._early_notices:
            self._notifications.notify(notice)
        self._early_notices.clear()
        self._runtime.start()
        self._life.move(Event.INITIALIZED)
        self._notifications.send_status()
        self._progress.prepare()

    # --- Settings and folders ---------------------------------------------------------------------------

    def _apply(self, chosen: Settings, folders: list[str]) -> None:
        self._runtime.apply(chosen, folders)
        self._connection.message_bytes_max = self._runtime.assembly.message_bytes_max(chosen)

    def _folder_uris(self) -> list[str] | None:
        if self.protocol._workspace is None:  # noqa: SLF001 - pygls' property raises where None would do
            return None
        # The keys of `folders` are decoded already: decoded again, `%41` would become `A`.
        return [folder.uri for folder in self.workspace.folders.values()]

    def _on_folders(self) -> None:
        self._configuration.apply()
        self._runtime.follow_logs()

    def _watch_logs(self, folders: Sequence[str]) -> None:
        if can_watch(self.client_capabilities):
            self._files.watch(folders)

    # --- Turns ------------------------------------------------------------------------------------------

    def _on_committed(self) -> None:
        self._progress.end()
        self._requests.answer_appends()

    def _on_written(self) -> None:
        self._notifications.send_due_status()

    def _on_turn_ended(self) -> None:
        self._connection.flush()

    def _before_beat(self) -> None:
        if self._parent is not None and not processes.is_alive(self._parent):
            log.warning("the client's process is gone")
            self.end(EXIT_NO_SHUTDOWN)
            return
        guarded("edits without an answer", self._documents.expire)
        if self._views is not None:
            guarded("code lenses", self._views.look)

    def _after_beat(self) -> None:
        self._notifications.send_status_if_memory_moved()

    def _make_room(self, needed_bytes: int) -> None:
        """See `Engine.make_room`."""
        if self._runtime.is_open:
            self._runtime.commit()
            self._runtime.engine.make_room(needed_bytes)

    # --- Requests to the client -------------------------------------------------------------------------

    def _pull_configuration(self, take: Callable[[Any], None]) -> None:
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return

        def answered(future: "Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None and future.result():
                section = future.result()[0]
                if section is not None:
                    take(section)

        params = types.ConfigurationParams([types.ConfigurationItem(section="kato")])
        self.protocol.send_request(types.WORKSPACE_CONFIGURATION, params).add_done_callback(answered)

    def _refresh_lenses(self) -> None:
        self.protocol.send_request(types.WORKSPACE_CODE_LENS_REFRESH, None)

    def _apply_edit(self, params: dict[str, Any], take: Callable[[bool], None]) -> None:
        def answered(future: "Future[Any]") -> None:
            is_answered = not future.cancelled() and future.exception() is None
            if not self._life.is_ending:
                take(is_answered and bool(getattr(future.result(), "applied", False)))

        self.protocol.send_edit(params).add_done_callback(answered)

    def _make_token(self, token: Token, accepted: Callable[[], None]) -> None:
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            return

        def answered(future: "Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None:
                accepted()

        params = types.WorkDoneProgressCreateParams(token)
        self.protocol.send_request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params).add_done_callback(answered)

    def _before_outcome(self) -> None:
        self._progress.end()
        if self._views is not None:
            self._views.recordings_changed()

    def _send_progress(self, params: Mapping[str, Any]) -> None:
        self._connection.notify(types.PROGRESS, params)
        self._connection.flush()

    # --- The end ----------------------------------------------------------------------------------------

    def _on_end_of_input(self) -> None:
        self._runtime.commit()
        self.end(EXIT_OK if self._life.state is State.SHUT_DOWN else EXIT_NO_SHUTDOWN)

    def _end_over_budget(self, error: BudgetExceeded) -> None:
        self._notifications.send_over_budget(error)
        self.end(EXIT_BUDGET)

    def end(self, code: int) -> None:
        """Writes the waiting output and ends with this exit code. The first call counts."""
        if not self._life.move(Event.END):
            return
        before = [
            ("requests", self._requests.refuse_later),
            *([] if self._views is None else [("requests about notes", self._views.stop)]),
            *self._notifications.last_steps(),
            ("input", self._connection.stop_reading),
        ]
        self._runtime.finish(code, before=before, after=[("output", self._connection.drain)])
        self._life.move(Event.FINISH)


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Logs what a callback of the loop raised. asyncio would log the error's text, which may hold conversation text."""
    del loop
    error = context.get("exception")
    if isinstance(error, Exception):
        log_defect(log, "a callback", error)
    else:
        log.error("the event loop: %s", context.get("message"))
