"""A window with an editor: the engine, and what a user has open in front of it."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builders import Json
from editors import Editor
from engine.machine import Window
from kato.lsp.documents import Encoding
from kato.lsp.open_documents import EditorNotes

Request = tuple[dict[str, Any], Callable[[bool], None]]


class EditorWindow:
    """Notifications go to the server immediately, its requests wait until the editor has done what it was doing."""

    def __init__(self, window: Window, *, reports: bool = True, encoding: Encoding = "utf-16") -> None:
        self.window = window
        self.seconds = 0.0
        self.editor = Editor(self._send, reports=reports, encoding=encoding)
        self._requests: deque[Request] = deque()
        self._server = EditorNotes(
            window.engine.held,
            lambda params, take: self._requests.append((params, take)),
            clock=lambda: self.seconds,
        )
        self._server.negotiated(encoding=encoding, edits=True, reports=reports)
        window.engine.connect_editor(self._server)

    def _send(self, method: str, params: dict[str, Any]) -> None:
        handlers = {
            "textDocument/didOpen": self._server.did_open,
            "textDocument/didChange": self._server.did_change,
            "textDocument/didSave": self._server.did_save,
            "textDocument/didClose": self._server.did_close,
            "kato/documentDirty": self._server.dirty,
        }
        handlers[method](params)

    def play(self) -> None:
        """The editor answers what it was asked."""
        for _ in range(100):
            if not self._requests:
                return
            params, take = self._requests.popleft()
            self.editor.apply_edit(params, take)
        raise AssertionError("the server asks without end")

    def say(self, *events: Json, **fields: Any) -> None:
        """The conversation goes on."""
        self.window.append(*events, **fields)
        self.play()

    def do(self, action: Callable[..., None], *arguments: Any, **more: Any) -> None:
        """The user does something."""
        action(*arguments, **more)
        self.play()

    def beat(self) -> None:
        self._server.expire()
        self.window.beat()
        self.play()

    def text(self, path: Path) -> str:
        return self.editor.buffers[path].text
