"""The Model Context Protocol: one line of JSON in, one line or nothing out.

    revisions                   how a client names the revision
    2024-11-05 … 2025-11-25     once, in `initialize`
    2026-07-28                  in each request (`params._meta`); there is no `initialize`, and results say that they are complete

Rules: each request is answered once, whatever it holds; a notification never is. What is wrong with the arguments of a tool
is a result with `isError`, which the model reads and can correct; everything else that is wrong is a JSON-RPC error.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from kato.core.errors import brief
from kato.core.lenient_json import dumps

#: The revisions that begin with `initialize`, the newest last.
HANDSHAKE_REVISIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
#: The revisions whose requests name their revision, the newest last.
STATELESS_REVISIONS: Final = ("2026-07-28",)
REVISION_KEY: Final = "io.modelcontextprotocol/protocolVersion"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
UNSUPPORTED_REVISION: Final = -32022

#: Messages of a batch (revision 2025-03-26 allows them).
_BATCH_MAX: Final = 50
_CAPABILITIES: Final[Mapping[str, Any]] = {"tools": {}}
#: The list of tools changes with the version of Kato alone.
_CACHE: Final[Mapping[str, Any]] = {"ttlMs": 3_600_000, "cacheScope": "private"}

Json = dict[str, Any]


class ToolResult(NamedTuple):
    """What a tool answers: a text for the model. `is_error`: the tool could not do what was asked."""

    text: str
    is_error: bool = False


class Toolbox(NamedTuple):
    """The tools: their descriptions as `tools/list` shows them, and the function that calls one by its name."""

    descriptions: Sequence[Json]
    call: Callable[[str, Any], ToolResult]

    def has(self, name: str) -> bool:
        """Whether there is a tool of this name."""
        return any(one["name"] == name for one in self.descriptions)


class _Refused(Exception):
    def __init__(self, code: int, message: str, data: Json | None = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message} | ({} if data is None else {"data": data})


class Protocol:
    """See the module. `instructions` describe the server to the model."""

    def __init__(self, toolbox: Toolbox, *, version: str, instructions: str) -> None:
        self._toolbox = toolbox
        self._about: Json = {
            "serverInfo": {"name": "kato", "title": "Kato", "version": version},
            "instructions": instructions,
        }
        self._methods: Mapping[str, Callable[[Json], Json]] = {
            "initialize": self._initialize,
            "ping": lambda _: {},
            "server/discover": self._discover,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
        }

    def answer(self, line: bytes) -> bytes | None:
        """The answer to a line, without a newline; None where nothing is to be answered."""
        try:
            message = orjson.loads(line)
        except ValueError:
            return dumps(_error(None, PARSE_ERROR, "the line is not valid JSON"))
        if not isinstance(message, list):
            answer = self._answer_one(message)
            return None if answer is None else dumps(answer)
        if not 0 < len(message) <= _BATCH_MAX:
            return dumps(_error(None, INVALID_REQUEST, f"a batch holds 1 to {_BATCH_MAX} messages"))
        answers = [answer for one in message if (answer := self._answer_one(one)) is not None]
        return dumps(answers) if answers else None

    def _answer_one(self, message: Any) -> Json | None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return _error(None, INVALID_REQUEST, "a message is an object with jsonrpc 2.0")
        method = message.get("method")
        if method is None and "id" in message and ("result" in message or "error" in message):
            return None  # an answer, to what this server never asks
        if "id" not in message and isinstance(method, str):
            return None  # a notification
        request_id = message.get("id")
        if not isinstance(method, str) or type(request_id) not in (str, int):
            return _error(
                None, INVALID_REQUEST, "a request has a method and an id, which is a text or an integer"
            )
        try:
            result = self._result(method, message.get("params"))
        except _Refused as refused:
            return {"jsonrpc": "2.0", "id": request_id, "error": refused.error}
        return {"jsonrpc": "2.0", "id": request_id, "result": result}

    def _result(self, method: str, params: Any) -> Json:
        params = {} if params is None else params
        if not isinstance(params, dict):
            raise _Refused(INVALID_PARAMS, "params must be an object")
        meta = params.get("_meta")
        revision = meta.get(REVISION_KEY) if isinstance(meta, dict) else None
        if revision is not None and revision not in STATELESS_REVISIONS:
            data = {
                "supported": [*HANDSHAKE_REVISIONS, *STATELESS_REVISIONS],
                "requested": str(revision)[:100],
            }
            raise _Refused(UNSUPPORTED_REVISION, "this revision of the protocol is not supported", data)
        run = self._methods.get(method)
        if run is None or (revision is not None and method == "initialize"):
            raise _Refused(METHOD_NOT_FOUND, "this server does not have the method")
        result = run(params)
        return result if revision is None else {"resultType": "complete"} | result

    def _initialize(self, params: Json) -> Json:
        asked = params.get("protocolVersion")
        revision = asked if asked in HANDSHAKE_REVISIONS else HANDSHAKE_REVISIONS[-1]
        return {"protocolVersion": revision, "capabilities": _CAPABILITIES, **self._about}

    def _discover(self, params: Json) -> Json:
        del params
        supported = [*HANDSHAKE_REVISIONS, *STATELESS_REVISIONS]
        return {
            "resultType": "complete",
            "supportedVersions": supported,
            "capabilities": _CAPABILITIES,
            **self._about,
            **_CACHE,
        }

    def _list_tools(self, params: Json) -> Json:
        if params.get("cursor") is not None:
            raise _Refused(INVALID_PARAMS, "the list of tools has a single page, so `cursor` must be absent")
        return {"tools": list(self._toolbox.descriptions), **_CACHE}

    def _call_tool(self, params: Json) -> Json:
        name = params.get("name")
        if not isinstance(name, str) or not self._toolbox.has(name):
            raise _Refused(INVALID_PARAMS, f"unknown tool {brief(name)}; tools/list lists the tools")
        arguments = params.get("arguments")
        result = self._toolbox.call(name, {} if arguments is None else arguments)
        return {"content": [{"type": "text", "text": result.text}], "isError": result.is_error}


def _error(request_id: str | int | None, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
