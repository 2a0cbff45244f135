"""The commands that a user types in a chat: text in, commands and problems out.

    line     = [white space] "::" name [white space argument]
    name     = init | record | capture | export | stop, in any case
    argument = a path, bare (spaces allowed), quoted, in backticks, as a Markdown link, or with a leading @

A command is a line of the message's own prose. Text, and never a command, is a line

- in fenced or indented code, also where a fence in a list or a quote was left open,
- in a list item: its first line, and every line that is indented as its content; an unindented line behind a list is not,
- in a block quote, also a line without a mark that continues a quoted paragraph,
- in HTML: a comment, `<pre>`, an element that begins a line (`<details>`, `<div>`) up to its end tag or a blank line.

White space before the whole message does not count. A name that is close to a command's is reported as a problem; any other
`::word` is ordinary text. Never raises, whatever the text.
"""

import re
from typing import Final, Literal

from kato.core import limits
from kato.core.blocks import prose_among
from kato.core.errors import CommandRefused
from kato.core.outcomes import COMMAND_NAMES, Command, CommandName, CommandProblem
from kato.core.text import LinePattern, found_outside_fences, nearest

#: A line that can be a command; all others are passed over.
_LINES: Final = LinePattern(r"[^\S\r\n]*::(?=[A-Za-z])")
_HEAD: Final = re.compile(r"(?P<name>[A-Za-z]+)(?P<glued>[^\sA-Za-z]\S*)?[^\S\r\n]*")
_REST: Final = re.compile(r"[^\r\n]*")
_BLANK: Final = re.compile(r"[^\S\r\n]*")
_LINK: Final = re.compile(r"^!?\[[^\]]*\]\((?P<path><[^<>]*>|[^()]*(?:\([^()]*\)[^()]*)*)\)$")
#: No command's name is as long, nor close to one that is.
_WORD_CHARS_MAX: Final = 64
#: An argument may be a path with quotes, a link or a mention around it.
_ARGUMENT_CHARS_MAX: Final = 2 * limits.PATH_CHARS_MAX
#: Quotes in quotes, at most so deep.
_WRAPPINGS_MAX: Final = 8
_QUOTES: Final = (("```", "```"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("<", ">"))
_TAKES_PATH: Final = {"init": "may", "record": "never", "capture": "may", "export": "must", "stop": "never"}


def parse(text: str) -> tuple[list[Command], list[CommandProblem]]:
    """The commands of a message and what was meant as one, each with its line (from 1)."""
    commands: list[Command] = []
    problems: list[CommandProblem] = []
    if "::" not in text:
        return commands, problems
    judged: list[tuple[int, Command | CommandProblem]] = []
    others = 0
    for number, line in found_outside_fences(text, _LINES):
        name, glued, argument = _parts(text, line.end())
        if _known(name.lower()) is None:
            others += 1
            if others > limits.OTHER_WORDS_MAX:
                continue
        step = _judge(number, name, glued, argument)
        if step is not None:
            judged.append((number, step))
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


def is_command_line(line: str) -> bool:
    """True for a line that would be a command or a problem, outside any fence."""
    found = _LINES.match(line)
    return found is not None and _judge(1, *_parts(line, found.end())) is not None


def _parts(text: str, at: int) -> tuple[str, str | None, str | None]:
    """The word at this place, the character that is glued to it, and the argument: of a long word and a long argument as
    much as is needed to refuse them, so that no copy is made of a line of some MB.
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


def command_from_editor(
    name: CommandName, path: str | None, export_format: Literal["markdown", "jsonl"] | None
) -> Command:
    """A command of the editor; raises CommandRefused by the same rules."""
    problem = _argument_problem(name, path)
    if problem is not None:
        raise CommandRefused(problem)
    if export_format is not None and name != "export":
        raise CommandRefused(f"{name} takes no format; only export does")
    return Command(name, path, export_format=export_format)


def _judge(line: int, word: str, glued: str | None, argument: str | None) -> Command | CommandProblem | None:
    name = word.lower()
    known = _known(name)
    if known is None or glued is not None:
        near = nearest(name, COMMAND_NAMES, likeness=0.75)
        if near is None:
            return None
        if known is not None and not (glued or "").startswith(("/", "~", '"', "'", "`", "@", "[", "<", ":")):
            return None  # ::record-player and ::stop! are words
        if known is not None:
            return CommandProblem(line, name, f"::{name} and its path need a space between them")
        return CommandProblem(line, name, f"::{name} is no command; did you mean ::{near}?")
    if argument and len(argument) > _ARGUMENT_CHARS_MAX:
        return CommandProblem(
            line, name, f"the path after ::{name} has more than {limits.PATH_CHARS_MAX} characters"
        )
    path = unwrap(argument) if argument else None
    problem = _argument_problem(known, path)
    if problem is not None:
        return CommandProblem(line, name, problem)
    return Command(known, path, line)


def _known(name: str) -> CommandName | None:
    for known in COMMAND_NAMES:
        if known == name:
            return known
    return None


def _argument_problem(name: CommandName, path: str | None) -> str | None:
    takes = _TAKES_PATH[name]
    if path is None:
        return (
            f"::{name} needs a path, for example ::{name} notes/conversation.md" if takes == "must" else None
        )
    if takes == "never":
        return f"::{name} takes no argument"
    if not path:
        return f"the path after ::{name} is empty"
    if any(char < " " or char == "\x7f" for char in path):
        return f"the path after ::{name} contains a control character"
    if len(path) > limits.PATH_CHARS_MAX:
        return f"the path after ::{name} has more than {limits.PATH_CHARS_MAX} characters"
    return None


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
