"""Claude Code: how a tool call ended.

- `is_error` says that a call failed or did not run. A result without it succeeded.
- `toolDenialKind` says that a call did not run (from 2.1.205 on). Before, the results of such calls begin with a sentence of
  Claude Code's own (`_DENIED`).
- The result of a shell command that failed begins with its exit code. A command that succeeded has no exit code in the log.
"""

import re
from typing import Final, NamedTuple

from kato.assistants.contract import Json
from kato.assistants.values import object_of, text_of
from kato.core.events import ToolOutcome

_SHELLS: Final = frozenset(["Bash", "PowerShell"])
_EXIT_CODE: Final = re.compile(r"Exit code (-?\d+)(?:\n|\Z)")
#: How the result of a call begins that the user, a rule or a hook did not let run.
_DENIED: Final = re.compile(
    r"The user doesn't want to (?:proceed with this tool use|take this action)"
    r"|User chose to stay in plan mode"
    r"|User rejected tool use"
    r"|\[Request interrupted by user for tool use\]"
    r"|Claude requested permissions to "
    r"|Permission to use \S+ (?:with [^\n]* )?has been denied"
    r"|PreToolUse:\S+ hook error: "
    r"|Hook PreToolUse:\S+ denied this tool"
)


class Ending(NamedTuple):
    """How a call ended; `exit_code` of a shell command that failed, as its digits."""

    outcome: ToolOutcome
    exit_code: str | None = None


def ending(record: Json, block: Json, text: str, tool: str | None) -> Ending:
    """How the call ended whose result is a block of a user's record. `tool` is its name, None where it was not seen."""
    if text_of(record, "toolDenialKind") is not None:
        return Ending("denied")
    if block.get("is_error") is not True:
        return Ending("ok")
    if _DENIED.match(text):
        return Ending("denied")
    code = _EXIT_CODE.match(text) if tool in _SHELLS else None
    return Ending("error", None if code is None else code[1])


def server_outcome(block: Json) -> ToolOutcome:
    """How a call ended that ran at Anthropic: an error has a type of its own, or `is_error`."""
    kind = text_of(object_of(block, "content"), "type") or ""
    return "error" if block.get("is_error") is True or kind.endswith("_error") else "ok"
