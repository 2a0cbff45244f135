"""A turn that one store of a session has is not taken from the other, however differently that one records it."""

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
    ("kept", "second", "new"),
    [
        # the session is new: everything
        ([], [said("hi", "u"), answered("a")], ["u", "a"]),
        # a turn that is complete, however its answer is cut
        ([said("hi", "1"), answered("2")], [said("hi ", "u"), answered("a"), answered("b")], []),
        # a question without its answer: the answer alone
        ([said("hi", "1")], [said("hi", "u"), answered("a")], ["a"]),
        # the turns that follow
        ([said("hi", "1"), answered("2")], [said("hi", "u"), answered("a"), said("go", "v"), answered("b")], ["v", "b"]),
        # the same words twice are two turns
        ([said("go", "1"), answered("2")], [said("go", "u"), answered("a"), said("go", "v"), answered("b")], ["v", "b"]),
        # events before the first message of the user belong to no turn
        ([said("hi", "1"), answered("2")], [answered("a"), said("hi", "u")], ["a"]),
        # only one store has pictures, slash commands and names of agents
        (
            [said("@workspace /fix it\n\n[image: Pasted Image]", "1"), answered("2")],
            [said("it", "u"), answered("a")],
            [],
        ),
        # read again: the events that are kept came from this store, and their turn continues
        (
            [said("hi", "1"), answered("mine-answer")],
            [said("hi", "u"), answered("mine-answer"), answered("a")],
            ["mine-answer", "a"],
        ),
        ([said("hi", "mine-user")], [said("hi", "mine-user"), answered("a")], ["mine-user", "a"]),
    ],
)  # fmt: skip
def test_each_turn_is_taken_from_one_store(
    kept: list[ConversationEvent], second: list[ConversationEvent], new: list[str]
) -> None:
    whole = SecondStore(kept, KEPT.__contains__)
    assert [event.event_id for event in whole.new(second)] == new
    one_by_one = SecondStore(kept, KEPT.__contains__)
    assert [event.event_id for one in second for event in one_by_one.new([one])] == new
