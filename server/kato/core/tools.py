"""What a tool call did: its name and arguments, as any assistant writes them, become one of a few actions.

    (name, arguments) ──► Edit, NewFile, Command, Read, Search, Fetch, Todo, Agent, Question, Plan, … (`actions`)

Each `read_…` function reads the arguments of one kind of tool, under all names that they have. `TOOLS` declares the tools
that several assistants have, or whose events come from an editor. An assistant declares its own with `Assistant.tools`. A
call whose arguments do not have the expected form becomes `Other`: nothing is guessed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kato.core.actions import (
    Action,
    Agent,
    Arguments,
    Change,
    Command,
    Edit,
    Fetch,
    Item,
    NewFile,
    Other,
    Patch,
    Plan,
    Question,
    Read,
    ReadArguments,
    Search,
    Todo,
)
from kato.core.patches import files_of


def action_of(
    name: str, arguments: Arguments, extra: Mapping[str, ReadArguments] | None = None, *, about: str = ""
) -> Action:
    """What a call did. `extra` is asked before `TOOLS`; names count without their case. `about` describes the call in a
    line, for a tool that neither knows.
    """
    lowered = name.lower()
    read = (extra or {}).get(lowered) or TOOLS.get(lowered)
    found = None if read is None else read(arguments)
    return Other(name, arguments, about) if found is None else found


def table(*rows: tuple[ReadArguments, str]) -> dict[str, ReadArguments]:
    """A table of tools from rows of a function and the names of its tools, with blanks between them."""
    return {name.lower(): read for read, names in rows for name in names.split()}


# --- Arguments ------------------------------------------------------------------------------------------


def text_in(arguments: Arguments, *keys: str) -> str | None:
    """The first of these arguments that is a text."""
    for key in keys:
        value = arguments.get(key)
        if isinstance(value, str):
            return value
    return None


def _number(arguments: Arguments, *keys: str) -> int | None:
    for key in keys:
        value = arguments.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _list(arguments: Arguments, *keys: str) -> list[Any]:
    """The first of these arguments that is a list; an empty one if none is."""
    return next((arguments[key] for key in keys if isinstance(arguments.get(key), list)), [])


def _texts(arguments: Arguments, *keys: str) -> list[str]:
    return [one for one in _list(arguments, *keys) if isinstance(one, str)]


# --- Files ----------------------------------------------------------------------------------------------

_PATH: Final = (
    "file_path", "filePath", "path", "absolute_path", "notebook_path", "target_file", "uri", "filename",
)  # fmt: skip
_OLD: Final = ("old_string", "oldString", "old_str", "oldText", "search")
_NEW: Final = (
    "new_string", "newString", "new_str", "newText", "replace", "new_source", "newCode", "code", "content", "text",
)  # fmt: skip
#: A list of replacements.
_SEVERAL: Final = ("edits", "replacements", "changes")


def _change(arguments: Any) -> Change | None:
    if not isinstance(arguments, dict):
        return None
    old, new = text_in(arguments, *_OLD), text_in(arguments, *_NEW)
    return None if new is None else Change(old or "", new)


def read_edit(arguments: Arguments) -> Action | None:
    """One replacement (`old_string`, `new_string`) or a list of them (`edits`, `replacements`), in one file or in several."""
    path, change = text_in(arguments, *_PATH), _change(arguments)
    if path is not None and change is not None:
        return Edit(path, (change,))
    files: dict[str, list[Change]] = {}
    for one in _list(arguments, *_SEVERAL):
        change = _change(one)
        where = path or (text_in(one, *_PATH) if isinstance(one, dict) else None)
        if change is not None and where is not None:
            files.setdefault(where, []).append(change)
    edits = tuple(Edit(where, tuple(changes)) for where, changes in files.items())
    return edits[0] if len(edits) == 1 else Patch(edits) if edits else None


def read_write(arguments: Arguments) -> Action | None:
    """A file that is written whole."""
    path, text = text_in(arguments, *_PATH), text_in(arguments, "content", "file_text", "text", "contents")
    return None if path is None or text is None else NewFile(path, text)


def read_editor(arguments: Arguments) -> Action | None:
    """A tool of several commands, such as `str_replace_editor`."""
    command = arguments.get("command")
    if command == "view":
        return read_read(arguments)
    return read_write(arguments) if command == "create" else read_edit(arguments)


def read_patch(arguments: Arguments) -> Action | None:
    """A patch of several files in one text (`patches`)."""
    files = files_of(text_in(arguments, "input", "patch", "diff", "patchText") or "")
    return files[0] if len(files) == 1 else Patch(files) if files else None


def read_read(arguments: Arguments) -> Action | None:
    """A file, all of it or some of its lines, which are counted from 1."""
    path = text_in(arguments, *_PATH)
    if path is None:
        return None
    first = _number(arguments, "startLine", "start_line", "offset", "startLineNumberBaseOne")
    last = _number(arguments, "endLine", "end_line", "endLineNumberBaseOneInclusive")
    lines, count = _list(arguments, "view_range", "viewRange"), _number(arguments, "limit")
    if len(lines) == 2 and all(type(line) is int for line in lines):
        first, last = lines[0], lines[1] if lines[1] > 0 else None
    elif last is None and count is not None:
        first = 1 if first is None else first
        last = first + count - 1
    return Read(path, first, last)


def read_list(arguments: Arguments) -> Action | None:
    """A folder."""
    path = text_in(arguments, "path", "dir_path", "directory", "dirPath")
    return None if path is None else Read(path, is_folder=True)


def read_several(arguments: Arguments) -> Action | None:
    """Several files at a time."""
    paths = _texts(arguments, "paths", "include", "file_paths", "filePaths")
    return Read(", ".join(paths)) if paths else None


def read_search(arguments: Arguments) -> Action | None:
    """A search in files, by text, by name or by meaning."""
    pattern = text_in(
        arguments, "pattern", "query", "regex", "glob", "globPattern", "search_pattern", "symbolName"
    )
    where = text_in(arguments, "path", "dir_path", "includePattern", "include_pattern", "include", "filePath")
    return None if pattern is None else Search(pattern, where or "")


# --- Commands -------------------------------------------------------------------------------------------

_COMMAND: Final = ("command", "cmd", "script", "commandLine", "code", "input")


def read_command(arguments: Arguments) -> Action | None:
    """A command: a line, or a list of words."""
    value = next((arguments[key] for key in _COMMAND if key in arguments), None)
    about = text_in(arguments, "description", "explanation", "justification") or ""
    if isinstance(value, str):
        return Command(value, about)
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return Command(_shell_line(value), about)
    return None


def read_users_command(arguments: Arguments) -> Action | None:
    """A command that the user ran."""
    found = read_command(arguments)
    return Command(found.line, is_users=True) if isinstance(found, Command) else None


def _shell_line(words: Sequence[str]) -> str:
    """An argument vector as a line; of `bash -lc LINE` the line alone."""
    if len(words) == 3 and words[1] in ("-c", "-lc") and words[0].rpartition("/")[2] in ("bash", "sh", "zsh"):
        return words[2]
    return " ".join(
        word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "'\\''") + "'"
        for word in words
    )


# --- The web --------------------------------------------------------------------------------------------

_URL: Final = re.compile(r"https?://[^\s<>\"')\]]+")


def read_fetch(arguments: Arguments) -> Action | None:
    """A page: its address, or a prompt that contains it."""
    prompt = text_in(arguments, "prompt")
    urls = _texts(arguments, "urls") or [url.rstrip(".,;:") for url in _URL.findall(prompt or "")]
    target = text_in(arguments, "url", "uri") or ", ".join(urls) or prompt
    return Fetch(target) if target else None


def read_web_search(arguments: Arguments) -> Action | None:
    """A search on the web. Where the query is an address, the page was opened."""
    target = text_in(arguments, "query", "q", "search_term") or ", ".join(_texts(arguments, "queries"))
    return Fetch(target, is_search=_URL.fullmatch(target) is None) if target else None


# --- Plans, lists, questions, sub-agents ----------------------------------------------------------------

_DONE: Final = frozenset({"completed", "complete", "done"})
_ACTIVE: Final = frozenset({"in_progress", "in-progress", "inprogress", "active"})
_CHECKBOX: Final = re.compile(r"^[ \t]*[-*+] \[(?P<mark>[ xX~])\] (?P<text>.+)$", re.MULTILINE)


def read_todo(arguments: Arguments) -> Action | None:
    """A to-do list: a list of items, or Markdown with check boxes."""
    listed = _list(arguments, "todos", "plan", "todoList", "items")
    items = [item for one in listed if (item := _item(one)) is not None]
    boxes = _CHECKBOX.finditer(text_in(arguments, "todos", "plan") or "")
    items += [Item(box["text"].strip(), box["mark"] in "xX", box["mark"] == "~") for box in boxes]
    return Todo(tuple(items)) if items else None


def _item(one: Any) -> Item | None:
    text = text_in(one, "content", "step", "title", "description", "text") if isinstance(one, dict) else None
    if text is None:
        return None
    status = str(one.get("status", "")).lower()
    return Item(text, status in _DONE or one.get("done") is True, status in _ACTIVE)


def read_agent(arguments: Arguments) -> Action | None:
    """A sub-agent and its task."""
    prompt = text_in(arguments, "prompt", "message", "task", "objective", "query") or ""
    first_line = next((line.strip() for line in prompt.split("\n", 8) if line.strip()), "")
    title = (
        text_in(arguments, "description", "title", "task_name")
        or first_line
        or text_in(arguments, "name", "nickname", "agent_name", "agentName", "subagent_type", "agent_type")
    )
    return Agent(title, prompt) if title else None


def read_question(arguments: Arguments) -> Action | None:
    """A question to the user, or the first of several."""
    first: Any = next(iter(_list(arguments, "questions")), None)
    text = text_in(arguments, "question", "prompt") or (
        text_in(first, "question", "header", "title") if isinstance(first, dict) else None
    )
    return None if text is None else Question(text)


def read_plan(arguments: Arguments) -> Action | None:
    """A plan, which some tools get as the path of a file."""
    text = text_in(arguments, "plan", "summary")
    if text is None and text_in(arguments, "plan_path", "plan_filename") is not None:
        text = ""
    return None if text is None else Plan(text)


# --- Other tools ----------------------------------------------------------------------------------------


def other(name: str, *keys: str) -> ReadArguments:
    """A tool that is shown by its name and the first of these arguments."""
    return lambda arguments: Other(name, arguments, text_in(arguments, *keys) or "")


def minor(names: Iterable[str]) -> dict[str, ReadArguments]:
    """Tools whose calls a summary leaves out."""

    def read_as(name: str) -> ReadArguments:
        return lambda arguments: Other(name, arguments, is_minor=True)

    return {name.lower(): read_as(name) for name in names}


#: Tools that several assistants have.
TOOLS: Final[Mapping[str, ReadArguments]] = table(
    (read_edit, "Edit MultiEdit replace str_replace edit_file search_replace"),
    (read_write, "Write write_file create_file create write_to_file save_file"),
    (read_editor, "str_replace_editor str_replace_based_edit_tool text_editor"),
    (read_patch, "apply_patch applyPatch"),
    (read_command, "Bash PowerShell shell run_shell_command execute_command run_command terminal"),
    (read_read, "Read read_file readFile view view_image"),
    (read_list, "LS list_dir list_directory"),
    (read_several, "read_many_files"),
    (read_search, "Grep Glob grep_search file_search search_file_content rg"),
    (read_fetch, "WebFetch web_fetch fetch fetch_url"),
    (read_web_search, "WebSearch web_search google_web_search"),
    (read_todo, "TodoWrite todo_write update_plan write_todos"),
    (read_agent, "Task Agent subagent"),
    (read_question, "AskUserQuestion ask_user ask_followup_question"),
    (read_plan, "ExitPlanMode exit_plan_mode"),
)
