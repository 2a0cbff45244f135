"""Memory and status as clients see them (wire contract: `kato/memory`, `kato/status`)."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from kato.core.records import GapReason

EvictionReason = Literal["max_sessions", "memory_pressure"]


class ProcessMemory(Struct, frozen=True, rename="camel"):
    """Bytes. `uss` is None where the platform has none."""

    rss: int
    uss: int | None
    vms: int
    peak_rss: int


class SnapshotStats(Struct, frozen=True, kw_only=True, rename="camel"):
    """The snapshot store in figures, bytes and counts."""

    budget_bytes: int
    estimated_bytes: int
    session_count: int
    event_count: int
    evictions_total: int
    bytes_reclaimed_total: int
    evictions_by_reason: dict[str, int]
    over_budget: bool


class JournalStats(Struct, frozen=True, rename="camel"):
    """The journal in figures: bytes on disk, sessions and events ever accepted."""

    bytes: int
    session_count: int
    event_count: int


class MemoryStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to `kato/memory`. `whole_process` is false when the process cannot keep the limit, which then bounds the
    snapshots alone; `smallest_limit_bytes` is the smallest limit that it can keep.
    """

    daemon_max_memory_bytes: int
    process: ProcessMemory
    snapshots: SnapshotStats
    journal: JournalStats | None
    whole_process: bool
    smallest_limit_bytes: int


class RecordingStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A recording as a client sees it."""

    recording_id: str
    output_path: str
    active: bool
    started_at: str
    last_write_at: str | UnsetType = UNSET


class SessionStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session as a client sees it. `event_count` + `truncated_events` is the number of all its events. `not_kept`: nothing of it
    is kept now, after `::off` (`off`) or because of a `.katoignore` file (`ignored`).
    """

    provider: str
    session_id: str
    event_count: int
    truncated_events: int
    estimated_bytes: int
    resident: bool
    updated_at: str
    stale: bool
    title: str | UnsetType = UNSET
    snippet: str | UnsetType = UNSET
    cwd: str | UnsetType = UNSET
    last_message_at: str | UnsetType = UNSET
    recording: RecordingStatus | UnsetType = UNSET
    parent: "ParentStatus | UnsetType" = UNSET
    not_kept: GapReason | UnsetType = UNSET


class ParentStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The session, and if known the tool call, that started a sub-agent's session."""

    session_id: str
    tool_call_id: str | UnsetType = UNSET


class ProviderStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """A provider's sessions that are not stale."""

    provider: str
    active_sessions: int
    last_message_at: str | UnsetType = UNSET
    #: The assistant's name for people, if it is one that this server knows.
    title: str | UnsetType = UNSET


class RecordingsStatus(Struct, frozen=True, rename="camel"):
    """All active recordings together."""

    active_recordings: int
    destinations: int


class UnreadableStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many folders could not be listed, files could not be opened, and paths are not valid text, where session logs
    lie. `compressed` counts logs that need a package for Zstandard. `example` is one of the paths with the reason.
    """

    folders: int
    files: int
    names: int
    example: str
    compressed: int | UnsetType = UNSET


class WatchingStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many folders with session logs (or trees of folders) are watched. `failed` says why some are not: Kato looks at
    them every second. `unreadable` counts what the file system does not let Kato read.
    """

    folders: int
    failed: str | UnsetType = UNSET
    unreadable: UnreadableStatus | UnsetType = UNSET


class SearchStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The search index: its bytes on disk, the events in it, and the sessions of which it lacks events. `failed` says why it
    cannot be used.
    """

    bytes: int
    events: int
    sessions_behind: int
    failed: str | UnsetType = UNSET


class StatusSnapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to `kato/status` and the content of the status file. Sessions without a destination are recorded in
    `recordings_dir`. `sessions` lists at most a page of sessions; `omitted_sessions` counts the others.
    """

    schema_version: int
    version: str
    generated_at: str
    heartbeat_at: str
    daemon_running: bool
    daemon_pid: int
    started_at: str
    providers: list[ProviderStatus]
    recordings: RecordingsStatus
    recordings_dir: str
    sessions: list[SessionStatus]
    omitted_sessions: int
    memory: MemoryStatus
    watching: WatchingStatus | UnsetType = UNSET
    search: SearchStatus | UnsetType = UNSET
