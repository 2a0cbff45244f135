"""Claude Code: the assistant's records. One record holds one block of a reply, as a rule."""

from abc import abstractmethod
from datetime import datetime
from typing import Final

from kato.assistants.claude import kinds
from kato.assistants.claude.endings import server_outcome
from kato.assistants.claude.facts import SessionFacts
from kato.assistants.claude.reply import Reply
from kato.assistants.claude.results import PLAN_TOOLS, QUESTION_TOOL
from kato.assistants.claude.words import blocks_of
from kato.assistants.contract import Json
from kato.assistants.dispatch import Dispatch
from kato.assistants.tokens import ReplyTokens
from kato.assistants.values import as_text, number_of, object_of, remember, text_of

#: What the host puts in where no reply was asked for, after a local command.
_FILLER: Final = "No response requested."
#: Calls whose names, questions and plans wait for their results; a turn has some dozens at a time.
_CALLS_MAX: Final = 256


class AssistantRecords(SessionFacts):
    """Emits the assistant's texts, thoughts and calls."""

    def _again(self) -> None:
        super()._again()
        self._reply: Reply | None = None
        self._reply_tokens = ReplyTokens()
        self.tokens = None
        self._names: dict[str, str] = {}  # tools by the ids of the calls that have no result yet
        self._asked: dict[str, Json] = {}  # questions, likewise
        self._plans: dict[str, str] = {}  # plans, likewise

    @abstractmethod
    def _emit_said(self) -> None:
        """Emits the prompts of the queue that belong before a new reply."""

    def take_assistant(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """Takes an `assistant` record."""
        message = object_of(record, "message")
        message_id = self._reply_id(record, message, uuid)
        blocks = blocks_of(message.get("content"))
        text = as_text(list(blocks))
        if text.strip() == _FILLER:
            return
        if record.get("isApiErrorMessage") is True:
            self._close()
            event_id = uuid or message_id
            self.emit_note(event_id, at, "assistant", text, subtype="api_error", level="error", origin=uuid)
            return
        if not self.is_copy:
            self._count_tokens(message_id, object_of(message, "usage"))
        if self._reply is None or self._reply.message_id != message_id:
            self._close()
            self._emit_said()
            model = text_of(message, "model")
            self._reply = Reply(message_id, None if model == "<synthetic>" else model)
        reason = text_of(message, "stop_reason")
        if reason is not None:
            self._reply.phase = "commentary" if reason == "tool_use" else "final"
        first = uuid or message_id
        for index, block in enumerate(blocks):
            if self._is_repeated(block):
                continue
            kind = text_of(block, "type") or ""
            kind = "*_tool_result" if kind.endswith("_tool_result") else kind
            self.BLOCKS.take(self, kind, block, f"{first}:{index}" if index else first, uuid, at)
        if reason is not None and reason != "tool_use":
            self._close()

    def _reply_id(self, record: Json, message: Json, uuid: str | None) -> str:
        """What the records of a reply share."""
        return text_of(message, "id") or text_of(record, "requestId") or uuid or ""

    def _is_repeated(self, block: Json) -> bool:
        """Whether an earlier record of the reply holds this block. Claude Code writes each block once."""
        del block
        return False

    def _count_tokens(self, message_id: str, usage: Json) -> None:
        """Each record of a reply states its usage so far. `input_tokens` are those that no cache held."""
        given, answered = number_of(usage, "input_tokens"), number_of(usage, "output_tokens")
        if given is not None and answered is not None:
            cached = number_of(usage, "cache_creation_input_tokens") or 0
            self._reply_tokens.count(message_id, given + cached + answered)
            self.tokens = self._reply_tokens.total

    def _text(self, block: Json, event_id: str, uuid: str | None, at: datetime | None) -> None:
        del uuid
        assert self._reply is not None
        self._reply.add(event_id, at, text_of(block, "text") or "", is_thought=False)

    def _thinking(self, block: Json, event_id: str, uuid: str | None, at: datetime | None) -> None:
        del uuid
        assert self._reply is not None
        self._reply.add(event_id, at, text_of(block, "thinking") or "", is_thought=True)

    def _call(self, block: Json, event_id: str, uuid: str | None, at: datetime | None) -> None:
        assert self._reply is not None
        self._reply.phase = "commentary"
        self._emit_reply(is_done=True)
        name, call_id = text_of(block, "name") or "", text_of(block, "id") or event_id
        given = block.get("input")
        if name == QUESTION_TOOL and isinstance(given, dict):
            remember(self._asked, call_id, given, _CALLS_MAX)
        elif name in PLAN_TOOLS:
            plan = text_of(given, "plan") if isinstance(given, dict) else None
            remember(self._plans, call_id, plan or "", _CALLS_MAX)
        remember(self._names, call_id, name, _CALLS_MAX)
        self.emit_call(event_id, at, "assistant", call_id, name, given, origin=uuid, model=self._reply.model)
        self._reply.phase = None

    def _server_result(self, block: Json, event_id: str, uuid: str | None, at: datetime | None) -> None:
        """What a tool gave back that runs at Anthropic: a block of the reply itself."""
        del uuid
        self._emit_reply(is_done=True)
        call_id = text_of(block, "tool_use_id") or event_id
        text = as_text(block.get("content"))
        self.emit_result(event_id, at, "assistant", call_id, text, outcome=server_outcome(block))

    def _unknown_block(
        self, name: str, block: Json, event_id: str, uuid: str | None, at: datetime | None
    ) -> None:
        del uuid
        self.emit_unknown(name, block, event_id, at)

    def _emit_reply(self, *, is_done: bool) -> None:
        """Emits what the reply holds so far."""
        reply = self._reply
        if reply is None:
            return
        for piece in reply.take(is_done=is_done):
            if piece.is_thought:
                self.emit_thinking(
                    piece.event_id, piece.at, "assistant", piece.text, piece.block_id, model=reply.model
                )
            else:
                self.emit_assistant(
                    piece.event_id,
                    piece.at,
                    "assistant",
                    piece.text,
                    piece.block_id,
                    model=reply.model,
                    phase=reply.phase,
                )

    def _close(self) -> None:
        """The reply ended."""
        self._emit_reply(is_done=True)
        self._reply = None

    #: Blocks of an `assistant` record, by `type`.
    BLOCKS: Final = Dispatch(
        {
            "text": _text,
            "thinking": _thinking,
            "tool_use": _call,
            "server_tool_use": _call,
            "mcp_tool_use": _call,
            "*_tool_result": _server_result,
        },
        ignored=kinds.BLOCKS,
        default=_unknown_block,
        label="block",
    )
