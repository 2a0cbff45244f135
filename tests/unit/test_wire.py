"""The custom messages: what is refused, with which path, and how JSON is read."""

from typing import Any

import orjson
import pytest

from builders import conversation, decision, request, tool_call, user
from kato.core.errors import InvalidParams
from kato.core.lenient_json import decoded_bytes, dumps, loads
from kato.core.outcomes import CommandOutcome
from kato.lsp import wire


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"content": 5}, "$.events[1].content"),
        ({"content": None}, "$.events[1].content"),
        ({"kind": "message.robot"}, "$.events[1].kind"),
        ({"kind": 7}, "$.events[1].kind"),
        ({"role": "assistant"}, "$.events[1].role"),
        ({"timestamp": "yesterday"}, "$.events[1].timestamp"),
        ({"timestamp": "2026-02-25T00:09:26"}, "$.events[1].timestamp"),
        ({"timestamp": 1_772_000_000}, "$.events[1].timestamp"),
        ({"eventId": ""}, "$.events[1].eventId"),
        ({"eventId": "x" * 600}, "$.events[1].eventId"),
        ({"provider": "other"}, "$.events[1].provider"),
        ({"sessionId": "other"}, "$.events[1].sessionId"),
        ({"source": {}}, "$.events[1].source.providerEventType"),
        ({"source": None}, "$.events[1].source"),
        ({"turnId": 3}, "$.events[1].turnId"),
    ],
)
def test_an_invalid_event_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidParams) as failure:
        wire.decode_append(request([user("fine"), user("x", 1) | change]))
    assert failure.value.data["path"] == path
    assert set(failure.value.data) == {"path", "expected", "got"}


@pytest.mark.parametrize(
    "missing", ["eventId", "provider", "sessionId", "timestamp", "kind", "source", "role", "content"]
)
def test_a_missing_field_is_named(missing: str) -> None:
    event = user("x")
    del event[missing]
    with pytest.raises(InvalidParams) as failure:
        wire.decode_append(request([user("fine"), event]))
    assert failure.value.data == {
        "path": f"$.events[1].{missing}",
        "expected": "a value (the field is required)",
        "got": "nothing",
    }


@pytest.mark.parametrize(
    "params", [None, 5, [], "x", {}, {"provider": "p"}, {"provider": "p", "sessionId": "s", "events": 5}]
)
def test_params_of_another_shape_are_refused(params: Any) -> None:
    with pytest.raises(InvalidParams):
        wire.decode_append(params)


def test_no_error_quotes_conversation_text() -> None:
    secret = "sekret"
    for change in ({"content": [secret]}, {"timestamp": secret}, {"source": secret}, {"turnId": [secret]}):
        with pytest.raises(InvalidParams) as failure:
            wire.decode_append(request([user(secret) | change]))
        assert secret not in str(failure.value) + str(failure.value.data)


def test_a_valid_event_of_each_kind_is_kept_with_its_unknown_fields() -> None:
    events = [*conversation(3), tool_call("x", 3, input={"a": 1}), decision("s", 4)]
    events = [one | {"unknown": {"deep": [1, 2.5, None, "ü"]}} for one in events]
    decoded = wire.decode_append(request(events, title="T", cwd="/w"))
    assert [orjson.loads(line) for line in decoded.lines] == events
    assert (decoded.title, decoded.cwd, decoded.replay) == ("T", "/w", False)


def test_many_lines_keep_no_buffers() -> None:
    decoded = wire.decode_append(request(conversation(1000)))
    assert decoded.lines.count == 1000
    assert all(b"\n" not in line for line in decoded.lines)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"\\ud83d"', "\ufffd"),
        (b'{"\\udc00":["a\\ud800b"]}', {"\ufffd": ["a\ufffdb"]}),
        (
            b'["\\ud83d", 123456789012345678901234567890, 1.5, null, true]',
            ["\ufffd", 1.2345678901234568e29, 1.5, None, True],
        ),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(text: bytes, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize("text", [b"", b"{", b"nul", b'["\\ud83d", NaN]', b'"\xff"', b"{} {}"])
def test_text_that_is_not_json_is_refused_without_quoting_it(text: bytes) -> None:
    with pytest.raises(ValueError) as failure:
        loads(text)
    assert "ud83d" not in str(failure.value)


def test_bounds_of_a_page_are_checked() -> None:
    asked = {"provider": "p", "sessionId": "s"}
    assert wire.decode(asked, wire.ReadSessionParams).limit == 200
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after": -1}, {"limit": True}, {"after": 1.5}):
        with pytest.raises(InvalidParams):
            wire.decode(asked | wrong, wire.ReadSessionParams)


def test_the_estimate_of_a_message_is_never_too_low() -> None:
    import sys

    def size(value: Any) -> int:
        total = sys.getsizeof(value)
        if isinstance(value, dict):
            return total + sum(size(key) + size(item) for key, item in value.items())
        if isinstance(value, list):
            return total + sum(map(size, value))
        return total

    values: list[Any] = [
        [[]] * 10_000,
        [{}] * 10_000,
        [{"a": 1}] * 5000,
        "x" * 100_000,
        "😀" * 50_000,
        [1.5] * 10_000,
        {str(n): [] for n in range(5000)},
    ]
    for value in values:
        text = orjson.dumps(value)
        assert decoded_bytes(text) >= size(loads(text))


def test_an_outcome_at_a_path_that_is_not_utf_8_goes_out_as_json() -> None:
    outcome = CommandOutcome(
        command="capture",
        provider="p",
        session_id="s",
        origin="chat",
        status="ok",
        output_path="/a/\udcff.md",
    )
    assert orjson.loads(dumps({"params": outcome}))["params"]["outputPath"] == "/a/\ufffd.md"
