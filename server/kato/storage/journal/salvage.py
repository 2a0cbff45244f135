"""Reads rows from the pages of a SQLite file that SQLite can no longer open.

A b-tree page contains the offsets of its rows, and a row contains the types and lengths of its columns. So the rows of an
undamaged page can be read even if the pages that lead to it are damaged, the schema included. The layouts of pages, cells,
rows (SQLite calls them records) and the write-ahead log (WAL) are in https://www.sqlite.org/fileformat2.html, sections 1.6,
2.1 and 4.

    Pages    the newest committed version of each page: from the WAL if the checksum of its frame is right, else from the file
    rows     the rows of one page; skips an inconsistent row and continues with the next
    Table    decides by the types of its columns whether a row can belong to a table

Rules: reads one page at a time, through a function that the caller provides. Checks every length, number and pointer against
the data before using it. Never raises for damaged data.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

Value = int | float | str | bytes | None
#: The columns of a row by name. `Table.read` has checked their types.
Columns = dict[str, Any]

_TABLE_LEAF: Final = 13
_INDEX_LEAF: Final = 10
_INDEX_INTERIOR: Final = 2
#: Size of the header of a b-tree page. That of an interior page includes a pointer to its last child.
_HEADER_BYTES: Final = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INTERIOR: 12}

_WAL_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24
#: The first word of the WAL gives the byte order of its checksums.
_WAL_MAGIC: Final = {b"\x37\x7f\x06\x82": "<", b"\x37\x7f\x06\x83": ">"}
_WORD_MASK: Final = 0xFFFFFFFF

#: Sizes of the integers, by SQLite's serial type; types 8 and 9 are the integers 0 and 1, without any bytes.
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FLOAT: Final = 7


class Source(NamedTuple):
    """A file. `read(offset, length)` returns fewer bytes at the end of the file, and never raises."""

    read: Callable[[int, int], bytes]
    size: int


class Row(NamedTuple):
    """A row: its rowid (None in a table WITHOUT ROWID) and its columns as they are stored."""

    rowid: int | None
    values: tuple[Value, ...]


class Pages:
    """The pages of a database and of its WAL, by number, from 1."""

    def __init__(self, database: Source, wal: Source, page_bytes: int) -> None:
        self.page_bytes = page_bytes
        self._database = database
        self._wal = wal
        self._frames, count = _committed_frames(wal, page_bytes)
        self.count = count or -(-database.size // page_bytes)

    def __getitem__(self, number: int) -> bytes:
        """The page; shorter or empty at the end of the file."""
        offset = self._frames.get(number)
        if offset is not None:
            return self._wal.read(offset, self.page_bytes)
        return self._database.read((number - 1) * self.page_bytes, self.page_bytes)


def _committed_frames(wal: Source, page_bytes: int) -> tuple[dict[int, int], int]:
    """The offset in the WAL of the newest committed version of each page, and the number of pages of the database after the
    last commit (0 if there is none).

    SQLite stops at the first frame with a wrong checksum. But each checksum continues the previous one, which is stored in
    the WAL, so that frames after a damaged one can be verified too.
    """
    header = wal.read(0, _WAL_HEADER_BYTES)
    order = _WAL_MAGIC.get(header[:4], "<")
    salts, before = header[16:24], header[24:32]
    if len(header) == _WAL_HEADER_BYTES and before != _checksum(b"", header[:24], order):
        # The header is damaged. The first frame cannot be verified, but it contains the salts of the others.
        salts = wal.read(_WAL_HEADER_BYTES, _FRAME_HEADER_BYTES)[8:16]
    committed: dict[int, int] = {}
    uncommitted: dict[int, int] = {}
    count = 0
    for start in range(_WAL_HEADER_BYTES, wal.size, _FRAME_HEADER_BYTES + page_bytes):
        frame = wal.read(start, _FRAME_HEADER_BYTES + page_bytes)
        if len(frame) < _FRAME_HEADER_BYTES + page_bytes:
            break
        is_right = frame[8:16] == salts and frame[16:24] == _checksum(
            before, frame[:8] + frame[_FRAME_HEADER_BYTES:], order
        )
        before = frame[16:24]
        if not is_right:
            continue
        number, pages_after = struct.unpack(">II", frame[:8])
        uncommitted[number] = start + _FRAME_HEADER_BYTES
        if pages_after:  # only set in the last frame of a transaction
            committed |= uncommitted
            uncommitted.clear()
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
    """The rows of a page, in order; none if the page holds no rows, or its header is damaged.

    If a row continues on a damaged page and its last column is a BLOB, the readable part of the BLOB is returned.
    """
    page = pages[number]
    page_type = (
        page[0] if page and number > 1 else 0
    )  # page 1 begins with the file's header and holds the schema
    if page_type not in _HEADER_BYTES or len(page) < pages.page_bytes:
        return
    start = _HEADER_BYTES[page_type]
    (count,) = struct.unpack_from(">H", page, 3)
    count = min(count, (len(page) - start) // 2)
    for offset in struct.unpack_from(f">{count}H", page, start):
        if offset >= start + 2 * count:
            row = _row(pages, page, page_type, offset)
            if row is not None:
                yield row


def _row(pages: Pages, page: bytes, page_type: int, offset: int) -> Row | None:
    rowid = None
    try:
        if page_type == _INDEX_INTERIOR:
            offset += 4  # the number of the child page
        size, offset = _varint(page, offset)
        if page_type == _TABLE_LEAF:
            rowid, offset = _varint(page, offset)
            rowid -= (rowid >> 63) << 64
        if not 0 < size <= pages.count * pages.page_bytes:
            return None
        payload = _payload(pages, page, offset, size, is_table=page_type == _TABLE_LEAF)
        values = _values(payload, size)
    except (IndexError, struct.error):  # a length or pointer leads out of the page
        return None
    return None if values is None else Row(rowid, values)


def _payload(pages: Pages, page: bytes, offset: int, size: int, *, is_table: bool) -> bytes:
    """The bytes of a row: those in its page, and the rest from the chain of overflow pages, up to the first damaged one."""
    usable = len(page)
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        if offset + size > usable:
            raise IndexError
        return page[offset : offset + size]
    least = (usable - 12) * 32 // 255 - 23
    here = least + (size - least) % (usable - 4)
    if here > most:
        here = least
    parts = [page[offset : offset + here]]
    rest = size - here
    (following,) = struct.unpack_from(">I", page, offset + here)
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
    """The columns of a row of `size` bytes, of which `payload` could be read; None if it is inconsistent."""
    header_bytes, offset = _varint(payload, 0)
    types: list[int] = []
    while offset < header_bytes:
        serial, offset = _varint(payload, offset)
        types.append(serial)
    lengths = [_length(serial) for serial in types]
    if offset != header_bytes or -1 in lengths or header_bytes + sum(lengths) != size:
        return None
    missing = size - len(payload)
    if missing and not (types[-1] >= 12 and types[-1] % 2 == 0 and missing <= lengths[-1]):
        return None
    values: list[Value] = []
    for serial, length in zip(types, lengths, strict=True):
        values.append(_value(serial, payload[offset : offset + length]))
        offset += length
    return tuple(values)


def _length(serial: int) -> int:
    if serial >= 12:
        return (serial - 12) // 2
    if serial in (10, 11):  # never in a file
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


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """An integer of one to nine bytes, and the offset after it. Raises IndexError if the data ends inside it."""
    value = 0
    for count in range(8):
        byte = data[offset + count]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + count + 1
    return value << 8 | data[offset + 8], offset + 9


class Column(NamedTuple):
    """A column of a STRICT table. `default` is the value in a row that was written before the column was added."""

    name: str
    type: type
    nullable: bool
    default: Value = None


class Table(NamedTuple):
    """The columns of a table, in the order in which its rows store them. `rowid` names the column that is the rowid, if any."""

    name: str
    columns: Sequence[Column]
    rowid: str | None

    def read(self, row: Row) -> Columns | None:
        """The columns of the row by name; None if it cannot belong to this table."""
        values = row.values
        if (row.rowid is None) != (self.rowid is None) or len(values) > len(self.columns):
            return None
        found: Columns = {}
        for index, column in enumerate(self.columns):
            value = values[index] if index < len(values) else column.default
            if column.name == self.rowid:
                if value is not None:
                    return None
                value = row.rowid
            elif not (type(value) is column.type or (value is None and column.nullable)):
                return None
            found[column.name] = value
        return found
