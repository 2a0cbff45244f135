"""Codex: texts that Codex writes into the model's history in the role of a user."""

import re
from typing import Final

#: Blocks of the model's history that Codex writes around text that is not the user's.
_ENVELOPES: Final = frozenset(
    """environment_context user_instructions permissions turn_aborted skill user_shell_command subagent_notification
    instructions collaboration_mode skills_instructions personality_spec apps_instructions plugins_instructions hook_context
    hook_prompt recommended_plugins goal_context codex_internal_context user_action agent_message_board_notification
    next_prompt_suggestion application_context extension_context environments_instructions context_window
    model_switch multi_agent_mode realtime_conversation token_budget rollout_budget app-context
    startup_tool_prewarm context_window_guidance additional_context internal_model_context""".split()
)
#: Additional context of a client: the name goes on with a key of its own.
_EXTERNAL: Final = "external_"
_OPENING: Final = re.compile(r"\s*<([A-Za-z][\w.-]*)(?:[\s/][^<>]*)?>")
_AGENTS_MD: Final = "# agents.md instructions"
#: How sentences begin that Codex puts into the history without tags.
_NOTICES: Final = (
    "Warning: apply_patch was requested via ",
    "Warning: The maximum number of unified exec processes you can keep open is ",
    "Warning: Your account was flagged for ",
    "Here is a list of plugins that are available but not installed.",
)
NOTICE: Final = re.compile(r"\s*(?:Warning:|# AGENTS\.md)", re.IGNORECASE)
#: What stands around a picture in the model's history.
PICTURE_TAG: Final = re.compile(r"\s*</?(?:local_)?image(?:\s[^<>]*)?>\s*")


def envelope_of(text: str) -> str | None:
    """The name, in lower case, of the block of tags that a text is; None for any other text."""
    opening = _OPENING.match(text)
    if opening is None:
        return None
    name, end = opening[1].lower(), text.rstrip()
    for closing in (f"</{name}>", f"</{name} instructions>"):
        if end[-len(closing) :].lower() == closing:
            return name
    return None


def is_hosts(text: str) -> bool:
    """Whether a text of the history is one that Codex writes."""
    start = text.lstrip()
    if start[: len(_AGENTS_MD)].lower() == _AGENTS_MD:
        return "<INSTRUCTIONS>" in text
    if start.startswith(_NOTICES):
        return True
    name = envelope_of(text)
    return name is not None and (name in _ENVELOPES or name.startswith(_EXTERNAL))
