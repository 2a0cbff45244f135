"""The requests on the local socket, each with its fields (`app.chat` says what they are for).

look · prompt · note · message · capture        of hooks and MCP servers
find · events                                   of `kato acp`
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from kato.core import limits
from kato.core.events import ConversationEvent, Id, SessionKey

_Path = Annotated[str, Meta(max_length=limits.PATH_CHARS_MAX)] | None
_Title = Annotated[str, Meta(max_length=limits.TITLE_CHARS_MAX * 2)] | None


class About(Struct, frozen=True, kw_only=True, rename="camel", tag_field="op"):
    """The conversation that a request is about: its log, if the sender knows it, and its folder."""

    provider: Id
    session_id: Id
    transcript: _Path = None
    cwd: _Path = None

    @property
    def key(self) -> SessionKey:
        """The conversation."""
        return SessionKey(self.provider, self.session_id)


class Look(About, frozen=True, kw_only=True, rename="camel", tag="look"):
    """Asks whether this process follows the conversation."""


class Prompt(About, frozen=True, kw_only=True, rename="camel", tag="prompt"):
    """A prompt, before the assistant gets it."""

    prompt: str
    is_typed: bool = False
    can_stop: bool = False


class Note(About, frozen=True, kw_only=True, rename="camel", tag="note"):
    """A prompt that another process answered; `is_handled`: it ran its commands."""

    prompt: str
    is_typed: bool = False
    is_handled: bool = False


class Message(About, frozen=True, kw_only=True, rename="camel", tag="message"):
    """A message of a conversation whose log Kato does not read, in a turn of it."""

    turn: Annotated[str, Meta(min_length=1, max_length=200)]
    role: Literal["user", "assistant"]
    text: str


class Capture(About, frozen=True, kw_only=True, rename="camel", tag="capture"):
    """A capture or an export of a conversation."""

    path: str
    mode: Literal["capture", "export"] = "capture"


class Find(About, frozen=True, kw_only=True, rename="camel", tag="find"):
    """Asks under which provider a session is stored: that of an assistant whose logs Kato reads, or the named one."""


class Events(About, frozen=True, kw_only=True, rename="camel", tag="events"):
    """Events of a session that `kato acp` sees. With `load`, they are history that the agent repeats, and the text names this
    repetition.
    """

    events: list[ConversationEvent]
    title: _Title = None
    load: Id | None = None


Request = Look | Prompt | Note | Message | Capture | Find | Events
