"""A Kato in the observer's process, for a folder that no running Kato has open: what `kato watch` runs, without its view.

Two threads use it. The main thread runs it (`run`), because signals and the event loop are there; the thread that reads the
conversation asks it (`ask`), which starts it.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from typing import Any, Final

from kato.app import process
from kato.app.runtime import Hooks, Runtime
from kato.core.errors import EXIT_BUDGET, EXIT_OK, BudgetExceeded
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.core.settings import Settings

Json = Mapping[str, Any]
_START_SECONDS: Final = 60.0


class OwnRuntime:
    """See the module. `settings` are those of `kato watch`, `report` gets what the user should know, `started_at` is when the
    observer began: what was typed since is live.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        folders: Sequence[str],
        report: Callable[[str], None],
        *,
        started_at: int,
    ) -> None:
        self._settings = settings
        self._folders = list(folders)
        self._report = report
        self._runtime = Runtime(Hooks(end=self._end, over_budget=self._end_over_budget), environment)
        self._runtime.started_at = started_at
        self._is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def socket(self) -> str | None:
        """The path of its socket."""
        return self._runtime.socket

    # --- The main thread --------------------------------------------------------------------------------

    def run(self) -> int:
        """Runs until `end`, or a signal. Raises KatoError."""
        process.tame_allocator()
        try:
            return self._runtime.run(self._main)
        finally:
            self._loop = None
            self._is_ready.set()

    async def _main(self) -> None:
        self._runtime.open(self._settings, self._folders, self)
        self._runtime.start()
        self._loop = asyncio.get_running_loop()
        self._is_ready.set()

    def _end(self, code: int) -> None:
        self._runtime.finish(code)

    def _end_over_budget(self, error: BudgetExceeded) -> None:
        self._report(error.message)
        self._runtime.finish(EXIT_BUDGET)

    # --- The other thread -------------------------------------------------------------------------------

    def follow(self, folders: Sequence[str]) -> None:
        """These folders are open from now on, too."""
        new = [folder for folder in folders if folder not in self._folders]
        if not new:
            return
        self._folders += new
        if self._is_ready.is_set() and self._loop is not None:
            self._loop.call_soon_threadsafe(self._apply, list(self._folders))

    def _apply(self, folders: Sequence[str]) -> None:
        if not self._runtime.is_ending:
            self._runtime.apply(self._settings, folders)
            self._runtime.follow_logs()

    def ask(self, request: Json, seconds: float) -> Json | None:
        """The answer; None if there is none in time."""
        self._is_ready.wait(_START_SECONDS)
        loop, chat = self._loop, self._runtime.chat
        if loop is None or chat is None:
            return None
        try:
            answer = asyncio.run_coroutine_threadsafe(_answer(chat.answer, request), loop)
            return answer.result(seconds)
        except (RuntimeError, NoAnswer, CancelledError):  # it ends, or is busy
            return None

    def end(self) -> None:
        """Ends it."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end, EXIT_OK)

    # --- What the engine reports (Listener) -------------------------------------------------------------

    def changed(self) -> None:
        """Shows nothing."""

    def executed(self, outcome: CommandOutcome) -> None:
        """The chat shows it."""

    def notify(self, notice: Notice) -> None:
        """Shows what goes wrong; the chat shows what became of a command."""
        if notice.severity != "info" and notice.kind not in ("command_failed", "command_not_run"):
            self._report(notice.message)


async def _answer(answer: Callable[[Json], Any], request: Json) -> Json:
    found: Json = await answer(request)
    return found
