"""The lines of `kato search`."""

import io

import pytest
from rich.console import Console

from kato.cli.commands.search import view
from kato.core.searching import Mark, SearchHit, SearchResult

HIT = SearchHit(
    provider="claude",
    session_id="3f2a9c1e",
    seq=4,
    role="assistant",
    snippet="A node splits in the middle when it is full, and its parent gets the key between both halves.",
    marks=[Mark(7, 13)],
    timestamp="1970-01-01T00:00:00Z",
    score=1.0,
    source="journal",
    title="B-trees",
    cwd="/work/trees",
)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            1_000_000,
            [
                "B-trees  3 h ago · /work/trees · claude/3f2a9c1e",
                "  assistant: A node splits in the middle when it is full, and its parent gets the key between both halves.",
            ],
        ),
        (
            44,
            [
                "B-trees",
                "  3 h ago · /work/trees · claude/3f2a9c1e",
                "  assistant: A node splits in the middle",
                "             when it is full, and its parent",
                "             gets the key between both",
                "             halves.",
            ],
        ),
    ],
    ids=["a pipe", "a narrow terminal"],
)
def test_lines_that_go_on_are_indented(width: int, lines: list[str]) -> None:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(view(SearchResult([HIT], complete=True), 3 * 3_600_000, width))
    assert [line.rstrip() for line in captured.get().splitlines()] == lines
