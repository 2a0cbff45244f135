"""A block of tags in a message, of any name, is a sign of text that the user did not type."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.assistants.proof import host_block


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<system-reminder>\nx\n</system-reminder>", "system-reminder"),
        ("hello\n<new-diagnostics>a.py: 1</new-diagnostics>", "new-diagnostics"),
        ("hello\n<Unheard-Of attr='1'>\nx\n</Unheard-Of>\nbye", "Unheard-Of"),
        ("hello\n<SYSTEM-REMINDER>\nx", "SYSTEM-REMINDER"),
        ("hello\n  <unclosed>\nx", "unclosed"),
        ("hello\n<broken\n  attr>\nx", "broken"),
        ("hello\nx\n</closed-only>", "closed-only"),
        ("hello\nx\n</ closed-only >", "closed-only"),
        ("hello <news>\nx\ny </news> bye", "news"),
        ("hello <NEWS>\nx\ny </news> bye", "news"),
        ("- <item>\nx", "item"),
        ("> <quoted>\nx", "quoted"),
        ("1. <numbered>\nx", "numbered"),
        ("hello\r<old-mac>\rx", "old-mac"),
        ("a\n<ns:thing>\nx", "ns:thing"),
    ],
)
def test_a_block_of_tags_is_a_sign(text: str, name: str) -> None:
    assert host_block(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "why does <div> not close?",
        "should it be <div> or </div>, and is <br/> fine?\nAnd then?",
        "List<String> names;\nMap<String, List<T>> more;",
        "if (a < b && c > d) return;\na <b and c",
        "<https://example.org>\n<me@example.org>\n<- back\n<= less\n<3",
        "cat <<EOF\nx\nEOF",
        "#include <stdio.h>",
        "see <div>\nand <span>",
        "",
    ],
)
def test_tags_in_prose_and_code_are_not_a_sign(text: str) -> None:
    assert host_block(text) is None


def test_a_search_can_be_limited_to_some_names() -> None:
    text = "<div>\n<System-Reminder>\n"
    assert host_block(text, frozenset(["system-reminder"])) == "System-Reminder"
    assert host_block(text, frozenset(["other"])) is None


@given(st.text(alphabet="<>/ab: \n\r\t-*", max_size=200))
def test_any_text_gives_a_name_or_none(text: str) -> None:
    name = host_block(text)
    assert name is None or name in text


@pytest.mark.parametrize(
    "piece",
    ["a<b>", "a</b>", "a<a", "a <b> </c>\n", "> ", "x<", "a<b " * 3, "a </", "a<b:", "\r\n", "- - - a<b>"],
)
def test_time_grows_with_the_text(piece: str) -> None:
    def seconds(size: int) -> float:
        text = "x" + piece * (size // len(piece))
        best = 9.9
        for _ in range(3):
            started = time.perf_counter()
            host_block(text)
            best = min(best, time.perf_counter() - started)
        return best

    small, large = seconds(100_000), seconds(1_600_000)
    assert large < max(64 * small, 0.5), "16 times the text; a quadratic search would take 256 times as long"
