"""Codex: finds the user's words in the sections that a client puts in front of a request."""

import re
from collections.abc import Sequence
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.values import objects_of, placeholder, text_of
from kato.core.lenient_json import loads
from kato.core.text import one_line

_HEADING: Final = re.compile(r"# [^\n]*:[ \t]*")
_ENTRY: Final = re.compile(r"## (?:User )?Comment \d")
_WHERE: Final = re.compile(r"(?:File|Lines?|Page|URL): *(.*)")
_ANNOTATIONS: Final = ("<response-annotations>", "</response-annotations>")
_QUOTE_CHARS_MAX: Final = 120


def own_words(sections: str) -> list[str]:
    """What the user wrote in the sections in front of a request: annotations of answers and comments on texts."""
    own = []
    before, opened, rest = sections.partition(_ANNOTATIONS[0])
    inside, closed, behind = rest.rpartition(_ANNOTATIONS[1])
    if opened and closed:
        for one in json_objects(inside):
            note = text_of(one, "annotation")
            if note and note.strip():
                own.append(_comment(note, [one_line(text_of(one, "text") or "", _QUOTE_CHARS_MAX)]))
        sections = before + behind
    return [*own, *_comments(sections)]


def _comment(text: str, about: Sequence[str]) -> str:
    """A comment and what it is on."""
    return f"{text.strip()}\n{placeholder('on', *about)}" if any(about) else text.strip()


def _comments(sections: str) -> list[str]:
    found: list[tuple[list[str], list[str]]] = []  # lines of a comment, and what it is on
    lines: list[str] | None = None
    where: list[str] = []
    is_entered = False
    for line in sections.split("\n"):
        if _HEADING.fullmatch(line):
            is_entered, lines, where = "comment" in line.lower(), None, []
        elif _ENTRY.match(line):
            lines, where = None, []
        elif lines is not None:
            lines.append(line)
        elif is_entered and line.startswith("Comment:"):
            lines = [line.removeprefix("Comment:")]
            found.append((lines, where))
        elif is_entered and (about := _WHERE.fullmatch(line)) is not None:
            where.append(about[1])
    texts = (("\n".join(lines), where) for lines, where in found)
    return [_comment(text, where) for text, where in texts if text.strip()]


def file_names(sections: str) -> str:
    """The names of attached files, for a message that has no other words."""
    if not sections.lstrip().startswith("# Files mentioned by the user:"):
        return ""
    names = (line[3:].partition(": ")[0] for line in sections.split("\n") if line.startswith("## "))
    return "\n".join(placeholder("file", name) for name in names)


def json_objects(text: str) -> list[Json]:
    """The objects of a JSON array, or a single one; none where it is not JSON."""
    try:
        value = loads(text.encode(errors="replace"))
    except ValueError:
        return []
    return objects_of({"all": value if isinstance(value, list) else [value]}, "all")
