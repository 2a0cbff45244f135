"""Files in base64 and values that are nested deeply, in records of any kind."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.assistants.values import without_data
from kato.core.events import decode_line, encode_line
from providers.reading import Json, brief, lines, read, reader_of

AT = "2026-05-01T10:00:00.000Z"
BASE64 = "QUJD" * 1000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (BASE64, "[data: 3 kB]"),
        (f"{BASE64[:-1]}=", "[data: 3 kB]"),
        ("gAAAA_-" * 100, "[data: 1 kB]"),
        (f"data:image/png;base64,{BASE64}", "[data: 3 kB]"),
        (f"data:text/plain,{'a b ' * 200}", "[data: 1 kB]"),
        ("QUJD" * 127, "QUJD" * 127),
        ("data: " + "the words of the user " * 100, "data: " + "the words of the user " * 100),
        ("改" * 1000, "改" * 1000),
        ("a.b();" * 200, "a.b();" * 200),
        ("one\ntwo\n" * 100, "one\ntwo\n" * 100),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_in_base64_is_replaced_and_words_are_not(text: str, shown: str) -> None:
    assert without_data({"a": [text, 1, None]}) == {"a": [shown, 1, None]}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_a_value_without_data_stays(value: Any) -> None:
    assert without_data(value) == value


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["list", "object"])
@pytest.mark.parametrize("depth", [65, 100, 1_000, 100_000])
def test_what_is_nested_too_deep_is_replaced(make: Any, depth: int) -> None:
    value: Any = "words"
    for _ in range(depth):
        value = make(value)
    expected: Any = "[nested too deep]"
    for _ in range(64):
        expected = make(expected)
    assert without_data(value) == expected


def test_a_value_that_is_nested_as_deep_as_allowed_stays() -> None:
    value: Any = "words"
    for _ in range(64):
        value = [value]
    assert without_data(value) == value


def test_a_file_in_a_tools_result_is_not_kept() -> None:
    content = [
        {"type": "text", "text": "read"},
        {"type": "resource", "resource": {"uri": "a.bin", "blob": BASE64}},
    ]
    result = {"type": "tool_result", "tool_use_id": "t", "content": content}
    record = {"type": "user", "uuid": "u", "timestamp": AT, "message": {"content": [result]}}
    events, _ = read(reader_of("claude"), [lines(record)])
    ((_, shown),) = brief(events)
    assert shown.startswith("read\n")
    assert '"uri": "a.bin"' in shown
    assert '"blob": "[data: 3 kB]"' in shown


#: In each format: a record of an unknown kind, a call and a result. `HERE` stands for the nested value.
NESTED: dict[str, tuple[str, Json]] = {
    "claude unknown": ("claude", {"type": "novelty", "uuid": "u", "timestamp": AT, "v": "HERE"}),
    "claude call": (
        "claude",
        {
            "type": "assistant",
            "uuid": "u",
            "timestamp": AT,
            "message": {
                "id": "m",
                "content": [{"type": "tool_use", "id": "t", "name": "X", "input": {"v": "HERE"}}],
            },
        },
    ),
    "claude result": (
        "claude",
        {
            "type": "user",
            "uuid": "u",
            "timestamp": AT,
            "message": {"content": [{"type": "tool_result", "tool_use_id": "t", "content": "HERE"}]},
        },
    ),
    "codex unknown": (
        "codex",
        {"timestamp": AT, "type": "event_msg", "payload": {"type": "novelty", "v": "HERE"}},
    ),
    "codex result": (
        "codex",
        {
            "timestamp": AT,
            "type": "response_item",
            "payload": {"type": "function_call_output", "call_id": "c", "output": [{"v": "HERE"}, "HERE"]},
        },
    ),
    "gemini unknown": ("gemini", {"id": "m", "timestamp": AT, "type": "novelty", "v": "HERE"}),
    "copilot unknown": ("copilot", {"type": "novelty", "id": "e", "timestamp": AT, "data": {"v": "HERE"}}),
    "copilot call": (
        "copilot",
        {
            "type": "tool.execution_start",
            "id": "e",
            "timestamp": AT,
            "data": {"toolCallId": "c", "toolName": "X", "arguments": {"v": "HERE"}},
        },
    ),
}


@pytest.mark.parametrize("depth", [60, 300, 500, 900, 1000])
@pytest.mark.parametrize(("provider", "record"), NESTED.values(), ids=NESTED)
def test_a_record_that_is_nested_deeply_is_read(provider: str, record: Json, depth: int) -> None:
    for opening, closing in (('{"a":', "}"), ("[", "]")):
        value = f'{opening * depth}"words"{closing * depth}'
        data = f"{json.dumps(record)}\n".replace('"HERE"', value).encode()
        events, problems = read(reader_of(provider), [data])
        assert [problem for problem in problems if problem.kind != "unknown_kind"] == []
        assert brief(events) != []
        assert [decode_line(encode_line(event)) for event in events] == events
