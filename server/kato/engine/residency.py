"""Keeps sessions resident: puts committed events into the snapshot store, and loads sessions that were evicted."""

from kato.core import limits
from kato.core.lines import Lines
from kato.core.ports import Ledger
from kato.core.records import AppendReceipt
from kato.core.snapshots import SnapshotStore
from kato.engine.appends import Group
from kato.engine.budget import MemoryBudget
from kato.engine.failures import log_failure


class Residency:
    """Keeps the store in step with the ledger. `max_events` is the most events of a session that stay in memory."""

    def __init__(self, store: SnapshotStore, ledger: Ledger, budget: MemoryBudget, max_events: int) -> None:
        self.max_events = max_events
        self._store = store
        self._ledger = ledger
        self._budget = budget

    def add(self, group: Group) -> None:
        """Puts a session's new events into the store; one that is not there as a whole is loaded first. A session that
        cannot be read now is not resident: it is loaded with its next events.
        """
        assert group.receipt is not None
        try:
            self._add_new(group, group.receipt)
        except Exception as error:  # noqa: BLE001 - the events are stored: this must not refuse them
            log_failure(f"bringing {group.key.session_id} into memory", error)
            self._store.forget(group.key)
            self._budget.note_freed()
        resident = self._store.held(group.key)
        group.resident_events = self.max_events if resident is None else resident.event_count

    def _add_new(self, group: Group, receipt: AppendReceipt) -> None:
        key, next_seq = group.key, self._store.next_seq(group.key)
        if next_seq is None and not (receipt.accepted and (group.make_resident or not self._ledger.durable)):
            return
        if next_seq is not None and next_seq >= receipt.event_count:
            return  # nothing is new
        if next_seq is not None and 0 < receipt.first_seq - next_seq <= limits.CATCH_UP_EVENTS_MAX:
            # Another process stored these.
            missed = [line for _, line in self._ledger.read(key, after=next_seq, until=receipt.first_seq)]
            self._budget.note_evictions(self._store.append(key, Lines.of(missed), first_seq=next_seq))
            next_seq = self._store.next_seq(key)
            if not receipt.accepted:
                return
        newest = None
        if next_seq != receipt.first_seq and receipt.first_seq > 0:
            # At most half the budget: a session that outgrew the budget once must not end every later process.
            newest = self._ledger.read_newest(
                key, max_events=self.max_events, max_bytes=self._store.budget_bytes // 2
            )
        if newest is not None:
            first_seq, chunks = newest
            evicted = self._store.load(key, chunks, first_seq=first_seq)
        else:
            evicted = self._store.append(
                key,
                Lines.joined(group.lines).chosen(receipt.accepted),
                first_seq=receipt.first_seq,
                extra_bytes=self._ledger.extra_bytes(key),
            )
        self._budget.note_evictions(evicted)
