"""Values out of a log's records: fields of the expected type, moments, ids, and texts of blocks."""

import hashlib
import re
from datetime import datetime
from math import inf
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from kato.assistants.contract import Json, SavePicture
from kato.core import limits
from kato.core.moments import clamped, utc
from kato.core.text import one_line, visible

_K = TypeVar("_K")
_V = TypeVar("_V")


def text_of(record: Json, key: str) -> str | None:
    """The text under a key; None if there is none, or something else."""
    value = record.get(key)
    return value if isinstance(value, str) else None


def object_of(record: Json, key: str) -> Json:
    """The object under a key; an empty one if there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(record: Json, key: str) -> list[Json]:
    """The objects of the list under a key."""
    value = record.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number_of(record: Json, key: str) -> int | None:
    """The whole number under a key, 0 or more; None if there is none, or something else."""
    value = record.get(key)
    return value if type(value) is int and value >= 0 else None


def exit_code_of(value: object) -> int | None:
    """The exit code of a command: a whole number, or its digits. None for anything that no system gives as one."""
    if isinstance(value, str) and _EXIT_CODE.fullmatch(value):
        value = int(value)
    return value if type(value) is int and -(1 << 31) <= value < 1 << 32 else None


_EXIT_CODE: Final = re.compile(r"-?[0-9]{1,10}")


def moment(value: object) -> datetime | None:
    """A time in one of the forms that logs use: RFC 3339, or seconds or milliseconds since the epoch, distinguished by their
    size. A time that Kato does not support becomes the nearest supported one (see `BaseReader._head`). None for anything else.
    """
    if isinstance(value, str):
        try:
            at: datetime = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            return None
        return clamped(at) if at.tzinfo is not None else None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return utc(int(value if value > _SECONDS_MAX else value * 1000))
    return None


#: The year 2286 in seconds, April 1970 in milliseconds: no log is from either.
_SECONDS_MAX: Final = 10_000_000_000


def identifier(*parts: str) -> str:
    """An id of these parts, short enough for an event."""
    joined = ":".join(parts)
    if 0 < len(joined) <= limits.ID_CHARS_MAX:
        return joined
    return hashlib.blake2b(joined.encode(errors="replace"), digest_size=16).hexdigest()


def digest(text: str) -> str:
    """A short hash of a text, for a log that gives no identity but the text itself."""
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def as_text(value: object) -> str:
    """The result of a tool as text: the texts of content blocks, one below the other, placeholders for pictures, anything else
    as JSON without data.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(part for part in map(_block_text, value) if part)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    return msgspec.json.format(msgspec.json.encode(without_data(value)), indent=2).decode()


def _block_text(block: object) -> str:
    if isinstance(block, dict):
        text = block.get("text")
        if isinstance(text, str):
            return text
        if block.get("type") == "tool_reference" and isinstance(block.get("tool_name"), str):
            return str(block["tool_name"])  # a tool that a search for tools found
        placeholder = picture(block)
        if placeholder is not None:
            return placeholder
    return as_text(block) if not isinstance(block, list) else ""


def picture(block: Json, save: SavePicture | None = None) -> str | None:
    """The text for an image or document block: a link if `save` keeps the picture, else a placeholder; None for other blocks."""
    kind = block.get("type")
    if kind not in ("image", "document", "input_image", "local_image"):
        return None
    source = object_of(block, "source")
    data = text_of(source, "data") or text_of(block, "image_url") or ""
    media = text_of(source, "media_type") or text_of(block, "mimeType") or _media_of_url(data)
    name = text_of(block, "title") or text_of(block, "path") or text_of(source, "url") or ""
    if save is not None and data and media and kind != "document":
        return save(media, data.rpartition(",")[2])
    encoded = len(data.rpartition(",")[2]) if data else 0
    noun = "document" if kind == "document" else "image"
    return placeholder(noun, media, name, f"{encoded * 3 // 4 // 1000 or 1} kB" if encoded else "")


def placeholder(noun: str, *about: str) -> str:
    """The text for an attachment among the user's words: always one line. A name comes from a file
    or a web page: with a line break in it, it could add a line that looks like a command.
    """
    known = ", ".join(part for part in about if part)
    return f"[{noun}: {visible(known)}]" if known else f"[{noun}]"


def _media_of_url(url: str) -> str:
    return url[5:].partition(";")[0] if url.startswith("data:") and ";" in url[:64] else ""


#: Arguments of tools that describe a call in a line, the best one first.
_DESCRIBING: Final = (
    "description",
    "command",
    "cmd",
    "file_path",
    "filePath",
    "absolute_path",
    "notebook_path",
    "path",
    "dir_path",
    "pattern",
    "query",
    "url",
    "skill",
    "subject",
    "prompt",
)
DESCRIPTION_CHARS_MAX: Final = 120


def describe(given: Json) -> str | UnsetType:
    """What a tool call is for, in one line, from its arguments; UNSET if none describes it."""
    for key in _DESCRIBING:
        value = given.get(key)
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            value = " ".join(value)
        if isinstance(value, str) and value.strip():
            return one_line(value, DESCRIPTION_CHARS_MAX)
    return UNSET


#: A string of at least this length is data if it is base64 or a data URL. No word is so long.
_DATA_CHARS_MIN: Final = 512
_DATA: Final = re.compile(r"data:[\w.+-]{1,80}/[\w.+-]{1,80}[;,].*|[A-Za-z0-9+/_-]+={0,2}", re.DOTALL)
#: What lies deeper in a value is left out. Encoders refuse about 250 levels.
_DEPTH_MAX: Final = 64
_TOO_DEEP: Final = "[nested too deep]"


def without_data(value: Any) -> Any:
    """A value with a placeholder for each string that holds a picture, a sound or another file, and for what is nested too
    deep; the value itself where it holds neither.
    """
    return _replaced(value, 0) if _is_replaced([[value]]) else value


def _is_replaced(level: list[Any]) -> bool:
    """Whether a value in these lists has to be replaced. Compares types, as it looks at each value of each tool call."""
    for _ in range(_DEPTH_MAX + 1):
        nested: list[Any] = []
        for values in level:
            for value in values.values() if type(values) is dict else values:
                kind = type(value)
                if kind is str:
                    if len(value) >= _DATA_CHARS_MIN and _is_data(value):
                        return True
                elif kind is dict or kind is list:
                    nested.append(value)
        if not nested:
            return False
        level = nested
    return True


def _replaced(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _data_placeholder(value) if _is_data(value) else value
    if not isinstance(value, list | dict):
        return value
    if depth >= _DEPTH_MAX:
        return _TOO_DEEP
    if isinstance(value, list):
        return [_replaced(one, depth + 1) for one in value]
    return {key: _replaced(one, depth + 1) for key, one in value.items()}


def _is_data(text: str) -> bool:
    if len(text) < _DATA_CHARS_MIN or (" " in text[:_DATA_CHARS_MIN] and not text.startswith("data:")):
        return False  # nearly every text
    return _DATA.fullmatch(text) is not None


def _data_placeholder(text: str) -> str:
    return placeholder("data", f"{len(text) * 3 // 4 // 1000 or 1} kB")


def remember(where: dict[_K, _V], key: _K, value: _V, count_max: int) -> None:
    """Stores a value as the newest one. Keeps at most `count_max`; drops the oldest."""
    where.pop(key, None)
    where[key] = value
    while len(where) > count_max:
        del where[next(iter(where))]
