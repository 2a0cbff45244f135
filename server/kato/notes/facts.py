"""Gathers what the frontmatter shows about a conversation."""

from datetime import datetime
from typing import Final

from msgspec import UNSET, UnsetType

from kato.notes.markup import one_line

#: Changed files that the frontmatter names.
FILES_MAX: Final = 50


class Facts:
    """What the frontmatter says of a conversation, gathered from the events that a transcript was fed: the times of the
    first and the last message, the models that spoke, the files that were changed (at most `FILES_MAX`), how many
    messages the user sent, how many messages of all speakers are shown, and how many secrets were masked.
    """

    __slots__ = ("ended", "files", "messages", "models", "redactions", "started", "turns")

    def __init__(self) -> None:
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.models: dict[str, None] = {}
        self.files: dict[str, None] = {}
        self.turns = 0
        self.messages = 0
        self.redactions = 0

    def message_at(self, moment: datetime) -> None:
        """Adds the time of a message."""
        if self.started is None:
            self.started = moment
        self.ended = moment

    def model(self, name: str | UnsetType) -> str:
        """Adds a model that spoke or acted. Returns its name for a heading; "" if it is not known."""
        shown = "" if name is UNSET else one_line(name)
        if shown:
            self.models[shown] = None
        return shown

    def changed(self, path: str) -> None:
        """Adds a file that was changed."""
        if len(self.files) < FILES_MAX:
            self.files[path] = None
