"""The engine: owns all state and keeps the one order.

    append ──► ledger (open group) ──► … more appends … ──► settle:  commit ─► store ─► commands ─► recordings

Rules:

- Durable before visible: nothing enters the store, runs a command or is answered before the ledger has committed it.
- Live events and replayed ones take this same path; a replayed one runs no command.
- The commands of a message are claimed in the transaction that stores it. A claim is finished in the transaction that
  stores what the command did; until then the command runs again, at the heartbeat or in the next process.
- The commands of a session run in the order of their lines, over all processes; no recording writes beyond the first line
  whose command has not run.
- A command sees the conversation as it stood at its line. Its failure changes no state and is always reported.
- A command in a message that is not proven to be typed is not run. It is claimed like any other, so that it is reported
  once, over all processes.
- The engine knows no LSP and no JSON of the wire; the server, the command line and the demo drive it directly.
- After the commit, a failure of one session (a note that cannot be written, a full disk) stops no other session.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import PurePath
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from kato.core import commands, limits, paths, status
from kato.core.errors import (
    BudgetExceeded,
    CommandRefused,
    JournalLost,
    JournalUnavailable,
    KatoError,
    NoteUnsaved,
    UnknownSession,
    WriteFailed,
)
from kato.core.events import (
    MESSAGE_TYPES,
    ConversationEvent,
    ProviderInfo,
    SessionKey,
    UserMessage,
    decode_line,
)
from kato.core.lenient_json import rendered_bytes
from kato.core.lines import Lines, first_lines
from kato.core.moments import epoch_ms
from kato.core.notices import Notice
from kato.core.outcomes import Command, CommandOutcome, CommandProblem, ExportFormat, OutcomeError
from kato.core.ports import Ledger, Listener, Memory
from kato.core.records import (
    AppendReceipt,
    Claim,
    Recording,
    SessionMeta,
    SessionRecord,
)
from kato.core.snapshots import Eviction, SnapshotStore
from kato.core.status import Seen
from kato.core.text import line_part, one_line, printable, with_newlines
from kato.core.views import MemoryStatus, StatusSnapshot, WatchingStatus
from kato.notes.files import NoteMissing
from kato.notes.held import HeldNotes, at_end
from kato.notes.notebook import NoteBook, Replaced, Whole
from kato.notes.policy import RootUnavailable
from kato.notes.rendering import BEGINNING, Events, Position, SubAgent, render
from kato.notes.transcript import Transcript

log = logging.getLogger("kato.engine")


class DoubtfulCommand(Struct, frozen=True):
    """A command in a message that is not proven to be typed: the line is reported and not run. `rest` counts the commands
    of the message that are reported with it.
    """

    name: str
    line: int
    text: str
    reason: str
    rest: int = 0


#: A line of a message that is a command, or was meant as one.
Step = Command | CommandProblem | DoubtfulCommand


class AppendRequest(Struct, frozen=True):
    """Validated events of one session with their lines (same order, same length). With `hold` off, a session that is not
    in memory stays out of it, if the journal has it: nobody looks at it now. `continues` is the session whose conversation
    the assistant moved to this one: its recording moves along.
    """

    key: SessionKey
    events: Sequence[ConversationEvent]
    lines: Lines
    title: str | None = None
    cwd: str | None = None
    replay: bool = False
    parent_id: str | None = None
    parent_call_id: str | None = None
    hold: bool = True
    continues: SessionKey | None = None


class AppendAnswer(Struct, frozen=True, rename="camel"):
    """The answer to an append."""

    accepted: int
    duplicates: int
    event_count: int
    truncated_events: int
    commands: list[CommandOutcome]


class _Group:
    """What was appended to one session since the last settle: to the ledger and the store it is one append. The last word
    about the session counts, but for the snippet.
    """

    __slots__ = (
        "about",
        "continues",
        "error",
        "held_events",
        "hold",
        "ids",
        "key",
        "last",
        "lines",
        "receipt",
        "snippet",
    )

    def __init__(self, key: SessionKey) -> None:
        self.key = key
        self.ids: list[str] = []
        self.lines: list[Lines] = []
        self.hold = False
        self.about: tuple[str | None, str | None, str | None, str | None] = (None, None, None, None)
        self.last: datetime | None = None
        self.snippet: str | None = None
        self.receipt: AppendReceipt | None = None
        self.held_events = 0
        self.error: KatoError | None = None
        self.continues: SessionKey | None = None

    def meta(self, now_ms: int) -> SessionMeta:
        title, cwd, parent_id, parent_call_id = self.about
        return SessionMeta(
            updated_at=now_ms,
            title=title,
            snippet=self.snippet,
            cwd=cwd,
            last_message_at=None if self.last is None else epoch_ms(self.last),
            parent_id=parent_id,
            parent_call_id=parent_call_id,
        )


class Ticket:
    """An append under way: the events from `start` to before `end` of a session's group. After `settle` it holds the
    answer or the error. `candidates` are the user's messages that may hold commands, by their place in the group.
    """

    __slots__ = ("_end", "_group", "_start", "candidates", "outcomes")

    def __init__(
        self, group: _Group, start: int, end: int, candidates: Sequence[tuple[int, UserMessage]]
    ) -> None:
        self._group = group
        self._start = start
        self._end = end
        self.candidates = candidates
        self.outcomes: list[CommandOutcome] = []

    @property
    def key(self) -> SessionKey:
        """The session."""
        return self._group.key

    @property
    def error(self) -> KatoError | None:
        """Why nothing of it was kept, or why the process has to end."""
        return self._group.error

    @property
    def answer(self) -> AppendAnswer | None:
        """What became of it; None before it is settled, and if it failed."""
        receipt = self._group.receipt
        if receipt is None or self.error is not None:
            return None
        before = bisect_left(receipt.accepted, self._start)
        through = bisect_left(receipt.accepted, self._end)
        total = receipt.first_seq + through
        kept = min(total, self._group.held_events)
        return AppendAnswer(
            accepted=through - before,
            duplicates=self._end - self._start - (through - before),
            event_count=kept,
            truncated_events=total - kept,
            commands=self.outcomes,
        )

    def seq_of(self, place: int) -> int | None:
        """The number that the event at this place of the group got; None for a duplicate."""
        receipt = self._group.receipt
        assert receipt is not None
        index = bisect_left(receipt.accepted, place)
        if index == len(receipt.accepted) or receipt.accepted[index] != place:
            return None
        return receipt.first_seq + index


class Place(Struct, frozen=True):
    """Where relative paths and generated names lie: the workspace's folders, the user's home, the state folder's
    recordings, and `notes.directory` as it was set.
    """

    workspace_folders: tuple[str, ...]
    home: str
    recordings_dir: str
    notes_directory: str
    windows: bool = False


class Bounds(Struct, frozen=True):
    """What the process and the store may take. `footprint_bytes` is what the process needs without any snapshot."""

    daemon_max_bytes: int
    footprint_bytes: int
    snapshot_bytes: int
    #: False when so little is left beside the footprint that the figure bounds the snapshots alone.
    whole_process: bool

    @property
    def reserve_bytes(self) -> int:
        """What requests in flight may take beside the snapshots."""
        return self.daemon_max_bytes - self.footprint_bytes - self.snapshot_bytes


def bounds(daemon_max_bytes: int, footprint_bytes: int) -> Bounds:
    """Divides `daemonMaxMemoryMb`: the footprint, a reserve for requests in flight, the rest for snapshots."""
    rest = daemon_max_bytes - footprint_bytes
    snapshots = int(rest * (1 - limits.WORKING_RESERVE_SHARE))
    if snapshots < limits.SNAPSHOT_BUDGET_BYTES_MIN:
        return Bounds(daemon_max_bytes, footprint_bytes, daemon_max_bytes, whole_process=False)
    return Bounds(daemon_max_bytes, footprint_bytes, snapshots, whole_process=True)


#: What room is asked for, in errors.
_MESSAGE: Final = "the message"
_EVENT: Final = "an event of this session"


class Page(NamedTuple):
    """Events of a session: pieces of whole lines, what to ask with next (None at the end), and how many there are."""

    pieces: list[bytes]
    next_after: int | None
    total: int


class Engine:
    """See the module. `owner` names this process in claims, `is_alive` says whether the process of an owner still runs;
    `now_ms` is the only clock.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: SnapshotStore,
        notebook: NoteBook,
        memory: Memory,
        listener: Listener,
        limits_in_force: Bounds,
        max_events_per_session: int,
        place: Place,
        process: status.Process,
        owner: str,
        is_alive: Callable[[str], bool],
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.notebook = notebook
        self.bounds = limits_in_force
        self.place = place
        self._memory = memory
        self._listener = listener
        self._max_events = max_events_per_session
        self._process = process
        self._owner = owner
        self._is_alive = is_alive
        self._now_ms = now_ms
        self._new_id = new_id
        self._open: dict[SessionKey, _Group] = {}
        self._with_candidates: list[Ticket] = []
        self._heartbeat_at = process.started_at
        self._watching: WatchingStatus | UnsetType = UNSET
        self._reported_watching = False
        self._has_freed = False
        self._ingested = 0
        self._steps: dict[tuple[SessionKey, str, int], Step] = {}  # claimed by this process, not finished
        self._delayed: set[SessionKey] = (
            set()
        )  # sessions with commands that another process has to finish first
        self._reported: set[tuple[SessionKey, str, int]] = set()  # delayed commands that the user knows of
        self._troubled: set[str] = set()  # recordings whose last write failed, and were reported
        self._is_loss_known = False
        #: Recordings whose note is gone: since when, None once the user was asked.
        self._missing: dict[str, int | None] = {}
        self.held = HeldNotes(
            ledger,
            notebook,
            owner=lambda: self._owner,
            is_alive=lambda owner: self._is_alive(owner),  # noqa: PLW0108 - as it is then
            events=self._events,
            flush=self.flush,
            repaired=self._repaired,
            now_ms=now_ms,
        )
        notebook.sub_agents = self._sub_agents
        ledger.make_room = partial(self.make_room, what=_EVENT)
        notebook.repaired = self._report_repair

    # --- Events -----------------------------------------------------------------------------------------

    def append(self, request: AppendRequest) -> Ticket:
        """Takes events in. Nothing is done with them, and nothing may be answered, before `settle`."""
        group = self._open.get(request.key)
        if group is None:
            group = self._open[request.key] = _Group(request.key)
        start = len(group.ids)
        candidates = []
        for place, event in enumerate(request.events, start):
            group.ids.append(event.event_id)
            if type(event) in MESSAGE_TYPES:
                if group.last is None or event.timestamp > group.last:
                    group.last = event.timestamp
                if type(event) is UserMessage:
                    if group.snippet is None:
                        group.snippet = paths.title_from_text(event.content, commands.is_command_line)
                    if "::" in event.content and not request.replay:
                        candidates.append((place, event))
        group.lines.append(request.lines)
        group.hold = group.hold or request.hold
        group.continues = group.continues or request.continues
        if request.title or request.cwd or request.parent_id or request.parent_call_id:
            title, cwd, parent_id, call_id = group.about
            group.about = (
                request.title or title,
                request.cwd or cwd,
                request.parent_id or parent_id,
                request.parent_call_id or call_id,
            )
        ticket = Ticket(group, start, len(group.ids), candidates)
        if candidates:
            self._with_candidates.append(ticket)
        return ticket

    def settle(self) -> None:
        """Commits what was appended and does what follows from it. Every ticket has its answer or error after."""
        if not self._open:
            return
        groups, self._open = list(self._open.values()), {}
        with_candidates, self._with_candidates = self._with_candidates, []
        now = self._now_ms()
        try:
            for group in groups:
                lines = Lines.joined(group.lines)
                group.receipt = self.ledger.append(group.key, group.ids, lines, group.meta(now))
                self._ingested += lines.size
            for ticket in with_candidates:
                self._claim_commands(ticket)
            self._forget_removed()
            self.ledger.commit()
        except JournalUnavailable as error:
            self._undo(groups, error)
            self._note_loss(error)
            return
        except Exception as error:  # noqa: BLE001 - a defect refuses these events, it must not end the process
            log_failure("an append", error)
            self._undo(groups, KatoError(f"an internal error ({type(error).__name__}); see Kato's log"))
            return
        # The events are kept: from here on nothing may refuse them, and one session's failure is its own.
        for group in groups:
            self._hold(group)
        over = self._over_budget_error()
        for group in groups:
            if group.key in self.store:
                group.error = over
        asked: dict[tuple[SessionKey, str], Ticket] = {}
        for ticket in with_candidates:
            asked |= {(ticket.key, event.event_id): ticket for _, event in ticket.candidates}
        for key in {ticket.key: None for ticket in with_candidates if ticket.error is None}:
            self._run_due(key, asked)
        for group in groups:
            if group.error is None:
                self._follow(group)
                # Also where nothing was new: a process that was faster may not write where this one may.
                self.flush(group.key)
        if self._ingested >= limits.RSS_CHECK_INTERVAL_BYTES:
            self._ingested = 0
            self.guard_memory()
        self._listener.changed()

    def _forget_removed(self) -> None:
        """Drops what is in memory of sessions that another process removed (`kato clean`). Called before anything is served
        from memory, and, as nothing can be removed then, in the transaction that adds events.
        """
        removed = set(self.ledger.newly_removed())
        if not removed:
            return
        for key in removed:
            self.store.forget(key)
        self._has_freed = True
        self._delayed -= removed
        self._steps = {mark: step for mark, step in self._steps.items() if mark[0] not in removed}
        self._reported = {mark for mark in self._reported if mark[0] not in removed}
        self._troubled &= {recording.recording_id for recording in self.ledger.active_recordings()}
        log.info("%d sessions were removed by another process", len(removed))
        self._listener.changed()

    def _undo(self, groups: Sequence[_Group], error: KatoError) -> None:
        """All groups are undone together: none of it was acknowledged."""
        self.ledger.rollback()
        for group in groups:
            group.error = error
            self._steps = {mark: step for mark, step in self._steps.items() if mark[0] != group.key}

    def _note_loss(self, error: JournalUnavailable) -> None:
        """Notifies the user, once, that the journal's file is gone: nothing is stored until the process is restarted."""
        if isinstance(error, JournalLost) and not self._is_loss_known:
            self._is_loss_known = True
            log.error("%s", error.message)
            self._listener.notify(Notice("journal_lost", "error", f"Kato: {error.message}.", error.data))

    def _hold(self, group: _Group) -> None:
        """Puts a session's new events into the store; one that is not there as a whole comes back first. A session that
        cannot be read now is not resident: it comes back with its next events.
        """
        assert group.receipt is not None
        try:
            self._hold_new(group, group.receipt)
        except Exception as error:  # noqa: BLE001 - the events are kept: this must not refuse them
            log_failure(f"bringing {group.key.session_id} into memory", error)
            self.store.forget(group.key)
            self._has_freed = True
        held = self.store.held(group.key)
        group.held_events = self._max_events if held is None else held.event_count

    def _hold_new(self, group: _Group, receipt: AppendReceipt) -> None:
        key, next_seq = group.key, self.store.next_seq(group.key)
        if next_seq is None and not (receipt.accepted and (group.hold or not self.ledger.durable)):
            return
        if next_seq is not None and next_seq >= receipt.event_count:
            return  # nothing is new
        if next_seq is not None and 0 < receipt.first_seq - next_seq <= limits.CATCH_UP_EVENTS_MAX:
            # Another process was faster with these.
            missed = [line for _, line in self.ledger.read(key, after=next_seq, until=receipt.first_seq)]
            self._evicted(self.store.append(key, Lines.of(missed), first_seq=next_seq))
            next_seq = self.store.next_seq(key)
            if not receipt.accepted:
                return
        newest = None
        if next_seq != receipt.first_seq and receipt.first_seq > 0:
            # Half the budget at most: a session that outgrew the budget once must not end every process after.
            newest = self.ledger.read_newest(
                key, max_events=self._max_events, max_bytes=self.store.budget_bytes // 2
            )
        if newest is not None:
            first_seq, chunks = newest
            evicted = self.store.load(key, chunks, first_seq=first_seq)
        else:
            evicted = self.store.append(
                key,
                Lines.joined(group.lines).chosen(receipt.accepted),
                first_seq=receipt.first_seq,
                extra_bytes=self.ledger.extra_bytes(key),
            )
        self._evicted(evicted)

    # --- Memory -----------------------------------------------------------------------------------------

    def make_room(self, needed_bytes: int, what: str = _MESSAGE) -> None:
        """Before something large is read: room for it, by giving memory back and evicting if need be.

        Raises BudgetExceeded (not fatal) when even an empty store would not leave enough.
        """
        if not self.bounds.whole_process:
            return
        ceiling = self.bounds.daemon_max_bytes - limits.RSS_GUARD_BYTES
        if self._memory.rss_bytes() + needed_bytes <= ceiling:
            return
        self._memory.trim()
        excess = self._memory.rss_bytes() + needed_bytes - ceiling
        if excess <= 0:
            return
        self._evicted(self.store.shrink(max(0, self.store.estimated_bytes - excess)), trim_now=True)
        if self._memory.rss_bytes() + needed_bytes > ceiling:
            limit = self.bounds.daemon_max_bytes // limits.MIB
            cure = "send smaller batches or raise it" if what == _MESSAGE else "raise it"
            message = f"{what} would take about {needed_bytes // limits.MIB + 1} MB of memory; daemonMaxMemoryMb is {limit}: {cure}"
            raise BudgetExceeded(
                message,
                needed_bytes=needed_bytes,
                budget_bytes=self.bounds.daemon_max_bytes,
                fatal=False,
            )

    def guard_memory(self) -> None:
        """Keeps RSS below the limit: freed memory goes back first, then the oldest sessions."""
        if not self.bounds.whole_process:
            return
        ceiling = self.bounds.daemon_max_bytes - limits.RSS_GUARD_BYTES
        if self._memory.rss_bytes() <= ceiling:
            return
        self._memory.trim()
        excess = self._memory.rss_bytes() - ceiling
        if excess > 0:
            self._evicted(self.store.shrink(max(0, self.store.estimated_bytes - excess)), trim_now=True)

    def resize(self, limits_in_force: Bounds, *, max_sessions: int, max_events_per_session: int) -> None:
        """New bounds, in force at once."""
        self.settle()
        self.bounds = limits_in_force
        self._max_events = max_events_per_session
        evicted = self.store.resize(
            budget_bytes=limits_in_force.snapshot_bytes,
            max_sessions=max_sessions,
            max_events_per_session=max_events_per_session,
        )
        self._evicted(evicted, trim_now=True)
        self._listener.changed()

    @property
    def fatal_error(self) -> BudgetExceeded | None:
        """Set once one session alone needs more than the budget: the process has to end."""
        return self._over_budget_error()

    def _over_budget_error(self) -> BudgetExceeded | None:
        if not self.store.over_budget:
            return None
        needed, budget = self.store.estimated_bytes, self.store.budget_bytes
        mb = limits.MIB
        message = (
            f"one session alone needs {needed / mb:.1f} MB, its snapshot may take {budget / mb:.1f} MB of "
            f"daemonMaxMemoryMb ({self.bounds.daemon_max_bytes // mb}): raise daemonMaxMemoryMb or lower maxEventsPerSession"
        )
        return BudgetExceeded(message, needed_bytes=needed, budget_bytes=budget, fatal=True)

    def _evicted(self, evictions: Sequence[Eviction], *, trim_now: bool = False) -> None:
        if evictions:
            log.info("evicted %d sessions, the last by %s", len(evictions), evictions[-1].reason)
            self.ledger.evicted([eviction.key for eviction in evictions])
            self._has_freed = True
        if trim_now:
            self._give_back()

    def _give_back(self) -> None:
        """What evictions freed goes back to the system. While events pour in, they take its place at once: then it waits
        for the heartbeat, or until the process comes near its limit (giving back 8 MiB took 3 ms, thirty times a second).
        """
        if self._has_freed:
            self._has_freed = False
            self._memory.trim()

    # --- Commands ---------------------------------------------------------------------------------------

    def run_editor_command(self, key: SessionKey, command: Command) -> CommandOutcome:
        """A command of the editor, on the conversation as it stands now."""
        self.settle()
        self._run_due(key)
        record = self.ledger.session(key)
        at = Position(0 if record is None else record.event_count)
        outcome = self._execute(key, command, at, "editor", None, _Finish(lambda: None))
        self._listener.changed()
        return outcome

    def resume(self) -> None:
        """Goes on where this process, or one that is gone, had to stop: commands first, then recordings."""
        with _guarded("unfinished commands"):
            for key in {claim.key: None for claim in self.ledger.unfinished_claims()} | dict.fromkeys(
                self._delayed
            ):
                self._run_due(key)
        with _guarded("recordings"):
            for key in self.ledger.sessions_behind():
                self.flush(key)
        self._look_after_notes()

    def _look_after_notes(self) -> None:
        """Notices what happened to the notes of recordings that have nothing to write now, and removes what killed
        processes left beside them.
        """
        recordings: list[Recording] = []
        with _guarded("recordings"):
            recordings = self.ledger.active_recordings()
            self.notebook.writer.sweep({str(PurePath(one.output_path).parent) for one in recordings})
        for recording in recordings:
            with _guarded(f"recording {recording.recording_id}"):
                try:
                    due = recording.recording_id in self._troubled or self.notebook.has_changed(recording)
                except RootUnavailable as error:
                    self._held_up(recording, error.message)
                else:
                    if due:
                        self.flush(recording.key)

    @property
    def is_waiting(self) -> bool:
        """True while commands of this process wait for another process to finish earlier ones."""
        return bool(self._delayed)

    def run_waiting(self) -> None:
        """Runs the commands whose turn has come."""
        for key in list(self._delayed):
            self._run_due(key)
            self.flush(key)

    def _claim_commands(self, ticket: Ticket) -> None:
        """Claims the commands of a ticket's new messages, in the transaction that stores them. Those beyond a number that no
        user types are not run: each takes memory until it ran, and everything else waits for them.
        """
        count = 0
        for place, event in ticket.candidates:
            seq = ticket.seq_of(place)
            if seq is None:
                continue  # they were claimed when the message first came
            for step in _steps(event):
                count += 1
                if count > limits.COMMANDS_PER_APPEND_MAX:
                    self._report_excess(ticket.key)
                    return
                line = step.line or 0
                if self.ledger.claim(ticket.key, event.event_id, line, self._owner, seq):
                    self._steps[ticket.key, event.event_id, line] = step

    def _report_excess(self, key: SessionKey) -> None:
        count = limits.COMMANDS_PER_APPEND_MAX
        log.warning("commands of %s were left out: more than %d came together", key.session_id, count)
        message = (
            f"More than {count} commands came together; those after the first {count} were not run. To run one, type it "
            "in a message of its own."
        )
        data = {"provider": key.provider, "sessionId": key.session_id}
        self._listener.notify(Notice("command_not_run", "warning", message, data))

    def _run_due(
        self, key: SessionKey, asked: Mapping[tuple[SessionKey, str], Ticket] = MappingProxyType({})
    ) -> None:
        """Runs the session's claimed commands in the order of their lines, until one is another process' to run. Outcomes
        go to the tickets in `asked` too. A command that the journal cannot finish now runs again at the heartbeat.
        """
        self._delayed.discard(key)
        try:
            while claims := self.ledger.unfinished_claims(key):
                for claim in claims:
                    if claim.owner != self._owner:
                        if self._is_alive(claim.owner):
                            self._delayed.add(key)
                            return
                        if not self.ledger.take_over_claim(claim, self._owner):
                            break  # another process was faster: look again
                        log.info(
                            "resuming line %d of %s, claimed by a process that is gone",
                            claim.line,
                            claim.event_id,
                        )
                    outcome = self._run_claim(claim)
                    ticket = asked.get((key, claim.event_id))
                    if ticket is not None and outcome is not None:
                        ticket.outcomes.append(outcome)
        except JournalUnavailable as error:
            self._report_delay(key, error)
        except Exception as error:  # noqa: BLE001 - one session's defect must not stop the others, nor the start
            log_failure(f"running the commands of {key.session_id}", error)

    def _report_delay(self, key: SessionKey, error: JournalUnavailable) -> None:
        """Notifies the user, once, of commands that wait until the journal can be written again."""
        waiting = {
            mark: step
            for mark, step in self._steps.items()
            if mark[0] == key and not isinstance(step, DoubtfulCommand)
        }
        log.warning("%d commands of %s wait: %s", len(waiting), key.session_id, error.message)
        for mark, step in waiting.items():
            if mark not in self._reported:
                self._reported.add(mark)
                message = f"::{step.name} waits, Kato tries it again at each heartbeat: {error.message}"
                data = {"command": step.name, "provider": key.provider, "sessionId": key.session_id}
                self._listener.notify(Notice("command_delayed", "warning", message, data))

    def _run_claim(self, claim: Claim) -> CommandOutcome | None:
        """Runs a claimed command and finishes its claim; None if its message is gone. Raises JournalUnavailable."""
        mark = (claim.key, claim.event_id, claim.line)
        step = self._steps.get(mark) or self._step_of(claim)
        finish = _Finish(lambda: self.ledger.finish_claim(*mark))
        outcome = None
        if isinstance(step, Command):
            at = Position(claim.seq, claim.line)
            outcome = self._execute(claim.key, step, at, "chat", claim.event_id, finish)
        elif isinstance(step, CommandProblem):
            finish()
            outcome = self._refused(claim.key, step, claim.event_id)
        else:
            finish()
            if step is not None:
                self._report_doubt(claim, step)
        self._steps.pop(mark, None)
        self._reported.discard(mark)
        return outcome

    def _step_of(self, claim: Claim) -> Step | None:
        """What stands in the line of a claim that an earlier process made."""
        for _, line in self.ledger.read(claim.key, after=claim.seq, until=claim.seq + 1):
            event = decode_line(line)
            if isinstance(event, UserMessage):
                return next((step for step in _steps(event) if step.line == claim.line), None)
        return None

    def _report_doubt(self, claim: Claim, step: DoubtfulCommand) -> None:
        """Notifies the user of a line that looks like a command and was not run."""
        key = claim.key
        log.info(
            "::%s in line %d of %s was not run: not proven to be typed", step.name, step.line, claim.event_id
        )
        others = f" {step.rest} more commands of the message were not run either." if step.rest else ""
        message = (
            f"“{step.text}” was not run: {step.reason}.{others} To run it, send the line in a message of its own, or use "
            f"the editor's command kato.{step.name}."
        )
        data = {
            "provider": key.provider,
            "sessionId": key.session_id,
            "eventId": claim.event_id,
            "line": step.line,
            "text": step.text,
            "command": step.name,
            "reason": step.reason,
        }
        self._listener.notify(Notice("command_not_run", "warning", message, data))

    def _refused(self, key: SessionKey, problem: CommandProblem, event_id: str) -> CommandOutcome:
        refusal = CommandRefused(problem.message)
        return self._failed(key, problem.name, problem.line, "chat", event_id, refusal)

    def _execute(
        self,
        key: SessionKey,
        command: Command,
        at: Position,
        origin: Literal["chat", "editor"],
        event_id: str | None,
        finish: "_Finish",
    ) -> CommandOutcome:
        """Runs one command; whatever happens becomes an outcome that is reported. `finish` is called in the transaction that
        stores what the command did. A command of the chat raises JournalUnavailable: it runs again later.
        """
        run = {
            "init": self._init,
            "record": self._record,
            "capture": self._capture,
            "export": self._export,
            "stop": self._stop,
        }[command.name]
        result = _Done()
        failure: KatoError | None = None
        try:
            session = self.ledger.session(key)
            if session is None:
                raise UnknownSession(key.provider, key.session_id)
            result = run(session, command, at, finish)
        except JournalUnavailable as error:
            if origin == "chat":
                raise
            failure = error
        except KatoError as error:
            failure = error
        except OSError as error:
            failure = WriteFailed(error.strerror or str(error), str(error.filename or ""))
        except Exception as error:  # noqa: BLE001 - see below
            # One command's defect must end neither the process nor the other commands.
            failure = KatoError(log_failure(f"::{command.name}", error))
        if not finish.done:
            finish()
        if failure is not None:
            return self._failed(key, command.name, command.line, origin, event_id, failure)
        outcome = CommandOutcome(
            command=command.name,
            provider=key.provider,
            session_id=key.session_id,
            origin=origin,
            event_id=UNSET if event_id is None else event_id,
            line=UNSET if command.line is None else command.line,
            status="noop" if result.noop else "ok",
            output_path=UNSET if result.path is None else result.path,
            backup_path=UNSET if result.replaced.backup_path is None else result.replaced.backup_path,
            recording_id=UNSET if result.recording_id is None else result.recording_id,
            events_written=UNSET if result.events is None else result.events,
            redactions=result.redactions or UNSET,
        )
        log.info("%s of %s/%s: %s", command.name, key.provider, key.session_id, outcome.status)
        self._listener.executed(outcome)
        if result.replaced.backup_path is not None:
            self._report_backup(result.path or "", result.replaced)
        for one in result.replaced.stopped:
            self._report_stopped(one, key, result.replaced.backup_path)
        return outcome

    def _report_backup(self, path: str, replaced: Replaced) -> None:
        held = "text that Kato had not written"
        data = {"path": path, "backupPath": replaced.backup_path}
        if replaced.session is not None:
            held = f"another conversation ({self._name_of(replaced.session)})"
            data |= {"provider": replaced.session.provider, "sessionId": replaced.session.session_id}
        message = f"{path} held {held}; Kato copied it to {replaced.backup_path} first."
        self._listener.notify(Notice("text_backed_up", "warning", message, data))

    def _report_stopped(self, stopped: Recording, key: SessionKey, backup_path: str | None) -> None:
        """A note holds one conversation: whoever takes it for another must know that the first goes on unrecorded."""
        by = "it was exported" if stopped.key == key else f"{self._name_of(key)} was written"
        message = (
            f"Recording of {self._name_of(stopped.key)} to {stopped.output_path} stopped, because {by} to the same file. "
            "Use ::record or ::capture with another path to go on."
        )
        data = {
            "recordingId": stopped.recording_id,
            "path": stopped.output_path,
            "provider": stopped.key.provider,
            "sessionId": stopped.key.session_id,
        }
        if backup_path is not None:
            data["backupPath"] = backup_path
        self._listener.notify(Notice("recording_stopped", "warning", message, data))

    def _name_of(self, key: SessionKey) -> str:
        """A session as its user knows it."""
        session = self.ledger.session(key)
        about = None if session is None else session.title or session.snippet
        name = f"{key.provider}/{key.session_id}"
        return name if about is None else f"“{about}”, {name}"

    def _failed(
        self,
        key: SessionKey,
        name: str,
        line: int | None,
        origin: Literal["chat", "editor"],
        event_id: str | None,
        error: KatoError,
    ) -> CommandOutcome:
        message = printable(error.message, chars_max=limits.MESSAGE_CHARS_MAX)
        outcome = CommandOutcome(
            command=name,
            provider=key.provider,
            session_id=key.session_id,
            origin=origin,
            event_id=UNSET if event_id is None else event_id,
            line=UNSET if line is None else line,
            status="error",
            error=OutcomeError(
                error.code, message, error.data.get("path", UNSET), error.data.get("rule", UNSET)
            ),
        )
        log.warning("%s of %s/%s failed: %d", name, key.provider, key.session_id, error.code)
        self._listener.executed(outcome)
        data = {"command": name, "provider": key.provider, "sessionId": key.session_id, "code": error.code}
        data |= {name: error.data[name] for name in ("path", "rule") if name in error.data}
        self._listener.notify(Notice("command_failed", "error", f"::{name} failed: {message}", data))
        return outcome

    def _init(self, session: SessionRecord, command: Command, at: Position, finish: "_Finish") -> "_Done":
        path = self._destination(session, command.argument)
        self._refuse_shared(session.key, path)
        self.notebook.create_if_missing(path, session, None)
        self.flush(session.key, at)
        with self.ledger.exclusive():
            self._end_recordings(session.key, at)
            self.ledger.set_destination(session.key, path)
            finish()
        return _Done(path=path)

    def _record(self, session: SessionRecord, command: Command, at: Position, finish: "_Finish") -> "_Done":
        recording = self.ledger.recording(session.key)
        if recording is not None and recording.active:
            return _Done(path=recording.output_path, recording_id=recording.recording_id, noop=True)
        path = self._destination(session, command.argument)
        # From this line on: the position before it. From the editor, from the next event on.
        start = Position(at.seq, at.line - 1) if at.line else at
        # One that still lacks lines before its end gets them first: what follows is another recording of the same note.
        resumed = recording if recording and recording.output_path == path and not recording.is_open else None
        recording_id = self._new_id() if resumed is None else resumed.recording_id
        self._refuse_shared(session.key, path)
        self.notebook.create_if_missing(path, session, recording_id)
        with self.ledger.exclusive():
            self._refuse_shared(session.key, path)  # another process may have been faster
            reached = start if resumed is None else max(start, Position(resumed.seq, resumed.line))
            self.ledger.set_destination(session.key, path)
            self.ledger.put_recording(
                Recording(
                    recording_id=recording_id,
                    key=session.key,
                    output_path=path,
                    active=True,
                    started_at=self._now_ms(),
                    start_seq=start.seq,
                    start_line=start.line,
                    seq=reached.seq,
                    line=reached.line,
                    transcript_state=b"" if resumed is None else resumed.transcript_state,
                    last_write_at=None if resumed is None else resumed.last_write_at,
                )
            )
            finish()
        if at.line == 0:
            return _Done(path=path, recording_id=recording_id, events=0)
        self.flush(session.key, at)
        return _Done(path=path, recording_id=recording_id, events=1)

    def _capture(self, session: SessionRecord, command: Command, at: Position, finish: "_Finish") -> "_Done":
        recording = self.ledger.recording(session.key)
        path = self._destination(session, command.argument)
        if self.held.is_unsaved(path):
            return self._capture_in_editor(session, path, at, finish)
        self._refuse_if_elsewhere(path)
        same = recording is not None and recording.active and recording.output_path == path
        recording_id = recording.recording_id if same and recording is not None else self._new_id()
        if recording is not None and recording.active and not same:
            self.flush(session.key, at)
        self._flush_others(session.key, path)

        def remember(whole: Whole) -> None:
            now = self._now_ms()
            if not same:
                self._end_recordings(session.key, at)
            self.held.replaced(path)
            self.ledger.set_destination(session.key, path)
            self.ledger.put_recording(
                Recording(
                    recording_id=recording_id,
                    key=session.key,
                    output_path=path,
                    active=True,
                    started_at=now,
                    start_seq=0,
                    start_line=0,
                    seq=at.seq,
                    line=at.line,
                    transcript_state=whole.transcript_state,
                    last_write_at=now,
                )
            )
            finish()

        whole = self.notebook.write_markdown(
            path,
            session,
            self._events(session.key),
            at,
            recording_id=recording_id,
            goes_on=lambda one: one.recording_id == recording_id,
            remember=remember,
        )
        return _Done(
            path=path,
            recording_id=recording_id,
            events=whole.events,
            replaced=whole.replaced,
            redactions=whole.redactions,
        )

    def _capture_in_editor(
        self, session: SessionRecord, path: str, at: Position, finish: "_Finish"
    ) -> "_Done":
        """Captures onto a note that is open with unsaved changes: what the user typed stays, the conversation goes below it,
        and the user saves both together. A transcript that stands there already is not replaced unseen.
        """
        key, recording = session.key, self.ledger.recording(session.key)
        is_whole = (
            recording is not None
            and recording.active
            and recording.output_path == path
            and (recording.start_seq, recording.start_line) == BEGINNING
        )
        known = self.ledger.note(path)
        if not is_whole and known is not None and known.body_bytes:
            raise NoteUnsaved(path)
        self.flush(key, at)
        if is_whole:
            assert recording is not None
            return _Done(path=path, recording_id=recording.recording_id, events=at.seq + (at.line > 0))
        recording_id = self._new_id()
        with self.ledger.exclusive():
            self._end_recordings(key, at)
            self.ledger.set_destination(key, path)
            self.ledger.put_recording(
                Recording(
                    recording_id=recording_id,
                    key=key,
                    output_path=path,
                    active=True,
                    started_at=self._now_ms(),
                    start_seq=0,
                    start_line=0,
                    seq=0,
                    line=0,
                )
            )
            finish()
        self.flush(key, at)
        return _Done(path=path, recording_id=recording_id, events=at.seq + (at.line > 0))

    def _refuse_if_elsewhere(self, path: str) -> None:
        """A note whose unsaved changes another window shows must not be replaced under it."""
        if self.held.is_elsewhere(path):
            raise NoteUnsaved(path, where="another window")

    def _export(self, session: SessionRecord, command: Command, at: Position, finish: "_Finish") -> "_Done":
        del finish  # an export stores nothing
        if command.argument is None:
            raise CommandRefused("::export needs a path, for example ::export notes/conversation.md")
        path = self._resolve(session, command.argument)
        if self.held.is_unsaved(path):
            raise NoteUnsaved(path)
        self._refuse_if_elsewhere(path)
        jsonl = path.lower().endswith(".jsonl")
        if command.export_format is not None:
            jsonl = command.export_format == "jsonl"
        events = self._events(session.key, len if jsonl else rendered_bytes)
        self._flush_others(session.key, path)
        if jsonl:
            whole = self.notebook.write_jsonl(path, session.key, events, at)
        else:
            # The session's own recording to this note goes on behind what is exported, so it has to be as far.
            self.flush(session.key, at)
            whole = self.notebook.write_markdown(
                path, session, events, at, goes_on=lambda one: one.active and one.key == session.key
            )
        return _Done(path=path, events=whole.events, replaced=whole.replaced, redactions=whole.redactions)

    def _stop(self, session: SessionRecord, command: Command, at: Position, finish: "_Finish") -> "_Done":
        del command
        self.flush(session.key, at)
        with self.ledger.exclusive():
            ended = self._end_recordings(session.key, at)
            finish()
        if ended is None:
            return _Done(noop=True)
        return _Done(path=ended.output_path, recording_id=ended.recording_id)

    def _end_recordings(self, key: SessionKey, at: Position) -> Recording | None:
        """Ends the active recording at a position, if there is one. Lines before it that could not be written are still
        owed to its note. The caller is in a transaction.
        """
        recording = next((one for one in self.ledger.open_recordings(key) if one.active), None)
        if recording is None:
            return None
        is_whole = Position(recording.seq, recording.line) >= at
        ended = replace(
            recording, active=False, end_seq=None if is_whole else at.seq, end_line=0 if is_whole else at.line
        )
        self.ledger.put_recording(ended)
        return ended

    def _refuse_shared(self, key: SessionKey, path: str) -> None:
        """Raises CommandRefused for a note to which another session records: the two would be mixed."""
        for one in self.ledger.recordings_to(path):
            if one.key != key:
                raise CommandRefused(
                    f"{path} records another conversation ({self._name_of(one.key)}): name another note, or ::stop that "
                    "recording first"
                )

    def _flush_others(self, key: SessionKey, path: str) -> None:
        """Brings a note that this session is about to replace up to date, so that the copy of it is whole."""
        for one in self.ledger.recordings_to(path):
            if one.key != key:
                self.flush(one.key)

    def _sub_agents(self, key: SessionKey, tool_call_id: str) -> Iterator[SubAgent]:
        for child in self.ledger.children(key):
            if child.parent_call_id == tool_call_id:
                title = child.title or child.snippet or child.key.session_id
                events = self._events(child.key)(after=0, until=child.event_count)
                yield SubAgent(child.key, title, events)

    def _events(self, key: SessionKey, cost: Callable[[bytes], int] = rendered_bytes) -> Events:
        """Reads a session's events: from memory where all that is asked for lies there, else from the ledger. `cost` is what
        is made of a large one takes.
        """

        def read(*, after: int, until: int) -> Iterator[tuple[int, bytes]]:
            self._forget_removed()
            held = self.store.covers(key, after, until)
            pieces = (self.store if held else self.ledger).read_pieces(key, after=after, until=until)
            for first, data in pieces:
                if len(data) > limits.LARGE_BYTES:
                    self.make_room(cost(data), _EVENT)
                yield first, data

        return read

    def _destination(self, session: SessionRecord, argument: str | None) -> str:
        if argument is not None:
            return self._resolve(session, argument)
        if session.destination is not None:
            return self.notebook.writer.check(session.destination)
        return self.notebook.writer.check(self._default_path(session, "md"))

    def _default_path(self, session: SessionRecord, suffix: str) -> str:
        place = self.place
        folder = paths.folder_of(session.cwd, place.workspace_folders)
        directory = paths.notes_directory(place.notes_directory, folder, place.home) or place.recordings_dir
        name = PurePath(self.notebook.default_file_name(session)).with_suffix(f".{suffix}")
        return str(PurePath(directory) / name)

    def destination(self, key: SessionKey, export_format: ExportFormat | None) -> str:
        """Where a capture without a path would write a session; with a format, where an export of it may be proposed."""
        self.settle()
        session = self.ledger.session(key)
        if session is None:
            raise UnknownSession(key.provider, key.session_id)
        if export_format is None and session.destination is not None:
            return session.destination
        return self._default_path(session, "jsonl" if export_format == "jsonl" else "md")

    def _resolve(self, session: SessionRecord, argument: str) -> str:
        base = session.cwd or paths.folder_of(None, self.place.workspace_folders)
        return self.notebook.writer.check(
            paths.resolve(argument, cwd=base, home=self.place.home, windows=self.place.windows)
        )

    # --- Recordings -------------------------------------------------------------------------------------

    def flush(self, key: SessionKey, until: Position | None = None) -> None:
        """Brings the notes of the session's recordings up to date, the oldest recording first. A failure is reported once
        and tried again at each heartbeat.
        """
        with _guarded(f"recordings of {key.session_id}"):
            for recording in self.ledger.open_recordings(key):
                if not self._flush_recording(recording, until):
                    return  # the next one may write to the same note, and comes after it

    def _follow(self, group: _Group) -> None:
        """Moves a recording along with a conversation that goes on in another session, which begins with a copy of what
        the note has already.
        """
        key = group.key
        with _guarded(f"moving a recording to {key.session_id}"):
            if group.continues is not None:
                self._move_recording(group.continues, key)
            if group.receipt is None or not group.receipt.accepted:
                return
            recording = self.ledger.recording(key)
            if recording is None or not recording.active or recording.line or recording.start_line:
                return
            if recording.seq == recording.start_seq == group.receipt.first_seq:
                start = self._own_start(key, recording.seq)
                if start > recording.seq:
                    self.ledger.put_recording(replace(recording, seq=start, start_seq=start))

    def _move_recording(self, old: SessionKey, new: SessionKey) -> None:
        self.flush(old)
        with self.ledger.exclusive():
            session, other = self.ledger.session(old), self.ledger.recording(new)
            if session is None or (other is not None and other.active):
                return
            recording = self._end_recordings(old, Position(session.event_count))
            if recording is None:
                return
            start = self._own_start(new, 0)
            self.ledger.set_destination(new, recording.output_path)
            self.ledger.put_recording(
                Recording(
                    recording_id=self._new_id(),
                    key=new,
                    output_path=recording.output_path,
                    active=True,
                    started_at=self._now_ms(),
                    start_seq=start,
                    start_line=0,
                    seq=start,
                    line=0,
                    transcript_state=recording.transcript_state,
                    last_write_at=recording.last_write_at,
                )
            )
        log.info("the recording of %s goes on with %s", old.session_id, new.session_id)

    def _own_start(self, key: SessionKey, after: int) -> int:
        """Where a session's own events begin behind those that were copied from another one."""
        for seq, line in self.ledger.read(key, after=after):
            event = decode_line(line)
            is_mark = isinstance(event, ProviderInfo) and event.subtype == "forked"
            if not is_mark and not self.ledger.is_elsewhere(key, event.event_id):
                return seq
            after = seq + 1
        return after

    def _flush_recording(self, recording: Recording, until: Position | None) -> bool:
        """False when the recording's note cannot be written now."""
        try:
            more = True
            while more:
                more = self._flush_piece(recording.key, recording.recording_id, until)
        except NoteMissing:
            return self._find_note(recording, until)
        except Exception as error:  # noqa: BLE001 - one session's defect must not stop the others, nor the start
            self._held_up(recording, log_failure(f"recording {recording.recording_id}", error))
        else:
            self._went_on(recording)
            if recording.recording_id in self._missing and self.notebook.is_there(recording):
                del self._missing[recording.recording_id]
            return True
        return False

    def _went_on(self, recording: Recording) -> None:
        if recording.recording_id in self._troubled and not self.held.is_unsaved(recording.output_path):
            self._troubled.discard(recording.recording_id)
            message = (
                f"Recording to {recording.output_path} goes on; the lines that were missing are written."
            )
            self._listener.notify(Notice("recording_resumed", "info", message, _about(recording)))

    def _report_repair(self, recording: Recording) -> None:
        message = (
            f"An older version of {recording.output_path} was saved over what Kato had appended. Kato appended the missing "
            "lines again. If you deleted them on purpose, delete them again: then they stay deleted."
        )
        self._listener.notify(Notice("note_repaired", "warning", message, _about(recording)))

    def _find_note(self, recording: Recording, until: Position | None) -> bool:
        """The note is gone: it is followed to where it was renamed to, else the recording waits and the user decides."""
        since = self._missing.setdefault(recording.recording_id, self._now_ms())
        if since is None:
            return False  # the user was asked
        is_patient = self._now_ms() - since >= limits.NOTE_MISSING_GRACE_MS
        # An editor that renames a note with unsaved changes closes it before it opens and reports the new one.
        found = self.notebook.find_moved(recording) if is_patient or not self.held.holds(recording) else None
        if found is not None:
            self.move_notes(recording.output_path, found)
            moved = self.ledger.recording_by_id(recording.recording_id)
            return moved is not None and self._flush_recording(moved, until)
        if is_patient:
            self._report_missing(recording)
        return False

    def _report_missing(self, recording: Recording) -> None:
        self._missing[recording.recording_id] = None
        message = (
            f"Recording is paused: {recording.output_path} is gone. "
            "Put the note back, capture the conversation again, or stop the recording."
        )
        self._listener.notify(Notice("note_missing", "warning", message, _about(recording)))

    def move_notes(self, old: str, new: str) -> None:
        """A note, or a folder with notes, was renamed: recordings and destinations go with it."""
        with self.ledger.exclusive():
            changed = self.ledger.move_notes(old, new)
        if not changed:
            return
        log.info("%d entries follow a renamed note", changed)
        self.held.moved(new)
        for recording in self.ledger.active_recordings():
            if paths.is_at_or_in(recording.output_path, new):
                self.flush(recording.key)
        self._listener.changed()

    def delete_notes(self, path: str) -> None:
        """A note, or a folder with notes, was deleted: what records there waits until the user decides."""
        for recording in self.ledger.active_recordings():
            is_gone = paths.is_at_or_in(recording.output_path, path) and not self.notebook.is_there(recording)
            if is_gone and self._missing.get(recording.recording_id, 0) is not None:
                self._report_missing(recording)

    def _held_up(self, recording: Recording, reason: str) -> None:
        if recording.recording_id not in self._troubled:
            self._troubled.add(recording.recording_id)
            message = f"Recording to {recording.output_path} is held up and will be tried again: {reason}"
            data = _about(recording) | {"reason": reason}
            self._listener.notify(Notice("recording_paused", "error", message, data))

    def _repaired(self, recording: Recording) -> None:
        message = (
            f"{recording.output_path} was saved without text that Kato had added to it: Kato adds it again."
        )
        self._listener.notify(Notice("note_repaired", "info", message, _about(recording)))

    def _flush_piece(self, key: SessionKey, recording_id: str, until: Position | None) -> bool:
        """One bounded piece, alone over all processes; True when there is more."""
        with self.ledger.exclusive():
            found = [one for one in self.ledger.open_recordings(key) if one.recording_id == recording_id]
            session = self.ledger.session(key)
            if not found or session is None:
                return False
            recording, end = found[0], self._end_of(found[0], session, until)
            if self.held.is_elsewhere(recording.output_path):
                return False
            if self.held.takes(
                recording.output_path, is_changed=lambda: self.notebook.has_changed(recording)
            ):
                self.held.append(recording, end)
                return False
            if self.held.settle(recording.output_path):
                return True
            for moved in self.notebook.append(recording, self._events(key), end):
                self.ledger.put_recording(at_end(moved))
                return (moved.seq, moved.line) < end
        return False

    def _end_of(self, recording: Recording, session: SessionRecord, until: Position | None) -> Position:
        """How far a recording may be written now: to the line at which it was stopped, else to the first line whose command
        has not run, for that command may stop the recording there.
        """
        ends = [Position(session.event_count)]
        if until is not None:
            ends.append(until)
        if recording.end_seq is not None:
            ends.append(Position(recording.end_seq, recording.end_line))
        else:
            ends += [
                Position(claim.seq, claim.line) for claim in self.ledger.unfinished_claims(session.key)[:1]
            ]
        return min(ends)

    # --- Status -----------------------------------------------------------------------------------------

    def heartbeat(self) -> None:
        """The regular round: durability, recordings that were held up, memory."""
        self.settle()
        self._heartbeat_at = self._now_ms()
        with _guarded("looking for removed sessions"):
            self._forget_removed()
        with _guarded("making the journal durable"):
            try:
                self.ledger.sync()
            except JournalLost as error:
                self._note_loss(error)
        self.resume()
        with _guarded("notes that editors held"):
            self.held.beat()
        self._give_back()
        self.guard_memory()

    def memory_status(self) -> MemoryStatus:
        """The process, the snapshots, the journal."""
        self.settle()
        self._forget_removed()
        return MemoryStatus(
            daemon_max_memory_bytes=self.bounds.daemon_max_bytes,
            process=self._memory.sample(),
            snapshots=self.store.stats(),
            journal=self.ledger.stats(),
        )

    def status(
        self, *, include_stale: bool = False, limit: int | None = None, running: bool = True
    ) -> StatusSnapshot:
        """Everything, as of now. It takes as long as the sessions that it shows, however many there are."""
        self.settle()
        self._forget_removed()
        now = self._now_ms()
        fresh = now - limits.STALE_AFTER_MS
        since = None if include_stale else fresh
        count = limits.STATUS_SESSIONS_MAX if limit is None else min(limit, limits.STATUS_SESSIONS_MAX)
        with closing(self._seen(since, count)) as seen:
            return status.snapshot(
                seen,
                summary=self.ledger.summary(since_ms=since, fresh_ms=fresh),
                process=self._process,
                memory=self.memory_status(),
                recordings_dir=self.place.recordings_dir,
                now_ms=now,
                heartbeat_at=self._heartbeat_at,
                running=running,
                max_events=self._max_events,
                watching=self._watching,
            )

    def _seen(self, since_ms: int | None, limit: int) -> Generator[Seen, None, None]:
        for record, recording in self.ledger.status_sessions(since_ms=since_ms, limit=limit):
            held = self.store.held(record.key)
            yield Seen(
                record=record,
                held_events=None if held is None else held.event_count,
                held_bytes=0 if held is None else held.estimated_bytes,
                recording=recording,
            )

    def note_watching(self, watching: WatchingStatus, cure: str) -> None:
        """How session logs are watched now. Notifies the user the first time that it fails."""
        before, self._watching = self._watching, watching
        if watching.failed is UNSET or (before is not UNSET and before.failed == watching.failed):
            return
        log.warning("not all folders with session logs are watched: %s", watching.failed)
        self._listener.changed()
        if self._reported_watching:
            return
        self._reported_watching = True
        message = f"Kato cannot watch all folders with session logs: {watching.failed}. Kato looks at them every second instead."
        data = {"reason": watching.failed, "cure": cure}
        self._listener.notify(Notice("watcher_failed", "warning", f"{message} {cure}".rstrip(), data))

    def read_session(self, key: SessionKey, *, after: int, limit: int) -> Page:
        """Events of the session, from number `after` on: at most `limit`, and not more than fit into an answer, one at
        least. Raises BudgetExceeded for one that is too large to be sent.
        """
        self.settle()
        record = self.ledger.session(key)
        if record is None or (not self.ledger.durable and key not in self.store):
            raise UnknownSession(key.provider, key.session_id)
        held = self.store.held(key)
        base = 0 if self.ledger.durable or held is None else held.first_seq
        first = min(base + after, record.event_count)
        until = min(first + limit, record.event_count)
        pieces: list[bytes] = []
        reached, room = until, limits.PAGE_BYTES_MAX
        for start, data in self.ledger.read_pieces(key, after=first, until=until):
            part = first_lines(data, room, one_at_least=not pieces)
            if len(part) > limits.PAGE_BYTES_MAX:
                self.make_room(limits.PAGE_COST * len(part), _EVENT)
            if part:
                pieces.append(part)
            room -= len(part)
            if len(part) < len(data):
                reached = start + part.count(b"\n")
                break
        total = record.event_count - base
        return Page(pieces, reached - base if reached < record.event_count else None, total)

    def render_session(
        self, key: SessionKey, *, bytes_max: int = limits.RENDERED_BYTES_MAX
    ) -> tuple[str, bool]:
        """The session as Markdown, from its beginning, without frontmatter; True if it was cut at `bytes_max`."""
        self.settle()
        record = self.ledger.session(key)
        if record is None:
            raise UnknownSession(key.provider, key.session_id)
        self.make_room(limits.RENDERED_COST * bytes_max, "showing this session")
        pieces, size = [], 0
        transcript = Transcript(self.notebook.options, self.notebook.tz)
        end = Position(record.event_count)
        events = self._events(key)(after=0, until=record.event_count)
        for piece in render(transcript, events, BEGINNING, end, self.notebook.fold(key)):
            pieces.append(piece[: bytes_max - size])
            size += len(piece)
            if size > bytes_max:
                break
        markdown = b"".join(pieces).decode(errors="ignore")  # the cut may go through a character
        return markdown, size > bytes_max

    def close(self) -> None:
        """Settles what is open and closes the ledger, whatever settling raises."""
        try:
            self.settle()
        finally:
            self.ledger.close()


def _about(recording: Recording) -> dict[str, str]:
    """What a client needs to offer a remedy for a recording."""
    key = recording.key
    return {
        "recordingId": recording.recording_id,
        "path": recording.output_path,
        "provider": key.provider,
        "sessionId": key.session_id,
    }


def _steps(event: UserMessage) -> list[Step]:
    """The commands of a message and what was meant as one, in the order of their lines."""
    found, problems = commands.parse(event.content)
    if event.doubt is not UNSET:
        return _doubtful_steps(event.content, found, event.doubt)
    return sorted([*found, *problems], key=lambda step: step.line or 0)


def _doubtful_steps(content: str, found: Sequence[Command], doubt: str) -> list[Step]:
    """The commands of a message that is not proven to be typed. Lines that were only meant as a
    command are not reported: most of them are code.
    """
    reason = one_line(doubt, limits.DOUBT_CHARS_MAX)
    shown = found[: limits.DOUBTFUL_COMMANDS_MAX]
    content = with_newlines(content)
    steps: list[Step] = []
    for number, command in enumerate(shown, start=1):
        line = command.line or 0
        text = one_line(line_part(content, line - 1, line), limits.DOUBT_CHARS_MAX)
        rest = len(found) - number if number == len(shown) else 0
        steps.append(DoubtfulCommand(command.name, line, text, reason, rest))
    return steps


@contextmanager
def _guarded(what: str) -> Iterator[None]:
    """Logs a failure of work that the next heartbeat repeats."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a defect in it must not end the process
        log_failure(what, error)


def log_failure(what: str, error: Exception) -> str:
    """Logs why something failed, a defect with its traceback; returns the reason for the user."""
    if isinstance(error, KatoError | OSError):
        reason = error.message if isinstance(error, KatoError) else error.strerror or type(error).__name__
        log.warning("%s failed: %s", what, reason)
        return reason
    log_defect(log, what, error)
    return f"an internal error ({type(error).__name__}); see Kato's log"


def log_defect(to: logging.Logger, what: str, error: Exception) -> None:
    """A traceback without the error's text, which may hold the conversation's."""
    kind = type(error).__name__
    to.error("%s is defective (%s)", what, kind, exc_info=(Exception, Exception(kind), error.__traceback__))


class _Finish:
    """Marks a command as finished, in the transaction that stores what it did. A command that stored nothing is marked
    after it ran.
    """

    def __init__(self, mark: Callable[[], None]) -> None:
        self._mark = mark
        self.done = False

    def __call__(self) -> None:
        self._mark()
        self.done = True


class _Done(Struct, frozen=True):
    """What a command that worked has to tell."""

    path: str | None = None
    replaced: Replaced = Replaced()
    recording_id: str | None = None
    events: int | None = None
    redactions: int = 0
    noop: bool = False
