"""Codex: where the copied history at the beginning of a log ends.

From 0.147 on, records have ordinals, and `session_meta` names the first ordinal that is not copied. Older versions write the
copy at the moment of the fork: a copied record has its original time or the time of the fork, and the id of a turn contains
the time at which the turn began (UUID version 7).
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from kato.assistants.contract import Json
from kato.assistants.values import moment, object_of, text_of

#: The longest time that Codex needs to write the copy (seen: 50 ms).
_FORK_WRITTEN: Final = timedelta(seconds=2)
_BEGINS_TURN: Final = frozenset(["task_started", "turn_started"])


class CopiedHistory(NamedTuple):
    """A copy at the beginning of a log: when it was made, and the ordinal of the first record behind it, if known."""

    forked_at: datetime
    first_own: int | None

    def ends_before(self, record: Json, at: datetime | None) -> bool:
        """Whether this record is the first that is not copied."""
        payload = object_of(record, "payload")
        if text_of(record, "type") == "turn_context" or text_of(payload, "type") in _BEGINS_TURN:
            began = uuid7_moment(text_of(payload, "turn_id") or "")
            if began is not None and (began >= self.forked_at or self.first_own is None):
                return began >= self.forked_at
        ordinal = record.get("ordinal")
        if self.first_own is not None and isinstance(ordinal, int):
            return ordinal >= self.first_own
        return at is not None and at > self.forked_at + _FORK_WRITTEN


def first_own_ordinal(meta: Json) -> int | None:
    """The ordinal of the first record that is not copied, where `session_meta` names it."""
    for key in ("subagent_history_start_ordinal", "forked_from_ordinal_exclusive"):
        first = meta.get(key)
        if isinstance(first, int) and first > 0:
            return first
    return None


def is_inherited(record: Json) -> bool:
    """Whether a message was copied out of the log of the session that started this sub-agent (from 0.155 on)."""
    return object_of(record, "metadata").get("inherited_user_message") is True


def uuid7_moment(identity: str) -> datetime | None:
    """When an id of version 7 was made (RFC 9562, 5.7); None for any other."""
    try:
        made = UUID(identity)
    except ValueError:
        return None
    return moment(made.int >> 80) if made.version == 7 else None
