"""Tool calls in full: a renderer for each kind of action, the call and its result in one folded block.

`RENDERERS` declares them. A renderer returns the block's first line (text) and its body (Markdown that closes everything it
opens). An empty body gives a single line instead of a folded block.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from kato.core.actions import (
    Action,
    Agent,
    Change,
    Command,
    Deleted,
    Edit,
    Fetch,
    NewFile,
    Other,
    Patch,
    Plan,
    Question,
    Read,
    Search,
    Todo,
    lines_changed,
)
from kato.core.events import ToolOutcome
from kato.notes.markup import (
    code_span,
    cut,
    details,
    fenced,
    head_and_tail,
    language_of,
    literal,
    normalised,
    prose,
    quoted,
    table,
    trimmed,
)
from kato.notes.summary import about_of, changed, how_it_ended, line_range, shown_path

#: Lines that are compared, which takes quadratic time. A larger change is shown as all old and all new lines.
_DIFF_LINES_MAX: Final = 2_000
#: A line that shows a picture from the note's folder of images, or a placeholder.
_PICTURE: Final = re.compile(
    r"^(?:!\[image\]\([^()\s]+\)|\[(?:image|document)(?:: [^\]\n]*)?\])$", re.MULTILINE
)


class Result(Struct, frozen=True):
    """The result of a call. `text` is None while there is no result."""

    text: str | None = None
    outcome: ToolOutcome | None = None
    exit_code: int | None = None


class Style(Struct, frozen=True):
    """`lines_max`: lines of an output or a file that are shown, 0 for all. Paths in `folder` are shown relative to it."""

    lines_max: int = 0
    folder: str = ""


Parts = tuple[str, str]
Render = Callable[[Any, Result, Style], Parts]


def block(action: Action, result: Result, style: Style) -> str:
    """A call with its result, without the blank lines around it."""
    line, body = RENDERERS[type(action)](action, result, style)
    ended = how_it_ended(result.outcome, result.exit_code)
    line = f"{line} ({ended})" if ended else line
    if ended and not isinstance(action, _WITH_OUTPUT):
        body = _with_output(body, result, style)  # why it failed
    return details(line, body) if body else f"*{literal(cut(line))}*"


def late(line: str, result: Result, style: Style) -> str:
    """A result whose call is shown further up."""
    return details(f"Result: {line}", _with_output("", result, style) or "(empty)")


def first_line(action: Action, style: Style) -> str:
    """The first line of a call's block, cut."""
    return cut(RENDERERS[type(action)](action, Result(), style)[0])


# --- Results --------------------------------------------------------------------------------------------


def _with_output(body: str, result: Result, style: Style, language: str = "") -> str:
    """The body with the result's text below it, pictures as pictures."""
    text = normalised(result.text or "").rstrip()
    pictures = _PICTURE.findall(text)
    if pictures:
        text = _PICTURE.sub("", text).strip("\n")
    parts = [body, fenced(head_and_tail(text, style.lines_max), language) if text.strip() else "", *pictures]
    return "\n\n".join(part for part in parts if part)


# --- Files ----------------------------------------------------------------------------------------------


def _edit(action: Edit, _: Result, style: Style) -> Parts:
    path = shown_path(action.path, style.folder)
    diff = action.diff or "\n".join(filter(None, map(_hunk, action.changes)))
    counts = changed(*lines_changed(action))
    line = f"Edited {path} ({counts})" if counts else f"Edited {path}"
    if not diff:
        return line, ""
    return line, fenced(f"--- {path}\n+++ {path}\n{head_and_tail(normalised(diff), style.lines_max)}", "diff")


def _hunk(change: Change) -> str:
    """The change as a hunk of a unified diff without line numbers, because its place in the file is not known."""
    old, new = _lines(change.old), _lines(change.new)
    if old == new:
        return ""
    if not old or not new or len(old) + len(new) > _DIFF_LINES_MAX:
        return "\n".join(["@@", *(f"-{line}" for line in old), *(f"+{line}" for line in new)])
    from difflib import unified_diff  # noqa: PLC0415 - 0.2 MB, for edits in full alone

    lines = list(unified_diff(old, new, lineterm="", n=3))[2:]
    return "\n".join("@@" if line.startswith("@@") else line for line in lines)


def _lines(text: str) -> list[str]:
    return normalised(text).removesuffix("\n").split("\n") if text else []


def _new_file(action: NewFile, _: Result, style: Style) -> Parts:
    path = shown_path(action.path, style.folder)
    text = normalised(action.text).rstrip("\n")
    counts = changed(*lines_changed(action))
    body = fenced(head_and_tail(text, style.lines_max), language_of(path)) if text else "(empty)"
    return (f"Created {path} ({counts})" if counts else f"Created {path}"), body


def _deleted(action: Deleted, _: Result, style: Style) -> Parts:
    return f"Deleted {shown_path(action.path, style.folder)}", ""


def _patch(action: Patch, result: Result, style: Style) -> Parts:
    parts = [RENDERERS[type(file)](file, result, style) for file in action.files]
    body = "\n\n".join(text for line, inner in parts for text in (f"**{prose(line)}**", inner) if text)
    return f"Changed {len(parts)} files", body


def _read(action: Read, _: Result, style: Style) -> Parts:
    where = line_range(action)
    path = shown_path(action.path, style.folder)
    verb = "Listed" if action.is_folder else "Read"
    return (f"{verb} {path}, {where}" if where else f"{verb} {path}"), ""


# --- Commands, searches, the web ------------------------------------------------------------------------


def _command(action: Command, result: Result, style: Style) -> Parts:
    output = normalised(result.text or "").rstrip()
    pictures = _PICTURE.findall(output)
    if pictures:
        output = _PICTURE.sub("", output).strip("\n")
    typed = "$ " + normalised(action.line).strip().replace("\n", "\n> ")
    shown = head_and_tail(output, style.lines_max)
    console = fenced(f"{typed}\n{shown}" if shown.strip() else typed, "console")
    verb = "You ran" if action.is_users else "Ran"
    return (cut(action.about) or f"{verb} {cut(action.line)}"), "\n\n".join([console, *pictures])


def _search(action: Search, result: Result, style: Style) -> Parts:
    where = f" in {shown_path(action.path, style.folder)}" if action.path else ""
    return f"Searched for {action.pattern}{where}", _with_output("", result, style)


def _fetch(action: Fetch, result: Result, style: Style) -> Parts:
    verb = "Searched the web for" if action.is_search else "Fetched"
    return f"{verb} {action.target}", _with_output("", result, style)


# --- Plans, lists, questions, sub-agents ----------------------------------------------------------------


def _todo(action: Todo, _: Result, __: Style) -> Parts:
    lines = []
    for item in action.items:
        text = prose(item.text)
        lines.append(
            f"- [{'x' if item.is_done else ' '}] {f'**{text}**' if item.is_active and text else text}"
        )
    finished = sum(item.is_done for item in action.items)
    return f"To-do list: {finished} of {len(action.items)} done", "\n".join(lines)


def _agent(action: Agent, result: Result, style: Style) -> Parts:
    prompt = quoted(action.prompt) if action.prompt.strip() else ""
    text = normalised(result.text or "").strip()
    answer = quoted(head_and_tail(text, style.lines_max)) if text else ""
    parts = [prompt and f"Prompt:\n\n{prompt}", answer and f"Answer:\n\n{answer}"]
    return f"Sub-agent: {action.title}", "\n\n".join(part for part in parts if part)


def _question(action: Question, result: Result, style: Style) -> Parts:
    return f"Asked: {action.text}", _with_output("", result, style)


def _plan(action: Plan, _: Result, __: Style) -> Parts:
    return "Proposed a plan", quoted(action.text) if action.text.strip() else ""


# --- Anything else --------------------------------------------------------------------------------------


def _other(action: Other, result: Result, style: Style) -> Parts:
    """The arguments as a table. Those that a cell cannot show as they are stand below it, each text once."""
    rows: list[tuple[str, str]] = []
    below: dict[tuple[str, str], str] = {}
    for name, value in action.arguments.items():
        key, (text, language) = code_span(str(name)), _argument(value)
        if text == cut(text):
            rows.append((key, code_span(text) if text else ""))
        elif (text, language) in below:
            rows.append((key, f"the same as {below[text, language]}"))
        else:
            below[text, language] = key
    parts = [table(("argument", "value"), rows) if rows else ""]
    for (text, language), key in below.items():
        parts.append(f"{key}:\n\n{fenced(head_and_tail(text, style.lines_max), language)}")
    about = cut(about_of(action))
    line = f"{action.name}: {about}" if about else action.name
    return line, _with_output("\n\n".join(part for part in parts if part), result, style)


def _argument(value: Any) -> tuple[str, str]:
    """An argument as text, with the language of that text."""
    if isinstance(value, str):
        return trimmed(normalised(value)), ""
    text = msgspec.json.encode(value).decode()
    return (text if text == cut(text) else msgspec.json.format(text, indent=2)), "json"


#: Actions whose renderer shows the result.
_WITH_OUTPUT: Final = (Command, Search, Fetch, Agent, Question, Other)
RENDERERS: Final[Mapping[type, Render]] = {
    Edit: _edit,
    NewFile: _new_file,
    Deleted: _deleted,
    Patch: _patch,
    Read: _read,
    Command: _command,
    Search: _search,
    Fetch: _fetch,
    Todo: _todo,
    Agent: _agent,
    Question: _question,
    Plan: _plan,
    Other: _other,
}
