"""Sessions of agents that `kato acp` sees, in the running Kato.

Rules:

- Each session has one source. Where Kato reads the agent's own log of it, nothing is stored from here.
- What the client sent as a prompt is what the user typed: its commands run here, once. A log that repeats the prompt later runs
  none of them.
- History that the agent repeats runs no command, and what is stored of it is not stored again. No repeated
  history is stored for a session of which a part must not be kept (`::off`).
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import UNSET

from kato.app.asked import Events, Find
from kato.app.copies import Copies
from kato.assistants import registry
from kato.core import limits
from kato.core.errors import CommandRefused
from kato.core.events import ConversationEvent, SessionKey, UserMessage, decode_line, encode_line
from kato.core.lines import Lines
from kato.core.outcomes import CommandOutcome
from kato.core.text import printable
from kato.engine import AppendRequest, Engine
from kato.logs.typed import TypedPrompts

_LOADS_MAX: Final = 8


class AgentSessions:
    """See the module. `reads_logs_of` says whether Kato reads an assistant's logs, `sentence` what became of a command, for the
    user; `turn` ends a turn of the process.
    """

    def __init__(
        self,
        engine: Engine,
        typed: TypedPrompts,
        *,
        reads_logs_of: Callable[[str], bool],
        turn: Callable[[], None],
        sentence: Callable[[CommandOutcome, str | None], str],
    ) -> None:
        self._engine = engine
        self._typed = typed
        self._reads_logs_of = reads_logs_of
        self._turn = turn
        self._sentence = sentence
        self._loads: dict[str, Copies] = {}

    def find(self, asked: Find) -> dict[str, Any]:
        """The provider under which the session is stored, assistants with logs first; nothing where it is not stored."""
        readers = [one.name for one in registry.assistants() if self._reads_logs_of(one.name)]
        for name in (*readers, asked.provider):
            if self._engine.ledger.session(SessionKey(name, asked.session_id)) is not None:
                return {"provider": name}
        return {}

    def store(self, asked: Events) -> dict[str, Any]:
        """Stores events and runs the commands in them. Raises KatoError."""
        if self._reads_logs_of(asked.provider):
            raise CommandRefused(f"Kato reads the logs of {asked.provider}: it takes no events of it here")
        if any((one.provider, one.session_id) != asked.key for one in asked.events):
            raise CommandRefused("an event belongs to another session than the request")
        events = asked.events if asked.load is None else self._new_of(asked, asked.load)
        lines = Lines.of(encode_line(one) for one in events)
        ticket = self._engine.append(
            AppendRequest(
                asked.key, events, lines, title=asked.title, cwd=asked.cwd, replay=asked.load is not None
            )
        )
        self._turn()
        if ticket.error is not None:
            raise ticket.error
        if asked.load is None:
            self._remember(events)
        answer = ticket.answer
        done: dict[str, Any] = {} if answer is None else {"accepted": answer.accepted}
        if not ticket.outcomes:
            return done
        message = "; ".join(self._sentence(one, asked.cwd) for one in ticket.outcomes)
        failed = any(one.error is not UNSET for one in ticket.outcomes)
        return {**done, "message": printable(message, chars_max=limits.MESSAGE_CHARS_MAX), "failed": failed}

    def _new_of(self, asked: Events, load: str) -> list[ConversationEvent]:
        if self._engine.ledger.gaps(asked.key):
            return []  # what was said after `::off` has another id here, so that it could not be recognised
        copies = self._loads.get(load)
        if copies is None:
            while len(self._loads) >= _LOADS_MAX:
                del self._loads[next(iter(self._loads))]
            copies = self._loads[load] = Copies(self._stored(asked.key))
        return copies.new(asked.events)

    def _stored(self, key: SessionKey) -> list[ConversationEvent]:
        """The newest events of a session."""
        self._engine.commit()
        record = self._engine.ledger.session(key)
        if record is None:
            return []
        after = max(record.event_count - limits.ACP_COMPARED_EVENTS_MAX, 0)
        return [decode_line(line) for _, line in self._engine.ledger.read(key, after=after)]

    def _remember(self, events: list[ConversationEvent]) -> None:
        """The commands of these prompts ran, whichever assistant's log repeats them."""
        for event in events:
            if isinstance(event, UserMessage) and "::" in event.content:
                for one in registry.assistants():
                    key = SessionKey(one.name, event.session_id)
                    self._typed.remember(key, event.content, is_typed=True, is_handled=True)
