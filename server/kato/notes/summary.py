"""What an assistant did in a turn, in one folded block.

    <details>
    <summary>Edited 1 file (+1 −1), read 3 files, ran 2 commands (1 failed)</summary>

    - Edited `src/app.py` (+1 −1)
    - Ran `pytest -q` (exit 1)

    </details>

A turn ends with the assistant's final message, or with the user's next message. Until then the transcript's state holds what
was done, as short lines (`Done`), so that another process can continue the recording.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Literal

from msgspec import Struct

from kato.core.actions import (
    Action,
    Agent,
    Command,
    Deleted,
    Edit,
    Fetch,
    NewFile,
    Other,
    Patch,
    Question,
    Read,
    Search,
    Todo,
    lines_changed,
)
from kato.core.events import ToolOutcome
from kato.notes.markup import code_span, cut, details

Family = Literal[
    "edit", "create", "delete", "run", "users_run", "read", "list", "search", "fetch", "web", "agent", "question",
    "todo", "other",
]  # fmt: skip
#: The families of actions that change files.
CHANGES: Final = frozenset({"edit", "create", "delete"})
#: Lines of a block. Further actions are only counted.
LINES_MAX: Final = 100
_HEADLINE_CHARS_MAX: Final = 400


class Done(Struct, array_like=True, omit_defaults=True):
    """One thing that was done: a line of the block. `added` and `removed` count lines of a file."""

    call_id: str
    family: Family
    label: str
    added: int = 0
    removed: int = 0
    outcome: ToolOutcome | None = None
    exit_code: int | None = None
    where: str = ""


Mask = Callable[[str], str]


def done(call_id: str, action: Action, folder: str, mask: Mask = str) -> Sequence[Done]:
    """What an action adds to the block; plans have a block of their own. Paths in `folder` are shown relative to it. `mask` takes
    the secrets out of a text before it is cut.
    """
    rule = _RULES.get(type(action))
    return () if rule is None else rule(call_id, action, folder, mask)


def _edit(call_id: str, action: Edit, folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "edit", mask(shown_path(action.path, folder)), *lines_changed(action)),)


def _create(call_id: str, action: NewFile, folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "create", mask(shown_path(action.path, folder)), *lines_changed(action)),)


def _delete(call_id: str, action: Deleted, folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "delete", mask(shown_path(action.path, folder))),)


def _patch(call_id: str, action: Patch, folder: str, mask: Mask) -> Sequence[Done]:
    return [one for file in action.files for one in done(call_id, file, folder, mask)]


def _run(call_id: str, action: Command, _folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "users_run" if action.is_users else "run", cut(mask(action.line))),)


def _read(call_id: str, action: Read, folder: str, mask: Mask) -> Sequence[Done]:
    family: Family = "list" if action.is_folder else "read"
    return (Done(call_id, family, mask(shown_path(action.path, folder)), where=line_range(action)),)


def _search(call_id: str, action: Search, folder: str, mask: Mask) -> Sequence[Done]:
    where = cut(mask(shown_path(action.path, folder))) if action.path else ""
    return (Done(call_id, "search", cut(mask(action.pattern)), where=where),)


def _fetch(call_id: str, action: Fetch, _folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "web" if action.is_search else "fetch", cut(mask(action.target))),)


def _agent(call_id: str, action: Agent, _folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "agent", cut(mask(action.title))),)


def _question(call_id: str, action: Question, _folder: str, mask: Mask) -> Sequence[Done]:
    return (Done(call_id, "question", cut(mask(action.text))),)


def _todo(call_id: str, action: Todo, _folder: str, _mask: Mask) -> Sequence[Done]:
    finished = sum(item.is_done for item in action.items)
    return (Done(call_id, "todo", f"{finished} of {len(action.items)}"),)


def _other(call_id: str, action: Other, _folder: str, mask: Mask) -> Sequence[Done]:
    if action.is_minor:
        return ()
    return (Done(call_id, "other", cut(action.name), where=cut(mask(about_of(action)))),)


#: What an action adds to the block, by its type.
_RULES: Final[Mapping[type, Callable[[str, Any, str, Mask], Sequence[Done]]]] = {
    Edit: _edit, NewFile: _create, Deleted: _delete, Patch: _patch, Command: _run, Read: _read, Search: _search,
    Fetch: _fetch, Agent: _agent, Question: _question, Todo: _todo, Other: _other,
}  # fmt: skip


def changed_files(action: Action, folder: str) -> Iterator[str]:
    """The files that an action changes, as they are shown."""
    if isinstance(action, Patch):
        for file in action.files:
            yield shown_path(file.path, folder)
    elif isinstance(action, (Edit, NewFile, Deleted)):
        yield shown_path(action.path, folder)


def about_of(action: Other) -> str:
    """The line that describes a call of a tool that Kato does not know."""
    given = action.arguments.get("description")
    return action.about or (given if isinstance(given, str) else "")


def shown_path(path: str, folder: str) -> str:
    """A path relative to the session's folder, if it lies in it."""
    if folder and path.startswith(folder) and path[len(folder) : len(folder) + 1] in ("/", "\\"):
        return path[len(folder) + 1 :]
    return path


def line_range(action: Read) -> str:
    """`lines 5–20`, as far as the call named them."""
    first, last = action.first, action.last
    if last is not None:
        return f"lines {1 if first is None else first}–{last}"
    return f"from line {first}" if first is not None and first > 1 else ""


def block(all_done: Sequence[Done], omitted: int) -> str:
    """The block; "" if nothing was done. `omitted` counts what is not in the list."""
    if not all_done:
        return ""
    of_families: dict[Family, list[Done]] = {}
    for one in all_done:
        of_families.setdefault(one.family, []).append(one)
    phrases = [rule(of_families[family]) for family, rule in _PHRASES.items() if family in of_families]
    if omitted:
        phrases.append(f"{omitted:,} more")
    if "todo" in of_families:
        all_done = _with_latest_todo(all_done, of_families["todo"][-1])
    headline = ", ".join(phrases)
    return details(headline[:1].upper() + headline[1:], "\n".join(_lines(all_done)), _HEADLINE_CHARS_MAX)


def _lines(all_done: Sequence[Done]) -> Iterator[str]:
    """The list; the same line several times in a row is one."""
    for line, same in groupby(map(_line, all_done)):
        times = sum(1 for _ in same)
        yield f"- {line}" if times == 1 else f"- {line} ({times} times)"


def _with_latest_todo(all_done: Sequence[Done], latest: Done) -> Sequence[Done]:
    """Leaves out all versions of a to-do list but the last."""
    return [one for one in all_done if one.family != "todo" or one is latest]


# --- The first line -------------------------------------------------------------------------------------

Phrase = Callable[[Sequence[Done]], str]


def _count(number: int, noun: str) -> str:
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def _files(verb: str, noun: str = "file") -> Phrase:
    """`edited 2 files (+3 −1)`. A file counts once, and as failed only if no call to it went well."""

    def phrase(some: Sequence[Done]) -> str:
        went_well, added, removed = set(), 0, 0
        for one in some:
            if one.outcome is None or one.outcome == "ok":
                went_well.add(one.label)
                added += one.added
                removed += one.removed
        bad = {one.label: one for one in some if one.label not in went_well}
        notes = [changed(added, removed), *_failures(bad.values())]
        return f"{verb} {_count(len(went_well) + len(bad), noun)}{_in_brackets(notes)}"

    return phrase


def _times(verb: str, noun: str) -> Phrase:
    """`ran 2 commands (1 failed)`."""
    return lambda some: f"{verb} {_count(len(some), noun)}{_in_brackets(_failures(some))}"


#: The parts of the first line, in their order.
_PHRASES: Final[Mapping[Family, Phrase]] = {
    "edit": _files("edited"),
    "create": _files("created"),
    "delete": _files("deleted"),
    "read": _files("read"),
    "list": _files("listed", "folder"),
    "run": _times("ran", "command"),
    "users_run": lambda some: f"you ran {_count(len(some), 'command')}{_in_brackets(_failures(some))}",
    "search": _times("made", "search"),
    "fetch": _times("fetched", "page"),
    "web": _times("made", "web search"),
    "agent": _times("started", "sub-agent"),
    "question": _times("asked", "question"),
    "todo": lambda _: "updated the to-do list",
    "other": _times("made", "other call"),
}


def changed(added: int, removed: int) -> str:
    """`+3 −1`."""
    if added and removed:
        return f"+{added:,} −{removed:,}"
    return f"+{added:,}" if added else f"−{removed:,}" if removed else ""


def _failures(some: Iterable[Done]) -> list[str]:
    failed = denied = 0
    for one in some:
        failed += one.outcome == "error"
        denied += one.outcome == "denied"
    return [*([f"{failed:,} failed"] if failed else []), *([f"{denied:,} denied"] if denied else [])]


def _in_brackets(notes: Sequence[str]) -> str:
    known = [note for note in notes if note]
    return f" ({', '.join(known)})" if known else ""


# --- The list -------------------------------------------------------------------------------------------

_VERBS: Final[dict[Family, str]] = {
    "edit": "Edited", "create": "Created", "delete": "Deleted", "run": "Ran",
    "users_run": "You ran", "read": "Read", "list": "Listed", "search": "Searched for",
    "fetch": "Fetched", "web": "Searched the web for", "agent": "Sub-agent:", "question": "Question:", "other": "Used",
}  # fmt: skip


def _line(one: Done) -> str:
    family = one.family
    if family == "todo":
        return f"To-do list: {one.label} done"
    return f"{_VERBS[family]} {code_span(one.label)}{_where(one) if one.where else ''}{_how(one)}"


def _where(one: Done) -> str:
    if one.family == "search":
        return f" in {code_span(one.where)}"
    return f", {one.where}" if one.family == "read" else f": {code_span(one.where)}"


def _how(one: Done) -> str:
    lines, ending = changed(one.added, one.removed), how_it_ended(one.outcome, one.exit_code)
    if lines and ending:
        return f" ({lines}, {ending})"
    return f" ({lines or ending})" if lines or ending else ""


def how_it_ended(outcome: ToolOutcome | None, exit_code: int | None) -> str:
    """`exit 1`, `failed` or `denied`; "" for what went well."""
    if outcome == "denied":
        return "denied"
    if exit_code:
        return f"exit {exit_code}"
    return "failed" if outcome == "error" else ""
