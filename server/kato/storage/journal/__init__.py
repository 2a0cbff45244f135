"""The journal: a durable store of every accepted event, and of the claims, recordings and notes that outlive a process.

    session    one row per conversation: counts, title, folder, destination
    chunk      the events of a session in order: each row holds `count` lines, each ended by a newline. The row's id is the
               session's id, shifted left by 32 bits, plus the number of the first event. So the chunks of a session are
               adjacent and need no index
    event_id   the ids of a session's events and their numbers. It makes ids unique in a session
    claim      the commands that a process claimed, by whom, and whether they are finished
    recording  recordings: their notes and positions
    hold       recordings whose note is open in an editor with unsaved changes
    note       what Kato last wrote to which note
    log        how far Kato read which session log
    gap        when nothing of a session was to be kept (`::off`, `.katoignore`)
    removed_*  the sessions that `kato clean` removed, and hashes of the ids of their events, so that re-reading a session
               log does not bring them back; also hashes of the ids of events that were not to be kept

The journal is the SQLite database `<stateDir>/journal.sqlite3`. Each process has one connection; several processes use the
database at a time.

Durability: a commit survives the end of the process, however it ends (`kill -9` too), because the operating system has the
data when the commit returns. A commit survives a power loss after the next `sync`, which the heartbeat calls. A power loss
before that may lose the newest commits; it does not damage the database.

Rules:

- Appends share one transaction, the *group*, until `commit`. If any of them fails, the whole group is rolled back.
- Kato waits for a lock for at most `JOURNAL_BUSY_MS`. The system releases the locks of a process that ends.
"""

from kato.storage.journal.files import DAMAGED_NAME, FILE_NAME, RECOVERED_NAME, RECOVERING_NAME
from kato.storage.journal.journal import Journal
from kato.storage.journal.removal import CleanReport
from kato.storage.journal.schema import MIGRATIONS
from kato.storage.journal.verification import CheckReport

__all__ = [
    "DAMAGED_NAME",
    "FILE_NAME",
    "MIGRATIONS",
    "RECOVERED_NAME",
    "RECOVERING_NAME",
    "CheckReport",
    "CleanReport",
    "Journal",
]
