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
from typing import Final, Literal

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


def done(call_id: str, action: Action, folder: str, mask: Callable[[str], str] = str) -> Iterator[Done]:
    """What an action adds to the block; plans have a block of their own. Paths in `folder` are shown relative to it. `mask` takes
    the secrets out of a text before it is cut.
    """
    if isinstance(action, Patch):
        for file in action.files:
            yield from done(call_id, file, folder, mask)
    elif isinstance(action, Edit):
        yield Done(call_id, "edit", mask(shown_path(action.path, folder)), *lines_changed(action))
    elif isinstance(action, NewFile):
        yield Done(call_id, "create", mask(shown_path(action.path, folder)), *lines_changed(action))
    elif isinstance(action, Deleted):
        yield Done(call_id, "delete", mask(shown_path(action.path, folder)))
    elif isinstance(action, Command):
        yield Done(call_id, "users_run" if action.is_users else "run", cut(mask(action.line)))
    elif isinstance(action, Read):
        family: Family = "list" if action.is_folder else "read"
        yield Done(call_id, family, mask(shown_path(action.path, folder)), where=line_range(action))
    elif isinstance(action, Search):
        where = cut(mask(shown_path(action.path, folder))) if action.path else ""
        yield Done(call_id, "search", cut(mask(action.pattern)), where=where)
    elif isinstance(action, Fetch):
        yield Done(call_id, "web" if action.is_search else "fetch", cut(mask(action.target)))
    elif isinstance(action, Agent):
        yield Done(call_id, "agent", cut(mask(action.title)))
    elif isinstance(action, Question):
        yield Done(call_id, "question", cut(mask(action.text)))
    elif isinstance(action, Todo):
        finished = sum(item.is_done for item in action.items)
        yield Done(call_id, "todo", f"{finished} of {len(action.items)}")
    elif isinstance(action, Other) and not action.is_minor:
        yield Done(call_id, "other", cut(action.name), where=cut(mask(about_of(action))))


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
    headline = ", ".join(phrases)
    return details(headline[:1].upper() + headline[1:], "\n".join(_lines(all_done)), _HEADLINE_CHARS_MAX)


def _lines(all_done: Sequence[Done]) -> Iterator[str]:
    """The list; the same line several times in a row is one."""
    for line, same in groupby(map(_line, _latest_todo(all_done))):
        times = len(list(same))
        yield f"- {line}" if times == 1 else f"- {line} ({times} times)"


def _latest_todo(all_done: Sequence[Done]) -> Iterator[Done]:
    """Leaves out all versions of a to-do list but the last."""
    last = max((number for number, one in enumerate(all_done) if one.family == "todo"), default=-1)
    return (one for number, one in enumerate(all_done) if one.family != "todo" or number == last)


# --- The first line -------------------------------------------------------------------------------------

Phrase = Callable[[Sequence[Done]], str]


def _count(number: int, noun: str) -> str:
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def _files(verb: str, noun: str = "file") -> Phrase:
    """`edited 2 files (+3 −1)`. A file counts once, and as failed only if no call to it went well."""

    def phrase(some: Sequence[Done]) -> str:
        good = [one for one in some if one.outcome in (None, "ok")]
        went_well = {one.label for one in good}
        bad = {one.label: one for one in some if one.label not in went_well}
        lines = changed(sum(one.added for one in good), sum(one.removed for one in good))
        notes = [lines, *_failures(bad.values())]
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
    "other": _times("used", "other tool"),
}


def changed(added: int, removed: int) -> str:
    """`+3 −1`."""
    return " ".join(
        part for part in (f"+{added:,}" if added else "", f"−{removed:,}" if removed else "") if part
    )


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
    "fetch": "Fetched", "web": "Searched the web for", "other": "Used",
}  # fmt: skip


def _line(one: Done) -> str:
    notes = [changed(one.added, one.removed), how_it_ended(one.outcome, one.exit_code)]
    if one.family == "todo":
        return f"To-do list: {one.label} done"
    if one.family in ("agent", "question"):
        noun = "Sub-agent" if one.family == "agent" else "Question"
        return f"{noun}: {code_span(one.label)}{_in_brackets(notes)}"
    where = ""
    if one.where:
        where = (
            f" in {code_span(one.where)}"
            if one.family == "search"
            else f", {one.where}"
            if one.family == "read"
            else f": {code_span(one.where)}"
        )
    return f"{_VERBS[one.family]} {code_span(one.label)}{where}{_in_brackets(notes)}"


def how_it_ended(outcome: ToolOutcome | None, exit_code: int | None) -> str:
    """`exit 1`, `failed` or `denied`; "" for what went well."""
    if outcome == "denied":
        return "denied"
    if exit_code:
        return f"exit {exit_code}"
    return "failed" if outcome == "error" else ""
