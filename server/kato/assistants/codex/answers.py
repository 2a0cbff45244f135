"""Codex: reads the assistant's answers, plans and thoughts."""

from collections.abc import Mapping, Sequence
from typing import Final

from kato.assistants.codex.inputs import InputReader, texts_of
from kato.assistants.codex.marks import answer_of
from kato.assistants.codex.session import Entry
from kato.assistants.contract import Json
from kato.assistants.values import object_of, objects_of, text_of
from kato.core.events import Phase

_PHASES: Final[Mapping[str, Phase]] = {"commentary": "commentary", "final_answer": "final", "output": "other"}


class AnswerReader(InputReader):
    """Reads the assistant's messages."""

    def _again(self) -> None:
        super()._again()
        self._reviewed = ("", 0)  # the text of the last review, and the number of inputs before it
        self._thought: tuple[str, list[str]] = ("", [])  # the last item with thoughts: its id, its parts

    def _message(self, entry: Entry) -> None:
        """Takes a message of the model's history: of the user, the assistant, or (in other roles) the host."""
        content = entry.body.get("content")
        blocks = objects_of({"content": content}, "content")
        if isinstance(content, str):
            blocks = [{"type": "input_text", "text": content}]
        role = text_of(entry.body, "role")
        if role == "assistant":
            self._answer(_joined(blocks), entry)
        elif role == "user":
            self._history_message(entry, blocks)

    # --- Answers ------------------------------------------------------------------------------------------------

    def _answer_event(self, entry: Entry) -> None:
        self._answer(text_of(entry.body, "message") or "", entry)

    def _answer_item(self, entry: Entry) -> None:
        self._answer(_joined(objects_of(entry.body, "content")), entry)

    def _answer(self, text: str, entry: Entry) -> None:
        said = answer_of(text)
        words = said.text
        reviewed, inputs = self._reviewed
        if reviewed and inputs == self._twins.inputs and words.lstrip().startswith(f"{reviewed}\n"):
            words = words.lstrip()[len(reviewed) :].strip("\n")  # the findings, behind what was emitted
        self._emit_answer("assistant", words, entry)
        self._emit_answer("plan", said.plan, entry)

    def _emit_answer(self, role: str, text: str, entry: Entry) -> None:
        self._flush_waiting()
        if not text.strip() or self._twins.is_twin("assistant", role, text, entry.kind):
            return
        phase = text_of(entry.body, "phase")
        self.emit_assistant(
            self._id(role, text, entry.at),
            entry.at,
            "agent_message",
            text,
            model=self._model,
            phase=None if phase is None else _PHASES.get(phase, "other"),
        )

    def _plan_item(self, entry: Entry) -> None:
        self._emit_answer("plan", (text_of(entry.body, "text") or "").strip("\n"), entry)

    def _review(self, entry: Entry) -> None:
        """Emits a review's text; the answer that follows repeats it with the findings."""
        words = (text_of(object_of(entry.body, "review_output"), "overall_explanation") or "").strip()
        self._emit_answer("assistant", words, entry)
        self._reviewed = words, self._twins.inputs

    # --- Thoughts -----------------------------------------------------------------------------------------------

    def _thought_event(self, entry: Entry) -> None:
        self._think(text_of(entry.body, "text") or "", entry)

    def _reasoning(self, entry: Entry) -> None:
        for part in (*objects_of(entry.body, "summary"), *objects_of(entry.body, "content")):
            self._think(text_of(part, "text") or "", entry)

    def _reasoning_item(self, entry: Entry) -> None:
        """Emits the new parts: a migrated log repeats such an item, each time with one more part."""
        parts = [*texts_of(entry.body, "summary_text"), *texts_of(entry.body, "raw_content")]
        item_id = text_of(entry.body, "id") or ""
        known_id, known = self._thought
        self._thought = item_id, parts
        is_longer = bool(item_id) and item_id == known_id and parts[: len(known)] == known
        for part in parts[len(known) :] if is_longer else parts:
            self._think(part, entry)

    def _think(self, text: str, entry: Entry) -> None:
        self._flush_waiting()
        if text.strip() and not self._twins.is_twin("assistant", "thinking", text, entry.kind):
            event_id = self._id("thinking", text, entry.at)
            self.emit_thinking(event_id, entry.at, "reasoning", text, model=self._model)


def _joined(blocks: Sequence[Json]) -> str:
    return "\n\n".join(text for block in blocks if (text := text_of(block, "text")))
