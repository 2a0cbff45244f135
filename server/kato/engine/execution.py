"""Runs commands and reports what became of them: every command has an outcome, and a failure is always reported."""

import logging
from itertools import islice
from typing import Literal

from msgspec import UNSET

from kato.core import grammar, limits
from kato.core.commands import Command, CommandLine, CommandProblem
from kato.core.errors import CommandRefused, JournalUnavailable, KatoError, UnknownSession, WriteFailed
from kato.core.events import SessionKey
from kato.core.outcomes import CommandOutcome, OutcomeError
from kato.core.ports import Listener
from kato.core.records import Claim, SessionRecord
from kato.engine import commands, notices
from kato.engine.appends import Ticket
from kato.engine.claims import ClaimState, Completion
from kato.engine.failures import log_failure
from kato.engine.withholding import refusal_of
from kato.notes.rendering import Position

log = logging.getLogger("kato.engine")

Origin = Literal["chat", "editor"]


class Executor:
    """Runs commands with these tools and reports to a listener."""

    def __init__(self, tools: commands.Tools, listener: Listener) -> None:
        self._tools = tools
        self._listener = listener

    def run_claim(self, claim: Claim, line: CommandLine | None, finish: Completion) -> CommandOutcome | None:
        """Runs the command in the line of a claim; see `claims.RunClaim`. Raises JournalUnavailable."""
        if isinstance(line, Command):
            at = Position(claim.seq, claim.line)
            return self.run(claim.key, line, at, finish, origin="chat", event_id=claim.event_id)
        finish()
        if isinstance(line, CommandProblem):
            refusal = CommandRefused(line.message)
            return self._fail(claim.key, line.name, line.line, "chat", claim.event_id, refusal)
        if line is not None:
            log.info(
                "::%s in line %d of %s was not run: not proven to be typed",
                line.name,
                line.line,
                claim.event_id,
            )
            self._listener.notify(notices.command_doubtful(claim, line))
        return None

    def run(
        self,
        key: SessionKey,
        command: Command,
        at: Position,
        finish: Completion,
        *,
        origin: Origin,
        event_id: str | None = None,
        is_new: bool = True,
        may_be_unknown: bool = False,
    ) -> CommandOutcome:
        """Runs one command; success and failure become an outcome that is reported. A command of the chat raises
        JournalUnavailable: it runs again later. `is_new` is false for a switch that changed nothing;
        `may_be_unknown`: the command runs on a session of which nothing is stored, too.
        """
        result = commands.Result()
        failure: KatoError | None = None
        try:
            result = self._call(key, command, at, finish, is_new=is_new, may_be_unknown=may_be_unknown)
        except JournalUnavailable as error:
            if origin == "chat":
                raise
            failure = error
        except KatoError as error:
            failure = error
        except OSError as error:
            failure = WriteFailed(error.strerror or str(error), str(error.filename or ""))
        except Exception as error:  # noqa: BLE001 - one command's defect must end neither the process nor the other commands
            failure = KatoError(log_failure(f"::{command.name}", error))
        if finish.state is not ClaimState.FINISHED:
            finish()
        if failure is not None:
            return self._fail(key, command.name, command.line, origin, event_id, failure)
        return self._succeed(key, command, origin, event_id, result)

    def _call(
        self,
        key: SessionKey,
        command: Command,
        at: Position,
        finish: Completion,
        *,
        is_new: bool,
        may_be_unknown: bool,
    ) -> commands.Result:
        session = self._tools.ledger.session(key)
        if session is None and may_be_unknown:
            session = SessionRecord(key=key, event_count=0, json_bytes=0, created_at=0, updated_at=0)
        if session is None:
            not_kept = self._tools.withholding.reason(key)
            if not_kept is not None:
                raise CommandRefused(refusal_of(not_kept))
            raise UnknownSession(key.provider, key.session_id)
        reason = self._tools.withholding.reason(key) if command.name in ("record", "capture") else None
        if reason is not None and not at.line:  # a message that is kept may hold one before its ::off
            raise CommandRefused(refusal_of(reason))
        function = commands.FUNCTIONS[command.name]
        return function(self._tools, commands.Run(session, command, at, finish, is_new=is_new))

    def _succeed(
        self, key: SessionKey, command: Command, origin: Origin, event_id: str | None, result: commands.Result
    ) -> CommandOutcome:
        backup_path = result.replaced.backup_path
        outcome = CommandOutcome(
            command=command.name,
            provider=key.provider,
            session_id=key.session_id,
            origin=origin,
            event_id=UNSET if event_id is None else event_id,
            line=UNSET if command.line is None else command.line,
            status="noop" if result.noop else "ok",
            output_path=UNSET if result.path is None else result.path,
            backup_path=UNSET if backup_path is None else backup_path,
            recording_id=UNSET if result.recording_id is None else result.recording_id,
            events_written=UNSET if result.events is None else result.events,
            redactions=result.redactions or UNSET,
            message=result.message or UNSET,
        )
        log.info("%s of %s/%s: %s", command.name, key.provider, key.session_id, outcome.status)
        self._listener.executed(outcome)
        ledger = self._tools.ledger
        if backup_path is not None:
            self._listener.notify(notices.text_backed_up(ledger, result.path or "", result.replaced))
        for one in result.replaced.stopped:
            self._listener.notify(notices.recording_stopped(ledger, one, key, backup_path))
        return outcome

    def refuse_withheld(self, ticket: Ticket) -> None:
        """Reports the commands in messages that are not kept: none of them runs."""
        messages = ticket.withheld_messages()
        reason = self._tools.withholding.reason(ticket.key) if messages else None
        if reason is None:
            return
        found = (
            (message, line)
            for message in messages
            for line in grammar.command_lines(message)
            if isinstance(line, Command)
        )
        for message, line in islice(found, limits.COMMANDS_PER_APPEND_MAX):
            refusal = CommandRefused(refusal_of(reason))
            outcome = self._fail(ticket.key, line.name, line.line, "chat", message.event_id, refusal)
            ticket.outcomes.append(outcome)

    def _fail(
        self,
        key: SessionKey,
        name: str,
        line: int | None,
        origin: Origin,
        event_id: str | None,
        error: KatoError,
    ) -> CommandOutcome:
        shown = OutcomeError.of(error)
        outcome = CommandOutcome(
            command=name,
            provider=key.provider,
            session_id=key.session_id,
            origin=origin,
            event_id=UNSET if event_id is None else event_id,
            line=UNSET if line is None else line,
            status="error",
            error=shown,
        )
        log.warning("%s of %s/%s failed: %d", name, key.provider, key.session_id, error.code)
        self._listener.executed(outcome)
        self._listener.notify(notices.command_failed(key, name, error, shown.message))
        return outcome
