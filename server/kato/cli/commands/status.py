"""`kato status`: what every running server of this user holds, from the status files."""

import argparse
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from kato.cli import options, terminal
from kato.core.errors import EXIT_OK

if TYPE_CHECKING:
    from rich.console import RenderableType

_REFRESH_SECONDS: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Reads what the servers wrote at their last heartbeat; asks no server and starts none.",
        "kato status --watch",
    )
    form = parser.add_mutually_exclusive_group()
    options.add_json(form)
    form.add_argument("--watch", action="store_true", help="refresh every second until Ctrl+C")
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Shows the status once, or until the user interrupts it."""
    folder = options.state_dir(arguments)
    if arguments.json:
        terminal.print_json({"servers": options.running_servers(folder)})
        return EXIT_OK
    from rich.live import Live  # noqa: PLC0415

    from kato.cli.screen import Screen  # noqa: PLC0415

    if not arguments.watch:
        Screen().print(_view(options.running_servers(folder)))
        return EXIT_OK
    screen = Screen()
    with (
        Live(console=screen, auto_refresh=False, screen=False)
        if screen.is_terminal
        else nullcontext() as live
    ):
        while True:
            view = _view(options.running_servers(folder))
            with terminal.uninterrupted():
                if live is None:  # in a pipe or a file, one status follows the other
                    screen.print(view)
                else:
                    live.update(view, refresh=True)
            time.sleep(_REFRESH_SECONDS)


def _view(servers: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415

    from kato.cli import tables  # noqa: PLC0415

    if not servers:
        return "No Kato server is running."
    return Group(*(tables.status_tables(server) for server in servers))
