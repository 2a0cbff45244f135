"""Events of a session as they were appended: the envelope, and what is remembered from one event to the next.

    {"type": KIND, "data": {…}, "id": UUID, "timestamp": RFC 3339, "parentId": UUID or null, "agentId"?: ID}

`transcripts`, `cli` and `jetbrains` define what each kind means.
"""

from datetime import datetime
from typing import Final, NamedTuple

from kato.assistants.contract import Json
from kato.assistants.copilot.session import Session
from kato.assistants.copilot.words import arguments_of
from kato.assistants.values import digest, moment, object_of, remember, text_of
from kato.core.events import ToolOutcome
from kato.core.lenient_json import dumps

#: Permission requests without a decision.
_REQUESTS_MAX: Final = 256
#: Unknown kinds of these groups may hold words of the conversation. Other groups are the host's bookkeeping.
_SPOKEN: Final = ("user", "assistant", "tool")


class Event(NamedTuple):
    """One record."""

    kind: str
    id: str
    at: datetime | None
    data: Json
    record: Json

    @classmethod
    def of(cls, record: Json) -> "Event":
        """The record as an event. One without an id gets one from its content."""
        event_id = text_of(record, "id") or f"event:{digest(dumps(record).decode())}"
        kind = text_of(record, "type") or ""
        return cls(kind, event_id, moment(record.get("timestamp")), object_of(record, "data"), record)


class EventStream:
    """What is remembered of one session's events: the main session's, or a sub-agent's."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.model: str | None = None
        self.known_calls: dict[str, str] = {}  # calls without a result, and their tools
        self.denied_calls: set[str] = set()
        self.asked: tuple[str, datetime | None, bool] | None = None  # the last prompt; whether it has a `::`
        self.turns_asked: set[str] = set()  # turns whose prompt was emitted
        self.last_thinking = ""
        self._requested: dict[str, str] = {}  # permission requests -> the calls that they are for

    def mark(self, event: Event, content: str, subtype: str, level: str | None = None) -> None:
        """Emits a note about the session."""
        self.session.emit_note(
            event.id, event.at, event.kind, content, subtype=subtype, level=level, origin=event.id
        )

    def think(self, event_id: str, event: Event, content: str, *, model: str | None = None) -> None:
        """Emits a thought, once: some versions write it in an event and again in the message that follows."""
        if content != self.last_thinking:
            model = model or self.model
            self.session.emit_thinking(event_id, event.at, event.kind, content, event.id, model=model)
        self.last_thinking = content

    def call(self, call_id: str, name: str, given: object, event: Event, *, model: str | None = None) -> None:
        """Emits a call, once: it is in the message that asks for it, and in the event that starts it."""
        if call_id not in self.known_calls:
            self.known_calls[call_id] = name
            arguments, model = arguments_of(given), model or self.model
            self.session.emit_call(call_id, event.at, event.kind, call_id, name, arguments, model=model)

    def give_result(
        self,
        call_id: str,
        result: str,
        event: Event,
        *,
        outcome: ToolOutcome | None = None,
        exit_code: object = None,
    ) -> None:
        """Emits the result of a call."""
        event_id = f"{call_id}:result"
        self.session.emit_result(
            event_id, event.at, event.kind, call_id, result, outcome=outcome, exit_code=exit_code
        )

    def request(self, request_id: str, call_id: str) -> None:
        """Remembers which call a permission request is for."""
        remember(self._requested, request_id, call_id, _REQUESTS_MAX)

    def requested(self, request_id: str) -> str | None:
        """The call that a permission request was for."""
        return self._requested.pop(request_id, None)

    def unknown(self, name: str, event: Event) -> None:
        """Counts an event of an unknown kind, and keeps it if it may hold words of the conversation."""
        group, dot, _ = event.kind.partition(".")
        if dot and group not in _SPOKEN:
            self.session.count_unknown(name, event.record, event.id, event.at)
        else:
            self.session.emit_unknown(name, event.record, event.id, event.at)
