"""The headings of speakers in a note: writes them, recognises them, and keeps them apart from headings in messages.

    # claude-opus-4_2026-02-25_0613_20        style `kato`, for every speaker
    ## You, 2026-02-25 06:13: first words      style `readable`, the user; with the date where the day changes
    ### claude-opus-4, 06:14                   style `readable`, everyone else

Rule: in a note, exactly the lines that `speaker_of` accepts begin a turn or a reply. A user's message has no headings
(`safe_markdown.typed`). In an assistant's message, `distinct` closes a heading of this form with a `#`, which Markdown does not show.
"""

import re
from datetime import datetime
from io import StringIO
from typing import Final, Literal, NamedTuple

from kato.core.blocks import BlockReader
from kato.core.text import each_line
from kato.notes.markup import cut, literal

Style = Literal["kato", "readable"]

USER: Final = "User"
SYSTEM: Final = "System"
#: The user's name in readable headings.
_YOU: Final = "You"
#: The part of a user's message that a readable heading shows.
FIRST_WORDS_CHARS_MAX: Final = 60

_KATO: Final = re.compile(
    r"# (?P<speaker>.+)_(?P<day>\d{4}-\d\d-\d\d)_(?P<hour>\d\d)(?P<minute>\d\d)_(?P<second>\d\d)"
)
_WHEN: Final = r"(?:(?P<day>\d{4}-\d\d-\d\d) )?(?P<time>\d\d:\d\d)"
#: Kato escapes each `#` of the words, so that one at the end closes the heading.
_READABLE_USER: Final = re.compile(rf"## {_YOU}, {_WHEN}(?:: (?P<words>(?:[^#\\]|\\.)+))?")
_READABLE_OTHER: Final = re.compile(rf"### (?P<speaker>.+), {_WHEN}")
#: Finds out quickly that a text has no line like these. A search for a literal beginning is several times as fast.
_LIKE_REST: Final = r"#(?: .+_\d{4}-\d\d-\d\d_\d{4}_\d\d|# You, .+|## .+\d\d:\d\d)$"
_LIKE_FIRST: Final = re.compile(_LIKE_REST, re.MULTILINE)
_LIKE: Final = re.compile(rf"\n{_LIKE_REST}", re.MULTILINE)
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


class Speaker(NamedTuple):
    """What a heading says: who spoke, in which style, on which day ("" where the heading does not say it), when, and the first
    words of a user's message if the heading has them.
    """

    name: str
    style: Style
    day: str
    time: str
    words: str = ""


def kato_heading(marks: str, speaker: str, at: datetime) -> str:
    """A heading in the style `kato`."""
    # An f-string takes three times as long to pad six numbers.
    when = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    return "%s %s_%04d-%02d-%02d_%02d%02d_%02d\n\n" % (marks, speaker, *when)  # noqa: UP031


def readable_heading(level: int, speaker: str, when: str, text: str = "") -> str:
    """A heading in the style `readable`, with the first words of `text` if the user speaks."""
    is_user = speaker == USER
    words = literal(cut(text, FIRST_WORDS_CHARS_MAX)) if is_user and text else ""
    marks = "#" * (level + (1 if is_user else 2))
    return f"{marks} {_YOU if is_user else literal(speaker)}, {when}{f': {words}' if words else ''}\n\n"


def speaker_of(line: str, style: Style | None = None) -> Speaker | None:
    """What a line says if it is a speaker's heading; None for any other line. Where headings have had one style so far, a heading
    of the other one needs a date: the first heading after a change of the style has it.
    """
    if not line.startswith("#"):
        return None
    if (found := _KATO.fullmatch(line)) is not None:
        time = f"{found['hour']}:{found['minute']}:{found['second']}"
        return Speaker(found["speaker"], "kato", found["day"], time)
    found = _READABLE_USER.fullmatch(line) or _READABLE_OTHER.fullmatch(line)
    if found is None or (style != "readable" and found["day"] is None):
        return None
    given = found.groupdict()
    name = plain(given["speaker"]) if "speaker" in given else USER
    return Speaker(name, "readable", found["day"] or "", found["time"], plain(given.get("words") or ""))


def distinct(text: str, style: Style) -> str:
    """An assistant's text in which no heading is a speaker's."""
    if _LIKE_FIRST.match(text) is None and ("\n#" not in text or _LIKE.search(text) is None):
        return text
    reader, written = BlockReader(), StringIO()
    for number, line in enumerate(each_line(text)):
        is_heading = reader.read(line) == "heading"
        written.write("\n" * (number > 0) + line)
        if is_heading and speaker_of(line, style) is not None:
            written.write(" #")
    return written.getvalue()


def plain(markdown: str) -> str:
    """Text without its backslash escapes."""
    return _ESCAPE.sub(r"\1", markdown) if "\\" in markdown else markdown
