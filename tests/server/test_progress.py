"""A note that takes longer than a second is told of while it is written."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import conversation
from conftest import Start
from kato.client import Client
from kato.framing import encode_frame

EVENTS = 200_000


def fill(client: Client, count: int = EVENTS) -> None:
    """Many events, cheaply: one batch, under other ids."""
    template = orjson.dumps(
        {
            "jsonrpc": "2.0",
            "method": "kato/events",
            "params": {
                "provider": "claude",
                "sessionId": "long",
                "events": conversation(1000, session="long", size=60),
            },
        }
    )
    for number in range(count // 1000):
        client.write(encode_frame(template.replace(b'"event-', b'"event-%04d-' % number)))
    client.request("kato/memory")


def told(client: Client, token: str) -> list[dict[str, Any]]:
    return [
        one["params"]["value"]
        for one in client.notifications
        if one["method"] == "$/progress" and one["params"]["token"] == token
    ]


@pytest.mark.slow
def test_a_long_export_tells_its_progress_and_a_short_one_nothing(start: Start, notes: Path) -> None:
    client = start()
    fill(client)

    def export(name: str, session: str, token: str) -> None:
        argument = {"provider": "claude", "sessionId": session, "path": str(notes / name)}
        params = {"command": "kato.export", "arguments": [argument], "workDoneToken": token}
        assert client.request("workspace/executeCommand", params)["status"] == "ok"

    export("long.md", "long", "mine")
    values = told(client, "mine")
    assert [values[0]["kind"], values[-1]["kind"]] == ["begin", "end"]
    assert {one["kind"] for one in values[1:-1]} <= {"report"}
    shares = [one["percentage"] for one in values[:-1]]
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 100
    assert f"of {EVENTS:,} events" in values[0]["message"]

    short = conversation(3, session="short")
    client.request("kato/appendEvents", {"provider": "claude", "sessionId": "short", "events": short})
    export("short.md", "short", "other")
    assert told(client, "other") == []


@pytest.mark.slow
def test_a_capture_out_of_a_chat_uses_a_token_that_the_client_knows(start: Start, notes: Path) -> None:
    client = start(initialize=False)
    state = str(notes.parent / "state")
    params = {
        "processId": None,
        "rootUri": None,
        "capabilities": {"window": {"workDoneProgress": True}},
        "initializationOptions": {"stateDir": state},
        "workspaceFolders": [{"uri": f"file://{notes}", "name": "notes"}],
    }
    client.request("initialize", params)
    client.notify("initialized", {})
    client.request("kato/memory")
    (made,) = (one for one in client.notifications if one["method"] == "window/workDoneProgress/create")
    client.write(encode_frame(orjson.dumps({"jsonrpc": "2.0", "id": made["id"], "result": None})))
    fill(client)
    capture = conversation(1, session="long")[0] | {
        "eventId": "last",
        "kind": "message.user",
        "role": "user",
        "content": f"::capture {notes / 'long.md'}",
    }
    client.request("kato/appendEvents", {"provider": "claude", "sessionId": "long", "events": [capture]})
    kinds = [one["kind"] for one in told(client, made["params"]["token"])]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    client.request("kato/memory")
    tokens = [one["params"]["token"] for one in client.notifications if one["method"].endswith("/create")]
    assert len(set(tokens)) == 2, "the next one has a token of its own"
