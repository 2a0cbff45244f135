"""What a live view shows where the terminal has too few lines for it."""

import io

import pytest
from rich.console import Console, Group
from rich.text import Text

from kato.cli.fitting import Fitted


def shown(height: int, messages: list[str]) -> list[str]:
    """The lines of a view whose full form has six lines and whose short form has three."""
    console = Console(file=io.StringIO(), width=20, height=height)
    full = Group(*(Text(f"full {number}") for number in range(6)))
    short = Group(*(Text(f"short {number}") for number in range(3)))
    view = Fitted(full, short, [Text(one) for one in messages])
    lines = console.render_lines(view, pad=False)
    return ["".join(segment.text for segment in line) for line in lines]


FULL = [f"full {number}" for number in range(6)]
SHORT = [f"short {number}" for number in range(3)]


@pytest.mark.parametrize(
    ("height", "messages", "lines"),
    [
        (8, ["one", "two"], [*FULL, "one", "two"]),
        (7, ["one", "two"], [*SHORT, "one", "two"]),
        (7, list("abcdef"), [*SHORT, *"cdef"]),
        (6, [], FULL),
        (5, [], SHORT),
        (3, list("abcdef"), [*SHORT[:2], "f"]),
        (6, ["a", "word " * 8, "b"], [*SHORT, "word word word word ", "word word word word", "b"]),
        (5, ["old", "word " * 16], [*SHORT, "word word word word ", "word word word word "]),
        (1, ["a"], ["a"]),
    ],
    ids=[
        "all fits",
        "the short view makes room",
        "the oldest messages are left out",
        "the full view alone fits",
        "the short view alone fits",
        "a third is for messages",
        "a message is whole or left out",
        "the newest message is cut, not left out",
        "one line",
    ],
)
def test_the_newest_messages_are_always_shown(height: int, messages: list[str], lines: list[str]) -> None:
    assert [line.rstrip() for line in shown(height, messages)] == [line.rstrip() for line in lines]
