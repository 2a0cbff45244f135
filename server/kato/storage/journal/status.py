"""Queries for a status: the newest sessions, and totals per provider."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from kato.core.events import SessionKey
from kato.core.records import ProviderSummary, Recording, SessionRecord, Summary
from kato.storage.journal.counts import CachedFigure
from kato.storage.journal.database import Database
from kato.storage.journal.recordings import RECORDING_COLUMNS, recording_of
from kato.storage.journal.sessions import SESSION_COLUMNS, session_record

_SESSION_COLUMN_COUNT: Final = len(SESSION_COLUMNS.split(","))
#: When a session last had a message, or was updated. The index `session_by_moment` is on this expression.
_MOMENT: Final = "coalesce(last_message_at, updated_at)"
#: Before each moment that a row can hold.
_EARLIEST_MS: Final = -(1 << 63)
_RECORDING_SESSIONS: Final = (
    f"SELECT {SESSION_COLUMNS}, {RECORDING_COLUMNS} FROM recording CROSS JOIN session ON session.id = recording.session"  # noqa: S608
    f" WHERE active AND {_MOMENT} >= :since ORDER BY {_MOMENT} DESC LIMIT :limit"
)
_OTHER_SESSIONS: Final = (
    f"SELECT {SESSION_COLUMNS}, {RECORDING_COLUMNS} FROM session"  # noqa: S608
    " LEFT JOIN recording ON recording.id = (SELECT max(id) FROM recording AS own WHERE own.session = session.id)"
    f" WHERE {_MOMENT} >= :since AND coalesce(active, 0) = 0 ORDER BY {_MOMENT} DESC LIMIT :limit"
)
_PROVIDERS: Final = (
    f"SELECT provider, count(*), sum({_MOMENT} >= ?), max(last_message_at) FROM session"  # noqa: S608
    f" INDEXED BY session_by_moment WHERE {_MOMENT} >= ? GROUP BY provider ORDER BY provider"
)


class StatusQueries:
    """Queries whose time depends on what they return, not on the number of sessions in the journal."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._providers: dict[bool, CachedFigure[list[ProviderSummary]]] = {
            True: CachedFigure(),
            False: CachedFigure(),
        }

    def status_sessions(
        self, *, since_ms: int | None, limit: int
    ) -> Iterator[tuple[SessionRecord, Recording | None]]:
        """At most `limit` sessions with a message or update at `since_ms` or later, each with its newest recording: first the
        sessions with an active recording, then the newest. One row is in memory at a time.
        """
        values = {"since": _EARLIEST_MS if since_ms is None else since_ms, "limit": limit}
        listed: set[SessionKey] = set()
        with self._db.errors():
            with closing(self._db.connection.execute(_RECORDING_SESSIONS, values)) as rows:
                for row in rows:
                    record = session_record(row)
                    listed.add(record.key)
                    yield record, recording_of(record.key, row[_SESSION_COLUMN_COUNT:])
            values["limit"] -= len(listed)
            with closing(self._db.connection.execute(_OTHER_SESSIONS, values)) as rows:
                for row in rows:
                    record = session_record(row)
                    if record.key not in listed:
                        has_recording = row[_SESSION_COLUMN_COUNT] is not None
                        columns = row[_SESSION_COLUMN_COUNT:]
                        yield record, recording_of(record.key, columns) if has_recording else None

    def summary(self, *, since_ms: int | None, fresh_ms: int) -> Summary:
        """Totals of the sessions with a message or update at `since_ms` or later; those at `fresh_ms` or later are not stale.
        In a very large journal the totals per provider may be some seconds old.
        """
        active, destinations = self._db.one(
            "SELECT count(*), count(DISTINCT output_path) FROM recording WHERE active"
        )
        figure = self._providers[since_ms is None]
        if figure.is_due():
            with figure.measured():
                since = _EARLIEST_MS if since_ms is None else since_ms
                rows = self._db.all(_PROVIDERS, (fresh_ms, since))
                figure.value = [ProviderSummary(*row) for row in rows]
        assert figure.value is not None
        return Summary(figure.value, active, destinations)
