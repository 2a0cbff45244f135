"""Fixtures that several suites share."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from builders import START_MS
from kato.cli.client import Client
from kato.storage.journal import Journal
from terminal import Terminal

SHARED = Path(__file__).resolve().parents[2] / "shared"

#: For `make test-fast`.
hypothesis.settings.register_profile("fast", max_examples=20)

Start = Callable[..., Client]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """See `environment_of`."""
    return environment_of(tmp_path)


def environment_of(tmp_path: Path) -> dict[str, str]:
    """No setting of the machine the tests run on reaches the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KATO_")}
    config = tmp_path / "config.toml"
    config.touch()
    home = tmp_path / "home"
    home.mkdir()
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "COPILOT_HOME", "XDG_CONFIG_HOME"):
        kept.pop(name, None)
    run = tmp_path / "run"
    return kept | {"KATO_CONFIG": str(config), "TZ": "UTC", "HOME": str(home), "KATO_RUNTIME_DIR": str(run)}


@pytest.fixture
def home(environment: dict[str, str]) -> Path:
    """The user's home folder."""
    return Path(environment["HOME"])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder that the user works in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def terminal(environment: dict[str, str], work: Path) -> Terminal:
    """A terminal in that folder."""
    return Terminal(environment, work)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that nothing made yet."""
    return tmp_path / "state"


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    """A journal that is alone in its state folder."""
    opened = Journal.open(state, now_ms=lambda: START_MS)
    yield opened
    opened.close()


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts real servers; those that still run at the end are shut down."""
    clients: list[Client] = []

    def launch(
        options: dict[str, Any] | None = None,
        *,
        initialize: bool = True,
        env: dict[str, str] | None = None,
        capabilities: dict[str, Any] | None = None,
        **more: Any,
    ) -> Client:
        client = Client(environment=environment | (env or {}), **more)
        clients.append(client)
        if initialize:
            notes = tmp_path / "notes"
            notes.mkdir(exist_ok=True)
            client.initialize(
                options={"stateDir": str(tmp_path / "state")} | (options or {}),
                folders=[str(notes)],
                capabilities=capabilities,
            )
        return client

    yield launch
    for client in clients:
        if client.process.poll() is None:
            client.process.kill()
        for stream in (client.process.stdin, client.process.stdout, client.process.stderr):
            if stream is not None:
                stream.close()
        client.process.wait()


@pytest.fixture
def heeded_signals() -> Iterator[None]:
    """The commands of a test get signals with their default effect. A shell starts what runs in its background with SIGINT ignored,
    and nohup with SIGHUP.
    """
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "win32":
        yield
    else:
        hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        yield
        signal.signal(signal.SIGHUP, hangup)
    signal.signal(signal.SIGINT, interrupt)


@pytest.fixture
def deadline() -> Iterator[None]:
    """What waits for an answer that never comes fails after half a minute."""

    def ring(number: int, frame: object) -> None:
        pytest.fail("waited for half a minute")  # not an Exception: nothing on the way catches it

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 30)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The workspace folder of servers that `start` starts."""
    folder = tmp_path / "notes"
    folder.mkdir(exist_ok=True)
    return folder
