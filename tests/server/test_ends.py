"""The process ends, whatever is in its way: each of its ends, with real faults, within two seconds."""

import array
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import START_MS, conversation, request, user
from conftest import Start
from kato.cli.client import Client, RequestFailed, ServerGone
from kato.core.events import SessionKey, decode_line
from kato.core.lines import Lines
from kato.core.moments import epoch_ms
from kato.core.records import SessionMeta
from kato.lsp.framing import encode_frame
from kato.storage.journal import Journal

if sys.platform == "win32":
    pytest.skip("ends by POSIX signals and file permissions", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("deadline")
#: The promise is two seconds. The rest is for a busy machine; what hangs would wait five at least.
SECONDS_MAX = 4.0


@pytest.fixture(autouse=True)
def _hangup_is_not_ignored() -> Iterator[None]:
    """A test run under nohup hands its servers an ignored SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


SENTINEL = "9999-12-31T23:59:59.999-08:00"


def status_file(state: Path, pid: int) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads((state / "servers" / f"{pid}.json").read_bytes())
    return loaded


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def close_input(client: Client) -> int:
    assert client.process.stdin is not None
    client.process.stdin.close()
    return 1


def send_signal(number: int) -> Callable[[Client], int]:
    def send(client: Client) -> int:
        client.process.send_signal(number)
        return 128 + number

    return send


def shut_down(client: Client) -> int:
    client.send_request("shutdown")
    client.notify("exit")
    return 0


WAYS = [
    pytest.param(close_input, id="end of input"),
    pytest.param(send_signal(signal.SIGTERM), id="SIGTERM"),
    pytest.param(send_signal(signal.SIGINT), id="SIGINT"),
    pytest.param(send_signal(signal.SIGHUP), id="SIGHUP"),
    pytest.param(shut_down, id="shutdown and exit"),
]
Way = Callable[[Client], int]


def ends(client: Client, way: Way) -> None:
    """The process ends in this way, in time, with its exit code."""
    started = time.monotonic()
    code = way(client)
    assert client.process.wait(20) == code
    assert time.monotonic() - started < SECONDS_MAX


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Another process' transaction on the journal."""
    with closing(sqlite3.connect(state / "journal.sqlite3", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def wait_until_read(client: Client) -> None:
    """Until the server took everything out of its input."""
    import fcntl
    import termios

    assert client.process.stdin is not None
    left = array.array("i", [1])

    def is_empty() -> bool:
        assert client.process.stdin is not None
        fcntl.ioctl(client.process.stdin.fileno(), termios.FIONREAD, left)
        return left[0] == 0

    wait_until(is_empty)


def patched(environment: dict[str, str], program: str) -> Client:
    """A server in which something of ours is broken."""
    lines = [program, "import sys", "from kato.cli.main import run", "sys.exit(run(['serve']))"]
    return Client(command=(sys.executable, "-c", "\n".join(lines)), environment=environment)


# --- A time that later conversions cannot take --------------------------------------------------------


def test_a_time_beyond_the_calendar_is_refused_and_changes_nothing(start: Start, tmp_path: Path) -> None:
    client = start()
    with pytest.raises(RequestFailed) as failure:
        client.request("kato/appendEvents", request([user("fine"), user("no date", 1, timestamp=SENTINEL)]))
    assert failure.value.code == -32602
    assert failure.value.data == {
        "path": "$.events[1].timestamp",
        "expected": "a moment from 0001-01-02 to 9999-12-30, in UTC",
        "got": "9999-12-31T23:59:59.999000-08:00",
    }
    assert client.request("kato/status", {"includeStale": True})["sessions"] == []
    ends(client, shut_down)
    assert status_file(tmp_path / "state", client.process.pid)["daemonRunning"] is False


@pytest.fixture
def old_journal(tmp_path: Path) -> Path:
    """A journal that an earlier Kato wrote: it took every RFC 3339 time."""
    state = tmp_path / "state"
    journal = Journal.open(state, now_ms=lambda: START_MS)
    for name, timestamp in (
        ("future", SENTINEL),
        ("past", "0001-01-01T00:00:00+14:00"),
        ("before-1970", "1969-07-20T20:17:40Z"),
    ):
        line = orjson.dumps(user(f"words of {name}", sessionId=name, timestamp=timestamp))
        moment = epoch_ms(decode_line(line).timestamp)
        meta = SessionMeta(START_MS, snippet=name, last_message_at=moment)
        journal.append(SessionKey("claude", name), ["event-0"], Lines.of([line]), meta)
    journal.commit()
    journal.close()
    return state


NAMES = ["future", "before-1970", "past"]


def test_a_journal_that_holds_such_times_is_shown_read_captured_and_exported(
    start: Start, old_journal: Path, notes: Path
) -> None:
    client = start()
    status = client.request("kato/status", {"includeStale": True})
    assert [one["sessionId"] for one in status["sessions"]] == NAMES
    assert [one["lastMessageAt"] for one in status["sessions"]] == [
        "9999-12-30T23:59:59.999Z",
        "1969-07-20T20:17:40.000Z",
        "0001-01-02T00:00:00.000Z",
    ]
    for name in NAMES:
        key = {"provider": "claude", "sessionId": name}
        (event,) = client.request("kato/readSession", key)["events"]
        assert event["content"] == f"words of {name}"
        assert f"words of {name}" in client.request("kato/renderSession", key)["markdown"]
        for command, path in (("kato.capture", f"{name}.md"), ("kato.export", f"{name}.jsonl")):
            argument = key | {"path": str(notes / path)}
            outcome = client.request(
                "workspace/executeCommand", {"command": command, "arguments": [argument]}
            )
            assert outcome["status"] == "ok", outcome
            assert f"words of {name}" in (notes / path).read_text()
    ends(client, shut_down)
    exported = subprocess.run(
        [sys.executable, "-m", "kato", "journal", "export", "--state-dir", str(old_journal)],
        capture_output=True,
        check=True,
    )
    assert len(exported.stdout.splitlines()) == len(NAMES)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_on_such_a_journal_ends(start: Start, old_journal: Path, way: Way) -> None:
    client = start()
    client.request("kato/memory")
    ends(client, way)
    assert status_file(old_journal, client.process.pid)["daemonRunning"] is False


# --- Faults at the end --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_while_another_process_holds_the_journal(start: Start, tmp_path: Path, way: Way) -> None:
    client = start()
    client.request("kato/appendEvents", request(conversation(3)))
    with locked(tmp_path / "state"):
        ends(client, way)
    assert status_file(tmp_path / "state", client.process.pid)["daemonRunning"] is False


@pytest.mark.parametrize("way", WAYS[:4])
def test_it_ends_in_the_middle_of_waiting_for_the_journal(start: Start, tmp_path: Path, way: Way) -> None:
    client = start()
    client.request("kato/memory")
    with locked(tmp_path / "state"):
        asked = client.send_request("kato/appendEvents", request(conversation(3)))
        wait_until_read(client)
        ends(client, way)
    with pytest.raises((RequestFailed, ServerGone)):
        client.wait_for(asked)  # answered with an error, or cut off: never taken for kept
    assert status_file(tmp_path / "state", client.process.pid)["daemonRunning"] is False


@pytest.mark.parametrize("way", WAYS[:4])
def test_it_ends_while_it_waits_for_a_process_that_opens_the_journal(
    tmp_path: Path, environment: dict[str, str], way: Way
) -> None:
    import fcntl

    state = tmp_path / "state"
    state.mkdir()
    with (state / "journal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = Client(environment=environment)
        options = {"stateDir": str(state)}
        params = {"processId": None, "rootUri": None, "capabilities": {}, "initializationOptions": options}
        client.send_request("initialize", params)
        wait_until(lambda: any((state / "logs").glob("*.log")))  # it is at the journal
        started = time.monotonic()
        way(client)
        client.process.wait(20)
        assert time.monotonic() - started < SECONDS_MAX
    client.close()


def block_status_file(state: Path) -> None:
    for path in (state / "servers").iterdir():
        path.unlink()
    (state / "servers").rmdir()
    (state / "servers").touch()


def remove_state(state: Path) -> None:
    import shutil

    def is_gone() -> bool:
        shutil.rmtree(state, ignore_errors=True)  # the server may make a file while the others are removed
        return not state.exists()

    wait_until(is_gone)


@pytest.mark.parametrize("fault", [block_status_file, remove_state])
@pytest.mark.parametrize("way", WAYS)
def test_it_ends_with_its_exit_code_when_nothing_can_be_written(
    start: Start, tmp_path: Path, way: Way, fault: Callable[[Path], None]
) -> None:
    client = start({"heartbeatSeconds": 3600})
    client.request("kato/appendEvents", request(conversation(3)))
    # Its only heartbeat is over: nothing is written meanwhile.
    wait_until((tmp_path / "state" / "servers" / f"{client.process.pid}.json").exists)
    fault(tmp_path / "state")
    ends(client, way)


BROKEN = [
    "kato.engine.engine.Engine.commit",
    "kato.engine.engine.Engine.status",
    "kato.engine.engine.Engine.close",
    "kato.notes.appending.Appending.append",
    "kato.logs.driver.LogFeed.stop",
    "kato.lsp.transport.Input.stop",
    "kato.lsp.transport.Output.drain",
]


def breaking(owner: str, broken: str) -> str:
    """A program in which this method raises from the moment when the end begins."""
    module = broken.rsplit(".", 2)[0]
    return (
        f"import {owner}, {module}\n"
        "def fail(*_, **__): raise ZeroDivisionError('secret')\n"
        f"class Failing({owner}.Ending):\n"
        "    def finish(self, steps):\n"
        f"        {broken} = fail\n"
        "        super().finish(steps)\n"
        f"{owner}.Ending = Failing\n"
    )


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[4]])
def test_it_ends_with_its_exit_code_whatever_raises(
    tmp_path: Path, environment: dict[str, str], way: Way, broken: str
) -> None:
    client = patched(environment, breaking("kato.app.runtime", broken))
    client.initialize(options={"stateDir": str(tmp_path / "state")}, folders=[str(tmp_path)])
    client.request("kato/appendEvents", request([user("x\n::capture n.md")], cwd=str(tmp_path)))
    ends(client, way)
    if broken != "kato.engine.engine.Engine.status":  # the file is made of it
        assert status_file(tmp_path / "state", client.process.pid)["daemonRunning"] is False
    client.close()


HANGING = "import time, kato.lsp.server, kato.engine.engine\nkato.engine.engine.Engine.close = lambda _: time.sleep(60)\n"


@pytest.mark.parametrize("way", WAYS)
def test_it_is_cut_off_when_a_last_step_hangs(tmp_path: Path, environment: dict[str, str], way: Way) -> None:
    client = patched(environment, HANGING)
    client.initialize(options={"stateDir": str(tmp_path / "state")})
    client.request("kato/memory")
    ends(client, way)
    client.close()


def test_a_second_signal_kills_it(tmp_path: Path, environment: dict[str, str]) -> None:
    client = patched(environment, HANGING)
    client.initialize(options={"stateDir": str(tmp_path / "state"), "heartbeatSeconds": 3600})
    client.request("kato/memory")
    client.process.send_signal(signal.SIGTERM)
    path = tmp_path / "state" / "servers" / f"{client.process.pid}.json"
    wait_until(
        lambda: path.exists() and not status_file(tmp_path / "state", client.process.pid)["daemonRunning"]
    )
    client.process.send_signal(signal.SIGTERM)
    assert client.process.wait(1) == -signal.SIGTERM
    client.close()


@pytest.mark.parametrize("way", WAYS[:4])
def test_it_ends_although_its_client_does_not_read(start: Start, way: Way) -> None:
    client = start()
    client.request("kato/appendEvents", request(conversation(200, size=5000)))
    client.write(frames_of_a_megabyte(30))  # it stops reading
    ends(client, way)


def test_a_client_that_closes_its_input_and_reads_on_gets_every_answer(start: Start) -> None:
    client = start()
    client.request("kato/appendEvents", request(conversation(200, size=5000)))
    client.write(frames_of_a_megabyte(30))
    close_input(client)
    assert [len(client.wait_for(number)["events"]) for number in range(30)] == [200] * 30
    assert client.process.wait(10) == 1


def frames_of_a_megabyte(count: int) -> bytes:
    """Requests whose answers have a megabyte each: more than the server lets wait for a client."""
    params = {"provider": "claude", "sessionId": "session-1"}
    ask = {"jsonrpc": "2.0", "method": "kato/readSession", "params": params}
    return b"".join(encode_frame(orjson.dumps(ask | {"id": number})) for number in range(count))


def test_nohup_keeps_it_alive(tmp_path: Path, environment: dict[str, str]) -> None:
    client = Client(command=("nohup", sys.executable, "-m", "kato", "serve"), environment=environment)
    client.initialize(options={"stateDir": str(tmp_path / "state")})
    client.process.send_signal(signal.SIGHUP)
    assert client.request("kato/memory")
    assert client.close() == 0


# --- kato watch ---------------------------------------------------------------------------------------


@contextmanager
def watching(
    environment: dict[str, str], state: Path, program: str = ""
) -> Iterator["subprocess.Popen[bytes]"]:
    lines = [program, "import sys", "from kato.cli.main import run", "sys.exit(run(['watch']))"]
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        env=environment | {"KATO_STATE_DIR": str(state)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until((state / "servers" / f"{process.pid}.json").exists, 30)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watch_runs_on_a_journal_with_such_times_and_ends(
    environment: dict[str, str], old_journal: Path, number: int
) -> None:
    with watching(environment, old_journal) as process, locked(old_journal):
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == 0
        assert time.monotonic() - started < SECONDS_MAX
        assert status_file(old_journal, process.pid)["daemonRunning"] is False


@pytest.mark.parametrize("broken", ["kato.engine.engine.Engine.status", "kato.engine.engine.Engine.close"])
def test_watch_ends_whatever_raises(environment: dict[str, str], tmp_path: Path, broken: str) -> None:
    with watching(environment, tmp_path / "state", breaking("kato.app.runtime", broken)) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert status_file(tmp_path / "state", process.pid)["daemonRunning"] is (
            broken == "kato.engine.engine.Engine.status"
        )


# --- An editor that is gone ---------------------------------------------------------------------------


def test_an_editor_that_was_killed_and_not_reaped_counts_as_gone(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    editor = subprocess.Popen(["sleep", "60"])
    client = Client(environment=environment)
    options = {"stateDir": str(tmp_path / "state"), "heartbeatSeconds": 0.1}
    params = {"processId": editor.pid, "rootUri": None, "capabilities": {}, "initializationOptions": options}
    client.request("initialize", params)
    client.notify("initialized", {})
    os.kill(editor.pid, signal.SIGKILL)
    assert client.process.wait(10) == 1
    editor.wait()
    client.close()
