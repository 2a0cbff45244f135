"""A message that breaks a rule affects no other message: each request has exactly one answer, and those behind it are handled.

KATO_FAULT_ROUNDS (default 3) is the number of servers that get random messages.
"""

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import conversation, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed, ServerGone
from kato.core.lenient_json import loads
from kato.lsp.framing import encode_frame

pytestmark = pytest.mark.usefixtures("deadline")
ROUNDS = int(os.environ.get("KATO_FAULT_ROUNDS", "3"))
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
Json = dict[str, Any]


def frame(message: object) -> bytes:
    return encode_frame(orjson.dumps(message))


def ask(client: Client, *messages: object) -> list[Json]:
    """The answers to messages that are sent in one write, with a request behind them that is answered last."""
    last = {"jsonrpc": "2.0", "id": "last", "method": "kato/memory"}
    client.write(b"".join(one if isinstance(one, bytes) else frame(one) for one in messages) + frame(last))
    answers: list[Json] = []
    while not answers or answers[-1].get("id") != "last":
        message = client.read_message()
        (client.notifications if "method" in message else answers).append(message)
    assert "result" in answers[-1]
    return answers[:-1]


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("version", [None, "1.0", "2", 2.0, 2, {}, []])
@pytest.mark.parametrize(
    "method", ["shutdown", "initialize", "kato/memory", "workspace/executeCommand", "x/y"]
)
def test_a_request_of_another_version_is_refused(start: Start, method: str, version: object) -> None:
    message = {"id": 1, "method": method, "params": {}}
    client = start()
    (answer,) = ask(client, message if version is None else message | {"jsonrpc": version})
    assert (answer["id"], answer["error"]["code"]) == (1, INVALID_REQUEST)
    assert 'jsonrpc must be "2.0"' in answer["error"]["message"]


def test_a_notification_of_another_version_is_ignored(start: Start) -> None:
    client = start()
    append = {"method": "kato/events", "params": request(conversation(3))}
    messages = [{"method": "$/setTrace", "params": {"value": "off"}}, append, append | {"jsonrpc": "3.0"}]
    assert ask(client, *messages, {"method": "exit"}) == []
    assert client.request("kato/memory")["snapshots"]["eventCount"] == 0


@pytest.mark.parametrize(
    "method", ["initialized", "$/setTrace", "window/workDoneProgress/cancel", "textDocument/didOpen"]
)
def test_a_notification_that_is_sent_as_a_request_is_refused(start: Start, method: str) -> None:
    client = start()
    (answer,) = ask(client, {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"value": "off"}})
    assert (answer["id"], answer["error"]["code"]) == (1, INVALID_REQUEST)
    assert "is a notification" in answer["error"]["message"]


@pytest.mark.parametrize("method", ["initialize", "shutdown", "workspace/symbol"])
def test_a_request_that_is_sent_as_a_notification_is_ignored(start: Start, method: str) -> None:
    client = start()
    assert ask(client, {"jsonrpc": "2.0", "method": method, "params": {}}) == []
    assert client.close() == 0


def test_an_initialize_without_an_id_starts_nothing(start: Start, tmp_path: Path) -> None:
    client = start(initialize=False)
    options = {"stateDir": str(tmp_path / "state")}
    params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
    client.notify("initialize", params)
    with pytest.raises(RequestFailed, match="initialize comes first"):
        client.request("kato/memory")
    assert client.request("initialize", params)["serverInfo"]["name"] == "kato"


def test_exit_as_a_request_is_answered_and_ends_the_process(start: Start) -> None:
    client = start()
    client.request("shutdown")
    assert client.request("exit") is None
    assert client.process.wait(10) == 0


def test_a_request_that_is_cut_is_answered_under_its_id(start: Start) -> None:
    client = start()
    (answer,) = ask(
        client, encode_frame(b'{"jsonrpc":"2.0","id":1,"method":"kato/readSession","params":{"prov')
    )
    assert (answer["id"], answer["error"]["code"]) == (1, -32700)


@pytest.mark.parametrize("method", [None, 5, {}, [], True])
def test_a_method_that_is_not_a_string_is_refused(start: Start, method: object) -> None:
    client = start()
    (answer,) = ask(client, {"jsonrpc": "2.0", "id": 1, "method": method})
    assert (answer["id"], answer["error"]["code"]) == (1, INVALID_REQUEST)


@pytest.mark.parametrize("request_id", [None, 1.5, True, {}, [], 2**64])
def test_an_invalid_id_is_refused_under_null(start: Start, request_id: object) -> None:
    client = start()
    text = b"18446744073709551616" if request_id == 2**64 else orjson.dumps(request_id)
    body = b'{"jsonrpc":"2.0","id":' + text + b',"method":"kato/memory"}'
    (answer,) = ask(client, encode_frame(body))
    assert (answer["id"], answer["error"]["code"]) == (None, INVALID_REQUEST)


@pytest.mark.parametrize(
    "message",
    [
        {"id": "unknown", "result": None},
        {"id": 7, "error": {"code": 1, "message": "no"}},
        {"id": {}, "result": 1},
        {"id": [], "error": 5},
        {"id": None, "result": {}},
        {"result": 1},
        {"error": {"code": "x"}},
        {},
    ],
)
def test_a_response_to_no_request_is_ignored(start: Start, message: Json) -> None:
    client = start()
    assert ask(client, {"jsonrpc": "2.0"} | message, message) == []


def test_a_message_with_only_an_id_is_refused_unless_it_answers_the_server(start: Start) -> None:
    client = start(capabilities={"window": {"workDoneProgress": True}})
    (answer,) = ask(client, {"jsonrpc": "2.0", "id": 1})
    assert (answer["id"], answer["error"]["code"]) == (1, INVALID_REQUEST)
    asked = next(one for one in client.notifications if one["method"] == "window/workDoneProgress/create")
    assert ask(client, {"jsonrpc": "2.0", "id": asked["id"]}) == []


@pytest.mark.parametrize("digits", ["9" * 4301, "9" * 8000, "0" * 4301 + "7", "1" + "0" * 15])
def test_a_header_with_an_absurd_length_is_skipped(start: Start, digits: str) -> None:
    client = start()
    assert ask(client, f"Content-Length: {digits}\r\n\r\n".encode()) == []


def test_a_second_initialized_starts_nothing(start: Start) -> None:
    client = start({"heartbeatSeconds": 3600}, capabilities={"window": {"workDoneProgress": True}})
    assert ask(client, *[{"jsonrpc": "2.0", "method": "initialized", "params": {}}] * 500) == []
    begun = Counter(one["method"] for one in client.notifications)
    assert begun["window/workDoneProgress/create"] == 1
    assert begun["kato/statusChanged"] <= 2, "once after initialized, and once if memory moved"


@pytest.mark.parametrize("after", [2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**64 - 1])
def test_a_page_beyond_the_end_is_empty(start: Start, after: int) -> None:
    client = start()
    for session in ("a", "b"):
        client.request("kato/appendEvents", request(conversation(3, session=session)))
    page = client.request("kato/readSession", {"provider": "claude", "sessionId": "a", "after": after})
    assert page == {"events": [], "nextAfter": None, "total": 3}


WRONG: list[tuple[str, Any, int]] = [
    ("workspace/executeCommand", {"command": []}, INVALID_PARAMS),
    ("workspace/executeCommand", {"command": nested(900)}, INVALID_PARAMS),
    ("workspace/executeCommand", {"command": "kato.capture", "arguments": {}}, INVALID_PARAMS),
    ("workspace/executeCommand", {"command": "kato.capture", "arguments": [[]]}, INVALID_PARAMS),
    ("workspace/executeCommand", [], INVALID_PARAMS),
    ("workspace/executeCommand", "kato.capture", INVALID_PARAMS),
    ("kato/status", [], INVALID_PARAMS),
    ("kato/status", {"limit": -1}, INVALID_PARAMS),
    ("kato/readSession", {"provider": "claude", "sessionId": "a", "after": 2**70}, INVALID_PARAMS),
    ("kato/readSession", {"provider": "claude", "sessionId": "a", "limit": 2**63}, INVALID_PARAMS),
    ("kato/appendEvents", 7, INVALID_PARAMS),
    ("kato/appendEvents", request([user("x", input=nested(300))]), INVALID_PARAMS),
    ("x" * 100_000, {}, METHOD_NOT_FOUND),
]


@pytest.mark.parametrize(("method", "params", "code"), WRONG, ids=range(len(WRONG)))
def test_params_of_another_shape_are_refused_and_not_quoted_at_length(
    start: Start, method: str, params: Any, code: int
) -> None:
    client = start()
    text = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": None})[: -len("null}")]
    (answer,) = ask(client, encode_frame(text + _json(params) + b"}"))
    assert (answer["id"], answer["error"]["code"]) == (1, code)
    assert len(orjson.dumps(answer)) < 5000


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()


def test_a_kind_of_several_megabytes_is_not_quoted(start: Start) -> None:
    client = start()
    append = request([user("x") | {"kind": "k" * 3_000_000}])
    (answer,) = ask(
        client,
        {"jsonrpc": "2.0", "id": 1, "method": "kato/appendEvents", "params": append},
        {"jsonrpc": "2.0", "method": "kato/events", "params": append},
    )
    assert answer["error"]["data"]["path"] == "$.events[0].kind"
    assert max(len(orjson.dumps(one)) for one in [answer, *client.notifications]) < 5000


NOTIFICATIONS: list[tuple[str, Any]] = [
    (
        "workspace/didChangeWatchedFiles",
        {"changes": [{"uri": 5}, {}, None, {"uri": "file://[bad", "type": 1}]},
    ),
    ("workspace/didChangeWatchedFiles", {"changes": 5}),
    ("workspace/didChangeWatchedFiles", []),
    ("workspace/didChangeWorkspaceFolders", {"event": {"added": [{"uri": 5}], "removed": None}}),
    ("workspace/didChangeWorkspaceFolders", {"event": None}),
    (
        "workspace/didChangeWorkspaceFolders",
        {"event": {"added": [{"uri": "file://[bad", "name": ""}], "removed": []}},
    ),
    ("workspace/didChangeConfiguration", {"settings": {"kato": nested(500)}}),
    ("workspace/didChangeConfiguration", {"settings": {"kato": {"maxSessions": nested(500)}}}),
    ("workspace/didChangeConfiguration", 5),
    ("$/setTrace", {"value": 5}),
    ("$/setTrace", nested(900)),
    ("window/workDoneProgress/cancel", {"token": nested(900)}),
    ("window/workDoneProgress/cancel", None),
    ("$/cancelRequest", {"id": []}),
    ("initialize", {"capabilities": {}}),
    ("shutdown", None),
    ("textDocument/didChange", {}),
    ("kato/events", {"provider": "claude", "sessionId": "s", "events": nested(900)}),
]


@pytest.mark.parametrize(("method", "params"), NOTIFICATIONS, ids=range(len(NOTIFICATIONS)))
def test_a_notification_of_another_shape_is_ignored(start: Start, method: str, params: Any) -> None:
    client = start()
    text = orjson.dumps({"jsonrpc": "2.0", "method": method, "params": None})[: -len("null}")]
    assert ask(client, encode_frame(text + _json(params) + b"}")) == []
    assert client.request("kato/appendEvents", request([user("x")]))["accepted"] == 1


@pytest.mark.parametrize("depth", [250, 300, 1000])
def test_an_initialize_with_a_value_of_any_depth_is_answered_before_the_end(start: Start, depth: int) -> None:
    client = start(initialize=False)
    with pytest.raises(RequestFailed) as failure:
        params: Json = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": {}}
        text = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        options = b'{"maxSessions":' + b"[" * depth + b"]" * depth + b"}"
        client.write(
            encode_frame(text.replace(b'"initializationOptions":{}', b'"initializationOptions":' + options))
        )
        client.wait_for(1)
    assert failure.value.code == INVALID_PARAMS
    assert failure.value.data["key"] == "maxSessions"
    assert len(str(failure.value.data)) < 2000
    assert client.process.wait(10) == 78


@pytest.mark.parametrize(
    "fields",
    [
        {"rootUri": "file://[bad"},
        {"rootPath": "//"},
        {"rootUri": "file:///%FF"},
        {"workspaceFolders": [{"uri": "file://[bad", "name": "x"}]},
        {"capabilities": {"experimental": nested(900)}},
        {"capabilities": {"workspace": {"configuration": True}}, "locale": "x" * 100_000},
    ],
    ids=range(6),
)
def test_an_initialize_with_an_odd_value_is_answered_and_serves(
    start: Start, tmp_path: Path, fields: Json
) -> None:
    client = start(initialize=False)
    params = {
        "processId": None,
        "rootUri": None,
        "capabilities": {},
        "initializationOptions": {"stateDir": str(tmp_path / "state")},
    } | fields
    client.write(encode_frame(_json({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})))
    assert client.wait_for(1)["serverInfo"]["name"] == "kato"
    assert client.request("kato/memory")


@pytest.mark.parametrize("params", [None, 5, [], {"capabilities": 5}, {"processId": {}, "capabilities": {}}])
def test_an_initialize_of_another_shape_is_refused_without_a_traceback(start: Start, params: Any) -> None:
    client = start(initialize=False)
    client.write(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}))
    with pytest.raises(RequestFailed) as failure:
        client.wait_for(1)
    assert failure.value.code == INVALID_PARAMS
    assert failure.value.data is None
    client.notify("exit")
    assert client.process.wait(10) == 1


# --- At random ----------------------------------------------------------------------------------------


def _is_read(body: bytes) -> bool:
    try:
        loads(body)
    except ValueError:
        return False
    return True


class Hostile:
    """Messages by a grammar: some right, most wrong in one or more places; each request with an id of its own."""

    METHODS = (
        "kato/appendEvents kato/events kato/memory kato/status kato/readSession kato/renderSession initialize "
        "initialized shutdown-not $/setTrace $/cancelRequest workspace/executeCommand workspace/didChangeConfiguration "
        "workspace/didChangeWatchedFiles workspace/didChangeWorkspaceFolders textDocument/didOpen textDocument/hover "
        "window/workDoneProgress/cancel x/y"
    ).split()

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = iter(range(1, 10**9))
        self.expected: set[object] = set()
        self.nulls = 0

    def value(self, depth: int = 0) -> Any:
        pick = self.random.randrange(14 if depth < 4 else 10)
        if pick == 10:
            return nested(self.random.choice([10, 300, 900]))
        if pick == 11:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        if pick >= 12:
            return {self.word(): self.value(depth + 1) for _ in range(self.random.randrange(5))}
        return self.random.choice(
            [
                None,
                True,
                0,
                -1,
                2**63 - 1,
                2**64 - 1,
                1.5,
                "",
                self.word(),
                "\ud83d",
                "x" * 5000,
                "file://[bad",
            ]
        )

    def word(self) -> str:
        words = (
            "provider sessionId events claude s1 limit after command arguments kato.capture settings kato changes uri event "
            "added removed token value includeStale jsonrpc id method params result error"
        ).split()
        return self.random.choice(words)

    def params(self) -> Any:
        key = {"provider": "claude", "sessionId": "s1"}
        pick = self.random.randrange(6)
        if pick == 0:
            number = self.random.randrange(1000)
            event = user(f"words {number}", number, sessionId="s1")
            if self.random.random() < 0.5:
                event[self.random.choice([*event])] = self.value()
            return key | {"events": [event]}
        if pick == 1:
            return key | {self.word(): self.value()}
        return self.value()

    def message(self) -> bytes:
        pick = self.random.randrange(20)
        if pick == 0:
            self.nulls += 1
            return encode_frame(
                self.random.choice([b"not json", b"[]", b"5", b'"x"', b"null", b"[1,2", b"", b"[" * 2000])
            )
        if pick == 1:
            return frame({"jsonrpc": "2.0", "id": f"no request {self.random.random()}", "result": 1})
        message: Json = {
            "jsonrpc": "2.0",
            "method": self.random.choice(self.METHODS),
            "params": self.params(),
        }
        if self.random.random() < 0.7:
            self._identify(message)
        if self.random.random() < 0.1:
            message.pop("jsonrpc")
        elif self.random.random() < 0.1:
            message["jsonrpc"] = self.random.choice(["1.0", None, 2, nested(5)])
        if self.random.random() < 0.1:
            message["method"] = self.random.choice([None, 5, [], {}, ""])
        if self.random.random() < 0.1:
            message.pop("params")
        body = _json(message)
        if "id" not in message and not _is_read(body):
            self.nulls += 1  # whether it was a notification cannot be known
        return encode_frame(body)

    def _identify(self, message: Json) -> None:
        if self.random.random() < 0.1:
            message["id"] = self.random.choice([None, 1.5, True, {}, []])
            self.nulls += 1
            return
        number = next(self.ids)
        message["id"] = number if self.random.random() < 0.5 else f"id {number}"
        self.expected.add(message["id"])

    def batch(self) -> bytes:
        return b"".join(self.message() for _ in range(self.random.randrange(1, 30)))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_each_of_many_random_requests_has_exactly_one_answer(start: Start, seed: int) -> None:
    hostile = Hostile(seed)
    client = start({"logLevel": "error"})
    answered: Counter[object] = Counter()
    nulls = 0
    for _ in range(40):
        try:
            answers = ask(client, hostile.batch())
        except ServerGone as gone:
            pytest.fail(f"seed {seed}: {gone}")
        for answer in answers:
            assert ("result" in answer) != ("error" in answer), answer
            if answer["id"] is None:
                nulls += 1
            else:
                answered[answer["id"]] += 1
            assert answer.get("error", {}).get("code") != -32603, answer
    assert set(answered) == hostile.expected
    assert set(answered.values()) == {1}
    assert nulls == hostile.nulls
    client.request("shutdown")
    client.notify("exit")
    assert client.process.wait(10) == 0
