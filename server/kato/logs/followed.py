"""What Kato remembers of one followed log: always its state, and its reader while the log is open."""

from msgspec import Struct

from kato.assistants.dedupe import SecondStore
from kato.core.events import ConversationEvent, SessionKey
from kato.logs.discovery import Found
from kato.logs.livetimes import Mark
from kato.logs.state import LogSignal, LogState, next_state
from kato.logs.tail import Tail


class KnownLog(Struct):
    """A log by its path. `seen` is its size (bytes) and its time of change (nanoseconds) when it was last read, or first
    listed without being read; None means that Kato has to read it. `left_at` is when the log was last OUTSIDE.
    """

    state: LogState = LogState.FOUND
    seen: tuple[int, int] | None = None
    left_at: Mark | None = None

    def take(self, signal: LogSignal) -> None:
        """Changes the state. Raises InvalidTransition."""
        self.state = next_state(self.state, signal)


class OpenLog(Struct):
    """A log with its reader. What the user typed since `since` is live, and up to `grace_ms` before it. The first `old_bytes`
    were there when the log was first listed without being read; `old_ids` are the ids of the pending events in them.
    """

    known: KnownLog
    tail: Tail
    found: Found
    old_bytes: int
    since: Mark
    changed_at: float  # by the monotonic clock, in seconds
    old_ids: set[str] = set()
    grace_ms: int = 0
    pending: list[ConversationEvent] = []  # not handed to the engine yet
    is_source: bool = False  # it has events, and its session is read from it
    #: Ids and texts of the assistant's last messages, where the journal knew the session when the log was opened.
    last_replies: dict[str, str] = {}
    second_store: SecondStore | None = None  # another store had events of this session before
    #: Session id -> its title, folder and parents as the engine last got them.
    described: dict[str, tuple[object, ...]] = {}
    moved_to: str | None = None  # the session that the engine knows to continue the conversation of this one
    in_scope: dict[str, bool] = {}  # folders of the session, and whether they lie in an open one

    @property
    def state(self) -> LogState:
        """The log's state."""
        return self.known.state

    @property
    def key(self) -> SessionKey:
        """The log's own session."""
        return SessionKey(self.found.assistant.name, self.tail.reader.info.session_id)

    def key_of(self, session_id: str) -> SessionKey:
        """A session of the log's assistant."""
        return SessionKey(self.found.assistant.name, session_id)
