"""Copilot: tools of VS Code and of Copilot CLI that other assistants do not have. `core.tools.TOOLS` has the rest."""

from collections.abc import Mapping
from typing import Final

from kato.core.actions import Action, Arguments, Edit, ReadArguments
from kato.core.tools import (
    minor,
    other,
    read_agent,
    read_command,
    read_edit,
    read_fetch,
    read_question,
    read_read,
    read_search,
    read_todo,
    table,
    text_in,
)


def _edit(arguments: Arguments) -> Action | None:
    """An edit with its text; or one that the agent host made, of which the log has the numbers of lines at most."""
    found = read_edit(arguments)
    path = text_in(arguments, "file_path")
    if found is not None or path is None:
        return found
    added, removed = arguments.get("added"), arguments.get("removed")
    if type(added) is int and type(removed) is int:
        return Edit(path, counts=(added, removed))
    return Edit(path)


TOOLS: Final[Mapping[str, ReadArguments]] = table(
    (_edit, "edit"),
    (
        read_edit,
        "replace_string_in_file multi_replace_string_in_file insert_edit_into_file edit_notebook_file",
    ),
    (read_command, "run_in_terminal create_and_run_task"),
    (read_read, "show_file"),
    (read_search, "semantic_search list_code_usages vscode_listCodeUsages test_search github_repo"),
    (read_fetch, "fetch_webpage open_simple_browser"),
    (read_todo, "manage_todo_list update_todo"),
    (read_agent, "runSubagent"),
    (read_question, "vscode_askQuestions askQuestions"),
    (other("create_directory", "dirPath"), "create_directory"),
    (other("skill", "skill"), "skill"),
    (other("sql", "description", "query"), "sql"),
    (other("store_memory", "fact", "subject"), "store_memory"),
    (other("task_complete", "summary"), "task_complete"),
    (other("write_bash", "input"), "write_bash"),
    (other("write_powershell", "input"), "write_powershell"),
) | minor(
    """get_terminal_output list_agents list_bash list_powershell read_agent read_bash read_powershell report_intent
    stop_bash stop_powershell terminal_last_command terminal_selection think""".split()
)
