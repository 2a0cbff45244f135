"""Kinds of events that the plugin for JetBrains' editors adds.

    ~/.copilot/jb/<conversation>/partition-<n>.jsonl   one conversation is several files, in the order of their numbers

Facts: the typed text is in `user.message`, if it is anywhere: often `user.message_rendered` is the only carrier of the prompt.
That one is what was sent, with the editor's context in front:

    <context>…</context> <userRequest>…</userRequest>

The model is named in `assistant.turn_start`, by some versions. No record names the folder.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from kato.assistants.copilot.stream import Event, EventStream
from kato.assistants.copilot.transcripts import think
from kato.assistants.values import text_of

_DOUBT: Final = "JetBrains puts the editor's context into the prompt"
_REQUEST: Final = re.compile(
    r"<userRequest>(?P<words>(?:(?!</?userRequest>).)*)</userRequest>\s*\Z", re.DOTALL
)


def ask_rendered(stream: EventStream, event: Event) -> None:
    """The prompt as it was sent, where the typed one is absent: its request block, if it has one."""
    turn = text_of(event.data, "turnId")
    rendered = text_of(event.data, "renderedMessage") or ""
    if turn in stream.turns_asked:
        return
    request = _REQUEST.search(rendered)
    content = rendered if request is None else request["words"].strip()
    if content.strip():
        stream.session.emit_user(event.id, event.at, event.kind, content, event.id, doubt=_DOUBT)


def end_turn(stream: EventStream, event: Event) -> None:
    """The end of a turn: its status is JetBrains' only sign of an interruption."""
    status = text_of(event.data, "status")
    if status in ("cancelled", "canceled", "failed", "error"):
        stream.mark(event, f"The turn ended early: {status}.", "interruption")


KINDS: Final[Mapping[str, Callable[[EventStream, Event], None]]] = {
    "user.message_rendered": ask_rendered,
    "assistant.thinking": think,
    "assistant.turn_end": end_turn,
}

#: The beginning of each file.
IGNORED: Final = ("partition.created",)
