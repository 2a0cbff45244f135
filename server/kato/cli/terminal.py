"""The terminal's edge: every line that Kato prints goes through here, every table through `screen.Screen`.

Rule: what comes out of a conversation, a path or a client reaches the terminal as text: no control character is printed but
rich's own styling, and nothing is markup. Printing never fails because of the terminal's encoding.
"""

import codecs
import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final

from kato.app.config import LogFormatter
from kato.core import limits
from kato.core.text import printable

_ERRORS: Final = "kato-terminal"
#: ASCII of the same width, so that columns stay aligned, for the signs of Kato's own texts.
_ASCII: Final = {
    "✔": "+",
    "✘": "x",
    "●": "*",
    "·": "-",
    "×": "x",
    "↳": ">",
    "…": "~",
    "–": "-",
    "—": "-",
    "━": "-",
}


def prepare() -> None:
    """Call once, before anything is printed."""
    codecs.register_error(_ERRORS, _substitute)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ERRORS)
    sys.excepthook = _print_defect
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())  # what is logged where no log was set up


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


def _print_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Python's own hook prints an error's words as they are."""
    sys.stderr.write(printable("".join(traceback.format_exception(kind, error, trace)), keep="\n"))


def print_line(text: str) -> None:
    """Prints a line."""
    print(printable(text, chars_max=limits.MESSAGE_CHARS_MAX))  # noqa: T201 - the one place


def print_error(text: str) -> None:
    """Prints a line on stderr."""
    print(printable(text, chars_max=limits.MESSAGE_CHARS_MAX), file=sys.stderr)  # noqa: T201 - the one place


def print_json(value: Any) -> None:
    """Prints a value as JSON: ASCII alone, so that every encoding carries it exactly."""
    print(json.dumps(value, indent=2))  # noqa: T201 - the one place


def write(pieces: Iterable[bytes], shown: Callable[[str], str]) -> None:
    """Writes UTF-8 to standard output: exactly into a file or a pipe, as `shown` makes it on a terminal."""
    if not sys.stdout.isatty():
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    for piece in pieces:
        sys.stdout.write(shown(decode(piece)))


def flush() -> None:
    """Raises BrokenPipeError, or another OSError, where what was printed cannot go out."""
    if sys.stdout is not None:
        sys.stdout.flush()
