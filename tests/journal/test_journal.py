"""The journal on real SQLite files: what is kept, in what order, once; what its operators can ask of it."""

import itertools
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given, settings

from builders import START_MS
from journal.keeping import DAY, KEY, OTHER, append, lines, pairs, put, recording
from kato.core import limits
from kato.core.errors import BudgetExceeded, JournalUnavailable
from kato.core.events import SessionKey
from kato.core.records import NoteRecord, SessionMeta
from kato.storage.journal import MIGRATIONS, Journal


def test_events_come_out_in_order_with_their_numbers(journal: Journal) -> None:
    events = pairs(10)
    for one in events:
        put(journal, [one])
    assert list(journal.read(KEY)) == [(seq, line) for seq, (_, line) in enumerate(events)]
    assert [seq for seq, _ in journal.read(KEY, after=3, until=6)] == [3, 4, 5]
    assert list(journal.read(KEY, after=10)) == []
    assert list(journal.read(OTHER)) == []
    assert journal.seq_of(KEY, "event-7") == 7


def test_an_id_is_taken_once_also_inside_a_batch_and_after_a_restart(journal: Journal, state: Path) -> None:
    events = pairs(6)
    assert put(journal, [events[0], events[1], events[0], events[2]]) == [0, 1, 3]
    assert put(journal, [events[1], events[3], events[2], events[4]]) == [1, 3]
    journal.close()
    again = Journal.open(state, now_ms=lambda: START_MS)
    assert put(again, events) == [5]
    assert lines(again) == [line for _, line in events]
    assert again.check().problems == []
    assert put(again, events, OTHER) == list(range(6)), "the same ids of another provider are other events"
    again.close()


def test_nothing_of_a_group_is_kept_that_was_not_committed(journal: Journal, state: Path) -> None:
    put(journal, pairs(2))
    append(journal, KEY, pairs(5, first=2))
    append(journal, OTHER, pairs(5, key=OTHER))
    journal.rollback()
    assert len(lines(journal)) == 2
    assert journal.session(OTHER) is None
    append(journal, KEY, pairs(5, first=2))
    journal.close()
    again = Journal.open(state, now_ms=lambda: START_MS)
    assert len(lines(again)) == 2
    again.close()


def test_what_is_said_of_a_session_is_kept(journal: Journal) -> None:
    put(journal, pairs(2), meta=SessionMeta(1, title="T", snippet="first", cwd="/w", last_message_at=50))
    put(journal, pairs(1, first=2), meta=SessionMeta(2, snippet="second", last_message_at=40))
    put(journal, pairs(1, first=3), meta=SessionMeta(3, title="T2"))
    record = journal.session(KEY)
    assert record is not None
    assert (record.title, record.snippet, record.cwd, record.last_message_at) == ("T2", "first", "/w", 50)
    assert (record.event_count, record.created_at, record.updated_at) == (4, 1, 3)
    assert record.json_bytes == sum(map(len, lines(journal)))


def test_sessions_before_1970_are_listed(journal: Journal) -> None:
    for moment in (-(10**13), -1, 0):
        key = SessionKey("p", f"s{moment}")
        put(journal, pairs(1, key=key), key, SessionMeta(moment, last_message_at=moment))
    listed = journal.status_sessions(since_ms=None, limit=10)
    assert [one.last_message_at for one, _ in listed] == [0, -1, -(10**13)]


def test_the_newest_events_are_read_within_both_bounds(journal: Journal) -> None:
    for first in range(0, 1000, 10):
        put(journal, pairs(10, first=first, size=1000))
    first_seq, chunks = journal.read_newest(KEY, max_events=95, max_bytes=10**9)
    assert (first_seq, sum(count for _, count in chunks)) == (900, 100)
    first_seq, chunks = journal.read_newest(KEY, max_events=10**6, max_bytes=50_000)
    assert sum(len(data) for data, _ in chunks) <= 50_000
    assert b"".join(data for data, _ in chunks).count(b"\n") == 1000 - first_seq


def test_a_large_batch_is_packed_in_bounded_rows(journal: Journal) -> None:
    put(journal, pairs(1000, size=2000))
    sizes = [row[0] for row in journal.database.all("SELECT length(data) FROM chunk", ())]
    assert max(sizes) <= limits.JOURNAL_CHUNK_BYTES + 1
    assert len(lines(journal)) == 1000


def test_a_claim_is_won_once(journal: Journal, state: Path) -> None:
    put(journal, pairs(1))
    other = Journal.open(state, now_ms=lambda: 7)
    assert [one.claim(KEY, "event-0", 2, owner, 0) for one, owner in ((journal, "1:0"), (other, "2:0"))] == [
        True,
        False,
    ]
    (claim,) = other.unfinished_claims()
    assert (claim.key, claim.event_id, claim.line, claim.owner) == (KEY, "event-0", 2, "1:0")
    assert other.take_over_claim(claim, "2:0")
    assert not journal.take_over_claim(claim, "3:0"), "it has another owner by now"
    other.finish_claim(KEY, "event-0", 2)
    assert journal.unfinished_claims() == []
    assert not journal.claim(KEY, "event-0", 2, "1:0", 0)
    other.close()


def test_recordings_and_notes_outlive_the_process(journal: Journal, state: Path) -> None:
    put(journal, pairs(5))
    journal.put_recording(recording(name="old"))
    journal.put_recording(recording())
    journal.set_destination(KEY, "/n/x.md")
    journal.put_note(NoteRecord("/n/x.md", 1, 2, 3))
    note = NoteRecord("/n/x.md", 4, 5, 6, 1 << 60, (1 << 63) - 1, KEY, b"look")
    journal.put_note(note)
    journal.close()
    again = Journal.open(state, now_ms=lambda: START_MS)
    assert again.recording(KEY) == recording()
    assert again.active_recordings() == [recording()], "a session has one active recording"
    assert again.note("/n/x.md") == note
    assert again.note_paths() == ["/n/x.md"]
    record = again.session(KEY)
    assert record is not None
    assert record.destination == "/n/x.md"
    assert again.open_recordings_at(recording().output_path) == [recording()]
    assert again.open_recordings_at("/n/other.md") == []
    again.put_recording(recording(active=False))
    assert again.active_recordings() == []
    assert again.open_recordings_at(recording().output_path) == []
    again.close()


def test_notes_that_an_earlier_version_wrote_are_known(state: Path) -> None:
    state.mkdir(exist_ok=True)
    with closing(sqlite3.connect(state / "journal.sqlite3")) as db:
        for migrate in MIGRATIONS[:3]:
            migrate(db)
        db.execute("PRAGMA user_version = 3")
        db.execute("INSERT INTO note VALUES ('/n/x.md', 4, 5, 6)")
        db.commit()
    journal = Journal.open(state, now_ms=lambda: START_MS)
    assert journal.note("/n/x.md") == NoteRecord("/n/x.md", 4, 5, 6)
    journal.close()


def test_what_fails_inside_exclusive_is_undone(journal: Journal) -> None:
    put(journal, pairs(1))
    with pytest.raises(RuntimeError), journal.exclusive():
        journal.put_recording(recording())
        with journal.exclusive():
            journal.put_note(NoteRecord("/x", 1, 1, 1))
        raise RuntimeError
    assert journal.recording(KEY) is None
    assert journal.note("/x") is None


def test_files_are_for_their_owner_alone(journal: Journal, state: Path) -> None:
    put(journal, pairs(1))
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_old_sessions_go_on_the_users_word_and_never_one_that_records(journal: Journal) -> None:
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
def test_check_finds_what_is_wrong(journal: Journal, state: Path, defect: str, words: str) -> None:
    for first in (0, 2, 4):
        put(journal, pairs(2, first=first))
    assert journal.check() == (1, 6, [])
    with sqlite3.connect(state / "journal.sqlite3") as db:
        db.execute(defect)
    db.close()
    problems = journal.check().problems
    assert any(words in problem for problem in problems), problems


def noise(state: Path, first: int, change: Callable[[bytes], bytes]) -> None:
    """Changes the bytes of the chunk that begins with event `first`, as a failing disk does."""
    with sqlite3.connect(state / "journal.sqlite3") as db:
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
    ids=["not UTF-8", "not JSON", "not an event", "two lines in one", "its end", "all", "another word"],
)
def test_noise_inside_an_event_costs_that_event_and_marks_the_journal(
    journal: Journal, state: Path, change: Callable[[bytes], bytes], lost: set[int]
) -> None:
    kept = pairs(10)
    for low, high in ((0, 4), (4, 7), (7, 10)):
        put(journal, kept[low:high])
    noise(state, 4, change)
    expected = [number for number in range(10) if number not in lost]
    found = [(seq, orjson.loads(line)["eventId"]) for seq, line in journal.read(KEY)]
    assert [name for _, name in found] == [f"event-{number}" for number in expected]
    assert [seq for seq, _ in found if not 4 <= seq < 7] == [0, 1, 2, 3, 7, 8, 9], (
        "the others keep their numbers"
    )
    reported: list[str] = []
    assert b"".join(journal.export(None, reported.append)).count(b"\n") == len(expected)
    assert len(reported) == (1 if lost else 0)
    for after in range(10):
        page = [orjson.loads(line)["eventId"] for _, line in journal.read(KEY, after=after, until=after + 2)]
        assert set(page) <= {f"event-{number}" for number in expected}
    assert (state / "journal.damaged").exists()
    assert any("changed after it was written" in problem for problem in journal.check().problems)
    journal.close()
    again = Journal.open(state, now_ms=lambda: START_MS)
    assert "moved" in str(again.recovery) or "recovered" in str(again.recovery)
    assert [orjson.loads(line)["eventId"] for line in lines(again)] == [
        f"event-{number}" for number in expected
    ]
    assert again.check().problems == []
    again.close()


def test_the_newest_events_are_those_behind_a_damaged_chunk(journal: Journal, state: Path) -> None:
    for first in (0, 4, 8):
        put(journal, pairs(4, first=first))
    noise(state, 4, lambda data: data.replace(b"message", b"mess\xffge"))
    first, chunks = journal.read_newest(KEY, max_events=100, max_bytes=10**6)
    assert (first, sum(count for _, count in chunks)) == (8, 4)


def test_events_that_were_kept_without_checksums_are_read_and_those_that_are_not_json_are_passed_over(
    journal: Journal, state: Path
) -> None:
    put(journal, pairs(3))
    put(journal, pairs(3, first=3))
    journal.close()
    with sqlite3.connect(state / "journal.sqlite3") as db:
        db.execute("ALTER TABLE chunk DROP COLUMN crc32")
        db.execute("DROP INDEX session_by_moment")
        for column in ("mtime_ns", "device", "provider", "session_id", "look"):
            db.execute(f"ALTER TABLE note DROP COLUMN {column}")
        db.execute("DROP TABLE hold")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 4}")
    db.close()
    opened = Journal.open(state, now_ms=lambda: START_MS)
    assert lines(opened) == [line for _, line in pairs(6)]
    noise(state, 3, lambda data: data.replace(b"message 4", b"mess\xffge 4"))
    assert [orjson.loads(line)["eventId"] for line in lines(opened)] == [
        f"event-{number}" for number in (0, 1, 2, 3, 5)
    ]
    opened.close()


def test_room_is_asked_for_before_a_large_event_is_read(journal: Journal) -> None:
    large = pairs(1, first=5, size=3 * limits.MIB)
    put(journal, pairs(5))
    put(journal, large)
    put(journal, pairs(5, first=6))
    asked: list[int] = []
    journal.make_room = asked.append
    assert len(lines(journal)) == 11
    assert asked == [limits.JOURNAL_ROW_COST * (len(large[0][1]) + 1)]

    def refuse(needed: int) -> None:
        raise BudgetExceeded("no room", needed_bytes=needed, budget_bytes=0, fatal=False)

    journal.make_room = refuse
    assert len(list(journal.read(KEY, until=5))) == 5
    assert len(list(journal.read(KEY, after=6))) == 5
    with pytest.raises(BudgetExceeded):
        lines(journal)


def test_counts_are_those_of_every_process(journal: Journal, state: Path) -> None:
    """They are not counted each time: this process adds what it appends, and sees that another one wrote."""
    other = Journal.open(state, now_ms=lambda: START_MS)
    for number in range(5):
        mine, theirs = SessionKey("p", f"m{number}"), SessionKey("p", f"t{number}")
        put(journal, pairs(2, key=mine), mine)
        put(journal, pairs(3, key=mine), mine)
        assert (journal.stats().session_count, journal.stats().event_count) == (
            1 + 2 * number,
            3 + 4 * number,
        )
        put(other, pairs(1, key=theirs), theirs)
        append(journal, OTHER, pairs(7, key=OTHER))
        journal.rollback()
        expected = (2 + 2 * number, 4 + 4 * number)
        for one in (journal, other):
            assert (one.stats().session_count, one.stats().event_count) == expected
    other.close()


def test_a_locked_journal_is_never_taken_for_a_damaged_one(
    journal: Journal, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JOURNAL_BUSY_MS", 100)
    put(journal, pairs(1))
    with journal.exclusive():
        other = Journal.open(state, now_ms=lambda: START_MS)
        with pytest.raises(JournalUnavailable, match="another process has locked"):
            append(other, KEY, pairs(1, first=1))
        assert other.recovery is None
    assert put(other, pairs(1, first=1)) == [0]
    other.close()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([KEY, OTHER]),
            st.lists(st.integers(0, 30), max_size=12),
            st.sampled_from(["commit", "group", "rollback", "reopen"]),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_it_is_a_list_that_takes_each_id_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[SessionKey, list[int], str]]
) -> None:
    state = tmp_path_factory.mktemp("journal")
    journal = Journal.open(state, now_ms=lambda: START_MS)
    kept: dict[SessionKey, list[int]] = {KEY: [], OTHER: []}
    group: dict[SessionKey, list[int]] = {KEY: [], OTHER: []}
    for key, numbers, end in steps:
        expected = []
        for index, number in enumerate(numbers):
            if number not in kept[key] and number not in group[key]:
                group[key].append(number)
                expected.append(index)
        events = [pairs(1, first=number, key=key)[0] for number in numbers]
        receipt = append(journal, key, events)
        assert list(receipt.accepted) == expected
        assert receipt.event_count == len(kept[key]) + len(group[key])
        if end == "commit":
            journal.commit()
            for one in kept:
                kept[one] += group[one]
        elif end == "rollback":
            journal.rollback()
        elif end == "reopen":
            journal.close()
            journal = Journal.open(state, now_ms=lambda: START_MS)
        if end != "group":
            group = {KEY: [], OTHER: []}
    journal.rollback()
    for key, numbers in kept.items():
        found = [orjson.loads(line)["eventId"] for line in lines(journal, key)]
        assert found == [f"event-{number}" for number in numbers]
    assert journal.check().problems == []
    journal.close()


def test_many_processes_open_a_new_journal_at_once(state: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom kato.storage.journal import Journal\nfrom kato.core.lines import Lines\n"
        "from kato.core.events import SessionKey\nfrom kato.core.records import SessionMeta\n"
        "journal = Journal.open(Path(sys.argv[1]), now_ms=lambda: 0)\n"
        "won = journal.append(SessionKey('p', 's'), ['one'], Lines.of([b'{}']), SessionMeta(0)).accepted\n"
        "journal.commit()\nprint(len(won))\n"
    )
    command = [sys.executable, "-c", program, str(state)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
    counts = [int(process.communicate()[0]) for process in processes]
    assert sum(counts) == 1


def test_the_command_line_verifies_exports_and_cleans(journal: Journal, state: Path, tmp_path: Path) -> None:
    put(journal, pairs(5), meta=SessionMeta(START_MS - 100 * DAY, title="Old talk"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kato", *arguments, "--state-dir", str(state)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("journal", "check").stdout == "1 sessions, 5 events: sound\n"
    exported = run("journal", "export", "claude/session-1").stdout.encode().splitlines()
    assert exported == lines(journal)
    assert run("journal", "export", "-o", str(tmp_path / "out.jsonl")).returncode == 0
    assert (tmp_path / "out.jsonl").read_bytes().splitlines() == lines(journal)
    assert run("journal", "export", "claude/unknown").returncode == 1
    assert "Old talk" in run("clean", "--older-than", "90d", "--dry-run").stdout
    assert journal.session(KEY) is not None
    assert "1 sessions" in run("clean", "--older-than", "90d").stdout
    assert journal.session(KEY) is None
    assert run("clean", "--older-than", "soon").returncode == 2
    with sqlite3.connect(state / "journal.sqlite3") as db:
        db.execute("INSERT INTO chunk (id, count, data) VALUES (9 << 32, 1, x'0a')")
    db.close()
    wrong = run("journal", "check")
    assert wrong.returncode == 1
    assert "belong to no session" in wrong.stdout
    missing = subprocess.run(
        [sys.executable, "-m", "kato", "journal", "check", "--state-dir", str(tmp_path / "no")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 1
    assert "no journal" in missing.stderr


def test_a_long_read_sees_what_was_there_and_blocks_no_writer(journal: Journal, state: Path) -> None:
    for first in range(0, 500, 10):
        put(journal, pairs(10, first=first))
    other = Journal.open(state, now_ms=lambda: START_MS)
    reading = journal.read(KEY, until=500)
    begun = list(itertools.islice(reading, 50))
    assert put(other, pairs(10, first=500)) == list(range(10))
    assert len(begun) + len(list(reading)) == 500
    other.close()
