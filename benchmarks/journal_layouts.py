"""Which row layout the journal should have: a row an event, or events packed in chunks with an index of ids.

    python benchmarks/journal_layouts.py [events]

Prints microseconds an event for each layout, batch size and kind of id, and the ratio to the fastest of its line.
Each figure is one run on a database of its own, in WAL mode with synchronous=NORMAL and a page cache of 4 MB.
"""

import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

LINE = b'{"eventId":"x","content":"' + b"y" * 970 + b'"}'
Append = Callable[[sqlite3.Connection, int, list[tuple[str, bytes]]], None]


def row_an_event(db: sqlite3.Connection, first: int, events: list[tuple[str, bytes]]) -> None:
    rows = [(1, first + place, event_id, line) for place, (event_id, line) in enumerate(events)]
    db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)


def row_an_event_without_index(db: sqlite3.Connection, first: int, events: list[tuple[str, bytes]]) -> None:
    rows = [(1, event_id, first + place, line) for place, (event_id, line) in enumerate(events)]
    db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)


def packed(db: sqlite3.Connection, first: int, events: list[tuple[str, bytes]]) -> None:
    rows = [(1, event_id, first + place) for place, (event_id, _) in enumerate(events)]
    db.executemany("INSERT INTO event_id VALUES (?, ?, ?)", rows)
    data = b"\n".join([*(line for _, line in events), b""])
    db.execute("INSERT INTO chunk VALUES (?, ?, ?, ?)", (1, first, len(events), data))


LAYOUTS: dict[str, tuple[str, Append]] = {
    "a row an event, unique index on the id": (
        """CREATE TABLE event (session INTEGER, seq INTEGER, event_id TEXT, line BLOB);
        CREATE UNIQUE INDEX place ON event (session, seq);
        CREATE UNIQUE INDEX id ON event (session, event_id);""",
        row_an_event,
    ),
    "a row an event, clustered by the id": (
        """CREATE TABLE event (session INTEGER, event_id TEXT, seq INTEGER, line BLOB,
        PRIMARY KEY (session, event_id)) WITHOUT ROWID;
        CREATE UNIQUE INDEX place ON event (session, seq);""",
        row_an_event_without_index,
    ),
    "chunks and an index of ids": (
        """CREATE TABLE chunk (session INTEGER, first_seq INTEGER, count INTEGER, data BLOB);
        CREATE UNIQUE INDEX place ON chunk (session, first_seq);
        CREATE TABLE event_id (session INTEGER, event_id TEXT, seq INTEGER,
        PRIMARY KEY (session, event_id)) WITHOUT ROWID;""",
        packed,
    ),
}


def measure(schema: str, append: Append, batch: int, ids: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(Path(folder) / "x.sqlite3", isolation_level=None)
        db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-4096;" + schema
        )
        started = time.perf_counter()
        for first in range(0, len(ids), batch):
            db.execute("BEGIN IMMEDIATE")
            append(db, first, [(event_id, LINE) for event_id in ids[first : first + batch]])
            db.execute("COMMIT")
        taken = time.perf_counter() - started
        db.close()
        return taken / len(ids) * 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    kinds = {
        "sequential": [f"event-{number:09d}" for number in range(count)],
        "random": [str(uuid.uuid4()) for _ in range(count)],
    }
    for batch in (1, 10, 100):
        for kind, ids in kinds.items():
            used = ids[: count // 5] if batch == 1 else ids
            taken = {name: measure(*layout, batch, used) for name, layout in LAYOUTS.items()}
            best = min(taken.values())
            print(f"\nbatches of {batch}, {kind} ids")
            for name, figure in taken.items():
                print(f"  {name:40} {figure:8.1f} µs an event   {figure / best:5.2f}")


if __name__ == "__main__":
    main()
