"""The status file of each server: `<stateDir>/servers/<pid>.json`, written on each heartbeat, read by `kato status`.

Rule: a reader sees a whole snapshot or none. Nothing here need survive a power loss, so nothing is synchronised.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from kato.model import StatusSnapshot

_ENDED_FILES_MAX = 20


def write(state_dir: Path, snapshot: StatusSnapshot) -> None:
    """Replaces this process' file. Raises OSError."""
    folder = state_dir / "servers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{snapshot.daemon_pid}.json"
    temporary = folder / f".{snapshot.daemon_pid}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, orjson.dumps(snapshot, default=msgspec.to_builtins))
    finally:
        os.close(descriptor)
    temporary.replace(path)


def read_all(state_dir: Path, *, is_running: Callable[[int], bool]) -> list[dict[str, Any]]:
    """The snapshots of the servers that run, by process id. Broken files and ended servers are left out."""
    running = []
    for path in sorted((state_dir / "servers").glob("*.json")):
        try:
            snapshot = orjson.loads(path.read_bytes())
            if snapshot["daemonRunning"] and is_running(snapshot["daemonPid"]):
                running.append(snapshot)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return running


def ended(state_dir: Path, *, is_running: Callable[[int], bool]) -> list[Path]:
    """The files of servers that are gone."""
    return [
        path
        for path in (state_dir / "servers").glob("*.json")
        if not (path.stem.isdigit() and is_running(int(path.stem)))
    ]


def remove_old(state_dir: Path, *, is_running: Callable[[int], bool]) -> None:
    """Keeps the last snapshots of the servers that ended most recently, removes older ones and what servers that were
    killed had not finished.
    """
    for path in (state_dir / "servers").glob(".*.tmp"):
        pid = path.stem[1:]
        if pid.isdigit() and not is_running(int(pid)):
            path.unlink(missing_ok=True)
    found = ended(state_dir, is_running=is_running)
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[_ENDED_FILES_MAX:]:
        path.unlink(missing_ok=True)
