"""Builds events: one method for each kind, with what all events of a log share."""

import hashlib
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from kato.assistants.contract import (
    Json,
    LogFile,
    Problem,
    ProblemKind,
    ReadResult,
    SavePicture,
    SessionInfo,
)
from kato.assistants.unknown import id_of, reported_name
from kato.assistants.values import (
    DESCRIPTION_CHARS_MAX,
    describe,
    identifier,
    picture,
)
from kato.core import limits
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Decision,
    DecisionStatus,
    Phase,
    ProviderInfo,
    Source,
    SystemMessage,
    Thinking,
    ToolCall,
    ToolResult,
    UserMessage,
)
from kato.core.lenient_json import decoded_bytes
from kato.core.moments import MOMENT_MAX, MOMENT_MIN, MOMENT_RULE, utc
from kato.core.text import one_line

NO_TIME: Final = utc(0)
#: Why the words of a record that was found inside a damaged one run nothing.
DAMAGED: Final = "it stands in a damaged line of the assistant's log"


#: Characters of a problem's detail.
DETAIL_CHARS_MAX: Final = 200

#: Why a line, or its long strings, are not read.
NO_ROOM: Final = "more than the memory that daemonMaxMemoryMb leaves"


class BaseReader(ABC):
    """Collects events and problems; a subclass says what a record means."""

    provider: ClassVar[str]

    def __init__(self, log: LogFile) -> None:
        self.log = log
        self.session_id = log.session_id
        self.title: str | None = None
        self.cwd: str | None = None
        self.version: str | None = None
        self.parent_id = log.parent_id
        self.parent_tool_call_id: str | None = None
        self.started: dict[str, str] = {}
        self.copied: set[str] = set()
        self.is_copy = False  # what is read now was copied
        self.save_picture: SavePicture | None = None
        self.continued_in: str | None = None
        self.is_final = False
        self._folders: dict[str, None] = {}
        self.has_room: Callable[[int], bool] = lambda _: True
        self._events: list[ConversationEvent] = []
        self._problems: list[Problem] = []
        self._first: datetime | None = None  # the first time in the log
        self._last: datetime | None = None
        self._undated = 0  # events that wait for the first time
        self._is_recovered = False  # what is read now may be a part of a damaged record

    @property
    def info(self) -> SessionInfo:
        """What is known of the session by now."""
        title = None if self.title is None else one_line(self.title, limits.TITLE_CHARS_MAX * 2)
        return SessionInfo(
            session_id=self.session_id,
            title=title or None,
            cwd=self.cwd,
            version=self.version,
            parent_id=self.parent_id,
            parent_tool_call_id=self.parent_tool_call_id,
        )

    def about(self, session_id: str) -> SessionInfo:
        """What is known of a session that this log tells of: its own, or a sub-agent's."""
        if session_id == self.session_id:
            return self.info
        return SessionInfo(
            session_id=session_id,
            cwd=self.cwd,
            version=self.version,
            parent_id=self.session_id,
            parent_tool_call_id=self.started.get(session_id),
        )

    @property
    def folders(self) -> Sequence[str]:
        """The folders that the session worked in, the first one first."""
        return list(self._folders) or ([] if self.cwd is None else [self.cwd])

    def take_companions(self, companions: Mapping[str, bytes]) -> None:  # noqa: B027 - for readers that need it
        """The files next to the log changed: their content, by their last names."""

    def _taken(self, *, is_quiet: bool = False) -> ReadResult:
        """What was gathered. Events from before the log's first time wait for it, unless the log is quiet."""
        problems, self._problems = self._problems, []
        if self._undated and self._last is None and not is_quiet:
            return ReadResult([], problems)
        events, self._events = self._events, []
        if self._undated:
            first = self._first or self._last or NO_TIME
            events = [
                replace(event, timestamp=first) if event.timestamp is NO_TIME else event for event in events
            ]
            self._undated = 0
        return ReadResult(events, problems)

    def _forget(self) -> None:
        """The log is read from its beginning."""
        self._events = []
        self._first = self._last = None
        self._undated = 0

    def picture(self, block: Json) -> str | None:
        """What stands for an image block."""
        return picture(block, self.save_picture)

    def report(self, kind: ProblemKind, detail: str, example: str | None = None) -> None:
        """Counts something that could not be read as meant; `example` is the id of the record, where it has one."""
        if kind == "unknown_kind":
            detail = reported_name(detail)
        example = id_of(example) if example else None
        self._problems.append(Problem(kind, detail[:DETAIL_CHARS_MAX], self.version, example))

    def _fits(self, text: bytes) -> bool:
        """Whether there is room to read this and to keep its events."""
        if len(text) < limits.LARGE_BYTES:
            return True
        return self.has_room(decoded_bytes(text) + limits.LOG_LARGE_COST * len(text))

    def guarded(self, take: Callable[[Json], None], record: Json) -> None:
        """Takes one record; a value that the reader did not reckon with costs this record, not the log."""
        try:
            take(record)
        except Exception as error:  # noqa: BLE001 - around one record; counted, and kept visible as a problem
            self.report("invalid_record", f"{record.get('type', 'record')}: {type(error).__name__}")

    # Events. `kind` and `origin` are the source's record type and id.

    def _head(self, event_id: str, at: datetime | None, kind: str, origin: str | None) -> dict[str, Any]:
        if at is not None and not MOMENT_MIN < at < MOMENT_MAX:
            self.report("invalid_record", f"a time beyond the calendar; expected {MOMENT_RULE}")
            at = None
        if at is not None:
            self._first = self._first or at
            self._last = at
        elif self._last is None:
            self._undated += 1
            if self._undated > limits.LOG_UNDATED_EVENTS_MAX:
                self._last = NO_TIME  # a log without times
        return {
            "event_id": identifier(event_id),
            "provider": self.provider,
            "session_id": self.session_id,
            "timestamp": at or self._last or NO_TIME,
            "source": Source(
                provider_event_type=kind or "unknown", provider_event_id=UNSET if origin is None else origin
            ),
        }

    def emit_user(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        origin: str | None = None,
        *,
        doubt: str | None = None,
    ) -> None:
        """What the user said; in a sub-agent's log, the task that the assistant gave it. `doubt` is why the
        text is not proven to be typed, a clause in words for the user ("it holds …"): no command in it runs, and the user
        is notified of each that would have.
        """
        if self.parent_id is not None:
            self.emit_assistant(event_id, at, kind, content, origin)
            return
        may_hold_command = "::" in content
        why = DAMAGED if self._is_recovered else doubt
        message = UserMessage(
            **self._head(event_id, at, kind, origin),
            role="user",
            content=content,
            doubt=why if why and may_hold_command else UNSET,
        )
        if self.is_copy and may_hold_command:
            self.copied.add(message.event_id)
        self._events.append(message)

    def emit_assistant(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        origin: str | None = None,
        *,
        model: str | None = None,
        phase: Phase | None = None,
    ) -> None:
        """What the assistant said."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(
            AssistantMessage(
                **head,
                role="assistant",
                content=content,
                model=model or UNSET,
                phase=UNSET if phase is None else phase,
            )
        )

    def emit_system(
        self, event_id: str, at: datetime | None, kind: str, content: str, origin: str | None = None
    ) -> None:
        """What the host said to either of them."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(SystemMessage(**head, role="system", content=content))

    def emit_thinking(
        self, event_id: str, at: datetime | None, kind: str, content: str, origin: str | None = None
    ) -> None:
        """The assistant's reasoning, unless there is nothing to read."""
        if content.strip():
            self._events.append(Thinking(**self._head(event_id, at, kind, origin), content=content))

    def emit_call(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        call_id: str,
        name: str,
        given: object,
        *,
        about: str | None = None,
        origin: str | None = None,
    ) -> None:
        """A tool call; `about` says in a line what it is for, else its arguments do."""
        arguments = given if isinstance(given, dict) else {} if given is None else {"input": given}
        self._events.append(
            ToolCall(
                **self._head(event_id, at, kind, origin),
                tool_call_id=identifier(call_id),
                name=name or "unknown",
                description=one_line(about, DESCRIPTION_CHARS_MAX) if about else describe(arguments),
                input=arguments or UNSET,
            )
        )
        self._called(arguments)

    def _called(self, arguments: Json) -> None:  # noqa: B027 - most readers have no use for it
        """A call with these arguments was emitted."""

    def emit_result(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        call_id: str,
        result: str,
        origin: str | None = None,
    ) -> None:
        """What a tool gave back."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(ToolResult(**head, tool_call_id=identifier(call_id), result=result))

    def emit_question(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        question: str,
        *,
        call_id: str,
        header: str | None = None,
        options: Sequence[object] = (),
        answer: object = None,
        notes: str = "",
        status: DecisionStatus = "accepted",
        decided_by: str = "user",
    ) -> None:
        """A question with its options and the answer that was chosen, as a decision; `notes` are the user's words on it."""
        metadata: dict[str, Any] = {"question": question}
        if header:
            metadata["header"] = header
        if options:
            metadata["options"] = list(options)
        if answer:
            metadata["answer"] = answer
        if notes:
            metadata["notes"] = notes
        given = ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer or "")
        chosen = given or notes or "no answer"
        self._events.append(
            Decision(
                **self._head(event_id, at, kind, call_id),
                decision_id=identifier(event_id),
                decision_key=one_line(header or question, 60) or "question",
                summary=one_line(chosen, 200),
                status=status,
                decided_by=decided_by,
                basis_event_ids=[],
                metadata=metadata,
            )
        )

    def emit_plan(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        plan: str,
        *,
        call_id: str,
        status: DecisionStatus,
        feedback: str = "",
    ) -> None:
        """A plan of the assistant and what the user decided on it, with the user's words, if there were any."""
        metadata = {"plan": plan} | ({"feedback": feedback} if feedback else {})
        first = next((line.strip("# \t") for line in plan.split("\n", 8) if line.strip("# \t")), "")
        self._events.append(
            Decision(
                **self._head(event_id, at, kind, call_id),
                decision_id=identifier(event_id),
                decision_key="plan",
                summary=one_line(first, 200) or "plan",
                status=status,
                decided_by="user",
                basis_event_ids=[],
                metadata=metadata,
            )
        )

    def emit_note(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        *,
        subtype: str | None = None,
        level: str | None = None,
        origin: str | None = None,
    ) -> None:
        """Anything else worth keeping."""
        self._events.append(
            ProviderInfo(
                **self._head(event_id, at, kind, origin),
                content=content,
                subtype=UNSET if subtype is None else subtype,
                level=UNSET if level is None else level,
            )
        )

    def emit_unknown(self, name: str, record: Json, event_id: str | None, at: datetime | None) -> None:
        """Counts a record of a kind that this reader does not know, and keeps it as a `provider.info` event: its JSON, at most
        `limits.LOG_UNKNOWN_BYTES_MAX` bytes of it. For records that may hold words of the conversation.
        """
        self.report("unknown_kind", name, event_id)
        kept = msgspec.json.encode(record)
        text = kept[: limits.LOG_UNKNOWN_BYTES_MAX].decode(errors="ignore")
        self.emit_note(
            event_id or f"{name}:{hashlib.blake2b(kept, digest_size=8).hexdigest()}",
            at,
            name,
            text,
            subtype="unknown",
        )

    def count_unknown(self, name: str, record: Json, event_id: str | None, at: datetime | None) -> None:
        """Counts a record of a kind that this reader does not know, and keeps nothing of it. For attachments and bookkeeping:
        what the host adds can be long, and is not what anybody said. Takes what `emit_unknown` takes, so that either can be
        the default of a `Dispatch`.
        """
        del record, at
        self.report("unknown_kind", name, event_id)
