"""Compares a note's text with what Kato wrote to it.

Finds two things: the newest pieces are missing, because an editor saved an older version of the file; and a piece is in the
note that Kato wrote but did not remember, because the process died in between.

    Look             what Kato remembers of the note when it last read it: checksums of its last lines, and the position in the
                     conversation that it had reached
    pieces           what Kato wrote since then, one for each event
    present          counts the pieces up to the last one of which a line is left in the text
    written_before   finds a piece that was written and not remembered

Rules:

- The user may change or delete what was in the note when Kato last looked. Kato restores what it wrote since, if nothing of it
  is left.
- If several parts of the conversation explain the text equally well, the shortest counts. So a message that occurs twice in the
  conversation has to occur twice in the note.
"""

import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from kato.core import limits

#: A shorter line (a fence, "OK") is too common to prove that a piece is there, unless the piece has only such lines. Bytes.
_MARK_BYTES_MIN: Final = 8
#: Pairs of equal lines that are compared, which takes about 0.1 s. Lines that occur more often identify nothing.
_PAIRS_MAX: Final = 500_000
#: Lines below the last match, and pieces after it, that are searched for a changed line.
_CHANGED_LINES: Final = 64
_CHANGED_PIECES: Final = 8
#: The share of a line that must be unchanged for it to count as a changed line, not as another one.
_CHANGED_SHARE: Final = 0.6
_MARKDOWN_MARKS: Final = b" \t*_~`>#-"


class Look(Struct, frozen=True, array_like=True):
    """What a recording remembers of its note since Kato last looked at it.

    `seq`, `line` and `state` are the position in the conversation and the renderer's state there. `context` holds checksums of
    the note's last lines, 4 bytes each. `style` identifies the settings that Kato wrote with. `written_bytes` counts what Kato
    wrote since. `restored_from` is the checksum of the text before Kato last restored missing lines.
    """

    recording_id: str
    seq: int
    line: int
    state: bytes
    context: bytes = b""
    style: int = 0
    written_bytes: int = 0
    restored_from: int | None = None

    def encode(self) -> bytes:
        """The value that the ledger stores."""
        return msgspec.msgpack.encode(self)


def decode(data: bytes) -> Look | None:
    """Decodes what `encode` returned. None for an empty value and for one of an incompatible version of Kato."""
    try:
        return msgspec.msgpack.decode(data, type=Look) if data else None
    except msgspec.DecodeError:
        return None


def context_of(text: bytes) -> bytes:
    """The checksums of the last lines of a text."""
    lines = _lines(text)[-limits.LOOK_CONTEXT_LINES :]
    return b"".join(_checksum(line).to_bytes(4, "big") for line in lines)


def present(look: Look, pieces: Sequence[bytes], text: bytes) -> int:
    """Counts the pieces that the text contains: those up to the last one of which a mark (`_marks`) is left, unchanged or changed
    a little.
    """
    lines, context = _lines(text), _context(look)
    split = [_lines(piece) for piece in pieces]
    common = _too_common([_checksum(line) for piece in split for line in piece], map(_checksum, lines))
    split = [[line for line in piece if _checksum(line) not in common] for piece in split]
    marks = [_marks(piece) for piece in split]
    # Compares all lines, so that each one is matched with its own place; but only a mark proves that its piece is there.
    numbers = [*([-1] * len(context)), *(number for number, piece in enumerate(split) for _ in piece)]
    written = [*context, *(_checksum(line) for piece in split for line in piece)]
    found = shortest_explanation(written, [_checksum(line) for line in lines])
    shown = [numbers[at] for at, line in found if numbers[at] < 0 or lines[line] in marks[numbers[at]]]
    last = shown[-1] if shown else -1
    end = next((one for one in reversed(found) if numbers[one.written] <= last), None)
    if end is None:
        return _counted(marks, 0, set(), lines)
    rest = (
        marks[last].intersection(split[last][end.written + 1 - numbers.index(last) :]) if last >= 0 else set()
    )
    return _counted(marks, last + 1, rest, lines[end.text + 1 :])


def is_surplus(look: Look, pieces: Sequence[bytes], text: bytes, start: int) -> bool:
    """Whether the text shows as many of the pieces without its lines from `start` on."""
    lines = [_checksum(line) for line in _lines(text)]
    head = lines[: len(_lines(text[:start]))]
    written = [*_context(look), *(_checksum(line) for piece in pieces for line in _lines(piece))]
    common = _too_common(written, lines)
    if not common.isdisjoint(lines[len(head) :]):
        return False
    return len(shortest_explanation(written, lines)) == len(shortest_explanation(written, head))


def written_before(
    text: bytes, end: int, data: bytes, block_ends: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yields (start, length) in bytes of each place where a first part of `data` may be in the text: the write of `data` was cut
    off, or complete and not remembered. `end` is the length of the text before that write; `block_ends` are the ends of the
    blocks in `data`. A place may also be an earlier message with the same words (`is_surplus` decides).
    """
    if 0 <= end < len(text):
        start = len(text) - len(text[end:].lstrip(b"\n"))
        rest = text[start:]
        # A short complete line may be the user's own; a line that a crash cut off has no newline.
        is_cut_off = rest != b"" and not rest.endswith(b"\n")
        if (is_cut_off or len(rest) >= _MARK_BYTES_MIN) and data.startswith(rest):
            yield start, len(rest)
        for length in reversed(block_ends):
            if rest.startswith(data[:length]):
                yield start, length
                break
    for length in reversed(block_ends):
        if text.endswith(data[:length]):
            yield len(text) - length, length


class Pair(NamedTuple):
    """A line that was found: its index in what was written, and in the text."""

    written: int
    text: int


def shortest_explanation(written: Sequence[int], text: Sequence[int]) -> list[Pair]:
    """The longest common subsequence of `written` and a text, as pairs of indexes (the thresholds of Hunt and Szymanski).

    Pair number n is the earliest end in `written` of a common subsequence of n + 1 lines. So the last pair ends the shortest
    beginning of `written` that explains as many lines of the text as all of `written` does.
    """
    places: dict[int, list[int]] = {}
    for index, mark in enumerate(written):
        places.setdefault(mark, []).append(index)
    ends: list[int] = []
    pairs: list[Pair] = []
    for line, mark in enumerate(text):
        for index in reversed(places.get(mark, ())):
            length = bisect_left(ends, index)
            if length == len(ends):
                ends.append(index)
                pairs.append(Pair(index, line))
            elif index < ends[length]:
                ends[length] = index
                pairs[length] = Pair(index, line)
    return pairs


def _too_common(written: Sequence[int], text: Iterable[int]) -> set[int]:
    """The lines that occur so often on both sides that comparing all of them with each other would take seconds."""
    times = Counter(written)
    pairs = {mark: times[mark] * count for mark, count in Counter(text).items() if mark in times}
    by_pairs = sorted(pairs, key=pairs.__getitem__)
    totals = accumulate(pairs[mark] for mark in by_pairs)
    return {mark for mark, total in zip(by_pairs, totals, strict=True) if total > _PAIRS_MAX}


def _counted(marks: Sequence[set[bytes]], count: int, rest: set[bytes], below: Sequence[bytes]) -> int:
    """Extends `count` by the pieces of which only a changed line is left. Each line below the last match is compared with the
    marks of the pieces that follow. A piece without marks does not count as missing.
    """
    for line in below[-_CHANGED_LINES:]:
        if any(_is_changed(mark, line) for mark in rest):
            continue
        for number in range(count, min(len(marks), count + _CHANGED_PIECES)):
            if any(_is_changed(mark, line) for mark in marks[number]):
                count, rest = number + 1, marks[number]
                break
    return count if any(marks[count:]) else len(marks)


def _is_changed(before: bytes, now: bytes) -> bool:
    """Whether a line is another one with a remark, a correction or Markdown marks added."""
    if before.startswith(b"# "):
        return False  # headings differ in their seconds only
    if len(before) < _MARK_BYTES_MIN:
        return before.strip(_MARKDOWN_MARKS) == now.strip(_MARKDOWN_MARKS)
    if before in now or (len(now) >= _CHANGED_SHARE * len(before) and now in before):
        return True
    shorter = min(len(before), len(now))
    start = next((at for at in range(shorter) if before[at] != now[at]), shorter)
    end = next((at for at in range(shorter - start) if before[-1 - at] != now[-1 - at]), shorter - start)
    return start + end >= _CHANGED_SHARE * max(len(before), _MARK_BYTES_MIN)


def _context(look: Look) -> list[int]:
    return [int.from_bytes(look.context[at : at + 4], "big") for at in range(0, len(look.context), 4)]


def _marks(lines: Sequence[bytes]) -> set[bytes]:
    """The lines that prove that their piece is in a text: those that are long enough, or else the longest one."""
    return {line for line in lines if len(line) >= _MARK_BYTES_MIN} or set(sorted(lines, key=len)[-1:])


def _lines(text: bytes) -> list[bytes]:
    """The lines that are not blank, without white space around them, which editors remove."""
    return [line for raw in text.split(b"\n") if (line := raw.strip())]


_checksum = zlib.crc32
