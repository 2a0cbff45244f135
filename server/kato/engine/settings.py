"""The settings of the engine, which can change while it runs."""

from datetime import tzinfo

from msgspec import Struct

from kato.engine.budget import MemoryBounds
from kato.engine.destinations import Locations
from kato.notes.options import MarkdownOptions
from kato.notes.policy import WritePolicy


class EngineSettings(Struct, frozen=True, kw_only=True):
    """The settings of an engine, for `Engine.configure`. `policy` says where notes may be written."""

    bounds: MemoryBounds
    max_sessions: int
    max_events_per_session: int
    locations: Locations
    markdown: MarkdownOptions
    tz: tzinfo
    policy: WritePolicy
