"""Claude Code: the reply under way, all records with one `message.id`.

Its texts are held back until the reply goes on or ends: only then does the reader know whether a text was the beginning of a
longer one, and whether it was commentary or the last word.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from kato.core.events import Phase


class Piece(NamedTuple):
    """A part of a text or of a thought that was not emitted before. `block_id` is the id of the whole block."""

    event_id: str
    block_id: str
    at: datetime | None
    text: str
    is_thought: bool


class _Block(Struct):
    """A text or a thought; its first `emitted` characters were emitted while the log was quiet."""

    event_id: str
    at: datetime | None
    text: str
    is_thought: bool
    emitted: int = 0


class Reply(Struct):
    """The reply that has this `message.id`."""

    message_id: str
    model: str | None
    phase: Phase | None = None
    blocks: list[_Block] = []

    def add(self, event_id: str, at: datetime | None, text: str, *, is_thought: bool) -> None:
        """Adds a block. One that begins with the last block of its kind is a longer state of that block, or a copy."""
        last = next((block for block in reversed(self.blocks) if block.is_thought == is_thought), None)
        if last is not None and text.startswith(last.text):
            last.text = text
        elif text.strip():
            self.blocks.append(_Block(event_id, at, text, is_thought))

    def take(self, *, is_done: bool) -> Iterator[Piece]:
        """Gives what was not emitted yet. Unless `is_done`, a text may still grow."""
        for block in self.blocks:
            rest = block.text[block.emitted :]
            if rest.strip():
                event_id = f"{block.event_id}+{block.emitted}" if block.emitted else block.event_id
                yield Piece(event_id, block.event_id, block.at, rest, block.is_thought)
                block.emitted = len(block.text)
        if is_done:
            self.blocks = []
