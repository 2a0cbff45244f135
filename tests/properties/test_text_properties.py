"""Fences are read in one way, whether a text is looked at line by line or as a whole."""

import hypothesis.strategies as st
from hypothesis import given

from kato.text import next_fence, open_fence

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
