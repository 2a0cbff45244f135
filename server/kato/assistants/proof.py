"""Finds signs that a message contains text that its user did not type.

A host (the assistant's program, its IDE extension, a hook) adds its own text to messages in blocks of tags. The names of the
tags change with every version, so a list of names proves nothing. Where the format does not mark what was typed, any block of
tags is a sign. A tag inside a line of prose (`why does <div> not close?`) is not.

Rule: the time is linear in the length of the text, for any text.
"""

import re
from collections.abc import Container
from typing import Final

from kato.core.text import with_newlines

#: A tag, in any case and also with a blank in its end tag; not `<https://…>`, `<me@there>` or `a < b`.
_TAG: Final = re.compile(r"<(?P<end>/[ \t]*)?(?P<name>[A-Za-z][\w.-]*(?::[\w.-]+)?)(?=[\s/>]|\Z)")
#: Tags that are examined, two microseconds each; prose has fewer.
_TAGS_MAX: Final = 4096
#: What may precede a block on its line: indentation, quote and list marks.
_MARKS: Final = re.compile(r"[ \t>*+#.)\d-]*")


def host_block(text: str, only: Container[str] | None = None) -> str | None:
    """The name of the first block of tags in a text, None if there is none. A block is a tag that begins its line, or one that
    is closed on a later line. A text with more than `_TAGS_MAX` tags counts as a block. `only` restricts the names (in lower
    case).
    """
    if "<" not in text:
        return None
    text = with_newlines(text)
    opened: dict[str, int] = {}  # name -> the line of its first tag
    at = line = 0  # up to here, lines are counted
    words_at = _words_at(text, 0)
    for number, tag in enumerate(_TAG.finditer(text)):
        if number == _TAGS_MAX:
            return tag["name"]
        name = tag["name"].lower()
        if only is not None and name not in only:
            continue
        newline = text.rfind("\n", at, tag.start())
        if newline >= 0:
            line += text.count("\n", at, tag.start())
            words_at = _words_at(text, newline + 1)
        at = tag.start()
        if at <= words_at:
            return tag["name"]
        if not tag["end"]:
            opened.setdefault(name, line)
        elif opened.get(name, line) < line:
            return tag["name"]
    return None


def _words_at(text: str, line_start: int) -> int:
    """The offset at which the words of a line begin, after its marks."""
    marks = _MARKS.match(text, line_start)
    return line_start if marks is None else marks.end()
