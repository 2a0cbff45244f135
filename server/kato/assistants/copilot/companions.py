"""The small files next to a log of Copilot's. They name the session's folder and its title.

<User>/workspaceStorage/<hash>/workspace.json   {folder} or {workspace}: URIs; may be missing
~/.copilot/session-state/<id>/workspace.yaml    name (older: summary), cwd, client_name
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from kato.assistants.contract import Surroundings
from kato.assistants.copilot.words import path_of_uri
from kato.assistants.values import text_of
from kato.core.lenient_json import loads

#: The fields that Kato reads are at the beginning.
_YAML_CHARS_MAX: Final = 16_384
_YAML_LINE: Final = re.compile(r"(?P<key>[A-Za-z_]\w*):(?: +(?P<value>.*))?")
_YAML_BLOCK: Final = re.compile(r"[|>][+-]?\d?")


class About(NamedTuple):
    """The folder and the title that the companions name; None for what they do not name."""

    cwd: str | None
    title: str | None


def about(companions: Mapping[str, bytes], surroundings: Surroundings) -> About:
    """Reads the companions, by their names."""
    values = _yaml_values(companions.get("workspace.yaml", b"").decode(errors="replace"))
    folder = _workspace_folder(companions.get("workspace.json", b"{}"), surroundings)
    return About(folder or values.get("cwd") or None, values.get("name") or values.get("summary") or None)


def _workspace_folder(text: bytes, surroundings: Surroundings) -> str | None:
    try:
        workspace = loads(text)
    except ValueError:
        return None
    if not isinstance(workspace, dict):
        return None
    folder = text_of(workspace, "folder")
    file = text_of(workspace, "workspace") or text_of(workspace, "configuration")
    cwd = path_of_uri(folder) if folder else None
    if cwd is None and file:
        # A workspace of several folders. If its file lies elsewhere, the files that are touched name the folder.
        parent = surroundings.pure(path_of_uri(file) or "").parent
        around = {str(one) for one in (parent, *parent.parents)}
        if not surroundings.folders or around.intersection(surroundings.folders):
            cwd = str(parent)
    return cwd


def _yaml_values(text: str) -> dict[str, str]:
    """The texts at the top level of a YAML file that a program wrote: plain, quoted, or in a block of indented lines."""
    values: dict[str, str] = {}
    key, block = "", False
    for line in text[:_YAML_CHARS_MAX].splitlines():
        found = _YAML_LINE.fullmatch(line.rstrip())
        if found is not None:
            key, value = found["key"], (found["value"] or "").strip()
            block = _YAML_BLOCK.fullmatch(value) is not None
            values[key] = "" if block else _yaml_text(value)
        elif key and line[:1].isspace() and (block or values[key]):
            values[key] = f"{values[key]} {line.strip()}".strip()
    return values


def _yaml_text(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if value.startswith('"'):
        try:
            return str(loads(value.encode()))
        except ValueError:
            return value.strip('"')
    return "" if value in ("null", "~") else value
