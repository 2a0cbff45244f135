"""Pictures of a conversation: as files next to its note, or inside a page (see `core.pictures`)."""

import base64
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import quote

from kato.core.errors import KatoError
from kato.core.pictures import EXTENSIONS, Picture, decoded, media_of, placeholder
from kato.core.text import visible
from kato.notes.files import NoteWriter

_SUFFIXES: Final = tuple(f".{extension}" for extension in EXTENSIONS.values())
#: Gives the bytes of the picture with this name; None if the picture is not kept.
ReadPicture = Callable[[str], bytes | None]


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
        picture = decoded(media, encoded)
        if picture is None:
            return placeholder(media)
        target = self._link(picture)
        # The message's text is kept: only its picture is missing.
        return f"[image: {visible(media)}, not written]" if target is None else f"![image]({target})"

    def link(self, name: str, read: ReadPicture) -> str | None:
        """Copies a kept picture next to the note, unless it is there, and returns the target of a link to it. None if there is
        no such picture, or if it cannot be written.
        """
        if name in self._written:
            return self._target(name)
        data = read(name)
        return None if data is None else self._link(Picture(name, data))

    def _link(self, picture: Picture) -> str | None:
        if picture.name not in self._written:
            path = str(self._folder / picture.name)
            try:
                if not Path(path).exists():
                    with self._writer.prepare(path, [picture.data], _SUFFIXES) as prepared:
                        prepared.commit(backup=False)
            except (KatoError, OSError) as error:
                self.failure = error.message if isinstance(error, KatoError) else str(error)
                return None
            self._written.add(picture.name)
        return self._target(picture.name)

    def _target(self, name: str) -> str:
        return f"{quote(self._folder.name)}/{name}"


class EmbeddedPictures:
    """Keeps pictures for a page in a temporary file of `folder`. The Markdown refers to them by name, so that their bytes do not
    pass through its renderer.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this object
        self._places: dict[str, tuple[str, int, int]] = {}  # media type, offset, length

    def save(self, media: str, encoded: str) -> str:
        """Keeps a picture and returns the Markdown that shows it; a placeholder for what is not a picture."""
        picture = decoded(media, encoded)
        if picture is None:
            return placeholder(media)
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
        return _data_uri(media, self._file.read(length))


def embedded(name: str) -> str:
    """The target of a link in a page to a kept picture."""
    return f"{_KEPT}{name}"


def source(reference: str, read: ReadPicture) -> str | None:
    """The `data:` URI for the target of such a link; None for another target."""
    name = reference.removeprefix(_KEPT)
    data = read(name) if reference.startswith(_KEPT) else None
    return None if data is None else _data_uri(media_of(name), data)


def _data_uri(media: str, data: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


_EMBEDDED: Final = "embedded:"
_KEPT: Final = "kept:"
