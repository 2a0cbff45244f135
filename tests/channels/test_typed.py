"""Prompts that hooks reported, compared with the messages that logs bring."""

import pytest
from msgspec import UNSET, convert

from builders import user
from kato.core import limits
from kato.core.events import ConversationEvent, SessionKey, UserMessage
from kato.logs.typed import TypedPrompts

KEY = SessionKey("claude", "s")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def typed(clock: Clock) -> TypedPrompts:
    return TypedPrompts(clock)


def message(text: str, number: int = 1, doubt: str | None = "it may not be typed") -> UserMessage:
    event: UserMessage = convert(user(text, number), ConversationEvent)
    return event if doubt is None else convert(user(text, number, doubt=doubt), UserMessage)


def doubt(typed: TypedPrompts, event: ConversationEvent, key: SessionKey = KEY) -> object:
    found = typed.confirmed(key, event)
    assert isinstance(found, UserMessage)
    return found.doubt


def test_a_prompt_that_is_reported_as_typed_proves_the_message_with_the_same_text(
    typed: TypedPrompts,
) -> None:
    typed.remember(KEY, " ::capture a.md\n", is_typed=True, is_handled=False)
    assert doubt(typed, message("::capture a.md")) is UNSET
    assert not typed.is_handled(KEY, message("::capture a.md"))


@pytest.mark.parametrize(
    "text",
    [
        "::capture b.md",
        "::capture a.md\n::capture b.md",
        "::stop\n::capture a.md",
        "> ::capture a.md",
        "```\n::capture a.md",
    ],
)
def test_a_text_with_other_commands_is_not_proven(typed: TypedPrompts, text: str) -> None:
    typed.remember(KEY, "::capture a.md", is_typed=True, is_handled=False)
    assert doubt(typed, message(text)) is not UNSET


def test_words_of_the_host_around_the_prompt_do_not_matter(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::capture a.md", is_typed=True, is_handled=False)
    assert doubt(typed, message("The user opened a file.\n::capture a.md")) is UNSET


def test_the_same_text_in_another_conversation_is_not_proven(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::stop", is_typed=True, is_handled=False)
    assert doubt(typed, message("::stop"), SessionKey("claude", "other")) is not UNSET
    assert doubt(typed, message("::stop"), SessionKey("codex", "s")) is not UNSET


def test_a_prompt_that_the_host_does_not_call_typed_proves_nothing(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::stop", is_typed=False, is_handled=False)
    assert doubt(typed, message("::stop")) is not UNSET


def test_a_report_counts_for_one_message_however_often_that_is_read(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::stop", is_typed=True, is_handled=True)
    for _ in range(2):
        assert doubt(typed, message("::stop", 1)) is UNSET
        assert typed.is_handled(KEY, message("::stop", 1))
    assert doubt(typed, message("::stop", 2)) is not UNSET
    assert not typed.is_handled(KEY, message("::stop", 2, doubt=None))


def test_a_report_counts_for_a_bounded_time(typed: TypedPrompts, clock: Clock) -> None:
    typed.remember(KEY, "::stop", is_typed=True, is_handled=True)
    clock.now = limits.TYPED_PROMPT_SECONDS_MAX + 1
    assert not typed.is_handled(KEY, message("::stop"))


def test_a_handled_prompt_is_recognised_between_words_of_the_host(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::capture a.md", is_typed=True, is_handled=True)
    assert typed.is_handled(KEY, message("A hook stopped the prompt.\n::capture a.md"))
    assert typed.is_handled(KEY, message("A hook stopped: ::capture a.md"))


def test_a_report_of_the_same_text_counts_before_one_of_a_part_of_it(typed: TypedPrompts) -> None:
    """The first prompt never reached the log."""
    typed.remember(KEY, "::stop", is_typed=True, is_handled=True)
    typed.remember(KEY, "Thanks.\n::stop", is_typed=True, is_handled=False)
    assert not typed.is_handled(KEY, message("Thanks.\n::stop"))


def test_a_message_without_a_doubt_is_compared_as_a_whole(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::stop", is_typed=True, is_handled=True)
    assert not typed.is_handled(KEY, message("Thanks.\n::stop", doubt=None))


def test_only_so_many_reports_are_remembered(typed: TypedPrompts) -> None:
    typed.remember(KEY, "::stop", is_typed=True, is_handled=True)
    for number in range(limits.TYPED_PROMPTS_MAX):
        typed.remember(KEY, f"::capture {number}", is_typed=True, is_handled=True)
    assert not typed.is_handled(KEY, message("::stop"))
