"""`kato journal check` and `kato journal export`."""

import argparse

from kato.cli import options, progress, terminal
from kato.cli.exits import EXIT_FAILED
from kato.cli.files import open_journal, write_file
from kato.cli.kept import find_or_refuse
from kato.core.errors import EXIT_OK
from kato.core.text import counted, printable_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "The journal is the database of every accepted event. Servers may run meanwhile.",
        "kato journal check",
        "kato journal export claude/SESSION --output events.jsonl",
    )
    parts = parser.add_subparsers(required=True, metavar="ACTION")

    summary = "Verify that every event can be read."
    check = parts.add_parser("check", help=summary, description=summary)
    options.describe(
        check,
        "Compares counts, order and uniqueness of all events; ends with 1 if it finds a problem.",
        "kato journal check",
    )
    options.add_state_dir(check)
    check.set_defaults(action=_check)

    summary = "Write events as JSON lines."
    export = parts.add_parser("export", help=summary, description=summary)
    options.describe(
        export,
        "Writes one event a line, exactly as it was accepted, to standard output or to a file.",
        "kato journal export claude/SESSION --output events.jsonl",
    )
    export.add_argument(
        "session",
        nargs="?",
        metavar="SESSION",
        help="its id, or the beginning of it, or assistant/id; without it, all sessions",
    )
    export.add_argument("--output", "-o", metavar="FILE", help="a file, instead of standard output")
    options.add_state_dir(export)
    export.set_defaults(action=_export)


def run(arguments: argparse.Namespace) -> int:
    """Runs the action. Returns 1 if the journal has problems."""
    return int(arguments.action(arguments))


def _check(arguments: argparse.Namespace) -> int:
    with open_journal(options.state_dir(arguments)) as journal, progress.shown("Reading the journal"):
        report = journal.check()
    # If opening the journal had to recover it, that was reported on stderr, and the new journal is sound.
    problems = len(report.problems) + (journal.recovery is not None)
    for problem in report.problems:
        terminal.print_line(problem)
    verdict = counted(problems, "problem") if problems else "sound"
    terminal.print_line(
        f"{counted(report.sessions, 'session')}, {counted(report.events, 'event')}: {verdict}"
    )
    return EXIT_FAILED if problems else EXIT_OK


def _export(arguments: argparse.Namespace) -> int:
    folder = options.state_dir(arguments)
    problems: list[str] = []
    with open_journal(folder) as journal:
        key = None if arguments.session is None else find_or_refuse(folder, arguments.session).key
        lines = journal.export(key, problems.append)
        if arguments.output is None:
            terminal.write(lines, printable_json)
        else:
            with progress.shown("Writing events"):
                write_file(folder, options.absolute(arguments.output), lines)
    for problem in problems:
        terminal.print_error(f"kato: {problem}")
    return EXIT_FAILED if problems else EXIT_OK
