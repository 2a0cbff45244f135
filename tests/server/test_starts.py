"""The process starts with the given state folder, or reports in one sentence why it cannot, and ends."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import conversation, request
from conftest import Start
from kato.cli.client import Client, RequestFailed
from kato.core import limits
from logs import ClaudeLog

pytestmark = pytest.mark.usefixtures("deadline")


def is_a_file(state: Path) -> None:
    state.touch()


def is_below_a_file(state: Path) -> None:
    state.parent.rmdir()
    state.parent.touch()


def holds_a_file_named(name: str) -> Callable[[Path], None]:
    def make(state: Path) -> None:
        state.mkdir()
        (state / name).touch()

    return make


def holds_a_folder_for_a_journal(state: Path) -> None:
    (state / "journal.sqlite3").mkdir(parents=True)


def holds_a_pipe_for_a_journal(state: Path) -> None:
    state.mkdir()
    os.mkfifo(state / "journal.sqlite3")


def leads_nowhere(state: Path) -> None:
    state.symlink_to(state.parent / "nowhere")


UNUSABLE = [
    is_a_file,
    is_below_a_file,
    *(
        pytest.param(holds_a_file_named(name), id=f"holds a file named {name}")
        for name in ("logs", "servers", "recordings", "backups")
    ),
    holds_a_folder_for_a_journal,
    holds_a_pipe_for_a_journal,
    leads_nowhere,
]
SERVE = [sys.executable, "-m", "kato", "serve"]
#: Every write to a file fails, as on a full disk.
NO_SPACE = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner" / "state"


def refused(environment: dict[str, str], state: Path, command: list[str]) -> RequestFailed:
    """`initialize` is answered with an error and the process ends, both soon."""
    client = Client(command=command, environment=environment, stderr=subprocess.PIPE)
    started = time.monotonic()
    with pytest.raises(RequestFailed) as failure:
        client.initialize(options={"stateDir": str(state)})
    assert client.process.wait(10) == 78
    assert time.monotonic() - started < 10
    assert client.process.stderr is not None
    errors = client.process.stderr.read()
    client.process.stderr.close()
    client.close()
    assert b"Traceback" not in errors
    assert b'  File "' not in errors
    return failure.value


def is_reported(error: RequestFailed, state: Path) -> None:
    assert error.code == -32602
    assert set(error.data) == {"key", "rule", "got"}
    assert error.data["key"] == "stateDir"
    assert str(state) in error.data["got"]
    assert error.data["rule"]
    assert "\n" not in str(error)
    assert "Traceback" not in str(error.data)


@pytest.mark.parametrize("fault", UNUSABLE)
def test_a_state_folder_that_cannot_be_used_is_named(
    environment: dict[str, str], state: Path, fault: Callable[[Path], None]
) -> None:
    fault(state)
    is_reported(refused(environment, state, SERVE), state)


def test_a_disk_without_space_is_named(environment: dict[str, str], state: Path) -> None:
    is_reported(refused(environment, state, NO_SPACE + SERVE), state)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0,
    reason="needs POSIX permissions, and the superuser may write everywhere",
)
def test_a_state_folder_that_is_read_only_is_named(environment: dict[str, str], state: Path) -> None:
    client = Client(environment=environment)
    client.initialize(options={"stateDir": str(state)})
    client.close()
    for folder in (state / "logs", state):
        folder.chmod(0o500)
    try:
        is_reported(refused(environment, state, SERVE), state)
    finally:
        for folder in (state, state / "logs"):
            folder.chmod(0o700)


@pytest.mark.parametrize("arguments", [["watch"], ["capture", "--latest", "n.md"]], ids=lambda one: one[0])
@pytest.mark.parametrize("fault", [is_a_file, holds_a_folder_for_a_journal, UNUSABLE[2]])
def test_the_terminal_shows_the_same_error(
    environment: dict[str, str],
    state: Path,
    tmp_path: Path,
    arguments: list[str],
    fault: Callable[[Path], None],
) -> None:
    log = ClaudeLog(Path(environment["HOME"]), tmp_path)
    log.write(log.user("hello"))
    fault(state)
    done = subprocess.run(
        [sys.executable, "-m", "kato", *arguments, "--state-dir", str(state)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("kato: ")
    assert "stateDir" in done.stderr
    assert str(state) in done.stderr


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({"KATO_CONFIG": "~nobody-of-that-name/config.toml"}, "KATO_CONFIG"),
        ({"KATO_CONFIG": "{pipe}"}, "config.toml"),
    ],
)
def test_a_configuration_file_that_cannot_be_read_is_named(
    environment: dict[str, str], state: Path, tmp_path: Path, env: dict[str, str], key: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    env = {name: text.format(pipe=tmp_path / "pipe") for name, text in env.items()}
    assert refused(environment | env, state, SERVE).data["key"] == key


@pytest.mark.parametrize("text", ["[" * 2000, "a = " + "[" * 2000, "a = " + "9" * 5000])
def test_a_configuration_file_that_is_not_toml_is_named(
    environment: dict[str, str], state: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "config.toml").write_text(text)
    assert refused(environment, state, SERVE).data["key"] == "config.toml"


def test_the_null_device_stands_for_no_configuration_file(start: Start) -> None:
    assert start(env={"KATO_CONFIG": os.devnull}).request("kato/memory")


# --- What lies in the state folder ----------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def logs(state: Path) -> str:
    return "".join(path.read_text() for path in sorted((state / "logs").glob("kato-*.log*")))


@pytest.mark.parametrize(("before", "warned"), [(None, False), (0o700, False), (0o755, True), (0o777, True)])
def test_a_state_folder_that_exists_keeps_its_mode(
    start: Start, tmp_path: Path, before: int | None, *, warned: bool
) -> None:
    state = tmp_path / "state"
    if before is not None:
        state.mkdir()
        state.chmod(before)
    client = start()
    client.request("kato/appendEvents", request(conversation(3)))
    client.close()
    assert mode(state) == (0o700 if before is None else before)
    for path in state.rglob("*"):
        assert mode(path) & 0o077 == 0, path
    assert logs(state).count("is open to other users") == warned


def test_each_process_has_a_log_of_its_own(start: Start, tmp_path: Path) -> None:
    clients = [start({"logLevel": "debug"}) for _ in range(2)]
    for client in clients:
        client.close()
    for client in clients:
        log = tmp_path / "state" / "logs" / f"kato-{client.process.pid}.log"
        assert {line.split()[2] for line in log.read_text().splitlines()} == {str(client.process.pid)}
        assert mode(log) == 0o600


def test_logs_of_processes_that_ended_are_pruned_and_those_of_running_ones_are_not(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "logs"
    folder.mkdir(parents=True)
    living = folder / f"kato-{os.getpid()}.log"
    ended = [folder / f"kato-{(1 << 22) + number}.log" for number in range(limits.ENDED_LOGS_MAX + 5)]
    for age, path in enumerate([*ended, living]):
        path.touch()
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (folder / "mine.txt").touch()
    client = start()
    client.close()
    left = set(folder.iterdir()) - {folder / f"kato-{client.process.pid}.log"}
    assert left == {*ended[: limits.ENDED_LOGS_MAX], living, folder / "mine.txt"}


def test_the_log_is_bounded_and_stays_private(start: Start, tmp_path: Path) -> None:
    client = start()
    line = b"Content-Length: x\r\n\r\n"  # one warning each
    for _ in range(3 * limits.LOG_FILE_BYTES_MAX // 100 // 1000):
        client.write(line * 1000)
    client.request("kato/memory")
    client.close()
    files = list((tmp_path / "state" / "logs").iterdir())
    assert len(files) == 1 + limits.LOG_FILES_MAX
    for path in files:
        assert path.stat().st_size <= limits.LOG_FILE_BYTES_MAX
        assert mode(path) == 0o600


# --- Which servers run ----------------------------------------------------------------------------------


def shown(state: Path) -> list[int]:
    command = [sys.executable, "-m", "kato", "status", "--json", "--state-dir", str(state)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [one["daemonPid"] for one in orjson.loads(done.stdout)["servers"]]


def rewrite(path: Path, **fields: Any) -> None:
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | fields))


def test_a_process_id_that_was_reused_is_not_a_server(start: Start, tmp_path: Path) -> None:
    client = start({"heartbeatSeconds": 3600})
    state = tmp_path / "state"
    path = state / "servers" / f"{client.process.pid}.json"
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
    assert shown(state) == [client.process.pid]
    identity = orjson.loads(path.read_bytes())["daemonIdentity"]
    rewrite(path, daemonIdentity=f"{client.process.pid}:1@00000000")
    assert shown(state) == []
    rewrite(path, daemonIdentity=None)  # an earlier Kato wrote none
    assert shown(state) == [client.process.pid]
    rewrite(path, daemonIdentity=identity)
    client.process.kill()
    deadline = time.monotonic() + 10
    while shown(state):  # it was not waited for: a zombie
        assert time.monotonic() < deadline
    client.process.wait()


def test_foreign_files_among_the_status_files_are_ignored(start: Start, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "servers").mkdir(parents=True)
    os.mkfifo(state / "servers" / "1.json")
    (state / "servers" / "2.json").mkdir()
    (state / "servers" / "3.json").symlink_to("nowhere")
    for number, content in enumerate(
        ["", "{", "[]", "5", '{"daemonRunning": true}', '{"daemonPid": "x", "daemonRunning": true}']
    ):
        (state / "servers" / f"{number + 4}.json").write_text(content)
    client = start()
    deadline = time.monotonic() + 10
    while shown(state) != [client.process.pid]:
        assert time.monotonic() < deadline
    client.close()
    assert shown(state) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_server_does_not_load_openssl(start: Start, state: Path) -> None:
    client = start(options={"stateDir": str(state)})
    maps = Path(f"/proc/{client.process.pid}/maps").read_text(encoding="utf-8")
    assert not {line for line in maps.splitlines() if "libssl" in line or "libcrypto" in line}


def test_what_was_left_out_can_be_imported_later() -> None:
    program = """
from kato.app import process

process.leave_out_openssl()
import asyncio, hashlib, sys

assert not {"ssl", "_hashlib"} & set(sys.modules)
assert hashlib.sha256(b"a").hexdigest() == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
asyncio.run(asyncio.sleep(0))
import hmac, ssl

ssl.create_default_context()
hmac.new(b"key", b"a", "sha256")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
