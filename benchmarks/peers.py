"""The processes that are measured: Kato, the floor, stock pygls. All through real pipes, in folders of their own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks import corpus
from kato.cli.client import Client

_ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, gone afterwards. In `BENCH_DIR` if that is set, so that a real disk can be chosen."""
    with tempfile.TemporaryDirectory(prefix="kato-bench-", dir=os.environ.get("BENCH_DIR")) as path:
        yield Path(path)


@contextmanager
def kato(home: Path, *, initialize: bool = True, **options: Any) -> Iterator[Client]:
    """A Kato server with its home, state and one open folder (`notes`) below `home`. Default settings but these."""
    client = Client(environment=environment(home), stderr=subprocess.DEVNULL)
    try:
        if initialize:
            (home / "notes").mkdir(parents=True, exist_ok=True)
            client.initialize(options=options, folders=[str(home / "notes")])
            client.request("kato/memory")
        yield client
    finally:
        client.close()


@contextmanager
def stock() -> Iterator[Client]:
    """A pygls server without anything of ours."""
    client = stock_client()
    try:
        client.initialize(options={})
        yield client
    finally:
        end(client)


def stock_client() -> Client:
    """The same, not yet initialized."""
    command = [sys.executable, "-m", "benchmarks.stock"]
    return Client(command=command, environment=_plain(), stderr=subprocess.DEVNULL)


@contextmanager
def floor() -> Iterator[Client]:
    """Reads and decodes, nothing else."""
    client = Client(command=[sys.executable, "-m", "benchmarks.floor"], environment=_plain())
    try:
        client.request("ready")
        yield client
    finally:
        end(client)


def end(client: Client) -> None:
    """Ends a server that need not be asked (stock pygls never answers a `shutdown` without params)."""
    client.process.kill()
    client.close()


def environment(home: Path) -> dict[str, str]:
    """Nothing of the user's own settings and sessions reaches the server."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").touch()
    return _plain() | {
        "HOME": str(home),
        "KATO_CONFIG": str(home / "config.toml"),
        "KATO_STATE_DIR": str(home / "state"),
    }


def _plain() -> dict[str, str]:
    # Without PYTHONDONTWRITEBYTECODE: what is installed is compiled, so must what is measured be.
    ours = ("KATO_", "CLAUDE_", "CODEX_", "GEMINI_", "COPILOT_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": str(_ROOT), "TZ": "UTC"}


def flood(client: Client, frames: Iterable[bytes], barrier: str = "kato/memory") -> float:
    """Seconds from the first byte until a request behind all frames was answered."""
    started = time.perf_counter()
    for data in frames:
        client.write(data)
    client.request(barrier, {})
    return time.perf_counter() - started


def export(client: Client, note: Path) -> float:
    """Seconds of an export of the session `s` to a note, from the request to the durable file."""
    argument = {"provider": corpus.PROVIDER, "sessionId": "s", "path": str(note)}
    started = time.perf_counter()
    outcome = client.request("workspace/executeCommand", {"command": "kato.export", "arguments": [argument]})
    seconds = time.perf_counter() - started
    assert outcome["status"] == "ok", outcome
    return seconds


def joined(frames: Iterable[bytes], size: int = 1 << 20) -> list[bytes]:
    """The same bytes in few large writes, so that the writer costs next to nothing."""
    pieces, piece = [], bytearray()
    for data in frames:
        piece += data
        if len(piece) >= size:
            pieces.append(bytes(piece))
            piece.clear()
    return [*pieces, bytes(piece)]


def rss(client: Client) -> int:
    """Resident bytes now."""
    return int(psutil.Process(client.process.pid).memory_info().rss)
