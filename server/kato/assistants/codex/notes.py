"""Codex: reads the host's notes: compactions, ends of turns, reviews, hooks, messages between agents."""

from collections.abc import Mapping
from typing import Final

from kato.assistants.codex.session import Entry, is_added_turn
from kato.assistants.codex.tools import ToolReader
from kato.assistants.unknown import name_of
from kato.assistants.values import as_text, object_of, objects_of, text_of

#: Events with a text of the host, and the key of that text.
HOST_WORDS: Final[Mapping[str, str]] = {
    "error": "message",
    "stream_error": "message",
    "warning": "message",
    "guardian_warning": "message",
    "entered_review_mode": "user_facing_hint",
    "deprecation_notice": "summary",
}

#: Why no command runs in a sentence of a spoken conversation.
SPOKEN: Final = "it was spoken, and a program wrote it down"


class NoteReader(ToolReader):
    """Reads the host's notes."""

    def _compaction(self, entry: Entry) -> None:
        if not self._twins.is_twin("", "compaction", "", entry.kind):
            event_id = self._id("compaction", "", entry.at)
            words = "The conversation was compacted."
            self.emit_note(event_id, entry.at, "compacted", words, subtype="compaction")

    def _end_of_turn(self, entry: Entry) -> None:
        if is_added_turn(entry.body):
            return
        self._flush_waiting()
        self._finish_running(entry.at, entry.kind)
        failure = text_of(object_of(entry.body, "error"), "message")
        if failure:
            self._emit_host_note("error", failure, entry)
        if entry.kind == "turn_aborted":
            reason = text_of(entry.body, "reason") or "aborted"
            words = f"The turn ended early: {reason}."
            event_id = self._id(entry.kind, reason, entry.at)
            self.emit_note(event_id, entry.at, entry.kind, words, subtype="interruption")

    def _rolled_back(self, entry: Entry) -> None:
        self._flush_waiting()
        turns = entry.body.get("num_turns")
        words = "The last turn was taken back." if turns == 1 else f"The last {turns} turns were taken back."
        event_id = self._id("rewind", str(turns), entry.at)
        self.emit_note(event_id, entry.at, entry.kind, words, subtype="rewind")

    def _host_event(self, entry: Entry) -> None:
        words = text_of(entry.body, HOST_WORDS[entry.kind]) or text_of(
            object_of(entry.body, "error"), "message"
        )
        self._emit_host_note(entry.kind, words or entry.kind, entry)

    def _emit_host_note(self, kind: str, words: str, entry: Entry) -> None:
        if not self._twins.is_twin("", kind, words, entry.kind):
            level = "error" if "error" in kind else None
            self.emit_note(self._id(kind, words, entry.at), entry.at, kind, words, subtype=kind, level=level)

    def _review_item(self, entry: Entry) -> None:
        review = object_of(entry.body, "review") or entry.body
        self._host_event(Entry(review, "entered_review_mode", entry.at))

    def _hook_item(self, entry: Entry) -> None:
        words = as_text(objects_of(entry.body, "fragments"))
        if words:
            event_id = self._id("hook", words, entry.at)
            self.emit_note(event_id, entry.at, entry.kind, words, subtype="hook_prompt")

    def _agents_message(self, entry: Entry) -> None:
        """Emits what one agent wrote to another."""
        content = entry.body.get("content")
        parts = objects_of(entry.body, "content")
        text = content if isinstance(content, str) else as_text([part for part in parts if "text" in part])
        author = text_of(entry.body, "author") or "agent"
        if text.strip() and not self._twins.is_twin("", "agent", text, entry.kind):
            event_id = self._id("agent", text, entry.at)
            self.emit_note(event_id, entry.at, entry.kind, f"{author}: {text}", subtype="agent_message")

    def _spoken(self, entry: Entry) -> None:
        """Emits what was said in a spoken conversation: nothing of it was typed."""
        self._flush_waiting()
        role, text = text_of(entry.body, "role"), text_of(entry.body, "text") or ""
        event_id = f"spoken:{text_of(entry.body, 'id') or self._id('spoken', text, entry.at)}"
        if not text.strip():
            return
        if role == "assistant":
            self._twins.speaks("assistant")
            self.emit_assistant(event_id, entry.at, entry.kind, text)
        elif role == "user":
            self._twins.speaks("user")
            self.emit_user(event_id, entry.at, entry.kind, text, doubt=SPOKEN)
        else:
            name = f"realtime_item role {name_of(role or 'none')}"
            self.emit_unknown(name, entry.body, event_id, entry.at)

    def _end_of_speech(self, entry: Entry) -> None:
        if text_of(entry.body, "outcome") == "failed":
            words = "The spoken conversation ended with a failure."
            self.emit_note(self._id("speech", words, entry.at), entry.at, entry.kind, words, level="error")

    def _first_error(self, entry: Entry) -> None:
        """An error of the first generation."""
        words = text_of(entry.body, "text") or "error"
        self.emit_note(self._id("error", words, entry.at), entry.at, "error", words, level="error")
