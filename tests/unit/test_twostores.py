"""What one store told, the other does not tell again, however differently it puts it."""

import pytest

from builders import assistant, struct, user
from kato.assistants.dedupe import SecondStore
from kato.core.events import ConversationEvent

KEPT = frozenset(["mine-user", "mine-answer"])


def said(words: str, event_id: str) -> ConversationEvent:
    return struct(user(words, 0, eventId=event_id))


def answered(event_id: str) -> ConversationEvent:
    return struct(assistant(f"an answer, {event_id}", 0, eventId=event_id))


@pytest.mark.parametrize(
    ("told", "second", "new"),
    [
        # nothing was told before: all of it
        ([], [said("hi", "u"), answered("a")], ["u", "a"]),
        # a turn that was told as a whole, however its answer is cut
        ([said("hi", "1"), answered("2")], [said("hi ", "u"), answered("a"), answered("b")], []),
        # a question without its answer: the answer alone
        ([said("hi", "1")], [said("hi", "u"), answered("a")], ["a"]),
        # the turns that follow
        ([said("hi", "1"), answered("2")], [said("hi", "u"), answered("a"), said("go", "v"), answered("b")], ["v", "b"]),
        # the same words twice are two turns
        ([said("go", "1"), answered("2")], [said("go", "u"), answered("a"), said("go", "v"), answered("b")], ["v", "b"]),
        # what stands before the user's first words belongs to no turn
        ([said("hi", "1"), answered("2")], [answered("a"), said("hi", "u")], ["a"]),
        # a picture, a slash command and an agent's name stand in one store only
        (
            [said("@workspace /fix it\n\n[image: Pasted Image]", "1"), answered("2")],
            [said("it", "u"), answered("a")],
            [],
        ),
        # read again: what is kept already came from here, and its turn goes on
        (
            [said("hi", "1"), answered("mine-answer")],
            [said("hi", "u"), answered("mine-answer"), answered("a")],
            ["mine-answer", "a"],
        ),
        ([said("hi", "mine-user")], [said("hi", "mine-user"), answered("a")], ["mine-user", "a"]),
    ],
)  # fmt: skip
def test_turns_are_told_by_one_store(
    told: list[ConversationEvent], second: list[ConversationEvent], new: list[str]
) -> None:
    whole = SecondStore(told, KEPT.__contains__)
    assert [event.event_id for event in whole.new(second)] == new
    one_by_one = SecondStore(told, KEPT.__contains__)
    assert [event.event_id for one in second for event in one_by_one.new([one])] == new
