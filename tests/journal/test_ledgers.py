"""The contract of `ports.Ledger`: the journal and the memory ledger behave the same while the process runs. Where they differ
on purpose, a test states both behaviours.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import START_MS
from journal import ledgers
from journal.keeping import KEY, META, OTHER, pairs, recording
from journal.ledgers import KINDS, Storage, make
from kato.core import limits
from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.ports import Ledger
from kato.core.records import Gap, Hold, LogRecord, NoteRecord, ProviderSummary, Recording, SessionMeta
from kato.storage.journal import Journal
from kato.storage.memory import ID_BYTES

UNKNOWN = SessionKey("claude", "never-seen")
NOTE = NoteRecord("/n/x.md", 1, 2, 3)
HOLD = Hold(
    recording_id="one", path="/n/x.md", owner="me", seq=3, line=1, transcript_state=b"{}", file_bytes=9
)
LOG = LogRecord("/logs/x.jsonl", *KEY, "lines", 10, 11)


@pytest.fixture(params=KINDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    made = make(request.param, tmp_path / "state")
    yield made
    made.ledger.close()


def shown(
    storage: Storage, *, since_ms: int | None = None, limit: int = 100
) -> list[tuple[str, bool | None]]:
    """The names of the sessions in a status, each with whether its newest recording is active (None if it has none)."""
    found = storage.ledger.status_sessions(since_ms=since_ms, limit=limit)
    return [
        (record.key.session_id, None if recording is None else recording.active)
        for record, recording in found
    ]


def names(recordings: Sequence[Recording]) -> list[str]:
    return sorted(one.recording_id for one in recordings)


class TestLedger:
    # --- Events ---------------------------------------------------------------------------------------

    def test_a_session_accepts_an_event_id_once(self, storage: Storage) -> None:
        assert storage.put([0, 1, 0, 2]) == [0, 1, 3]
        receipt = storage.append([1, 3, 2, 4])
        assert (list(receipt.accepted), receipt.first_seq, receipt.event_count) == ([1, 3], 3, 5)
        storage.commit()
        assert storage.put([0, 1], OTHER) == [0, 1]
        assert [storage.ledger.seq_of(KEY, f"event-{number}") for number in (0, 3, 4, 9)] == [0, 3, 4, None]
        assert storage.ledger.seq_of(UNKNOWN, "event-0") is None

    def test_events_are_read_in_order(self, storage: Storage) -> None:
        storage.put([0, 1, 2])
        storage.put([3, 4, 5])
        lines = [line for _, line in pairs(6)]
        assert list(storage.ledger.read(KEY)) == list(enumerate(lines))
        assert list(storage.ledger.read(KEY, after=2, until=4)) == [(2, lines[2]), (3, lines[3])]
        assert b"".join(piece for _, piece in storage.ledger.read_pieces(KEY, after=1)) == b"".join(
            line + b"\n" for line in lines[1:]
        )
        assert list(storage.ledger.read(UNKNOWN)) == []

    def test_appends_change_the_metadata_of_their_session(self, storage: Storage) -> None:
        storage.put([0], meta=SessionMeta(5, title="T", snippet="first", cwd="/w", last_message_at=50))
        storage.put(
            [1],
            meta=SessionMeta(
                3, snippet="second", last_message_at=40, parent_id="p", parent_call_id="c", branch="fix/it"
            ),
        )
        storage.put([], meta=SessionMeta(4, title="T2"))
        record = storage.ledger.session(KEY)
        assert record is not None
        assert (record.title, record.snippet, record.cwd, record.last_message_at) == ("T2", "first", "/w", 50)
        assert (record.event_count, record.created_at, record.updated_at) == (2, 5, 5)
        assert (record.parent_id, record.parent_call_id, record.branch) == ("p", "c", "fix/it")
        assert record.json_bytes == sum(len(line) for _, line in pairs(2))
        assert storage.ledger.session(UNKNOWN) is None

    def test_children_are_the_sessions_of_sub_agents_the_oldest_first(self, storage: Storage) -> None:
        for moment, name, parent in ((3, "b", "p"), (1, "a", "p"), (2, "other", "q")):
            storage.put([0], SessionKey(KEY.provider, name), SessionMeta(moment, parent_id=parent))
        storage.put([0], SessionKey("codex", "c"), SessionMeta(0, parent_id="p"))
        children = storage.ledger.children(SessionKey(KEY.provider, "p"))
        assert [one.key.session_id for one in children] == ["a", "b"]

    def test_the_folder_of_a_session_is_known_exactly(self, storage: Storage) -> None:
        storage.put([0], SessionKey(KEY.provider, "a"), SessionMeta(1, cwd="/w/a"))
        asked = ("/w/a", "/w", "/w/a/b", "/w/A")
        assert [storage.ledger.is_session_folder(folder) for folder in asked] == [True, False, False, False]

    def test_an_id_is_elsewhere_only_in_another_session_of_the_provider(self, storage: Storage) -> None:
        storage.put([0, 1])
        storage.put([2], OTHER)
        fork = SessionKey(KEY.provider, "fork")
        assert storage.ledger.is_elsewhere(fork, "event-1")
        assert not storage.ledger.is_elsewhere(KEY, "event-1")
        assert not storage.ledger.is_elsewhere(fork, "event-2")

    # --- Transactions ---------------------------------------------------------------------------------

    def test_rollback_undoes_everything_since_the_last_commit(self, storage: Storage) -> None:
        storage.put([0])
        before = storage.ledger.session(KEY)
        storage.append([1, 2])
        storage.append([0], OTHER)
        assert storage.ledger.claim(KEY, "event-1", 1, "me", 1)
        storage.ledger.put_note(NOTE)
        storage.rollback()
        assert storage.ledger.session(KEY) == before
        assert storage.ledger.session(OTHER) is None
        assert storage.ledger.note(NOTE.path) is None
        assert list(storage.ledger.unfinished_claims()) == []
        assert storage.put([1, 2]) == [0, 1], "a rolled-back event is new"
        assert storage.ledger.claim(KEY, "event-1", 1, "me", 1)

    def test_an_exclusive_block_commits_its_appends(self, storage: Storage) -> None:
        storage.put([0])
        with storage.ledger.exclusive():
            assert list(storage.append([0, 1, 2]).accepted) == [1, 2]
            record = storage.ledger.session(KEY)
            assert record is not None
            assert record.event_count == 3
            storage.ledger.put_recording(recording())
            storage.append([3])  # the last thing in it
        storage.commit()
        storage.rollback()
        assert list(storage.ledger.read(KEY)) == list(enumerate(line for _, line in pairs(4)))
        assert storage.ledger.recording(KEY) == recording()
        assert storage.put([1, 3, 4]) == [2]
        if isinstance(storage.ledger, Journal):
            assert storage.ledger.check().problems == []

    def test_an_exclusive_block_that_fails_is_rolled_back(self, storage: Storage) -> None:
        storage.put([0])
        storage.append([1])
        with pytest.raises(RuntimeError), storage.ledger.exclusive():
            storage.append([2])
            storage.ledger.set_destination(KEY, "/n/x.md")
            with storage.ledger.exclusive():
                storage.ledger.put_note(NOTE)
                storage.ledger.put_recording(recording())
            assert storage.ledger.claim(KEY, "event-0", 1, "me", 0)
            raise RuntimeError
        record = storage.ledger.session(KEY)
        assert record is not None
        assert (record.event_count, record.destination) == (2, None), (
            "the group before the block is committed"
        )
        assert storage.ledger.note(NOTE.path) is None
        assert storage.ledger.recording(KEY) is None
        assert list(storage.ledger.unfinished_claims()) == []

    def test_a_log_record_is_committed_with_the_events_that_were_read_from_the_log(
        self, storage: Storage
    ) -> None:
        storage.append([0])
        storage.ledger.put_log(LOG)
        storage.rollback()
        assert storage.ledger.session(KEY) is None
        assert storage.ledger.log(LOG.path) is None, "without its events, the log counts as unread"
        storage.append([0])
        storage.ledger.put_log(LOG)
        storage.commit()
        storage.rollback()
        record = storage.ledger.session(KEY)
        assert record is not None
        assert record.event_count == 1
        assert storage.ledger.log(LOG.path) == LOG
        assert storage.ledger.log("/logs/y.jsonl") is None
        storage.ledger.put_log(replace(LOG, path="/logs/y.db", variant="rows"))
        storage.ledger.put_log(replace(LOG, size=20))
        storage.commit()
        assert sorted(storage.ledger.variants(KEY)) == ["lines", "rows"]
        assert storage.ledger.log(LOG.path) == replace(LOG, size=20)

    def test_a_command_is_claimed_once_and_listed_until_it_is_finished(self, storage: Storage) -> None:
        storage.put([0, 1, 2])
        claims = [("event-2", 1, 2), ("event-1", 4, 1), ("event-1", 2, 1)]
        assert all(storage.ledger.claim(KEY, event_id, line, "me", seq) for event_id, line, seq in claims)
        assert not storage.ledger.claim(KEY, "event-1", 2, "other", 1)
        assert not storage.ledger.claim(UNKNOWN, "event-1", 2, "me", 1)

        def listed(key: SessionKey | None) -> list[tuple[str, int, str, int]]:
            return [
                (one.event_id, one.line, one.owner, one.seq) for one in storage.ledger.unfinished_claims(key)
            ]

        expected = [("event-1", 2, "me", 1), ("event-1", 4, "me", 1), ("event-2", 1, "me", 2)]
        assert listed(None) == listed(KEY) == expected
        assert listed(OTHER) == []
        storage.ledger.finish_claim(KEY, "event-1", 2)
        storage.ledger.finish_claim(KEY, "event-1", 3)
        assert listed(KEY) == expected[1:]
        assert not storage.ledger.claim(KEY, "event-1", 2, "me", 1)

    def test_a_claim_is_taken_over_from_the_owner_it_has(self, storage: Storage) -> None:
        storage.put([0])
        storage.ledger.claim(KEY, "event-0", 1, "gone", 0)
        (claim,) = storage.ledger.unfinished_claims()
        assert storage.ledger.take_over_claim(claim, "me")
        assert not storage.ledger.take_over_claim(claim, "other")
        (claim,) = storage.ledger.unfinished_claims()
        assert claim.owner == "me"
        storage.ledger.finish_claim(KEY, "event-0", 1)
        assert not storage.ledger.take_over_claim(claim, "other")

    # --- Status ---------------------------------------------------------------------------------------

    def test_a_status_shows_the_newest_sessions_up_to_the_limit(self, storage: Storage) -> None:
        for number in (-2, 1, 0, 2, -1):
            storage.put(
                [0], SessionKey("p", f"s{number}"), SessionMeta(START_MS, last_message_at=number * 10)
            )
        storage.put([0], SessionKey("p", "silent"), SessionMeta(15))
        names = ["s2", "silent", "s1", "s0", "s-1", "s-2"]
        assert shown(storage) == [(name, None) for name in names]
        assert shown(storage, limit=2) == [("s2", None), ("silent", None)]
        assert shown(storage, since_ms=10) == [(name, None) for name in names[:3]]
        assert shown(storage, limit=0) == []

    def test_a_status_shows_sessions_with_an_active_recording_first(self, storage: Storage) -> None:
        keys = [SessionKey("p", f"s{number}") for number in range(5)]
        for number, key in enumerate(keys):
            storage.put([0], key, SessionMeta(START_MS, last_message_at=number * 10))
        for number, active in ((0, True), (1, True), (3, False)):
            storage.ledger.put_recording(recording(keys[number], name=f"r{number}", active=active))
        assert shown(storage) == [("s1", True), ("s0", True), ("s4", None), ("s3", False), ("s2", None)]
        assert shown(storage, limit=3) == [("s1", True), ("s0", True), ("s4", None)]
        assert shown(storage, limit=1) == [("s1", True)]
        assert shown(storage, since_ms=10)[:1] == [("s1", True)]
        assert ("s0", True) not in shown(storage, since_ms=10)

    def test_a_summary_counts_sessions_per_provider_and_recordings(self, storage: Storage) -> None:
        for number in range(4):
            storage.put(
                [0], SessionKey("p", f"s{number}"), SessionMeta(START_MS, last_message_at=number * 10)
            )
        storage.put([0], SessionKey("q", "old"), SessionMeta(START_MS, last_message_at=5))
        storage.put([0], SessionKey("r", "silent"), SessionMeta(100))
        for number, path in ((0, "/n/x.md"), (1, "/n/x.md"), (2, "/n/y.md")):
            one = recording(SessionKey("p", f"s{number}"), name=f"r{number}")
            storage.ledger.put_recording(replace(one, output_path=path))
        every = storage.ledger.summary(since_ms=None, fresh_ms=20)
        assert every.providers == [
            ProviderSummary("p", 4, 2, 30),
            ProviderSummary("q", 1, 0, 5),
            ProviderSummary("r", 1, 1, None),
        ]
        assert (every.active_recordings, every.destinations) == (3, 2)
        fresh = storage.ledger.summary(since_ms=20, fresh_ms=20)
        assert fresh.providers == [ProviderSummary("p", 2, 2, 30), ProviderSummary("r", 1, 1, None)]

    def test_a_summary_counts_a_new_session_immediately(self, storage: Storage) -> None:
        for number in range(10):
            storage.put([0], SessionKey("p", f"s{number}"))
            assert storage.ledger.summary(since_ms=None, fresh_ms=0).providers[0].sessions == number + 1

    # --- Recordings, destinations, notes --------------------------------------------------------------

    def test_a_new_active_recording_ends_the_previous_one_of_its_session(self, storage: Storage) -> None:
        storage.put([0])
        storage.put([0], OTHER)
        first, second = recording(name="first"), recording(name="second")
        for one in (first, recording(OTHER, name="third"), second):
            storage.ledger.put_recording(one)
        assert storage.ledger.recording(KEY) == second
        assert names(storage.ledger.active_recordings()) == ["second", "third"]
        storage.ledger.put_recording(replace(second, active=False))
        assert names(storage.ledger.active_recordings()) == ["third"]
        assert storage.ledger.recording(KEY) == replace(second, active=False)
        assert storage.ledger.recording(UNKNOWN) is None

    def test_sessions_behind_are_those_whose_notes_lack_events(self, storage: Storage) -> None:
        storage.put([*range(10)])
        storage.put([0], OTHER)
        storage.ledger.put_recording(replace(recording(name="owed", active=False), end_seq=5, end_line=1))
        storage.ledger.put_recording(replace(recording(name="behind"), seq=4))
        storage.ledger.put_recording(replace(recording(OTHER, name="whole"), seq=1))
        assert [one.recording_id for one in storage.ledger.open_recordings(KEY)] == ["owed", "behind"]
        assert storage.ledger.open_recordings(UNKNOWN) == []
        assert storage.ledger.sessions_behind() == [KEY]

    def test_open_recordings_at_a_note_are_those_of_all_sessions(self, storage: Storage) -> None:
        storage.put([0])
        storage.put([0], OTHER)
        storage.ledger.put_recording(replace(recording(name="owed", active=False), end_seq=5))
        storage.ledger.put_recording(recording(OTHER, name="active"))
        storage.ledger.put_recording(replace(recording(name="elsewhere"), output_path="/n/y.md"))
        assert names(storage.ledger.open_recordings_at(recording().output_path)) == ["active", "owed"]
        storage.ledger.put_recording(recording(OTHER, name="active", active=False))
        assert names(storage.ledger.open_recordings_at(recording().output_path)) == ["owed"]
        assert storage.ledger.open_recordings_at("/n/z.md") == []

    def test_an_unknown_session_is_refused(self, storage: Storage) -> None:
        with pytest.raises(UnknownSession):
            storage.ledger.set_destination(UNKNOWN, "/n/x.md")
        with pytest.raises(UnknownSession):
            storage.ledger.put_recording(recording(UNKNOWN))
        assert storage.ledger.active_recordings() == []

    def test_destinations_and_notes_are_stored(self, storage: Storage) -> None:
        storage.put([0])
        storage.ledger.set_destination(KEY, "/n/x.md")
        storage.put([1])
        record = storage.ledger.session(KEY)
        assert record is not None
        assert record.destination == "/n/x.md"
        storage.ledger.set_destination(KEY, None)
        record = storage.ledger.session(KEY)
        assert record is not None
        assert record.destination is None
        storage.ledger.put_note(NOTE)
        assert storage.ledger.note(NOTE.path) == NOTE
        written = replace(NOTE, file_bytes=9, mtime_ns=1 << 60, device=(1 << 63) - 1, key=KEY, look=b"look")
        storage.ledger.put_note(written)
        assert storage.ledger.note(NOTE.path) == written
        assert storage.ledger.note("/n/y.md") is None
        assert storage.ledger.note_paths() == [NOTE.path]

    def test_a_recording_is_found_by_its_id_and_while_open_by_its_note(self, storage: Storage) -> None:
        storage.put([0])
        storage.put([0], OTHER)
        one, two = recording(name="one"), recording(OTHER, name="two")
        for each in (one, two):
            storage.ledger.put_recording(each)
        assert storage.ledger.recording_by_id("two") == two
        assert storage.ledger.recording_by_id("never") is None
        assert one.output_path == two.output_path
        assert names(storage.ledger.open_recordings_at(one.output_path)) == ["one", "two"]
        storage.ledger.put_recording(replace(one, active=False))
        assert names(storage.ledger.open_recordings_at(one.output_path)) == ["two"]
        assert storage.ledger.open_recordings_at("/n/other.md") == []

    def test_a_recording_has_one_hold_which_a_rollback_restores(self, storage: Storage) -> None:
        assert storage.ledger.holds() == []
        storage.ledger.put_hold(HOLD)
        storage.ledger.put_hold(replace(HOLD, owner="other"))
        storage.ledger.put_hold(replace(HOLD, recording_id="second", path="/n/y.md"))
        assert storage.ledger.holds("/n/x.md") == [replace(HOLD, owner="other")]
        assert len(storage.ledger.holds()) == 2
        with pytest.raises(RuntimeError), storage.ledger.exclusive():
            storage.ledger.remove_hold(HOLD.recording_id)
            storage.ledger.put_hold(replace(HOLD, recording_id="third"))
            raise RuntimeError
        storage.rollback()
        assert [one.recording_id for one in storage.ledger.holds("/n/x.md")] == [HOLD.recording_id]
        storage.ledger.remove_hold(HOLD.recording_id)
        storage.ledger.remove_hold("never")
        assert storage.ledger.holds("/n/x.md") == []

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
    def test_moving_a_note_changes_every_entry_with_its_path(
        self, storage: Storage, old: str, new: str, found: str
    ) -> None:
        storage.put([0])
        storage.ledger.put_recording(recording(name="one"))
        storage.ledger.set_destination(KEY, "/n/x.md")
        storage.ledger.put_note(NOTE)
        storage.ledger.put_hold(HOLD)
        assert storage.ledger.move_notes(old, new) == (4 if found != "/n/x.md" else 0)
        record, moved = storage.ledger.session(KEY), storage.ledger.recording(KEY)
        assert record is not None
        assert moved is not None
        assert record.destination == found
        assert moved.output_path == found
        assert storage.ledger.note(found) == replace(NOTE, path=found)
        assert storage.ledger.holds(found) == [replace(HOLD, path=found)]
        assert found == "/n/x.md" or storage.ledger.note("/n/x.md") is None

    def test_without_kato_clean_no_session_counts_as_removed(self, storage: Storage) -> None:
        storage.put([0])
        assert list(storage.ledger.newly_removed()) == []
        assert storage.ledger.removed_until(KEY) is None

    # --- Memory and upkeep ----------------------------------------------------------------------------

    def test_the_newest_events_come_from_disk_if_there_is_one(self, storage: Storage) -> None:
        storage.put([*range(4)])
        newest = storage.ledger.read_newest(KEY, max_events=2, max_bytes=1 << 20)
        if storage.ledger.durable:
            data = b"".join(line + b"\n" for _, line in pairs(4))
            assert newest == (0, [(data, 4)]), "a chunk is returned as a whole"
        else:
            assert newest is None, "only the store has events"

    def test_a_ledger_that_is_not_durable_forgets_the_ids_of_evicted_sessions(self, storage: Storage) -> None:
        storage.put([0])
        storage.put([0], OTHER)
        storage.ledger.put_recording(recording(OTHER))
        storage.ledger.evicted([KEY, OTHER])
        durable = storage.ledger.durable
        assert storage.ledger.seq_of(KEY, "event-0") == (0 if durable else None)
        assert storage.put([0]) == ([] if durable else [0])
        assert storage.put([0], OTHER) == [], "a note must not get a duplicate"
        record = storage.ledger.session(KEY)
        assert record is not None
        assert record.event_count == (1 if durable else 2), "event numbers continue"

    def test_only_a_ledger_in_memory_takes_memory_for_ids(self, storage: Storage) -> None:
        storage.put([*range(10)])
        assert storage.ledger.extra_bytes(UNKNOWN) == 0
        assert storage.ledger.extra_bytes(KEY) == (0 if storage.ledger.durable else 10 * ID_BYTES)

    def test_room_is_requested_only_for_large_rows_on_disk(self, storage: Storage) -> None:
        requested: list[int] = []
        storage.ledger.make_room = requested.append
        storage.put([0])
        large = Lines.of([b'{"content": "' + b"x" * limits.LARGE_BYTES + b'"}'])
        storage.ledger.append(KEY, ["large"], large, META)
        storage.ledger.commit()
        assert len(list(storage.ledger.read(KEY, until=1))) == 1
        assert requested == []
        list(storage.ledger.read(KEY, after=1))
        assert requested == ([limits.JOURNAL_ROW_COST * large.size] if storage.ledger.durable else [])

    def test_only_a_ledger_on_disk_has_statistics(self, storage: Storage) -> None:
        storage.put([0, 1])
        storage.put([0], OTHER)
        storage.ledger.sync()
        stats = storage.ledger.stats()
        if storage.ledger.durable:
            assert stats is not None
            assert (stats.session_count, stats.event_count) == (2, 3)
            assert stats.bytes > 0
        else:
            assert stats is None

    # --- What is not kept -----------------------------------------------------------------------------

    def test_gaps_begin_and_end_in_the_group(self, storage: Storage) -> None:
        ledger = storage.ledger
        ledger.begin()
        assert not ledger.has_gaps()
        assert not ledger.end_gap(KEY, "off", 1)
        ledger.put_gap(KEY, Gap("off", 100))
        ledger.rollback()
        assert ledger.gaps(KEY) == []
        assert not ledger.has_gaps()
        ledger.begin()
        ledger.put_gap(KEY, Gap("off", 100))
        ledger.put_gap(KEY, Gap("ignored", 150))
        assert ledger.end_gap(KEY, "off", 200)
        assert not ledger.end_gap(KEY, "off", 300)
        ledger.put_gap(KEY, Gap("off", 400))
        assert ledger.end_gap(KEY, "off", 300), "a gap does not end before it began"
        ledger.commit()
        assert ledger.has_gaps()
        assert ledger.gaps(KEY) == [Gap("off", 100, 200), Gap("ignored", 150), Gap("off", 400, 400)]
        assert ledger.gaps(OTHER) == []

    def test_a_withheld_event_counts_as_known_and_is_never_accepted(self, storage: Storage) -> None:
        ledger = storage.ledger
        storage.put([0])
        ledger.begin()
        ledger.put_gap(KEY, Gap("off", 100))
        assert ledger.withhold(KEY, ["event-0", "event-1"]) == [1]
        assert ledger.withhold(KEY, ["event-1", "event-2"]) == [1]
        ledger.commit()
        assert [ledger.knows(KEY, f"event-{number}") for number in range(4)] == [True, True, True, False]
        assert storage.put([0, 1, 2, 3]) == [3]

    def test_a_rollback_forgets_what_was_withheld(self, storage: Storage) -> None:
        ledger = storage.ledger
        ledger.begin()
        ledger.put_gap(KEY, Gap("off", 100))
        assert ledger.withhold(KEY, ["event-1"]) == [0]
        ledger.rollback()
        assert not ledger.knows(KEY, "event-1")

    def test_an_id_that_is_the_same_everywhere_is_withheld_in_each_session(self, storage: Storage) -> None:
        ledger = storage.ledger
        if not ledger.durable:
            return  # a fork in memory is judged by the words that were copied
        ledger.begin()
        ledger.put_gap(KEY, Gap("off", 100))
        ledger.withhold(KEY, ["event-1"], everywhere=True)
        ledger.commit()
        assert storage.put([0, 1], SessionKey(KEY.provider, "fork")) == [0]

    def test_a_ledger_can_be_closed_with_an_open_group(self, storage: Storage) -> None:
        storage.append([0])
        storage.ledger.close()


def test_every_member_of_the_contract_is_used_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8") + inspect.getsource(ledgers)
    members = {name for name in vars(Ledger) if not name.startswith("_")} | {*Ledger.__annotations__}
    assert {name for name in members if not re.search(rf"ledger\.{name}\b", text)} == set()
