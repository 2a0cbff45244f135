"""iFlow: `projects/<slug>/session-<id>.jsonl`, records in the form of Claude Code's.

What differs:

- All replies of a turn name the turn's prompt as their parent (`parentUuid`). They are written several times while they
  grow, each time with the newest blocks: a call stands in two or three records. Each call and each text counts once.
- So a tree of prompts says nothing about rewinds.
- A tool's result is what Gemini's tools give back: `{callId, responseParts: {functionResponse}, resultDisplay}`. How the call
  ended stands in `toolUseResult.status`.
- A usage of zero means that the model's server stated none.
"""

from typing import Final

from kato.assistants.claude.endings import Ending
from kato.assistants.claude.reader import ClaudeReader
from kato.assistants.contract import Json
from kato.assistants.values import as_text, number_of, object_of, remember, text_of
from kato.core.events import ToolOutcome

_ENDINGS: Final[dict[str, ToolOutcome]] = {"success": "ok", "error": "error", "cancelled": "denied"}
#: Texts and calls that later records may repeat.
_BLOCKS_MAX: Final = 1024


class IflowReader(ClaudeReader):
    """Reads a session of iFlow."""

    def _again(self) -> None:
        super()._again()
        self._turn = ""
        self._texts: set[str] = set()  # of the turn
        self._calls: dict[str, None] = {}

    def _reply_id(self, record: Json, message: Json, uuid: str | None) -> str:
        turn = text_of(record, "parentUuid") or super()._reply_id(record, message, uuid)
        if turn != self._turn or len(self._texts) >= _BLOCKS_MAX:
            self._turn, self._texts = turn, set()
        return turn

    def _is_repeated(self, block: Json) -> bool:
        kind, is_repeated = text_of(block, "type"), False
        if kind == "tool_use" and (call_id := text_of(block, "id")):
            is_repeated = call_id in self._calls
            remember(self._calls, call_id, None, _BLOCKS_MAX)
        elif kind == "text" and (text := text_of(block, "text")):
            is_repeated = text in self._texts
            self._texts.add(text)
        return is_repeated

    def _is_rewind(self, record: Json, uuid: str | None) -> bool:
        del record, uuid
        return False

    def _result_text(self, block: Json) -> str:
        content = block.get("content")
        if not isinstance(content, dict):
            return super()._result_text(block)
        given = object_of(object_of(content, "responseParts") or content, "functionResponse")
        response = object_of(given, "response")
        for value in (response.get("output"), response.get("error"), content.get("resultDisplay")):
            if isinstance(value, str) and value:
                return value
        return as_text(content)

    def _ending(self, record: Json, block: Json, text: str, tool: str | None) -> Ending:
        status = text_of(object_of(record, "toolUseResult"), "status")
        outcome = _ENDINGS.get(status or "")
        return super()._ending(record, block, text, tool) if outcome is None else Ending(outcome)

    def _count_tokens(self, message_id: str, usage: Json) -> None:
        if number_of(usage, "input_tokens") or number_of(usage, "output_tokens"):
            super()._count_tokens(message_id, usage)
