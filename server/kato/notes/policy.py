"""The write policy: decides on the real file system which files Kato may write.

    text        of the path: no NUL, not too long, not a device, a note's suffix; on Windows also no stream, no device prefix,
                no name that the system would change
    real path   every link and `..` is resolved as the kernel does, also below folders that do not exist yet
    root        the path is in an allowed folder, which is still the folder that was allowed: not a link or another folder in
                its place, not the empty mount point of a drive
    names       no folder below the root has a name that begins with a dot

Rules: allowed folders are resolved once, when the settings come into force. A refusal names the rule. Every decision is in the
audit log; a repeated decision (the appends of a recording) is there once.
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
#: Whether the system opens files relative to an open folder without following links: true everywhere but on Windows.
AT: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

Audit = Callable[[str, str, str], None]


class RootUnavailable(PathDenied):
    """The allowed folder is missing, or another one is in its place. It may come back, so recordings pause."""


class AuditLog:
    """`audit.jsonl`: one decision a line, bounded by one rotation. Writing it never fails a command."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, tuple[str, str]] = {}

    def __call__(self, decision: str, path: str, reason: str) -> None:
        """Logs a decision unless it equals the last one for this path."""
        if self._last.get(path) == (decision, reason):
            return
        if len(self._last) > 1000:
            self._last.clear()
        self._last[path] = (decision, reason)
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        entry = {"time": now, "decision": decision, "path": _as_text(path), "reason": _as_text(reason)}
        # ASCII only: a terminal that shows the file obeys no control character in it.
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
    """A path as valid Unicode: Python keeps bytes that are not UTF-8 as lone surrogates, which JSON cannot represent."""
    return name.encode(errors="replace").decode()


class Identity(NamedTuple):
    """The identity of a folder whatever its name: device and inode, and the depth in its path at which its drive is mounted."""

    device: int
    inode: int
    mount_depth: int

    def is_same(self, found: os.stat_result) -> bool:
        """Whether both are the same folder."""
        return (self.device, self.inode) == (found.st_dev, found.st_ino)


class Root:
    """An allowed folder, and its identity when it was allowed.

    Kato makes its `own` folder whenever it is missing. It makes the folder for notes without a path (`is_new_made`) only if that
    never existed: one that existed may be a drive that is not mounted now.
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
        """Whether the text of a path leads below this folder."""
        return real != self.path and _common(real, self.path) == self.path

    def names_below(self, real: str) -> list[str]:
        """The names of the folders, and of the file, from this folder down to a path in it."""
        return real[len(self.path) :].strip(os.sep).split(os.sep)

    def trouble(self) -> str | None:
        """The reason why nothing may be written here now; None if the folder exists and is the one that was allowed."""
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
        """Accepts another folder in this one's place where that is safe: nothing existed there before, or a drive was mounted
        here, for which a program needs the right to mount.
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
        """Makes the folder if it is missing and Kato may make it."""
        if self._is_made and not os.path.lexists(self.path):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            os.mkdir(self.path, 0o700 if self._own else 0o777)
            self._identity = _reach(self.path)
            self._is_made = self._own

    def is_emptied_mount(self, device: int | None) -> bool:
        """Whether the folder is empty and on another device than its notes were: its drive is not mounted."""
        try:
            with os.scandir(self.path) as entries:
                return device not in (None, device_of(os.stat(self.path))) and next(entries, None) is None
        except OSError:
            return False


class _Everywhere(Root):
    """Allows all folders of a drive: for a path that the user typed on the command line."""

    def trouble(self) -> str | None:
        return None

    def confirm(self, descriptor: int, path: str) -> None:
        pass


def device_of(found: os.stat_result) -> int:
    """The device of a file, in 63 bits: Windows numbers volumes with 64 bits, and integers of SQLite have a sign."""
    return found.st_dev & (1 << 63) - 1


def _reach(path: str) -> Identity:
    """The state of the folder at a path without links. Opens it from the top following no link where the system can, so that no
    race leads to another folder. Raises OSError for a link.
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
    """A real path, without links, and the allowed root that contains it."""

    path: str
    root: Root


class WritePolicy:
    """Decides which paths may be written. `roots` None allows every folder (for a path typed on the command line). `own` is the
    root that Kato makes whenever it is missing, `new` one that it makes if it never existed. `is_session_folder` allows the
    folders of conversations too, but no folder that contains the user's home.
    """

    def __init__(
        self,
        roots: Sequence[str] | None,
        *,
        own: str | None = None,
        new: str | None = None,
        audit: Audit | None = None,
        is_session_folder: Callable[[str], bool] | None = None,
    ) -> None:
        ours = None if own is None else os.path.realpath(own)
        made = None if new is None else os.path.realpath(new)
        self._roots: list[Root] | None = None
        if roots is not None:
            reals = [(one, os.path.realpath(one)) for one in roots]
            self._roots = [Root(one, own=real == ours, is_new_made=real == made) for one, real in reals]
        self._audit = audit
        self._is_session_folder = is_session_folder

    @property
    def is_bounded(self) -> bool:
        """False when every folder is allowed."""
        return self._roots is not None

    def check(self, path: str, suffixes: Sequence[str] = paths.NOTE_SUFFIXES) -> Place:
        """The real path of a path, and its root. Raises PathDenied, which names the rule."""
        with self.audited(path):
            place = self._place(path, suffixes)
        if self._audit is not None:
            self._audit("allow", place.path, f"inside {place.root.path}")
        return place

    def look(self, path: str, suffixes: Sequence[str] = paths.NOTE_SUFFIXES) -> Place:
        """As `check`, for a path to which nothing is written yet: the audit log does not show it."""
        return self._place(path, suffixes)

    def allows_folder(self, folder: str) -> bool:
        """Whether files may be written in a folder now, given by its real path."""
        if self._roots is None:
            return True
        return os.path.realpath(folder) == folder and any(
            (root.path == folder or root.holds(folder)) and root.trouble() is None for root in self._roots
        )

    def audited(self, path: str) -> "_Audited":
        """A context that writes every denial to the audit log."""
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
            holding = self._session_roots(path, real)
        if not holding:
            others = [] if self._is_session_folder is None else ["the folders of conversations"]
            allowed = ", ".join([*(root.given for root in self._roots), *others]) or "none"
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

    def _session_roots(self, path: str, real: str) -> list[Root]:
        """The nearest folder of a conversation that contains the path, from now on an allowed root."""
        if self._is_session_folder is None or self._roots is None:
            return []
        home = os.path.realpath(os.path.expanduser("~"))
        for folder in PurePath(os.path.normpath(path)).parents:
            if self._is_session_folder(str(folder)):
                root = Root(str(folder))
                if root.holds(home) or not root.holds(real) or root.trouble() is not None:
                    return []
                self._roots.append(root)
                return [root]
        return []

    def _refuse_changed_root(self, path: str) -> None:
        """Raises RootUnavailable if the path is in an allowed folder that is missing or was replaced, wherever the path leads now."""
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
    """The path with the file's name as its folder spells it, if that differs only in the composition of characters (macOS finds
    such a file under either name) and no file has exactly this name.
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
    """The path with every link resolved. `..` is the parent of the folder that the links before it led to. Parts that do not exist
    yet stay as they are. Refuses a link whose target does not exist.
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
    # A folder that does not exist contains no links: resolve `..` below it by the text, which may lead back to one that exists.
    return _real_path(os.path.normpath(whole)) if ".." in missing else whole
