"""The connection to the client: messages in, messages out, and what happens when the client does not read.

    stdin ─► FrameReader ─► Connection ─► receive (each message, in order) ─► on_round (after what came together)
    send ─► Output ─► stdout

While the client leaves more than `limits.OUTGOING_BYTES_MAX` unread, no further message is handled: messages wait here,
up to `limits.READ_ROUND_BYTES`, and then nothing more is read. A client that wants to end and reads nothing for
`limits.UNREAD_SECONDS_MAX` gets no more answers, so that the process can end.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kato.core import limits
from kato.core.errors import INTERNAL_ERROR
from kato.core.lenient_json import dumps, loads
from kato.engine import log_defect
from kato.lsp.framing import Broken, Frame, FrameReader, Oversize, encode_frame, encode_header
from kato.lsp.transport import Input, Output

log = logging.getLogger("kato.server")


class _EndOfInput:
    """Comes after the last message."""


_END_OF_INPUT: Final = _EndOfInput()
_Item = Frame | Oversize | Broken | _EndOfInput


class Callbacks(NamedTuple):
    """What a connection calls."""

    #: Called for each message, in order.
    receive: Callable[[Frame | Oversize | Broken], None]
    #: Called after the messages of one round.
    on_round: Callable[[], None]
    #: Called when the client closed its end, after its last message was handled.
    on_end: Callable[[], None]
    #: Called when the client does not read any more.
    on_gone: Callable[[], None]
    #: Called when the client has read some of the waiting output.
    on_written: Callable[[], None]
    #: True once nothing more is to be handled or sent.
    is_ending: Callable[[], bool]


class Connection:
    """See the module."""

    def __init__(
        self, stdin: int, stdout: int, loop: asyncio.AbstractEventLoop, callbacks: Callbacks
    ) -> None:
        self._loop = loop
        self._calls = callbacks
        self._reader = FrameReader(limits.MESSAGE_MB_MAX_DEFAULT * limits.MIB)
        self._output = Output(stdout, loop, callbacks.on_gone, on_written=self._on_written)
        self._input = Input(stdin, loop, self._on_data, callbacks.on_round)
        self._held: deque[_Item] = deque()  # messages that wait until the client has read
        self._held_bytes = 0
        self._stalled_timer: asyncio.TimerHandle | None = None
        self._dropped_at = -1  # where in the output notifications were dropped last

    # --- In ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to read."""
        self._input.start()

    def stop_reading(self) -> None:
        """Reads nothing more."""
        self._input.stop()

    @property
    def is_hung_up(self) -> bool:
        """True once the client closed its end, also while bytes of it are still to be read."""
        return self._input.is_hung_up

    @property
    def message_bytes_max(self) -> int:
        """The largest message that is read now."""
        return self._reader.frame_bytes_max

    @message_bytes_max.setter
    def message_bytes_max(self, count: int) -> None:
        self._reader.frame_bytes_max = count

    def _on_data(self, data: bytes) -> None:
        """Bytes of one read, or none at the end of the input."""
        if self._calls.is_ending():
            return
        items = self._reader.feed(data) if data else iter((_END_OF_INPUT,))
        if self._held or self._output.crowded:
            self._hold(items)
        else:
            self._handle(items)

    def _handle(self, items: "Iterator[_Item]") -> None:
        """Handles messages until the client leaves too much unread; then the rest waits."""
        for item in items:
            if isinstance(item, _EndOfInput):
                if self._reader.unfinished:
                    log.warning("input ended in the middle of a message")
                self._calls.on_end()
            else:
                self._calls.receive(item)
            if self._calls.is_ending():
                return
            if self._output.crowded:
                self._output.flush()
                if self._output.crowded:
                    self._hold(items)
                    return

    def _hold(self, items: "Iterator[_Item]") -> None:
        """Keeps messages until the client has read. When a round of them waits, nothing more is read."""
        for item in items:
            self._held.append(item)
            self._held_bytes += len(item.body) if isinstance(item, Frame) else 0
        if self._held_bytes >= limits.READ_ROUND_BYTES:
            self._input.pause()
        if self._held and self._stalled_timer is None:
            self._watch_for_a_stall()

    def _on_written(self) -> None:
        if self._calls.is_ending() or self._output.crowded:
            return
        if self._held:
            held, self._held, self._held_bytes = self._held, deque(), 0
            self._input.resume()
            self._handle(iter(held))
            self._calls.on_round()
        self._calls.on_written()

    def _watch_for_a_stall(self) -> None:
        self._stalled_timer = self._loop.call_later(
            limits.UNREAD_SECONDS_MAX, self._end_a_stall, self._output.written
        )

    def _end_a_stall(self, written: int) -> None:
        """Drops the output of a client that ends and reads nothing: otherwise this process would wait forever."""
        self._stalled_timer = None
        if self._calls.is_ending() or not self._held:
            return
        is_leaving = self._input.is_hung_up or any(map(_is_last, self._held))
        if self._output.written == written and is_leaving:
            log.warning("the client ends and does not read: %d bytes are dropped", self._output.waiting_bytes)
            self._output.discard()
            self._on_written()
        else:
            self._watch_for_a_stall()

    # --- Out --------------------------------------------------------------------------------------------

    def send(self, message: Mapping[str, Any]) -> None:
        """Queues a message. One that cannot be written as JSON is logged; an answer becomes an error instead."""
        try:
            body = dumps(message)
        except (TypeError, ValueError, RecursionError) as error:
            log_defect(log, "a message to the client", error)
            if "id" not in message or "method" in message:
                return
            internal = {"code": INTERNAL_ERROR, "message": "internal error (the answer is not JSON)"}
            body = dumps({"jsonrpc": "2.0", "id": message["id"], "error": internal})
        parts = (encode_frame(body),) if len(body) < limits.KIB else (encode_header(len(body)), body)
        self._output.send(parts)

    def send_parts(self, parts: Sequence[bytes]) -> None:
        """Queues a message that comes in parts, which are not copied."""
        self._output.send((encode_header(sum(map(len, parts))), *parts))

    def notify(self, method: str, params: Any) -> None:
        """Queues a notification, unless too much waits for a client that does not read."""
        if self._output.waiting_bytes <= limits.UNREAD_NOTIFICATIONS_BYTES_MAX:
            self.notify_anyway(method, params)
        elif self._output.queued != self._dropped_at:
            self._dropped_at = self._output.queued
            log.warning("the client does not read: %s and what follows it is not sent", method)

    def notify_anyway(self, method: str, params: Any) -> None:
        """Queues a notification, however much waits."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def flush(self) -> None:
        """Writes what can be written without waiting."""
        self._output.flush()

    def drain(self) -> None:
        """Writes all waiting output before the end, for at most `limits.END_DRAIN_SECONDS_MAX`."""
        self._output.drain(limits.END_DRAIN_SECONDS_MAX)

    @property
    def is_crowded(self) -> bool:
        """True while the client leaves too much unread."""
        return self._output.crowded

    @property
    def queued_bytes(self) -> int:
        """The number of bytes that were queued so far: a position in the output."""
        return self._output.queued

    @property
    def written_bytes(self) -> int:
        """How many of them were written."""
        return self._output.written


def _is_last(item: "_Item") -> bool:
    """True for `exit` and for the end of the input: the client sends nothing more."""
    if not isinstance(item, Frame):
        return isinstance(item, _EndOfInput)
    if len(item.body) > limits.KIB:
        return False
    try:
        message = loads(item.body)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("method") == "exit"
