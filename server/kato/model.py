"""The values of the system: events, sessions, command outcomes, memory and status.

Rule: a value is frozen and holds no storage identity; times are integers of milliseconds since the Unix
epoch, UTC, except inside an event, whose JSON text is kept as it came.

An event exists in two forms. Its *line* is its JSON text (UTF-8, no newline inside): what is stored,
exported and given back, unknown fields included. Its *struct*, one of the classes below, is the validated,
typed view of a line. The structs' field names are the JSON's in snake_case.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from kato import limits

Id = Annotated[str, Meta(min_length=1, max_length=limits.ID_CHARS_MAX)]
Timestamp = Annotated[datetime, Meta(tz=True)]
Phase = Literal["commentary", "final", "other"]
DecisionStatus = Literal["proposed", "accepted", "rejected", "superseded"]


class SessionKey(NamedTuple):
    """A conversation's identity: never the session id alone."""

    provider: str
    session_id: str


class Source(Struct, frozen=True, rename="camel"):
    """Where in the provider's own log an event comes from."""

    provider_event_type: str
    provider_event_id: str | UnsetType = UNSET
    raw_cursor: Any = UNSET


class _Event(Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind"):
    event_id: Id
    provider: Id
    session_id: Id
    timestamp: Timestamp
    source: Source
    turn_id: str | UnsetType = UNSET


class UserMessage(_Event, frozen=True, kw_only=True, rename="camel", tag="message.user"):
    """What the user said. `doubt` says why the text is not proven to be typed, in words for the user: no command in it
    runs. Readers of session logs set it where the text could hold a command.
    """

    role: Literal["user"]
    content: str
    phase: str | UnsetType = UNSET
    doubt: str | UnsetType = UNSET


class AssistantMessage(_Event, frozen=True, kw_only=True, rename="camel", tag="message.assistant"):
    """What the assistant said."""

    role: Literal["assistant"]
    content: str
    model: str | UnsetType = UNSET
    phase: Phase | UnsetType = UNSET


class SystemMessage(_Event, frozen=True, kw_only=True, rename="camel", tag="message.system"):
    """What the host said to either of them."""

    role: Literal["system"]
    content: str


class ToolCall(_Event, frozen=True, kw_only=True, rename="camel", tag="tool.call"):
    """The assistant calls a tool. `description` is one line for people."""

    tool_call_id: Id
    name: str
    description: str | UnsetType = UNSET
    input: dict[str, Any] | UnsetType = UNSET


class ToolResult(_Event, frozen=True, kw_only=True, rename="camel", tag="tool.result"):
    """What the tool gave back, as text."""

    tool_call_id: Id
    result: str


class Thinking(_Event, frozen=True, kw_only=True, rename="camel", tag="thinking"):
    """The assistant's reasoning, as far as the provider shows it."""

    content: str


class Decision(_Event, frozen=True, kw_only=True, rename="camel", tag="decision"):
    """A question that was settled, by whom and on what grounds."""

    decision_id: Id
    decision_key: str
    summary: str
    status: DecisionStatus
    decided_by: str
    basis_event_ids: list[str]
    metadata: dict[str, Any] | UnsetType = UNSET


class ProviderInfo(_Event, frozen=True, kw_only=True, rename="camel", tag="provider.info"):
    """Anything else in the provider's log, kept so that nothing is lost."""

    content: str
    subtype: str | UnsetType = UNSET
    level: str | UnsetType = UNSET


ConversationEvent = (
    UserMessage
    | AssistantMessage
    | SystemMessage
    | ToolCall
    | ToolResult
    | Thinking
    | Decision
    | ProviderInfo
)

#: The subtypes of a `ProviderInfo` that marks a boundary in a conversation: the session went back to an earlier message,
#: was compacted, interrupted, resumed, moved to another session, or forked from one. Its content is one short sentence.
BOUNDARY_SUBTYPES: Final = frozenset(["rewind", "compaction", "interruption", "resumed", "moved", "forked"])

#: The kinds of event that are a message: they set a session's `lastMessageAt`.
MESSAGE_TYPES: Final = (UserMessage, AssistantMessage, SystemMessage)

_LINE_DECODER: Final[msgspec.json.Decoder[ConversationEvent]] = msgspec.json.Decoder(ConversationEvent)
_LINE_ENCODER: Final = msgspec.json.Encoder()


def decode_line(line: bytes | bytearray | memoryview) -> ConversationEvent:
    """The struct of a stored line. A line that does not decode is a defect of the store: it raises."""
    return _LINE_DECODER.decode(line)


def is_event(line: bytes) -> bool:
    """Whether a stored line can be read: a damaged disk changes bytes in it that SQLite does not look at."""
    try:
        decode_line(line)
        line.decode()  # also where the fields are that no struct has
    except ValueError:
        return False
    return True


def encode_line(event: ConversationEvent) -> bytes:
    """The line of a struct that was made here (a reader's event); times are written in UTC."""
    return _LINE_ENCODER.encode(event)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: The moments that Kato supports: a day less than the calendar has at each end, so that a moment can be written in every
#: time zone. Programs write the ends themselves where they mean "no date".
MOMENT_MIN: Final = datetime(1, 1, 2, tzinfo=timezone.utc)
MOMENT_MAX: Final = datetime(9999, 12, 30, 23, 59, 59, 999_000, tzinfo=timezone.utc)
MOMENT_RULE: Final = "a moment from 0001-01-02 to 9999-12-30, in UTC"


def is_supported(moment: datetime) -> bool:
    """Whether every conversion of this moment is possible."""
    return (
        1 < moment.year < 9999 or MOMENT_MIN <= moment <= MOMENT_MAX
    )  # the year decides nearly always: 40 ns


def clamped(moment: datetime) -> datetime:
    """The nearest supported moment."""
    return moment if is_supported(moment) else min(max(moment, MOMENT_MIN), MOMENT_MAX)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since the Unix epoch, exact (no float)."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


_MS_MIN: Final = epoch_ms(MOMENT_MIN)
_MS_MAX: Final = epoch_ms(MOMENT_MAX)


def utc(ms: int) -> datetime:
    """The moment `ms` milliseconds after the Unix epoch, in UTC; the nearest supported one, for a journal of an earlier
    Kato and the clock of a file system can hold others.
    """
    return _EPOCH + timedelta(milliseconds=min(max(ms, _MS_MIN), _MS_MAX))


def in_zone(moment: datetime, tz: tzinfo) -> datetime:
    """The moment, or the nearest supported one, in a time zone."""
    return clamped(moment).astimezone(tz)


def rfc3339(ms: int) -> str:
    """`2026-02-25T00:09:26.000Z`."""
    return utc(ms).isoformat(timespec="milliseconds")[:-6] + "Z"  # "+00:00"; three times as fast as strftime


# --- Commands -------------------------------------------------------------------------------------------

CommandName = Literal["init", "record", "capture", "export", "stop"]
COMMAND_NAMES: Final[Sequence[CommandName]] = ("init", "record", "capture", "export", "stop")
ExportFormat = Literal["markdown", "jsonl"]


class Command(Struct, frozen=True):
    """A command as it was asked for. `line` counts the message's lines from 1; None from the editor."""

    name: CommandName
    argument: str | None = None
    line: int | None = None
    export_format: ExportFormat | None = None


class CommandProblem(Struct, frozen=True):
    """A line that was meant as a command and is none. `message` names the rule and, if close, the right name."""

    line: int
    name: str
    message: str


class OutcomeError(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a command failed: a code of the wire contract, a sentence for the user, the path it is about, and for what a client
    can cure which rule said no (`outside`, `unsaved`).
    """

    code: int
    message: str
    path: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET


class CommandOutcome(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What became of a command; sent to the client whatever it was."""

    command: str
    provider: str
    session_id: str
    origin: Literal["chat", "editor"]
    status: Literal["ok", "noop", "error"]
    event_id: str | UnsetType = UNSET
    line: int | UnsetType = UNSET
    output_path: str | UnsetType = UNSET
    backup_path: str | UnsetType = UNSET
    recording_id: str | UnsetType = UNSET
    events_written: int | UnsetType = UNSET
    error: OutcomeError | UnsetType = UNSET


# --- Notices --------------------------------------------------------------------------------------------

Severity = Literal["error", "warning", "info"]
#: What the user must know, by kind. A client reacts to the kind, never to the text (wire contract).
NoticeKind = Literal[
    "over_budget",
    "settings_rejected",
    "restart_needed",
    "limit_not_kept",
    "events_rejected",
    "command_failed",
    "command_not_run",
    "command_delayed",
    "text_backed_up",
    "recording_paused",
    "recording_resumed",
    "recording_stopped",
    "note_missing",
    "note_repaired",
    "journal_recovered",
    "journal_lost",
    "watcher_failed",
]


class Notice(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Something the user must know. `data` holds what a client needs to offer a remedy: paths, ids, lines."""

    kind: NoticeKind
    severity: Severity
    message: str
    data: dict[str, Any] | UnsetType = UNSET


# --- Memory and status ----------------------------------------------------------------------------------

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
    """The answer to `kato/memory`."""

    daemon_max_memory_bytes: int
    process: ProcessMemory
    snapshots: SnapshotStats
    journal: JournalStats | None


class RecordingStatus(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A recording as a client sees it."""

    recording_id: str
    output_path: str
    active: bool
    started_at: str
    last_write_at: str | UnsetType = UNSET


class SessionStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session as a client sees it. `event_count` + `truncated_events` is all it ever had."""

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


class ParentStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """The session, and if known the tool call, that started a sub-agent's session."""

    session_id: str
    tool_call_id: str | UnsetType = UNSET


class ProviderStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """A provider's sessions that are not stale."""

    provider: str
    active_sessions: int
    last_message_at: str | UnsetType = UNSET


class RecordingsStatus(Struct, frozen=True, rename="camel"):
    """All active recordings together."""

    active_recordings: int
    destinations: int


class WatchingStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many folders with session logs (or trees of folders) are watched. `failed` says why some are not: Kato looks at
    them every second.
    """

    folders: int
    failed: str | UnsetType = UNSET


class StatusSnapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to `kato/status` and the content of the status file. Sessions without a destination are recorded in
    `recordings_dir`. Of many sessions, `sessions` holds the first; `omitted_sessions` is how many it lacks.
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


# --- What is kept beside the events ---------------------------------------------------------------------


class SessionMeta(Struct, frozen=True):
    """What an append says about its session. None leaves the value that is kept as it is."""

    updated_at: int
    title: str | None = None
    snippet: str | None = None
    cwd: str | None = None
    last_message_at: int | None = None
    parent_id: str | None = None
    parent_call_id: str | None = None


class SessionRecord(Struct, frozen=True, kw_only=True):
    """A session as the ledger keeps it. `event_count` counts all it ever accepted, `json_bytes` their lines. A sub-agent's
    session names the session (of the same provider) and, if known, the tool call that started it.
    """

    key: SessionKey
    event_count: int
    json_bytes: int
    created_at: int
    updated_at: int
    title: str | None = None
    snippet: str | None = None
    cwd: str | None = None
    last_message_at: int | None = None
    destination: str | None = None
    parent_id: str | None = None
    parent_call_id: str | None = None


class Recording(Struct, frozen=True, kw_only=True):
    """A recording, where it began and its durable position: `seq` events of the session are wholly in the file (or
    were passed over before it began), and of the next event the first `line` lines. `transcript_state` is the
    renderer's state at that position. `end_seq` and `end_line` are set while a recording that was stopped still lacks
    lines before that position, because its file could not be written.
    """

    recording_id: str
    key: SessionKey
    output_path: str
    active: bool
    started_at: int
    start_seq: int
    start_line: int
    seq: int
    line: int
    transcript_state: bytes = b""
    last_write_at: int | None = None
    end_seq: int | None = None
    end_line: int = 0

    @property
    def is_open(self) -> bool:
        """True while lines may still be written."""
        return self.active or self.end_seq is not None


class ProviderSummary(Struct, frozen=True):
    """A provider's sessions, counted: all that were asked for, and those that are not stale."""

    provider: str
    sessions: int
    active_sessions: int
    last_message_at: int | None


class Summary(Struct, frozen=True):
    """What a status says beside single sessions: the providers by name, and the active recordings with the files that
    they write.
    """

    providers: list[ProviderSummary]
    active_recordings: int
    destinations: int


class Hold(Struct, frozen=True, kw_only=True):
    """A recording whose note is open in an editor with changes that are not on disk. Only the process `owner`, which
    speaks to that editor, may bring the note on. `seq`, `line` and `transcript_state` are the recording's position at
    which the editor took over: what follows may be in the editor alone. `file_bytes` is the file's size then.
    """

    recording_id: str
    path: str
    owner: str
    seq: int
    line: int
    transcript_state: bytes
    file_bytes: int


class Claim(Struct, frozen=True):
    """A command that a process claimed: line `line` of event number `seq`. `owner` identifies the process, also when its
    id is used again.
    """

    key: SessionKey
    event_id: str
    line: int
    owner: str
    claimed_at: int
    seq: int


class NoteRecord(Struct, frozen=True):
    """What Kato itself last wrote to a file: length and CRC-32 of everything below the frontmatter, the file's size and
    time of change after that write and the device it was on, and which session it was. `look` is what Kato remembers of
    the file's end (`looks.Look`, encoded).
    """

    path: str
    body_bytes: int
    body_crc32: int
    file_bytes: int
    mtime_ns: int | None = None
    device: int | None = None
    key: SessionKey | None = None
    look: bytes = b""


class LogRecord(Struct, frozen=True):
    """A session log of an assistant that was read as far as it went: its size in bytes and its time of change, in
    nanoseconds. `variant` names which of the assistant's stores it belongs to.
    """

    path: str
    provider: str
    session_id: str
    variant: str
    size: int
    mtime_ns: int


class AppendReceipt(Struct, frozen=True):
    """What an append to the ledger did. `accepted` holds the indices of the events that were new; they have the
    numbers `first_seq`, `first_seq + 1`, … (from 0) in the session; `event_count` is how many it has now.
    """

    accepted: Sequence[int]
    first_seq: int
    event_count: int
