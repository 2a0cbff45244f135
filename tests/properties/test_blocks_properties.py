"""The block reader against a CommonMark parser: every line of any text is the same kind of block."""

import hypothesis.strategies as st
from hypothesis import example, given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kato.core.blocks import BlockReader

MARKS = [
    "```", "````", "```py", "~~~", "~~~~", "``` a`b", "> ", ">", "- ", "-", "* ", "+ ", "1. ", "2) ", "10. ", "  ", "    ",
    "\t", " ", "# h", "#", "#x", "===", "---", "***", "_ _ _", "<div>", "</div>", "<details>", "<script>", "</script>",
    "<!--", "-->", "<?php", "?>", "<![CDATA[", "]]>", "<!DOCTYPE", "<b>", "<a href='x'>", "<pre>", "</pre>", "<textarea",
    "text", "x", "::stop", "é", "",
]  # fmt: skip
LINES = st.lists(st.sampled_from(MARKS), max_size=4).map("".join) | st.text(
    alphabet="`~>-*+12.) \t#=_<!?/[]abdpre\"'", max_size=10
)
TEXTS = st.lists(LINES, max_size=10).map("\n".join)

_KINDS = {"fence": "code", "code_block": "code", "html_block": "html", "hr": "break"}


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").parse(text)


def kinds_by_the_parser(text: str) -> dict[int, str]:
    """The kind of each line that the parser gives to a leaf; headings are one kind."""
    kinds: dict[int, str] = {}
    for token in parsed(text):
        if token.map is None:
            continue
        first, end = token.map
        if token.type in _KINDS:
            kinds |= dict.fromkeys(range(first, end), _KINDS[token.type])
        elif token.type == "heading_open":
            kinds |= dict.fromkeys(range(first, end), "text")
            kinds[end - 1] = "heading" if token.markup.startswith("#") else "underline"
        elif token.type == "paragraph_open":
            kinds |= dict.fromkeys(range(first, end), "text")
    return kinds


@settings(max_examples=1000)
@given(TEXTS)
@example("- ```\n  code\nafter")
@example("- a\n\n      code\n  b")
@example("> ```\n> code\nafter")
@example("-\n\n  text")
@example("1. a\n2. b\n\n   ```\n   x")
@example(">\tfoo\n> \tbar")
def test_each_line_is_what_the_parser_says(text: str) -> None:
    reader = BlockReader()
    lines = text.split("\n")
    ours = {number: reader.read(line) for number, line in enumerate(lines)}
    theirs = kinds_by_the_parser(text)
    for number, line in enumerate(lines):
        if line.strip(" \t>") and number in theirs:
            assert ours[number] == theirs[number], (number, line)
