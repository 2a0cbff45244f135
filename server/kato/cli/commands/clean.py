"""`kato clean`: removes old conversations from the journal, and what ended servers left."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kato.cli import options, terminal
from kato.cli.options import EXIT_FAILED
from kato.core.errors import EXIT_OK
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.app.cleaning import File, Kind
    from kato.storage.journal import CleanReport

#: No conversation is older than this, and the journal cannot compare larger numbers.
_DAYS_MAX = 1_000_000
_DAY_MS = 86_400_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Removes conversations that were last updated before so many days, old backups, damaged journals, logs and the files of "
        "ended servers. A removed conversation stays removed: the assistant's own log does not bring it back. Your notes and the "
        "assistants' logs are not touched.",
        "kato clean --older-than 90d --dry-run",
    )
    parser.add_argument(
        "--older-than",
        required=True,
        type=options.days,
        metavar="DAYSd",
        help="the least age, for example 90d",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be removed, and remove nothing"
    )
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Removes, and prints what was removed and what stays. Returns 1 if something could not be removed."""
    folder = options.state_dir(arguments)
    # SQLite reads this variable when it is loaded, below: its copy of the journal belongs where the journal is, not in /var/tmp.
    os.environ["SQLITE_TMPDIR"] = str(folder)
    from kato.app import cleaning, process  # noqa: PLC0415

    now = now_ms()
    before = now - min(arguments.older_than, _DAYS_MAX) * _DAY_MS
    kinds = cleaning.find(folder, older_than_ms=before, now_ms=now, is_running=process.is_running)
    report = _clean_journal(folder, before, dry_run=arguments.dry_run)
    left = list(report.remains)
    if report.removed and not arguments.dry_run:
        left += cleaning.remove_derived(folder, now_ms=now)
    verb = "would be removed" if arguments.dry_run else "removed"
    _print_sessions(report, verb)
    for kind in kinds:
        if kind.going:
            terminal.print_line(f"{_counted(kind, kind.going)} {verb}")
        if not arguments.dry_run:
            left += cleaning.remove(kind.going)
    _print_what_stays(report, kinds)
    for sentence in left:
        terminal.print_error(f"kato: {sentence}")
    return EXIT_FAILED if left else EXIT_OK


def _clean_journal(folder: Path, before_ms: int, *, dry_run: bool) -> "CleanReport":
    """Removes the old sessions from the journal, if there is one."""
    from kato.cli.files import open_journal  # noqa: PLC0415 - loads SQLite
    from kato.storage.journal import FILE_NAME, CleanReport  # noqa: PLC0415

    if not (folder / FILE_NAME).exists():
        return CleanReport([], [], 0, [])
    alone = not options.running_servers(folder)
    with open_journal(folder) as journal:
        return journal.clean(older_than_ms=before_ms, dry_run=dry_run, alone=alone)


def _print_sessions(report: "CleanReport", verb: str) -> None:
    from kato.cli.screen import mb  # noqa: PLC0415
    from kato.core.moments import rfc3339  # noqa: PLC0415

    for record in report.removed:
        about = record.title or record.snippet or ""
        name = f"{record.key.provider}/{record.key.session_id}"
        terminal.print_line(
            f"{rfc3339(record.updated_at)[:10]}  {mb(record.json_bytes):>10}  {name}  {about}"
        )
    terminal.print_line(f"{len(report.removed):,} sessions, {mb(report.json_bytes)} of events {verb}")


def _print_what_stays(report: "CleanReport", kinds: "Sequence[Kind]") -> None:
    if report.recording:
        terminal.print_line(
            f"{len(report.recording):,} older sessions stay: they record, or a sub-agent of theirs does"
        )
    for kind in kinds:
        if kind.staying:
            terminal.print_line(f"{_counted(kind, kind.staying)} stay: {kind.reason}")
    terminal.print_line("Notes stay, and so do the assistants' own logs: they are yours")


def _counted(kind: "Kind", files: "Sequence[File]") -> str:
    from kato.cli.screen import mb  # noqa: PLC0415

    return f"{len(files):,} {kind.one if len(files) == 1 else kind.several}, {mb(sum(file.size for file in files))}"
