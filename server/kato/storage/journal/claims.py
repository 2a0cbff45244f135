"""The table `claim`: which process runs which command, exactly once over all processes."""

from collections.abc import Callable, Sequence

from kato.core.events import SessionKey
from kato.core.records import Claim
from kato.storage.journal.database import Database
from kato.storage.journal.sessions import Sessions


class Claims:
    """Claims of commands."""

    def __init__(self, db: Database, sessions: Sessions, now_ms: Callable[[], int]) -> None:
        self._db = db
        self._sessions = sessions
        self._now_ms = now_ms

    def claim(self, key: SessionKey, event_id: str, line: int, owner: str, seq: int) -> bool:
        """Claims the command in line `line` of event number `seq`. True for exactly one process, ever: that one may run it.
        Joins the open group, so that the claim is committed together with its event.
        """
        del seq  # the table `event_id` has it
        made = self._db.run(
            "INSERT OR IGNORE INTO claim (session, event_id, line, owner, claimed_at) VALUES (?, ?, ?, ?, ?)",
            (self._sessions.number(key), event_id, line, owner, self._now_ms()),
        )
        return made == 1

    def finish_claim(self, key: SessionKey, event_id: str, line: int) -> None:
        """Marks a command as run, whatever its outcome."""
        self._db.run(
            "UPDATE claim SET finished = 1 WHERE session = ? AND event_id = ? AND line = ?",
            (self._sessions.number(key), event_id, line),
        )

    def unfinished_claims(self, key: SessionKey | None = None) -> Sequence[Claim]:
        """The claims of one session, or of all, whose command has not run, in the order of their lines."""
        one_session = "" if key is None else " AND provider = ? AND session_id = ?"
        rows = self._db.all(
            "SELECT provider, session_id, event_id, line, owner, claimed_at, seq FROM claim"  # noqa: S608
            " JOIN session ON session.id = claim.session JOIN event_id USING (session, event_id)"
            f" WHERE NOT finished{one_session} ORDER BY session, seq, line",
            key or (),
        )
        return [Claim(SessionKey(row[0], row[1]), *row[2:]) for row in rows]

    def take_over_claim(self, claim: Claim, owner: str) -> bool:
        """Gives an unfinished claim to a new owner; False if it is finished or has another owner than `claim` says."""
        taken = self._db.run(
            "UPDATE claim SET owner = ? WHERE session = ? AND event_id = ? AND line = ? AND owner = ? AND NOT finished",
            (owner, self._sessions.number(claim.key), claim.event_id, claim.line, claim.owner),
        )
        return taken == 1
