"""Hands the events of a log to the engine.

Rule: the engine alone commits. How far a log was read goes to it together with the last events that were read from there, so
that both are stored in one transaction: after a crash, a log counts as read only if its events are stored.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from kato.assistants.values import remember
from kato.core import limits
from kato.core.events import ConversationEvent, SessionKey, encode_line
from kato.core.lines import Lines
from kato.core.ports import LogLedger
from kato.core.records import LogRecord
from kato.engine import AppendRequest, Engine
from kato.logs.followed import OpenLog
from kato.logs.history import History, Run, runs
from kato.logs.livetimes import LiveTimes
from kato.logs.scope import Scope
from kato.logs.state import LogSignal, LogState, allows
from kato.logs.typed import TypedPrompts


class StoreEvents(Protocol):
    """Stores events durably, and how far their log was read, in one transaction. Raises KatoError."""

    def __call__(self, requests: Sequence[AppendRequest], read_to: LogRecord | None = None) -> None:
        """See the class."""
        ...


def storing(engine: Engine, commit: Callable[[], object]) -> StoreEvents:
    """Stores events through an engine. `commit` lets the engine commit what was appended; a server also answers its clients'
    appends then.
    """

    def store(requests: Sequence[AppendRequest], read_to: LogRecord | None = None) -> None:
        tickets = [engine.append(request) for request in requests]
        noted = None if read_to is None else engine.note_log(read_to)
        commit()
        for error in [*(ticket.error for ticket in tickets), None if noted is None else noted.error]:
            if error is not None:
                raise error

    return store


class Handover:
    """See the module."""

    def __init__(
        self,
        ledger: LogLedger,
        store: StoreEvents,
        scope: Scope,
        history: History,
        times: LiveTimes,
        typed: TypedPrompts,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._scope = scope
        self._history = history
        self._times = times
        self._typed = typed

    def hand_over(self, log: OpenLog, read_to: LogRecord | None = None) -> None:
        """Stores what is pending, with the titles, folders and parents of its sessions. Raises KatoError."""
        events = [
            self._typed.confirmed(log.key_of(event.session_id), event) for event in self._history.pending(log)
        ]
        log.pending = []
        old_ids, log.old_ids = log.old_ids, set()
        self._times.look()
        found = runs(events, lambda one: self._is_live(log, one, was_there=one.event_id in old_ids))
        described = dict(log.described)
        requests = []
        for run in [*self._started(log), *(found or self._own(log))]:
            request = self._request(log, run, described)
            if request is not None:
                requests.append(request)
        if requests or read_to is not None:
            self._store(requests, read_to)
        log.described = described

    def _is_live(self, log: OpenLog, event: ConversationEvent, *, was_there: bool) -> bool:
        is_live = self._history.is_live(log, event, was_there=was_there)
        return is_live and not self._typed.is_handled(log.key_of(event.session_id), event)

    def _started(self, log: OpenLog) -> list[Run]:
        """Empty runs of sub-agents' sessions that the journal has: so the call that started one is known before its result
        is shown.
        """
        return [
            Run(child, False, [])
            for child in log.tail.reader.started
            if child not in log.described and self._ledger.session(log.key_of(child)) is not None
        ]

    def _own(self, log: OpenLog) -> list[Run]:
        """An empty run of the log's own session, if the engine knows it: its title may have changed."""
        session_id = log.tail.reader.info.session_id
        return [Run(session_id, False, [])] if session_id in log.described else []

    def _request(
        self, log: OpenLog, run: Run, described: dict[str, tuple[object, ...]]
    ) -> AppendRequest | None:
        """The append of a run; None if it holds nothing that the engine does not know."""
        info = log.tail.reader.about(run.session_id)
        cwd = self._scope.cwd(log, info)
        about = (info.title, cwd, info.parent_id, info.parent_tool_call_id, info.branch)
        if not run.events and described.get(run.session_id) == about:
            return None
        remember(described, run.session_id, about, limits.LOG_SESSIONS_MAX)
        return AppendRequest(
            key=log.key_of(run.session_id),
            events=run.events,
            lines=Lines.of([encode_line(event) for event in run.events]),
            title=info.title,
            cwd=cwd,
            replay=not run.is_live,
            parent_id=info.parent_id or None,
            parent_call_id=info.parent_tool_call_id,
            branch=info.branch,
            make_resident=run.is_live,
            has_global_ids=log.found.assistant.has_global_ids,
        )

    def follow_conversation(self, log: OpenLog) -> None:
        """Moves a recording along when the assistant continues the conversation in another session. Raises KatoError."""
        target = log.tail.reader.continued_in
        if target is None:
            log.moved_to = None
            if allows(log.state, LogSignal.RETURNED):
                log.known.take(LogSignal.RETURNED)
            return
        if allows(log.state, LogSignal.MOVED_ON):
            log.known.take(LogSignal.MOVED_ON)
        if log.state is LogState.MOVED and target != log.moved_to:
            log.moved_to = target
            self._move_recording(log.key, target)

    def _move_recording(self, key: SessionKey, target: str) -> None:
        recording, session = self._ledger.recording(key), self._ledger.session(key)
        if session is None or recording is None or not recording.active:
            return
        self._store(
            [
                AppendRequest(
                    key=SessionKey(key.provider, target),
                    events=[],
                    lines=Lines.of([]),
                    cwd=session.cwd,
                    make_resident=False,
                    continues=key,
                )
            ]
        )
