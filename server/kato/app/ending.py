"""How a process ends: after a signal or when its owner wants it, step by step, within a bounded time.

    first signal, end of input, `exit` ──► begin ──► the last steps, each whatever the others raise ──► exit code
                                             └─ END_SECONDS_MAX later, if something hangs: the same exit code, as it is
    second signal ──► the system's default: the process is killed

Rule: an end that is cut off is safe. Everything acknowledged is in the journal, and the next process repairs a note that
was being written, as after `kill -9`.
"""

import _thread
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Final

from kato.core import limits
from kato.core.errors import KatoError
from kato.engine import log_defect

log = logging.getLogger("kato")

#: The signals that ask a process to end; which of them exist depends on the system.
_SIGNALS: Final = tuple(
    number
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
    if (number := getattr(signal, name, None)) is not None
)


#: A step of the end: its name for the log, and what it does.
Step = tuple[str, Callable[[], object]]


class Ending:
    """See the module. `code` is the exit code once it is decided."""

    def __init__(self) -> None:
        self.code: int | None = None
        #: True from the first sign of the end: all waits are short from then on.
        self.is_wanted = False
        self._done = threading.Event()
        self._bounded = False
        self._handlers: dict[int, object] = {}

    def listen(self, end: Callable[[int], object]) -> None:
        """Handles signals from now on: calls `end` with the signal's exit code. `end` interrupts other code and must return quickly.
        SIGHUP stays ignored where it is (nohup).
        """

        def take(number: int, frame: FrameType | None) -> None:
            del frame
            for one in self._handlers:
                signal.signal(one, signal.SIG_DFL)  # a second signal kills the process
            self.is_wanted = True
            self._bound(128 + number)
            end(128 + number)

        for number in _SIGNALS:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue
            with suppress(ValueError):  # not the main thread: Python lets no other one handle signals
                self._handlers[number] = signal.signal(number, take)

    def begin(self, code: int) -> bool:
        """Decides the exit code. True for the first call, which counts."""
        if self.code is not None:
            return False
        self.code, self.is_wanted = code, True
        self._bound(code)
        return True

    def finish(self, steps: Sequence[Step]) -> None:
        """Runs the last steps in order. Logs what one raises, and runs the others."""
        for name, step in steps:
            try:
                step()
            except (KatoError, OSError) as error:
                reason = error.message if isinstance(error, KatoError) else error.strerror
                log.error("at the end, %s: %s", name, reason or type(error).__name__)
            except Exception as error:  # noqa: BLE001 - the process ends, whatever it is
                log_defect(log, f"at the end, {name}", error)

    def close(self) -> None:
        """Stops the timer of the end, and handles signals as before `listen`."""
        self._done.set()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _bound(self, code: int) -> None:
        if not self._bounded:
            self._bounded = True
            # Not `threading`: a signal can interrupt this thread while it holds a lock of that module.
            _thread.start_new_thread(self._cut_off, (code,))

    def _cut_off(self, code: int) -> None:
        if not self._done.wait(limits.END_SECONDS_MAX):
            with suppress(OSError):
                os.write(2, b"kato: the end took too long and was cut off\n")
            os._exit(code if self.code is None else self.code)
