"""Outcomes of commands, as clients receive them."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from kato.core import limits
from kato.core.errors import KatoError
from kato.core.text import printable


class OutcomeError(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a command failed: a code of the wire contract, a sentence for the user, and the path it is about. `rule` is set if a
    client can offer a remedy (`outside`, `unsaved`).
    """

    code: int
    message: str
    path: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET

    @classmethod
    def of(cls, error: KatoError) -> "OutcomeError":
        """The error of a command as a client gets it."""
        message = printable(error.message, chars_max=limits.MESSAGE_CHARS_MAX)
        return cls(error.code, message, error.data.get("path", UNSET), error.data.get("rule", UNSET))


class CommandOutcome(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The outcome of a command, sent to the client for every command. `message` is a sentence for the user about what the
    command means from now on, where it has one.
    """

    command: str
    provider: str
    session_id: str
    origin: Literal["chat", "editor"]
    status: Literal["ok", "noop", "error"]
    event_id: str | UnsetType = UNSET
    line: int | UnsetType = UNSET
    output_path: str | UnsetType = UNSET
    backup_path: str | UnsetType = UNSET
    recording_id: str | UnsetType = UNSET
    events_written: int | UnsetType = UNSET
    redactions: int | UnsetType = UNSET
    message: str | UnsetType = UNSET
    error: OutcomeError | UnsetType = UNSET
