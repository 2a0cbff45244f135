"""Both ledgers, as the engine uses them."""

from collections.abc import Sequence
from pathlib import Path

from builders import START_MS
from journal.keeping import KEY, META, pairs
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.ports import Ledger
from kato.core.records import AppendReceipt, SessionMeta
from kato.core.snapshots import SnapshotStore
from kato.storage.journal import Journal
from kato.storage.memory import MemoryLedger

KINDS = ["journal", "memory"]


class Storage:
    """A ledger with its snapshot store. Like the engine, it puts events into the store after the commit; the memory ledger
    reads them there.
    """

    def __init__(self, ledger: Ledger, store: SnapshotStore) -> None:
        self.ledger = ledger
        self._store = store
        self._uncommitted: list[tuple[SessionKey, Lines, int]] = []

    def append(
        self, numbers: Sequence[int], key: SessionKey = KEY, meta: SessionMeta = META
    ) -> AppendReceipt:
        """Appends the events with these numbers to the open group."""
        events = [pairs(1, first=number, key=key)[0] for number in numbers]
        lines = Lines.of(line for _, line in events)
        receipt = self.ledger.append(key, [event_id for event_id, _ in events], lines, meta)
        self._uncommitted.append((key, lines.chosen(receipt.accepted), receipt.first_seq))
        return receipt

    def commit(self) -> None:
        self.ledger.commit()
        for key, lines, first_seq in self._uncommitted:
            self._store.append(key, lines, first_seq=first_seq)
        self._uncommitted.clear()

    def put(self, numbers: Sequence[int], key: SessionKey = KEY, meta: SessionMeta = META) -> list[int]:
        """Appends and commits; returns the indices of the accepted events."""
        receipt = self.append(numbers, key, meta)
        self.commit()
        return list(receipt.accepted)

    def rollback(self) -> None:
        self.ledger.rollback()
        self._uncommitted.clear()


def make(kind: str, folder: Path) -> Storage:
    """A new, empty ledger."""
    store = SnapshotStore(budget_bytes=1 << 26, max_sessions=100, max_events_per_session=1000)
    if kind == "journal":
        return Storage(Journal.open(folder, now_ms=lambda: START_MS), store)
    return Storage(MemoryLedger(store, max_events_per_session=1000), store)
