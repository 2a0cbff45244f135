"""Codex: reads the user's messages. `words` documents what proves that a text was typed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from kato.assistants.codex.envelopes import envelope_of
from kato.assistants.codex.history import Input, ShellCommand, input_of, objective_of, shell_command_of
from kato.assistants.codex.outputs import Ending, body_of, ending_of, outcome_of
from kato.assistants.codex.session import Entry, SessionReader
from kato.assistants.codex.twins import TWIN_RECORDS_MAX
from kato.assistants.codex.words import IN_GOAL, IN_PARTS, NOT_AN_INPUT, closely, key_of, words_of
from kato.assistants.contract import Json
from kato.assistants.values import object_of, objects_of, placeholder, remember, text_of

#: Messages of the history that wait for their events.
_WAITING_MAX: Final = 16


class _Waiting(Struct):
    """A message of the history that waits for its event: the event proves that the message was an input."""

    input: Input
    key: str
    pictures: list[str]
    scope: str
    at: datetime | None


class InputReader(SessionReader):
    """Reads the user's messages, and the host's in the role of the user."""

    def _again(self) -> None:
        super()._again()
        self._has_typed = False  # the log has events of the user's
        self._waiting: list[_Waiting] = []
        self._not_typed: dict[str, int] = {}  # keys of the host's messages, and their records' numbers
        self._objective = ""
        self._own_goals: dict[str, None] = {}  # objectives that the assistant set

    # --- Events and items: inputs that a client sent -------------------------------------------------------------

    def _user_event(self, entry: Entry) -> None:
        event = entry.body
        if text_of(event, "kind") not in (None, "plain"):
            return
        pictures = [self._picture_at(url) for url in texts_of(event, "images")]
        for key, noun in (("local_images", "image"), ("local_audio", "audio")):
            pictures += [placeholder(noun, name) for name in texts_of(event, key)]
        self._typed([text_of(event, "message") or ""], pictures, entry)

    def _picture_at(self, url: str) -> str:
        block = {"type": "input_image", "image_url": url}
        return (self.picture(block) if self.save_picture is not None else None) or "[image]"

    def _user_item(self, entry: Entry) -> None:
        blocks = objects_of(entry.body, "content")
        texts = [text for block in blocks if (text := text_of(block, "text"))]
        pictures = [shown for block in blocks if "text" not in block and (shown := self.picture(block))]
        self._typed(texts, pictures, entry)

    def _typed(self, texts: list[str], pictures: list[str], entry: Entry) -> None:
        self._has_typed = self._has_typed or not self._is_recovered
        key, scope, doubt, at = key_of(texts), "", None, entry.at
        waiting = next((one for one in self._waiting if one.key == key), None)
        if waiting is not None:
            # The history came first. It keeps the parts apart, knows their kinds, and may hold the pictures themselves.
            self._waiting.remove(waiting)
            self._note_author(waiting)
            at, scope, doubt = waiting.at, waiting.scope, waiting.input.doubt
            parts = waiting.input.texts
            if len(parts) > len(texts):
                doubt = doubt or IN_PARTS
                texts = parts if "".join(parts) == "".join(texts) else texts
            if not pictures or (self.save_picture is not None and waiting.pictures):
                pictures = waiting.pictures
        if self._twins.is_twin("user", "user", key, entry.kind):
            return
        if waiting is not None:
            self._twins.is_twin("user", "user", key, "history")
        event_id = self._id("user", key, at, scope)
        if self._twins.number - self._not_typed.get(key, -TWIN_RECORDS_MAX - 1) <= TWIN_RECORDS_MAX:
            self._emit_host(event_id, at, "\n\n".join(texts))
        else:
            self._emit_input(event_id, at, texts, pictures, doubt)

    # --- The model's history --------------------------------------------------------------------------------

    def _history_message(self, entry: Entry, blocks: Sequence[Json]) -> None:
        """Takes a message with the role of a user. It waits for the event that proves that it was an input."""
        said = input_of(entry.body, blocks)
        pictures = [shown for block in blocks if block.get("image_url") and (shown := self.picture(block))]
        if said.texts or (pictures and said.author != "host"):
            scope = self._scope(entry.at)
            self._waiting.append(_Waiting(said, key_of(said.texts), pictures, scope, entry.at))
        for block in blocks:
            text = text_of(block, "text") or ""
            self._set_objective(objective_of(text), entry.at)
            ran = shell_command_of(text)
            if ran is not None:
                self._emit_shell(ran, "", ending_of(ran.result), entry)
        if len(self._waiting) > _WAITING_MAX:
            self._flush_waiting()

    def _note_author(self, waiting: _Waiting) -> None:
        """An event may repeat what is not typed: a schedule's message, for instance."""
        if waiting.input.author == "host":
            remember(self._not_typed, waiting.key, self._twins.number, _WAITING_MAX)

    def _flush_waiting(self) -> None:
        """Emits the waiting messages: no event followed."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self._note_author(one)
            if one.input.author == "host" or self._twins.is_twin("user", "user", one.key, "history"):
                continue
            event_id, texts = self._id("user", one.key, one.at, one.scope), one.input.texts
            if one.input.author == "user" or not self._has_typed:
                self._emit_input(event_id, one.at, texts, one.pictures, one.input.doubt)
            elif len(texts) == 1 and envelope_of(texts[0]) is not None:
                self._emit_host(event_id, one.at, texts[0])
            else:
                self._emit_input(event_id, one.at, texts, one.pictures, NOT_AN_INPUT)

    def _quiet(self) -> None:
        self._flush_waiting()

    # --- Goals and commands of the user ------------------------------------------------------------------------------

    def _goal(self, entry: Entry) -> None:
        self._set_objective(text_of(object_of(entry.body, "goal"), "objective"), entry.at)

    def _set_objective(self, objective: str | None, at: datetime | None) -> None:
        """Emits a goal once: no other record holds it, and the log repeats it with each change of its state."""
        key = closely(objective or "")
        if objective is None or not key or key == self._objective:
            return
        self._objective = key
        if key not in self._own_goals:
            self._flush_waiting()
            if not self._twins.is_twin("user", "user", key, "goal"):
                event_id = self._id("goal", key, at)
                self.emit_user(event_id, at, "thread_goal_updated", objective.strip(), doubt=IN_GOAL)

    def _emit_shell(self, ran: ShellCommand, shown: str, ending: Ending, entry: Entry) -> None:
        """Emits a command that the user ran as a call and its result; `shown` is what the result says of its end."""
        if self._twins.is_twin("", "shell", ran.command, entry.kind):
            return
        call_id = self._id("shell", ran.command, entry.at)
        self.emit_call(call_id, entry.at, entry.kind, call_id, "user_shell", {"command": ran.command})
        result, (outcome, code) = outcome_of(body_of(ran.result), shown), ending
        event_id = f"{call_id}:result"
        self.emit_result(event_id, entry.at, entry.kind, call_id, result, outcome=outcome, exit_code=code)

    # --- Events -----------------------------------------------------------------------------------------------

    def _emit_input(
        self,
        event_id: str,
        at: datetime | None,
        texts: Sequence[str],
        pictures: Sequence[str],
        doubt: str | None,
    ) -> None:
        words = words_of(texts)
        if words.kind == "host":
            self._emit_host(event_id, at, words.text)
        elif words.kind == "answers" and not self._is_recovered:
            for number, reply in enumerate(words.replies):
                self.emit_question(
                    f"{event_id}:answer{number}",
                    at,
                    "request_user_input_async",
                    reply.question,
                    call_id=reply.call_id or event_id,
                    answer=[reply.answer],
                )
        else:
            content = "\n\n".join(part for part in (words.text.strip("\n"), *pictures) if part.strip())
            if content:
                self.emit_user(event_id, at, "user_message", content, doubt=words.doubt or doubt)

    def _emit_host(self, event_id: str, at: datetime | None, text: str) -> None:
        """Emits a text of neither the user nor the assistant."""
        if text.strip():
            self.emit_system(event_id, at, "user_message", text)


def texts_of(record: Json, key: str) -> list[str]:
    """The texts of the list under a key."""
    value = record.get(key)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
