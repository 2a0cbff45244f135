"""Makes the text of a message safe in a note: no message can hide or restyle what follows it.

    enclosed   for an assistant's text: keeps it verbatim, and closes at its end what it leaves open (a fence, a comment,
               `<details>`)
    typed      for the user's text: escapes headings and tags outside code, so that it shows what was typed, and then as above

Rules: `kato.core.blocks` finds blocks as CommonMark defines them. A text changes only where this is necessary. A text is read
one paragraph at a time and never split as a whole, because 8 MB of short lines would take 150 MB as a list.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.blocks import CLOSING_TAG, OPEN_TAG, BlockReader, Html, Kind

#: HTML elements that stay open until their end tag: without void elements and those whose end tag HTML implies.
ELEMENTS: Final = frozenset(
    "a abbr address article aside b bdi bdo big blockquote button canvas center cite code data datalist del details dfn"
    " dialog dir div dl em fieldset figcaption figure font footer form h1 h2 h3 h4 h5 h6 header hgroup i iframe ins kbd"
    " label legend main map mark math menu meter nav noembed noframes noscript object ol output picture pre progress q ruby"
    " s samp script search section select small span strike strong style sub summary sup svg table template textarea time"
    " title tt u ul var video xmp".split()
)
#: Elements whose content is text for a browser, up to their own end tag.
_RAW_ELEMENTS: Final = frozenset(
    ["iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"]
)
_TAG: Final = re.compile(rf"{OPEN_TAG}|{CLOSING_TAG}", re.ASCII)
_TAG_NAME: Final = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*")
#: The beginnings of raw HTML: a tag, a comment, a declaration, a processing instruction.
_OPENING: Final = re.compile(r"<(?=[A-Za-z/!?])")
_UNESCAPED: Final = re.compile(r"(?<!\\)(?:\\\\)*(?=<[A-Za-z/!?])")
_AUTOLINK: Final = re.compile(
    r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+)>", re.ASCII
)
_NEWLINE: Final = re.compile(r"\n")
#: The delimiter row of a table (GitHub's extension).
_TABLE: Final = re.compile(r"^[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$", re.MULTILINE)
_TICKS: Final = re.compile(r"`+")
_HEADING: Final = re.compile(r"#(?:[ \t#]|$)", re.MULTILINE)
#: A line that makes a heading of the line before it. A search for a literal beginning is several times as fast as one for `^`.
_FIRST_UNDERLINE: Final = re.compile(r"[ \t>]*(?:=+|-+)[ \t]*$", re.MULTILINE)
_UNDERLINE: Final = re.compile(rf"\n{_FIRST_UNDERLINE.pattern}", re.MULTILINE)
_ANY_FENCE: Final = re.compile(r"(`{3,}|~{3,})(.*)")
#: The usual kind of fence. Most texts have no other, and a search for a literal beginning is five times as fast.
_BACKTICK_FENCE: Final = re.compile(r"(```+)(.*)")


def enclosed(text: str) -> str:
    """The text, followed by lines that close what it leaves open."""
    quick = _closed_quickly(text, _has_tag)
    if quick is not None:
        return quick
    reader = BlockReader()
    elements = _OpenElements(may_hide="<!" in text or "<?" in text)
    in_comment = False
    for run in _runs(text, reader):
        if run.kind in _PROSE:
            elements.read(text[run.start : run.end], is_html=run.kind == "html")
        if run.kind == "html":
            begins, ends = text.rfind("<!--", run.start, run.end), text.rfind("-->", run.start, run.end)
            in_comment = begins > ends or (in_comment and ends < 0)
    closing = reader.closing_line()
    if closing is not None:
        text = f"{text}\n{closing}"
    elif reader.leaf == Html("") and text.rfind("<") > text.rfind(">"):
        text = f"{text}\n>"  # an incomplete tag would continue in the next block
    if in_comment and reader.leaf != Html("-->"):
        text = f"{text}\n<!-- -->"  # a browser reads everything as the comment until it is closed
    tags = elements.ends()
    if not tags:
        return text
    # In the same paragraph, an end tag could complete text that only looks like the beginning of a tag.
    return f"{text}\n\n{tags}" if text.rfind("<") > text.rfind(">") else f"{text}\n{tags}"


def typed(text: str, *, italics: bool = False) -> str:
    """The text with headings and tags outside code escaped, then `enclosed`. With `italics`, each line of prose without Markdown
    marks is in italics.
    """
    quick = None if italics else _closed_quickly(text, _has_tag_or_heading)
    if quick is not None:
        return quick
    shown = StringIO()
    reader = BlockReader(escaped=True)
    for run in _runs(text, reader):
        part = text[run.start : run.end]
        if run.kind in _PROSE:
            part = _escaped(part, run.escapes) if run.escapes or "<" in part else part
            if italics:
                part = "\n".join(map(_italic, part.split("\n")))
        shown.write(part)
    closing = reader.closing_line()
    return shown.getvalue() if closing is None else f"{shown.getvalue()}\n{closing}"


def _has_tag(text: str, start: int, end: int) -> bool:
    """Whether a tag may begin in the range."""
    return text.find("<", start, end) >= 0 and _OPENING.search(text, start, end) is not None


def _has_tag_or_heading(text: str, start: int, end: int) -> bool:
    """Whether a tag, a heading or the underline of one may begin in the range. A user's text without these needs no escaping."""
    return (
        _has_tag(text, start, end)
        or (text.find("#", start, end) >= 0 and _HEADING.search(text, start, end) is not None)
        or (start == 0 and _FIRST_UNDERLINE.match(text, 0, end) is not None)
        or _UNDERLINE.search(text, start, end) is not None
    )


def _closed_quickly(text: str, has_markup: Callable[[str, int, int], bool]) -> str | None:
    """The text, with its open fence closed, if it has no other markup outside fenced code. None if that cannot be decided without
    reading its blocks: a fence that is indented, quoted or in a list may end together with what contains it.
    """
    outside, fence = 0, ""
    fences = _ANY_FENCE if "~~~" in text else _BACKTICK_FENCE
    for found in fences.finditer(text):
        run, rest = found.groups()
        start = found.start()
        if start and text[start - 1] != "\n":
            return None
        if fence:
            if run[0] == fence[0] and len(run) >= len(fence) and not rest.strip(" \t"):
                outside, fence = found.end(), ""
        elif run[0] == "~" or "`" not in rest:
            if has_markup(text, outside, start):
                return None
            fence = run
    if fence:
        return f"{text}\n{fence}"
    return None if has_markup(text, outside, len(text)) else text


def escaped_tags(text: str) -> str:
    """Prose in which every `<` that could begin a tag is escaped, whatever follows the prose."""
    return _UNESCAPED.sub(r"\g<0>\\", text) if "<" in text else text


class _Run(NamedTuple):
    """The lines of a paragraph or another block: the range [start, end) of the text, the kind of the first line, and the offsets
    from the start at which a heading or a block of HTML has to be escaped.
    """

    start: int
    end: int
    kind: Kind
    escapes: list[int]


_PROSE: Final = ("text", "html", "heading", "underline")


def _runs(text: str, reader: BlockReader) -> Iterator[_Run]:
    """All lines of the text in runs; each run but the first begins with the newline before it. A line that may be a command is a
    run of its own, because a message may be cut there.
    """
    run = _Run(0, 0, "blank", [])
    is_closed = True
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        kind = reader.read(line)
        is_command = "::" in line and line.lstrip().startswith("::")
        goes_on = reader.is_continued and end - run.start < limits.WRITE_PIECE_BYTES
        if is_closed or is_command or not goes_on:
            if run.end:
                yield run
            run = _Run(run.end, end, kind, [])
        else:
            run = run._replace(end=end)
        if kind in ("heading", "underline") or (kind == "html" and reader.content.startswith("<")):
            run.escapes.append(start - run.start + _raw_index(line, reader.content))
        is_closed = is_command
        start = end + 1
    yield run


def _raw_index(line: str, content: str) -> int:
    """The offset at which the content of a line begins; `content` is the rest of the line with tabs expanded."""
    if "\t" not in line:
        return len(line) - len(content)
    column = len(line.expandtabs(4)) - len(content)
    index = reached = 0
    while reached < column:
        reached += 4 - reached % 4 if line[index] == "\t" else 1
        index += 1
    return index


def _escaped(prose: str, places: list[int]) -> str:
    """The prose with a backslash at these offsets and before each tag outside code spans, except links in angle brackets."""
    spans = _CodeSpans(prose)
    for found in _OPENING.finditer(prose) if "<" in prose else ():
        place = found.start()
        is_tag = prose[place + 1] in "!?" or (_TAG.match(prose, place) and not _AUTOLINK.match(prose, place))
        if is_tag and not spans.cover(place) and not _is_escaped(prose, place):
            places.append(place)
    pieces, at = [], 0
    for place in sorted(set(places)):
        pieces += [prose[at:place], "\\"]
        at = place
    return "".join([*pieces, prose[at:]])


def _is_escaped(prose: str, place: int) -> bool:
    count = 0
    while count < place and prose[place - count - 1] == "\\":
        count += 1
    return count % 2 == 1


class _CodeSpans:
    """The code spans of a paragraph: from a run of backticks to the next run of the same length."""

    def __init__(self, prose: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        runs = [found.span() for found in _TICKS.finditer(prose)] if "`" in prose else []
        # A code span does not extend beyond its row of a table.
        breaks = (
            [found.start() for found in _NEWLINE.finditer(prose)] if runs and _TABLE.search(prose) else []
        )
        by_length: dict[tuple[int, int], list[int]] = {}
        for number, (start, end) in enumerate(runs):
            by_length.setdefault((bisect_right(breaks, start), end - start), []).append(number)
        number = 0
        while number < len(runs):
            start, end = runs[number]
            start += _is_escaped(prose, start)  # an escaped backtick is text and shortens the run by one
            same = by_length.get((bisect_right(breaks, start), end - start), [])
            following = bisect_right(same, number)
            if start < end and following < len(same):
                number = same[following]
                self._starts.append(start)
                self._ends.append(runs[number][1])
            number += 1

    def cover(self, place: int) -> bool:
        """Whether an offset is within a code span."""
        number = bisect_right(self._starts, place) - 1
        return number >= 0 and place < self._ends[number]


class _OpenElements:
    """Collects the elements that a text opens outside code and does not close.

    With `may_hide` the text has comments or similar markup that can hide an end tag, so end tags are not counted: an end tag
    too many does no harm, a missing one does.
    """

    def __init__(self, *, may_hide: bool) -> None:
        self._may_hide = may_hide
        self._open: dict[int, str] = {}
        self._by_name: dict[str, list[int]] = {}
        self._count = 0

    def read(self, block: str, *, is_html: bool) -> None:
        """Reads a paragraph or a block of HTML, in which a browser also reads an incomplete tag."""
        if "<" not in block:
            return
        spans = None if is_html else _CodeSpans(block)
        for found in (_TAG_NAME if is_html else _TAG).finditer(block):
            if spans is not None and (spans.cover(found.start()) or _is_escaped(block, found.start())):
                continue
            if is_html and not _TAG.match(block, found.start()):
                self._may_hide = True  # a browser reads what follows as a part of this tag
            tag = found[0]
            name = tag.strip("</>").split(None, 1)[0].rstrip("/").lower()
            if name in ELEMENTS and not tag.endswith("/>"):
                self._take(name, is_end=tag.startswith("</"))

    def _take(self, name: str, *, is_end: bool) -> None:
        same = self._by_name.setdefault(name, [])
        if not is_end and len(self._open) < limits.OPEN_ELEMENTS_MAX:
            self._may_hide = self._may_hide or name in _RAW_ELEMENTS
            self._count += 1
            self._open[self._count] = name
            same.append(self._count)
        elif is_end and same and not self._may_hide:
            del self._open[same.pop()]

    def ends(self) -> str:
        """The missing end tags, the innermost first."""
        return "".join(f"</{name}>" for name in reversed(self._open.values()))


_STRUCTURED: Final = re.compile(r"^\s*(?:[-*+>|]|\\?[#<]|\d+[.)]\s|\[[^\]]+\]:|::|( {4}|\t))")


def _italic(line: str) -> str:
    """A line of prose in italics. Lists, quotes, tables, headings, tags and commands stay as they are."""
    prose = line.strip()
    return (
        line if not prose or "*" in line or _STRUCTURED.match(line) else line.replace(prose, f"*{prose}*", 1)
    )
