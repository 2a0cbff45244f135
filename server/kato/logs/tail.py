"""Reads one session log in bounded pieces, from where the last piece ended.

Rule: a log is opened for each piece and closed again, so that Kato holds no descriptor between pieces (a compressed log stays
open until it is read to its end). Errors of the file system are OSError; a companion that cannot be read is counted.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from kato.assistants.contract import Reader, ReadResult, Surroundings
from kato.assistants.decoding import as_utf8
from kato.core import limits
from kato.logs.discovery import PACKED, Found, mtime_ns
from kato.logs.unreadable import UnreadablePaths
from kato.system.regular import open_regular, read_regular
from kato.system.zstd import unpacked

_NOTHING: Final = ReadResult([], [])


class Piece(NamedTuple):
    """The events and problems of a piece, whether more can be read now, and whether the log is read again from its
    beginning with this piece.
    """

    result: ReadResult
    more: bool
    restarted: bool = False


class Tail:
    """One session log with its reader and the position that was read so far.

    A log that is replaced, truncated, or begins with other bytes than before is read again from its beginning. Its events have
    the same ids as before, so that the journal drops the ones that it has.
    """

    def __init__(self, found: Found, place: Surroundings, unreadable: UnreadablePaths | None = None) -> None:
        self.found = found
        self._unreadable = UnreadablePaths() if unreadable is None else unreadable
        self._companions_seen = _companion_marks(found)
        self.reader: Reader = found.assistant.reader(found.log, _companions(found, self._unreadable), place)
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
        """How many bytes of the file were read; 0 for a compressed log."""
        return self._offset

    def read(self, stop_at: int = 0) -> Piece:
        """The next piece; an empty one if nothing is new. A piece that begins before the offset `stop_at` ends there at the
        latest. Raises OSError.
        """
        if self.found.path.endswith(PACKED):
            return self._read_packed()
        # Unbuffered, as it is read a piece at a time. The scan saw a regular file, which may have been replaced since.
        with open(self.found.path, "rb", buffering=0, opener=open_regular) as file:
            status = os.fstat(file.fileno())
            changed = (status.st_size, mtime_ns(status)) != (self.size, self.mtime_ns)
            restarted = self._is_other(file.fileno(), status) or (self.found.log.rewritten and changed)
            if restarted:
                self.reader.restart()
                self._offset = 0
            self._file = (status.st_dev, status.st_ino)
            file.seek(self._offset)
            before_stop = stop_at - self._offset
            data = file.read(
                min(limits.LOG_READ_BYTES, before_stop) if before_stop > 0 else limits.LOG_READ_BYTES
            )
            if self._offset == 0:
                self._head = data[: limits.LOG_COMPARED_BYTES]
                self._end = b""
            self._end = (self._end + data[-limits.LOG_COMPARED_BYTES :])[-limits.LOG_COMPARED_BYTES :]
        if self.found.log.rewritten and self._offset == 0 and not changed:
            return Piece(_NOTHING, more=False)
        self._offset += len(data)
        self.size, self.mtime_ns = status.st_size, mtime_ns(status)
        self.unsettled = self.unsettled or bool(data)
        result = self.reader.feed(data) if data else _NOTHING
        return Piece(result, more=self._offset < status.st_size, restarted=restarted)

    def settle(self, *, is_final: bool = False) -> ReadResult:
        """The events that the reader held back because more might follow. `is_final`: nothing more will be written."""
        self.unsettled = False
        self.reader.is_final = is_final
        seen = _companion_marks(self.found)
        if seen != self._companions_seen:
            self._companions_seen = seen
            self.reader.take_companions(_companions(self.found, self._unreadable))
        return self.reader.settle()

    def _is_other(self, descriptor: int, status: os.stat_result) -> bool:
        """Whether the file is not the one that was read so far."""
        if self._offset == 0:
            return False
        if self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset:
            return True
        if (status.st_size, mtime_ns(status)) == (self.size, self.mtime_ns):
            return False
        if os.read(descriptor, len(self._head)) != self._head:
            return True
        os.lseek(descriptor, self._offset - len(self._end), os.SEEK_SET)
        return os.read(descriptor, len(self._end)) != self._end

    def _read_packed(self) -> Piece:
        """A compressed log does not grow: it is read once, and again only when its size or time changes."""
        status = Path(self.found.path).stat()
        if (status.st_size, mtime_ns(status)) != (self.size, self.mtime_ns):
            self.size, self.mtime_ns = status.st_size, mtime_ns(status)
            self.reader.restart()
            self._unpacked = unpacked(self.found.path, limits.LOG_READ_BYTES)
        data = next(self._unpacked, b"")
        self.unsettled = self.unsettled or bool(data)
        return Piece(self.reader.feed(data) if data else _NOTHING, more=bool(data))


def _companion_marks(found: Found) -> list[tuple[int, int] | None]:
    """Size and time of each companion; None for one that is missing."""
    marks: list[tuple[int, int] | None] = []
    for relative in found.log.companions:
        marks.append(None)
        with suppress(OSError):
            status = Path(found.root, *relative.split("/")).stat()
            marks[-1] = status.st_size, mtime_ns(status)
    return marks


def _companions(found: Found, unreadable: UnreadablePaths) -> dict[str, bytes]:
    """The contents of the small files that belong to a log, by their names. Most logs lack some of them."""
    contents = {}
    for relative in found.log.companions:
        path = Path(found.root, *relative.split("/"))
        try:
            contents[path.name] = as_utf8(read_regular(path, limits.LOG_COMPANION_BYTES_MAX))
        except OSError as error:
            unreadable.add("file", str(path), error)
        else:
            unreadable.discard(str(path))
    return contents


def read_end(path: str, start: int) -> bytes:
    """The bytes of a file from offset `start` on, at most the last `limits.LOG_READ_BYTES`. Raises OSError."""
    with open(path, "rb", buffering=0, opener=open_regular) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, start, size - limits.LOG_READ_BYTES))
        return file.read(limits.LOG_READ_BYTES)
