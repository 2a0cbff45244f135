"""The store as a state machine against a naive list."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.snapshots import SnapshotStore

KEYS = [SessionKey("p", name) for name in "abcd"]
LINES = st.lists(
    st.binary(max_size=400).map(lambda data: data.replace(b"\n", b" "))
    | st.integers(0, 3 * limits.CHUNK_BYTES).map(lambda size: b"z" * size),
    min_size=1,
    max_size=40,
)


class StoreMachine(RuleBasedStateMachine):
    """Every session is a list of all it ever got; the store must hold a contiguous end of it."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = {"budget_bytes": 400_000, "max_sessions": 3, "max_events_per_session": 25}
        self.store = SnapshotStore(**self.bounds)
        self.model: dict[SessionKey, list[bytes]] = {}
        self.order: list[SessionKey] = []
        self.evicted = 0

    def check_evictions(self, evictions: list[object]) -> None:
        for eviction in evictions:
            key = eviction.key  # type: ignore[attr-defined]
            assert key == self.order[0], "the least recently updated goes first"
            self.order.remove(key)
            self.evicted += 1

    @rule(key=st.sampled_from(KEYS), parts=st.lists(LINES, min_size=1, max_size=3))
    def append(self, key: SessionKey, parts: list[list[bytes]]) -> None:
        history = self.model.setdefault(key, [])
        if key in self.order:
            self.order.remove(key)
        self.order.append(key)
        lines = Lines.joined([Lines.of(part) for part in parts])
        self.check_evictions(list(self.store.append(key, lines, first_seq=len(history))))
        history.extend(lines)

    @rule(budget=st.integers(1, 600_000), sessions=st.integers(1, 4), events=st.integers(1, 60))
    def resize(self, budget: int, sessions: int, events: int) -> None:
        self.bounds = {"budget_bytes": budget, "max_sessions": sessions, "max_events_per_session": events}
        self.check_evictions(list(self.store.resize(**self.bounds)))

    @rule(key=st.sampled_from(KEYS))
    def forget(self, key: SessionKey) -> None:
        self.store.forget(key)
        if key in self.order:
            self.order.remove(key)

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 30))
    def load(self, key: SessionKey, count: int) -> None:
        history = self.model.get(key, [])
        if not history:
            return
        newest = history[-count:]
        if key in self.order:
            self.order.remove(key)
        self.order.append(key)
        chunk = b"".join(line + b"\n" for line in newest)
        self.check_evictions(
            list(self.store.load(key, [(chunk, len(newest))], first_seq=len(history) - len(newest)))
        )

    @rule(key=st.sampled_from(KEYS), after=st.integers(0, 130), until=st.integers(0, 130))
    def any_cut_is_that_of_the_history(self, key: SessionKey, after: int, until: int) -> None:
        history = self.model.get(key, [])
        first = len(history) - len(list(self.store.read(key)))
        cut = list(self.store.read(key, after=after, until=until))
        assert cut == list(enumerate(history))[max(first, after) : max(first, until)]
        if after < until and self.store.covers(key, after, until):
            assert [seq for seq, _ in cut] == list(range(after, until))
        elif after < until:
            assert len(cut) < until - after

    @invariant()
    def figures_are_true(self) -> None:
        assert self.store.check() == []
        assert self.store.stats().evictions_total == self.evicted

    @invariant()
    def the_sessions_held_are_those_updated_last(self) -> None:
        assert self.store.keys() == self.order
        assert len(self.order) <= self.bounds["max_sessions"]
        if len(self.order) > 1:
            assert self.store.estimated_bytes <= self.bounds["budget_bytes"]

    @invariant()
    def what_is_held_is_the_end_of_the_history(self) -> None:
        for key in self.order:
            history = self.model[key]
            held = list(self.store.read(key))
            assert [seq for seq, _ in held] == list(range(len(history) - len(held), len(history)))
            assert [line for _, line in held] == history[len(history) - len(held) :]
            assert len(held) <= self.bounds["max_events_per_session"]


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
