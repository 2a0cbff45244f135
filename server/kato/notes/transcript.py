"""Renders conversation events as Markdown: the rules of headings, runs of messages, boundaries and blocks.

    # Speaker_YYYY-MM-DD_HHMM_SS        a run of messages of one speaker, verbatim, a blank line between them
    *The session was compacted.*        a boundary: a rewind, a compaction, an interruption, a session that goes on elsewhere
    > **Decision** (accepted by user): … what was asked, chosen and on offer
    <details>…</details>                tool calls, results, thinking, when they are switched on

Rules: rendering is deterministic and resumable: the text of a conversation is the concatenation of its pieces, wherever it is cut
and whichever process continues it (`state`). After each piece the note is well-formed: no fence and no block is open. A hidden event
leaves no trace, not even a new heading.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType, structs

from kato.core.actions import Action, Other, ReadArguments
from kato.core.events import (
    BOUNDARY_SUBTYPES,
    AssistantMessage,
    ConversationEvent,
    Decision,
    ProviderInfo,
    SystemMessage,
    Thinking,
    ToolCall,
    ToolResult,
    UserMessage,
)
from kato.core.moments import in_zone
from kato.core.pictures import Link
from kato.core.text import line_part
from kato.core.tools import action_of
from kato.notes import decisions, redaction, summary, tool_blocks
from kato.notes.brief_events import (
    BriefCall,
    BriefResult,
    HiddenCall,
    HiddenEvent,
    HiddenResult,
    HiddenThinking,
    decoder,
)
from kato.notes.facts import Facts
from kato.notes.headings import SYSTEM, USER, Style, distinct, kato_heading, readable_heading
from kato.notes.markup import details, normalised, one_line, prose, quoted, trimmed
from kato.notes.masking import Masking
from kato.notes.options import MarkdownOptions
from kato.notes.safe_markdown import enclosed, typed
from kato.notes.transcript_state import TranscriptState, WaitingCall

#: Calls without a result whose names are remembered. Beyond this the oldest name is dropped, and its result is shown with the
#: call's id. A turn of an assistant holds some dozens.
_OPEN_CALLS_MAX: Final = 256
#: Messages of a turn that are remembered, to write a repetition once.
_TURN_MESSAGES_MAX: Final = 64
#: A call waits for its result to be shown with it, unless its arguments are larger (bytes of JSON) or more calls wait.
_WAITING_BYTES_MAX: Final = 64 * 1024
_WAITING_CALLS_MAX: Final = 32


class Transcript:
    """Renders one conversation piece by piece, from its beginning or from an earlier `state`.

    `level` is the level of the headings. Paths are shown relative to `folder`, the session's folder. `tools` reads the
    arguments of tools that `tools.TOOLS` lacks.
    """

    def __init__(
        self,
        options: MarkdownOptions,
        tz: tzinfo,
        state: bytes = b"",
        *,
        level: int = 1,
        folder: str = "",
        tools: Mapping[str, ReadArguments] | None = None,
    ) -> None:
        self._options = options
        self._tz = tz
        self._level = level
        self._tools = tools
        self._state = (
            msgspec.json.decode(state, type=TranscriptState) if state else TranscriptState(folder=folder)
        )
        self._style = tool_blocks.Style(options.tool_lines_max, self._state.folder)
        #: Decodes stored lines into events for `feed`. Decodes only the fields that the options show.
        self.read = decoder(options).decode_lines
        #: Links the pictures that the text refers to; None leaves their placeholders.
        self.link: Link | None = None
        #: The number of events that `feed` was given.
        self.fed = 0
        self.facts = Facts()
        masking = Masking(self.facts, is_on=options.redact_secrets)
        self._masked, self._masked_value, self._masked_json = masking.text, masking.value, masking.json
        #: What the waiting calls of this process do; those of the state are read again from their arguments.
        self._actions: dict[str, Action] = {}
        call, result = {
            "hidden": (self._hidden_call, self._hidden_result),
            "summary": (self._brief_call, self._brief_result),
            "full": (self._full_call, self._full_result),
        }[options.tool_calls]
        self._rules: Mapping[type, Callable[[Any], str]] = {
            AssistantMessage: self._assistant_message,
            SystemMessage: self._system_message,
            ProviderInfo: self._provider_info,
            ToolCall: call,
            BriefCall: call,
            HiddenCall: self._hidden_call,
            ToolResult: result,
            BriefResult: result,
            HiddenResult: self._hidden_result,
            Thinking: self._thinking,
            HiddenThinking: lambda _: "",
            Decision: self._decision,
        }

    @property
    def state(self) -> bytes:
        """Everything that the next piece depends on, encoded. Never empty."""
        return msgspec.json.encode(self._state)

    @property
    def folder(self) -> str:
        """The session's folder; "" if it is not known."""
        return self._state.folder

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who spoke so far, in the order of their first words."""
        return tuple(self._state.speakers)

    def feed(
        self,
        event: ConversationEvent | HiddenEvent,
        *,
        after_line: int = 0,
        through_line: int | None = None,
    ) -> str:
        """The next piece: "" for an event that is not shown, else text that ends with a newline.

        `after_line` and `through_line` (counted from 1) select lines of a user message. The pieces of the parts of a message
        that is cut between lines are together the piece of the whole message.
        """
        self.fed += 1
        if type(event) is UserMessage:
            return self._user_message(event, after_line, through_line)
        return self._rules[type(event)](event)

    def fold(self, event: ToolResult, title: str, body: str) -> str:
        """The piece after a tool's result: a sub-agent's transcript, folded. All its fences are closed, as in any piece."""
        before = self._show_waiting()
        block = details(f"Sub-agent: {self._masked(title)}", body.strip("\n"))
        return before + self._folded(event.timestamp, block)

    def finish(self) -> str:
        """The last piece of a conversation that is over: what the assistant did since the turn began."""
        return self._show_waiting() + self._end_turn()

    # --- Messages ---------------------------------------------------------------------------------------

    def _user_message(self, event: UserMessage, after_line: int, through_line: int | None) -> str:
        secrets_before = self.facts.redactions
        text = self._masked(normalised(event.content))
        continued = after_line > 0 and self._state.cut == event.event_id
        part = line_part(text, 0 if continued else after_line, through_line)
        if len(part) < len(text):
            secrets = self.facts.redactions - secrets_before
            self.facts.redactions = secrets_before + redaction.count_marks(part, secrets)
        whole = self._shown_user(part)
        if continued:
            # The note has the first part already: write only what the longer text adds to it.
            before = self._shown_user(line_part(text, 0, after_line))
            added = whole.removeprefix(before)
            return added[1:] + "\n" if added.strip() else ""
        self._state.said = []
        self.facts.message_at(event.timestamp)
        self.facts.turns += 1
        if not whole:
            return ""
        before = self._show_waiting() + self._end_turn()
        self._state.cut = "" if through_line is None else event.event_id
        return before + self._message(USER, event, whole)

    def _shown_user(self, text: str) -> str:
        return typed(trimmed(text), italics=self._options.italicize_user_messages)

    def _assistant_message(self, event: AssistantMessage) -> str:
        if event.phase == "commentary" and not self._options.include_commentary:
            return ""
        text = trimmed(self._masked(normalised(event.content)))
        if not text:
            return ""
        # The same text as commentary and as the final message is one message; twice in the same role it is two.
        role = "c" if event.phase == "commentary" else "f"
        mark = hashlib.blake2b(text.strip().encode(), digest_size=8).hexdigest() + role
        if mark[:-1] + ("f" if role == "c" else "c") in self._state.said:
            return ""
        self._state.said = [*self._state.said, mark][-_TURN_MESSAGES_MAX:]
        self.facts.message_at(event.timestamp)
        self._state.assistant = self._model(event.model) or "Assistant"
        shown = self._message(self._state.assistant, event, self._enclosed(text))
        return shown + self._end_turn() if event.phase == "final" else shown

    def _enclosed(self, text: str) -> str:
        """A message that is not the user's: verbatim, but it closes what it opens, and none of its headings is a speaker's."""
        style: Style = "kato" if self._options.heading_style == "kato" else "readable"
        return enclosed(distinct(text, style) if self._level == 1 else text)

    def _model(self, name: str | UnsetType) -> str:
        """The name of a model that spoke or acted, for a heading; "" if it is not known."""
        shown = "" if name is UNSET else one_line(name)
        if shown:
            self.facts.models[shown] = None
        return shown

    def _system_message(self, event: SystemMessage | ProviderInfo) -> str:
        if not self._options.include_system_events:
            return ""
        text = trimmed(self._masked(normalised(event.content)))
        if not text:
            return ""
        return self._message(SYSTEM, event, self._enclosed(text))

    def _provider_info(self, event: ProviderInfo) -> str:
        if event.subtype not in BOUNDARY_SUBTYPES:
            return self._system_message(event)
        if not self._options.include_boundaries:
            return ""
        text = prose(self._masked(event.content)).replace("*", r"\*")
        if not text:
            return ""
        before = self._show_waiting()
        if event.subtype != "compaction":  # after a compaction, the assistant goes on
            before += self._end_turn()
        self._state.speaker = self._state.kind = ""  # what follows has a heading of its own
        self._state.in_list = False
        return before + self._block(f"*{text}*")

    def _message(self, speaker: str, event: ConversationEvent, text: str) -> str:
        self.facts.messages += 1
        before = self._show_waiting()
        heading = self._heading(speaker, type(event).__name__, event.timestamp, text)
        if not heading and self._state.in_list and text[0] in " \t":
            heading = f"{_END_OF_LIST}\n\n"  # what is indented would belong to the list of the message before
        self._state.in_list = _has_list(text)
        return before + self._block(heading, text)

    def _decision(self, event: Decision) -> str:
        metadata = event.metadata if event.metadata is UNSET else self._masked_value(event.metadata)
        masked = structs.replace(event, summary=self._masked(event.summary), metadata=metadata)
        return self._show_waiting() + self._block(decisions.shown(masked))

    def _heading(self, speaker: str, kind: str, timestamp: datetime, text: str = "") -> str:
        """The heading of a new run of messages; "" within a run."""
        state = self._state
        if state.speaker == speaker and state.kind == kind:
            return ""
        state.speaker, state.kind = speaker, kind
        if speaker not in state.speakers:
            state.speakers.append(speaker)
        at = in_zone(timestamp, self._tz)
        if self._options.heading_style != "kato":
            return self._readable_heading(speaker, at, text)
        return kato_heading("#" * self._level, speaker, at)

    def _readable_heading(self, speaker: str, at: datetime, text: str) -> str:
        """`## You, 16:09: first words`, and one level below it `### model, 16:10`; with the date where the day changes."""
        day = "%04d-%02d-%02d" % (at.year, at.month, at.day)  # noqa: UP031
        when = f"{at.hour:02}:{at.minute:02}"
        if day != self._state.day:
            self._state.day = day
            when = f"{day} {when}"
        is_outline = self._options.heading_style == "readable"
        return readable_heading(self._level, speaker, when, text if is_outline else "")

    def _block(self, heading: str, text: str = "") -> str:
        """A block of the note, with a blank line before it unless it is the first one."""
        first = not self._state.started
        self._state.started = True
        return f"{heading}{text}\n" if first else f"\n{heading}{text}\n"

    # --- What the assistant did -------------------------------------------------------------------------

    def _action(self, name: str, given: Any, about: str) -> Action:
        return action_of(name, given if isinstance(given, dict) else {}, self._tools, about=about)

    def _hidden_call(self, event: ToolCall | HiddenCall | BriefCall) -> str:
        calls = self._state.calls
        calls[event.tool_call_id] = event.name
        while len(calls) > _OPEN_CALLS_MAX:
            del calls[next(iter(calls))]
        return ""

    def _hidden_result(self, event: ToolResult | HiddenResult) -> str:
        self._state.calls.pop(event.tool_call_id, None)
        return ""

    def _brief_call(self, event: ToolCall | BriefCall) -> str:
        """Remembers what was done, for the summary at the end of the turn."""
        state = self._state
        state.assistant = self._model(event.model) or state.assistant
        if state.since is None:
            state.since = event.timestamp
        given = msgspec.json.decode(event.input) if isinstance(event.input, msgspec.Raw) else event.input
        action = self._action(event.name, given, _about(event.description))
        for one in summary.done(event.tool_call_id, action, state.folder, self._masked):
            if one.family in summary.CHANGES:
                self.facts.changed(one.label)
            if len(state.done) < summary.LINES_MAX:
                state.done.append(one)
            else:
                state.omitted += 1
        return ""

    def _brief_result(self, event: ToolResult | BriefResult) -> str:
        if event.outcome is not UNSET or event.exit_code is not UNSET:
            for one in self._state.done:
                if one.call_id == event.tool_call_id:
                    one.outcome = None if event.outcome is UNSET else event.outcome
                    one.exit_code = None if event.exit_code is UNSET else event.exit_code
        return ""

    def _end_turn(self) -> str:
        """The summary of what was done in the turn."""
        state = self._state
        if state.since is None:
            return ""
        text, since = summary.block(state.done, state.omitted), state.since
        state.done, state.omitted, state.since = [], 0, None
        return self._folded(since, text) if text else ""

    def _full_call(self, event: ToolCall | BriefCall) -> str:
        """Keeps a call until its result arrives. A large one is shown without it."""
        self._hidden_call(event)
        state, call_id = self._state, event.tool_call_id
        state.assistant = self._model(event.model) or state.assistant
        arguments = self._masked_json(_json(event.input))
        given = msgspec.json.decode(arguments) if arguments else {}
        action = self._action(event.name, given, _about(event.description))
        if isinstance(action, Other):  # only there the line is shown
            action = structs.replace(action, about=self._masked(action.about))
        for path in summary.changed_files(action, state.folder):
            self.facts.changed(path)
        about = action.about if isinstance(action, Other) else ""
        waiting = WaitingCall(call_id, event.name, arguments, event.timestamp, about=about)
        is_large = len(arguments) > _WAITING_BYTES_MAX
        before = self._show_waiting() if is_large or len(state.waiting) >= _WAITING_CALLS_MAX else ""
        state.waiting.append(waiting)
        self._actions[call_id] = action
        return before + self._show_waiting() if is_large else before

    def _full_result(self, event: ToolResult) -> str:
        name = self._state.calls.pop(event.tool_call_id, event.tool_call_id)
        result = tool_blocks.Result(
            self._masked(event.result),
            None if event.outcome is UNSET else event.outcome,
            None if event.exit_code is UNSET else event.exit_code,
        )
        waiting = next((one for one in self._state.waiting if one.call_id == event.tool_call_id), None)
        if waiting is None:
            before = self._show_waiting()
            return before + self._folded(event.timestamp, tool_blocks.late(name, result, self._style))
        waiting.text = tool_blocks.block(self._waiting_action(waiting), result, self._style)
        is_first = self._state.waiting[0] is waiting
        if is_first or len(waiting.text) > _WAITING_BYTES_MAX:
            return self._show_waiting(until=None if not is_first else waiting)
        return ""

    def _waiting_action(self, waiting: WaitingCall) -> Action:
        action = self._actions.pop(waiting.call_id, None)
        if action is None:
            given = msgspec.json.decode(waiting.arguments) if waiting.arguments else {}
            action = self._action(waiting.name, given, waiting.about)
        return action

    def _show_waiting(self, until: WaitingCall | None = None) -> str:
        """Shows waiting calls in their order: all of them, or, with `until`, those before the first one without a result."""
        text = ""
        while self._state.waiting:
            one = self._state.waiting[0]
            if until is not None and not one.text:
                break
            del self._state.waiting[0]
            text += self._folded(one.at, one.text or self._without_result(one))
        return text

    def _without_result(self, waiting: WaitingCall) -> str:
        """The block of a call whose result will stand further down, or never came."""
        action = self._waiting_action(waiting)
        if waiting.call_id in self._state.calls:
            self._state.calls[waiting.call_id] = tool_blocks.first_line(action, self._style)
        return tool_blocks.block(action, tool_blocks.Result(), self._style)

    def _thinking(self, event: Thinking) -> str:
        if not self._options.include_thinking:
            return ""
        text = self._masked(normalised(event.content)).strip()
        if not text:
            return ""
        before = self._show_waiting()
        self._state.assistant = self._model(event.model) or self._state.assistant
        return before + self._folded(event.timestamp, details("Thinking", quoted(text)))

    def _folded(self, timestamp: datetime, block: str) -> str:
        """A block of what the assistant did, below the assistant's heading: never within the user's run of messages."""
        heading = ""
        if self._state.kind != AssistantMessage.__name__:
            heading = self._heading(self._state.assistant, AssistantMessage.__name__, timestamp)
            self._state.kind = AssistantMessage.__name__
        self._state.in_list = False
        return self._block(heading, block)


def _about(description: str | UnsetType) -> str:
    """The line that describes a call. Where it was cut, the last word goes: half of a secret is not recognised as one."""
    if description is UNSET or not description.endswith("…"):
        return "" if description is UNSET else description
    return f"{description.rpartition(' ')[0]} …".lstrip()


def _json(given: "dict[str, Any] | msgspec.Raw | UnsetType") -> str:
    """A call's arguments as JSON; "" if it has none."""
    if given is UNSET:
        return ""
    return bytes(given).decode() if isinstance(given, msgspec.Raw) else msgspec.json.encode(given).decode()


#: An HTML comment ends a list in Markdown and is not visible.
_END_OF_LIST: Final = "<!-- -->"
_FIRST_ITEM: Final = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)", re.MULTILINE)
#: A search for a literal beginning is several times as fast as one for `^`.
_ITEM: Final = re.compile(rf"\n{_FIRST_ITEM.pattern}", re.MULTILINE)


def _has_list(text: str) -> bool:
    return _FIRST_ITEM.match(text) is not None or _ITEM.search(text) is not None
