"""The snapshot store: what it keeps, what it evicts, and that its figures are true."""

import sys

import pytest

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.snapshots import Eviction, SnapshotStore

A, B, C = (SessionKey("claude", name) for name in "abc")
KB = b"x" * 1000


def make(*, budget: int = 64 * limits.MIB, sessions: int = 200, events: int = 10_000) -> SnapshotStore:
    return SnapshotStore(budget_bytes=budget, max_sessions=sessions, max_events_per_session=events)


def put(store: SnapshotStore, key: SessionKey, *lines: bytes) -> list[Eviction]:
    evictions = store.append(key, Lines.of(lines), first_seq=store.next_seq(key) or 0)
    assert store.check() == []
    return evictions


def lines_of(store: SnapshotStore, key: SessionKey) -> list[tuple[int, bytes]]:
    return list(store.read(key))


def test_what_is_put_in_comes_out_in_order_with_its_numbers() -> None:
    store = make()
    put(store, A, b"one", b"two")
    put(store, A, b"three")
    assert lines_of(store, A) == [(0, b"one"), (1, b"two"), (2, b"three")]
    assert list(store.read(A, after=1, until=2)) == [(1, b"two")]
    assert list(store.read(B)) == []


def test_the_same_session_id_of_two_providers_is_two_sessions() -> None:
    store = make()
    put(store, SessionKey("claude", "same"), b"one")
    put(store, SessionKey("codex", "same"), b"other")
    assert store.stats().session_count == 2


def test_only_the_newest_events_of_a_session_are_kept() -> None:
    store = make(events=3)
    for number in range(10):
        put(store, A, b"%d" % number)
    assert lines_of(store, A) == [(7, b"7"), (8, b"8"), (9, b"9")]
    held = store.held(A)
    assert held is not None
    assert (held.first_seq, held.event_count) == (7, 3)


def test_one_batch_larger_than_the_cap_keeps_its_end() -> None:
    store = make(events=5)
    put(store, A, *(b"%d" % number for number in range(1000)))
    assert [line for _, line in lines_of(store, A)] == [b"995", b"996", b"997", b"998", b"999"]


def test_the_least_recently_updated_session_goes_first() -> None:
    store = make(sessions=2)
    put(store, A, b"a")
    put(store, B, b"b")
    put(store, A, b"a again")
    evicted = put(store, C, b"c")
    assert [(one.key, one.reason) for one in evicted] == [(B, "max_sessions")]
    assert store.keys() == [A, C]


def test_memory_pressure_evicts_until_the_rest_fits() -> None:
    store = make(budget=300_000)
    for name in range(10):
        put(store, SessionKey("p", str(name)), *[KB] * 100)
    stats = store.stats()
    assert stats.estimated_bytes <= 300_000
    assert stats.evictions_by_reason == {"memory_pressure": 8}
    assert stats.evictions_total == 8
    assert stats.bytes_reclaimed_total >= 8 * 100 * 1000
    assert not stats.over_budget


def test_one_session_that_alone_exceeds_the_budget_is_kept_and_reported() -> None:
    store = make(budget=50_000)
    put(store, A, KB)
    evicted = put(store, B, *[KB] * 100)
    assert [one.key for one in evicted] == [A]
    assert store.over_budget
    assert store.stats().over_budget
    assert B in store


def test_lowering_the_bounds_evicts_immediately() -> None:
    store = make()
    for key in (A, B, C):
        put(store, key, *[KB] * 50)
    evicted = store.resize(budget_bytes=64 * limits.MIB, max_sessions=2, max_events_per_session=10)
    assert [(one.key, one.reason) for one in evicted] == [(A, "max_sessions")]
    assert store.stats().event_count == 20
    assert [one.key for one in store.resize(budget_bytes=1, max_sessions=2, max_events_per_session=10)] == [B]
    assert store.over_budget
    assert store.check() == []


def test_a_gap_starts_a_new_snapshot_so_that_it_is_always_contiguous() -> None:
    store = make()
    put(store, A, b"0", b"1")
    store.append(A, Lines.of([b"5"]), first_seq=5)
    assert lines_of(store, A) == [(5, b"5")]
    assert store.check() == []


def test_a_session_is_put_back_from_chunks() -> None:
    store = make(events=4)
    store.load(A, [(b"10\n11\n12\n", 3), (b"13\n14\n", 2)], first_seq=10)
    assert [seq for seq, _ in lines_of(store, A)] == [11, 12, 13, 14]
    put(store, A, b"15")
    assert lines_of(store, A)[-1] == (15, b"15")


def test_the_estimate_is_at_least_the_json_and_not_much_more() -> None:
    store = make()
    lines = [b"x" * 1000] * 5000
    for start in range(0, len(lines), 10):
        store.append(A, Lines.of(lines[start : start + 10]), first_seq=start)
    total = sum(map(len, lines))
    assert total <= store.estimated_bytes <= 1.05 * total


def test_what_is_kept_elsewhere_for_a_session_counts_and_goes_with_it() -> None:
    store = make()
    store.append(A, Lines.of([b"one"]), first_seq=0, extra_bytes=5000)
    store.append(A, Lines.of([b"two"]), first_seq=1, extra_bytes=6000)
    assert store.check() == []
    assert 6000 < store.estimated_bytes < 8000
    store.forget(A)
    assert store.estimated_bytes == 0


def test_chunks_hold_bytes_and_never_objects_of_an_event_each() -> None:
    store = make()
    for seq in range(1000):
        store.append(A, Lines.of([KB]), first_seq=seq)
    session = store._sessions[A]
    assert len(session.chunks) < 50
    assert all(sys.getsizeof(chunk.data) >= 1000 for chunk in session.chunks)


@pytest.mark.parametrize("field", ["count", "cost", "skip"])
def test_check_finds_a_figure_that_is_wrong(field: str) -> None:
    store = make()
    put(store, A, b"one", b"two")
    setattr(store._sessions[A], field, getattr(store._sessions[A], field) + 1)
    assert store.check() != []
