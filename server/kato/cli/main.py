"""The command line: finds the subcommand, parses its arguments, runs it, and turns errors into exit codes.

Rule: only the module of the subcommand that is used is imported, so that `kato serve` and `kato --version` start fast.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from kato.cli import terminal
from kato.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, UsageRefused
from kato.cli.parser import build, descend
from kato.core.errors import EXIT_CONFIG, EXIT_OK, JournalNotOpened, KatoError, SettingsInvalid


def run(arguments: Sequence[str]) -> int:
    """Parses the arguments and runs the subcommand. Returns the exit code; an error for the user is one line on stderr."""
    terminal.prepare()
    try:
        code = _run(arguments)
        terminal.flush()  # at the interpreter's end, a reader that went away would be reported as a defect
    except SettingsInvalid as error:
        cure = "; `kato config --edit` opens the file" if Path(error.origin).is_absolute() else ""
        return _failed(f"{error.message}{cure}", EXIT_CONFIG)
    except JournalNotOpened as error:
        return _failed(error.message, EXIT_CONFIG)
    except UsageRefused as error:
        return _failed(error.message, EXIT_USAGE)
    except KatoError as error:
        return _failed(error.message)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
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
    used = next((one for one in arguments if not one.startswith("-")), None)
    parser = build([] if used is None else [used])
    try:
        # An option between two positional arguments leaves the second one over: argparse takes them in one go.
        parsed, left_over = parser.parse_known_args(arguments)
        take = getattr(parsed, "take_left_over", None)
        if left_over and (take is None or not take(parsed, left_over)):
            descend(parser, arguments).refuse(left_over)
    except SystemExit as ended:  # argparse printed help or an error
        return int(ended.code or EXIT_OK)
    if not hasattr(parsed, "run"):
        parser.print_help()
        return EXIT_OK
    return int(parsed.run(parsed))
