"""Properties of the HTML page: whatever is said, it stays in its section, runs nothing and loads nothing."""

from typing import Any
from zoneinfo import ZoneInfo

import html5lib
from hypothesis import given, settings

from builders import Json, assistant, struct, tool_call, tool_result, user
from kato.notes import html
from kato.notes.options import MarkdownOptions
from kato.notes.transcript import Transcript
from properties.test_transcript_properties import TEXT

ATTRIBUTES = {"class", "href", "rel", "title", "alt", "src", "start", "style"}


def body_of(events: list[Json]) -> Any:
    options = MarkdownOptions(tool_calls="full", heading_style="page")
    transcript = Transcript(options, ZoneInfo("UTC"))
    pieces = (transcript.feed(struct(event)) for event in events)
    text = b"".join(html.page("A title", [], (piece for piece in pieces if piece))).decode()
    document = html5lib.parse(text, namespaceHTMLElements=False)
    return document.find("body")


@given(TEXT, TEXT, TEXT)
@settings(max_examples=300, deadline=None)
def test_what_is_said_stays_in_its_section_and_is_harmless(typed: str, answer: str, output: str) -> None:
    body = body_of(
        [
            user(f"x{typed}"),
            assistant(f"x{answer}", 1, model="m"),
            tool_call("Bash", 2, input={"command": f"x{typed}"}),
            tool_result(output, 3),
            user("the end", 4),
        ]
    )
    assert [child.tag for child in body] == ["header", "main"]
    sections = list(body.find("main"))
    assert [section.get("class") for section in sections if section.tag == "section"] == [
        "user",
        "assistant",
        "user",
    ]
    assert {section.tag for section in sections} == {"section"}
    last = sections[-1]
    assert "".join(last.itertext()).split() == ["You", "06:13", "the", "end"]
    for element in body.iter():
        if isinstance(element.tag, str):
            assert element.tag not in {
                "script",
                "iframe",
                "object",
                "embed",
                "form",
                "link",
                "meta",
                "base",
                "style",
            }
            assert set(element.attrib) <= ATTRIBUTES, element.attrib
            assert element.get("src", "data:").startswith("data:")
            assert not element.get("href", "").lower().startswith(("javascript:", "data:", "vbscript:"))
