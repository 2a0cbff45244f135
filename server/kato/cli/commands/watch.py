"""`kato watch`: Kato in a terminal, for any editor or none, with a live view.

It runs the same `Runtime` as the language server. The user is notified in the view.
"""

import argparse
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from kato.app import process
from kato.app.runtime import Hooks, Runtime
from kato.cli import options, tables
from kato.cli.fitting import Fitted
from kato.cli.screen import Screen, shown_path, words
from kato.core.errors import EXIT_BUDGET, EXIT_OK, BudgetExceeded, CommandRefused
from kato.core.notices import Notice, Severity
from kato.core.outcomes import CommandOutcome
from kato.core.settings import Settings

_MESSAGES_MAX: Final = 12
#: Those of half a second, where each message is printed.
_UNPRINTED_MAX: Final = 1000
_SESSIONS_MAX: Final = 20
_REFRESH_SECONDS: Final = 0.5
_MARKS: Final[Mapping[Severity, str]] = {"error": "✘", "warning": "!", "info": "·"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Shows memory, sessions and recordings while it runs; Ctrl+C ends it. Other windows and servers may run meanwhile. Notes go "
        "to a conversation's own folder, without a path to the folder notes in it, and to those that the settings allow.",
        "kato watch ~/work/project",
    )
    parser.add_argument(
        "folder",
        nargs="*",
        metavar="FOLDER",
        help="follow only the conversations of these folders, instead of all",
    )
    options.add_state_dir(parser)
    options.add_memory_limit(parser)


def run(arguments: argparse.Namespace) -> int:
    """Follows the session logs until the user interrupts it. Raises CommandRefused for a folder that does not exist."""
    process.tame_allocator()
    folders = [str(Path(options.absolute(folder)).resolve()) for folder in arguments.folder]
    for folder in folders:
        if not Path(folder).is_dir():
            raise CommandRefused(f"{folder} is not a folder; name a folder that exists")
    return Watch(options.settings(arguments), os.environ, folders, Screen()).run()


class Watch:
    """Runs until the user interrupts it. `run` returns the exit code."""

    def __init__(
        self, chosen: Settings, environment: Mapping[str, str], folders: Sequence[str], screen: Screen
    ) -> None:
        self._settings = chosen
        self._folders = list(folders)
        self._screen = screen
        self._is_live = screen.is_terminal and not screen.is_dumb_terminal
        self._messages: deque[Text] = deque(maxlen=_MESSAGES_MAX if self._is_live else _UNPRINTED_MAX)
        self._has_news = True
        self._fatal: BudgetExceeded | None = None
        hooks = Hooks(end=self._end, over_budget=self._end_over_budget, after_beat=self.changed)
        # A user who interrupts it has seen enough: that is not a failure.
        self._runtime = Runtime(hooks, environment, signal_code=EXIT_OK)

    def run(self) -> int:
        """Follows the session logs until Ctrl+C."""
        code = self._runtime.run(self._show)
        if self._fatal is not None:
            self._screen.print(words(self._fatal.message, style="red"))
        return code

    async def _show(self) -> None:
        runtime = self._runtime
        # Who follows all conversations has no folder open but theirs.
        runtime.open(self._settings, self._folders, self, opens_session_folders=not self._folders)
        if runtime.assembly.recovery is not None:
            self.notify(Notice("journal_recovered", "warning", runtime.assembly.recovery))
        runtime.start()
        if self._is_live:
            await self._show_live()
        else:
            await self._show_lines()

    async def _show_live(self) -> None:
        with Live(console=self._screen, auto_refresh=False, transient=False) as live:
            while not self._runtime.is_ending:
                if self._has_news:
                    self._has_news = False
                    live.update(self._view(), refresh=True)
                await self._runtime.wait(_REFRESH_SECONDS)

    async def _show_lines(self) -> None:
        """In a file or a pipe: each message when it comes, and the view at the end."""
        self._screen.print(self._head())
        status = self._status()
        while not self._runtime.is_ending:
            if self._has_news:
                self._has_news = False
                status = self._status()
            self._print_messages()
            await self._runtime.wait(_REFRESH_SECONDS)
        self._print_messages()
        self._screen.print(tables.status_tables(status))

    def _print_messages(self) -> None:
        while self._messages:
            self._screen.print(self._messages.popleft())
        self._screen.file.flush()

    def _end(self, code: int) -> None:
        self._runtime.finish(code)

    def _end_over_budget(self, error: BudgetExceeded) -> None:
        self._fatal = error
        self._runtime.finish(EXIT_BUDGET)

    def _status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = msgspec.to_builtins(self._runtime.engine.status(limit=_SESSIONS_MAX))
        return status

    def _head(self) -> Text:
        where = ", ".join(map(shown_path, self._folders)) if self._folders else "all folders"
        return words(
            f"Watching the conversations of {where}. Type ::capture in a chat; Ctrl+C ends.", style="dim"
        )

    def _view(self) -> RenderableType:
        head, status = self._head(), self._status()
        return Fitted(
            Group(head, tables.status_tables(status)),
            Group(head, tables.status_tables(status, is_short=True)),
            list(self._messages),
        )

    # --- What the engine reports (Listener) -------------------------------------------------------------

    def changed(self) -> None:
        """The view is drawn again soon."""
        self._has_news = True

    def executed(self, outcome: CommandOutcome) -> None:
        """Shows a command that ran. The engine notifies the user of one that failed."""
        if outcome.status == "error":
            return
        path = "" if outcome.output_path is msgspec.UNSET else outcome.output_path
        shown = shown_path(path) if path else ""
        about = "" if outcome.message is msgspec.UNSET else outcome.message
        done = f"::{outcome.command} {shown}".rstrip()
        self._add("✔", f"{done}: {about}" if about else done)

    def notify(self, notice: Notice) -> None:
        """Shows a notice."""
        self._add(_MARKS[notice.severity], notice.message)

    def _add(self, mark: str, message: str) -> None:
        self._messages.append(words(f"{mark} {message}"))
        self._has_news = True
