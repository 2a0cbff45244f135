"""Functions on texts: fences of Markdown, lines and words, the nearest known word, and texts that are safe to print.

Rules:

- The whole program uses one definition of fences, CommonMark's: an opening run of at least three backticks or tildes, indented
  by at most three spaces, is closed by a run of the same character at least as long, with nothing after it. The info string
  of a backtick fence contains no backtick.
- No function splits a text into all of its lines or words, because 8 MB of short lines take 150 MB as a list. Each takes time in
  proportion to the length of the text.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_FENCE_LINE: Final = re.compile(r" {0,3}(`{3,}|~{3,})([^\r\n]*)")


class Fence(NamedTuple):
    """An open fence: its character and its length."""

    char: str
    length: int


class LinePattern:
    """Finds the lines that begin with a pattern. The pattern must not match the end of a line."""

    def __init__(self, pattern: str) -> None:
        self._first = re.compile(pattern)
        self._others = re.compile(rf"[\r\n]{pattern}")

    def match(self, line: str) -> re.Match[str] | None:
        """The match at a line's beginning."""
        return self._first.match(line)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """The matches in order; each begins at its line's beginning, or at the line end before it."""
        first = self._first.match(text)
        if first is not None:
            yield first
        yield from self._others.finditer(text)


#: List markers and quotes before a line's own text. Each level takes memory to match, so deeper nesting is not read.
_IN_LISTS: Final = r"(?:[^\S\r\n]*(?:[-*+>]|\d{1,9}[.)])(?=\s)){0,64}[^\S\r\n]*"
_INSIDE_LIST: Final = re.compile(_IN_LISTS)
_FENCES_IN_LISTS: Final = LinePattern(rf"{_IN_LISTS}((?:```|~~~)[^\r\n]*)")


def next_fence(line: str, fence: Fence | None) -> Fence | None:
    """The fence that is open after `line`, when `fence` was open before it."""
    match = _FENCE_LINE.match(line)
    if match is None:
        return fence
    run, rest = match.groups()
    if fence is None:
        if run[0] == "`" and "`" in rest:
            return None
        return Fence(run[0], len(run))
    if run[0] == fence.char and len(run) >= fence.length and not rest.strip(" \t\r"):
        return None
    return fence


def each_line(text: str) -> Iterator[str]:
    """The lines of a text, one at a time."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def line_part(text: str, after: int, through: int | None) -> str:
    """The lines of a text without the first `after` ones, up to and including number `through` (from 1)."""
    start = _after_lines(text, 0, after)
    if start < 0 or (through is not None and through <= after):
        return ""
    end = -1 if through is None else _after_lines(text, start, through - after)
    return text[start:] if end < 0 else text[start : end - 1]


def _after_lines(text: str, position: int, count: int) -> int:
    """Where the line begins that follows the next `count` lines; -1 if there is none."""
    for _ in range(count):
        position = text.find("\n", position) + 1
        if not position:
            return -1
    return position


def lines_outside_fences(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of the lines that are neither in a fence nor a fence's delimiter. Fences in lists and quotes, and
    indented ones, count too.
    """
    fence: Fence | None = None
    for number, line in enumerate(each_line(text), start=1):
        after = next_fence(_INSIDE_LIST.sub("", line, count=1), fence)
        if fence is None and after is None:
            yield number, line
        fence = after


def one_line(text: str, chars_max: int) -> str:
    """A text's words in one line, of at most the given number of characters."""
    line = " ".join(text[: chars_max * 4].split())
    return line if len(line) <= chars_max else line[: chars_max - 1].rstrip() + "…"


def visible(name: str) -> str:
    """A name with escapes for everything that is not printable: line breaks, control characters, marks of text direction."""
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def found_outside_fences(text: str, wanted: LinePattern) -> Iterator[tuple[int, re.Match[str]]]:
    """Number (from 1) and match of the lines that `wanted` finds outside fences, which are those of
    `lines_outside_fences`. `wanted` must not find lines that open or close one.
    """
    fence: Fence | None = None
    number, counted = 1, 0
    fences = _FENCES_IN_LISTS.finditer(text) if "```" in text or "~~~" in text else iter(())
    upcoming = next(fences, None)
    for found in wanted.finditer(text):
        while upcoming is not None and upcoming.start() < found.start():
            fence = next_fence(upcoming[1], fence)
            upcoming = next(fences, None)
        if fence is None:
            start = found.start() + (text[found.start()] in "\r\n")
            number, counted = number + _line_ends(text, counted, start), start
            yield number, found


def _line_ends(text: str, low: int, high: int) -> int:
    """The number of line ends between the beginnings of two lines. CR LF, LF and CR end a line."""
    return text.count("\n", low, high) + text.count("\r", low, high) - text.count("\r\n", low, high)


def with_newlines(text: str) -> str:
    """The text with LF as its only line end, as all of Kato counts lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


_BLOCK_CHARS: Final = 64 * 1024


def words_of(text: str) -> str:
    """The words of a text, joined by single spaces."""
    if len(text) <= _BLOCK_CHARS:
        return " ".join(text.split())
    parts: list[str] = []
    gap = False
    for start in range(0, len(text), _BLOCK_CHARS):
        block = text[start : start + _BLOCK_CHARS]
        gap = gap or block[0].isspace()
        words = " ".join(block.split())
        if words:
            parts.append(f" {words}" if gap and parts else words)
            gap = False
        gap = gap or block[-1].isspace()
    return "".join(parts)


def fence_longer_than_any_in(text: str, char: str = "`", at_least: int = 3) -> str:
    """A fence that no run of `char` inside `text` can close."""
    longest = at_least - 1
    run = re.compile(re.escape(char) + "+")
    at = text.find(char * at_least)
    while at >= 0:  # each match is longer than the one before, so there are few
        found = run.match(text, at)
        assert found is not None
        longest = found.end() - at
        at = text.find(char * (longest + 1), found.end())
    return char * (longest + 1)


def nearest(word: str, choices: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The choice that is most similar to a mistyped word; None if none is similar enough (`likeness` from 0 to 1)."""
    # A word that is much longer than every choice is similar to none, and takes long to compare.
    close = [one for one in choices if 2 * min(len(word), len(one)) >= likeness * (len(word) + len(one))]
    return _nearest(word, tuple(close), likeness) if close else None


@lru_cache(maxsize=256)  # takes 40 µs a word, and a text can repeat a word in each line
def _nearest(word: str, choices: tuple[str, ...], likeness: float) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 - 0.2 MB, for mistakes alone

    return next(iter(get_close_matches(word, choices, n=1, cutoff=likeness)), None)


#: Characters that a terminal, a log or an editor may obey instead of showing: C0 and C1 controls, DEL, line and paragraph
#: separators, bidirectional embeddings, overrides and isolates. Halves of a surrogate pair cannot be encoded.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def counted(count: int, noun: str) -> str:
    """`1 event`, `1,204 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(text: str, *, keep: str = "", chars_max: int | None = None) -> str:
    r"""The text with what must not be obeyed made visible, as `\x1b` or `\u202e`, except the characters of `keep`; of a longer
    text, the first `chars_max` characters.
    """
    cut = text if chars_max is None else text[: chars_max + 1]
    shown = _UNPRINTABLE.sub(lambda found: found[0] if found[0] in keep else _visible(found[0]), cut)
    return shown if chars_max is None or len(shown) <= chars_max else shown[: chars_max - 1] + "…"


def printable_json(text: str) -> str:
    """JSON text with the same characters as JSON's own escapes: the values stay what they are."""
    return _UNPRINTABLE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def _visible(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
