"""A live view that fits into the terminal, so that nothing important is cut."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

#: The part of the terminal's lines that messages may always have.
_MESSAGES_SHARE: Final = 3


class Fitted:
    """A view with messages below it, in no more lines than the terminal has. Where the full view leaves the messages too little
    room, the short one takes its place; then the oldest messages and the last lines of the view are left out. The newest
    message is always there.
    """

    def __init__(
        self, full: RenderableType, short: RenderableType, messages: Sequence[RenderableType]
    ) -> None:
        self._full = full
        self._short = short
        self._messages = messages

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich."""
        height = options.size.height

        def lines(one: RenderableType) -> list[list[Segment]]:
            return console.render_lines(one, options, pad=False)

        messages = [lines(one) for one in self._messages]
        view = lines(self._full)
        if len(view) + sum(map(len, messages)) > height:
            view = lines(self._short)
        below = _newest(messages, max(height - len(view), height // _MESSAGES_SHARE, 1))
        for line in [*view[: height - len(below)], *below]:
            yield from line
            yield Segment.line()


def _newest(messages: Sequence[list[list[Segment]]], lines_max: int) -> list[list[Segment]]:
    """The lines of the newest messages; the end of the newest one is left out where it alone has too many lines."""
    kept: list[list[Segment]] = []
    for message in reversed(messages):
        if len(message) + len(kept) > lines_max:
            return kept or message[:lines_max]
        kept = [*message, *kept]
    return kept
