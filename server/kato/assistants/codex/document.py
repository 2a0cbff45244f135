"""Codex: the logs of its first program (until the summer of 2025), `sessions/rollout-<day>-<session>.json`: one JSON object
`{"session": {id, timestamp, instructions}, "items": [...]}`, replaced as a whole. An item is a response item without a time.
"""

from collections.abc import Iterator

import msgspec

from kato.assistants.codex.outputs import arguments_of
from kato.assistants.codex.reader import CodexReader
from kato.assistants.contract import Json, LogFile
from kato.assistants.readers import DocumentReader
from kato.assistants.values import object_of, objects_of, text_of


class CodexDocument(DocumentReader):
    """Reads a log that is one JSON document: converts it to the lines of a rollout and reads those."""

    provider = "codex"

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._lines = CodexReader(log)

    def _document(self, document: Json) -> None:
        if not isinstance(document.get("items"), list):
            self.report("invalid_record", "a document without a list of items")
            return
        self._lines.provider = self.provider
        self._lines.save_picture, self._lines.has_room = self.save_picture, self.has_room
        self._lines.restart()
        results = [self._lines.feed(msgspec.json.encode(line) + b"\n") for line in _lines_of(document)]
        for result in (*results, self._lines.settle()):
            self._events += result.events
            self._problems += result.problems
        self.cwd, self.branch = self._lines.cwd, self._lines.branch


def _lines_of(document: Json) -> Iterator[Json]:
    """The document as the lines of a rollout. The time of the session stands for that of its items."""
    session = object_of(document, "session")
    items = objects_of(document, "items")
    folders = (folder for item in items if (folder := _folder_in(item)))
    yield {"type": "session_meta", "payload": {**session, "cwd": next(folders, None)}}
    yield from items


def _folder_in(item: Json) -> str | None:
    """The folder in which a command ran: the document names no other."""
    given = arguments_of(item.get("arguments"))
    folder = text_of(given, "workdir") if isinstance(given, dict) else None
    return folder if folder and (folder.startswith("/") or folder[1:3] == ":\\") else None
