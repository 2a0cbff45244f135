"""Rows out of the pages of a SQLite file that SQLite cannot open any more.

A b-tree page names the places of its rows, and a row names the types and lengths of its columns. So the rows of an
undamaged page can be read whatever became of the pages that led to it, the schema included. Layouts of pages, cells,
records and the write-ahead log: https://www.sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4.

    Pages    the newest committed version of each page: the log's, if the checksum of its frame is right, else the file's
    rows     the rows of one page; a row that does not add up is passed over, its neighbours are not
    Table    whether a row can be one of this table: the types of its columns say so

Rules: reads one page at a time through a function of the caller's; believes no length, number or pointer before it was
compared with what is there; never raises for what it reads.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

Value = int | float | str | bytes | None
#: A row by the names of its columns, whose types its table vouches for.
Record = dict[str, Any]

_TABLE_LEAF: Final = 13
_INDEX_LEAF: Final = 10
_INDEX_INTERIOR: Final = 2
#: Bytes of a b-tree page's own header; an interior page has a pointer to its last child as well.
_HEADER_BYTES: Final = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INTERIOR: 12}

_LOG_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
#: The log's first word says in which byte order its checksums were made.
_LOG_MAGIC: Final = {b"\x37\x7f\x06\x82": "<", b"\x37\x7f\x06\x83": ">"}
_WORD_MASK: Final = 0xFFFFFFFF

#: Serial types of a record that have a length of their own; 8 and 9 are the integers 0 and 1.
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FLOAT: Final = 7


class Source(NamedTuple):
    """A file: `read(offset, length)` gives fewer bytes at its end."""

    read: Callable[[int, int], bytes]
    size: int


class Row(NamedTuple):
    """A row: the number that identifies it (None in a table WITHOUT ROWID) and its columns as they are stored."""

    rowid: int | None
    values: tuple[Value, ...]


class Pages:
    """The pages of a database and of its write-ahead log, by number, from 1."""

    def __init__(self, database: Source, log: Source, page_bytes: int) -> None:
        self.page_bytes = page_bytes
        self._database = database
        self._log = log
        self._frames, count = _committed(log, page_bytes)
        self.count = count or -(-database.size // page_bytes)

    def __getitem__(self, number: int) -> bytes:
        """The page, shorter or empty where the file ends."""
        offset = self._frames.get(number)
        if offset is not None:
            return self._log.read(offset, self.page_bytes)
        return self._database.read((number - 1) * self.page_bytes, self.page_bytes)


def _committed(log: Source, page_bytes: int) -> tuple[dict[int, int], int]:
    """Where the newest committed version of each page lies in the log, and how many pages the last commit left (0: unknown).

    SQLite stops at the first frame whose checksum is wrong. Each checksum goes on from the one before it, which is
    stored too, so that the frames behind a damaged one can be verified and are not lost.
    """
    header = log.read(0, _LOG_HEADER_BYTES)
    order = _LOG_MAGIC.get(header[:4], "<")
    salts, before = header[16:24], header[24:32]
    if len(header) == _LOG_HEADER_BYTES and before != _checksum(b"", header[:24], order):
        # The header is damaged: the first frame cannot be verified, but names the salts of the others.
        salts = log.read(_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES)[8:16]
    committed: dict[int, int] = {}
    open_ones: dict[int, int] = {}
    count = 0
    for start in range(_LOG_HEADER_BYTES, log.size, _FRAME_HEADER_BYTES + page_bytes):
        frame = log.read(start, _FRAME_HEADER_BYTES + page_bytes)
        if len(frame) < _FRAME_HEADER_BYTES + page_bytes:
            break
        is_right = frame[8:16] == salts and frame[16:24] == _checksum(
            before, frame[:8] + frame[_FRAME_HEADER_BYTES:], order
        )
        before = frame[16:24]
        if not is_right:
            continue
        number, pages_after = struct.unpack(">II", frame[:8])
        open_ones[number] = start + _FRAME_HEADER_BYTES
        if pages_after:  # the last frame of a transaction
            committed |= open_ones
            open_ones.clear()
            count = pages_after
    return committed, count


def _checksum(before: bytes, data: bytes, order: str) -> bytes:
    one, two = struct.unpack(">II", before) if len(before) == 8 else (0, 0)
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        one = (one + even + two) & _WORD_MASK
        two = (two + odd + one) & _WORD_MASK
    return struct.pack(">II", one, two)


def rows(pages: Pages, number: int) -> Iterator[Row]:
    """The rows of a page, in their order; none of a page that holds no rows, or is too damaged to name them.

    A BLOB in a row's last column that is continued on a damaged page comes as far as it can be read.
    """
    page = pages[number]
    kind = page[0] if page and number > 1 else 0  # page 1 begins with the file's header and holds the schema
    if kind not in _HEADER_BYTES or len(page) < pages.page_bytes:
        return
    start = _HEADER_BYTES[kind]
    (count,) = struct.unpack_from(">H", page, 3)
    count = min(count, (len(page) - start) // 2)
    for place in struct.unpack_from(f">{count}H", page, start):
        if place >= start + 2 * count:
            row = _row(pages, page, kind, place)
            if row is not None:
                yield row


def _row(pages: Pages, page: bytes, kind: int, place: int) -> Row | None:
    rowid = None
    try:
        if kind == _INDEX_INTERIOR:
            place += 4  # the child's page
        size, place = _varint(page, place)
        if kind == _TABLE_LEAF:
            rowid, place = _varint(page, place)
            rowid -= (rowid >> 63) << 64
        if not 0 < size <= pages.count * pages.page_bytes:
            return None
        payload = _payload(pages, page, place, size, is_table=kind == _TABLE_LEAF)
        values = _values(payload, size)
    except (IndexError, struct.error):  # it leads out of the page
        return None
    return None if values is None else Row(rowid, values)


def _payload(pages: Pages, page: bytes, place: int, size: int, *, is_table: bool) -> bytes:
    """A row's bytes: what lies in its page, and the rest along the chain of overflow pages, as far as that goes."""
    usable = len(page)
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        if place + size > usable:
            raise IndexError
        return page[place : place + size]
    least = (usable - 12) * 32 // 255 - 23
    here = least + (size - least) % (usable - 4)
    if here > most:
        here = least
    parts = [page[place : place + here]]
    rest = size - here
    (following,) = struct.unpack_from(">I", page, place + here)
    seen: set[int] = set()
    while rest > 0 and 1 < following <= pages.count and following not in seen:
        seen.add(following)
        page = pages[following]
        if len(page) < usable:
            break
        parts.append(page[4 : 4 + rest])
        rest -= usable - 4
        (following,) = struct.unpack_from(">I", page)
    return b"".join(parts)


def _values(payload: bytes, size: int) -> tuple[Value, ...] | None:
    """The columns of a record of `size` bytes of which `payload` could be read; None if it does not add up."""
    header_bytes, place = _varint(payload, 0)
    types: list[int] = []
    while place < header_bytes:
        serial, place = _varint(payload, place)
        types.append(serial)
    lengths = [_length(serial) for serial in types]
    if place != header_bytes or -1 in lengths or header_bytes + sum(lengths) != size:
        return None
    missing = size - len(payload)
    if missing and not (types[-1] >= 12 and types[-1] % 2 == 0 and missing <= lengths[-1]):
        return None
    values: list[Value] = []
    for serial, length in zip(types, lengths, strict=True):
        values.append(_value(serial, payload[place : place + length]))
        place += length
    return tuple(values)


def _length(serial: int) -> int:
    if serial >= 12:
        return (serial - 12) // 2
    if serial in (10, 11):  # never stored
        return -1
    return 8 if serial == _FLOAT else _INTEGER_BYTES.get(serial, 0)


def _value(serial: int, data: bytes) -> Value:
    if serial == 0:
        return None
    if serial >= 12:
        return data if serial % 2 == 0 else data.decode(errors="replace")
    if serial == _FLOAT:
        return float(struct.unpack(">d", data)[0])
    return int.from_bytes(data, "big", signed=True) if serial in _INTEGER_BYTES else serial - 8


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """An integer of one to nine bytes, and the place behind it. Raises IndexError where the data ends in it."""
    value = 0
    for count in range(8):
        byte = data[place + count]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + count + 1
    return value << 8 | data[place + 8], place + 9


class Column(NamedTuple):
    """A column of a STRICT table. `default` is its value in a row that was written before the column was added."""

    name: str
    kind: type
    nullable: bool
    default: Value = None


class Table(NamedTuple):
    """A table's columns in the order in which its rows store them, and which of them is the row's own number, if any."""

    name: str
    columns: Sequence[Column]
    rowid: str | None

    def read(self, row: Row) -> Record | None:
        """The row by the names of its columns; None if it cannot be one of this table."""
        values = row.values
        if (row.rowid is None) != (self.rowid is None) or len(values) > len(self.columns):
            return None
        found: Record = {}
        for index, column in enumerate(self.columns):
            value = values[index] if index < len(values) else column.default
            if column.name == self.rowid:
                if value is not None:
                    return None
                value = row.rowid
            elif not (type(value) is column.kind or (value is None and column.nullable)):
                return None
            found[column.name] = value
        return found
