"""What every reader of a session log promises.

Rules, for each reader:

- The same bytes give the same events, however they are cut into pieces.
- Nothing in a log makes a reader raise: a broken line, an unknown kind, an absurd value becomes a `Problem`.
- An event's id is derived from the log's own identities, never from the time of reading, so that a log that is
  read again gives the same ids and the journal drops what it has.
- An event is handed out once, when the log cannot change it any more as far as its format tells.
"""

from typing import Literal, Protocol

from msgspec import Struct

from kato.model import ConversationEvent, SessionKey

ProblemKind = Literal["broken_line", "oversize_line", "unknown_kind", "invalid_record"]


class Problem(Struct, frozen=True):
    """Something in a log that could not be read as meant. `detail` names the record's kind or the rule that it
    breaks, never its text; `version` is the assistant's, where the log tells it.
    """

    kind: ProblemKind
    detail: str
    version: str | None = None
    offset: int | None = None


class SessionInfo(Struct, frozen=True):
    """What a log says about its session so far. `parent` is set for a sub-agent's session, with the tool call of
    the parent that started it where the log tells.
    """

    session_id: str | None = None
    title: str | None = None
    cwd: str | None = None
    version: str | None = None
    parent: SessionKey | None = None
    parent_tool_call_id: str | None = None


class ReadResult(Struct, frozen=True):
    """What a piece of a log meant."""

    events: list[ConversationEvent]
    problems: list[Problem]


class Reader(Protocol):
    """Reads one session log."""

    @property
    def info(self) -> SessionInfo:
        """What is known of the session by now."""
        ...

    def feed(self, data: bytes) -> ReadResult:
        """Takes the log's next bytes; the rest of an unfinished line is kept until more comes."""
        ...

    def settle(self) -> ReadResult:
        """The log has been quiet for a while: hands out what was held back because more might have come."""
        ...

    def restart(self) -> None:
        """The log was replaced or truncated: the next bytes are its first. Events that were handed out before
        are not handed out again.
        """
        ...
