"""The contract between Kato and the readers of session logs.

Rules for each reader:

- The same bytes give the same events, however they are cut into pieces.
- A reader never raises because of what a log contains. A broken line, an unknown kind or an absurd value becomes a `Problem`.
- No kind of record disappears: one that the reader does not know is counted (`dispatch.Dispatch`).
- The id of an event is derived from the identities in the log, never from the time of reading. A log that is read again and a
  line that was copied give the same ids, and the journal drops the events that it has.
- What the user typed becomes a `message.user`, and nothing else does, because commands run from there. Each reader states at
  its top what proves that a text was typed. Where the format proves nothing, any sign of a host's text (`proof.host_block`)
  makes the whole message doubtful (`emit_user(..., doubt=...)`): no command in it runs, and the user is notified.

The `emit_*` methods of `builder.BaseReader` build the events. `kato.testing.check_reader` checks a reader against these rules.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from kato.core.actions import ReadArguments
from kato.core.events import ConversationEvent

#: The version of this contract. It rises when an assistant that was written for the one before may no longer work.
CONTRACT_VERSION: Final = 1

ProblemKind = Literal["broken_line", "oversize_line", "unknown_kind", "invalid_record"]
Json = Mapping[str, Any]
#: Saves a picture, given its media type and its bytes in base64; returns the Markdown that refers to it.
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
    """What is known about a session from its log so far. For a sub-agent, `parent_id` is the session that started it and
    `parent_tool_call_id` the tool call that did, if the log names them. `branch` is the git branch that the session worked on
    last. `tokens` counts the input and the output of all replies, without what was read from a cache: None where the log
    does not state both.
    """

    session_id: str
    title: str | None = None
    cwd: str | None = None
    version: str | None = None
    parent_id: str | None = None
    parent_tool_call_id: str | None = None
    branch: str | None = None
    tokens: int | None = None


class ReadResult(Struct, frozen=True):
    """The events and the problems of a piece of a log."""

    events: list[ConversationEvent]
    problems: list[Problem]


class Reader(Protocol):
    """Reads one session log."""

    @property
    def info(self) -> SessionInfo:
        """What is known about the session so far."""
        ...

    #: Saves the pictures in messages; None leaves placeholders.
    save_picture: SavePicture | None

    #: Whether the memory limit leaves this many bytes. Called before a large line or document is decoded.
    has_room: Callable[[int], bool]

    @property
    def started(self) -> Mapping[str, str]:
        """The sessions of sub-agents that this session started, each with the id of the tool call that did."""
        ...

    @property
    def copied(self) -> Container[str]:
        """The ids of messages that were copied from the session that this one was forked from. Commands in them do not run,
        however recent their times are. Contains only messages in which a command can occur.
        """
        ...

    @property
    def folders(self) -> Sequence[str]:
        """The folders that the session worked in, as far as the log names them, in the order of their first use."""
        ...

    #: Set before `settle` when nothing more will come: the reader then emits incomplete parts as they are.
    is_final: bool

    #: The session that continues this conversation, after the assistant moved it there.
    continued_in: str | None

    def about(self, session_id: str) -> SessionInfo:
        """What is known about a session whose events are in this log: the log's own, or a sub-agent's."""
        ...

    def feed(self, data: bytes) -> ReadResult:
        """Reads the log's next bytes. Keeps an incomplete line until the rest comes."""
        ...

    def settle(self) -> ReadResult:
        """Emits what was held back because more could have followed. Called when the log did not change for a while."""
        ...

    def take_companions(self, companions: Mapping[str, bytes]) -> None:
        """The files next to the log changed: their content, by their last names."""
        ...

    def restart(self) -> None:
        """Starts from the beginning: the log was replaced or truncated, and its first bytes come next."""
        ...


class LogFile(Struct, frozen=True):
    """What the path of a log says about it.

    `rewritten`: the assistant replaces the whole file, so Kato reads it from the beginning at each change.
    `variant` names the store, where the assistant has several.
    `project` is the name of the project's folder, if it says more than the log.
    `is_held`: the reader keeps the log's whole content in memory.
    `companions` are files that are read with the log, as paths relative to the root.
    `is_later_part`: logs of the same session that were begun earlier come before this one.
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
    """Where assistants may keep their logs: the environment's variables, the home folder, `sys.platform`, and the folders that
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

    @property
    def applications(self) -> str:
        """The folder in which desktop applications keep the user's data."""
        if self.platform == "win32":
            return self.variable("APPDATA", "AppData", "Roaming")
        if self.platform == "darwin":
            return self.path(self.home, "Library", "Application Support")
        return self.variable("XDG_CONFIG_HOME", ".config")


class Assistant(Struct, frozen=True):
    """An assistant: where its logs are and how they are read.

    `name` identifies it on the wire, in the settings and in the journal; `title` is its name for people.
    `roots` gives the folders in which its logs may be. `match` says what a file below a root is (given its path in parts,
    relative to the root; None if it is not a log), `enter` whether a folder can hold logs.
    `reader` makes the reader of a log; it also gets what the companions hold, by their last names, as UTF-8 without a byte
    order mark.
    `stores` names the variants of an assistant that keeps a session in several stores, the best one first.
    `has_global_ids`: an event has the same id in each session in which it occurs (a fork, for instance).
    `title_marks`: a line of a log that names the session contains one of these.
    `resume` gives the command line that continues a session, to be run in the session's folder, from its log and its id; None
    if there is none, for instance because the session belongs to an editor.
    `contract` is the `CONTRACT_VERSION` that a plugin was written for; the built-in assistants need none.
    `tools` declares what notes show of the calls of its tools, by the tool's name in lower case (`core.tools`): only of those
    that `core.tools.TOOLS` lacks, or reads differently.
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
    contract: int | None = None
    tools: Mapping[str, ReadArguments] = {}
    resume: Callable[[LogFile, str], Sequence[str] | None] = lambda *_: None
