"""Prompts that an assistant's hook reported before the session's log had them.

Rules:

- A prompt that the host reports as typed by the user proves the message with this text: its doubt is removed. A host may put
  words of its own around the text, as long as they hold no further command.
- The commands of a prompt that Kato ran when the hook reported it do not run again when the log brings it, in this window or in
  another: the hook reports the prompt to all of them before the assistant goes on.
- Each report counts for one message, and for a bounded time.
"""

from collections import deque
from collections.abc import Callable

from msgspec import UNSET, Struct
from msgspec.structs import replace

from kato.core import grammar, limits
from kato.core.events import ConversationEvent, SessionKey, UserMessage


class _Report(Struct):
    key: SessionKey
    text: str
    is_typed: bool
    is_handled: bool
    at: float
    #: The message that the report counts for, once it came.
    event_id: str | None = None


class TypedPrompts:
    """See the module. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._reports: deque[_Report] = deque(maxlen=limits.TYPED_PROMPTS_MAX)

    def remember(self, key: SessionKey, prompt: str, *, is_typed: bool, is_handled: bool) -> None:
        """Takes a report. One whose commands ran replaces one of the same prompt whose commands wait for the log."""
        if is_handled:
            same = (key, prompt.strip(), False, None)
            old = next(
                (one for one in self._reports if (one.key, one.text, one.is_handled, one.event_id) == same),
                None,
            )
            if old is not None:
                self._reports.remove(old)
        self._reports.append(_Report(key, prompt.strip(), is_typed, is_handled, self._clock()))

    def confirmed(self, key: SessionKey, event: ConversationEvent) -> ConversationEvent:
        """The event; without its doubt where a hook reported the message as typed."""
        if not isinstance(event, UserMessage) or event.doubt is UNSET:
            return event
        report = self._report(key, event)
        is_proven = report is not None and report.is_typed and _adds_no_command(event.content, report.text)
        return replace(event, doubt=UNSET) if is_proven else event

    def is_handled(self, key: SessionKey, event: ConversationEvent) -> bool:
        """Whether the commands of a message ran when a hook reported it."""
        if not isinstance(event, UserMessage):
            return False
        report = self._report(key, event)
        return report is not None and report.is_handled

    def _report(self, key: SessionKey, message: UserMessage) -> _Report | None:
        """The report that counts for a message: one of the same text before one whose text the host put among its own words,
        which leaves the message doubtful.
        """
        if "::" not in message.content:
            return None
        oldest = self._clock() - limits.TYPED_PROMPT_SECONDS_MAX
        free = [
            one
            for one in self._reports
            if one.key == key and one.at >= oldest and one.event_id in (None, message.event_id)
        ]
        text = message.content.strip()
        found = next((one for one in free if one.text == text), None)
        if found is None and message.doubt is not UNSET:
            found = next((one for one in free if one.text in text), None)
        if found is not None:
            found.event_id = message.event_id
        return found


def _adds_no_command(content: str, prompt: str) -> bool:
    """Whether a message that holds a prompt has the prompt's commands and no others."""
    return _commands(content) == _commands(prompt)


def _commands(text: str) -> list[tuple[str, str | None]]:
    commands, _ = grammar.parse(text)
    return [(one.name, one.argument) for one in commands]
