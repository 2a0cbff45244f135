"""Claude Code: the titles of a session, and which of them counts."""

from collections import deque
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.values import remember, text_of

#: Where a title comes from, the best first: the user, the agent's name, an app's list, the model. Before 2.1.25x,
#: `summary`. The names are kinds of records, except `app`.
_FIELDS: Final = {
    "custom-title": "customTitle",
    "agent-name": "agentName",
    "app": "title",
    "ai-title": "aiTitle",
    "summary": "summary",
}
#: Records by whose ids a summary is known to be this session's.
_RECENT_MAX: Final = 256
_SUMMARIES_MAX: Final = 64


class Titles:
    """The newest title of each source."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}
        self._summaries: dict[str, str] = {}  # by the record that they sum up to, where it was not seen yet
        self._recent: deque[str] = deque(maxlen=_RECENT_MAX)

    @property
    def best(self) -> str | None:
        """The title that counts."""
        return next((self._titles[source] for source in _FIELDS if source in self._titles), None)

    def take(self, record: Json) -> None:
        """Takes a record that holds a title."""
        source = text_of(record, "type") or ""
        title, leaf = text_of(record, _FIELDS[source]), text_of(record, "leafUuid")
        if source == "summary" and title and leaf is not None and leaf not in self._recent:
            # A file may hold the summary of another session. It is this one's if the record stands here that it sums up to.
            remember(self._summaries, leaf, title, _SUMMARIES_MAX)
        else:
            self.name(source, title)

    def name(self, source: str, title: str | None) -> None:
        """Takes a title, unless it is empty."""
        if title and title.strip():
            self._titles[source] = title

    def see(self, uuid: str) -> None:
        """A record with this id stands in the session's file."""
        self._recent.append(uuid)
        self.name("summary", self._summaries.pop(uuid, None))
