"""Pictures of a conversation: as files next to its note, or inside a page.

Rule: a picture's name is made of its bytes, so that the same one is stored once, however often a note is written.
"""

import base64
import binascii
import tempfile
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import Final, NamedTuple
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


class _Picture(NamedTuple):
    name: str
    data: bytes


def _decoded(media: str, encoded: str) -> _Picture | None:
    """The bytes of a picture with a name for them; None if it is not base64 or of an unknown media type."""
    extension = _EXTENSIONS.get(media)
    if extension is None:
        return None
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return _Picture(f"{blake2b(data, digest_size=8).hexdigest()}.{extension}", data)


class Pictures:
    """Writes pictures into `<note>.images`, a folder next to the note."""

    def __init__(self, writer: NoteWriter, note: str) -> None:
        self._writer = writer
        self._folder = PurePath(note).with_suffix(".images")
        self._written: set[str] = set()
        #: Why a picture could not be written.
        self.failure: str | None = None

    @property
    def folder(self) -> str:
        """The path of the folder, which exists once there is a picture."""
        return str(self._folder)

    @property
    def count(self) -> int:
        """How many files the note refers to."""
        return len(self._written)

    def save(self, media: str, encoded: str) -> str:
        """Writes a picture's file and returns the Markdown that shows it; a placeholder for what is not a picture."""
        picture = _decoded(media, encoded)
        if picture is None:
            return f"[image: {visible(media)}]"
        if picture.name not in self._written:
            path = str(self._folder / picture.name)
            try:
                if not Path(path).exists():
                    with self._writer.prepare(path, [picture.data], _SUFFIXES) as prepared:
                        prepared.commit(backup=False)
            except (KatoError, OSError) as error:
                # The message's text is kept: only its picture is missing.
                self.failure = error.message if isinstance(error, KatoError) else str(error)
                return f"[image: {visible(media)}, not written]"
            self._written.add(picture.name)
        return f"![image]({quote(self._folder.name)}/{picture.name})"


class EmbeddedPictures:
    """Keeps pictures for a page in a temporary file of `folder`. The Markdown refers to them by name, so that their bytes do not
    pass through its renderer.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this object
        self._places: dict[str, tuple[str, int, int]] = {}  # media type, offset, length

    def save(self, media: str, encoded: str) -> str:
        """Keeps a picture and returns the Markdown that shows it; a placeholder for what is not a picture."""
        picture = _decoded(media, encoded)
        if picture is None:
            return f"[image: {visible(media)}]"
        if picture.name not in self._places:
            offset = self._file.seek(0, 2)
            self._file.write(picture.data)
            self._places[picture.name] = (media, offset, len(picture.data))
        return f"![image]({_EMBEDDED}{picture.name})"

    def source(self, reference: str) -> str | None:
        """The `data:` URI of a picture that the Markdown refers to; None for another reference."""
        place = self._places.get(reference.removeprefix(_EMBEDDED))
        if place is None or not reference.startswith(_EMBEDDED):
            return None
        media, offset, length = place
        self._file.seek(offset)
        return f"data:{media};base64,{base64.b64encode(self._file.read(length)).decode()}"


_EMBEDDED: Final = "embedded:"
