"""What depends on this machine: where configuration and state lie, the local time zone, the logs.

Rule: the configuration file is read here and judged in `settings`; one that cannot be read or parsed is an invalid
setting, never an absent one. Logs never hold conversation text: pygls, which logs whole messages, is silenced.
"""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

import platformdirs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from kato import limits
from kato.errors import SettingsInvalid
from kato.text import printable

APP: Final = "kato"


def config_path(environment: Mapping[str, str]) -> Path:
    """`KATO_CONFIG`, else `config.toml` in the platform's user configuration folder."""
    given = environment.get("KATO_CONFIG")
    if given is not None:
        return Path(given).expanduser()
    return Path(platformdirs.user_config_dir(APP, appauthor=False)) / "config.toml"


def load_config(environment: Mapping[str, str]) -> tuple[Mapping[str, Any] | None, str]:
    """The configuration file's content, None if there is none, and its path.

    Raises SettingsInvalid when it cannot be read or is no TOML, or when `KATO_CONFIG` names a file that is not there.
    """
    path = config_path(environment)
    try:
        with path.open("rb") as file:
            return tomllib.load(file), str(path)
    except FileNotFoundError:
        if "KATO_CONFIG" in environment:
            raise SettingsInvalid(
                "KATO_CONFIG", "must name a readable TOML file", str(path), "environment"
            ) from None
        return None, str(path)
    except OSError as error:
        raise SettingsInvalid("config.toml", "must be readable", error.strerror, str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid("config.toml", "must be valid TOML", str(error), str(path)) from error


def state_dir(configured: str | None) -> Path:
    """The state directory's absolute path; `~` is expanded."""
    if configured is not None:
        return Path(configured).expanduser()
    return Path(platformdirs.user_state_dir(APP, appauthor=False))


def ensure_state_dir(path: Path) -> None:
    """Makes the state directory, readable by its owner alone. Raises SettingsInvalid when it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("recordings", "backups", "servers"):
            (path / name).mkdir(mode=0o700, exist_ok=True)
        if os.name == "posix":
            path.chmod(0o700)
    except OSError as error:
        raise SettingsInvalid(
            "stateDir", f"must be a folder that can be written to ({error.strerror})", str(path)
        ) from error


class LocalZone(tzinfo):
    """The machine's own time zone, daylight saving included, whatever moment is asked for."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """The offset at a local time."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not known apart from the offset."""
        del dt
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """The zone's name at a local time."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:
        """Exact: the system converts. Offsets change at quarters of an hour only; each is asked for once."""
        return dt + _offset(dt.toordinal(), dt.hour, dt.minute // 15)


@lru_cache(maxsize=4096)
def _offset(day: int, hour: int, quarter: int) -> timedelta:
    moment = datetime.combine(date.fromordinal(day), time(hour, quarter * 15), timezone.utc)
    return moment.astimezone().utcoffset() or timedelta()


class LogFormatter(logging.Formatter):
    """One line a record, whatever a name or a path in it holds; the lines of a traceback follow, indented, so that none
    of them can pass for a record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The record's line."""
        return printable(super().formatMessage(record), chars_max=limits.MESSAGE_CHARS_MAX)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """The traceback's lines."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's own name
        """The stack's lines."""
        return _indented(super().formatStack(stack_info))


def _indented(lines: str) -> str:
    return "    " + printable(lines, keep="\n").replace("\n", "\n    ")


def log_to_stderr() -> None:
    """Kato's own log on stderr; that of pygls, asyncio and the rest only where it holds no message bodies."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("kato %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)  # what libraries log, whose texts are not Kato's
    own = logging.getLogger("kato")
    own.addHandler(handler)
    own.propagate = False
    pygls = logging.getLogger("pygls")
    pygls.propagate = False
    pygls.addHandler(logging.NullHandler())
    pygls.setLevel(logging.CRITICAL + 1)


def log_to_file(folder: Path) -> None:
    """The same in `<stateDir>/kato.log`, bounded by rotation."""
    path = folder / "kato.log"
    handler = RotatingFileHandler(
        path,
        maxBytes=limits.LOG_FILE_BYTES_MAX,
        backupCount=limits.LOG_FILES_MAX,
        delay=True,
        encoding="utf-8",
    )
    handler.setFormatter(LogFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("kato").addHandler(handler)
    if os.name == "posix":
        path.touch(mode=0o600, exist_ok=True)
