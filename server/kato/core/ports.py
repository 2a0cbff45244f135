"""Ports: the interfaces through which the engine reaches storage, the process and its listener."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.core.records import (
    AppendReceipt,
    Claim,
    Hold,
    LogRecord,
    NoteRecord,
    Recording,
    SessionMeta,
    SessionRecord,
    Summary,
)
from kato.core.views import JournalStats, ProcessMemory


class Ledger(Protocol):
    """What is kept about sessions: the journal, or memory when there is none."""

    @property
    def durable(self) -> bool: ...  # noqa: D102 - the journal is, memory is not

    #: Asked before a large row is read, with what that takes; raises a KatoError where there is no room.
    make_room: Callable[[int], object]

    def append(  # noqa: D102
        self, key: SessionKey, ids: Sequence[str], lines: Lines, meta: SessionMeta
    ) -> AppendReceipt: ...
    def commit(self) -> None: ...  # noqa: D102
    def rollback(self) -> None: ...  # noqa: D102
    def session(self, key: SessionKey) -> SessionRecord | None: ...  # noqa: D102
    def status_sessions(  # noqa: D102 - those that record, then the newest
        self, *, since_ms: int | None, limit: int
    ) -> Iterator[tuple[SessionRecord, Recording | None]]: ...
    def summary(self, *, since_ms: int | None, fresh_ms: int) -> Summary: ...  # noqa: D102
    def read(  # noqa: D102
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]: ...
    def read_pieces(  # noqa: D102 - whole lines, with the number of the first
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]: ...
    def read_newest(  # noqa: D102 - None where nothing but the store holds events
        self, key: SessionKey, *, max_events: int, max_bytes: int
    ) -> tuple[int, Sequence[tuple[bytes, int]]] | None: ...
    def seq_of(self, key: SessionKey, event_id: str) -> int | None: ...  # noqa: D102
    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool: ...  # noqa: D102
    def extra_bytes(self, key: SessionKey) -> int: ...  # noqa: D102 - memory kept here for a resident session
    def evicted(self, keys: Sequence[SessionKey]) -> None: ...  # noqa: D102 - the store let go of these
    def claim(self, key: SessionKey, event_id: str, line: int, owner: str, seq: int) -> bool: ...  # noqa: D102
    def unfinished_claims(self, key: SessionKey | None = None) -> Sequence[Claim]: ...  # noqa: D102
    def take_over_claim(self, claim: Claim, owner: str) -> bool: ...  # noqa: D102
    def finish_claim(self, key: SessionKey, event_id: str, line: int) -> None: ...  # noqa: D102
    def newly_removed(self) -> Sequence[SessionKey]: ...  # noqa: D102 - since this was last asked for
    def removed_until(self, key: SessionKey) -> int | None: ...  # noqa: D102
    def set_destination(self, key: SessionKey, path: str | None) -> None: ...  # noqa: D102
    def recording(self, key: SessionKey) -> Recording | None: ...  # noqa: D102
    def active_recordings(self) -> list[Recording]: ...  # noqa: D102
    def open_recordings(self, key: SessionKey) -> list[Recording]: ...  # noqa: D102
    def recordings_to(self, path: str) -> list[Recording]: ...  # noqa: D102
    def sessions_behind(self) -> list[SessionKey]: ...  # noqa: D102
    def put_recording(self, recording: Recording) -> None: ...  # noqa: D102
    def recording_by_id(self, recording_id: str) -> Recording | None: ...  # noqa: D102
    def open_recordings_at(self, path: str) -> list[Recording]: ...  # noqa: D102
    def holds(self, path: str | None = None) -> list[Hold]: ...  # noqa: D102
    def put_hold(self, hold: Hold) -> None: ...  # noqa: D102
    def remove_hold(self, recording_id: str) -> None: ...  # noqa: D102
    def move_notes(self, old: str, new: str) -> int: ...  # noqa: D102
    def children(self, key: SessionKey) -> list[SessionRecord]: ...  # noqa: D102
    def log(self, path: str) -> LogRecord | None: ...  # noqa: D102
    def variants(self, key: SessionKey) -> list[str]: ...  # noqa: D102
    def put_log(self, log: LogRecord) -> None: ...  # noqa: D102 - joins the open group
    def note(self, path: str) -> NoteRecord | None: ...  # noqa: D102
    def note_paths(self) -> list[str]: ...  # noqa: D102
    def put_note(self, note: NoteRecord) -> None: ...  # noqa: D102
    def exclusive(self) -> AbstractContextManager[None]: ...  # noqa: D102
    def stats(self) -> JournalStats | None: ...  # noqa: D102
    def sync(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class LogLedger(Protocol):
    """What the log follower asks the ledger. It changes nothing: the engine stores events and how far a log was read, in one
    transaction.
    """

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record."""
        ...

    def log(self, path: str) -> LogRecord | None:
        """How far a session log was read, by this process or an earlier one."""
        ...

    def variants(self, key: SessionKey) -> Sequence[str]:
        """Which of an assistant's stores a session was read from."""
        ...

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The session's events in pieces of whole lines, each with the number of its first event."""
        ...

    def seq_of(self, key: SessionKey, event_id: str) -> int | None:
        """The number of an event in its session."""
        ...

    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool:
        """Whether another session of the provider has an event of this id."""
        ...

    def removed_until(self, key: SessionKey) -> int | None:
        """The moment up to which the session was removed, in milliseconds; None if it never was."""
        ...

    def recording(self, key: SessionKey) -> Recording | None:
        """The session's newest recording."""
        ...


class Listener(Protocol):
    """Who is told what happens."""

    def changed(self) -> None:
        """A count, a session or a recording changed."""
        ...

    def executed(self, outcome: CommandOutcome) -> None:
        """A command ran, was refused or failed."""
        ...

    def notify(self, notice: Notice) -> None:
        """Something the user must know."""
        ...


class Memory(Protocol):
    """The process' memory, read and given back."""

    def sample(self) -> ProcessMemory: ...  # noqa: D102
    def rss_bytes(self) -> int: ...  # noqa: D102
    def trim(self) -> None: ...  # noqa: D102
