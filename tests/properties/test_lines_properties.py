"""Lines in several parts are the same lines, however they are cut."""

import hypothesis.strategies as st
from hypothesis import given

from kato.core.lines import Lines

LINE = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b" "))
PARTS = st.lists(st.lists(LINE, max_size=8), min_size=1, max_size=5)


def made(parts: list[list[bytes]]) -> tuple[Lines, list[bytes]]:
    return Lines.joined([Lines.of(part) for part in parts]), [line for part in parts for line in part]


@given(PARTS)
def test_what_goes_in_comes_out_and_is_counted(parts: list[list[bytes]]) -> None:
    lines, each = made(parts)
    assert list(lines) == each
    assert (lines.count, lines.json_bytes) == (len(each), sum(map(len, each)))


@given(PARTS, st.integers(1, 200))
def test_pieces_are_whole_lines_in_order_and_none_is_longer_than_asked_but_a_single_line(
    parts: list[list[bytes]], size: int
) -> None:
    lines, each = made(parts)
    pieces = list(lines.pieces(size))
    assert b"".join(data for data, _ in pieces) == b"".join(line + b"\n" for line in each)
    for data, count in pieces:
        assert data.endswith(b"\n")
        assert count == data.count(b"\n") >= 1
        assert len(data) <= size or count == 1


@given(PARTS, st.data())
def test_chosen_lines_are_those_of_the_indices(parts: list[list[bytes]], data: st.DataObject) -> None:
    lines, each = made(parts)
    indices = sorted(data.draw(st.sets(st.integers(0, max(0, len(each) - 1))))) if each else []
    assert list(lines.chosen(indices)) == [each[index] for index in indices]
