"""The sockets on which the Kato processes of a user answer other processes of that user, such as hooks.

    <folder>/<pid>.sock     a connection carries one request and one answer, each a line of JSON

The folder is `KATO_RUNTIME_DIR`, else `kato` in `XDG_RUNTIME_DIR` or `/run/user/<uid>`, else `/tmp/kato-<uid>`. It does not
depend on `stateDir`, which a hook cannot know: an editor may have set it.

Rules: the folder belongs to the user alone (0700) or is not used. This module imports little, because a hook loads it for each
prompt. Python does not support these sockets on Windows, so no process answers there.
"""

import json
import os
import socket
import stat
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: The longest path of a socket: 104 bytes with the ending zero on macOS, 108 on Linux.
_PATH_BYTES_MAX: Final = 103
_NAME_BYTES_MAX: Final = len("/4194304.sock")
_ANSWER_BYTES_MAX: Final = 64 * 1024

IS_SUPPORTED: Final = hasattr(socket, "AF_UNIX") and hasattr(os, "getuid")


def folders(environment: Mapping[str, str]) -> list[str]:
    """The folders in which sockets may be, the first choice first."""
    if not IS_SUPPORTED:
        return []
    user = os.getuid()
    wanted = environment.get("KATO_RUNTIME_DIR")
    if wanted:
        return [_short(wanted, user)]
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    shared = f"/tmp/kato-{user}"  # noqa: S108 - used only if it is the user's own
    return [*([_short(f"{runtime}/kato", user)] if os.path.isdir(runtime) else []), shared]  # noqa: PTH112 - few imports


def _short(folder: str, user: int) -> str:
    """The folder, or one with a short path in place of one whose path is too long for a socket."""
    data = os.fsencode(folder)
    if len(data) + _NAME_BYTES_MAX <= _PATH_BYTES_MAX:
        return folder
    return f"/tmp/kato-{user}-{zlib.crc32(data):08x}"  # noqa: S108 - used only if it is the user's own


def is_private(folder: str) -> bool:
    """Whether this is a folder of the user that no other user can enter."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def sockets(environment: Mapping[str, str]) -> list[str]:
    """The paths of all sockets, also of those whose process ended without removing its own."""
    found = []
    for folder in folders(environment):
        if is_private(folder):
            found += sockets_in(folder)
    return found


def sockets_in(folder: str) -> list[str]:
    """The paths of Kato's sockets in a folder."""
    with os.scandir(folder) as entries:
        return sorted(one.path for one in entries if _is_socket(one))


def _is_socket(entry: "os.DirEntry[str]") -> bool:
    pid, _, suffix = entry.name.partition(".")
    try:
        return (
            pid.isdecimal() and suffix == "sock" and stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
        )
    except OSError:  # removed at this moment
        return False


def ask(path: str, request: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
    """The answer of the process behind a socket; None where none comes in time."""
    for _, answer in ask_all([path], request, seconds):
        return answer
    return None


def ask_all(
    paths: Sequence[str], request: Mapping[str, Any], seconds: float
) -> list[tuple[str, dict[str, Any] | None]]:
    """Asks several processes at the same time. The sockets that took the request, each with its answer; None where none came in
    time. The request is read then as soon as the process has time.
    """
    end = time.monotonic() + seconds
    data = json.dumps(request).encode() + b"\n"
    asked = [(path, _send(path, data, seconds)) for path in paths]
    answers = []
    for path, connection in asked:
        if connection is not None:
            with connection:
                answers.append((path, _receive(connection, end)))
    return answers


def nearest(running: Sequence[tuple[str, Mapping[str, Any] | None]]) -> str | None:
    """The process that is nearest to a conversation, by the answers to `look`; None where none follows it."""
    best, path = 0, None
    for one, answer in running:
        rank = (answer or {}).get("rank")
        if isinstance(rank, int) and rank > best:
            best, path = rank, one
    return path


def _send(path: str, data: bytes, seconds: float) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(path)
        connection.sendall(data)
    except OSError:
        connection.close()
        return None
    return connection


def _receive(connection: socket.socket, end: float) -> dict[str, Any] | None:
    data = b""
    try:
        while not data.endswith(b"\n") and len(data) < _ANSWER_BYTES_MAX:
            connection.settimeout(max(end - time.monotonic(), 0.001))
            part = connection.recv(_ANSWER_BYTES_MAX)
            if not part:
                break
            data += part
        answer = json.loads(data)
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
