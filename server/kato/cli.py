"""The command line: arguments, wiring, the terminal's tables.

Rule: `serve` loads nothing that only the other commands need; each command is a function of its parsed arguments.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato import __version__
from kato.errors import EXIT_CONFIG, EXIT_OK, KatoError, SettingsInvalid

if TYPE_CHECKING:
    from rich.console import RenderableType

EXIT_FAILED: Final = 1


def run(arguments: Sequence[str]) -> int:
    """Parses and runs; errors for the user are one line on stderr."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except SettingsInvalid as error:
        print(f"kato: {error.message}", file=sys.stderr)  # noqa: T201
        return EXIT_CONFIG
    except KatoError as error:
        print(f"kato: {error.message}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kato", description="Own your AI conversations: a language server that records them into notes."
    )
    parser.add_argument("--version", action="version", version=f"kato {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    serve = commands.add_parser("serve", help="speak LSP on stdin and stdout (started by the editor)")
    serve.add_argument("--stdio", action="store_true", help="the default; accepted for editors that pass it")
    serve.add_argument(
        "--clientProcessId", type=int, help=argparse.SUPPRESS
    )  # vscode-languageclient passes it
    serve.add_argument("--state-dir", help="where journal, recordings and logs lie")
    serve.add_argument("--log-level", choices=["debug", "info", "warning", "error"])
    serve.add_argument("--max-memory-mb", type=int, help="daemonMaxMemoryMb")
    serve.set_defaults(run=_serve)

    status = commands.add_parser("status", help="show every server of this user")
    status.add_argument("--json", action="store_true", help="the same data as JSON")
    status.add_argument("--watch", action="store_true", help="refresh until interrupted")
    status.add_argument("--state-dir")
    status.set_defaults(run=_status)

    demo = commands.add_parser(
        "demo", help="play a conversation through a real server and show what comes of it"
    )
    demo.add_argument(
        "--events", type=Path, help="a file of events, one JSON a line, instead of the bundled one"
    )
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="where the note and the state go")
    demo.set_defaults(run=_demo)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from kato import config  # noqa: PLC0415
    from kato.server import KatoServer  # noqa: PLC0415
    from kato.transport import take_stdout  # noqa: PLC0415

    stdout = take_stdout()
    config.log_to_stderr()
    explicit = {
        "stateDir": None if arguments.state_dir is None else str(Path(arguments.state_dir).absolute()),
        "logLevel": arguments.log_level,
        "daemonMaxMemoryMb": arguments.max_memory_mb,
    }
    given = {key: value for key, value in explicit.items() if value is not None}
    return KatoServer(os.environ, given).run(0, stdout)


def _status(arguments: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    folder = _state_dir(arguments)
    if not arguments.watch:
        _print_status(folder, as_json=arguments.json)
        return EXIT_OK
    with Live(console=Console(), auto_refresh=False, screen=False) as live:
        while True:
            live.update(_status_view(_servers(folder)), refresh=True)
            time.sleep(1)


def _state_dir(arguments: argparse.Namespace) -> Path:
    from kato import config, settings  # noqa: PLC0415

    if arguments.state_dir is not None:
        return Path(arguments.state_dir)
    file, name = config.load_config(os.environ)
    resolved = settings.resolve(explicit=None, environment=os.environ, file=file, file_name=name)
    return config.state_dir(resolved.state_dir)


def _servers(folder: Path) -> list[dict[str, Any]]:
    from kato import process, statusfiles  # noqa: PLC0415

    return statusfiles.read_all(folder, is_running=process.is_running)


def _print_status(folder: Path, *, as_json: bool) -> None:
    import orjson  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    servers = _servers(folder)
    if as_json:
        print(orjson.dumps({"servers": servers}, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
        return
    Console().print(_status_view(servers))


def _status_view(servers: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415

    from kato import display  # noqa: PLC0415

    if not servers:
        return "No Kato server is running."
    return Group(*(display.status_tables(server) for server in servers))


def _demo(arguments: argparse.Namespace) -> int:
    from kato import demo  # noqa: PLC0415

    return demo.run(arguments.events, arguments.out)
