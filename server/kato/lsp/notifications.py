"""What the server sends without being asked: statuses, outcomes of commands, and notices for the user.

    changed ─► (STATUS_COALESCE_SECONDS) ─► kato/statusChanged     at most one that the client has not read
    executed ─► kato/commandExecuted
    notify ─► kato/notice for a client that announced `experimental.katoNotice`, else window/showMessage

Rule: this module alone sends `window/showMessage`, and what a client must react to has a kind.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from lsprotocol import types
from msgspec.structs import replace

from kato.app import process as processes
from kato.app.ending import Step
from kato.app.runtime import Runtime, guarded
from kato.core import limits
from kato.core.errors import BudgetExceeded
from kato.core.notices import Notice, Severity
from kato.core.outcomes import CommandOutcome
from kato.engine import log_failure, over_budget
from kato.lsp import methods
from kato.lsp.connection import Connection
from kato.lsp.protocol import one_line

log = logging.getLogger("kato.server")

_MESSAGE_TYPES: Final[Mapping[Severity, types.MessageType]] = {
    "error": types.MessageType.Error,
    "warning": types.MessageType.Warning,
    "info": types.MessageType.Info,
}


class Notifications:
    """See the module; a `Listener`. `may_send` is true while the client takes notifications that it did not cause;
    `before_outcome` is called before an outcome is sent.
    """

    def __init__(
        self,
        connection: Connection,
        runtime: Runtime,
        loop: asyncio.AbstractEventLoop,
        *,
        may_send: Callable[[], bool],
        before_outcome: Callable[[], None],
    ) -> None:
        #: Whether the client takes `kato/notice`.
        self.takes_notices = False
        self._connection = connection
        self._runtime = runtime
        self._loop = loop
        self._may_send = may_send
        self._before_outcome = before_outcome
        self._timer: asyncio.TimerHandle | None = None
        self._status_end = 0  # where in the output the last status ends
        self._is_status_due = False
        self._last_rss = 0

    # --- Listener ---------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Sends a status soon, one for all that changes until then."""
        if self._timer is None and self._may_send():
            self._timer = self._loop.call_later(limits.STATUS_COALESCE_SECONDS, self.send_status)

    def executed(self, outcome: CommandOutcome) -> None:
        """Sends an outcome now: one request can run many commands."""
        self._before_outcome()
        self._connection.notify(methods.COMMAND_EXECUTED.name, outcome)
        self._connection.flush()

    def notify(self, notice: Notice) -> None:
        """Sends a notice, or a message that the editor shows."""
        message = one_line(notice.message)
        if self.takes_notices:
            self._connection.notify(methods.NOTICE.name, replace(notice, message=message))
        else:
            params = {"type": _MESSAGE_TYPES[notice.severity].value, "message": message}
            self._connection.notify(types.WINDOW_SHOW_MESSAGE, params)

    # --- Status -----------------------------------------------------------------------------------------

    def send_status(self) -> None:
        """Sends a status, or, while the client has not read the last one, as soon as it has."""
        self._timer = None
        if not self._may_send():
            return
        is_unread = self._connection.written_bytes < self._status_end
        self._is_status_due = self._connection.is_crowded or is_unread
        if self._is_status_due:
            return
        self._runtime.commit()
        if self._may_send():
            guarded("status", self._send_status_now)
            self._connection.flush()

    def send_due_status(self) -> None:
        """To be called when the client has read something."""
        if self._is_status_due:
            self.send_status()

    def send_status_if_memory_moved(self) -> None:
        """Sends a status when the process' memory differs from that of the last one."""
        if abs(processes.rss_bytes() - self._last_rss) >= limits.PROCESS_MEMORY_NEWS_BYTES:
            self.send_status()

    def _send_status_now(self) -> None:
        snapshot = self._runtime.engine.status(limit=limits.STATUS_NEWS_SESSIONS_MAX)
        self._last_rss = snapshot.memory.process.rss
        self._connection.notify(methods.STATUS_CHANGED.name, snapshot)
        self._status_end = self._connection.queued_bytes

    def send_over_budget(self, error: BudgetExceeded) -> None:
        """The last notice, and the last status, of a process that ends because of its memory budget."""
        self.notify(over_budget(self._runtime.engine.ledger, error))
        try:
            last = self._runtime.engine.status(running=False, limit=limits.STATUS_NEWS_SESSIONS_MAX)
            self._connection.notify_anyway(methods.STATUS_CHANGED.name, last)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the process has to end
            log_failure("the last status", failure)

    def last_steps(self) -> list[Step]:
        """What is to be done at the end."""
        return [] if self._timer is None else [("the status timer", self._timer.cancel)]
