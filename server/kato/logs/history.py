"""Which events of a log are live, so that their commands run, and which are history.

Rule: what was there before Kato first saw a log is history: it is stored and runs no command. What is typed from then on is
live, and so is, in a session that the journal knew, what was typed in the last minutes before the start. `LiveTimes` separates
the two, also when the clock is set meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kato.core.events import AssistantMessage, ConversationEvent, UserMessage
from kato.core.gaps import from_first_on
from kato.core.moments import epoch_ms
from kato.core.ports import LogLedger
from kato.core.records import Gap
from kato.logs.followed import OpenLog
from kato.logs.livetimes import LiveTimes


class Run(NamedTuple):
    """Consecutive events of one session that are all live, or all history."""

    session_id: str
    is_live: bool
    events: list[ConversationEvent]


def runs(events: Sequence[ConversationEvent], is_live: Callable[[ConversationEvent], bool]) -> list[Run]:
    """Divides events into runs. `is_live` decides for the user's messages; other events follow the one before them."""
    found: list[Run] = []
    live: dict[str, bool] = {}
    for event in events:
        if isinstance(event, UserMessage) or event.session_id not in live:
            live[event.session_id] = is_live(event)
        if found and found[-1][:2] == (event.session_id, live[event.session_id]):
            found[-1].events.append(event)
        else:
            found.append(Run(event.session_id, live[event.session_id], [event]))
    return found


class History:
    """Judges the events of logs. See the module."""

    def __init__(self, ledger: LogLedger, times: LiveTimes) -> None:
        self._ledger = ledger
        self._times = times

    def pending(self, log: OpenLog) -> Sequence[ConversationEvent]:
        """The pending events of a log that are new to Kato. Leaves out events from before `kato clean` removed their session, and
        events that another store had. A text that grew is cut to its new part.
        """
        events = self._not_in_gaps(log, self._not_removed(log))
        if log.second_store is not None:
            events = log.second_store.new(events)
        if log.last_replies:
            events = [rest_of(log.last_replies, event) for event in events]
        return events

    def _not_removed(self, log: OpenLog) -> Sequence[ConversationEvent]:
        """The ledger passes over the ids of removed events. Another store of the assistant has the same words under other
        ids: their time counts.
        """
        until: dict[str, int] = {}
        for session_id in {event.session_id for event in log.pending}:
            moment = self._ledger.removed_until(log.key_of(session_id))
            if moment is not None:
                until[session_id] = moment
        if not until:
            return log.pending
        return [
            event
            for event in log.pending
            if event.session_id not in until or epoch_ms(event.timestamp) > until[event.session_id]
        ]

    def _not_in_gaps(self, log: OpenLog, events: Sequence[ConversationEvent]) -> Sequence[ConversationEvent]:
        """Leaves out what was said while a session was off: another store of the assistant has it under other ids, and after an
        `::on` that was not typed in the conversation the log still has news from before it.
        """
        gaps: dict[str, list[Gap]] = {}
        for session_id in {event.session_id for event in events}:
            parent = log.tail.reader.about(session_id).parent_id
            found = [
                gap
                for one in (session_id, parent)
                if one
                for gap in self._ledger.gaps(log.key_of(one))
                if gap.reason == "off" and gap.until_ms is not None
            ]
            if found:
                gaps[session_id] = found
        if not gaps:
            return events
        kept: list[ConversationEvent] = []
        for event in events:
            at = epoch_ms(event.timestamp)
            if any(gap.covers(at) for gap in gaps.get(event.session_id, ())):
                kept += from_first_on(event)
            else:
                kept.append(event)
        return kept

    def is_live(self, log: OpenLog, event: ConversationEvent, *, was_there: bool) -> bool:
        """Whether an event is live. `was_there`: it lay in the log when that was first listed."""
        at = epoch_ms(event.timestamp)
        return self._times.hold(at, since=log.since, grace_ms=log.grace_ms, was_there=was_there) and not (
            isinstance(event, UserMessage) and self._is_copied(log, event)
        )

    def _is_copied(self, log: OpenLog, event: UserMessage) -> bool:
        """Whether a message that may hold a command was typed in another session, and copied into this one."""
        if "::" not in event.content:
            return False
        if event.event_id in log.tail.reader.copied:
            return True
        key = log.key_of(event.session_id)
        return log.found.assistant.has_global_ids and self._ledger.is_elsewhere(key, event.event_id)


def rest_of(stored: Mapping[str, str], event: ConversationEvent) -> ConversationEvent:
    """The event; of a text that was stored when it was shorter, what came since, under the id that a reader that saw the text
    grow gives it.
    """
    if not isinstance(event, AssistantMessage) or event.event_id not in stored:
        return event
    event_id, length = event.event_id, 0
    while (part := stored.get(event_id)) and event.content.startswith(part, length):
        length += len(part)
        event_id = f"{event.event_id}+{length}"
    rest = event.content[length:]
    return replace(event, event_id=event_id, content=rest) if length and rest.strip() else event
