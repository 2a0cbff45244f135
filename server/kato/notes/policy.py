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

import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from kato.core import limits, paths
from kato.core.errors import PathDenied
from kato.notes.roots import Everywhere, Root, RootUnavailable, common_folder
from kato.system.regular import open_regular

_WINDOWS: Final = sys.platform == "win32"
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

Audit = Callable[[str, str, str], None]


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

    def open_session_folder(self, folder: str) -> Root | None:
        """Makes a conversation's folder an allowed root, if the policy allows those; None if this one is not allowed or is not there."""
        if self._is_session_folder is None or self._roots is None:
            return None
        root = next((one for one in self._roots if one.given == folder), None) or Root(folder)
        if root.holds(os.path.realpath(os.path.expanduser("~"))) or root.trouble() is not None:
            return None
        if root not in self._roots:
            self._roots.append(root)
        return root

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
            is_folder = isinstance(error, IsADirectoryError)
            reason = f" {_IS_FOLDER}" if is_folder else f": {error.strerror or error}"
            raise PathDenied(f"{path}{reason}", path) from None
        if real != path:
            _refuse_by_letters(real, path, suffixes)
        if self._roots is None:
            return Place(real, Everywhere(os.path.splitdrive(real)[0] + os.sep))
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
        if self._is_session_folder is None:
            return []
        folders = map(str, PurePath(os.path.normpath(path)).parents)
        nearest = next(filter(self._is_session_folder, folders), None)
        root = None if nearest is None else self.open_session_folder(nearest)
        return [] if root is None or not root.holds(real) else [root]

    def _refuse_changed_root(self, path: str) -> None:
        """Raises RootUnavailable if the path is in an allowed folder that is missing or was replaced, wherever the path leads now."""
        plain = os.path.normpath(path)
        for root in self._roots or ():
            if root.holds(plain) or common_folder(plain, root.given) == root.given:
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


_IS_FOLDER: Final = "is a folder; name a file in it"


def _refuse_by_letters(path: str, asked: str, suffixes: Sequence[str]) -> None:
    refusal = paths.policy_refusal(path, windows=_WINDOWS)
    if refusal is None:
        refusal = paths.suffix_refusal(path, suffixes)
        if refusal is not None and os.path.isdir(path):
            raise PathDenied(f"{asked} {_IS_FOLDER}", asked)  # another suffix would not help
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
        raise IsADirectoryError
    elif not os.path.isfile(real):
        raise OSError(0, "it is a device, a socket or a pipe, no file")
    whole = os.path.join(real, *reversed(missing))
    # A folder that does not exist contains no links: resolve `..` below it by the text, which may lead back to one that exists.
    return _real_path(os.path.normpath(whole)) if ".." in missing else whole
