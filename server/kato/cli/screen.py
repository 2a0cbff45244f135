"""The screen, and how figures, paths and ages are written on it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from kato.core import limits
from kato.core.text import printable

#: In a file or a pipe no line is cut or wrapped.
_PIPE_WIDTH: Final = 1_000_000


class Screen(Console):
    """A console that prints texts as they are: no markup, and no control character but rich's own. `wraps`: lines are as wide as
    a terminal's also in a file or a pipe.
    """

    def __init__(self, *, stderr: bool = False, wraps: bool = False) -> None:
        super().__init__(markup=False, highlight=False, emoji=False, stderr=stderr)
        if not wraps and not self.is_terminal:
            self.width = _PIPE_WIDTH

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What every text passes on its way out, that in tables' cells before it is cut to its column."""
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                yield Segment(printable(segment.text, keep="\n"), segment.style)
            else:
                yield segment

    def on_broken_pipe(self) -> None:
        """The reader of the output closed it: `cli.run` ends the command."""
        self.quiet = True
        raise BrokenPipeError


def words(text: str, style: str = "") -> Text:
    """A text of others in one line."""
    return Text(printable(text, chars_max=limits.MESSAGE_CHARS_MAX), style=style)


def mb(count: int) -> str:
    """`63.4 MB`; small figures in kB."""
    return f"{count / limits.MIB:,.1f} MB" if count >= limits.MIB // 10 else f"{count / limits.KIB:,.1f} kB"


def shown_path(path: str) -> str:
    """A path as people write it: `~` for the user's home folder."""
    home = str(Path.home())
    inside = path == home or path.startswith(home.rstrip(os.sep) + os.sep)
    return f"~{path[len(home.rstrip(os.sep)) :]}" if inside else path
