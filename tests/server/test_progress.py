"""A note that takes longer than a second is reported while it is written.

How long a note takes is the machine's business. So the servers here have a bound of their own for "long": with none, every
note is reported from its first piece on; with that of `limits`, one of three events is not.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import conversation
from conftest import Start
from kato.cli.client import Client
from kato.lsp.framing import encode_frame

EVENTS = 20_000

#: The real server, to which any work is long.
_IMPATIENT = """
import sys
from kato.core import limits
limits.PROGRESS_AFTER_SECONDS = limits.PROGRESS_EVERY_SECONDS = 0.0
from kato.__main__ import main
sys.argv[1:] = ["serve"]
sys.exit(main())
"""
IMPATIENT = (sys.executable, "-c", _IMPATIENT)


def fill(client: Client, count: int = EVENTS) -> None:
    """Many events, cheaply: one batch, under other ids."""
    events = conversation(1000, session="long", size=60)
    params = {"provider": "claude", "sessionId": "long", "events": events}
    template = orjson.dumps({"jsonrpc": "2.0", "method": "kato/events", "params": params})
    for number in range(count // 1000):
        client.write(encode_frame(template.replace(b'"event-', b'"event-%04d-' % number)))
    client.request("kato/memory")


def progress_of(client: Client, token: str) -> list[dict[str, Any]]:
    return [
        one["params"]["value"]
        for one in client.notifications
        if one["method"] == "$/progress" and one["params"]["token"] == token
    ]


@pytest.fixture
def export(notes: Path) -> Callable[[Client, str, str], None]:
    def run(client: Client, session: str, token: str) -> None:
        argument = {"provider": "claude", "sessionId": session, "path": str(notes / f"{session}.md")}
        params = {"command": "kato.export", "arguments": [argument], "workDoneToken": token}
        assert client.request("workspace/executeCommand", params)["status"] == "ok"

    return run


def test_a_long_export_reports_its_progress(start: Start, export: Callable[[Client, str, str], None]) -> None:
    client = start(command=IMPATIENT)
    fill(client)
    export(client, "long", "mine")
    values = progress_of(client, "mine")
    assert [one["kind"] for one in values] == ["begin", *["report"] * (len(values) - 2), "end"]
    assert len(values) > 3, "several pieces, each told"
    shares = [one["percentage"] for one in values[:-1]]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 100
    assert shares[-1] == 100
    assert f"of {EVENTS:,} events" in values[0]["message"]


def test_a_short_export_reports_no_progress(start: Start, export: Callable[[Client, str, str], None]) -> None:
    client = start()
    short = conversation(3, session="short")
    client.request("kato/appendEvents", {"provider": "claude", "sessionId": "short", "events": short})
    export(client, "short", "mine")
    assert progress_of(client, "mine") == []


def test_a_capture_from_a_chat_uses_a_token_that_the_client_accepted(start: Start, notes: Path) -> None:
    client = start(initialize=False, command=IMPATIENT)
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
    kinds = [one["kind"] for one in progress_of(client, made["params"]["token"])]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    client.request("kato/memory")
    tokens = [one["params"]["token"] for one in client.notifications if one["method"].endswith("/create")]
    assert len(set(tokens)) == 2, "the next one has a token of its own"
