"""`::off` and `::on` as a rule on texts: what is kept of a message, and what a log's own words say."""

import pytest

from builders import assistant, struct, structs, user
from kato.core.events import ProviderInfo, UserMessage
from kato.core.gaps import Reading, cut, may_switch, switches_of


def message(content: str, **fields: str) -> UserMessage:
    made = struct(user(content, 0, **fields))
    assert isinstance(made, UserMessage)
    return made


@pytest.mark.parametrize(
    ("content", "is_off", "parts", "is_off_then"),
    [
        ("plain", False, ["plain"], False),
        ("plain", True, [], True),
        ("::off", False, ["::off"], True),
        ("before\n::off\nafter", False, ["before\n::off"], True),
        ("before\n::off\n", False, ["before\n::off"], True),
        ("before\n::on\nafter", True, ["::on\nafter"], False),
        ("before\n::on\nafter", False, ["before\n::on\nafter"], False),
        ("before\n::off\nafter", True, [], True),
        ("a\n::off\nb\n::on\nc", False, ["a\n::off", "::on\nc"], False),
        ("a\n::off\nb\n::on\nc", True, ["::on\nc"], False),
        ("a\n::on\nb\n::off\nc", True, ["::on\nb\n::off"], True),
        ("::off\n::on\n::off", False, ["::off", "::on\n::off"], True),
        ("::off\n::off\n::on\n::on\nb", False, ["::off", "::on\n::on\nb"], False),
        ("a\r\n::off\r\nb", False, ["a\n::off"], True),
        ("```\n::off\n```\nb", False, ["```\n::off\n```\nb"], False),
        ("> ::off\nb", False, ["> ::off\nb"], False),
        ("::OFF\nb", False, ["::OFF"], True),
        ("::off please\nb", False, ["::off please\nb"], False),
    ],
)
def test_what_is_kept_of_a_message(content: str, is_off: bool, parts: list[str], is_off_then: bool) -> None:
    found = cut(content, switches_of(message(content)), is_off=is_off)
    assert (list(found.parts), found.is_off) == (parts, is_off_then)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("::off", True),
        ("x ::ON y", True),
        ("::offer", False),
        ("::one", False),
        ("off", False),
        ("a::b", False),
    ],
)
def test_most_messages_need_no_parsing(content: str, expected: bool) -> None:
    assert may_switch(message(content)) is expected


def test_a_message_that_is_not_proven_to_be_typed_switches_nothing() -> None:
    assert switches_of(message("::off", doubt="a tool wrote it")) == []
    assert switches_of(struct(assistant("::off"))) == []


def test_a_log_is_read_without_what_was_said_after_off_and_with_a_note_of_the_gap() -> None:
    reading = Reading()
    events = structs(
        [
            user("one\n::off\nSECRET", 0),
            assistant("SECRET", 1),
            user("SECRET\n::on\ntwo\n::off\nSECRET\n::on\nthree", 2),
            assistant("four", 3),
        ]
    )
    kept = [part for event in events for part in reading.kept(event)]
    assert [part.content for part in kept if isinstance(part, UserMessage)] == [
        "one\n::off",
        "::on\ntwo\n::off",
        "::on\nthree",
    ]
    assert [part.event_id for part in kept] == [
        "event-0",
        "event-2:gap",
        "event-2",
        "event-2+1:gap",
        "event-2+1",
        "event-3",
    ]
    assert [part.subtype for part in kept if isinstance(part, ProviderInfo)] == ["gap", "gap"]
    assert reading.had_gap
    assert "SECRET" not in str(kept)


def test_the_sessions_of_a_log_are_off_each_for_itself() -> None:
    reading = Reading()
    events = structs([user("::off", 0), user("other", 1, sessionId="child"), user("SECRET", 2)])
    assert [len(reading.kept(event)) for event in events] == [1, 1, 0]
