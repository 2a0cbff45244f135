"""The terminal's edge: every line that Kato prints goes through here, every table through `screen.Screen`.

Rule: what comes out of a conversation, a path or a client reaches the terminal as text: no control character is printed but
rich's own styling, and nothing is markup. Printing never fails because of the terminal's encoding.
"""

import codecs
import io
import json
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, TextIO

from kato.core import limits
from kato.core.text import printable
from kato.system.log_format import LogFormatter

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
    sys.stdout, sys.stderr = _buffered(sys.stdout), _buffered(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)
    sys.excepthook = _print_defect
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(LogFormatter())  # what is logged where no log was set up


def _buffered(stream: TextIO) -> TextIO:
    """A stream that Python left without a buffer (`PYTHONUNBUFFERED`) loses what the system does not take in one write."""
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw := stream.buffer, io.RawIOBase):
        return stream
    encoding, errors = stream.encoding, stream.errors
    stream.detach()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=True)


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


def can_print(text: str) -> bool:
    """Whether the encoding of standard output has every character of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


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


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl+C takes effect after the block. Inside a write it would lose the rest of what is written: after half of an escape
    sequence, a terminal takes the text behind it for the other half.
    """
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        signal.raise_signal(signal.SIGINT)


def flush() -> None:
    """Raises BrokenPipeError, or another OSError, where what was printed cannot go out."""
    if sys.stdout is not None:
        sys.stdout.flush()
