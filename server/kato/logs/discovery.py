"""Which files are session logs: the roots of each assistant, and a scan of names, sizes and times below them.

Rule: discovery opens no file. What the file system does not let Kato see is counted in `UnreadablePaths`; it is not an error.
"""

import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kato.assistants import registry
from kato.assistants.contract import Assistant, LogFile, Surroundings
from kato.core import paths
from kato.logs.unreadable import UnreadablePaths

#: The ending of a log that its assistant compressed with Zstandard.
PACKED: Final = ".zst"


class Found(NamedTuple):
    """A session log that a scan saw. `size` is in bytes, `mtime_ns` in nanoseconds since the Unix epoch."""

    assistant: Assistant
    root: str
    path: str
    log: LogFile
    size: int
    mtime_ns: int


class Root(NamedTuple):
    """A folder where an assistant keeps its logs. The folder may not exist."""

    assistant: Assistant
    path: str


def surroundings(environment: Mapping[str, str], folders: Sequence[str] = ()) -> Surroundings:
    """This machine and this user, with the folders that are open in the editor."""
    return Surroundings(environment, str(Path.home()), sys.platform, tuple(folders))


def roots(place: Surroundings, configured: Mapping[str, Sequence[str]]) -> list[Root]:
    """Where logs may lie: the folders configured for an assistant (an empty list switches it off), else its defaults."""
    found = []
    for assistant in registry.assistants():
        chosen = configured.get(assistant.name)
        for path in assistant.roots(place) if chosen is None else chosen:
            root = Root(assistant, os.path.normpath(Path(path).expanduser()))
            if root not in found:
                found.append(root)
    return found


def scan(
    root: Root,
    below: str | None = None,
    enter: Callable[[str], bool] = lambda _: True,
    unreadable: UnreadablePaths | None = None,
) -> Iterator[Found]:
    """The logs below a root, or below one of its folders. Before a folder that can hold logs is listed, `enter` decides
    whether to list it; a folder comes before the folders in it.
    """
    unreadable = UnreadablePaths() if unreadable is None else unreadable
    start = root.path if below is None else below
    parts = paths.parts_below(root.path, start, platform=sys.platform)
    if parts is None or (parts and not _is_entered(root.assistant, parts)) or not enter(start):
        return
    waiting = deque([(os.path.join(root.path, *parts), parts)])  # noqa: PTH118 - a text
    while waiting:
        folder, parts = waiting.popleft()
        entries = _entries(folder, unreadable)
        names = {entry.name for entry in entries}
        for entry in entries:
            inner = [*parts, entry.name]
            if _is_folder(entry):
                if root.assistant.enter(inner) and enter(entry.path):
                    waiting.append((entry.path, inner))
            elif (found := _found(root, entry, inner, names, unreadable)) is not None:
                yield found


def _entries(folder: str, unreadable: UnreadablePaths) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError as error:
        unreadable.add("folder", folder, error)
        return []
    unreadable.discard(folder)
    return listed


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder. An entry that cannot be examined counts as a file: if it is named like a log, the next
    step counts the reason.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False


def look(root: Root, path: str, unreadable: UnreadablePaths | None = None) -> Found | None:
    """The log at a path; None if the path is not a log of this root, or no file exists there."""
    parts = paths.parts_below(root.path, path, platform=sys.platform)
    if not parts or not _is_entered(root.assistant, parts[:-1]):
        return None
    # The path below the root as Kato knows the root: a hint may spell the same folder differently, and a log has one name here.
    unreadable = UnreadablePaths() if unreadable is None else unreadable
    return _found(root, Path(root.path, *parts), parts, None, unreadable)


def _is_entered(assistant: Assistant, parts: Sequence[str]) -> bool:
    return all(assistant.enter(parts[: depth + 1]) for depth in range(len(parts)))


def _found(
    root: Root,
    file: os.DirEntry[str] | Path,
    parts: Sequence[str],
    names: set[str] | None,
    unreadable: UnreadablePaths,
) -> Found | None:
    """The log that this file is. `names` are the names in its folder, if they are known."""
    name = parts[-1]
    if name.endswith(PACKED):
        plain = name.removesuffix(PACKED)
        if (plain in names) if names is not None else os.path.lexists(Path(file).with_name(plain)):
            return None  # the assistant unpacked the log to continue it
        parts = [*parts[:-1], plain]
    log = root.assistant.match(parts)
    if log is None:
        return None
    path = os.fspath(file)
    if not path.isprintable() and not _is_text(path):
        unreadable.add("name", path, "the path is not valid text")
        return None
    try:
        status = file.stat()
    except PermissionError as error:  # the folder can be listed, and not entered
        unreadable.add("folder", os.path.dirname(path), error)  # noqa: PTH120 - a text
        return None
    except OSError as error:
        unreadable.add("file", path, error)
        return None
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        unreadable.add("file", path, "not a regular file")  # opening a pipe would wait for its other end
        return None
    return Found(root.assistant, root.path, path, log, status.st_size, mtime_ns(status))


def mtime_ns(status: os.stat_result) -> int:
    """When a file changed, as a number that fits into the journal: file systems hold times beyond the year 2262."""
    return min(max(status.st_mtime_ns, -_NS_MAX), _NS_MAX)


_NS_MAX: Final = (1 << 63) - 1


def _is_text(path: str) -> bool:
    """Whether a path is valid text: assistants make no others, and the journal cannot store them."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
