"""Commands of chat messages: each runs once, over all processes, in the order of the lines of its session.

    state      claimed by                     next
    CLAIMED    this process                   runs ─► FINISHED; the journal cannot be written ─► DELAYED
    DELAYED    this process                   the heartbeat runs it ─► FINISHED
    WAITING    another process, which runs    that process runs it ─► FINISHED, or ends ─► ORPHANED
    ORPHANED   a process that is gone         taken over ─► CLAIMED
    FINISHED                                  it never runs again

Rules:

- A claim is made in the transaction that stores its message, and finished in the transaction that stores what the command
  did. A process that ends in between leaves the claim to the next one.
- The claims of a session run in the order of their lines. A claim that waits keeps all later ones waiting.
- Replayed events make no claims: history runs no command.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from kato.core import grammar, limits
from kato.core.commands import CommandLine, DoubtfulCommand
from kato.core.errors import JournalUnavailable
from kato.core.events import SessionKey, UserMessage, decode_line
from kato.core.outcomes import CommandOutcome
from kato.core.ports import Ledger, Listener
from kato.core.records import Claim
from kato.engine import notices
from kato.engine.appends import Ticket
from kato.engine.failures import log_failure

log = logging.getLogger("kato.engine")


class ClaimState(Enum):
    """The state of a claimed command, as this process sees it (see the module)."""

    CLAIMED = "runs when its turn comes"
    DELAYED = "runs at the next heartbeat"
    WAITING = "another process runs it; this one waits"
    ORPHANED = "this process takes it over"
    FINISHED = "what it did is committed"


class ClaimId(NamedTuple):
    """A claim's place in the conversation."""

    key: SessionKey
    event_id: str
    line: int


class Completion:
    """Finishes a claim. A command calls it in the transaction that stores what it did, at the end of that transaction; for a
    command that stored nothing it is called after it ran.
    """

    def __init__(self, finish: Callable[[], None]) -> None:
        self.state = ClaimState.CLAIMED
        self._finish = finish

    def __call__(self) -> None:
        """Finishes the claim."""
        self._finish()
        self.state = ClaimState.FINISHED


#: Runs the command in a line, calls the completion and reports the outcome. None without an outcome: the line was only
#: reported, or its message was removed. Raises JournalUnavailable if it has to run again.
RunClaim = Callable[[Claim, CommandLine | None, Completion], CommandOutcome | None]

_NO_TICKETS: Final[Mapping[tuple[SessionKey, str], Ticket]] = MappingProxyType({})


class Claims:
    """The claims that concern this process. `owner` names it in claims, `is_alive` says whether the process of an owner still
    runs, `run` runs a command.
    """

    def __init__(
        self,
        ledger: Ledger,
        listener: Listener,
        *,
        owner: str,
        is_alive: Callable[[str], bool],
        run: RunClaim,
    ) -> None:
        self._ledger = ledger
        self._listener = listener
        self._owner = owner
        self._is_alive = is_alive
        self._run = run
        #: Claims of this process that are not finished, with the commands in their lines.
        self._lines: dict[ClaimId, CommandLine] = {}
        #: Those of them that are DELAYED; the user was notified.
        self._delayed: set[ClaimId] = set()
        #: Sessions whose next claim is WAITING.
        self._waiting: set[SessionKey] = set()

    @property
    def remembered(self) -> AbstractSet[ClaimId]:
        """The claims that take memory in this process."""
        return self._lines.keys() | self._delayed

    @property
    def waiting(self) -> Sequence[SessionKey]:
        """Sessions with commands that another process has to finish first."""
        return list(self._waiting)

    def state(self, claim: Claim) -> ClaimState:
        """The state of a claim that is not finished."""
        if claim.owner != self._owner:
            return ClaimState.WAITING if self._is_alive(claim.owner) else ClaimState.ORPHANED
        is_delayed = ClaimId(claim.key, claim.event_id, claim.line) in self._delayed
        return ClaimState.DELAYED if is_delayed else ClaimState.CLAIMED

    def claim(self, ticket: Ticket) -> None:
        """Claims the commands of a ticket's new messages, in the transaction that stores them. Commands beyond a number that
        no user types are not run: each takes memory until it ran, and everything else waits for them.
        """
        count = 0
        for place, message in ticket.screened():
            seq = ticket.seq_of(place)
            if seq is None:
                continue  # its commands were claimed when the message first came
            for found in grammar.command_lines(message):
                count += 1
                if count > limits.COMMANDS_PER_APPEND_MAX:
                    most = limits.COMMANDS_PER_APPEND_MAX
                    log.warning("more than %d commands of %s came together", most, ticket.key.session_id)
                    self._listener.notify(notices.too_many_commands(ticket.key))
                    return
                line = found.line or 0
                if self._ledger.claim(ticket.key, message.event_id, line, self._owner, seq):
                    self._lines[ClaimId(ticket.key, message.event_id, line)] = found

    def run_due(
        self, key: SessionKey, tickets: Mapping[tuple[SessionKey, str], Ticket] = _NO_TICKETS
    ) -> None:
        """Runs the session's claimed commands in the order of their lines, up to the first one that waits. Outcomes are added
        to the ticket of their message, by session and event id.
        """
        self._waiting.discard(key)
        try:
            while claims := self._ledger.unfinished_claims(key):
                for claim in claims:
                    state = self.state(claim)
                    if state is ClaimState.WAITING:
                        self._waiting.add(key)
                        return
                    if state is ClaimState.ORPHANED and not self._take_over(claim):
                        break  # another process took it over first: look again
                    outcome = self._run_one(claim)
                    ticket = tickets.get((key, claim.event_id))
                    if ticket is not None and outcome is not None:
                        ticket.outcomes.append(outcome)
        except JournalUnavailable as error:
            self._delay(key, error)
        except Exception as error:  # noqa: BLE001 - one session's defect must not stop the others, nor the start
            log_failure(f"running the commands of {key.session_id}", error)

    def resume(self) -> None:
        """Runs the commands that this process, or one that ended, could not finish."""
        for key in {claim.key: None for claim in self._ledger.unfinished_claims()} | dict.fromkeys(
            self._waiting
        ):
            self.run_due(key)

    def forget(self, keys: AbstractSet[SessionKey]) -> None:
        """Drops what is in memory of these sessions."""
        self._waiting -= keys
        self._lines = {found: line for found, line in self._lines.items() if found.key not in keys}
        self._delayed = {found for found in self._delayed if found.key not in keys}

    def roll_back(self, keys: AbstractSet[SessionKey]) -> None:
        """Forgets the claims of these sessions, which a failed transaction made."""
        self._lines = {found: line for found, line in self._lines.items() if found.key not in keys}

    def _take_over(self, claim: Claim) -> bool:
        """Makes an orphaned claim this process' own; False if another process was faster."""
        if not self._ledger.take_over_claim(claim, self._owner):
            return False
        log.info("resuming line %d of %s, claimed by a process that is gone", claim.line, claim.event_id)
        return True

    def _run_one(self, claim: Claim) -> CommandOutcome | None:
        """Runs a claim of this process and finishes it. Raises JournalUnavailable."""
        mark = ClaimId(claim.key, claim.event_id, claim.line)
        line = self._lines.get(mark) or self._stored_line(claim)
        outcome = self._run(claim, line, Completion(lambda: self._ledger.finish_claim(*mark)))
        self._lines.pop(mark, None)
        self._delayed.discard(mark)
        return outcome

    def _stored_line(self, claim: Claim) -> CommandLine | None:
        """The command in the line of a claim that another process made; None if its message was removed."""
        for _, data in self._ledger.read(claim.key, after=claim.seq, until=claim.seq + 1):
            event = decode_line(data)
            if isinstance(event, UserMessage):
                return next(
                    (found for found in grammar.command_lines(event) if found.line == claim.line), None
                )
        return None

    def _delay(self, key: SessionKey, error: JournalUnavailable) -> None:
        """Marks the session's claims as delayed. The user is notified once of each command."""
        found = {
            mark: line
            for mark, line in self._lines.items()
            if mark.key == key and not isinstance(line, DoubtfulCommand)
        }
        log.warning("%d commands of %s wait: %s", len(found), key.session_id, error.message)
        for mark, line in found.items():
            if mark not in self._delayed:
                self._delayed.add(mark)
                self._listener.notify(notices.command_delayed(key, line.name, error))
