"""Reads what Kato wrote into a note's frontmatter, and where it stands: the proof that a document is one of Kato's notes.

Rules: takes time in proportion to the text, and needs no YAML library, because Kato checks every document that an editor opens.
Reads the forms in which Kato and notebook tools write its keys: a value on the key's line, a list in brackets, a list with an item a
line. A value in another form is missing.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.events import SessionKey

_OPENING: Final = re.compile(r"\ufeff?---[ \t]*")
_CLOSING: Final = re.compile(r"(?:---|\.\.\.)[ \t]*")
_KEY: Final = re.compile(r"(?P<key>[A-Za-z]+):(?P<space>[ \t]+|$)")
_ITEM: Final = re.compile(r"[ \t]*-[ \t]+")
#: A scalar: in single quotes, in double quotes, or plain up to a comment. In a list in brackets, a plain one also ends at a comma.
_QUOTED: Final = r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\""""
_SCALAR: Final = re.compile(rf"""{_QUOTED}|(?![\[{{&*!|>'"%@`])[^\s#](?:[^#\s]|\s+(?![#\s])|(?<=\S)#)*""")
_IN_BRACKETS: Final = re.compile(rf"""{_QUOTED}|(?![\[\]{{&*!|>'"%@`])[^\s,\[\]#][^,\[\]]*""")
_END_OF_ITEM: Final = re.compile(r"[ \t]*(?:,[ \t]*|(?P<end>\]))")
_READ: Final = frozenset(
    ["provider", "sessionId", "recordingIds", "title", "updated", "tokens", "models", "cwd", "files"]
)
_RECORDING_ID: Final = re.compile(r"[0-9a-z-]{8,64}")
#: Items of a list that are read; Kato writes at most some dozens.
_ITEMS_MAX: Final = 256


class Value(NamedTuple):
    """A value, and where it stands: its line in the document, and the range of characters in that line, without quotes."""

    text: str
    line: int
    start: int
    end: int


class NoteHead(NamedTuple):
    """The frontmatter of a note that Kato wrote. `last_line` is the number of its closing delimiter's line."""

    key: SessionKey
    values: Mapping[str, Sequence[Value]]
    last_line: int

    def one(self, key: str) -> str | None:
        """The value of a key; None if it is missing."""
        found = self.values.get(key)
        return found[0].text if found else None

    def number(self, key: str) -> int | None:
        """The value of a key as a number; None if it is missing or something else."""
        text = self.one(key)
        return int(text) if text is not None and text.isdecimal() and len(text) < 20 else None


def may_be_note(text: str) -> bool:
    """Whether a document may be a note of Kato's: a quick look, which leaves out nearly all other documents."""
    start = text[:8].removeprefix("\ufeff")
    return start.startswith("---") and text.find("\nrecordingIds:", 0, limits.FRONTMATTER_BYTES_MAX) >= 0


def read_head(text: str) -> NoteHead | None:
    """The frontmatter of a document, of which `text` is the beginning (at least `limits.FRONTMATTER_BYTES_MAX` bytes, or all).
    None if it is not that of a note of Kato's: the session and a list of recordings, as Kato writes them.
    """
    if not may_be_note(text):
        return None
    values: dict[str, list[Value]] = {}
    open_list: list[Value] | None = None
    for number, line in enumerate(_lines(text[: limits.FRONTMATTER_BYTES_MAX])):
        if number == 0:
            if _OPENING.fullmatch(line) is None:
                return None
            continue
        if _CLOSING.fullmatch(line):
            return _head(values, number)
        found = _KEY.match(line)
        if found is not None:
            key = found["key"]
            if key not in _READ or key in values:
                open_list = None
                continue
            values[key] = open_list = []
            if found.end() < len(line):
                values[key] += _of_line(line, found.end(), number)
                open_list = open_list if not values[key] and not line[found.end() :].strip() else None
        elif open_list is not None and (item := _ITEM.match(line)) is not None:
            if len(open_list) < _ITEMS_MAX:
                open_list += _scalar(_SCALAR, line, item.end(), number)
        elif line.strip() and not line.lstrip().startswith("#"):
            open_list = None
    return None


def _head(values: Mapping[str, Sequence[Value]], last_line: int) -> NoteHead | None:
    provider, session_id = values.get("provider", ()), values.get("sessionId", ())
    recordings = values.get("recordingIds")
    if len(provider) != 1 or len(session_id) != 1 or recordings is None:
        return None
    if not all(_RECORDING_ID.fullmatch(one.text) for one in recordings):
        return None
    if max(len(provider[0].text), len(session_id[0].text)) > limits.ID_CHARS_MAX:
        return None
    return NoteHead(SessionKey(provider[0].text, session_id[0].text), values, last_line)


def _lines(text: str) -> Iterator[str]:
    start = 0
    for found in _LINE_END.finditer(text):
        yield text[start : found.start()]
        start = found.end()
    yield text[start:]


_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def _of_line(line: str, at: int, number: int) -> list[Value]:
    """The value, or the values in brackets, from an offset of a line on."""
    if line[at : at + 1] != "[":
        return _scalar(_SCALAR, line, at, number)
    values: list[Value] = []
    at += 1
    while line[at : at + 1] in (" ", "\t"):
        at += 1
    while line[at : at + 1] != "]" and len(values) < _ITEMS_MAX:
        found = _scalar(_IN_BRACKETS, line, at, number)
        if not found:
            break
        values += found
        after = found[0].end + (line[at] in "'\"")
        ending = _END_OF_ITEM.match(line, after)
        if ending is None or ending["end"]:
            break
        at = ending.end()
    return values


def _scalar(pattern: re.Pattern[str], line: str, at: int, number: int) -> list[Value]:
    found = pattern.match(line, at)
    if found is None:
        return []
    text = found[0]
    if text[0] not in "'\"":
        text = text.rstrip()
        return [Value(text, number, at, at + len(text))] if text not in ("~", "null") else []
    inner = (at + 1, at + len(text) - 1)
    if text[0] == "'":
        return [Value(text[1:-1].replace("''", "'"), number, *inner)]
    try:
        loaded = json.loads(text)
    except ValueError:
        return []  # an escape of YAML's that JSON does not have
    return [Value(loaded, number, *inner)]
