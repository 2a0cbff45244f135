"""Status: which sessions are shown, in which order, and what is said of them."""

from msgspec import UNSET

from kato.model import MemoryStatus, ProcessMemory, Recording, SessionKey, SessionRecord, SnapshotStats
from kato.status import Process, Seen, snapshot

NOW = 1_772_000_000_000
MEMORY = MemoryStatus(
    daemon_max_memory_bytes=1,
    process=ProcessMemory(1, 1, 1, 1),
    snapshots=SnapshotStats(
        budget_bytes=1,
        estimated_bytes=1,
        session_count=1,
        event_count=1,
        evictions_total=0,
        bytes_reclaimed_total=0,
        evictions_by_reason={},
        over_budget=False,
    ),
    journal=None,
)


def seen(
    name: str, *, age: int | None = 0, events: int = 10, held: int | None = 10, records: bool | None = None
) -> Seen:
    key = SessionKey("claude", name)
    record = SessionRecord(
        key=key,
        event_count=events,
        json_bytes=0,
        created_at=NOW,
        updated_at=NOW,
        last_message_at=None if age is None else NOW - age * 1000,
    )
    recording = None
    if records is not None:
        recording = Recording(
            recording_id=name,
            key=key,
            output_path=f"/n/{name}.md",
            active=records,
            started_at=NOW,
            start_seq=0,
            start_line=0,
            seq=0,
            line=0,
        )
    return Seen(record, held, 0 if held is None else 1000, recording)


def names(*sessions: Seen, include_stale: bool = False, limit: int | None = None) -> list[str]:
    made = snapshot(
        sessions,
        process=Process("1", 2, NOW),
        memory=MEMORY,
        active_recordings=[],
        recordings_dir="/state/recordings",
        now_ms=NOW,
        heartbeat_at=NOW,
        running=True,
        max_events=8,
        include_stale=include_stale,
        limit=limit,
    )
    return [one.session_id for one in made.sessions]


def test_active_recordings_come_first_then_the_most_recent_message_then_the_name() -> None:
    sessions = [seen("c", age=3), seen("b", age=1), seen("a", age=1), seen("r", age=200, records=True)]
    sessions.append(seen("ended", age=2, records=False))
    assert names(*sessions) == ["r", "a", "b", "ended", "c"]
    assert names(*sessions, limit=2) == ["r", "a"]


def test_a_session_is_stale_after_five_minutes_without_a_message() -> None:
    sessions = [seen("just", age=300), seen("over", age=301), seen("none", age=None)]
    assert names(*sessions) == ["just", "none"]
    assert names(*sessions, include_stale=True) == ["just", "over", "none"]


def test_an_evicted_session_counts_as_it_would_in_memory() -> None:
    made = snapshot(
        [seen("evicted", events=20, held=None), seen("held", events=20, held=5)],
        process=Process("1", 2, NOW),
        memory=MEMORY,
        active_recordings=[],
        recordings_dir="/state/recordings",
        now_ms=NOW,
        heartbeat_at=NOW,
        running=True,
        max_events=8,
    )
    counts = {
        one.session_id: (one.resident, one.event_count, one.truncated_events, one.estimated_bytes)
        for one in made.sessions
    }
    assert counts == {"evicted": (False, 8, 12, 0), "held": (True, 5, 15, 1000)}
    assert made.providers[0].active_sessions == 2
    assert made.sessions[0].recording is UNSET
