"""The man page, made from the parser: `kato help --man`, and `docs/kato.1`, which the wheel installs.

The text does not depend on the version of Python, as argparse's own help does.
"""

import argparse
import re
from collections.abc import Iterator
from typing import Final

from kato import __version__
from kato.cli.exits import MEANINGS
from kato.cli.parser import Parser

_FILES: Final = {
    "config.toml": "The settings, in the platform's configuration folder for kato. `kato config --path` prints its path.",
    "journal.sqlite3": "The journal, in the state folder (stateDir).",
}
_VARIABLES: Final = {
    "KATO_CONFIG": "The path of the configuration file, instead of the usual one.",
    "NO_COLOR": "Any value but an empty one turns colours off.",
    "VISUAL, EDITOR": "`kato config --edit` starts VISUAL, else EDITOR.",
}


def page(parser: Parser) -> str:
    """The man page in roff (man macros)."""
    return "\n".join([*_head(parser), *_commands(parser), *_tail()]) + "\n"


def _head(parser: Parser) -> Iterator[str]:
    yield f'.TH KATO 1 "" "Kato {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "kato \\- keeps conversations with AI assistants, and writes them to Markdown notes"
    yield ".SH SYNOPSIS"
    yield ".B kato"
    yield "[\\-V] [\\-h]"
    yield ".I COMMAND"
    yield "[...]"
    yield ".SH DESCRIPTION"
    yield _text(parser.description or "")


def _commands(parser: Parser) -> Iterator[str]:
    yield ".SH OPTIONS"
    yield from _arguments(parser)
    yield ".SH COMMANDS"
    for name, command in parser.commands.items():
        yield from _command(f"kato {name}", command)


def _command(name: str, parser: Parser) -> Iterator[str]:
    yield f".SS {_text(name)}"
    yield f".B {_text(_usage(name, parser))}"
    for paragraph in (parser.description or "").split("\n\n"):
        yield ".PP"
        yield _text(paragraph)
    yield from _arguments(parser)
    title, _, examples = (parser.epilog or "").partition("\n")
    if examples:
        yield ".PP"
        yield _text(title.capitalize())
        yield ".nf"
        yield from (_text(line) for line in examples.split("\n"))
        yield ".fi"
    for inner, command in parser.commands.items():
        yield from _command(f"{name} {inner}", command)


def _usage(name: str, parser: Parser) -> str:
    words = [name]
    for action in _shown(parser):
        if action.option_strings:
            text = " ".join([action.option_strings[-1], *_metavar(action)])
            words.append(text if action.required else f"[{text}]")
        elif action.nargs in ("?", "*"):
            words.append(f"[{_value(action)}{' ...' if action.nargs == '*' else ''}]")
        else:
            words.append(f"{_value(action)}{' ...' if action.nargs == '+' else ''}")
    return " ".join([*words, *(["ACTION"] if parser.commands else [])])


def _arguments(parser: Parser) -> Iterator[str]:
    for action in _shown(parser):
        names = action.option_strings or [_value(action)]
        yield ".TP"
        yield ".B " + _text(", ".join(" ".join([name, *_metavar(action)]) for name in names))
        yield _text(action.help or "")


def _shown(parser: Parser) -> "list[argparse.Action]":
    return [
        action
        for action in parser.actions
        if action.help is not argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)  # noqa: SLF001
    ]


def _metavar(action: argparse.Action) -> "list[str]":
    return [_value(action)] if action.option_strings and action.nargs != 0 else []


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


def _tail() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for code, meaning in MEANINGS.items():
        yield ".TP"
        yield f".B {code}"
        yield _text(meaning.capitalize() + ".")
    for title, rows in ((".SH ENVIRONMENT", _VARIABLES), (".SH FILES", _FILES)):
        yield title
        for name, text in rows.items():
            yield ".TP"
            yield f".B {_text(name)}"
            yield _text(text)
    yield ".SH SEE ALSO"
    yield "https://github.com/kato\\-notes/kato"


def _text(text: str) -> str:
    """Text as roff reads it: no escapes of its own, hyphens that stay hyphens, no line that is taken for a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", escaped)
    return re.sub(r"^(?=[.'])", r"\\&", escaped, flags=re.MULTILINE)
