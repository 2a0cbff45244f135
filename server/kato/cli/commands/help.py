"""`kato help`: the help of a subcommand, or the man page."""

import argparse

from kato.cli import options, terminal
from kato.core.errors import EXIT_OK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    from kato.cli.parser import COMMANDS  # noqa: PLC0415 - it imports this module

    options.describe(
        parser,
        "Shows the same as COMMAND --help. Without a command it lists all commands.",
        "kato help capture",
        "kato help journal export",
        "kato help --man | man -l -",
    )
    parser.add_argument("command", nargs="?", choices=list(COMMANDS), metavar="COMMAND", help="the command")
    parser.add_argument("action", nargs="*", metavar="ACTION", help="an action of it")
    parser.add_argument("--man", action="store_true", help="print the man page of all commands (roff)")


def run(arguments: argparse.Namespace) -> int:
    """Prints the help."""
    from kato.cli import main, manual, parser  # noqa: PLC0415 - `main` imports this module

    if arguments.man:
        terminal.write([manual.page(parser.whole()).encode()], str)
        return EXIT_OK
    named = [] if arguments.command is None else [arguments.command, *arguments.action]
    return main.run([*named, "--help"])
