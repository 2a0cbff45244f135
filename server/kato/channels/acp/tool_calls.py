"""Tool calls of the protocol, with names and arguments that `core.tools` understands.

An agent reports a call in parts: a title, a kind, the files, its own arguments, the changes, the result. What the tool's own name
and arguments say counts first; a change of a file (`diff`) next; then the kind of the call.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from kato.assistants.contract import Json
from kato.assistants.values import as_text, exit_code_of, number_of, object_of, objects_of, text_of
from kato.channels.acp.prompts import text_of_all
from kato.core.actions import Other
from kato.core.events import ToolOutcome
from kato.core.text import one_line
from kato.core.tools import action_of

_NAME_CHARS_MAX: Final = 80
_ABOUT_CHARS_MAX: Final = 200
_CONTEXT_LINES: Final = 3
#: Under these keys tools give their output.
_OUTPUT: Final = ("output", "aggregated_output", "formatted_output", "stdout", "content", "result", "text")


class Terminal(Struct):
    """A command that the client ran for the agent."""

    command: str
    output: str = ""
    exit_code: int | None = None


class Call(Struct):
    """A call under way: the newest value of each field that was reported."""

    call_id: str
    fields: dict[str, Any]
    is_denied: bool = False

    def take(self, update: Json) -> None:
        """Takes a part. Null leaves a field as it is."""
        self.fields.update({key: value for key, value in update.items() if value is not None})

    @property
    def status(self) -> str:
        """Its state: pending, in_progress, completed or failed."""
        return text_of(self.fields, "status") or "pending"


class Shown(NamedTuple):
    """A call as an event shows it."""

    name: str
    input: dict[str, Any]
    about: str | UnsetType


class Result(NamedTuple):
    """Its result as an event shows it."""

    text: str
    outcome: ToolOutcome | UnsetType
    exit_code: int | UnsetType


def shown(call: Call, terminals: Mapping[str, Terminal]) -> Shown:
    """Name, arguments and a line for people."""
    fields = call.fields
    title, own, given = (
        text_of(fields, "title") or "",
        text_of(fields, "name") or "",
        dict(object_of(fields, "rawInput")),
    )
    about = one_line(title, _ABOUT_CHARS_MAX) or UNSET
    if own and not isinstance(action_of(own, given), Other):
        return Shown(_name(own), given, about)
    changed = _changed(fields)
    if changed is not None:
        return Shown(*changed, about)
    read = _KINDS.get(text_of(fields, "kind") or "")
    found = None if read is None else read(fields, given, _terminal(fields, terminals))
    if found is not None:
        return Shown(*found, about)
    return Shown(_name(own or title or text_of(fields, "kind") or "tool"), given, about)


def result(call: Call, terminals: Mapping[str, Terminal]) -> Result:
    """The result of a call that ended, or that the user denied."""
    fields = call.fields
    terminal = _terminal(fields, terminals)
    raw = fields.get("rawOutput")
    text = text_of_all([one.get("content") for one in _contents(fields, "content")])
    text = (
        text or (terminal.output if terminal else "") or ("" if _contents(fields, "diff") else _output(raw))
    )
    outcome: ToolOutcome | UnsetType = _OUTCOMES.get(call.status, UNSET)
    code = terminal.exit_code if terminal else None
    if code is None and isinstance(raw, dict):
        code = exit_code_of(raw.get("exitCode", raw.get("exit_code")))
    return Result(text, "denied" if call.is_denied else outcome, UNSET if code is None else code)


_OUTCOMES: Final[Mapping[str, ToolOutcome]] = {"completed": "ok", "failed": "error"}


def _output(raw: object) -> str:
    if isinstance(raw, dict):
        for key in _OUTPUT:
            value = raw.get(key)
            if isinstance(value, str):
                return value
    return as_text(raw)


def _name(text: str) -> str:
    return one_line(text, _NAME_CHARS_MAX) or "tool"


def _contents(fields: Json, kind: str) -> list[Json]:
    return [one for one in objects_of(fields, "content") if one.get("type") == kind]


def _terminal(fields: Json, terminals: Mapping[str, Terminal]) -> Terminal | None:
    for one in _contents(fields, "terminal"):
        found = terminals.get(text_of(one, "terminalId") or "")
        if found is not None:
            return found
    return None


# --- Changes of files -----------------------------------------------------------------------------------


def _changed(fields: Json) -> tuple[str, dict[str, Any]] | None:
    """The changes of files, as far as they say something."""
    changes = []
    for one in _contents(fields, "diff"):
        path, old, new = text_of(one, "path"), text_of(one, "oldText"), text_of(one, "newText")
        if path is None or new is None:
            continue
        if old is None:
            changes.append({"file_path": path, "content": new})
        elif old != new:
            before, after = changed_part(old, new)
            changes.append({"file_path": path, "old_string": before, "new_string": after})
    if not changes:
        return None
    if len(changes) == 1:
        return ("Write" if "content" in changes[0] else "Edit"), changes[0]
    return "MultiEdit", {
        "edits": [
            {"old_string": "", "new_string": one.pop("content"), **one} if "content" in one else one
            for one in changes
        ]
    }


def changed_part(old: str, new: str) -> tuple[str, str]:
    """Two versions of a text without the lines that both begin and end with, but for a few lines around the change. Agents often
    give whole files.
    """
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    shorter = min(len(before), len(after))
    head = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    tail = next((at for at in range(shorter - head) if before[-1 - at] != after[-1 - at]), shorter - head)
    start, end = max(head - _CONTEXT_LINES, 0), max(tail - _CONTEXT_LINES, 0)
    return "".join(before[start : len(before) - end]), "".join(after[start : len(after) - end])


# --- Kinds of calls -------------------------------------------------------------------------------------

_Found = tuple[str, dict[str, Any]] | None


def _execute(fields: Json, given: dict[str, Any], terminal: Terminal | None) -> _Found:
    if not isinstance(action_of("shell", given), Other):
        return "shell", given
    line = terminal.command if terminal else (text_of(fields, "title") or "").strip().strip("`")
    return ("shell", {**given, "command": line}) if line else None


def _read(fields: Json, given: dict[str, Any], _terminal: Terminal | None) -> _Found:
    if not isinstance(action_of("read_file", given), Other):
        return "read_file", given
    for one in objects_of(fields, "locations"):
        path, line = text_of(one, "path"), number_of(one, "line")
        if path:
            return "read_file", {**given, "file_path": path, **({"start_line": line} if line else {})}
    return None


def _by(name: str) -> Callable[[Json, dict[str, Any], Terminal | None], _Found]:
    """A kind whose own arguments have to say what it is about."""

    def read(_fields: Json, given: dict[str, Any], _terminal: Terminal | None) -> _Found:
        return None if isinstance(action_of(name, given), Other) else (name, given)

    return read


_KINDS: Final[Mapping[str, Callable[[Json, dict[str, Any], Terminal | None], _Found]]] = {
    "execute": _execute,
    "read": _read,
    "edit": _by("edit_file"),
    "search": _by("grep_search"),
    "fetch": _by("fetch"),
}
