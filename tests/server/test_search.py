"""Search in real processes: the request, the command, and what goes wrong."""

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from builders import assistant, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed, ServerGone
from kato.core import limits
from logs import ClaudeLog, CodexLog, wait_for
from terminal import Terminal

Json = dict[str, Any]


def search(client: Client, query: str, **more: Any) -> Json:
    result = client.request("kato/search", {"query": query, **more})
    assert isinstance(result, dict)
    return result


def refusal(client: Client, params: Json) -> int:
    with pytest.raises(RequestFailed) as refused:
        client.request("kato/search", params)
    return refused.value.code


def test_a_message_is_found_right_after_it_was_stored(start: Start) -> None:
    client = start()
    client.request("kato/appendEvents", request([user("the needle in the hay", 0), assistant("found it", 1)]))
    (hit,) = search(client, "needl* hay")["hits"]
    assert (hit["sessionId"], hit["seq"], hit["role"], hit["source"]) == ("session-1", 0, "user", "journal")
    assert [hit["snippet"][mark["start"] : mark["end"]] for mark in hit["marks"]] == ["needle", "hay"]
    read = client.request(
        "kato/readSession", {"provider": "claude", "sessionId": "session-1", "after": hit["seq"], "limit": 1}
    )
    assert read["events"][0]["content"] == "the needle in the hay"
    assert search(client, "found", **{"in": "user"}) == {"hits": [], "complete": True, "titles": {}}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, -32602),
        ({"query": ""}, -32014),
        ({"query": "---"}, -32014),
        ({"query": "x", "in": "nowhere"}, -32602),
        ({"query": "x", "limit": 0}, -32602),
        ({"query": "x", "limit": 201}, -32602),
        ({"query": "x", "since": "yesterday"}, -32602),
        ({"query": "x", "since": "9999-12-31T00:00:00Z"}, -32602),
        ({"query": "x", "folder": ""}, -32602),
    ],
)
def test_invalid_params_are_refused(start: Start, params: Json, code: int) -> None:
    assert refusal(start(), params) == code


def test_the_status_shows_the_index(start: Start) -> None:
    client = start({"heartbeatSeconds": 0.1})
    client.request("kato/appendEvents", request([user("needle", 0)]))
    shown = wait_for(
        lambda: (found := client.request("kato/status", {}).get("search")) and found["events"] == 1 and found,
        "the index",
    )
    assert shown["sessionsBehind"] == 0
    assert shown["bytes"] > 0


def test_logs_that_the_journal_does_not_have_are_searched(start: Start, environment: dict[str, str]) -> None:
    log = ClaudeLog(Path(environment["HOME"]), Path("/elsewhere"))
    log.write(log.user("a Café in the log"), *log.text("the answer"))
    os.utime(log.path, (1e9, 1e9))
    client = start()
    found = search(client, "cafe")
    (hit,) = found["hits"]
    assert found["titles"] == {"claude": "Claude Code"}
    assert (hit["sessionId"], hit["source"], hit["cwd"]) == (log.session, "log", "/elsewhere")
    assert hit["title"] == "a Café in the log", "the first words stand for a title"
    assert search(client, "cafe", folder="/elsewhere")["hits"] == [hit]
    assert search(client, "cafe", folder="/other")["hits"] == []
    assert search(client, "cafe", provider="codex")["hits"] == []


def test_without_a_journal_logs_are_searched_and_nothing_is_written(
    start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    log = ClaudeLog(Path(environment["HOME"]), Path("/elsewhere"))
    log.write(log.user("needle in a log"))
    client = start({"journal": False})
    assert [hit["source"] for hit in search(client, "needle")["hits"]] == ["log"]
    assert not list((tmp_path / "state").glob("*.sqlite3*"))


def test_a_query_that_is_cancelled_is_answered_and_the_next_one_too(
    start: Start, environment: dict[str, str]
) -> None:
    log = ClaudeLog(Path(environment["HOME"]), Path("/elsewhere"))
    log.write(*(log.user(f"needle {number} " + "hay " * 5000) for number in range(300)))
    client = start()
    ids = [client.send_request("kato/search", {"query": f"needle {number}"}) for number in range(8)]
    for one in ids:
        client.notify("$/cancelRequest", {"id": one})
    codes = []
    for one in ids:
        try:
            client.wait_for(one)
        except RequestFailed as error:
            codes.append(error.code)
    assert set(codes) == {-32800}
    assert search(client, "needle 299")["hits"]
    client.notify("$/cancelRequest", {"id": ids[0]})
    client.notify("$/cancelRequest", {"id": None})
    assert search(client, "needle 299")["hits"]


@pytest.mark.parametrize("fault", ["folder", "no permission"])
def test_an_index_that_cannot_be_opened_stops_nothing(start: Start, tmp_path: Path, fault: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "search.sqlite3").mkdir()
    if fault == "no permission":
        (state / "search.sqlite3").rmdir()
        (state / "search.lock").mkdir()
    client = start({"heartbeatSeconds": 0.1})
    client.request("kato/appendEvents", request([user("needle", 0)]))
    assert refusal(client, {"query": "needle"}) == -32603
    failed = wait_for(lambda: client.request("kato/status", {}).get("search", {}).get("failed"), "the reason")
    assert "search" in failed
    client.request("kato/appendEvents", request([user("needle", 1)]))
    assert client.request("kato/status", {})["memory"]["journal"]["eventCount"] == 2


def test_a_damaged_index_is_made_again_while_the_server_runs(start: Start, tmp_path: Path) -> None:
    client = start({"heartbeatSeconds": 0.1})
    client.request("kato/appendEvents", request([user("needle", 0)]))
    assert search(client, "needle")["hits"]
    path = tmp_path / "state" / "search.sqlite3"
    path.unlink()
    path.write_bytes(b"not a database " * 1000)

    def hits() -> Any:
        with suppress(RequestFailed):
            return search(client, "needle")["hits"]

    assert wait_for(hits, "the hit")


def test_every_query_has_one_answer_also_when_the_server_ends(start: Start) -> None:
    client = start()
    client.request("kato/appendEvents", request([user("needle", 0)]))
    asked = [
        client.send_request("kato/search", {"query": "needle"}) for _ in range(limits.SEARCH_WAITING_MAX + 4)
    ]
    asked.append(client.send_request("shutdown"))
    client.notify("exit")
    answered: Counter[int] = Counter()
    with suppress(ServerGone):
        while True:
            message = client.read_message()
            if "method" not in message:
                answered[message["id"]] += 1
    assert {one: answered[one] for one in asked} == dict.fromkeys(asked, 1)


def test_the_command_finds_what_the_server_stored(start: Start, terminal: Terminal) -> None:
    client = start()
    client.request("kato/appendEvents", request([user("the needle", 0)], title="Sewing"))
    client.close()
    assert "Sewing" in terminal.run("search", "needle")
    (hit,) = terminal.json("search", "needle")["hits"]
    assert hit["title"] == "Sewing"
    terminal.run("search", "nothing-of-the-kind", code=1)


def test_the_command_searches_logs_and_names_them(terminal: Terminal) -> None:
    log, other = ClaudeLog(terminal.home, terminal.cwd), CodexLog(terminal.home, Path("/elsewhere"))
    log.write(log.user("a needle \x1b[31mred"))
    other.write(*other.start, *other.user("a needle"))
    shown = terminal.run("search", "needle")
    assert "only in the assistant's log" in shown
    assert "\x1b" not in shown
    assert [hit["provider"] for hit in terminal.json("search", "needle", "--assistant", "codex")["hits"]] == [
        "codex"
    ]
    assert len(terminal.json("search", "needle", "--folder", ".")["hits"]) == 1
    assert "not an assistant" in terminal.run("search", "needle", "--assistant", "clippy", code=2)
    assert "no word" in terminal.run("search", "...", code=2)
