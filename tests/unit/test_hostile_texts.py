"""Texts that are made to be slow or large: every function of Kato's own takes time and memory in proportion to them."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from builders import request, user
from kato.core import limits, paths
from kato.core.errors import InvalidParams, SettingsInvalid, brief, shown
from kato.core.grammar import is_command_line, parse, unwrap
from kato.core.layers import resolve
from kato.core.lenient_json import decoded_bytes, loads, rendered_bytes
from kato.core.lines import Lines, are_sound
from kato.core.text import (
    fence_longer_than_any_in,
    line_part,
    lines_outside_fences,
    nearest,
    with_newlines,
    words_of,
)
from kato.lsp import wire
from kato.lsp.framing import FrameReader, encode_frame
from kato.notes.headings import distinct
from kato.notes.note_head import read_head
from kato.notes.redaction import masked

MIB = 1024 * 1024
#: The time that a function may take for any text, in seconds. The test compares no ratios below it.
FREE_SECONDS = 0.004

Act = Callable[[Any], object]


def refused(kind: str) -> None:
    with pytest.raises(InvalidParams):
        wire.decode_append(request([user("x") | {"kind": kind}]))


def misspelt_setting(name: str) -> None:
    with pytest.raises(SettingsInvalid):
        resolve(explicit={name: 1}, environment={}, file=None)


def one_byte_at_a_time(data: bytes) -> None:
    reader = FrameReader(64 * MIB)
    for index in range(len(data)):
        list(reader.feed(data[index : index + 1]))


def fed(data: bytes) -> None:
    list(FrameReader(64 * MIB).feed(data))


def among_headings(text: str) -> None:
    distinct(text, "readable")


def title(text: str) -> None:
    paths.title_from_text(text, is_command_line)


HOSTILE: list[tuple[str, Act, Callable[[int], Any]]] = [
    ("commands", parse, lambda n: "::captrue\n" * (n // 10)),
    ("different words", parse, lambda n: "\n".join(f"::captru{number}" for number in range(n // 14))),
    ("no command", parse, lambda n: "::std\n" * (n // 6)),
    ("a long word", parse, lambda n: "::" + "capture" * (n // 7)),
    ("a long argument", parse, lambda n: "::capture " + "a " * (n // 2)),
    ("blanks in an argument", parse, lambda n: "::capture a" + " " * n + "b"),
    ("blanks behind a command", parse, lambda n: "::capture" + " " * n),
    ("blanks before a command", parse, lambda n: " " * n + "::stop\n"),
    ("blank lines", parse, lambda n: "\n" * n + "::stop"),
    ("carriage returns", parse, lambda n: "\r" * n + "::stop"),
    ("line feeds alone, one return", parse, lambda n: "a\n" * (n // 2) + "\r::stop"),
    ("list marks", parse, lambda n: "- " * (n // 2) + "\n::stop"),
    ("numbers of a list", parse, lambda n: "1. " * (n // 3) + "\n::stop"),
    ("quotes", parse, lambda n: "> " * (n // 2) + "```\n::stop"),
    ("fences", parse, lambda n: "```\n" * (n // 4) + "::stop"),
    ("two kinds of fences", parse, lambda n: "```\n~~~\n" * (n // 8) + "::stop"),
    (
        "growing fences",
        parse,
        lambda n: "\n".join("`" * k for k in range(3, int((2 * n) ** 0.5))) + "\n::stop",
    ),
    ("a long fence", parse, lambda n: "`" * n + "\n::stop"),
    ("wrappings", unwrap, lambda n: "'" * n),
    ("links", unwrap, lambda n: "[a](" * (n // 4)),
    ("brackets of a link", unwrap, lambda n: "[a](" + "(b)" * (n // 3)),
    ("title: commands", title, lambda n: "::captrue\n" * (n // 10)),
    ("title: different words", title, lambda n: "\n".join(f"::captru{number}" for number in range(n // 14))),
    ("title: blank lines", title, lambda n: "\n \r\n\t" * (n // 5)),
    ("title: a long line", title, lambda n: "word " * (n // 5)),
    ("lines outside fences", lambda text: list(lines_outside_fences(text)), lambda n: "- " * (n // 2)),
    ("line ends", with_newlines, lambda n: "\r\n\r" * (n // 3)),
    ("a part of the lines", lambda text: line_part(text, len(text) // 4, len(text) // 2), lambda n: "\n" * n),
    ("words", words_of, lambda n: "a " * (n // 2)),
    ("runs of backticks", fence_longer_than_any_in, lambda n: "`a" * (n // 2)),
    ("one run of backticks", fence_longer_than_any_in, lambda n: "`" * n),
    (
        "growing runs",
        fence_longer_than_any_in,
        lambda n: "a".join("`" * k for k in range(int((2 * n) ** 0.5))),
    ),
    ("a long misspelt word", lambda word: nearest(word, ["capture"]), lambda n: "c" * n),
    ("a wrong kind", refused, lambda n: "x" * n),
    ("a wrong kind with paths in it", refused, lambda n: " - at `$.a`" * (n // 11)),
    ("an unknown setting", misspelt_setting, lambda n: "m" * n),
    ("a value in an error", brief, lambda n: [["x"] * 50] * (n // 50)),
    ("a value in an error's data", shown, lambda n: {str(number): [number] for number in range(n // 16)}),
    ("half pairs", loads, lambda n: b'["\\ud83d' + b"\\ud83d" * (n // 6) + b'"]'),
    ("an estimate", decoded_bytes, lambda n: b"{[," * (n // 3)),
    ("an estimate of a note", rendered_bytes, lambda n: "\\r😀".encode() * (n // 6)),
    ("lines of JSON", are_sound, lambda n: b'{"a":[]}\n' * (n // 9)),
    ("brackets", are_sound, lambda n: b"[" * n + b"\n"),
    (
        "pieces of lines",
        lambda data: list(Lines([data], 1, len(data)).pieces(1000)),
        lambda n: b"a" * n + b"\n",
    ),
    ("a frame byte by byte", one_byte_at_a_time, lambda n: encode_frame(b" " * (n // 8))),
    ("secrets: beginnings of tokens", masked, lambda n: "eyJ" * (n // 3)),
    ("secrets: parts of tokens", masked, lambda n: "eyJaaaaaaaaaaaa.eyJbbbbbbbbbbbb." * (n // 32)),
    ("secrets: prefixes of tokens", masked, lambda n: "sk-" * (n // 3)),
    ("secrets: candidates", masked, lambda n: "_0123456789abcdef" * (n // 17)),
    ("secrets: tokens in one line", masked, lambda n: "AKIAQ3EGRIVX5GZ7KLMN " * (n // 21)),
    ("secrets: addresses", masked, lambda n: "://a:b@" * (n // 7)),
    ("secrets: addresses without an end", masked, lambda n: "://" + "a:" * (n // 2)),
    ("secrets: variables", masked, lambda n: "A_KEY=" * (n // 6)),
    ("secrets: beginnings of keys", masked, lambda n: "-----BEGIN PRIVATE KEY-----\n" * (n // 28)),
    ("secrets: a key without an end", masked, lambda n: "-----BEGIN PRIVATE KEY-----" + "a" * n),
    ("secrets: an empty key", masked, lambda n: "-----BEGIN PRIVATE KEY-----" + "\n" * n),
    ("secrets: gaps", masked, lambda n: "ccessKey " + "=" * n),
    ("headings like a speaker's", among_headings, lambda n: "### a, 12:00\n" * (n // 13)),
    ("a long heading like a speaker's", among_headings, lambda n: "### " + ", 12:00" * (n // 7) + "x"),
    ("times without an end", among_headings, lambda n: "## You, 12:00: " + "\\#" * (n // 2) + "#"),
    ("frontmatter: a long list", read_head, lambda n: "---\nrecordingIds:\n" + "- a\n" * (n // 4)),
    ("frontmatter: a list in brackets", read_head, lambda n: "---\nrecordingIds: [" + "a," * (n // 2)),
    ("frontmatter: blanks", read_head, lambda n: "---\nrecordingIds: [" + " " * n + "#"),
    ("frontmatter: blanks in a value", read_head, lambda n: "---\nrecordingIds: a" + " " * n + "#"),
    ("frontmatter: quotes", read_head, lambda n: "---\nrecordingIds: '" + "''" * (n // 2)),
    ("frontmatter: keys", read_head, lambda n: "---\nrecordingIds: []\n" + "cwd: x\n" * (n // 7)),
    ("bytes that are no frame", fed, lambda n: b"Content-Length\n" * (n // 15)),
    ("headers", fed, lambda n: b"Content-Length: x\r\n\r\n" * (n // 21)),
]


def seconds(act: Act, text: Any) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        act(text)
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.slow
@pytest.mark.parametrize(("act", "make"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_four_times_the_text_takes_no_more_than_eight_times_as_long(
    act: Act, make: Callable[[int], Any]
) -> None:
    small, large = make(64 * 1024), make(256 * 1024)
    taken = seconds(act, large)
    assert taken < 8 * max(seconds(act, small), FREE_SECONDS), f"{taken:.3f} s"
    assert taken < 2


SHORT_LINES = "ab\n" * MIB
MANY_LINES: list[tuple[str, Act, Any]] = [
    ("commands", parse, SHORT_LINES + "::stop"),
    ("commands, other line ends", parse, SHORT_LINES.replace("\n", "\r\n") + "::stop"),
    ("commands in list marks", parse, "- " * MIB + "\n::stop"),
    ("fences", parse, "```\n~~~\n" * (MIB // 4) + "::stop"),
    ("a long argument", parse, "::capture " + SHORT_LINES.replace("\n", " ")),
    ("a title", title, "::stop\n" * MIB),
    ("a title behind blank lines", title, "\n" * 3 * MIB + "title"),
    ("a title in one line", title, "ab " * MIB),
    ("runs of backticks", fence_longer_than_any_in, "`a" * MIB),
    ("a misspelt word", lambda word: nearest(word, ["capture"]), "c" * 3 * MIB),
    ("a wrong kind", refused, "x" * 3 * MIB),
    ("a wrong value", brief, ["x" * 100] * MIB),
]


@pytest.mark.slow
@pytest.mark.parametrize(("act", "text"), [row[1:] for row in MANY_LINES], ids=[row[0] for row in MANY_LINES])
def test_a_text_of_short_lines_is_not_split(act: Act, text: Any) -> None:
    """Split, 3 MB of lines of two letters take 60 MB; a few copies of the text are allowed."""
    act(text[:1000])  # what is loaded and compiled once is there
    tracemalloc.start()
    try:
        act(text)
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()


def test_words_of_code_hide_no_command_and_only_so_many_are_taken_for_mistakes() -> None:
    code = "\n".join(f"::word{number}" for number in range(2 * limits.OTHER_WORDS_MAX))
    commands, problems = parse(f"{code}\n::captrue\n::stop")
    assert [one.name for one in commands] == ["stop"]
    assert problems == []
    assert len(parse("::captrue\n::stop")[1]) == 1


def test_joined_words_are_the_words_of_the_whole_text() -> None:
    text = ("word\u2003and\n\tmore " + "x" * 70_000 + "  ") * 3
    assert words_of(text) == " ".join(text.split())


def test_a_title_is_searched_in_the_first_lines() -> None:
    assert paths.title_from_text("::stop\n" * 20 + "a title", is_command_line) == "a title"
    assert paths.title_from_text("::stop\n" * 40 + "a title", is_command_line) is None


def test_estimates_cover_what_decoding_takes() -> None:
    """`sys.getsizeof` of all that is decoded, for texts that are dense in one way or another."""
    import sys

    def size(value: Any) -> int:
        total = sys.getsizeof(value)
        if isinstance(value, dict):
            return total + sum(size(key) + size(item) for key, item in value.items())
        if isinstance(value, list):
            return total + sum(map(size, value))
        return total

    values: list[Any] = [
        [[]] * 10_000,
        [{"a": 1}] * 5000,
        "x" * 100_000,
        "x" * 100_000 + "😀",
        "日本" * 50_000,
    ]
    for value in values:
        text = orjson.dumps(value)
        assert decoded_bytes(text) >= size(loads(text))
        assert rendered_bytes(text) >= size(loads(text))
