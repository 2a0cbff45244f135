"""Notices: what the user must know, as data for a client that asks for data, as a message for every other."""

from typing import Any

import pytest

from builders import request, user
from conftest import Start
from kato.cli.client import Client


def received(client: Client, method: str) -> list[dict[str, Any]]:
    return [one["params"] for one in client.notifications if one["method"] == method]


@pytest.mark.parametrize(
    "capabilities", [None, {}, {"experimental": {"katoNotice": False}}, {"experimental": []}]
)
def test_a_client_that_does_not_announce_notices_gets_messages(
    start: Start, capabilities: dict[str, Any] | None
) -> None:
    client = start(capabilities=capabilities)
    client.request("kato/appendEvents", request([user("::capture /etc/outside.md")]))
    client.request("kato/memory")
    (shown,) = received(client, "window/showMessage")
    assert shown["type"] == 1
    assert shown["message"].startswith("::capture failed: /etc/outside.md is outside")
    assert received(client, "kato/notice") == []


def test_a_client_that_announces_notices_gets_their_kind_and_data(start: Start) -> None:
    client = start(capabilities={"experimental": {"katoNotice": True}})
    append = request([user("::capture /etc/outside.md")])
    client.request("kato/appendEvents", append)
    client.request("kato/memory")
    (notice,) = received(client, "kato/notice")
    assert notice["kind"] == "command_failed"
    assert notice["severity"] == "error"
    assert notice["message"].startswith("::capture failed: /etc/outside.md is outside")
    assert notice["data"] == {
        "command": "capture",
        "provider": append["provider"],
        "sessionId": append["sessionId"],
        "code": -32012,
        "path": "/etc/outside.md",
        "rule": "outside",
    }
    assert received(client, "window/showMessage") == []
