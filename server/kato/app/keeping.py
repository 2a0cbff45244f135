"""Reads old conversations into the journal: `kato keep`, and `keepHistory: "all"` in a server.

    LogFollower ─► events ─► Keeper: old enough? ─► the engine, as history

Rules:

- A log that was read to its end is not read again: stopping at any time loses nothing, and the next run goes on.
- Nothing is read that was said in the last `limits.KEEP_QUIET_MS`: the process that follows such a conversation has to see its
  messages first, because commands in them run only there.
- One process at a time reads old conversations.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from msgspec import UnsetType

from kato.assistants.contract import SavePicture, Surroundings
from kato.core import limits
from kato.core.errors import JournalUnavailable, KatoError
from kato.core.moments import epoch_ms
from kato.core.records import LogRecord
from kato.core.views import UnreadableStatus
from kato.engine import AppendRequest, Engine, log_defect
from kato.logs.discovery import Root
from kato.logs.follow import LogFollower
from kato.logs.handover import storing
from kato.storage.journal.files import opening_lock
from kato.system.clock import now_ms

log = logging.getLogger("kato.keep")

LOCK_NAME: Final = "keep.lock"


class GoesOn(KatoError):
    """The conversation is going on: its newest messages are left to the process that follows it."""


class Keeper:
    """Reads the logs below these roots that changed since `since_ms` and belong to a folder of `place` (to any, if it has
    none). `commit` lets the engine commit. `pictures` is as in `LogFollower`. Each method raises KatoError only if the journal fails.
    """

    def __init__(
        self,
        engine: Engine,
        commit: Callable[[], object],
        roots: Sequence[Root],
        place: Surroundings,
        *,
        since_ms: int = 0,
        pictures: Callable[[], SavePicture | None] = lambda: None,
    ) -> None:
        self._store = storing(engine, commit)
        self._quiet_ms = now_ms() - limits.KEEP_QUIET_MS
        self._follower = LogFollower(
            roots=roots,
            place=place,
            ledger=engine.ledger,
            store=self._store_old,
            make_room=engine.make_room,
            now_ms=now_ms,
            clock=time.monotonic,
            recent_seconds=(now_ms() - since_ms) / 1000,
            pictures=pictures,
        )
        #: Conversations of which the newest messages were left out.
        self.left = 0

    def _store_old(self, requests: Sequence[AppendRequest], read_to: LogRecord | None = None) -> None:
        if any(epoch_ms(event.timestamp) > self._quiet_ms for one in requests for event in one.events):
            self.left += 1
            raise GoesOn("the conversation goes on")
        self._store([_as_history(one) for one in requests], read_to)

    def scan(self) -> int:
        """Lists the logs, and returns how many have to be read."""
        self._follower.news.scan()
        return self._follower.waiting

    def choose(self, path: str) -> None:
        """Reads this log, too."""
        self._follower.news.hint([path])

    @property
    def waiting(self) -> int:
        """How many logs wait to be read to their end."""
        return self._follower.waiting

    @property
    def unreadable(self) -> UnreadableStatus | UnsetType:
        """What could not be read; UNSET if everything could."""
        return self._follower.unreadable.status

    def step(self) -> float | None:
        """Reads a piece. Returns after how many seconds the next one can be read; None when all is read."""
        pause = self._follower.pause
        if pause is None:
            self._follower.settle(all_of_them=True)
            return None
        if pause > 0:
            return pause
        self._follower.step()
        return 0.0


def _as_history(request: AppendRequest) -> AppendRequest:
    """The append without commands and without a snapshot."""
    from msgspec.structs import replace  # noqa: PLC0415

    return replace(request, replay=True, make_resident=False)


class KeptHistory:
    """Keeps all history in a server: reads with `limits.KEEP_SHARE` of the event loop's time, and looks again once in
    `limits.KEEP_PAUSE_SECONDS`. `make` makes a keeper.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, state_dir: Path, make: Callable[[], Keeper]) -> None:
        self._loop = loop
        self._lock_path = state_dir / LOCK_NAME
        self._make = make
        self._keeper: Keeper | None = None
        self._lock = ExitStack()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins when the server's own start is over."""
        self._plan(limits.LOG_BLIND_SCAN_SECONDS)

    def stop(self) -> None:
        """Stops; the next start goes on."""
        if self._timer is not None:
            self._timer.cancel()
        self._end_run()

    def _plan(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._turn)

    def _turn(self) -> None:
        started = self._loop.time()
        try:
            pause = self._step()
        except Exception as error:  # noqa: BLE001 - it must not end the process
            log_defect(log, "keeping old conversations", error)
            pause = None
        if pause is None:
            self._end_run()
            self._plan(limits.KEEP_PAUSE_SECONDS)
        else:
            took = self._loop.time() - started
            self._plan(max(pause, took * (1 / limits.KEEP_SHARE - 1)))

    def _step(self) -> float | None:
        if self._keeper is None:
            try:
                self._lock.enter_context(opening_lock(self._lock_path, lambda: True))
            except (JournalUnavailable, OSError):
                return None  # another process keeps them
            self._keeper = self._make()
            log.info("%d old session logs are read", self._keeper.scan())
        return self._keeper.step()

    def _end_run(self) -> None:
        self._keeper = None
        self._lock.close()
