"""Counts the tokens of a session whose log states them reply by reply."""

from typing import Final

from kato.assistants.values import remember

#: Replies of which is remembered what was counted: a log repeats only the newest ones.
_REPLIES_MAX: Final = 1024


class ReplyTokens:
    """The sum over all replies. A log states the tokens of a reply several times, as it grows: each reply counts once, with
    the largest number.
    """

    def __init__(self) -> None:
        self._counted: dict[str, int] = {}
        self.total: int | None = None

    def count(self, reply_id: str, tokens: int) -> None:
        """Counts a reply with this many tokens."""
        before = self._counted.get(reply_id, 0)
        remember(self._counted, reply_id, max(before, tokens), _REPLIES_MAX)
        self.total = (self.total or 0) + max(0, tokens - before)
