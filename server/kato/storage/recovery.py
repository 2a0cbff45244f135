"""What a damaged journal still holds, read page by page; SQLite opens nothing of it and nothing in it is changed.

    file and log ─► pages (salvage) ─► rows of the small tables, in memory
                                   └─► pages with chunks, by the number of their first ─► chunks in order, a page at a time

Rule: a row counts as soon as its columns fit its table. The same row can be found twice, the older in a page that is out
of use: of two the newer counts.
"""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from kato.core import limits
from kato.storage.salvage import Column, Pages, Record, Row, Source, Table, rows
from kato.system.regular import open_regular

#: What identifies a row of each small table, and the columns that are larger in the newer of two.
_IDENTITY: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "session": (("id",), ("updated_at", "event_count")),
    "claim": (("session", "event_id", "line"), ("finished",)),
    "recording": (("recording_id",), ("id", "seq", "line")),
    "note": (("path",), ()),
    "log": (("path",), ("mtime_ns",)),
    "removed_session": (("id",), ()),
}
_KINDS: Final = {"INTEGER": int, "TEXT": str, "BLOB": bytes}


class Chunk(NamedTuple):
    """Lines of the session with this number; the first is event number `first`. Some may be cut, or noise."""

    session: int
    first: int
    data: bytes


class Salvaged:
    """The rows of a damaged journal."""

    def __init__(self, pages: Pages, tables: Sequence[Table]) -> None:
        self._pages = pages
        self._tables = [table for table in tables if table.name in _IDENTITY]
        self._chunk, self._removed = (_named(tables, name) for name in ("chunk", "removed_event"))
        self._found: dict[str, dict[tuple[Any, ...], Record]] = {name: {} for name in _IDENTITY}
        self._with_chunks: list[tuple[int, int]] = []  # the number of the first, the page
        #: The marks of events that were removed on the user's word.
        self.removed_events = array("q")
        for number in range(1, pages.count + 1):
            self._look_at(number)
        self._with_chunks.sort()

    def records(self, table: str) -> Iterable[Record]:
        """The rows of a small table."""
        return self._found[table].values()

    def by_session(self, table: str) -> dict[int, list[Record]]:
        """The same, by the number of the session that they belong to."""
        grouped: dict[int, list[Record]] = {}
        for record in self.records(table):
            grouped.setdefault(record["session"], []).append(record)
        return grouped

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, those of a session in their order."""
        for _, number in self._with_chunks:
            found = (self._chunk.read(row) for row in rows(self._pages, number))
            for chunk in sorted((one for one in found if one is not None), key=lambda one: one["id"]):
                yield Chunk(chunk["id"] >> 32, chunk["id"] & 0xFFFFFFFF, chunk["data"])

    def _look_at(self, number: int) -> None:
        first: int | None = None
        for row in rows(self._pages, number):
            if (chunk := self._chunk.read(row)) is not None:
                first = chunk["id"] if first is None else min(first, chunk["id"])
            elif self._removed.read(row) is not None:
                assert row.rowid is not None
                self.removed_events.append(row.rowid)
            else:
                self._keep(row)
        if first is not None:
            self._with_chunks.append((first, number))

    def _keep(self, row: Row) -> None:
        for table in self._tables:
            record = table.read(row)
            if record is not None:
                columns, newer = _IDENTITY[table.name]
                found = self._found[table.name]
                identity = tuple(record[column] for column in columns)
                other = found.get(identity)
                if other is None or [record[name] for name in newer] >= [other[name] for name in newer]:
                    found[identity] = record
                return


@contextmanager
def salvaged(path: Path, schema: Iterable[str]) -> Iterator[Salvaged]:
    """Reads a damaged journal of this schema (SQL statements, as they are applied to a new one)."""
    with ExitStack() as files:
        database, log = (_source(files, Path(f"{path}{suffix}")) for suffix in ("", "-wal"))
        yield Salvaged(Pages(database, log, limits.JOURNAL_PAGE_BYTES), _tables(schema))


def _source(files: ExitStack, path: Path) -> Source:
    try:
        file = files.enter_context(open(path, "rb", buffering=0, opener=open_regular))  # noqa: SIM115
    except FileNotFoundError:
        return Source(lambda _offset, _length: b"", 0)

    def read(offset: int, length: int) -> bytes:
        # A part of a disk that gives an error is a hole in the file.
        with suppress(OSError):
            file.seek(offset)
            return file.read(length) or b""
        return b""

    return Source(read, path.stat().st_size)


def _tables(schema: Iterable[str]) -> list[Table]:
    """The tables as SQLite itself understands the schema: no second list of columns has to be kept in step with it."""
    with closing(sqlite3.connect(":memory:")) as db:
        for statements in schema:
            db.executescript(statements)
        tables = []
        for _, name, kind, _, without_rowid, _ in db.execute("PRAGMA main.table_list").fetchall():
            if kind == "table" and not name.startswith("sqlite_"):
                tables.append(_table(db, name, has_rowid=not without_rowid))
    return tables


def _table(db: sqlite3.Connection, name: str, *, has_rowid: bool) -> Table:
    columns, rowid = [], None
    for _, column, kind, not_null, default, key in db.execute(f"PRAGMA table_info({name})").fetchall():
        value = None if default is None else db.execute(f"SELECT {default}").fetchone()[0]
        columns.append(Column(column, _KINDS[kind], not (not_null or key), value))
        if has_rowid and key and kind == "INTEGER":
            rowid = column
    return Table(name, columns, rowid)


def _named(tables: Sequence[Table], name: str) -> Table:
    return next(table for table in tables if table.name == name)
