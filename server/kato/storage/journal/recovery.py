"""The rows of a damaged journal, read page by page. SQLite does not open the journal, and nothing in it is changed.

    file and WAL ─► pages (salvage) ─► rows of the small tables, in memory
                                   └─► pages with chunks, sorted by the first chunk's id ─► chunks in order, page by page

Rule: a row counts if its columns fit its table. A row can be found twice, because a page that is out of use may hold an
older version; then the newer version counts.
"""

import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from kato.core import limits
from kato.storage.journal.salvage import Column, Columns, Pages, Row, Source, Table, rows
from kato.system.regular import open_regular


class _Identity(NamedTuple):
    """The columns that identify a row, and those that are larger in the newer of two versions of it."""

    columns: Sequence[str]
    newer: Sequence[str]


_SMALL_TABLES: Final[Mapping[str, _Identity]] = {
    "session": _Identity(("id",), ("updated_at", "event_count")),
    "claim": _Identity(("session", "event_id", "line"), ("finished",)),
    "recording": _Identity(("recording_id",), ("id", "seq", "line")),
    "note": _Identity(("path",), ()),
    "log": _Identity(("path",), ("mtime_ns",)),
    "removed_session": _Identity(("id",), ()),
    "gap": _Identity(("id",), ("until_ms",)),
}
_TYPES: Final = {"INTEGER": int, "TEXT": str, "BLOB": bytes}


class SalvagedChunk(NamedTuple):
    """Lines of the session with this number; the first is event number `first`. Lines may be cut or damaged."""

    session: int
    first: int
    data: bytes


class DamagedJournal:
    """What can be read of a damaged journal."""

    def __init__(self, pages: Pages, tables: Sequence[Table]) -> None:
        self._pages = pages
        self._tables = [table for table in tables if table.name in _SMALL_TABLES]
        self._chunk, self._removed_event = (_named(tables, name) for name in ("chunk", "removed_event"))
        self._found: dict[str, dict[tuple[Any, ...], Columns]] = {name: {} for name in _SMALL_TABLES}
        self._chunk_pages: list[tuple[int, int]] = []  # the smallest id of a chunk, and the page
        #: The marks of removed events.
        self.removed_events = array("q")
        for number in range(1, pages.count + 1):
            self._read_page(number)
        self._chunk_pages.sort()

    def rows(self, table: str) -> Iterable[Columns]:
        """The rows of a small table."""
        return self._found[table].values()

    def by_session(self, table: str) -> dict[int, list[Columns]]:
        """The rows of a small table, by the number of their session."""
        grouped: dict[int, list[Columns]] = {}
        for row in self.rows(table):
            grouped.setdefault(row["session"], []).append(row)
        return grouped

    def chunks(self) -> Iterator[SalvagedChunk]:
        """All chunks; those of a session in order."""
        for _, number in self._chunk_pages:
            found = (self._chunk.read(row) for row in rows(self._pages, number))
            for chunk in sorted((one for one in found if one is not None), key=lambda one: one["id"]):
                yield SalvagedChunk(chunk["id"] >> 32, chunk["id"] & 0xFFFFFFFF, chunk["data"])

    def _read_page(self, number: int) -> None:
        smallest: int | None = None
        for row in rows(self._pages, number):
            if (chunk := self._chunk.read(row)) is not None:
                smallest = chunk["id"] if smallest is None else min(smallest, chunk["id"])
            elif self._removed_event.read(row) is not None:
                assert row.rowid is not None
                self.removed_events.append(row.rowid)
            else:
                self._keep(row)
        if smallest is not None:
            self._chunk_pages.append((smallest, number))

    def _keep(self, row: Row) -> None:
        """Keeps a row of a small table, unless a newer version of it was found."""
        for table in self._tables:
            columns = table.read(row)
            if columns is not None:
                identity = _SMALL_TABLES[table.name]
                found = self._found[table.name]
                key = tuple(columns[name] for name in identity.columns)
                other = found.get(key)
                if other is None or _version(columns, identity) >= _version(other, identity):
                    found[key] = columns
                return


def _version(columns: Columns, identity: _Identity) -> list[Any]:
    return [columns[name] or 0 for name in identity.newer]


@contextmanager
def damaged_journal(
    path: Path, migrations: Iterable[Callable[[sqlite3.Connection], None]]
) -> Iterator[DamagedJournal]:
    """Reads a damaged journal whose schema these migrations make."""
    with ExitStack() as files:
        database, wal = (_source(files, Path(f"{path}{suffix}")) for suffix in ("", "-wal"))
        yield DamagedJournal(Pages(database, wal, limits.JOURNAL_PAGE_BYTES), _tables(migrations))


def _source(files: ExitStack, path: Path) -> Source:
    try:
        file = files.enter_context(open(path, "rb", buffering=0, opener=open_regular))  # noqa: SIM115
    except FileNotFoundError:
        return Source(lambda _offset, _length: b"", 0)

    def read(offset: int, length: int) -> bytes:
        # A part of the disk that fails to read counts as missing.
        with suppress(OSError):
            file.seek(offset)
            return file.read(length) or b""
        return b""

    return Source(read, path.stat().st_size)


def _tables(migrations: Iterable[Callable[[sqlite3.Connection], None]]) -> list[Table]:
    """The tables as SQLite describes them, so that no second list of columns has to be kept up to date."""
    with closing(sqlite3.connect(":memory:")) as db:
        for migration in migrations:
            migration(db)
        tables = []
        for _, name, kind, _, without_rowid, _ in db.execute("PRAGMA main.table_list").fetchall():
            if kind == "table" and not name.startswith("sqlite_"):
                tables.append(_table(db, name, has_rowid=not without_rowid))
    return tables


def _table(db: sqlite3.Connection, name: str, *, has_rowid: bool) -> Table:
    columns, rowid = [], None
    for _, column, type_name, not_null, default, key in db.execute(f"PRAGMA table_info({name})").fetchall():
        value = None if default is None else db.execute(f"SELECT {default}").fetchone()[0]
        columns.append(Column(column, _TYPES[type_name], not (not_null or key), value))
        if has_rowid and key and type_name == "INTEGER":
            rowid = column
    return Table(name, columns, rowid)


def _named(tables: Sequence[Table], name: str) -> Table:
    return next(table for table in tables if table.name == name)
