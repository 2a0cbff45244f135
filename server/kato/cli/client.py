"""A small synchronous client of the server, for the demo and the benchmarks: a real process over real pipes."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from kato.core.lenient_json import dumps, loads
from kato.lsp.framing import Frame, FrameReader, encode_frame

_ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024


class ServerGone(Exception):
    """The server ended before it answered; the message carries its exit code."""


class RequestFailed(Exception):
    """The server answered with an error: `code`, `message` and `data` are the JSON-RPC error's."""

    def __init__(self, code: int, message: str, data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class Client:
    """Starts a server and speaks with it. As a context manager it shuts the server down at the end."""

    def __init__(
        self,
        *,
        command: Sequence[str] = (sys.executable, "-m", "kato", "serve"),
        environment: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=None if environment is None else dict(environment),
            bufsize=0,
        )
        self.notifications: deque[dict[str, Any]] = deque(maxlen=1000)
        self._reader = FrameReader(_ANSWER_BYTES_MAX)
        self._received: deque[dict[str, Any]] = deque()
        self._next_id = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def initialize(
        self,
        *,
        options: Mapping[str, Any],
        folders: Sequence[str] = (),
        capabilities: Mapping[str, Any] | None = None,
    ) -> Any:
        """The opening of every LSP session."""
        params = {
            "processId": os.getpid(),
            "rootUri": None,
            "capabilities": capabilities or {},
            "initializationOptions": options,
            "workspaceFolders": [{"uri": Path(folder).as_uri(), "name": folder} for folder in folders]
            or None,
        }
        result = self.request("initialize", params)
        self.notify("initialized", {})
        return result

    def request(self, method: str, params: Any = None) -> Any:
        """Sends a request and waits for its answer. Raises RequestFailed or ServerGone."""
        return self.wait_for(self.send_request(method, params))

    def send_request(self, method: str, params: Any = None) -> int:
        """Sends a request; its id is for `wait_for`."""
        self._next_id += 1
        message = {"jsonrpc": "2.0", "id": self._next_id, "method": method}
        self.write(encode_frame(dumps(message if params is None else message | {"params": params})))
        return self._next_id

    def notify(self, method: str, params: Any = None) -> None:
        """Sends a notification."""
        self.write(encode_frame(dumps({"jsonrpc": "2.0", "method": method, "params": params})))

    def write(self, data: bytes) -> None:
        """Raw bytes to the server."""
        assert self.process.stdin is not None
        try:
            view = memoryview(data)
            while view:
                view = view[self.process.stdin.write(view) :]
        except BrokenPipeError:
            raise ServerGone(f"the server ended with exit code {self.process.wait()}") from None

    def wait_for(self, request_id: int) -> Any:
        """The answer to a request; notifications that come before are kept."""
        while True:
            message = self.read_message()
            if message.get("id") == request_id and "method" not in message:
                if (error := message.get("error")) is not None:
                    raise RequestFailed(error["code"], error["message"], error.get("data"))
                return message.get("result")
            if "method" in message:
                self.notifications.append(message)

    def read_message(self) -> dict[str, Any]:
        """The next message of the server."""
        assert self.process.stdout is not None
        while not self._received:
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise ServerGone(f"the server ended with exit code {self.process.wait()}")
            for item in self._reader.feed(data):
                if isinstance(item, Frame):
                    self._received.append(loads(item.body))
        return self._received.popleft()

    def close(self) -> int:
        """Shuts the server down if it still runs; its exit code."""
        if self.process.poll() is None:
            try:
                self.request("shutdown")
                self.notify("exit")
            except ServerGone:
                pass
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return self.process.wait()
