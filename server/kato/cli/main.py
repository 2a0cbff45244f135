"""The command line: finds the subcommand, parses its arguments, runs it, and turns errors into exit codes.

Rule: only the module of the subcommand that is used is imported, so that `kato serve` and `kato --version` start fast.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from kato import __version__
from kato.cli import terminal
from kato.cli.options import EXIT_FAILED
from kato.core.errors import EXIT_CONFIG, EXIT_OK, JournalNotOpened, KatoError, SettingsInvalid

#: The subcommands with the first line of their help. The module of each is `kato.cli.commands.<name>`.
COMMANDS: Final[Mapping[str, str]] = {
    "serve": "Speak LSP on standard input and output.",
    "status": "Show the memory, the sessions and the recordings of every running server.",
    "journal": "Verify the journal, or write its events out.",
    "sessions": "List the conversations on this machine.",
    "search": "Find what was said in your conversations.",
    "capture": "Write a conversation to a note now.",
    "keep": "Read old conversations into the journal, before their logs are deleted.",
    "resume": "Show or run the assistant's command that continues a conversation.",
    "watch": "Follow conversations and run their :: commands, without an editor.",
    "mcp": "Let assistants search and read your conversations.",
    "acp": "Record what an editor and an ACP agent say.",
    "hooks": "Let assistants show the outcome of a :: command in the chat.",
    "doctor": "Show where Kato looks for conversations and what it does not understand.",
    "off": "Keep nothing of a conversation from now on.",
    "on": "Keep a conversation again, from now on.",
    "clean": "Remove conversations from the journal.",
    "demo": "Play a conversation through a real server.",
}

_INTERRUPTED: Final = 130


def run(arguments: Sequence[str]) -> int:
    """Parses the arguments and runs the subcommand. Returns the exit code; an error for the user is one line on stderr."""
    terminal.prepare()
    try:
        code = _run(arguments)
        terminal.flush()  # at the interpreter's end, a reader that went away would be reported as a defect
    except (SettingsInvalid, JournalNotOpened) as error:
        return _failed(error.message, EXIT_CONFIG)
    except KatoError as error:
        return _failed(error.message)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}")
    return code


def _failed(message: str, code: int = EXIT_FAILED) -> int:
    terminal.print_error(f"kato: {message}")
    return code


def _run(arguments: Sequence[str]) -> int:
    parser = _parser(next((one for one in arguments if not one.startswith("-")), None))
    try:
        # An option between two positional arguments leaves the second one over: argparse takes them in one go.
        parsed, left_over = parser.parse_known_args(arguments)
        take = getattr(parsed, "take_left_over", None)
        if left_over and (take is None or not take(parsed, left_over)):
            parser.error(f"unrecognized arguments: {' '.join(left_over)}")
    except SystemExit as ended:  # argparse printed help or an error
        return int(ended.code or EXIT_OK)
    return int(parsed.run(parsed))


def _parser(used: str | None) -> argparse.ArgumentParser:
    """The parser with the arguments of the subcommand that is used. The others have their first line of help only."""
    parser = argparse.ArgumentParser(
        prog="kato",
        description="Own your AI conversations: Kato records them into Markdown notes.",
        epilog="`kato COMMAND --help` describes a command and shows an example.",
    )
    parser.add_argument("--version", action="version", version=f"kato {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name == used:
            command = import_module(f"kato.cli.commands.{name}")
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    return parser
