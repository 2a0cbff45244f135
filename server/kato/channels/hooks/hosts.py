"""The hosts that run hooks: what each reports about a prompt, and how it shows an answer. One entry a host.

Rule: this module is loaded for each prompt. It imports the standard library's smallest parts alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


class Answer(NamedTuple):
    """What Kato says about a prompt. `stop`: the prompt held commands alone and they ran; the assistant need not see it."""

    message: str
    stop: bool


class Host(NamedTuple):
    """A host. `event` is the event of a prompt, `session` the field that identifies the conversation.

    `is_typed` says whether the report proves that the user typed the prompt. `reply` is what the host expects on stdout: None
    for a host that shows nothing. `reply_event` is the event of an answer, for a host whose logs Kato does not read: its hooks
    are then the source of the conversation.
    """

    name: str
    event: str
    session: str
    is_typed: Callable[[Json], bool]
    can_stop: bool
    reply: Callable[[Answer], Json | None]
    turn: str = ""
    reply_event: str = ""


def is_of_agent(report: Json) -> bool:
    """Whether a sub-agent, not the user, wrote the prompt."""
    return bool(report.get("agent_id"))


def _shown_or_blocked(answer: Answer) -> Json:
    """Claude Code and Codex: a line for the user alone, or an end of the turn before the model sees it."""
    if answer.stop:
        return {"decision": "block", "reason": answer.message}
    return {"systemMessage": answer.message}


def _shown_or_denied(answer: Answer) -> Json:
    """Gemini CLI: `deny` also takes the prompt out of the history. `additionalContext` is never used: it lands in the message."""
    if answer.stop:
        return {"decision": "deny", "reason": answer.message, "systemMessage": answer.message}
    return {"systemMessage": answer.message}


def _continued(answer: Answer) -> Json:
    """Cursor: shows a text only when it stops the prompt."""
    if answer.stop:
        return {"continue": False, "user_message": answer.message}
    return {"continue": True}


CLAUDE: Final = Host(
    "claude",
    "UserPromptSubmit",
    "session_id",
    # The other sources are the SDK, the host and its loops. Versions that do not name the source prove nothing.
    is_typed=lambda report: report.get("source") == "user" and not is_of_agent(report),
    can_stop=True,
    reply=_shown_or_blocked,
)
CODEX: Final = Host(
    "codex",
    "UserPromptSubmit",
    "session_id",
    is_typed=lambda report: not is_of_agent(report),
    can_stop=True,
    reply=_shown_or_blocked,
)
GEMINI: Final = Host(
    "gemini",
    "BeforeAgent",
    "session_id",
    is_typed=lambda report: not is_of_agent(report),
    can_stop=True,
    reply=_shown_or_denied,
)
COPILOT: Final = Host(
    "copilot",
    "userPromptSubmitted",
    "sessionId",
    is_typed=lambda report: not is_of_agent(report),
    can_stop=False,  # it ignores what a hook prints
    reply=lambda _: None,
)
CURSOR: Final = Host(
    "cursor",
    "beforeSubmitPrompt",
    "conversation_id",
    is_typed=lambda _: True,
    can_stop=True,
    reply=_continued,
    turn="generation_id",
    reply_event="afterAgentResponse",
)

HOSTS: Final[Mapping[str, Host]] = {host.name: host for host in (CLAUDE, CODEX, GEMINI, COPILOT, CURSOR)}
