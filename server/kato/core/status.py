"""The figures of sessions and recordings as the status that clients and the status file show.

Rule: values in, values out; the moment of the status is an argument.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from kato.core import limits
from kato.core.moments import rfc3339
from kato.core.records import GapReason, ProviderSummary, Recording, SessionRecord, Summary
from kato.core.views import (
    MemoryStatus,
    ParentStatus,
    ProviderStatus,
    RecordingsStatus,
    RecordingStatus,
    SearchStatus,
    SessionStatus,
    StatusSnapshot,
    WatchingStatus,
)

SCHEMA_VERSION: Final = 1
#: Moments whose text is cached. Most moments of a status are also in the previous one; 200 sessions have two each.
_rfc3339: Final = lru_cache(maxsize=512)(rfc3339)


class SessionView(Struct, frozen=True):
    """A session for a status: its record, the number of its resident events (None if the session is not resident) and their
    bytes, its newest recording, and why nothing of it is kept now.
    """

    record: SessionRecord
    resident_events: int | None
    resident_bytes: int
    recording: Recording | None
    not_kept: GapReason | None = None


class Process(Struct, frozen=True):
    """The process that reports. `started_at` is in milliseconds since the Unix epoch."""

    version: str
    pid: int
    started_at: int


def session_status(view: SessionView, *, now_ms: int, max_events: int) -> SessionStatus:
    """One session. An evicted one shows the counts that it would have in memory."""
    record = view.record
    shown = min(record.event_count, max_events) if view.resident_events is None else view.resident_events
    recording = view.recording
    return SessionStatus(
        provider=record.key.provider,
        session_id=record.key.session_id,
        title=record.title or UNSET,
        snippet=record.snippet or UNSET,
        cwd=record.cwd or UNSET,
        event_count=shown,
        truncated_events=record.event_count - shown,
        estimated_bytes=view.resident_bytes,
        resident=view.resident_events is not None,
        updated_at=_rfc3339(record.updated_at),
        last_message_at=UNSET if record.last_message_at is None else _rfc3339(record.last_message_at),
        stale=is_stale(record, now_ms),
        recording=UNSET if recording is None else _recording_status(recording),
        parent=UNSET
        if record.parent_id is None
        else ParentStatus(session_id=record.parent_id, tool_call_id=record.parent_call_id or UNSET),
        not_kept=UNSET if view.not_kept is None else view.not_kept,
    )


def is_stale(record: SessionRecord, now_ms: int) -> bool:
    """True when the last message (or, without one, the last update) is older than the contract's five minutes."""
    moment = record.updated_at if record.last_message_at is None else record.last_message_at
    return now_ms - moment > limits.STALE_AFTER_MS


def snapshot(
    views: Iterable[SessionView],
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
    search: SearchStatus | UnsetType = UNSET,
    titles: Mapping[str, str] | None = None,
) -> StatusSnapshot:
    """The status at a moment. Takes sessions in the given order, as many as fit into an answer, and sorts them: active
    recordings first, then by the most recent message, then by provider and id.
    """
    chosen: list[tuple[SessionView, SessionStatus]] = []
    size = 0
    for one in views:
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
        search=search,
    )


def _order(view: SessionView) -> tuple[bool, int, str, str]:
    record, recording = view.record, view.recording
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
