"""Pictures of a conversation: their names, and the placeholder that refers to one.

    a message in a log ─► decoded ─► kept in the state folder ─► [image: image/png, 45 kB, 3f2a9c1e0b7d5a68.png] in the event
    the event in a note ─► linked ─► ![image](conv.images/3f2a9c1e0b7d5a68.png)

Rule: a picture's name is made of its bytes, so that the same one is stored once, however often it is read or written.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from kato.core.text import visible

#: The media types of pictures that are kept, with the suffixes of their files.
EXTENSIONS: Final[Mapping[str, str]] = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
}
_NAME: Final = rf"[0-9a-f]{{16}}\.(?:{'|'.join(EXTENSIONS.values())})"
_REFERENCE: Final = re.compile(rf"\[image: [^\]\n]{{0,200}}, ({_NAME})\]")
#: The end of a reference, also in JSON.
_NAMED: Final = re.compile(rf", ({_NAME})\]".encode())
#: What every reference begins with: most texts have none.
_BEGINNING: Final = "[image: "

#: Gives the target of the link to the picture with this name; None if the picture is not kept.
Link = Callable[[str], str | None]


class Picture(NamedTuple):
    """A picture's bytes, and the name of its file."""

    name: str
    data: bytes


def decoded(media: str, encoded: str) -> Picture | None:
    """The picture of a media type in base64; None if it is not base64 or of another type."""
    extension = EXTENSIONS.get(media)
    if extension is None:
        return None
    try:
        data = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Picture(f"{blake2b(data, digest_size=8).hexdigest()}.{extension}", data)


def media_of(name: str) -> str:
    """The media type of a picture's file."""
    suffix = name.rpartition(".")[2]
    return next(media for media, extension in EXTENSIONS.items() if extension == suffix)


def placeholder(media: str, *about: str) -> str:
    """The text where a picture was."""
    return f"[image: {', '.join((visible(media), *about))}]"


def reference(media: str, picture: Picture) -> str:
    """The placeholder of a picture that is kept: it also names the file."""
    return placeholder(media, f"{len(picture.data) // 1000 or 1} kB", picture.name)


def names_in(lines: bytes) -> set[str]:
    """The names of the pictures that stored events refer to."""
    return {name.decode() for name in _NAMED.findall(lines)}


def linked(text: str, link: Link) -> str:
    """The text with a link for each reference to a picture. A reference without a picture stays."""
    if _BEGINNING not in text:
        return text

    def shown(found: re.Match[str]) -> str:
        target = link(found[1])
        return found[0] if target is None else f"![image]({target})"

    return _REFERENCE.sub(shown, text)
