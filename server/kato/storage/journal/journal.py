"""`Journal`: the interface of the package. Each method delegates to the module of its table or task."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey
from kato.storage.journal.chunks import Chunks
from kato.storage.journal.claims import Claims
from kato.storage.journal.connection import connect
from kato.storage.journal.counts import Totals
from kato.storage.journal.database import Database
from kato.storage.journal.errors import errors_at_opening, translated_errors
from kato.storage.journal.events import Events
from kato.storage.journal.export import export
from kato.storage.journal.files import FILE_NAME, LOCK_NAME, opening_lock
from kato.storage.journal.gaps import Gaps
from kato.storage.journal.notes import Notes, SessionLogs
from kato.storage.journal.rebuild import recover_if_damaged
from kato.storage.journal.recordings import Holds, Recordings
from kato.storage.journal.removal import Removal
from kato.storage.journal.sessions import Sessions
from kato.storage.journal.status import StatusQueries
from kato.storage.journal.verification import CheckReport, check


class Journal:
    """An open journal: the durable `Ledger`. Each method raises JournalUnavailable if the database fails, and JournalLost once
    its files were removed or replaced. The methods belong to the objects that own a table, where they are documented.
    """

    durable: Final = True

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self.database = database
        #: What was recovered when the journal was opened, as a sentence; None if it was not damaged.
        self.recovery: str | None = None

        self.begin = database.begin_group
        self.commit = database.commit
        self.rollback = database.rollback
        self.exclusive = database.exclusive
        self.sync = database.sync
        self.close = database.close

        sessions = Sessions(database)
        self.session = sessions.session
        self.is_session_folder = sessions.is_session_folder
        self.children = sessions.children
        self.set_destination = sessions.set_destination

        totals = Totals(database)
        self.stats = totals.stats

        status = StatusQueries(database)
        self.status_sessions = status.status_sessions
        self.summary = status.summary

        self._chunks = Chunks(database, sessions)
        self.read = self._chunks.read
        self.read_pieces = self._chunks.read_pieces
        self.read_newest = self._chunks.read_newest

        events = Events(database, sessions, self._chunks, totals)
        self.append = events.append
        self.seq_of = events.seq_of
        self.is_elsewhere = events.is_elsewhere

        claims = Claims(database, sessions, now_ms)
        self.claim = claims.claim
        self.finish_claim = claims.finish_claim
        self.unfinished_claims = claims.unfinished_claims
        self.take_over_claim = claims.take_over_claim

        recordings = Recordings(database, sessions)
        self.recording = recordings.recording
        self.recording_by_id = recordings.recording_by_id
        self.active_recordings = recordings.active_recordings
        self.open_recordings = recordings.open_recordings
        self.open_recordings_at = recordings.open_recordings_at
        self.sessions_behind = recordings.sessions_behind
        self.put_recording = recordings.put_recording

        holds = Holds(database)
        self.holds = holds.holds
        self.put_hold = holds.put_hold
        self.remove_hold = holds.remove_hold

        notes = Notes(database)
        self.note = notes.note
        self.note_paths = notes.note_paths
        self.put_note = notes.put_note
        self.move_notes = notes.move_notes

        logs = SessionLogs(database)
        self.log = logs.log
        self.variants = logs.variants
        self.put_log = logs.put_log

        gaps = Gaps(database)
        self.has_gaps = gaps.has_gaps
        self.gaps = gaps.gaps
        self.sessions_with_gaps = gaps.sessions_with_gaps
        self.put_gap = gaps.put_gap
        self.end_gap = gaps.end_gap
        self.withhold = gaps.withhold
        self.knows = gaps.knows

        removal = Removal(database, totals, now_ms)
        self.newly_removed = removal.newly_removed
        self.removed_until = removal.removed_until
        self.clean = removal.clean

    @classmethod
    def open(
        cls, folder: Path, *, now_ms: Callable[[], int], hurried: Callable[[], bool] = lambda: False
    ) -> "Journal":
        """Opens the journal in this folder, or creates it. While `hurried()` is true, waits for other processes are short.

        Moves a damaged database to `journal.damaged-<time>.sqlite3` and puts what can be read of it into a new one. Raises
        JournalNotOpened for what the user has to solve: a full disk, missing permissions, a newer schema.
        """
        path = folder / FILE_NAME
        with errors_at_opening(), translated_errors(path):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with opening_lock(folder / LOCK_NAME, hurried):
                    recovery = recover_if_damaged(path, now_ms, hurried)
                    journal = cls(Database(path, connect(path, hurried)), now_ms)
                    journal.recovery = recovery
                    journal.newly_removed()  # earlier removals do not concern the memory of a new process
            except OSError as error:
                raise JournalUnavailable(
                    f"the journal {path} cannot be opened: {error.strerror}; make the folder writable, choose another "
                    "stateDir, or set journal to false",
                    str(path),
                ) from error
        return journal

    @property
    def make_room(self) -> Callable[[int], object]:
        """Called before a large row is read, with the bytes of memory that it takes; raises a KatoError if there is no room."""
        return self._chunks.make_room

    @make_room.setter
    def make_room(self, make_room: Callable[[int], object]) -> None:
        self._chunks.make_room = make_room

    def extra_bytes(self, key: SessionKey) -> int:
        """0: the ids of events are on disk, not in memory."""
        del key
        return 0

    def evicted(self, keys: Sequence[SessionKey]) -> None:
        """Does nothing: the journal has what the store drops."""

    def check(self) -> CheckReport:
        """Verifies the database and everything in it; see `verification`."""
        return check(self.database, self._chunks)

    def export(self, key: SessionKey | None, report: Callable[[str], None]) -> Iterator[bytes]:
        """The events of one session, or of all, as JSON lines; see `export`."""
        return export(self.database, self._chunks, key, report)
