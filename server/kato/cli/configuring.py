"""`install`, `uninstall` and `status` of what Kato registers in the configuration files of assistants."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from kato.channels.configuration.errors import NotUnderstood
from kato.cli import options, terminal
from kato.cli.exits import EXIT_FAILED, UsageRefused
from kato.core.errors import EXIT_OK, CommandRefused

if TYPE_CHECKING:
    from kato.channels.configuration.files import Change
    from kato.channels.configuration.place import Place

Action = Literal["install", "uninstall"]


def add_actions(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    command: str,
    what: str,
    names: Sequence[str],
) -> dict[str, argparse.ArgumentParser]:
    """Adds `install`, `uninstall` and `status` to the subcommand `command`. `what` is what they register."""
    parsers = {
        "install": _add_action(
            actions, f"kato {command} install --dry-run", f"Register {what} with your assistants."
        ),
        "uninstall": _add_action(
            actions, f"kato {command} uninstall --dry-run", f"Remove {what} from your assistants' settings."
        ),
        "status": _add_action(actions, f"kato {command} status", f"Show where {what} is registered."),
    }
    for name, parser in parsers.items():
        parser.set_defaults(action=name)
        parser.add_argument(
            "assistant",
            nargs="*",
            metavar="ASSISTANT",
            help=f"{', '.join(names)}; without one, those that are used on this machine",
        )
        if name != "status":
            parser.add_argument("--dry-run", action="store_true", help="show the changes, and make none")
    return parsers


def _add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", example: str, summary: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(example.split()[2], help=summary, description=summary)
    options.describe(parser, "Prints one line for each assistant, with the path of its file.", example)
    return parser


def chosen(places: "Sequence[Place]", wanted: Sequence[str]) -> "list[Place]":
    """The places that are named, else those of assistants that are used on this machine. Raises CommandRefused, and UsageRefused for an unknown name."""
    names = [place.name for place in places]
    for name in wanted:
        if name not in names:
            raise UsageRefused(_why_not(name, ", ".join(names)))
    found = [place for place in places if (place.name in wanted if wanted else place.folder.is_dir())]
    if not found:
        raise CommandRefused(f"none of {', '.join(names)} is used here; name the one to prepare")
    return found


def _why_not(name: str, names: str) -> str:
    from kato.assistants import registry  # noqa: PLC0415 - only where the name is not one of the places

    title = registry.titles().get(name)
    if title is None:
        return f"{name!r} is not one of {names}"
    return (
        f"Kato reads the sessions of {title}, but does not know its configuration files; write one of {names}"
    )


def change(places: "Sequence[Place]", action: Action, *, dry_run: bool) -> int:
    """Makes or shows the changes of each file; a file that cannot be changed does not stop the others."""
    code = EXIT_OK
    for place in places:
        try:
            _change(place, action, dry_run=dry_run)
        except NotUnderstood as error:
            code = EXIT_FAILED
            terminal.print_error(f"kato: {place.path} was left as it is: {error.message}")
        except OSError as error:
            code = EXIT_FAILED
            terminal.print_error(f"kato: {place.path} was left as it is: {error.strerror or error}")
    return code


def _change(place: "Place", action: Action, *, dry_run: bool) -> None:
    from kato.channels.configuration import files  # noqa: PLC0415 - most commands change no file

    found = _plan(place, place.add if action == "install" else place.remove, action)
    if not found.is_needed:
        state = "registered already" if action == "install" else "not registered"
        terminal.print_line(f"{place.title}: {state} ({place.path})")
        return
    if dry_run:
        for line in files.diff(found):
            terminal.print_line(line)
        return
    backup = files.apply(found)
    done = "registered in" if action == "install" else "taken out of"
    terminal.print_line(f"{place.title}: {done} {place.path}")
    if backup is not None:
        terminal.print_line(f"  the file as it was: {backup}")
    if action == "install" and place.advice:
        terminal.print_line(f"  {place.advice}")


def _plan(place: "Place", edit: Callable[[str], str], action: Action) -> "Change":
    from kato.channels.configuration import files  # noqa: PLC0415 - most commands change no file

    before = files.read(place.path)
    if before is None and action == "uninstall":
        return files.Change(place.path, None, None)
    after = None if action == "uninstall" and place.is_own else edit(before or "")
    return files.Change(place.path, before, after)


def show(places: "Sequence[Place]") -> int:
    """Says for each assistant whether Kato is registered with this installation's command."""
    from kato.channels.configuration import files  # noqa: PLC0415 - most commands change no file

    for place in places:
        try:
            text = files.read(place.path)
            if text is None or place.remove(text) == text:
                state = "not registered"
            elif place.add(text) == text:
                state = "registered"
            else:
                state = "registered with another command: install it again"
        except (NotUnderstood, OSError) as error:
            state = f"cannot be read: {error}"
        terminal.print_line(f"{place.title}: {state} ({place.path})")
    return EXIT_OK
