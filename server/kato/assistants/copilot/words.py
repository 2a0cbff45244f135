"""Texts in Copilot's records: the user's words, what the host adds to them, and Markdown whose links name files."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

from kato.assistants.contract import Json, SavePicture
from kato.assistants.proof import host_block
from kato.assistants.values import object_of, placeholder, text_of
from kato.core.lenient_json import loads
from kato.core.text import one_line

#: The host puts notifications behind the user's words.
_NOTIFICATION: Final = "<system_notification>"
_NOTIFICATION_END: Final = "</system_notification>"
#: Characters of a message about a tool call that are read to make one line of it.
_MESSAGE_CHARS_MAX: Final = 4096
_LINE_CHARS_MAX: Final = 200
_BARE_LINK: Final = re.compile(r"\[\]\((?P<uri>[^)]*)\)")
_LINK: Final = re.compile(r"\[(?P<text>[^\]]+)\]\([^)]*\)")
_DRIVE: Final = re.compile(r"^/[A-Za-z]:")
#: What VS Code pastes; it names the type of other pictures.
_MEDIA_DEFAULT: Final = "image/png"
_LANGUAGE: Final = re.compile(r"[\w-]*")
_FENCE_ALONE: Final = re.compile(r"`{3,}[\w-]*")


def doubt_of(words: str) -> str | None:
    """Why the words may contain text of the host; None if they do not."""
    block = host_block(words)
    return None if block is None else f"it holds a block of tags (<{block}>)"


def without_notifications(words: str) -> str:
    """The words without the notifications of the host that stand behind them."""
    while words.rstrip().endswith(_NOTIFICATION_END):
        start = words.rfind(_NOTIFICATION)
        if start < 0 or words.count(_NOTIFICATION_END, start) != 1:
            break
        words = words[:start].rstrip()
    return words


def with_attachments(
    words: str,
    entries: Sequence[Json],
    save: SavePicture | None = None,
    assets: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The words, then each attached picture and a placeholder for each pasted text. Attached files are named in the words. A picture
    is a link where `save` saves it, or where `assets` has one for its id, else a placeholder.
    """
    shown = (_attachment(entry, save, assets) for entry in entries)
    return "\n\n".join(part for part in (words, *shown) if part.strip())


def _attachment(entry: Json, save: SavePicture | None, assets: Mapping[str, str]) -> str:
    name = text_of(entry, "name") or text_of(entry, "displayName") or text_of(entry, "path") or ""
    media = text_of(entry, "mimeType") or ""
    kind, file_type = text_of(entry, "kind"), text_of(entry, "type")
    if kind == "image" or file_type in ("image", "blob") or media.startswith("image/"):
        saved = assets.get(text_of(entry, "assetId") or "")
        data = text_of(object_of(entry, "value"), "$base64") or text_of(entry, "data")
        if saved is None and save is not None and data:
            saved = save(media or _MEDIA_DEFAULT, data)
        return placeholder("image", name) if saved is None else saved
    if "pasted-text" in (text_of(entry, "path") or "") or kind == "paste":
        return placeholder("file", name)
    return ""


def arguments_of(value: object) -> object:
    """The arguments of a call: JSON, or JSON as text. A text that is not JSON stays; an empty one becomes None."""
    if isinstance(value, str):
        try:
            return loads(value.encode()) if value.strip() else None
        except ValueError:
            return value
    return value


def markdown_of(value: object) -> str:
    """Text, or the text of a Markdown object."""
    text = text_of(value, "value") if isinstance(value, dict) else value
    return text if isinstance(text, str) else ""


def line_of(value: object) -> str:
    """Text or Markdown in one line of at most 200 characters; links become the names of their files."""
    text = markdown_of(value)[:_MESSAGE_CHARS_MAX]
    text = _BARE_LINK.sub(
        lambda found: f"`{unquote(found['uri'].rpartition('/')[2]).partition('#')[0]}`", text
    )
    return one_line(_LINK.sub(lambda found: found["text"], text), _LINE_CHARS_MAX)


def reference_of(part: Json) -> str:
    """What an inline reference shows: the name of a symbol or file, as code."""
    target = object_of(part, "inlineReference")
    name = text_of(part, "name") or text_of(target, "name")
    path = (
        path_of(target)
        or path_of(object_of(target, "uri"))
        or path_of(object_of(object_of(target, "location"), "uri"))
    )
    shown = name or path.rpartition("/")[2]
    return f"`{shown}`" if shown else ""


def path_of(uri: Json) -> str:
    """The path of a URI that VS Code wrote as an object; "" if it has none."""
    return text_of(uri, "fsPath") or text_of(uri, "path") or ""


def path_of_uri(uri: str) -> str | None:
    """The path that a folder's URI names on its own machine. A text that is not a URI is a path; an empty one is none."""
    if "://" not in uri:
        return uri or None
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if _DRIVE.match(path):
        return path[1:].replace("/", "\\")
    if parts.scheme == "file" and parts.netloc:
        return f"//{parts.netloc}{path}".replace("/", "\\")
    return path or None


def is_empty_fence(text: str) -> bool:
    """Whether a text is a fence without content. The host puts such fences around edits."""
    text = text.strip()
    if not text.startswith("```"):
        return False
    return _LANGUAGE.fullmatch(text[3:].removesuffix("```").strip()) is not None


def holds_fences_only(text: str) -> bool:
    """Whether each line of a text is blank or a fence."""
    lines = [line.strip() for line in text.split("\n")]
    return all(not line or _FENCE_ALONE.fullmatch(line) for line in lines)
