"""Fences are read in one way, whether a text is looked at line by line or as a whole; what is printed is text."""

import json
import unicodedata

import hypothesis.strategies as st
from hypothesis import given

from kato.text import next_fence, open_fence, printable, printable_json

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
        "",
        "text",
        "``",
    ]
)


@given(st.lists(LINE, max_size=12).map("\n".join))
def test_a_text_leaves_open_what_its_lines_leave_open(text: str) -> None:
    fence = None
    for line in text.split("\n"):
        fence = next_fence(line, fence)
    assert open_fence(text) == fence


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
