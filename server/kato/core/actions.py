"""What tool calls do: a few actions, whatever an assistant calls its tools."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Arguments = Mapping[str, Any]


class Change(Struct, frozen=True):
    """A piece of text that took the place of another."""

    old: str
    new: str


class Edit(Struct, frozen=True):
    """A file that was changed. `diff` is a ready unified diff, for tools that get one; else `changes` holds the pieces.
    `counts` are the lines that were added and removed, where the log states these and no text.
    """

    path: str
    changes: tuple[Change, ...] = ()
    diff: str = ""
    counts: tuple[int, int] | None = None


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
    """A shell command; `about` is the assistant's own line on it. `is_users`: the user ran it, not the assistant."""

    line: str
    about: str = ""
    is_users: bool = False


class Read(Struct, frozen=True):
    """A file that was read, or a folder that was listed; `first` and `last` are line numbers from 1."""

    path: str
    first: int | None = None
    last: int | None = None
    is_folder: bool = False


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
    """A call of any other tool; `about` describes it in a line. `is_minor`: it looked at what the assistant itself started, or
    said what comes next. A summary leaves it out.
    """

    name: str
    arguments: Arguments
    about: str = ""
    is_minor: bool = False


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


def lines_changed(action: Edit | NewFile | Deleted) -> tuple[int, int]:
    """How many lines an action added and removed. A line that only moved inside a change counts as neither."""
    if isinstance(action, NewFile):
        return _line_count(action.text), 0
    if isinstance(action, Deleted):
        return 0, 0
    if action.counts is not None:
        return action.counts
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
    if not old or not new:  # a piece that was inserted or removed: no lines to compare
        return _line_count(new), _line_count(old)
    if "\n" not in old and "\n" not in new:  # most other edits
        return (0, 0) if old == new else (1, 1)
    before, after = _lines(old), _lines(new)
    if len(before) <= 1 or len(after) <= 1:
        same = len(set(before) & set(after))
        return len(after) - same, len(before) - same
    counted, other = Counter(before), Counter(after)
    return sum((other - counted).values()), sum((counted - other).values())


def _line_count(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n")) if text else 0


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []
