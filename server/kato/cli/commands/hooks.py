"""`kato hooks`: registers the hook with assistants. `kato hook <host>`, which the hosts run, is `channels.hooks.entry`."""

import argparse
import os
import sys
from pathlib import Path

from kato.channels.configuration.launcher import launcher
from kato.channels.configuration.place import Machine
from kato.channels.hooks import settings
from kato.channels.hooks.hosts import HOSTS
from kato.cli import configuring, options
from kato.core.errors import CommandRefused
from kato.system import local_sockets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Registers a hook with your assistants: it shows the outcome of a :: command in the chat immediately. Only files that need a "
        "change are written, and each is copied before its first change.",
        "kato hooks install claude --dry-run",
        "kato hooks status",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    configuring.add_actions(actions, "hooks", "the hook", list(HOSTS))


def run(arguments: argparse.Namespace) -> int:
    """Runs the action. Returns 1 if a file could not be changed. Raises CommandRefused."""
    machine = Machine(os.environ, Path.home(), sys.platform)
    places = configuring.chosen(settings.places(machine, launcher()), arguments.assistant)
    if arguments.action == "status":
        return configuring.show(places)
    if arguments.action == "install" and not local_sockets.IS_SUPPORTED:
        raise CommandRefused("hooks need local sockets, which Python does not have on this platform")
    return configuring.change(places, arguments.action, dry_run=arguments.dry_run)
