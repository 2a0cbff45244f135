"""Standard input and output as the server's stream: bounded reads, writes that never block the loop.

Rules: the server writes to a private copy of stdout; file descriptor 1 leads to stderr, so that a stray `print` cannot break
the stream. Output that the client has not read waits here. While more than `limits.OUTGOING_BYTES_MAX` waits, the output is
crowded, and the server handles no message.
"""

import asyncio
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from kato.core import limits

#: Smaller frames are joined into pieces of about this many bytes; larger ones are written without a copy.
_SMALL_BYTES: Final = 4 * limits.KIB
_JOINED_BYTES: Final = 64 * limits.KIB
#: POSIX: a pipe that is ready takes at least PIPE_BUF bytes, and PIPE_BUF is 4,096 on Linux (512 at least elsewhere).
_WRITE_BYTES: Final = 4096 if sys.platform == "linux" else 512


#: The events that poll() reports for a closed end, also when they were not asked for.
_HUNG_UP: Final = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)


class Output:
    """Writes frames to a file descriptor, in order. `on_written` is called when the client has read some of the frames that
    waited, `on_gone` when it closed its end.
    """

    def __init__(
        self,
        descriptor: int,
        loop: asyncio.AbstractEventLoop,
        on_gone: Callable[[], None],
        on_written: Callable[[], None],
    ) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._on_gone = on_gone
        self._on_written = on_written
        self._waiting: deque[memoryview] = deque()
        self._small = (
            bytearray()
        )  # small frames behind those: an object for each would be larger than the frame
        self._queued = 0
        self._written = 0
        self._watching = False
        self._gone = False
        #: True while the client leaves too much unread.
        self.crowded = False
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLOUT)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes wait for the client."""
        return self._queued - self._written

    @property
    def queued(self) -> int:
        """The number of bytes that were queued so far: a position in the stream."""
        return self._queued

    @property
    def written(self) -> int:
        """How many of them were written."""
        return self._written

    def send(self, parts: Sequence[bytes]) -> None:
        """Queues a frame; `flush` writes."""
        if self._gone:
            return
        for part in parts:
            self._queued += len(part)
            if len(part) < _SMALL_BYTES:
                self._small += part
                if len(self._small) >= _JOINED_BYTES:
                    self._seal()
            else:
                self._seal()
                self._waiting.append(memoryview(part))
        self.crowded = self.waiting_bytes > limits.OUTGOING_BYTES_MAX

    def flush(self) -> None:
        """Writes as much as the pipe takes without waiting; the rest follows when the client reads."""
        self._write_some()
        if self.waiting_bytes and not self._watching and not self._gone:
            self._loop.add_writer(self._descriptor, self._on_writable)
            self._watching = True

    def drain(self, seconds: float) -> None:
        """Writes all waiting output before the end, for at most this many seconds."""
        deadline = self._loop.time() + seconds
        while self.waiting_bytes and not self._gone and self._loop.time() < deadline:
            self._write_some()
            if self.waiting_bytes and self._poll is not None:
                self._poll.poll(50)

    def discard(self) -> None:
        """Drops all output, also what is sent later: the client does not read any more."""
        self._gone = True
        self._waiting.clear()
        self._small = bytearray()
        self._written = self._queued
        self.crowded = False

    def _on_writable(self) -> None:
        self._write_some()
        if not self.waiting_bytes or self._gone:
            self._loop.remove_writer(self._descriptor)
            self._watching = False
        self._on_written()

    def _seal(self) -> None:
        if self._small:
            self._waiting.append(memoryview(self._small))
            self._small = bytearray()

    def _write_some(self) -> None:
        while self.waiting_bytes and (self._poll is None or self._poll.poll(0)):
            if not self._waiting:
                self._seal()
            head = self._waiting[0]
            part = head if self._poll is None else head[:_WRITE_BYTES]
            try:
                count = os.write(self._descriptor, part)
            except OSError:  # the client closed its end
                self.discard()
                self._loop.call_soon(self._on_gone)
                return
            self._written += count
            if count == len(head):
                self._waiting.popleft()
            else:
                self._waiting[0] = head[count:]
        self.crowded = self.waiting_bytes > limits.OUTGOING_BYTES_MAX


class Input:
    """Reads a file descriptor in pieces of at most `limits.READ_BYTES`; an empty piece is its end.

    Pieces that are available follow each other, up to `limits.READ_ROUND_BYTES`; then `on_round` is called, so that the
    messages in them can be committed together. Between `pause` and `resume` nothing is read. Where the event loop cannot wait
    for the descriptor (Windows, a regular file), a thread reads, one piece ahead.
    """

    def __init__(
        self,
        descriptor: int,
        loop: asyncio.AbstractEventLoop,
        on_data: Callable[[bytes], None],
        on_round: Callable[[], None],
    ) -> None:
        self._descriptor = descriptor
        self._loop = loop
        self._on_data = on_data
        self._on_round = on_round
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLIN)
        self._threaded = False
        self._closed = False
        self._paused = False
        self._ahead: bytes | None = None  # what the thread read during a pause
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
        """Stops reading for good."""
        self._closed = True
        if not self._threaded:
            self._loop.remove_reader(self._descriptor)

    def pause(self) -> None:
        """Reads nothing until `resume`."""
        if not self._paused and not self._closed:
            self._paused = True
            if not self._threaded:
                self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """Continues after `pause`."""
        if not self._paused or self._closed:
            return
        self._paused = False
        if not self._threaded:
            self._loop.add_reader(self._descriptor, self._on_readable)
        elif self._ahead is not None:
            data, self._ahead = self._ahead, None
            self._loop.call_soon(self._take, data)

    def _on_readable(self) -> None:
        taken = 0
        while True:
            try:
                data = os.read(self._descriptor, limits.READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.pause()  # at the end of the input, the descriptor stays readable
            self._on_data(data)
            taken += len(data)
            if self._paused or self._closed or taken >= limits.READ_ROUND_BYTES or not self._is_readable():
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
        if self._paused:
            self._ahead = data
            return
        self._taken.release()
        self._on_data(data)
        self._on_round()
