"""An editor as Kato sees it over LSP: documents with texts, unsaved changes, saving, and edits that the server asks for.

It is strict where a user would lose something: saving over a file that changed behind the editor's back is a conflict,
and an edit must be for the document's version and lie at its very end.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Literal

Params = dict[str, Any]
#: What the editor does with an edit: applies it, refuses it, never answers, answers when `answer_late` is called, or
#: applies it and never answers.
Habit = Literal["apply", "refuse", "ignore", "late", "mute"]


class SaveConflict(AssertionError):
    """The content of the file is newer."""


_versions = count(1)


class Buffer:
    """An open document."""

    def __init__(self, text: str, on_disk: bytes | None) -> None:
        self.text = text
        self.version = next(_versions)
        self.on_disk = on_disk
        self.is_dirty = False


class Editor:
    """`send` takes notifications to the server. `reports`: it is Kato's own client, which reports what is unsaved and saves
    a clean document after an edit; else any client of LSP. What is unsaved is reported before the change that makes it so. `encoding` counts characters.
    """

    def __init__(
        self, send: Callable[[str, Params], None], *, reports: bool = True, encoding: str = "utf-16"
    ) -> None:
        self.send = send
        self.reports = reports
        self.encoding = encoding
        self.habit: Habit = "apply"
        self.buffers: dict[Path, Buffer] = {}
        self.edits = 0
        self._late: list[tuple[Params, Callable[[bool], None]]] = []

    # --- The user -----------------------------------------------------------------------------------------

    def open(self, path: Path, restored: str | None = None) -> None:
        """Opens a file, or brings back the unsaved text of an editor that was started again."""
        on_disk = path.read_bytes() if path.exists() else None
        buffer = Buffer(restored if restored is not None else (on_disk or b"").decode(), on_disk)
        self.buffers[path] = buffer
        document = {
            "uri": path.as_uri(),
            "languageId": "markdown",
            "version": buffer.version,
            "text": buffer.text,
        }
        self.send("textDocument/didOpen", {"textDocument": document})
        buffer.is_dirty = restored is not None
        if self.reports:
            self._report(path)

    def type(self, path: Path, text: str, at: int | None = None) -> None:
        """Types at an offset, at the end without one."""
        self._become(path, dirty=True)
        self._change(path, len(self.buffers[path].text) if at is None else at, 0, text)

    def delete(self, path: Path, text: str) -> None:
        """Takes a text out, as undo does."""
        self._become(path, dirty=True)
        self._change(path, self.buffers[path].text.rindex(text), len(text), "")

    def save(self, path: Path) -> None:
        """Saves what is there, unless the file changed since the editor read or wrote it."""
        buffer = self.buffers[path]
        now = path.read_bytes() if path.exists() else None
        if now != buffer.on_disk:
            raise SaveConflict(f"{path.name} is newer than what the editor shows")
        path.write_bytes(buffer.text.encode())
        buffer.on_disk = buffer.text.encode()
        self.send("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
        self._become(path, dirty=False)

    def revert(self, path: Path) -> None:
        """Throws unsaved changes away and shows the file again."""
        buffer = self.buffers[path]
        buffer.on_disk = path.read_bytes()
        self._become(path, dirty=False)
        self._change(path, 0, len(buffer.text), buffer.on_disk.decode())

    def close(self, path: Path) -> None:
        """Closes a document; unsaved changes are thrown away."""
        del self.buffers[path]
        self.send("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})

    def look(self) -> None:
        """Loads clean documents again whose files changed."""
        for path, buffer in self.buffers.items():
            now = path.read_bytes() if path.exists() else None
            if not buffer.is_dirty and now is not None and now != buffer.on_disk:
                old, new = buffer.text, now.decode()
                buffer.on_disk = now
                if new.startswith(old):
                    self._change(path, len(old), 0, new[len(old) :])
                else:
                    self._change(path, 0, len(old), new)

    # --- The server ---------------------------------------------------------------------------------------

    def apply_edit(self, params: Params, answer: Callable[[bool], None]) -> None:
        """`workspace/applyEdit`."""
        self.edits += 1
        if self.habit == "late":
            self._late.append((params, answer))
        elif self.habit == "refuse":
            answer(False)
        elif self.habit in ("apply", "mute"):
            self._apply(params, answer if self.habit == "apply" else lambda _: None)

    def answer_late(self) -> None:
        """Does what was asked for while the habit was `late`."""
        late, self._late = self._late, []
        for params, answer in late:
            self._apply(params, answer)

    def _apply(self, params: Params, answer: Callable[[bool], None]) -> None:
        (change,) = params["edit"]["documentChanges"]
        (edit,) = change["edits"]
        path, buffer = next(
            (one for one in self.buffers.items() if one[0].as_uri() == change["textDocument"]["uri"]),
            (Path(), None),
        )
        if buffer is None or buffer.version != change["textDocument"]["version"]:
            answer(False)
            return
        now = path.read_bytes() if path.exists() else None
        if self.reports and not buffer.is_dirty and now != buffer.on_disk:
            answer(False)  # it did not load the file again yet: saving would conflict
            return
        start = edit["range"]["start"]
        assert edit["range"] == {"start": self._position(buffer.text, len(buffer.text)), "end": start}
        was_dirty = buffer.is_dirty
        self._become(path, dirty=True)
        self._change(path, len(buffer.text), 0, edit["newText"])
        if self.reports and not was_dirty:
            self.save(path)
        answer(True)

    # --- Documents ----------------------------------------------------------------------------------------

    def _change(self, path: Path, at: int, length: int, text: str) -> None:
        buffer = self.buffers[path]
        span = {
            "start": self._position(buffer.text, at),
            "end": self._position(buffer.text, at + length),
        }
        buffer.text = buffer.text[:at] + text + buffer.text[at + length :]
        buffer.version = next(_versions)
        named = {"uri": path.as_uri(), "version": buffer.version}
        self.send(
            "textDocument/didChange",
            {"textDocument": named, "contentChanges": [{"range": span, "text": text}]},
        )

    def _become(self, path: Path, *, dirty: bool) -> None:
        buffer = self.buffers[path]
        if buffer.is_dirty != dirty:
            buffer.is_dirty = dirty
            if self.reports:
                self._report(path)

    def _report(self, path: Path) -> None:
        dirty = self.buffers[path].is_dirty
        self.send("kato/documentDirty", {"uri": path.as_uri(), "dirty": dirty})

    def _position(self, text: str, at: int) -> Params:
        before = text[:at]
        line = before.count("\n")
        last = before[before.rfind("\n") + 1 :]
        units = {
            "utf-8": len(last.encode()),
            "utf-16": len(last.encode("utf-16-le")) // 2,
            "utf-32": len(last),
        }
        return {"line": line, "character": units[self.encoding]}
