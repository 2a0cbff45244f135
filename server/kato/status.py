"""Store and recording figures to the status that clients and the status file show.

Rule: values in, values out; the moment it is taken at is an argument.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from kato import limits
from kato.model import (
    MemoryStatus,
    ParentStatus,
    ProviderStatus,
    Recording,
    RecordingsStatus,
    RecordingStatus,
    SessionRecord,
    SessionStatus,
    StatusSnapshot,
    WatchingStatus,
    rfc3339,
)

SCHEMA_VERSION: Final = 1


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
        updated_at=rfc3339(record.updated_at),
        last_message_at=UNSET if record.last_message_at is None else rfc3339(record.last_message_at),
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
    process: Process,
    memory: MemoryStatus,
    active_recordings: Sequence[Recording],
    recordings_dir: str,
    now_ms: int,
    heartbeat_at: int,
    running: bool,
    max_events: int,
    include_stale: bool = False,
    limit: int | None = None,
    watching: WatchingStatus | UnsetType = UNSET,
) -> StatusSnapshot:
    """Everything at once: active recordings first, then the most recent message, then provider and id."""
    chosen = [one for one in seen if include_stale or not is_stale(one.record, now_ms)]
    chosen.sort(key=_order)
    return StatusSnapshot(
        schema_version=SCHEMA_VERSION,
        version=process.version,
        generated_at=rfc3339(now_ms),
        heartbeat_at=rfc3339(heartbeat_at),
        daemon_running=running,
        daemon_pid=process.pid,
        started_at=rfc3339(process.started_at),
        providers=_providers(chosen, now_ms),
        recordings=RecordingsStatus(
            active_recordings=len(active_recordings),
            destinations=len({recording.output_path for recording in active_recordings}),
        ),
        recordings_dir=recordings_dir,
        sessions=[session_status(one, now_ms=now_ms, max_events=max_events) for one in chosen[:limit]],
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
        started_at=rfc3339(recording.started_at),
        last_write_at=UNSET if written is None else rfc3339(written),
    )


def _providers(seen: Sequence[Seen], now_ms: int) -> list[ProviderStatus]:
    active: Counter[str] = Counter()
    last: dict[str, int] = {}
    for one in seen:
        provider, moment = one.record.key.provider, one.record.last_message_at
        active[provider] += not is_stale(one.record, now_ms)
        if moment is not None:
            last[provider] = max(moment, last.get(provider, moment))
    return [
        ProviderStatus(
            provider=provider,
            active_sessions=active[provider],
            last_message_at=rfc3339(last[provider]) if provider in last else UNSET,
        )
        for provider in sorted(active)
    ]
