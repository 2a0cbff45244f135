"""Follows the session logs of assistants: reads those with news, piece by piece, and hands their events to the engine.

    LogNews ──► ReadingQueue ──► Tail: a piece ──► Scope: does it belong here? ──► History: is it live? ──► Handover ──► engine

Rules:

- `step` reads one bounded piece, so that requests are answered in between; the driver decides when the next one comes.
- Each log has one state (`state`); each change of it is a signal.
- An error in one log does not stop the others from being read.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from kato.assistants.contract import Problem, ReadResult, SavePicture, Surroundings
from kato.core import limits
from kato.core.errors import BudgetExceeded, KatoError
from kato.core.events import SessionKey
from kato.core.ports import LogLedger
from kato.core.records import LogRecord
from kato.engine import log_defect
from kato.logs.discovery import Found, Root
from kato.logs.folders import LogFolders
from kato.logs.followed import OpenLog
from kato.logs.handover import Handover, StoreEvents
from kato.logs.history import History
from kato.logs.livetimes import LiveTimes
from kato.logs.news import LogNews
from kato.logs.reading_queue import ReadingQueue
from kato.logs.scope import Scope
from kato.logs.state import FOLLOWED, LogSignal, LogState, allows
from kato.logs.stores import SessionStores
from kato.logs.tail import Tail
from kato.logs.typed import TypedPrompts
from kato.logs.unreadable import UnreadablePaths, is_absent

log = logging.getLogger("kato.logs")


class LogFollower:
    """See the module. `store` stores events durably or raises KatoError; `make_room` raises BudgetExceeded when the memory limit
    leaves no room for that number of bytes. `clock` is monotonic, in seconds; `now_ms` is the wall clock; `started_ms` is when the
    process, or the editor's folder, began. `typed` has the prompts that hooks reported.
    `pictures` gives what saves the pictures in messages, None where they are not wanted.
    """

    def __init__(
        self,
        *,
        roots: Sequence[Root],
        place: Surroundings,
        ledger: LogLedger,
        store: StoreEvents,
        now_ms: Callable[[], int],
        clock: Callable[[], float],
        make_room: Callable[[int], None] = lambda _: None,
        started_ms: int | None = None,
        recent_seconds: float = limits.LOG_RECENT_SECONDS,
        typed: TypedPrompts | None = None,
        pictures: Callable[[], SavePicture | None] = lambda: None,
    ) -> None:
        self.problems: Counter[tuple[str, Problem]] = Counter()
        self.unreadable = UnreadablePaths()
        self._place = place
        self._ledger = ledger
        self._make_room = make_room
        self._pictures = pictures
        self._now_ms = now_ms
        self._clock = clock
        self._times = LiveTimes(
            started_ms=now_ms() if started_ms is None else started_ms, now_ms=now_ms, clock=clock
        )
        self._scope = Scope(place.folders, ledger)
        self._stores = SessionStores(ledger, store, self._times.start)
        history = History(ledger, self._times)
        self._handover = Handover(
            ledger, store, self._scope, history, self._times, typed or TypedPrompts(clock)
        )
        # Without an open folder all sessions belong here, also those of a folder that is open in another window. That window
        # comes first, as it may write there.
        patience = limits.LOG_PATIENCE_SECONDS if self._scope.is_unlimited else 0.0
        self._queue = ReadingQueue(patience, clock)
        self.news = LogNews(
            LogFolders(roots, now_ms, self.unreadable),
            self._queue,
            self._scope,
            self._times,
            self.unreadable,
            recent_ms=lambda: now_ms() - recent_seconds * 1000,
        )
        self._open: OrderedDict[str, OpenLog] = OrderedDict()  # the one that changed last is last

    # --- Recent changes ------------------------------------------------------------------------------------

    def look_at(self, seconds: float) -> None:
        """Looks at the logs that changed in the last seconds, so that none of their news waits longer than until then."""
        self._times.look()
        since = self._clock() - seconds
        for one in reversed(self._open.values()):
            if one.changed_at < since:
                break
            self.news.look_at(one.found)

    def request(self, path: str) -> None:
        """Reads a log soon, as far as it was not read: a log that changed long ago was only listed. Does not wait for a window that
        has the session's folder open: a hook asked that window first.
        """
        found = self.news.log_at(path)
        if found is None:
            return
        if found.path in self._open:
            self.news.notice(found)
        else:
            self.news.request(found)
        self._queue.hurry(found.path)

    def is_behind(self, path: str) -> bool:
        """Whether the log at a path has news that were not read."""
        found = self.news.log_at(path)
        return found is not None and found.path in self._queue

    def has_changed(self, seconds: float) -> bool:
        """True when a log changed in the last seconds."""
        newest = next(reversed(self._open.values()), None)
        return newest is not None and newest.changed_at >= self._clock() - seconds

    # --- Reading ----------------------------------------------------------------------------------------

    @property
    def pause(self) -> float | None:
        """In how many seconds a log may be read; None while none has news."""
        return self._queue.pause

    @property
    def waiting(self) -> int:
        """How many logs have news."""
        return len(self._queue)

    def step(self) -> None:
        """Reads a piece of the log that changed last."""
        due = self._queue.pop()
        if due is None:
            return
        found, since = due
        if self._attempt(found.path, partial(self._read, found)):
            self._queue.put_back(found, since)

    def _attempt(self, path: str, work: Callable[[], bool]) -> bool:
        """Does something with a log. An error closes that log, and the next scan opens it again; the result is False then."""
        try:
            return work()
        except BudgetExceeded as error:
            is_new = self.unreadable.add("file", path, error.message)
            self._give_up(path, LogSignal.REFUSED, error.message if is_new else None)
        except KatoError as error:
            self._give_up(path, LogSignal.ERROR, error.message)
        except OSError as error:
            if is_absent(error):
                self.unreadable.discard(path)
                self._give_up(path, LogSignal.VANISHED, None)
            else:
                is_new = self.unreadable.add("file", path, error)
                self._give_up(path, LogSignal.ERROR, (error.strerror or str(error)) if is_new else None)
        except Exception as error:  # noqa: BLE001 - a defect that shows in one log must not stop the others
            log_defect(log, path, error)
            self._close(path, LogSignal.ERROR)
        return False

    def _give_up(self, path: str, signal: LogSignal, reason: str | None) -> None:
        """Closes a log so that the next scan opens it again. Logs the reason, if there is one."""
        if reason is not None:
            log.warning("%s was not read: %s", path, reason)
        self._close(path, signal)
        self.news.known(path).seen = None

    def _close(self, path: str, signal: LogSignal) -> None:
        one = self._open.pop(path, None)
        if one is not None:
            one.known.take(signal)

    def _read(self, found: Found) -> bool:
        """Reads one piece. True when more can be read now. Raises KatoError and OSError."""
        path = found.path
        one = self._open.get(path)
        if one is None:
            if self._is_unchanged(found):
                self.news.note_seen(found)
                return False
            one = self._open_log(found)
        if found.log.is_held and found.size > one.tail.size:
            self._drop_held(path, limits.LOG_HELD_BYTES_MAX - found.size)
            self._make_room(limits.LOG_HELD_COST * (found.size - one.tail.size))
        one.tail.reader.save_picture = self._pictures()
        piece = one.tail.read(one.old_bytes)
        self.unreadable.discard(path)
        if piece.restarted:
            one.is_source, one.old_bytes = False, 0
            one.known.take(LogSignal.RESTARTED)
        if one.tail.offset <= one.old_bytes:
            one.old_ids.update(event.event_id for event in piece.result.events)
        one.changed_at = self._clock()
        self._open.move_to_end(path)
        one.known.seen = (one.tail.size, one.tail.mtime_ns)
        self._take(one, piece.result)
        if not piece.more:
            self._catch_up(one)
        if one.state is LogState.OUTSIDE:
            self._leave(one)
            return False
        if found.log.rewritten and not piece.more:
            self._settle(one)
        return piece.more

    def _open_log(self, found: Found) -> OpenLog:
        known = self.news.known(found.path)
        since, known.left_at = known.left_at or self._times.start, None
        old_bytes = 0 if found.log.rewritten or known.seen is None else known.seen[0]
        tail = Tail(found, self._place, self.unreadable)
        tail.reader.has_room = self._has_room
        one = OpenLog(known, tail, found, old_bytes, since, self._clock())
        known.take(LogSignal.OPENED)
        self._open[found.path] = one
        self._drop_excess(found.path)
        return one

    def _has_room(self, needed_bytes: int) -> bool:
        try:
            self._make_room(needed_bytes)
        except BudgetExceeded:
            return False
        return True

    def settle(self, *, all_of_them: bool = False) -> None:
        """Takes what the readers of quiet logs (or of all logs) held back because more might follow."""
        quiet = self._clock() - limits.LOG_SETTLE_SECONDS
        for path, one in list(self._open.items()):
            is_quiet = all_of_them or one.changed_at <= quiet
            if one.tail.unsettled and path not in self._queue and is_quiet:
                self._attempt(path, partial(self._settle, one))

    def tokens_of(self, key: SessionKey) -> int | None:
        """The tokens of a session, as its log states them, while the log is followed."""
        counts = [
            one.tail.reader.info.tokens for one in self._open.values() if one.is_source and one.key == key
        ]
        return sum(filter(None, counts)) or None

    @property
    def is_unsettled(self) -> bool:
        """True while a reader holds something back."""
        return any(one.tail.unsettled for one in reversed(self._open.values()))

    def _settle(self, one: OpenLog) -> bool:
        """Takes what the reader held back. Always False: nothing more can be read now."""
        # A reply that waits for its end in a log that was left long ago gets none.
        is_final = self._now_ms() - one.tail.mtime_ns // 1_000_000 > limits.LOG_ABANDONED_MS
        self._take(one, one.tail.settle(is_final=is_final), is_settled=True)
        if one.state is LogState.BUFFERING:
            if len(one.pending) <= limits.LOG_FOLDERLESS_EVENTS_MAX:
                return False  # its next records may name the folder
            one.known.take(LogSignal.LEFT_OUT)
        self._catch_up(one)
        if one.state is LogState.OUTSIDE:
            self._leave(one)
        return False

    def _take(self, one: OpenLog, result: ReadResult, *, is_settled: bool = False) -> None:
        """Adds events to the pending ones, decides whether they belong here, and hands them over if they do. With
        `is_settled`, the engine stores that the log was read up to here.
        """
        self._count_problems(one, result)
        one.pending += result.events
        if one.state is LogState.BUFFERING:
            self._decide(one)
        if one.state in FOLLOWED and one.pending and not self._stores.is_source(one):
            one.known.take(LogSignal.LEFT_OUT)
        if one.state in FOLLOWED:
            self.news.note_used(one.found)
            self._handover.hand_over(one, self._record(one) if is_settled and one.is_source else None)

    def _decide(self, one: OpenLog) -> None:
        """Decides the scope of a log, once the log names a folder or was read for too long without one."""
        if one.tail.reader.folders or self._scope.is_unlimited:
            one.known.take(LogSignal.BELONGS if self._scope.includes(one) else LogSignal.LEFT_OUT)
        elif one.tail.offset > limits.LOG_FOLDERLESS_BYTES_MAX:
            one.known.take(LogSignal.LEFT_OUT)

    def _catch_up(self, one: OpenLog) -> None:
        """The log was read to its end."""
        if allows(one.state, LogSignal.CAUGHT_UP):
            one.known.take(LogSignal.CAUGHT_UP)
        if one.state in FOLLOWED:
            self._handover.follow_conversation(one)

    def _count_problems(self, one: OpenLog, result: ReadResult) -> None:
        """Counts the problems, and logs the first of each kind."""
        name = one.found.assistant.name
        for problem in result.problems:
            if (name, problem) not in self.problems:
                if len(self.problems) >= limits.LOG_PROBLEMS_MAX:
                    continue
                version = problem.version or "of unknown version"
                log.warning("%s %s: %s: %s", name, version, problem.kind, problem.detail)
            self.problems[name, problem] += 1

    def _leave(self, one: OpenLog) -> None:
        """Drops the reader of a log that is OUTSIDE now."""
        self._open.pop(one.found.path, None)
        one.known.seen, one.known.left_at = (one.tail.size, one.tail.mtime_ns), self._times.mark()

    # --- What is remembered -----------------------------------------------------------------------------

    def _record(self, one: OpenLog) -> LogRecord:
        tail = one.tail
        return LogRecord(one.found.path, *one.key, one.found.log.variant, tail.size, tail.mtime_ns)

    def _is_unchanged(self, found: Found) -> bool:
        """Whether this process, or an earlier one, read the log with this size and time to its end."""
        record = self._ledger.log(found.path)
        return record is not None and (record.size, record.mtime_ns) == (found.size, found.mtime_ns)

    def _drop_excess(self, read_now: str) -> None:
        for path in self._idle(read_now):
            if len(self._open) <= limits.TAILS_MAX:
                return
            self._drop(path)

    def _drop_held(self, read_now: str, bytes_max: int) -> None:
        """Drops logs whose readers hold the whole content until the others hold at most that number of bytes."""
        held = [path for path in self._idle(read_now) if self._open[path].found.log.is_held]
        size = sum(self._open[path].tail.size for path in held)
        for path in held:
            if size <= bytes_max:
                return
            size -= self._open[path].tail.size
            self._drop(path)

    def _idle(self, read_now: str) -> list[str]:
        """The open logs that may be dropped, the one that changed longest ago first."""
        return [
            path
            for path, one in self._open.items()
            if path != read_now and path not in self._queue and allows(one.state, LogSignal.DROPPED)
        ]

    def _drop(self, path: str) -> None:
        one = self._open[path]
        if one.tail.unsettled:
            self._attempt(path, partial(self._settle, one))
        self._close(path, LogSignal.DROPPED)
