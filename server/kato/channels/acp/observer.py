"""The observer's process: it reads the copy of the conversation on stdin, and writes lines for the client to stdout.

    stdin ─► reading thread ─► a bounded queue ─► the conversation's thread ─► Kato
                                                          └─► stdout: what the user sees

Rule: a message that cannot be read or stored never keeps the next one from it.
"""

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kato.assistants import registry
from kato.channels.acp.asides import Asides
from kato.channels.acp.conversation import Conversation, Happening
from kato.channels.acp.feeding import Feeder
from kato.channels.acp.frames import AGENT, CLIENT, GAP, PIECE_BYTES_MAX, FrameReader
from kato.channels.acp.katos import Katos
from kato.channels.acp.lines import MessageLines
from kato.core import limits
from kato.core.errors import EXIT_OK
from kato.core.lenient_json import dumps
from kato.core.settings import Settings
from kato.core.text import printable
from kato.system.clock import now_ms
from kato.system.stdout import take_stdout

if TYPE_CHECKING:
    from kato.channels.acp.own import OwnRuntime

Json = Mapping[str, Any]
_TICK_SECONDS: Final = 0.25
#: Pieces that wait for the conversation's thread; the pipe and the tap hold more.
_PIECES_MAX: Final = 64


def run(command: Sequence[str], find_settings: Callable[[], Settings], environment: Mapping[str, str]) -> int:
    """Observes until stdin ends. Raises KatoError if it needs a Kato of its own, and that cannot start."""
    stdout = take_stdout()
    own = Own(find_settings, environment)
    observer = Observer(command, environment, own, lambda line: os.write(stdout, line))
    threading.Thread(target=observer.run, daemon=True).start()
    return own.run()


class Own:
    """A Kato in this process, which starts when it is first asked."""

    def __init__(self, find_settings: Callable[[], Settings], environment: Mapping[str, str]) -> None:
        self._find_settings = find_settings
        self._environment = environment
        self._started_at = now_ms()
        self._folders: dict[str, None] = {}
        self._is_wanted = False
        self._wake = threading.Event()
        self._is_made = threading.Event()
        self._runtime: OwnRuntime | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether it was asked."""
        return self._is_wanted

    @property
    def socket(self) -> str | None:
        """The path of its socket."""
        return None if self._runtime is None else self._runtime.socket

    # --- The main thread --------------------------------------------------------------------------------

    def run(self) -> int:
        """Waits until it is wanted, and runs it until `end`. Raises KatoError."""
        self._wake.wait()
        if not self._is_wanted:
            return EXIT_OK
        try:
            from kato.channels.acp.own import OwnRuntime  # noqa: PLC0415 - some seconds, and not needed where a Kato runs

            self._runtime = OwnRuntime(
                self._find_settings(),
                self._environment,
                list(self._folders),
                report,
                started_at=self._started_at,
            )
        finally:
            self._is_made.set()
        return self._runtime.run()

    # --- The conversation's thread ----------------------------------------------------------------------

    def follow(self, folders: Sequence[str]) -> None:
        """Sessions work in these folders."""
        self._folders.update(dict.fromkeys(os.path.realpath(folder) for folder in folders))
        if self._runtime is not None:
            self._runtime.follow(list(self._folders))

    def ask(self, request: Json, seconds: float) -> Json | None:
        """The answer; None if there is none."""
        self._is_wanted = True
        self._wake.set()
        self._is_made.wait()
        if self._runtime is None:
            return None
        self._runtime.follow(list(self._folders))
        return self._runtime.ask(request, seconds)

    def end(self) -> None:
        """Nothing more comes."""
        self._wake.set()
        if self._is_wanted:
            self._is_made.wait()
            if self._runtime is not None:
                self._runtime.end()


class Observer:
    """Reads the conversation and feeds it. `write` writes a line for the client."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        own: Own,
        write: Callable[[bytes], object],
    ) -> None:
        run_id = os.urandom(8).hex()
        self._own = own
        self._lines = {CLIENT: MessageLines(), AGENT: MessageLines()}
        self._defects: Counter[str] = Counter()
        self._conversation = Conversation(
            command,
            run_id,
            now=lambda: datetime.now(timezone.utc),
            assistants=[one.name for one in registry.assistants()],
        )
        self._write = write
        # They look when all that came was read: asking Kato may have taken seconds, in which the agent went on.
        self._asides = Asides(self._show, self._conversation.is_in_sentence, time.monotonic)
        self._feeder = Feeder(
            self._conversation, Katos(environment, own), self._notify, run_id, time.monotonic
        )
        self._messages = 0

    def run(self) -> None:
        """Observes until stdin ends."""
        pieces: queue.Queue[bytes | None] = queue.Queue(_PIECES_MAX)
        threading.Thread(target=_read, args=(pieces,), daemon=True).start()
        frames, quiet = FrameReader(), 0.0
        is_waiting = True
        try:
            while True:
                try:
                    data = pieces.get(timeout=_TICK_SECONDS if is_waiting else None)
                except queue.Empty:
                    quiet += _TICK_SECONDS
                    is_waiting = self._tick(quiet)
                    continue
                if data is None:
                    break
                is_waiting, quiet = True, 0.0
                for kind, piece in frames.feed(data):
                    self._take(kind, piece)
                if pieces.empty():
                    self._guarded(self._feeder.flush)
                    self._guarded(self._asides.look)
            self._finish()
        finally:
            self._own.end()

    def _take(self, kind: int, piece: bytes) -> None:
        lines = self._lines[kind & AGENT]
        if kind & GAP:
            lines.skip()
            return
        for message in lines.feed(piece):
            self._messages += 1
            self._guarded(partial(self._take_message, kind, message))

    def _take_message(self, side: int, message: object) -> None:
        self._feeder.take(self._conversation.take(side, message))

    def _tick(self, quiet: float) -> bool:
        """Nothing came for some seconds. False once there is nothing to wait for but the next message."""
        if limits.ACP_QUIET_SECONDS <= quiet < limits.ACP_QUIET_SECONDS + _TICK_SECONDS:
            self._guarded(self._settle)
        self._guarded(self._feeder.look)
        self._guarded(self._asides.look)
        return quiet < limits.ACP_QUIET_SECONDS or self._feeder.expects_logs

    def _settle(self) -> None:
        self._feeder.take(self._conversation.settle())
        self._feeder.flush()

    def _finish(self) -> None:
        """Stores what is left, also of sessions whose own log is still expected."""
        last: list[Happening] = self._conversation.end()
        self._guarded(lambda: self._feeder.take(last))
        self._guarded(self._feeder.flush)
        self._guarded(partial(self._asides.look, is_over=True))
        end = threading.Event()
        for _ in range(int(limits.ACP_LOG_SECONDS / _TICK_SECONDS)):
            self._guarded(self._feeder.look)
            if not self._feeder.expects_logs:
                break
            end.wait(_TICK_SECONDS)
        self._guarded(lambda: self._feeder.look(is_over=True))
        if self._own.is_wanted and self._feeder.reads_logs:
            # A reader emits the last message when its log is quiet.
            end.wait(limits.LOG_SETTLE_SECONDS + _TICK_SECONDS)
        self._summarise()

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - see the module
            self._defects[f"defect {type(error).__name__}"] += 1

    def _summarise(self) -> None:
        """Reports what was left out, without any of its text."""
        problems = self._conversation.problems + self._feeder.problems + self._defects
        for one in self._lines.values():
            problems += one.problems
        if problems:
            shown = ", ".join(f"{count} × {name}" for name, count in problems.most_common(8))
            report(f"left out of {self._messages} messages: {shown}")

    def _notify(self, session: str, sentence: str, *, is_failure: bool) -> None:
        if self._conversation.shows_notices:
            notice = {"severity": "error" if is_failure else "info", "title": "Kato", "description": sentence}
            self._show(_update(session, sessionUpdate="notice", **notice))
        else:
            # A message of its own: the client must not join it with what the agent says before or after it.
            text = {"type": "text", "text": f"\n\nKato: {sentence}\n\n"}
            message_id = f"kato-{os.urandom(8).hex()}"
            line = _update(session, sessionUpdate="agent_message_chunk", messageId=message_id, content=text)
            self._asides.say(session, line)

    def _show(self, line: bytes) -> None:
        with suppress(OSError):
            self._write(line)


def _update(session: str, **update: Any) -> bytes:
    params = {"sessionId": session, "update": update}
    return dumps({"jsonrpc": "2.0", "method": "session/update", "params": params}) + b"\n"


def _read(pieces: "queue.Queue[bytes | None]") -> None:
    with suppress(OSError):
        while data := os.read(0, PIECE_BYTES_MAX):
            pieces.put(data)
    pieces.put(None)


def report(sentence: str) -> None:
    """Shows a sentence on stderr, which editors show in a log of the agent."""
    with suppress(OSError):
        os.write(2, f"kato acp: {printable(sentence)}\n".encode(errors="replace"))
