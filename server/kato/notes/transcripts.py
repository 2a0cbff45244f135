"""Makes the transcripts of sessions by the settings in force: which time zone, which tools, which sub-agents."""

import zlib
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Final

import msgspec
from msgspec.structs import replace

from kato import __version__
from kato.core import limits
from kato.core.actions import ReadArguments
from kato.core.events import SessionKey, ToolResult
from kato.core.pictures import Link
from kato.core.records import SessionRecord
from kato.notes import redaction
from kato.notes.options import MarkdownOptions
from kato.notes.rendering import BEGINNING, Fold, SubAgents, render
from kato.notes.transcript import Transcript

#: Sub-agents start sub-agents: levels of sub-agents that are folded into each other.
_FOLD_DEPTH_MAX: Final = 4


class Transcripts:
    """See the module. `find_session` gives a session's record, None for a session that was never stored; `tools` gives a
    provider's table of tools (`Assistant.tools`).
    """

    def __init__(
        self,
        options: MarkdownOptions,
        tz: tzinfo,
        find_session: Callable[[SessionKey], SessionRecord | None],
        tools: Callable[[str], Mapping[str, ReadArguments]] = lambda _: {},
    ) -> None:
        self.options = options
        self.tz = tz
        #: Finds the sub-agents of a tool call; None where there are none.
        self.sub_agents: SubAgents | None = None
        self._tools = tools
        self.find_session = find_session
        #: Links the pictures of the note at a path; None leaves their placeholders.
        self.pictures: Callable[[str], Link] | None = None

    @property
    def style(self) -> int:
        """A checksum of whatever changes how a conversation is written: settings, time zone, Kato's version."""
        zone = getattr(self.tz, "key", type(self.tz).__name__)
        return zlib.crc32(msgspec.json.encode((self.options, zone, __version__)))

    def new(self, session: SessionRecord, path: str = "", *, is_page: bool = False) -> Transcript:
        """A transcript from the session's beginning, as the note at a path, or as a page."""
        options = replace(self.options, heading_style="page") if is_page else self.options
        tools = self._tools(session.key.provider)
        return self._linked(Transcript(options, self.tz, folder=session.cwd or "", tools=tools), path)

    def resumed(self, key: SessionKey, state: bytes, path: str = "") -> Transcript:
        """A transcript that goes on from a state, in the note at a path; from the beginning if the state is empty."""
        session = None if state else self.find_session(key)
        folder = "" if session is None or session.cwd is None else session.cwd
        tools = self._tools(key.provider)
        return self._linked(Transcript(self.options, self.tz, state, folder=folder, tools=tools), path)

    def _linked(self, transcript: Transcript, path: str) -> Transcript:
        if path and self.options.has_pictures and self.pictures is not None:
            transcript.link = self.pictures(path)
        return transcript

    def masked(self, text: str) -> tuple[str, int]:
        """A whole text, with its secrets masked if the settings want that, and the number of its secrets."""
        return redaction.masked(text) if self.options.redact_secrets else (text, 0)

    def masked_lines(self, lines: bytes) -> tuple[bytes, int]:
        """The same for events as lines of JSON."""
        return redaction.masked_lines(lines) if self.options.redact_secrets else (lines, 0)

    def fold(self, key: SessionKey, depth: int = 0) -> Fold | None:
        """Renders the sub-agents of a session's calls, and theirs; None if they are not wanted."""
        find = self.sub_agents
        if find is None or not self.options.include_sub_agents or depth == _FOLD_DEPTH_MAX:
            return None

        def folded(transcript: Transcript, result: ToolResult) -> str:
            text = ""
            for agent in find(key, result.tool_call_id):
                inner = Transcript(
                    self.options, self.tz, level=3, folder=transcript.folder, tools=self._tools(key.provider)
                )
                inner.link = transcript.link
                pieces, size = [], 0
                deeper = self.fold(agent.key, depth + 1)
                for piece in render(inner, agent.events, BEGINNING, None, deeper, is_over=True):
                    pieces.append(piece)
                    size += len(piece)
                    if size > limits.RENDERED_BYTES_MAX:
                        break
                transcript.facts.redactions += inner.facts.redactions
                text += transcript.fold(result, agent.title, b"".join(pieces).decode())
            return text

        return folded
