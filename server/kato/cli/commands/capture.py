"""`kato capture`: writes a conversation to a note now, from the assistant's log. See `kato.cli.capturing`."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kato.app import config
from kato.app.catalogue import log_screen, open_journal
from kato.app.parsing import find_log
from kato.cli import capturing, catalog, kept, options, terminal
from kato.cli.exits import UsageRefused
from kato.core.errors import EXIT_OK, CommandRefused
from kato.core.text import counted, printable
from kato.logs.listing import describe

if TYPE_CHECKING:
    from kato.core.records import SessionRecord
    from kato.core.settings import Settings
    from kato.logs.discovery import Found
    from kato.notes.notebook import Whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Reads the conversation from the assistant's log, from its beginning, and writes it as the settings markdown.* say. Text in "
        "the file that Kato did not write is copied to the backups first.",
        "kato capture --latest notes/talk.md",
        "kato capture 3f2a9c1e talk.html --images --tools=full",
        "kato capture --latest --since 2h - | less",
        "kato capture ~/backup/session.jsonl old-talk.md",
    )
    parser.add_argument(
        "session",
        nargs="?",
        metavar="SESSION",
        help="its id, or the beginning of it, or assistant/id (kato sessions lists them); or the path of a session log",
    )
    parser.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="the file, whose suffix names the format: .md, .html, .txt, or .jsonl for one event a line;"
        " - for standard output; without it, a note in the current folder",
    )
    parser.add_argument(
        "--latest", action="store_true", help="the newest conversation of the current folder (the default)"
    )
    options.add_since(parser, "leave out what was said before")
    parser.add_argument(
        "--format", choices=capturing.FORMATS, help="the format of standard output, or of a file without PATH"
    )
    _add_contents(parser)
    options.add_state_dir(parser)
    parser.set_defaults(take_left_over=_take_left_over)


def _add_contents(parser: argparse.ArgumentParser) -> None:
    """Adds the options for what the note shows."""
    parser.add_argument("--thinking", action="store_true", help="show the assistant's thinking, folded")
    # Options of their own: with an optional value, argparse would take the session or the path for the value.
    for value, names, text in (
        ("full", ("--tools", "--tools=full"), "show each tool call with its result, folded"),
        ("summary", ("--tools=summary",), "show at the end of each turn what was done (the default)"),
        ("hidden", ("--tools=hidden",), "show nothing of tool calls"),
    ):
        parser.add_argument(*names, dest="tools", action="store_const", const=value, help=text)
    parser.add_argument(
        "--sub-agents", action="store_true", help="fold sub-agents under the calls that started them"
    )
    parser.add_argument(
        "--images",
        action="store_true",
        help="write pictures as files next to the note, or into the page (.html)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the note and reports what was written. Raises KatoError if nothing could be written."""
    wanted, path = _session_and_path(arguments)
    if path not in (None, "-"):
        capturing.format_of(path, arguments.format)  # before the logs are searched
    chosen = _with_options(options.settings(arguments), arguments)
    places = catalog.Places.of(chosen)
    logs = catalog.list_found(places.roots, places.surroundings)
    if wanted is None:
        found = catalog.latest(logs, str(Path.cwd()), places.surroundings)
        return _capture(chosen, found, logs, places, path, arguments)
    try:
        found = catalog.pick(logs, wanted, places.surroundings)
    except CommandRefused as refusal:
        record = kept.find(config.state_dir(chosen.state_dir), wanted)
        if record is not None:
            return _capture_kept(chosen, record, path, arguments)
        found = _find_elsewhere(wanted, places, refusal)
    return _capture(chosen, found, logs, places, path, arguments)


def _find_elsewhere(wanted: str, places: catalog.Places, refusal: CommandRefused) -> "Found":
    """The log at a path that no assistant uses. Raises `refusal` if the user meant no path, and KatoError if it is not a log."""
    if capturing.names_note(wanted):
        raise CommandRefused(
            f"no conversation {wanted!r} is on this machine; to write the newest one of this folder to that file: "
            f"kato capture --latest {wanted}"
        ) from None
    if Path(wanted).is_dir():
        raise CommandRefused(f"{wanted} is a folder; name one session log in it") from None
    if not Path(wanted).is_file():
        if _is_path(wanted):
            raise CommandRefused(
                f"{wanted}: the file does not exist; name a session log, or a conversation that `kato sessions --all` lists"
            ) from None
        raise refusal
    return find_log(wanted, None, places.surroundings)


def _is_path(wanted: str) -> bool:
    """Whether a text is a path of a session log, and not an id: `provider/id` has a slash too."""
    return wanted.startswith(("/", ".", "~")) or PurePath(wanted).suffix in (".jsonl", ".json", ".zst")


def _capture(
    chosen: "Settings",
    found: "Found",
    logs: "Sequence[Found]",
    places: catalog.Places,
    path: str | None,
    arguments: argparse.Namespace,
) -> int:
    """Writes the conversation of a log. Raises KatoError."""
    with open_journal(config.state_dir(chosen.state_dir)) as journal:
        screen = log_screen(journal)
    about = describe(found, places.surroundings).info
    ignoring = screen.is_ignored(about.cwd)
    if ignoring is not None:
        raise CommandRefused(
            f"{found.assistant.name}/{about.session_id} was not captured: nothing of the conversations in this folder is kept, "
            f"because {ignoring} is there; remove that file to capture the conversation"
        )
    task = capturing.Task(chosen, found, logs, places.surroundings, arguments.since, screen)
    if path == "-":
        shown = partial(printable, keep="\n\t")
        capturing.to_stdout(task, arguments.format, lambda pieces: terminal.write(pieces, shown))
    else:
        target = None if path is None else options.absolute(path)
        _print(capturing.to_file(task, target, arguments.format))
    return EXIT_OK


def _capture_kept(
    chosen: "Settings", record: "SessionRecord", path: str | None, arguments: argparse.Namespace
) -> int:
    """Writes a conversation that only the journal has. Raises KatoError."""
    where = path if path in (None, "-") else options.absolute(path)
    report = kept.write(chosen, record, kept.Target(where, arguments.format), arguments.since)
    if report is not None:
        _print(report)
    return EXIT_OK


def _session_and_path(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    """The session, None for the latest one, and the path, None for the default name."""
    wanted, path = arguments.session, arguments.path
    if not arguments.latest or wanted is None:
        return wanted, path
    if path is not None:
        raise UsageRefused("--latest takes a path, or a session is named: not both")
    return None, wanted


def _with_options(chosen: "Settings", arguments: argparse.Namespace) -> "Settings":
    """The settings, with what the command line says about the note."""
    tools = arguments.tools
    return replace(
        chosen,
        markdown_include_thinking=chosen.markdown_include_thinking or arguments.thinking,
        markdown_include_sub_agents=chosen.markdown_include_sub_agents or arguments.sub_agents,
        markdown_images="files" if arguments.images else chosen.markdown_images,
        markdown_tool_calls=chosen.markdown_tool_calls if tools is None else tools,
        markdown_include_tool_calls=chosen.markdown_include_tool_calls if tools is None else False,
    )


def _print(report: capturing.Report) -> None:
    """Reports what was replaced, then what was written."""
    replaced = report.whole.replaced
    if report.pictures_failure is not None:
        terminal.print_error(f"some pictures could not be written: {report.pictures_failure}")
    if replaced.backup_path is not None:
        terminal.print_error(f"{report.path} held other text; it was copied to {replaced.backup_path} first")
    for one in replaced.stopped:
        terminal.print_error(
            f"the recording of {one.key.provider}/{one.key.session_id} to {report.path} was stopped"
        )
    terminal.print_line(f"{report.path}: {_written(report.whole)}")
    if report.pictures is not None:
        folder, count = report.pictures
        terminal.print_line(f"{folder}: {counted(count, 'picture')}")


def _written(whole: "Whole") -> str:
    """What a note holds: `12 messages from 40 events, 1 secret masked`."""
    events = counted(whole.events, "event")
    written = events if whole.messages is None else f"{counted(whole.messages, 'message')} from {events}"
    return f"{written}, {counted(whole.redactions, 'secret')} masked" if whole.redactions else written


def _take_left_over(arguments: argparse.Namespace, left_over: Sequence[str]) -> bool:
    """Takes arguments that argparse left over as the session or the path. False if both were given already, or if
    one of them is an option.
    """
    for text in left_over:
        if text.startswith("-") and text != "-":
            return False
        if arguments.session is None:
            arguments.session = text
        elif arguments.path is None:
            arguments.path = text
        else:
            return False
    return True
