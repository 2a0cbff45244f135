"""Codex: its tools that other assistants do not have. `core.tools.TOOLS` has the rest."""

from collections.abc import Mapping
from typing import Final

from kato.core.actions import Action, Arguments, Other, ReadArguments
from kato.core.text import visible
from kato.core.tools import (
    minor,
    other,
    read_agent,
    read_command,
    read_question,
    read_search,
    read_users_command,
    read_web_search,
    table,
    text_in,
)


def _typed(arguments: Arguments) -> Action:
    """What was typed into a program that runs."""
    return Other("write_stdin", arguments, visible((text_in(arguments, "chars") or "").rstrip("\n")))


TOOLS: Final[Mapping[str, ReadArguments]] = table(
    # `exec` and `js_repl` run a script, which may call other tools.
    (read_command, "exec_command shell_command local_shell container.exec unified_exec exec js_repl"),
    (read_users_command, "user_shell"),
    (_typed, "write_stdin"),
    (read_search, "grep_files"),
    (read_web_search, "web.search"),
    (read_agent, "spawn_agent spawnAgent"),
    (read_question, "request_user_input"),
    (other("send_input", "message", "prompt"), "send_input sendInput"),
    (other("create_goal", "objective"), "create_goal"),
    (other("image_generation", "prompt"), "image_generation"),
) | minor(
    """close_agent closeAgent get_goal list_agents list_mcp_resource_templates list_mcp_resources resume_agent resumeAgent
    tool_search update_goal wait wait_agent""".split()
)
