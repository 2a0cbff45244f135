"""The outline of a note: its turns, the replies in them, and their headings and folded blocks, each with its lines.

    pieces of UTF-8 ─► lines ─► OutlineReader ─► Outline

    turn         a message of the user, and everything up to the next one
      reply      a run of messages of one assistant, or of the system
        heading  a heading in a message, with what belongs to it
        block    a folded block: a summary of what was done, a tool call, a sub-agent

Rules: the heading of a turn or a reply is what `headings.speaker_of` accepts, outside code, lists, quotes and HTML, behind a blank line.
Takes time in proportion to the text, holds a line of it at a time, and has at most `limits.OUTLINE_SECTIONS_MAX` sections.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from kato.core import limits
from kato.core.blocks import BlockReader
from kato.core.text import with_newlines
from kato.notes.headings import FIRST_WORDS_CHARS_MAX, USER, Style, plain, speaker_of
from kato.notes.markup import cut, one_line
from kato.notes.note_head import NoteHead

Kind = Literal["turn", "reply", "heading", "block"]

_TITLE_CHARS_MAX: Final = 200
_MARK: Final = re.compile(r"<(?P<end>/?)(?P<name>details|summary)\b[^>]*>", re.IGNORECASE)
_CLOSING_MARKS: Final = re.compile(r"[ \t]+#+[ \t]*$")
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&"}
_ENTITY: Final = re.compile("|".join(_ENTITIES))
#: What was done with a file, as `summary` writes it.
_FILE_LINE: Final = re.compile(
    r"- (?:Edited|Created|Deleted|Read|Listed) (?P<ticks>`+) ?(?P<path>.+?) ?(?P=ticks)(?!`)"
)


class Section(Struct, kw_only=True):
    """A part of a note. Lines are numbered from 0; `end` is its last line that is not blank; `width` and `end_width` are the
    lengths of the first and the last line in the client's units. For a turn or a reply, `title` is who spoke, `day` ("" if the note
    does not say it) and `time` say when, and `words` are the first words of a user's message.
    """

    kind: Kind
    title: str
    line: int
    width: int
    end: int
    end_width: int
    level: int
    day: str = ""
    time: str = ""
    words: str = ""
    children: list["Section"] = []


class Place(Struct, frozen=True):
    """A text in a note that refers to something: a session's id, or the path of a file or folder. Where it stands, as a range of a
    line in the client's units.
    """

    text: str
    line: int
    start: int
    end: int


class Outline(Struct, kw_only=True):
    """See the module. `session` and `files` are what the note refers to; `last_line` is the number of its last line; `omitted`
    counts the sections beyond the bound, `size` those that there are, with the files.
    """

    head: NoteHead
    sections: list[Section]
    session: Place
    files: list[Place]
    last_line: int
    omitted: int = 0
    size: int = 0

    def speaker_at(self, line: int) -> tuple[Section, ...]:
        """The turn or the reply whose heading is in this line, with the turn that contains it before it; () for other lines."""
        for turn in self.sections:
            if turn.line == line:
                return (turn,) if turn.kind in ("turn", "reply") else ()
            if turn.line < line <= turn.end:
                return next(
                    ((turn, one) for one in turn.children if one.line == line and one.kind == "reply"), ()
                )
        return ()


class OutlineReader:
    """Reads a note line by line. `width` counts a text in the client's units."""

    def __init__(self, head: NoteHead, width: Callable[[str], int]) -> None:
        self._head = head
        self._width = width
        self._blocks = BlockReader()
        self._style: Style | None = None
        self._number = -1
        self._before = self._last = ""  # the line before, and the last one that was not blank
        self._day = ""
        self._last_number = 0
        self._open: list[Section] = []  # the section that is open, and those around it, outermost first
        self._sections: list[Section] = []
        self._session = Place(head.key.session_id, 0, 0, 0)
        self._files: list[Place] = []
        self._count = self._omitted = 0

    def read(self, line: str) -> None:
        """The next line, without its line end."""
        self._number += 1
        if self._number <= self._head.last_line:
            self._frontmatter(line)
            return
        kind = self._blocks.read(line)
        if kind == "heading" and line.startswith("#"):
            self._heading(line)
        elif kind == "underline" and self._is_top:
            marks, text = ("#" if line.lstrip().startswith("=") else "##"), self._last
            self._sub_heading(f"{marks} {text.strip()}", self._last_number, text)
        elif kind == "html" and self._is_top and "<" in line:
            self._html(line)
        elif kind == "text":
            self._text(line)
        if line.strip():
            self._last, self._last_number = line, self._number
        self._before = line

    def outline(self) -> Outline:
        """The outline of the lines so far."""
        self._close(0, before=self._number + 1)
        return Outline(
            head=self._head,
            sections=self._sections,
            session=self._session,
            files=self._files,
            last_line=max(0, self._number),
            omitted=self._omitted,
            size=self._count + len(self._files),
        )

    @property
    def _is_top(self) -> bool:
        return not (self._blocks.in_quote or self._blocks.in_list)

    def _place(self, text: str, line: str, start: int, end: int) -> Place:
        return Place(text, self._number, self._width(line[:start]), self._width(line[:end]))

    # --- Lines ------------------------------------------------------------------------------------------

    def _frontmatter(self, line: str) -> None:
        for key in ("sessionId", "cwd", "files"):
            for value in self._head.values.get(key, ()):
                if value.line != self._number:
                    continue
                place = self._place(value.text, line, value.start, value.end)
                if key == "sessionId":
                    self._session = place
                elif len(self._files) < limits.OUTLINE_FILES_MAX:
                    self._files.append(place)

    def _heading(self, line: str) -> None:
        is_behind_blank = not self._before.strip() or self._number == self._head.last_line + 1
        speaker = speaker_of(line, self._style) if is_behind_blank else None
        if speaker is None:
            self._sub_heading(line, self._number, line)
            return
        self._style = speaker.style
        is_turn = speaker.name == USER
        is_in_turn = not is_turn and bool(self._open) and self._open[0].kind == "turn"
        self._close(1 if is_in_turn else 0, before=self._number)
        section = self._section("turn" if is_turn else "reply", speaker.name, self._number, line, level=0)
        self._day = speaker.day or self._day
        section.day, section.time, section.words = self._day, speaker.time, speaker.words
        self._add(section)

    def _sub_heading(self, line: str, number: int, first: str) -> None:
        marks = line.lstrip().partition(" ")[0]
        level = len(marks)
        title = cut(plain(_CLOSING_MARKS.sub("", line.strip()[level:])), _TITLE_CHARS_MAX) or marks
        keep = len(self._open)
        while keep and self._open[keep - 1].kind == "heading" and self._open[keep - 1].level >= level:
            keep -= 1
        self._close(keep, before=number)
        self._add(self._section("heading", title, number, first, level=level))

    def _html(self, line: str) -> None:
        """Opens and closes folded blocks."""
        for found in _MARK.finditer(line):
            is_end, name = bool(found["end"]), found["name"].lower()
            if name == "details" and not is_end:
                keep = len(self._open)
                while keep and self._open[keep - 1].kind == "heading":
                    keep -= 1  # a block behind a message belongs to the reply
                self._close(keep, before=self._number)
                self._add(self._section("block", "", self._number, line, level=0))
            elif name == "details":
                innermost = max(
                    (at for at, one in enumerate(self._open) if one.kind == "block"), default=None
                )
                if innermost is not None:
                    self._last, self._last_number = line, self._number
                    self._close(innermost, before=self._number + 1)
            elif not is_end and self._open and self._open[-1].kind == "block" and not self._open[-1].title:
                text = line[found.end() :].partition("</")[0]
                text = _ENTITY.sub(lambda entity: _ENTITIES[entity[0]], text)
                self._open[-1].title = cut(text, _TITLE_CHARS_MAX)

    def _text(self, line: str) -> None:
        if not self._open:
            return
        innermost = self._open[-1]
        if innermost.kind == "turn" and not innermost.words and self._is_top:
            innermost.words = cut(plain(one_line(line[: 8 * FIRST_WORDS_CHARS_MAX])), FIRST_WORDS_CHARS_MAX)
        elif innermost.kind == "block" and line.startswith("- "):
            found = _FILE_LINE.match(line)
            if found is not None and len(self._files) < limits.OUTLINE_FILES_MAX:
                self._files.append(self._place(found["path"], line, *found.span("path")))

    # --- Sections ---------------------------------------------------------------------------------------

    def _section(self, kind: Kind, title: str, number: int, first: str, *, level: int) -> Section:
        width = self._width(first)
        return Section(
            kind=kind, title=title, line=number, width=width, end=number, end_width=width, level=level, children=[]
        )  # fmt: skip

    def _add(self, section: Section) -> None:
        self._count += 1
        if self._count <= limits.OUTLINE_SECTIONS_MAX:
            (self._open[-1].children if self._open else self._sections).append(section)
        else:
            self._count -= 1
            self._omitted += 1
        self._open.append(section)

    def _close(self, keep: int, *, before: int) -> None:
        """Closes all open sections but the first `keep`: they end with the last line before number `before` that is not blank."""
        if len(self._open) == keep:
            return
        end, text = self._last_number, self._last
        if end >= before:  # the title of an underlined heading
            end, text = before - 1, ""
        width = self._width(text)
        for one in self._open[keep:]:
            if end > one.line:
                one.end, one.end_width = end, width
        del self._open[keep:]


def lines_of(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    """The lines of a UTF-8 text that comes in pieces: CR LF, LF and CR end a line, as LSP defines it. Each list has the lines of
    about one piece.
    """
    rest: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if not end:
            rest.append(piece)
            continue
        whole = b"".join([*rest, piece[:end]])
        rest = [piece[end:]]
        yield _decoded(whole)[:-1]
    yield _decoded(b"".join(rest))


def _decoded(lines: bytes) -> list[str]:
    return with_newlines(lines.decode("utf-8", "replace")).split("\n")
