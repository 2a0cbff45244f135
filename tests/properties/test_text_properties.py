"""Functions that search a text without splitting it find the same as reading its lines; what is printed is text."""

import json
import re
import unicodedata

import hypothesis.strategies as st
from hypothesis import given

from kato.core.text import (
    LinePattern,
    fence_longer_than_any_in,
    found_outside_fences,
    line_part,
    lines_outside_fences,
    printable,
    printable_json,
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


ANY = st.text(
    st.characters(codec=None) | st.sampled_from("\x00\x07\x1b\n\r\t\x7f\x85\x9b\u2028\u202e\u2066\ud800")
)
#: Categories of controls, surrogates, line and paragraph separators; classes of what turns the direction of other text.
OBEYED = ("Cc", "Cs", "Zl", "Zp")
TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def is_obeyed(char: str) -> bool:
    return unicodedata.category(char) in OBEYED or unicodedata.bidirectional(char) in TURNING


@given(ANY)
def test_what_is_printed_holds_nothing_that_is_obeyed(text: str) -> None:
    shown = printable(text)
    assert not any(map(is_obeyed, shown))
    shown.encode()
    assert printable(shown) == shown
    assert {char for char in printable(text, keep="\n\t") if is_obeyed(char)} <= {"\n", "\t"}


@given(ANY)
def test_all_other_characters_are_printed_as_they_are(text: str) -> None:
    ordinary = "".join(char for char in text if not is_obeyed(char))
    assert printable(ordinary) == ordinary


@given(ANY, st.integers(1, 12))
def test_a_line_is_cut_at_its_bound(text: str, chars_max: int) -> None:
    whole, cut = printable(text), printable(text, chars_max=chars_max)
    assert len(cut) <= chars_max
    assert cut == whole or (cut[-1] == "…" and whole.startswith(cut[:-1]))


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=5))
def test_printable_json_means_the_same(value: object) -> None:
    shown = printable_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert not any(map(is_obeyed, shown.replace("\n", "")))
    assert json.loads(shown) == value
