"""Writes the pictures of a conversation as files, in a folder next to its note.

Rule: a picture's file name is a hash of its bytes. So a picture is one file, however often its note is written.
"""

import base64
import binascii
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import quote

from kato.core.errors import KatoError
from kato.core.text import visible
from kato.notes.files import NoteWriter

_EXTENSIONS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
}
_SUFFIXES: Final = tuple(f".{extension}" for extension in _EXTENSIONS.values())


class Pictures:
    """Writes pictures to the folder `<note>.images`."""

    def __init__(self, writer: NoteWriter, note: str) -> None:
        self._writer = writer
        self._folder = PurePath(note).with_suffix(".images")
        self._written: set[str] = set()
        self.failure: str | None = None  # why a picture could not be written

    def save(self, media: str, encoded: str) -> str:
        """Writes a picture and returns its Markdown; a placeholder for data that is not a picture."""
        extension = _EXTENSIONS.get(media)
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            extension = None
        if extension is None:
            return f"[image: {visible(media)}]"
        name = f"{blake2b(data, digest_size=8).hexdigest()}.{extension}"
        if name not in self._written:
            path = str(self._folder / name)
            try:
                if not Path(path).exists():
                    with self._writer.prepare(path, [data], _SUFFIXES) as prepared:
                        prepared.commit(backup=False)
            except (KatoError, OSError) as error:
                # A failure must not remove the text around the picture.
                self.failure = error.message if isinstance(error, KatoError) else str(error)
                return f"[image: {visible(media)}, not written]"
            self._written.add(name)
        return f"![image]({quote(self._folder.name)}/{name})"
