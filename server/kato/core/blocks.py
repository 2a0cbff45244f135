"""Finds the blocks of a Markdown text, line by line, by the rules of CommonMark 0.31 (spec.commonmark.org/0.31.2).

    containers   block quotes and list items, outermost first
    leaf         the content of the innermost container: a paragraph, a fence, an HTML block, indented code, or nothing

The whole program uses this one implementation: it decides which lines may be commands, which text of the user would change a
note's structure, and what a message leaves open at its end. The only inline structure that it reads are code spans and tags.

Rules: takes time in proportion to the length of the text; never raises.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from kato.core.text import with_newlines

Kind = Literal["blank", "text", "code", "html", "heading", "underline", "break"]

_TAB_STOP: Final = 4
#: Nested containers. Deeper marks are read as text. Markdown parsers have such a limit too (markdown-it: 100).
_DEPTH_MAX: Final = 64
_FENCE: Final = re.compile(r"(?P<run>`{3,}|~{3,})(?P<info>.*)$", re.DOTALL)
_ATX: Final = re.compile(r"#{1,6}(?: |$)")
_MARKER: Final = re.compile(r"(?:[-+*]|(?P<number>\d{1,9})[.)])(?= |$)")
_UNDERLINE: Final = re.compile(r"(?:=+|-+) *$")

#: HTML blocks that end at a blank line begin with one of these elements (spec, section 4.6, kind 6).
_BLOCK_ELEMENTS: Final = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h1|h2|h3|h4|h5|h6|head|header|hr|html|iframe|legend|li|link|"
    "main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|"
    "title|tr|track|ul"
)
_ATTRIBUTE: Final = r"""\s+[A-Za-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?"""
OPEN_TAG: Final = rf"<[A-Za-z][A-Za-z0-9-]*(?:{_ATTRIBUTE})*\s*/?>"
CLOSING_TAG: Final = r"</[A-Za-z][A-Za-z0-9-]*\s*>"
_RAW: Final = re.compile(r"<(script|pre|style|textarea)(?:\s|>|$)", re.IGNORECASE)
_RAW_END: Final = re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE)
_DECLARATION: Final = re.compile(r"<![A-Za-z]")
_ELEMENT: Final = re.compile(rf"</?(?:{_BLOCK_ELEMENTS})(?:\s|/?>|$)", re.IGNORECASE)
_LONE_TAG: Final = re.compile(rf"(?:{OPEN_TAG}|{CLOSING_TAG})\s*$", re.ASCII)


class Fence(NamedTuple):
    """Fenced code: the character and the length of its opening run."""

    char: str
    length: int


class Html(NamedTuple):
    """An HTML block. `end` is the text that ends it, "" if a blank line ends it."""

    end: str


class _Item:
    """A list item: the columns by which its content is indented, and whether it has content yet."""

    __slots__ = ("has_content", "indent")

    def __init__(self, indent: int, *, has_content: bool) -> None:
        self.indent = indent
        self.has_content = has_content


#: A block quote.
_QUOTE: Final = _Item(-1, has_content=True)
_PARAGRAPH: Final = "paragraph"
_INDENTED: Final = "indented"
Leaf = Fence | Html | Literal["paragraph", "indented"] | None


class BlockReader:
    """Reads a text line by line. `read` returns a line's kind; the attributes describe its place.

    `content` is the line's text inside its containers, without indentation, with tabs expanded. `is_continued` is true for a
    line of the same paragraph or HTML block as the line before. `is_lazy` is true for a line that continues a paragraph
    without the marks of the paragraph's containers. With `escaped`, headings and HTML blocks are reported, but the lines that
    follow are read as if their marks were escaped, which makes them the text of a paragraph.
    """

    __slots__ = ("_containers", "_escaped", "_leaf", "content", "is_continued", "is_lazy")

    def __init__(self, *, escaped: bool = False) -> None:
        self._containers: list[_Item] = []
        self._escaped = escaped
        self._leaf: Leaf = None
        self.content = ""
        self.is_continued = False
        self.is_lazy = False

    @property
    def in_quote(self) -> bool:
        """Whether the line that was read last is in a block quote."""
        return _QUOTE in self._containers

    @property
    def in_list(self) -> bool:
        """Whether the line that was read last is in a list item."""
        return any(one is not _QUOTE for one in self._containers)

    @property
    def leaf(self) -> Leaf:
        """The content of the innermost container after the line that was read last."""
        return self._leaf

    def closing_line(self) -> str | None:
        """The line that is needed to close the block that a text leaves open; None if the text leaves none open, or a blank line
        ends it. A fence in a container ends with the container.
        """
        leaf = self._leaf
        if isinstance(leaf, Fence):
            return None if self._containers else leaf.char * leaf.length
        if isinstance(leaf, Html) and leaf.end:
            prefix = "".join("> " if one is _QUOTE else " " * one.indent for one in self._containers)
            return prefix + leaf.end
        return None

    def read(self, line: str) -> Kind:
        """The kind of the next line."""
        self.is_continued = self.is_lazy = False
        if not self._containers:
            quick = self._read_quickly(line)
            if quick is not None:
                return quick
        if "\t" in line:
            line = line.expandtabs(_TAB_STOP)
        matched, at = self._match_containers(line)
        is_matched = matched == len(self._containers)
        if is_matched and isinstance(self._leaf, Fence | Html):
            return self._continue_leaf(line, at)
        return self._start_blocks(line, at, matched)

    def _read_quickly(self, line: str) -> Kind | None:
        """The kind of a line outside containers in the two usual cases: plain text, or a line in a fence. None in all others."""
        leaf = self._leaf
        if isinstance(leaf, Fence):
            if leaf.char * 3 in line:
                return None
            self.content = line
            return "code"
        if line[:1].isalpha() and (leaf is None or leaf is _PARAGRAPH):
            self.is_continued = leaf is not None
            self._leaf = "paragraph"
            self.content = line
            return "text"
        return None

    def _match_containers(self, line: str) -> tuple[int, int]:
        """The number of containers that the line continues, and the offset of its content."""
        at = 0
        for index, one in enumerate(self._containers):
            indent = _indent(line, at)
            is_blank = at + indent == len(line)
            if one is _QUOTE:
                if indent >= _TAB_STOP or line[at + indent : at + indent + 1] != ">":
                    return index, at
                at += indent + 1
                at += line[at : at + 1] == " "
            elif is_blank:
                if not one.has_content:
                    return index, at
                at = len(line) if index == len(self._containers) - 1 else min(len(line), at + one.indent)
            elif indent >= one.indent:
                at += one.indent
            else:
                return index, at
        return len(self._containers), at

    def _continue_leaf(self, line: str, at: int) -> Kind:
        leaf = self._leaf
        indent = _indent(line, at)
        self.content = line[at + indent :]
        if isinstance(leaf, Fence):
            run = _FENCE.match(self.content) if indent < _TAB_STOP else None
            if (
                run is not None
                and run["run"][0] == leaf.char
                and len(run["run"]) >= leaf.length
                and not run["info"].strip(" ")
            ):
                self._leaf = None
            return "code"
        assert isinstance(leaf, Html)
        self.is_continued = True
        if _ends(leaf, self.content):
            self._leaf = None
        if not leaf.end and not self.content:
            return "blank"
        return "html"

    def _start_blocks(self, line: str, at: int, matched: int) -> Kind:
        """A line that may open containers and leaves."""
        while True:
            indent = _indent(line, at)
            content = self.content = line[at + indent :]
            is_matched = matched == len(self._containers)
            in_paragraph = self._leaf is _PARAGRAPH
            if not content:
                self._close(matched)
                self._leaf = self._leaf if self._leaf is _INDENTED else None
                return "blank"
            if indent >= _TAB_STOP:
                if in_paragraph:
                    return self._text(is_matched=is_matched)
                self._open_leaf(matched, "indented")
                return "code"
            first = content[0]
            is_deep = len(self._containers) >= _DEPTH_MAX
            if first == ">" and not is_deep:
                self._open_container(matched, _QUOTE)
                at += indent + 1
                at += line[at : at + 1] == " "
                matched += 1
                continue
            if first == "#" and _ATX.match(content):
                return self._escapable("heading", None, matched, in_paragraph=in_paragraph)
            if first in "`~" and (fence := _opening(content)) is not None:
                self._open_leaf(matched, fence)
                return "code"
            if first == "<" and (html := _html(content, interrupts=in_paragraph)) is not None:
                leaf = None if _ends(html, content) else html
                return self._escapable("html", leaf, matched, in_paragraph=in_paragraph)
            if in_paragraph and is_matched and first in "=-" and _UNDERLINE.match(content):
                return self._escapable("underline", None, matched, in_paragraph=in_paragraph)
            if first in "-*_" and _is_break(content):
                self._open_leaf(matched, None)
                return "break"
            width = None if is_deep else self._item_width(content, interrupts=in_paragraph and is_matched)
            if width is None:
                return self._text(is_matched=is_matched) if in_paragraph else self._paragraph(matched)
            marker, spaces = width
            item = _Item(indent + marker + spaces, has_content=bool(content[marker:].strip(" ")))
            self._open_container(matched, item)
            at = min(len(line), at + indent + marker + spaces)
            matched += 1

    def _item_width(self, content: str, *, interrupts: bool) -> tuple[int, int] | None:
        """The widths of a list item's marker and of the spaces behind it; None if no item begins."""
        found = _MARKER.match(content)
        if found is None:
            return None
        marker = found.end()
        spaces = _indent(content, marker)
        is_empty = marker + spaces == len(content)
        if interrupts and (is_empty or found["number"] not in (None, "1")):
            return None
        return marker, 1 if is_empty or spaces > _TAB_STOP else spaces

    def _escapable(self, kind: Kind, leaf: Leaf, matched: int, *, in_paragraph: bool) -> Kind:
        if not self._escaped:
            self._open_leaf(matched, leaf)
        elif in_paragraph:
            self._text(is_matched=matched == len(self._containers))
        else:
            self._paragraph(matched)
        return kind

    def _text(self, *, is_matched: bool) -> Kind:
        self.is_continued = True
        self.is_lazy = not is_matched
        return "text"

    def _paragraph(self, matched: int) -> Kind:
        self._open_leaf(matched, "paragraph")
        return "text"

    def _open_container(self, matched: int, container: _Item) -> None:
        self._open_leaf(matched, None)
        self._containers.append(container)

    def _open_leaf(self, matched: int, leaf: Leaf) -> None:
        self._close(matched)
        self._leaf = leaf
        if self._containers:
            self._containers[-1].has_content = True  # those around it have it

    def _close(self, matched: int) -> None:
        if matched < len(self._containers):
            del self._containers[matched:]
            self._leaf = None


_HTML_NAME: Final = re.compile(r"<(?P<name>[A-Za-z][A-Za-z0-9-]*)")
_END_NAME: Final = re.compile(r"</(?P<name>[A-Za-z][A-Za-z0-9-]*)")
#: Void elements.
_VOID: Final = frozenset("area base br col embed hr img input link meta source track wbr".split())


#: A text without any line like these has no list, no quote, no HTML and no indented code.
_BEGINS_BLOCK: Final = re.compile(r"(?:^|[\r\n])(?: {4}|[ ]{0,3}(?:\t|[-+*>]|\d{1,9}[.)]|<))")


def prose_among(text: str, numbers: Sequence[int]) -> set[int]:
    """Selects from the lines with these numbers (from 1, ascending) those that are the message's own prose: not in a list item,
    a block quote, code or HTML.

    Three rules differ from CommonMark. White space before the whole text is ignored. An unindented line behind a list is prose,
    although CommonMark lets it continue the last item. Everything up to an HTML element's end tag is HTML, although CommonMark
    ends most HTML blocks at a blank line.
    """
    if not numbers or _BEGINS_BLOCK.search(text) is None:
        return set(numbers)
    found: set[int] = set()
    text = with_newlines(text)
    wanted, last = set(numbers), numbers[-1]
    reader = BlockReader()
    elements = _Elements(text) if "</" in text else None
    start, number, is_first = 0, 0, True
    while number < last and start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line, number = text[start:end], number + 1
        if is_first and line.strip():
            line, is_first = line.lstrip(), False
        kind = reader.read(line)
        in_element = elements is not None and elements.read(reader, kind, start)
        is_own = not reader.in_quote and (not reader.in_list or (reader.is_lazy and not line[:1].isspace()))
        if number in wanted and kind == "text" and is_own and not in_element:
            found.add(number)
        start = end + 1
    return found


class _Elements:
    """The HTML element that encloses the lines of a text, for elements that begin a block and have an end tag."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._last_end = {found["name"].lower(): found.start() for found in _END_NAME.finditer(text)}
        self._name = ""
        self._depth = 0

    def read(self, reader: BlockReader, kind: Kind, start: int) -> bool:
        """Whether the element encloses the line that was read, which begins at offset `start`."""
        content = reader.content.lower()
        if not self._name:
            opening = _HTML_NAME.match(content) if kind == "html" and not reader.is_continued else None
            if opening is None or opening["name"] in _VOID or self._last_end.get(opening["name"], -1) < start:
                return False
            self._name = opening["name"]
        self._depth += content.count(f"<{self._name}") - content.count(f"</{self._name}")
        if self._depth <= 0:
            self._name, self._depth = "", 0
        return True


def _indent(line: str, at: int) -> int:
    """The number of columns of white space from `at` on."""
    end = at
    while line[end : end + 1] == " ":
        end += 1
    return end - at


def _opening(content: str) -> Fence | None:
    found = _FENCE.match(content)
    if found is None or (found["run"][0] == "`" and "`" in found["info"]):
        return None
    return Fence(found["run"][0], len(found["run"]))


def _is_break(content: str) -> bool:
    marks = content.replace(" ", "")
    return len(marks) >= 3 and marks == marks[0] * len(marks)


def _html(content: str, *, interrupts: bool) -> Html | None:
    """The HTML block that this content opens; one of kind 7 does not interrupt a paragraph."""
    if (raw := _RAW.match(content)) is not None:
        return Html(f"</{raw[1].lower()}>")
    if content.startswith("<!--"):
        return Html("-->")
    if content.startswith("<?"):
        return Html("?>")
    if content.startswith("<![CDATA["):
        return Html("]]>")
    if _DECLARATION.match(content):
        return Html(">")
    if _ELEMENT.match(content) or (not interrupts and _LONE_TAG.match(content)):
        return Html("")
    return None


def _ends(html: Html, content: str) -> bool:
    if not html.end:
        return not content
    if html.end.startswith("</"):
        return _RAW_END.search(content) is not None
    return html.end in content
