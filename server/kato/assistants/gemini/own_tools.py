"""Gemini CLI: its tools that other assistants do not have. `core.tools.TOOLS` has the rest."""

from collections.abc import Mapping
from typing import Final

from kato.core.actions import Action, Arguments, ReadArguments
from kato.core.tools import minor, other, read_agent, read_read, read_users_command, table


def _read(arguments: Arguments) -> Action | None:
    """A file. `offset` counts its lines from 0."""
    offset = arguments.get("offset")
    return read_read({**arguments, "offset": offset + 1} if type(offset) is int else arguments)


TOOLS: Final[Mapping[str, ReadArguments]] = table(
    (_read, "read_file"),
    (read_users_command, "user_shell"),
    (read_agent, "invoke_agent delegate_to_agent codebase_investigator cli_help"),
    (other("save_memory", "fact"), "save_memory"),
    (other("activate_skill", "name"), "activate_skill"),
) | minor("complete_task enter_plan_mode get_internal_docs list_background_processes update_topic".split())
