"""Codex: messages of the model's history in the role of a user, and who wrote them."""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from kato.assistants.codex.envelopes import NOTICE, PICTURE_TAG, envelope_of, is_hosts
from kato.assistants.codex.words import IN_PARTS, LIKE_NOTICE
from kato.assistants.contract import Json
from kato.assistants.values import object_of, text_of

#: Kinds of content that are the user's; those of pictures and sounds have no text of theirs.
_TYPED_KINDS: Final = frozenset(["user.text", "user.answered_question"])
_MEDIA_KINDS: Final = frozenset(["user.image", "user.audio"])
_SCHEDULED: Final = "user.heartbeat"


class Input(NamedTuple):
    """A message of the history with the role of a user: its text parts and their author. `doubt` is the reason why
    the author may not be the user.
    """

    texts: list[str]
    author: Literal["user", "host", "unknown"]
    doubt: str | None = None


def input_of(item: Json, blocks: Sequence[Json]) -> Input:
    """The parts of a message of the history, without those that Codex writes."""
    texts = [text_of(block, "text") or "" for block in blocks]
    kinds = _kinds(item, len(blocks))
    if kinds is None:
        others = [text for text in texts if text.strip() and PICTURE_TAG.fullmatch(text) is None]
        kept = [text for text in others if not is_hosts(text)]
        doubt = LIKE_NOTICE if any(NOTICE.match(text) for text in kept) else None
        return Input(kept, "unknown", IN_PARTS if len(kept) < len(others) else doubt)
    parts = [
        (text, kind)
        for text, kind in zip(texts, kinds, strict=True)
        if text.strip() and kind not in _MEDIA_KINDS and PICTURE_TAG.fullmatch(text) is None
    ]
    typed = [text for text, kind in parts if kind in _TYPED_KINDS]
    if typed or not parts:
        return Input(typed, "user")
    unknown = next((kind for _, kind in parts if kind.startswith("user.") and kind != _SCHEDULED), None)
    if unknown is None:
        return Input([text for text, _ in parts], "host")
    doubt = f"its kind is unknown to Kato ({unknown[:40]})"
    return Input([text for text, kind in parts if kind.startswith("user.")], "user", doubt)


def _kinds(item: Json, count: int) -> list[str] | None:
    """The kind of each part of a message of the history; None unless the log has one for each part."""
    kinds = object_of(item, "internal_chat_message_metadata_passthrough").get("content_item_kinds")
    if not isinstance(kinds, list) or len(kinds) != count or not all(isinstance(one, str) for one in kinds):
        return None
    return kinds


_GOALS: Final = frozenset(["codex_internal_context", "goal_context"])
_OBJECTIVE: Final = re.compile(r"<((?:untrusted_)?objective)>")
_ESCAPES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


def objective_of(text: str) -> str | None:
    """The goal in a text that Codex writes to remind the model of it."""
    opening = _OBJECTIVE.search(text) if envelope_of(text) in _GOALS else None
    if opening is None:
        return None
    words, closed, _ = text[opening.end() :].partition(f"</{opening[1]}>")
    for escape, char in _ESCAPES:
        words = words.replace(escape, char)
    return words.strip() or None if closed else None


_SHELL: Final = re.compile(r"\s*<user_shell_command>\s*<command>\n(?P<command>.*?)\n</command>", re.DOTALL)
_SHELL_RESULT: Final = ("<result>\n", "\n</result>")


class ShellCommand(NamedTuple):
    """A command that the user ran in the terminal of Codex (`!ls`), and what it gave: a header, then the output."""

    command: str
    result: str


def shell_command_of(text: str) -> ShellCommand | None:
    """The command that the user ran, that a host's text reports to the model."""
    found = _SHELL.match(text) if envelope_of(text) == "user_shell_command" else None
    if found is None or not found["command"].strip():
        return None
    _, _, rest = text[found.end() :].partition(_SHELL_RESULT[0])
    return ShellCommand(found["command"].strip(), rest.rpartition(_SHELL_RESULT[1])[0])
