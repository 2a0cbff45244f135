"""`kato hooks`: answers in the chat. `kato hook <host>`, which the hosts run, is `channels.hooks.entry`."""

import argparse
import os
import sys
from pathlib import Path

from kato.channels.hooks.hosts import HOSTS
from kato.cli import configuring
from kato.core.errors import CommandRefused


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `hooks`."""
    hooks = commands.add_parser(
        "hooks",
        help="let your assistants show in the chat what became of a :: command",
        description="Registers a hook with your assistants: it answers a :: command in the chat at once. Files are changed only"
        " where it stands, and copied before the first change. Example: kato hooks install claude --dry-run",
    )
    actions = hooks.add_subparsers(required=True, metavar="action")
    for name, parser in configuring.add_actions(actions, "the hook", list(HOSTS)).items():
        parser.set_defaults(run=run, action=name)


def run(arguments: argparse.Namespace) -> int:
    """Runs one of its actions. Raises CommandRefused."""
    from kato.channels.configuration.launcher import launcher  # noqa: PLC0415
    from kato.channels.configuration.place import Machine  # noqa: PLC0415
    from kato.channels.hooks import settings  # noqa: PLC0415
    from kato.system import local_sockets  # noqa: PLC0415

    machine = Machine(os.environ, Path.home(), sys.platform)
    places = configuring.chosen(settings.places(machine, launcher()), arguments.assistant)
    if arguments.action == "status":
        return configuring.show(places)
    if arguments.action == "install" and not local_sockets.IS_SUPPORTED:
        raise CommandRefused("hooks need local sockets, which Python does not have on this platform")
    return configuring.change(places, arguments.action, dry_run=arguments.dry_run)
