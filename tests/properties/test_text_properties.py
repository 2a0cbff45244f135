"""What is found in a text without splitting it is what stands in its lines."""

import re

import hypothesis.strategies as st
from hypothesis import given

from kato.text import (
    LinePattern,
    fence_longer_than_any_in,
    found_outside_fences,
    line_part,
    lines_outside_fences,
    with_newlines,
    words_of,
)

LINE = st.sampled_from(
    [
        "```",
        "````",
        "~~~",
        "```py",
        "``` x ` y",
        "   ```",
        "    ```",
        "a ``` b",
        "~~~~ ",
        "> ```",
        "- ```",
        "1. ~~~",
        ">- ```",
        "::stop",
        "\t ::stop",
        "a::stop",
        "> ::stop",
        "",
        "text",
        "``",
    ]
)
TEXT = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n", "\r"])), max_size=14).map(
    lambda lines: "".join(line + end for line, end in lines)
)
WANTED = r"[^\S\r\n]*::(?=[a-z])"


@given(TEXT | st.text(alphabet="`~>-1. :s\n\r\t"))
def test_the_lines_that_are_found_outside_fences_are_those_that_reading_line_by_line_finds(text: str) -> None:
    lines = lines_outside_fences(with_newlines(text))
    expected = [number for number, line in lines if re.match(WANTED, line)]
    assert [number for number, _ in found_outside_fences(text, LinePattern(WANTED))] == expected


@given(st.text(alphabet="ab\n"), st.integers(0, 6), st.none() | st.integers(0, 6))
def test_a_part_of_the_lines_is_what_splitting_and_joining_gives(
    text: str, after: int, through: int | None
) -> None:
    assert line_part(text, after, through) == "\n".join(text.split("\n")[after:through])


@given(st.text(alphabet="`a"))
def test_a_fence_is_longer_than_any_run_and_no_longer_than_it_must_be(text: str) -> None:
    longest = max(map(len, re.findall("`+", text)), default=0)
    assert fence_longer_than_any_in(text) == "`" * max(3, longest + 1)


@given(st.text())
def test_words_are_those_that_splitting_gives(text: str) -> None:
    assert words_of(text) == " ".join(text.split())
