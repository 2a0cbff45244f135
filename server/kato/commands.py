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

from kato import limits
from kato.blocks import prose_among
from kato.errors import CommandRefused
from kato.model import COMMAND_NAMES, Command, CommandName, CommandProblem
from kato.text import lines_outside_fences, nearest, with_newlines

_LINE: Final = re.compile(
    r"^::(?P<name>[A-Za-z]+)(?P<glued>[^\sA-Za-z]\S*)?(?:\s+(?P<argument>\S.*))?$", re.DOTALL
)
_LINK: Final = re.compile(r"^!?\[[^\]]*\]\((?P<path><[^<>]*>|[^()]*(?:\([^()]*\)[^()]*)*)\)$")
_QUOTES: Final = (("```", "```"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("<", ">"))
_TAKES_PATH: Final = {"init": "may", "record": "never", "capture": "may", "export": "must", "stop": "never"}


def parse(text: str) -> tuple[list[Command], list[CommandProblem]]:
    """The commands of a message and what was meant as one, each with its line (from 1)."""
    commands: list[Command] = []
    problems: list[CommandProblem] = []
    if "::" not in text:
        return commands, problems
    text = with_newlines(text)
    judged = []
    for number, line in lines_outside_fences(text):
        if "::" not in line or (match := _LINE.match(line.strip())) is None:
            continue
        found = _judge(number, match["name"], match["glued"], match["argument"])
        if found is not None:
            judged.append((number, found))
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
    found, problems = parse(line)
    return bool(found or problems)


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
    if argument and len(argument) > 2 * limits.PATH_CHARS_MAX:
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
    while True:
        inner = _unwrap_once(path)
        if inner == path:
            return path
        path = inner


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
