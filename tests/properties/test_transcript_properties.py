"""Properties of the transcript: resumable anywhere, well-formed always, nothing shown is lost."""

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import html5lib
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from markdown_it import MarkdownIt

from builders import Json, assistant, decision, info, struct, system, thinking, tool_call, tool_result, user
from kato.core.grammar import parse
from kato.notes import safe_markdown
from kato.notes.options import MarkdownOptions
from kato.notes.safe_markdown import ELEMENTS
from kato.notes.transcript import Transcript

UTC = ZoneInfo("UTC")
MARKDOWN = MarkdownIt("commonmark").enable("table")
MARKS = [
    "```", "````", "~~~", "~~~~ x", "```py", "> ", "- ", "1. ", "  ", "    ", "\t", "# h", "## ", "===", "---", "***", "text",
    "| a | b |", "|---|---|", "<!--", "-->", "<?php", "?>", "<script>", "</script>", "<pre>", "<style>", "<textarea>",
    "<![CDATA[", "]]>", "<!DOCTYPE", "<details>", "</details>", "<summary>", "<div", "<b>", "</b>", "`", "``", "\\", "*", ">",
]  # fmt: skip
LINES = st.lists(st.sampled_from(MARKS), max_size=4).map("".join)
TEXT = st.text(max_size=40) | st.lists(LINES, max_size=8).map("\n".join)
OPTIONS = st.builds(
    MarkdownOptions,
    include_commentary=st.booleans(),
    include_thinking=st.booleans(),
    tool_calls=st.sampled_from(["hidden", "summary", "full"]),
    include_system_events=st.booleans(),
    italicize_user_messages=st.booleans(),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    events = []
    for number in range(draw(st.integers(0, 12))):
        text = draw(TEXT)
        call = draw(st.sampled_from(["a", "b"]))
        events.append(
            draw(
                st.sampled_from(
                    [
                        user(text, number),
                        assistant(text, number, phase="final"),
                        assistant(text, number, model="m", phase="commentary"),
                        system(text, number),
                        thinking(text, number),
                        tool_call(text, number, call=call, input={"x": text}),
                        tool_result(text, number, call=call),
                        info(text, number),
                        decision(
                            text, number, metadata={"question": text, "options": [text], "answer": text}
                        ),
                    ]
                )
            )
        )
    return events


@given(conversations(), OPTIONS)
def test_cut_at_every_event_it_is_the_same_text(events: list[Json], options: MarkdownOptions) -> None:
    whole = Transcript(options, UTC)
    text = "".join(whole.feed(struct(one)) for one in events)
    state, pieces = b"", []
    for one in events:
        transcript = Transcript(options, UTC, state)
        pieces.append(transcript.feed(struct(one)))
        state = transcript.state
    assert "".join(pieces) == text


def around_the_last_heading(page: str) -> set[str]:
    """The elements that a browser puts around the last heading of a page."""
    tree = html5lib.parseFragment(page, treebuilder="dom", namespaceHTMLElements=False)
    nodes = [node for node in walk(tree) if node.nodeName == "h1"]
    names = set()
    node = nodes[-1].parentNode
    while node is not None:
        names.add(node.nodeName)
        node = node.parentNode
    return names & ELEMENTS - HARMLESS


def walk(node: Any) -> Iterator[Any]:
    for child in node.childNodes:
        yield child
        yield from walk(child)


#: Elements of Markdown's own whose end a page can miss where HTML inside them is cut off; the heading is shown all the same.
HARMLESS = {"blockquote", "ul", "ol", *"a b big code em font i s small strike strong tt u".split()}


@settings(max_examples=200, deadline=None)
@given(conversations(), OPTIONS)
def test_after_each_piece_the_next_heading_is_a_heading(events: list[Json], options: MarkdownOptions) -> None:
    """Wherever the transcript is cut: as Markdown, and as the page that it becomes."""
    transcript = Transcript(options, UTC)
    note = ""
    for one in events:
        piece = transcript.feed(struct(one))
        assert piece == "" or piece.endswith("\n")
        note += piece
        tokens = MARKDOWN.parse(f"{note}\n# Next_heading\n")
        opening, inline, closing = tokens[-3:]
        assert (opening.type, opening.level, closing.type) == ("heading_open", 0, "heading_close")
        assert inline.content == "Next_heading"
        assert around_the_last_heading(MARKDOWN.render(f"{note}\n# Next_heading\n")) == set()


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=4), italics=st.booleans())
@example(texts=[">0```\n```<A>```"], italics=False)
def test_what_users_type_makes_no_heading_and_no_tag(texts: list[str], italics: bool) -> None:
    # The parser takes a quote mark that is indented as code for a quote, against the specification.
    assume(not any(re.search(r"(?m)^[ >]*(?: {4}|\t)\s*>", text) for text in texts))
    transcript = Transcript(MarkdownOptions(italicize_user_messages=italics), UTC)
    note = "".join(transcript.feed(struct(user(text, number))) for number, text in enumerate(texts))
    tokens = MARKDOWN.parse(note)
    headings = [tokens[place + 1].content for place, one in enumerate(tokens) if one.type == "heading_open"]
    assert headings == ([f"User_{headings[0][5:]}"] if note else [])
    assert {one.content for one in tokens if one.type == "html_block"} <= {"<!-- -->\n"}, "the end of a list"
    assert not [child for one in tokens for child in one.children or () if child.type == "html_inline"]


def unescaped(line: str) -> str:
    return re.sub(r"\\(?=[#<=-])", "", line)


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_every_line_of_every_shown_message_is_in_the_note(texts: list[str]) -> None:
    transcript = Transcript(MarkdownOptions(), UTC)
    note = "".join(
        transcript.feed(struct((user if number % 2 else assistant)(text, number)))
        for number, text in enumerate(texts)
    )
    shown = [unescaped(line) for line in note.split("\n")]
    for text in texts:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").rstrip().split("\n")
        assert all(unescaped(line) in shown for line in lines if line.strip())


BLOCK = st.lists(LINES, max_size=4)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(BLOCK, BLOCK)
def test_a_user_message_cut_at_a_command_is_the_same_text(before: list[str], after: list[str]) -> None:
    text, line = "\n".join([*before, "::stop", *after]), len(before) + 1
    assume(line in [command.line for command in parse(text)[0]])
    event = struct(user(text))
    transcript = Transcript(MarkdownOptions(), UTC)
    cut = transcript.feed(event, through_line=line) + transcript.feed(event, after_line=line)
    assert cut == Transcript(MarkdownOptions(), UTC).feed(event)


@given(TEXT)
@settings(max_examples=1000)
def test_a_text_that_is_closed_quickly_is_as_if_its_blocks_were_read(text: str) -> None:
    quick = safe_markdown.enclosed(text), safe_markdown.typed(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safe_markdown, "_closed_quickly", lambda *_: None)
        assert (safe_markdown.enclosed(text), safe_markdown.typed(text)) == quick
