"""What a reader does not know of its format: kinds of records, counted by name and version of the assistant.

Rule: nothing of a conversation gets into these counts, because users paste them into public reports. Names, versions and
ids come from the log. One that does not look like a name is replaced.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from kato.core import limits

#: What the formats use as names, versions and ids: no white space, so never a sentence.
_NAME: Final = re.compile(r"[\w@$][\w@$.:/+~-]{0,79}", re.ASCII)
#: Stands for a name that looks like a text.
UNUSUAL: Final = "(an unusual name)"
#: What a reader reports: a name, with at most two words of its own in front of it; or what a record lacks.
_REPORTED: Final = re.compile(
    rf"(?:[a-z_]{{1,40}} ){{0,2}}(?:{_NAME.pattern}|{re.escape(UNUSUAL)})|an? \w{{1,40}} without an? \w{{1,40}}",
    re.ASCII,
)
_HASH: Final = re.compile(r"hash [0-9a-f]{16}")


def name_of(text: str) -> str:
    """A name from a log: a record's kind or a version. Anything that may be a text is replaced by `UNUSUAL`."""
    return text if _NAME.fullmatch(text) else UNUSUAL


def reported_name(text: str) -> str:
    """What a reader reports of an unknown kind, as far as it cannot hold a text: at most 162 characters."""
    return text if _REPORTED.fullmatch(text) else UNUSUAL


def id_of(text: str) -> str:
    """An id from a log; a hash of it, if it may be a text."""
    if _NAME.fullmatch(text) or _HASH.fullmatch(text):
        return text
    return f"hash {hashlib.blake2b(text.encode(errors='replace'), digest_size=8).hexdigest()}"


class UnknownKind(Struct, frozen=True):
    """A kind of record that a reader does not know: its name, with what kind of thing it is before it (`item Sleep`), and
    the version of the assistant that wrote it, where the log names one.
    """

    name: str
    version: str | None


class Sightings(Struct):
    """How often a kind occurred, and the id of one record of it, where it has one."""

    count: int
    example: str | None


class UnknownKinds:
    """Counts unknown kinds. Keeps at most `limits.LOG_UNKNOWN_KINDS_MAX` of them; the records of further kinds are counted
    together in `others`.
    """

    def __init__(self) -> None:
        self.others = 0
        self._seen: dict[UnknownKind, Sightings] = {}

    def add(self, name: str, version: str | None = None, example: str | None = None, count: int = 1) -> None:
        """Counts a record. The id of the first record that has one is kept."""
        kind = UnknownKind(reported_name(name), None if version is None else name_of(version))
        seen = self._seen.get(kind)
        if seen is None:
            if len(self._seen) >= limits.LOG_UNKNOWN_KINDS_MAX:
                self.others += count
                return
            seen = self._seen[kind] = Sightings(0, None)
        seen.count += count
        if seen.example is None and example:
            seen.example = id_of(example)

    def update(self, other: "UnknownKinds") -> None:
        """Adds the counts of another log."""
        for kind, seen in other:
            self.add(kind.name, kind.version, seen.example, seen.count)
        self.others += other.others

    def __iter__(self) -> Iterator[tuple[UnknownKind, Sightings]]:
        """The kinds, the most frequent first."""
        ordered = sorted(self._seen.items(), key=lambda item: (-item[1].count, item[0].name))
        return iter(ordered)

    def __len__(self) -> int:
        return len(self._seen)
