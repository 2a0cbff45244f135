"""The proof that a document is one of Kato's notes, and the values in its frontmatter with their places."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kato.core import limits
from kato.core.events import SessionKey
from kato.notes import frontmatter
from kato.notes.frontmatter import NoteFields, make_id
from kato.notes.note_head import NoteHead, Value, read_head

PROVEN = "provider: claude\nsessionId: s-1\nrecordingIds: []\n"


def head_of(yaml: str) -> NoteHead | None:
    return read_head(f"---\n{yaml}---\n\ntext\n")


@pytest.mark.parametrize(
    ("yaml", "is_note"),
    [
        (PROVEN, True),
        ("title: x\n" + PROVEN + "tags: [kato, mine]\n", True),
        ("provider: claude\nsessionId: s-1\nrecordingIds: [aaaaaaaaaaaaaaaaaaaaaaa]\n", True),
        ("provider: claude\nsessionId: s-1\nrecordingIds:\n  - aaaaaaaaaaaaaaaaaaaaaaa\n", True),
        ("provider: claude\nsessionId: s-1\nrecordingIds:\n", True),
        ("title: a user's own note\n", False),
        ("provider: claude\nsessionId: s-1\n", False),
        ("provider: claude\nrecordingIds: []\n", False),
        ("provider:\nsessionId: s-1\nrecordingIds: []\n", False),
        ("provider: claude\nsessionId: s-1\nrecordingIds: [a song, another one]\n", False),
        (f"provider: claude\nsessionId: {'s' * 600}\nrecordingIds: []\n", False),
        ("more:\n  provider: claude\n  sessionId: s-1\n  recordingIds: []\n", False),
    ],
)
def test_the_session_and_a_list_of_recordings_prove_a_note(yaml: str, is_note: bool) -> None:
    assert (head_of(yaml) is not None) is is_note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# A document\n",
        f"\n---\n{PROVEN}---\n",
        f"---\n{PROVEN}",  # never closed
        f"text\n---\n{PROVEN}---\n",
        f"---\n{'# comment' * limits.FRONTMATTER_BYTES_MAX}\n{PROVEN}---\n",
    ],
)
def test_a_document_without_that_frontmatter_is_not_a_note(text: str) -> None:
    assert read_head(text) is None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(newline: str, bom: str) -> None:
    text = bom + f"---\n{PROVEN}---\n\nhello\n".replace("\n", newline)
    head = read_head(text)
    assert head is not None
    assert (head.key, head.last_line) == (SessionKey("claude", "s-1"), 4)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cwd: /a b/c", ["/a b/c"]),
        ("cwd: /a#b  # a comment", ["/a#b"]),
        ("cwd: 'it''s'", ["it's"]),
        ('cwd: "tab\\tulator"', ["tab\tulator"]),
        ("cwd: ~", []),
        ("cwd: |", []),
        ("cwd: &anchor x", []),
        ("files: [a.py, 'b, c.py', \"d.py\"]", ["a.py", "b, c.py", "d.py"]),
        ("files: []", []),
        ("files: [a.py", ["a.py"]),
        ("files:\n- a.py\n- 'b.py'\nother: x", ["a.py", "b.py"]),
        ("files:\n  # a comment\n  - a.py\n\n  - b.py", ["a.py", "b.py"]),
    ],
)
def test_values_are_read_with_their_places(line: str, expected: Sequence[str]) -> None:
    head = head_of(f"{PROVEN}{line}\n")
    assert head is not None
    found = [*head.values.get("cwd", ()), *head.values.get("files", ())]
    assert [one.text for one in found] == expected
    lines = f"---\n{PROVEN}{line}\n".split("\n")
    for one in found:
        raw = lines[one.line][one.start : one.end]
        assert raw.replace("''", "'").replace("\\t", "\t") == one.text


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text
)  # fmt: skip


@settings(deadline=None)  # the first example loads the YAML library
@given(TEXTS, st.lists(TEXTS, max_size=4), st.binary(min_size=32, max_size=32))
def test_what_kato_writes_is_read(session: str, files: list[str], random: bytes) -> None:
    fields = NoteFields(
        id=make_id(random),
        title="T",
        updated=5,
        created=4,
        provider="claude",
        session_id=session,
        recording_ids=[make_id(random)],
        chosen={"files": files, "tokens": 12},
    )
    head = read_head(frontmatter.new(fields))
    assert head is not None
    assert head.key == SessionKey("claude", session)
    assert [one.text for one in head.values.get("files", ())] == files
    assert (head.number("updated"), head.number("tokens")) == (5, 12)


def test_a_value_has_its_place() -> None:
    head = head_of(PROVEN)
    assert head is not None
    assert head.values["sessionId"] == [Value("s-1", 2, 11, 14)]


@given(st.text("-: \n\r[]'\"#provide\\,", max_size=200))
def test_no_frontmatter_raises(text: str) -> None:
    read_head(f"---\nrecordingIds:\n{text}\n---\n")
