"""Values that a ledger stores besides the events: sessions, recordings, holds, claims, notes and session logs.

A *record* here is one stored value: a session's, a note's or a session log's. Times are integers, in milliseconds since
the Unix epoch, UTC.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from kato.core.events import SessionKey


class SessionMeta(Struct, frozen=True):
    """What an append carries about its session. None and "" mean that the append does not say: `merge_meta` keeps the
    earlier value.
    """

    updated_at: int
    title: str | None = None
    snippet: str | None = None
    cwd: str | None = None
    last_message_at: int | None = None
    parent_id: str | None = None
    parent_call_id: str | None = None
    branch: str | None = None


class SessionRecord(Struct, frozen=True, kw_only=True):
    """A session as the ledger stores it. `event_count` counts the events that it ever accepted, `json_bytes` is the size
    of their lines without newlines. The session of a sub-agent names its parent: the session (of the same provider) that
    started it and, if known, the tool call that did. `branch` is the git branch that it worked on last. `tokens` is known
    of a session that is read from its log alone: a ledger does not store it.
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
    branch: str | None = None
    tokens: int | None = None


def merge_meta(stored: SessionMeta | SessionRecord, added: SessionMeta) -> SessionMeta:
    """The metadata of a session after one more append. No other code repeats this rule.

    - `updated_at` and `last_message_at` never go back.
    - The first snippet stays: it is the beginning of the conversation.
    - Every other field has the latest value that is not empty.
    """
    last_message_at = stored.last_message_at
    if last_message_at is None:
        last_message_at = added.last_message_at
    elif added.last_message_at is not None:
        last_message_at = max(last_message_at, added.last_message_at)
    return SessionMeta(
        updated_at=max(stored.updated_at, added.updated_at),
        title=added.title or stored.title,
        snippet=stored.snippet or added.snippet,
        cwd=added.cwd or stored.cwd,
        last_message_at=last_message_at,
        parent_id=added.parent_id or stored.parent_id,
        parent_call_id=added.parent_call_id or stored.parent_call_id,
        branch=added.branch or stored.branch,
    )


class Recording(Struct, frozen=True, kw_only=True):
    """A recording of a session to a note. `start_seq` and `start_line` are the position at which it began, `seq` and `line`
    its durable position: the note holds everything of the events before number `seq` since then, and the first `line`
    lines of event `seq`. `transcript_state` is the renderer's state at the durable position. `end_seq` and `end_line` are
    set while a stopped recording still has to write the lines before that position, because its note could not be written.
    `awaits_on`: `::off` stopped it, and `::on` resumes it.
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
    awaits_on: bool = False

    @property
    def is_open(self) -> bool:
        """True while Kato may still write to the note."""
        return self.active or self.end_seq is not None


class ProviderSummary(Struct, frozen=True):
    """The number of a provider's sessions in a status, and how many of them are not stale."""

    provider: str
    sessions: int
    active_sessions: int
    last_message_at: int | None


class Summary(Struct, frozen=True):
    """The totals of a status: the providers, sorted by name, the number of active recordings and of the notes that they
    write to.
    """

    providers: list[ProviderSummary]
    active_recordings: int
    destinations: int


#: Why a conversation is not kept: the user said `::off`, or a `.katoignore` file lies in its folder or above.
GapReason = Literal["off", "ignored"]


class Gap(Struct, frozen=True):
    """A time in which nothing of a session is kept. It ends at `until_ms`; None while it lasts."""

    reason: GapReason
    since_ms: int
    until_ms: int | None = None

    def covers(self, moment_ms: int) -> bool:
        """Whether what was said at this moment lies in the gap. What was said at its ends was decided by its order."""
        return self.since_ms < moment_ms and (self.until_ms is None or moment_ms < self.until_ms)


class Hold(Struct, frozen=True, kw_only=True):
    """A recording whose note is open in an editor with unsaved changes. Only the process `owner`, which talks to that
    editor, may extend the note. `seq`, `line` and `transcript_state` are the recording's position when the hold began:
    lines after it may exist in the editor only. `file_bytes` was the size of the file then.
    """

    recording_id: str
    path: str
    owner: str
    seq: int
    line: int
    transcript_state: bytes
    file_bytes: int


class Claim(Struct, frozen=True):
    """A command that a process claimed: line `line` of event number `seq`. `owner` identifies the process, even after the
    system gave its process id to another one.
    """

    key: SessionKey
    event_id: str
    line: int
    owner: str
    claimed_at: int
    seq: int


class NoteRecord(Struct, frozen=True):
    """Kato's last write to a note: length and CRC-32 of the text below the frontmatter; the size, modification time and
    device of the file after the write; and the session that was written. `look` is an encoded `looks.Look`, by which Kato
    recognises the end of the file.
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
    """How far Kato read a session log of an assistant: up to `size` bytes, when the file was last modified at `mtime_ns`.
    `variant` names the assistant's store that the log belongs to.
    """

    path: str
    provider: str
    session_id: str
    variant: str
    size: int
    mtime_ns: int


class AppendReceipt(Struct, frozen=True):
    """The result of an append to the ledger. `accepted` holds the indices of the new events, ascending; in the session they
    are numbered `first_seq`, `first_seq + 1`, … (from 0). `event_count` is the session's number of events after the append.
    """

    accepted: Sequence[int]
    first_seq: int
    event_count: int
