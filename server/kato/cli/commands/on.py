"""`kato on`: keeps a conversation again, from now on. See `kato.cli.switching`."""

import argparse

from kato.cli import options, switching


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Keeps a conversation again that `::off` or `kato off` switched off. What was said in between stays out. A recording that was"
        " stopped goes on, and its note shows the gap in one line. `::on` in the chat does the same.",
        "kato on 3f2a9c1e",
    )
    switching.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    return switching.run(arguments, "on")
