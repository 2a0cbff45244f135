"""Status: which sessions are shown, in which order, and which figures each one has."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.moments import rfc3339
from kato.core.records import ProviderSummary, Recording, SessionRecord, Summary
from kato.core.status import Process, SessionView, snapshot
from kato.core.views import (
    MemoryStatus,
    ProcessMemory,
    ProviderStatus,
    RecordingsStatus,
    SnapshotStats,
    StatusSnapshot,
)

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
    whole_process=True,
    smallest_limit_bytes=1,
)


def session(
    name: str,
    *,
    age: int | None = 0,
    events: int = 10,
    resident: int | None = 10,
    records: bool | None = None,
    title: str | None = None,
) -> SessionView:
    key = SessionKey("claude", name)
    record = SessionRecord(
        key=key,
        event_count=events,
        json_bytes=0,
        created_at=NOW,
        updated_at=NOW,
        last_message_at=None if age is None else NOW - age * 1000,
        title=title,
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
    return SessionView(record, resident, 0 if resident is None else 1000, recording)


def status(
    *sessions: SessionView, summary: Summary | None = None, titles: Mapping[str, str] | None = None
) -> StatusSnapshot:
    return snapshot(
        sessions,
        summary=summary or Summary([ProviderSummary("claude", len(sessions), 0, None)], 0, 0),
        process=Process("1", 2, NOW),
        memory=MEMORY,
        recordings_dir="/state/recordings",
        now_ms=NOW,
        heartbeat_at=NOW,
        running=True,
        max_events=8,
        titles=titles,
    )


def names(*sessions: SessionView) -> list[str]:
    return [one.session_id for one in status(*sessions).sessions]


def test_active_recordings_come_first_then_the_most_recent_message_then_the_name() -> None:
    sessions = [
        session("c", age=3),
        session("b", age=1),
        session("a", age=1),
        session("r", age=200, records=True),
    ]
    sessions.append(session("ended", age=2, records=False))
    assert names(*sessions) == ["r", "a", "b", "ended", "c"]


def test_a_session_is_stale_after_five_minutes_without_a_message() -> None:
    sessions = [session("just", age=300), session("over", age=301), session("none", age=None)]
    assert {one.session_id: one.stale for one in status(*sessions).sessions} == {
        "just": False,
        "over": True,
        "none": False,
    }


def test_a_status_holds_as_many_sessions_as_fit_into_an_answer_and_says_how_many_it_lacks() -> None:
    """However long the titles are: the first in the order in which they come."""
    large = (session(f"{number:06d}", age=number, title="\x01" * 4000) for number in range(1000))
    made = status(*large)
    assert 0 < len(made.sessions) < 1000
    assert len(msgspec.json.encode(made)) < limits.PAGE_BYTES_MAX + 4 * limits.KIB
    assert [one.session_id for one in made.sessions] == [f"{n:06d}" for n in range(len(made.sessions))]
    assert made.omitted_sessions == 1000 - len(made.sessions)
    assert status(session("a")).omitted_sessions == 0


def test_a_provider_has_its_title_where_it_is_known() -> None:
    providers = [ProviderSummary("claude", 3, 2, None), ProviderSummary("mine", 1, 0, None)]
    made = status(summary=Summary(providers, 0, 0), titles={"claude": "Claude Code", "codex": "Codex"})
    assert [(one.provider, one.title) for one in made.providers] == [
        ("claude", "Claude Code"),
        ("mine", UNSET),
    ]


def test_a_status_names_the_providers_and_what_is_recorded() -> None:
    providers = [ProviderSummary("claude", 3, 2, NOW), ProviderSummary("codex", 1, 0, None)]
    made = status(summary=Summary(providers, 3, 2))
    assert made.providers == [
        ProviderStatus(provider="claude", active_sessions=2, last_message_at=rfc3339(NOW)),
        ProviderStatus(provider="codex", active_sessions=0),
    ]
    assert made.recordings == RecordingsStatus(3, 2)


def test_an_evicted_session_counts_as_it_would_in_memory() -> None:
    made = status(session("evicted", events=20, resident=None), session("resident", events=20, resident=5))
    counts = {
        one.session_id: (one.resident, one.event_count, one.truncated_events, one.estimated_bytes)
        for one in made.sessions
    }
    assert counts == {"evicted": (False, 8, 12, 0), "resident": (True, 5, 15, 1000)}
    assert made.sessions[0].recording is UNSET
