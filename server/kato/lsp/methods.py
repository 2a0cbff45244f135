"""Every method that Kato adds to LSP, declared once: who sends it, and the structs of its params and its result.

Handlers are registered from this table (`kato.lsp.requests`), `docs/protocol.md` is checked against it, and
`client-vscode/contract.json` is made of it.
"""

from typing import Any, Final, Literal, NamedTuple

from kato.app.catalogue import ConversationList
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.core.searching import SearchResult
from kato.core.views import MemoryStatus, StatusSnapshot
from kato.engine import AppendAnswer
from kato.lsp import wire

Sender = Literal["client", "server"]
MethodKind = Literal["request", "notification"]


class Method(NamedTuple):
    """A method: params and result are structs, None where there is none."""

    name: str
    sender: Sender
    kind: MethodKind
    params: type[Any] | None
    result: type[Any] | None = None


APPEND_EVENTS: Final = Method("kato/appendEvents", "client", "request", wire.AppendParams, AppendAnswer)
EVENTS: Final = Method("kato/events", "client", "notification", wire.AppendParams)
MEMORY: Final = Method("kato/memory", "client", "request", None, MemoryStatus)
STATUS: Final = Method("kato/status", "client", "request", wire.StatusParams, StatusSnapshot)
READ_SESSION: Final = Method(
    "kato/readSession", "client", "request", wire.ReadSessionParams, wire.SessionEvents
)
RENDER_SESSION: Final = Method(
    "kato/renderSession", "client", "request", wire.RenderParams, wire.RenderedSession
)
DESTINATION: Final = Method("kato/destination", "client", "request", wire.DestinationParams, wire.Destination)
SEARCH: Final = Method("kato/search", "client", "request", wire.SearchParams, SearchResult)
SESSIONS: Final = Method("kato/sessions", "client", "request", wire.SessionsParams, ConversationList)
DOCUMENT_DIRTY: Final = Method("kato/documentDirty", "client", "notification", wire.DocumentDirtyParams)
STATUS_CHANGED: Final = Method("kato/statusChanged", "server", "notification", StatusSnapshot)
COMMAND_EXECUTED: Final = Method("kato/commandExecuted", "server", "notification", CommandOutcome)
NOTICE: Final = Method("kato/notice", "server", "notification", Notice)

METHODS: Final = (
    APPEND_EVENTS,
    EVENTS,
    MEMORY,
    STATUS,
    READ_SESSION,
    RENDER_SESSION,
    DESTINATION,
    SEARCH,
    SESSIONS,
    DOCUMENT_DIRTY,
    STATUS_CHANGED,
    COMMAND_EXECUTED,
    NOTICE,
)
