"""The journal on real SQLite files, in one process and in several, and the subcommands that read it."""

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
from kato.app import catalogue
from kato.core import limits
from kato.core.errors import BudgetExceeded, JournalUnavailable
from kato.core.events import SessionKey
from kato.core.records import NoteRecord, SessionMeta
from kato.storage.journal import FILE_NAME, MIGRATIONS, Journal
from kato.storage.journal.reading import JournalReader
from kato.storage.search import Indexer


def test_events_are_read_in_order_with_their_numbers(journal: Journal) -> None:
    events = pairs(10)
    for one in events:
        put(journal, [one])
    assert list(journal.read(KEY)) == [(seq, line) for seq, (_, line) in enumerate(events)]
    assert [seq for seq, _ in journal.read(KEY, after=3, until=6)] == [3, 4, 5]
    assert list(journal.read(KEY, after=10)) == []
    assert list(journal.read(OTHER)) == []
    assert journal.seq_of(KEY, "event-7") == 7


def test_an_event_id_is_accepted_once_in_a_batch_and_after_a_restart(journal: Journal, state: Path) -> None:
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


def test_an_uncommitted_group_is_not_stored(journal: Journal, state: Path) -> None:
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


def test_the_rows_of_a_large_batch_have_a_bounded_size(journal: Journal) -> None:
    put(journal, pairs(1000, size=2000))
    sizes = [row[0] for row in journal.database.all("SELECT length(data) FROM chunk", ())]
    assert max(sizes) <= limits.JOURNAL_CHUNK_BYTES + 1
    assert len(lines(journal)) == 1000


def test_one_process_gets_a_claim(journal: Journal, state: Path) -> None:
    put(journal, pairs(1))
    other = Journal.open(state, now_ms=lambda: 7)
    assert [one.claim(KEY, "event-0", 2, owner, 0) for one, owner in ((journal, "1:0"), (other, "2:0"))] == [
        True,
        False,
    ]
    (claim,) = other.unfinished_claims()
    assert (claim.key, claim.event_id, claim.line, claim.owner) == (KEY, "event-0", 2, "1:0")
    assert other.take_over_claim(claim, "2:0")
    assert not journal.take_over_claim(claim, "3:0"), "it has another owner now"
    other.finish_claim(KEY, "event-0", 2)
    assert journal.unfinished_claims() == []
    assert not journal.claim(KEY, "event-0", 2, "1:0", 0)
    other.close()


def test_recordings_and_notes_survive_a_restart(journal: Journal, state: Path) -> None:
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


def test_notes_of_an_earlier_schema_version_are_known(state: Path) -> None:
    state.mkdir(exist_ok=True)
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        for migrate in MIGRATIONS[:3]:
            migrate(db)
        db.execute("PRAGMA user_version = 3")
        db.execute("INSERT INTO note VALUES ('/n/x.md', 4, 5, 6)")
        db.commit()
    journal = Journal.open(state, now_ms=lambda: START_MS)
    assert journal.note("/n/x.md") == NoteRecord("/n/x.md", 4, 5, 6)
    journal.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_every_earlier_schema_version_is_migrated(journal: Journal, tmp_path: Path, version: int) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    with closing(sqlite3.connect(earlier / FILE_NAME)) as db:
        for migrate in MIGRATIONS[:version]:
            migrate(db)
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
    opened = Journal.open(earlier, now_ms=lambda: START_MS)
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert opened.database.all(schema) == journal.database.all(schema)
    assert put(opened, pairs(2)) == [0, 1]
    assert opened.check() == (1, 2, [])
    opened.close()


def test_only_the_owner_can_read_the_files(journal: Journal, state: Path) -> None:
    put(journal, pairs(1))
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_room_is_requested_before_a_large_event_is_read(journal: Journal) -> None:
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


def test_statistics_count_the_appends_of_every_process(journal: Journal, state: Path) -> None:
    """They are not counted at each call: a process adds its own appends, and notices that another process committed."""
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


def test_a_locked_journal_does_not_count_as_damaged(
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
def test_a_session_is_a_list_that_accepts_each_id_once(
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


#: Whether another process could write to the bytes that SQLite locks for each connection (its file format, "shared lock").
_PROBE = """
import fcntl, sys
with open(sys.argv[1], "rb+") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
    except OSError:
        print("locked")
"""


def list_conversations(state: Path) -> None:
    with catalogue.open_journal(state) as reader:
        assert reader is not None


@pytest.mark.skipif(sys.platform == "win32", reason="locks belong to descriptors there")
@pytest.mark.parametrize(
    "look",
    [
        lambda state: Journal.open(state, now_ms=lambda: START_MS).close(),
        lambda state: JournalReader(state).close(),
        list_conversations,
        lambda state: Indexer(state).step(),
    ],
    ids=["a second journal", "a reader", "a list of conversations", "the search index"],
)
def test_a_look_at_the_journal_in_the_same_process_releases_no_lock(
    journal: Journal, state: Path, look: Callable[[Path], object]
) -> None:
    """A process loses all its locks on a file when it closes any descriptor of it; then another one can damage the journal."""

    def probed() -> str:
        probe = [sys.executable, "-c", _PROBE, str(state / FILE_NAME)]
        return subprocess.run(probe, capture_output=True, text=True, check=True).stdout

    put(journal, pairs(3))
    assert probed() == "locked\n"
    look(state)
    assert probed() == "locked\n"


def test_many_processes_can_open_a_new_journal_at_the_same_time(state: Path) -> None:
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


def test_the_command_line_checks_exports_and_cleans(journal: Journal, state: Path, tmp_path: Path) -> None:
    put(journal, pairs(5), meta=SessionMeta(START_MS - 100 * DAY, title="Old talk"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kato", *arguments, "--state-dir", str(state)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("journal", "check").stdout == "1 session, 5 events: sound\n"
    exported = run("journal", "export", "claude/session-1").stdout.encode().splitlines()
    assert exported == lines(journal)
    assert run("journal", "export", "-o", str(tmp_path / "out.jsonl")).returncode == 0
    assert (tmp_path / "out.jsonl").read_bytes().splitlines() == lines(journal)
    assert run("journal", "export", "claude/unknown").returncode == 1
    assert "Old talk" in run("clean", "--older-than", "90d", "--dry-run").stdout
    assert journal.session(KEY) is not None
    assert "1 session," in run("clean", "--older-than", "90d").stdout
    assert journal.session(KEY) is None
    assert run("clean", "--older-than", "soon").returncode == 2
    with sqlite3.connect(state / FILE_NAME) as db:
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
    assert "does not exist" in missing.stderr


def test_a_long_read_does_not_block_a_writer(journal: Journal, state: Path) -> None:
    for first in range(0, 500, 10):
        put(journal, pairs(10, first=first))
    other = Journal.open(state, now_ms=lambda: START_MS)
    reading = journal.read(KEY, until=500)
    begun = list(itertools.islice(reading, 50))
    assert put(other, pairs(10, first=500)) == list(range(10))
    assert len(begun) + len(list(reading)) == 500
    other.close()
