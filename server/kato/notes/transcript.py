"""Conversation events to Markdown: every rule of headings, fences and escapes.

    # Speaker_YYYY-MM-DD_HHMM_SS        a run of messages of one speaker, verbatim, a blank line between them
    *The session was compacted.*        a boundary: a rewind, a compaction, an interruption, a session that goes on elsewhere
    > **Decision** (accepted by user): … what was asked, chosen and on offer
    <details>…</details>                tool calls, results, thinking, when they are switched on

Rules: deterministic, and resumable: the text of a conversation is the concatenation of its pieces, wherever it is cut
and whichever process goes on (`state`). After each piece the note is well-formed: no fence is left open, no block can
end what it does not own. What is hidden leaves no trace, not even a new heading.

Decisions show these keys of `metadata`, if they are there: `header`, `question`, `options` (a list of
{label, description}), `answer` (a string or a list of strings), `notes` (the user's words on the answer) and `plan`
(Markdown, quoted as it is).
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import cache
from typing import Any, Final, Union

import msgspec
from msgspec import UNSET, Struct

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
from kato.core.text import fence_longer_than_any_in, line_part, with_newlines, words_of
from kato.notes.safe_markdown import enclosed, escaped_tags, typed

#: Calls without a result that are remembered by name; of more, the oldest are forgotten and their results are
#: shown with the call's id. A turn of an assistant holds some dozens.
_OPEN_CALLS_MAX: Final = 256
#: Messages of a turn that are remembered, to write a repetition once.
_TURN_MESSAGES_MAX: Final = 64
_SUMMARY_CHARS_MAX: Final = 120


class MarkdownOptions(Struct, frozen=True):
    """What is shown: the settings `markdown.*`."""

    include_frontmatter: bool = True
    include_commentary: bool = True
    include_boundaries: bool = True
    include_thinking: bool = False
    include_tool_calls: bool = False
    include_system_events: bool = False
    include_sub_agents: bool = False
    italicize_user_messages: bool = False


class HiddenCall(Struct, frozen=True, rename="camel", tag_field="kind", tag="tool.call"):
    """Of a call that is not shown: its name, for a result that is shown one day."""

    tool_call_id: str
    name: str


class HiddenResult(Struct, frozen=True, rename="camel", tag_field="kind", tag="tool.result"):
    """Of a result that is not shown: whose it is."""

    tool_call_id: str


class HiddenThinking(Struct, frozen=True, tag_field="kind", tag="thinking"):
    """Thinking that is not shown."""


HiddenEvent = HiddenCall | HiddenResult | HiddenThinking


def _decoder(options: MarkdownOptions) -> "msgspec.json.Decoder[ConversationEvent | HiddenEvent]":
    kinds: list[type] = [UserMessage, AssistantMessage, SystemMessage, Decision, ProviderInfo]
    kinds.append(ToolCall if options.include_tool_calls else HiddenCall)
    # A sub-agent is shown where its call's result is.
    shows_results = options.include_tool_calls or options.include_sub_agents
    kinds.append(ToolResult if shows_results else HiddenResult)
    kinds.append(Thinking if options.include_thinking else HiddenThinking)
    return _decoder_of(tuple(kinds))


@cache
def _decoder_of(kinds: tuple[type, ...]) -> "msgspec.json.Decoder[ConversationEvent | HiddenEvent]":
    return msgspec.json.Decoder(Union[kinds])  # noqa: UP007 - of a tuple


class _State(Struct, omit_defaults=True):
    """What the next piece depends on: whose run of messages it is (`speaker` and `kind`), the last assistant's name,
    all speakers, names of open calls, hashes of the assistant's messages in this turn, and the id of a user message
    of which a first part stands there already; `in_list` says whether the last message may end in a list.
    """

    started: bool = False
    speaker: str = ""
    kind: str = ""
    assistant: str = "Assistant"
    speakers: list[str] = []
    calls: dict[str, str] = {}
    said: list[str] = []
    cut: str = ""
    in_list: bool = False


class Transcript:
    """Renders one conversation piece by piece, from the beginning or from an earlier `state`; `level` is that of its
    headings.
    """

    def __init__(self, options: MarkdownOptions, tz: tzinfo, state: bytes = b"", *, level: int = 1) -> None:
        self._options = options
        self._tz = tz
        self._marks = "#" * level
        self._state = msgspec.json.decode(state, type=_State) if state else _State()
        #: The events of stored lines, for `feed`: of what the options hide, no more is read than the transcript needs.
        self.read = _decoder(options).decode_lines
        #: How many events it was given.
        self.fed = 0
        self._rules: Mapping[type, Callable[[Any], str]] = {
            AssistantMessage: self._assistant_message,
            SystemMessage: self._system_message,
            ProviderInfo: self._provider_info,
            ToolCall: self._tool_call,
            HiddenCall: self._note_call,
            ToolResult: self._tool_result,
            HiddenResult: self._note_result,
            Thinking: self._thinking,
            HiddenThinking: lambda _: "",
            Decision: lambda event: self._block(_decision(event)),
        }

    @property
    def state(self) -> bytes:
        """All that the next piece depends on, for another Transcript to go on from. Never empty."""
        return msgspec.json.encode(self._state)

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
        """The next piece: "" for what is not shown, else ended by a newline.

        Of a user message, `after_line` and `through_line` (lines counted from 1) give a part: the parts of a message
        that is cut between lines are together the piece of the whole.
        """
        self.fed += 1
        if type(event) is UserMessage:
            return self._user_message(event, after_line, through_line)
        return self._rules[type(event)](event)

    def fold(self, event: ToolResult, title: str, body: str) -> str:
        """The piece after a tool's result: a sub-agent's transcript, folded. Its fences are closed, as in any piece."""
        return self._details(event, f"Sub-agent: {title}", body.strip("\n"))

    # --- Messages ---------------------------------------------------------------------------------------

    def _user_message(self, event: UserMessage, after_line: int, through_line: int | None) -> str:
        text = _normalised(event.content)
        continued = after_line > 0 and self._state.cut == event.event_id
        part = line_part(text, 0 if continued else after_line, through_line)
        whole = self._shown_user(part)
        if continued:
            # The first part stands in the note: what is missing is what the longer text adds to it.
            before = self._shown_user(line_part(text, 0, after_line))
            added = whole.removeprefix(before)
            return added[1:] + "\n" if added.strip() else ""
        self._state.said = []
        if not whole:
            return ""
        self._state.cut = "" if through_line is None else event.event_id
        return self._message("User", event, whole)

    def _shown_user(self, text: str) -> str:
        return typed(_trimmed(text), italics=self._options.italicize_user_messages)

    def _assistant_message(self, event: AssistantMessage) -> str:
        if event.phase == "commentary" and not self._options.include_commentary:
            return ""
        text = _trimmed(_normalised(event.content))
        if not text:
            return ""
        # The same text as commentary and as the final message is one message; twice in the same role it is two.
        role = "c" if event.phase == "commentary" else "f"
        mark = hashlib.blake2b(text.strip().encode(), digest_size=8).hexdigest() + role
        if mark[:-1] + ("f" if role == "c" else "c") in self._state.said:
            return ""
        self._state.said = [*self._state.said, mark][-_TURN_MESSAGES_MAX:]
        model = "" if event.model is UNSET else _one_line(event.model)
        self._state.assistant = model or "Assistant"
        return self._message(self._state.assistant, event, enclosed(text))

    def _system_message(self, event: SystemMessage | ProviderInfo) -> str:
        text = _trimmed(_normalised(event.content))
        if not self._options.include_system_events or not text:
            return ""
        return self._message("System", event, enclosed(text))

    def _provider_info(self, event: ProviderInfo) -> str:
        if event.subtype not in BOUNDARY_SUBTYPES:
            return self._system_message(event)
        text = _prose(event.content).replace("*", r"\*")
        if not self._options.include_boundaries or not text:
            return ""
        self._state.speaker = self._state.kind = ""  # what follows has a heading of its own
        self._state.in_list = False
        return self._block(f"*{text}*")

    def _message(self, speaker: str, event: ConversationEvent, text: str) -> str:
        heading = self._heading(speaker, event)
        if not heading and self._state.in_list and text[0] in " \t":
            heading = f"{_END_OF_LIST}\n\n"  # what is indented would belong to the list of the message before
        self._state.in_list = _LIST_ITEM.search(text) is not None
        return self._block(heading, text)

    def _heading(self, speaker: str, event: ConversationEvent) -> str:
        """The heading of a new run; "" inside one."""
        state, kind = self._state, type(event).__name__
        if state.speaker == speaker and state.kind == kind:
            return ""
        state.speaker, state.kind = speaker, kind
        if speaker not in state.speakers:
            state.speakers.append(speaker)
        at = in_zone(event.timestamp, self._tz)
        # An f-string takes three times as long to pad six numbers.
        when = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        return "%s %s_%04d-%02d-%02d_%02d%02d_%02d\n\n" % (self._marks, speaker, *when)  # noqa: UP031

    def _block(self, heading: str, text: str = "") -> str:
        """A block of the note, a blank line before it unless it is the first."""
        first = not self._state.started
        self._state.started = True
        return f"{heading}{text}\n" if first else f"\n{heading}{text}\n"

    # --- What the assistant did -------------------------------------------------------------------------

    def _note_call(self, event: ToolCall | HiddenCall) -> str:
        calls = self._state.calls
        calls[event.tool_call_id] = event.name
        while len(calls) > _OPEN_CALLS_MAX:
            del calls[next(iter(calls))]
        return ""

    def _tool_call(self, event: ToolCall) -> str:
        self._note_call(event)
        if not self._options.include_tool_calls:
            return ""
        about = "" if event.description is UNSET else f": {_one_line(event.description)}"
        given = {} if event.input is UNSET else event.input
        return self._details(event, f"Tool call: {event.name}{about}", _input(given))

    def _note_result(self, event: HiddenResult) -> str:
        self._state.calls.pop(event.tool_call_id, None)
        return ""

    def _tool_result(self, event: ToolResult) -> str:
        name = self._state.calls.pop(event.tool_call_id, event.tool_call_id)
        if not self._options.include_tool_calls:
            return ""
        return self._details(event, f"Tool result: {name}", _fenced(_normalised(event.result).rstrip()))

    def _thinking(self, event: Thinking) -> str:
        text = _normalised(event.content).strip()
        if not self._options.include_thinking or not text:
            return ""
        return self._details(event, "Thinking", _fenced(text))

    def _details(self, event: ConversationEvent, summary: str, body: str) -> str:
        heading = ""
        if self._state.kind != AssistantMessage.__name__:
            # What the assistant does must not stand in the user's run.
            heading = self._heading(self._state.assistant, event)
            self._state.kind = AssistantMessage.__name__
        inner = f"\n{body}\n" if body else ""
        return self._block(f"{heading}<details>\n<summary>{_summary(summary)}</summary>\n{inner}\n</details>")


def _decision(event: Decision) -> str:
    metadata: Mapping[str, Any] = {} if event.metadata is UNSET else event.metadata
    lines = [f"**Decision** ({event.status} by {_prose(event.decided_by)}): {_prose(event.summary)}"]
    question = metadata.get("question")
    if isinstance(question, str) and question.strip():
        header = metadata.get("header")
        label = f"{_prose(header)}: " if isinstance(header, str) and header.strip() else ""
        lines += ["", f"{label}{_prose(question)}"]
    answer = metadata.get("answer")
    chosen = [answer] if isinstance(answer, str) else answer if isinstance(answer, list) else []
    answers = [_one_line(one) for one in chosen if isinstance(one, str) and one.strip()]
    options = metadata.get("options")
    offered = [_option(one, answers) for one in options] if isinstance(options, list) else []
    shown = [line for line in offered if line]
    if shown:
        lines += ["", *shown]
    labels = {_label(one) for one in options} if isinstance(options, list) else set()
    own = [one for one in answers if one not in labels]
    if own:
        lines += ["", f"Answer: {escaped_tags('; '.join(own))}"]
    notes, plan = metadata.get("notes"), metadata.get("plan")
    if isinstance(notes, str) and notes.strip():
        lines += ["", f"Notes: {_prose(notes)}"]
    if isinstance(plan, str) and plan.strip():
        lines += ["", *enclosed(_trimmed(_normalised(plan))).split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _option(option: Any, answers: Sequence[str]) -> str:
    label = _label(option)
    if not label:
        return ""
    description = option.get("description") if isinstance(option, dict) else None
    about = f" – {_prose(description)}" if isinstance(description, str) and description.strip() else ""
    return f"- [{'x' if label in answers else ' '}] {escaped_tags(label)}{about}"


def _label(option: Any) -> str:
    label = option.get("label") if isinstance(option, dict) else option
    return _one_line(label) if isinstance(label, str) else ""


def _input(given: Mapping[str, Any]) -> str:
    """A tool's arguments: a single text as it is, anything else as JSON."""
    if not given:
        return ""
    texts = [value for key, value in given.items() if key != "description"]
    if len(texts) == 1 and isinstance(texts[0], str):
        return _fenced(_normalised(texts[0]).rstrip())
    return _fenced(msgspec.json.format(msgspec.json.encode(given), indent=2).decode(), "json")


def _fenced(text: str, language: str = "") -> str:
    fence = fence_longer_than_any_in(text)
    return f"{fence}{language}\n{text}\n{fence}"


def _normalised(text: str) -> str:
    text = with_newlines(text)
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


#: A comment ends a list, and is not shown.
_END_OF_LIST: Final = "<!-- -->"
_LIST_ITEM: Final = re.compile(r"^[ \t>]*(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)", re.MULTILINE)
_WORD: Final = re.compile(r"\S")


def _trimmed(text: str) -> str:
    """Without blank lines at the beginning and white space at the end."""
    if text[:1].isspace():
        first = _WORD.search(text)
        text = "" if first is None else text[text.rfind("\n", 0, first.start()) + 1 :]
    return text.rstrip()


def _one_line(text: str) -> str:
    return words_of(_normalised(text))


def _prose(text: str) -> str:
    """One line in which no tag is read as HTML."""
    return escaped_tags(_one_line(text))


def _summary(text: str) -> str:
    line = _one_line(text)
    short = line if len(line) <= _SUMMARY_CHARS_MAX else line[: _SUMMARY_CHARS_MAX - 1].rstrip() + "…"
    # `html` would load a table of 2,231 entities (0.4 MB) for this.
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
