"""The contract of `ports.Ledger`: the journal and the memory ledger answer alike in all that does not outlive the process."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_type_hints

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from builders import START_MS
from journal.keeping import KEY, META, OTHER, pairs, recording
from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.ports import Ledger
from kato.core.records import (
    AppendReceipt,
    Hold,
    LogRecord,
    NoteRecord,
    ProviderSummary,
    Recording,
    SessionMeta,
)
from kato.core.snapshots import SnapshotStore
from kato.storage.journal import Journal
from kato.storage.memory import MemoryLedger

UNKNOWN = SessionKey("claude", "never-seen")
NOTE = NoteRecord("/n/x.md", 1, 2, 3)
HOLD = Hold(
    recording_id="one", path="/n/x.md", owner="me", seq=3, line=1, transcript_state=b"{}", file_bytes=9
)
LOG = LogRecord("/logs/x.jsonl", *KEY, "lines", 10, 11)


class Kept:
    """A ledger as the engine uses it: what was committed goes into the store too, where the memory ledger reads it."""

    def __init__(self, ledger: Ledger, store: SnapshotStore) -> None:
        self.ledger = ledger
        self._store = store
        self._open: list[tuple[SessionKey, Lines, int]] = []

    def append(
        self, numbers: Sequence[int], key: SessionKey = KEY, meta: SessionMeta = META
    ) -> AppendReceipt:
        events = [pairs(1, first=number, key=key)[0] for number in numbers]
        lines = Lines.of(line for _, line in events)
        receipt = self.ledger.append(key, [one for one, _ in events], lines, meta)
        self._open.append((key, lines.chosen(receipt.accepted), receipt.first_seq))
        return receipt

    def commit(self) -> None:
        self.ledger.commit()
        for key, lines, first_seq in self._open:
            self._store.append(key, lines, first_seq=first_seq)
        self._open.clear()

    def put(self, numbers: Sequence[int], key: SessionKey = KEY, meta: SessionMeta = META) -> list[int]:
        receipt = self.append(numbers, key, meta)
        self.commit()
        return list(receipt.accepted)

    def rollback(self) -> None:
        self.ledger.rollback()
        self._open.clear()


def make(kind: str, folder: Path) -> Kept:
    store = SnapshotStore(budget_bytes=1 << 26, max_sessions=100, max_events_per_session=1000)
    if kind == "journal":
        return Kept(Journal.open(folder, now_ms=lambda: START_MS), store)
    return Kept(MemoryLedger(store, max_events_per_session=1000), store)


@pytest.fixture(params=["journal", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    made = make(request.param, tmp_path / "state")
    yield made
    made.ledger.close()


def shown(kept: Kept, *, since_ms: int | None = None, limit: int = 100) -> list[tuple[str, bool | None]]:
    """Names of the sessions that a status shows, with whether their newest recordings are active."""
    found = kept.ledger.status_sessions(since_ms=since_ms, limit=limit)
    return [(one.key.session_id, None if recording is None else recording.active) for one, recording in found]


class TestLedger:
    # --- Events ---------------------------------------------------------------------------------------

    def test_an_id_is_taken_once(self, kept: Kept) -> None:
        assert kept.put([0, 1, 0, 2]) == [0, 1, 3]
        receipt = kept.append([1, 3, 2, 4])
        assert (list(receipt.accepted), receipt.first_seq, receipt.event_count) == ([1, 3], 3, 5)
        kept.commit()
        assert kept.put([0, 1], OTHER) == [0, 1]
        assert [kept.ledger.seq_of(KEY, f"event-{number}") for number in (0, 3, 4, 9)] == [0, 3, 4, None]
        assert kept.ledger.seq_of(UNKNOWN, "event-0") is None

    def test_events_are_read_in_order(self, kept: Kept) -> None:
        kept.put([0, 1, 2])
        kept.put([3, 4, 5])
        lines = [line for _, line in pairs(6)]
        assert list(kept.ledger.read(KEY)) == list(enumerate(lines))
        assert list(kept.ledger.read(KEY, after=2, until=4)) == [(2, lines[2]), (3, lines[3])]
        assert b"".join(piece for _, piece in kept.ledger.read_pieces(KEY, after=1)) == b"".join(
            line + b"\n" for line in lines[1:]
        )
        assert list(kept.ledger.read(UNKNOWN)) == []

    def test_what_is_said_of_a_session_is_kept(self, kept: Kept) -> None:
        kept.put([0], meta=SessionMeta(5, title="T", snippet="first", cwd="/w", last_message_at=50))
        kept.put(
            [1], meta=SessionMeta(3, snippet="second", last_message_at=40, parent_id="p", parent_call_id="c")
        )
        kept.put([], meta=SessionMeta(4, title="T2"))
        record = kept.ledger.session(KEY)
        assert record is not None
        assert (record.title, record.snippet, record.cwd, record.last_message_at) == ("T2", "first", "/w", 50)
        assert (record.event_count, record.created_at, record.updated_at) == (2, 5, 5)
        assert (record.parent_id, record.parent_call_id) == ("p", "c")
        assert record.json_bytes == sum(len(line) for _, line in pairs(2))
        assert kept.ledger.session(UNKNOWN) is None

    def test_sub_agents_are_listed_with_the_session_that_started_them(self, kept: Kept) -> None:
        for moment, name, parent in ((3, "b", "p"), (1, "a", "p"), (2, "other", "q")):
            kept.put([0], SessionKey(KEY.provider, name), SessionMeta(moment, parent_id=parent))
        kept.put([0], SessionKey("codex", "c"), SessionMeta(0, parent_id="p"))
        children = kept.ledger.children(SessionKey(KEY.provider, "p"))
        assert [one.key.session_id for one in children] == ["a", "b"]

    def test_an_id_is_elsewhere_only_in_another_session_of_the_provider(self, kept: Kept) -> None:
        kept.put([0, 1])
        kept.put([2], OTHER)
        fork = SessionKey(KEY.provider, "fork")
        assert kept.ledger.is_elsewhere(fork, "event-1")
        assert not kept.ledger.is_elsewhere(KEY, "event-1")
        assert not kept.ledger.is_elsewhere(fork, "event-2")

    # --- Transactions ---------------------------------------------------------------------------------

    def test_what_was_not_committed_is_undone_together(self, kept: Kept) -> None:
        kept.put([0])
        before = kept.ledger.session(KEY)
        kept.append([1, 2])
        kept.append([0], OTHER)
        assert kept.ledger.claim(KEY, "event-1", 1, "me", 1)
        kept.ledger.put_note(NOTE)
        kept.rollback()
        assert kept.ledger.session(KEY) == before
        assert kept.ledger.session(OTHER) is None
        assert kept.ledger.note(NOTE.path) is None
        assert list(kept.ledger.unfinished_claims()) == []
        assert kept.put([1, 2]) == [0, 1], "they are new all the same"
        assert kept.ledger.claim(KEY, "event-1", 1, "me", 1)

    def test_what_is_appended_in_an_exclusive_block_is_kept_with_it(self, kept: Kept) -> None:
        kept.put([0])
        with kept.ledger.exclusive():
            assert list(kept.append([0, 1, 2]).accepted) == [1, 2]
            record = kept.ledger.session(KEY)
            assert record is not None
            assert record.event_count == 3
            kept.ledger.put_recording(recording())
            kept.append([3])  # the last thing in it
        kept.commit()
        kept.rollback()
        assert list(kept.ledger.read(KEY)) == list(enumerate(line for _, line in pairs(4)))
        assert kept.ledger.recording(KEY) == recording()
        assert kept.put([1, 3, 4]) == [2]
        if isinstance(kept.ledger, Journal):
            assert kept.ledger.check().problems == []

    def test_what_fails_in_an_exclusive_block_is_undone(self, kept: Kept) -> None:
        kept.put([0])
        kept.append([1])
        with pytest.raises(RuntimeError), kept.ledger.exclusive():
            kept.append([2])
            kept.ledger.set_destination(KEY, "/n/x.md")
            with kept.ledger.exclusive():
                kept.ledger.put_note(NOTE)
                kept.ledger.put_recording(recording())
            assert kept.ledger.claim(KEY, "event-0", 1, "me", 0)
            raise RuntimeError
        record = kept.ledger.session(KEY)
        assert record is not None
        assert (record.event_count, record.destination) == (2, None), "what was open before is committed"
        assert kept.ledger.note(NOTE.path) is None
        assert kept.ledger.recording(KEY) is None
        assert list(kept.ledger.unfinished_claims()) == []

    def test_a_log_record_is_committed_with_the_events_that_were_read_from_the_log(self, kept: Kept) -> None:
        kept.append([0])
        kept.ledger.put_log(LOG)
        kept.rollback()
        assert kept.ledger.session(KEY) is None
        assert kept.ledger.log(LOG.path) is None, "without its events, the log counts as unread"
        kept.append([0])
        kept.ledger.put_log(LOG)
        kept.commit()
        kept.rollback()
        record = kept.ledger.session(KEY)
        assert record is not None
        assert record.event_count == 1
        assert kept.ledger.log(LOG.path) == LOG
        assert kept.ledger.log("/logs/y.jsonl") is None
        kept.ledger.put_log(replace(LOG, path="/logs/y.db", variant="rows"))
        kept.ledger.put_log(replace(LOG, size=20))
        kept.commit()
        assert sorted(kept.ledger.variants(KEY)) == ["lines", "rows"]
        assert kept.ledger.log(LOG.path) == replace(LOG, size=20)

    # --- Commands -------------------------------------------------------------------------------------

    def test_a_command_is_claimed_once_and_listed_until_it_is_finished(self, kept: Kept) -> None:
        kept.put([0, 1, 2])
        claims = [("event-2", 1, 2), ("event-1", 4, 1), ("event-1", 2, 1)]
        assert all(kept.ledger.claim(KEY, event_id, line, "me", seq) for event_id, line, seq in claims)
        assert not kept.ledger.claim(KEY, "event-1", 2, "other", 1)
        assert not kept.ledger.claim(UNKNOWN, "event-1", 2, "me", 1)

        def listed(key: SessionKey | None) -> list[tuple[str, int, str, int]]:
            return [
                (one.event_id, one.line, one.owner, one.seq) for one in kept.ledger.unfinished_claims(key)
            ]

        expected = [("event-1", 2, "me", 1), ("event-1", 4, "me", 1), ("event-2", 1, "me", 2)]
        assert listed(None) == listed(KEY) == expected
        assert listed(OTHER) == []
        kept.ledger.finish_claim(KEY, "event-1", 2)
        kept.ledger.finish_claim(KEY, "event-1", 3)
        assert listed(KEY) == expected[1:]
        assert not kept.ledger.claim(KEY, "event-1", 2, "me", 1)

    def test_a_claim_is_taken_over_from_the_owner_it_has(self, kept: Kept) -> None:
        kept.put([0])
        kept.ledger.claim(KEY, "event-0", 1, "gone", 0)
        (claim,) = kept.ledger.unfinished_claims()
        assert kept.ledger.take_over_claim(claim, "me")
        assert not kept.ledger.take_over_claim(claim, "other")
        (claim,) = kept.ledger.unfinished_claims()
        assert claim.owner == "me"
        kept.ledger.finish_claim(KEY, "event-0", 1)
        assert not kept.ledger.take_over_claim(claim, "other")

    # --- Status ---------------------------------------------------------------------------------------

    def test_the_newest_sessions_are_shown_first_and_no_more_than_asked_for(self, kept: Kept) -> None:
        for number in (-2, 1, 0, 2, -1):
            kept.put([0], SessionKey("p", f"s{number}"), SessionMeta(START_MS, last_message_at=number * 10))
        kept.put([0], SessionKey("p", "silent"), SessionMeta(15))
        names = ["s2", "silent", "s1", "s0", "s-1", "s-2"]
        assert shown(kept) == [(name, None) for name in names]
        assert shown(kept, limit=2) == [("s2", None), ("silent", None)]
        assert shown(kept, since_ms=10) == [(name, None) for name in names[:3]]
        assert shown(kept, limit=0) == []

    def test_sessions_that_record_are_shown_before_newer_ones_that_do_not(self, kept: Kept) -> None:
        keys = [SessionKey("p", f"s{number}") for number in range(5)]
        for number, key in enumerate(keys):
            kept.put([0], key, SessionMeta(START_MS, last_message_at=number * 10))
        for number, active in ((0, True), (1, True), (3, False)):
            kept.ledger.put_recording(recording(keys[number], name=f"r{number}", active=active))
        assert shown(kept) == [("s1", True), ("s0", True), ("s4", None), ("s3", False), ("s2", None)]
        assert shown(kept, limit=3) == [("s1", True), ("s0", True), ("s4", None)]
        assert shown(kept, limit=1) == [("s1", True)]
        assert shown(kept, since_ms=10)[:1] == [("s1", True)]
        assert ("s0", True) not in shown(kept, since_ms=10)

    def test_providers_and_recordings_are_counted(self, kept: Kept) -> None:
        for number in range(4):
            kept.put([0], SessionKey("p", f"s{number}"), SessionMeta(START_MS, last_message_at=number * 10))
        kept.put([0], SessionKey("q", "old"), SessionMeta(START_MS, last_message_at=5))
        kept.put([0], SessionKey("r", "silent"), SessionMeta(100))
        for number, path in ((0, "/n/x.md"), (1, "/n/x.md"), (2, "/n/y.md")):
            one = recording(SessionKey("p", f"s{number}"), name=f"r{number}")
            kept.ledger.put_recording(replace(one, output_path=path))
        every = kept.ledger.summary(since_ms=None, fresh_ms=20)
        assert every.providers == [
            ProviderSummary("p", 4, 2, 30),
            ProviderSummary("q", 1, 0, 5),
            ProviderSummary("r", 1, 1, None),
        ]
        assert (every.active_recordings, every.destinations) == (3, 2)
        fresh = kept.ledger.summary(since_ms=20, fresh_ms=20)
        assert fresh.providers == [ProviderSummary("p", 2, 2, 30), ProviderSummary("r", 1, 1, None)]

    def test_counts_follow_each_change(self, kept: Kept) -> None:
        for number in range(10):
            kept.put([0], SessionKey("p", f"s{number}"))
            assert kept.ledger.summary(since_ms=None, fresh_ms=0).providers[0].sessions == number + 1

    # --- Recordings, destinations, notes --------------------------------------------------------------

    def test_the_newest_recording_of_a_session_counts_and_one_is_active(self, kept: Kept) -> None:
        kept.put([0])
        kept.put([0], OTHER)
        first, second = recording(name="first"), recording(name="second")
        for one in (first, recording(OTHER, name="third"), second):
            kept.ledger.put_recording(one)
        assert kept.ledger.recording(KEY) == second
        assert names(kept.ledger.active_recordings()) == ["second", "third"]
        kept.ledger.put_recording(replace(second, active=False))
        assert names(kept.ledger.active_recordings()) == ["third"]
        assert kept.ledger.recording(KEY) == replace(second, active=False)
        assert kept.ledger.recording(UNKNOWN) is None

    def test_recordings_that_lack_events_are_found(self, kept: Kept) -> None:
        kept.put([*range(10)])
        kept.put([0], OTHER)
        kept.ledger.put_recording(replace(recording(name="owed", active=False), end_seq=5, end_line=1))
        kept.ledger.put_recording(replace(recording(name="behind"), seq=4))
        kept.ledger.put_recording(replace(recording(OTHER, name="whole"), seq=1))
        assert [one.recording_id for one in kept.ledger.open_recordings(KEY)] == ["owed", "behind"]
        assert kept.ledger.open_recordings(UNKNOWN) == []
        assert kept.ledger.sessions_behind() == [KEY]

    def test_the_recordings_of_all_sessions_to_a_file_are_found(self, kept: Kept) -> None:
        kept.put([0])
        kept.put([0], OTHER)
        kept.ledger.put_recording(replace(recording(name="owed", active=False), end_seq=5))
        kept.ledger.put_recording(recording(OTHER, name="active"))
        kept.ledger.put_recording(replace(recording(name="elsewhere"), output_path="/n/y.md"))
        assert names(kept.ledger.recordings_to(recording().output_path)) == ["active", "owed"]
        kept.ledger.put_recording(recording(OTHER, name="active", active=False))
        assert names(kept.ledger.recordings_to(recording().output_path)) == ["owed"]
        assert kept.ledger.recordings_to("/n/z.md") == []

    def test_what_belongs_to_no_session_is_refused(self, kept: Kept) -> None:
        with pytest.raises(UnknownSession):
            kept.ledger.set_destination(UNKNOWN, "/n/x.md")
        with pytest.raises(UnknownSession):
            kept.ledger.put_recording(recording(UNKNOWN))
        assert kept.ledger.active_recordings() == []

    def test_destinations_and_notes_are_remembered(self, kept: Kept) -> None:
        kept.put([0])
        kept.ledger.set_destination(KEY, "/n/x.md")
        kept.put([1])
        record = kept.ledger.session(KEY)
        assert record is not None
        assert record.destination == "/n/x.md"
        kept.ledger.set_destination(KEY, None)
        record = kept.ledger.session(KEY)
        assert record is not None
        assert record.destination is None
        kept.ledger.put_note(NOTE)
        assert kept.ledger.note(NOTE.path) == NOTE
        written = replace(NOTE, file_bytes=9, mtime_ns=1 << 60, device=(1 << 63) - 1, key=KEY, look=b"look")
        kept.ledger.put_note(written)
        assert kept.ledger.note(NOTE.path) == written
        assert kept.ledger.note("/n/y.md") is None
        assert kept.ledger.note_paths() == [NOTE.path]

    def test_recordings_are_found_by_their_id_and_by_their_note(self, kept: Kept) -> None:
        kept.put([0])
        kept.put([0], OTHER)
        one, two = recording(name="one"), recording(OTHER, name="two")
        for each in (one, two):
            kept.ledger.put_recording(each)
        assert kept.ledger.recording_by_id("two") == two
        assert kept.ledger.recording_by_id("never") is None
        assert one.output_path == two.output_path
        assert names(kept.ledger.open_recordings_at(one.output_path)) == ["one", "two"]
        kept.ledger.put_recording(replace(one, active=False))
        assert names(kept.ledger.open_recordings_at(one.output_path)) == ["two"]
        assert kept.ledger.open_recordings_at("/n/other.md") == []

    def test_holds_are_kept_one_a_recording_and_undone_with_what_failed(self, kept: Kept) -> None:
        assert kept.ledger.holds() == []
        kept.ledger.put_hold(HOLD)
        kept.ledger.put_hold(replace(HOLD, owner="other"))
        kept.ledger.put_hold(replace(HOLD, recording_id="second", path="/n/y.md"))
        assert kept.ledger.holds("/n/x.md") == [replace(HOLD, owner="other")]
        assert len(kept.ledger.holds()) == 2
        with pytest.raises(RuntimeError), kept.ledger.exclusive():
            kept.ledger.remove_hold(HOLD.recording_id)
            kept.ledger.put_hold(replace(HOLD, recording_id="third"))
            raise RuntimeError
        kept.rollback()
        assert [one.recording_id for one in kept.ledger.holds("/n/x.md")] == [HOLD.recording_id]
        kept.ledger.remove_hold(HOLD.recording_id)
        kept.ledger.remove_hold("never")
        assert kept.ledger.holds("/n/x.md") == []

    @pytest.mark.parametrize(
        ("old", "new", "found"),
        [
            ("/n/x.md", "/m/y.md", "/m/y.md"),
            ("/n", "/m%_", "/m%_/x.md"),
            ("/n/x", "/m", "/n/x.md"),
            ("/n/x.m", "/m", "/n/x.md"),
            ("/%", "/m", "/n/x.md"),
            ("/n/_.md", "/m", "/n/x.md"),
        ],
    )
    def test_everything_about_a_note_moves_with_it(self, kept: Kept, old: str, new: str, found: str) -> None:
        kept.put([0])
        kept.ledger.put_recording(recording(name="one"))
        kept.ledger.set_destination(KEY, "/n/x.md")
        kept.ledger.put_note(NOTE)
        kept.ledger.put_hold(HOLD)
        assert kept.ledger.move_notes(old, new) == (4 if found != "/n/x.md" else 0)
        record, moved = kept.ledger.session(KEY), kept.ledger.recording(KEY)
        assert record is not None
        assert moved is not None
        assert record.destination == found
        assert moved.output_path == found
        assert kept.ledger.note(found) == replace(NOTE, path=found)
        assert kept.ledger.holds(found) == [replace(HOLD, path=found)]
        assert found == "/n/x.md" or kept.ledger.note("/n/x.md") is None

    def test_nothing_was_removed_where_nobody_did(self, kept: Kept) -> None:
        kept.put([0])
        assert list(kept.ledger.newly_removed()) == []
        assert kept.ledger.removed_until(KEY) is None

    def test_upkeep_changes_nothing(self, kept: Kept) -> None:
        kept.put([0])
        before = kept.ledger.session(KEY)
        kept.ledger.sync()
        kept.ledger.stats()
        kept.ledger.extra_bytes(KEY)
        assert kept.ledger.session(KEY) == before

    def test_every_method_of_the_contract_is_called_here(self) -> None:
        text = Path(__file__).read_text()
        methods = [name for name in vars(Ledger) if not name.startswith("_")]
        assert [name for name in methods if f"ledger.{name}" not in text and name not in DIFFERENT] == []
        assert get_type_hints(Ledger.append)["return"] is AppendReceipt


#: What differs on purpose: whether it outlives the process, what memory does not hold, and what eviction means.
DIFFERENT = {"durable", "read_newest", "evicted"}


def names(recordings: Sequence[Recording]) -> list[str]:
    return sorted(one.recording_id for one in recordings)


STEP = st.tuples(
    st.sampled_from(["append", "commit", "rollback", "exclusive", "failing", "claim", "record", "log"]),
    st.sampled_from([KEY, OTHER]),
    st.lists(st.integers(0, 12), max_size=6),
)


@given(st.lists(STEP, max_size=25))
@settings(max_examples=80, deadline=None)
def test_both_answer_alike_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, SessionKey, list[int]]]
) -> None:
    both = [make(kind, tmp_path_factory.mktemp("ledgers")) for kind in ("journal", "memory")]
    for step in steps:
        one, other = (outcome(kept, *step) for kept in both)
        assert one == other
    for kept in both:
        kept.rollback()
    one, other = (seen(kept) for kept in both)
    assert one == other
    for kept in both:
        kept.ledger.close()


def outcome(kept: Kept, what: str, key: SessionKey, numbers: list[int]) -> object:
    try:
        return do(kept, what, key, numbers)
    except UnknownSession as error:
        return error.message


def do(kept: Kept, what: str, key: SessionKey, numbers: list[int]) -> object:
    ledger = kept.ledger
    if what == "append":
        receipt = kept.append(numbers, key)
        return list(receipt.accepted), receipt.first_seq, receipt.event_count
    if what == "claim":
        return [ledger.claim(key, f"event-{number}", 1, "me", number) for number in numbers]
    if what == "rollback":
        kept.rollback()
    elif what == "record":
        ledger.put_recording(replace(recording(key, name=f"r-{key.provider}"), seq=len(numbers)))
    elif what == "log":
        ledger.put_log(replace(LOG, size=len(numbers)))
    else:
        kept.commit()
        if what in ("exclusive", "failing"):
            work_alone(kept, key, numbers, fails=what == "failing")
    return None


def work_alone(kept: Kept, key: SessionKey, numbers: list[int], *, fails: bool) -> None:
    try:
        with kept.ledger.exclusive():
            kept.append(numbers[:2], key)
            kept.ledger.set_destination(key, f"/n/{len(numbers)}.md")
            kept.append(numbers[2:], key)
            if fails:
                raise RuntimeError
        kept.commit()
    except RuntimeError:
        kept.rollback()


def seen(kept: Kept) -> object:
    ledger = kept.ledger
    return [
        (
            ledger.session(key),
            [line for _, line in ledger.read(key)],
            [ledger.seq_of(key, f"event-{number}") for number in range(13)],
            ledger.recording(key),
            ledger.log(LOG.path),
        )
        for key in (KEY, OTHER)
    ]
