"""`::off` and `::on`: which parts of a conversation are kept. Text in, text out.

Rules:

- From behind a line `::off` to before a line `::on` nothing is kept, whether the conversation is followed or read later. The two lines
  themselves are kept.
- Only a message that is proven to be typed switches. An `::off` while nothing is kept, and an `::on` while everything is, change
  nothing.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from kato.core import grammar
from kato.core.events import ConversationEvent, ProviderInfo, Source, UserMessage
from kato.core.records import GapReason
from kato.core.text import line_part, with_newlines

Switch = Literal["off", "on"]

#: The sentence that a note shows in the place of what was not kept.
SENTENCES: Final[dict[GapReason, str]] = {
    "off": "Not kept: what was said between ::off and ::on.",
    "ignored": "Not kept: what was said while a .katoignore file lay in the folder.",
}
GAP: Final = "gap"
_SWITCH: Final = re.compile(r"::o(?:ff|n)\b", re.IGNORECASE)


class Cut(NamedTuple):
    """What is kept of a message: the parts of its text in their order, and whether nothing is kept after it. `begins_off`: the
    first part begins with an `::on`; each later part does. `is_whole`: the message is kept as it is, without a note of a gap.
    """

    parts: Sequence[str]
    begins_off: bool
    is_off: bool
    is_whole: bool = False


def may_switch(message: UserMessage) -> bool:
    """Whether a message can hold an `::off` or `::on`. Most cannot, and this takes little time."""
    return "::" in message.content and _SWITCH.search(message.content) is not None


def switches_of(event: ConversationEvent) -> list[tuple[int, Switch]]:
    """The lines `::off` and `::on` of a message that the user typed, with their numbers (from 1)."""
    if type(event) is not UserMessage or not may_switch(event) or event.doubt is not UNSET:
        return []
    commands, _ = grammar.parse(event.content)
    return [
        (one.line or 0, "off" if one.name == "off" else "on") for one in commands if one.name in ("off", "on")
    ]


def cut(content: str, switches: Sequence[tuple[int, Switch]], *, is_off: bool) -> Cut:
    """What is kept of a message with these switches, where nothing (`is_off`) or everything is kept before it."""
    begins_off, begin = is_off, 0
    spans: list[tuple[int, int | None]] = []
    for line, switch in switches:
        if switch == "off" and not is_off:
            spans.append((begin, line))
            is_off = True
        elif switch == "on" and is_off:
            begin, is_off = line - 1, False
    if not is_off:
        spans.append((begin, None))
    if spans == [(0, None)]:
        return Cut([content], begins_off, is_off, is_whole=not begins_off)
    text = with_newlines(content)
    return Cut([line_part(text, after, through) for after, through in spans], begins_off, is_off)


def from_first_on(event: ConversationEvent) -> list[ConversationEvent]:
    """An event that was said while nothing was kept: a message from its first `::on` on, nothing of any other."""
    line = next((line for line, switch in switches_of(event) if switch == "on"), None)
    if line is None or not isinstance(event, UserMessage):
        return []
    return [replace(event, content=line_part(with_newlines(event.content), line - 1, None))]


def kept_events(event: UserMessage, found: Cut) -> list[ConversationEvent]:
    """The events that are kept of a message: a note of the gap before each part that begins with `::on`, and the parts. The
    first part has the message's id.
    """
    kept: list[ConversationEvent] = []
    for number, part in enumerate(found.parts):
        event_id = event.event_id if number == 0 else f"{event.event_id}+{number}"
        if number or found.begins_off:
            kept.append(gap_note(event, f"{event_id}:{GAP}", "off"))
        kept.append(event if part == event.content else replace(event, event_id=event_id, content=part))
    return kept


def gap_note(at: ConversationEvent, event_id: str, reason: GapReason) -> ProviderInfo:
    """The event that shows a gap before another event."""
    return ProviderInfo(
        event_id=event_id,
        provider=at.provider,
        session_id=at.session_id,
        timestamp=at.timestamp,
        source=Source("kato"),
        content=SENTENCES[reason],
        subtype=GAP,
    )


class Reading:
    """Which events of a log are kept, as far as the log's own words say: for reading a log that the journal does not have."""

    def __init__(self) -> None:
        self._off: set[str] = set()
        #: Whether something was left out.
        self.had_gap = False

    @property
    def is_off(self) -> bool:
        """Whether nothing is kept of one of the sessions now."""
        return bool(self._off)

    def kept(self, event: ConversationEvent, parent_id: str | None = None) -> Sequence[ConversationEvent]:
        """What is kept of the next event. `parent_id` is the session that started its session."""
        if parent_id in self._off:
            return ()
        is_off = event.session_id in self._off
        switches = switches_of(event)
        if not switches:
            return () if is_off else (event,)
        assert isinstance(event, UserMessage)
        found = cut(event.content, switches, is_off=is_off)
        self.had_gap = self.had_gap or not found.is_whole
        if found.is_off:
            self._off.add(event.session_id)
        else:
            self._off.discard(event.session_id)
        return kept_events(event, found)
