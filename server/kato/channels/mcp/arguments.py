"""The arguments of the tools, and their JSON schemas."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from kato.core import limits

LIST_MAX: Final = 50
SEARCH_MAX: Final = 20

_Conversation = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2 * limits.ID_CHARS_MAX,
        description="The conversation's id as the other tools give it (assistant/id), or `current` for the newest one of this folder.",
    ),
]
_Folder = (
    Annotated[
        str,
        Meta(
            description="Only conversations that were held in this folder or below; an absolute path.",
            max_length=4096,
        ),
    ]
    | None
)


class SearchArguments(Struct, forbid_unknown_fields=True):
    """Arguments of `search_conversations`."""

    query: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=500,
            description='Words that one message must all contain; "quoted words" stay together, begin* stands for every ending.',
        ),
    ]
    cwd: _Folder = None
    provider: (
        Annotated[
            str, Meta(max_length=64, description="Only this assistant: claude, codex, gemini, copilot.")
        ]
        | None
    ) = None
    since: (
        Annotated[
            str,
            Meta(max_length=40, description="Only messages from this date on, as 2026-11-24."),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=SEARCH_MAX, description="The most hits.")] = 10


class ListArguments(Struct, forbid_unknown_fields=True):
    """Arguments of `list_conversations`."""

    cwd: _Folder = None
    limit: Annotated[int, Meta(ge=1, le=LIST_MAX, description="The most conversations.")] = 20
    cursor: (
        Annotated[str, Meta(pattern="^[0-9]{1,5}$", description="Where to go on, as an earlier answer says.")]
        | None
    ) = None


class ReadArguments(
    Struct, forbid_unknown_fields=True, rename={"conversation": "id", "first": "from", "last": "to"}
):
    """Arguments of `read_conversation`."""

    conversation: _Conversation
    first: Annotated[
        int,
        Meta(
            ge=-1_000_000,
            le=1_000_000_000,
            description="The first event, counted from 1; a negative number counts from the end (-20: the last 20).",
        ),
    ] = 1
    last: Annotated[int, Meta(ge=1, le=1_000_000_000, description="The last event.")] | None = None
    budget: Annotated[
        int,
        Meta(
            ge=1_000,
            le=limits.MCP_TEXT_BYTES_MAX,
            description="The most bytes of text; the answer says where it goes on.",
        ),
    ] = limits.MCP_TEXT_BYTES_DEFAULT
    results: Annotated[bool, Meta(description="Also show how the results of tool calls begin.")] = False


class CaptureArguments(Struct, forbid_unknown_fields=True):
    """Arguments of `capture`."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=limits.PATH_CHARS_MAX,
            description="The note, for example notes/decision.md; a relative path starts from the conversation's folder.",
        ),
    ]
    conversation: _Conversation = "current"
    mode: Annotated[
        Literal["capture", "export"],
        Meta(description="capture: write the note and go on recording there; export: write once."),
    ] = "capture"


class StatusArguments(Struct, forbid_unknown_fields=True):
    """`recording_status` takes no arguments."""


def schema(arguments: type[Struct]) -> dict[str, Any]:
    """The JSON schema of a struct without references, types of null and the docstring, which is for readers of the code."""
    _, definitions = msgspec.json.schema_components([arguments])
    found = dict(definitions[arguments.__name__])
    found.pop("description", None)
    found.pop("title", None)
    found["properties"] = {name: _without_null(one) for name, one in found["properties"].items()}
    return found


def _without_null(given: dict[str, Any]) -> dict[str, Any]:
    """A property that may be left out is shown as what it is when it is given."""
    if "anyOf" not in given:
        return given
    (kind,) = [one for one in given["anyOf"] if one.get("type") != "null"]
    return dict(kind)
