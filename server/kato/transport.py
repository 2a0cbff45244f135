"""Standard input and output as the server's stream: bounded reads, writes that never block the loop.

Rules: the server's own file descriptor is a private copy of stdout; file descriptor 1 leads to stderr, so that a stray
`print` cannot break the stream. What the client does not read waits here, and while it waits nothing more is read.
"""

import asyncio
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from kato import limits

#: POSIX: a pipe that is ready takes at least PIPE_BUF bytes, and PIPE_BUF is 4,096 on Linux (512 at least elsewhere).
_WRITE_BYTES: Final = 4096 if sys.platform == "linux" else 512


#: What poll() says of an end that was closed, asked or not.
_HUNG_UP: Final = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)


def take_stdout() -> int:
    """A private descriptor of stdout; whatever writes to descriptor 1 from now on goes to stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - this platform alone has it

        msvcrt.setmode(private, os.O_BINARY)
        msvcrt.setmode(0, os.O_BINARY)
    return private


class Output:
    """Frames to a file descriptor, in order."""

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop, on_gone: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._on_gone = on_gone
        self._waiting: deque[memoryview] = deque()
        self._bytes = 0
        self._watching = False
        self._gone = False
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLOUT)

    @property
    def crowded(self) -> bool:
        """True while the client leaves too much unread."""
        return self._bytes > limits.OUTGOING_BYTES_MAX

    def send(self, frame: bytes) -> None:
        """Queues a frame; `flush` writes."""
        if not self._gone:
            self._waiting.append(memoryview(frame))
            self._bytes += len(frame)

    def flush(self) -> None:
        """Writes what can be written without waiting; the rest follows when the client reads."""
        if self._watching:
            return
        self._write_some()
        if self._waiting and not self._gone:
            self._loop.add_writer(self._descriptor, self._on_writable)
            self._watching = True

    def drain(self, seconds: float) -> None:
        """Before the end: writes all, waiting for the client no longer than this."""
        deadline = self._loop.time() + seconds
        while self._waiting and not self._gone and self._loop.time() < deadline:
            self._write_some()
            if self._waiting and self._poll is not None:
                self._poll.poll(50)

    def _on_writable(self) -> None:
        self._write_some()
        if not self._waiting or self._gone:
            self._loop.remove_writer(self._descriptor)
            self._watching = False

    def _write_some(self) -> None:
        if len(self._waiting) > 1:
            joined = memoryview(b"".join(self._waiting))
            self._waiting.clear()
            self._waiting.append(joined)
        while self._waiting and (self._poll is None or self._poll.poll(0)):
            head = self._waiting[0]
            part = head if self._poll is None else head[:_WRITE_BYTES]
            try:
                count = os.write(self._descriptor, part)
            except OSError:  # the client went away: nobody is left to be told
                self._gone = True
                self._waiting.clear()
                self._bytes = 0
                self._loop.call_soon(self._on_gone)
                return
            self._bytes -= count
            if count == len(head):
                self._waiting.popleft()
            else:
                self._waiting[0] = head[count:]


class Input:
    """Reads a file descriptor in pieces of at most `limits.READ_BYTES`; an empty piece is its end.

    Pieces that are there already follow each other, up to `limits.READ_ROUND_BYTES`; then `on_round` is called, so that
    what they hold can be committed together. `hold` says whether reading should pause (too much unread output). Where
    the event loop cannot wait for the descriptor (Windows, a regular file) a thread reads, one piece ahead.
    """

    def __init__(
        self,
        descriptor: int,
        loop: asyncio.AbstractEventLoop,
        on_data: Callable[[bytes], None],
        on_round: Callable[[], None],
        hold: Callable[[], bool],
    ) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._on_data = on_data
        self._on_round = on_round
        self._hold = hold
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLIN)
        self._threaded = False
        self._closed = False
        self._taken = threading.Semaphore(1)

    def start(self) -> None:
        """Begins to read."""
        try:
            if sys.platform == "win32":
                raise NotImplementedError
            self._loop.add_reader(self._descriptor, self._on_readable)
        except (NotImplementedError, PermissionError, OSError):
            self._threaded = True
            threading.Thread(target=self._read_in_thread, daemon=True, name="kato-stdin").start()

    def stop(self) -> None:
        """Reads no more."""
        self._closed = True
        if not self._threaded:
            self._loop.remove_reader(self._descriptor)

    def _on_readable(self) -> None:
        if self._hold() and not self.is_hung_up:
            self._loop.remove_reader(self._descriptor)
            self._loop.call_later(0.01, self._resume)
            return
        taken = 0
        while True:
            try:
                data = os.read(self._descriptor, limits.READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self._on_data(data)
            taken += len(data)
            if not data or self._closed or taken >= limits.READ_ROUND_BYTES or not self._is_readable():
                break
        self._on_round()

    @property
    def is_hung_up(self) -> bool:
        """True once the other end is closed, also while bytes of it are still to be read."""
        if self._poll is None or self._threaded:
            return False
        return any(event & _HUNG_UP for _, event in self._poll.poll(0))

    def _is_readable(self) -> bool:
        return self._poll is not None and bool(self._poll.poll(0))

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._descriptor, self._on_readable)

    def _read_in_thread(self) -> None:
        while not self._closed:
            self._taken.acquire()
            try:
                data = os.read(self._descriptor, limits.READ_BYTES)
            except OSError:
                data = b""
            self._loop.call_soon_threadsafe(self._take, data)
            if not data:
                return

    def _take(self, data: bytes) -> None:
        if self._closed:
            return
        if self._hold():
            self._loop.call_later(0.01, self._take, data)
            return
        self._taken.release()
        self._on_data(data)
        self._on_round()
