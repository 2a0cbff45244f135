"""The engine: owns all state, and does all work in one order.

    append ──► open group ──► … more appends … ──► commit:  ledger ─► snapshots ─► commands ─► recordings

Rules:

- Durable before visible: nothing enters the store, runs a command or is answered before the ledger has committed it.
- Reads show what is committed. They do not commit open appends: the caller does, because it has to answer them.
- Live events and replayed ones take this same path; a replayed one runs no command.
- Commands run once over all processes, in the order of their lines (`claims`); no recording writes beyond the first line
  whose command has not run.
- A command sees the conversation as it stood at its line. Its failure changes no state and is always reported.
- A command in a message that is not proven to be typed is not run. It is claimed like any other, so that it is reported
  once over all processes.
- The engine does not depend on LSP. The server, the command line and the demo call the same methods.
- After the commit, a failure of one session (a note that cannot be written, a full disk) stops no other session.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from kato.core import gaps as gap_rules
from kato.core import limits, status
from kato.core.commands import Command, ExportFormat
from kato.core.errors import BudgetExceeded, JournalLost, JournalUnavailable, KatoError, UnknownSession
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.outcomes import CommandOutcome
from kato.core.ports import Ledger, Listener, Memory
from kato.core.records import LogRecord, SessionRecord
from kato.core.snapshots import SnapshotStore
from kato.core.views import MemoryStatus, SearchStatus, StatusSnapshot, WatchingStatus
from kato.engine import notices
from kato.engine.appends import AppendRequest, Group, LogTicket, Ticket
from kato.engine.budget import EVENT, MESSAGE, MemoryBounds, MemoryBudget
from kato.engine.claims import Claims, Completion
from kato.engine.commands import Tools
from kato.engine.continuations import Continuations
from kato.engine.destinations import Destinations, Locations
from kato.engine.execution import Executor
from kato.engine.failures import guarded, internal_error, log_failure
from kato.engine.following import GapFollower
from kato.engine.reading import Page, SessionReader
from kato.engine.recordings import NoteState, Recordings
from kato.engine.residency import Residency
from kato.engine.settings import EngineSettings
from kato.engine.status import StatusReporter
from kato.engine.withholding import IsIgnored, Withholding
from kato.notes.held import HeldNotes, OpenNotes
from kato.notes.notebook import NoteBook
from kato.notes.passages import Passage
from kato.notes.rendering import Position
from kato.storage.pictures import PictureStore

log = logging.getLogger("kato.engine")


class Engine:
    """See the module. `owner` names this process in claims, `is_alive` says whether the process of an owner still runs;
    `now_ms` is the only clock, `new_id` makes ids of recordings. `is_ignored` gives the `.katoignore` file of a folder.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: SnapshotStore,
        notebook: NoteBook,
        memory: Memory,
        listener: Listener,
        settings: EngineSettings,
        process: status.Process,
        owner: str,
        is_alive: Callable[[str], bool],
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        is_ignored: IsIgnored,
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.notebook = notebook
        self._listener = listener
        self._now_ms = now_ms
        self._open: dict[SessionKey, Group] = {}
        self._with_candidates: list[Ticket] = []
        self._log_tickets: list[LogTicket] = []
        #: The pictures in messages of session logs.
        self.pictures: PictureStore | None = None
        self._is_loss_reported = False
        self._budget = MemoryBudget(settings.bounds, store, ledger, memory)
        self._residency = Residency(store, ledger, self._budget, settings.max_events_per_session)
        self._reader = SessionReader(ledger, store, notebook, self._budget, self._forget_removed)
        self.held = HeldNotes(
            ledger,
            notebook,
            owner=owner,
            is_alive=is_alive,
            events=self._reader.events,
            flush=self.flush,
            on_lost_text=lambda recording: listener.notify(notices.saved_without_text(recording)),
            now_ms=now_ms,
        )
        self._recordings = Recordings(ledger, notebook, self.held, self._reader, listener, now_ms)
        self.withholding = Withholding(ledger, is_ignored, now_ms)
        self._gaps = GapFollower(ledger, store, self.withholding, self._recordings, listener)
        self._continuations = Continuations(ledger, self._recordings, now_ms, new_id)
        self._destinations = Destinations(settings.locations, notebook)
        self._executor = Executor(
            Tools(
                ledger,
                notebook,
                self.held,
                self._recordings,
                self._reader,
                self._destinations,
                now_ms,
                new_id,
                self.withholding,
            ),
            listener,
        )
        self.claims = Claims(ledger, listener, owner=owner, is_alive=is_alive, run=self._executor.run_claim)
        self._status = StatusReporter(
            ledger, store, self._budget, memory, listener, process, now_ms, self.withholding.reason
        )
        notebook.transcripts.sub_agents = self._reader.sub_agents
        notebook.appending.repaired = lambda recording: listener.notify(
            notices.older_version_saved(recording)
        )
        ledger.make_room = partial(self._budget.make_room, what=EVENT)
        self._apply(settings)

    # --- Settings ---------------------------------------------------------------------------------------

    def configure(self, settings: EngineSettings) -> None:
        """Puts settings in force. Open appends are committed under the old ones."""
        self.commit()
        self._apply(settings)
        self._listener.changed()

    def _apply(self, settings: EngineSettings) -> None:
        self._residency.max_events = settings.max_events_per_session
        self._destinations.locations = settings.locations
        transcripts = self.notebook.transcripts
        transcripts.options, transcripts.tz = settings.markdown, settings.tz
        self.notebook.writer.policy = settings.policy
        self._budget.resize(
            settings.bounds,
            max_sessions=settings.max_sessions,
            max_events_per_session=settings.max_events_per_session,
        )

    def connect_editor(self, open_notes: OpenNotes) -> None:
        """Writes notes that are open in this editor through it from now on."""
        self.held.open_notes = open_notes

    def report_progress_to(self, progress: Callable[[int, int], None]) -> None:
        """Calls `progress` while a whole note is written, with the events that are done and the events in all."""
        self.notebook.progress = progress

    @property
    def bounds(self) -> MemoryBounds:
        """The memory bounds in force."""
        return self._budget.bounds

    @property
    def locations(self) -> Locations:
        """The folders in force that paths of notes start from."""
        return self._destinations.locations

    # --- Events -----------------------------------------------------------------------------------------

    def append(self, request: AppendRequest) -> Ticket:
        """Adds events to the open group. They take effect, and may be answered, after `commit` only."""
        group = self._open.get(request.key)
        if group is None:
            group = self._open[request.key] = Group(request.key)
        ticket = group.add(request, self._now_ms())
        if ticket.candidates:
            self._with_candidates.append(ticket)
        return ticket

    def note_log(self, record: LogRecord) -> LogTicket:
        """Stores, at the next `commit`, how far a session log was read: in the transaction of the events appended by then."""
        ticket = LogTicket(record)
        self._log_tickets.append(ticket)
        return ticket

    def commit(self) -> None:
        """Commits the open groups, fills snapshots, runs commands and flushes recordings. Every ticket has its answer or error then."""
        if not self._open and not self._log_tickets:
            return
        groups, self._open = list(self._open.values()), {}
        logs, self._log_tickets = self._log_tickets, []
        tickets, self._with_candidates = self._with_candidates, []
        if not self._store_groups(groups, tickets, logs) or not groups:
            return
        # The events are stored: from here on they count as accepted, and a failure concerns one session only.
        if self.pictures is not None and self.pictures.has_new:
            for group in groups:
                self.pictures.settle(*group.pictures())
        for group in groups:
            self._residency.add(group)
        over_budget = self._budget.fatal_error
        if over_budget is not None:
            for group in groups:
                if group.key in self.store:
                    group.error = over_budget
        if tickets:
            self._run_commands(tickets)
        self._gaps.follow(groups)
        for group in groups:
            if group.error is None:
                self._continuations.follow(group)
                # Also without new events: the process that stored them first may not be allowed to write this note.
                self.flush(group.key)
        self._budget.count_ingested(sum(lines.size for group in groups for lines in group.lines))
        self._listener.changed()

    def _store_groups(
        self, groups: Sequence[Group], tickets: Sequence[Ticket], logs: Sequence[LogTicket]
    ) -> bool:
        """Stores the groups and claims their commands, in one transaction. False if it was rolled back: then all of them
        have an error, for none of it was answered.
        """
        error: KatoError
        try:
            # Those of sub-agents last: what is kept of them follows from the sessions that started them.
            for group in sorted(
                groups, key=lambda one: one.meta is not None and one.meta.parent_id is not None
            ):
                if self.withholding.screen(group):
                    assert group.meta is not None
                    lines = Lines.joined(group.lines)
                    group.receipt = self.ledger.append(group.key, group.ids, lines, group.meta)
            for ticket in tickets:
                self.claims.claim(ticket)
            for noted in logs:
                self.ledger.put_log(noted.record)
            self._forget_removed()
            self.ledger.commit()
        except JournalUnavailable as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - a defect refuses these events, it must not end the process
            log_failure("an append", failure)
            error = KatoError(internal_error(failure))
        else:
            return True
        self.ledger.rollback()
        self.withholding.begun.clear()
        for group in groups:
            group.error = error
        for noted in logs:
            noted.error = error
        self.claims.roll_back({group.key for group in groups})
        self._report_loss(error)
        return False

    def _run_commands(self, tickets: Sequence[Ticket]) -> None:
        """Runs the commands of these tickets' messages."""
        by_message = {
            (ticket.key, message.event_id): ticket for ticket in tickets for _, message in ticket.screened()
        }
        for key in {ticket.key: None for ticket in tickets if ticket.error is None}:
            self.claims.run_due(key, by_message)
        for ticket in tickets:
            if ticket.error is None:
                self._executor.refuse_withheld(ticket)

    def _forget_removed(self) -> None:
        """Drops the snapshots of sessions that another process removed (`kato clean`). Called before anything is served from
        memory, and in the transaction that adds events, during which no process can remove a session.
        """
        removed = set(self.ledger.newly_removed())
        if not removed:
            return
        for key in removed:
            self.store.forget(key)
        self._budget.note_freed()
        self.claims.forget(removed)
        self._recordings.forget_removed()
        log.info("%d sessions were removed by another process", len(removed))
        self._listener.changed()

    def _report_loss(self, error: KatoError) -> None:
        """Notifies the user once that the journal's file is lost, and that nothing is stored until the process is restarted."""
        if isinstance(error, JournalLost) and not self._is_loss_reported:
            self._is_loss_reported = True
            log.error("%s", error.message)
            self._listener.notify(notices.journal_lost(error))

    # --- Memory -----------------------------------------------------------------------------------------

    def make_room(self, needed_bytes: int) -> None:
        """Makes room before a message is read. Raises BudgetExceeded (not fatal) if it does not fit."""
        self._budget.make_room(needed_bytes, MESSAGE)

    @property
    def fatal_error(self) -> BudgetExceeded | None:
        """Set once one session alone needs more than the budget: the process has to end."""
        return self._budget.fatal_error

    # --- Commands ---------------------------------------------------------------------------------------

    def run_editor_command(
        self, key: SessionKey, command: Command, *, may_be_unknown: bool = False
    ) -> CommandOutcome:
        """Runs a command of the editor on the whole conversation so far. With `may_be_unknown`, `off` and `on` run on a conversation
        of which nothing is stored, too.
        """
        self.commit()
        self.claims.run_due(key)
        record = self.ledger.session(key)
        is_new = True
        if command.name in ("off", "on") and (record is not None or may_be_unknown):
            is_new = self._switch(key, command.name)
            record = self.ledger.session(key)
        at = Position(0 if record is None else record.event_count)
        outcome = self._executor.run(
            key,
            command,
            at,
            Completion(lambda: None),
            origin="editor",
            is_new=is_new,
            may_be_unknown=may_be_unknown,
        )
        self._listener.changed()
        return outcome

    def _switch(self, key: SessionKey, switch: gap_rules.Switch) -> bool:
        """Keeps nothing of a session from here on, or keeps it again; False if it was so."""
        ticket = self.append(AppendRequest(key, [], Lines.of([]), switch=switch, make_resident=False))
        self.commit()
        if ticket.error is not None:
            raise ticket.error
        return ticket.has_switched

    def note_of(self, session: SessionRecord, command: Command) -> str | None:
        """The note that a command would write to; None for one that writes none. Raises PathDenied where it must not."""
        if command.name in ("stop", "off", "on"):
            return None
        return self._destinations.of(session, command.argument)

    def resume(self) -> None:
        """Continues the work that this process, or one that ended, could not finish: commands first, then recordings."""
        with guarded("unfinished commands"):
            self.claims.resume()
        self._recordings.resume()

    @property
    def is_waiting(self) -> bool:
        """True while commands of this process wait for another process to finish earlier ones."""
        return bool(self.claims.waiting)

    def run_waiting(self) -> None:
        """Runs the commands whose turn has come."""
        for key in self.claims.waiting:
            self.claims.run_due(key)
            self.flush(key)

    # --- Notes ------------------------------------------------------------------------------------------

    def flush(self, key: SessionKey) -> None:
        """Brings the notes of the session's recordings up to date."""
        self._recordings.flush(key)

    def note_state(self, path: str, key: SessionKey) -> NoteState:
        """What Kato does with a note of the session now."""
        return self._recordings.note_state(path, key)

    def move_notes(self, old: str, new: str) -> None:
        """A note, or a folder with notes, was renamed: its recordings and destinations follow."""
        self._recordings.move_notes(old, new)

    def delete_notes(self, path: str) -> None:
        """A note, or a folder with notes, was deleted: its recordings wait until the user decides."""
        self._recordings.delete_notes(path)

    def destination(
        self, key: SessionKey, export_format: ExportFormat | None, path: str | None = None
    ) -> str:
        """Where a capture without a path would write a session; with a format, where an export of it may be proposed; with a
        path, where a command with that path would write. Raises PathDenied for a path that Kato may not write.
        """
        session = self.ledger.session(key)
        if session is None:
            raise UnknownSession(key.provider, key.session_id)
        if path is not None:
            return self._destinations.look(session, path)
        if export_format is None and session.destination is not None:
            return session.destination
        return self._destinations.default(session, "jsonl" if export_format == "jsonl" else "md")

    # --- Reads ------------------------------------------------------------------------------------------

    def memory_status(self) -> MemoryStatus:
        """The process, the snapshots, the journal."""
        self._forget_removed()
        return self._status.memory()

    def status(
        self, *, include_stale: bool = False, limit: int | None = None, running: bool = True
    ) -> StatusSnapshot:
        """The status now. Its cost grows with the sessions that it shows, not with all sessions."""
        self._forget_removed()
        return self._status.snapshot(
            include_stale=include_stale,
            limit=limit,
            running=running,
            recordings_dir=self.locations.recordings_dir,
            max_events=self._residency.max_events,
        )

    def note_watching(self, watching: WatchingStatus, remedy: str) -> None:
        """Stores how session logs are watched now, for the status. Notifies the user of the first failure."""
        self._status.note_watching(watching, remedy)

    def note_search(self, search: SearchStatus) -> None:
        """Takes the figures of the search index."""
        self._status.note_search(search)

    def read_session(self, key: SessionKey, *, after: int, limit: int) -> Page:
        """Events of the session from number `after` on; see `SessionReader.page`."""
        return self._reader.page(key, after=after, limit=limit)

    def render_session(
        self,
        key: SessionKey,
        *,
        bytes_max: int = limits.RENDERED_BYTES_MAX,
        around: int | None = None,
        is_page: bool = False,
    ) -> Passage:
        """A part of the session as Markdown; see `SessionReader.markdown`."""
        return self._reader.markdown(key, bytes_max=bytes_max, around=around, is_page=is_page)

    # --- The process ------------------------------------------------------------------------------------

    def heartbeat(self) -> None:
        """The regular round: durability, recordings that are paused, memory."""
        self.commit()
        self._status.heartbeat_at = self._now_ms()
        with guarded("looking for removed sessions"):
            self._forget_removed()
        with guarded("making the journal durable"):
            try:
                self.ledger.sync()
            except JournalLost as error:
                self._report_loss(error)
        self.resume()
        with guarded("ignored folders"):
            for key in self._gaps.newly_ignored():
                self.append(AppendRequest(key, [], Lines.of([]), make_resident=False))
            self.commit()
        with guarded("notes that editors held"):
            self.held.heartbeat()
        self._budget.trim()
        self._budget.guard()

    def close(self) -> None:
        """Commits the open groups and closes the ledger, even if the commit raises."""
        try:
            self.commit()
        finally:
            self.ledger.close()
