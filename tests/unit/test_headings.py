"""Headings of speakers: each heading that Kato writes is recognised, and no line of a message is taken for one."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import START_MS, assistant, struct, user
from kato.core.events import SessionKey
from kato.core.moments import utc
from kato.notes.headings import Speaker, Style, distinct, kato_heading, readable_heading, speaker_of
from kato.notes.note_head import NoteHead
from kato.notes.options import MarkdownOptions
from kato.notes.outline import OutlineReader
from kato.notes.transcript import Transcript

AT = datetime(2026, 2, 25, 16, 9, 20, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("line", "style", "expected"),
    [
        ("# User_2026-02-25_1609_20", None, Speaker("User", "kato", "2026-02-25", "16:09:20")),
        ("# gpt-5.2_codex_2026-02-25_1609_20", "kato", Speaker("gpt-5.2_codex", "kato", "2026-02-25", "16:09:20")),
        ("# a model: v2_2026-02-25_1609_20", "kato", Speaker("a model: v2", "kato", "2026-02-25", "16:09:20")),
        ("## You, 2026-02-25 16:09: why?", None, Speaker("User", "readable", "2026-02-25", "16:09", "why?")),
        ("## You, 16:09", "readable", Speaker("User", "readable", "", "16:09")),
        ("### claude\\_opus, 16:10", "readable", Speaker("claude_opus", "readable", "", "16:10")),
        # A change of the style begins with a date.
        ("## You, 16:09", "kato", None),
        ("### Meeting, 16:10", "kato", None),
        ("### claude, 2026-02-25 16:10", "kato", Speaker("claude", "readable", "2026-02-25", "16:10")),
        # Lines that only look like one.
        ("# User_2026-02-25_1609_20 #", None, None),
        ("# User_2026-02-25_1609_20 ", None, None),
        (" # User_2026-02-25_1609_20", None, None),
        ("## User_2026-02-25_1609_20", None, None),
        ("# User_2026-02-25_160_20", None, None),
        ("#User_2026-02-25_1609_20", None, None),
        ("### You, 4:09", "readable", None),
        ("", None, None),
    ],
)  # fmt: skip
def test_a_line_is_a_speakers_heading_or_not(line: str, style: Style, expected: Speaker | None) -> None:
    assert speaker_of(line, style) == expected


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_what_is_written_is_recognised(name: str, words: str) -> None:
    assert speaker_of(kato_heading("#", name, AT).removesuffix("\n\n")) == Speaker(
        name, "kato", "2026-02-25", "16:09:20"
    )
    line = readable_heading(1, name, "2026-02-25 16:09", words).removesuffix("\n\n")
    found = speaker_of(line)
    assert found is not None
    assert (found.name, found.time) == (name, "16:09")


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ("# Plan", "kato", "# Plan"),
        ("# User_2026-02-25_1609_20", "kato", "# User_2026-02-25_1609_20 #"),
        ("a\n# User_2026-02-25_1609_20\nb", "kato", "a\n# User_2026-02-25_1609_20 #\nb"),
        ("```\n# User_2026-02-25_1609_20\n```", "kato", "```\n# User_2026-02-25_1609_20\n```"),
        ("- # User_2026-02-25_1609_20", "kato", "- # User_2026-02-25_1609_20"),
        ("> # User_2026-02-25_1609_20", "kato", "> # User_2026-02-25_1609_20"),
        ("### Meeting, 16:10", "kato", "### Meeting, 16:10"),
        ("### Meeting, 16:10", "readable", "### Meeting, 16:10 #"),
        ("## You, 16:10: yes, do it", "readable", "## You, 16:10: yes, do it #"),
    ],
)
def test_a_heading_in_a_message_is_closed_if_it_is_like_a_speakers(
    text: str, style: Style, expected: str
) -> None:
    assert distinct(text, style) == expected


LINES = st.lists(
    st.sampled_from(
        ["# User_2026-02-25_1609_20", "## You, 2026-02-25 16:09: x", "### m, 16:10", "```", "~~~", "", "text", "> q", "- i", "    code",
         "<div>", "</div>", "<details>", "<!--", "-->", "# Plan", "==="]
    ),
    max_size=12,
).map("\n".join)  # fmt: skip


@pytest.mark.parametrize("style", ["kato", "readable"])
@given(text=LINES, words=LINES)
def test_a_note_has_exactly_the_turns_of_its_conversation(style: Style, text: str, words: str) -> None:
    transcript = Transcript(MarkdownOptions(heading_style=style), timezone.utc)
    events = [
        user(f"first\n{words}", 0),
        assistant(f"begins\n{text}", 1),
        user("second", 2),
        assistant(text, 3),
    ]
    note = "".join(transcript.feed(struct(one)) for one in events)
    reader = OutlineReader(NoteHead(SessionKey("claude", "s"), {}, -1), len)
    for line in note.split("\n"):
        reader.read(line)
    turns = reader.outline().sections
    assert [(one.kind, one.title) for one in turns] == [("turn", "User")] * 2
    replies = [[one.title for one in turn.children if one.kind == "reply"] for turn in turns]
    assert replies == [["Assistant"], ["Assistant"] * bool(text.strip())]
    assert turns[0].day == utc(START_MS).date().isoformat()
