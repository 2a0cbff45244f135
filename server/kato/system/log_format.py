"""The form of a line in Kato's logs. A module of its own, because the command line loads it at every start."""

import logging
from typing import Any

from kato.core import limits
from kato.core.text import printable


class LogFormatter(logging.Formatter):
    """One line a record, whatever a name or a path in it holds; the lines of a traceback follow, indented, so that none
    of them can pass for a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The record's line."""
        return printable(super().formatMessage(record), chars_max=limits.MESSAGE_CHARS_MAX)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """The traceback's lines."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's own name
        """The stack's lines."""
        return _indented(super().formatStack(stack_info))


def _indented(lines: str) -> str:
    return "    " + printable(lines, keep="\n").replace("\n", "\n    ")
