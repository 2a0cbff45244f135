"""`kato watch`: Kato in a terminal, for any editor or none, with a live view.

It runs the same `Runtime` as the language server. The user is notified in the view.
"""

import argparse
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live

from kato.app import process
from kato.app.runtime import Hooks, Runtime
from kato.cli import options, tables
from kato.cli.screen import Screen, shown_path, words
from kato.core.errors import EXIT_BUDGET, EXIT_OK, BudgetExceeded, CommandRefused
from kato.core.notices import Notice, Severity
from kato.core.outcomes import CommandOutcome
from kato.core.settings import Settings

_MESSAGES_MAX: Final = 12
_SESSIONS_MAX: Final = 20
_REFRESH_SECONDS: Final = 0.5
_MARKS: Final[Mapping[Severity, str]] = {"error": "✘", "warning": "!", "info": "·"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Shows memory, sessions and recordings while it runs; Ctrl+C ends it. Other windows and servers may run meanwhile. Notes go "
        "to a conversation's own folder, and to those that the settings allow.",
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
        self._messages: deque[tuple[str, str]] = deque(maxlen=_MESSAGES_MAX)
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
        with Live(console=self._screen, auto_refresh=False, transient=False) as live:
            while not runtime.is_ending:
                if self._has_news:
                    self._has_news = False
                    live.update(self._view(), refresh=True)
                await runtime.wait(_REFRESH_SECONDS)

    def _end(self, code: int) -> None:
        self._runtime.finish(code)

    def _end_over_budget(self, error: BudgetExceeded) -> None:
        self._fatal = error
        self._runtime.finish(EXIT_BUDGET)

    def _view(self) -> RenderableType:
        status = msgspec.to_builtins(self._runtime.engine.status(limit=_SESSIONS_MAX))
        where = ", ".join(self._folders) if self._folders else "all folders"
        head = words(
            f"Watching the conversations of {where}. Type ::capture in a chat; Ctrl+C ends.", style="dim"
        )
        messages = [words(f"{mark} {message}") for mark, message in self._messages]
        return Group(head, tables.status_tables(status), *messages)

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
        self._messages.append(("✔", f"::{outcome.command} {shown} {about}".rstrip()))
        self._has_news = True

    def notify(self, notice: Notice) -> None:
        """Shows a notice."""
        self._messages.append((_MARKS[notice.severity], notice.message))
        self._has_news = True
