"""Answers requests of other processes of the same user, on a local socket (`system.local_sockets`).

Rules: a request is one line of bounded length that comes within a bounded time; whatever it holds, the process goes on. Where no
socket can be made, the process runs without one: hooks then find no Kato.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from kato.core import limits
from kato.core.lenient_json import dumps, loads
from kato.engine import log_defect
from kato.system import local_sockets

log = logging.getLogger("kato.local")

Answer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
_BACKLOG: Final = 16


class LocalServer:
    """See the module. `answer` answers a request; it may raise."""

    def __init__(self, environment: Mapping[str, str], answer: Answer) -> None:
        self._environment = environment
        self._answer = answer
        self._path: str | None = None
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def path(self) -> str | None:
        """The socket's path; None where there is none."""
        return self._path

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Makes the socket and listens. Raises OSError if no folder can be used."""
        failure: OSError | None = None
        for folder in local_sockets.folders(self._environment):
            try:
                self._socket = self._listen(folder)
            except OSError as error:
                failure = error
                continue
            self._loop = loop
            self._task = loop.create_task(self._accept(loop, self._socket))
            return
        if failure is not None:
            raise failure

    def _listen(self, folder: str) -> socket.socket:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - a path of local_sockets
        if not local_sockets.is_private(folder):
            raise PermissionError(f"{folder} is not a folder of this user alone")
        _remove_ended(folder)
        path = f"{folder}/{os.getpid()}.sock"
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - of an earlier process with this id
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(path)
            os.chmod(path, 0o600)  # noqa: PTH101 - as above
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        self._path = path
        return listening

    def stop(self) -> None:
        """Removes the socket. Open requests are given up."""
        for task in (self._task, *self._tasks):
            if task is not None:
                task.cancel()
        if self._socket is not None and self._loop is not None:
            # A connection that came in this turn of the loop would be accepted for the cancelled task, which asyncio reports as a defect.
            self._loop.remove_reader(self._socket)
            self._socket.close()
        if self._path is not None:
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - as above
            self._path = None

    async def _accept(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("the local socket cannot be used any more: %s", error.strerror)
                return
            if len(self._tasks) >= limits.LOCAL_CONNECTIONS_MAX:
                connection.close()
                continue
            task = loop.create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(
            sock=connection, limit=limits.LOCAL_REQUEST_BYTES_MAX
        )
        try:
            line = await asyncio.wait_for(reader.readline(), limits.LOCAL_REQUEST_SECONDS_MAX)
            if not line:
                return  # the client only checked that this process listens
            request = loads(line)
            if isinstance(request, dict):
                writer.write(dumps(await self._answer(request)) + b"\n")
                await asyncio.wait_for(writer.drain(), limits.LOCAL_REQUEST_SECONDS_MAX)
        except (OSError, ValueError, asyncio.TimeoutError):
            log.warning("a request on the local socket was not answered: it is broken, or its sender is gone")
        except Exception as error:  # noqa: BLE001 - a defect of one request must not end the process
            log_defect(log, "a request on the local socket", error)
        finally:
            writer.close()


def _remove_ended(folder: str) -> None:
    """Removes Kato's sockets behind which no process listens any more; whatever else lies there stays."""
    for path in local_sockets.sockets_in(folder):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
            trial.settimeout(0.1)
            try:
                trial.connect(path)
            except ConnectionRefusedError:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 - as above
            except OSError:
                continue
