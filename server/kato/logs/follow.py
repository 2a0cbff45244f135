"""Session logs into the engine: which logs matter, when they are read, what of them is live.

    a watcher, the editor, a scan ──► "this path may have news" ──► Tail (a piece at a time) ──► scope ──► engine

Rules:

- All three producers are hints. A log is read when its size or time is not what it was when it was last read.
- One bounded piece a step, so that nobody else waits: whoever drives (`step`) decides when the next one comes. What changed
  last is read first, and a log is read to its end before the next one, so that few are half read at any time.
- A session belongs here when one of its folders lies in an open folder of the editor, or no folder is open. A session that
  belonged here is followed wherever it goes on: in another file, in another folder, in another session.
- What was there before it was first seen is history: it is kept, it runs no command. What is typed from then on is live,
  and so is, in a session that was known already, what was typed in the last minutes before the start. `livetimes`
  separates the two, also when the clock is set meanwhile.
- A session is read from one of an assistant's stores: the first that tells something of it, until a better one does.
"""

import json
import logging
import os
import re
import stat
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import eq
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from kato.assistants.contract import Problem, ReadResult, SessionInfo, Surroundings
from kato.assistants.dedupe import SecondStore
from kato.assistants.values import remember
from kato.core import limits
from kato.core.errors import BudgetExceeded, KatoError
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    SessionKey,
    UserMessage,
    decode_line,
    encode_line,
)
from kato.core.lines import Lines, numbered
from kato.core.moments import epoch_ms
from kato.core.paths import comparable, parts_below
from kato.core.ports import Ledger
from kato.core.records import LogRecord
from kato.engine.engine import AppendRequest, log_defect
from kato.logs.livetimes import LiveTimes, Mark
from kato.logs.parts import first_part
from kato.logs.sources import Found, Root, Tail, look, read_end, scan

log = logging.getLogger("kato.intake")


class _Open(Struct):
    """A log under way. What was typed since `since` is live. Its first `old_bytes` were there when the log was first listed,
    without being read; `old_ids` are the messages in them that are still pending.
    """

    tail: Tail
    found: Found
    old_bytes: int
    since: Mark
    changed_at: float  # by the monotonic clock
    old_ids: set[str] = set()
    grace_ms: int = 0  # how long before the start a command may have been typed
    pending: list[ConversationEvent] = []
    in_scope: bool | None = None
    is_record: bool = False  # it told something, and its session is read from it
    last_said: dict[
        str, str
    ] = {}  # ids and texts of the assistant's last messages, where the session was known
    beside: SecondStore | None = None  # another store told of this session before
    told: dict[str, tuple[object, ...]] = {}  # session id -> what the engine was last told about it
    moved_to: str | None = None  # the session that the engine knows to go on with this one's conversation
    inside: dict[str, bool] = {}  # folders, and whether they lie in an open one


class _Listed(NamedTuple):
    """A folder that can hold logs, and its time when it was last listed: `_MISSING`, or `_UNSETTLED` to list it again."""

    root: Root
    changed_ns: int


_MISSING: Final = -1
_UNSETTLED: Final = -2


class Intake:
    """See the module. `append` keeps the events durably or raises a KatoError; `clock` is monotonic, in seconds;
    `now_ms` is the wall clock.
    """

    def __init__(
        self,
        *,
        roots: Sequence[Root],
        place: Surroundings,
        ledger: Ledger,
        append: Callable[[AppendRequest], object],
        now_ms: Callable[[], int],
        clock: Callable[[], float],
        make_room: Callable[[int], None] = lambda _: None,
        started_ms: int | None = None,
        recent_seconds: float = limits.LOG_RECENT_SECONDS,
    ) -> None:
        self.roots = list(roots)
        self.place = place
        self.problems: Counter[tuple[str, Problem]] = Counter()
        self._folders = _resolved(place.folders)
        self._ledger = ledger
        self._append = append
        self._make_room = make_room
        self._now_ms = now_ms
        self._clock = clock
        started_ms = now_ms() if started_ms is None else started_ms
        self._times = LiveTimes(started_ms=started_ms, now_ms=now_ms, clock=clock)
        self._recent_seconds = recent_seconds
        self._known: OrderedDict[str, tuple[int, int]] = (
            OrderedDict()
        )  # path -> size, time when it was last seen
        self._open: OrderedDict[str, _Open] = OrderedDict()  # the one that changed last is last
        #: Logs of sessions that do not belong here: their size when they were last looked at, and when that was.
        self._outside: dict[str, tuple[int, Mark]] = {}
        self._came: dict[str, Mark] = {}  # logs that came here -> when they were last outside
        self._here = _naming(place.folders, self._folders)
        self._waiting: OrderedDict[str, Found] = OrderedDict()  # logs with news
        self._noticed: dict[str, float] = {}  # since when, by the monotonic clock
        self._patience = 0.0 if self._folders else limits.LOG_PATIENCE_SECONDS
        self._variants: dict[SessionKey, str] = {}
        self._first_scan = True
        self._listed: dict[str, _Listed] = {}  # the folders that can hold logs, and roots that are not there
        self._used: dict[str, Root] = {}  # folders with sessions that belong here; used last, last
        #: Called for each folder before it is listed: what is made in it from then on should become a hint.
        self.watch: Callable[[str], None] = lambda _: None

    # --- Hints ------------------------------------------------------------------------------------------

    def scan(self) -> None:
        """Lists all roots, in one go."""
        for _ in self.scan_pieces():
            pass

    def scan_pieces(self) -> Iterator[None]:
        """Lists all roots, a piece each time. The first time, only logs that changed lately have news; later, all that
        changed since.
        """
        self._times.look()
        recent = (self._now_ms() - self._recent_seconds * 1000) * 1_000_000
        news = []
        self._listed = {}
        for root in self.roots:
            self._listed[root.path] = _Listed(root, _MISSING)
            for number, one in enumerate(self._list(root)):
                if number % limits.LOG_PIECE_LOGS == 0:
                    yield
                if self._first_scan and one.mtime_ns < recent:
                    self._remember(one)
                elif self._is_news(one):
                    news.append(one)
            yield
        news.sort(key=lambda one: one.mtime_ns)  # each goes before those that were noticed earlier
        for one in news:
            self.notice(one)
        self._first_scan = False

    def _list(self, root: Root, below: str | None = None, *, only_new: bool = False) -> Iterator[Found]:
        """The logs below a folder; `only_new` leaves out folders below it that were listed before."""

        def enter(folder: str) -> bool:
            known = folder in self._listed
            if only_new and known and folder != below:
                return False
            changed_ns = self._changed_ns(folder)
            if changed_ns == _MISSING:
                return False
            if known or len(self._listed) < limits.LOG_FOLDERS_MAX + len(self.roots):
                self._listed[folder] = _Listed(root, changed_ns)
            self.watch(folder)
            return True

        return scan(root, below, enter)

    def _changed_ns(self, folder: str) -> int:
        try:
            status = os.stat(folder)  # noqa: PTH116 - no object a folder
        except OSError:
            return _MISSING
        if not stat.S_ISDIR(status.st_mode):
            return _MISSING
        settled = (self._now_ms() - limits.LOG_FOLDER_SETTLED_MS) * 1_000_000
        return status.st_mtime_ns if status.st_mtime_ns < settled else _UNSETTLED

    @property
    def folders(self) -> set[str]:
        """The folders that can hold logs."""
        return {folder for folder, listed in self._listed.items() if listed.changed_ns != _MISSING}

    def look_at_folders(self) -> Iterator[None]:
        """Lists the folders in which something was made since they were listed, a piece each time. Costs a stat a folder,
        however many logs there are.
        """
        self._times.look()
        for number, (folder, (root, before)) in enumerate(list(self._listed.items())):
            if number % limits.LOG_PIECE_LOGS == 0:
                yield
            now = self._changed_ns(folder)
            if now == _MISSING and folder != root.path:
                self._listed.pop(folder, None)
            elif now == _MISSING:
                self._listed[folder] = _Listed(root, _MISSING)
            elif now != before or now == _UNSETTLED:
                yield from self._notice_pieces(self._list(root, folder, only_new=True))

    def look_at_folders_here(self) -> Iterator[None]:
        """Lists the folders that hold sessions of this window, a piece each time: a log that grows changes no folder's time."""
        for folder, root in list(self._used.items()):
            yield from self._notice_pieces(scan(root, folder, partial(eq, folder)))

    def _notice_pieces(self, found: Iterable[Found]) -> Iterator[None]:
        for number, one in enumerate(found):
            if number % limits.LOG_PIECE_LOGS == 0:
                yield
            self.notice(one)

    def hint(self, hinted: Iterable[str]) -> None:
        """These files or folders may have news."""
        for path in hinted:
            for root in self.roots:
                if parts_below(root.path, path, platform=sys.platform) is not None:
                    one = look(root, path)
                    self._notice_all(self._list(root, path) if one is None else [one])
                    break
                if parts_below(path, root.path, platform=sys.platform) is not None:
                    self._notice_all(self._list(root))  # the folder above a root was made

    def _notice_all(self, found: Iterable[Found]) -> None:
        for one in found:
            self.notice(one)

    def notice(self, found: Found) -> None:
        """A log was seen, with this size and time."""
        if self._is_news(found):
            self._waiting[found.path] = found
            self._noticed.setdefault(found.path, self._clock())
            self._waiting.move_to_end(
                found.path, last=False
            )  # what is said now goes before what was said then

    def _is_news(self, found: Found) -> bool:
        if found.path in self._outside and not self._has_come(found):
            return False
        return self._known.get(found.path) != (found.size, found.mtime_ns)

    def _has_come(self, found: Found) -> bool:
        """Whether a session that worked outside works in an open folder now."""
        size, since = self._outside[found.path]
        if self._here is None or found.size == size:
            return False
        self._outside[found.path] = (found.size, self._times.mark())
        if self._here.search(read_end(found.path, size)) is None:
            return False
        del self._outside[found.path]
        self._came[found.path] = since
        return True

    def look_at(self, seconds: float) -> None:
        """Looks at the logs that changed in the last seconds: their news is never missed for longer than until the next
        look.
        """
        self._times.look()
        since = self._clock() - seconds
        for path, one in reversed(self._open.items()):
            if one.changed_at < since:
                break
            found = look(Root(one.found.assistant, one.found.root), path)
            if found is not None:
                self.notice(found)

    def has_changed(self, seconds: float) -> bool:
        """True when a log changed in the last seconds."""
        newest = next(reversed(self._open.values()), None)
        return newest is not None and newest.changed_at >= self._clock() - seconds

    # --- Reading ----------------------------------------------------------------------------------------

    @property
    def pause(self) -> float | None:
        """In how many seconds a log may be read; None while there are no news. Where no folder is open, all sessions
        belong here, those of a folder that is open in another window too: that window, which may write there, is first.
        """
        if not self._waiting or not self._patience:
            return 0.0 if self._waiting else None
        return max(0.0, min(self._noticed[path] for path in self._waiting) + self._patience - self._clock())

    def step(self) -> None:
        """Reads a piece of the log that changed last."""
        due = self._clock() - self._patience
        path = next((path for path in self._waiting if self._noticed[path] <= due), None)
        if path is None:
            return
        if self._waiting[path].log.is_later_part:
            path = first_part(path, {one.path: one.log for one in self._waiting.values()})
        found, noticed = self._waiting.pop(path), self._noticed.pop(path)
        try:
            if self._read(path, found):
                self._waiting[path], self._noticed[path] = found, noticed
                self._waiting.move_to_end(path, last=False)
        except Exception as error:  # noqa: BLE001 - one log's defect must not keep the others from being read
            self._failed(path, error)

    def _failed(self, path: str, error: Exception) -> None:
        """Nothing is taken as read: when the log changes, it is read from its beginning."""
        if isinstance(error, KatoError | OSError):
            reason = error.message if isinstance(error, KatoError) else error.strerror
            log.warning("%s was not read: %s", path, reason)
            self._known.pop(path, None)  # the next scan finds it again
        else:
            log_defect(log, path, error)
        self._open.pop(path, None)

    def _read(self, path: str, found: Found) -> bool:
        """One piece; True when more lies ready."""
        one = self._open.get(path)
        if one is None:
            if self._is_unchanged(found):
                self._remember(found)
                return False
            since = self._came.pop(path, self._times.start)
            old_bytes = 0 if found.log.rewritten else self._known.get(path, (0, 0))[0]
            one = _Open(Tail(found, self.place), found, old_bytes, since, self._clock())
            one.tail.reader.has_room = self._has_room
            self._open[path] = one
            self._close_excess(path)
        if found.log.is_held and found.size > one.tail.size:
            self._close_held(path, limits.LOG_HELD_BYTES_MAX - found.size)
            self._make_room(limits.LOG_HELD_COST * (found.size - one.tail.size))
        piece = one.tail.read(one.old_bytes)
        if piece.anew:
            one.is_record, one.old_bytes = False, 0
        if one.tail.offset <= one.old_bytes:
            one.old_ids.update(event.event_id for event in piece.result.events)
        one.changed_at = self._clock()
        self._open.move_to_end(path)
        self._known[path] = (one.tail.size, one.tail.mtime_ns)
        self._take(one, piece.result)
        if one.in_scope is False:
            self._leave_out(path)
            return False
        if found.log.rewritten and not piece.more:
            self._settle(path, one)
        return piece.more

    def _has_room(self, needed_bytes: int) -> bool:
        try:
            self._make_room(needed_bytes)
        except BudgetExceeded:
            return False
        return True

    def settle(self, *, all_of_them: bool = False) -> None:
        """Hands out what logs held back that have been quiet for a moment (or all of them)."""
        quiet = self._clock() - limits.LOG_SETTLE_SECONDS
        for path, one in list(self._open.items()):
            if one.tail.unsettled and path not in self._waiting and (all_of_them or one.changed_at <= quiet):
                try:
                    self._settle(path, one)
                except Exception as error:  # noqa: BLE001 - as in `step`
                    self._failed(path, error)

    @property
    def is_unsettled(self) -> bool:
        """True while something is held back."""
        return any(one.tail.unsettled for one in reversed(self._open.values()))

    def _settle(self, path: str, one: _Open) -> None:
        # What waits for its end in a log that was left long ago will not get one.
        is_final = self._now_ms() - one.tail.mtime_ns // 1_000_000 > limits.LOG_ABANDONED_MS
        self._take(one, one.tail.settle(is_final=is_final))
        if one.in_scope is None and len(one.pending) <= limits.LOG_FOLDERLESS_EVENTS_MAX:
            return  # its first records tell no folder: those that follow may
        if one.in_scope:
            if one.is_record:
                variant, tail = one.found.log.variant, one.tail
                self._ledger.put_log(LogRecord(path, *self._key(one), variant, tail.size, tail.mtime_ns))
        else:
            self._leave_out(path)

    def _take(self, one: _Open, result: ReadResult) -> None:
        name = one.found.assistant.name
        for problem in result.problems:
            if len(self.problems) < limits.JOURNAL_PROBLEMS_MAX:
                self.problems[name, problem] += 1
                if self.problems[name, problem] == 1:
                    version = problem.version or "of unknown version"
                    log.warning("%s %s: %s: %s", name, version, problem.kind, problem.detail)
        one.pending += result.events
        if one.in_scope is None:
            if one.tail.reader.folders or not self._folders:
                one.in_scope = self._belongs(one)
            elif one.tail.offset > limits.LOG_FOLDERLESS_BYTES_MAX:
                one.in_scope = False
        if one.in_scope and one.pending and not self._is_record(one):
            one.in_scope = False
        if one.in_scope:
            self._hand_over(one)

    def _key(self, one: _Open) -> SessionKey:
        return SessionKey(one.found.assistant.name, one.tail.reader.info.session_id)

    def _is_record(self, one: _Open) -> bool:
        """Whether this log is the one that its session is read from. A better store takes over from another."""
        key, log = self._key(one), one.found.log
        if one.is_record and self._variants.get(key) == log.variant:
            return True
        stores = one.found.assistant.stores
        others: set[str] = set()
        if log.variant in stores:
            if self._ledger.log(one.found.path) is None:
                # Before the others are asked for: a process of another window may read the other store now.
                self._ledger.put_log(LogRecord(one.found.path, *key, log.variant, 0, 0))
            others = {self._variants.get(key, log.variant), *self._ledger.variants(key)} & {*stores} - {
                log.variant
            }
        if others and log.variant != stores[0]:
            return False
        record = self._ledger.session(key)
        if record is not None:
            one.since, one.grace_ms = self._times.start, limits.COMMAND_GRACE_MS
            first = max(0, record.event_count - limits.LOG_RESUMED_EVENTS)
            newest = (decode_line(line) for _, line in numbered(self._ledger.read_pieces(key, after=first)))
            said = (event for event in newest if isinstance(event, AssistantMessage))
            one.last_said = {
                event.event_id: event.content for event in said if len(event.content) <= limits.LOG_READ_BYTES
            }
        if others:
            told = (decode_line(line) for _, line in numbered(self._ledger.read_pieces(key)))
            one.beside = SecondStore(told, lambda event_id: self._ledger.seq_of(key, event_id) is not None)
        self._variants[key] = log.variant
        one.is_record = True
        return True

    def _belongs(self, one: _Open) -> bool:
        if not self._folders or any(self._works_in(one, folder) for folder in one.tail.reader.folders):
            return True
        record = self._ledger.session(self._key(one))
        return record is not None and self._is_inside(record.cwd)

    def _cwd(self, one: _Open, info: SessionInfo) -> str | None:
        """The folder that a session's commands start from: its own, or, where that is not open here, the first of its
        folders that is. None leaves the one that is kept.
        """
        if not self._folders or info.cwd is None or self._works_in(one, info.cwd):
            return info.cwd
        if self._ledger.session(SessionKey(one.found.assistant.name, info.session_id)) is not None:
            return None
        return next((folder for folder in one.tail.reader.folders if self._works_in(one, folder)), None)

    def _works_in(self, one: _Open, folder: str) -> bool:
        if folder not in one.inside:
            one.inside[folder] = self._is_inside(folder)
        return one.inside[folder]

    def _is_inside(self, cwd: str | None) -> bool:
        if not self._folders:
            return True
        if cwd is None or not os.path.isabs(cwd):  # noqa: PTH117 - of this platform, as realpath takes it
            return False
        try:
            (inner,) = _resolved([cwd])
        except ValueError:  # a NUL
            return False
        return any(parts_below(folder, inner, platform=sys.platform) is not None for folder in self._folders)

    def _leave_out(self, path: str) -> None:
        one = self._open.pop(path, None)
        self._outside[path] = (0 if one is None else one.tail.size, self._times.mark())
        self._known.pop(path, None)

    # --- To the engine ----------------------------------------------------------------------------------

    def _hand_over(self, one: _Open) -> None:
        found = one.found
        remember(
            self._used,
            os.path.dirname(found.path),  # noqa: PTH120 - no object a log
            Root(found.assistant, found.root),
            limits.LOG_BLIND_FOLDERS_MAX,
        )
        events, one.pending = self._not_removed(one), []
        old_ids, one.old_ids = one.old_ids, set()
        self._times.look()
        if one.beside is not None:
            events = one.beside.new(events)
        if one.last_said:
            events = [_beyond(one.last_said, event) for event in events]
        reader, provider = one.tail.reader, one.found.assistant.name
        runs = _runs(events, lambda event: self._is_live(one, event, was_there=event.event_id in old_ids))
        if not runs and reader.info.session_id in one.told:
            runs = [(reader.info.session_id, False, [])]  # a title may have come
        for child in reader.started:
            if child not in one.told and self._ledger.session(SessionKey(provider, child)) is not None:
                runs.insert(
                    0, (child, False, [])
                )  # which call started it is known, before its result is shown
        for session_id, is_live, run in runs:
            info = reader.about(session_id)
            cwd = self._cwd(one, info)
            about = (info.title, cwd, info.parent_id, info.parent_tool_call_id)
            if not run and one.told.get(session_id) == about:
                continue
            one.told[session_id] = about
            self._append(
                AppendRequest(
                    key=SessionKey(provider, session_id),
                    events=run,
                    lines=Lines.of([encode_line(event) for event in run]),
                    title=info.title,
                    cwd=cwd,
                    replay=not is_live,
                    parent_id=info.parent_id or None,
                    parent_call_id=info.parent_tool_call_id,
                    hold=is_live,
                )
            )

        self._follow(one)

    def _follow(self, one: _Open) -> None:
        """Moves a recording along with a conversation that the assistant moved to another session."""
        target = one.tail.reader.continued_in
        if target == one.moved_to:
            return
        one.moved_to = target
        key = self._key(one)
        recording, session = self._ledger.recording(key), self._ledger.session(key)
        if target is None or session is None or recording is None or not recording.active:
            return
        self._append(
            AppendRequest(
                key=SessionKey(key.provider, target),
                events=[],
                lines=Lines.of([]),
                cwd=session.cwd,
                hold=False,
                continues=key,
            )
        )

    def _not_removed(self, one: _Open) -> Sequence[ConversationEvent]:
        """What is pending, without what was said before its session was removed (`kato clean`). The ledger passes over the
        ids of removed events; but another store of the assistant has the same words under other ids.
        """
        until: dict[str, int] = {}
        for session_id in {event.session_id for event in one.pending}:
            moment = self._ledger.removed_until(SessionKey(one.found.assistant.name, session_id))
            if moment is not None:
                until[session_id] = moment
        if not until:
            return one.pending
        return [
            event
            for event in one.pending
            if event.session_id not in until or epoch_ms(event.timestamp) > until[event.session_id]
        ]

    def _is_live(self, one: _Open, event: ConversationEvent, *, was_there: bool) -> bool:
        at = epoch_ms(event.timestamp)
        return self._times.hold(at, since=one.since, grace_ms=one.grace_ms, was_there=was_there) and not (
            isinstance(event, UserMessage) and self._is_copied(one, event)
        )

    def _is_copied(self, one: _Open, event: UserMessage) -> bool:
        """Whether what could be a command was said in another session, and copied."""
        if "::" not in event.content:
            return False
        if event.event_id in one.tail.reader.copied:
            return True
        key = SessionKey(one.found.assistant.name, event.session_id)
        return one.found.assistant.has_global_ids and self._ledger.is_elsewhere(key, event.event_id)

    # --- What is remembered -----------------------------------------------------------------------------

    def _is_unchanged(self, found: Found) -> bool:
        """Whether this log was read, in this state, by this process or one before."""
        record = self._ledger.log(found.path)
        return record is not None and (record.size, record.mtime_ns) == (found.size, found.mtime_ns)

    def _remember(self, found: Found) -> None:
        self._known[found.path] = (found.size, found.mtime_ns)
        while len(self._known) > limits.LOGS_MAX:
            self._known.popitem(last=False)

    def _close_excess(self, read_now: str) -> None:
        for path in self._idle(read_now):
            if len(self._open) <= limits.TAILS_MAX:
                return
            self._close(path)

    def _close_held(self, read_now: str, bytes_max: int) -> None:
        """Of logs whose readers hold their whole content, no more than this stays open beside the one that is read."""
        held = [path for path in self._idle(read_now) if self._open[path].found.log.is_held]
        size = sum(self._open[path].tail.size for path in held)
        for path in held:
            if size <= bytes_max:
                return
            size -= self._open[path].tail.size
            self._close(path)

    def _idle(self, read_now: str) -> list[str]:
        """The open logs that may be closed: one that is closed is read from its beginning when it changes again. One that is
        half read stays open: closed, it would begin anew, and what was read of it would count as all.
        """
        return [path for path in self._open if path != read_now and path not in self._waiting]

    def _close(self, path: str) -> None:
        one = self._open[path]
        if one.tail.unsettled:
            self._settle(path, one)
        self._open.pop(path, None)


def _beyond(kept: Mapping[str, str], event: ConversationEvent) -> ConversationEvent:
    """The event; of a text that was kept when it was shorter, what has come since, under the id that a reader that had
    seen it grow would have given.
    """
    if not isinstance(event, AssistantMessage) or event.event_id not in kept:
        return event
    event_id, told = event.event_id, 0
    while (part := kept.get(event_id)) and event.content.startswith(part, told):
        told += len(part)
        event_id = f"{event.event_id}+{told}"
    rest = event.content[told:]
    return replace(event, event_id=event_id, content=rest) if told and rest.strip() else event


def _runs(
    events: Sequence[ConversationEvent], judge: Callable[[ConversationEvent], bool]
) -> list[tuple[str, bool, list[ConversationEvent]]]:
    """Events in runs of one session that are live, or not. What is not the user's follows what is before it."""
    runs: list[tuple[str, bool, list[ConversationEvent]]] = []
    live: dict[str, bool] = {}
    for event in events:
        if isinstance(event, UserMessage) or event.session_id not in live:
            live[event.session_id] = judge(event)
        is_live = live[event.session_id]
        if runs and runs[-1][0] == event.session_id and runs[-1][1] == is_live:
            runs[-1][2].append(event)
        else:
            runs.append((event.session_id, is_live, [event]))
    return runs


def _naming(*several: Sequence[str]) -> "re.Pattern[bytes] | None":
    """Finds a record that names one of these folders, or one below, as the session's."""
    written = {
        json.dumps(folder.rstrip("/\\"), ensure_ascii=is_ascii)[1:-1].encode(errors="replace")
        for folders in several
        for folder in folders
        for is_ascii in (False, True)
    }
    if not written:
        return None
    return re.compile(
        rb'"cwd"\s*:\s*"(?:' + b"|".join(re.escape(one) for one in sorted(written)) + rb')[/\\"]'
    )


def _resolved(paths: Iterable[str]) -> tuple[str, ...]:
    """Real paths, for comparison."""
    return tuple(comparable(os.path.realpath(path), sys.platform) for path in paths)
