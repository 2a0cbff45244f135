"""Adds a table to a TOML file and removes it, as text: everything else stays as it is.

Each edit is checked: the values of the new text are those of the old one with the change, or NotUnderstood is raised.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kato.channels.configuration.errors import NotUnderstood

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def value_of(text: str) -> dict[str, Any]:
    """The document's values. Raises NotUnderstood."""
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"not valid TOML: {error}") from None
    return values


def set_table(text: str, path: Sequence[str], table: Mapping[str, str | Sequence[str]]) -> str:
    """The document with a table of texts and lists of texts at a path, at its end."""
    text = remove_table(text, path)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [f"[{'.'.join(path)}]", *(f"{name} = {_shown(value)}" for name, value in table.items())]
    gap = "" if not text else newline if text.endswith("\n") else 2 * newline
    after = f"{text}{gap}{newline.join(lines)}{newline}"
    given = {name: value if isinstance(value, str) else list(value) for name, value in table.items()}
    return _checked(after, _with(value_of(text), path, given))


def remove_table(text: str, path: Sequence[str]) -> str:
    """The document without the table at a path."""
    values = value_of(text)
    if _at(values, path) is None:
        return text
    names = r"\s*\.\s*".join(map(re.escape, path))
    header = re.compile(rf"\s*\[\s*{names}\s*\]\s*(?:#.*)?")
    lines = text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if header.fullmatch(line.rstrip("\r\n"))), None)
    if start is None:
        raise NotUnderstood(f"{'.'.join(path)} is not written as a table of its own")
    end = start + 1
    while end < len(lines) and lines[end].strip() and not lines[end].lstrip().startswith(("[", "#")):
        end += 1
    if start > 0 and not lines[start - 1].strip():
        start -= 1  # the blank line that set it off
    return _checked("".join(lines[:start] + lines[end:]), _without(values, path))


def _shown(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(_shown, value))}]"


def _checked(text: str, expected: Mapping[str, Any]) -> str:
    if value_of(text) != expected:
        raise NotUnderstood("the file is written in a way that Kato cannot edit safely")
    return text


def _at(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = values
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _with(values: Mapping[str, Any], path: Sequence[str], new: Any) -> dict[str, Any]:
    name, *rest = path
    inner = values.get(name, {})
    if not isinstance(inner, Mapping):
        raise NotUnderstood(f"{name} is not a table")
    return {**values, name: _with(inner, rest, new) if rest else new}


def _without(values: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The values without a path, and without the tables that are empty then: text does not hold those."""
    name, *rest = path
    inner = _without(values[name], rest) if rest else {}
    return {
        **{key: value for key, value in values.items() if key != name},
        **({name: inner} if inner else {}),
    }
