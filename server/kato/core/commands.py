"""The commands: one table, and the values that pass through the engine.

`COMMANDS` declares each command once. The names of the chat's grammar, the editor's `kato.<name>`, the suggestions for
mistyped names and the rules for arguments derive from it; a test compares the documents and the VS Code client with it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from kato.core import limits
from kato.core.errors import CommandRefused

#: For the type checker; `COMMANDS` has an entry for each name.
CommandName = Literal["init", "record", "capture", "export", "stop", "off", "on"]

ExportFormat = Literal["markdown", "jsonl"]


class CommandDeclaration(Struct, frozen=True):
    """A command. `path` says whether it takes a path as its argument; `summary` is its line of help, in Markdown.
    `vscode_command` is the command with which VS Code offers it (`kato.<vscode_command>`), None if VS Code does not.
    """

    name: CommandName
    path: Literal["none", "optional", "required"]
    summary: str
    vscode_command: str | None = None

    @property
    def editor_name(self) -> str:
        """The command's name in `workspace/executeCommand`."""
        return f"kato.{self.name}"

    @property
    def usage(self) -> str:
        """The command as the user types it in a chat."""
        return f"::{self.name}" + {"none": "", "optional": " [path]", "required": " path"}[self.path]


COMMANDS: Final[Sequence[CommandDeclaration]] = (
    CommandDeclaration(
        "capture",
        "optional",
        "writes the whole conversation up to this line to the note, then keeps recording there",
        "captureConversation",
    ),
    CommandDeclaration(
        "record", "none", "starts or resumes recording, from this line on", "recordConversation"
    ),
    CommandDeclaration(
        "stop", "none", "stops recording after this line; the destination stays", "stopRecording"
    ),
    CommandDeclaration("init", "optional", "sets the destination and creates the note, does not record"),
    CommandDeclaration(
        "export",
        "required",
        "writes the conversation up to this line; `.jsonl` gives one event a line, anything else Markdown",
        "exportConversation",
    ),
    CommandDeclaration("off", "none", "keeps nothing of this conversation after this line", "stopKeeping"),
    CommandDeclaration("on", "none", "keeps the conversation again, from this line on", "keepAgain"),
)

BY_NAME: Final[Mapping[str, CommandDeclaration]] = {command.name: command for command in COMMANDS}
COMMAND_NAMES: Final[Sequence[CommandName]] = tuple(command.name for command in COMMANDS)
#: The commands of `workspace/executeCommand`, by their names there.
EDITOR_COMMANDS: Final[Mapping[str, CommandName]] = {
    command.editor_name: command.name for command in COMMANDS
}


class Command(Struct, frozen=True):
    """A command to run. `line` counts the message's lines from 1; None from the editor."""

    name: CommandName
    argument: str | None = None
    line: int | None = None
    export_format: ExportFormat | None = None


class CommandProblem(Struct, frozen=True):
    """A line that is meant as a command but is invalid. `message` names the rule and, if there is one, the similar name."""

    line: int
    name: str
    message: str


class DoubtfulCommand(Struct, frozen=True):
    """A command in a message that is not proven to be typed: Kato reports the line and does not run it. `omitted` counts
    the further commands of the message that are reported with this one.
    """

    name: str
    line: int
    text: str
    reason: str
    omitted: int = 0


#: A line of a message that is a command, or is meant as one.
CommandLine = Command | CommandProblem | DoubtfulCommand


def argument_problem(name: CommandName, path: str | None) -> str | None:
    """Why a command does not accept this argument; None if it does."""
    rule = BY_NAME[name].path
    if path is None:
        return (
            f"::{name} needs a path, for example ::{name} notes/conversation.md"
            if rule == "required"
            else None
        )
    if rule == "none":
        return f"::{name} takes no argument"
    if not path:
        return f"the path after ::{name} is empty"
    if any(char < " " or char == "\x7f" for char in path):
        return f"the path after ::{name} contains a control character"
    if len(path) > limits.PATH_CHARS_MAX:
        return f"the path after ::{name} has more than {limits.PATH_CHARS_MAX} characters"
    return None


def command_from_editor(name: CommandName, path: str | None, export_format: ExportFormat | None) -> Command:
    """A command of the editor, under the same rules as in a chat. Raises CommandRefused."""
    problem = argument_problem(name, path)
    if problem is not None:
        raise CommandRefused(problem)
    if export_format is not None and name != "export":
        raise CommandRefused(f"{name} takes no format; only export does")
    return Command(name, path, export_format=export_format)
