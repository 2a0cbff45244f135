"""The grammar of commands in a chat: a message's text in, commands and problems out.

    line     = [white space] "::" name [white space argument]
    name     = a name of `commands.COMMANDS`, in any case
    argument = a path, bare (spaces allowed), quoted, in backticks, as a Markdown link, or with a leading @

A command is a line of the message's own prose. These lines are text and never a command:

- in fenced or indented code, also where a fence in a list or a quote was left open,
- in a list item: its first line, and every line that is indented as its content; an unindented line behind a list is not,
- in a block quote, also a line without a mark that continues a quoted paragraph,
- in HTML: a comment, `<pre>`, an element that begins a line (`<details>`, `<div>`) up to its end tag or a blank line.

White space before the whole message does not count. A name that is close to a command's is reported as a problem; any other
`::word` is ordinary text. Never raises, whatever the text.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import UNSET

from kato.core import limits
from kato.core.blocks import prose_among
from kato.core.commands import (
    BY_NAME,
    COMMAND_NAMES,
    Command,
    CommandLine,
    CommandProblem,
    DoubtfulCommand,
    argument_problem,
)
from kato.core.events import UserMessage
from kato.core.text import (
    LinePattern,
    each_line,
    found_outside_fences,
    line_part,
    nearest,
    one_line,
    with_newlines,
)

#: A line that can be a command; all others are skipped.
_LINES: Final = LinePattern(r"[^\S\r\n]*::(?=[A-Za-z])")
_HEAD: Final = re.compile(r"(?P<name>[A-Za-z]+)(?P<glued>[^\sA-Za-z]\S*)?[^\S\r\n]*")
_REST: Final = re.compile(r"[^\r\n]*")
_BLANK: Final = re.compile(r"[^\S\r\n]*")
_LINK: Final = re.compile(r"^!?\[[^\]]*\]\((?P<path><[^<>]*>|[^()]*(?:\([^()]*\)[^()]*)*)\)$")
#: Longer than any command's name and any word that is close to one.
_WORD_CHARS_MAX: Final = 64
#: An argument may be a path with quotes, a link or a mention around it.
_ARGUMENT_CHARS_MAX: Final = 2 * limits.PATH_CHARS_MAX
#: How many pairs of quotes around each other are removed.
_WRAPPINGS_MAX: Final = 8
#: `::one` and `::son` are words: a name of two letters is close to too many.
_SUGGESTED: Final = [name for name in COMMAND_NAMES if len(name) > 2]
_QUOTES: Final = (("```", "```"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("<", ">"))


def parse(text: str) -> tuple[list[Command], list[CommandProblem]]:
    """The commands of a text and the lines that were meant as one, each with its line number (from 1)."""
    commands: list[Command] = []
    problems: list[CommandProblem] = []
    if "::" not in text:
        return commands, problems
    judged: list[tuple[int, Command | CommandProblem]] = []
    others = 0
    for number, line in found_outside_fences(text, _LINES):
        name, glued, argument = _parts(text, line.end())
        if name.lower() not in BY_NAME:
            others += 1
            if others > limits.OTHER_WORDS_MAX:
                continue
        line_found = _judge(number, name, glued, argument)
        if line_found is not None:
            judged.append((number, line_found))
            if len(judged) > limits.COMMAND_LINES_MAX:
                break
    prose = prose_among(text, [number for number, _ in judged])
    for number, found in judged:
        if number not in prose:
            continue
        if len(commands) + len(problems) >= limits.COMMANDS_PER_MESSAGE_MAX:
            message = f"a message runs at most {limits.COMMANDS_PER_MESSAGE_MAX} commands; this one and the rest are left out"
            problems.append(CommandProblem(number, found.name, message))
            break
        if isinstance(found, Command):
            commands.append(found)
        else:
            problems.append(found)
    return commands, problems


def holds_commands_alone(text: str) -> bool:
    """Whether each line that is not blank is a command, or was meant as one, and there is one."""
    commands, problems = parse(text)
    numbers = {one.line for one in commands} | {one.line for one in problems}
    return bool(numbers) and all(
        number in numbers or not line.strip() for number, line in enumerate(each_line(text), start=1)
    )


def command_lines(message: UserMessage) -> list[CommandLine]:
    """The commands of a user's message and what was meant as one, in the order of their lines. In a message that is not
    proven to be typed, each command is a doubtful one.
    """
    found, problems = parse(message.content)
    if message.doubt is not UNSET:
        return _doubtful(message.content, found, message.doubt)
    return sorted([*found, *problems], key=lambda one: one.line or 0)


def _doubtful(content: str, found: Sequence[Command], doubt: str) -> list[CommandLine]:
    """The commands of a message that is not proven to be typed. Lines that were only meant as a command are left out: most
    of them are code.
    """
    reason = one_line(doubt, limits.DOUBT_CHARS_MAX)
    shown = found[: limits.DOUBTFUL_COMMANDS_MAX]
    content = with_newlines(content)
    lines: list[CommandLine] = []
    for count, command in enumerate(shown, start=1):
        number = command.line or 0
        text = one_line(line_part(content, number - 1, number), limits.DOUBT_CHARS_MAX)
        omitted = len(found) - count if count == len(shown) else 0
        lines.append(DoubtfulCommand(command.name, number, text, reason, omitted))
    return lines


def is_command_line(line: str) -> bool:
    """True for a line that would be a command or a problem, outside any fence."""
    found = _LINES.match(line)
    return found is not None and _judge(1, *_parts(line, found.end())) is not None


def _parts(text: str, at: int) -> tuple[str, str | None, str | None]:
    """The word at this offset, the character that is glued to it, and the argument. Word and argument are cut just above
    their limits, so that a line of some MB is not copied.
    """
    head = _HEAD.match(text, at)
    assert head is not None
    name = text[at : min(head.end("name"), at + _WORD_CHARS_MAX)]
    glued = None if head.start("glued") < 0 else text[head.start("glued")]
    rest = _REST.match(text, head.end())
    assert rest is not None
    cut = min(rest.end(), rest.start() + _ARGUMENT_CHARS_MAX + 1)
    argument = text[rest.start() : cut]
    after = _BLANK.match(text, cut)
    if after is not None and after.end() == rest.end():
        argument = argument.rstrip()
    return name, glued, argument or None


def _judge(line: int, word: str, glued: str | None, argument: str | None) -> Command | CommandProblem | None:
    name = word.lower()
    known = BY_NAME.get(name)
    if known is None or glued is not None:
        near = nearest(name, _SUGGESTED, likeness=0.75)
        if near is None:
            return None
        if known is not None and not (glued or "").startswith(("/", "~", '"', "'", "`", "@", "[", "<", ":")):
            return None  # ::record-player and ::stop! are words
        if known is not None:
            return CommandProblem(line, name, f"::{name} and its path need a space between them")
        return CommandProblem(line, name, f"::{name} is not a command; did you mean ::{near}?")
    if argument and len(argument) > _ARGUMENT_CHARS_MAX:
        return CommandProblem(
            line, name, f"the path after ::{name} has more than {limits.PATH_CHARS_MAX} characters"
        )
    path = unwrap(argument) if argument else None
    problem = argument_problem(known.name, path)
    if problem is not None:
        return CommandProblem(line, name, problem)
    return Command(known.name, path, line)


def unwrap(argument: str) -> str:
    """The path in an argument: without the quotes, backticks, link or mention around it."""
    path = argument.strip()
    for _ in range(_WRAPPINGS_MAX):
        inner = _unwrap_once(path)
        if inner == path:
            break
        path = inner
    return path


def _unwrap_once(path: str) -> str:
    if (link := _LINK.match(path)) is not None:
        return link["path"].strip()
    for opening, closing in _QUOTES:
        if (
            len(path) > len(opening)
            and path.startswith(opening)
            and path.endswith(closing)
            and len(path) >= len(opening) + len(closing)
        ):
            return path[len(opening) : -len(closing)].strip()
    if path.startswith("@") and len(path) > 1:
        return path[1:].strip()
    return path
