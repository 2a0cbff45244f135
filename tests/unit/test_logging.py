"""The log: one line a record, tracebacks indented below it, and no character that controls a terminal."""

import logging
import sys

import pytest

from kato.core import limits
from kato.engine import log_defect
from kato.system.log_format import LogFormatter


def formatted(message: str, *arguments: object, **more: object) -> str:
    record = logging.LogRecord("kato.x", logging.WARNING, "file.py", 1, message, arguments, None)
    record.__dict__.update(more)
    return LogFormatter("%(levelname)s %(name)s: %(message)s").format(record)


def test_a_record_is_one_line_whatever_its_arguments_hold() -> None:
    line = formatted("%s was not read", "a\n2026-01-01 1 ERROR kato: forged\r\x1b[2J\u2028\udcff")
    assert line == (
        "WARNING kato.x: a\\n2026-01-01 1 ERROR kato: forged\\r\\x1b[2J\\u2028\\udcff was not read"
    )


def test_a_record_is_bounded() -> None:
    assert len(formatted("%s", "x" * 3_000_000)) == limits.MESSAGE_CHARS_MAX


def test_a_traceback_keeps_its_lines_and_none_passes_for_a_record() -> None:
    try:
        raise ValueError("a\nWARNING kato.x: forged\x1b[2J")
    except ValueError:
        lines = formatted("failed", exc_info=sys.exc_info()).split("\n")
    assert lines[0] == "WARNING kato.x: failed"
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-2:] == ["    ValueError: a", "    WARNING kato.x: forged\\x1b[2J"]
    assert all(line.startswith("    ") for line in lines[1:])
    stack = formatted("here", stack_info="Stack\n  File \x1b").split("\n")
    assert stack == ["WARNING kato.x: here", "    Stack", "      File \\x1b"]


def test_a_defects_traceback_names_the_error_and_not_its_text(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError("conversation text")
    except KeyError as error:
        log_defect(logging.getLogger("kato-test"), "a log", error)
    caplog.handler.setFormatter(LogFormatter("%(message)s"))
    (record,) = caplog.records
    record.exc_text = None  # what pytest's own formatter made of it
    lines = caplog.handler.format(record).split("\n")
    assert lines[0] == "a log is defective (KeyError)"
    assert lines[-1] == "    Exception: KeyError"
    assert any("test_a_defects_traceback" in line for line in lines)
    assert "conversation text" not in "\n".join(lines).replace('raise KeyError("conversation text")', "")
