"""The protocol, message by message: every request is answered once, whatever it holds."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.channels.mcp.protocol import (
    HANDSHAKE_REVISIONS,
    REVISION_KEY,
    STATELESS_REVISIONS,
    Protocol,
    Toolbox,
    ToolResult,
)
from kato.channels.mcp.stdio import LINE_BYTES_MAX, lines

Json = dict[str, Any]


def echo(name: str, arguments: Any) -> ToolResult:
    return ToolResult(f"{name} {arguments}", is_error=arguments == {"fail": True})


PROTOCOL = Protocol(Toolbox([{"name": "echo"}], echo), version="1", instructions="…")


def ask(method: str, params: Any = None, **more: Any) -> Any:
    message: Json = {"jsonrpc": "2.0", "id": 7, "method": method, **more}
    return answer(message if params is None else message | {"params": params})


def answer(message: Any) -> Any:
    found = PROTOCOL.answer(json.dumps(message).encode())
    return None if found is None else json.loads(found)


@pytest.mark.parametrize("revision", HANDSHAKE_REVISIONS)
def test_initialize_answers_with_the_revision_that_the_client_asks_for(revision: str) -> None:
    result = ask("initialize", {"protocolVersion": revision, "capabilities": {}})["result"]
    assert result["protocolVersion"] == revision
    assert result["capabilities"] == {"tools": {}}
    assert result["serverInfo"]["name"] == "kato"


@pytest.mark.parametrize("asked", ["1999-01-01", "2026-07-28", None, 5, ["2025-06-18"]])
def test_initialize_answers_with_the_newest_revision_for_one_that_it_does_not_know(asked: Any) -> None:
    assert (
        ask("initialize", {"protocolVersion": asked})["result"]["protocolVersion"] == HANDSHAKE_REVISIONS[-1]
    )


def stateless(**params: Any) -> Json:
    return params | {"_meta": {REVISION_KEY: STATELESS_REVISIONS[-1]}}


def test_results_of_the_stateless_revision_say_that_they_are_complete() -> None:
    discovered = ask("server/discover", stateless())["result"]
    assert discovered["supportedVersions"][-1] == STATELESS_REVISIONS[-1]
    listed = ask("tools/list", stateless())["result"]
    called = ask("tools/call", stateless(name="echo"))["result"]
    assert [one["resultType"] for one in (discovered, listed, called)] == ["complete"] * 3
    assert {"ttlMs", "cacheScope"} <= listed.keys() & discovered.keys()


def test_results_of_the_earlier_revisions_do_not() -> None:
    assert ask("ping")["result"] == {}
    assert "resultType" not in ask("tools/call", {"name": "echo"})["result"]


def test_a_tool_that_fails_is_a_result_that_the_model_reads() -> None:
    result = ask("tools/call", {"name": "echo", "arguments": {"fail": True}})["result"]
    assert result["isError"] is True


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (5, -32600),
        ("text", -32600),
        ([], -32600),
        ({}, -32600),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": [1], "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": stateless()}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "x"}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "rm"}}, -32602),
        (
            {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": {REVISION_KEY: "2031-01-01"}}},
            -32022,
        ),
    ],
)
def test_what_breaks_the_protocol_is_an_error_with_its_code(message: Any, code: int) -> None:
    assert answer(message)["error"]["code"] == code


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/unheard-of", "params": 5},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {}},
    ],
)
def test_notifications_and_answers_are_not_answered(message: Any) -> None:
    assert answer(message) is None


def test_a_batch_is_answered_as_a_batch() -> None:
    ping, note = (
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/x"},
    )
    assert [one["id"] for one in answer([ping, note, ping | {"id": "b"}])] == [1, "b"]
    assert answer([note]) is None
    assert answer([ping] * 51)["error"]["code"] == -32600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.sampled_from(["initialize", "ping", "server/discover", "tools/list", "tools/call", "x"]), JSON, JSON
)
def test_any_params_and_any_id_have_one_answer_or_none(method: str, params: Any, request_id: Any) -> None:
    found = answer({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
    assert ("result" in found) != ("error" in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    PROTOCOL.answer(data)


# --- The transport ----------------------------------------------------------------------------------------


def test_lines_are_bounded_and_a_long_one_costs_only_itself() -> None:
    read, write = os.pipe()
    data = b"one\n\n  \r\n" + b"x" * (LINE_BYTES_MAX + 10) + b"\ntwo\n" + b"last"

    def send() -> None:
        with os.fdopen(write, "wb") as stream:
            stream.write(data)

    sender = threading.Thread(target=send)
    sender.start()
    assert list(lines(read)) == [b"one", None, b"two", b"last"]
    sender.join()
    os.close(read)


def test_the_process_answers_every_line_and_ends_with_its_input(
    environment: dict[str, str], tmp_path: Path
) -> None:
    ping = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n'
    sent = ping % 1 + b"{broken\n" + b"[" * 100_000 + b"\n" + b"\xff\xfe\n" + ping % 2
    done = subprocess.run(
        [sys.executable, "-m", "kato", "mcp"],
        input=sent,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one.get("error", {}).get("code") for one in answers] == [None, -32700, -32700, -32700, None]
    assert done.stderr == b""
