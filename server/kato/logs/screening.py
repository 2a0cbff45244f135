"""What must not be shown of a log: what was said after `::off`, and conversations in a folder with a `.katoignore` file.

The engine leaves this out when it stores a conversation (`engine.withholding`). Search, lists and captures read logs that the engine
has not read: here, the gaps of the journal count, and the log's own lines `::off` and `::on`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from kato.core.events import ConversationEvent, SessionKey
from kato.core.gaps import Reading
from kato.core.moments import epoch_ms
from kato.core.records import Gap, GapReason
from kato.logs.descriptions import Description

_NO_GAPS: Final[Mapping[SessionKey, Sequence[Gap]]] = MappingProxyType({})


def by_session(gaps: Iterable[tuple[SessionKey, Gap]]) -> Mapping[SessionKey, Sequence[Gap]]:
    """Gaps by their sessions."""
    found: dict[SessionKey, list[Gap]] = {}
    for key, gap in gaps:
        found.setdefault(key, []).append(gap)
    return found


class LogScreen:
    """See the module. `gaps` are those of the journal, `is_ignored` gives the `.katoignore` file of a folder."""

    def __init__(
        self,
        gaps: Mapping[SessionKey, Sequence[Gap]] = _NO_GAPS,
        is_ignored: Callable[[str | None], str | None] = lambda _: None,
    ) -> None:
        self._gaps = gaps
        self.is_ignored = is_ignored

    def reason(self, key: SessionKey, cwd: str | None, parent_id: str | None) -> GapReason | None:
        """Why nothing is kept of a conversation now; None if it is."""
        if self.is_ignored(cwd) is not None:
            return "ignored"
        lasting = [gap for gap in self._of(key, parent_id) if gap.until_ms is None and gap.reason == "off"]
        return "off" if lasting else None

    def hides(self, key: SessionKey, cwd: str | None, parent_id: str | None) -> bool:
        """Whether nothing is shown of a conversation but what the journal has: something of it was not kept."""
        return self.is_ignored(cwd) is not None or bool(self._of(key, parent_id))

    def described(self, provider: str, about: Description) -> Description:
        """The description without words, where something of the conversation was not kept: the title may be of it."""
        info = about.info
        if not self.hides(SessionKey(provider, info.session_id), info.cwd, info.parent_id):
            return about
        return replace(about, info=replace(info, title=None), first_words=None)

    def reading(self) -> "ScreenedReading":
        """Which events of a log are kept, from its beginning on."""
        return ScreenedReading(self)

    def covers(self, event: ConversationEvent, parent_id: str | None) -> bool:
        """Whether an event was said in a gap."""
        found = self._of(SessionKey(event.provider, event.session_id), parent_id)
        return any(gap.covers(epoch_ms(event.timestamp)) for gap in found if gap.reason == "off")

    def _of(self, key: SessionKey, parent_id: str | None) -> Sequence[Gap]:
        own = self._gaps.get(key, ())
        of_parent = () if not parent_id else self._gaps.get(SessionKey(key.provider, parent_id), ())
        return [*own, *of_parent] if own and of_parent else own or of_parent


class ScreenedReading:
    """See `LogScreen.reading`."""

    def __init__(self, screen: LogScreen) -> None:
        self._screen = screen
        self._words = Reading()

    def kept(self, event: ConversationEvent, parent_id: str | None) -> Sequence[ConversationEvent]:
        """What is kept of the next event."""
        found = self._words.kept(event, parent_id)
        return () if found and self._screen.covers(event, parent_id) else found
