"""The write policy: which files Kato may touch, judged on the real file system.

    letters     NUL, length, devices, the name's suffix; on Windows also streams, device prefixes, names it changes
    real path   every link and `..` resolved as the kernel does, also below folders that are not there yet
    root        inside an allowed folder, and that folder is the one that was allowed: not a link that took its place,
                not another folder, not the empty place where a drive was mounted
    names       no folder below the root whose name begins with a dot

Rules: allowed folders are resolved once, when the settings come into force. A refusal names the rule and goes to the
audit log, as every decision does; a repeated one (the appends of a recording) once.
"""

import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from kato.core import limits, paths
from kato.core.errors import PathDenied
from kato.system.regular import open_regular

_WINDOWS: Final = sys.platform == "win32"
#: Opening relative to an open folder without following links: everywhere but on Windows.
AT: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

Audit = Callable[[str, str, str], None]


class RootUnavailable(PathDenied):
    """The allowed folder is not there now, or another one took its place. It may come back."""


class AuditLog:
    """`audit.jsonl`: one decision a line, bounded by one rotation. Writing it never fails a command."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, tuple[str, str]] = {}

    def __call__(self, decision: str, path: str, reason: str) -> None:
        """Notes a decision unless it is the same as the last one for this path."""
        if self._last.get(path) == (decision, reason):
            return
        if len(self._last) > 1000:
            self._last.clear()
        self._last[path] = (decision, reason)
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        entry = {"time": now, "decision": decision, "path": _as_text(path), "reason": _as_text(reason)}
        # ASCII: nothing in it is obeyed.
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            if self._path.exists() and self._path.stat().st_size > limits.AUDIT_FILE_BYTES_MAX:
                self._path.replace(self._path.with_suffix(".1.jsonl"))
            descriptor = open_regular(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NOFOLLOW, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError:
            self._last.pop(path, None)


def _as_text(name: str) -> str:
    """A file name may hold bytes that are not UTF-8: Python keeps them as lone surrogates, JSON has no place for them."""
    return name.encode(errors="replace").decode()


class Identity(NamedTuple):
    """Which folder it is, whatever its name: device and inode; and how deep in its path the drive begins that holds it."""

    device: int
    inode: int
    mount_depth: int

    def is_same(self, found: os.stat_result) -> bool:
        """True for the same folder."""
        return (self.device, self.inode) == (found.st_dev, found.st_ino)


class Root:
    """An allowed folder, as it was when it was allowed. Kato makes its `own` folder whenever it is missing, and one that is
    for notes without a path (`is_new_made`) if it was missing from the start: a folder that was there may be a drive.
    """

    def __init__(self, given: str, *, own: bool = False, is_new_made: bool = False) -> None:
        self.path = os.path.realpath(given)
        self.given = given
        self._own = own
        self._identity: Identity | None = None
        with suppress(OSError):
            self._identity = _reach(self.path)
        self._is_made = own or (is_new_made and self._identity is None and not os.path.lexists(self.path))

    def holds(self, real: str) -> bool:
        """True for a path below this folder, by its letters."""
        return real != self.path and _common(real, self.path) == self.path

    def names_below(self, real: str) -> list[str]:
        """The names on the way from this folder to a path that it holds."""
        return real[len(self.path) :].strip(os.sep).split(os.sep)

    def trouble(self) -> str | None:
        """Why nothing may be written here now; None if the folder is there and is still the one that was allowed."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None if self._is_made else "is not there"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if self._identity is not None and self._identity.is_same(found):
            return None
        if stat.S_ISLNK(found.st_mode):
            return "is a link now"
        if not stat.S_ISDIR(found.st_mode):
            return "is not a folder now"
        return self._trouble_of_another()

    def _trouble_of_another(self) -> str | None:
        """Takes another folder for this one where that is safe: nothing was there, or a drive was mounted here (again),
        which needs the right to mount.
        """
        known = self._identity
        try:
            reached = _reach(self.path)
        except OSError:
            return "lies behind a link now"
        is_mounted = known is not None and (
            reached.device != known.device and reached.mount_depth >= known.mount_depth
        )
        if known is None or self._own or is_mounted:
            self._identity = reached
            return None
        if reached.device != known.device:
            return "is on another drive now: the one it was on is not mounted"
        return "is another folder now; if you replaced it yourself, restart Kato"

    def confirm(self, descriptor: int, path: str) -> None:
        """Raises RootUnavailable unless the open folder is this one."""
        if self._identity is None or not self._identity.is_same(os.fstat(descriptor)):
            trouble = self.trouble() or "was swapped while it was opened"
            raise RootUnavailable(f"{path}: the allowed folder {self.path} {trouble}", path)

    def make(self) -> None:
        """Makes the folder if it is missing and Kato's to make."""
        if self._is_made and not os.path.lexists(self.path):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            os.mkdir(self.path, 0o700 if self._own else 0o777)
            self._identity = _reach(self.path)
            self._is_made = self._own

    def is_emptied_mount(self, device: int | None) -> bool:
        """True when the folder is empty and not on the drive that a note of it was on: the drive is not mounted."""
        try:
            with os.scandir(self.path) as entries:
                return device not in (None, device_of(os.stat(self.path))) and next(entries, None) is None
        except OSError:
            return False


class _Everywhere(Root):
    """All folders of a drive: for a path that the user typed on the command line."""

    def trouble(self) -> str | None:
        return None

    def confirm(self, descriptor: int, path: str) -> None:
        pass


def device_of(found: os.stat_result) -> int:
    """The device a file is on, in 63 bits: Windows numbers its volumes in 64, and SQLite's integers have a sign."""
    return found.st_dev & (1 << 63) - 1


def _reach(path: str) -> Identity:
    """The folder at a path without links: where the system can, it is reached from the top following none, so that no race
    leads elsewhere. Raises OSError for a link.
    """
    if AT:
        with suppress(
            PermissionError
        ):  # a folder on the way may be passed and not opened, where there is no O_PATH
            return _walk(path)
    if os.path.realpath(path) != path:
        raise OSError(errno.ELOOP, "a link", path)
    found = os.stat(path)
    return Identity(found.st_dev, found.st_ino, 0)


def _walk(path: str) -> Identity:
    top, *names = PurePath(path).parts
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", 0)
    current = os.open(top, flags)
    try:
        found, depth = os.fstat(current), 0
        for number, name in enumerate(names, 1):
            inner = os.open(name, flags, dir_fd=current)
            os.close(current)
            current = inner
            above, found = found, os.fstat(current)
            if found.st_dev != above.st_dev:
                depth = number
        return Identity(found.st_dev, found.st_ino, depth)
    finally:
        os.close(current)


class Place(NamedTuple):
    """A real path, free of links, and the allowed root it lies in."""

    path: str
    root: Root


class WritePolicy:
    """Which paths may be written. `roots` None: every folder (a path typed at the command line). `own` is the root that
    Kato makes itself, `new` one that it makes if it was never there.
    """

    def __init__(
        self,
        roots: Sequence[str] | None,
        *,
        own: str | None = None,
        new: str | None = None,
        audit: Audit | None = None,
    ) -> None:
        ours = None if own is None else os.path.realpath(own)
        made = None if new is None else os.path.realpath(new)
        self._roots: list[Root] | None = None
        if roots is not None:
            reals = [(one, os.path.realpath(one)) for one in roots]
            self._roots = [Root(one, own=real == ours, is_new_made=real == made) for one, real in reals]
        self._audit = audit

    @property
    def is_bounded(self) -> bool:
        """False when every folder is allowed."""
        return self._roots is not None

    def check(self, path: str, suffixes: Sequence[str] = paths.NOTE_SUFFIXES) -> Place:
        """Where this path really leads. Raises PathDenied that names the rule."""
        with self.audited(path):
            place = self._place(path, suffixes)
        if self._audit is not None:
            self._audit("allow", place.path, f"inside {place.root.path}")
        return place

    def allows_folder(self, folder: str) -> bool:
        """True for a folder, given by its real path, in which files may be written now."""
        if self._roots is None:
            return True
        return os.path.realpath(folder) == folder and any(
            (root.path == folder or root.holds(folder)) and root.trouble() is None for root in self._roots
        )

    def audited(self, path: str) -> "_Audited":
        """Within this context every denial goes to the audit log."""
        return _Audited(self._audit, path)

    def _place(self, path: str, suffixes: Sequence[str]) -> Place:
        _refuse_by_letters(path, path, suffixes)
        try:
            real = _real_path(path)
        except OSError as error:
            self._refuse_changed_root(path)
            raise PathDenied(f"{path}: {error.strerror or error}", path) from None
        if real != path:
            _refuse_by_letters(real, path, suffixes)
        if self._roots is None:
            return Place(real, _Everywhere(os.path.splitdrive(real)[0] + os.sep))
        holding = [root for root in self._roots if root.holds(real) and root.trouble() is None]
        if not holding:
            self._refuse_changed_root(path)
            allowed = ", ".join(root.given for root in self._roots) or "none"
            raise PathDenied(
                f"{path} is outside the allowed folders ({allowed}); allowedWriteRoots adds others",
                path,
                rule="outside",
            )
        names = [(root, paths.dot_name(root.names_below(real))) for root in holding]
        for root, name in names:
            if name is None:
                return Place(real, root)
        raise PathDenied(
            f"{path}: Kato writes nothing to {names[0][1]}, whose name begins with a dot, unless allowedWriteRoots "
            "names that folder",
            path,
        )

    def _refuse_changed_root(self, path: str) -> None:
        """Where the path names a folder that was allowed and is not what it was, this is the reason, wherever it leads."""
        plain = os.path.normpath(path)
        for root in self._roots or ():
            if root.holds(plain) or _common(plain, root.given) == root.given:
                trouble = root.trouble()
                if trouble is not None:
                    raise RootUnavailable(f"{path}: the allowed folder {root.path} {trouble}", path)


class _Audited:
    """See `WritePolicy.audited`."""

    def __init__(self, audit: Audit | None, path: str) -> None:
        self._audit = audit
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, PathDenied) and self._audit is not None:
            self._audit("deny", self._path, error.message)


_IS_FOLDER: Final = "it is a folder; name a file in it"


def _refuse_by_letters(path: str, asked: str, suffixes: Sequence[str]) -> None:
    refusal = paths.policy_refusal(path, windows=_WINDOWS)
    if refusal is None:
        refusal = paths.suffix_refusal(path, suffixes)
        if refusal is not None and os.path.isdir(path):
            refusal = _IS_FOLDER  # another suffix would not help
    if refusal is not None:
        raise PathDenied(f"{asked}: {refusal}", asked)


def as_on_disk(path: str) -> str:
    """The path with the file's name as the folder spells it, where that differs only in how characters are composed
    (macOS finds such a file under either name) and there is no file of exactly this name.
    """
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder)
    except OSError:
        return path
    if name in names:
        return path
    return next((os.path.join(folder, one) for one in names if paths.same_name(one, name)), path)


def _common(path: str, other: str) -> str | None:
    try:
        return os.path.commonpath([path, other])
    except ValueError:  # two drives
        return None


def _real_path(path: str) -> str:
    """The path with every link resolved, and every `..` as the parent of what the links before it led to. Parts that are
    not there yet stay as they are; a link that leads nowhere is refused.
    """
    if _WINDOWS:
        path = os.path.normpath(path)
    head, missing = path, []
    while not os.path.lexists(head):
        parent, name = os.path.split(head)
        if parent == head:
            break
        missing.append(name)
        head = parent
    real = os.path.realpath(head, strict=True)
    if missing:
        if not os.path.isdir(real):
            raise NotADirectoryError(0, f"{head} is not a folder")
    elif os.path.isdir(real):
        raise IsADirectoryError(0, _IS_FOLDER)
    elif not os.path.isfile(real):
        raise OSError(0, "it is a device, a socket or a pipe, no file")
    whole = os.path.join(real, *reversed(missing))
    # What is not there yet holds no links: `..` below it goes by letters, and may lead back to what is there.
    return _real_path(os.path.normpath(whole)) if ".." in missing else whole
