"""`kato off`: keeps nothing of a conversation from now on. See `kato.cli.switching`."""

import argparse

from kato.cli import options, switching


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "From now on nothing of the conversation is stored, searched or written to a note, in every window. What was kept before stays:"
        " `kato clean --session` removes it. `::off` in the chat does the same.",
        "kato off 3f2a9c1e",
    )
    switching.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    return switching.run(arguments, "off")
