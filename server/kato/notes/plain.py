"""Writes a conversation as plain text: for each message its speaker, its time, and its words verbatim."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Final

from msgspec import UNSET

from kato.core.events import (
    BOUNDARY_SUBTYPES,
    AssistantMessage,
    ConversationEvent,
    Decision,
    ProviderInfo,
    UserMessage,
)
from kato.core.moments import in_zone
from kato.notes.markup import normalised, one_line, trimmed

_RULE: Final = "-" * 72


def pieces(
    events: Iterable[ConversationEvent], tz: tzinfo, mask: Callable[[str], str] = str
) -> Iterator[str]:
    """The text of each event that is shown: messages, decisions and boundaries. `mask` takes the secrets out of a text."""
    speaker = ""
    for event in events:
        text, name = "", ""
        if isinstance(event, UserMessage):
            text, name = event.content, "You"
        elif isinstance(event, AssistantMessage):
            text, name = event.content, "Assistant" if event.model is UNSET else one_line(event.model)
        elif isinstance(event, Decision):
            text = f"[Decision, {event.status} by {one_line(event.decided_by)}: {one_line(event.summary)}]"
        elif isinstance(event, ProviderInfo) and event.subtype in BOUNDARY_SUBTYPES:
            text = f"[{one_line(event.content)}]"
        text = trimmed(mask(normalised(text)))
        if not text:
            continue
        heading = ""
        if name and name != speaker:
            heading = f"{_RULE}\n{name}, {_when(event.timestamp, tz)}\n\n"
            speaker = name
        yield f"{heading}{text}\n\n"


def _when(moment: datetime, tz: tzinfo) -> str:
    at = in_zone(moment, tz)
    return f"{at.year:04}-{at.month:02}-{at.day:02} {at.hour:02}:{at.minute:02}"
