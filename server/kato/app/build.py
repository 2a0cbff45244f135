"""Makes the engine of a process from its settings: ledger, store, notebook, write policy and assistants.

Rule: `Assembly.apply` is the only place that puts settings in force, at the start and when they change.
"""

import logging
import os
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Final

from kato import __version__
from kato import engine as engines
from kato.app import config, statusfiles
from kato.app import process as processes
from kato.assistants import registry
from kato.assistants.contract import SavePicture
from kato.core import limits, paths
from kato.core.ports import Ledger, Listener, Memory, NoteLedger
from kato.core.setting_rules import zone
from kato.core.settings import Settings
from kato.core.snapshots import SnapshotStore
from kato.core.status import Process
from kato.notes import frontmatter
from kato.notes.files import NoteWriter
from kato.notes.leftovers import Leftovers
from kato.notes.notebook import NoteBook
from kato.notes.options import MarkdownOptions
from kato.notes.policy import AuditLog, WritePolicy
from kato.storage.journal import Journal
from kato.storage.memory import MemoryLedger
from kato.storage.pictures import PictureStore
from kato.system.clock import now_ms
from kato.system.ignoring import IgnoredFolders

log = logging.getLogger("kato")

#: Bytes by which the process grows when it first uses parts that are loaded late: YAML, outside Linux watchfiles (measured: 7 MB).
_LATER_FOOTPRINT_BYTES: Final = 8 * limits.MIB


class Assembly:
    """An engine with all it needs. Raises SettingsInvalid or JournalNotOpened if it cannot be put together.

    - While `hurried` is true, it waits for other processes only briefly.
    - `owner` names this process in the journal, and `is_alive` says whether the process of a name runs; tests run several
      in one process.
    - `memory` is measured and given back. `footprint` measures the bytes that the process takes without any snapshot; it is
      called once, when everything that stays is loaded. Without it, `daemonMaxMemoryMb` bounds the snapshots alone.

    It changes neither the collector nor the allocator nor the loggers of its process: `Runtime` does.
    """

    def __init__(
        self,
        chosen: Settings,
        *,
        listener: Listener,
        folders: Sequence[str],
        started_at: int,
        hurried: Callable[[], bool] = lambda: False,
        owner: str | None = None,
        is_alive: Callable[[str], bool] = processes.is_alive,
        memory: Memory = processes,
        footprint: Callable[[], int] | None = processes.rss_bytes,
        opens_session_folders: bool = False,
    ) -> None:
        self.state_dir = config.state_dir(chosen.state_dir)
        self._bounds_process = footprint is not None
        self._opens_session_folders = opens_session_folders
        with config.usable_state_dir(self.state_dir):
            self._put_together(chosen, listener, folders, started_at, hurried, owner, is_alive, memory)
            # What the process takes without a snapshot is measured last, when all that stays is there.
            if footprint is not None:
                caches = (
                    limits.JOURNAL_CACHE_BYTES + limits.SEARCH_CACHE_BYTES + limits.SEARCH_READ_CACHE_BYTES
                )
                later = _LATER_FOOTPRINT_BYTES + limits.NOTE_TEXTS_BYTES_MAX
                later += caches if chosen.journal else 0
                self._footprint = footprint() + later
            self.apply(chosen, folders)
            note_folders = {os.path.dirname(path) for path in self.engine.ledger.note_paths()}  # noqa: PTH120 - as many as notes
            self.engine.notebook.writer.sweep(note_folders)

    def _put_together(
        self,
        chosen: Settings,
        listener: Listener,
        folders: Sequence[str],
        started_at: int,
        hurried: Callable[[], bool],
        owner: str | None,
        is_alive: Callable[[str], bool],
        memory: Memory,
    ) -> None:
        config.ensure_state_dir(self.state_dir)
        statusfiles.remove_old(self.state_dir, is_running=processes.is_running)
        store = SnapshotStore(
            budget_bytes=chosen.daemon_max_memory_mb * limits.MIB,
            max_sessions=chosen.max_sessions,
            max_events_per_session=chosen.max_events_per_session,
        )
        self._identity = processes.identity(os.getpid())
        #: A sentence about what was recovered from a damaged journal, for the user.
        self.recovery: str | None = None
        ledger: Ledger
        if chosen.journal:
            journal = Journal.open(self.state_dir, now_ms=now_ms, hurried=hurried)
            self.recovery = journal.recovery
            ledger = journal
        else:
            ledger = MemoryLedger(store, max_events_per_session=chosen.max_events_per_session)
        self._footprint = 0
        self._audit = AuditLog(self.state_dir / "audit.jsonl")
        self._pictures = PictureStore(self.state_dir)
        writer = NoteWriter(
            WritePolicy(()),
            backups_dir=self.state_dir / "backups",
            now_ms=now_ms,
            leftovers=Leftovers(processes.mark(), processes.is_mark_gone, now_ms),
        )
        writer.leftovers.sweep(str(self.state_dir))
        self.engine = engines.Engine(
            ledger=ledger,
            store=store,
            notebook=notebook(chosen, writer, ledger, self.state_dir),
            memory=memory,
            listener=listener,
            settings=self._engine_settings(chosen, folders),
            process=Process(__version__, os.getpid(), started_at),
            owner=owner or self._identity or str(os.getpid()),
            is_alive=is_alive,
            now_ms=now_ms,
            new_id=lambda: frontmatter.make_id(os.urandom(32)),
            is_ignored=IgnoredFolders(str(Path.home())),
        )
        self.engine.pictures = self._pictures

    def apply(self, chosen: Settings, folders: Sequence[str]) -> None:
        """Puts settings and the open folders in force."""
        self.engine.configure(self._engine_settings(chosen, folders))

    def picture_saver(self) -> SavePicture | None:
        """What keeps the pictures that session logs contain; None unless `markdown.images` is "files" and there is a journal."""
        is_wanted = self.engine.notebook.transcripts.options.has_pictures and self.engine.ledger.durable
        return self._pictures.save if is_wanted else None

    def message_bytes_max(self, chosen: Settings) -> int:
        """The largest message that may be read."""
        in_force = self.engine.bounds
        asked = chosen.max_message_mb * limits.MIB
        return min(asked, in_force.reserve_bytes) if in_force.whole_process else asked

    def write_status(self, *, running: bool = True) -> None:
        """Writes this process' status file. Raises OSError."""
        snapshot = self.engine.status(running=running, limit=limits.STATUS_NEWS_SESSIONS_MAX)
        statusfiles.write(self.state_dir, snapshot, identity=self._identity)

    def _engine_settings(self, chosen: Settings, folders: Sequence[str]) -> engines.EngineSettings:
        opens = self._opens_session_folders and not chosen.exclusive_write_roots
        locations = engines.Locations(
            workspace_folders=tuple(folders),
            home=str(Path.home()),
            recordings_dir=str(self.state_dir / "recordings"),
            notes_directory=chosen.notes_directory,
            windows=os.name == "nt",
            opens_session_folders=opens,
        )
        policy = WritePolicy(
            write_roots(chosen, locations),
            own=locations.recordings_dir,
            new=paths.notes_directory(chosen.notes_directory, None, locations.home),
            audit=self._audit,
            is_session_folder=self._is_session_folder if opens else None,
        )
        return engines.EngineSettings(
            bounds=self._bounds(chosen.daemon_max_memory_mb * limits.MIB),
            max_sessions=chosen.max_sessions,
            max_events_per_session=chosen.max_events_per_session,
            locations=locations,
            markdown=markdown_options(chosen),
            tz=time_zone(chosen),
            policy=policy,
        )

    def _is_session_folder(self, folder: str) -> bool:
        return self.engine.ledger.is_session_folder(folder)

    def _bounds(self, bytes_max: int) -> engines.MemoryBounds:
        if self._bounds_process:
            return engines.MemoryBounds.divide(bytes_max, self._footprint)
        return engines.MemoryBounds(bytes_max, 0, bytes_max, whole_process=False)


def write_roots(chosen: Settings, locations: engines.Locations) -> list[str]:
    """The folders in which notes may be written: those that the user allowed, and, unless these alone count, the open
    folders, `notes.directory` and the recordings.
    """
    roots = list(chosen.allowed_write_roots)
    if not chosen.exclusive_write_roots:
        notes = paths.notes_directory(chosen.notes_directory, None, locations.home)
        roots = [
            *locations.workspace_folders,
            locations.recordings_dir,
            *([] if notes is None else [notes]),
            *roots,
        ]
    return [str(Path(root).expanduser()) for root in roots]


def notebook(chosen: Settings, writer: NoteWriter, notes: NoteLedger, spool_dir: Path) -> NoteBook:
    """A notebook with these settings, which remembers in `notes` what it wrote."""
    return NoteBook(
        writer,
        notes,
        spool_dir=spool_dir,
        options=markdown_options(chosen),
        tz=time_zone(chosen),
        now_ms=now_ms,
        random_bytes=os.urandom,
        tools=registry.tools,
        read_picture=PictureStore(spool_dir).read,
        title_of=lambda provider: registry.titles().get(provider, provider),
    )


def time_zone(chosen: Settings) -> tzinfo:
    """The zone of headings and file names."""
    if chosen.markdown_timezone is not None:
        return zone(chosen.markdown_timezone)
    return config.LocalZone()


def markdown_options(chosen: Settings) -> MarkdownOptions:
    """The settings `markdown.*`."""
    return MarkdownOptions(
        include_frontmatter=chosen.markdown_include_frontmatter,
        include_commentary=chosen.markdown_include_commentary,
        include_boundaries=chosen.markdown_include_boundaries,
        include_thinking=chosen.markdown_include_thinking,
        tool_calls="full" if chosen.markdown_include_tool_calls else chosen.markdown_tool_calls,
        tool_lines_max=chosen.markdown_tool_lines,
        heading_style=chosen.markdown_heading_style,
        frontmatter_fields=chosen.markdown_frontmatter_fields,
        file_name=chosen.notes_file_name,
        redact_secrets=chosen.notes_redact_secrets == "mask",
        has_pictures=chosen.markdown_images == "files",
        include_system_events=chosen.markdown_include_system_events,
        include_sub_agents=chosen.markdown_include_sub_agents,
        italicize_user_messages=chosen.markdown_italicize_user_messages,
    )
