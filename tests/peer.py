"""A client that accounts for every message: the answers to each request, the notifications, the end of the stream."""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

import orjson

from kato.lsp.framing import Frame, FrameReader, encode_frame

Json = dict[str, Any]
_ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
#: The machine may be busy with other tests: a request that takes longer than this counts as unanswered.
ANSWER_SECONDS: Final = 60.0
_TAKEN: Final[Json] = {}
#: What a server's stderr must not hold: a defect that was caught, an exception out of a callback of the event loop.
DEFECTS: Final = ("defective", "Exception in callback", "exception was never retrieved")


class Gone(Exception):
    """The server's output ended before the answer."""


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.data = data


class Unanswered(AssertionError):
    """The server runs and did not answer in time."""


class Running(Protocol):
    """A server's process: `subprocess.Popen` or one that the zygote forked."""

    pid: int

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...
    def send_signal(self, number: int, /) -> None: ...


class Peer:
    """Speaks with a server. A thread of its own reads, so that several threads may ask at a time."""

    def __init__(self, process: Running, on_notification: Callable[[Json], None] | None = None) -> None:
        self.process = process
        #: Each request's answers as they came: more than one is a fault of the server.
        self.answers: dict[int, list[Json]] = defaultdict(list)
        #: All notifications but `kato/statusChanged`, unless `on_notification` takes them.
        self.notifications: list[Json] = []
        self.sent: dict[int, str] = {}
        self.is_closed = False
        self._take = on_notification or self._keep
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._may_read = threading.Event()
        self._may_read.set()
        self._next_id = 0
        self._thread = threading.Thread(target=self._read, name=f"peer-{process.pid}", daemon=True)
        self._thread.start()

    # --- Asking -----------------------------------------------------------------------------------------

    def initialize(self, options: Mapping[str, Any], folders: Sequence[Path]) -> Any:
        """The opening of every LSP session."""
        result = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None,
                "capabilities": {"experimental": {"katoNotice": True}},
                "initializationOptions": options,
                "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name} for folder in folders],
            },
        )
        self.notify("initialized", {})
        return result

    def request(self, method: str, params: Any = None, seconds: float = ANSWER_SECONDS) -> Any:
        """Asks and waits. Raises Refused, Gone or Unanswered."""
        return self.answer_to(self.send(method, params), seconds)

    def send(self, method: str, params: Any = None) -> int:
        """Sends a request; its id is for `answer_to`."""
        with self._writing:
            self._next_id += 1
            request_id = self._next_id
            self.sent[request_id] = method
            self._write({"jsonrpc": "2.0", "id": request_id, "method": method}, params)
        return request_id

    def notify(self, method: str, params: Any = None) -> None:
        """Sends a notification."""
        with self._writing:
            self._write({"jsonrpc": "2.0", "method": method}, params)

    def answer_to(self, request_id: int, seconds: float = ANSWER_SECONDS) -> Any:
        """The first answer to a request."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self.answers.get(request_id):
                if self.is_closed:
                    raise Gone
                if not self._changed.wait(deadline - time.monotonic()):
                    raise Unanswered(f"{self.sent[request_id]} had no answer within {seconds} s")
            answer = self.answers[request_id][0]
        if (error := answer.get("error")) is not None:
            raise Refused(error["code"], error["message"], error.get("data"))
        self.answers[request_id][0] = _TAKEN  # pages of events must not fill the memory of a soak
        return answer["result"]

    def _write(self, message: Json, params: Any) -> None:
        frame = memoryview(
            encode_frame(orjson.dumps(message if params is None else message | {"params": params}))
        )
        assert self.process.stdin is not None
        try:
            while frame:
                frame = frame[os.write(self.process.stdin.fileno(), frame) :]
        except (BrokenPipeError, ValueError):
            raise Gone from None

    # --- Reading ----------------------------------------------------------------------------------------

    def stop_reading(self) -> None:
        """Leaves unread what the server writes until `go_on_reading`."""
        self._may_read.clear()

    def go_on_reading(self) -> None:
        """See `stop_reading`."""
        self._may_read.set()

    def _read(self) -> None:
        assert self.process.stdout is not None
        frames, descriptor = FrameReader(_ANSWER_BYTES_MAX), self.process.stdout.fileno()
        while data := os.read(descriptor, 1 << 16):
            for item in frames.feed(data):
                assert isinstance(item, Frame), item
                self._sort(orjson.loads(item.body))
            self._may_read.wait()
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def _sort(self, message: Json) -> None:
        if "method" in message:
            self._take(message)
            return
        with self._changed:
            self.answers[message["id"]].append(message)
            self._changed.notify_all()

    def _keep(self, message: Json) -> None:
        if message["method"] != "kato/statusChanged":
            self.notifications.append(message)

    # --- Ending -----------------------------------------------------------------------------------------

    def kill(self) -> None:
        """SIGKILL; returns when the process is reaped and all that it wrote is read."""
        self.process.kill()
        self.ended()

    def close(self, seconds: float = ANSWER_SECONDS) -> int:
        """`shutdown` and `exit`; the exit code."""
        try:
            self.request("shutdown", seconds=seconds)
            self.notify("exit")
        except Gone:
            pass
        return self.ended(seconds)

    def ended(self, seconds: float = ANSWER_SECONDS) -> int:
        """Waits for the process' end and for the last of what it wrote; the exit code."""
        self.go_on_reading()
        code = self.process.wait(seconds)
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the output is held open by another process"
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return code

    def unanswered(self) -> list[str]:
        """The methods of requests without an answer."""
        return [method for number, method in self.sent.items() if not self.answers.get(number)]

    def answered_again(self) -> list[str]:
        """The methods of requests with more than one answer."""
        return [method for number, method in self.sent.items() if len(self.answers.get(number, ())) > 1]
