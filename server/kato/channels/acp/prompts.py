"""Content blocks of the protocol as text.

Rule: the words of a prompt are its text blocks, exactly. The content of an attached file never becomes a part of them, because the
user did not type it; its name does, on one line.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from kato.assistants.contract import Json
from kato.assistants.proof import host_block
from kato.assistants.values import object_of, objects_of, placeholder, text_of
from kato.core.text import visible

OF_HOST: Final = "the message has a `<{}>` block, which the editor or a plugin of it may have added"
_ATTACHED: Final = ("image", "audio", "resource", "resource_link")


def words_of(blocks: object, cwd: str | None) -> str:
    """A prompt: its text blocks, and the names of what is attached: in its line where words precede it, below the words
    otherwise.
    """
    text, below = "", []
    for block in objects_of({"": blocks}, ""):
        if block.get("type") == "text":
            text += text_of(block, "text") or ""
        elif block.get("type") in _ATTACHED:
            name = _name(block, cwd)
            if name and text and text[-1] not in "\r\n" and block.get("type") not in ("image", "audio"):
                text += f"@{visible(name)}"
            else:
                below.append(_placeholder(block, name))
    return "\n\n".join(part for part in (text, *below) if part)


def typed_part(blocks: object) -> str:
    """The text blocks that may hold a command. An agent writes what is attached in a form of its own into its log, but these blocks
    as they are.
    """
    texts = [text_of(one, "text") or "" for one in objects_of({"": blocks}, "") if one.get("type") == "text"]
    return "".join(one for one in texts if "::" in one)


def doubt_of(blocks: object) -> str | None:
    """Why a prompt is not proven to be typed: a text block contains a block of tags. None if it is."""
    for block in objects_of({"": blocks}, ""):
        if block.get("type") == "text":
            found = host_block(text_of(block, "text") or "")
            if found is not None:
                return OF_HOST.format(visible(found))
    return None


def text_of_content(block: object) -> str:
    """The text of one content block; a placeholder for what is not text."""
    if not isinstance(block, dict):
        return ""
    kind = block.get("type")
    if kind == "text":
        return text_of(block, "text") or ""
    if kind == "resource":
        inner = text_of(object_of(block, "resource"), "text")
        if inner is not None:
            return inner
    return _placeholder(block, _name(block, None)) if kind in _ATTACHED else ""


def text_of_all(blocks: Sequence[Any]) -> str:
    """The texts of several blocks, one below the other."""
    return "\n".join(part for part in map(text_of_content, blocks) if part)


def _placeholder(block: Json, name: str) -> str:
    kind = text_of(block, "type") or ""
    media = text_of(block, "mimeType") or ""
    return placeholder(kind, media, name) if kind in ("image", "audio") else placeholder("file", name)


def _name(block: Json, cwd: str | None) -> str:
    """What an attachment is called: its path from the session's folder, else its name or address."""
    resource = object_of(block, "resource") or block
    uri = text_of(resource, "uri") or ""
    if uri.startswith("file://"):
        path = unquote(uri[len("file://") :]).partition("#")[0]
        inside = f"{cwd.rstrip('/')}/" if cwd else None
        return path[len(inside) :] if inside and path.startswith(inside) else path
    return text_of(block, "title") or text_of(block, "name") or uri
