"""`kato mcp`: the MCP server on standard input and output, and its registration with assistants.

Rule: the server starts without SQLite and the settings; both are loaded with the first call of a tool.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kato import __version__
from kato.cli import options
from kato.core.errors import EXIT_OK, JournalUnavailable
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.channels.mcp.archive import Archive
    from kato.core.settings import Settings

_NAMES: Final = ("claude", "codex", "gemini", "copilot", "vscode", "cursor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    from kato.cli import configuring  # noqa: PLC0415 - see the module

    options.describe(
        parser,
        "Without an action, serves the Model Context Protocol on standard input and output: an assistant can search, list and read "
        "the conversations of the folder that it runs in, and capture one to a note. An action registers this server with your "
        "assistants.",
        "kato mcp install claude --dry-run",
        "kato mcp status",
    )
    options.add_state_dir(parser)
    parser.add_argument(
        "--everywhere", action="store_true", help="serve conversations of all folders, not only of this one"
    )
    parser.set_defaults(action="serve")
    actions = parser.add_subparsers(metavar="ACTION")
    parsers = configuring.add_actions(actions, "mcp", "Kato's MCP server", _NAMES)
    parsers["install"].add_argument(
        "--everywhere", action="store_true", help="let it read conversations of all folders"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serves until the client closes standard input, or runs the action."""
    return _serve(arguments) if arguments.action == "serve" else _configure(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from kato.app import config  # noqa: PLC0415
    from kato.channels.mcp import stdio  # noqa: PLC0415
    from kato.channels.mcp.control import SocketControl  # noqa: PLC0415
    from kato.channels.mcp.protocol import Protocol  # noqa: PLC0415
    from kato.channels.mcp.tools import INSTRUCTIONS, Tools, nonce  # noqa: PLC0415

    config.log_to_stderr()
    here = str(Path.cwd())
    scope = None if arguments.everywhere else here
    archive = partial(_archive, partial(options.settings, arguments), scope)
    tools = Tools(archive, SocketControl(os.environ), folder=here, nonce=nonce)
    stdio.serve(Protocol(tools.toolbox(), version=__version__, instructions=INSTRUCTIONS).answer)
    return EXIT_OK


@contextmanager
def _archive(find_settings: "Callable[[], Settings]", scope: str | None) -> "Iterator[Archive]":
    """The journal and the search index for one call. Raises KatoError.

    Both are closed between calls, so that `kato clean` can rewrite them.
    """
    from kato.app import config  # noqa: PLC0415
    from kato.channels.mcp.archive import Archive  # noqa: PLC0415
    from kato.storage.journal import FILE_NAME, Journal  # noqa: PLC0415
    from kato.storage.search import Indexer  # noqa: PLC0415

    chosen = find_settings()
    state_dir = config.state_dir(chosen.state_dir)
    path = state_dir / FILE_NAME
    if not path.exists():
        raise JournalUnavailable(
            f"the journal {path} does not exist, so no conversation is stored yet. Open the folder in an editor with Kato, or run `kato watch`",
            str(path),
        )
    journal = Journal.open(state_dir, now_ms=now_ms)
    index = Indexer(state_dir)
    try:
        yield Archive(journal, scope, index, _mask(chosen))
    finally:
        index.close()
        journal.close()


def _mask(chosen: "Settings") -> Callable[[str], str]:
    """What masks the secrets of a text, as these settings want it in notes."""
    from kato.notes import redaction  # noqa: PLC0415

    return (lambda text: redaction.masked(text)[0]) if chosen.notes_redact_secrets == "mask" else str


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
