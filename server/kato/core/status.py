"""Store and recording figures to the status that clients and the status file show.

Rule: values in, values out; the moment it is taken at is an argument.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from kato.core import limits
from kato.core.moments import rfc3339
from kato.core.records import ProviderSummary, Recording, SessionRecord, Summary
from kato.core.views import (
    MemoryStatus,
    ParentStatus,
    ProviderStatus,
    RecordingsStatus,
    RecordingStatus,
    SessionStatus,
    StatusSnapshot,
    WatchingStatus,
)

SCHEMA_VERSION: Final = 1
#: Most of the moments in a status were in the one before it: of 200 sessions, each has two.
_rfc3339: Final = lru_cache(maxsize=512)(rfc3339)


class Seen(Struct, frozen=True):
    """A session as it stands: its record, what of it is in memory (events, bytes; None if nothing) and its
    newest recording.
    """

    record: SessionRecord
    held_events: int | None
    held_bytes: int
    recording: Recording | None


class Process(Struct, frozen=True):
    """Who reports."""

    version: str
    pid: int
    started_at: int


def session_status(seen: Seen, *, now_ms: int, max_events: int) -> SessionStatus:
    """One session. What is evicted counts as it would once it is back in memory."""
    record = seen.record
    shown = min(record.event_count, max_events) if seen.held_events is None else seen.held_events
    recording = seen.recording
    return SessionStatus(
        provider=record.key.provider,
        session_id=record.key.session_id,
        title=record.title or UNSET,
        snippet=record.snippet or UNSET,
        cwd=record.cwd or UNSET,
        event_count=shown,
        truncated_events=record.event_count - shown,
        estimated_bytes=seen.held_bytes,
        resident=seen.held_events is not None,
        updated_at=_rfc3339(record.updated_at),
        last_message_at=UNSET if record.last_message_at is None else _rfc3339(record.last_message_at),
        stale=is_stale(record, now_ms),
        recording=UNSET if recording is None else _recording_status(recording),
        parent=UNSET
        if record.parent_id is None
        else ParentStatus(session_id=record.parent_id, tool_call_id=record.parent_call_id or UNSET),
    )


def is_stale(record: SessionRecord, now_ms: int) -> bool:
    """True when the last message (or, without one, the last update) is older than the contract's five minutes."""
    moment = record.updated_at if record.last_message_at is None else record.last_message_at
    return now_ms - moment > limits.STALE_AFTER_MS


def snapshot(
    seen: Iterable[Seen],
    *,
    summary: Summary,
    process: Process,
    memory: MemoryStatus,
    recordings_dir: str,
    now_ms: int,
    heartbeat_at: int,
    running: bool,
    max_events: int,
    watching: WatchingStatus | UnsetType = UNSET,
    titles: Mapping[str, str] | None = None,
) -> StatusSnapshot:
    """Everything as of now: active recordings first, then the most recent message, then provider and id. Of the sessions,
    as many as fit into an answer, in the order in which they come.
    """
    chosen: list[tuple[Seen, SessionStatus]] = []
    size = 0
    for one in seen:
        shown = session_status(one, now_ms=now_ms, max_events=max_events)
        size += len(msgspec.json.encode(shown))
        if size > limits.PAGE_BYTES_MAX:
            break
        chosen.append((one, shown))
    chosen.sort(key=lambda pair: _order(pair[0]))
    return StatusSnapshot(
        schema_version=SCHEMA_VERSION,
        version=process.version,
        generated_at=_rfc3339(now_ms),
        heartbeat_at=_rfc3339(heartbeat_at),
        daemon_running=running,
        daemon_pid=process.pid,
        started_at=_rfc3339(process.started_at),
        providers=[_provider_status(one, titles or {}) for one in summary.providers],
        recordings=RecordingsStatus(
            active_recordings=summary.active_recordings, destinations=summary.destinations
        ),
        recordings_dir=recordings_dir,
        sessions=[shown for _, shown in chosen],
        omitted_sessions=max(0, sum(one.sessions for one in summary.providers) - len(chosen)),
        memory=memory,
        watching=watching,
    )


def _order(seen: Seen) -> tuple[bool, int, str, str]:
    record, recording = seen.record, seen.recording
    idle = recording is None or not recording.active
    return (idle, -(record.last_message_at or 0), record.key.provider, record.key.session_id)


def _recording_status(recording: Recording) -> RecordingStatus:
    written = recording.last_write_at
    return RecordingStatus(
        recording_id=recording.recording_id,
        output_path=recording.output_path,
        active=recording.active,
        started_at=_rfc3339(recording.started_at),
        last_write_at=UNSET if written is None else _rfc3339(written),
    )


def _provider_status(summary: ProviderSummary, titles: Mapping[str, str]) -> ProviderStatus:
    moment = summary.last_message_at
    return ProviderStatus(
        provider=summary.provider,
        active_sessions=summary.active_sessions,
        last_message_at=UNSET if moment is None else _rfc3339(moment),
        title=titles.get(summary.provider, UNSET),
    )
