"""Gemini CLI: what a message means, in both generations of the format.

A message is known by its id and may come again with more in it (a tool call, its result). Each of its parts (thoughts, text,
calls, results) is emitted once, when it is first whole.

The host writes the list of messages again after a compaction, a rewind and a resume. Messages in such a list are history
(`is_copy`): kept turns may have other ids there, so a text that was emitted is not emitted again, nor are thoughts.
"""

import hashlib
from datetime import datetime
from typing import Final

from msgspec import Struct

from kato.assistants.builder import BaseReader
from kato.assistants.contract import Json, LogFile
from kato.assistants.dispatch import Dispatch
from kato.assistants.gemini.tools import ABOUT_PLAN, ENDED, answers, ending, plan_review, result_text
from kato.assistants.gemini.words import FILLERS, IN_SHELL, kind_of, plain, shell_command, typed_words
from kato.assistants.tokens import ReplyTokens
from kato.assistants.values import moment, number_of, object_of, objects_of, remember, text_of
from kato.core import limits
from kato.core.events import Phase
from kato.core.text import one_line

#: Messages of which is remembered what was emitted; only the newest ones change.
MESSAGES_MAX: Final = 8192
_FOLDERS_MAX: Final = 16


class _Emitted(Struct):
    """What of a message was emitted: the first `chars` characters of its text, with their digest, and parts by name."""

    chars: int = 0
    digest: bytes = b""
    parts: set[str] = set()

    def take(self, text: str) -> None:
        """The text was emitted up to its end."""
        self.chars, self.digest = len(text), _digest(text)

    def is_continued_by(self, text: str) -> bool:
        """Whether a text begins with what was emitted."""
        return len(text) >= self.chars and (not self.chars or _digest(text[: self.chars]) == self.digest)

    def take_part(self, name: str) -> bool:
        """Whether this part was not emitted before; it counts as emitted from now on."""
        is_new = name not in self.parts
        self.parts.add(name)
        return is_new


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()


class Messages(BaseReader):
    """Emits the parts of messages."""

    provider = "gemini"

    def __init__(self, log: LogFile, cwd: str | None = None) -> None:
        super().__init__(log)
        self.cwd = cwd
        self._begin_messages()

    def _begin_messages(self) -> None:
        self._reply_tokens = ReplyTokens()
        self.tokens = None
        self._emitted: dict[str, _Emitted] = {}  # by the message's id
        self._texts: dict[str, None] = {}  # digests of what the user and the assistant said
        self._calls: dict[
            str, None
        ] = {}  # calls and results: a kept turn may hold them under another message
        self._first_words: dict[str, str] = {}

    def take_message(self, message: Json) -> None:
        """Takes a message, which may have come before with less in it."""
        message_id = text_of(message, "id")
        at = moment(message.get("timestamp"))
        if message_id is None:
            self.emit_unknown("a message without an id", message, None, at)
            return
        emitted = self._emitted.pop(message_id, None) or _Emitted()
        remember(self._emitted, message_id, emitted, MESSAGES_MAX)
        self.MESSAGES.take(self, text_of(message, "type"), message, message_id, emitted, at)

    def _unknown_message(
        self, name: str, message: Json, message_id: str, emitted: _Emitted, at: datetime | None
    ) -> None:
        if not emitted.chars:
            emitted.chars = 1
            self.emit_unknown(name, message, message_id, at)

    def _notice(self, message: Json, message_id: str, emitted: _Emitted, at: datetime | None) -> None:
        """What the host showed to the user."""
        kind, text = text_of(message, "type") or "", plain(message.get("content"))
        if text and not emitted.chars:
            emitted.take(text)
            self.emit_note(message_id, at, kind, text, subtype=kind, level=kind, origin=message_id)

    # --- Messages of type `user` ------------------------------------------------------------------------

    def _user(self, message: Json, message_id: str, emitted: _Emitted, at: datetime | None) -> None:
        text = plain(message.get("content"))
        if emitted.chars or not (text.strip() or message.get("displayContent")):
            return  # without a text: a tool's result, which its call has as well
        emitted.take(text or " ")
        kind = kind_of(message)
        if kind == "shell":
            self._shell(message_id, text, at)
        elif kind == "summary":
            event_id = f"{message_id}:summary"
            self.emit_note(event_id, at, "user", text.strip(), subtype="summary", origin=message_id)
        elif kind == "host" and (self._is_new("host", text) or not self.is_copy):
            self.emit_system(message_id, at, "user", text.strip(), message_id)
        elif kind == "user":
            self._prompt(message_id, message, at)

    def _prompt(self, message_id: str, message: Json, at: datetime | None) -> None:
        words, doubt = typed_words(message, self.save_picture)
        if not words or (not self._is_new("user", words) and self.is_copy):
            return
        if message.get("displayContent"):  # a list that is written again holds the content alone
            self._is_new("user", typed_words({"content": message.get("content")}, None)[0])
        remember(self._first_words, message_id, one_line(words, limits.TITLE_CHARS_MAX), MESSAGES_MAX)
        self.emit_user(message_id, at, "user", words, message_id, doubt=doubt)

    def _is_new(self, role: str, text: str) -> bool:
        """Whether nothing with this text was said by this role; it counts as said from now on."""
        digest = _digest(f"{role}:{text.strip()}").hex()
        is_new = digest not in self._texts
        remember(self._texts, digest, None, MESSAGES_MAX)
        return is_new

    def _shell(self, message_id: str, text: str, at: datetime | None) -> None:
        """`!command`: the host shows it to the model as a message of the user, with the output in a fence of its own."""
        if not self._is_new("user", text) and self.is_copy:
            return
        command, output = shell_command(text)
        self.emit_user(message_id, at, "user", f"!{command}", message_id, doubt=IN_SHELL)
        call_id = f"{message_id}:shell"
        given = {"command": command}
        self.emit_call(call_id, at, "user", call_id, "user_shell", given, origin=message_id)
        self.emit_result(f"{call_id}:result", at, "user", call_id, output, message_id)

    # --- Messages of type `gemini` ----------------------------------------------------------------------

    def _reply(self, message: Json, message_id: str, emitted: _Emitted, at: datetime | None) -> None:
        self._count_tokens(message_id, object_of(message, "tokens"))
        if not self.is_copy:
            self._thoughts(message_id, message, emitted, at)
        text = plain(message.get("content"))
        if text.strip() and text.strip() not in FILLERS:
            self._answer(message_id, message, text, emitted, at)
        for call in objects_of(message, "toolCalls"):
            self._call(message_id, call, at, text_of(message, "model"))

    def _count_tokens(self, message_id: str, tokens: Json) -> None:
        """`total` is input, output, thoughts and what tools gave; the input contains what was read from a cache."""
        total, cached = number_of(tokens, "total"), number_of(tokens, "cached") or 0
        if total is not None and not self.is_copy:
            self._reply_tokens.count(message_id, max(0, total - cached))
            self.tokens = self._reply_tokens.total

    def _thoughts(self, message_id: str, message: Json, emitted: _Emitted, at: datetime | None) -> None:
        """`thoughts`, or parts of the content that are thoughts: a resumed session repeats there what `thoughts` holds."""
        thoughts, model = objects_of(message, "thoughts"), text_of(message, "model")
        for number, thought in enumerate(thoughts):
            name = f"{message_id}:thought{number}"
            if emitted.take_part(name):
                subject = text_of(thought, "subject")
                description = (text_of(thought, "description") or "").replace("\\n", "\n").strip()
                text = f"**{subject}** — {description}" if subject else description
                thought_at = moment(thought.get("timestamp")) or at
                self.emit_thinking(name, thought_at, "thought", text, message_id, model=model)
        for number, part in enumerate([] if thoughts else objects_of(message, "content")):
            name, text = f"{message_id}:part{number}", text_of(part, "text") or ""
            if part.get("thought") and text.strip() not in FILLERS and emitted.take_part(name):
                self.emit_thinking(name, at, "thought", text, message_id, model=model)

    def _answer(
        self, message_id: str, message: Json, text: str, emitted: _Emitted, at: datetime | None
    ) -> None:
        is_new = self._is_new("gemini", text)
        if self.is_copy and not emitted.chars and not is_new:
            emitted.take(text)  # a kept turn under a new id
            return
        if not emitted.is_continued_by(text):
            if self.is_copy:
                return  # the host shortened it
            event_id, rest = f"{message_id}~{_digest(text).hex()}", text
        elif len(text) > emitted.chars:
            event_id = f"{message_id}+{emitted.chars}" if emitted.chars else message_id
            rest = text[emitted.chars :]
        else:
            return
        emitted.take(text)
        phase: Phase | None = "commentary" if message.get("toolCalls") else None
        model = text_of(message, "model")
        self.emit_assistant(event_id, at, "gemini", rest, message_id, model=model, phase=phase)

    def _call(self, message_id: str, call: Json, at: datetime | None, model: str | None) -> None:
        call_id = text_of(call, "id") or f"{message_id}:call"
        name = text_of(call, "name") or "tool"
        agent = text_of(call, "agentId")
        if agent:
            self.started[agent] = call_id
        if self._is_new_part(call_id):
            given = call.get("args")
            self.emit_call(call_id, at, "toolCall", call_id, name, given, origin=message_id, model=model)
        result = f"{call_id}:result"
        is_ended = bool(call.get("result")) or text_of(call, "status") in ENDED
        if is_ended and self._is_new_part(result):
            ended = moment(call.get("timestamp")) or at
            text = result_text(call)
            outcome, code = ending(name, call, text)
            self.emit_result(
                result, ended, "toolCall", call_id, text, message_id, outcome=outcome, exit_code=code
            )
            self.DECISIONS.take(self, name, call, call_id, ended)

    def _is_new_part(self, name: str) -> bool:
        """Whether this call or result was not emitted before; it counts as emitted from now on."""
        is_new = name not in self._calls
        remember(self._calls, name, None, MESSAGES_MAX)
        return is_new

    # --- Decisions --------------------------------------------------------------------------------------

    def _answers(self, call: Json, call_id: str, at: datetime | None) -> None:
        for number, (question, answer) in enumerate(answers(call)):
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

    def _plan(self, call: Json, call_id: str, at: datetime | None) -> None:
        plan, status, feedback = plan_review(call)
        event_id = f"{call_id}:plan"
        self.emit_plan(
            event_id, at, "exit_plan_mode", plan, call_id=call_id, status=status, feedback=feedback
        )
        if feedback and self.parent_id is None:
            self.emit_user(f"{call_id}:said", at, "exit_plan_mode", feedback, call_id, doubt=ABOUT_PLAN)

    def _no_decision(self, name: str, call: Json, call_id: str, at: datetime | None) -> None:
        """Any other tool decides nothing."""

    # --- The session ------------------------------------------------------------------------------------

    def _take_session_id(self, value: object) -> None:
        self.session_id = value if isinstance(value, str) and value else self.session_id

    def _take_kind(self, value: object) -> None:
        if value == "subagent" and self.parent_id is None:
            self.parent_id = ""  # the log does not name its parent
        elif value not in (None, "main", "subagent"):
            self.report("unknown_kind", f"session {value}")

    def _take_title(self, value: object) -> None:
        self.title = value if isinstance(value, str) and value else self.title

    def _take_directories(self, value: object) -> None:
        """The folders of the workspace, also those that `/dir add` added."""
        folders = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
        if not self._folders and self.cwd is not None:
            self._folders[self.cwd] = None
        for folder in folders[:_FOLDERS_MAX]:
            self.cwd = self.cwd or folder
            self._folders[folder] = None

    def take_fields(self, fields: Json) -> None:
        """Takes the fields of a session that stand next to its messages."""
        for name, value in fields.items():
            self.FIELDS.take(self, name, value)

    def _unknown_field(self, name: str, value: object) -> None:
        del value
        self.count_unknown(name, {}, None, None)

    #: Messages, by `type`.
    MESSAGES: Final = Dispatch(
        {
            "user": _user,
            "gemini": _reply,
            "info": _notice,
            "warning": _notice,
            "error": _notice,
        },
        default=_unknown_message,
        label="message",
    )
    #: Calls whose results hold a decision of the user, by the tool's name.
    DECISIONS: Final = Dispatch({"ask_user": _answers, "exit_plan_mode": _plan}, default=_no_decision)
    #: Fields of the session, in the first record and in `$set`.
    FIELDS: Final = Dispatch(
        {
            "sessionId": _take_session_id,
            "kind": _take_kind,
            "summary": _take_title,
            "directories": _take_directories,
        },
        ignored=[
            "activeExtensionName",
            "lastUpdated",
            "memoryScratchpad",
            "messages",
            "projectHash",
            "startTime",
        ],
        default=_unknown_field,
        label="field",
    )
