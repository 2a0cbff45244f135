"""What a note shows and how: the settings `markdown.*` and `notes.*`, and how notes are named."""

from typing import Literal

from msgspec import Struct

from kato.core.paths import NAME_TEMPLATE
from kato.core.setting_rules import FRONTMATTER_FIELDS


class MarkdownOptions(Struct, frozen=True):
    """What is shown: the settings `markdown.*`."""

    include_frontmatter: bool = True
    include_commentary: bool = True
    include_boundaries: bool = True
    include_thinking: bool = False
    tool_calls: Literal["hidden", "summary", "full"] = "summary"
    #: Lines of an output or a file that a block shows when tool calls are shown in full; 0 for all.
    tool_lines_max: int = 60
    heading_style: Literal["kato", "readable", "page"] = "kato"
    include_system_events: bool = False
    include_sub_agents: bool = False
    italicize_user_messages: bool = False
    frontmatter_fields: tuple[str, ...] = FRONTMATTER_FIELDS
    file_name: str = NAME_TEMPLATE
    #: The setting `notes.redactSecrets`: secrets are shown as `[redacted: kind]`.
    redact_secrets: bool = True
    #: The setting `markdown.images`: pictures become files in a folder next to the note.
    has_pictures: bool = False
