"""`kato watch`: the server's engine in a terminal, for any editor or none, with a live view.

Rule: the same engine, the same feed; only who is told is another one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live

from kato import engine as engines
from kato.app.build import Assembly, now_ms
from kato.app.ending import Ending
from kato.cli import tables
from kato.cli.tables import Screen, words
from kato.core.errors import EXIT_BUDGET, EXIT_OK, KatoError
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.core.settings import Settings
from kato.logs.driver import LogFeed
from kato.logs.follow import LogFollower
from kato.logs.handover import storing

log = logging.getLogger("kato.watch")

_LINES_MAX: Final = 12
_REFRESH_SECONDS: Final = 0.5


class Watch:
    """Runs until it is interrupted. `run` returns the exit code."""

    def __init__(
        self, chosen: Settings, environment: Mapping[str, str], folders: Sequence[str], screen: Screen
    ) -> None:
        self._settings = chosen
        self._environment = environment
        self._folders = list(folders)
        self._screen = screen
        self._said: deque[tuple[str, str]] = deque(maxlen=_LINES_MAX)
        self._news = True
        self._ending = Ending()

    def run(self) -> int:
        """Follows the session logs until Ctrl+C."""
        try:
            return asyncio.run(self._run())
        finally:
            self._ending.close()

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def wake(code: int) -> None:
            del code  # the user ended it: that is no failure
            with suppress(RuntimeError):  # the loop ended in this moment
                loop.call_soon_threadsafe(ended.set)

        self._ending.listen(wake)
        assembly = Assembly(
            self._settings,
            listener=self,
            folders=self._folders,
            started_at=now_ms(),
            hurried=lambda: self._ending.is_wanted,
        )
        if assembly.recovery is not None:
            self.notify(Notice("journal_recovered", "warning", assembly.recovery))
        self._engine = assembly.engine
        place = discovery.surroundings(self._environment, self._folders)
        follower = LogFollower(
            roots=discovery.roots(place, self._settings.provider_session_roots),
            place=place,
            ledger=self._engine.ledger,
            store=storing(self._engine, self._engine.settle),
            make_room=self._engine.make_room,
            now_ms=now_ms,
            clock=loop.time,
        )
        feed = LogFeed(loop, intake, self._engine.commit, self._engine.note_watching)
        beat = 0.0
        try:
            self._engine.resume()
            feed.start()
            with Live(console=self._screen, auto_refresh=False, transient=False) as live:
                while not ended.is_set() and self._engine.fatal_error is None:
                    if loop.time() >= beat:
                        beat = loop.time() + self._settings.heartbeat_seconds
                        self._beat(assembly)
                        self._news = True
                    if self._engine.is_waiting:
                        self._engine.run_waiting()
                    if self._news:
                        self._news = False
                        live.update(self._view(), refresh=True)
                    try:
                        await asyncio.wait_for(ended.wait(), _REFRESH_SECONDS)
                    except asyncio.TimeoutError:
                        continue
        finally:
            fatal = self._engine.fatal_error
            self._ending.begin(EXIT_OK if fatal is None else EXIT_BUDGET)
            self._ending.finish(
                [
                    ("session logs", feed.stop),
                    ("last events", self._engine.commit),
                    ("status file", partial(assembly.write_status, running=False)),
                    ("journal", self._engine.close),
                ]
            )
        if fatal is not None:
            self._screen.print(words(fatal.message, style="red"))
        assert self._ending.code is not None
        return self._ending.code

    def _beat(self, assembly: Assembly) -> None:
        try:
            self._engine.heartbeat()
            assembly.write_status()
        except (KatoError, OSError) as error:
            log.warning("heartbeat: %s", error)

    def _append(self, request: engines.AppendRequest) -> None:
        ticket = self._engine.append(request)
        self._engine.commit()
        if ticket.error is not None:
            raise ticket.error

    def _view(self) -> RenderableType:
        status = msgspec.to_builtins(self._engine.status(limit=20))
        where = ", ".join(self._folders) if self._folders else "all folders"
        head = words(
            f"Watching the conversations of {where}. Type ::capture in a chat; Ctrl+C ends.", style="dim"
        )
        said = [words(f"{mark} {line}") for mark, line in self._said]
        return Group(head, tables.status_tables(status), *said)

    # --- What the engine tells (engine.Listener) --------------------------------------------------------

    def changed(self) -> None:
        """The view is drawn again soon."""
        self._news = True

    def executed(self, outcome: CommandOutcome) -> None:
        """A command ran."""
        if outcome.status == "error":
            return  # told as an error
        path = "" if outcome.output_path is msgspec.UNSET else outcome.output_path
        shown = tables.shown_path(path) if path else ""
        self._said.append(("✔", f"::{outcome.command} {shown}"))
        self._news = True

    def notify(self, notice: Notice) -> None:
        """Something the user must know."""
        self._said.append(({"error": "✘", "warning": "!", "info": "·"}[notice.severity], notice.message))
        self._news = True
