"""What every reader of a session log promises, and what the readers share.

Rules, for each reader:

- The same bytes give the same events, however they are cut into pieces.
- Nothing in a log makes a reader raise: a broken line, an unknown kind, an absurd value becomes a `Problem`.
- An event's id is derived from the log's own identities, never from the time of reading: a log that is read again, or a
  line that was copied, gives the same ids, and the journal drops what it has.
- What the user typed becomes a `message.user`, and nothing else does: commands run from there. Each reader states at its
  top what proves that a text was typed. Where the format proves nothing, any sign of a host's text (`proof.host_block`)
  makes the whole message doubtful (`emit_user(..., doubt=...)`): no command in it runs, and the user is notified.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal, Protocol

from msgspec import Struct

from kato.core.events import (
    ConversationEvent,
)

ProblemKind = Literal["broken_line", "oversize_line", "unknown_kind", "invalid_record"]
Json = Mapping[str, Any]
#: Keeps a picture: its media type and its bytes in base64; gives the Markdown that stands for it.
SavePicture = Callable[[str, str], str]


class Problem(Struct, frozen=True, eq=False):
    """Something in a log that could not be read as meant. `detail` names the record's kind or the rule that it
    breaks, never its text; `version` is the assistant's, where the log names it; `example` is the id of the record, where
    it has one. Two problems that differ in their examples only are equal, so that they are counted together.
    """

    kind: ProblemKind
    detail: str
    version: str | None = None
    example: str | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str, str | None]:
        return self.kind, self.detail, self.version


class SessionInfo(Struct, frozen=True):
    """What a log says about its session so far. `parent_id` is the session that started it as a sub-agent, with the
    tool call that did, where the log tells.
    """

    session_id: str
    title: str | None = None
    cwd: str | None = None
    version: str | None = None
    parent_id: str | None = None
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

    #: Where pictures go; None leaves placeholders.
    save_picture: SavePicture | None

    #: Whether there is room for so many bytes: asked before a large line or document is read.
    has_room: Callable[[int], bool]

    @property
    def started(self) -> Mapping[str, str]:
        """The sub-agents' sessions that this one is known to have started, with the tool calls that did."""
        ...

    @property
    def copied(self) -> Container[str]:
        """The ids of events that were copied out of the session that this one was forked from: whatever their times say,
        they run nothing. Only those of messages that may hold commands are there.
        """
        ...

    @property
    def folders(self) -> Sequence[str]:
        """The folders that the session worked in, as far as the log names them, the first one first."""
        ...

    #: Set before `settle` where nothing more will come: what waits for its end is emitted as it is.
    is_final: bool

    #: The session in which the conversation of this log goes on, once the assistant moved it there.
    continued_in: str | None

    def about(self, session_id: str) -> SessionInfo:
        """What is known of a session that this log tells of: its own, or a sub-agent's."""
        ...

    def feed(self, data: bytes) -> ReadResult:
        """Takes the log's next bytes; the rest of an unfinished line is kept until more comes."""
        ...

    def settle(self) -> ReadResult:
        """The log has been quiet for a while: hands out what was held back because more might have come."""
        ...

    def take_companions(self, companions: Mapping[str, bytes]) -> None:
        """The files next to the log changed: their content, by their last names."""
        ...

    def restart(self) -> None:
        """The log was replaced or truncated: the next bytes are its first."""
        ...


class LogFile(Struct, frozen=True):
    """What a path tells about a log. `rewritten`: the assistant replaces the file as a whole, so it is read as a whole
    each time. `variant` names the store, where the assistant has several. `project` is the folder of a project, where it
    says more than the log. `is_held`: the reader holds the log's whole content. `companions` are files that are read with
    it, as paths relative to the root. `is_later_part`: logs of the same session that were begun earlier come before it.
    """

    session_id: str
    parent_id: str | None = None
    rewritten: bool = False
    variant: str = ""
    project: str = ""
    is_held: bool = False
    companions: tuple[str, ...] = ()
    is_later_part: bool = False


class Surroundings(Struct, frozen=True):
    """Where assistants may keep their logs: the environment, the home folder, `sys.platform`, and the folders that
    are open in the editor.
    """

    environment: Mapping[str, str]
    home: str
    platform: str
    folders: tuple[str, ...] = ()

    def path(self, *parts: str) -> str:
        """A path below the first part."""
        return str(self.pure(*parts))

    def pure(self, *parts: str) -> PurePath:
        """A path of this platform."""
        return (PureWindowsPath if self.platform == "win32" else PurePosixPath)(*parts)

    def variable(self, name: str, *otherwise: str) -> str:
        """The folder that an environment variable names, else a path below the home folder."""
        value = self.environment.get(name, "").strip()
        if value.startswith("~"):
            value = self.path(self.home, value[1:].lstrip("/\\"))
        return value or self.path(self.home, *otherwise)


class Assistant(Struct, frozen=True):
    """An assistant: its name on the wire, its name for people, and where its logs lie.

    `match` says what a file below a root is (its path in parts, relative to the root), None for no log; `enter` says
    whether a folder can hold logs. `reader` makes a reader, given what the companions hold (by their last name; as UTF-8
    without a byte order mark).
    `stores` names the variants that tell one session each in its own way, the best first. `has_global_ids`: an event has
    its id in whatever session it stands. `title_marks`: a line of a log that names the session holds one of these.
    """

    name: str
    title: str
    roots: Callable[[Surroundings], list[str]]
    match: Callable[[Sequence[str]], LogFile | None]
    enter: Callable[[Sequence[str]], bool]
    reader: Callable[[LogFile, Mapping[str, bytes], Surroundings], Reader]
    stores: tuple[str, ...] = ()
    has_global_ids: bool = False
    title_marks: tuple[bytes, ...] = ()


# --- Values out of records ---------------------------------------------------------------------------
