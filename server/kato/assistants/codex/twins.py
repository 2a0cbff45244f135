"""Codex: recognises records that repeat each other, and makes ids for records that have none.

A message stands in records of up to three kinds. The first is emitted; a record of another kind with the same text is its
twin, as long as the other speaker was silent in between. A second record of the same kind is a repetition: it was said again.
"""

from typing import Final

from msgspec import Struct

from kato.assistants.codex.words import closely
from kato.assistants.values import digest, remember

#: Texts, calls and ids that are remembered, to know their twins again; a turn has some hundreds of calls.
REMEMBERED_MAX: Final = 4096
#: Twins stand some records apart; what stands further apart was said again.
TWIN_RECORDS_MAX: Final = 64
#: Lines by which a copied one is known.
LINES_MAX: Final = 1024
_ORDINAL: Final = b'"ordinal"'
#: The ordinal stands before the payload.
_HEAD_BYTES_MAX: Final = 128


class Lines:
    """The newest lines of a log that have an ordinal, which is different for each. A line that occurs again was copied: nothing was
    said again. Lines without an ordinal (before 0.147) may say the same again, at the same time in an imported thread.
    """

    def __init__(self) -> None:
        self._seen: dict[int, None] = {}

    def is_copy(self, line: bytes) -> bool:
        """Notes a line; gives whether an earlier one is equal to it."""
        if line.find(_ORDINAL, 0, _HEAD_BYTES_MAX) < 0:
            return False
        mark = hash(line)
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > LINES_MAX:
            del self._seen[next(iter(self._seen))]
        return False


class _Emitted(Struct):
    """A text that was emitted: the kinds of record that hold it, the number of the first, and how often the speaker had
    changed by then.
    """

    number: int
    kinds: set[str]
    change: int


class Twins:
    """The texts that were emitted so far."""

    def __init__(self) -> None:
        self.number = 0  # of the record that is read now
        self.inputs = 0  # how often the user spoke
        self._speaker = ""
        self._changes = 0  # of the speaker
        self._emitted: dict[str, _Emitted] = {}
        self._ids: dict[str, int] = {}  # how often an id was made

    def speaks(self, speaker: str) -> None:
        """Notes who speaks or acts."""
        if self._speaker != speaker:
            self._speaker, self._changes = speaker, self._changes + 1
        if speaker == "user":
            self.inputs += 1

    def is_twin(self, speaker: str, role: str, text: str, kind: str) -> bool:
        """Whether a record of another kind gave this already, and the other speaker was silent since. If not, the text is
        noted as emitted. `speaker` is "" for what neither of them said.
        """
        key = f"{role}:{digest(closely(text))}"
        known = self._emitted.get(key)
        if (
            known is not None
            and kind not in known.kinds
            and self.number - known.number <= TWIN_RECORDS_MAX
            and (not speaker or (speaker == self._speaker and known.change == self._changes))
        ):
            known.kinds.add(kind)
            return True
        if speaker:
            self.speaks(speaker)
        remember(self._emitted, key, _Emitted(self.number, {kind}, self._changes), REMEMBERED_MAX)
        return False

    def new_id(self, scope: str, role: str, text: str) -> str:
        """An id, a different one each time. `scope` is the turn, or the time."""
        event_id = f"{scope}:{role}:{digest(closely(text))}"
        count = self._ids.get(event_id, 0) + 1
        remember(self._ids, event_id, count, REMEMBERED_MAX)
        return event_id if count == 1 else f"{event_id}#{count}"
