"""What every reader of a session log promises, and what the readers share.

Rules, for each reader:

- The same bytes give the same events, however they are cut into pieces.
- Nothing in a log makes a reader raise: a broken line, an unknown kind, an absurd value becomes a `Problem`.
- An event's id is derived from the log's own identities, never from the time of reading: a log that is read again, or a
  line that was copied, gives the same ids, and the journal drops what it has.
- What the user typed becomes a `message.user`, and nothing else does: commands run from there. Each reader states at its
  top what proves that a text was typed. Where the format proves nothing, any sign of a host's text (`proof.host_block`)
  makes the whole message doubtful (`tell_user(..., doubt=...)`): no command in it runs, and the user is notified.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from math import inf
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, Final, Literal, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from kato.assistants.decoding import (
    BLANK,
    Decoded,
    LineSplitter,
    Utf8,
    decode,
    document,
    quotes,
    whole,
    without_long_strings,
)
from kato.core import limits
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Decision,
    DecisionStatus,
    Phase,
    ProviderInfo,
    Source,
    SystemMessage,
    Thinking,
    ToolCall,
    ToolResult,
    UserMessage,
)
from kato.core.lenient_json import decoded_bytes, loads
from kato.core.moments import MOMENT_MAX, MOMENT_MIN, MOMENT_RULE, clamped, utc
from kato.core.text import one_line, visible

ProblemKind = Literal["broken_line", "oversize_line", "unknown_kind", "invalid_record"]
Json = Mapping[str, Any]
#: Keeps a picture: its media type and its bytes in base64; gives the Markdown that stands for it.
SavePicture = Callable[[str, str], str]


class Problem(Struct, frozen=True):
    """Something in a log that could not be read as meant. `detail` names the record's kind or the rule that it
    breaks, never its text; `version` is the assistant's, where the log tells it.
    """

    kind: ProblemKind
    detail: str
    version: str | None = None


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


def text_of(record: Json, key: str) -> str | None:
    """The text under a key; None if there is none, or something else."""
    value = record.get(key)
    return value if isinstance(value, str) else None


def object_of(record: Json, key: str) -> Json:
    """The object under a key; an empty one if there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(record: Json, key: str) -> list[Json]:
    """The objects of the list under a key."""
    value = record.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def moment(value: object) -> datetime | None:
    """A time as logs write it: RFC 3339, or seconds or milliseconds since the epoch, which their size tells apart. A time
    that Kato does not support becomes the nearest one that it does (see `BaseReader._head`).
    """
    if isinstance(value, str):
        try:
            at: datetime = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            return None
        return clamped(at) if at.tzinfo is not None else None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return utc(int(value if value > _SECONDS_MAX else value * 1000))
    return None


#: 2286 in seconds is 1970 in milliseconds: no log lies between.
_SECONDS_MAX: Final = 10_000_000_000


def identifier(*parts: str) -> str:
    """An id of these parts, short enough for an event."""
    joined = ":".join(parts)
    if 0 < len(joined) <= limits.ID_CHARS_MAX:
        return joined
    return hashlib.blake2b(joined.encode(errors="replace"), digest_size=16).hexdigest()


def digest(text: str) -> str:
    """A short mark of a text, where a log gives no identity but the text itself."""
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def as_text(value: object) -> str:
    """What a tool gave back, as text: texts of content blocks one below the other, placeholders for pictures, anything
    else as JSON.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(part for part in map(_block_text, value) if part)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _block_text(block: object) -> str:
    if isinstance(block, dict):
        text = block.get("text")
        if isinstance(text, str):
            return text
        placeholder = picture(block)
        if placeholder is not None:
            return placeholder
    return as_text(block) if not isinstance(block, list) else ""


def picture(block: Json, save: SavePicture | None = None) -> str | None:
    """What stands for an image or document block: a placeholder, unless the picture is kept."""
    kind = block.get("type")
    if kind not in ("image", "document", "input_image", "local_image"):
        return None
    source = object_of(block, "source")
    data = text_of(source, "data") or text_of(block, "image_url") or ""
    media = text_of(source, "media_type") or text_of(block, "mimeType") or _media_of_url(data)
    name = text_of(block, "title") or text_of(block, "path") or text_of(source, "url") or ""
    if save is not None and data and media and kind != "document":
        return save(media, data.rpartition(",")[2])
    encoded = len(data.rpartition(",")[2]) if data else 0
    noun = "document" if kind == "document" else "image"
    return placeholder(noun, media, name, f"{encoded * 3 // 4 // 1000 or 1} kB" if encoded else "")


def placeholder(noun: str, *about: str) -> str:
    """What stands for an attachment among the user's words: one line, whatever its name holds. A name comes from a file
    or a web page: with a line break in it, it could add a line that looks like a command.
    """
    known = ", ".join(part for part in about if part)
    return f"[{noun}: {visible(known)}]" if known else f"[{noun}]"


def _media_of_url(url: str) -> str:
    return url[5:].partition(";")[0] if url.startswith("data:") and ";" in url[:64] else ""


#: Arguments of tools that say in a line what a call is about, the best first.
_TELLING: Final = (
    "description",
    "command",
    "cmd",
    "file_path",
    "filePath",
    "absolute_path",
    "notebook_path",
    "path",
    "dir_path",
    "pattern",
    "query",
    "url",
    "skill",
    "subject",
    "prompt",
)
_DESCRIPTION_CHARS_MAX: Final = 120


def describe(given: Json) -> str | UnsetType:
    """A tool call's arguments in one line."""
    for key in _TELLING:
        value = given.get(key)
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            value = " ".join(value)
        if isinstance(value, str) and value.strip():
            return one_line(value, _DESCRIPTION_CHARS_MAX)
    return UNSET


_V = TypeVar("_V")


def remember(where: dict[str, _V], key: str, value: _V, count_max: int) -> None:
    """Keeps a value as the newest; of more than so many, the oldest are forgotten."""
    where.pop(key, None)
    where[key] = value
    while len(where) > count_max:
        del where[next(iter(where))]


# --- What readers share ------------------------------------------------------------------------------


#: The time of an event that waits for the first time in its log.
_NO_TIME: Final = utc(0)
#: Why the words of a record that was found inside a damaged one run nothing.
_DAMAGED: Final = "it stands in a damaged line of the assistant's log"


#: Why a line, or its long strings, are not read.
_NO_ROOM: Final = "more than the memory that daemonMaxMemoryMb leaves"


class BaseReader(ABC):
    """Collects events and problems; a subclass says what a record means."""

    provider: ClassVar[str]

    def __init__(self, log: LogFile) -> None:
        self.log = log
        self.session_id = log.session_id
        self.title: str | None = None
        self.cwd: str | None = None
        self.version: str | None = None
        self.parent_id = log.parent_id
        self.parent_tool_call_id: str | None = None
        self.started: dict[str, str] = {}
        self.copied: set[str] = set()
        self.is_copy = False  # what is read now was copied
        self.save_picture: SavePicture | None = None
        self.continued_in: str | None = None
        self.is_final = False
        self._folders: dict[str, None] = {}
        self.has_room: Callable[[int], bool] = lambda _: True
        self._events: list[ConversationEvent] = []
        self._problems: list[Problem] = []
        self._first: datetime | None = None  # the first time in the log
        self._last: datetime | None = None
        self._undated = 0  # events that wait for the first time
        self._is_recovered = False  # what is read now may be a part of a damaged record

    @property
    def info(self) -> SessionInfo:
        """What is known of the session by now."""
        title = None if self.title is None else one_line(self.title, limits.TITLE_CHARS_MAX * 2)
        return SessionInfo(
            session_id=self.session_id,
            title=title or None,
            cwd=self.cwd,
            version=self.version,
            parent_id=self.parent_id,
            parent_tool_call_id=self.parent_tool_call_id,
        )

    def about(self, session_id: str) -> SessionInfo:
        """What is known of a session that this log tells of: its own, or a sub-agent's."""
        if session_id == self.session_id:
            return self.info
        return SessionInfo(
            session_id=session_id,
            cwd=self.cwd,
            version=self.version,
            parent_id=self.session_id,
            parent_tool_call_id=self.started.get(session_id),
        )

    @property
    def folders(self) -> Sequence[str]:
        """The folders that the session worked in, the first one first."""
        return list(self._folders) or ([] if self.cwd is None else [self.cwd])

    def _taken(self, *, is_quiet: bool = False) -> ReadResult:
        """What was gathered. Events from before the log's first time wait for it, unless the log is quiet."""
        problems, self._problems = self._problems, []
        if self._undated and self._last is None and not is_quiet:
            return ReadResult([], problems)
        events, self._events = self._events, []
        if self._undated:
            first = self._first or self._last or _NO_TIME
            events = [
                replace(event, timestamp=first) if event.timestamp is _NO_TIME else event for event in events
            ]
            self._undated = 0
        return ReadResult(events, problems)

    def _forget(self) -> None:
        """The log is read from its beginning."""
        self._events = []
        self._first = self._last = None
        self._undated = 0

    def picture(self, block: Json) -> str | None:
        """What stands for an image block."""
        return picture(block, self.save_picture)

    def report(self, kind: ProblemKind, detail: str) -> None:
        """Counts something that could not be read as meant."""
        self._problems.append(Problem(kind, detail[:120], self.version))

    def _fits(self, text: bytes) -> bool:
        """Whether there is room to read this and to keep its events."""
        if len(text) < limits.LARGE_BYTES:
            return True
        return self.has_room(decoded_bytes(text) + limits.LOG_LARGE_COST * len(text))

    def guarded(self, take: Callable[[Json], None], record: Json) -> None:
        """Takes one record; a value that the reader did not reckon with costs this record, not the log."""
        try:
            take(record)
        except Exception as error:  # noqa: BLE001 - around one record; counted, and kept visible as a problem
            self.report("invalid_record", f"{record.get('type', 'record')}: {type(error).__name__}")

    # Events. `kind` and `origin` are the source's record type and id.

    def _head(self, event_id: str, at: datetime | None, kind: str, origin: str | None) -> dict[str, Any]:
        if at is not None and not MOMENT_MIN < at < MOMENT_MAX:
            self.report("invalid_record", f"a time beyond the calendar; expected {MOMENT_RULE}")
            at = None
        if at is not None:
            self._first = self._first or at
            self._last = at
        elif self._last is None:
            self._undated += 1
            if self._undated > limits.LOG_UNDATED_EVENTS_MAX:
                self._last = _NO_TIME  # a log without times
        return {
            "event_id": identifier(event_id),
            "provider": self.provider,
            "session_id": self.session_id,
            "timestamp": at or self._last or _NO_TIME,
            "source": Source(
                provider_event_type=kind or "unknown", provider_event_id=UNSET if origin is None else origin
            ),
        }

    def tell_user(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        origin: str | None = None,
        *,
        doubt: str | None = None,
    ) -> None:
        """What the user said; in a sub-agent's log, the task that the assistant gave it. `doubt` is why the
        text is not proven to be typed, a clause in words for the user ("it holds …"): no command in it runs, and the user
        is notified of each that would have.
        """
        if self.parent_id is not None:
            self.tell_assistant(event_id, at, kind, content, origin)
            return
        may_hold_command = "::" in content
        why = _DAMAGED if self._is_recovered else doubt
        message = UserMessage(
            **self._head(event_id, at, kind, origin),
            role="user",
            content=content,
            doubt=why if why and may_hold_command else UNSET,
        )
        if self.is_copy and may_hold_command:
            self.copied.add(message.event_id)
        self._events.append(message)

    def tell_assistant(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        origin: str | None = None,
        *,
        model: str | None = None,
        phase: Phase | None = None,
    ) -> None:
        """What the assistant said."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(
            AssistantMessage(
                **head,
                role="assistant",
                content=content,
                model=model or UNSET,
                phase=UNSET if phase is None else phase,
            )
        )

    def tell_system(
        self, event_id: str, at: datetime | None, kind: str, content: str, origin: str | None = None
    ) -> None:
        """What the host said to either of them."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(SystemMessage(**head, role="system", content=content))

    def tell_thinking(
        self, event_id: str, at: datetime | None, kind: str, content: str, origin: str | None = None
    ) -> None:
        """The assistant's reasoning, unless there is nothing to read."""
        if content.strip():
            self._events.append(Thinking(**self._head(event_id, at, kind, origin), content=content))

    def tell_call(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        call_id: str,
        name: str,
        given: object,
        *,
        about: str | None = None,
        origin: str | None = None,
    ) -> None:
        """A tool call; `about` says in a line what it is for, else its arguments do."""
        arguments = given if isinstance(given, dict) else {} if given is None else {"input": given}
        self._events.append(
            ToolCall(
                **self._head(event_id, at, kind, origin),
                tool_call_id=identifier(call_id),
                name=name or "unknown",
                description=one_line(about, _DESCRIPTION_CHARS_MAX) if about else describe(arguments),
                input=arguments or UNSET,
            )
        )
        self._called(arguments)

    def _called(self, arguments: Json) -> None:  # noqa: B027 - most readers have no use for it
        """A call with these arguments was told."""

    def tell_result(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        call_id: str,
        result: str,
        origin: str | None = None,
    ) -> None:
        """What a tool gave back."""
        head = self._head(event_id, at, kind, origin)
        self._events.append(ToolResult(**head, tool_call_id=identifier(call_id), result=result))

    def tell_question(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        question: str,
        *,
        call_id: str,
        header: str | None = None,
        options: Sequence[object] = (),
        answer: object = None,
        notes: str = "",
        status: DecisionStatus = "accepted",
    ) -> None:
        """A question with its options and the answer that was chosen, as a decision; `notes` are the user's words on it."""
        metadata: dict[str, Any] = {"question": question}
        if header:
            metadata["header"] = header
        if options:
            metadata["options"] = list(options)
        if answer:
            metadata["answer"] = answer
        if notes:
            metadata["notes"] = notes
        given = ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer or "")
        chosen = given or notes or "no answer"
        self._events.append(
            Decision(
                **self._head(event_id, at, kind, call_id),
                decision_id=identifier(event_id),
                decision_key=one_line(header or question, 60) or "question",
                summary=one_line(chosen, 200),
                status=status,
                decided_by="user",
                basis_event_ids=[],
                metadata=metadata,
            )
        )

    def tell_plan(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        plan: str,
        *,
        call_id: str,
        status: DecisionStatus,
        feedback: str = "",
    ) -> None:
        """A plan of the assistant and what the user decided on it, with the user's words, if there were any."""
        metadata = {"plan": plan} | ({"feedback": feedback} if feedback else {})
        first = next((line.strip("# \t") for line in plan.split("\n", 8) if line.strip("# \t")), "")
        self._events.append(
            Decision(
                **self._head(event_id, at, kind, call_id),
                decision_id=identifier(event_id),
                decision_key="plan",
                summary=one_line(first, 200) or "plan",
                status=status,
                decided_by="user",
                basis_event_ids=[],
                metadata=metadata,
            )
        )

    def tell_note(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        content: str,
        *,
        subtype: str | None = None,
        level: str | None = None,
        origin: str | None = None,
    ) -> None:
        """Anything else worth keeping."""
        self._events.append(
            ProviderInfo(
                **self._head(event_id, at, kind, origin),
                content=content,
                subtype=UNSET if subtype is None else subtype,
                level=UNSET if level is None else level,
            )
        )

    def tell_unknown(self, name: str, record: Json, event_id: str | None, at: datetime | None) -> None:
        """A kind that this reader does not know: kept as it is, within bounds, and counted."""
        self.report("unknown_kind", name)
        kept = msgspec.json.encode(record)
        text = kept[: limits.LOG_UNKNOWN_BYTES_MAX].decode(errors="ignore")
        self.tell_note(
            event_id or f"{name}:{hashlib.blake2b(kept, digest_size=8).hexdigest()}",
            at,
            name,
            text,
            subtype="unknown",
        )


class LinesReader(BaseReader):
    """A log of JSON objects, one a line; a damaged line gives what can be read of it (see `decoding`)."""

    #: The keys that every record of a conversation has: what is found inside a damaged record is one if it has them.
    record_keys: ClassVar[frozenset[str]] = frozenset(["type", "timestamp"])

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._begin()

    def _begin(self) -> None:
        self._utf8 = Utf8()
        self._lines = LineSplitter()
        self._open: list[bytes] = []  # the lines of a record that ended inside a string
        self._open_bytes = 0
        self._tries = 0

    def feed(self, data: bytes) -> ReadResult:
        """Takes the log's next bytes; the rest of an unfinished line is kept until more comes."""
        for line, is_shortened in self._lines.feed(self._utf8.feed(data)):
            if is_shortened:
                self.report("oversize_line", f"over {limits.LOG_LINE_BYTES_MAX // limits.MIB} MiB")
            if line is not None and not self._fits(line):
                self.report("oversize_line", _NO_ROOM)
                line, is_shortened = without_long_strings(line), True  # noqa: PLW2901 - what is left of it
                if not self._fits(line):
                    continue
            if line is not None:
                self._line(line, is_shortened=is_shortened)
        return self._taken()

    def _line(self, line: bytes, *, is_shortened: bool = False) -> None:
        if self._open and self._joins(line):
            return
        try:
            value = loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):  # nearly every line is one whole record
            self.guarded(self._record, value)
            return
        decoded = decode(line, self.record_keys)
        if is_shortened:
            decoded = decoded._replace(damage=None)  # it is counted already
        elif decoded.is_open and not decoded.found:
            self._open, self._open_bytes, self._tries = [line], len(line), 0
            return
        self._take(decoded)

    def _joins(self, line: bytes) -> bool:
        """Whether a line goes on with the record that the line before left open: some programs write the line breaks of a
        string as they are.
        """
        if line.lstrip(BLANK).startswith(b"{") and any(one.value for one in whole(line) or ()):
            self._give_up()
            return False
        self._open.append(line)
        self._open_bytes += len(line)
        if quotes(line) % 2:  # the string ended
            self._tries += 1
            text = b"\n".join(self._open)
            if not self._fits(text):
                self.report("oversize_line", _NO_ROOM)
                self._open = []
                return True
            joined = decode(text)
            if joined.damage is None:
                self._open = []
                self._take(joined)
            elif not joined.is_open:
                self._give_up()
        if (
            len(self._open) > limits.LOG_JOINED_LINES_MAX
            or self._open_bytes > limits.LOG_LINE_BYTES_MAX
            or self._tries > limits.LOG_LINE_TRIES_MAX
        ):
            self._give_up()
        return True

    def _give_up(self) -> None:
        """The lines that waited for the end of a string are lines by themselves."""
        lines, self._open = self._open, []
        for line in lines:
            self._take(decode(line, self.record_keys))

    def _take(self, decoded: Decoded) -> None:
        if decoded.damage is not None:
            self.report("broken_line", decoded.damage)
        for value, is_doubtful in decoded.found:
            if not isinstance(value, dict):
                self.report("invalid_record", "not an object")
                continue
            self._is_recovered = is_doubtful
            self.guarded(self._record, value)
            if is_doubtful:
                self._hand_out()  # a later record, which is whole, must not emit what this one left
                self._is_recovered = False

    def _hand_out(self) -> None:
        self.guarded(lambda _: self._quiet(), {"type": "what was held back"})

    def settle(self) -> ReadResult:
        """The log has been quiet for a while: hands out what was held back because more might have come. A last line that
        is whole needs no line break.
        """
        rest = self._lines.rest
        if rest.rstrip(BLANK).endswith(b"}"):
            for lines in ([*self._open, rest], [rest]):
                if whole(b"\n".join(lines)):
                    self._lines.drop_rest()
                    self._open = [] if len(lines) > 1 else self._open
                    self._line(b"\n".join(lines))
                    break
        if not self._lines.rest:
            self._give_up()
        self._hand_out()
        return self._taken(is_quiet=True)

    def restart(self) -> None:
        """The log was replaced or truncated: the next bytes are its first."""
        self._begin()
        self._forget()
        self._again()

    @abstractmethod
    def _record(self, record: Json) -> None:
        """Takes one record."""

    def _quiet(self) -> None:
        """Hands out what was held back; most readers hold nothing back."""

    @abstractmethod
    def _again(self) -> None:
        """Forgets what was gathered from the records before."""


class DocumentReader(BaseReader):
    """A log that is one JSON document, replaced as a whole."""

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._text = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> ReadResult:
        """Takes the document's next bytes; it is read when it is whole (`settle`)."""
        if not self._too_long:
            self._text += data
            if len(self._text) > limits.LOG_DOCUMENT_BYTES_MAX:
                self._too_long = True
                self._text = bytearray()
                self.report("oversize_line", f"over {limits.LOG_DOCUMENT_BYTES_MAX // limits.MIB} MiB")
        return self._taken()

    def settle(self) -> ReadResult:
        """Reads the document, if it is whole: one that is being written is waited for."""
        text, self._text = bytes(self._text), bytearray()
        if not self._fits(text):
            self.report("oversize_line", _NO_ROOM)
        elif text.strip(BLANK):
            try:
                found = document(text)
            except ValueError as error:
                self.report("broken_line", str(error))
            else:
                self.guarded(self._document, found if isinstance(found, dict) else {"document": found})
        return self._taken(is_quiet=True)

    def restart(self) -> None:
        """The document was replaced: the next bytes are its first."""
        self._text = bytearray()
        self._too_long = False
        self._forget()

    @abstractmethod
    def _document(self, document: Json) -> None:
        """Takes the whole document."""
