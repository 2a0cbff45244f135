"""A note's YAML frontmatter: found, made, adopted.

Rules: ruamel.yaml reads and writes it, round-trip, so that the user's keys, comments, quotes and order survive; nothing
in it is executed; what cannot be read is an error that leaves the user's text alone. Ids and times are arguments.
"""

import re
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct

from kato import limits

if TYPE_CHECKING:
    from ruamel.yaml import YAML

ID_CHARS: Final = 23
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_OPENING: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_CLOSING: Final = re.compile(rb"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_BLANK_LINE: Final = re.compile(rb"\r?\n")
_INDENTED_LIST: Final = re.compile(r"^[^\s#][^\n]*:[ \t]*\n(?P<indent> +)- ", re.MULTILINE)
#: The lists that Kato adds to and never takes from.
_LISTS: Final = ("participants", "tags", "recordingIds")


class FrontmatterInvalid(ValueError):
    """The frontmatter is no YAML mapping; the message says where."""


class NoteFields(Struct, frozen=True, kw_only=True):
    """What Kato writes. `updated` and `created` are epoch milliseconds; `truncated_events` counts the events that the
    note lacks.
    """

    id: str
    title: str
    updated: int
    created: int
    provider: str
    session_id: str
    participants: Sequence[str] = ()
    tags: Sequence[str] = ()
    recording_ids: Sequence[str] = ()
    truncated_events: int = 0


class Found(NamedTuple):
    """The YAML text between the delimiters (None without frontmatter) and where the body begins, in bytes: after the
    closing delimiter and one blank line.
    """

    yaml: str | None
    body_offset: int


def find(head: bytes) -> Found:
    """Looks for frontmatter at the start of a file, of which `head` is at least `limits.FRONTMATTER_BYTES_MAX` bytes or
    all. No closing delimiter, or text that is no UTF-8, means no frontmatter.
    """
    opening = _OPENING.match(head)
    if opening is None:
        return Found(None, 0)
    closing = _CLOSING.search(head, opening.end(), limits.FRONTMATTER_BYTES_MAX)
    if closing is None:
        return Found(None, 0)
    try:
        yaml = head[opening.end() : closing.start()].decode()
    except UnicodeDecodeError:
        return Found(None, 0)
    blank = _BLANK_LINE.match(head, closing.end())
    return Found(yaml, closing.end() if blank is None else blank.end())


def new(fields: NoteFields) -> str:
    """A whole frontmatter block and the blank line below it."""
    return _block(_dump(_ours(fields)))


def adopt(yaml: str, fields: NoteFields) -> str:
    """The user's frontmatter with what Kato knows: `id`, `title`, `created` and the user's own keys stay, `updated` is
    set, missing keys follow at the end, lists grow. Everything else stays as it was written.
    """
    yaml = yaml.replace("\r\n", "\n")
    kept = _load(yaml)
    ours = _ours(fields)
    for key, value in ours.items():
        if key == "updated" or key not in kept:
            kept[key] = value
        elif key in _LISTS:
            _extend(kept, key, value)
        elif key in ("provider", "sessionId", "truncatedEvents"):
            kept[key] = value
    if not fields.truncated_events:
        kept.pop("truncatedEvents", None)
    return _block(_dump(kept, like=yaml))


def make_id(random_bytes: bytes) -> str:
    """23 lower-case letters and digits out of at least 15 random bytes."""
    number = int.from_bytes(random_bytes, "big")
    digits = []
    for _ in range(ID_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _ours(fields: NoteFields) -> dict[str, Any]:
    from ruamel.yaml.comments import CommentedSeq  # noqa: PLC0415 - loaded with the first note, not at the start
    from ruamel.yaml.scalarstring import SingleQuotedScalarString  # noqa: PLC0415

    def inline(items: Sequence[str]) -> CommentedSeq:
        listed = CommentedSeq(items)
        listed.fa.set_flow_style()
        return listed

    ours: dict[str, Any] = {
        "id": fields.id,
        "title": fields.title,
        "desc": SingleQuotedScalarString(""),
        "updated": fields.updated,
        "created": fields.created,
        "provider": fields.provider,
        "sessionId": fields.session_id,
        "participants": inline(fields.participants),
        "tags": inline(fields.tags),
        "recordingIds": inline(fields.recording_ids),
    }
    if fields.truncated_events:
        ours["truncatedEvents"] = fields.truncated_events
    return ours


def _extend(kept: Any, key: str, items: Sequence[str]) -> None:
    """Adds what is missing; a single value becomes a list, anything else is the user's and stays."""
    there = kept[key]
    if isinstance(there, str | int | float):
        kept[key] = [there, *(item for item in items if item != there)]
    elif there is None:
        kept[key] = items
    elif isinstance(there, list):
        there.extend(item for item in items if item not in there)


def _yaml() -> "YAML":
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # long lines stay lines
    yaml.allow_unicode = True
    return yaml


def _load(text: str) -> Any:
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        loaded = _yaml().load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        problem = getattr(error, "problem", None) or type(error).__name__
        raise FrontmatterInvalid(f"no valid YAML{where}: {problem}") from None
    if loaded is None:
        loaded = CommentedMap()
    if not isinstance(loaded, CommentedMap):
        raise FrontmatterInvalid("no YAML mapping of keys to values")
    return loaded


def _dump(value: Any, *, like: str = "") -> str:
    """YAML text whose lists are indented as those of the text it is `like`."""
    yaml = _yaml()
    indented = _INDENTED_LIST.search(like)
    if indented is not None:
        offset = len(indented["indent"])
        yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _block(yaml: str) -> str:
    return f"---\n{yaml}---\n\n"
