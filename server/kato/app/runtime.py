"""A process that keeps conversations: the engine, the session logs, the heartbeat, the status file and the end.

    run ──► open (settings, folders) ──► start ──► turns and heartbeats ──► finish ──► exit code
              │                            │             ▲
              └ the engine                 │             └ apply, follow_logs: settings or folders change
                                           └ the work of earlier processes, the heartbeat, the session logs

The language server and `kato watch` run the same runtime. They differ in whom the engine notifies (`Listener`) and in
what they add to its steps (`Hooks`).
"""

import asyncio
import logging
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from kato import __version__
from kato import engine as engines
from kato.app import config, process, statusfiles
from kato.app.build import Assembly
from kato.app.chat import Chat
from kato.app.ending import Ending, Step
from kato.app.keeping import Keeper, KeptHistory
from kato.app.local_server import LocalServer
from kato.app.searching import Searcher, SearchThread
from kato.core import limits
from kato.core.errors import EXIT_NO_SHUTDOWN, BudgetExceeded, KatoError
from kato.core.events import SessionKey
from kato.core.ports import Listener
from kato.core.settings import Settings
from kato.logs import discovery
from kato.logs.driver import LogFeed
from kato.logs.follow import LogFollower
from kato.logs.handover import storing
from kato.logs.typed import TypedPrompts
from kato.system.clock import now_ms
from kato.system.folders import is_inside

log = logging.getLogger("kato.runtime")

_T = TypeVar("_T")


def _nothing() -> None:
    pass


class Hooks(NamedTuple):
    """What the owner of a runtime adds to its steps. Each returns quickly."""

    #: Ends the process with this exit code; must call `Runtime.finish`.
    end: Callable[[int], None]
    #: One session outgrew the memory budget: must end the process.
    over_budget: Callable[[BudgetExceeded], None]
    #: Called after `commit`, also if it raised: each append has its result.
    committed: Callable[[], None] = _nothing
    #: Called after work that no message of a client caused: a log was read, a timer fired.
    turn_ended: Callable[[], None] = _nothing
    #: Called on each heartbeat, before and after the runtime's own work.
    before_beat: Callable[[], None] = _nothing
    after_beat: Callable[[], None] = _nothing
    #: Called with the folders whose logs are followed from now on.
    logs_followed: Callable[[Sequence[str]], None] = lambda _: None


class Runtime:
    """See the module. `hurried` is true when other processes are to be waited for only briefly. A signal ends the process
    with `signal_code`, by default 128 + its number.
    """

    def __init__(
        self,
        hooks: Hooks,
        environment: Mapping[str, str],
        *,
        hurried: Callable[[], bool] = lambda: False,
        signal_code: int | None = None,
    ) -> None:
        self.ending = Ending()
        self.started_at = now_ms()
        self._hooks = hooks
        self._environment = environment
        self._hurried = hurried
        self._signal_code = signal_code
        self._assembly: Assembly | None = None
        self._settings: Settings | None = None
        self._feed: LogFeed | None = None
        self._search: SearchThread | None = None
        self._history: KeptHistory | None = None
        self._heartbeat_timer: asyncio.Handle | None = None
        self._others_timer: asyncio.TimerHandle | None = None
        self._typed = TypedPrompts(time.monotonic)
        self._local: LocalServer | None = None
        #: Answers what other processes, and channels in this one, ask; from `start` on.
        self.chat: Chat | None = None
        self._roots: Sequence[discovery.Root] = ()
        self._reported_limit: int | None = None

    # --- What there is ----------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True once there is an engine."""
        return self._assembly is not None

    @property
    def is_ending(self) -> bool:
        """True once the exit code is decided."""
        return self.ending.code is not None

    @property
    def assembly(self) -> Assembly:
        """The engine with all it needs. Only after `open`."""
        assert self._assembly is not None
        return self._assembly

    @property
    def engine(self) -> engines.Engine:
        """The engine. Only after `open`."""
        return self.assembly.engine

    @property
    def settings(self) -> Settings:
        """The settings in force. Only after `open`."""
        assert self._settings is not None
        return self._settings

    @property
    def socket(self) -> str | None:
        """The path of the socket on which other processes ask this one; None where there is none."""
        return None if self._local is None else self._local.path

    # --- Life -------------------------------------------------------------------------------------------

    def run(self, main: Callable[[], Awaitable[None]]) -> int:
        """Runs `main` in an event loop, and after it until `finish`. Returns the exit code."""
        try:
            return asyncio.run(self._run(main))
        finally:
            self.ending.close()

    async def _run(self, main: Callable[[], Awaitable[None]]) -> int:
        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        self.ending.listen(self._end_soon)
        try:
            await main()
            await self._finished.wait()
        finally:
            if not self.is_ending:
                self._hooks.end(EXIT_NO_SHUTDOWN)
        assert self.ending.code is not None
        return self.ending.code

    async def wait(self, seconds: float) -> None:
        """Returns after this time, or earlier when the process ended."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._finished.wait(), seconds)

    def _end_soon(self, code: int) -> None:
        """Called by a signal, between two steps of whatever runs."""
        code = code if self._signal_code is None else self._signal_code
        with suppress(RuntimeError):  # the loop ended in this moment
            self._loop.call_soon_threadsafe(self._hooks.end, code)

    def open(
        self,
        chosen: Settings,
        folders: Sequence[str],
        listener: Listener,
        *,
        opens_session_folders: bool = False,
    ) -> None:
        """Makes the engine, which reports to `listener`. With `opens_session_folders`, notes may also be written in the folders of
        conversations. Raises SettingsInvalid or JournalNotOpened when these settings do not allow it.
        """
        _begin_log(chosen)
        self._assembly = Assembly(
            chosen,
            listener=listener,
            folders=folders,
            started_at=self.started_at,
            hurried=lambda: self.ending.is_wanted or self._hurried(),
            footprint=_settled_footprint,
            opens_session_folders=opens_session_folders,
        )
        self._settings = chosen
        self._listener = listener

    def start(self) -> None:
        """Finishes the work of earlier processes, then begins the heartbeat and follows the session logs."""
        guarded("the work of an earlier process", self.engine.resume)
        self._heartbeat_timer = self._loop.call_soon(self._beat)
        self._report_limit()
        guarded("session logs", self.follow_logs)
        self.chat = Chat(
            self.engine,
            self._typed,
            request=self._request_log,
            look=self._look_at_logs,
            is_behind=self._is_behind,
            is_log_of=self._is_log_of,
            reads_logs_of=lambda provider: any(root.assistant.name == provider for root in self._roots),
            turn=self.turn,
        )
        self._local = LocalServer(self._environment, self.chat.answer)
        guarded("the local socket", partial(self._local.start, self._loop))
        guarded("search", self._start_search)
        guarded("old conversations", self._keep_history)

    def apply(self, chosen: Settings, folders: Sequence[str]) -> None:
        """Puts settings and the open folders in force. Other folders with logs need `follow_logs` as well."""
        self._settings = chosen
        _set_log_level(chosen)
        self.assembly.apply(chosen, folders)
        if self._heartbeat_timer is not None:
            self._report_limit()
            self._keep_history()

    def _report_limit(self) -> None:
        """Notifies the user once of each limit that the process cannot keep."""
        bounds = self.engine.bounds
        if not bounds.whole_process and bounds.daemon_max_bytes != self._reported_limit:
            notice = engines.limit_not_kept(bounds)
            log.warning("%s", notice.message)
            self._listener.notify(notice)
        self._reported_limit = bounds.daemon_max_bytes

    def finish(self, code: int, *, before: Sequence[Step] = (), after: Sequence[Step] = ()) -> None:
        """Ends with this exit code; the first call counts. The owner's steps run before and after the runtime's own."""
        if not self.ending.begin(code):
            return
        try:
            self.ending.finish([*before, *self._last_steps(), *after])
            log.info("ending with exit code %d", code)
        finally:
            self._finished.set()

    def _last_steps(self) -> list[Step]:
        timers = (self._heartbeat_timer, self._others_timer)
        steps: list[Step] = [("timers", timer.cancel) for timer in timers if timer is not None]
        if self._local is not None:
            steps.append(("local socket", self._local.stop))
        if self._feed is not None:
            steps.append(("session logs", self._feed.stop))
        if self._history is not None:
            steps.append(("old conversations", self._history.stop))
        if self._search is not None:
            steps.append(("search", self._search.stop))
        if self._assembly is not None:
            steps += [
                ("last events", self.commit),
                ("status file", partial(self._assembly.write_status, running=False)),
                ("journal", self.engine.close),
            ]
        return steps

    # --- Turns ------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Commits what was appended. Each append has its result after it, whatever committing raised."""
        if self._assembly is None:
            return
        guarded("the commit", self.engine.commit)
        self._hooks.committed()
        self.end_if_over_budget()

    def end_if_over_budget(self) -> None:
        """Ends the process when one session alone outgrew the memory budget."""
        error = self.engine.fatal_error
        if error is not None and not self.is_ending:
            log.error("over budget: %s", error.message)
            self._hooks.over_budget(error)

    def turn(self) -> None:
        """Commits after a round of work: the messages of one read, or a piece of a log."""
        if not self.is_ending:
            self.commit()
            self._hooks.turn_ended()
            self._wait_for_others(limits.OTHERS_COMMANDS_SECONDS_MIN)

    def _wait_for_others(self, pause: float) -> None:
        """Checks repeatedly, with growing pauses, while commands of this window wait for those of another window."""
        if self._assembly is None or not self.engine.is_waiting or self._others_timer is not None:
            return

        def look() -> None:
            self._others_timer = None
            if not self.is_ending:
                self.engine.run_waiting()
                self._hooks.turn_ended()
                self._wait_for_others(min(2 * pause, limits.OTHERS_COMMANDS_SECONDS_MAX))

        self._others_timer = self._loop.call_later(pause, look)

    def _beat(self) -> None:
        """The heartbeat: samples the memory, repeats what failed, writes the status file."""
        if self.is_ending:
            return
        self._heartbeat_timer = self._loop.call_later(self.settings.heartbeat_seconds, self._beat)
        self.commit()
        self._hooks.before_beat()
        if self._finished.is_set():  # the owner ended the process
            return
        guarded("heartbeat", self.engine.heartbeat)
        if self._search is not None:
            self._search.wake()
        guarded("status file", self.assembly.write_status)
        self._hooks.after_beat()
        self._hooks.turn_ended()
        self._wait_for_others(limits.OTHERS_COMMANDS_SECONDS_MIN)

    # --- Session logs -----------------------------------------------------------------------------------

    def follow_logs(self) -> None:
        """Follows the assistants' session logs, from the beginning when folders or settings changed."""
        if self._feed is not None:
            self._feed.stop()
        place = discovery.surroundings(self._environment, self.engine.locations.workspace_folders)
        self._roots = discovery.roots(place, self.settings.provider_session_roots)
        follower = LogFollower(
            roots=self._roots,
            place=place,
            ledger=self.engine.ledger,
            store=storing(self.engine, self.commit),
            make_room=self.engine.make_room,
            now_ms=now_ms,
            clock=self._loop.time,
            # Messages that were written in a folder before it was opened are history.
            started_ms=self.started_at if self._feed is None else now_ms(),
            typed=self._typed,
            pictures=self.assembly.picture_saver,
        )
        if self._search is not None:
            self._search.follow(follower.news.folders.roots, place)
        self._feed = LogFeed(self._loop, follower, self.turn, self.engine.note_watching)
        self._feed.start()
        self._hooks.logs_followed([root.path for root in follower.news.folders.roots])

    # --- Old conversations ------------------------------------------------------------------------------

    def _keep_history(self) -> None:
        """Begins to read all old conversations, or stops, as the setting `keepHistory` says."""
        is_wanted = self.settings.keep_history == "all" and self.engine.ledger.durable
        if self._history is None and is_wanted:
            self._history = KeptHistory(self._loop, self.assembly.state_dir, self._keeper)
            self._history.start()
        elif self._history is not None and not is_wanted:
            self._history.stop()
            self._history = None

    def _keeper(self) -> Keeper:
        place = discovery.surroundings(self._environment)
        roots = discovery.roots(place, self.settings.provider_session_roots)
        return Keeper(self.engine, self.commit, roots, place, pictures=self.assembly.picture_saver)

    # --- Search -----------------------------------------------------------------------------------------

    def _start_search(self) -> None:
        place = discovery.surroundings(self._environment, self.engine.locations.workspace_folders)
        roots = discovery.roots(place, self.settings.provider_session_roots)
        folder = self.assembly.state_dir if self.engine.ledger.durable else None
        report = partial(self._from_thread, self.engine.note_search)
        self._search = SearchThread(Searcher(folder, roots, place), report)
        self._search.start()

    def ask(self, job: Callable[[Searcher], _T], answer: Callable[[_T | KatoError], None]) -> None:
        """Runs a job in the search thread. Calls `answer` once, in a later turn, with its result or its error. Raises KatoError
        if nothing can answer.
        """
        if self._search is None:
            raise KatoError("search is not available yet: the server is starting")
        self._search.ask(job, partial(self._from_thread, answer))

    def fetch(self, key: SessionKey, then: Callable[[], None]) -> None:
        """Reads a session that the journal does not have from its log, if there is one, then calls `then`, in a later turn.
        Raises KatoError if nothing can find the log.
        """

        def find(searcher: Searcher) -> str | None:
            with searcher.catalogue() as catalogue:
                return catalogue.path_of(key)

        def read(path: str | KatoError | None) -> None:
            if not isinstance(path, str):
                then()
                return
            keeper = self._keeper()
            keeper.choose(path)
            self._read_all(keeper, then)

        self.ask(find, read)

    def _read_all(self, keeper: Keeper, then: Callable[[], None]) -> None:
        """Reads a piece a turn, until all is read."""
        if self.is_ending:
            return
        pause: float | None = None
        with suppress(KatoError, OSError):  # what was read until then can be shown
            pause = keeper.step()
        if pause is not None:
            self._loop.call_later(pause, self._read_all, keeper, then)
            return
        then()
        self.turn()

    def _from_thread(self, call: Callable[[Any], None], value: Any) -> None:
        """Calls a function in a turn of the loop, unless the process ends before."""

        def run() -> None:
            if not self.is_ending:
                call(value)
                self.turn()

        with suppress(RuntimeError):  # the loop ended
            self._loop.call_soon_threadsafe(run)

    def hint(self, paths: Sequence[str]) -> None:
        """These files or folders may have news."""
        if self._feed is not None:
            self._feed.hint(paths)

    def tokens_of(self, key: SessionKey) -> int | None:
        """The tokens of a session, as its log states them, while the log is followed."""
        return None if self._feed is None else self._feed.tokens_of(key)

    def _request_log(self, path: str) -> None:
        if self._feed is not None:
            self._feed.request(path)

    def _look_at_logs(self) -> None:
        if self._feed is not None:
            self._feed.look()

    def _is_log_of(self, provider: str, path: str | None) -> bool:
        return any(root.assistant.name == provider and is_inside(path, root.path) for root in self._roots)

    def _is_behind(self, path: str | None) -> bool:
        return self._feed is not None and self._feed.is_behind(path)


def _begin_log(chosen: Settings) -> None:
    """Begins the log file of this process. Raises SettingsInvalid."""
    state_dir = config.state_dir(chosen.state_dir)
    config.ensure_state_dir(state_dir)
    with config.usable_state_dir(state_dir):
        config.log_to_file(state_dir)
        _set_log_level(chosen)
        log.info(
            "kato %s, Python %s (%s), state folder %s, log %s",
            __version__,
            platform.python_version(),
            sys.executable,
            state_dir,
            statusfiles.log_file(state_dir, os.getpid()),
        )
        config.warn_if_shared(state_dir)


def _set_log_level(chosen: Settings) -> None:
    logging.getLogger("kato").setLevel(chosen.log_level.upper())


def _settled_footprint() -> int:
    """What the process takes once everything that stays is loaded, and excluded from collections (bytes)."""
    process.freeze_heap()
    return process.rss_bytes()


def guarded(name: str, step: Callable[[], object]) -> None:
    """Runs a step that a heartbeat or a scan repeats; logs what it raises, so that the steps after it run."""
    try:
        step()
    except (KatoError, OSError) as error:
        reason = error.message if isinstance(error, KatoError) else error.strerror
        log.warning("%s: %s", name, reason or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - a defect of one step must not keep the others from running
        engines.log_defect(log, name, error)
