"""What a search sees of an event, and what it shows of a match.

Rule: a text is cut to `limits.SEARCHED_CHARS_MAX` before anything is done with it, in the index and in an excerpt alike.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from kato.core import limits
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Decision,
    ToolCall,
    ToolResult,
    UserMessage,
)
from kato.core.queries import Query, Span, normal_form
from kato.core.text import printable

#: A column of the index. `other` holds thinking, decisions, and what the assistant's program says.
Part = Literal["user", "assistant", "tools", "other"]
PARTS: Final[Sequence[Part]] = ("user", "assistant", "tools", "other")


class Searched(NamedTuple):
    """The text of an event, and the column that it belongs to."""

    part: Part
    text: str


class Mark(Struct, frozen=True):
    """A match in an excerpt: from UTF-16 code unit `start` to before `end`, as positions in LSP are counted."""

    start: int
    end: int


class SearchHit(Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that a query found. `seq` is its number in the session, from 0; `score` is higher for a better match. `source`
    says where it was found: in the journal, or in a session log that the journal does not have.
    """

    provider: str
    session_id: str
    seq: int
    role: Part
    snippet: str
    marks: list[Mark]
    timestamp: str
    score: float
    source: Literal["journal", "log"]
    title: str | UnsetType = UNSET
    cwd: str | UnsetType = UNSET


class SearchResult(Struct, frozen=True, rename="camel"):
    """The answer to `kato/search`: the best matches first. `complete` is false if not everything could be searched: the index
    is behind, or time or memory set a limit. `titles` has the names for people of the assistants of the hits, by provider.
    """

    hits: list[SearchHit]
    complete: bool
    titles: dict[str, str] = {}


def searched(event: ConversationEvent) -> Searched:
    """The text of an event that is searched."""
    if isinstance(event, UserMessage):
        return Searched("user", _cut(event.content))
    if isinstance(event, AssistantMessage):
        return Searched("assistant", _cut(event.content))
    if isinstance(event, ToolCall):
        texts = (event.name, event.description or "", *_texts_in(event.input or {}))
        return Searched("tools", _cut("\n".join(text for text in texts if text)))
    if isinstance(event, ToolResult):
        return Searched("tools", _cut(event.result))
    return Searched("other", _cut(event.summary if isinstance(event, Decision) else event.content))


def _cut(text: str) -> str:
    return text[: limits.SEARCHED_CHARS_MAX]


def _texts_in(value: Any) -> Iterator[str]:
    """The texts in a JSON value, in order, without its names: at most as many characters as are searched."""
    waiting, room = [value], limits.SEARCHED_CHARS_MAX
    while waiting and room > 0:
        one = waiting.pop()
        if isinstance(one, str):
            room -= len(one) + 1
            yield one
        elif isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)


def excerpt(text: str, query: Query) -> tuple[str, list[Mark]]:
    """The part of a text around the first matches, in one line and printable, with the matches in it."""
    text = normal_form(text)
    spans = query.find(text) or []
    start, end = _window(text, spans)
    shown, marks, units = [], [], 0

    def add(piece: str) -> None:
        nonlocal units
        line = printable("".join(" " if char.isspace() else char for char in piece))
        shown.append(line)
        units += _utf16_units(line)

    add("…" if start > 0 else "")
    at = start
    for span in spans:
        if span.start < start or span.end > end:
            continue
        add(text[at : span.start])
        before = units
        add(text[span.start : span.end])
        marks.append(Mark(before, units))
        at = span.end
    add(text[at:end])
    add("…" if end < len(text) else "")
    return "".join(shown), marks


def _window(text: str, spans: Sequence[Span]) -> Span:
    """The part of the text to show: a quarter of it before the first match, from the beginning of a word on."""
    if not spans or spans[0].end <= limits.EXCERPT_CHARS:
        start = 0
    else:
        start = spans[0].start - limits.EXCERPT_CHARS // 4
        blank = text.find(" ", start, spans[0].start)
        start = start if blank < 0 else blank + 1
    end = min(len(text), start + limits.EXCERPT_CHARS)
    if spans and spans[0].start >= start:
        end = max(end, min(spans[0].end, start + 2 * limits.EXCERPT_CHARS))
    return Span(start, end)


def _utf16_units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", errors="surrogatepass")) // 2
