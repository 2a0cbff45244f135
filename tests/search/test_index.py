"""The index follows the journal, holds each event once, and is made again whenever it does not fit."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import START_MS, assistant, tool_result, user
from journal.keeping import DAY, KEY, META, OTHER, append, put
from kato.core import limits
from kato.core.errors import JournalUnavailable, KatoError, SearchUnavailable
from kato.core.events import SessionKey
from kato.core.queries import Query, SearchScope
from kato.core.records import SessionMeta
from kato.storage.journal import FILE_NAME, Journal
from kato.storage.journal.files import DAMAGED_NAME, SEARCH_NAME
from kato.storage.search import Indexer


def say(
    journal: Journal, events: Sequence[dict[str, Any]], key: SessionKey = KEY, meta: SessionMeta = META
) -> None:
    lines = [
        (one["eventId"], orjson.dumps(one | {"provider": key.provider, "sessionId": key.session_id}))
        for one in events
    ]
    put(journal, lines, key, meta)


def index_all(indexer: Indexer) -> None:
    while indexer.step():
        pass


def found(indexer: Indexer, query: str, scope: SearchScope = "all", **more: Any) -> list[tuple[str, int]]:
    """Sessions and numbers of the hits, the best first."""
    hits = indexer.search(Query.parse(query), scope=scope, **more).hits
    return [(hit.session_id, hit.seq) for hit in hits]


def test_what_the_journal_gets_is_found_after_a_step(journal: Journal, indexer: Indexer) -> None:
    say(journal, [user("how does a write-ahead log work?", 0), assistant("it logs first", 1)])
    index_all(indexer)
    assert found(indexer, '"write ahead"') == [("session-1", 0)]
    say(journal, [user("and a checkpoint?", 2)])
    assert found(indexer, "checkpoint") == []
    assert not indexer.search(Query.parse("checkpoint")).complete
    index_all(indexer)
    assert found(indexer, "checkpoint") == [("session-1", 2)]
    assert indexer.search(Query.parse("checkpoint")).complete


def test_a_hit_says_where_when_and_what(journal: Journal, indexer: Indexer) -> None:
    say(journal, [user("the needle", 7)], meta=SessionMeta(START_MS, title="Sewing", cwd="/work"))
    index_all(indexer)
    (hit,) = indexer.search(Query.parse("needle")).hits
    assert (hit.provider, hit.session_id, hit.seq, hit.role) == ("claude", "session-1", 0, "user")
    assert (hit.title, hit.cwd, hit.source) == ("Sewing", "/work", "journal")
    assert (hit.timestamp, hit.snippet) == ("2026-02-25T06:13:27.000Z", "the needle")
    assert [(mark.start, mark.end) for mark in hit.marks] == [(4, 10)]


@pytest.mark.parametrize(
    ("scope", "expected"), [("user", [0]), ("assistant", [1]), ("tools", [2]), ("all", [0, 1, 2])]
)
def test_a_scope_limits_the_search(
    journal: Journal, indexer: Indexer, scope: SearchScope, expected: list[int]
) -> None:
    say(journal, [user("same word", 0), assistant("same word", 1), tool_result("same word", 2)])
    index_all(indexer)
    assert sorted(seq for _, seq in found(indexer, "same word", scope)) == expected


def test_what_was_said_counts_more_than_what_a_tool_put_out(journal: Journal, indexer: Indexer) -> None:
    say(journal, [tool_result("needle", 0), assistant("needle", 1), user("needle", 2)])
    index_all(indexer)
    assert [seq for _, seq in found(indexer, "needle")] == [2, 1, 0]


def test_the_newer_of_two_equal_matches_comes_first(journal: Journal, indexer: Indexer) -> None:
    say(journal, [user("needle", number) for number in (3, 1, 2)])
    index_all(indexer)
    assert [seq for _, seq in found(indexer, "needle")] == [0, 2, 1]
    assert found(indexer, "needle", limit=1) == [("session-1", 0)]


def test_provider_folder_and_time_limit_the_search(journal: Journal, indexer: Indexer) -> None:
    say(journal, [user("needle", 0), user("needle", 9)], meta=SessionMeta(START_MS, cwd="/a"))
    say(journal, [user("needle", 0)], OTHER, SessionMeta(START_MS, cwd="/b"))
    index_all(indexer)
    assert len(found(indexer, "needle")) == 3
    assert len(found(indexer, "needle", provider="codex")) == 1
    assert len(found(indexer, "needle", is_in_folder=lambda cwd: cwd == "/a")) == 2
    assert len(found(indexer, "needle", provider="codex", is_in_folder=lambda cwd: cwd == "/a")) == 0
    assert len(found(indexer, "needle", since_ms=START_MS + 5000)) == 1


def test_two_processes_index_each_event_once(state: Path, journal: Journal, indexer: Indexer) -> None:
    other = Indexer(state)
    with closing(other):
        for number in range(0, 40, 4):
            say(journal, [user(f"needle {number + offset}", number + offset) for offset in range(4)])
            (indexer if number % 8 else other).step()
        index_all(indexer)
        index_all(other)
        assert indexer.status().events == 40
        assert len(found(other, "needle", limit=200)) == 40


def test_a_process_that_starts_goes_on_where_the_last_one_stopped(state: Path, journal: Journal) -> None:
    say(journal, [user("needle", 0)])
    for number in (1, 2):
        with closing(Indexer(state)) as indexer:
            index_all(indexer)
            assert indexer.status().events == number
        say(journal, [user("needle", number)])


def test_the_newest_conversation_is_indexed_first(
    journal: Journal, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(journal, [user("needle", 0)], SessionKey("claude", "old"), SessionMeta(START_MS))
    say(journal, [user("needle", 0)], SessionKey("claude", "new"), SessionMeta(START_MS + 1))
    monkeypatch.setattr(limits, "SEARCH_STEP_BYTES", 1)
    indexer.step()
    assert found(indexer, "needle") == [("new", 0)]
    assert indexer.status().sessions_behind == 1


def test_matches_beyond_the_newest_tables_are_not_ranked(
    journal: Journal, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEARCH_SHARD_EVENTS", 8)
    monkeypatch.setattr(limits, "SEARCH_RANKED_MAX", 4)
    say(journal, [user(f"everywhere {'rare' if number == 1 else ''}", number) for number in range(40)])
    index_all(indexer)
    result = indexer.search(Query.parse("everywhere"), limit=200)
    assert len(result.hits) < 20
    assert not result.complete
    assert min(hit.seq for hit in result.hits) > 20
    assert found(indexer, "rare") == [("session-1", 1)]
    assert indexer.search(Query.parse("rare")).complete


def test_removed_conversations_are_not_found_and_leave_no_word_in_the_files(
    state: Path, journal: Journal, indexer: Indexer
) -> None:
    say(journal, [user("zanzibar", 0)])
    say(journal, [user("needle", 0)], OTHER, SessionMeta(START_MS + 10 * DAY))
    index_all(indexer)
    assert found(indexer, "zanzibar") == [("session-1", 0)]
    journal.clean(older_than_ms=START_MS + DAY, dry_run=False)
    assert found(indexer, "zanzibar") == []
    index_all(indexer)
    assert found(indexer, "needle") == [("session-1", 0)]
    indexer.close()
    assert not any(b"zanzibar" in path.read_bytes() for path in state.glob(f"{SEARCH_NAME}*"))


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "zeros", "another version"])
def test_a_damaged_index_is_made_again(state: Path, journal: Journal, damage: str) -> None:
    say(journal, [user(f"needle {number} " + "word " * 200, number) for number in range(50)])
    with closing(Indexer(state)) as indexer:
        index_all(indexer)
    path = state / SEARCH_NAME
    content = path.read_bytes()
    if damage == "another version":
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 99")
    else:
        damaged = {
            "garbage": content[:100] + b"\xa5" * (len(content) - 100),
            "truncated": content[: len(content) // 2],
            "empty": b"",
            "zeros": content[:8192] + bytes(len(content) - 8192),
        }
        path.write_bytes(damaged[damage])
    with closing(Indexer(state)) as indexer:
        for _ in range(5):
            try:
                index_all(indexer)
                hits = found(indexer, "needle", limit=200)
            except SearchUnavailable:
                indexer.close()
            else:
                break
        assert len(hits) == 50


@pytest.mark.parametrize("offset", range(0, 100_000, 12_000))
def test_an_index_damaged_anywhere_raises_what_the_thread_expects(
    state: Path, journal: Journal, offset: int
) -> None:
    say(journal, [user(f"needle {number} " + "word " * 200, number) for number in range(50)])
    with closing(Indexer(state)) as indexer:
        index_all(indexer)
    path = state / SEARCH_NAME
    content = bytearray(path.read_bytes())
    content[offset : offset + 64] = bytes(64)
    path.write_bytes(content)
    with closing(Indexer(state)) as indexer:
        for _ in range(5):
            try:
                say(journal, [user("needle", 1000 + offset)])
                index_all(indexer)
                found(indexer, "needle word", limit=200)
            except KatoError:
                indexer.close()


def test_a_full_disk_stops_the_indexing_and_nothing_else(journal: Journal, indexer: Indexer) -> None:
    say(journal, [user("needle", 0)])
    index_all(indexer)
    assert indexer._index is not None
    indexer._index._db.execute("PRAGMA max_page_count = 1")
    say(journal, [user("word " * 3000, number) for number in range(1, 200)])
    with pytest.raises(SearchUnavailable, match="full"):
        index_all(indexer)
    assert found(indexer, "needle") == [("session-1", 0)]
    indexer._index._db.execute("PRAGMA max_page_count = 100000")
    indexer.close()
    index_all(indexer)
    assert indexer.status().events == 200


def test_an_index_that_another_process_locks_is_tried_again(
    state: Path, journal: Journal, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEARCH_BUSY_MS", 10)
    say(journal, [user("needle", 0)])
    index_all(indexer)
    say(journal, [user("another", 1)])
    with closing(sqlite3.connect(state / SEARCH_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SearchUnavailable, match="another process"):
            index_all(indexer)
        assert found(indexer, "needle") == [("session-1", 0)]
    index_all(indexer)
    assert found(indexer, "another") == [("session-1", 1)]


def test_a_replaced_journal_begins_the_index_again(state: Path, journal: Journal, indexer: Indexer) -> None:
    say(journal, [user("before", 0), user("needle", 1)])
    index_all(indexer)
    for path in state.glob(f"{FILE_NAME}*"):
        path.rename(path.with_name(f"away-{path.name}"))
    with closing(Journal.open(state, now_ms=lambda: START_MS)) as another:
        say(another, [user("after", 0)])
        index_all(indexer)
        assert found(indexer, "before") == []
        assert found(indexer, "after") == [("session-1", 0)]


def test_a_recovered_journal_begins_the_index_again(state: Path) -> None:
    with closing(Journal.open(state, now_ms=lambda: START_MS)) as journal, closing(Indexer(state)) as indexer:
        say(journal, [user("needle", 0)])
        index_all(indexer)
    (state / DAMAGED_NAME).write_text("as if it were")
    with closing(Journal.open(state, now_ms=lambda: START_MS)) as journal:
        assert journal.recovery is not None
        assert not (state / SEARCH_NAME).exists()
        with closing(Indexer(state)) as indexer:
            index_all(indexer)
            assert found(indexer, "needle") == [("session-1", 0)]


def test_an_index_beyond_its_bound_keeps_the_newest_conversations(
    journal: Journal, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEARCH_INDEX_BYTES_MAX", 1_000_000)
    for number in range(20):
        words = " ".join(f"w{number}x{index}" for index in range(4000))
        events = [user(f"needle {words[part * 2000 : part * 2000 + 2000]}", part) for part in range(16)]
        say(journal, events, SessionKey("claude", f"s{number}"), SessionMeta(START_MS + number))
    index_all(indexer)
    sessions = {session for session, _ in found(indexer, "needle", limit=200)}
    assert "s19" in sessions
    assert "s0" not in sessions
    assert indexer.status().bytes <= 2 * limits.SEARCH_INDEX_BYTES_MAX
    assert not indexer.search(Query.parse("needle")).complete


def test_the_index_skips_a_damaged_event_and_one_that_is_too_large(
    state: Path, journal: Journal, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEARCHED_EVENT_BYTES_MAX", 100_000)
    monkeypatch.setattr(limits, "JOURNAL_CHUNK_BYTES", 1000)
    say(
        journal,
        [
            user("first needle", 0),
            user("needle " * 30_000, 1),
            user("third needle", 2),
            user("fourth needle", 3),
        ],
    )
    with closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute(
            "UPDATE chunk SET data = CAST(replace(data, 'third', 'th\"rd') AS BLOB) WHERE instr(data, 'third')"
        )
        db.commit()
    index_all(indexer)
    assert ("session-1", 0) in found(indexer, "needle")
    assert ("session-1", 1) not in found(indexer, "needle")
    assert indexer.search(Query.parse("needle")).complete


def test_without_a_journal_the_indexer_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable):
        Indexer(tmp_path).step()


def test_reading_keeps_no_writer_waiting(state: Path, journal: Journal, indexer: Indexer) -> None:
    """An append in the middle of indexing succeeds, and the other way round."""
    append(journal, KEY, [("event-0", orjson.dumps(user("open", 0)))])  # the transaction stays open
    indexer.step()
    journal.commit()
    say(journal, [user("needle", 1)])
    index_all(indexer)
    assert found(indexer, "needle") == [("session-1", 1)]
    assert (state / SEARCH_NAME).stat().st_mode & 0o777 == 0o600
