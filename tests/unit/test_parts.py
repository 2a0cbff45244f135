"""Sessions in several logs: which part is read first."""

import pytest

from kato.assistants.contract import LogFile
from kato.logs.parts import first_part, part_order

LOGS = {
    "/jb/j/partition-10.jsonl": LogFile("j", is_later_part=True),
    "/jb/j/partition-2.jsonl": LogFile("j", is_later_part=True),
    "/jb/k/partition-1.jsonl": LogFile("k"),
    "/jb/j/partition-1.jsonl": LogFile("j"),
}


def test_parts_are_ordered_by_their_numbers() -> None:
    names = [path for path in LOGS if "/j/" in path]
    assert [name[-7] for name in sorted(names, key=part_order)] == ["1", "2", "0"]


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/jb/j/partition-10.jsonl", "/jb/j/partition-1.jsonl"),
        ("/jb/j/partition-2.jsonl", "/jb/j/partition-1.jsonl"),
        ("/jb/j/partition-1.jsonl", "/jb/j/partition-1.jsonl"),
        ("/jb/k/partition-1.jsonl", "/jb/k/partition-1.jsonl"),
    ],
)
def test_a_later_part_waits_for_the_earlier_ones(path: str, first: str) -> None:
    assert first_part(path, LOGS) == first


def test_a_part_whose_predecessors_were_read_is_the_first() -> None:
    path = "/jb/j/partition-10.jsonl"
    assert first_part(path, {path: LOGS[path]}) == path
