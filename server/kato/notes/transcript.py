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
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec
from msgspec import UNSET, structs

from kato.core.actions import ReadArguments
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
from kato.notes import decisions, redaction
from kato.notes.brief_events import (
    BriefCall,
    BriefResult,
    HiddenCall,
    HiddenEvent,
    HiddenResult,
    HiddenThinking,
    decoder,
)
from kato.notes.calls import CALLS, AnyCall, AnyResult, Block, Context
from kato.notes.facts import Facts
from kato.notes.headings import SYSTEM, USER, Style, distinct, kato_heading, readable_heading
from kato.notes.markup import details, normalised, prose, quoted, trimmed
from kato.notes.masking import Masking
from kato.notes.options import MarkdownOptions
from kato.notes.safe_markdown import enclosed, typed
from kato.notes.transcript_state import TranscriptState

#: Messages of a turn that are remembered, to write a repetition once.
_TURN_MESSAGES_MAX: Final = 64


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
        self._state = (
            msgspec.json.decode(state, type=TranscriptState) if state else TranscriptState(folder=folder)
        )
        #: Decodes stored lines into events for `feed`. Decodes only the fields that the options show.
        self.read = decoder(options).decode_lines
        #: Links the pictures that the text refers to; None leaves their placeholders.
        self.link: Link | None = None
        #: The number of events that `feed` was given.
        self.fed = 0
        self.facts = Facts()
        masking = Masking(self.facts, is_on=options.redact_secrets)
        self._masked, self._masked_value = masking.text, masking.value
        self._calls = CALLS[options.tool_calls](Context(options, self._state, self.facts, masking, tools))
        self._rules: Mapping[type, Callable[[Any], str]] = {
            AssistantMessage: self._assistant_message,
            SystemMessage: self._system_message,
            ProviderInfo: self._provider_info,
            ToolCall: self._call,
            BriefCall: self._call,
            HiddenCall: self._call,
            ToolResult: self._result,
            BriefResult: self._result,
            HiddenResult: self._result,
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
        self._state.assistant = self.facts.model(event.model) or "Assistant"
        shown = self._message(self._state.assistant, event, self._enclosed(text))
        return shown + self._end_turn() if event.phase == "final" else shown

    def _enclosed(self, text: str) -> str:
        """A message that is not the user's: verbatim, but it closes what it opens, and none of its headings is a speaker's."""
        style: Style = "kato" if self._options.heading_style == "kato" else "readable"
        return enclosed(distinct(text, style) if self._level == 1 else text)

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

    def _call(self, event: AnyCall) -> str:
        return self._shown(self._calls.call(event))

    def _result(self, event: AnyResult) -> str:
        return self._shown(self._calls.result(event))

    def _show_waiting(self) -> str:
        return self._shown(self._calls.flush())

    def _end_turn(self) -> str:
        return self._shown(self._calls.end_turn())

    def _shown(self, blocks: Sequence[Block]) -> str:
        return "".join([self._folded(at, text) for at, text in blocks]) if blocks else ""

    def _thinking(self, event: Thinking) -> str:
        if not self._options.include_thinking:
            return ""
        text = self._masked(normalised(event.content)).strip()
        if not text:
            return ""
        before = self._show_waiting()
        self._state.assistant = self.facts.model(event.model) or self._state.assistant
        return before + self._folded(event.timestamp, details("Thinking", quoted(text)))

    def _folded(self, timestamp: datetime, block: str) -> str:
        """A block of what the assistant did, below the assistant's heading: never within the user's run of messages."""
        heading = ""
        if self._state.kind != AssistantMessage.__name__:
            heading = self._heading(self._state.assistant, AssistantMessage.__name__, timestamp)
            self._state.kind = AssistantMessage.__name__
        self._state.in_list = False
        return self._block(heading, block)


#: An HTML comment ends a list in Markdown and is not visible.
_END_OF_LIST: Final = "<!-- -->"
_FIRST_ITEM: Final = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)", re.MULTILINE)
#: A search for a literal beginning is several times as fast as one for `^`.
_ITEM: Final = re.compile(rf"\n{_FIRST_ITEM.pattern}", re.MULTILINE)


def _has_list(text: str) -> bool:
    return _FIRST_ITEM.match(text) is not None or _ITEM.search(text) is not None
