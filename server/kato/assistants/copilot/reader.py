"""The readers: each record goes to the store that it belongs to."""

from typing import Final

from kato.assistants.contract import Json, LogFile, Surroundings
from kato.assistants.copilot import cli, jetbrains, transcripts
from kato.assistants.copilot.chat_sessions import ChatState
from kato.assistants.copilot.session import SUB_AGENTS_MAX, Session
from kato.assistants.copilot.stream import Event, EventStream
from kato.assistants.dispatch import Dispatch
from kato.assistants.readers import DocumentReader, LinesReader
from kato.assistants.values import remember, text_of

#: What each kind of event means. The names of the stores' kinds do not collide, so that one table reads them all.
EVENTS: Final[Dispatch[EventStream, [Event]]] = Dispatch(
    {**transcripts.KINDS, **cli.KINDS, **jetbrains.KINDS},
    ignored=[*transcripts.IGNORED, *cli.IGNORED, *jetbrains.IGNORED],
    default=EventStream.unknown,
)


class CopilotReader(Session, LinesReader):
    """Reads a log of lines: mutations of a state, or events."""

    def __init__(self, log: LogFile, cwd: str | None, surroundings: Surroundings) -> None:
        super().__init__(log, cwd, surroundings)
        self._again()

    def _again(self) -> None:
        self._forget_sub_agents()
        self.tokens = None
        self._chat = ChatState(self, ("isCanceled", "result", "response"))
        self._stream = EventStream(self)
        self._streams: dict[str, EventStream] = {}  # of sub-agents, by the calls that started them
        self._starts: dict[str, str] = {}  # ids of sub-agents -> the calls that started them

    def _record(self, record: Json) -> None:
        if isinstance(record.get("kind"), int):
            self._chat.mutate(record)
        elif "type" in record:
            self._take_event(Event.of(record))
        elif "requests" in record:
            self._chat.replace(record)
        else:
            self.emit_unknown("a record without a type", record, None, None)

    def _quiet(self) -> None:
        self._chat.settle(is_final=self.is_final)
        self._collect_all()
        self._guess_folder()

    def _take_event(self, event: Event) -> None:
        call_id = self._start_of(event)
        if call_id is None:
            EVENTS.take(self._stream, event.kind, event)
            return
        with self.sub_agent(call_id) as child:
            stream = self._streams.get(call_id)
            if stream is None or stream.session is not child:
                stream = EventStream(child)
                remember(self._streams, call_id, stream, SUB_AGENTS_MAX)
            EVENTS.take(stream, event.kind, event)

    def _start_of(self, event: Event) -> str | None:
        """The call that started the sub-agent whose event this is; None for an event of the main session."""
        agent, call_id = text_of(event.record, "agentId"), text_of(event.data, "parentToolCallId")
        if event.kind.startswith("subagent."):
            call_id = text_of(event.data, "toolCallId")
            if event.kind == "subagent.started" and agent is not None and call_id is not None:
                remember(self._starts, agent, call_id, SUB_AGENTS_MAX)
        if call_id is None and agent is not None:
            call_id = self._starts.get(agent, agent)
        return call_id


class CopilotDocument(Session, DocumentReader):
    """Reads a state that is stored as one document."""

    def __init__(self, log: LogFile, cwd: str | None, surroundings: Surroundings) -> None:
        super().__init__(log, cwd, surroundings)
        self._chat = ChatState(self, ("isCanceled", "result"))

    def _document(self, document: Json) -> None:
        self._chat.replace(document)
        self._chat.settle(is_final=self.is_final)
        self._collect_all()
        self._guess_folder()
