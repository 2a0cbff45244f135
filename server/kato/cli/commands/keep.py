"""`kato keep`: reads old conversations from the assistants' logs into the journal."""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kato.cli import options, progress, terminal
from kato.cli.exits import UsageRefused
from kato.core.errors import EXIT_OK, CommandRefused, JournalUnavailable
from kato.core.text import counted
from kato.system.clock import now_ms

if TYPE_CHECKING:
    from kato.app.keeping import Keeper
    from kato.core.notices import Notice
    from kato.core.outcomes import CommandOutcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Reads conversations from the assistants' logs into the journal: all of them, those that changed since a moment, or those of"
        " some folders. It runs no :: command in them. It can be stopped with Ctrl+C; the next run goes on. What was said in the last"
        " ten minutes is left to the editor or to kato watch.",
        "kato keep --since 30d",
    )
    parser.add_argument("folder", nargs="*", metavar="FOLDER", help="only conversations of these folders")
    parser.add_argument("--all", action="store_true", help="conversations of all folders")
    options.add_since(parser, "only conversations that changed since then")
    options.add_state_dir(parser)
    options.add_memory_limit(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from msgspec import UNSET, to_builtins  # noqa: PLC0415

    from kato.app import config  # noqa: PLC0415
    from kato.app.build import Assembly  # noqa: PLC0415
    from kato.app.keeping import LOCK_NAME, Keeper  # noqa: PLC0415
    from kato.cli.tables import unread  # noqa: PLC0415
    from kato.logs import discovery  # noqa: PLC0415
    from kato.storage.journal.files import opening_lock  # noqa: PLC0415

    if not (arguments.all or arguments.since is not None or arguments.folder) or (
        arguments.all and arguments.folder
    ):
        raise UsageRefused("name what to keep: --all, --since WHEN, or folders")
    folders = [str(Path(options.absolute(folder)).resolve()) for folder in arguments.folder]
    for folder in folders:
        if not Path(folder).is_dir():
            raise CommandRefused(f"{folder} is not a folder; name a folder that exists")
    chosen = options.settings(arguments)
    if not chosen.journal:
        raise CommandRefused("the journal is off (setting journal): nothing can be kept")
    since_ms = 0 if arguments.since is None else arguments.since
    place = discovery.surroundings(os.environ, folders)
    roots = discovery.roots(place, chosen.provider_session_roots)
    assembly = Assembly(chosen, listener=_Silent(), folders=[], started_at=now_ms())
    try:
        if assembly.recovery is not None:
            terminal.print_error(f"kato: {assembly.recovery}")
        lock = config.state_dir(chosen.state_dir) / LOCK_NAME
        try:
            with opening_lock(lock, lambda: True):
                keeper = Keeper(
                    assembly.engine,
                    assembly.engine.commit,
                    roots,
                    place,
                    since_ms=since_ms,
                    pictures=assembly.picture_saver,
                )
                before = assembly.engine.memory_status().journal
                _read(keeper)
                after = assembly.engine.memory_status().journal
        except JournalUnavailable as error:
            if error.data["path"] != str(lock):
                raise
            raise CommandRefused("another Kato process is reading old conversations; it goes on") from None
    finally:
        assembly.engine.close()
    assert before is not None
    assert after is not None
    sessions, events = after.session_count - before.session_count, after.event_count - before.event_count
    if events:
        terminal.print_line(
            f"{counted(sessions, 'new conversation')} and {counted(events, 'event')} are kept now"
        )
    else:
        terminal.print_line("Nothing new to keep was found")
    if keeper.unreadable is not UNSET:
        terminal.print_error(f"kato: {unread(to_builtins(keeper.unreadable))}")
    if keeper.left:
        terminal.print_line(
            f"{keeper.left:,} conversations are going on: an editor or kato watch keeps what is said in them"
        )
    return EXIT_OK


def _read(keeper: "Keeper") -> None:
    """Reads everything, with a bar."""
    with progress.shown("Reading logs") as bar:
        total = keeper.scan()
        while (pause := keeper.step()) is not None:
            bar.update(total - keeper.waiting, total)
            if pause:
                time.sleep(pause)


class _Silent:
    """The listener of an engine that runs no command: what the user has to know is printed at the end."""

    def changed(self) -> None:
        """Nothing shows it."""

    def executed(self, outcome: "CommandOutcome") -> None:
        """No command runs."""

    def notify(self, notice: "Notice") -> None:
        """Prints what is wrong."""
        if notice.severity == "error":
            terminal.print_error(f"kato: {notice.message}")
