"""The YAML frontmatter of a note: finds it, makes it, and adds Kato's keys to the user's.

Rules:

- ruamel.yaml reads the text and writes the keys that change. Every other line keeps its bytes, because a YAML writer would
  rewrite quotes, flow style and template marks such as `{{title}}`.
- Nothing in the text is executed. Text that is not valid YAML is an error, and stays as it is.
- Ids and times are arguments.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct

from kato.core import limits
from kato.core.events import SessionKey
from kato.core.setting_rules import FRONTMATTER_FIELDS

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedSeq

ID_CHARS: Final = 23
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_OPENING: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_CLOSING: Final = re.compile(rb"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_BLANK_LINE: Final = re.compile(rb"\r?\n")
_ITEM: Final = re.compile(r"^(?P<indent>[ \t]*)- ")
_INDENTED_LIST: Final = re.compile(r"^[^\s#][^\n]*:[ \t]*\n(?P<indent> +)- ", re.MULTILINE)
#: The lists that Kato adds items to. It never removes one.
_LISTS: Final = ("participants", "tags", "recordingIds", "models", "files")
#: The keys that Kato sets at each write.
_SET_AGAIN: Final = (
    "updated", "provider", "sessionId", "truncatedEvents", "ended", "branch", "turns", "tokens", "redactions",
)  # fmt: skip


#: What Kato says about a conversation: not kept when the note gets another conversation.
_OF_CONVERSATION: Final = frozenset({"participants", *FRONTMATTER_FIELDS})


class FrontmatterInvalid(ValueError):
    """The frontmatter is not a YAML mapping; the message names the place."""


class NoteFields(Struct, frozen=True, kw_only=True):
    """The values that Kato writes. `updated` and `created` are milliseconds since 1970; `truncated_events` counts the events that
    the note lacks. `chosen` holds values of `FRONTMATTER_FIELDS`: texts, numbers, and lists of texts.
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
    chosen: Mapping[str, str | int | Sequence[str]] = {}


class Found(NamedTuple):
    """The YAML text between the delimiters, None without frontmatter; and the offset of the body in bytes, behind the closing
    delimiter and one blank line.
    """

    yaml: str | None
    body_offset: int


def find(head: bytes) -> Found:
    """Finds the frontmatter at the beginning of a file. `head` is the whole file, or at least its first
    `limits.FRONTMATTER_BYTES_MAX` bytes. Without a closing delimiter, or in text that is not UTF-8, there is no frontmatter.
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
    """A new frontmatter block with its delimiters, and the blank line below it."""
    return _block(_dump(_ours(fields)))


def adopt(
    yaml: str, fields: NoteFields, title_of: Callable[[SessionKey], str | None] = lambda _: None
) -> str:
    """The user's frontmatter with Kato's values. Keeps `id`, `title`, `created` and the user's own keys, sets `updated`, adds
    missing keys at the end and items to lists. Every other line keeps its bytes. Raises FrontmatterInvalid.

    If the frontmatter is about another conversation, what Kato said about that is replaced, and also the title, unless the user
    changed it: `title_of` gives the title that Kato wrote for the note of a session, None if that is not known.
    """
    kept = _load(yaml)
    ours = _ours(fields)
    merged = _Merge(kept, fields, title_of)
    if kept.fa.flow_style():
        return _adopt_rewritten(kept, ours, merged)
    lines = yaml.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    changed = {key: merged(key, value) for key, value in ours.items() if key in kept}
    for key, (first, end) in sorted(_lines_of_keys(kept, lines).items(), key=lambda one: -one[1][0]):
        if key not in ours and merged.is_outdated(key):
            lines[first:end] = []
        elif key in changed and changed[key] != kept[key]:
            lines[first:end] = _changed_lines(lines[first:end], kept, key, changed[key])
    missing = {key: value for key, value in ours.items() if key not in kept}
    added = _dump(missing, like=yaml) if missing else ""
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    text = "".join([*lines, added]).replace("\r\n", "\n").replace("\n", newline)
    return f"---{newline}{text}---{newline}{newline}"


def _adopt_rewritten(kept: Any, ours: Mapping[str, Any], merged: "_Merge") -> str:
    """Like `adopt`, for a mapping in flow style (`{id: 1}`), whose keys are not on lines of their own."""
    for key, value in ours.items():
        kept[key] = merged(key, value) if key in kept else value
    for key in [key for key in kept if key not in ours and merged.is_outdated(key)]:
        del kept[key]
    return _block(_dump(kept))


def _changed_lines(lines: Sequence[str], kept: Any, key: str, value: Any) -> list[str]:
    """The lines of a key with its new value. A list with one item a line gets more lines."""
    item = next((found for line in lines if (found := _ITEM.match(line))), None)
    is_longer = (
        isinstance(value, list) and isinstance(kept[key], list) and value[: len(kept[key])] == kept[key]
    )
    if is_longer and item is not None:
        added = _dump(value[len(kept[key]) :]).splitlines()
        return [*lines, *(f"{item['indent']}{line}\n" for line in added)]
    if isinstance(value, list):
        value = _inline(value)
    return [_dump({key: value}).rstrip("\n") + _comment(kept, key) + "\n"]


def _lines_of_keys(kept: Any, lines: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The range of lines [first, end) of each key with its value, without blank lines and comments behind the value."""
    starts = sorted((kept.lc.key(key)[0], key) for key in kept)
    ends = [*(start for start, _ in starts), len(lines)][1:]
    found = {}
    for (start, key), limit in zip(starts, ends, strict=True):
        end = limit
        while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
            end -= 1
        found[key] = (start, end)
    return found


def _comment(kept: Any, key: str) -> str:
    """The comment behind a value on the same line, with a space before it."""
    tokens = [*kept.ca.items.get(key, ()), *(getattr(getattr(kept[key], "ca", None), "comment", None) or ())]
    for token in tokens:
        text = getattr(token, "value", "")
        if text.startswith("#"):
            return "  " + text.partition("\n")[0].rstrip()
    return ""


def make_id(random_bytes: bytes) -> str:
    """An id of 23 lower-case letters and digits, from at least 15 random bytes."""
    number = int.from_bytes(random_bytes, "big")
    digits = []
    for _ in range(ID_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _ours(fields: NoteFields) -> dict[str, Any]:
    from ruamel.yaml.scalarstring import SingleQuotedScalarString  # noqa: PLC0415 - as in `_inline`

    ours: dict[str, Any] = {
        "id": fields.id,
        "title": fields.title,
        "desc": SingleQuotedScalarString(""),
        "updated": fields.updated,
        "created": fields.created,
        "provider": fields.provider,
        "sessionId": fields.session_id,
        "participants": _inline(fields.participants),
        "tags": _inline(fields.tags),
        "recordingIds": _inline(fields.recording_ids),
    }
    for key in FRONTMATTER_FIELDS:
        value = fields.chosen.get(key)
        if value is not None:
            ours[key] = value if isinstance(value, str | int) else _inline(value)
    if fields.truncated_events:
        ours["truncatedEvents"] = fields.truncated_events
    return ours


class _Merge:
    """Says what becomes of the keys that a frontmatter has: sets Kato's own keys, adds to lists, keeps everything else. See `adopt`
    for a frontmatter that is about another conversation.
    """

    def __init__(
        self, kept: Mapping[str, Any], fields: NoteFields, title_of: Callable[[SessionKey], str | None]
    ) -> None:
        self._kept = kept
        former = SessionKey(str(kept.get("provider")), str(kept.get("sessionId")))
        self._is_other = None not in (kept.get("provider"), kept.get("sessionId")) and former != (
            fields.provider,
            fields.session_id,
        )
        self._former_title = title_of(former) if self._is_other else None

    def __call__(self, key: str, ours: Any) -> Any:
        """The new value of a key."""
        there = self._kept[key]
        is_title = key == "title" and self._former_title is not None and there == self._former_title
        if key in _SET_AGAIN or is_title or (self._is_other and key in _OF_CONVERSATION):
            return ours
        return _grown(there, ours) if key in _LISTS else there

    def is_outdated(self, key: str) -> bool:
        """Whether a key goes that Kato no longer sets."""
        return key == "truncatedEvents" or (self._is_other and key in _OF_CONVERSATION)


def _grown(there: Any, ours: Sequence[Any]) -> Any:
    """A list with the items that it lacks."""
    if there is None:
        return ours
    if isinstance(there, str | int | float):
        # Obsidian and Dendron read `tags: work, ai` as two tags.
        there = [one.strip() for one in there.split(",")] if isinstance(there, str) else [there]
        there = [one for one in there if one != ""]
    if not isinstance(there, list):
        return there
    return [*there, *(item for item in ours if item not in there)]


def _inline(items: Sequence[Any]) -> "CommentedSeq":
    from ruamel.yaml.comments import CommentedSeq  # noqa: PLC0415 - loaded with the first note, not at the start

    listed = CommentedSeq(items)
    listed.fa.set_flow_style()
    return listed


def _yaml() -> "YAML":
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # ruamel.yaml would wrap long lines
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
    """YAML text of a value, with lists indented as in the text `like`."""
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
