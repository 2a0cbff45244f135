"""The files that each process keeps under its id, in the state folder.

    servers/<pid>.json      a `StatusSnapshot` and `daemonIdentity`, which identifies the process even if its id is reused;
                            written on each heartbeat, read by `kato status`
    logs/kato-<pid>.log     its log

Rule: a reader sees a complete snapshot or none, and another process may remove any file at any moment. These files need not
survive a power loss, so they are not synchronized.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from kato.core import limits
from kato.core.lenient_json import dumps
from kato.core.views import StatusSnapshot
from kato.system.regular import open_regular, read_regular

#: The folder of the logs.
LOGS: Final = "logs"

#: Whether a process id, or the process of an identity where one is known, runs.
IsRunning = Callable[[int, str | None], bool]


def write(state_dir: Path, snapshot: StatusSnapshot, *, identity: str | None) -> None:
    """Replaces this process' file. Raises OSError."""
    folder = state_dir / "servers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{snapshot.daemon_pid}.json"
    temporary = folder / f".{snapshot.daemon_pid}.tmp"
    content = msgspec.to_builtins(snapshot) | {"daemonIdentity": identity}
    try:
        descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor; it writes all or raises
            file.write(dumps(content))
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def read_all(state_dir: Path, *, is_running: IsRunning) -> list[dict[str, Any]]:
    """The snapshots of the servers that run, by process id. Broken files and ended servers are left out."""
    running = []
    for path in _files(state_dir, "servers/*.json"):
        snapshot = _read(path)
        if snapshot is not None and snapshot["daemonRunning"] and _is_running(snapshot, is_running):
            running.append(snapshot)
    return running


def ended(state_dir: Path, *, is_running: IsRunning) -> list[Path]:
    """The status files of processes that are gone."""
    found = []
    for path in _files(state_dir, "servers/*.json"):
        snapshot = _read(path)
        if snapshot is None:
            is_gone = not (path.stem.isdigit() and is_running(int(path.stem), None))
        else:
            is_gone = not _is_running(snapshot, is_running)
        if is_gone:
            found.append(path)
    return found


def log_file(state_dir: Path, pid: int) -> Path:
    """The log of a process: several cannot rotate one file."""
    return state_dir / LOGS / f"kato-{pid}.log"


def ended_logs(state_dir: Path, *, is_running: IsRunning) -> list[Path]:
    """The logs of processes that are gone."""
    named = [(path, _LOG_NAME.match(path.name)) for path in _files(state_dir, f"{LOGS}/*")]
    return [path for path, name in named if name is not None and not is_running(int(name[1]), None)]


_LOG_NAME: Final = re.compile(r"kato-([0-9]{1,10})\.log")


def remove_old(state_dir: Path, *, is_running: IsRunning) -> None:
    """Removes files of processes that are gone: all that are unfinished, and of each kind all but the newest. Another process
    may do the same at the same time.
    """
    for path in _files(state_dir, "servers/.*.tmp"):
        pid = path.stem[1:]
        if pid.isdigit() and not is_running(int(pid), None):
            with suppress(OSError):
                path.unlink()
    for paths, count_max in (
        (ended(state_dir, is_running=is_running), limits.ENDED_STATUS_FILES_MAX),
        (ended_logs(state_dir, is_running=is_running), limits.ENDED_LOGS_MAX),
    ):
        dated: list[tuple[int, Path]] = []
        for path in paths:
            with suppress(OSError):
                dated.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(dated, reverse=True)[count_max:]:
            with suppress(OSError):
                path.unlink()


def _files(state_dir: Path, pattern: str) -> list[Path]:
    try:
        return sorted(state_dir.glob(pattern))
    except OSError:
        return []


def _read(path: Path) -> dict[str, Any] | None:
    try:
        snapshot = orjson.loads(read_regular(path, limits.STATUS_FILE_BYTES_MAX))
    except (OSError, ValueError):
        return None
    is_one = isinstance(snapshot, dict) and type(snapshot.get("daemonPid")) is int
    return snapshot if is_one and isinstance(snapshot.get("daemonRunning"), bool) else None


def _is_running(snapshot: dict[str, Any], is_running: IsRunning) -> bool:
    identity = snapshot.get("daemonIdentity")
    return is_running(snapshot["daemonPid"], identity if isinstance(identity, str) else None)
