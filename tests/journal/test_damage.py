"""Damage inside the rows of a journal, which SQLite does not notice: how it is found, what is still read, what is reported."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from builders import START_MS
from journal.keeping import KEY, lines, pairs, put
from kato.storage.journal import DAMAGED_NAME, FILE_NAME, MIGRATIONS, Journal


@pytest.mark.parametrize(
    ("defect", "words"),
    [
        ("DELETE FROM chunk WHERE id & 255 = 2", "is missing, event"),
        ("UPDATE session SET event_count = 99", "event count is 99"),
        ("DELETE FROM event_id WHERE seq = 3", "is not stored"),
        ("UPDATE event_id SET seq = 1 WHERE seq = 3", "have the same id"),
        ("UPDATE chunk SET data = x'7b0a' WHERE id & 255 = 2", "is not a valid event"),
        ("UPDATE chunk SET count = 5 WHERE id & 255 = 2", "lines, not 5"),
        ("INSERT INTO chunk (id, count, data) VALUES (77 << 32, 1, x'0a')", "belong to no session"),
    ],
)
def test_check_reports_each_defect(journal: Journal, state: Path, defect: str, words: str) -> None:
    for first in (0, 2, 4):
        put(journal, pairs(2, first=first))
    assert journal.check() == (1, 6, [])
    with sqlite3.connect(state / FILE_NAME) as db:
        db.execute(defect)
    db.close()
    problems = journal.check().problems
    assert any(words in problem for problem in problems), problems


def damage_chunk(state: Path, first: int, change: Callable[[bytes], bytes]) -> None:
    """Changes the bytes of the chunk that begins with event `first`, as a failing disk does."""
    with sqlite3.connect(state / FILE_NAME) as db:
        ((chunk, data),) = db.execute("SELECT id, data FROM chunk WHERE id & 4294967295 = ?", (first,))
        db.execute("UPDATE chunk SET data = ? WHERE id = ?", (change(data), chunk))
    db.close()


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda data: data.replace(b"message 4", b"mess\xffge 4"), {4}),
        (lambda data: data.replace(b'"message 5', b'"message\x005'), {5}),
        (lambda data: data.replace(b'"kind":"message.user"', b'"kind":"message.usex"', 1), {4}),
        (lambda data: data.replace(b"\n", b" ", 1), {4, 5}),
        (lambda data: data[:-1] + b"x", {6}),
        (lambda data: b"\x00" * len(data), {4, 5, 6}),
        (lambda data: data.replace(b"message 5", b"massage 5"), set()),
    ],
    ids=["not UTF-8", "not JSON", "not an event", "lost newline", "lost end", "all zeros", "another word"],
)
def test_damage_inside_an_event_loses_that_event_and_marks_the_journal(
    journal: Journal, state: Path, change: Callable[[bytes], bytes], lost: set[int]
) -> None:
    kept = pairs(10)
    for low, high in ((0, 4), (4, 7), (7, 10)):
        put(journal, kept[low:high])
    damage_chunk(state, 4, change)
    expected = [number for number in range(10) if number not in lost]
    found = [(seq, orjson.loads(line)["eventId"]) for seq, line in journal.read(KEY)]
    assert [name for _, name in found] == [f"event-{number}" for number in expected]
    assert [seq for seq, _ in found if not 4 <= seq < 7] == [0, 1, 2, 3, 7, 8, 9], (
        "the other events keep their numbers"
    )
    reported: list[str] = []
    assert b"".join(journal.export(None, reported.append)).count(b"\n") == len(expected)
    assert len(reported) == (1 if lost else 0)
    for after in range(10):
        page = [orjson.loads(line)["eventId"] for _, line in journal.read(KEY, after=after, until=after + 2)]
        assert set(page) <= {f"event-{number}" for number in expected}
    assert (state / DAMAGED_NAME).exists()
    assert any("changed after it was written" in problem for problem in journal.check().problems)
    journal.close()
    again = Journal.open(state, now_ms=lambda: START_MS)
    assert "moved" in str(again.recovery) or "recovered" in str(again.recovery)
    assert [orjson.loads(line)["eventId"] for line in lines(again)] == [
        f"event-{number}" for number in expected
    ]
    assert again.check().problems == []
    again.close()


def test_the_newest_events_are_those_after_a_damaged_chunk(journal: Journal, state: Path) -> None:
    for first in (0, 4, 8):
        put(journal, pairs(4, first=first))
    damage_chunk(state, 4, lambda data: data.replace(b"message", b"mess\xffge"))
    first, chunks = journal.read_newest(KEY, max_events=100, max_bytes=10**6)
    assert (first, sum(count for _, count in chunks)) == (8, 4)


def test_damaged_events_of_a_version_without_checksums_are_left_out(journal: Journal, state: Path) -> None:
    put(journal, pairs(3))
    put(journal, pairs(3, first=3))
    journal.close()
    with sqlite3.connect(state / FILE_NAME) as db:
        db.execute("ALTER TABLE chunk DROP COLUMN crc32")
        db.execute("DROP INDEX session_by_moment")
        for column in ("mtime_ns", "device", "provider", "session_id", "look"):
            db.execute(f"ALTER TABLE note DROP COLUMN {column}")
        db.execute("DROP TABLE hold")
        db.execute("ALTER TABLE session DROP COLUMN branch")
        db.execute("DROP TABLE gap")
        db.execute("ALTER TABLE recording DROP COLUMN awaits_on")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 6}")
    db.close()
    opened = Journal.open(state, now_ms=lambda: START_MS)
    assert lines(opened) == [line for _, line in pairs(6)]
    damage_chunk(state, 3, lambda data: data.replace(b"message 4", b"mess\xffge 4"))
    assert [orjson.loads(line)["eventId"] for line in lines(opened)] == [
        f"event-{number}" for number in (0, 1, 2, 3, 5)
    ]
    opened.close()
