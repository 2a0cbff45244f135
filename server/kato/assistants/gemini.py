"""Gemini CLI and Code Assist: `tmp/<project>/chats/session-<time>-<id8>.jsonl`, before 0.39 one `.json` document.

What proves that a text was typed: `displayContent`, where a message has it, is what the user typed; of its content, nothing
else runs commands. Without it, a message of type `user` was typed if it is one text part (files, hooks and editor contexts
have parts of their own) without a block of tags and without a known phrase of the host. Anything else is doubtful.

Rules: a message is known by its id and may come again with more in it (a tool call, its result). Its parts (thoughts, text,
calls, results) are emitted once each, when they first are whole. What `$rewindTo` takes back was said all the same, and
stays behind a boundary. A new `messages` list, as a compaction writes it, gives the kept turns again under new ids: a turn
whose text was emitted is not emitted again.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from kato.assistants.builder import BaseReader
from kato.assistants.contract import Assistant, Json, LogFile, SavePicture, Surroundings
from kato.assistants.proof import host_block
from kato.assistants.readers import DocumentReader, LinesReader
from kato.assistants.values import as_text, moment, object_of, objects_of, placeholder, remember, text_of
from kato.core import limits
from kato.core.events import Phase
from kato.core.lenient_json import loads
from kato.core.text import lines_outside_fences, one_line

#: Blocks that the host writes as a part, or a message, of its own.
_HOST_PARTS: Final = ("<session_context>", "<hook_context>", "<editor_context>")
#: The model's summary of what a compaction left out.
_SUMMARY: Final = ("<state_snapshot>", "<scratchpad>")
_SUMMARY_ANSWER: Final = "Got it. Thanks for the additional context!"
#: Messages that the host writes in the user's name.
_HOST_MESSAGES: Final = frozenset(["System: Please continue.", "Please continue."])
_HOST_PHRASES: Final = (
    "System: Potential loop detected.",
    "Here is the user's editor context",
    "Here is a summary of changes in the user's editor context",
    "Your previous turn ended",
)
_STEERING: Final = re.compile(
    r"User steering update:\s*<user_input>\n?(?P<words>.*)\n?</user_input>\s*Internal instruction:", re.DOTALL
)
_SHELL: Final = "I ran the following shell command:\n```sh\n"
_SHELL_RESULT: Final = "\n```\n\nThis produced the following result:\n```\n"
#: The CLI's own commands (`/help`), which are not said to the model. A prompt may begin with a path (`/tmp fills up`).
_SLASH: Final = re.compile(r"/(?P<name>[a-z][a-z-]*)(?=\s|$)[^\n]*\Z")
_COMMANDS: Final = frozenset(
    "about agents auth bug chat clear commands compress copy corgi dir directory docs editor exit extensions footer help hooks"
    " ide init mcp memory model permissions plan policies privacy profile quit restore resume rewind settings setup-github"
    " shells skills stats terminal-setup theme tools upgrade vim".split()
)
_FILES: Final = "--- Content from referenced files ---"
_ENDED: Final = frozenset(["success", "error", "cancelled"])
#: Messages that are remembered to know what of them was emitted; only the newest ones change.
_MESSAGES_MAX: Final = 8192


class _Told(Struct):
    """What of a message was emitted: the first `chars` characters of its text, with their digest, and parts by name."""

    chars: int = 0
    digest: bytes = b""
    parts: set[str] = set()

    def take(self, text: str) -> None:
        """The text was emitted up to here."""
        self.chars, self.digest = len(text), _digest(text)

    def is_continued_by(self, text: str) -> bool:
        """Whether a text begins with what was emitted."""
        return len(text) >= self.chars and (not self.chars or _digest(text[: self.chars]) == self.digest)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


class _Messages(BaseReader):
    """What a message means, in both generations of the format."""

    provider = "gemini"

    def __init__(self, log: LogFile, cwd: str | None = None) -> None:
        super().__init__(log)
        self.cwd = cwd
        self._begin_messages()

    def _begin_messages(self) -> None:
        self._told: dict[str, _Told] = {}
        self._texts: dict[str, None] = {}  # digests of what the user and the assistant said
        self._first_words: dict[str, str] = {}
        self._rewinds: dict[str, int] = {}

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
            self.emit_unknown("a message without an id", message, None, at)
            return
        told = self._told.pop(message_id, None) or _Told()
        remember(self._told, message_id, told, _MESSAGES_MAX)
        if kind == "user":
            if not told.chars:
                self._prompt(message_id, message, told, at)
        elif kind == "gemini":
            self._reply(message_id, message, told, at)
        elif kind in ("info", "warning", "error"):
            text = _plain(message.get("content"))
            if text and not told.chars:
                told.take(text)
                self.emit_note(message_id, at, kind, text, subtype=kind, level=kind, origin=message_id)
        elif not told.chars:
            told.chars = 1
            self.emit_unknown(f"message {kind}", message, message_id, at)

    def _prompt(self, message_id: str, message: Json, told: _Told, at: datetime | None) -> None:
        """A message of type `user`: what of it the user typed, or what the host wrote in the user's name."""
        content = message.get("content")
        whole = _plain(content)
        text = whole.strip()
        if not text and not message.get("displayContent"):
            return  # a tool's result, which its call has as well
        told.take(whole or " ")
        if text.startswith(_SHELL) and _SHELL_RESULT in text:
            self._shell(message_id, text, at)
            return
        if text.startswith(_SUMMARY):
            self.emit_note(f"{message_id}:summary", at, "user", text, subtype="summary", origin=message_id)
            return
        if text in _HOST_MESSAGES or text.startswith(_HOST_PHRASES) or (text and not _own_parts(content)):
            if not text.startswith("<session_context>"):
                self.emit_system(message_id, at, "user", text, message_id)
            return
        words, doubt = _words(message, self.save_picture)
        if not words or (self.is_copy and not self._is_new("user", words)):
            return
        self._is_new("user", words)
        remember(self._first_words, message_id, one_line(words, limits.TITLE_CHARS_MAX), _MESSAGES_MAX)
        self.emit_user(message_id, at, "user", words, message_id, doubt=doubt)

    def _is_new(self, role: str, text: str) -> bool:
        """Whether nothing with this text was said by this role; it counts as said from now on."""
        digest = _digest(f"{role}:{text.strip()}").hex()
        is_new = digest not in self._texts
        remember(self._texts, digest, None, _MESSAGES_MAX)
        return is_new

    def _shell(self, message_id: str, text: str, at: datetime | None) -> None:
        """`!command`: the host tells the model of it as a message of the user's, with the output in a fence of its own."""
        command, _, output = text.removeprefix(_SHELL).partition(_SHELL_RESULT)
        self.emit_user(
            message_id, at, "user", f"!{command}", message_id, doubt="it is a shell command of Gemini CLI"
        )
        call_id = f"{message_id}:shell"
        self.emit_call(
            call_id, at, "user", call_id, "run_shell_command", {"command": command}, origin=message_id
        )
        self.emit_result(
            f"{call_id}:result", at, "user", call_id, output.removesuffix("```").rstrip("\n"), message_id
        )

    def _reply(self, message_id: str, message: Json, told: _Told, at: datetime | None) -> None:
        for number, thought in enumerate(objects_of(message, "thoughts")):
            part = f"{message_id}:thought{number}"
            if part not in told.parts:
                told.parts.add(part)
                subject = text_of(thought, "subject")
                description = (text_of(thought, "description") or "").replace("\\n", "\n").strip()
                text = f"**{subject}** — {description}" if subject else description
                self.emit_thinking(part, moment(thought.get("timestamp")) or at, "thought", text, message_id)
        self._thought_parts(message_id, message, told, at)
        text = _plain(message.get("content"))
        if text.strip():
            self._answer(message_id, message, text, told, at)
        for call in objects_of(message, "toolCalls"):
            self._tool(message_id, call, told, at)

    def _thought_parts(self, message_id: str, message: Json, told: _Told, at: datetime | None) -> None:
        """Parts of the content that are thoughts; a resumed session repeats there what `thoughts` holds."""
        if message.get("thoughts"):
            return
        for number, part in enumerate(objects_of(message, "content")):
            name = f"{message_id}:part{number}"
            if part.get("thought") and name not in told.parts:
                told.parts.add(name)
                self.emit_thinking(name, at, "thought", text_of(part, "text") or "", message_id)

    def _answer(self, message_id: str, message: Json, text: str, told: _Told, at: datetime | None) -> None:
        if (
            self.is_copy
            and not told.chars
            and (text.strip() == _SUMMARY_ANSWER or not self._is_new("gemini", text))
        ):
            told.take(text)  # a kept turn under a new id, or the host's own answer to the summary
            return
        self._is_new("gemini", text)
        if not told.is_continued_by(text):
            if self.is_copy:
                return
            event_id, rest = f"{message_id}~{_digest(text).hex()}", text
        elif len(text) > told.chars:
            event_id = f"{message_id}+{told.chars}" if told.chars else message_id
            rest = text[told.chars :]
        else:
            return
        told.take(text)
        phase: Phase | None = "commentary" if message.get("toolCalls") else None
        model = text_of(message, "model")
        self.emit_assistant(event_id, at, "gemini", rest, message_id, model=model, phase=phase)

    def _tool(self, message_id: str, call: Json, told: _Told, at: datetime | None) -> None:
        call_id = text_of(call, "id") or f"{message_id}:call"
        name = text_of(call, "name") or "tool"
        moment_of_call = moment(call.get("timestamp")) or at
        if call_id not in told.parts:
            told.parts.add(call_id)
            self.emit_call(call_id, at, "toolCall", call_id, name, call.get("args"), origin=message_id)
        result = f"{call_id}:result"
        if result in told.parts or not (call.get("result") or text_of(call, "status") in _ENDED):
            return
        told.parts.add(result)
        text = _result(call)
        self.emit_result(result, moment_of_call, "toolCall", call_id, text, message_id)
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
            self.emit_question(
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
        self._begin_messages()

    def _record(self, record: Json) -> None:
        if "$set" in record:
            self._set(object_of(record, "$set"))
        elif "$rewindTo" in record:
            self._rewind(text_of(record, "$rewindTo") or "")
        elif "type" in record:
            self._message(record)
        elif "sessionId" in record:
            self._about(record)
            if text_of(record, "kind") not in (None, "main", "subagent"):
                self.report("unknown_kind", f"session {text_of(record, 'kind')}")
        else:
            self.emit_unknown("a record without a type", record, None, None)

    def _rewind(self, target: str) -> None:
        times = self._rewinds.get(target, 0) + 1
        remember(self._rewinds, target, times, _MESSAGES_MAX)
        words = self._first_words.get(target)
        sentence = f"Rewound to before “{words}”." if words else "The conversation was taken back."
        mark = f"rewind:{target}" if times == 1 else f"rewind:{target}:{times}"
        self.emit_note(mark, None, "$rewindTo", sentence, subtype="rewind")

    def _set(self, fields: Json) -> None:
        self._about(fields)
        if "messages" not in fields:
            return
        messages = objects_of(fields, "messages")
        kept = {text_of(message, "id") for message in messages}
        gone = [message_id for message_id in self._told if message_id not in kept]
        # After a rewind the list holds what is kept, under the ids that are known.
        if gone and any(message_id not in self._told for message_id in kept):
            event_id = f"compaction:{hashlib.blake2b(repr(gone).encode(), digest_size=8).hexdigest()}"
            self.emit_note(event_id, None, "$set", "The conversation was compacted.", subtype="compaction")
        self.is_copy = True  # what the host puts together anew is history
        for message in messages:
            self.guarded(self._message, message)
        self.is_copy = False


def _plain(content: object, save: SavePicture | None = None) -> str:
    """A message's content without thoughts: a text, or a list of parts."""
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
        return "" if part.get("thought") else text
    for key in ("inlineData", "fileData"):
        data = object_of(part, key)
        if data:
            media, encoded = text_of(data, "mimeType"), text_of(data, "data")
            if save is not None and media and encoded:
                return save(media, encoded)
            name = text_of(data, "fileUri") or text_of(data, "displayName") or ""
            return placeholder("image", text_of(data, "mimeType") or "", name)
    return ""


def _words(message: Json, save: SavePicture | None) -> tuple[str, str | None]:
    """What the user typed, and why that is not certain, if it is not."""
    own = _own_parts(message.get("content"))
    files = next((n for n, part in enumerate(own) if _FILES in _plain([part])), None)
    if files is not None:  # the parts from here on are files that were put in
        rest = _plain([own[files]], save).partition(_FILES)[0]
        own = [*own[:files], rest]
    shown = _plain(message.get("displayContent"), save) if message.get("displayContent") else ""
    if shown.strip():
        return _displayed(shown, _plain(own[:1], save))
    words = _plain(own, save).strip("\n")
    if (steering := _STEERING.match(words.strip())) is not None:
        return steering["words"].rstrip("\n"), None
    slash = _SLASH.match(words.strip())
    if not words.strip() or words.strip() == "?" or (slash is not None and slash["name"] in _COMMANDS):
        return "", None
    texts = [
        part for part in own if _plain([part]).strip() and (not isinstance(part, dict) or "text" in part)
    ]
    if len(texts) > 1:
        return words, "the message has parts that Gemini CLI may have added"
    block = host_block(words)
    return words, None if block is None else f"it holds a block of tags (<{block}>)"


def _own_parts(content: object) -> list[object]:
    """The parts of a content that are not wholly a block of the host."""
    parts = content if isinstance(content, list) else [content]
    return [part for part in parts if not _is_host_part(_plain([part]).strip())]


def _is_host_part(text: str) -> bool:
    name = next((one[1:-1] for one in _HOST_PARTS if text.startswith(one)), None)
    return name is not None and text.endswith(f"</{name}>")


def _displayed(shown: str, content: str) -> tuple[str, str | None]:
    """What was displayed as typed. Lines of the content that look like commands and were not displayed are shown, for they may
    be the user's all the same; then nothing in the message runs.
    """
    if "::" not in content or shown.lstrip().startswith("/"):
        return shown.strip("\n"), None
    displayed = {line.strip() for line in shown.split("\n")}
    hidden = [line for _, line in lines_outside_fences(content) if line.strip().startswith("::")]
    hidden = [line for line in hidden if line.strip() not in displayed]
    if not hidden:
        return shown.strip("\n"), None
    return "\n".join([shown, *hidden]).strip("\n"), "the line was not displayed as typed"


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


GEMINI: Final = Assistant(
    "gemini", "Gemini CLI", _roots, _match, _enter, _reader, title_marks=(b'"summary"',)
)
