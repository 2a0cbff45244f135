"""A bar on standard error for what takes longer than a second, where standard error is a terminal.

Rules: what ends sooner draws nothing and loads nothing. While a bar is shown, nothing else may be written to the same terminal
except on standard error, which rich prints above the bar.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

_PATIENCE_SECONDS: Final = 1.0

Unit = Literal["things", "bytes"]


class Bar:
    """How far the work is. `total` is None while it is not known how much there is."""

    def __init__(self, description: str, total: int | None, unit: Unit) -> None:
        self._description = description
        self._unit = unit
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._shown: tuple[Progress, TaskID] | None = None
        self._is_over = False

    def advance(self, count: int = 1) -> None:
        """Counts what was done since the last call."""
        self.update(self._done + count)

    def update(self, done: int, total: int | None = None) -> None:
        """Sets how much was done, and how much there is if that is known now."""
        with self._lock:
            self._done = done
            self._total = self._total if total is None else total
            if self._shown is not None:
                progress, task = self._shown
                progress.update(task, completed=self._done, total=self._total)

    def show(self) -> None:
        """Draws the bar from now on, in a thread of rich."""
        from rich.progress import Progress  # noqa: PLC0415 - only for what takes long

        from kato.cli.screen import Screen  # noqa: PLC0415

        with self._lock:
            if self._is_over:
                return
            progress = Progress(
                *self._columns(), console=Screen(stderr=True), transient=True, redirect_stdout=False
            )
            task = progress.add_task(self._description, total=self._total, completed=self._done)
            progress.start()
            self._shown = progress, task

    def end(self) -> None:
        """Removes the bar."""
        with self._lock:
            self._is_over = True
            if self._shown is not None:
                self._shown[0].stop()

    def _columns(self) -> "list[ProgressColumn]":
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        start: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn()]
        if self._total is None:
            return [*start, TimeElapsedColumn()]
        amount = DownloadColumn() if self._unit == "bytes" else MofNCompleteColumn()
        return [*start, amount, TimeRemainingColumn()]


@contextmanager
def shown(description: str, total: int | None = None, unit: Unit = "things") -> Iterator[Bar]:
    """A bar for the block, if it takes longer than a second."""
    bar = Bar(description, total, unit)
    if sys.stderr is None or not sys.stderr.isatty():
        yield bar
        return
    timer = threading.Timer(_PATIENCE_SECONDS, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar
    finally:
        timer.cancel()
        bar.end()
