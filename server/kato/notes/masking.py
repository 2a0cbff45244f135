"""Masks the secrets in what a transcript shows, and counts them in its facts.

Rule: a text is masked as a whole, before it is cut, because a part of a secret does not look like one.
"""

from typing import Any

import msgspec

from kato.notes import redaction
from kato.notes.facts import Facts


class Masking:
    """See the module. With `is_on` false every text stays as it is."""

    def __init__(self, facts: Facts, *, is_on: bool) -> None:
        self._facts = facts
        self._is_on = is_on

    def text(self, text: str) -> str:
        """The text without its secrets."""
        if not self._is_on:
            return text
        text, count = redaction.masked(text)
        self._facts.redactions += count
        return text

    def value(self, value: Any) -> Any:
        """The JSON value without the secrets in its texts."""
        if not self._is_on:
            return value
        value, count = redaction.masked_value(value)
        self._facts.redactions += count
        return value

    def json(self, text: str) -> str:
        """The JSON text without the secrets in its texts. It is decoded only if it may hold secrets."""
        if not self._is_on or not redaction.may_hold_secrets(text):
            return text
        value, count = redaction.masked_value(msgspec.json.decode(text))
        self._facts.redactions += count
        return msgspec.json.encode(value).decode() if count else text
