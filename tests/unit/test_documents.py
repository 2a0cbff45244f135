"""The end of an open document, computed from its changes alone, and the texts of notes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.core import limits
from kato.lsp.documents import (
    Change,
    Document,
    Encoding,
    NoteTexts,
    OpenDocuments,
    Place,
    changed,
    end_of,
    moved_end,
    offset_of,
    width,
)

ENCODINGS: list[Encoding] = ["utf-8", "utf-16", "utf-32"]
#: Characters of one to four bytes, one and two UTF-16 units, and both line ends that editors write.
TEXT = st.lists(st.sampled_from(["a", "b ", "ä", "€", "😀", "\n", "\r\n", ""]), max_size=12).map("".join)


def place(text: str, offset: int, encoding: Encoding) -> Place:
    """By counting through the text, as an editor does."""
    lines = re.split(r"\r\n|\n", text[:offset])
    return Place(len(lines) - 1, width(lines[-1], encoding))


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    """A text and changes of it, each between characters that no editor takes apart."""
    text = start = draw(TEXT)
    changes = []
    for _ in range(draw(st.integers(0, 6))):
        seams = [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]
        first, last = sorted((draw(st.sampled_from(seams)), draw(st.sampled_from(seams))))
        put = draw(TEXT)
        changes.append((first, last, put))
        text = text[:first] + put + text[last:]
    return start, changes


@given(edited(), st.sampled_from(ENCODINGS))
def test_the_end_follows_from_the_changes_alone(
    given: tuple[str, list[tuple[int, int, str]]], encoding: Encoding
) -> None:
    text, changes = given
    end = end_of(text, encoding)
    assert end == place(text, len(text), encoding)
    for first, last, put in changes:
        change = Change(put, place(text, first, encoding), place(text, last, encoding))
        end = moved_end(end, change, encoding)
        text = text[:first] + put + text[last:]
        assert end == place(text, len(text), encoding)


@given(TEXT, TEXT, st.sampled_from(ENCODINGS))
def test_a_change_without_a_range_or_beyond_the_end_replaces_everything(
    old: str, new: str, encoding: Encoding
) -> None:
    end = end_of(old, encoding)
    assert moved_end(end, Change(new), encoding) == end_of(new, encoding)
    whole = Change(new, Place(0, 0), Place(10**9, 0))
    assert moved_end(end, whole, encoding) == end_of(new, encoding)


@pytest.mark.parametrize(
    ("encoding", "character"), [("utf-8", 4 + 3 + 2 + 1), ("utf-16", 2 + 1 + 1 + 1), ("utf-32", 4)]
)
def test_characters_are_counted_in_the_negotiated_encoding(encoding: Encoding, character: int) -> None:
    assert end_of("x\n😀€äa", encoding) == Place(1, character)


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\nb"])
def test_every_line_end_of_the_protocol_counts_once(text: str) -> None:
    assert end_of(text, "utf-16") == Place(1, 1)


def test_a_lone_surrogate_counts_as_a_character() -> None:
    assert [width("\ud83d", encoding) for encoding in ENCODINGS] == [3, 1, 1]


def test_open_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPEN_DOCUMENTS_MAX", 3)
    documents = OpenDocuments()
    for name in "abcad":
        documents.open(name, Document(name, 1, Place(0, 0)))
    assert [name for name in "abcd" if documents.get(name)] == ["a", "c", "d"], (
        "the one opened first is dropped"
    )
    assert documents.close("a") is not None
    assert documents.close("a") is None


@given(edited(), st.sampled_from(ENCODINGS))
def test_a_text_follows_its_changes(
    given: tuple[str, list[tuple[int, int, str]]], encoding: Encoding
) -> None:
    text, changes = given
    kept = text.encode()
    for first, last, put in changes:
        kept = changed(kept, Change(put, place(text, first, encoding), place(text, last, encoding)), encoding)
        text = text[:first] + put + text[last:]
        assert kept.decode() == text
    assert changed(kept, Change("new"), encoding) == b"new"


@pytest.mark.parametrize(
    ("text", "at", "encoding", "expected"),
    [
        ("ab\ncd", Place(1, 1), "utf-16", 4),
        ("ab\ncd", Place(0, 9), "utf-16", 2),  # beyond the end of its line
        ("ab\ncd", Place(9, 0), "utf-16", 5),
        ("ab\r\ncd", Place(0, 9), "utf-16", 2),
        ("ab\rcd\r\nef\ngh", Place(3, 1), "utf-16", 11),
        ("ä😀b", Place(0, 3), "utf-16", 6),
        ("ä😀b", Place(0, 2), "utf-16", 2),  # within a surrogate pair: before it
        ("ä😀b", Place(0, 2), "utf-32", 6),
        ("ä😀b", Place(0, 6), "utf-8", 6),
        ("", Place(0, 0), "utf-16", 0),
        ("x\n" * 10_000 + "yz", Place(10_000, 1), "utf-16", 20_001),
        ("x\n" * 10_000 + "yz", Place(7_321, 0), "utf-16", 14_642),
    ],
)
def test_a_position_is_an_offset(text: str, at: Place, encoding: Encoding, expected: int) -> None:
    assert offset_of(text.encode(), at, encoding) == expected


def test_the_texts_of_notes_are_bounded() -> None:
    texts = NoteTexts()
    third = b"x" * (limits.NOTE_TEXTS_BYTES_MAX // 3)
    for name in ("a", "b", "c"):
        assert texts.keep(name, third)
    texts.get("a")
    texts.keep("d", third)
    assert [texts.has(name) for name in ("a", "b", "c", "d")] == [True, False, True, True]
    assert texts.size == 3 * len(third)
    assert not texts.keep("a", b"x" * (limits.NOTE_TEXTS_BYTES_MAX + 1))
    assert texts.get("a") is None
    texts.change("a", Change("y"), "utf-16")
    assert not texts.has("a"), "what is not kept has no changes"
    texts.drop("c")
    texts.drop("c")
    texts.drop("d")
    assert texts.size == 0
