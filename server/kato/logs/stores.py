"""From which of an assistant's stores a session is read.

Rule: a session is read from one store: the first that has an event of it, until a better one does.
"""

from kato.assistants.dedupe import SecondStore
from kato.assistants.values import remember
from kato.core import limits
from kato.core.events import AssistantMessage, SessionKey, decode_line
from kato.core.lines import numbered
from kato.core.ports import LogLedger
from kato.core.records import LogRecord
from kato.logs.followed import OpenLog
from kato.logs.handover import StoreEvents
from kato.logs.livetimes import Mark


class SessionStores:
    """See the module. `start` is when this process began."""

    def __init__(self, ledger: LogLedger, store: StoreEvents, start: Mark) -> None:
        self._ledger = ledger
        self._store = store
        self._start = start
        self._variants: dict[str, str] = {}  # session -> the store that it is read from

    def is_source(self, log: OpenLog) -> bool:
        """Whether its session is read from this log. The first time that it is, the log learns what the journal has."""
        key, variant = log.key, log.found.log.variant
        chosen = self._variants.get(_name(key))
        if log.is_source and chosen == variant:
            return True
        others = self._others(log, variant if chosen is None else chosen)
        if others and variant != log.found.assistant.stores[0]:
            return False
        self._recall(log)
        if others:
            events = (decode_line(line) for _, line in numbered(self._ledger.read_pieces(key)))
            log.second_store = SecondStore(
                events, lambda event_id: self._ledger.seq_of(key, event_id) is not None
            )
        remember(self._variants, _name(key), variant, limits.LOGS_MAX)
        log.is_source = True
        return True

    def _others(self, log: OpenLog, chosen: str) -> set[str]:
        """The other stores from which the session was read, by this process or another."""
        key, variant, stores = log.key, log.found.log.variant, log.found.assistant.stores
        if variant not in stores:
            return set()
        if self._ledger.log(log.found.path) is None:
            # Before looking for others: the process of another window may begin with the other store now.
            self._store([], LogRecord(log.found.path, *key, variant, 0, 0))
        return {chosen, *self._ledger.variants(key)} & {*stores} - {variant}

    def _recall(self, log: OpenLog) -> None:
        """What the journal has of the session: its commands get a grace period, and its last replies may have grown since."""
        record = self._ledger.session(log.key)
        if record is None:
            return
        log.since, log.grace_ms = self._start, limits.COMMAND_GRACE_MS
        first = max(0, record.event_count - limits.LOG_RESUMED_EVENTS)
        lines = numbered(self._ledger.read_pieces(log.key, after=first))
        log.last_replies = {
            event.event_id: event.content
            for event in (decode_line(line) for _, line in lines)
            if isinstance(event, AssistantMessage) and len(event.content) <= limits.LOG_READ_BYTES
        }


def _name(key: SessionKey) -> str:
    return "\0".join(key)
