"""The process: how it starts, what it refuses to start with, and each of its ends, seen from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from builders import conversation, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed, ServerGone

MB = 1024 * 1024


def status_file(state: Path, client: Client) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads((state / "servers" / f"{client.process.pid}.json").read_bytes())
    return loaded


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_shutdown_and_exit_end_with_zero_and_a_last_status(start: Start, tmp_path: Path) -> None:
    client = start()
    client.request("kato/appendEvents", request(conversation(3)))
    assert client.close() == 0
    last = status_file(tmp_path / "state", client)
    assert last["daemonRunning"] is False
    assert last["memory"]["snapshots"]["eventCount"] == 3


def test_exit_without_shutdown_ends_with_one(start: Start) -> None:
    client = start()
    client.notify("exit")
    assert client.process.wait(10) == 1


@pytest.mark.parametrize("after_shutdown", [False, True])
def test_the_end_of_input_ends_the_process(start: Start, tmp_path: Path, *, after_shutdown: bool) -> None:
    client = start()
    if after_shutdown:
        client.request("shutdown")
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.process.wait(10) == (0 if after_shutdown else 1)
    assert status_file(tmp_path / "state", client)["daemonRunning"] is False


def test_sigterm_writes_the_last_status(start: Start, tmp_path: Path) -> None:
    client = start()
    client.process.send_signal(signal.SIGTERM)
    assert client.process.wait(10) == 128 + signal.SIGTERM
    assert status_file(tmp_path / "state", client)["daemonRunning"] is False


def test_a_server_whose_editor_was_killed_ends_although_its_input_stays_open(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    editor = subprocess.Popen(["sleep", "60"])
    client = Client(environment=environment)
    options = {"stateDir": str(tmp_path / "state"), "heartbeatSeconds": 0.1}
    client.request(
        "initialize",
        {"processId": editor.pid, "rootUri": None, "capabilities": {}, "initializationOptions": options},
    )
    client.notify("initialized", {})
    editor.kill()
    editor.wait()
    assert client.process.wait(10) == 1
    client.close()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"daemonMaxMemoryMb": 0}, "daemonMaxMemoryMb"),
        ({"daemonMaxMemoryMb": -1}, "daemonMaxMemoryMb"),
        ({"daemonMaxMemoryMb": True}, "daemonMaxMemoryMb"),
        ({"daemonMaxMemoryMb": 1.0}, "daemonMaxMemoryMb"),
        ({"daemonMaxMemoryMb": "200"}, "daemonMaxMemoryMb"),
        ({"daemonMaxMemoryMb": None}, "daemonMaxMemoryMb"),
        ({"maxEventsPerSession": 0}, "maxEventsPerSession"),
        ({"heartbeatSeconds": 0}, "heartbeatSeconds"),
        ({"markdown": {"includeThinking": "yes"}}, "markdown.includeThinking"),
        ({"allowedWriteRoots": ["relative"]}, "allowedWriteRoots"),
        ({"daemonMaxMemoryMB": 5}, "daemonMaxMemoryMB"),
    ],
)
def test_invalid_settings_are_answered_and_end_the_process(
    start: Start, options: dict[str, Any], key: str
) -> None:
    client = start(initialize=False)
    with pytest.raises(RequestFailed) as failure:
        client.initialize(options=options)
    assert failure.value.code == -32602
    assert failure.value.data["key"] == key
    assert set(failure.value.data) == {"key", "rule", "got"}
    assert failure.value.data["got"] == next(iter(options.values())) or key.startswith("markdown")
    assert client.process.wait(10) == 78


@pytest.mark.parametrize(
    ("env", "config", "key"),
    [
        ({"KATO_DAEMON_MAX_MEMORY_MB": "many"}, "", "daemonMaxMemoryMb"),
        ({"KATO_DAEMON_MAX_MEMORY_MB": "1.5"}, "", "daemonMaxMemoryMb"),
        ({"KATO_DAEMON_MAX_MEMORY_MB": ""}, "", "daemonMaxMemoryMb"),
        ({"KATO_LOG_LEVEL": "loud"}, "", "logLevel"),
        ({}, "daemonMaxMemoryMb = true", "daemonMaxMemoryMb"),
        ({}, "daemonMaxMemoryMb = ", "config.toml"),
        ({}, "[markdown]\nincludeThinkin = true", "markdown.includeThinkin"),
    ],
)
def test_an_invalid_environment_or_file_is_never_silently_replaced(
    start: Start, tmp_path: Path, env: dict[str, str], config: str, key: str
) -> None:
    (tmp_path / "config.toml").write_text(config)
    client = start(initialize=False, env=env)
    with pytest.raises(RequestFailed) as failure:
        client.initialize(options={"stateDir": str(tmp_path / "state"), "daemonMaxMemoryMb": 100})
    assert failure.value.data["key"] == key
    assert client.process.wait(10) == 78


def test_explicit_comes_before_environment_before_file_before_default(start: Start, tmp_path: Path) -> None:
    def limit(options: dict[str, Any], env: dict[str, str]) -> int:
        client = start(options, env=env)
        found = client.request("kato/memory")["daemonMaxMemoryBytes"] // MB
        client.close()
        return int(found)

    assert limit({}, {}) == 200
    (tmp_path / "config.toml").write_text("daemonMaxMemoryMb = 150")
    assert limit({}, {}) == 150
    assert limit({}, {"KATO_DAEMON_MAX_MEMORY_MB": "160"}) == 160
    assert limit({"daemonMaxMemoryMb": 170}, {"KATO_DAEMON_MAX_MEMORY_MB": "160"}) == 170


def test_settings_change_live_and_a_lower_budget_evicts_immediately(start: Start) -> None:
    client = start()
    for name in range(20):
        events = conversation(100, session=f"s{name}", size=10_000)
        client.request("kato/appendEvents", request(events))
    assert client.request("kato/memory")["snapshots"]["sessionCount"] == 20
    client.notify("workspace/didChangeConfiguration", {"settings": {"kato": {"daemonMaxMemoryMb": 5}}})
    memory = client.request("kato/memory")
    assert memory["daemonMaxMemoryBytes"] == 5 * MB
    assert memory["snapshots"]["estimatedBytes"] <= 5 * MB
    assert memory["snapshots"]["evictionsByReason"]["memory_pressure"] >= 15
    client.notify("workspace/didChangeConfiguration", {"settings": {"kato": {"maxSessions": 2}}})
    assert client.request("kato/memory")["snapshots"]["sessionCount"] == 2
    assert client.request("kato/memory")["daemonMaxMemoryBytes"] == 200 * MB


def test_an_invalid_live_setting_keeps_what_is_in_force_and_is_shown(start: Start) -> None:
    client = start({"daemonMaxMemoryMb": 123})
    client.notify("workspace/didChangeConfiguration", {"settings": {"kato": {"daemonMaxMemoryMb": "9"}}})
    assert client.request("kato/memory")["daemonMaxMemoryBytes"] == 123 * MB
    shown = [one for one in client.notifications if one["method"] == "window/showMessage"]
    assert len(shown) == 1
    assert "daemonMaxMemoryMb" in shown[0]["params"]["message"]


def test_one_session_beyond_the_budget_fails_closed(start: Start, tmp_path: Path) -> None:
    client = start({"daemonMaxMemoryMb": 1})
    client.request("kato/appendEvents", request(conversation(5, session="small")))
    with pytest.raises(RequestFailed) as failure:
        for first in range(0, 1000, 100):
            client.request("kato/appendEvents", request(conversation(100, first=first, size=5000)))
    assert failure.value.code == -32010
    assert "daemonMaxMemoryMb" in str(failure.value)
    messages = []
    with pytest.raises(ServerGone, match="70"):
        while True:
            messages.append(client.read_message())
    last = messages[-1] if messages else client.notifications[-1]
    everything = [*client.notifications, *messages]
    assert last["method"] == "kato/statusChanged"
    assert last["params"]["memory"]["snapshots"]["overBudget"] is True
    assert any(
        one["method"] == "window/showMessage" and "raise" in one["params"]["message"] for one in everything
    )
    final = status_file(tmp_path / "state", client)
    assert final["daemonRunning"] is False
    assert final["memory"]["snapshots"]["overBudget"] is True
    assert client.process.wait(10) == 70


@pytest.mark.slow
@pytest.mark.parametrize("budget", [100, 200])
def test_peak_memory_stays_under_the_budget_whatever_comes_in(start: Start, budget: int) -> None:
    client = start({"daemonMaxMemoryMb": budget})
    sent = 0
    number = 0
    while sent < 4 * budget * MB:
        batch, size = ((1000, 300), (100, 10_000), (4, 500_000))[number % 3]
        events = conversation(batch, first=number * 1000, size=size, session=f"s{number % 250}")
        client.request("kato/appendEvents", request(events))
        sent += batch * size
        number += 1
    memory = client.request("kato/memory")
    with open(f"/proc/{client.process.pid}/status") as file:
        peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    assert peak == pytest.approx(memory["process"]["peakRss"], abs=MB)
    assert peak < budget * MB, f"peak {peak / MB:.0f} MB"
    assert memory["snapshots"]["evictionsTotal"] > 0
    assert memory["snapshots"]["estimatedBytes"] > 0.2 * memory["snapshots"]["budgetBytes"]


@pytest.mark.slow
def test_messages_of_any_shape_are_read_or_refused_within_the_budget(start: Start) -> None:
    client = start({"daemonMaxMemoryMb": 150})
    refused = 0
    shapes = [
        b'"' + b"a" * (20 * MB) + b'"',
        b"[" + b"[]," * (6 * MB) + b"[]]",
        b"[" + b"{}," * (6 * MB) + b"{}]",
        ('"' + "😀" * (4 * MB) + '"').encode(),
        b"[" + b"1," * (10 * MB) + b"1]",
    ]
    for number, shape in enumerate(shapes):
        event = orjson.dumps(user("x", number) | {"extra": "SHAPE"}).replace(b'"SHAPE"', shape)
        params = b'{"provider":"claude","sessionId":"session-1","events":[' + event + b"]}"
        body = b'{"jsonrpc":"2.0","id":%d,"method":"kato/appendEvents","params":%b}' % (1000 + number, params)
        client.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        try:
            client.wait_for(1000 + number)
        except RequestFailed as failure:
            assert failure.code in (-32010, -32600)  # noqa: PT017 - either is a refusal within the budget
            refused += 1
    memory = client.request("kato/memory")
    assert memory["process"]["peakRss"] < 150 * MB
    assert refused >= 3


def test_memory_that_eviction_frees_goes_back_to_the_system(start: Start) -> None:
    client = start()
    for number in range(60):
        client.request("kato/appendEvents", request(conversation(100, size=10_000, session=f"s{number}")))
    full = psutil.Process(client.process.pid).memory_info().rss
    client.notify("workspace/didChangeConfiguration", {"settings": {"kato": {"maxSessions": 1}}})
    client.request("kato/memory")
    assert full - psutil.Process(client.process.pid).memory_info().rss > 45 * MB


def test_the_status_is_sent_after_changes_and_not_otherwise(start: Start, tmp_path: Path) -> None:
    client = start({"heartbeatSeconds": 0.2})
    first = client.read_message()
    assert first["method"] == "kato/statusChanged", "once after initialized"
    client.request("kato/appendEvents", request(conversation(3)))
    told = client.read_message()
    assert told["method"] == "kato/statusChanged"
    assert told["params"]["memory"]["snapshots"]["eventCount"] == 3
    heartbeat = status_file(tmp_path / "state", client)["heartbeatAt"]
    wait_until(lambda: status_file(tmp_path / "state", client)["heartbeatAt"] > heartbeat)
    client.request("kato/memory")
    assert not [one for one in client.notifications if one["method"] == "kato/statusChanged"]


def test_stale_sessions_are_left_out_unless_asked_for(start: Start) -> None:
    client = start()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    client.request("kato/appendEvents", request(conversation(2, session="old")))
    client.request(
        "kato/appendEvents", request([user("now", sessionId="new", timestamp=now)], title="Title", cwd="/x")
    )
    (fresh,) = client.request("kato/status")["sessions"]
    assert (fresh["sessionId"], fresh["title"], fresh["cwd"], fresh["snippet"]) == (
        "new",
        "Title",
        "/x",
        "now",
    )
    assert fresh["stale"] is False
    both = client.request("kato/status", {"includeStale": True})["sessions"]
    assert [one["sessionId"] for one in both] == ["new", "old"]
    assert len(client.request("kato/status", {"includeStale": True, "limit": 1})["sessions"]) == 1


def test_the_oldest_events_of_a_session_are_dropped_and_counted(start: Start) -> None:
    client = start({"maxEventsPerSession": 10})
    answer = client.request("kato/appendEvents", request(conversation(25)))
    assert (answer["eventCount"], answer["truncatedEvents"]) == (10, 15)


def test_state_is_readable_by_its_owner_alone(start: Start, tmp_path: Path) -> None:
    client = start({"heartbeatSeconds": 0.1})
    client.request("kato/appendEvents", request([user("::capture")]))
    client.close()
    state = tmp_path / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    for path in (*state.glob("*"), *(state / "servers").glob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_command_line_shows_the_servers_that_run(start: Start, tmp_path: Path) -> None:
    client = start({"heartbeatSeconds": 0.1})
    wait_until((tmp_path / "state" / "servers" / f"{client.process.pid}.json").exists)
    command = [
        sys.executable,
        "-m",
        "kato",
        "status",
        "--state-dir",
        str(tmp_path / "state"),
    ]
    environment = dict(os.environ, COLUMNS="100")
    shown = subprocess.run([*command, "--json"], capture_output=True, check=True, env=environment)
    servers = orjson.loads(shown.stdout)["servers"]
    assert [one["daemonPid"] for one in servers] == [client.process.pid]
    table = subprocess.run(command, capture_output=True, check=True, env=environment, text=True).stdout
    assert f"process {client.process.pid}" in table
    assert "200.0 MB" in table
    client.close()
    gone = subprocess.run(command, capture_output=True, check=True, env=environment, text=True).stdout
    assert "No Kato server is running" in gone
