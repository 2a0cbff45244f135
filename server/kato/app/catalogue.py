"""The conversations of a machine: those in the journal and those in session logs, each once, the newest first.

Rule: the list is made as it is consumed. A log does not change before its last message, so the newest conversations are known
before the older logs are described.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from kato.app import config
from kato.assistants import registry
from kato.assistants.contract import Surroundings
from kato.core.events import SessionKey
from kato.core.moments import rfc3339
from kato.core.records import GapReason, SessionRecord
from kato.logs.descriptions import Description, DescriptionCache
from kato.logs.discovery import Found, Root
from kato.logs.listing import Listing
from kato.logs.screening import LogScreen, by_session
from kato.storage.journal import FILE_NAME
from kato.storage.journal.reading import JournalReader
from kato.system.ignoring import IgnoredFolders
from kato.system.regular import is_regular

#: `log`: the journal has nothing of the conversation. `partial`: its log has more than the journal, as far as Kato read it.
#: `kept`: the journal has everything. `log_gone`: the journal has the conversation, and no log of it exists.
Extent = Literal["log", "partial", "kept", "log_gone"]


class Conversation(Struct, frozen=True, kw_only=True):
    """A conversation as a list shows it: what its log says, and what the journal has. Times are in milliseconds; `updated_at`
    is the time of its last message. `size` is in bytes: of its log, without one of its events. `not_kept`: why nothing more of it is kept.
    """

    key: SessionKey
    title: str | None
    cwd: str | None
    parent_id: str | None
    started_at: int | None
    updated_at: int
    size: int
    extent: Extent
    found: Found | None = None
    record: SessionRecord | None = None
    not_kept: GapReason | None = None
    #: Where the log was, of a conversation whose log is gone. A conversation that a client pushed never had one.
    gone_path: str | None = None

    @property
    def assistant_title(self) -> str:
        """The assistant's name for people."""
        return registry.titles().get(self.key.provider, self.key.provider)


class ConversationSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """A conversation as clients get it. `extent` is `log`, `partial`, `kept` or `log_gone`; `not_kept` is `off` or `ignored`
    while nothing more of it is kept.
    """

    provider: str
    session_id: str
    updated_at: str
    size_bytes: int
    extent: Extent
    title: str | UnsetType = UNSET
    cwd: str | UnsetType = UNSET
    started_at: str | UnsetType = UNSET
    parent_id: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    not_kept: GapReason | UnsetType = UNSET
    gone_path: str | UnsetType = UNSET

    @classmethod
    def of(cls, one: Conversation) -> "ConversationSummary":
        """The summary of a conversation. `path` is its log's, `gone_path` that of a log that does not exist any more."""
        return cls(
            provider=one.key.provider,
            session_id=one.key.session_id,
            updated_at=rfc3339(one.updated_at),
            size_bytes=one.size,
            extent=one.extent,
            title=one.title or UNSET,
            cwd=one.cwd or UNSET,
            started_at=UNSET if one.started_at is None else rfc3339(one.started_at),
            parent_id=one.parent_id or UNSET,
            path=UNSET if one.found is None else one.found.path,
            not_kept=UNSET if one.not_kept is None else one.not_kept,
            gone_path=one.gone_path or UNSET,
        )


class ConversationList(Struct, frozen=True):
    """The answer to `kato/sessions`: the newest conversations, and whether there are more. `titles` has the names for people of
    their assistants, by provider.
    """

    sessions: list[ConversationSummary]
    more: bool
    titles: dict[str, str] = {}


class Catalogue:
    """See the module. Without a journal, the logs alone."""

    def __init__(self, listing: Listing, journal: JournalReader | None) -> None:
        self._listing = listing
        self._journal = journal
        #: Once a conversation was listed: how many come after it at most, without sub-agents.
        self.left = 0

    def conversations(self) -> Iterator[Conversation]:
        """All conversations, the newest first; sub-agents' are among them. Raises JournalUnavailable."""
        logs = self._listing.logs()
        records = {} if self._journal is None else {record.key: record for record in self._journal.records()}
        paths = {} if self._journal is None else self._journal.log_paths()
        # Conversations whose turn has not come: another one may be newer.
        waiting: list[tuple[int, int, Conversation]] = []
        numbers = count()
        names = _Names(logs)

        def push(one: Conversation) -> None:
            heapq.heappush(waiting, (-one.updated_at, next(numbers), one))

        for key in [key for key in records if not names.may_be(key)]:
            push(self._kept(records.pop(key), paths))
        listed: set[SessionKey] = set()
        self.left = sum(found.log.parent_id is None for found in logs)
        self.left += sum(one.parent_id is None for _, _, one in waiting)
        for found in logs:
            while waiting and -waiting[0][0] >= found.mtime_ns // 1_000_000:
                yield self._next(waiting)
            about = self._listing.describe(found)
            key = SessionKey(found.assistant.name, about.info.session_id)
            if key not in listed:  # a session that goes on in a second log is one conversation
                listed.add(key)
                push(self._of_log(found, about, key, records.pop(key, None)))
        for record in records.values():
            push(self._kept(record, paths))
        while waiting:
            yield self._next(waiting)

    def newest(
        self, limit: int, *, after: int = 0, is_chosen: Callable[[Conversation], bool] = lambda _: True
    ) -> ConversationList:
        """The newest of the conversations that `is_chosen` accepts, without the first `after`."""
        chosen = (one for one in self.conversations() if is_chosen(one))
        found = [ConversationSummary.of(one) for one in islice(chosen, after, after + limit + 1)]
        shown = found[:limit]
        return ConversationList(shown, len(found) > limit, registry.titles_of(one.provider for one in shown))

    def path_of(self, key: SessionKey) -> str | None:
        """The path of a session's log; None if there is none."""
        logs = [found for found in self._listing.logs() if found.assistant.name == key.provider]
        for found in logs:
            if found.log.session_id == key.session_id:
                return found.path
        # A path can name the beginning of an id only.
        for found in logs:
            if key.session_id.startswith(found.log.session_id) and (
                self._listing.describe(found).info.session_id == key.session_id
            ):
                return found.path
        return None

    def _next(self, waiting: list[tuple[int, int, Conversation]]) -> Conversation:
        one = heapq.heappop(waiting)[2]
        self.left -= one.parent_id is None
        return one

    def _of_log(
        self, found: Found, about: Description, key: SessionKey, record: SessionRecord | None
    ) -> Conversation:
        extent: Extent = "log"
        if record is not None and self._journal is not None:
            is_read = self._journal.is_log_read(found.path, found.size, found.mtime_ns)
            extent = "kept" if is_read else "partial"
        said_at = about.said_at if record is None else max(about.said_at or 0, record.last_message_at or 0)
        cwd = about.info.cwd or (record and record.cwd) or None
        parent_id = about.info.parent_id or (record and record.parent_id) or None
        return Conversation(
            key=key,
            title=about.info.title or (record and (record.title or record.snippet)) or about.first_words,
            cwd=cwd,
            parent_id=parent_id,
            started_at=about.started_at,
            updated_at=said_at or found.mtime_ns // 1_000_000,
            size=found.size,
            extent=extent,
            found=found,
            record=record,
            not_kept=self._listing.screen.reason(key, cwd, parent_id),
        )

    def _kept(self, record: SessionRecord, paths: Mapping[SessionKey, str]) -> Conversation:
        not_kept = self._listing.screen.reason(record.key, record.cwd, record.parent_id)
        return replace(_kept(record, paths), not_kept=not_kept)


def _kept(record: SessionRecord, paths: Mapping[SessionKey, str]) -> Conversation:
    return Conversation(
        key=record.key,
        title=record.title or record.snippet,
        cwd=record.cwd,
        parent_id=record.parent_id,
        started_at=None,
        updated_at=record.updated_at if record.last_message_at is None else record.last_message_at,
        size=record.json_bytes,
        extent="log_gone",
        record=record,
        gone_path=paths.get(record.key),
    )


class _Names:
    """Which sessions the paths of logs name: some name the beginning of an id only."""

    def __init__(self, logs: list[Found]) -> None:
        self._ids: dict[str, set[str]] = defaultdict(set)
        for found in logs:
            self._ids[found.assistant.name].add(found.log.session_id)
        self._lengths = {name: {len(one) for one in ids} for name, ids in self._ids.items()}

    def may_be(self, key: SessionKey) -> bool:
        """Whether one of the logs may be this session's."""
        ids = self._ids.get(key.provider, set())
        return any(key.session_id[:length] in ids for length in self._lengths.get(key.provider, ()))


def log_screen(journal: JournalReader | None) -> LogScreen:
    """What must not be shown of logs."""
    gaps = () if journal is None else journal.gaps()
    return LogScreen(by_session(gaps), IgnoredFolders(str(Path.home())))


@contextmanager
def open_journal(state_dir: Path | None) -> Iterator[JournalReader | None]:
    """A reader of the journal, closed at the end of the block; None if there is no journal. Raises SettingsInvalid if something
    else lies in its place.
    """
    if state_dir is None:
        yield None
        return
    with config.usable_state_dir(state_dir):
        # Not opened and closed: that would drop the locks which SQLite holds on the file for the other connections of this process.
        exists = is_regular(state_dir / FILE_NAME)
    if not exists:
        yield None
        return
    with closing(JournalReader(state_dir)) as journal:
        yield journal


@contextmanager
def open_catalogue(state_dir: Path | None, roots: Sequence[Root], place: Surroundings) -> Iterator[Catalogue]:
    """The conversations of this machine; without a state folder, those of the logs alone, and nothing of them is remembered."""
    with open_journal(state_dir) as journal, DescriptionCache(state_dir) as cache:
        yield Catalogue(Listing(roots, place, cache, log_screen(journal)), journal)
