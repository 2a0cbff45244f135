"""Kato's own messages: params as structs, decoded from JSON; results as structs, written by `lenient_json.dumps`.

Rule: a message is validated as a whole before any of it is used, and an error names the JSON path of what is wrong.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from kato.core import limits
from kato.core.commands import EDITOR_COMMANDS, CommandName, ExportFormat
from kato.core.errors import InvalidParams, brief
from kato.core.events import ConversationEvent, Id, SessionKey, Timestamp
from kato.core.lenient_json import dumps
from kato.core.lines import Lines
from kato.core.moments import MOMENT_RULE, is_supported
from kato.core.outcomes import OutcomeError
from kato.core.queries import SearchScope
from kato.engine import AppendRequest, Page

_T = TypeVar("_T")

#: The commands of `workspace/executeCommand`, by their names on the wire.
COMMANDS: Final[Mapping[str, CommandName]] = EDITOR_COMMANDS


class AppendParams(Struct, frozen=True, rename="camel"):
    """`kato/appendEvents` and `kato/events`."""

    provider: Id
    session_id: Id
    events: list[ConversationEvent]
    title: Annotated[str, Meta(max_length=4096)] | UnsetType = UNSET
    cwd: Annotated[str, Meta(max_length=limits.PATH_CHARS_MAX)] | UnsetType = UNSET
    replay: bool = False


class ReadSessionParams(Struct, frozen=True, rename="camel"):
    """`kato/readSession`."""

    provider: Id
    session_id: Id
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=limits.READ_SESSION_LIMIT_MAX)] = limits.READ_SESSION_LIMIT_DEFAULT


class StatusParams(Struct, frozen=True, rename="camel"):
    """`kato/status`."""

    include_stale: bool = False
    limit: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class SessionParams(Struct, frozen=True, rename="camel"):
    """A session."""

    provider: Id
    session_id: Id


class RenderParams(Struct, frozen=True, rename="camel"):
    """`kato/renderSession`: a session, and optionally which part of it: around the event of this number, at most `max_bytes`.
    `as_page`: with the headings of a page, whatever the settings say about those of notes.
    """

    provider: Id
    session_id: Id
    around: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    max_bytes: Annotated[int, Meta(ge=limits.RENDERED_BYTES_MIN, le=limits.RENDERED_BYTES_MAX)] = (
        limits.RENDERED_BYTES_MAX
    )
    as_page: bool = False


class CommandParams(Struct, frozen=True, rename="camel"):
    """The one argument of a `kato.*` command."""

    provider: Id
    session_id: Id
    path: str | UnsetType = UNSET
    format: ExportFormat | UnsetType = UNSET


class DestinationParams(Struct, frozen=True, rename="camel"):
    """`kato/destination`: a session, for an export its format, and a path as the user types it."""

    provider: Id
    session_id: Id
    format: ExportFormat | None = None
    path: Annotated[str, Meta(max_length=limits.PATH_CHARS_MAX)] | UnsetType = UNSET


class SearchParams(Struct, frozen=True, rename="camel"):
    """`kato/search`: a query, and optionally where to look: in whose words, of which assistant, in which folder, since when."""

    query: str
    scope: SearchScope = msgspec.field(name="in", default="all")
    provider: Id | UnsetType = UNSET
    folder: Annotated[str, Meta(min_length=1, max_length=limits.PATH_CHARS_MAX)] | UnsetType = UNSET
    since: Timestamp | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=limits.SEARCH_HITS_MAX)] = limits.SEARCH_HITS_DEFAULT


class SessionsParams(Struct, frozen=True, rename="camel"):
    """`kato/sessions`: the conversations of a folder, or of the workspace's folders."""

    folder: Annotated[str, Meta(min_length=1, max_length=limits.PATH_CHARS_MAX)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=limits.CONVERSATIONS_MAX)] = limits.CONVERSATIONS_DEFAULT
    include_sub_agents: bool = False
    after: Annotated[int, Meta(ge=0)] = 0


class SessionEvents(Struct, frozen=True, rename="camel"):
    """The answer to `kato/readSession`: events, what to ask with next (null at the end), and how many there are. It is
    written by `page_parts`.
    """

    events: list[ConversationEvent]
    next_after: int | None
    total: int


class RenderedSession(Struct, frozen=True, rename="camel"):
    """The answer to `kato/renderSession`: the transcript, whether its end and its beginning were cut, and the line at which
    the wanted event begins.
    """

    markdown: str
    truncated: bool
    truncated_before: bool | UnsetType = UNSET
    line: int | UnsetType = UNSET


class Destination(Struct, frozen=True):
    """The answer to `kato/destination`: the path of a note, and why Kato may not write there."""

    path: str
    error: OutcomeError | UnsetType = UNSET


class Point(Struct, frozen=True):
    """A position in a document."""

    line: Annotated[int, Meta(ge=0)]
    character: Annotated[int, Meta(ge=0)]


class Span(Struct, frozen=True):
    """A range of a document."""

    start: Point
    end: Point


class ContentChange(Struct, frozen=True):
    """A change of a document; without a range, of all of it."""

    text: str
    range: Span | None = None


class OpenedDocument(Struct, frozen=True):
    """A document that was opened."""

    uri: str
    version: int
    text: str


class VersionedDocument(Struct, frozen=True):
    """A document after a change."""

    uri: str
    version: int


class NamedDocument(Struct, frozen=True):
    """A document."""

    uri: str


class DidOpenParams(Struct, frozen=True, rename="camel"):
    """`textDocument/didOpen`."""

    text_document: OpenedDocument


class DidChangeParams(Struct, frozen=True, rename="camel"):
    """`textDocument/didChange`."""

    text_document: VersionedDocument
    content_changes: list[ContentChange]


class DocumentParams(Struct, frozen=True, rename="camel"):
    """`textDocument/didSave`, `textDocument/didClose`."""

    text_document: NamedDocument


class PositionParams(Struct, frozen=True, rename="camel"):
    """A request about a position in a document."""

    text_document: NamedDocument
    position: Point


class LensData(Struct, frozen=True, rename="camel"):
    """The note that a code lens is about."""

    provider: Id
    session_id: Id
    path: Annotated[str, Meta(max_length=limits.PATH_CHARS_MAX)]


class UnresolvedLens(Struct, frozen=True):
    """`codeLens/resolve`."""

    data: LensData


class UnresolvedLink(Struct, frozen=True):
    """`documentLink/resolve`."""

    data: SessionParams


class DocumentDirtyParams(Struct, frozen=True):
    """`kato/documentDirty`."""

    uri: str
    dirty: bool


class RenamedFile(Struct, frozen=True, rename="camel"):
    """A file or folder that was renamed."""

    old_uri: str
    new_uri: str


class DidRenameParams(Struct, frozen=True):
    """`workspace/didRenameFiles`."""

    files: list[RenamedFile]


class DidDeleteParams(Struct, frozen=True):
    """`workspace/didDeleteFiles`."""

    files: list[NamedDocument]


def page_parts(request_id: int | str, page: Page) -> list[bytes]:
    """The answer to `kato/readSession` in parts: the events' lines go out as they are, without being joined."""
    parts = [b'{"jsonrpc":"2.0","id":%b,"result":{"events":[' % dumps(request_id)]
    for number, piece in enumerate(page.pieces):
        events = piece[:-1].replace(b"\n", b",")  # no line holds a newline: each stands between two events
        parts += [b",", events] if number else [events]
    parts.append(b'],"nextAfter":%b,"total":%d}}' % (dumps(page.next_after), page.total))
    return parts


def decode(params: Any, into: type[_T]) -> _T:
    """Params as a struct; raises InvalidParams with a JSON path."""
    try:
        return msgspec.convert({} if params is None else params, into)
    except msgspec.ValidationError as error:
        raise _invalid_params(str(error), params) from None


def decode_append(params: Any) -> AppendRequest:
    """The params of `kato/appendEvents`, validated as a whole; each event with its line."""
    decoded = decode(params, AppendParams)
    provider, session_id = decoded.provider, decoded.session_id
    for index, event in enumerate(decoded.events):
        if event.provider != provider:
            raise InvalidParams(f"$.events[{index}].provider", "the request's own provider", "another")
        if event.session_id != session_id:
            raise InvalidParams(f"$.events[{index}].sessionId", "the request's own sessionId", "another")
        if not is_supported(event.timestamp):
            raise InvalidParams(f"$.events[{index}].timestamp", MOMENT_RULE, event.timestamp.isoformat())
    return AppendRequest(
        key=SessionKey(provider, session_id),
        events=decoded.events,
        lines=_lines(params["events"]),
        title=decoded.title or None,
        cwd=decoded.cwd or None,
        replay=decoded.replay,
    )


def decode_command(argument: Any) -> CommandParams:
    """The one argument of a `kato.*` command."""
    try:
        return decode(argument, CommandParams)
    except InvalidParams as error:
        path = error.data["path"].replace("$", "$.arguments[0]", 1)
        raise InvalidParams(path, error.data["expected"], error.data["got"]) from None


def _lines(events: Sequence[dict[str, Any]]) -> Lines:
    """Each event's line. orjson keeps a buffer of 8 KiB behind every result, however short (measured, 3.13): each result is
    copied, and freed before the next.
    """
    data = bytearray()
    try:
        for event in events:
            data += orjson.dumps(event, None, orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        for index, event in enumerate(events):
            try:
                orjson.dumps(event)
            except orjson.JSONEncodeError as error:
                expected = f"JSON nested at most {limits.JSON_DEPTH_MAX} deep"
                raise InvalidParams(f"$.events[{index}]", expected, str(error)) from None
        raise
    return Lines([data], len(events), len(data))


_AT: Final = " - at `"
_EXPECTED: Final = re.compile(r"^Expected (?P<expected>.*?)(?:, got (?P<got>.*))?$", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>.*)`$")
_INVALID: Final = re.compile(r"^Invalid (?:enum )?value (?:'(?P<text>.*)'|(?P<other>.+))$", re.DOTALL)
_KINDS: Final = ", ".join(sorted(kind.__struct_config__.tag for kind in ConversationEvent.__args__))


def _invalid_params(message: str, params: Any) -> InvalidParams:
    """The error with the parts of msgspec's message: the path, what was expected, what was there."""
    rule, at, where = message.rpartition(_AT)  # the last one: the rule may hold a text of the client's
    path = where.removesuffix("`")
    if not at:
        path, rule = "$", message
    if (match := _MISSING.match(rule)) is not None:
        return InvalidParams(f"{path}.{match['field']}", "a value (the field is required)", "nothing")
    if (match := _EXPECTED.match(rule)) is not None:
        return InvalidParams(
            path,
            match["expected"].replace("`", ""),
            (match["got"] or _kind_at(path, params)).replace("`", ""),
        )
    if (match := _INVALID.match(rule)) is not None:
        expected = f"one of {_KINDS}" if path.endswith(".kind") else _choices(path)
        got = brief(match["text"]) if match["other"] is None else match["other"]
        return InvalidParams(path, expected, got)
    if "RFC3339" in rule:
        return InvalidParams(path, "an RFC 3339 date-time with a time zone", _kind_at(path, params))
    return InvalidParams(path, rule, _kind_at(path, params))


def _choices(path: str) -> str:
    name = path.rpartition(".")[2]
    known = {
        "role": "the role of the event's kind",
        "phase": "one of commentary, final, other",
        "status": "one of proposed, accepted, rejected, superseded",
        "format": "one of markdown, jsonl",
        "in": "one of user, assistant, tools, all",
    }
    return known.get(name, "a value that the contract names")


def _kind_at(path: str, params: Any) -> str:
    """The kind of value at a JSON path. Errors name it instead of the value, which may be conversation text."""
    value = params
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", type(None): "null"}
    if isinstance(value, str):
        return "an empty string" if not value else f"a string of {len(value)} characters"
    return names.get(type(value), "an object" if isinstance(value, dict) else "an array")
