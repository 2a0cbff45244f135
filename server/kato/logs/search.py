"""Searches session logs that the journal does not have: streaming, the newest first, within bounds.

Rule: a log is read by its assistant's reader only if its bytes can hold every word of the query.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec import UNSET

from kato.assistants.contract import Surroundings
from kato.core import limits
from kato.core.events import ConversationEvent, SessionKey
from kato.core.gaps import Reading
from kato.core.moments import epoch_ms, rfc3339
from kato.core.queries import Query, SearchScope, fold
from kato.core.searching import SearchHit, SearchResult, excerpt, searched
from kato.logs.discovery import PACKED, Found
from kato.logs.listing import first_words
from kato.logs.screening import LogScreen
from kato.logs.tail import Tail
from kato.system.regular import open_regular

#: An escape of JSON that can stand for a letter with an accent, or for a letter of another script.
_ESCAPED_LETTER: Final = re.compile(rb"\\u(?:00[c-fC-F]|0[1-9a-fA-F]|[1-9a-fA-F])")


class LogSearch:
    """One query over several logs. What was said after `::off` is not found (`screen`). `is_in_folder` says of a session's folder
    whether to search the session, `is_known` whether the journal has an event, `is_cancelled` whether to stop.
    """

    def __init__(
        self,
        place: Surroundings,
        query: Query,
        *,
        scope: SearchScope = "all",
        is_in_folder: Callable[[str | None], bool] | None = None,
        is_known: Callable[[SessionKey, str], bool] = lambda *_: False,
        is_cancelled: Callable[[], bool] = lambda: False,
        since_ms: int | None = None,
        limit: int = limits.SEARCH_HITS_DEFAULT,
        screen: LogScreen | None = None,
    ) -> None:
        self._place = place
        self._query = query
        self._scope = scope
        self._is_in_folder = is_in_folder
        self._is_known = is_known
        self._is_cancelled = is_cancelled
        self._since_ms = since_ms
        self._limit = limit
        self._screen = screen or LogScreen()
        self._room = limits.SEARCH_LOG_BYTES_MAX
        self._deadline = time.monotonic() + limits.SEARCH_LOG_SECONDS_MAX

    def run(self, logs: Iterable[Found]) -> SearchResult:
        """The newest matches, the newest first. Skips a log that it cannot read."""
        hits: list[SearchHit] = []
        is_complete = True
        for found in sorted(logs, key=lambda one: one.mtime_ns, reverse=True):
            if self._since_ms is not None and found.mtime_ns // 1_000_000 < self._since_ms:
                break
            if len(hits) >= self._limit or self._is_used_up:
                is_complete = False
                break
            try:
                if self._may_match(found):
                    hits += self._hits(found)
            except OSError:
                is_complete = False
        hits.sort(key=lambda hit: hit.timestamp, reverse=True)
        return SearchResult(hits[: self._limit], is_complete and not self._is_used_up)

    @property
    def _is_used_up(self) -> bool:
        return self._room <= 0 or time.monotonic() > self._deadline or self._is_cancelled()

    def _may_match(self, found: Found) -> bool:
        """Whether the bytes of a log can hold every word. Words may lie anywhere in it."""
        if found.path.endswith(PACKED):
            return True
        missing = {word for term in self._query.terms for word in term.words}
        rest = ""
        with open(found.path, "rb", buffering=0, opener=open_regular) as file:
            while missing and not self._is_used_up:
                data = file.read(limits.LOG_READ_BYTES)
                if not data:
                    return False
                self._room -= len(data)
                if _ESCAPED_LETTER.search(data):
                    return True
                text = rest + fold(data.decode(errors="replace"))
                missing = {word for word in missing if word not in text}
                rest = text[-limits.QUERY_CHARS_MAX :]
        return not missing

    def _hits(self, found: Found) -> Iterator[SearchHit]:
        numbers: dict[str, int] = {}
        words = Reading()
        titles: dict[str, str] = {}
        tail = Tail(found, self._place)
        more = True
        while more and not self._is_used_up:
            piece = tail.read()
            more = piece.more
            self._room -= limits.LOG_READ_BYTES
            for event in (
                piece.result.events if more else [*piece.result.events, *tail.settle(is_final=True).events]
            ):
                seq = numbers.get(event.session_id, 0)
                numbers[event.session_id] = seq + 1
                parent = tail.reader.about(event.session_id).parent_id if words.is_off else None
                for kept in words.kept(event, parent):
                    if event.session_id not in titles and (first := first_words([kept])) is not None:
                        titles[event.session_id] = first
                    hit = self._hit(tail, kept, seq, titles.get(event.session_id))
                    if hit is not None:
                        yield hit

    def _hit(self, tail: Tail, event: ConversationEvent, seq: int, first: str | None) -> SearchHit | None:
        part, text = searched(event)
        if self._scope not in ("all", part) or self._query.find_in(text) is None:
            return None
        moment = epoch_ms(event.timestamp)
        about = tail.reader.about(event.session_id)
        key = SessionKey(tail.found.assistant.name, event.session_id)
        if self._since_ms is not None and moment < self._since_ms:
            return None
        if self._is_in_folder is not None and not self._is_in_folder(about.cwd):
            return None
        if self._screen.hides(key, about.cwd, about.parent_id) or self._is_known(key, event.event_id):
            return None
        snippet, marks = excerpt(text, self._query)
        return SearchHit(
            provider=key.provider,
            session_id=key.session_id,
            seq=seq,
            role=part,
            snippet=snippet,
            marks=marks,
            timestamp=rfc3339(moment),
            score=0.0,
            source="log",
            title=about.title or first or UNSET,
            cwd=about.cwd or UNSET,
        )
