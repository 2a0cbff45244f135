"""`kato clean`: removes conversations from the journal, and what ended servers left."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kato.cli import options, progress, terminal
from kato.cli.exits import EXIT_FAILED
from kato.core.errors import EXIT_OK, CommandRefused
from kato.core.text import counted
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.app.cleaning import File, Kind
    from kato.core.records import SessionRecord
    from kato.storage.journal import CleanReport, Journal


class _Choice(NamedTuple):
    """Which conversations to remove: by age, or by what is known of each."""

    before_ms: int | None
    is_chosen: "Callable[[SessionRecord], bool]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Removes conversations from the journal, the search index and the backups: old ones with --older-than, together with old"
        " backups, damaged journals, logs and the files of ended servers; a single one with --session; those of which Kato keeps"
        " nothing now (::off, .katoignore) with --ignored. A removed conversation stays removed: the assistant's own log does not"
        " bring it back. Your notes and the assistants' logs are not touched.",
        "kato clean --older-than 90d --dry-run",
        "kato clean --session 3f2a9c1e",
        "kato clean --ignored",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--older-than",
        type=options.past_moment,
        metavar="WHEN",
        help="those of which Kato has stored nothing since this moment: 90d, '3 months ago', 2026-01-31",
    )
    which.add_argument(
        "--session",
        metavar="SESSION",
        help="one conversation: its id, or the beginning of it, or assistant/id",
    )
    which.add_argument(
        "--ignored",
        action="store_true",
        help="the conversations of which nothing is kept now: after ::off, or in a folder with a .katoignore file",
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
    before = None
    kinds: Sequence[Kind] = ()
    with progress.shown("Looking for conversations" if arguments.dry_run else "Removing conversations"):
        if arguments.older_than is not None:
            before = arguments.older_than
            kinds = cleaning.find(folder, older_than_ms=before, now_ms=now, is_running=process.is_running)
        report = _clean_journal(folder, arguments, before)
        if before is None:
            ids = {record.key.session_id for record in report.removed}
            kinds = [cleaning.Kind("backup", "backups", cleaning.backups_of(folder, ids))]
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
    _print_what_stays(report, kinds, is_by_age=before is not None)
    for sentence in left:
        terminal.print_error(f"kato: {sentence}")
    return EXIT_FAILED if left else EXIT_OK


def _clean_journal(folder: Path, arguments: argparse.Namespace, before_ms: int | None) -> "CleanReport":
    from kato.cli.files import open_journal  # noqa: PLC0415 - loads SQLite
    from kato.storage.journal import FILE_NAME, CleanReport  # noqa: PLC0415

    if not (folder / FILE_NAME).exists():
        if arguments.session is not None:
            from kato.cli import kept  # noqa: PLC0415

            raise CommandRefused(kept.unknown(arguments.session))
        return CleanReport([], [], 0, [])
    alone = not options.running_servers(folder)
    with open_journal(folder) as journal:
        chosen = _choice(folder, journal, arguments, before_ms)
        return journal.clean(
            older_than_ms=chosen.before_ms,
            is_chosen=chosen.is_chosen,
            dry_run=arguments.dry_run,
            alone=alone,
        )


def _choice(
    folder: Path, journal: "Journal", arguments: argparse.Namespace, before_ms: int | None
) -> _Choice:
    if before_ms is not None:
        return _Choice(before_ms, lambda _: True)
    if arguments.session is None:
        return _Choice(None, _is_not_kept(journal))
    from kato.cli import kept  # noqa: PLC0415

    record = kept.find_or_refuse(folder, arguments.session)
    if record.parent_id is not None:
        raise CommandRefused(
            f"{'/'.join(record.key)} is a sub-agent's conversation, and is removed with the one that started it: "
            f"kato clean --session {record.key.provider}/{record.parent_id}"
        )
    key = record.key
    return _Choice(None, lambda one: one.key == key)


def _is_not_kept(journal: "Journal") -> "Callable[[SessionRecord], bool]":
    """Says of a conversation whether nothing is kept of it now."""
    from kato.logs.screening import LogScreen, by_session  # noqa: PLC0415
    from kato.system.ignoring import IgnoredFolders  # noqa: PLC0415

    screen = LogScreen(by_session(journal.sessions_with_gaps()), IgnoredFolders(str(Path.home())))
    return lambda one: screen.reason(one.key, one.cwd, one.parent_id) is not None


def _print_sessions(report: "CleanReport", verb: str) -> None:
    from kato.cli.screen import mb  # noqa: PLC0415
    from kato.core.moments import rfc3339  # noqa: PLC0415

    for record in report.removed:
        about = record.title or record.snippet or ""
        name = f"{record.key.provider}/{record.key.session_id}"
        terminal.print_line(
            f"{rfc3339(record.updated_at)[:10]}  {mb(record.json_bytes):>10}  {name}  {about}"
        )
    terminal.print_line(
        f"{counted(len(report.removed), 'session')}, {mb(report.json_bytes)} of events {verb}"
    )


def _print_what_stays(report: "CleanReport", kinds: "Sequence[Kind]", *, is_by_age: bool) -> None:
    if report.recording:
        which = counted(len(report.recording), "older session" if is_by_age else "session")
        remedy = "" if is_by_age else "; type ::stop there first"
        terminal.print_line(f"{which} kept: recording, or with a sub-agent that is{remedy}")
    for kind in kinds:
        if kind.staying:
            terminal.print_line(f"{_counted(kind, kind.staying)} stay: {kind.reason}")
    terminal.print_line("Notes stay, and so do the assistants' own logs: they are yours")


def _counted(kind: "Kind", files: "Sequence[File]") -> str:
    from kato.cli.screen import mb  # noqa: PLC0415

    return f"{len(files):,} {kind.one if len(files) == 1 else kind.several}, {mb(sum(file.size for file in files))}"
