"""Notices: what the user must know, as data for a client that asks for data, as a message for every other."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from builders import conversation, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed, ServerGone
from kato.core.limits import MIB


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


class Occasion(NamedTuple):
    """Something that the user must know: what is done with a server, and the notice that follows."""

    kind: str
    severity: str
    data: set[str]
    arrange: Callable[[Client, Path], object]
    options: dict[str, Any] | None = None


def change_settings(**section: Any) -> Callable[[Client, Path], object]:
    def arrange(client: Client, notes: Path) -> None:
        client.notify("workspace/didChangeConfiguration", {"settings": {"kato": section}})

    return arrange


def push_invalid_events(client: Client, notes: Path) -> None:
    client.notify("kato/events", request([user("x") | {"timestamp": "yesterday"}]))


def append_a_doubtful_command(client: Client, notes: Path) -> None:
    doubtful = user("::capture n.md", doubt="it came from a file")
    client.request("kato/appendEvents", request([doubtful], cwd=str(notes)))


def block_the_note(client: Client, notes: Path) -> None:
    client.request("kato/appendEvents", request([user("hi\n::capture n.md")], cwd=str(notes)))
    (notes / "n.md").unlink()
    (notes / "n.md").mkdir()
    client.request("kato/appendEvents", request([user("more", 1)], cwd=str(notes)))


def outgrow_the_budget(client: Client, notes: Path) -> None:
    with pytest.raises(RequestFailed):
        for first in range(0, 1000, 100):
            client.request("kato/appendEvents", request(conversation(100, first=first, size=5000)))


OCCASIONS = [
    Occasion("settings_rejected", "error", {"key", "rule", "got"}, change_settings(maxSessions=0)),
    Occasion("restart_needed", "info", {"keys"}, change_settings(journal=False)),
    Occasion("events_rejected", "error", {"path", "expected", "got"}, push_invalid_events),
    Occasion(
        "command_not_run",
        "warning",
        {"provider", "sessionId", "eventId", "line", "text", "command", "reason"},
        append_a_doubtful_command,
    ),
    Occasion(
        "recording_paused",
        "error",
        {"recordingId", "path", "provider", "sessionId", "reason"},
        block_the_note,
    ),
    Occasion(
        "over_budget",
        "error",
        {"neededBytes", "budgetBytes", "reason", "provider", "sessionId", "title"},
        outgrow_the_budget,
        {"daemonMaxMemoryMb": 1},
    ),
    Occasion(
        "limit_not_kept",
        "warning",
        {"limitBytes", "smallestLimitBytes"},
        lambda client, notes: None,
        {"daemonMaxMemoryMb": 20},
    ),
]
SHOWN_AS = {"error": 1, "warning": 2, "info": 3}


def notified(client: Client, method: str, seconds: float = 10, **fields: Any) -> dict[str, Any]:
    """The params of the first notification of this method with these fields; fails when none comes in time."""

    def found() -> list[dict[str, Any]]:
        return [one for one in received(client, method) if fields.items() <= one.items()]

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if notices := found():
            return notices[0]
        try:
            client.request("kato/memory")
        except ServerGone:
            break
    (found_at_the_end, *_) = found()
    return found_at_the_end


@pytest.mark.parametrize("occasion", OCCASIONS, ids=lambda occasion: occasion.kind)
@pytest.mark.parametrize("announced", [True, False])
def test_the_user_is_notified_in_the_way_that_the_client_announced(
    start: Start, tmp_path: Path, occasion: Occasion, announced: bool
) -> None:
    client = start(occasion.options, capabilities={"experimental": {"katoNotice": announced}})
    occasion.arrange(client, tmp_path / "notes")
    if announced:
        notice = notified(client, "kato/notice", kind=occasion.kind)
        assert notice["severity"] == occasion.severity
        assert notice["data"].keys() == occasion.data
        assert received(client, "window/showMessage") == []
    else:
        assert notified(client, "window/showMessage", type=SHOWN_AS[occasion.severity])
        assert received(client, "kato/notice") == []


def test_the_last_notice_over_budget_names_the_conversation(start: Start) -> None:
    client = start({"daemonMaxMemoryMb": 1}, capabilities={"experimental": {"katoNotice": True}})
    with pytest.raises(RequestFailed):
        client.request("kato/appendEvents", request([user("x" * 1_500_000)], title="Sort the log"))
    notice = notified(client, "kato/notice", kind="over_budget")
    assert notice["data"]["title"] == "Sort the log"
    assert notice["message"].startswith("Kato stops: the conversation “Sort the log”, ")


def test_a_limit_that_the_process_cannot_keep_is_reported_once_with_the_smallest_that_it_can(
    start: Start,
) -> None:
    client = start({"daemonMaxMemoryMb": 20}, capabilities={"experimental": {"katoNotice": True}})
    first = notified(client, "kato/notice", kind="limit_not_kept")
    memory = client.request("kato/memory")
    assert memory["wholeProcess"] is False
    assert first["data"] == {
        "limitBytes": 20 * MIB,
        "smallestLimitBytes": memory["smallestLimitBytes"],
    }
    change_settings(maxSessions=7)(client, Path())
    change_settings(daemonMaxMemoryMb=21)(client, Path())
    client.request("kato/memory")
    reported = [one["data"]["limitBytes"] for one in received(client, "kato/notice")]
    assert reported == [20 * MIB, 21 * MIB]
    change_settings(daemonMaxMemoryMb=memory["smallestLimitBytes"] // MIB)(client, Path())
    assert client.request("kato/memory")["wholeProcess"] is True
    assert len(received(client, "kato/notice")) == 2


@pytest.mark.parametrize("announced", [True, False])
def test_a_journal_that_was_recovered_is_notified_after_initialized(
    start: Start, tmp_path: Path, announced: bool
) -> None:
    client = start()
    client.request("kato/appendEvents", request(conversation(50, size=1000)))
    assert client.close() == 0
    path = tmp_path / "state" / "journal.sqlite3"
    data = bytearray(path.read_bytes())
    data[:100] = b"\xff" * 100
    path.write_bytes(data)
    client = start(capabilities={"experimental": {"katoNotice": announced}})
    if announced:
        notice = notified(client, "kato/notice")
        assert (notice["kind"], notice["severity"]) == ("journal_recovered", "warning")
    else:
        assert "recovered" in notified(client, "window/showMessage")["message"]
