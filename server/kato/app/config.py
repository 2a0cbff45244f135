"""What depends on the machine: the folders of configuration and state, the local time zone, the logs.

Rules: the configuration file is read here and checked in `core.settings`; a file that cannot be read or parsed is an invalid
setting, not an absent one. Logs never hold conversation text: the logger of pygls, which logs whole messages, is silenced.
"""

import logging
import os
import stat
import sys
import time as clock
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

from kato.app import statusfiles
from kato.core import limits
from kato.core.errors import SettingsInvalid
from kato.system.log_format import LogFormatter
from kato.system.regular import open_regular

log = logging.getLogger("kato")

APP: Final = "kato"


def config_path(environment: Mapping[str, str]) -> Path:
    """`KATO_CONFIG`, else `config.toml` in the platform's user configuration folder."""
    given = environment.get("KATO_CONFIG")
    if given is not None:
        return _expanded(given, "KATO_CONFIG", "environment")
    return Path(platformdirs.user_config_dir(APP, appauthor=False)) / "config.toml"


def load_config(environment: Mapping[str, str]) -> tuple[Mapping[str, Any] | None, str]:
    """The configuration file's content, None if there is none, and its path.

    Raises SettingsInvalid when it cannot be read or is not TOML, or when `KATO_CONFIG` names a file that does not exist.
    """
    path = config_path(environment)
    if str(path) == os.devnull:
        return None, str(path)  # the user wants no configuration file
    try:
        with open(path, "rb", opener=open_regular) as file:
            return tomllib.load(file), str(path)
    except FileNotFoundError:
        if "KATO_CONFIG" in environment:
            raise SettingsInvalid(
                "KATO_CONFIG", "must name a readable TOML file", str(path), "environment"
            ) from None
        return None, str(path)
    except OSError as error:
        raise SettingsInvalid("config.toml", "must be readable", error.strerror, str(path)) from error
    except (ValueError, RecursionError) as error:
        # TOML's own errors are ValueErrors; so is a number of too many digits.
        raise SettingsInvalid("config.toml", "must be valid TOML", str(error), str(path)) from error


def state_dir(configured: str | None) -> Path:
    """The state directory's absolute path; `~` is expanded."""
    if configured is not None:
        return _expanded(configured, "stateDir", "settings")
    return Path(platformdirs.user_state_dir(APP, appauthor=False))


def _expanded(path: str, key: str, origin: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        rule = "must not begin with ~ where the system knows no home folder for it"
        raise SettingsInvalid(key, rule, path, origin) from None


def ensure_state_dir(path: Path) -> None:
    """Makes the missing folders of the state directory, for its owner alone; a folder that exists keeps its mode. Raises
    SettingsInvalid.
    """
    with usable_state_dir(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("recordings", "backups", "servers", statusfiles.LOGS):
            (path / name).mkdir(mode=0o700, exist_ok=True)


@contextmanager
def usable_state_dir(path: Path) -> Iterator[None]:
    """Turns an OSError in its block into an error that names the setting."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.filename:
            reason = f"{error.filename}: {reason}"
        raise SettingsInvalid(
            "stateDir", f"must be a folder that Kato can write to ({reason})", str(path)
        ) from error


def warn_if_shared(state_dir: Path) -> None:
    """Logs that a state directory which existed before is open to other users."""
    if os.name == "posix" and (mode := stat.S_IMODE(state_dir.stat().st_mode)) & 0o077:
        log.warning(
            "stateDir %s is open to other users (mode %04o). Kato makes its own files private and leaves the folder's mode "
            "as it is: 0700 is safer",
            state_dir,
            mode,
        )


class LocalZone(tzinfo):
    """The machine's own time zone, daylight saving included. Where the system does not know it (the ends of the calendar;
    on Windows, all before 1970), its standard time.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """The offset at a local time."""
        if dt is None:
            return None
        try:
            return dt.replace(tzinfo=None).astimezone().utcoffset()
        except _UNKNOWN_TIME:
            return _standard_offset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not known apart from the offset."""
        del dt
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """The zone's name at a local time."""
        if dt is None:
            return None
        try:
            return dt.replace(tzinfo=None).astimezone().tzname()
        except _UNKNOWN_TIME:
            return clock.tzname[0]

    def fromutc(self, dt: datetime) -> datetime:
        """The offset of a moment, as the system converts it. Offsets change at quarters of an hour only, so each quarter is cached."""
        try:
            return dt + _offset(dt.toordinal(), dt.hour, dt.minute // 15)
        except OverflowError:
            return dt


@lru_cache(maxsize=4096)
def _offset(day: int, hour: int, quarter: int) -> timedelta:
    moment = datetime.combine(date.fromordinal(day), time(hour, quarter * 15), timezone.utc)
    try:
        return moment.astimezone().utcoffset() or timedelta()
    except _UNKNOWN_TIME:
        return _standard_offset()


def _standard_offset() -> timedelta:
    return timedelta(seconds=-clock.timezone)


#: What the C library's conversions raise for a time that they do not support.
_UNKNOWN_TIME: Final = (OverflowError, ValueError, OSError)


def log_to_stderr() -> None:
    """Kato's own log on stderr; that of pygls, asyncio and the rest only where it holds no message bodies."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("kato %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)  # records of libraries, whose texts are not Kato's
    own = logging.getLogger("kato")
    own.addHandler(handler)
    own.propagate = False
    pygls = logging.getLogger("pygls")
    pygls.propagate = False
    pygls.addHandler(logging.NullHandler())
    pygls.setLevel(logging.CRITICAL + 1)


def log_to_file(state_dir: Path) -> None:
    """Logs to `<stateDir>/logs/kato-<pid>.log` as well, bounded by rotation. Raises OSError."""
    for one in [one for one in log.handlers if isinstance(one, _LogFile)]:
        log.removeHandler(one)
        one.close()
    handler = _LogFile(
        statusfiles.log_file(state_dir, os.getpid()),
        maxBytes=limits.LOG_FILE_BYTES_MAX,
        backupCount=limits.LOG_FILES_MAX,
        encoding="utf-8",
    )
    handler.setFormatter(LogFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)


class _LogFile(RotatingFileHandler):
    """For its owner alone, also after a rotation."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=open_regular)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A full disk must not fill stderr with tracebacks."""
