"""The seven traps of pygls, each against the real process; and what else a stream can hold."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from builders import conversation, request, tool_call, user
from conftest import Start
from kato.cli.client import Client, RequestFailed
from kato.lsp.framing import encode_frame


def test_a_custom_request_without_params_is_answered(start: Start) -> None:
    """Trap 1: vscode-jsonrpc sends no params member for a request type without parameters."""
    client = start()
    client.write(encode_frame(b'{"jsonrpc":"2.0","id":77,"method":"kato/memory"}'))
    assert client.wait_for(77)["daemonMaxMemoryBytes"] == 200 * 1024 * 1024


def test_params_that_hold_a_jsonrpc_key_are_data(start: Start) -> None:
    """Trap 2: the decoder of pygls takes any object with that key for a message."""
    client = start()
    inner = {"jsonrpc": "2.0", "id": 1, "method": "shutdown"}
    sent = tool_call("fetch", input={"jsonrpc": "2.0", "body": [inner, {"deep": inner}]})
    assert client.request("kato/appendEvents", request([sent]))["accepted"] == 1
    read = client.request("kato/readSession", {"provider": "claude", "sessionId": "session-1"})
    assert read["events"] == [sent]


def test_field_names_come_back_as_they_were_sent(start: Start) -> None:
    """Trap 3: pygls makes named tuples in which `class` and `_id` are renamed."""
    client = start()
    sent = tool_call(
        "edit",
        input={"class": 1, "_id": 2, "def": 3, "a b": 4, "": 5, "ünï": None},
        extra={"kept": [True, 1.5]},
    )
    client.request("kato/appendEvents", request([sent]))
    read = client.request("kato/readSession", {"provider": "claude", "sessionId": "session-1"})
    assert read["events"] == [sent]


def test_notifications_and_requests_keep_their_order(start: Start) -> None:
    """Trap 4: asynchronous handlers reorder."""
    client = start()
    for number in range(200):
        client.notify("kato/events", request(conversation(1, first=number)))
    total = client.request("kato/status", {"includeStale": True})["sessions"][0]["eventCount"]
    assert total == 200
    events = client.request(
        "kato/readSession", {"provider": "claude", "sessionId": "session-1", "limit": 1000}
    )["events"]
    assert [one["eventId"] for one in events] == [f"event-{number}" for number in range(200)]


def test_a_frame_of_an_absurd_length_is_drained_in_bounded_memory(start: Start) -> None:
    """Trap 5: pygls buffers whatever a header announces."""
    client = start({"maxMessageMb": 1})
    before = psutil.Process(client.process.pid).memory_info().rss
    body_head = b'{"jsonrpc":"2.0","id":5,"method":"kato/appendEvents","params":{"x":"'
    length = 300 * 1024 * 1024
    client.write(b"Content-Length: %d\r\n\r\n" % length + body_head)
    piece = b"y" * (1 << 20)
    left = length - len(body_head)
    while left:
        client.write(piece[:left])
        left -= min(left, len(piece))
    with pytest.raises(RequestFailed, match="maxMessageMb"):
        client.wait_for(5)
    memory = client.request("kato/memory")
    assert memory["process"]["peakRss"] < before + 16 * 1024 * 1024


def test_a_stray_print_goes_to_stderr(tmp_path: Path, environment: dict[str, str]) -> None:
    """Trap 6: whatever writes to stdout breaks the stream."""
    program = (
        "import os, sys, subprocess\n"
        "from kato.lsp import wire\n"
        "real = wire.decode_append\n"
        "def noisy(params):\n"
        "    print('stray'); sys.stdout.flush(); os.write(1, b'raw'); subprocess.run(['echo', 'child'])\n"
        "    return real(params)\n"
        "wire.decode_append = noisy\n"
        "from kato.__main__ import main\n"
        "sys.argv = ['kato', 'serve']\n"
        "sys.exit(main())\n"
    )
    client = Client(command=(sys.executable, "-c", program), environment=environment, stderr=subprocess.PIPE)
    client.initialize(options={"stateDir": str(tmp_path / "state")})
    assert client.request("kato/appendEvents", request([user("hi")]))["accepted"] == 1
    assert client.close() == 0
    assert client.process.stderr is not None
    errors = client.process.stderr.read()
    client.process.stderr.close()
    assert all(word in errors for word in (b"stray", b"raw", b"child"))


def test_conversation_text_reaches_no_log(start: Start, tmp_path: Path) -> None:
    """Trap 7: pygls logs every body at INFO; nor may a refused event show its text."""
    client = start({"logLevel": "debug"}, stderr=subprocess.PIPE)
    secret = "sekret-word-91"
    client.request("kato/appendEvents", request([user(secret + "\n::capture c.md\n::captrue " + secret)]))
    for bad in ({"content": 5}, {"kind": secret}, {"timestamp": secret}):
        with pytest.raises(RequestFailed):
            client.request("kato/appendEvents", request([user(secret, 2) | bad]))
    client.notify("kato/events", {"provider": "claude", "sessionId": secret, "events": [{"content": secret}]})
    client.write(
        encode_frame(b'{"jsonrpc":"2.0","id":9,"method":"kato/memory","params":"' + secret.encode() + b'"')
    )
    client.request("kato/memory")
    assert client.close() == 0
    assert client.process.stderr is not None
    errors = client.process.stderr.read().decode()
    client.process.stderr.close()
    logs = errors + "".join(path.read_text() for path in (tmp_path / "state" / "logs").iterdir())
    assert "capture of claude/session-1" in logs
    assert secret not in logs.replace(f"claude/{secret}", "")


def test_a_message_with_a_lone_surrogate_is_read(start: Start) -> None:
    client = start()
    params = json.dumps(request([user("half an emoji: \ud83d.")]))
    message = '{"jsonrpc":"2.0","id":70,"method":"kato/appendEvents","params":' + params + "}"
    client.write(encode_frame(message.encode()))
    assert client.wait_for(70)["accepted"] == 1
    read = client.request("kato/readSession", {"provider": "claude", "sessionId": "session-1"})
    assert read["events"][0]["content"] == "half an emoji: \ufffd."


@pytest.mark.parametrize(
    "garbage",
    [
        b"a stray line\r\n",
        b"Content-Length: x\r\n\r\n",
        encode_frame(b"not json"),
        encode_frame(b"[]"),
        encode_frame(b'{"jsonrpc":"2.0"}'),
        encode_frame(b'{"jsonrpc":"2.0","id":{"a":1},"method":"kato/memory"}'),
        encode_frame(b'{"jsonrpc":"2.0","id":1,"method":5}'),
        encode_frame(b'{"jsonrpc":"2.0","id":1,"result":null}'),
        encode_frame(b'{"jsonrpc":"2.0","method":"kato/events","params":7}'),
        encode_frame(b'{"jsonrpc":"2.0","method":"kato/unknown"}'),
        encode_frame(b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":null}}'),
        encode_frame(b"[" * 100_000),
    ],
    ids=range(12),
)
def test_the_server_serves_after_a_broken_message(start: Start, garbage: bytes) -> None:
    client = start()
    client.write(garbage)
    assert client.request("kato/memory")["snapshots"]["sessionCount"] == 0


def test_every_request_is_answered(start: Start) -> None:
    client = start()
    for method, params, code in (
        ("kato/unknown", None, -32601),
        ("textDocument/completion", {"textDocument": {"uri": "file:///x"}, "position": {}}, -32601),
        ("textDocument/hover", {"textDocument": {"uri": "file:///x"}, "position": {}}, -32602),
        ("kato/status", {"limit": "many"}, -32602),
        ("kato/readSession", None, -32602),
        ("kato/readSession", {"provider": "x", "sessionId": "y"}, -32011),
        ("workspace/executeCommand", {"command": "kato.unknown", "arguments": []}, -32602),
        ("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, -32600),
    ):
        with pytest.raises(RequestFailed) as failure:
            client.request(method, params)
        assert failure.value.code == code, method
    client.request("shutdown")
    with pytest.raises(RequestFailed) as failure:
        client.request("kato/memory")
    assert failure.value.code == -32600


def test_a_request_before_initialize_is_refused_and_a_notification_dropped(start: Start) -> None:
    client = start(initialize=False)
    client.notify("kato/events", request([user("early")]))
    with pytest.raises(RequestFailed) as failure:
        client.request("kato/memory")
    assert failure.value.code == -32002


def test_a_client_that_does_not_read_delays_only_its_own_messages(start: Start) -> None:
    client = start()
    events = conversation(200, size=5000)
    client.request("kato/appendEvents", request(events))
    asked = [
        client.send_request("kato/readSession", {"provider": "claude", "sessionId": "session-1"})
        for _ in range(30)
    ]
    time.sleep(0)  # nothing was read so far: thirty answers of a megabyte wait in the server
    answers: list[Any] = [client.wait_for(one) for one in asked]
    assert all(answer == answers[0] for answer in answers)
    assert len(orjson.dumps(answers[0])) > 1_000_000
