"""The settings: keys, rules, defaults, precedence. Values in, `Settings` or a named fault out.

Rule: fail closed. Whatever is present must be valid, in every layer, also where a stronger layer overrides it; an
unknown key is refused with the nearest known one. A wrong limit is never silently replaced by the default.
"""

import re
import sys
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct, structs

from kato.core import limits
from kato.core.errors import SettingsInvalid
from kato.core.text import nearest

LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting's value in force. None: the platform's default, decided at the edge."""

    daemon_max_memory_mb: int = limits.DAEMON_MAX_MEMORY_MB_DEFAULT
    max_sessions: int = limits.SESSIONS_MAX_DEFAULT
    max_events_per_session: int = limits.EVENTS_PER_SESSION_MAX_DEFAULT
    max_message_mb: int = limits.MESSAGE_MB_MAX_DEFAULT
    heartbeat_seconds: float = limits.HEARTBEAT_SECONDS_DEFAULT
    state_dir: str | None = None
    journal: bool = True
    allowed_write_roots: tuple[str, ...] = ()
    exclusive_write_roots: bool = False
    notes_directory: str = "${workspaceFolder}/notes"
    provider_session_roots: Mapping[str, tuple[str, ...]] = {}
    markdown_include_frontmatter: bool = True
    markdown_include_commentary: bool = True
    markdown_include_boundaries: bool = True
    markdown_include_thinking: bool = False
    markdown_include_tool_calls: bool = False
    markdown_include_system_events: bool = False
    markdown_include_sub_agents: bool = False
    markdown_italicize_user_messages: bool = False
    markdown_timezone: str | None = None
    log_level: LogLevel = "info"


class Key(NamedTuple):
    """A setting: its name on the wire, its field, its rule in words, and the check, which returns the value to keep or
    raises ValueError.
    """

    name: str
    field: str
    rule: str
    check: Callable[[Any], Any]
    environment: str | None = None


def resolve(
    *,
    explicit: Mapping[str, Any] | None,
    environment: Mapping[str, str],
    file: Mapping[str, Any] | None,
    file_name: str = "config.toml",
    explicit_name: str = "initializationOptions",
    unknown_provider: Callable[[str], str | None] = lambda _: None,
) -> Settings:
    """The settings in force: explicit, then environment, then file, then default, key by key. The names are for errors.
    `unknown_provider` gives the rule that the name of an assistant breaks, None for a known one.

    Raises SettingsInvalid that names the key, its rule, what was there and where.
    """
    chosen: dict[str, Any] = {}
    if file is not None:
        chosen |= _checked(_flat(file, file_name), file_name)
        _check_providers(chosen, unknown_provider, file_name)
    chosen |= _from_environment(environment)
    if explicit is not None:
        chosen |= _checked(_flat(explicit, explicit_name), explicit_name)
        _check_providers(chosen, unknown_provider, explicit_name)
    return Settings(**chosen)


def difference(before: Settings, after: Settings) -> frozenset[str]:
    """The names of the settings that differ."""
    old, new = structs.asdict(before), structs.asdict(after)
    return frozenset(key.name for key in TABLE if old[key.field] != new[key.field])


def _flat(given: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """`{"markdown": {"includeThinking": true}}` and `{"markdown.includeThinking": true}` are the same."""
    flat: dict[str, Any] = {}
    for name, value in given.items():
        if name in _SECTIONS:
            if not isinstance(value, Mapping):
                raise SettingsInvalid(name, f"must be a table of {name}.* settings", value, origin)
            nested = {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            nested = {name: value}
        for inner, item in nested.items():
            if inner in flat:
                raise SettingsInvalid(inner, "must be given once", item, origin)
            flat[inner] = item
    return flat


def _checked(given: Mapping[str, Any], origin: str) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        key = _BY_NAME.get(name)
        if key is None:
            near = nearest(name, _BY_NAME)
            hint = f"; known are {', '.join(_BY_NAME)}" if near is None else f"; did you mean {near}?"
            raise SettingsInvalid(name, f"is not a setting{hint}", value, origin)
        values[key.field] = _check(key, value, origin)
    return values


def _check_providers(
    chosen: Mapping[str, Any], unknown_provider: Callable[[str], str | None], origin: str
) -> None:
    roots: Mapping[str, tuple[str, ...]] = chosen.get("provider_session_roots", {})
    for name in roots:
        rule = unknown_provider(name)
        if rule is not None:
            raise SettingsInvalid("providerSessionRoots", f"must be {rule}", dict(roots), origin)


def _check(key: Key, value: Any, origin: str) -> Any:
    try:
        return key.check(value)
    except ValueError as error:
        detail = str(error)
        raise SettingsInvalid(key.name, f"must be {detail or key.rule}", value, origin) from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for key in TABLE:
        if key.environment is None or (text := environment.get(key.environment)) is None:
            continue
        value: Any = int(text) if key.check is _positive_integer and _DIGITS.match(text) else text
        values[key.field] = _check(key, value, f"environment {key.environment}")
    return values


_DIGITS: Final = re.compile(r"\A[1-9][0-9]{0,17}\Z")
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
        raise ValueError
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
    if not isinstance(value, Mapping):
        raise ValueError
    if not all(isinstance(name, str) for name in value):
        raise ValueError
    return {name: _paths(paths) for name, paths in value.items()}


def _log_level(value: Any) -> str:
    if value not in ("debug", "info", "warning", "error"):
        raise ValueError
    return str(value)


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


_INTEGER: Final = f"a positive integer, at most {_INTEGER_MAX} (no boolean, no float, no string)"
_SECONDS: Final = f"a number of seconds from {limits.HEARTBEAT_SECONDS_MIN:g} to {limits.HEARTBEAT_SECONDS_MAX} (no boolean, no string)"
_BOOLEAN: Final = "a boolean"
_PATH_RULE: Final = "an absolute path" + (" with a drive" if _WINDOWS else "") + ", or one that begins with ~"

TABLE: Final = (
    Key(
        "daemonMaxMemoryMb", "daemon_max_memory_mb", _INTEGER, _positive_integer, "KATO_DAEMON_MAX_MEMORY_MB"
    ),
    Key("maxSessions", "max_sessions", _INTEGER, _positive_integer),
    Key("maxEventsPerSession", "max_events_per_session", _INTEGER, _positive_integer),
    Key("maxMessageMb", "max_message_mb", _INTEGER, _positive_integer),
    Key("heartbeatSeconds", "heartbeat_seconds", _SECONDS, _heartbeat),
    Key("stateDir", "state_dir", _PATH_RULE, _path, "KATO_STATE_DIR"),
    Key("journal", "journal", _BOOLEAN, _boolean),
    Key(
        "allowedWriteRoots",
        "allowed_write_roots",
        "a list of absolute paths, or ones that begin with ~",
        _write_roots,
    ),
    Key("exclusiveWriteRoots", "exclusive_write_roots", _BOOLEAN, _boolean),
    Key(
        "notes.directory",
        "notes_directory",
        "an absolute path, or one that begins with ~ or ${workspaceFolder}",
        _notes_directory,
    ),
    Key(
        "providerSessionRoots",
        "provider_session_roots",
        "a map of assistants' names to lists of absolute paths",
        _provider_paths,
    ),
    Key("markdown.includeFrontmatter", "markdown_include_frontmatter", _BOOLEAN, _boolean),
    Key("markdown.includeCommentary", "markdown_include_commentary", _BOOLEAN, _boolean),
    Key("markdown.includeBoundaries", "markdown_include_boundaries", _BOOLEAN, _boolean),
    Key("markdown.includeThinking", "markdown_include_thinking", _BOOLEAN, _boolean),
    Key("markdown.includeToolCalls", "markdown_include_tool_calls", _BOOLEAN, _boolean),
    Key("markdown.includeSystemEvents", "markdown_include_system_events", _BOOLEAN, _boolean),
    Key("markdown.includeSubAgents", "markdown_include_sub_agents", _BOOLEAN, _boolean),
    Key("markdown.italicizeUserMessages", "markdown_italicize_user_messages", _BOOLEAN, _boolean),
    Key("markdown.timezone", "markdown_timezone", "an IANA time zone such as Europe/Berlin", _time_zone),
    Key("logLevel", "log_level", "debug, info, warning or error", _log_level, "KATO_LOG_LEVEL"),
)

_BY_NAME: Final = {key.name: key for key in TABLE}
_SECTIONS: Final = frozenset(key.name.partition(".")[0] for key in TABLE if "." in key.name)

#: In force only after the next start: what lies under them is open.
RESTART_KEYS: Final = frozenset({"stateDir", "journal"})

assert {key.field for key in TABLE} == set(Settings.__struct_fields__)
