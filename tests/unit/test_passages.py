"""The part of a transcript around an event."""

from collections.abc import Iterator

import pytest

from kato.notes.passages import Passage, passage

#: Ten texts of ten bytes and two lines each, of the events 0, 2, 4, …
TEXTS = [(2 * number, f"text {number}\n-\n") for number in range(10)]
WHOLE = "".join(text for _, text in TEXTS)


@pytest.mark.parametrize(
    ("seq", "bytes_max", "expected"),
    [
        (0, 100, Passage(WHOLE[:90], False, False, 0)),
        (0, 25, Passage(WHOLE[:25], False, True, 0)),
        (8, 100, Passage(WHOLE, False, False, 8)),
        (7, 100, Passage(WHOLE, False, False, 8)),
        (8, 36, Passage(WHOLE[18:54], True, True, 4)),
        (18, 27, Passage(WHOLE[63:], True, False, 4)),
        (99, 27, Passage(WHOLE[63:], True, False, 4)),
        (99, 5, Passage(WHOLE[81:86], True, True, 0)),
    ],
    ids=[
        "the beginning, where all fits",
        "the beginning",
        "an event, where all fits",
        "an event without a text",
        "an event in the middle",
        "the last event",
        "the newest end",
        "the newest text is too large",
    ],
)
def test_the_passage_around_an_event(seq: int, bytes_max: int, expected: Passage) -> None:
    assert passage(iter(TEXTS), seq, bytes_max=bytes_max) == expected


def test_a_conversation_without_texts_gives_an_empty_passage() -> None:
    assert passage([], 3, bytes_max=100) == Passage("", False, False, 0)


def test_a_cut_goes_between_characters() -> None:
    assert passage([(0, "ä" * 10)], 0, bytes_max=5).text == "ää"


def test_nothing_is_read_beyond_the_passage() -> None:
    def texts() -> Iterator[tuple[int, str]]:
        yield from TEXTS[:3]
        raise AssertionError("it read on")

    assert passage(texts(), 0, bytes_max=20).is_cut_after
