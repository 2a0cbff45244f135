"""Notices: what the user must know, with a kind that clients react to."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Severity = Literal["error", "warning", "info"]

#: The kinds; docs/protocol.md says when each is sent, with which data. A client reacts to the kind, never to the text.
NoticeKind = Literal[
    "over_budget",
    "settings_rejected",
    "restart_needed",
    "limit_not_kept",
    "events_rejected",
    "command_failed",
    "command_not_run",
    "command_delayed",
    "text_backed_up",
    "recording_paused",
    "recording_resumed",
    "recording_stopped",
    "note_missing",
    "note_repaired",
    "journal_recovered",
    "journal_lost",
    "watcher_failed",
    "folder_ignored",
    "package_missing",
]


class Notice(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A notice. `data` holds what a client needs to offer a remedy: paths, ids, lines."""

    kind: NoticeKind
    severity: Severity
    message: str
    data: dict[str, Any] | UnsetType = UNSET
