"""The kinds of values that settings have: for each kind its rule in words, its JSON Schema, and its check.

A check returns the value in the form that Kato uses. It raises ValueError; the error's message replaces the rule where that
is not precise enough.
"""

import re
import sys
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple

from kato.core import limits
from kato.core.paths import NAME_TOKENS, template_problem

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
#: What the frontmatter may say of a conversation, in the order in which it is written.
FRONTMATTER_FIELDS: Final = (
    "started", "ended", "cwd", "branch", "models", "files", "turns", "tokens", "redactions",
)  # fmt: skip


class Rule(NamedTuple):
    """A kind of value: its rule in words, after "must be"; the part of JSON Schema that an editor's settings can check; and
    the check.
    """

    words: str
    schema: Mapping[str, Any]
    check: Callable[[Any], Any]


_INTEGER_MAX: Final = 1_000_000_000


def _positive_integer(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _INTEGER_MAX:
        raise ValueError
    return value


def _heartbeat(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError
    if not limits.HEARTBEAT_SECONDS_MIN <= value <= limits.HEARTBEAT_SECONDS_MAX:
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError
    return value


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def is_absolute(path: str, *, windows: bool) -> bool:
    """Whether a path means the same wherever the process was started: absolute on this system, or below the user's home
    (`~`). On Windows `/x` lies on the drive of the current folder, on POSIX `C:/x` below the current folder.
    """
    if "\0" in path or _SURROGATE.search(path):  # a name that is not text can be neither stored nor sent
        return False
    if path == "~" or path.startswith(("~/", "~\\") if windows else "~/"):
        return True
    return (PureWindowsPath if windows else PurePosixPath)(path).is_absolute()


def _path(value: Any) -> str:
    if not isinstance(value, str) or not is_absolute(value, windows=_WINDOWS):
        raise ValueError("an absolute path with a drive, or one that begins with ~" if _WINDOWS else "")
    return value


_WINDOWS: Final = sys.platform == "win32"


def _write_root(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or not _ABSOLUTE_ANYWHERE.match(value):
        raise ValueError
    return value


#: POSIX, `~`, `~/…`, a Windows drive or a UNC share: one list of roots may serve several machines.
_ABSOLUTE_ANYWHERE: Final = re.compile(r"^(/|~$|~[/\\]|[A-Za-z]:[/\\]|\\\\)")


def _write_roots(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError
    return tuple(map(_write_root, value))


def _notes_directory(value: Any) -> str:
    if isinstance(value, str) and "\0" not in value and _IN_WORKSPACE.match(value):
        return value
    return _path(value)


_IN_WORKSPACE: Final = re.compile(r"^\$\{workspaceFolder\}([/\\]|$)")


def _paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError
    return tuple(map(_path, value))


def _provider_paths(value: Any) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError
    return {name: _paths(paths) for name, paths in value.items()}


def _one_of(*words: str) -> Rule:
    """One of some words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError
        return value

    return Rule(f"{', '.join(words[:-1])} or {words[-1]}", {"type": "string", "enum": list(words)}, check)


def _lines(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _INTEGER_MAX:
        raise ValueError
    return value


def _frontmatter_fields(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(one in FRONTMATTER_FIELDS for one in value):
        raise ValueError
    return tuple(name for name in FRONTMATTER_FIELDS if name in value)


def _file_name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    problem = template_problem(value)
    if problem is not None:
        raise ValueError(f"a template for file names: {problem}")
    return value


def _time_zone(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    try:
        zone(value)
    except (KeyError, OSError):
        raise ValueError from None
    return value


def zone(name: str) -> tzinfo:
    """The IANA time zone of this name. Raises KeyError, OSError or ValueError if there is none."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - 0.3 MB; most users have the machine's own zone

    return ZoneInfo(name)


POSITIVE_INTEGER: Final = Rule(
    f"a positive integer, at most {_INTEGER_MAX:,}",
    {"type": "integer", "minimum": 1, "maximum": _INTEGER_MAX},
    _positive_integer,
)
SECONDS: Final = Rule(
    f"a number of seconds from {limits.HEARTBEAT_SECONDS_MIN:g} to {limits.HEARTBEAT_SECONDS_MAX:,}",
    {
        "type": "number",
        "minimum": limits.HEARTBEAT_SECONDS_MIN,
        "maximum": limits.HEARTBEAT_SECONDS_MAX,
    },
    _heartbeat,
)
BOOLEAN: Final = Rule("a boolean", {"type": "boolean"}, _boolean)
PATH: Final = Rule("an absolute path, or one that begins with ~", {"type": "string"}, _path)
NOTES_DIRECTORY: Final = Rule(
    "an absolute path, or one that begins with ~ or ${workspaceFolder}", {"type": "string"}, _notes_directory
)
WRITE_ROOTS: Final = Rule(
    "a list of absolute paths, or ones that begin with ~",
    {"type": "array", "items": {"type": "string"}},
    _write_roots,
)
PROVIDER_PATHS: Final = Rule(
    "a map of assistants' names to lists of absolute paths", {"type": "object"}, _provider_paths
)
TIME_ZONE: Final = Rule("an IANA time zone such as Europe/Berlin", {"type": "string"}, _time_zone)
LOG_LEVEL: Final = _one_of(*LOG_LEVELS)
TOOL_CALLS: Final = _one_of("hidden", "summary", "full")
HEADING_STYLE: Final = _one_of("kato", "readable")
IMAGES: Final = _one_of("placeholders", "files")
HISTORY: Final = _one_of("seen", "all")
REDACTION: Final = _one_of("off", "mask")
LINES: Final = Rule(
    f"a number of lines from 0 to {_INTEGER_MAX:,}; 0 means all",
    {"type": "integer", "minimum": 0, "maximum": _INTEGER_MAX},
    _lines,
)
FIELDS: Final = Rule(
    f"a list of {', '.join(FRONTMATTER_FIELDS)}",
    {"type": "array", "items": {"type": "string", "enum": list(FRONTMATTER_FIELDS)}, "uniqueItems": True},
    _frontmatter_fields,
)
FILE_NAME: Final = Rule(
    f"a template with {', '.join(f'${{{name}}}' for name in NAME_TOKENS)}", {"type": "string"}, _file_name
)
