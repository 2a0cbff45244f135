"""Gemini CLI and Code Assist: `tmp/<project>/chats/session-<time>-<id8>.jsonl`, before 0.39 one `.json` document.

Rule: a message is known by its id and may be told again with more in it (a tool call, its result). Its parts (thoughts,
text, calls, results) are handed out once each, when they first are whole; what is taken back by `$rewindTo` or by a new
`messages` list was said all the same, and stays.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from kato.json_text import loads
from kato.model import Phase
from kato.providers.base import (
    Assistant,
    BaseReader,
    DocumentReader,
    Json,
    LinesReader,
    LogFile,
    SavePicture,
    Surroundings,
    as_text,
    moment,
    object_of,
    objects_of,
    placeholder,
    text_of,
)
from kato.text import lines_outside_fences

_HOSTS_TEXT: Final = ("<session_context>", "<hook_context>", "<state_snapshot>")
_SLASH: Final = re.compile(r"/[A-Za-z][\w:-]*(\s|$)")
_FILES: Final = "--- Content from referenced files ---"
_ENDED: Final = frozenset(["success", "error", "cancelled"])
#: Messages that are remembered to know what of them was told; only the newest ones change.
_MESSAGES_MAX: Final = 8192


class _Told(Struct):
    """What of a message was handed out."""

    chars: int = 0
    parts: set[str] = set()


class _Messages(BaseReader):
    """What a message means, in both generations of the format."""

    provider = "gemini"

    def __init__(self, log: LogFile, cwd: str | None = None) -> None:
        super().__init__(log)
        self.cwd = cwd
        self._told: dict[str, _Told] = {}

    def _about(self, record: Json) -> None:
        """The fields of a session that stand beside its messages."""
        self.session_id = text_of(record, "sessionId") or self.session_id
        if text_of(record, "kind") == "subagent" and self.parent_id is None:
            self.parent_id = ""  # whose it is, is not told
        self.title = text_of(record, "summary") or self.title
        directories = record.get("directories")
        if (
            self.cwd is None
            and isinstance(directories, list)
            and directories
            and isinstance(directories[0], str)
        ):
            self.cwd = directories[0]

    def _message(self, message: Json) -> None:
        message_id = text_of(message, "id")
        kind = text_of(message, "type") or ""
        at = moment(message.get("timestamp"))
        if message_id is None:
            self.tell_unknown("a message without an id", message, None, at)
            return
        told = self._told.pop(message_id, None) or _Told()
        self._told[message_id] = told
        while len(self._told) > _MESSAGES_MAX:
            del self._told[next(iter(self._told))]
        if kind == "user":
            words = _words(message, self.save_picture)
            if words and not told.chars:
                told.chars = len(words)
                self.tell_user(message_id, at, kind, words, message_id)
        elif kind == "gemini":
            self._reply(message_id, message, told, at)
        elif kind in ("info", "warning", "error"):
            text = _plain(message.get("content"))
            if text and not told.chars:
                told.chars = len(text)
                self.tell_note(message_id, at, kind, text, subtype=kind, level=kind, origin=message_id)
        elif not told.chars:
            told.chars = 1
            self.tell_unknown(f"message {kind}", message, message_id, at)

    def _reply(self, message_id: str, message: Json, told: _Told, at: datetime | None) -> None:
        for number, thought in enumerate(objects_of(message, "thoughts")):
            part = f"{message_id}:thought{number}"
            if part not in told.parts:
                told.parts.add(part)
                subject = text_of(thought, "subject")
                description = (text_of(thought, "description") or "").replace("\\n", "\n").strip()
                text = f"**{subject}** — {description}" if subject else description
                self.tell_thinking(part, moment(thought.get("timestamp")) or at, "thought", text, message_id)
        text = _plain(message.get("content"))
        if text.strip() and len(text) > told.chars:
            event_id = f"{message_id}+{told.chars}" if told.chars else message_id
            phase: Phase | None = "commentary" if message.get("toolCalls") else None
            rest, told.chars = text[told.chars :], len(text)
            model = text_of(message, "model")
            self.tell_assistant(event_id, at, "gemini", rest, message_id, model=model, phase=phase)
        for call in objects_of(message, "toolCalls"):
            self._tool(message_id, call, told, at)

    def _tool(self, message_id: str, call: Json, told: _Told, at: datetime | None) -> None:
        call_id = text_of(call, "id") or f"{message_id}:call"
        name = text_of(call, "name") or "tool"
        moment_of_call = moment(call.get("timestamp")) or at
        if call_id not in told.parts:
            told.parts.add(call_id)
            self.tell_call(call_id, at, "toolCall", call_id, name, call.get("args"), origin=message_id)
        result = f"{call_id}:result"
        if result in told.parts or not (call.get("result") or text_of(call, "status") in _ENDED):
            return
        told.parts.add(result)
        text = _result(call)
        self.tell_result(result, moment_of_call, "toolCall", call_id, text, message_id)
        if name == "ask_user":
            self._answers(call, text, call_id, moment_of_call)

    def _answers(self, call: Json, text: str, call_id: str, at: datetime | None) -> None:
        try:
            given = loads(text.encode())
        except ValueError:
            given = {}
        answers = object_of(given, "answers") if isinstance(given, dict) else {}
        for number, question in enumerate(objects_of(object_of(call, "args"), "questions")):
            answer = answers.get(str(number))
            self.tell_question(
                f"{call_id}:answer{number}",
                at,
                "ask_user",
                text_of(question, "question") or "",
                call_id=call_id,
                header=text_of(question, "header"),
                options=objects_of(question, "options"),
                answer=answer,
                status="accepted" if answer else "rejected",
            )


class GeminiDocument(_Messages, DocumentReader):
    """Reads a session of the first generation: one JSON document, rewritten as a whole."""

    def _document(self, document: Json) -> None:
        self._about(document)
        for message in objects_of(document, "messages"):
            self.guarded(self._message, message)


class GeminiReader(_Messages, LinesReader):
    """Reads a session of the second generation: records that add, replace and take back messages."""

    def _again(self) -> None:
        self._told = {}

    def _record(self, record: Json) -> None:
        if "$set" in record:
            self._set(object_of(record, "$set"))
        elif "$rewindTo" in record:
            target = text_of(record, "$rewindTo") or ""
            self.tell_note(
                f"rewind:{target}", None, "$rewindTo", "The conversation was taken back.", subtype="rewind"
            )
        elif "type" in record:
            self._message(record)
        elif "sessionId" in record:
            self._about(record)
            if text_of(record, "kind") not in (None, "main", "subagent"):
                self.report("unknown_kind", f"session {text_of(record, 'kind')}")
        else:
            self.tell_unknown("a record without a type", record, None, None)

    def _set(self, fields: Json) -> None:
        self._about(fields)
        if "messages" not in fields:
            return
        messages = objects_of(fields, "messages")
        kept = {text_of(message, "id") for message in messages}
        gone = [message_id for message_id in self._told if message_id not in kept]
        if gone and messages:
            event_id = f"compaction:{hashlib.blake2b(repr(gone).encode(), digest_size=8).hexdigest()}"
            self.tell_note(event_id, None, "$set", "The conversation was compacted.", subtype="compaction")
        self.is_copy = True  # what the host puts together anew is history
        for message in messages:
            self.guarded(self._message, message)
        self.is_copy = False


def _plain(content: object, save: SavePicture | None = None) -> str:
    """A message's content: a text, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return as_text(content)
    return "".join(_part(part, save) for part in content)


def _part(part: object, save: SavePicture | None = None) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = text_of(part, "text")
    if text is not None:
        return text
    for key in ("inlineData", "fileData"):
        data = object_of(part, key)
        if data:
            media, encoded = text_of(data, "mimeType"), text_of(data, "data")
            if save is not None and media and encoded:
                return save(media, encoded)
            name = text_of(data, "fileUri") or text_of(data, "displayName") or ""
            return placeholder("image", text_of(data, "mimeType") or "", name)
    return ""


def _words(message: Json, save: SavePicture | None) -> str:
    """What the user typed: what was displayed, else the content without the files that were put into it."""
    content = message.get("content")
    shown = _plain(message.get("displayContent"), save) if message.get("displayContent") else ""
    # The parts behind the first are files that were put in, where there are such.
    has_files = isinstance(content, list) and (shown.strip() or _FILES in _plain(content))
    own = content[:1] if isinstance(content, list) and has_files else content
    typed = _plain(own, save).partition(_FILES)[0]
    words = typed
    if shown.lstrip().startswith("/"):
        words = shown  # a slash command: what it stands for is a file's
    elif shown.strip():
        outside = [line for _, line in lines_outside_fences(typed)]
        hidden = [line for line in outside if line.strip().startswith("::") and line.strip() not in shown]
        words = "\n".join([shown, *hidden])
    start = words.strip()
    if start.startswith(_HOSTS_TEXT) or start == "?" or ("\n" not in start and _SLASH.match(start)):
        return ""
    return words.strip("\n") if start else ""


def _result(call: Json) -> str:
    parts = []
    for entry in objects_of(call, "result"):
        response = object_of(object_of(entry, "functionResponse"), "response")
        text = text_of(response, "output") or text_of(response, "error")
        parts.append(text if text is not None else as_text(dict(response)) if response else _part(entry))
    display = call.get("resultDisplay")
    text = "\n".join(part for part in parts if part)
    if isinstance(display, dict):
        difference = text_of(display, "fileDiff")
        text = "\n".join(part for part in (text, difference) if part)
    elif not text and isinstance(display, str):
        text = display
    return text or text_of(call, "status") or ""


# --- Where -------------------------------------------------------------------------------------------

_SESSION: Final = re.compile(r"session-\d{4}-\d\d-\d\dT\d\d-\d\d-(?P<id>[0-9A-Za-z_-]+)\.(?P<kind>jsonl?)$")


def _roots(surroundings: Surroundings) -> list[str]:
    home = surroundings.environment.get("GEMINI_CLI_HOME", "").strip() or surroundings.home
    return [surroundings.path(home, ".gemini", "tmp")]


def _match(parts: Sequence[str]) -> LogFile | None:
    if len(parts) not in (3, 4) or parts[1] != "chats":
        return None
    companions = (f"{parts[0]}/.project_root", "../projects.json")
    if len(parts) == 4:
        stem, dot, kind = parts[3].rpartition(".")
        return LogFile(stem, parent_id=parts[2], companions=companions) if dot and kind == "jsonl" else None
    found = _SESSION.match(parts[2])
    if found is None:
        return None
    return LogFile(found["id"], rewritten=found["kind"] == "json", project=parts[0], companions=companions)


def _enter(parts: Sequence[str]) -> bool:
    return len(parts) == 1 or (len(parts) <= 3 and parts[1] == "chats")


def _reader(
    log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings
) -> GeminiReader | GeminiDocument:
    cwd = companions.get(".project_root", b"").decode(errors="replace").strip() or None
    if cwd is None:
        cwd = _project(log.project, companions.get("projects.json", b""), surroundings)
    return (GeminiDocument if log.rewritten else GeminiReader)(log, cwd)


def _project(folder: str, projects: bytes, surroundings: Surroundings) -> str | None:
    """The project that a folder of `tmp` belongs to: by the list of short names, or, before 0.29, by SHA-256."""
    try:
        listed = object_of(loads(projects), "projects") if projects else {}
    except (ValueError, AttributeError):
        listed = {}
    for path, name in listed.items():
        if name == folder:
            return str(path)
    for path in surroundings.folders:
        if hashlib.sha256(path.encode()).hexdigest() == folder:
            return path
    return None


GEMINI: Final = Assistant("gemini", "Gemini CLI", _roots, _match, _enter, _reader)
