"""Which of Kato's text a note still has, and which is missing."""

import time
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.core import limits
from kato.notes.looks import (
    Look,
    Pair,
    context_of,
    decode,
    is_surplus,
    present,
    shortest_explanation,
    written_before,
)

CONTEXT = b"# A note\n\nThe first line.\n\nThe second line.\n"


def look(context: bytes = CONTEXT) -> Look:
    return Look("r1", 3, 1, b"state", context_of(context), style=7)


def pieces(*texts: str) -> list[bytes]:
    return [f"\n{text}\n".encode() for text in texts]


def test_a_look_comes_back_as_it_was_remembered() -> None:
    one = Look("r1", 3, 1, b"state", context_of(CONTEXT), 7, 8, 9)
    assert decode(one.encode()) == one
    assert decode(b"") is None
    assert decode(b"of another version") is None


def test_the_context_is_bounded() -> None:
    assert len(context_of(b"a line\n" * 100_000)) == 4 * limits.LOOK_CONTEXT_LINES


@pytest.mark.parametrize(
    ("text", "count"),
    [
        # As it was written, and with what a user adds or changes.
        ("{0}{1}{2}{3}", 3),
        ("{0}{1}{2}{3}\nmy remark\n", 3),
        ("{0}{1}\nmy remark\n{2}{3}", 3),
        ("{0}\nThe third piece, *with* a remark.\n", 3),
        ("{0}{1}\n> The third piece.", 3),
        # Something in between is gone: the user deleted it.
        ("{0}{1}{3}", 3),
        ("{0}{3}", 3),
        ("{3}", 3),
        # The last ones are gone.
        ("{0}{1}{2}", 2),
        ("{0}{1}{2}\nmy remark\n", 2),
        ("{0}{1}", 1),
        ("{0}", 0),
        ("{0}\nmy remark\n", 0),
        ("my summary", 0),
        ("", 0),
    ],
)
def test_a_piece_is_there_while_a_line_of_it_or_of_a_later_one_is_left(text: str, count: int) -> None:
    written = pieces("The first piece.", "The second piece.", "The third piece.")
    shown = text.format(*(part.decode() for part in [CONTEXT, *written]))
    assert present(look(), written, shown.encode()) == count


def test_a_long_piece_is_there_while_one_of_its_lines_is_left() -> None:
    lines = [f"line number {number} of a long piece" for number in range(20)]
    for left in lines:
        assert present(look(), pieces("\n".join(lines)), CONTEXT + left.encode()) == 1


def test_short_lines_count_only_where_a_piece_has_no_longer_one() -> None:
    written = pieces("```\nsome code of mine\n```", "OK")
    assert present(look(), written, CONTEXT + b"\n```\nanother code\n```\n") == 0
    assert present(look(), written, CONTEXT + written[0]) == 1
    assert present(look(), written, CONTEXT + written[0] + b"\nOK\n") == 2


def test_a_short_line_that_occurs_twice_has_to_be_there_twice() -> None:
    written = pieces("# Assistant_2026-02-25_0613_20\n\nOK", "OK", "OK")
    for count in range(4):
        assert present(look(), written, CONTEXT + b"".join(written[:count]) + b"\nmy remark\n") == count


def test_what_was_said_twice_is_there_twice_or_is_missing_once() -> None:
    written = pieces("Running the tests.", "Running the tests.", "Running the tests.")
    for count in range(4):
        assert present(look(), written, CONTEXT + b"".join(written[:count])) == count


def test_a_changed_line_stands_for_the_first_piece_that_is_like_it() -> None:
    written = pieces(
        "Step 1 of the plan is done.", "Step 2 of the plan is done.", "Step 3 of the plan is done."
    )
    changed = b"\nStep 2 of the plan is really done.\n"
    assert present(look(), written, CONTEXT + written[0] + changed) == 2


def test_a_piece_without_a_line_is_not_missing() -> None:
    assert present(look(), pieces("The first piece.", ""), CONTEXT + b"\nThe first piece.\n") == 2


def test_editors_that_change_blanks_at_the_ends_of_lines_change_nothing() -> None:
    written = pieces("The first piece.  ", "\tThe second piece.")
    text = (CONTEXT + b"".join(written)).replace(b"\n", b" \r\n").replace(b"\t", b"    ")
    assert present(look(), written, text) == 2


LINES = st.lists(st.integers(0, 4), max_size=8)


@given(LINES, LINES)
def test_the_shortest_explanation_is_the_shortest_one(written: list[int], text: list[int]) -> None:
    def common(one: list[int], other: list[int]) -> int:
        """The length of the longest common subsequence, by trying all."""
        for length in range(len(one), 0, -1):
            of_other = set(combinations(other, length))
            if any(tried in of_other for tried in combinations(one, length)):
                return length
        return 0

    best = common(written, text)
    found = shortest_explanation(written, text)
    assert len(found) == best
    for length, (end, line) in enumerate(found, 1):
        assert end == min(at for at in range(len(written)) if common(written[: at + 1], text) >= length)
        assert text[line] == written[end]
        assert common(written[: end + 1], text[: line + 1]) == length


def test_the_explanation_says_where_its_lines_stand() -> None:
    assert shortest_explanation([1, 2, 3], [9, 1, 9, 2, 9]) == [Pair(0, 1), Pair(1, 3)]
    assert shortest_explanation([1], [2]) == []


def test_a_conversation_of_repetitions_is_compared_in_bounded_time() -> None:
    written = pieces(*["Waiting for the build to finish."] * 9_000)
    text = CONTEXT + b"".join(written)
    started = time.process_time()
    assert present(look(), written, text) == len(written)
    assert not is_surplus(look(), written, text, len(text) - len(written[-1]))
    assert time.process_time() - started < 2


def test_what_stands_at_the_end_is_surplus_if_nothing_that_was_written_needs_it() -> None:
    written = pieces("Running the tests.", "OK")
    text = CONTEXT + b"".join(written)
    for again in (b"\nRunning the tests.\n", b"\nOK\n", b"\nSomething new.\n"):
        assert is_surplus(look(), written, text + again, len(text) + 1)
    assert not is_surplus(look(), written, text, len(text) - len("OK\n"))
    edited = text.replace(b"A note", b"My note")
    assert not is_surplus(look(), written, edited, len(edited) - len("OK\n"))


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (b"", []),
        (b"\nThe first block.\n", [(1, 17)]),
        (b"\nThe first block.\nThe second block.\n", [(1, 35)]),
        (b"The first block.\nThe second bl", [(0, 30)]),
        (b"\n\nThe first block.\nmy remark\n", [(2, 17)]),
        (b"The", [(0, 3)]),
        (b"OK\n", []),
        (b"my remark\nThe first block.\n", [(10, 17)]),
    ],
)
def test_a_write_that_was_not_remembered_is_found(after: bytes, found: list[tuple[int, int]]) -> None:
    data = b"The first block.\nThe second block.\n"
    text = CONTEXT + after
    places = list(dict.fromkeys(written_before(text, len(CONTEXT), data, [17, 35])))
    assert places[:1] == [(len(CONTEXT) + start, length) for start, length in found]
