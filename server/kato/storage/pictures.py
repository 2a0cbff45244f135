"""Pictures that messages contained: files in the state folder, from which notes get their copies.

Rule: a picture is on disk before the event that refers to it is stored.
"""

import logging
import os
import tempfile
from collections.abc import Container
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import Final

from kato.core import limits
from kato.core.pictures import Picture, decoded, placeholder, reference
from kato.system.regular import read_regular

log = logging.getLogger("kato")

#: The folder of the pictures in the state folder.
FOLDER: Final = "pictures"


class PictureStore:
    """Keeps pictures in a folder of the state folder, at most `limits.PICTURES_BYTES_MAX` altogether."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER
        self._bytes: int | None = None
        #: Pictures that this process made, and of which no event is stored yet.
        self._new: set[str] = set()

    @property
    def has_new(self) -> bool:
        """Whether there are pictures of which no event is stored yet."""
        return bool(self._new)

    def settle(self, stored: AbstractSet[str], others: AbstractSet[str]) -> None:
        """Takes the names in events that were stored, and in others, which were not: a new picture of those alone is removed."""
        for name in (others - stored) & self._new:
            with suppress(OSError):
                (self._folder / name).unlink()
            self._bytes = None
        self._new -= stored | others

    def save(self, media: str, encoded: str) -> str:
        """Keeps a picture in base64 and returns the text that refers to it: a placeholder without a name if it cannot be kept."""
        picture = decoded(media, encoded)
        if picture is None:
            return placeholder(media)
        try:
            is_kept = self._keep(picture)
        except OSError as error:
            log.warning("a picture was not kept: %s", error.strerror or error)
            is_kept = False
        return reference(media, picture) if is_kept else placeholder(media)

    def read(self, name: str) -> bytes | None:
        """A picture's bytes; None if it is not kept."""
        try:
            return read_regular(self._folder / name, limits.PICTURE_BYTES_MAX)
        except OSError:
            return None

    def remove_unused(self, used: Container[str], before: float) -> list[str]:
        """Removes the pictures that are not in `used` and that were last saved before `before` (s). Returns a sentence for each
        that could not be removed.
        """
        failures = []
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in list(entries):
                try:
                    if entry.name not in used and entry.stat(follow_symlinks=False).st_mtime < before:
                        Path(entry.path).unlink()
                except OSError as error:
                    failures.append(f"{entry.path} could not be removed: {error.strerror or error}")
        self._bytes = None
        return failures

    def _keep(self, picture: Picture) -> bool:
        if len(picture.data) > limits.PICTURE_BYTES_MAX:
            return False
        path = self._folder / picture.name
        with suppress(FileNotFoundError):
            os.utime(path)  # `kato clean` removes no picture that is new
            return True
        if self._size() + len(picture.data) > limits.PICTURES_BYTES_MAX:
            return False
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(picture.data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
        self._bytes = self._size() + len(picture.data)
        self._new.add(picture.name)
        return True

    def _size(self) -> int:
        if self._bytes is None:
            with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
                self._bytes = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        return self._bytes or 0
