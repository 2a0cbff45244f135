"""`kato clean` in the journal: which sessions it removes, that they do not come back, and that no file contains their text."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from builders import START_MS
from journal.keeping import DAY, KEY, OTHER, append, lines, pairs, put, recording
from kato.core import limits
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.records import SessionMeta
from kato.storage.journal import FILE_NAME, CleanReport, Journal

OLD = START_MS - 100 * DAY
BOUND = START_MS - 30 * DAY


@pytest.fixture
def other(journal: Journal, state: Path) -> Iterator[Journal]:
    """Another process on the same journal."""
    opened = Journal.open(state, now_ms=lambda: START_MS)
    yield opened
    opened.close()


def key(name: str) -> SessionKey:
    return SessionKey("claude", name)


def talk(
    journal: Journal, name: str, *, at: int = OLD, parent: str | None = None, events: int = 3
) -> SessionKey:
    one = key(name)
    put(
        journal,
        pairs(events, key=one, size=500),
        one,
        SessionMeta(at, title=f"Title of {name}", parent_id=parent),
    )
    return one


def clean(journal: Journal, *, dry_run: bool = False, alone: bool = False) -> CleanReport:
    return journal.clean(older_than_ms=BOUND, dry_run=dry_run, alone=alone)


def names(report: CleanReport) -> list[str]:
    return sorted(record.key.session_id for record in report.removed)


def held_text(state: Path, text: bytes) -> list[str]:
    """The files below the state folder that hold the text."""
    return [path.name for path in state.rglob("*") if path.is_file() and text in path.read_bytes()]


# --- Which sessions are removed ----------------------------------------------------------------------------------


def test_clean_removes_old_sessions_without_an_open_recording(journal: Journal) -> None:
    for number, name in enumerate(("old", "old-recording", "new")):
        key = SessionKey("p", name)
        put(journal, pairs(50, key=key, size=1000), key, SessionMeta(START_MS - (100 - number * 50) * DAY))
    journal.put_recording(recording(SessionKey("p", "old-recording"), name="r"))
    bytes_before = journal.stats().bytes
    for dry_run in (True, False):
        report = journal.clean(older_than_ms=START_MS - 30 * DAY, dry_run=dry_run)
        assert [one.key.session_id for one in report.removed] == ["old"]
        assert [one.key.session_id for one in report.recording] == ["old-recording"]
        assert report.json_bytes > 50_000
        assert (journal.session(SessionKey("p", "old")) is None) is not dry_run
    assert journal.check().problems == []
    assert journal.stats().bytes < bytes_before
    assert journal.stats().event_count == 100


def test_a_session_is_removed_with_its_sub_agents_or_not_at_all(journal: Journal) -> None:
    for name, at, parent in (
        ("old", OLD, None),
        ("old-agent", OLD, "old"),
        ("old-agent-of-agent", OLD, "old-agent"),
        ("young", START_MS, None),
        ("agent-of-young", OLD, "young"),
        ("elder", OLD, None),
        ("young-agent", START_MS, "elder"),
        ("orphan", OLD, "never-seen"),
        ("circle-1", OLD, "circle-2"),
        ("circle-2", OLD, "circle-1"),
    ):
        talk(journal, name, at=at, parent=parent)
    expected = ["circle-1", "circle-2", "old", "old-agent", "old-agent-of-agent", "orphan"]
    assert names(clean(journal, dry_run=True)) == expected
    assert names(clean(journal)) == expected
    assert [one.key.session_id for one in journal.children(key("young"))] == ["agent-of-young"]


def test_a_session_stays_while_it_or_a_sub_agent_has_an_open_recording(journal: Journal) -> None:
    talk(journal, "records")
    talk(journal, "owes")
    talk(journal, "parent")
    talk(journal, "agent", parent="parent")
    talk(journal, "stopped")
    journal.put_recording(recording(key("records"), name="r1"))
    journal.put_recording(replace(recording(key("owes"), name="r2", active=False), end_seq=2, end_line=1))
    journal.put_recording(recording(key("agent"), name="r3"))
    journal.put_recording(recording(key("stopped"), name="r4", active=False))
    report = clean(journal)
    assert names(report) == ["stopped"]
    assert sorted(one.key.session_id for one in report.recording) == ["agent", "owes", "parent", "records"]
    assert journal.check().problems == []


def test_other_processes_can_write_during_a_removal_and_a_continued_session_stays(
    journal: Journal, other: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        talk(journal, f"s{number}")
    monkeypatch.setattr(limits, "JOURNAL_HOLD_SECONDS", 0)
    pauses = 0

    def pause(_seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        assert put(other, pairs(1, first=pauses, key=key("new")), key("new")) == [0]
        if pauses == 1:
            put(other, pairs(1, first=50, key=key("s4")), key("s4"))

    monkeypatch.setattr(time, "sleep", pause)
    report = clean(journal)
    assert pauses >= 3
    assert names(report) == ["s0", "s1", "s2", "s3"]
    record = other.session(key("s4"))
    assert record is not None
    assert record.event_count == 4


# --- What is removed stays removed ----------------------------------------------------------------------


def test_removed_events_count_as_known_and_do_not_bring_their_session_back(
    journal: Journal, other: Journal
) -> None:
    talk(journal, "talk")
    talk(journal, "other", at=START_MS)
    assert names(clean(journal)) == ["talk"]
    for one in (journal, other):
        receipt = append(one, key("talk"), pairs(3, key=key("talk")))
        assert (list(receipt.accepted), receipt.event_count) == ([], 0)
        one.commit()
        one.append(key("talk"), [], Lines.of([]), SessionMeta(START_MS, title="A title came"))
        one.commit()
        assert one.session(key("talk")) is None
    assert journal.check() == (1, 3, [])


def test_later_events_of_a_removed_session_start_a_new_one(journal: Journal, other: Journal) -> None:
    one = talk(journal, "talk")
    clean(journal)
    again = pairs(5, key=one)
    meta = SessionMeta(START_MS, title="Title", snippet="words of the first message", cwd="/w")
    receipt = append(other, one, [*again, again[4]], meta)
    other.commit()
    assert (list(receipt.accepted), receipt.first_seq, receipt.event_count) == ([3, 4], 0, 2)
    record = journal.session(one)
    assert record is not None
    assert (record.event_count, record.title, record.snippet, record.cwd) == (2, "Title", None, "/w")
    assert lines(journal, one) == [line for _, line in again[3:]]
    assert journal.seq_of(one, "event-3") == 0
    assert put(journal, again, one) == []
    assert journal.check().problems == []


def test_a_session_can_be_removed_more_than_once(journal: Journal) -> None:
    one = talk(journal, "talk", at=OLD - DAY)
    assert journal.removed_until(one) is None
    clean(journal)
    put(journal, pairs(2, first=3, key=one), one, SessionMeta(OLD))
    assert names(clean(journal)) == ["talk"]
    assert journal.removed_until(one) == OLD
    assert put(journal, pairs(6, key=one), one) == [5]


def test_removal_does_not_affect_the_same_ids_of_another_session(journal: Journal) -> None:
    put(journal, pairs(3), KEY, SessionMeta(OLD))
    clean(journal)
    assert put(journal, pairs(3, key=OTHER), OTHER) == [0, 1, 2]
    assert journal.removed_until(OTHER) is None


def test_every_process_gets_each_removed_session_once(journal: Journal, other: Journal, state: Path) -> None:
    talk(journal, "first")
    assert list(other.newly_removed()) == []
    clean(journal)
    talk(journal, "second")
    clean(journal)
    assert list(other.newly_removed()) == [key("first"), key("second")]
    assert list(other.newly_removed()) == []
    assert list(journal.newly_removed()) == [key("first"), key("second")], "the one that removed them too"
    later = Journal.open(state, now_ms=lambda: START_MS)
    assert list(later.newly_removed()) == []
    later.close()


# --- Removed text is not in the files -----------------------------------------------------------------


def crowd(journal: Journal, chance: random.Random, count: int) -> None:
    """Sessions that go on in turn, so that pages are split and rows move between them."""
    for first in range(0, 40, 4):
        for number in range(count):
            one = key(f"s{number:03d}")
            events = pairs(4, first=first, key=one, size=chance.choice([20, 300, 3000]))
            marked = [
                (event_id, line.replace(b'"message ', b'"M%03dQ ' % number)) for event_id, line in events
            ]
            title = f"M{number:03d}Q " + "t" * chance.randrange(80)
            put(
                journal, marked, one, SessionMeta(OLD if number % 2 else START_MS, title=title, snippet=title)
            )


def left_over(state: Path, count: int) -> set[int]:
    data = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    return {number for number in range(1, count, 2) if b"M%03dQ" % number in data}


def test_no_file_contains_removed_text(journal: Journal, other: Journal, state: Path) -> None:
    crowd(journal, random.Random(7), 60)
    other.stats()
    assert left_over(state, 60) == {*range(1, 60, 2)}
    report = clean(journal)
    assert len(report.removed) == 30
    assert report.remains == []
    assert left_over(state, 60) == set()
    assert len(lines(other, key("s002"))) == 40
    assert other.check().problems == []


def test_a_large_journal_in_use_is_not_rewritten_and_the_remains_are_reported(
    journal: Journal, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(journal, random.Random(7), 60)
    monkeypatch.setattr(limits, "JOURNAL_REWRITE_BYTES_MAX", 0)
    journal.database.empty_wal()
    size = (state / FILE_NAME).stat().st_size
    report = clean(journal)
    assert ["fragments of removed text can be left" in sentence for sentence in report.remains] == [True]
    fragments = left_over(state, 60)
    assert 0 < len(fragments) < 30, (
        "SQLite leaves copies of rows between others; without them this test proves nothing"
    )
    assert (state / FILE_NAME).stat().st_size < size
    assert journal.database.one("PRAGMA freelist_count", ())[0] == 0
    assert clean(journal).remains == report.remains, "until it is done"
    assert clean(journal, alone=True).remains == []
    assert left_over(state, 60) == set()


def test_a_wal_with_removed_text_is_reported_until_it_is_empty(
    journal: Journal, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_BUSY_MS", 200)
    put(journal, pairs(20, size=500), KEY, SessionMeta(OLD))
    impatient = Journal.open(state, now_ms=lambda: START_MS)
    with closing(sqlite3.connect(state / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM session").fetchone()
        report = clean(impatient)
        assert len(report.removed) == 1
        assert any("-wal still holds removed text" in sentence for sentence in report.remains)
        assert held_text(state, b"message 7 ") != []
        reader.execute("COMMIT")
    assert clean(impatient).remains == []
    assert held_text(state, b"message 7 ") == []
    impatient.close()


def test_every_connection_overwrites_deleted_rows(journal: Journal, other: Journal) -> None:
    assert [one.database.one("PRAGMA secure_delete", ())[0] for one in (journal, other)] == [1, 1]


def test_a_dry_run_changes_nothing(journal: Journal, state: Path) -> None:
    put(journal, pairs(20, size=500), KEY, SessionMeta(OLD))
    before = (state / FILE_NAME).read_bytes(), (state / f"{FILE_NAME}-wal").read_bytes()
    assert len(clean(journal, dry_run=True).removed) == 1
    assert ((state / FILE_NAME).read_bytes(), (state / f"{FILE_NAME}-wal").read_bytes()) == before
