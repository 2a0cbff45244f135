"""The command line: arguments, wiring, the terminal's tables.

Rule: `serve` loads nothing that only the other commands need; each command is a function of its parsed arguments.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato import __version__
from kato.errors import (
    EXIT_CONFIG,
    EXIT_OK,
    CommandRefused,
    JournalUnavailable,
    KatoError,
    SettingsInvalid,
    UnknownSession,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kato.journal import Journal

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

    journal = commands.add_parser("journal", help="verify the journal, or write its events out")
    parts = journal.add_subparsers(required=True, metavar="what")
    check = parts.add_parser("check", help="counts, order, uniqueness, and that every event can be read")
    check.add_argument("--state-dir")
    check.set_defaults(run=_journal_check)
    export = parts.add_parser("export", help="write events as JSON lines")
    export.add_argument("session", nargs="?", help="provider/session id; without it, all sessions")
    export.add_argument("--output", "-o", help="a file, instead of standard output")
    export.add_argument("--state-dir")
    export.set_defaults(run=_journal_export)

    clean = commands.add_parser("clean", help="remove old conversations from the journal, on your word only")
    clean.add_argument("--older-than", required=True, type=_days, metavar="DAYSd", help="for example 90d")
    clean.add_argument("--dry-run", action="store_true", help="show what would go")
    clean.add_argument("--state-dir")
    clean.set_defaults(run=_clean)

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
    from kato import config, process  # noqa: PLC0415
    from kato.server import KatoServer  # noqa: PLC0415
    from kato.transport import take_stdout  # noqa: PLC0415

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


def _days(text: str) -> int:
    """`90d` as days."""
    if not text.endswith("d") or not text[:-1].isdecimal() or int(text[:-1]) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days such as 90d")
    return int(text[:-1])


@contextmanager
def _journal(arguments: argparse.Namespace) -> "Iterator[Journal]":
    """The journal that is there; a missing one is an error here, not made."""
    from kato.journal import FILE_NAME, Journal  # noqa: PLC0415

    folder = _state_dir(arguments)
    path = folder / FILE_NAME
    if not path.exists():
        raise JournalUnavailable(f"there is no journal {path}", str(path))
    journal = Journal.open(folder, now_ms=_now_ms)
    try:
        if journal.recovery is not None:
            print(f"kato: {journal.recovery}", file=sys.stderr)  # noqa: T201
        yield journal
    finally:
        journal.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _journal_check(arguments: argparse.Namespace) -> int:
    with _journal(arguments) as journal:
        report = journal.check()
    for problem in report.problems:
        print(problem)  # noqa: T201
    verdict = f"{len(report.problems)} problems" if report.problems else "sound"
    print(f"{report.sessions:,} sessions, {report.events:,} events: {verdict}")  # noqa: T201
    return EXIT_FAILED if report.problems else EXIT_OK


def _journal_export(arguments: argparse.Namespace) -> int:
    from kato.model import SessionKey  # noqa: PLC0415

    key = None
    if arguments.session is not None:
        provider, slash, session_id = arguments.session.partition("/")
        if not slash:
            raise CommandRefused(f"{arguments.session!r} is no provider/session-id")
        key = SessionKey(provider, session_id)
    with _journal(arguments) as journal:
        if key is not None and journal.session(key) is None:
            raise UnknownSession(*key)
        if arguments.output is None:
            for line in journal.export(key):
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        else:
            _write_file(arguments, journal.export(key))
    return EXIT_OK


def _write_file(arguments: argparse.Namespace, pieces: "Iterator[bytes]") -> None:
    """A path that the user typed: not held to the roots, but to the rest of the write policy."""
    from kato.writer import NoteWriter, WritePolicy  # noqa: PLC0415

    backups = _state_dir(arguments) / "backups"
    writer = NoteWriter(WritePolicy(None), backups_dir=backups, now_ms=_now_ms)
    path = str(Path(arguments.output).expanduser().absolute())
    with writer.prepare(path, pieces) as prepared:
        written = prepared.commit(backup=writer.inspect(path).exists)
    if written.backup_path is not None:
        print(f"{path} was copied to {written.backup_path} first", file=sys.stderr)  # noqa: T201


def _clean(arguments: argparse.Namespace) -> int:
    from kato.display import mb  # noqa: PLC0415
    from kato.model import rfc3339  # noqa: PLC0415

    before = _now_ms() - arguments.older_than * 86_400_000
    with _journal(arguments) as journal:
        report = journal.clean(older_than_ms=before, dry_run=arguments.dry_run)
    for record in report.removed:
        about = record.title or record.snippet or ""
        name = f"{record.key.provider}/{record.key.session_id}"
        print(f"{rfc3339(record.updated_at)[:10]}  {mb(record.json_bytes):>10}  {name}  {about}")  # noqa: T201
    verb = "would be removed" if arguments.dry_run else "removed"
    print(f"{len(report.removed):,} sessions, {mb(report.json_bytes)} of events {verb}")  # noqa: T201
    if report.recording:
        print(f"{len(report.recording):,} older sessions stay: they record")  # noqa: T201
    return EXIT_OK


def _demo(arguments: argparse.Namespace) -> int:
    from kato import demo  # noqa: PLC0415

    return demo.run(arguments.events, arguments.out)
