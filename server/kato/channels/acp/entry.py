"""`kato acp -- AGENT…`: an editor runs it in place of the agent.

    client ◄──► this process ◄──► agent
                     │ ▲
              a copy ▼ │ lines for the client
                  observer: another process, which may be slow, fail or end

Rules:

- It behaves as the agent would: the same bytes, the agent's exit code, signals are passed on, its stderr is the agent's.
- The agent's environment gets one variable more, which silences hooks.
- It imports next to nothing before the agent runs.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import IO, Final, NamedTuple

from kato.channels import BEHIND_ACP
from kato.channels.acp.pump import Injection, Inward, Outward, Tap, copy

#: The exit codes of a shell for a command that cannot be run, or does not exist.
EXIT_NOT_RUNNABLE: Final = 126
EXIT_NOT_FOUND: Final = 127
_SIGNALED: Final = 128

#: How long the agent may go on after the client is gone; then it is ended, and after as long killed.
_GRACE_SECONDS: Final = 3.0
#: How long the output of an agent that ended may be silent while another process holds it open.
_QUIET_SECONDS: Final = 1.0
#: How long the process waits at its end for the observer, which may need longer and then goes on alone.
_OBSERVER_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.5
_PASSED_ON: Final = ("SIGTERM", "SIGINT", "SIGHUP")


class Started(NamedTuple):
    """What the command line asks for."""

    agent: list[str]
    state_dir: str | None = None


def parse(arguments: Sequence[str]) -> Started | None:
    """The arguments of `kato acp`; None for those that only the full parser explains (`--help`, a mistake)."""
    state_dir: str | None = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return Started(rest, state_dir) if rest else None
        if word.startswith("--state-dir="):
            state_dir = word.partition("=")[2]
        elif word == "--state-dir" and rest and rest[0] != "--":
            state_dir = rest.pop(0)
        else:
            return None
    return None


def run(started: Started) -> int:
    """Runs the agent until it ends. Returns its exit code; 128 + the number of the signal that ended it."""
    signals = _Signals()
    try:
        agent = subprocess.Popen(  # noqa: S603 - the user's own agent
            started.agent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, BEHIND_ACP: "1"},
        )
    except OSError as error:
        _print(
            f"{started.agent[0]} cannot be started: {error.strerror}; name a command that starts an ACP agent"
        )
        return EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else EXIT_NOT_RUNNABLE
    signals.pass_on_to(agent)
    _make_binary()
    observer = _start_observer(started)
    code = _connect(agent, observer, signals)
    return code if code >= 0 else _SIGNALED - code


def _connect(
    agent: "subprocess.Popen[bytes]", observer: "subprocess.Popen[bytes] | None", signals: "_Signals"
) -> int:
    end = _End(agent)
    tap = Tap(_detached(observer.stdin) if observer else None, _report)
    outward = Outward(_detached(agent.stdout), 1, tap, on_gone=end.client_is_gone)
    inward = Inward(0, _detached(agent.stdin), tap, on_end=end.client_sends_no_more)
    threads = [outward.thread, inward.thread]
    errors: threading.Thread | None = None
    if observer is not None:
        errors = threading.Thread(target=copy, args=(_detached(observer.stderr), 2), daemon=True)
        threads += [tap.thread, Injection(_detached(observer.stdout), outward.inject).thread, errors]
    for thread in threads:
        thread.start()
    code = agent.wait()
    signals.end_here()
    outward.wait(_QUIET_SECONDS)
    outward.close()
    tap.end()
    if observer is not None and errors is not None:
        with suppress(subprocess.TimeoutExpired):
            observer.wait(_OBSERVER_SECONDS)
            errors.join(_LOOK_SECONDS)
    if tap.dropped:
        _print(f"{tap.dropped} bytes of this conversation were not recorded")
    return code


class _Signals:
    """Passes signals on to the agent, also those that came before it ran."""

    def __init__(self) -> None:
        self._agent: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._handled: list[int] = []
        for name in _PASSED_ON:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._take)
                self._handled.append(number)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._agent is None:
            self._early.append(number)
        else:
            with suppress(OSError, ValueError):  # it ended; Windows does not know all of them
                self._agent.send_signal(number)

    def pass_on_to(self, agent: "subprocess.Popen[bytes]") -> None:
        """The agent runs."""
        self._agent = agent
        for number in self._early:
            self._take(number, None)

    def end_here(self) -> None:
        """The agent ended: from here on, a signal ends this process."""
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)


class _End:
    """Ends an agent that goes on although its client is gone: it gets the time to end by itself first."""

    def __init__(self, agent: "subprocess.Popen[bytes]") -> None:
        self._agent = agent
        self._once = threading.Lock()

    def client_sends_no_more(self) -> None:
        """The client closed its output. It may still read, for as long as the agent answers."""
        while not _is_reader_gone(1):
            time.sleep(_LOOK_SECONDS)
        self.client_is_gone()

    def client_is_gone(self) -> None:
        """The client reads no more."""
        if not self._once.acquire(blocking=False):
            return
        time.sleep(_GRACE_SECONDS)
        with suppress(OSError):
            self._agent.terminate()
        time.sleep(_GRACE_SECONDS)
        with suppress(OSError):
            self._agent.kill()


def _is_reader_gone(descriptor: int) -> bool:
    """Whether the other end of a pipe was closed. Where the system cannot say it, the next write finds out."""
    try:
        import select  # noqa: PLC0415 - after the agent's start

        poll = select.poll()
        poll.register(descriptor, 0)
        return bool(poll.poll(0))
    except (AttributeError, OSError):
        return False


def _start_observer(started: Started) -> "subprocess.Popen[bytes] | None":
    """The observer, in a session of its own: what ends this process and its group must not keep it from storing the rest."""
    from kato.channels.configuration.launcher import launcher  # noqa: PLC0415 - after the agent's start

    options = [] if started.state_dir is None else ["--state-dir", started.state_dir]
    command = [*launcher(), "acp", "--observe", *options, "--", *started.agent]
    try:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A client may wait until stderr is closed, which must not depend on the observer.
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        _report(f"its recorder cannot be started ({error.strerror}), so this conversation is not recorded")
        return None


def _detached(stream: IO[bytes] | None) -> int:
    """A private descriptor of a pipe, which one thread closes."""
    assert stream is not None
    descriptor = os.dup(stream.fileno())
    stream.close()
    return descriptor


def _make_binary() -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only Windows has it

        for descriptor in (0, 1):
            msvcrt.setmode(descriptor, os.O_BINARY)


def _report(reason: str) -> None:
    _print(f"{reason}; the editor and the agent go on as before")


def _print(message: str) -> None:
    with suppress(OSError):
        os.write(2, f"kato acp: {message}\n".encode(errors="replace"))
