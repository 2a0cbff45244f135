"""Patches of several files in one text, in the two forms that Codex's logs have.

*** Begin Patch                         as the model writes it, with `+`, `-` or a blank before each line
*** Update File: a.py
*** Add File: b.py, *** Delete File: c.py, *** Move to: d.py

*** update: a.py                        as Kato's reader writes what was applied: a unified diff, or a whole file
*** add: b.py, *** delete: c.py, *** update: a.py -> d.py
"""

import re
from collections.abc import Iterator
from typing import Final

from kato.core.actions import Deleted, Edit, NewFile

_FIRST: Final = re.compile(r"\*\*\* (?:add|update|delete|change): ")
_ASKED: Final = re.compile(r"\*\*\* (?P<kind>Add|Update|Delete) File: (?P<path>.+)")
_APPLIED: Final = re.compile(
    r"\*\*\* (?P<kind>add|update|delete|change): (?P<path>.+?)(?: -> (?P<moved>.+))?"
)
_MOVED: Final = re.compile(r"\*\*\* Move to: (.+)")
_END: Final = "*** End Patch"
#: The names of a unified diff's files: the section names them.
_NAMES: Final = re.compile(r"--- .*\n\+\+\+ .*\n")


def files_of(text: str) -> tuple[Edit | NewFile | Deleted, ...]:
    """What a patch does to each file, in its order; nothing for a text that is not a patch."""
    is_applied = _FIRST.match(text) is not None
    header = _APPLIED if is_applied else _ASKED
    return tuple(
        _applied(kind, path, lines) if is_applied else _asked(kind, path, lines)
        for kind, path, lines in _sections(text, header)
    )


def _sections(text: str, header: re.Pattern[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, path and lines of each section."""
    kind, path, lines = "", "", list[str]()
    for line in [*text.split("\n"), _END]:
        found = header.fullmatch(line.rstrip("\r"))
        if found is None and not line.startswith(_END):
            moved = _MOVED.fullmatch(line)
            if moved is not None:
                path = moved[1].strip()
            elif kind and line != "*** End of File":
                lines.append(line)
            continue
        if kind:
            yield kind, path, lines
        kind, path, lines = "", "", []
        if found is not None:
            kind, path = found["kind"], (found.groupdict().get("moved") or found["path"]).strip()


def _asked(kind: str, path: str, lines: list[str]) -> Edit | NewFile | Deleted:
    if kind == "Add":
        return NewFile(path, "\n".join(line[1:] for line in lines if line.startswith("+")) + "\n")
    return Edit(path, diff="\n".join(lines).strip("\n")) if kind == "Update" else Deleted(path)


def _applied(kind: str, path: str, lines: list[str]) -> Edit | NewFile | Deleted:
    text = "\n".join(lines)
    if kind == "add":
        return NewFile(path, text.rstrip("\n") + "\n")
    return Deleted(path) if kind == "delete" else Edit(path, diff=_NAMES.sub("", text, count=1).strip("\n"))
