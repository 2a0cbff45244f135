"""The outline of a note: what is a turn, a reply, a heading, a folded block, and where each ends."""

import time
from collections.abc import Sequence
from datetime import timezone
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import assistant, decision, info, struct, thinking, tool_call, tool_result, user
from kato.core import limits
from kato.core.events import SessionKey
from kato.lsp.documents import Encoding, end_of, width
from kato.notes.note_head import NoteHead, read_head
from kato.notes.options import MarkdownOptions
from kato.notes.outline import Outline, OutlineReader, Section, lines_of
from kato.notes.transcript import Transcript

HEAD = "---\nprovider: claude\nsessionId: s-1\nrecordingIds: []\ncwd: /work\nfiles: [a.py]\n---\n\n"
USER, MODEL = "# User_2026-02-25_1609_20", "# opus_2026-02-25_1610_00"


def outline_of(body: str, encoding: Encoding = "utf-16", *, piece: int = 4096) -> Outline:
    text = (HEAD + body).encode()
    head = read_head(HEAD)
    assert head is not None
    reader = OutlineReader(head, partial(width, encoding=encoding))
    for lines in lines_of(text[at : at + piece] for at in range(0, len(text), piece)):
        for line in lines:
            reader.read(line)
    return reader.outline()


def shown(sections: Sequence[Section], first: int = 8) -> list[object]:
    """Each section as `kind title first-last`, its lines counted from the body's beginning, and its children."""
    found: list[object] = []
    for one in sections:
        found.append(f"{one.kind} {one.title} {one.line - first}-{one.end - first}")
        if one.children:
            found.append(shown(one.children, first))
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", []),
        ("text of the user's own\n", []),
        (f"{USER}\n\nhello\n", ["turn User 0-2"]),
        (f"{USER}\n\nhello\n\n{MODEL}\n\nhi\n\n\n", ["turn User 0-6", ["reply opus 4-6"]]),
        (f"{MODEL}\n\nhi\n\n{USER}\n\nhello\n", ["reply opus 0-2", "turn User 4-6"]),
        (f"{USER}\n\na\n\n{USER}\n\nb", ["turn User 0-2", "turn User 4-6"]),
        ("## You, 2026-02-25 16:09: why?\n\na\n\n### opus, 16:10\n\nb\n", ["turn User 0-6", ["reply opus 4-6"]]),
        # The style was changed, both ways.
        (f"{USER}\n\na\n\n## You, 2026-02-25 16:09: b\n\nb\n\n{USER}\n", ["turn User 0-2", "turn User 4-6", "turn User 8-8"]),
        # Headings in messages.
        (f"{MODEL}\n\n# A\n\n## B\n\nb\n\n# C\n", ["reply opus 0-8", ["heading A 2-6", ["heading B 4-6"], "heading C 8-8"]]),
        (f"{MODEL}\n\nA\n==\n\nB\n--\nb\n", ["reply opus 0-7", ["heading A 2-7", ["heading B 5-7"]]]),
        (f"{MODEL}\n\n## A \\# B ##\n", ["reply opus 0-2", ["heading A # B 2-2"]]),
        (f"{MODEL}\n\n- # A\n\n> # B\n", ["reply opus 0-4"]),
        (f"{MODEL}\n\n{USER} #\n", ["reply opus 0-2", [f"heading {USER[2:]} 2-2"]]),
        # What only looks like a turn.
        (f"{MODEL}\n\n```\n{USER}\n\n{USER}\n```\n", ["reply opus 0-6"]),
        (f"{MODEL}\n\ntext\n{USER}\n", ["reply opus 0-3", [f"heading {USER[2:]} 3-3"]]),
        (f"{MODEL}\n\n<!--\n\n{USER}\n\n-->\n", ["reply opus 0-6"]),
        (f"{MODEL}\n\n    {USER}\n", ["reply opus 0-2"]),
        # Folded blocks.
        (f"{MODEL}\n\n<details>\n<summary>Ran a &lt; b</summary>\n\n- Ran `x`\n\n</details>\n\ntext\n", ["reply opus 0-9", ["block Ran a < b 2-7"]]),
        (f"{MODEL}\n\n## A\n\n<details>\n<summary>B</summary>\n\n### C\n\n</details>\n", ["reply opus 0-9", ["heading A 2-2", "block B 4-9", ["heading C 7-9"]]]),
        (f"{MODEL}\n\n<details>\n<summary>A</summary>\n\n<details>\n<summary>B</summary>\n\n</details>\n\n</details>\n", ["reply opus 0-10", ["block A 2-10", ["block B 5-8"]]]),
        (f"{MODEL}\n\n</details>\n\n</details>\n", ["reply opus 0-4"]),
        # A note that is being written, or was cut.
        (f"{MODEL}\n\n<details>\n<summary>A</summary>\n\n- x", ["reply opus 0-5", ["block A 2-5"]]),
        (f"{MODEL}\n\n<details>\n\n{USER}\n", ["reply opus 0-2", ["block  2-2"], "turn User 4-4"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_sections(body: str, expected: list[object], newline: str) -> None:
    assert shown(outline_of(body.replace("\n", newline)).sections) == expected


def test_a_turn_says_when_it_was_and_how_it_begins() -> None:
    body = "## You, 2026-02-25 16:09\n\n\\# first *words*\nmore\n\n### opus, 16:10\n\nhi\n"
    (turn,) = outline_of(body).sections
    (reply,) = turn.children
    assert (turn.day, turn.time, turn.words) == ("2026-02-25", "16:09", "# first *words*")
    assert (reply.day, reply.time, reply.words) == ("2026-02-25", "16:10", "")


@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 25), ("utf-16", 23), ("utf-32", 22)])
def test_lengths_are_counted_as_the_client_counts(encoding: Encoding, units: int) -> None:
    body = "# 😀_2026-02-25_1610_00\n\n- Edited\n\n<details>\n<summary>x</summary>\n\n- Edited `ä.py` (+1 −1)\n\n</details>\n"
    outline = outline_of(body, encoding)
    (reply,) = outline.sections
    assert reply.width == units
    assert reply.end_width == len("</details>")
    *_, place = outline.files
    start = len("- Edited `")
    assert (place.text, place.start) == ("ä.py", start)
    assert place.end == start + (5 if encoding == "utf-8" else 4)


def test_what_a_note_refers_to_has_its_place() -> None:
    outline = outline_of(
        f"{MODEL}\n\n- Edited `not-in-a-block.py`\n\n<details>\n<summary>x</summary>\n\n- Read `` a`b.py ``, lines 5–20\n- Ran `cat x`\n- Listed `src`\n\n</details>\n"
    )
    assert (outline.session.text, outline.session.line, outline.session.start) == ("s-1", 2, 11)
    assert [one.text for one in outline.files] == ["/work", "a.py", "a`b.py", "src"]


def test_the_turn_or_reply_of_a_heading_is_found() -> None:
    outline = outline_of(f"{USER}\n\nhello\n\n{MODEL}\n\n## A\n")
    (turn,) = outline.sections
    assert outline.speaker_at(8) == (turn,)
    assert outline.speaker_at(12) == (turn, turn.children[0])
    assert [outline.speaker_at(line) for line in (0, 9, 14, 99)] == [(), (), (), ()]


LINES = st.lists(
    st.sampled_from(
        [USER, MODEL, "## A", "text", "", "```", "<details>", "<summary>x</summary>", "</details>", "- Edited `a`", "===", "> q", "- i",
         "    code", "<!--", "-->", "😀 ä", "\r", "# opus_2026-02-25_1610_00 #"]
    ),
    max_size=30,
).map("\n".join)  # fmt: skip


@given(LINES, st.integers(1, 50), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_sections_lie_in_each_other_and_in_the_note(body: str, piece: int, encoding: Encoding) -> None:
    outline = outline_of(body, encoding, piece=piece)
    end = end_of(HEAD + body, encoding)
    assert outline.last_line == end.line

    def check(sections: Sequence[Section], first: tuple[int, int], last: tuple[int, int]) -> None:
        for one in sections:
            assert first <= (one.line, 0) <= (one.end, one.end_width) <= last
            assert (one.line, one.width) <= last
            check(one.children, (one.line, 0), (one.end, one.end_width))
            first = (one.end, one.end_width)

    check(outline.sections, (0, 0), end)
    assert shown(outline.sections) == shown(outline_of(body, encoding).sections), "however it is cut"


@pytest.mark.parametrize("tool_calls", ["hidden", "summary", "full"])
def test_the_outline_of_a_conversation_as_kato_writes_it(tool_calls: str) -> None:
    options = MarkdownOptions(tool_calls=tool_calls, include_thinking=True)  # type: ignore[arg-type]
    transcript = Transcript(options, timezone.utc)
    events = [
        user("fix it\n# not a heading", 0),
        thinking("let me see <b>", 1),
        assistant("I look.", 2, phase="commentary"),
        tool_call("Edit", 3, input={"file_path": "src/app.py", "old_string": "a", "new_string": "b"}),
        tool_result("ok", 4),
        info("The session was compacted.", 5, subtype="compaction"),
        decision("use tabs", 6),
        assistant("Done.\n\n## Summary\n\nAll is well.", 7, phase="final"),
        user("thanks", 8),
    ]
    note = "".join(transcript.feed(struct(one)) for one in events) + transcript.finish()
    outline = outline_of(note)
    assert [(one.kind, one.words) for one in outline.sections] == [("turn", "fix it"), ("turn", "thanks")]
    flat = [one.title for reply in outline.sections[0].children for one in reply.children]
    blocks = {"hidden": [], "summary": ["Edited 1 file (+1 −1)"], "full": ["Edited src/app.py (+1 −1)"]}
    assert [one for one in flat if one.startswith("Edited")] == blocks[tool_calls]
    assert "Thinking" in flat
    assert "Summary" in flat


def test_a_note_of_ten_megabytes_is_read_in_time_and_bounds() -> None:
    turn = (
        f"{USER}\n\nhello\n\n{MODEL}\n\n"
        + "A line of a message with some words in it.\n" * 20
        + "\n## A\n\ntext\n\n"
    )

    def seconds(megabytes: int) -> float:
        body = turn * (megabytes * 1_000_000 // len(turn))
        before = time.process_time()
        outline = outline_of(body, piece=limits.NOTE_PIECE_BYTES)
        assert outline.size <= limits.OUTLINE_SECTIONS_MAX + limits.OUTLINE_FILES_MAX
        assert outline.omitted > 0 or megabytes < 5
        return time.process_time() - before

    one, ten = seconds(1), seconds(10)
    assert ten < 20 * one, (one, ten)


@pytest.mark.parametrize(
    "line",
    ["#" * 1_000_000, "# " + "_2026-02-25" * 100_000, "<details>" * 100_000, "</details>" * 100_000, "`" * 1_000_000,
     "## You, " + "16:09: \\" * 100_000, "### " + ", 16:09" * 100_000 + "x", "- Edited `" + "`a" * 300_000, "<summary>" * 100_000],
    ids=range(9),
)  # fmt: skip
def test_a_long_line_takes_no_longer_than_its_length(line: str) -> None:
    def seconds(text: str) -> float:
        before = time.process_time()
        outline_of(f"{MODEL}\n\n<details>\n{text}\n\n{text}\n")
        return time.process_time() - before

    half, whole = seconds(line[: len(line) // 4]), seconds(line)
    assert whole < 8 * half + 0.3, (half, whole)


def test_the_head_alone_has_no_sections() -> None:
    reader = OutlineReader(NoteHead(SessionKey("claude", "s"), {}, 0), len)
    outline = reader.outline()
    assert (outline.sections, outline.files, outline.last_line) == ([], [], 0)
