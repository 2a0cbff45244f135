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
    Gap,
    GapReason,
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
    """The store of sessions: the journal, or memory if the journal is off. Both behave the same while the process runs; where
    they differ, the method's description names the difference. A method of the journal raises JournalUnavailable if the database fails.

    A transaction is either the *group*, which `begin` or the first `append` opens and `commit` ends, or an `exclusive` block.
    """

    @property
    def durable(self) -> bool:
        """Whether what was committed survives the process: True for the journal, False for memory."""
        ...

    #: Called before a large row is read, with the bytes of memory that it takes; raises a KatoError if there is no room.
    make_room: Callable[[int], object]

    # --- Transactions -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Opens the group, unless a transaction is open: what is read from now on holds until the commit."""
        ...

    def commit(self) -> None:
        """Commits the group: its appends may be acknowledged."""
        ...

    def rollback(self) -> None:
        """Undoes the group as a whole."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """A transaction that keeps other processes from writing. Commits the open group first; an exception undoes the block."""
        ...

    # --- Events and sessions ----------------------------------------------------------------------------

    def append(self, key: SessionKey, ids: Sequence[str], lines: Lines, meta: SessionMeta) -> AppendReceipt:
        """Adds events to the group. An id that the session has is a duplicate; the first event with an id counts."""
        ...

    def session(self, key: SessionKey) -> SessionRecord | None:
        """The session's record."""
        ...

    def is_session_folder(self, folder: str) -> bool:
        """Whether a session was held in exactly this folder."""
        ...

    def children(self, key: SessionKey) -> list[SessionRecord]:
        """The sessions of the sub-agents that this session started, the oldest first."""
        ...

    def read(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Number and line of each event from number `after` to before `until`."""
        ...

    def read_pieces(
        self, key: SessionKey, *, after: int = 0, until: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The same events in pieces of whole lines, each with the number of its first event."""
        ...

    def read_newest(
        self, key: SessionKey, *, max_events: int, max_bytes: int
    ) -> tuple[int, Sequence[tuple[bytes, int]]] | None:
        """The number of the first of the newest events, and chunks of lines with their counts; None if only the snapshot store
        has events.
        """
        ...

    def seq_of(self, key: SessionKey, event_id: str) -> int | None:
        """The number of an event in its session."""
        ...

    def is_elsewhere(self, key: SessionKey, event_id: str) -> bool:
        """Whether another session of the same provider has an event with this id."""
        ...

    def extra_bytes(self, key: SessionKey) -> int:
        """Bytes of memory that the ledger needs for a session in the store."""
        ...

    def evicted(self, keys: Sequence[SessionKey]) -> None:
        """Called after the store evicted these sessions."""
        ...

    def newly_removed(self) -> Sequence[SessionKey]:
        """The sessions that `kato clean` removed since the last call."""
        ...

    def removed_until(self, key: SessionKey) -> int | None:
        """The last update (ms) of the session when it was last removed; None if it never was."""
        ...

    # --- Status -----------------------------------------------------------------------------------------

    def status_sessions(
        self, *, since_ms: int | None, limit: int
    ) -> Iterator[tuple[SessionRecord, Recording | None]]:
        """At most `limit` sessions with their newest recording: first those with an active recording, then the newest."""
        ...

    def summary(self, *, since_ms: int | None, fresh_ms: int) -> Summary:
        """Totals per provider and of recordings."""
        ...

    def stats(self) -> JournalStats | None:
        """Size and totals of the journal; None for memory."""
        ...

    # --- What is not kept ---------------------------------------------------------------------------------

    def has_gaps(self) -> bool:
        """Whether any session has a gap."""
        ...

    def gaps(self, key: SessionKey) -> list[Gap]:
        """The gaps of a session, the oldest first."""
        ...

    def put_gap(self, key: SessionKey, gap: Gap) -> None:
        """Stores a gap of a session."""
        ...

    def end_gap(self, key: SessionKey, reason: GapReason, until_ms: int) -> bool:
        """Ends the session's gap of this reason; False if there was none."""
        ...

    def withhold(self, key: SessionKey, ids: Sequence[str], *, everywhere: bool = False) -> list[int]:
        """Remembers that events with these ids are not kept, unless the session has them already. Returns the indices of those
        that are new. `everywhere`: an event has the same id in each session in which it occurs.
        """
        ...

    def knows(self, key: SessionKey, event_id: str) -> bool:
        """Whether an event with this id came before: it is kept, was removed, or was not to be kept."""
        ...

    # --- Commands ---------------------------------------------------------------------------------------

    def claim(self, key: SessionKey, event_id: str, line: int, owner: str, seq: int) -> bool:
        """Claims the command in line `line` of event number `seq`. True for exactly one process, ever."""
        ...

    def unfinished_claims(self, key: SessionKey | None = None) -> Sequence[Claim]:
        """The claims of one session, or of all, whose command has not run, in the order of their lines."""
        ...

    def take_over_claim(self, claim: Claim, owner: str) -> bool:
        """Gives an unfinished claim to a new owner; False if it is finished or has another owner than `claim` says."""
        ...

    def finish_claim(self, key: SessionKey, event_id: str, line: int) -> None:
        """Marks a command as run, whatever its outcome."""
        ...

    # --- Recordings -------------------------------------------------------------------------------------

    def set_destination(self, key: SessionKey, path: str | None) -> None:
        """Sets the note to which the session's commands write unless they name a path. Raises UnknownSession."""
        ...

    def recording(self, key: SessionKey) -> Recording | None:
        """The session's newest recording."""
        ...

    def recording_by_id(self, recording_id: str) -> Recording | None:
        """The recording with this id, open or not."""
        ...

    def active_recordings(self) -> list[Recording]:
        """The active recordings of all sessions."""
        ...

    def open_recordings(self, key: SessionKey) -> list[Recording]:
        """The session's recordings whose note Kato may still write to, the oldest first."""
        ...

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to this note, the oldest first."""
        ...

    def sessions_behind(self) -> list[SessionKey]:
        """The sessions with an open recording whose note lacks events."""
        ...

    def put_recording(self, recording: Recording) -> None:
        """Stores a recording under its id. An active one ends the session's other active recording. Raises UnknownSession."""
        ...

    def holds(self, path: str | None = None) -> list[Hold]:
        """All holds, or those of one note."""
        ...

    def put_hold(self, hold: Hold) -> None:
        """Stores the hold of a recording, instead of an earlier one."""
        ...

    def remove_hold(self, recording_id: str) -> None:
        """Removes the hold of a recording, if there is one."""
        ...

    # --- Notes and session logs -------------------------------------------------------------------------

    def note(self, path: str) -> NoteRecord | None:
        """What Kato last wrote to this note."""
        ...

    def note_paths(self) -> list[str]:
        """The paths of all notes that Kato wrote."""
        ...

    def put_note(self, note: NoteRecord) -> None:
        """Stores what Kato last wrote to a note."""
        ...

    def move_notes(self, old: str, new: str) -> int:
        """Replaces the path of a renamed note, or of a renamed folder with notes in it. Returns how many entries changed."""
        ...

    def log(self, path: str) -> LogRecord | None:
        """How far Kato read this session log."""
        ...

    def variants(self, key: SessionKey) -> list[str]:
        """The assistant's stores from which Kato read this session."""
        ...

    def put_log(self, log: LogRecord) -> None:
        """Stores how far Kato read a session log. Commits the open group first."""
        ...

    # --- Upkeep -----------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Makes all commits so far survive a power loss. Raises JournalLost."""
        ...

    def close(self) -> None:
        """Rolls the open group back and closes the ledger."""
        ...


class NoteLedger(Protocol):
    """What the notes ask of the ledger: what was last written to a file, sessions and recordings."""

    def note(self, path: str) -> NoteRecord | None:
        """None for a file that Kato never wrote."""
        ...

    def session(self, key: SessionKey) -> SessionRecord | None:
        """A session's record; None for one that was never stored."""
        ...

    def put_note(self, note: NoteRecord) -> None:
        """Stores what was written to a file, in the place of an earlier record."""
        ...

    def open_recordings_at(self, path: str) -> list[Recording]:
        """The recordings of all sessions that may still write to a file."""
        ...

    def put_recording(self, recording: Recording) -> None:
        """Stores a recording, in the place of an earlier state."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """A block in which no other process commits. Changes made in it are committed at its end, or undone if it raises."""
        ...


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

    def gaps(self, key: SessionKey) -> list[Gap]:
        """When nothing of the session was kept, the oldest first."""
        ...


class Listener(Protocol):
    """Receives what happens in the engine."""

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
