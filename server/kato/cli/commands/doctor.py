"""`kato doctor`: examines the assistants' logs. See `kato.cli.doctor` and `kato.cli.drift`."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from kato.app import config, statusfiles
from kato.assistants import registry
from kato.cli import doctor, drift, options, progress, terminal
from kato.cli.catalog import Places
from kato.cli.screen import Screen, shown_path, words
from kato.core.errors import EXIT_OK, SettingsInvalid
from kato.core.layers import combine
from kato.logs.platform_watcher import Trial
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.core.settings import Settings
    from kato.logs.watcher import Failure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Reads logs, and reports for each assistant its folders, sessions, unknown kinds of records and paths that cannot be "
        "read, with what to do about them.",
        "kato doctor",
        "kato doctor --drift > drift.txt",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"read all sessions, instead of the newest {options.LISTED_MAX} of each folder",
    )
    parser.add_argument(
        "--drift",
        action="store_true",
        help="read all sessions and list only the kinds of records that this Kato does not know, for a bug report",
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Examines the logs and prints the report. Returns 0 whatever it finds."""
    problems: list[SettingsInvalid] = []
    chosen = combine(options.setting_layers(arguments, problems.append))
    places = Places.of(chosen)
    if arguments.drift:
        for problem in problems:
            terminal.print_error(f"kato: {problem.message}")
        _report_drift(places, as_json=arguments.json)
        return EXIT_OK
    sessions_max = sys.maxsize if arguments.all else options.LISTED_MAX
    reports = []
    with Trial() as trial, progress.shown("Reading logs", len(places.roots)) as bar:
        for root in places.roots:
            reports.append(
                doctor.examine(root, places.surroundings, sessions_max=sessions_max, enter=trial.add)
            )
            bar.advance()
        failure, folders = trial.watcher.failure, trial.watcher.count
    logs = str(config.state_dir(chosen.state_dir) / statusfiles.LOGS)
    if arguments.json:
        terminal.print_json(_as_json(reports, logs, failure, folders, problems))
    else:
        _print_problems(problems)
        _print(chosen, reports, logs, failure)
    return EXIT_OK


def _as_json(
    reports: list[doctor.RootReport],
    logs: str,
    failure: "Failure | None",
    folders: int,
    problems: list[SettingsInvalid],
) -> dict[str, Any]:
    return {
        "configuration": [{"message": one.message, **one.data} for one in problems],
        "roots": [doctor.as_json(report) for report in reports],
        "logs": logs,
        "watching": {"folders": folders, "failed": None if failure is None else failure.reason},
        "refusedPlugins": [one._asdict() for one in registry.plugins().refusals],
    }


def _print_problems(problems: list[SettingsInvalid]) -> None:
    """Reports settings that are not valid: every other command refuses to run with them."""
    screen = Screen()
    for problem in problems:
        screen.print(words(f"✘ Setting not valid: {problem.message}"))
    if problems:
        screen.print(
            words(
                "  Kato does not start with it: `kato config --edit` opens the file. What follows leaves it out."
            )
        )


def _print(
    chosen: "Settings", reports: list[doctor.RootReport], logs: str, failure: "Failure | None"
) -> None:
    screen = Screen()
    screen.print(doctor.table(reports, now_ms()))
    servers = options.running_servers(config.state_dir(chosen.state_dir))
    refusals = registry.plugins().refusals
    for line in doctor.advice(reports, chosen.provider_session_roots, failure, servers, refusals):
        screen.print(words(line))
    screen.print(words(f"· Kato's own logs are in {shown_path(logs)}, a file for each process."))


def _report_drift(places: Places, *, as_json: bool) -> None:
    found = drift.search(places.roots, places.surroundings)
    if as_json:
        terminal.print_json(drift.as_json(found))
    else:
        for line in drift.lines(found):
            terminal.print_line(line)
