"""Copies the bytes between the client (an editor) and the agent, and a copy of them to the observer.

    client ── Inward ──► agent          each piece, as it is read, is copied and written
    client ◄── Outward ── agent
                 │  ▲
                 ▼  └ complete lines of Kato, only between lines of the agent
       Tap ──► observer

Rules:

- The bytes of both sides arrive unchanged and in order, whatever the observer does.
- The copy is queued before the piece is written, so that the observer sees a request before its answer. The queue is bounded:
  what does not fit is dropped and counted; the client and the agent never wait for it.
- A side that does not read slows the other side down, as if both were connected directly.
- This module is loaded before the agent starts. It imports the standard library's smallest parts alone.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kato.channels.acp.frames import AGENT, CLIENT, GAP, HEAD_BYTES, PIECE_BYTES_MAX, head

#: Bytes that wait for the observer: some seconds of its start, and the largest picture that is usual in a prompt.
TAP_BYTES_MAX: Final = 16 * 1024 * 1024
_BATCH_BYTES: Final = 256 * 1024
_STEP_SECONDS: Final = 0.02
#: Lines of Kato that wait until the agent ends its own line, and the length of one.
_WAITING_LINES_MAX: Final = 64
INJECTED_BYTES_MAX: Final = 64 * 1024


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all bytes, however long the reader takes. Raises OSError after the reader closed its end."""
    written = os.write(descriptor, data)
    if written < len(data):
        view = memoryview(data)[written:]
        while view:
            view = view[os.write(descriptor, view) :]


def copy(source: int, target: int) -> None:
    """Copies bytes until the source ends or the target is closed."""
    with suppress(OSError):
        while data := os.read(source, PIECE_BYTES_MAX):
            write_all(target, data)


class Tap:
    """The copy for the observer: `put` never waits. `report` gets one sentence about the first loss."""

    def __init__(
        self,
        descriptor: int | None,
        report: Callable[[str], None],
        *,
        bytes_max: int = TAP_BYTES_MAX,
    ) -> None:
        self._descriptor = descriptor
        self._report = report
        self._bytes_max = bytes_max
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._has_gap = [False, False]
        self._has_news = threading.Condition()
        self._is_open = descriptor is not None
        self._is_ending = False
        self._is_reported = False
        self.dropped = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def put(self, side: int, data: bytes) -> None:
        """Takes a copy, or counts it as dropped."""
        with self._has_news:
            if not self._is_open:
                return
            is_dropped = self._size + len(data) + 2 * HEAD_BYTES > self._bytes_max or not self._queued(
                side, data
            )
            if is_dropped:
                self.dropped += len(data)
                self._has_gap[side] = True
            is_new = is_dropped and not self._is_reported
            self._is_reported = self._is_reported or is_dropped
        if is_new:
            self._report("its recorder cannot keep up, so a part of this conversation is not recorded")

    def _queued(self, side: int, data: bytes) -> bool:
        try:
            if self._has_gap[side]:
                self._add(head(GAP | side, 0))
                self._has_gap[side] = False
            self._add(head(side, len(data)) + data)
            self._has_news.notify()
        except MemoryError:
            return False
        return True

    def _add(self, data: bytes) -> None:
        self._queue.append(data)
        self._size += len(data)

    def end(self) -> None:
        """Nothing more comes: what waits is still written."""
        with self._has_news:
            self._is_ending = True
            self._has_news.notify()

    def _run(self) -> None:
        assert self._descriptor is not None
        try:
            while (batch := self._next()) is not None:
                write_all(self._descriptor, batch)
        except OSError:
            self._give_up()
        with suppress(OSError):
            os.close(self._descriptor)

    def _next(self) -> bytes | None:
        with self._has_news:
            while not self._queue:
                if self._is_ending:
                    return None
                self._has_news.wait()
            parts, size = [], 0
            while self._queue and size < _BATCH_BYTES:
                part = self._queue.popleft()
                parts.append(part)
                size += len(part)
            self._size -= size
            return b"".join(parts)

    def _give_up(self) -> None:
        with self._has_news:
            self._is_open = False
            self._queue.clear()
            self._size = 0
            is_new, self._is_reported = not (self._is_reported or self._is_ending), True
        if is_new:
            self._report("its recorder ended, so the rest of this conversation is not recorded")


class Inward:
    """The client's bytes on their way to the agent. `on_end` is called once, when the client sends no more."""

    def __init__(self, client: int, agent: int, tap: Tap, on_end: Callable[[], None]) -> None:
        self._client, self._agent, self._tap, self._on_end = client, agent, tap, on_end
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            while data := os.read(self._client, PIECE_BYTES_MAX):
                self._tap.put(CLIENT, data)
                write_all(self._agent, data)
        except (
            OSError
        ):  # the agent reads no more: the client sees the same, as if it were connected to the agent
            with suppress(OSError):
                os.close(self._client)
        with suppress(OSError):
            os.close(self._agent)
        self._on_end()


class Outward:
    """The agent's bytes on their way to the client, with Kato's lines between them. `on_gone` is called if the client reads no
    more.
    """

    def __init__(self, agent: int, client: int, tap: Tap, on_gone: Callable[[], None]) -> None:
        self._agent, self._client, self._tap, self._on_gone = agent, client, tap, on_gone
        self._lock = threading.Lock()
        self._is_between_lines = True
        self._is_open = True
        self._waiting: deque[bytes] = deque(maxlen=_WAITING_LINES_MAX)
        self._reads_since: float | None = None
        self._ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def inject(self, line: bytes) -> None:
        """Writes a line of Kato, as soon as no line of the agent is under way."""
        with self._lock:
            if not self._is_open:
                return
            if not self._is_between_lines:
                self._waiting.append(line)
                return
            with suppress(OSError):  # the agent's next piece finds out
                write_all(self._client, line)

    def close(self) -> None:
        """The client sees the end."""
        with self._lock:
            self._is_open = False
            with suppress(OSError):
                os.close(self._client)

    def wait(self, quiet_seconds: float) -> None:
        """Returns when the agent's last byte is written. A process that the agent left behind may hold its output open: it counts
        as ended when nothing came for this time.
        """
        while not self._ended.wait(_STEP_SECONDS):
            since = self._reads_since
            if since is not None and time.monotonic() - since > quiet_seconds:
                return

    def _run(self) -> None:
        try:
            while True:
                self._reads_since = time.monotonic()
                data = os.read(self._agent, PIECE_BYTES_MAX)
                self._reads_since = None
                if not data:
                    break
                self._tap.put(AGENT, data)
                self._write(data)
        except OSError:
            with self._lock:
                self._is_open = False
            with suppress(
                OSError
            ):  # the agent sees that its reader is gone, as if it were connected to the client
                os.close(self._agent)
            self._on_gone()
        self._ended.set()

    def _write(self, data: bytes) -> None:
        with self._lock:
            if self._waiting and not self._is_between_lines and (end := data.find(b"\n") + 1):
                write_all(self._client, data[:end])
                data = data[end:]
                while self._waiting:
                    write_all(self._client, self._waiting.popleft())
                self._is_between_lines = True
            if data:
                self._is_between_lines = data.endswith(b"\n")
                write_all(self._client, data)


class Injection:
    """The lines that the observer wants the client to see."""

    def __init__(self, observer: int, inject: Callable[[bytes], None]) -> None:
        self._observer, self._inject = observer, inject
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        rest = b""
        while data := os.read(self._observer, PIECE_BYTES_MAX):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if len(line) < INJECTED_BYTES_MAX:
                    self._inject(line + b"\n")
            if len(rest) >= INJECTED_BYTES_MAX:
                return  # not a line of Kato
