"""Recovery: the undamaged pages of a damaged journal go into a new one, with everything that belongs to their sessions."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from builders import START_MS
from journal.keeping import DAY, KEY, OTHER, lines, pairs, put, recording
from kato.core import limits
from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey
from kato.core.records import LogRecord, NoteRecord, SessionMeta
from kato.storage.journal import DAMAGED_NAME, FILE_NAME, RECOVERED_NAME, RECOVERING_NAME, Journal
from kato.storage.journal.rebuild import Rebuild

PAGE = limits.JOURNAL_PAGE_BYTES


def reopened(state: Path) -> Journal:
    return Journal.open(state, now_ms=lambda: START_MS)


def damage(state: Path, page: int, count: int = 1, noise: bytes = b"\xff") -> None:
    """Overwrites pages (from 0) of the closed journal."""
    with (state / FILE_NAME).open("r+b") as file:
        file.seek(page * PAGE)
        file.write(noise * (PAGE * count // len(noise)))


def mark(state: Path) -> None:
    """Marks the journal as damaged, like a process that found the damage."""
    (state / DAMAGED_NAME).write_text("found")


def fill(journal: Journal) -> None:
    """Two sessions; the first has everything that a session can have."""
    meta = SessionMeta(
        START_MS + 5,
        "Title",
        "snippet",
        "/w",
        START_MS + 4,
        parent_id="elder",
        parent_call_id="call-1",
        branch="main",
    )
    for first in range(0, 100, 10):
        put(journal, pairs(10, first=first, size=2000), KEY, meta)
        put(journal, pairs(10, first=first, size=100, key=OTHER), OTHER)
    journal.set_destination(KEY, "/n/x.md")
    journal.put_recording(recording(active=False, name="old"))
    journal.put_recording(recording())
    assert journal.claim(KEY, "event-0", 1, "1:0", 0)
    assert journal.claim(KEY, "event-2", 1, "1:0", 2)
    journal.finish_claim(KEY, "event-0", 1)
    journal.put_note(NoteRecord("/n/x.md", 1, 2, 3))
    journal.put_log(LogRecord("/logs/x.jsonl", *KEY, "lines", 10, 11))
    journal.commit()


def contents(journal: Journal) -> list[object]:
    return [
        *(lines(journal, key) for key in (KEY, OTHER)),
        *(journal.session(key) for key in (KEY, OTHER)),
        journal.recording(KEY),
        journal.active_recordings(),
        [(one.event_id, one.line, one.owner, one.seq) for one in journal.unfinished_claims()],
        journal.claim(KEY, "event-0", 1, "2:0", 0),
        journal.note("/n/x.md"),
        journal.log("/logs/x.jsonl"),
        journal.check(),
    ]


@pytest.mark.parametrize("pages", [1, 2])
def test_damage_to_the_first_pages_loses_nothing(journal: Journal, state: Path, pages: int) -> None:
    fill(journal)
    before = contents(journal)
    journal.close()
    damage(state, 0, pages)
    again = reopened(state)
    assert again.recovery is not None
    assert "200 events of 2 sessions were recovered" in again.recovery
    assert "lost" not in again.recovery
    assert contents(again) == before
    assert put(again, pairs(1, first=100)) == [0]
    again.close()
    assert reopened(state).recovery is None


def test_what_only_the_wal_holds_is_recovered(journal: Journal, state: Path, tmp_path: Path) -> None:
    fill(journal)
    before = contents(journal)
    killed = tmp_path / "killed"
    shutil.copytree(state, killed)  # closing the journal would copy its WAL into the database
    assert (killed / f"{FILE_NAME}-wal").stat().st_size > 100 * PAGE
    (killed / FILE_NAME).write_bytes(b"")
    again = reopened(killed)
    assert contents(again) == before
    again.close()
    (aside,) = killed.glob("journal.damaged-*.sqlite3")
    assert Path(f"{aside}-wal").stat().st_size > 100 * PAGE, "the damaged WAL is kept too"


def test_a_journal_of_an_earlier_version_is_recovered(journal: Journal, state: Path) -> None:
    fill(journal)
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute("DROP INDEX recording_open")
        for column in ("end_seq", "end_line", "awaits_on"):
            db.execute(f"ALTER TABLE recording DROP COLUMN {column}")
        db.commit()
    journal.close()
    damage(state, 0)
    again = reopened(state)
    assert again.recording(KEY) == recording()
    again.close()


def test_the_positions_of_a_recording_are_renumbered_after_lost_events(journal: Journal, state: Path) -> None:
    for first in range(0, 60, 20):
        put(journal, pairs(20, first=first, size=3000))
    kept = recording(name="r")
    journal.put_recording(
        type(kept)(
            recording_id="r",
            key=KEY,
            output_path="/n/x.md",
            active=True,
            started_at=1,
            start_seq=10,
            start_line=0,
            seq=50,
            line=2,
            transcript_state=b"{}",
        )
    )
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute("DELETE FROM chunk WHERE id & 4294967295 = 20")  # events 20 to 39
        db.commit()
    mark(state)
    journal.close()
    again = reopened(state)
    moved = again.recording(KEY)
    assert moved is not None
    assert (moved.start_seq, moved.seq, moved.line, moved.active) == (10, 30, 2, True)
    assert again.recovery is not None
    assert "20 are lost" in again.recovery
    assert again.check().problems == []
    again.close()


def test_a_session_log_is_read_again_if_events_are_lost(journal: Journal, state: Path) -> None:
    put(journal, pairs(20))
    put(journal, pairs(20, first=20))
    journal.put_log(LogRecord("/logs/x.jsonl", *KEY, "lines", 10, 11))
    journal.commit()
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute("DELETE FROM chunk WHERE id & 4294967295 = 20")
        db.commit()
    mark(state)
    journal.close()
    again = reopened(state)
    assert again.log("/logs/x.jsonl") is None
    again.close()


def test_a_recovery_does_not_bring_removed_sessions_back(journal: Journal, state: Path) -> None:
    put(journal, pairs(30, size=500), meta=SessionMeta(START_MS - 100 * DAY))
    put(journal, pairs(30, size=500, key=OTHER), OTHER)
    journal.clean(older_than_ms=START_MS - DAY, dry_run=False)
    journal.close()
    damage(state, 0)
    again = reopened(state)
    assert again.recovery is not None
    assert "30 events of 1 sessions were recovered" in again.recovery
    assert again.session(KEY) is None
    assert put(again, pairs(30, size=500)) == []
    assert again.session(KEY) is None
    assert again.removed_until(KEY) == START_MS - 100 * DAY
    assert put(again, pairs(31, size=500)) == [30], "a new event is accepted"
    again.close()


def test_an_unreadable_session_does_not_prevent_the_recovery_of_others(journal: Journal, state: Path) -> None:
    for number in range(20):
        put(journal, pairs(3, size=3000, key=SessionKey("p", f"s{number}")), SessionKey("p", f"s{number}"))
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute("UPDATE chunk SET data = zeroblob(length(data)) WHERE id >> 32 = 5")
        db.execute("UPDATE chunk SET data = x'ff0a' WHERE id >> 32 = 6")
        db.execute("UPDATE session SET title = cast(x'ff41' AS TEXT) WHERE id = 7")
        db.commit()
    mark(state)
    journal.close()
    again = reopened(state)
    assert again.recovery is not None
    assert "54 events of 18 sessions were recovered, 6 are lost" in again.recovery
    assert again.check().problems == []
    again.close()


@pytest.mark.parametrize("ends_at", ["first row", "complete", "WAL moved", "all moved"])
def test_an_interrupted_recovery_is_continued(
    journal: Journal, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends_at: str
) -> None:
    fill(journal)
    before = contents(journal)
    killed = tmp_path / "killed"
    shutil.copytree(state, killed)
    mark(killed)
    with monkeypatch.context() as patch:
        patch.setattr(*interruption(ends_at))
        with pytest.raises(KeyboardInterrupt):
            reopened(killed)
    again = reopened(killed)
    assert again.recovery is not None
    assert contents(again) == before
    again.close()
    aside = sorted(path.name for path in killed.glob("journal.damaged-*"))
    assert [name.partition(".sqlite3")[2] for name in aside] == ["", "-shm", "-wal"]
    assert len({name.partition(".sqlite3")[0] for name in aside}) == 1
    assert not {path.name for path in killed.iterdir()} & {DAMAGED_NAME, RECOVERED_NAME, RECOVERING_NAME}


def interruption(at: str) -> tuple[type, str, Callable[..., object]]:
    """The function that a test replaces so that the process ends at this step: its owner, name and replacement."""
    if at == "first row":

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        return Rebuild, "_add_chunk", interrupted
    moves = iter(range(10))
    last = {"complete": 1, "WAL moved": 3, "all moved": 4}[at]  # -wal, -shm, the database, the new one
    rename = Path.rename

    def renamed(self: Path, target: Path) -> Path:
        if next(moves) == last:
            raise KeyboardInterrupt
        return rename(self, target)

    return Path, "rename", renamed


def test_a_recovery_that_fails_changes_nothing_and_can_be_repeated(
    journal: Journal, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal)
    before = contents(journal)
    journal.close()
    damage(state, 0)
    damaged = (state / FILE_NAME).read_bytes()

    def full(*_: object) -> None:
        raise JournalUnavailable("no space is left", "x")

    with monkeypatch.context() as patch:
        patch.setattr(Rebuild, "_add_related", full)
        with pytest.raises(JournalUnavailable):
            reopened(state)
    assert (state / FILE_NAME).read_bytes() == damaged
    again = reopened(state)
    assert contents(again) == before
    again.close()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_after_damage_to_any_page_the_journal_continues_with_the_rest(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    state = tmp_path_factory.mktemp("journal")
    journal = reopened(state)
    fill(journal)
    known = set(lines(journal)) | set(lines(journal, OTHER))
    journal.close()
    size = (state / FILE_NAME).stat().st_size // PAGE
    page = data.draw(st.integers(0, size - 1))
    damage(state, page, noise=data.draw(st.sampled_from([b"\xff", b"\0", b"\x0d\0\0\0", b'{"a":1}\n'])))
    mark(state)
    again = reopened(state)
    left = set(lines(again)) | set(lines(again, OTHER))
    assert left <= known
    assert len(left) >= len(known) - 80, "at most eight chunks of ten events begin in a page"
    assert again.check().problems == []
    again.close()
