"""Salvage from damaged SQLite files: every row outside of the damaged page is found, whatever the damage is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from kato.storage.journal.salvage import Pages, Row, Source, rows

PAGE = 1024
FRAME = 24 + PAGE
SCHEMA = """
    CREATE TABLE numbered (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
    CREATE TABLE named (name TEXT PRIMARY KEY, n INTEGER, x REAL) STRICT, WITHOUT ROWID;
"""


class Files(NamedTuple):
    """The bytes of a database and of its write-ahead log (WAL), and all rows as SQLite reads them."""

    database: bytes
    log: bytes
    rows: set[Row]


def make(folder: Path, steps: list[tuple[int, int, bool]], *, checkpoint_after: int) -> Files:
    """A database after these `steps` (the number of a row, its size, whether it is removed again), one transaction each."""
    path = folder / "x.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA secure_delete = ON")
        db.executescript(SCHEMA)
        for index, (number, size, is_removed) in enumerate(steps):
            data = bytes([number % 251]) * size
            db.execute("BEGIN")
            db.execute("INSERT OR REPLACE INTO numbered VALUES (?, ?, ?)", (number << 32, size - 5000, data))
            db.execute(
                "INSERT OR REPLACE INTO named VALUES (?, ?, ?)",
                (f"{number} " * (size % 40 + 1), size, size / 7),
            )
            if is_removed:
                db.execute("DELETE FROM numbered WHERE id = ?", (number << 32,))
            db.execute("COMMIT")
            if index == checkpoint_after:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        numbered = db.execute("SELECT id, n, data FROM numbered").fetchall()
        named = db.execute("SELECT name, n, x FROM named").fetchall()
        log = Path(f"{path}-wal")
        files = path.read_bytes(), log.read_bytes() if log.exists() else b""
    return Files(
        *files, {Row(row[0], (None, *row[1:])) for row in numbered} | {Row(None, row) for row in named}
    )


def opened(database: bytes, log: bytes, reads: list[tuple[str, int]] | None = None) -> Pages:
    """The pages of these files. Each read is appended to `reads`: the file and the number of its page or frame."""

    def source(name: str, data: bytes) -> Source:
        def read(offset: int, length: int) -> bytes:
            if reads is not None:
                reads.append((name, offset // PAGE if name == "database" else (offset - 32) // FRAME))
            return data[offset : offset + length]

        return Source(read, len(data))

    return Pages(source("database", database), source("log", log), PAGE)


def all_rows(pages: Pages) -> Iterator[Row]:
    for number in range(1, pages.count + 1):
        yield from rows(pages, number)


def sources_of_rows(files: Files) -> dict[Row, set[tuple[str, int]]]:
    """The pages and frames that are read for each row."""
    reads: list[tuple[str, int]] = []
    pages = opened(files.database, files.log, reads)
    found = {}
    for number in range(1, pages.count + 1):
        reads.clear()
        for row in rows(pages, number):
            found[row] = set(reads)
            del reads[1:]  # the page itself stays: its next row is read from it too
    return found


STEPS = st.lists(
    st.tuples(
        st.integers(-40, 40),
        st.sampled_from([1, 30, 400, 900, 3000, 20_000]),
        st.sampled_from([False, False, True]),
    ),
    min_size=1,
    max_size=60,
)
CHECKPOINT = st.integers(-1, 60)


@given(STEPS, CHECKPOINT)
@settings(max_examples=60, deadline=None)
def test_an_undamaged_file_has_the_rows_that_sqlite_reads(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]], checkpoint_after: int
) -> None:
    files = make(tmp_path_factory.mktemp("sound"), steps, checkpoint_after=checkpoint_after)
    assert set(all_rows(opened(files.database, files.log))) == files.rows


@given(STEPS, CHECKPOINT, st.data())
@settings(max_examples=150, deadline=None)
def test_every_row_outside_of_the_damaged_page_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int, bool]],
    checkpoint_after: int,
    data: st.DataObject,
) -> None:
    files = make(tmp_path_factory.mktemp("damaged"), steps, checkpoint_after=checkpoint_after)
    sources = sources_of_rows(files)
    noise = data.draw(
        st.binary(min_size=1, max_size=PAGE) | st.sampled_from([bytes(PAGE), b"\xff" * PAGE, b"\x0d" * PAGE])
    )
    offset = data.draw(st.integers(0, PAGE - len(noise)))
    database, log = bytearray(files.database), bytearray(files.log)
    # The last frame stays undamaged: without it, the newest transaction in the WAL counts as uncommitted.
    frames = len(log) // FRAME - 1
    if frames > 0 and data.draw(st.booleans()):
        number = data.draw(st.integers(0, frames - 1))
        start = 32 + number * FRAME + 24 + offset
        log[start : start + len(noise)] = noise
        damaged = ("log", number)
    else:
        number = data.draw(st.integers(0, len(database) // PAGE - 1))
        start = number * PAGE + offset
        database[start : start + len(noise)] = noise
        damaged = ("database", number)
    found = set(all_rows(opened(bytes(database), bytes(log))))
    missing = {row for row in files.rows if damaged not in sources[row]} - found
    assert missing == set()


@given(st.binary(max_size=6 * PAGE), st.binary(max_size=4 * FRAME))
@settings(max_examples=200, deadline=None)
def test_random_bytes_never_raise(database: bytes, log: bytes) -> None:
    for kind in (b"\x0d\0\0\0\x40", b"\x0a\0\0\0\x40", b"\x02\0\0\0\x40"):
        pages = kind + database[len(kind) : PAGE]
        list(all_rows(opened(database[:PAGE] + pages.ljust(PAGE, b"\x20") + database[PAGE:], log)))


def test_a_damaged_wal_header_loses_only_the_first_frame(tmp_path: Path) -> None:
    files = make(tmp_path, [(number, 400, False) for number in range(40)], checkpoint_after=-1)
    sources = sources_of_rows(files)
    found = set(all_rows(opened(files.database, b"\xff" * 32 + files.log[32:])))
    assert {row for row in files.rows if ("log", 0) not in sources[row]} <= found
    assert found


def test_uncommitted_rows_are_not_found(tmp_path: Path) -> None:
    before = make(tmp_path, [(1, 400, False), (2, 400, False)], checkpoint_after=0)
    (tmp_path / "more").mkdir()
    after = make(tmp_path / "more", [(1, 400, False), (2, 400, False), (3, 400, False)], checkpoint_after=0)
    last = len(after.log) // FRAME - 1
    assert last > len(before.log) // FRAME, "the last transaction has more than one frame"
    cut = after.log[: 32 + last * FRAME]  # the process ended before the last one was written
    assert set(all_rows(opened(after.database, cut))) == before.rows


def test_rows_of_every_length_are_read_completely(tmp_path: Path) -> None:
    """A row up to a certain length is stored in its page, a longer one partly on overflow pages. The length depends on the kind
    of page.
    """
    path = tmp_path / "x.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.executescript(SCHEMA)
        for length in range(150, 1150):
            db.execute("INSERT INTO named VALUES (?, NULL, NULL)", (str(length).ljust(length, "x"),))
        for length in range(900, 3200):
            db.execute("INSERT INTO numbered VALUES (?, 0, ?)", (length, bytes(length)))
    found = list(all_rows(opened(path.read_bytes(), b"")))
    assert sorted(len(str(row.values[0])) for row in found if row.rowid is None) == [*range(150, 1150)]
    blobs = {row.rowid: row.values[2] for row in found if row.rowid is not None}
    assert blobs == {length: bytes(length) for length in range(900, 3200)}


def test_the_readable_part_of_a_row_with_a_damaged_overflow_page_is_returned(tmp_path: Path) -> None:
    files = make(tmp_path, [(1, 20_000, False)], checkpoint_after=0)
    (row,) = (row for row in files.rows if row.rowid is not None)
    chain = sorted(number for _, number in sources_of_rows(files)[row])
    database = bytearray(files.database)
    database[chain[-3] * PAGE : (chain[-3] + 1) * PAGE] = b"\xff" * PAGE
    (found,) = (one for one in all_rows(opened(bytes(database), files.log)) if one.rowid == row.rowid)
    whole, read = row.values[2], found.values[2]
    assert isinstance(whole, bytes)
    assert isinstance(read, bytes)
    assert 10_000 < len(read) < len(whole)
    assert whole.startswith(read[: len(read) - PAGE])
