"""Claude Code: its tools that other assistants do not have. `core.tools.TOOLS` has the rest."""

from collections.abc import Mapping
from typing import Final

from kato.core.actions import Action, Arguments, Other, ReadArguments
from kato.core.tools import minor, other, read_command, read_edit, read_read, table, text_in


def _update(arguments: Arguments) -> Action:
    """A change of a task: its number, and what it is now."""
    status = text_in(arguments, "status", "owner", "subject")
    parts = (f"#{number}" if (number := text_in(arguments, "taskId")) else None, status)
    return Other("TaskUpdate", arguments, " ".join(part for part in parts if part))


TOOLS: Final[Mapping[str, ReadArguments]] = table(
    (read_edit, "NotebookEdit"),
    (read_read, "NotebookRead"),
    (read_command, "Monitor"),
    (_update, "TaskUpdate"),
    (other("TaskCreate", "subject", "description"), "TaskCreate"),
    (other("SendMessage", "summary", "message"), "SendMessage"),
    (other("Skill", "skill", "command"), "Skill"),
) | minor(
    """AgentOutputTool BashOutput EnterPlanMode KillBash KillShell ListMcpResourcesTool TaskGet TaskList TaskOutput TaskStop
    ToolSearch WaitForMcpServers""".split()
)
