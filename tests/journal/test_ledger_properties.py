"""Properties of both ledgers: they behave the same for any sequence of calls, and change metadata by the one rule."""

from functools import reduce

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import asdict, replace

from journal.keeping import KEY, OTHER, recording
from journal.ledgers import KINDS, Storage, make
from kato.core.errors import UnknownSession
from kato.core.events import SessionKey
from kato.core.records import LogRecord, SessionMeta, merge_meta

LOG = LogRecord("/logs/x.jsonl", *KEY, "lines", 10, 11)

TEXT = st.sampled_from([None, "", "a", "b"])
MOMENT = st.integers(-3, 3)
META = st.builds(
    SessionMeta,
    updated_at=MOMENT,
    title=TEXT,
    snippet=TEXT,
    cwd=TEXT,
    last_message_at=st.none() | MOMENT,
    parent_id=TEXT,
    parent_call_id=TEXT,
    branch=TEXT,
)


@pytest.mark.parametrize("kind", KINDS)
@given(appends=st.lists(st.tuples(META, st.sampled_from(["append", "commit"])), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_ledger_merges_metadata_by_the_one_rule(
    tmp_path_factory: pytest.TempPathFactory, kind: str, appends: list[tuple[SessionMeta, str]]
) -> None:
    storage = make(kind, tmp_path_factory.mktemp("ledgers"))
    for number, (meta, end) in enumerate(appends):
        storage.append([number], meta=meta)
        if end == "commit":
            storage.commit()
    record = storage.ledger.session(KEY)
    assert record is not None
    first = appends[0][0].updated_at
    expected = reduce(merge_meta, [meta for meta, _ in appends], SessionMeta(first))
    assert {name: value for name, value in asdict(record).items() if name in asdict(expected)} == asdict(
        expected
    )
    assert record.created_at == first
    storage.ledger.close()


STEP = st.tuples(
    st.sampled_from(["append", "commit", "rollback", "exclusive", "failing", "claim", "recording", "log"]),
    st.sampled_from([KEY, OTHER]),
    st.lists(st.integers(0, 12), max_size=6),
)


@given(st.lists(STEP, max_size=25))
@settings(max_examples=80, deadline=None)
def test_both_ledgers_behave_the_same_for_any_sequence_of_calls(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, SessionKey, list[int]]]
) -> None:
    both = [make(kind, tmp_path_factory.mktemp("ledgers")) for kind in KINDS]
    for step in steps:
        one, other = (outcome(storage, *step) for storage in both)
        assert one == other
    for storage in both:
        storage.rollback()
    one, other = (contents(storage) for storage in both)
    assert one == other
    for storage in both:
        storage.ledger.close()


def outcome(storage: Storage, what: str, key: SessionKey, numbers: list[int]) -> object:
    try:
        return do(storage, what, key, numbers)
    except UnknownSession as error:
        return error.message


def do(storage: Storage, what: str, key: SessionKey, numbers: list[int]) -> object:
    ledger = storage.ledger
    if what == "append":
        receipt = storage.append(numbers, key)
        return list(receipt.accepted), receipt.first_seq, receipt.event_count
    if what == "claim":
        return [ledger.claim(key, f"event-{number}", 1, "me", number) for number in numbers]
    if what == "rollback":
        storage.rollback()
    elif what == "recording":
        ledger.put_recording(replace(recording(key, name=f"r-{key.provider}"), seq=len(numbers)))
    elif what == "log":
        ledger.put_log(replace(LOG, size=len(numbers)))
    else:
        storage.commit()
        if what in ("exclusive", "failing"):
            write_exclusively(storage, key, numbers, fails=what == "failing")
    return None


def write_exclusively(storage: Storage, key: SessionKey, numbers: list[int], *, fails: bool) -> None:
    try:
        with storage.ledger.exclusive():
            storage.append(numbers[:2], key)
            storage.ledger.set_destination(key, f"/n/{len(numbers)}.md")
            storage.append(numbers[2:], key)
            if fails:
                raise RuntimeError
        storage.commit()
    except RuntimeError:
        storage.rollback()


def contents(storage: Storage) -> object:
    ledger = storage.ledger
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
