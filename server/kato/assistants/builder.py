"""Builds events: one method for each kind, with what all events of a log share."""

import hashlib
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

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
    exit_code_of,
    identifier,
    picture,
    without_data,
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
    ToolOutcome,
    ToolResult,
    UserMessage,
)
from kato.core.lenient_json import decoded_bytes
from kato.core.moments import MOMENT_MAX, MOMENT_MIN, MOMENT_RULE, utc
from kato.core.text import one_line

#: The time of an event that waits for the first time in its log.
NO_TIME: Final = utc(0)
#: Why no command runs in a record that was found inside a damaged one.
DAMAGED: Final = "it is in a damaged line of the assistant's log"


#: Characters of a problem's detail.
DETAIL_CHARS_MAX: Final = 200

#: Why a line, or its long strings, are not read.
NO_ROOM: Final = "more than the memory that daemonMaxMemoryMb leaves"


class BaseReader(ABC):
    """Collects events and problems. A subclass decides what a record means and calls the `emit_*` methods, each of which
    builds one event.
    """

    provider: str  # of the class; a fork's reader has its own

    def __init__(self, log: LogFile) -> None:
        self.log = log
        self._session_id = identifier(log.session_id)
        self.title: str | None = None
        self.cwd: str | None = None
        self.version: str | None = None
        self.branch: str | None = None
        self.tokens: int | None = None
        self.parent_id = log.parent_id
        self.parent_tool_call_id: str | None = None
        self.started: dict[str, str] = {}
        self.copied: set[str] = set()
        self.is_copy = False  # the record that is read now was copied from another session
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
        self._is_recovered = False  # the record that is read now may be a part of a damaged one

    @property
    def session_id(self) -> str:
        """The session's id; one from a log that is too long for an event becomes a hash."""
        return self._session_id

    @session_id.setter
    def session_id(self, value: str) -> None:
        self._session_id = identifier(value)

    @property
    def info(self) -> SessionInfo:
        """What is known about the session so far."""
        title = None if self.title is None else one_line(self.title, limits.TITLE_CHARS_MAX * 2)
        return SessionInfo(
            session_id=self.session_id,
            title=title or None,
            cwd=self.cwd,
            version=self.version,
            parent_id=self.parent_id,
            parent_tool_call_id=self.parent_tool_call_id,
            branch=None if self.branch is None else one_line(self.branch, limits.BRANCH_CHARS_MAX) or None,
            tokens=self.tokens,
        )

    def about(self, session_id: str) -> SessionInfo:
        """What is known about a session whose events are in this log: the log's own, or a sub-agent's."""
        if session_id == self.session_id:
            return self.info
        return SessionInfo(
            session_id=session_id,
            cwd=self.cwd,
            version=self.version,
            parent_id=self.session_id,
            parent_tool_call_id=self.started.get(session_id),
            branch=self.info.branch,
        )

    @property
    def folders(self) -> Sequence[str]:
        """The folders that the session worked in, in the order of their first use."""
        return list(self._folders) or ([] if self.cwd is None else [self.cwd])

    def take_companions(self, companions: Mapping[str, bytes]) -> None:  # noqa: B027 - for readers that need it
        """The files next to the log changed: their content, by their last names."""

    def _taken(self, *, is_quiet: bool = False) -> ReadResult:
        """The events and problems since the last call. Events before the log's first time wait for it, unless `is_quiet`."""
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
        """Forgets what was collected, because the log is read from its beginning."""
        self._events = []
        self._first = self._last = None
        self._undated = 0

    def picture(self, block: Json) -> str | None:
        """The text for an image block: a link to the saved picture, or a placeholder."""
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
        """Reads one record. An exception because of an unexpected value ends this record only, and is reported."""
        try:
            take(record)
        except Exception as error:  # noqa: BLE001 - around one record; counted, and kept visible as a problem
            self.report("invalid_record", f"{record.get('type', 'record')}: {type(error).__name__}")

    # Events. `kind` and `origin` are the type and the id of the record that an event comes from.

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
        """Emits a message of the user; in a sub-agent's log, the task that the assistant gave it, as the assistant's.
        `doubt` says why the text is not proven to be typed, as a clause for the user ("it holds …"): no command in it runs, and
        the user is notified about each one.
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
        """Emits a message of the assistant."""
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
        """Emits a message of the host (the assistant's program, an IDE, a hook)."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(SystemMessage(**head, role="system", content=content))

    def emit_thinking(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        origin: str | None = None,
        *,
        model: str | None = None,
    ) -> None:
        """Emits the assistant's reasoning, unless it is empty."""
        if content.strip():
            head = self._head(event_id, at, kind, origin)
            self._events.append(Thinking(**head, content=content, model=model or UNSET))

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
        model: str | None = None,
    ) -> None:
        """Emits a tool call. `about` describes it in a line; without it, an argument does (`values.describe`). `model` is the
        model that made the call.
        """
        given = without_data(given)
        arguments = given if isinstance(given, dict) else {} if given is None else {"input": given}
        self._events.append(
            ToolCall(
                **self._head(event_id, at, kind, origin),
                tool_call_id=identifier(call_id),
                name=name or "unknown",
                description=one_line(about, DESCRIPTION_CHARS_MAX) if about else describe(arguments),
                input=arguments or UNSET,
                model=model or UNSET,
            )
        )
        self._called(arguments)

    def _called(self, arguments: Json) -> None:  # noqa: B027 - most readers have no use for it
        """Called after a call with these arguments was emitted."""

    def emit_result(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        call_id: str,
        result: str,
        origin: str | None = None,
        *,
        outcome: ToolOutcome | None = None,
        exit_code: object = None,
    ) -> None:
        """Emits the result of a tool call. `outcome` and `exit_code` are what the log says; without an outcome, the exit code of
        a command gives it. An exit code that is not a number of at most 32 bits counts as absent.
        """
        code = exit_code_of(exit_code)
        if outcome is None and code is not None:
            outcome = "ok" if code == 0 else "error"
        self._events.append(
            ToolResult(
                **self._head(event_id, at, kind, origin),
                tool_call_id=identifier(call_id),
                result=result,
                outcome=outcome or UNSET,
                exit_code=UNSET if code is None else code,
            )
        )

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
        """Emits a question with its options and the answer, as a decision. `notes` are the user's own words."""
        metadata: dict[str, Any] = {"question": question}
        if header:
            metadata["header"] = header
        if options:
            metadata["options"] = without_data(list(options))
        if answer:
            metadata["answer"] = without_data(answer)
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
        """Emits a plan of the assistant with the user's decision and words on it."""
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
        """Emits a `provider.info` event: anything else that is worth keeping."""
        self._events.append(
            ProviderInfo(
                **self._head(event_id, at, kind, origin),
                content=content,
                subtype=UNSET if subtype is None else subtype,
                level=UNSET if level is None else level,
            )
        )

    def emit_unknown(self, name: str, record: Json, event_id: str | None, at: datetime | None) -> None:
        """Counts a record of a kind that this reader does not know, and keeps it as a `provider.info` event: its JSON without
        data, at most `limits.LOG_UNKNOWN_BYTES_MAX` bytes of it. For records that may hold words of the conversation.
        """
        self.report("unknown_kind", name, event_id)
        kept = msgspec.json.encode(without_data(record))
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
        what the host adds can be long, and neither the user nor the assistant said it. Takes what `emit_unknown` takes, so that either can be
        the default of a `Dispatch`.
        """
        del record, at
        self.report("unknown_kind", name, event_id)
