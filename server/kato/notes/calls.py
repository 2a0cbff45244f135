"""What a transcript shows of an assistant's tool calls: nothing, a summary of each turn, or each call with its result.

    Calls        nothing; remembers the names of open calls
    BriefCalls   one block at the end of a turn (`summary`)
    FullCalls    a block a call (`tool_blocks`), with its result, in the order of the calls

Rule: everything that the next block depends on is in the transcript's state, so that any process can continue a recording.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType, structs

from kato.core.actions import Action, Other, ReadArguments
from kato.core.events import ToolCall, ToolResult
from kato.core.tools import action_of
from kato.notes import summary, tool_blocks
from kato.notes.brief_events import BriefCall, BriefResult, HiddenCall, HiddenResult
from kato.notes.facts import Facts
from kato.notes.masking import Masking
from kato.notes.options import MarkdownOptions
from kato.notes.transcript_state import TranscriptState, WaitingCall

#: Calls without a result whose names are remembered. Beyond this the oldest name is dropped, and its result is shown with the
#: call's id. A turn of an assistant holds some dozens.
_OPEN_CALLS_MAX: Final = 256
#: A call waits for its result to be shown with it, unless its arguments are larger (bytes of JSON) or more calls wait.
_WAITING_BYTES_MAX: Final = 64 * 1024
_WAITING_CALLS_MAX: Final = 32


class Block(NamedTuple):
    """A block of what the assistant did, and the time of what it shows first."""

    at: datetime
    text: str


class Context(NamedTuple):
    """What the blocks of a transcript depend on. `tools` reads the arguments of tools that `core.tools.TOOLS` lacks."""

    options: MarkdownOptions
    state: TranscriptState
    facts: Facts
    masking: Masking
    tools: Mapping[str, ReadArguments] | None


AnyCall = ToolCall | BriefCall | HiddenCall
AnyResult = ToolResult | BriefResult | HiddenResult


class Calls:
    """Shows no calls. See the module for the other classes."""

    def __init__(self, context: Context) -> None:
        _, self._state, self._facts, self._masking, self._tools = context

    def call(self, event: AnyCall) -> Sequence[Block]:
        """The blocks that follow from a call."""
        calls = self._state.calls
        calls[event.tool_call_id] = event.name
        while len(calls) > _OPEN_CALLS_MAX:
            del calls[next(iter(calls))]
        return ()

    def result(self, event: AnyResult) -> Sequence[Block]:
        """The blocks that follow from a result."""
        self._state.calls.pop(event.tool_call_id, None)
        return ()

    def flush(self) -> Sequence[Block]:
        """The calls that wait for their results, before something else is shown."""
        return ()

    def end_turn(self) -> Sequence[Block]:
        """What follows from the end of a turn."""
        return ()

    def _action(self, event: ToolCall | BriefCall, given: object) -> Action:
        """What a call does. Its model is the assistant that speaks now."""
        self._state.assistant = self._facts.model(event.model) or self._state.assistant
        return self._read(event.name, given, _about(event.description))

    def _read(self, name: str, given: object, about: str) -> Action:
        return action_of(name, given if isinstance(given, dict) else {}, self._tools, about=about)


class BriefCalls(Calls):
    """Sums up what was done at the end of each turn."""

    def call(self, event: AnyCall) -> Sequence[Block]:  # noqa: D102
        assert not isinstance(event, HiddenCall)
        state = self._state
        if state.since is None:
            state.since = event.timestamp
        given = msgspec.json.decode(event.input) if isinstance(event.input, msgspec.Raw) else event.input
        action = self._action(event, given)
        for one in summary.done(event.tool_call_id, action, state.folder, self._masking.text):
            if one.family in summary.CHANGES:
                self._facts.changed(one.label)
            if len(state.done) < summary.LINES_MAX:
                state.done.append(one)
            else:
                state.omitted += 1
        return ()

    def result(self, event: AnyResult) -> Sequence[Block]:  # noqa: D102
        assert not isinstance(event, HiddenResult)
        if event.outcome is not UNSET or event.exit_code is not UNSET:
            for one in self._state.done:
                if one.call_id == event.tool_call_id:
                    one.outcome = None if event.outcome is UNSET else event.outcome
                    one.exit_code = None if event.exit_code is UNSET else event.exit_code
        return ()

    def end_turn(self) -> Sequence[Block]:  # noqa: D102
        state = self._state
        if state.since is None:
            return ()
        text, since = summary.block(state.done, state.omitted), state.since
        state.done, state.omitted, state.since = [], 0, None
        return (Block(since, text),) if text else ()


class FullCalls(Calls):
    """Shows each call with its result. A call waits until its result arrives, or until something else is shown."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._style = tool_blocks.Style(context.options.tool_lines_max, context.state.folder)
        #: What each of the waiting calls does; None for one that another process left, which is read again from its arguments.
        self._actions: list[Action | None] = [None] * len(context.state.waiting)

    def call(self, event: AnyCall) -> Sequence[Block]:  # noqa: D102
        assert not isinstance(event, HiddenCall)
        super().call(event)
        state, call_id = self._state, event.tool_call_id
        arguments = self._masking.json(_json(event.input))
        action = self._action(event, msgspec.json.decode(arguments) if arguments else {})
        if isinstance(action, Other):  # only there the line is shown
            action = structs.replace(action, about=self._masking.text(action.about))
        for path in summary.changed_files(action, state.folder):
            self._facts.changed(path)
        about = action.about if isinstance(action, Other) else ""
        is_large = len(arguments) > _WAITING_BYTES_MAX
        before = self.flush() if is_large or len(state.waiting) >= _WAITING_CALLS_MAX else ()
        state.waiting.append(WaitingCall(call_id, event.name, arguments, event.timestamp, about=about))
        self._actions.append(action)
        return [*before, *self.flush()] if is_large else before

    def result(self, event: AnyResult) -> Sequence[Block]:  # noqa: D102
        assert isinstance(event, ToolResult)
        name = self._state.calls.pop(event.tool_call_id, event.tool_call_id)
        result = tool_blocks.Result(
            self._masking.text(event.result),
            None if event.outcome is UNSET else event.outcome,
            None if event.exit_code is UNSET else event.exit_code,
        )
        waiting = self._state.waiting
        at = next((at for at, one in enumerate(waiting) if one.call_id == event.tool_call_id), None)
        if at is None:
            late = tool_blocks.late(name, result, self._style)
            return [*self.flush(), Block(event.timestamp, late)]
        waiting[at].text = tool_blocks.block(self._action_at(at), result, self._style)
        if at == 0:
            return list(self._take(while_ready=True))
        return self.flush() if len(waiting[at].text) > _WAITING_BYTES_MAX else ()

    def flush(self) -> Sequence[Block]:  # noqa: D102
        return list(self._take(while_ready=False))

    def _take(self, *, while_ready: bool) -> Iterator[Block]:
        """Takes waiting calls in their order: all of them, or those before the first one without a result."""
        waiting = self._state.waiting
        while waiting and (waiting[0].text or not while_ready):
            text = waiting[0].text or self._without_result()
            yield Block(waiting[0].at, text)
            del waiting[0], self._actions[0]

    def _without_result(self) -> str:
        """The block of the first waiting call. Its result will stand further down, or never came."""
        action, call_id = self._action_at(0), self._state.waiting[0].call_id
        if call_id in self._state.calls:
            self._state.calls[call_id] = tool_blocks.first_line(action, self._style)
        return tool_blocks.block(action, tool_blocks.Result(), self._style)

    def _action_at(self, at: int) -> Action:
        action, waiting = self._actions[at], self._state.waiting[at]
        if action is None:
            given = msgspec.json.decode(waiting.arguments) if waiting.arguments else {}
            action = self._read(waiting.name, given, waiting.about)
        return action


#: By the setting `markdown.toolCalls`.
CALLS: Final[Mapping[str, type[Calls]]] = {"hidden": Calls, "summary": BriefCalls, "full": FullCalls}


def _about(description: str | UnsetType) -> str:
    """The line that describes a call. Where it was cut, the last word goes: half of a secret is not recognised as one."""
    if description is UNSET or not description.endswith("…"):
        return "" if description is UNSET else description
    return f"{description.rpartition(' ')[0]} …".lstrip()


def _json(given: dict[str, Any] | msgspec.Raw | UnsetType) -> str:
    """A call's arguments as JSON; "" if it has none."""
    if given is UNSET:
        return ""
    return bytes(given).decode() if isinstance(given, msgspec.Raw) else msgspec.json.encode(given).decode()
