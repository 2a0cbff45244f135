"""What an agent reports in one session, as events: the kinds of `session/update`, one function a kind.

- Chunks of a message are joined by their `messageId`; where it is absent, until something else comes.
- A message before a tool call is commentary; the last one of a turn is the final message. So a message waits until it is known
  what follows it.
- A tool call becomes events when it ended, in the order in which calls end; one that the turn's end interrupted has no result.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from kato.assistants.contract import Json
from kato.assistants.values import identifier, objects_of, remember, text_of
from kato.channels.acp import tool_calls
from kato.channels.acp.prompts import doubt_of, text_of_content, words_of
from kato.channels.acp.tool_calls import Call, Terminal
from kato.core import limits
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Phase,
    ProviderInfo,
    Source,
    Thinking,
    ToolCall,
    ToolResult,
    UserMessage,
)
from kato.core.text import one_line

_REASON_CHARS_MAX: Final = 400

_SENTENCE_ENDS: Final = (".", "!", "?", ":", "\n", "```")

OF_AGENT: Final = "the agent reported the message; the editor did not send it"


class About(NamedTuple):
    """Whose session it is. `given` is its id as the client and the agent write it, `model` the agent's name in transcripts."""

    provider: str
    session_id: str
    given: str
    cwd: str | None
    model: str | None


class _Open(Struct):
    """A message of which chunks come."""

    kind: str
    message_id: str | None
    parts: list[str]
    size: int = 0
    has_attachment: bool = False


class Session:
    """See the module. `new_id` makes the ids of events, `now` their times."""

    def __init__(
        self, about: About, *, new_id: Callable[[], str], now: Callable[[], datetime], problems: Counter[str]
    ) -> None:
        self.about = about
        self.prompts = 0  # requests that the agent has not answered yet
        #: What the agent reports is a copy of what was said before.
        self.is_history = False
        #: The agent did not answer yet that it loaded the session.
        self.is_loading = False
        self.title: str | None = None
        self._new_id = new_id
        self._now = now
        self._problems = problems
        self._turn = new_id()
        self._open: _Open | None = None
        # Messages and thoughts of which it is not known what follows.
        self._held: list[ConversationEvent] = []
        self._ready: list[ConversationEvent] = []
        self._calls: dict[str, Call] = {}
        self._ended_calls: dict[str, None] = {}
        self._terminals: dict[str, Terminal] = {}
        self._plan: object = None
        self._usage: Json | None = None

    def taken(self) -> tuple[ConversationEvent, ...]:
        """The events that are complete; each is returned once."""
        ready, self._ready = tuple(self._ready), []
        return ready

    @property
    def is_in_sentence(self) -> bool:
        """Whether the agent's message goes on in the middle of a sentence, or of a code block."""
        opened = self._open
        if opened is None or opened.kind != "agent_message_chunk":
            return False
        text = "".join(opened.parts).rstrip(" ")
        return bool(text) and (text.count("```") % 2 == 1 or not text.endswith(_SENTENCE_ENDS))

    # --- The client's side ------------------------------------------------------------------------------

    def prompt(self, blocks: object) -> None:
        """The user sent a prompt: a turn begins. The one before has ended."""
        content = words_of(blocks, self.about.cwd)
        doubt = doubt_of(blocks) if "::" in content else None
        self._add_user("session/prompt", content, doubt)

    def ask(self, part: Json) -> None:
        """The agent asks the user whether it may make a call."""
        self._close()
        self._release(is_final=False)
        self.call(part)

    def permit(self, call_id: str, *, is_denied: bool) -> None:
        """The user decided on a call."""
        if call_id in self._calls:
            self._calls[call_id].is_denied = is_denied

    def end_turn(self, stopped: str | None = None) -> None:
        """The turn is over, or the conversation was quiet. `stopped` says why the agent did not finish it."""
        self._close()
        self._release(is_final=True)
        for call in list(self._calls.values()):
            self._end_call(call)
        if self._usage is not None:
            content = msgspec.json.encode(self._usage).decode()
            self._add(ProviderInfo, "usage_update", content=content, subtype="usage")
            self._usage = None
        if stopped is not None:
            self._add(ProviderInfo, "session/prompt", content=stopped, subtype="interruption")

    def fork_of(self, session_id: str) -> None:
        """The session goes on from another one."""
        content = f"The conversation was forked from {one_line(session_id, limits.ID_CHARS_MAX)}."
        self._add(ProviderInfo, "session/fork", content=content, subtype="forked")

    # --- The agent's side -------------------------------------------------------------------------------

    def update(self, update: Json) -> None:
        """Takes a `session/update`."""
        kind = text_of(update, "sessionUpdate")
        take = _KINDS.get(kind or "")
        if take is None:
            self._problems[f"unknown session update {one_line(kind or '-', 40)}"] += 1
        else:
            take(self, update)

    def call(self, part: Json) -> Call | None:
        """The call that a part belongs to; None if it ended, or has no id."""
        given = text_of(part, "toolCallId")
        if not given:
            return None
        call_id = identifier(given)
        if call_id in self._ended_calls:
            return None
        call = self._calls.get(call_id)
        if call is None:
            if len(self._calls) >= limits.ACP_OPEN_CALLS_MAX:
                self._end_call(next(iter(self._calls.values())))
            call = self._calls[call_id] = Call(call_id, {})
        call.take(part)
        return call

    def terminal(self, terminal_id: str, command: str) -> None:
        """The client runs a command for the agent."""
        remember(self._terminals, terminal_id, Terminal(command), limits.ACP_OPEN_CALLS_MAX)

    def terminal_output(self, terminal_id: str, output: str | None, exit_code: int | None) -> None:
        """The command's output so far, and its exit code once it ended."""
        found = self._terminals.get(terminal_id)
        if found is not None:
            found.output = found.output if output is None else output
            found.exit_code = found.exit_code if exit_code is None else exit_code

    def take_chunk(self, update: Json) -> None:
        """A part of a message, of a thought or of a summary."""
        kind = str(update["sessionUpdate"])
        if kind == "user_message_chunk" and self.prompts and not self.is_history:
            return  # an echo of the prompt
        content = update.get("content")
        text, message_id = text_of_content(content), text_of(update, "messageId")
        opened = self._open
        if opened is None or (opened.kind, opened.message_id) != (kind, message_id):
            self._close()
            opened = self._open = _Open(kind, message_id, [])
        if isinstance(content, dict) and content.get("type") in ("image", "audio"):
            opened.has_attachment, text = True, f"\n\n{text}\n\n"  # a line of its own, as in a prompt
        opened.size += len(text)
        if opened.size <= limits.ACP_TEXT_CHARS_MAX:
            opened.parts.append(text)
        else:
            self._problems["long message"] += 1

    def take_call(self, update: Json) -> None:
        """A part of a tool call."""
        self._close()
        self._release(is_final=False)
        call = self.call({key: value for key, value in update.items() if key != "sessionUpdate"})
        if call is not None and call.status in ("completed", "failed"):
            self._end_call(call)

    def take_plan(self, update: Json) -> None:
        """The agent's plan, whenever it changed."""
        entries = [
            {"content": text_of(one, "content") or "", "status": text_of(one, "status") or "pending"}
            for one in objects_of(update, "entries")
        ]
        if not entries or entries == self._plan:
            return
        self._plan = entries
        self._close()
        self._release(is_final=False)
        call_id = identifier("plan", self._new_id())
        self._add(
            ToolCall, "plan", tool_call_id=call_id, name="TodoWrite", input={"todos": entries}, **self._model
        )
        self._add(ToolResult, "plan", tool_call_id=call_id, result="", outcome="ok")

    def take_info(self, update: Json) -> None:
        """The session's title."""
        title = one_line(text_of(update, "title") or "", limits.TITLE_CHARS_MAX * 2)
        self.title = title or self.title

    def take_usage(self, update: Json) -> None:
        """What the turn used so far: the last report of a turn is stored."""
        self._usage = {key: value for key, value in update.items() if key not in ("sessionUpdate", "_meta")}

    def take_compaction(self, update: Json) -> None:
        """The agent shortened what it remembers."""
        status = text_of(update, "status")
        if status in (None, "completed"):
            self._close()
            self._release(is_final=False)
            content = "The conversation was compacted."
            self._add(ProviderInfo, "compaction_update", content=content, subtype="compaction")

    def take_notice(self, update: Json) -> None:
        """A notice of the agent, for the user."""
        parts = (text_of(update, "title"), text_of(update, "description"))
        content = ": ".join(part for part in parts if part)
        level = text_of(update, "severity") or UNSET
        self._add(ProviderInfo, "notice", content=content, subtype="notice", level=level)

    def take_nothing(self, update: Json) -> None:
        """Bookkeeping of the client: modes, options, lists of commands."""

    # --- Events -----------------------------------------------------------------------------------------

    @property
    def _model(self) -> dict[str, str]:
        return {} if self.about.model is None else {"model": self.about.model}

    def _close(self) -> None:
        """The open message is complete."""
        opened, self._open = self._open, None
        if opened is None:
            return
        text = "".join(opened.parts)
        if opened.has_attachment:
            text = text.strip("\n")
        if not text.strip():
            return
        if opened.kind == "user_message_chunk":
            self._release(is_final=True)
            for call in list(self._calls.values()):
                self._end_call(call)
            self._add_user(opened.kind, text, OF_AGENT if "::" in text else None, opened.message_id)
        elif opened.kind == "compaction_summary_chunk":
            self._add(ProviderInfo, opened.kind, content=text, subtype="compaction_summary")
        elif opened.kind == "agent_thought_chunk":
            self._held.append(
                self._made(Thinking, opened.kind, opened.message_id, content=text, **self._model)
            )
        else:
            self._release(is_final=False)
            self._held.append(
                self._made(
                    AssistantMessage,
                    opened.kind,
                    opened.message_id,
                    role="assistant",
                    content=text,
                    **self._model,
                )
            )

    def _release(self, *, is_final: bool) -> None:
        """It is known what follows the messages that wait."""
        phase: Phase = "final" if is_final else "commentary"
        held, self._held = self._held, []
        self._ready += [
            replace(one, phase=phase) if isinstance(one, AssistantMessage) else one for one in held
        ]

    def _end_call(self, call: Call) -> None:
        del self._calls[call.call_id]
        remember(self._ended_calls, call.call_id, None, limits.ACP_ENDED_CALLS_MAX)
        name, given, about = tool_calls.shown(call, self._terminals)
        self._add(
            ToolCall,
            "tool_call",
            tool_call_id=call.call_id,
            name=name,
            description=about,
            input=given,
            **self._model,
        )
        if call.is_denied or call.status in ("completed", "failed"):
            text, outcome, exit_code = tool_calls.result(call, self._terminals)
            self._add(
                ToolResult,
                "tool_call_update",
                tool_call_id=call.call_id,
                result=text,
                outcome=outcome,
                exit_code=exit_code,
            )

    def _add_user(self, kind: str, content: str, doubt: str | None, message_id: str | None = None) -> None:
        if content.strip():
            self._turn = self._new_id()
            doubted = UNSET if doubt is None else doubt
            self._ready.append(
                self._made(UserMessage, kind, message_id, role="user", content=content, doubt=doubted)
            )

    def _add(self, event: type[ConversationEvent], kind: str, **fields: Any) -> None:
        self._ready.append(self._made(event, kind, None, **fields))

    def _made(
        self, event: type[ConversationEvent], kind: str, message_id: str | None, **fields: Any
    ) -> ConversationEvent:
        return event(
            event_id=self._new_id(),
            provider=self.about.provider,
            session_id=self.about.session_id,
            timestamp=self._now(),
            source=Source(kind, UNSET if message_id is None else message_id),
            turn_id=self._turn,
            **fields,
        )


#: What a prompt's result says about its end; nothing where the agent finished.
STOPPED: Final[Mapping[str, str]] = {
    "cancelled": "The user cancelled the turn.",
    "refusal": "The turn ended early: the agent refused to go on.",
    "max_tokens": "The turn ended early: the agent reached its limit of tokens.",
    "max_turn_requests": "The turn ended early: the agent reached its limit of requests.",
}
#: The connection closed before the prompt was answered.
CUT_OFF: Final = "The turn ended early: the connection to the agent closed."


def failed(message: str | None) -> str:
    """The agent answered a prompt with an error."""
    reason = one_line(message or "", _REASON_CHARS_MAX).rstrip(".")
    return f"The turn ended early: the agent failed ({reason or 'no reason given'})."


_KINDS: Final[Mapping[str, Callable[[Session, Json], None]]] = {
    "user_message_chunk": Session.take_chunk,
    "agent_message_chunk": Session.take_chunk,
    "agent_thought_chunk": Session.take_chunk,
    "compaction_summary_chunk": Session.take_chunk,
    "tool_call": Session.take_call,
    "tool_call_update": Session.take_call,
    "plan": Session.take_plan,
    "session_info_update": Session.take_info,
    "usage_update": Session.take_usage,
    "compaction_update": Session.take_compaction,
    "notice": Session.take_notice,
    "available_commands_update": Session.take_nothing,
    "current_mode_update": Session.take_nothing,
    "config_option_update": Session.take_nothing,
}
