"""What a ledger keeps beside the events: sessions, recordings, claims, notes and session logs.

Times are integers of milliseconds since the Unix epoch, UTC.
"""

from collections.abc import Sequence

from msgspec import Struct

from kato.core.events import SessionKey


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
