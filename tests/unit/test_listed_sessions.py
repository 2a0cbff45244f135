"""The lines of `kato sessions`."""

import io
from typing import Any, get_args

import pytest
from rich.cells import cell_len
from rich.console import Console

from kato.app.catalogue import Conversation, Extent
from kato.cli.commands.sessions import view
from kato.core.events import SessionKey

DAY = 86_400_000
ID = "0199f3a2-7c11-7e55-9b1e-6a4d6f2c8e01"


def one(title: str = "Why does a B-tree split its nodes in the middle?", **more: Any) -> Conversation:
    known: dict[str, Any] = {"cwd": "/work/a", "parent_id": None, "started_at": None, "updated_at": 0}
    return Conversation(
        key=SessionKey("claude", ID), **known | {"title": title, "size": 900 << 20, "extent": "log"} | more
    )


def lines(listed: list[Conversation], width: int | None) -> list[str]:
    console = Console(file=io.StringIO(), width=width or 1000)
    with console.capture() as captured:
        console.print(view(listed, 400 * DAY, width=width))
    return captured.get().splitlines()


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            110,
            " 400 days ago  Claude Code  Why does a B-tree split its nodes in the middle?  900.0 MB  0199f3a2-7c11",
        ),
        (80, " 400 days ago  Claude Code  Why does a B-tree split its nodes in…  0199f3a2-7c11"),
        (None, f" 400 days ago  Claude Code  {one().title}  900.0 MB  {ID}"),
    ],
    ids=["110 columns", "80 columns: the size makes room for the title", "a pipe: all is whole"],
)
def test_a_title_has_the_room_that_the_other_columns_need_not(width: int | None, line: str) -> None:
    (_, shown) = lines([one()], width)
    assert shown.rstrip() == line


@pytest.mark.parametrize(
    ("more", "title"),
    [({}, "(nothing said yet)"), ({"parent_id": "p"}, "↳ (no title)"), ({"not_kept": "off"}, "(not kept)")],
)
def test_without_a_title_the_list_says_why(more: dict[str, Any], title: str) -> None:
    (_, shown) = lines([one(title="", **more)], None)
    assert f"  {title}  " in shown


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_lines_are_as_wide_as_the_terminal_and_columns_stand_below_each_other(width: int) -> None:
    listed = [
        one("如何优化这个查询的性能?" * 4, extent=extent, cwd=f"/work/{number}", size=1 << 10 * number)
        for number, extent in enumerate(get_args(Extent))
    ]
    shown = [line for line in lines(listed, width) if not line.startswith("/")]
    assert len(shown) == len(listed), "no line wraps"
    assert all(cell_len(line) <= width for line in shown)
    assert len({cell_len(line[: line.index(ID[:13])]) for line in shown}) == 1
