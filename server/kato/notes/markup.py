"""Builds the Markdown of notes: fences, code spans, folded blocks, tables.

Rule: no text can end the block that contains it.
"""

import re
from collections.abc import Sequence
from typing import Final

from kato.core.text import fence_longer_than_any_in, with_newlines, words_of
from kato.notes.safe_markdown import enclosed, escaped_tags

SUMMARY_CHARS_MAX: Final = 120
_WORD: Final = re.compile(r"\S")


def normalised(text: str) -> str:
    """The text with line feeds as its only line ends, and without NUL, which CommonMark replaces."""
    text = with_newlines(text)
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def trimmed(text: str) -> str:
    """The text without blank lines at its beginning and white space at its end."""
    if text[:1].isspace():
        first = _WORD.search(text)
        text = "" if first is None else text[text.rfind("\n", 0, first.start()) + 1 :]
    return text.rstrip()


def one_line(text: str) -> str:
    """The words of a text in one line."""
    return words_of(normalised(text))


def cut(text: str, chars_max: int = SUMMARY_CHARS_MAX) -> str:
    """One line of at most `chars_max` characters."""
    line = one_line(text if len(text) <= chars_max else text[: 8 * chars_max])
    return line if len(line) <= chars_max else line[: chars_max - 1].rstrip() + "…"


def prose(text: str) -> str:
    """One line in which no tag is read as HTML."""
    return escaped_tags(one_line(text))


def html_text(text: str) -> str:
    """Text between HTML tags."""
    # `html.escape` would load a table of 2,231 entities (0.4 MB).
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MARKS: Final = re.compile(r"[\\`*_\[\]<>~|#]")


def literal(text: str) -> str:
    """The text in one line, with its Markdown marks escaped."""
    return _MARKS.sub(lambda found: f"\\{found[0]}", one_line(text))


def code_span(text: str) -> str:
    """One line of text as code."""
    line = cut(text)
    if "`" not in line:
        return f"`{line}`"
    marks = fence_longer_than_any_in(line, at_least=1)
    pad = " " if line[:1] in "` " or line[-1:] in "` " else ""
    return f"{marks}{pad}{line}{pad}{marks}"


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    fence = fence_longer_than_any_in(text)
    return f"{fence}{language}\n{text}\n{fence}"


def quoted(text: str) -> str:
    """Markdown in a block quote."""
    lines = enclosed(trimmed(normalised(text))).split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def details(summary: str, body: str, chars_max: int = SUMMARY_CHARS_MAX) -> str:
    """A folded block. `summary` is text, `body` is Markdown that closes everything it opens."""
    inner = f"\n{body}\n" if body else ""
    return f"<details>\n<summary>{html_text(cut(summary, chars_max))}</summary>\n{inner}\n</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown cells, each in one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)


def head_and_tail(text: str, lines_max: int) -> str:
    """At most `lines_max` lines of a text, 0 for all: two thirds from its beginning, the rest from its end, and between them a line
    that counts those that are left out.
    """
    count = text.count("\n") + 1
    if not 0 < lines_max < count:
        return text
    tail = lines_max // 3
    head = lines_max - tail
    head_end = _after_newlines(text, head)
    tail_start = _before_newlines(text, tail) if tail else len(text)
    omitted = f"… {count - lines_max:,} lines omitted …"
    return "\n".join(part for part in (text[: head_end - 1], omitted, text[tail_start:]) if part)


def _after_newlines(text: str, count: int) -> int:
    at = 0
    for _ in range(count):
        at = text.index("\n", at) + 1
    return at


def _before_newlines(text: str, count: int) -> int:
    at = len(text)
    for _ in range(count):
        at = text.rindex("\n", 0, at)
    return at + 1


#: The names of languages in fences, by a file's suffix, where the two differ.
_LANGUAGES: Final = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "cjs": "javascript", "ts": "typescript", "tsx": "tsx",
    "jsx": "jsx", "rs": "rust", "rb": "ruby", "kt": "kotlin", "cs": "csharp", "h": "c", "hpp": "cpp", "cc": "cpp", "cxx": "cpp",
    "yml": "yaml", "md": "markdown", "sh": "bash", "zsh": "bash", "ps1": "powershell", "htm": "html", "tf": "hcl", "ex": "elixir",
    "exs": "elixir", "erl": "erlang", "hs": "haskell", "ml": "ocaml", "pl": "perl", "jsonl": "json", "txt": "", "log": "",
}  # fmt: skip
_SUFFIX: Final = re.compile(r"\.([A-Za-z0-9]{1,10})$")


def language_of(path: str) -> str:
    """The language of a file by its name, "" if unknown."""
    name = re.split(r"[/\\]", path)[-1].lower()
    if name in ("dockerfile", "makefile"):
        return name
    found = _SUFFIX.search(name)
    return "" if found is None else _LANGUAGES.get(found[1], found[1])
