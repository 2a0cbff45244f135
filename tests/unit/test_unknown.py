"""Unknown kinds of records: each is counted, and no text of a conversation gets into the counts."""

from datetime import datetime

import pytest

from kato.assistants.builder import BaseReader
from kato.assistants.contract import Json, LogFile, Problem
from kato.assistants.dispatch import Dispatch
from kato.assistants.unknown import UNUSUAL, UnknownKind, UnknownKinds, id_of, reported_name
from kato.core import limits
from kato.core.events import ProviderInfo

TEXT = "my key is hunter2"


class Example(BaseReader):
    provider = "example"

    def __init__(self) -> None:
        super().__init__(LogFile("s"))
        self.read: list[str] = []

    def _user(self, record: Json, event_id: str | None, at: datetime | None) -> None:
        self.read.append(record["words"])


KEEPING = Dispatch(
    {"user": Example._user},
    ignored=["ping", "debug-*", "*_delta"],
    default=Example.emit_unknown,
    label="item",
)
COUNTING = Dispatch({"user": Example._user}, default=Example.count_unknown)


def problems(reader: Example) -> list[Problem]:
    return reader._taken(is_quiet=True).problems


def test_a_known_kind_goes_to_its_function() -> None:
    reader = Example()
    KEEPING.take(reader, "user", {"words": "hi"}, "e1", None)
    assert (reader.read, problems(reader)) == (["hi"], [])


@pytest.mark.parametrize("kind", ["ping", "debug-", "debug-memory", "text_delta"])
def test_an_ignored_kind_leaves_nothing(kind: str) -> None:
    reader = Example()
    KEEPING.take(reader, kind, {}, "e1", None)
    assert reader._taken(is_quiet=True) == type(reader._taken())([], [])
    assert KEEPING.knows(kind)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("novelty", "item novelty"),
        ("delta_", "item delta_"),
        ("pings", "item pings"),
        ("", "an item without a type"),
        (None, "an item without a type"),
        (TEXT, f"item {UNUSUAL}"),
        ("x" * 1000, f"item {UNUSUAL}"),
    ],
)
def test_any_other_kind_is_kept_and_counted_with_an_example(kind: str | None, name: str) -> None:
    reader = Example()
    reader.version = "1.2"
    KEEPING.take(reader, kind, {"what": 1}, "e1", None)
    result = reader._taken(is_quiet=True)
    assert [(event.event_id, type(event)) for event in result.events] == [("e1", ProviderInfo)]
    (problem,) = result.problems
    assert (problem.kind, problem.detail, problem.version, problem.example) == (
        "unknown_kind",
        name,
        "1.2",
        "e1",
    )


def test_a_table_whose_default_counts_keeps_nothing_of_the_record() -> None:
    reader = Example()
    COUNTING.take(reader, "novelty", {"content": TEXT}, None, None)
    result = reader._taken(is_quiet=True)
    assert result.events == []
    assert [problem.detail for problem in result.problems] == ["novelty"]


def test_problems_that_differ_in_their_examples_are_counted_together() -> None:
    one, other = (Problem("unknown_kind", "novelty", "1.2", example) for example in ("e1", "e2"))
    assert one == other
    assert len({one, other}) == 1
    assert one != Problem("unknown_kind", "novelty", "1.3", "e1")


@pytest.mark.parametrize(
    "name", ["novelty", "event_msg novelty", "response part x.y", "a record without a type"]
)
def test_what_readers_report_stays(name: str) -> None:
    assert reported_name(name) == name


@pytest.mark.parametrize(
    "name", [TEXT, "item my own key", "two\nlines", "", "a  b", "ünïcode", "item " + 90 * "x"]
)
def test_what_may_be_a_text_is_replaced(name: str) -> None:
    assert reported_name(name) == UNUSUAL


def test_an_id_that_may_be_a_text_becomes_a_hash() -> None:
    assert id_of("0b6b-11:2") == "0b6b-11:2"
    hashed = id_of(TEXT)
    assert hashed.startswith("hash ")
    assert TEXT not in hashed
    assert id_of(hashed) == hashed


def test_counts_are_kept_by_name_and_version_with_the_first_example() -> None:
    kinds, more = UnknownKinds(), UnknownKinds()
    kinds.add("novelty", "1.2")
    kinds.add("novelty", "1.2", "e2")
    more.add("novelty", "1.2", "e3")
    more.add("novelty", "1.3", "e4", 5)
    kinds.update(more)
    assert [(kind, seen.count, seen.example) for kind, seen in kinds] == [
        (UnknownKind("novelty", "1.3"), 5, "e4"),
        (UnknownKind("novelty", "1.2"), 3, "e2"),
    ]


def test_kinds_beyond_the_bound_are_counted_together() -> None:
    kinds = UnknownKinds()
    for number in range(limits.LOG_UNKNOWN_KINDS_MAX + 7):
        kinds.add(f"kind{number}")
    kinds.add("kind0")
    assert len(kinds) == limits.LOG_UNKNOWN_KINDS_MAX
    assert kinds.others == 7
