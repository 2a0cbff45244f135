"""Session logs on disk: which there are, what is new in them, in bounded pieces.

Rules: a scan looks at names, sizes and times and reads nothing. A log is opened for each piece and closed again: no
descriptor is held (but for a compressed one, while it is read). What a file system does not let us see (no right, gone meanwhile) is counted, never an error.
"""

import errno
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kato.assistants.contract import Assistant, LogFile, Reader, ReadResult, Surroundings
from kato.assistants.decoding import as_utf8
from kato.assistants.registry import ASSISTANTS
from kato.core import limits, paths
from kato.system.regular import open_regular, read_regular

PACKED: Final = ".zst"


class Found(NamedTuple):
    """A session log that a scan saw: bytes and nanoseconds."""

    assistant: Assistant
    root: str
    path: str
    log: LogFile
    size: int
    mtime_ns: int


class Root(NamedTuple):
    """A folder where an assistant keeps its logs, whether it is there or not."""

    assistant: Assistant
    path: str


def surroundings(environment: Mapping[str, str], folders: Sequence[str] = ()) -> Surroundings:
    """This machine and this user."""
    return Surroundings(environment, str(Path.home()), sys.platform, tuple(folders))


def roots(place: Surroundings, configured: Mapping[str, Sequence[str]]) -> list[Root]:
    """Where logs may lie: what is configured for a provider (nothing, if that is empty), else its own places."""
    found = []
    for assistant in ASSISTANTS:
        paths = configured.get(assistant.name)
        for path in assistant.roots(place) if paths is None else paths:
            root = Root(assistant, os.path.normpath(Path(path).expanduser()))
            if root not in found:
                found.append(root)
    return found


def scan(
    root: Root, below: str | None = None, enter: Callable[[str], bool] = lambda _: True
) -> Iterator[Found]:
    """The logs below a root, or below one of its folders: a listing, no reading. `enter` is asked of each folder that can
    hold logs, before it is listed; the upper ones come first.
    """
    start = root.path if below is None else below
    parts = paths.parts_below(root.path, start, platform=sys.platform)
    if parts is None or (parts and not _is_entered(root.assistant, parts)) or not enter(start):
        return
    waiting = deque([(os.path.join(root.path, *parts), parts)])  # noqa: PTH118 - a text
    while waiting:
        folder, parts = waiting.popleft()
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError:
            continue
        names = {entry.name for entry in listed}
        for entry in listed:
            with suppress(OSError):
                if entry.is_dir():
                    if root.assistant.enter([*parts, entry.name]) and enter(entry.path):
                        waiting.append((entry.path, [*parts, entry.name]))
                elif (found := _found(root, entry, [*parts, entry.name], names)) is not None:
                    yield found


def look(root: Root, path: str) -> Found | None:
    """The log at a path, if it is one of this root and there."""
    parts = paths.parts_below(root.path, path, platform=sys.platform)
    if not parts or not _is_entered(root.assistant, parts[:-1]):
        return None
    with suppress(OSError):
        # By the root's name: who gives a hint may write the same folder otherwise, and a log has one name here.
        return _found(root, Path(root.path, *parts), parts, None)
    return None


def _is_entered(assistant: Assistant, parts: Sequence[str]) -> bool:
    return all(assistant.enter(parts[: depth + 1]) for depth in range(len(parts)))


def _found(
    root: Root, file: os.DirEntry[str] | Path, parts: Sequence[str], names: set[str] | None
) -> Found | None:
    name = parts[-1]
    if name.endswith(PACKED):
        plain = name.removesuffix(PACKED)
        if (plain in names) if names is not None else Path(file).with_name(plain).exists():
            return None  # the assistant unpacked it again to go on with it
        parts = [*parts[:-1], plain]
    log = root.assistant.match(parts)
    if log is None:
        return None
    path = os.fspath(file)
    if not path.isprintable() and not _is_text(path):
        return None
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        return None  # a pipe would be waited for
    return Found(root.assistant, root.path, path, log, status.st_size, _mtime_ns(status))


def _mtime_ns(status: os.stat_result) -> int:
    """When the file changed, as a number that the journal can keep: file systems hold times beyond the year 2262."""
    return min(max(status.st_mtime_ns, -_NS_MAX), _NS_MAX)


_NS_MAX: Final = (1 << 63) - 1


def _is_text(path: str) -> bool:
    """Whether a name is text: no assistant makes others, and the journal keeps none."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


class Piece(NamedTuple):
    """What a piece of a log meant, whether more lies ready, and whether the log is read anew from here."""

    result: ReadResult
    more: bool
    anew: bool = False


class Tail:
    """One session log under way: its reader, and how far it was read.

    A log that is replaced, cut or begins otherwise than before is read anew from its beginning; the ids of what was
    read before are the same, so that nothing is told twice.
    """

    def __init__(self, found: Found, place: Surroundings) -> None:
        self.found = found
        self._companions_seen = _companion_marks(found)
        self.reader: Reader = found.assistant.reader(found.log, _companions(found), place)
        self.size = 0
        self.mtime_ns = 0
        self.unsettled = False
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._head = b""
        self._end = b""  # the last bytes before the offset
        self._unpacked: Iterator[bytes] = iter(())

    @property
    def offset(self) -> int:
        """How far it was read, in bytes of the file; of a compressed one, 0."""
        return self._offset

    def read(self, stop_at: int = 0) -> Piece:
        """The next piece, which does not go beyond `stop_at` when it begins before; an empty one if there is nothing new.
        Raises OSError when the log cannot be read.
        """
        if self.found.path.endswith(PACKED):
            return self._read_packed()
        # Unbuffered, a piece at a time; a scan saw a regular file, which may have been replaced since.
        with open(self.found.path, "rb", buffering=0, opener=open_regular) as file:
            status = os.fstat(file.fileno())
            changed = (status.st_size, _mtime_ns(status)) != (self.size, self.mtime_ns)
            anew = self._is_other(file.fileno(), status) or (self.found.log.rewritten and changed)
            if anew:
                self.reader.restart()
                self._offset = 0
            self._file = (status.st_dev, status.st_ino)
            file.seek(self._offset)
            before_stop = stop_at - self._offset
            data = file.read(
                min(limits.LOG_READ_BYTES, before_stop) if before_stop > 0 else limits.LOG_READ_BYTES
            )
            if self._offset == 0:
                self._head = data[:_HEAD_BYTES]
                self._end = b""
            self._end = (self._end + data[-_HEAD_BYTES:])[-_HEAD_BYTES:]
        if self.found.log.rewritten and self._offset == 0 and not changed:
            return Piece(_NOTHING, more=False)
        self._offset += len(data)
        self.size, self.mtime_ns = status.st_size, _mtime_ns(status)
        self.unsettled = self.unsettled or bool(data)
        result = self.reader.feed(data) if data else _NOTHING
        return Piece(result, more=self._offset < status.st_size, anew=anew)

    def settle(self, *, is_final: bool = False) -> ReadResult:
        """The log is quiet: what was held back. With `is_final`, nothing more will come."""
        self.unsettled = False
        self.reader.is_final = is_final
        seen = _companion_marks(self.found)
        if seen != self._companions_seen:
            self._companions_seen = seen
            self.reader.take_companions(_companions(self.found))
        return self.reader.settle()

    def _is_other(self, descriptor: int, status: os.stat_result) -> bool:
        """Whether the file is not the one that was read so far."""
        if self._offset == 0:
            return False
        if self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset:
            return True
        if (status.st_size, _mtime_ns(status)) == (self.size, self.mtime_ns):
            return False
        if os.read(descriptor, len(self._head)) != self._head:
            return True
        os.lseek(descriptor, self._offset - len(self._end), os.SEEK_SET)
        return os.read(descriptor, len(self._end)) != self._end

    def _read_packed(self) -> Piece:
        """A compressed log does not grow: it is read once, and again only if it is another one."""
        status = Path(self.found.path).stat()
        if (status.st_size, _mtime_ns(status)) != (self.size, self.mtime_ns):
            self.size, self.mtime_ns = status.st_size, _mtime_ns(status)
            self.reader.restart()
            self._unpacked = _unpacked(self.found.path)
        data = next(self._unpacked, b"")
        self.unsettled = self.unsettled or bool(data)
        return Piece(self.reader.feed(data) if data else _NOTHING, more=bool(data))


def _unpacked(path: str) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - most users have no compressed log

    try:
        with (
            open(path, "rb", opener=open_regular) as file,
            zstandard.ZstdDecompressor().stream_reader(file) as stream,
        ):
            while data := stream.read(limits.LOG_READ_BYTES):
                yield data
    except zstandard.ZstdError as error:
        raise OSError(errno.EIO, f"no zstd data: {error}", path) from None


_HEAD_BYTES: Final = 1024
_NOTHING: Final = ReadResult([], [])


def _companion_marks(found: Found) -> list[tuple[int, int] | None]:
    """Size and time of each companion; None for one that is not there."""
    marks: list[tuple[int, int] | None] = []
    for relative in found.log.companions:
        marks.append(None)
        with suppress(OSError):
            status = Path(found.root, *relative.split("/")).stat()
            marks[-1] = status.st_size, _mtime_ns(status)
    return marks


def _companions(found: Found) -> dict[str, bytes]:
    """The small files that a log is read with, by their names."""
    held = {}
    for relative in found.log.companions:
        path = Path(found.root, *relative.split("/"))
        with suppress(OSError):
            held[path.name] = as_utf8(read_regular(path, limits.LOG_COMPANION_BYTES_MAX))
    return held


def read_end(path: str, start: int) -> bytes:
    """The bytes of a file from `start` on, at most the last `limits.LOG_READ_BYTES`; none if it cannot be read."""
    with suppress(OSError), open(path, "rb", buffering=0, opener=open_regular) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, start, size - limits.LOG_READ_BYTES))
        return file.read(limits.LOG_READ_BYTES)
    return b""
