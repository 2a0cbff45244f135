"""Leaves out of an append what is not to be kept: what was said after `::off`, and conversations in an ignored folder.

    group ──► screen: in the transaction of the append ──► the events that are kept, cut messages, notes of gaps
                                                     └──► gaps, and hashes of the ids of all other events

Rules:

- What is not kept is decided in the transaction that stores the message with the `::off`: no later failure, and no other process,
  stores a word that was said after it.
- The order of the events decides, not their times. It does not matter whether the events are live or history.
- An event that came before keeps what was decided then.
- A sub-agent's session follows the session that started it, by the times of its events; a fork begins as the session that it was forked from stood.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kato.core import gaps, grammar, limits, paths
from kato.core.events import ConversationEvent, ProviderInfo, SessionKey, Source, UserMessage, encode_line
from kato.core.lines import Lines
from kato.core.moments import epoch_ms, utc
from kato.core.pictures import names_in
from kato.core.ports import Ledger
from kato.core.records import AppendReceipt, Gap, GapReason, SessionRecord
from kato.engine.appends import Group

#: The path of the `.katoignore` file because of which conversations of a folder are not kept; None if they are.
IsIgnored = Callable[[str | None], str | None]


class Begun(NamedTuple):
    """A conversation that is not kept from now on, because of this file."""

    key: SessionKey
    path: str


class _Kept:
    """The events of a group that are kept, each with the index in the group that it comes from."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.lines: list[bytes] = []
        self.origins: list[int] = []
        self.messages: dict[int, list[tuple[int, UserMessage]]] = {}  # cut ones, by their origin

    def add(self, event_id: str, line: bytes, origin: int) -> None:
        self.ids.append(event_id)
        self.lines.append(line)
        self.origins.append(origin)

    def add_event(self, event: ConversationEvent, origin: int) -> None:
        if isinstance(event, UserMessage):
            self.messages.setdefault(origin, []).append((len(self.ids), event))
        self.add(event.event_id, encode_line(event), origin)


class _State:
    """What is in force for a session in its next append."""

    def __init__(self, record: SessionRecord | None, own: list[Gap], ignored: str | None) -> None:
        self.record = record
        self.is_off = any(gap.reason == "off" and gap.until_ms is None for gap in own)
        self.was_ignored = any(gap.reason == "ignored" and gap.until_ms is None for gap in own)
        self.ignored = ignored
        #: The gaps of the sessions that started this one.
        self.of_parents: list[Gap] = []
        self.has_gap = bool(own)

    @property
    def is_withheld(self) -> bool:
        """Whether nothing is kept now."""
        return self.reason is not None

    @property
    def reason(self) -> GapReason | None:
        """Why nothing is kept now."""
        lasting = [gap.reason for gap in self.of_parents if gap.until_ms is None]
        return "ignored" if self.ignored is not None else "off" if self.is_off else next(iter(lasting), None)

    def withholds(self, moment_ms: int | None) -> bool:
        """Whether the next event is not kept. For a sub-agent's, its time counts: its events and those of the session that started
        it come in no common order.
        """
        if self.is_off or self.ignored is not None:
            return True
        if moment_ms is None:
            return self.is_withheld
        return any(
            gap.since_ms <= moment_ms and (gap.until_ms is None or moment_ms < gap.until_ms)
            for gap in self.of_parents
        )


class Withholding:
    """See the module."""

    def __init__(self, ledger: Ledger, is_ignored: IsIgnored, now_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self.is_ignored = is_ignored
        self._now_ms = now_ms
        #: What began in this transaction, for the user.
        self.begun: list[Begun] = []

    def screen(self, group: Group) -> bool:
        """Reduces a group to what is kept, before it is appended. False if nothing is to be appended: the group has its receipt
        then. Raises JournalUnavailable.
        """
        self._ledger.begin()
        has_gaps = self._ledger.has_gaps()
        record = self._ledger.session(group.key) if has_gaps or group.cwd is None else None
        cwd = group.cwd or (None if record is None else record.cwd)
        ignored = self.is_ignored(cwd)
        if not (has_gaps or ignored or group.special or group.switch):
            return True
        record = record or self._ledger.session(group.key)
        state = _State(record, self._ledger.gaps(group.key), ignored)
        if cwd is None and state.was_ignored:
            state.ignored = ""  # where it works now is not known
        self._look_at_parents(group, state)
        self._inherit_moved(group, state)
        if not (state.is_withheld or state.of_parents or state.was_ignored or group.special or group.switch):
            self._keep_title(group, state)
            return True
        kept, withheld = self._divide(group, state)
        new = self._ledger.withhold(
            group.key, [group.ids[index] for index in withheld], everywhere=group.has_global_ids
        )
        group.not_kept = state.reason
        return self._apply(group, state, kept, [withheld[index] for index in new])

    # --- What is in force -------------------------------------------------------------------------------

    def reason(self, key: SessionKey) -> GapReason | None:
        """Why nothing of a session is kept now; None if it is. A sub-agent's reason can be its parent's."""
        if not self._ledger.has_gaps():
            return None
        for one in (key, *self._ancestors(key, self._ledger.session(key), None)):
            found = self._lasting(one, self._ledger.gaps(one))
            if found is not None:
                return found
        return None

    def _lasting(self, key: SessionKey, found: Sequence[Gap]) -> GapReason | None:
        """The reason of a gap of the session that lasts; None without one."""
        lasting = [
            gap.reason
            for gap in found
            if gap.until_ms is None and not (gap.reason == "ignored" and self._is_over(key))
        ]
        return next(iter(lasting), None)

    def _is_over(self, key: SessionKey) -> bool:
        """Whether the file is gone because of which a session was not kept: the gap ends with its next event."""
        record = self._ledger.session(key)
        return record is not None and record.cwd is not None and self.is_ignored(record.cwd) is None

    def _look_at_parents(self, group: Group, state: _State) -> None:
        assert group.meta is not None
        for ancestor in self._ancestors(group.key, state.record, group.meta.parent_id):
            found = self._ledger.gaps(ancestor)
            state.has_gap = state.has_gap or bool(found)
            state.of_parents += [
                gap
                for gap in found
                if gap.reason == "off" or (gap.until_ms is None and not self._is_over(ancestor))
            ]

    def _ancestors(
        self, key: SessionKey, record: SessionRecord | None, parent_id: str | None
    ) -> Iterator[SessionKey]:
        seen = {key}
        while len(seen) <= limits.GENERATIONS_MAX:
            parent_id = parent_id or (None if record is None else record.parent_id)
            above = None if parent_id is None else SessionKey(key.provider, parent_id)
            if above is None or above in seen:
                return
            yield above
            seen.add(above)
            record, parent_id = self._ledger.session(above), None

    def _inherit_moved(self, group: Group, state: _State) -> None:
        if group.continues is not None and not state.has_gap:
            self._inherit(group.key, group.continues, self._now_ms(), state)

    def _inherit(self, key: SessionKey, origin: SessionKey, at_ms: int, state: _State) -> None:
        """A session begins as the one that it comes from stood at that moment."""
        own = self._ledger.gaps(key)
        for gap in self._ledger.gaps(origin):
            if origin == key or gap.reason != "off" or gap.since_ms > at_ms:
                continue
            is_over = gap.until_ms is not None and gap.until_ms <= at_ms
            inherited = gap if is_over else replace(gap, until_ms=None)
            if inherited not in own:
                self._ledger.put_gap(key, inherited)
                state.has_gap = True
                state.is_off = state.is_off or not is_over

    # --- What is kept -----------------------------------------------------------------------------------

    def _divide(self, group: Group, state: _State) -> tuple[_Kept, list[int]]:
        """The events that are kept, and the indices of those that are not."""
        kept = _Kept()
        withheld: list[int] = []
        self._switch(group, state, kept)
        self._begin_ignoring(group, state)
        lines = list(Lines.joined(group.lines)) if group.lines else []
        has_moments = len(group.moments) == len(group.ids)
        for index, event_id in enumerate(group.ids):
            special = group.special.get(index)
            if special is not None and not self._ledger.knows(group.key, event_id):
                if isinstance(special, ProviderInfo):
                    origin = SessionKey(group.key.provider, str(special.source.provider_event_id))
                    self._inherit(group.key, origin, epoch_ms(special.timestamp), state)
                else:
                    is_cut = self._cut(group, special, index, state, kept)
                    if is_cut:
                        continue
            if state.withholds(group.moments[index] if has_moments else None):
                withheld.append(index)
                group.withheld_pictures |= names_in(lines[index])
                continue
            self._end_ignoring(group, index, state, kept)
            kept.add(event_id, lines[index], index)
        return kept, withheld

    def _cut(self, group: Group, message: UserMessage, index: int, state: _State, kept: _Kept) -> bool:
        """Takes a message with `::off` or `::on`; False if it is kept as a whole, or not at all."""
        key = group.key
        switches = gaps.switches_of(message)
        found = gaps.cut(message.content, switches, is_off=state.is_off)
        moment = epoch_ms(message.timestamp)
        for _, switch in switches:
            self._put_switch(key, switch, moment, state)
        is_blocked = state.ignored is not None or any(gap.until_ms is None for gap in state.of_parents)
        if is_blocked or not found.parts or found.is_whole:
            return False
        self._end_ignoring(group, index, state, kept)
        group.withheld_pictures |= names_in(message.content.encode(errors="replace"))
        for event in gaps.kept_events(message, found):
            kept.add_event(event, index)
        return True

    def _put_switch(self, key: SessionKey, switch: gaps.Switch, moment_ms: int, state: _State) -> bool:
        """Begins or ends a gap; False if nothing changes."""
        if (switch == "off") == state.is_off:
            return False
        if switch == "off":
            self._ledger.put_gap(key, Gap("off", moment_ms))
        else:
            self._ledger.end_gap(key, "off", moment_ms)
        state.is_off = switch == "off"
        state.has_gap = True
        return True

    def _switch(self, group: Group, state: _State, kept: _Kept) -> None:
        """A command that was not typed in the conversation takes effect before the group's events."""
        if group.switch is None:
            return
        now = self._now_ms()
        group.has_switched = self._put_switch(group.key, group.switch, now, state)
        if group.has_switched and not state.is_withheld and state.record is not None:
            kept.add_event(self._note(group.key, f"off:{now}:{gaps.GAP}", "off"), 0)

    def _begin_ignoring(self, group: Group, state: _State) -> None:
        if state.ignored and not state.was_ignored:
            self._ledger.put_gap(group.key, Gap("ignored", self._now_ms()))
            self.begun.append(Begun(group.key, state.ignored))
            state.has_gap = True

    def _end_ignoring(self, group: Group, index: int, state: _State, kept: _Kept) -> None:
        """The first new event after the file was removed ends the gap."""
        if not state.was_ignored or self._ledger.knows(group.key, group.ids[index]):
            return
        state.was_ignored = False
        self._ledger.end_gap(group.key, "ignored", self._now_ms())
        if state.record is not None and state.record.event_count:
            note = self._note(group.key, f"{group.ids[index]}:{gaps.GAP}", "ignored")
            kept.add_event(note, index)

    def _note(self, key: SessionKey, event_id: str, reason: GapReason) -> ProviderInfo:
        at = ProviderInfo(
            event_id=event_id,
            provider=key.provider,
            session_id=key.session_id,
            timestamp=utc(self._now_ms()),
            source=Source("kato"),
            content="",
        )
        return gaps.gap_note(at, event_id, reason)

    # --- The group --------------------------------------------------------------------------------------

    def _keep_title(self, group: Group, state: _State) -> None:
        """An assistant makes titles of what was said: one that comes after a gap may contain what is not kept."""
        assert group.meta is not None
        if state.has_gap:
            group.meta = replace(group.meta, title=None)

    def _apply(self, group: Group, state: _State, kept: _Kept, new: list[int]) -> bool:
        assert group.meta is not None
        self._keep_title(group, state)
        if group.snippet_index is not None and group.snippet_index not in kept.origins:
            group.meta = replace(group.meta, snippet=None)
        cut_first = kept.messages.get(group.snippet_index, ()) if group.snippet_index is not None else ()
        if cut_first:
            words = paths.title_from_text(cut_first[0][1].content, grammar.is_command_line)
            group.meta = replace(group.meta, snippet=words)
        group.withheld = new
        if not kept.ids and (state.is_withheld or group.ids):
            count = 0 if state.record is None else state.record.event_count
            group.ids, group.lines = [], []
            group.origins = []
            group.receipt = AppendReceipt((), count, count)
            return False
        group.ids, group.origins = kept.ids, kept.origins
        group.lines = [Lines.of(kept.lines)]
        group.cut_messages = kept.messages
        return True


def refusal_of(reason: GapReason) -> str:
    """Why a command does not run on a conversation that is not kept."""
    if reason == "off":
        return "Kato keeps nothing of this conversation since ::off; ::on resumes"
    return "Kato keeps nothing of this conversation: a .katoignore file lies in its folder or above; remove the file first"
