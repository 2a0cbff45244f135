"""`kato resume`: the assistant's own command that continues a conversation."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kato.cli import options, terminal
from kato.cli.catalog import Places
from kato.core.errors import EXIT_OK, CommandRefused

if TYPE_CHECKING:
    from kato.logs.discovery import Found

#: An id that no program can take for an option.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Prints the command line with which the assistant continues a conversation, quoted for the shell, or runs it in the"
        " conversation's folder.",
        "kato resume 3f2a9c1e --run",
    )
    parser.add_argument("session", metavar="SESSION", help="its id, or the beginning of it, or assistant/id")
    parser.add_argument(
        "--run", dest="is_run", action="store_true", help="run the command instead of printing it"
    )
    options.add_state_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from kato.cli import catalog  # noqa: PLC0415
    from kato.logs.listing import describe  # noqa: PLC0415

    chosen = options.settings(arguments)
    places = Places.of(chosen)
    place, roots = places.surroundings, places.roots
    found = _find(catalog.list_found(roots, place), arguments, chosen.state_dir)
    info = describe(found, place).info
    command = command_of(found, info.session_id)
    if arguments.is_run:
        return _execute(command, info.cwd)
    line = shell_line(command, info.cwd, sys.platform)
    if not terminal.can_print(line):
        raise CommandRefused(
            f"the encoding {sys.stdout.encoding} of this output cannot carry the command line; use --run, or set PYTHONIOENCODING=utf-8"
        )
    terminal.print_line(line)
    return EXIT_OK


def _find(logs: "Sequence[Found]", arguments: argparse.Namespace, configured: str | None) -> "Found":
    from kato.app import config  # noqa: PLC0415
    from kato.assistants.contract import Surroundings  # noqa: PLC0415
    from kato.cli import catalog, kept  # noqa: PLC0415
    from kato.logs import discovery  # noqa: PLC0415

    place: Surroundings = discovery.surroundings(os.environ)
    try:
        return catalog.pick(logs, arguments.session, place)
    except CommandRefused:
        record = kept.find(config.state_dir(configured), arguments.session)
        if record is None:
            raise
        name = "/".join(record.key)
        raise CommandRefused(
            f"the log of {name} is gone, so its assistant cannot continue it; `kato capture {name}` writes it to a note"
        ) from None


def command_of(found: "Found", session_id: str) -> Sequence[str]:
    """The command line that continues a session. Raises CommandRefused if there is none."""
    if not _ID.fullmatch(session_id):
        raise CommandRefused(f"the id {session_id!r} is not one that can be given to a program")
    command = found.assistant.resume(found.log, session_id)
    if command is None:
        raise CommandRefused(
            f"{found.assistant.title} has no command that continues {session_id}: open it in its editor"
        )
    return command


def shell_line(command: Sequence[str], folder: str | None, platform: str) -> str:
    """The command line for the platform's shell, with the change to the session's folder. Raises CommandRefused if the folder
    cannot be written in a line.
    """
    words = subprocess.list2cmdline(command) if platform == "win32" else shlex.join(command)
    if folder is None:
        return words
    # cmd.exe replaces %NAME% within quotes, too, and a quote cannot stand in a path there.
    if not folder.isprintable() or (platform == "win32" and any(char in folder for char in '%"')):
        raise CommandRefused("the name of the conversation's folder cannot be written in a line; use --run")
    change = f'cd /d "{folder}"' if platform == "win32" else f"cd {shlex.quote(folder)}"
    return f"{change} && {words}"


def _execute(command: Sequence[str], folder: str | None) -> int:  # noqa: RET503 - `execv` does not return
    """Replaces this process by the command. Raises CommandRefused if that is not possible."""
    program = shutil.which(command[0])
    if program is None:
        raise CommandRefused(f"the program {command[0]} was not found; install it, or add its folder to PATH")
    if folder is not None and not Path(folder).is_dir():
        raise CommandRefused(f"the folder of the conversation, {folder}, does not exist any more")
    program = str(Path(program).absolute())
    if sys.platform == "win32":
        return subprocess.call([program, *command[1:]], cwd=folder)  # noqa: S603 - the user's own program
    if folder is not None:
        os.chdir(folder)
    terminal.flush()
    os.execv(program, list(command))  # noqa: S606 - as above
