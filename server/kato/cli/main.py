"""The command line: arguments, wiring, the terminal's tables.

Rule: `serve` loads nothing that only the other commands need; each command is a function of its parsed arguments.
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kato import __version__
from kato.cli import hooks, mcp, terminal
from kato.core.errors import (
    EXIT_CONFIG,
    EXIT_OK,
    CommandRefused,
    JournalNotOpened,
    JournalUnavailable,
    KatoError,
    SettingsInvalid,
    UnknownSession,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kato.app.cleaning import File
    from kato.assistants.contract import Surroundings
    from kato.core.settings import Settings
    from kato.logs.discovery import Root
    from kato.notes.files import NoteWriter
    from kato.storage.journal import Journal

EXIT_FAILED: Final = 1


def run(arguments: Sequence[str]) -> int:
    """Parses and runs; errors for the user are one line on stderr."""
    terminal.prepare()
    try:
        code = _run(arguments)
        terminal.flush()  # not at the interpreter's end, where a reader that went away would be reported as a defect
    except (SettingsInvalid, JournalNotOpened) as error:
        terminal.complain(f"kato: {error.message}")
        return EXIT_CONFIG
    except KatoError as error:
        terminal.complain(f"kato: {error.message}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        terminal.complain(f"kato: {where}{error.strerror or error}")
        return EXIT_FAILED
    return code


def _run(arguments: Sequence[str]) -> int:
    parser = _parser()
    try:
        # An option between two positional arguments leaves the second one over: argparse takes them in one go.
        parsed, left_over = parser.parse_known_args(arguments)
        if left_over and (parsed.run is not _capture or not _take_left_over(parsed, left_over)):
            parser.error(f"unrecognized arguments: {' '.join(left_over)}")
    except SystemExit as ended:  # argparse printed help, or what is wrong
        return int(ended.code or EXIT_OK)
    return int(parsed.run(parsed))


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

    sessions = commands.add_parser("sessions", help="list the conversations on this machine")
    sessions.add_argument(
        "--all", action="store_true", help="all of them, sub-agents too; otherwise the newest 20"
    )
    sessions.add_argument("--here", action="store_true", help="those of the current folder alone")
    sessions.add_argument("--json", action="store_true", help="the same data as JSON")
    sessions.set_defaults(run=_sessions)

    capture = commands.add_parser("capture", help="write a conversation to a note now")
    capture.add_argument("session", nargs="?", help="its id, or the beginning of it, or provider/id")
    capture.add_argument("path", nargs="?", help="the note; .jsonl gives one event a line, - standard output")
    capture.add_argument(
        "--latest", action="store_true", help="the newest of the current folder (the default)"
    )
    capture.add_argument(
        "--since", metavar="WHEN", help="from then on: 30m, 2h, 3d, 14:30, 2026-11-24, 2026-11-24T14:30"
    )
    capture.add_argument("--thinking", action="store_true", help="with the assistant's thinking")
    capture.add_argument("--tools", action="store_true", help="with tool calls and their results")
    capture.add_argument(
        "--sub-agents", action="store_true", help="with sub-agents, folded under the calls that started them"
    )
    capture.add_argument("--images", action="store_true", help="with pictures, as files beside the note")
    capture.add_argument("--state-dir")
    capture.set_defaults(run=_capture)

    watch = commands.add_parser(
        "watch", help="follow conversations and run their :: commands, without an editor"
    )
    watch.add_argument("folder", nargs="*", help="only conversations of these folders; otherwise of all")
    watch.add_argument("--state-dir")
    watch.add_argument("--max-memory-mb", type=int, help="daemonMaxMemoryMb")
    watch.set_defaults(run=_watch)

    doctor = commands.add_parser(
        "doctor", help="show where conversations are looked for and what was not understood"
    )
    doctor.add_argument(
        "--all", action="store_true", help="read all sessions; otherwise the newest 20 of each place"
    )
    doctor.add_argument(
        "--drift",
        action="store_true",
        help="read all sessions and list the kinds of records that this Kato does not know, for a report",
    )
    doctor.add_argument("--json", action="store_true", help="the same data as JSON")
    doctor.set_defaults(run=_doctor)

    clean = commands.add_parser(
        "clean",
        help="remove old conversations and what Kato keeps of them, on your word only",
        description="Removes conversations that were last updated before so many days from the journal, with old backups, damaged"
        " journals, logs and what ended servers left. What is removed stays removed: the assistant's own log does not bring it back."
        " Example: kato clean --older-than 90d --dry-run",
    )
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
    mcp.add_parser(commands, _state_dir)
    hooks.add_parser(commands)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    # Nearly all that the imports make stays: no collection needs to look at it, now or later.
    gc.disable()
    from kato.app import config, process  # noqa: PLC0415
    from kato.lsp.server import KatoServer  # noqa: PLC0415
    from kato.system.stdout import take_stdout  # noqa: PLC0415

    gc.freeze()
    gc.enable()
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
    from rich.live import Live  # noqa: PLC0415

    from kato.cli import tables  # noqa: PLC0415

    folder = _state_dir(arguments)
    if not arguments.watch:
        _print_status(folder, as_json=arguments.json)
        return EXIT_OK
    with Live(console=tables.Screen(), auto_refresh=False, screen=False) as live:
        while True:
            live.update(_status_view(_servers(folder)), refresh=True)
            time.sleep(1)


def _settings(arguments: argparse.Namespace) -> "Settings":
    """The settings in force, with what the command line says."""
    from kato.app import config  # noqa: PLC0415
    from kato.core import settings  # noqa: PLC0415

    state_dir = getattr(arguments, "state_dir", None)
    explicit = {
        "stateDir": None if state_dir is None else _absolute(state_dir),
        "daemonMaxMemoryMb": getattr(arguments, "max_memory_mb", None),
    }
    file, name = config.load_config(os.environ)
    given = {key: value for key, value in explicit.items() if value is not None}
    return settings.resolve(
        explicit=given,
        environment=os.environ,
        file=file,
        file_name=name,
        unknown_provider=_unknown_provider,
    )


def _unknown_provider(name: str) -> str | None:
    from kato.assistants import registry  # noqa: PLC0415 - most settings name no assistant

    return registry.unknown_name(name)


def _state_dir(arguments: argparse.Namespace) -> Path:
    from kato.app import config  # noqa: PLC0415

    return config.state_dir(_settings(arguments).state_dir)


def _servers(folder: Path) -> list[dict[str, Any]]:
    from kato.app import process, statusfiles  # noqa: PLC0415

    return statusfiles.read_all(folder, is_running=process.is_running)


def _print_status(folder: Path, *, as_json: bool) -> None:
    from kato.cli import tables  # noqa: PLC0415

    servers = _servers(folder)
    if as_json:
        terminal.say_json({"servers": servers})
        return
    tables.Screen().print(_status_view(servers))


def _status_view(servers: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415

    from kato.cli import tables  # noqa: PLC0415

    if not servers:
        return "No Kato server is running."
    return Group(*(tables.status_tables(server) for server in servers))


def _days(text: str) -> int:
    """`90d` as days."""
    if not text.endswith("d") or not text[:-1].isdecimal() or int(text[:-1]) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days such as 90d")
    return int(text[:-1])


@contextmanager
def _journal(arguments: argparse.Namespace) -> "Iterator[Journal]":
    """The journal that is there; a missing one is an error here, not made."""
    from kato.storage.journal import FILE_NAME, Journal  # noqa: PLC0415

    folder = _state_dir(arguments)
    path = folder / FILE_NAME
    if not path.exists():
        raise JournalUnavailable(f"there is no journal {path}", str(path))
    journal = Journal.open(folder, now_ms=_now_ms)
    try:
        if journal.recovery is not None:
            terminal.complain(f"kato: {journal.recovery}")
        yield journal
    finally:
        journal.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _journal_check(arguments: argparse.Namespace) -> int:
    with _journal(arguments) as journal:
        report = journal.check()
    # Where opening it had to recover it, that was said on stderr, and the new one is sound.
    problems = len(report.problems) + (journal.recovery is not None)
    for problem in report.problems:
        terminal.say(problem)
    verdict = f"{problems} problems" if problems else "sound"
    terminal.say(f"{report.sessions:,} sessions, {report.events:,} events: {verdict}")
    return EXIT_FAILED if problems else EXIT_OK


def _journal_export(arguments: argparse.Namespace) -> int:
    from kato.core.events import SessionKey  # noqa: PLC0415
    from kato.core.text import printable_json  # noqa: PLC0415

    key = None
    if arguments.session is not None:
        provider, slash, session_id = arguments.session.partition("/")
        if not slash:
            raise CommandRefused(f"{arguments.session!r} is no provider/session-id")
        key = SessionKey(provider, session_id)
    problems: list[str] = []
    with _journal(arguments) as journal:
        if key is not None and journal.session(key) is None:
            raise UnknownSession(*key)
        lines = journal.export(key, problems.append)
        if arguments.output is None:
            terminal.write(lines, printable_json)
        else:
            _write_file(arguments, lines)
    for problem in problems:
        terminal.complain(f"kato: {problem}")
    return EXIT_FAILED if problems else EXIT_OK


def _writer(state_dir: Path) -> "NoteWriter":
    """For paths that the user typed: not held to the roots, but to the rest of the write policy."""
    from kato.app import process  # noqa: PLC0415
    from kato.notes.files import NoteWriter  # noqa: PLC0415
    from kato.notes.leftovers import Leftovers  # noqa: PLC0415
    from kato.notes.policy import WritePolicy  # noqa: PLC0415

    leftovers = Leftovers(process.mark(), process.is_mark_gone, _now_ms)
    return NoteWriter(
        WritePolicy(None), backups_dir=state_dir / "backups", now_ms=_now_ms, leftovers=leftovers
    )


def _write_file(arguments: argparse.Namespace, pieces: "Iterator[bytes]") -> None:
    writer = _writer(_state_dir(arguments))
    path = _absolute(arguments.output)
    with writer.prepare(path, pieces) as prepared:
        written = prepared.commit(backup=writer.inspect(path).exists)
    if written.backup_path is not None:
        terminal.complain(f"{path} was copied to {written.backup_path} first")


def _clean(arguments: argparse.Namespace) -> int:
    folder, dry_run = _state_dir(arguments), arguments.dry_run
    # SQLite reads it when it is loaded, below: its copy of the journal belongs where the journal is, not in /var/tmp.
    os.environ["SQLITE_TMPDIR"] = str(folder)
    from kato.app import cleaning, process  # noqa: PLC0415
    from kato.cli.tables import mb  # noqa: PLC0415
    from kato.core.moments import rfc3339  # noqa: PLC0415
    from kato.storage.journal import FILE_NAME, CleanReport  # noqa: PLC0415

    # Nothing is older than a million days, and no number is larger than the journal can compare with.
    before = _now_ms() - min(arguments.older_than, 1_000_000) * 86_400_000
    kinds = cleaning.find(folder, older_than_ms=before, now_ms=_now_ms(), is_running=process.is_running)
    report = CleanReport([], [], 0, [])
    if (folder / FILE_NAME).exists():
        alone = not _servers(folder)
        with _journal(arguments) as journal:
            report = journal.clean(older_than_ms=before, dry_run=dry_run, alone=alone)
    left = list(report.remains)
    verb = "would be removed" if dry_run else "removed"
    for record in report.removed:
        about = record.title or record.snippet or ""
        name = f"{record.key.provider}/{record.key.session_id}"
        terminal.say(f"{rfc3339(record.updated_at)[:10]}  {mb(record.json_bytes):>10}  {name}  {about}")
    terminal.say(f"{len(report.removed):,} sessions, {mb(report.json_bytes)} of events {verb}")
    for kind in kinds:
        if kind.going:
            terminal.say(f"{_files_of(kind.one, kind.several, kind.going)} {verb}")
        if not dry_run:
            left += cleaning.remove(kind.going)
    if report.recording:
        terminal.say(
            f"{len(report.recording):,} older sessions stay: they record, or a sub-agent of theirs does"
        )
    for kind in kinds:
        if kind.staying:
            terminal.say(f"{_files_of(kind.one, kind.several, kind.staying)} stay: {kind.reason}")
    terminal.say("Notes stay, and so do the assistants' own logs: they are yours")
    for sentence in left:
        terminal.complain(f"kato: {sentence}")
    return EXIT_FAILED if left else EXIT_OK


def _files_of(one: str, several: str, files: "Sequence[File]") -> str:
    from kato.cli.tables import mb  # noqa: PLC0415

    return f"{len(files):,} {one if len(files) == 1 else several}, {mb(sum(file.size for file in files))}"


def _places(chosen: "Settings") -> "tuple[Surroundings, list[Root]]":
    from kato.logs import discovery  # noqa: PLC0415

    place = discovery.surroundings(os.environ, [str(Path.cwd())])
    return place, discovery.roots(place, chosen.provider_session_roots)


def _sessions(arguments: argparse.Namespace) -> int:
    from kato.cli import catalog, tables  # noqa: PLC0415

    place, roots = _places(_settings(arguments))
    listed: list[catalog.Conversation] = []
    more = 0
    for found in catalog.list_found(roots, place):
        if found.log.parent_id is not None and not arguments.all:
            continue
        if len(listed) == _LISTED_MAX and not arguments.all:
            more += 1
            continue
        one = catalog.describe(found, place)
        if one.info.parent_id is not None and not arguments.all:
            continue  # a sub-agent, as its log says
        if not arguments.here or catalog.is_inside(one.info.cwd, str(Path.cwd())):
            listed.append(one)
    if arguments.json:
        terminal.say_json({"sessions": [tables.conversation_json(one) for one in listed]})
    elif not listed:
        terminal.say("No conversation was found. `kato doctor` shows where Kato looks.")
    else:
        tables.Screen().print(tables.conversations_view(listed, _now_ms()))
        if more:
            terminal.say(f"… and {more:,} older ones: kato sessions --all")
    return EXIT_OK


#: Conversations that are listed without --all.
_LISTED_MAX: Final = 20


def _capture(arguments: argparse.Namespace) -> int:
    from msgspec.structs import replace  # noqa: PLC0415

    from kato.app import build, config  # noqa: PLC0415
    from kato.cli import catalog  # noqa: PLC0415
    from kato.core.text import printable  # noqa: PLC0415
    from kato.notes.images import Pictures  # noqa: PLC0415
    from kato.notes.rendering import BEGINNING, render  # noqa: PLC0415
    from kato.notes.transcript import Transcript  # noqa: PLC0415
    from kato.storage.journal import Journal  # noqa: PLC0415

    wanted, path = arguments.session, arguments.path
    if arguments.latest and wanted is not None:
        if path is not None:
            raise CommandRefused("--latest takes a path, or a session is named: not both")
        wanted, path = None, wanted
    chosen = _settings(arguments)
    chosen = replace(
        chosen,
        markdown_include_thinking=chosen.markdown_include_thinking or arguments.thinking,
        markdown_include_tool_calls=chosen.markdown_include_tool_calls or arguments.tools,
        markdown_include_sub_agents=chosen.markdown_include_sub_agents or arguments.sub_agents,
    )
    place, roots = _places(chosen)
    all_found = catalog.list_found(roots, place)
    if wanted is not None:
        found = catalog.pick(all_found, wanted, place)
    else:
        here = str(Path.cwd())
        mine = (one for one in all_found if one.log.parent_id is None)
        described = ((one, catalog.describe(one, place).info) for one in mine)
        latest = next(
            (
                one
                for one, about in described
                if about.parent_id is None and catalog.is_inside(about.cwd, here)
            ),
            None,
        )
        if latest is None:
            raise CommandRefused(
                f"no conversation was held in {here}; `kato sessions` lists those of other folders"
            )
        found = latest
    since = None if arguments.since is None else _moment(arguments.since)
    folder = config.state_dir(chosen.state_dir)
    config.ensure_state_dir(folder)
    writer = _writer(folder)
    journal = Journal.open(folder, now_ms=_now_ms)
    try:
        notebook = build.notebook(chosen, writer, journal, folder)
        events = catalog.LogEvents(found, place, since_ms=since)
        session = catalog.session_of(found, place, events)
        if session.event_count == 0:
            raise CommandRefused(
                f"{found.path} holds no messages{'' if since is None else ' of that time'}; nothing was written"
            )
        if path == "-":
            target = ""
        elif path is None:
            target = str(Path.cwd() / notebook.default_file_name(session))
        else:
            target = _absolute(path)
        pictures: Pictures | None = None
        if target and arguments.images:
            pictures = Pictures(writer, target)
            events = catalog.LogEvents(found, place, since_ms=since, save=pictures.save)
        agents = catalog.SubAgentLogs(
            [one for one in all_found if one.assistant is found.assistant] if arguments.sub_agents else (),
            place,
            since_ms=session.created_at,
        )
        for _ in events if arguments.sub_agents else ():
            pass  # what the log tells of its sub-agents is known after a run through it
        agents.know(session.key, events.started, found)
        notebook.sub_agents = agents
        if not target:
            pieces = render(
                Transcript(notebook.options, notebook.tz, folder=session.cwd or "", tools=notebook.tools),
                events.pieces(),
                BEGINNING,
                None,
                notebook.fold(session.key),
                is_over=True,
            )
            terminal.write(pieces, partial(printable, keep="\n\t"))
            return EXIT_OK
        whole = catalog.capture(target, session, events, notebook)
    finally:
        journal.close()
    if pictures is not None and pictures.failure is not None:
        terminal.complain(f"not every picture could be written: {pictures.failure}")
    replaced = whole.replaced
    if replaced.backup_path is not None:
        terminal.complain(f"{target} held other text; it was copied to {replaced.backup_path} first")
    for one in replaced.stopped:
        terminal.complain(f"the recording of {one.key.provider}/{one.key.session_id} to {target} was stopped")
    terminal.say(f"{target}: {whole.events:,} events")
    return EXIT_OK


def _absolute(path: str) -> str:
    """The path from the current folder or `~`. Raises CommandRefused where `~` names nobody."""
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        raise CommandRefused(f"{path}: there is no such user") from None


def _take_left_over(arguments: argparse.Namespace, left_over: Sequence[str]) -> bool:
    """Takes what is left over as the session or the path, where they are missing."""
    for text in left_over:
        if text.startswith("-") and text != "-":
            return False
        if arguments.session is None:
            arguments.session = text
        elif arguments.path is None:
            arguments.path = text
        else:
            return False
    return True


def _moment(text: str) -> int:
    """`30m`, `2h`, `3d` ago; a time of today; a date, or a date and a time, in the local zone: in ms since the epoch."""
    from datetime import datetime, timedelta  # noqa: PLC0415

    now = datetime.now().astimezone()
    unit = {"m": "minutes", "h": "hours", "d": "days"}.get(text[-1:])
    try:
        if unit is not None and text[:-1].isdecimal():
            moment = now - timedelta(**{unit: int(text[:-1])})
        elif ":" in text and "-" not in text:
            moment = datetime.combine(now.date(), datetime.strptime(text, "%H:%M").time()).astimezone()  # noqa: DTZ007 - local
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo is not None else moment.astimezone()
    except (ValueError, OverflowError):
        raise CommandRefused(
            f"--since: {text!r} is no moment; write 30m, 2h, 3d, 14:30, 2026-11-24 or 2026-11-24T14:30"
        ) from None
    return int(moment.timestamp() * 1000)


def _watch(arguments: argparse.Namespace) -> int:
    from kato.app import process  # noqa: PLC0415
    from kato.cli.tables import Screen  # noqa: PLC0415
    from kato.cli.watch import Watch  # noqa: PLC0415

    process.tame_allocator()
    folders = [str(Path(_absolute(folder)).resolve()) for folder in arguments.folder]
    for folder in folders:
        if not Path(folder).is_dir():
            raise CommandRefused(f"{folder} is no folder")
    return Watch(_settings(arguments), os.environ, folders, Screen()).run()


def _doctor(arguments: argparse.Namespace) -> int:
    from kato.app import config, statusfiles  # noqa: PLC0415
    from kato.assistants import registry  # noqa: PLC0415
    from kato.cli import doctor, tables  # noqa: PLC0415
    from kato.logs.platform_watcher import Trial  # noqa: PLC0415

    chosen = _settings(arguments)
    if arguments.drift:
        return _drift(chosen, as_json=arguments.json)
    logs = str(config.state_dir(chosen.state_dir) / statusfiles.LOGS)
    place, roots = _places(chosen)
    refusals = registry.plugins().refusals
    sessions_max = sys.maxsize if arguments.all else _LISTED_MAX
    with Trial() as trial:
        reports = [doctor.examine(root, place, sessions_max=sessions_max, enter=trial.add) for root in roots]
        failure, folders = trial.watcher.failure, trial.watcher.count
    if arguments.json:
        watching = {"folders": folders, "failed": None if failure is None else failure.reason}
        rows = [doctor.as_json(report) for report in reports]
        refused = [one._asdict() for one in refusals]
        terminal.say_json({"roots": rows, "logs": logs, "watching": watching, "refusedPlugins": refused})
        return EXIT_OK
    screen = tables.Screen()
    screen.print(doctor.table(reports, _now_ms()))
    servers = _servers(config.state_dir(chosen.state_dir))
    for line in doctor.advice(reports, chosen.provider_session_roots, failure, servers, refusals):
        screen.print(tables.words(line))
    screen.print(
        tables.words(f"· Kato's own logs are in {tables.shown_path(logs)}, a file for each process.")
    )
    return EXIT_OK


def _drift(chosen: "Settings", *, as_json: bool) -> int:
    from kato.cli import drift  # noqa: PLC0415

    place, roots = _places(chosen)
    found = drift.search(roots, place)
    if as_json:
        terminal.say_json(drift.as_json(found))
    else:
        for line in drift.lines(found):
            terminal.say(line)
    return EXIT_OK


def _demo(arguments: argparse.Namespace) -> int:
    from kato.cli import demo  # noqa: PLC0415

    return demo.run(arguments.events, arguments.out)
