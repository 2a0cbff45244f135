"""Gemini CLI: what a tool gave back, and the user's decisions in it.

A call has `status` validating, scheduled, executing, awaiting_approval, and at its end success, error or cancelled. A cancelled
call did not run: the user denied it, or interrupted the turn. `exit_plan_mode` reports the user's decision on a plan, with
the user's words on it; `ask_user` holds the answers to questions as JSON.
"""

import re
from typing import Final, NamedTuple

from kato.assistants.contract import Json
from kato.assistants.gemini.words import part_text
from kato.assistants.values import as_text, object_of, objects_of, text_of
from kato.core.events import DecisionStatus, ToolOutcome
from kato.core.lenient_json import loads

#: The statuses of a call that ended.
ENDED: Final = frozenset(["success", "error", "cancelled"])
_CANCELLED: Final = "cancelled"
_OUTCOMES: Final[dict[str, ToolOutcome]] = {"success": "ok", "error": "error", _CANCELLED: "denied"}
#: The tool that runs commands.
SHELL: Final = "run_shell_command"
#: The lines that Gemini CLI writes behind the output of a command.
_EXIT_CODE: Final = re.compile(
    r"^Exit Code: (-?\d+)\n?(?:^(?:Signal|Background PIDs|Process Group PGID): .*\n?)*\Z", re.MULTILINE
)
_DENIED: Final = "[Operation Cancelled]"
_WRAPPED: Final = re.compile(r"<untrusted_context>\n(.*)\n</untrusted_context>", re.DOTALL)
_WRAPPED_END: Final = "&lt;/untrusted_context&gt;"

#: The words stand in a tool's result, and a tool from elsewhere may have this name.
ABOUT_PLAN: Final = "it stands in the result of a tool, as the user's words on a plan"
_FEEDBACK: Final = "Plan rejected. User feedback: "
_STORED: Final = "\n\nThe plan is stored at: "
_PLAN_STATUS: Final[dict[str, DecisionStatus]] = {
    "Plan approved": "accepted",
    "Plan rejected": "rejected",
    "User cancelled the plan approval": "rejected",
    _DENIED: "rejected",
}


def result_text(call: Json) -> str:
    """What a call gave back, for people."""
    parts = []
    for entry in objects_of(call, "result"):
        response = object_of(object_of(entry, "functionResponse"), "response")
        text = text_of(response, "output") or text_of(response, "error")
        parts.append(text if text is not None else as_text(dict(response)) if response else part_text(entry))
    text = "\n".join(_unwrapped(part) for part in parts if part)
    display = call.get("resultDisplay")
    if isinstance(display, dict):
        text = "\n".join(part for part in (text, text_of(display, "fileDiff")) if part)
    elif not text and isinstance(display, str):
        text = display
    status = text_of(call, "status") or ""
    if status == _CANCELLED and _DENIED not in text:
        return f"{_DENIED}\n{text}".rstrip("\n")
    return text or status


def _unwrapped(text: str) -> str:
    """A text without the tags in which Gemini CLI, since 0.61, shows the model what comes from outside."""
    found = _WRAPPED.fullmatch(text)
    return text if found is None else found[1].replace(_WRAPPED_END, "</untrusted_context>")


class Ending(NamedTuple):
    """How a call ended; `exit_code` of a shell command as its digits, where the result has it."""

    outcome: ToolOutcome | None
    exit_code: str | None = None


def ending(name: str, call: Json, text: str) -> Ending:
    """How a call with this result ended. A command that failed is a success for Gemini CLI: its exit code counts."""
    status = text_of(call, "status") or ""
    code = _EXIT_CODE.search(text) if name == SHELL and status != _CANCELLED else None
    if code is None:
        return Ending(_OUTCOMES.get(status))
    return Ending("error" if status == "error" else None, code[1])


class PlanReview(NamedTuple):
    """The user's decision on a plan. `plan` is the path of its file: the log does not hold its text here."""

    plan: str
    status: DecisionStatus
    feedback: str


def plan_review(call: Json) -> PlanReview:
    """The decision that a call of `exit_plan_mode` brought."""
    text = result_text(call)
    given = object_of(call, "args")
    plan = text_of(given, "plan_path") or text_of(given, "plan_filename") or ""
    found = [status for start, status in _PLAN_STATUS.items() if text.startswith(start)]
    feedback = text.removeprefix(_FEEDBACK).rpartition(_STORED)[0] if text.startswith(_FEEDBACK) else ""
    return PlanReview(plan, found[0] if found else "proposed", feedback.strip())


def answers(call: Json) -> list[tuple[Json, object]]:
    """The questions of a call of `ask_user`, each with its answer; None for a question without one."""
    try:
        given = loads(result_text(call).encode())
    except ValueError:
        given = {}
    found = object_of(given, "answers") if isinstance(given, dict) else {}
    questions = objects_of(object_of(call, "args"), "questions")
    return [(question, found.get(str(number))) for number, question in enumerate(questions)]
