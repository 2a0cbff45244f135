"""The parser of the command line: the one source of parsing, help, completions and the man page.

Rule: `build` imports the module of a subcommand only if it is asked for, so that `kato serve` and `kato --version` start fast.
"""

import argparse
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

from kato import __version__
from kato.cli.exits import MEANINGS
from kato.cli.options import Help
from kato.core.text import nearest

#: The subcommands with the first line of their help. The module of each is `kato.cli.commands.<name>`.
COMMANDS: Final[Mapping[str, str]] = {
    "sessions": "List the conversations on this machine.",
    "search": "Find what was said in your conversations.",
    "capture": "Write a conversation to a note now.",
    "keep": "Read old conversations into the journal, before their logs are deleted.",
    "resume": "Show or run the assistant's command that continues a conversation.",
    "watch": "Follow conversations and run their :: commands, without an editor.",
    "hooks": "Let assistants show the outcome of a :: command in the chat.",
    "mcp": "Let assistants search and read your conversations.",
    "acp": "Record what an editor and an ACP agent say.",
    "status": "Show the memory, the sessions and the recordings of every running server.",
    "doctor": "Show where Kato looks for conversations and what it does not understand.",
    "config": "Show the settings in force, or edit the configuration file.",
    "journal": "Verify the journal, or write its events out.",
    "off": "Keep nothing of a conversation from now on.",
    "on": "Keep a conversation again, from now on.",
    "clean": "Remove conversations from the journal.",
    "serve": "Speak LSP on standard input and output.",
    "demo": "Play a conversation through a real server.",
    "completions": "Print or install the completions of this command line for a shell.",
    "help": "Show the help of a command, or the man page.",
}


class Parser(argparse.ArgumentParser):
    """A parser that proposes what the user may have meant."""

    @property
    def commands(self) -> Mapping[str, "Parser"]:
        """The parsers of its subcommands."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no public name for it
                return action.choices
        return {}

    @property
    def actions(self) -> "list[argparse.Action]":
        """Its own arguments, without the choice of a subcommand."""
        return [one for one in self._actions if not isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001 - as above

    def error(self, message: str) -> NoReturn:
        """As argparse, with the actions where one is missing."""
        if self.commands and message.endswith(": ACTION"):
            message = f"an action is missing; write one of {', '.join(self.commands)}"
        super().error(message)

    def refuse(self, left_over: Sequence[str]) -> None:
        """Ends with the error of arguments that belong nowhere."""
        known = [name for action in self._actions for name in action.option_strings]
        shown = []
        for text in left_over:
            near = nearest(text.partition("=")[0], known) if text.startswith("-") else None
            shown.append(repr(text) + (f" (did you mean {near}?)" if near else ""))
        self.error(f"unknown argument{'' if len(shown) == 1 else 's'} {', '.join(shown)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse, with a proposal instead of all values."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(one) for one in action.choices]
        near = nearest(str(value), choices)
        cure = f"did you mean {near}?" if near else f"write one of {', '.join(choices)}"
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            raise argparse.ArgumentError(None, f"unknown command {value!r}; {cure}")
        raise argparse.ArgumentError(action, f"invalid value {value!r}; {cure}")


def build(commands: Collection[str]) -> Parser:
    """The parser, with the arguments of these subcommands. The others have the first line of their help only."""
    parser = Parser(
        prog="kato",
        description="Own your AI conversations: Kato keeps them, and writes them to your Markdown notes.",
        epilog="\n".join(
            [
                "examples:",
                "  kato sessions --here        the conversations of this folder",
                "  kato capture --latest       its newest conversation as a note",
                "  kato help capture           all about a command",
                "",
                "exit codes:",
                *(f"  {code:<4} {meaning}" for code, meaning in MEANINGS.items()),
            ]
        ),
        formatter_class=Help,
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"kato {__version__}", help="show the version"
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name in commands:
            command = import_module(f"kato.cli.commands.{name}")
            command.add_arguments(subparser)
            subparser.set_defaults(run=command.run)
    return parser


def whole() -> Parser:
    """The parser with everything in it."""
    return build(COMMANDS)


def descend(parser: Parser, arguments: Sequence[str]) -> Parser:
    """The parser of the innermost subcommand that the arguments name."""
    for text in arguments:
        parser = parser.commands.get(text, parser)
    return parser
