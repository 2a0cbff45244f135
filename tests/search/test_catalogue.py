"""The catalogue lists each conversation once, with what is known of it, and reads a log again only if it changed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builders import START_MS, user
from kato.app.catalogue import Catalogue, Conversation, open_journal
from kato.assistants.claude import CLAUDE
from kato.assistants.gemini import GEMINI
from kato.core.events import SessionKey
from kato.core.records import LogRecord, SessionMeta
from kato.logs import discovery
from kato.logs.descriptions import FILE_NAME, DescriptionCache
from kato.logs.discovery import Root
from kato.logs.listing import Listing
from kato.storage.journal import Journal
from logs import ClaudeLog, append, now
from search.test_index import say


class Machine:
    """A home with logs, and a state folder."""

    def __init__(self, home: Path, state: Path) -> None:
        self.home = home
        self.state = state

    @contextmanager
    def catalogue(self) -> Iterator[Catalogue]:
        roots = [
            Root(CLAUDE, str(self.home / ".claude" / "projects")),
            Root(GEMINI, str(self.home / ".gemini" / "tmp")),
        ]
        with open_journal(self.state) as journal, DescriptionCache(self.state) as cache:
            yield Catalogue(Listing(roots, discovery.surroundings({}), cache), journal)

    def listed(self) -> list[Conversation]:
        with self.catalogue() as catalogue:
            return list(catalogue.conversations())

    def log(self, words: str, *, hour: int = 10, changed: float | None = None) -> ClaudeLog:
        log = ClaudeLog(self.home, Path("/work"))
        log.write(log.user(words, timestamp=f"2026-05-01T{hour:02}:00:00.000Z"))
        if changed is not None:
            os.utime(log.path, (changed, changed))
        return log


@pytest.fixture
def machine(tmp_path: Path, state: Path) -> Machine:
    state.mkdir()
    return Machine(tmp_path / "home", state)


def read_to(journal: Journal, log: ClaudeLog) -> None:
    status = log.path.stat()
    journal.put_log(LogRecord(str(log.path), "claude", log.session, "", status.st_size, status.st_mtime_ns))
    journal.commit()


def test_each_conversation_is_listed_once_with_what_is_known_of_it(
    machine: Machine, journal: Journal
) -> None:
    only_log = machine.log("only in the log", hour=14)
    partial, kept = machine.log("partly kept", hour=13), machine.log("kept", hour=12)
    for log in (partial, kept):
        say(journal, [user("words", 0)], SessionKey("claude", log.session), SessionMeta(START_MS))
    read_to(journal, kept)
    say(
        journal,
        [user("its log is gone", 0)],
        SessionKey("claude", "gone"),
        SessionMeta(START_MS, title="Gone"),
    )
    assert [(one.key.session_id, one.extent, one.title) for one in machine.listed()] == [
        (only_log.session, "log", "only in the log"),
        (partial.session, "partial", "partly kept"),
        (kept.session, "kept", "kept"),
        ("gone", "log_gone", "Gone"),
    ]


def test_conversations_are_sorted_by_their_last_messages_not_by_their_files(machine: Machine) -> None:
    early, late = machine.log("early", hour=8), machine.log("late", hour=9)
    os.utime(early.path)  # a program touched the file
    os.utime(late.path, (1_777_700_000, 1_777_700_000))
    first, second = machine.listed()
    assert (first.key.session_id, second.key.session_id) == (late.session, early.session)
    assert first.updated_at - second.updated_at == 3_600_000
    assert first.started_at == first.updated_at


def test_a_log_that_did_not_change_is_not_read_again(machine: Machine) -> None:
    log = machine.log("the first words")
    before = log.path.stat()
    machine.listed()
    log.path.write_bytes(log.path.read_bytes().replace(b"first", b"other"))
    os.utime(log.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [one.title for one in machine.listed()] == ["the first words"]
    os.utime(log.path)
    assert [one.title for one in machine.listed()] == ["the other words"]


def test_the_newest_are_known_before_the_older_logs_are_described(machine: Machine) -> None:
    for hour in range(1, 11):
        machine.log(f"hour {hour}", hour=hour, changed=1_777_593_600 + 3600 * hour)
    with machine.catalogue() as catalogue:
        assert next(catalogue.conversations()).title == "hour 10"
        assert catalogue.left == 9
        assert len(catalogue._listing._cache._new) <= 2


def test_a_log_whose_path_names_the_beginning_of_its_id_is_one_with_its_session(
    machine: Machine, journal: Journal
) -> None:
    head = {"sessionId": "3f2a9c1e-1111", "projectHash": "x", "startTime": now(), "kind": "main"}
    said = {"id": "u1", "timestamp": now(), "type": "user", "content": [{"text": "hello"}]}
    append(
        machine.home / ".gemini" / "tmp" / "app" / "chats" / "session-2026-09-10T09-00-3f2a9c1e.jsonl",
        head,
        said,
    )
    say(journal, [user("hello", 0)], SessionKey("gemini", "3f2a9c1e-1111"), SessionMeta(START_MS))
    (one,) = machine.listed()
    assert one.extent == "partial"


@pytest.mark.parametrize("damage", [b"", b"not a database" * 100, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_cache_costs_the_reading_and_nothing_else(machine: Machine, damage: bytes) -> None:
    machine.log("words")
    machine.listed()
    (machine.state / FILE_NAME).write_bytes(damage)
    for _ in range(2):
        assert [one.title for one in machine.listed()] == ["words"]


def test_a_cache_in_a_folder_that_cannot_be_written_is_not_used(machine: Machine) -> None:
    machine.log("words")
    (machine.state / FILE_NAME).mkdir()
    assert [one.title for one in machine.listed()] == ["words"]
