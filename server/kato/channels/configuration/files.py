"""Writes a configuration file of an assistant: whole or not at all, with a copy of what was there before Kato's first change.

Rules: a link is followed, so that a file that lies in a folder of dotfiles stays there. A file that another program changed since it
was read is not written. The mode of the file stays; a new one is the user's alone.
"""

import difflib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kato.channels.configuration.errors import NotUnderstood
from kato.system.regular import open_regular

#: The file as it was before Kato's first change, in the same folder.
BACKUP_SUFFIX: Final = ".before-kato"
_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
_DIFF_LINE_CHARS: Final = 200
#: Files without an entry, in TOML and in JSON.
_EMPTY: Final = ("", "{}")


class Change(NamedTuple):
    """A file before and after; None where there is none."""

    path: Path
    before: str | None
    after: str | None

    @property
    def is_needed(self) -> bool:
        """Whether the file has to be written."""
        return self.before != self.after


def read(path: Path) -> str | None:
    """The file's text; None where there is none. Raises NotUnderstood and OSError."""
    try:
        with open(path, "rb", opener=open_regular) as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    if len(data) > _FILE_BYTES_MAX:
        raise NotUnderstood(f"the file has more than {_FILE_BYTES_MAX} bytes")
    try:
        return data.decode()
    except ValueError:
        raise NotUnderstood("the file is not valid UTF-8") from None


def diff(change: Change) -> Iterator[str]:
    """The change as lines for the user."""
    before, after = change.before or "", change.after or ""
    name = str(change.path)
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=1):
        yield line if len(line) <= _DIFF_LINE_CHARS else line[: _DIFF_LINE_CHARS - 1] + "…"


def apply(change: Change) -> Path | None:
    """Writes the change. Returns the path of the copy, if this made one. Raises OSError and NotUnderstood."""
    path = change.path.resolve()
    if read(path) != change.before:
        raise NotUnderstood("another program changed the file at this moment: try again")
    if change.after is None:
        path.unlink()
        return None
    # What leaves nothing behind was Kato's own entry alone.
    backup = None if change.after.strip() in _EMPTY else _back_up(path, change.before)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if change.before is not None else 0o600
    _replace(path, change.after.encode(), mode)
    return backup


def _back_up(path: Path, before: str | None) -> Path | None:
    backup = path.with_name(path.name + BACKUP_SUFFIX)
    if before is None or os.path.lexists(backup):
        return None
    _replace(backup, before.encode(), 0o600)
    return backup


def _replace(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.kato-{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
