"""Zstandard, with which Codex compresses the logs of old sessions.

Python has it from 3.14 on. Before, it comes with the package that the extra `zstd` installs; most users have no compressed log
and need neither.
"""

import errno
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from kato.system.regular import open_regular

#: What the user runs if the package is missing.
INSTALL: Final = 'pip install "kato-lsp[zstd]"'


class ZstandardMissing(OSError):
    """This Python cannot decompress Zstandard. `strerror` says what to do."""

    def __init__(self, path: str) -> None:
        super().__init__(
            errno.ENOTSUP, f"compressed with Zstandard, which this Python lacks: {INSTALL} adds it", path
        )


def library() -> ModuleType:
    """The module `compression.zstd`, or the package of the same interface. Raises ImportError."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - most users have no compressed log
    else:
        from backports import zstd  # noqa: PLC0415 - as above
    return zstd


def unpacked(path: str, piece_bytes: int) -> Iterator[bytes]:
    """The content of a compressed file, in pieces. Raises ZstandardMissing, and OSError for damaged data."""
    try:
        zstd = library()
    except ImportError:
        raise ZstandardMissing(path) from None
    with open(path, "rb", opener=open_regular) as file, zstd.ZstdFile(file) as stream:
        try:
            while data := stream.read(piece_bytes):
                yield data
        except (zstd.ZstdError, EOFError) as error:
            raise OSError(errno.EIO, f"invalid Zstandard data: {error}", path) from None
