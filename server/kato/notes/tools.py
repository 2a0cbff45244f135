"""What a tool call did: its name and arguments, as any assistant writes them, become one of a few actions.

    (name, arguments) ──► action: Edit, NewFile, Command, Read, Search, Fetch, Todo, Agent, Question, Plan, Other

`TOOLS` declares which function reads a tool's arguments. An assistant whose tools have other names adds rows with
`Assistant.tools`. A call whose arguments do not have the expected form becomes `Other`: nothing is guessed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

Arguments = Mapping[str, Any]


class Change(Struct, frozen=True):
    """A piece of text that took the place of another."""

    old: str
    new: str


class Edit(Struct, frozen=True):
    """A file that was changed. `diff` is a ready unified diff, for tools that get one; else `changes` holds the pieces."""

    path: str
    changes: tuple[Change, ...] = ()
    diff: str = ""


class Patch(Struct, frozen=True):
    """Several files that one call changed, created or deleted."""

    files: tuple["Edit | NewFile | Deleted", ...]


class NewFile(Struct, frozen=True):
    """A file that was written whole."""

    path: str
    text: str


class Deleted(Struct, frozen=True):
    """A file that was deleted."""

    path: str


class Command(Struct, frozen=True):
    """A shell command; `about` is the assistant's own line on it."""

    line: str
    about: str = ""


class Read(Struct, frozen=True):
    """A file, or a folder's listing, that was read; `first` and `last` are line numbers from 1."""

    path: str
    first: int | None = None
    last: int | None = None


class Search(Struct, frozen=True):
    """A search in files, by text or by name."""

    pattern: str
    path: str = ""


class Fetch(Struct, frozen=True):
    """A page that was fetched, or a search on the web."""

    target: str
    is_search: bool = False


class Item(Struct, frozen=True):
    """A line of a to-do list."""

    text: str
    is_done: bool = False
    is_active: bool = False


class Todo(Struct, frozen=True):
    """A to-do list as it stands after the call."""

    items: tuple[Item, ...]


class Agent(Struct, frozen=True):
    """A sub-agent that was started."""

    title: str
    prompt: str = ""


class Question(Struct, frozen=True):
    """A question to the user. The answer is a decision of its own."""

    text: str


class Plan(Struct, frozen=True):
    """A plan for the user to accept. The plan and the answer are a decision of its own."""

    text: str


class Other(Struct, frozen=True):
    """A tool that Kato knows nothing about."""

    name: str
    arguments: Arguments


Action = (
    Edit
    | Patch
    | NewFile
    | Deleted
    | Command
    | Read
    | Search
    | Fetch
    | Todo
    | Agent
    | Question
    | Plan
    | Other
)
#: Reads a tool's arguments; None if they do not have the expected form.
ReadArguments = Callable[[Arguments], Action | None]


def action_of(name: str, arguments: Arguments, extra: Mapping[str, ReadArguments] | None = None) -> Action:
    """What a call did. `extra` is asked before `TOOLS`; names count without their case."""
    lowered = name.lower()
    read = (extra or {}).get(lowered) or TOOLS.get(lowered)
    found = None if read is None else read(arguments)
    return Other(name, arguments) if found is None else found


# --- Arguments ------------------------------------------------------------------------------------------


def _text(arguments: Arguments, *keys: str) -> str | None:
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


_PATH: Final = (
    "file_path",
    "filePath",
    "path",
    "absolute_path",
    "notebook_path",
    "target_file",
    "uri",
    "filename",
)
_OLD: Final = ("old_string", "oldString", "old_str", "oldText", "search")
_NEW: Final = ("new_string", "newString", "new_str", "newText", "replace", "new_source", "code", "content")

#: A list of replacements.
_SEVERAL: Final = ("edits", "replacements", "changes")


def _change(arguments: Any) -> Change | None:
    if not isinstance(arguments, dict):
        return None
    old, new = _text(arguments, *_OLD), _text(arguments, *_NEW)
    return None if new is None else Change(old or "", new)


def _edit(arguments: Arguments) -> Action | None:
    """One replacement (`old_string`, `new_string`) or a list of them (`edits`, `replacements`)."""
    path, change = _text(arguments, *_PATH), _change(arguments)
    if path is not None and change is not None:
        return Edit(path, (change,))
    several: list[Any] = next(
        (arguments[key] for key in _SEVERAL if isinstance(arguments.get(key), list)), []
    )
    changes = tuple(one for one in map(_change, several) if one is not None)
    if path is None:
        path = next((_text(one, *_PATH) for one in several if isinstance(one, dict)), None)
    return Edit(path, changes) if path is not None and changes else None


def _write(arguments: Arguments) -> Action | None:
    path, text = _text(arguments, *_PATH), _text(arguments, "content", "file_text", "text", "contents")
    return None if path is None or text is None else NewFile(path, text)


def _editor(arguments: Arguments) -> Action | None:
    """A tool of several commands, such as `str_replace_editor`."""
    command = arguments.get("command")
    if command == "view":
        return _read(arguments)
    return _write(arguments) if command == "create" else _edit(arguments)


def _command(arguments: Arguments) -> Action | None:
    value = next(
        (arguments[key] for key in ("command", "cmd", "script", "commandLine") if key in arguments), None
    )
    about = _text(arguments, "description", "explanation", "justification") or ""
    if isinstance(value, str):
        return Command(value, about)
    if isinstance(value, Sequence) and all(isinstance(word, str) for word in value):
        return Command(_shell_line(value), about)
    return None


def _shell_line(words: Sequence[str]) -> str:
    """An argument vector as a line; of `bash -lc LINE` the line alone."""
    if len(words) == 3 and words[1] in ("-c", "-lc") and words[0].rpartition("/")[2] in ("bash", "sh", "zsh"):
        return words[2]
    return " ".join(
        word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "'\\''") + "'"
        for word in words
    )


def _read(arguments: Arguments) -> Action | None:
    path = _text(arguments, *_PATH, "dir_path", "directory")
    if path is None:
        return None
    first = _number(arguments, "startLine", "start_line", "offset", "startLineNumberBaseOne")
    last = _number(arguments, "endLine", "end_line", "endLineNumberBaseOneInclusive")
    count = _number(arguments, "limit")
    if last is None and count is not None:
        first = 1 if first is None else first
        last = first + count - 1
    return Read(path, first, last)


def _search(arguments: Arguments) -> Action | None:
    pattern = _text(arguments, "pattern", "query", "regex", "glob", "globPattern", "search_pattern")
    where = _text(arguments, "path", "dir_path", "includePattern", "include")
    return None if pattern is None else Search(pattern, where or "")


def _fetch(arguments: Arguments) -> Action | None:
    urls = arguments.get("urls")
    first = next((url for url in urls if isinstance(url, str)), None) if isinstance(urls, list) else None
    target = _text(arguments, "url", "uri") or first or _text(arguments, "prompt")
    return None if target is None else Fetch(target)


def _web_search(arguments: Arguments) -> Action | None:
    queries = arguments.get("queries")
    first = (
        next((query for query in queries if isinstance(query, str)), None)
        if isinstance(queries, list)
        else None
    )
    target = _text(arguments, "query", "q", "search_term") or first
    return None if target is None else Fetch(target, is_search=True)


_DONE: Final = frozenset({"completed", "complete", "done"})
_ACTIVE: Final = frozenset({"in_progress", "in-progress", "inprogress", "active"})


def _todo(arguments: Arguments) -> Action | None:
    given = next(
        (
            arguments[key]
            for key in ("todos", "plan", "todoList", "items")
            if isinstance(arguments.get(key), list)
        ),
        None,
    )
    if given is None:
        return None
    items = []
    for one in given:
        text = (
            _text(one, "content", "step", "title", "description", "text") if isinstance(one, dict) else None
        )
        if text is not None:
            status = str(one.get("status", "")).lower()
            items.append(Item(text, status in _DONE or one.get("done") is True, status in _ACTIVE))
    return Todo(tuple(items)) if items else None


def _agent(arguments: Arguments) -> Action | None:
    title = _text(arguments, "description", "title", "name", "subagent_type", "agentName")
    prompt = _text(arguments, "prompt", "message", "task", "objective") or ""
    return Agent(title or prompt.partition("\n")[0], prompt) if title or prompt else None


def _question(arguments: Arguments) -> Action | None:
    questions = arguments.get("questions")
    first = (
        next((one for one in questions if isinstance(one, dict)), None)
        if isinstance(questions, list)
        else None
    )
    text = _text(arguments, "question", "prompt") or (
        None if first is None else _text(first, "question", "header", "title")
    )
    return None if text is None else Question(text)


def _plan(arguments: Arguments) -> Action | None:
    text = _text(arguments, "plan", "summary")
    return None if text is None else Plan(text)


# --- Patches --------------------------------------------------------------------------------------------

_SECTION: Final = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+)$")
_MOVED: Final = re.compile(r"^\*\*\* Move to: (.+)$")


def _patch(arguments: Arguments) -> Action | None:
    """The patch format of `apply_patch`: sections of files, each with lines that begin with `+`, `-` or a blank."""
    text = _text(arguments, "input", "patch", "diff", "patchText")
    if text is None:
        return None
    files = tuple(_sections(text))
    if len(files) == 1:
        return files[0]
    return Patch(files) if files else None


def _sections(text: str) -> Iterator[Edit | NewFile | Deleted]:
    kind, path, lines = "", "", []  # type: str, str, list[str]
    for line in [*text.split("\n"), "*** End Patch"]:
        found = _SECTION.match(line.rstrip("\r"))
        if found is None and not line.startswith("*** End Patch"):
            moved = _MOVED.match(line)
            if moved is not None:
                path = moved[1].strip()
            elif kind and line != "*** End of File":
                lines.append(line)
            continue
        if kind == "Add":
            yield NewFile(path, "\n".join(line[1:] for line in lines if line.startswith("+")) + "\n")
        elif kind == "Update":
            yield Edit(path, diff="\n".join(lines).strip("\n"))
        elif kind == "Delete":
            yield Deleted(path)
        kind, path, lines = ("", "", []) if found is None else (found[1], found[2].strip(), [])


def _rows(read: ReadArguments, *names: str) -> dict[str, ReadArguments]:
    return {name.lower(): read for name in names}


#: The tools of Claude Code, Codex, Gemini CLI and Copilot, and those of others with the same arguments, by the name in lower case.
TOOLS: Final[Mapping[str, ReadArguments]] = {
    **_rows(_edit, "Edit", "MultiEdit", "NotebookEdit", "replace", "replace_string_in_file", "insert_edit_into_file"),
    **_rows(_edit, "multi_replace_string_in_file", "str_replace", "edit_file", "search_replace", "edit_notebook_file"),
    **_rows(_write, "Write", "write_file", "create_file", "create", "write_to_file", "save_file"),
    **_rows(_editor, "str_replace_editor", "str_replace_based_edit_tool", "text_editor"),
    **_rows(_patch, "apply_patch", "applyPatch"),
    **_rows(_command, "Bash", "exec_command", "shell", "local_shell", "container.exec", "run_shell_command", "run_in_terminal"),
    **_rows(_command, "bash", "powershell", "execute_command", "run_command", "terminal", "shell_command", "unified_exec"),
    **_rows(_read, "Read", "read_file", "readFile", "view", "view_image", "NotebookRead", "LS", "list_dir", "list_directory"),
    **_rows(_search, "Grep", "Glob", "grep_search", "file_search", "search_file_content", "semantic_search", "glob", "rg"),
    **_rows(_fetch, "WebFetch", "web_fetch", "fetch_webpage", "fetch", "fetch_url", "url_context"),
    **_rows(_web_search, "WebSearch", "web_search", "google_web_search"),
    **_rows(_todo, "TodoWrite", "update_plan", "write_todos", "manage_todo_list", "todo_write", "update_todo"),
    **_rows(_agent, "Task", "Agent", "spawn_agent", "runSubagent", "delegate_to_agent", "subagent", "codebase_investigator"),
    **_rows(_question, "AskUserQuestion", "ask_user", "request_user_input", "vscode_askQuestions", "ask_followup_question"),
    **_rows(_plan, "ExitPlanMode", "exit_plan_mode"),
}  # fmt: skip


# --- Counting -------------------------------------------------------------------------------------------


def lines_changed(action: Edit | NewFile | Deleted) -> tuple[int, int]:
    """How many lines an action added and removed. A line that only moved inside a change counts as neither."""
    if isinstance(action, NewFile):
        return len(_lines(action.text)), 0
    if isinstance(action, Deleted):
        return 0, 0
    if action.diff:
        lines = action.diff.split("\n")
        added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
        return added, sum(line.startswith("-") and not line.startswith("---") for line in lines)
    added = removed = 0
    for change in action.changes:
        more, fewer = _lines_between(change.old, change.new)
        added, removed = added + more, removed + fewer
    return added, removed


def _lines_between(old: str, new: str) -> tuple[int, int]:
    """The lines that only `new` has, and those that only `old` has."""
    if "\n" not in old and "\n" not in new:  # most edits
        return (0, 0) if old == new else (int(new != ""), int(old != ""))
    before, after = _lines(old), _lines(new)
    if len(before) <= 1 or len(after) <= 1:
        same = len(set(before) & set(after))
        return len(after) - same, len(before) - same
    counted, other = Counter(before), Counter(after)
    return sum((other - counted).values()), sum((counted - other).values())


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []
