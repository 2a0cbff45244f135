"""Outcomes of commands, as clients receive them."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class OutcomeError(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a command failed: a code of the wire contract, a sentence for the user, and the path it is about. `rule` is set if a
    client can offer a remedy (`outside`, `unsaved`).
    """

    code: int
    message: str
    path: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET


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
