"""`kato serve`: the language server. See `kato.lsp.server`."""

import argparse
import gc
import os
from pathlib import Path

from kato.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "An editor starts this process and ends it. Kato logs to standard error, and to <stateDir>/logs.",
        "kato serve --log-level debug",
    )
    parser.add_argument("--stdio", action="store_true", help="the default; accepted for editors that pass it")
    # vscode-languageclient passes it.
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)
    options.add_state_dir(parser)
    parser.add_argument(
        "--log-level", choices=["debug", "info", "warning", "error"], help="how much to log (logLevel)"
    )
    options.add_memory_limit(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves until the client ends the server. Returns the exit code."""
    from kato.app import process  # noqa: PLC0415

    process.leave_out_openssl()
    # The largest part of the start: what it makes stays, and collections during the rest of it need not look at it.
    import kato.lsp.protocol  # noqa: F401, PLC0415

    gc.freeze()
    from kato.app import config  # noqa: PLC0415
    from kato.lsp.server import KatoServer  # noqa: PLC0415
    from kato.system.stdout import take_stdout  # noqa: PLC0415

    process.tame_allocator()
    stdout = take_stdout()
    config.log_to_stderr()
    explicit = {
        "stateDir": None if arguments.state_dir is None else str(Path(arguments.state_dir).absolute()),
        "logLevel": arguments.log_level,
        "daemonMaxMemoryMb": arguments.max_memory_mb,
    }
    given = {key: value for key, value in explicit.items() if value is not None}
    return KatoServer(os.environ, given).run(0, stdout)
