"""Texts as Kato needs them: which Markdown lines lie inside fenced code, what a word may have been meant as, what may be
printed as it is.

Rule: one reading of fences for the whole program, CommonMark's: an opening run of at least three backticks
or tildes, indented by at most three spaces, is closed by a run of the same character at least as long,
with nothing after it; a backtick fence's info string holds no backtick.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.DOTALL)


class Fence(NamedTuple):
    """An open fence: its character and its length."""

    char: str
    length: int

    def closing(self) -> str:
        """The shortest line that closes it."""
        return self.char * self.length


def next_fence(line: str, fence: Fence | None) -> Fence | None:
    """The fence that is open after `line`, when `fence` was open before it."""
    match = _FENCE.match(line)
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


def open_fence(text: str) -> Fence | None:
    """The fence that a text leaves open."""
    # A single character is looked for ten times as fast as a run of it.
    runs = [run for run in ("```", "~~~") if run[0] in text and run in text]
    if not runs:
        return None
    # Most often one character's runs are all there is, and only lines that hold one need a look.
    lines = _lines_with(text, runs[0]) if len(runs) == 1 else text.split("\n")
    fence: Fence | None = None
    for line in lines:
        fence = next_fence(line, fence)
    return fence


def _lines_with(text: str, run: str) -> Iterator[str]:
    at = text.find(run)
    while at >= 0:
        end = text.find("\n", at)
        if end < 0:
            end = len(text)
        yield text[text.rfind("\n", 0, at) + 1 : end]
        at = text.find(run, end)


_INSIDE_LIST: Final = re.compile(r"^(?:\s*(?:[-*+>]|\d{1,9}[.)])(?=\s))*\s*")


def lines_outside_fences(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of the lines that are neither inside a fence nor its delimiters, where fences inside lists
    and quotes, and indented ones, count too.
    """
    fence: Fence | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        after = next_fence(_INSIDE_LIST.sub("", line), fence)
        if fence is None and after is None:
            yield number, line
        fence = after


def one_line(text: str, chars_max: int) -> str:
    """A text's words in one line, cut at so many characters."""
    line = " ".join(text[: chars_max * 4].split())
    return line if len(line) <= chars_max else line[: chars_max - 1].rstrip() + "…"


def visible(name: str) -> str:
    """A name with what is not printable (line breaks, control characters, marks that turn the direction of text) as
    escapes.
    """
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def with_newlines(text: str) -> str:
    """The text with its lines ended as here: what ends one is counted alike everywhere."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def fence_longer_than_any_in(text: str, char: str = "`", at_least: int = 3) -> str:
    """A fence that no run of `char` inside `text` can close."""
    longest = max((len(run) for run in re.findall(re.escape(char) + "+", text)), default=0)
    return char * max(at_least, longest + 1)


def nearest(word: str, choices: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The choice that a mistyped word comes closest to (`likeness` from 0 to 1), None if none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - 0.2 MB, for mistakes alone

    return next(iter(get_close_matches(word, list(choices), n=1, cutoff=likeness)), None)


#: Characters that a terminal, a log or an editor may obey instead of showing: C0 and C1 controls, DEL, line and paragraph
#: separators, bidirectional embeddings, overrides and isolates. Halves of a surrogate pair cannot be encoded.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


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
