"""`kato mcp`: the MCP server on stdin and stdout, and its registration with assistants."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kato import __version__
from kato.core.errors import EXIT_OK, JournalUnavailable

if TYPE_CHECKING:
    from kato.channels.mcp.archive import Archive

StateDir = Callable[[argparse.Namespace], Path]
_NAMES = ("claude", "codex", "gemini", "copilot", "vscode", "cursor")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", state_dir: StateDir) -> None:
    """Adds `mcp`. `state_dir` gives the state folder that the settings name."""
    from kato.cli import configuring  # noqa: PLC0415

    mcp = commands.add_parser(
        "mcp",
        help="let assistants search and read your conversations (MCP on stdin and stdout)",
        description="Serves the Model Context Protocol on stdin and stdout: an assistant can search, list and read the"
        " conversations of the folder that it runs in, and capture one to a note. Example: kato mcp install claude --dry-run",
    )
    mcp.add_argument("--state-dir", help="where the journal is")
    mcp.add_argument(
        "--everywhere", action="store_true", help="conversations of all folders, not only of the current one"
    )
    mcp.set_defaults(run=partial(_serve, state_dir=state_dir))
    actions = mcp.add_subparsers(metavar="action")
    for name, parser in configuring.add_actions(actions, "Kato's MCP server", _NAMES).items():
        parser.set_defaults(run=_configure, action=name)
    everywhere = actions.choices["install"]
    everywhere.add_argument(
        "--everywhere", action="store_true", help="let it read conversations of all folders"
    )


def _serve(arguments: argparse.Namespace, state_dir: StateDir) -> int:
    from kato.app import config  # noqa: PLC0415
    from kato.channels.mcp import stdio  # noqa: PLC0415
    from kato.channels.mcp.control import SocketControl  # noqa: PLC0415
    from kato.channels.mcp.protocol import Protocol  # noqa: PLC0415
    from kato.channels.mcp.tools import INSTRUCTIONS, Tools, nonce  # noqa: PLC0415

    config.log_to_stderr()
    here = str(Path.cwd())
    scope = None if arguments.everywhere else here
    archive = partial(_archive, partial(state_dir, arguments), scope)
    tools = Tools(archive, SocketControl(os.environ), folder=here, nonce=nonce)
    stdio.serve(Protocol(tools.toolbox(), version=__version__, instructions=INSTRUCTIONS).answer)
    return EXIT_OK


@contextmanager
def _archive(find_state_dir: Callable[[], Path], scope: str | None) -> "Iterator[Archive]":
    """The journal for one call: between calls nothing is open, so that `kato clean` finds it free. The settings are read with the
    first call, which the client does not wait for at its start.
    """
    from kato.channels.mcp.archive import Archive, stream_search  # noqa: PLC0415
    from kato.storage.journal import FILE_NAME, Journal  # noqa: PLC0415

    state_dir = find_state_dir()
    path = state_dir / FILE_NAME
    if not path.exists():
        raise JournalUnavailable(
            f"no conversation is stored: there is no journal {path}. Open the folder in an editor with Kato, or run `kato watch`",
            str(path),
        )
    journal = Journal.open(state_dir, now_ms=lambda: time.time_ns() // 1_000_000)
    try:
        yield Archive(journal, scope, stream_search)
    finally:
        journal.close()


def _configure(arguments: argparse.Namespace) -> int:
    from kato.channels.configuration.launcher import launcher  # noqa: PLC0415
    from kato.channels.configuration.place import Machine  # noqa: PLC0415
    from kato.channels.mcp import registration  # noqa: PLC0415
    from kato.cli import configuring  # noqa: PLC0415

    command = [*launcher(), "mcp", *(["--everywhere"] if arguments.everywhere else [])]
    places = registration.places(Machine(os.environ, Path.home(), sys.platform), command)
    chosen = configuring.chosen(places, arguments.assistant)
    if arguments.action == "status":
        return configuring.show(chosen)
    return configuring.change(chosen, arguments.action, dry_run=arguments.dry_run)
