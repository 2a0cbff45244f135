"""Search in a process: one thread that indexes behind the journal, answers queries and lists conversations.

    heartbeat ─► wake ─► the thread: a step, a pause, a step, … until the index is up to date
    kato/search ─► ask ─► the thread: the newest events, then the index, then logs that the journal does not have ─► answer
    kato/sessions ─► ask ─► the thread: the catalogue ─► answer

Rules:

- The thread alone uses the index. It takes `limits.SEARCH_SHARE` of a core while it indexes, and no lock of the journal.
- Search is derived data: whatever goes wrong is in the status and in the log, and nothing else fails because of it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

from kato.app.catalogue import Catalogue, open_catalogue
from kato.assistants import registry
from kato.assistants.contract import Surroundings
from kato.core import limits
from kato.core.errors import KatoError
from kato.core.events import SessionKey
from kato.core.queries import Query, SearchScope
from kato.core.searching import SearchResult
from kato.core.views import SearchStatus
from kato.engine import log_defect
from kato.logs.discovery import Found, Root, scan
from kato.logs.screening import LogScreen, by_session
from kato.logs.search import LogSearch
from kato.storage.search import Indexer
from kato.system.folders import is_inside
from kato.system.ignoring import IgnoredFolders

log = logging.getLogger("kato.search")

_STOP_SECONDS: Final = 0.2


class Question(Struct, frozen=True, kw_only=True):
    """A query, and which conversations it is about. `folder` includes the folders in it."""

    query: Query
    scope: SearchScope = "all"
    provider: str | None = None
    folder: str | None = None
    since_ms: int | None = None
    limit: int = limits.SEARCH_HITS_DEFAULT

    @property
    def is_in_folder(self) -> Callable[[str | None], bool] | None:
        """Says of a session's folder whether the session is searched; None if all are."""
        folder = self.folder
        if folder is None:
            return None
        known: dict[str | None, bool] = {}

        def is_searched(cwd: str | None) -> bool:
            if cwd not in known:
                known[cwd] = is_inside(cwd, folder)
            return known[cwd]

        return is_searched


class Searcher:
    """Answers questions from the journal's index and from logs. Without a `folder` (the journal is off) from logs alone. Used
    by one thread at a time; each method raises KatoError, after which it can be called again.
    """

    def __init__(self, folder: Path | None, roots: Sequence[Root], place: Surroundings) -> None:
        self._folder = folder
        self.indexer = None if folder is None else Indexer(folder)
        self.roots = roots
        self.place = place
        self._is_ignored = IgnoredFolders(str(Path.home()))

    def catch_up(self, seconds: float) -> None:
        """Indexes for at most so long."""
        deadline = time.monotonic() + seconds
        while self.indexer is not None and self.indexer.step() and time.monotonic() < deadline:
            pass

    def answer(self, question: Question, is_cancelled: Callable[[], bool] = lambda: False) -> SearchResult:
        """The best matches in the journal, then the newest in logs that it does not have, until `is_cancelled`."""
        result = SearchResult([], complete=True)
        if self.indexer is not None:
            result = self.indexer.search(
                question.query,
                scope=question.scope,
                provider=question.provider,
                is_in_folder=question.is_in_folder,
                since_ms=question.since_ms,
                limit=question.limit,
            )
        search = LogSearch(
            self.place,
            question.query,
            scope=question.scope,
            is_in_folder=question.is_in_folder,
            is_known=self._is_known,
            is_cancelled=is_cancelled,
            since_ms=question.since_ms,
            limit=question.limit,
            screen=LogScreen(
                by_session(() if self.indexer is None else self.indexer.gaps()), self._is_ignored
            ),
        )
        unread = search.run(found for found in self._logs(question.provider) if not self._is_read(found))
        hits = [*result.hits, *unread.hits][: question.limit]
        titles = registry.titles_of(hit.provider for hit in hits)
        return SearchResult(hits, result.complete and unread.complete, titles)

    def _logs(self, provider: str | None) -> list[Found]:
        return [
            found for root in self.roots if provider in (None, root.assistant.name) for found in scan(root)
        ]

    def _is_read(self, found: Found) -> bool:
        return self.indexer is not None and self.indexer.is_read(found.path, found.size, found.mtime_ns)

    def _is_known(self, key: SessionKey, event_id: str) -> bool:
        return self.indexer is not None and self.indexer.has_event(key, event_id)

    def search(self, question: Question, is_cancelled: Callable[[], bool] = lambda: False) -> SearchResult:
        """The answer, after what was said last is indexed."""
        with suppress(KatoError):  # what is indexed can be searched all the same
            self.catch_up(limits.SEARCH_CATCH_UP_SECONDS)
        return self.answer(question, is_cancelled)

    @contextmanager
    def catalogue(self) -> Iterator[Catalogue]:
        """The conversations of this machine."""
        with open_catalogue(self._folder, self.roots, self.place) as catalogue:
            yield catalogue

    def close(self) -> None:
        """Closes the index."""
        if self.indexer is not None:
            self.indexer.close()


_T = TypeVar("_T")
#: Work for the thread, and what gets its result, or the error.
_Job = tuple[Callable[[Searcher], Any], Callable[[Any], None]]


class SearchThread:
    """See the module. `report` gets the status of the index when it changed; it and the answers are called in the thread."""

    def __init__(self, searcher: Searcher, report: Callable[[SearchStatus], None]) -> None:
        self._searcher = searcher
        self._report = report
        self._status: SearchStatus | None = None
        self._questions: deque[_Job] = deque()
        self._is_behind = True
        self._next_step = self._next_report = 0.0
        self._is_stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="kato-search", daemon=True)

    def start(self) -> None:
        """Starts the thread. Where the system has none left, questions are not answered, and nothing else changes."""
        with suppress(RuntimeError):
            self._thread.start()

    def wake(self) -> None:
        """The journal may have new events."""
        with self._changed:
            self._is_behind = True
            self._changed.notify()

    def follow(self, roots: Sequence[Root], place: Surroundings) -> None:
        """Searches the logs of these roots from now on."""
        self._searcher.roots, self._searcher.place = roots, place

    def ask(self, job: Callable[[Searcher], _T], answer: Callable[[_T | KatoError], None]) -> None:
        """Calls `answer` once, later, in the thread, with the result of `job`. Raises KatoError if nothing can answer."""
        if not self._thread.is_alive():
            raise KatoError("search is not available: its thread does not run; restart Kato")
        with self._changed:
            if len(self._questions) >= limits.SEARCH_WAITING_MAX:
                raise KatoError("too many queries wait for an answer; try again later")
            self._questions.append((job, answer))
            self._changed.notify()

    def stop(self) -> None:
        """Ends the thread: after the step that it is in, or with the process."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_stopped or bool(self._questions) or self._is_due, self._pause
                )
                if self._is_stopped:
                    break
                asked = self._questions.popleft() if self._questions else None
            if asked is not None:
                asked[1](self._answer(asked[0]))
            elif self._is_due:
                self._step()
        with suppress(Exception):
            self._searcher.close()

    @property
    def _is_due(self) -> bool:
        return self._is_behind and time.monotonic() >= self._next_step

    @property
    def _pause(self) -> float | None:
        return max(0.0, self._next_step - time.monotonic()) if self._is_behind else None

    def _answer(self, job: Callable[[Searcher], Any]) -> Any:
        try:
            return job(self._searcher)
        except KatoError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect must not end the thread
            log_defect(log, "a query", error)
            return KatoError(f"internal error ({type(error).__name__})")

    def _step(self) -> None:
        """Indexes a piece, and plans the next one. After a failure, the next heartbeat tries again."""
        started = time.monotonic()
        self._is_behind = False
        failed: str | None = None
        try:
            indexer = self._searcher.indexer
            if indexer is None:
                return
            is_behind = indexer.step()
            status = indexer.status()
            self._is_behind = self._is_behind or is_behind
        except KatoError as error:
            failed = error.message
        except Exception as error:  # noqa: BLE001 - as above
            log_defect(log, "indexing", error)
            failed = f"internal error ({type(error).__name__})"
        if failed is not None:
            if self._status is None or failed != self._status.failed:
                log.warning("the search index: %s", failed)
            with suppress(Exception):
                self._searcher.close()
            status = SearchStatus(bytes=0, events=0, sessions_behind=0, failed=failed)
        ended = time.monotonic()
        self._next_step = ended + (ended - started) * (1 / limits.SEARCH_SHARE - 1)
        if status != self._status and (not self._is_behind or ended >= self._next_report):
            self._status, self._next_report = status, ended + limits.STATUS_COALESCE_SECONDS
            self._report(status)
