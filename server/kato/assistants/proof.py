"""Signs that a message holds text that its user did not type.

A host (the assistant's program, its IDE extension, a hook) puts its own text into messages in blocks of tags. Which names
it uses changes with every version, so that a list of names proves nothing: where the format does not say what was typed,
any block of tags is a sign. A tag inside a line of prose (`why does <div> not close?`) is none.

Rule: linear in the text, whatever it holds.
"""

import re
from collections.abc import Container
from typing import Final

from kato.core.text import with_newlines

#: A tag, in any case and also with a blank in its end tag; not `<https://…>`, `<me@there>` or `a < b`.
_TAG: Final = re.compile(r"<(?P<end>/[ \t]*)?(?P<name>[A-Za-z][\w.-]*(?::[\w.-]+)?)(?=[\s/>]|\Z)")
#: Tags that are looked at, two microseconds each; no line of prose holds more.
_TAGS_MAX: Final = 4096
#: What may stand before a block on its line: indentation, quote and list marks.
_MARKS: Final = re.compile(r"[ \t>*+#.)\d-]*")


def host_block(text: str, only: Container[str] | None = None) -> str | None:
    """The name of the first block of tags in a text: a tag that begins its line, or one that is closed on a later line (or
    one of very many tags, which are not all looked at). With `only`, of the blocks with these names (in lower case). None if there is none.
    """
    if "<" not in text:
        return None
    text = with_newlines(text)
    opened: dict[str, int] = {}  # name -> the line of its first tag
    at = line = 0  # what is counted up to here
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
    """Where the words of a line begin."""
    marks = _MARKS.match(text, line_start)
    return line_start if marks is None else marks.end()
