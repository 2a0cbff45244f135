"""`kato journal export`: events as JSON lines."""

from collections.abc import Callable, Iterator

from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey
from kato.storage.journal.chunks import Chunks
from kato.storage.journal.database import Database


def export(
    db: Database, chunks: Chunks, key: SessionKey | None, report: Callable[[str], None]
) -> Iterator[bytes]:
    """The events of one session, or of all (the newest session first), as pieces of JSON lines, each line ended by a newline.
    Calls `report` with one sentence for each session that cannot be read completely, and continues with the next.
    """
    for number, provider, session_id in db.all(
        "SELECT id, provider, session_id FROM session WHERE ?1 IS NULL OR (provider, session_id) = (?1, ?2)"
        " ORDER BY coalesce(last_message_at, updated_at) DESC",
        key or (None, None),
    ):
        unreadable = 0
        try:
            for chunk in chunks.of_session(number):
                if chunk.is_intact:
                    yield chunk.data
                    continue
                for _, line in chunk.readable_lines():
                    if line is None:
                        unreadable += 1
                    else:
                        yield line
        except JournalUnavailable as error:
            report(f"{provider}/{session_id} is incomplete: {error.message}")
        if unreadable:
            report(f"{provider}/{session_id}: {unreadable} damaged events were left out")
