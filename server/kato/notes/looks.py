"""What a note's text shows of what Kato wrote to it: whether the newest pieces are missing, because an older version of the
file was saved over it, and whether a piece stands there that was written but not remembered.

    Look       what Kato remembers of the file as it was when it last looked: the marks of its last lines, and the place in
               the conversation up to which it was written then
    pieces     what Kato wrote since, one an event
    present    how many of the pieces the text shows: those up to the last one of which anything is left

Rule: what was in the note when Kato last looked is the user's to change or delete. What Kato wrote since is restored when
nothing is left of it: an editor saved a version that it had loaded before. Of all parts of the conversation that explain
the text equally well, the shortest counts, so that a message that was said twice is looked for twice.
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

#: A shorter line (a fence, "OK") is too common to show that a piece is there, unless the piece has no longer one.
_MARK_BYTES_MIN: Final = 8
#: Pairs of equal lines that are compared; lines that stand more often than that allows identify nothing.
_PAIRS_MAX: Final = 500_000
#: Lines below the last one that was found, and pieces after it, among which a changed line is looked for.
_CHANGED_LINES: Final = 64
_CHANGED_PIECES: Final = 8
#: The part of a line that must have stayed for it to count as changed, not as another one.
_CHANGED_SHARE: Final = 0.6
_MARKDOWN_MARKS: Final = b" \t*_~`>#-"


class Look(Struct, frozen=True, array_like=True):
    """What a recording remembers. Where in the conversation Kato was when it last looked at the file (`seq` events and `line` lines of the next, with
    the renderer's `state` there), checksums of the file's last lines then, the `style` it wrote in, how many bytes it
    wrote since, and the checksum of the text before the last restoration.
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
        """For the journal."""
        return msgspec.msgpack.encode(self)


def decode(data: bytes) -> Look | None:
    """What `encode` made; None for nothing, and for what another version of Kato made."""
    try:
        return msgspec.msgpack.decode(data, type=Look) if data else None
    except msgspec.DecodeError:
        return None


def context_of(text: bytes) -> bytes:
    """The checksums of the last lines of a text."""
    lines = _lines(text)[-limits.LOOK_CONTEXT_LINES :]
    return b"".join(_checksum(line).to_bytes(4, "big") for line in lines)


def present(look: Look, pieces: Sequence[bytes], text: bytes) -> int:
    """How many of the pieces that were written since the look the text shows: all up to the last one of which a mark is
    left, as it was or changed a little.
    """
    lines, context = _lines(text), _context(look)
    split = [_lines(piece) for piece in pieces]
    common = _too_common([_checksum(line) for piece in split for line in piece], map(_checksum, lines))
    split = [[line for line in piece if _checksum(line) not in common] for piece in split]
    marks = [_marks(piece) for piece in split]
    # All lines are compared, so that each finds its own place; but only a mark shows that its piece is there.
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
    """True when no line from `start` on is needed to explain the text by what was written since the look: without them it
    shows as much of it.
    """
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
    """Where in the text a first part of `data` may stand, as (start, length): a write that was cut off, or was done and not
    remembered. `end` is where the text ended before it, `block_ends` the ends of the blocks in `data`. It may also be an
    earlier message of the same words (`is_surplus`).
    """
    if 0 <= end < len(text):
        start = len(text) - len(text[end:].lstrip(b"\n"))
        rest = text[start:]
        # A short line that is whole may be the user's; one that a crash cut off has no line end.
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
    """The longest common subsequence of what was written and a text, by its ends: of those that are as long as this list is
    up to a pair, the one that ends first in what was written ends there. So the last pair ends the shortest beginning of
    `written` that explains the text as well as the whole of it does. These are the thresholds of Hunt and Szymanski.
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
    """The lines that stand so often on both sides that comparing all of them with each other would take seconds."""
    times = Counter(written)
    pairs = {mark: times[mark] * count for mark, count in Counter(text).items() if mark in times}
    by_pairs = sorted(pairs, key=pairs.__getitem__)
    totals = accumulate(pairs[mark] for mark in by_pairs)
    return {mark for mark, total in zip(by_pairs, totals, strict=True) if total > _PAIRS_MAX}


def _counted(marks: Sequence[set[bytes]], count: int, rest: set[bytes], below: Sequence[bytes]) -> int:
    """How many pieces there are, counting those of which only a changed line is left: each line below the last one that was
    found stands for the first mark after that one that it is like. A piece without marks is not missing.
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
    """True when a line is another one with a remark, a correction or a mark of Markdown."""
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
    """The lines that show that their piece is there: those that are not too short, or the longest one."""
    return {line for line in lines if len(line) >= _MARK_BYTES_MIN} or set(sorted(lines, key=len)[-1:])


def _lines(text: bytes) -> list[bytes]:
    """The lines that are not blank, without the blanks around them: editors remove those."""
    return [line for raw in text.split(b"\n") if (line := raw.strip())]


_checksum = zlib.crc32
