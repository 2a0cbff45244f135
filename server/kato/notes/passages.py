"""A passage: the part of a transcript around one event that fits into a number of bytes.

Rule: what is before the event is dropped as the texts are read, so that memory never holds more than the passage and one text.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class Passage(NamedTuple):
    """A part of a transcript. `line` is the line, from 0, at which the text of the wanted event begins, or where the
    event is not shown the next one's.
    """

    text: str
    is_cut_before: bool
    is_cut_after: bool
    line: int


def passage(texts: Iterable[tuple[int, str]], seq: int, *, bytes_max: int) -> Passage:
    """The passage around event `seq`; at most half of it is before that event. Without a text from there on, the newest one is
    the wanted one, and what is before it fills the passage.
    """
    before: deque[bytes] = deque()
    after: list[bytes] = []
    size_before = size = 0
    is_cut_before = False
    for number, text in texts:
        data = text.encode()
        if number < seq:
            before.append(data)
            size_before += len(data)
            while size_before > bytes_max and len(before) > 1:
                size_before -= len(before.popleft())
                is_cut_before = True
            continue
        after.append(data[: max(0, bytes_max - size)])
        size += len(data)
        if size > bytes_max:
            break
    room_before_min = bytes_max // 2
    if before and not after:
        room_before_min, size = 0, len(before[-1])
        size_before -= size
        after.append(before.pop())
    room = max(room_before_min, bytes_max - size)
    while size_before > room:
        size_before -= len(before.popleft())
        is_cut_before = True
    head = b"".join(before)
    data = (head + b"".join(after))[:bytes_max]
    text = data.decode(errors="ignore")  # a cut may go through a character
    return Passage(text, is_cut_before, size_before + size > bytes_max, head.count(b"\n"))
