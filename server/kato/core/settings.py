"""The settings: each declared once with its name, rule, default and description. `core.layers` combines their sources."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, get_type_hints

from msgspec import Struct, structs

from kato.core import limits
from kato.core.paths import NAME_TEMPLATE
from kato.core.setting_rules import (
    BOOLEAN,
    FIELDS,
    FILE_NAME,
    FRONTMATTER_FIELDS,
    HEADING_STYLE,
    HISTORY,
    IMAGES,
    LINES,
    LOG_LEVEL,
    NOTES_DIRECTORY,
    PATH,
    POSITIVE_INTEGER,
    PROVIDER_PATHS,
    REDACTION,
    SECONDS,
    TIME_ZONE,
    TOOL_CALLS,
    WRITE_ROOTS,
    Rule,
)

LogLevel = Literal["debug", "info", "warning", "error"]


class Setting(NamedTuple):
    """How a setting is declared: its name in every layer, its rule, what it does (Markdown, for users), the environment
    variable that sets it, whether it takes effect only at the next start, what its default is in words where it depends on
    the machine, and in VS Code who may set it: `window` (also a folder that is opened), `machine-overridable` (a folder that
    the user trusts) or `machine` (the user alone).
    """

    name: str
    rule: Rule
    description: str
    environment: str | None = None
    needs_restart: bool = False
    default_in_words: str | None = None
    scope: Literal["window", "machine-overridable", "machine"] = "window"


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting: its declaration and default, and in an instance the value in force. None stands for a default that
    depends on the machine.
    """

    daemon_max_memory_mb: Annotated[
        int,
        Setting(
            "daemonMaxMemoryMb",
            POSITIVE_INTEGER,
            "The most memory, in MB, that Kato's server process may take. Over the limit, the sessions that were updated "
            "least recently leave the memory; they stay in the journal. The process alone takes about 60 MB: a limit below "
            "about 100 MB applies only to the conversations in memory.",
            environment="KATO_DAEMON_MAX_MEMORY_MB",
        ),
    ] = limits.DAEMON_MAX_MEMORY_MB_DEFAULT
    max_sessions: Annotated[
        int, Setting("maxSessions", POSITIVE_INTEGER, "The most sessions held in memory.")
    ] = limits.SESSIONS_MAX_DEFAULT
    max_events_per_session: Annotated[
        int,
        Setting(
            "maxEventsPerSession",
            POSITIVE_INTEGER,
            "The most events of a session held in memory; older ones stay in the journal.",
        ),
    ] = limits.EVENTS_PER_SESSION_MAX_DEFAULT
    max_message_mb: Annotated[
        int, Setting("maxMessageMb", POSITIVE_INTEGER, "The largest message, in MB, that the server reads.")
    ] = limits.MESSAGE_MB_MAX_DEFAULT
    heartbeat_seconds: Annotated[
        float,
        Setting(
            "heartbeatSeconds",
            SECONDS,
            "How often, in seconds, the server measures its memory, synchronizes the journal and repeats what failed.",
        ),
    ] = limits.HEARTBEAT_SECONDS_DEFAULT
    state_dir: Annotated[
        str | None,
        Setting(
            "stateDir",
            PATH,
            "The folder for the journal, recordings without a destination, backups and the log. A folder that exists "
            "keeps its mode.",
            environment="KATO_STATE_DIR",
            needs_restart=True,
            default_in_words="the platform's state folder",
            scope="machine",
        ),
    ] = None
    journal: Annotated[
        bool,
        Setting(
            "journal",
            BOOLEAN,
            "Keep every event durably on disk. Off: Kato keeps events in memory only.",
            needs_restart=True,
            scope="machine-overridable",
        ),
    ] = True
    allowed_write_roots: Annotated[
        tuple[str, ...],
        Setting(
            "allowedWriteRoots",
            WRITE_ROOTS,
            "Folders that exist and in which notes may be written, in addition to the workspace's folders, "
            "`notes.directory` and Kato's recordings folder.",
        ),
    ] = ()
    exclusive_write_roots: Annotated[
        bool,
        Setting(
            "exclusiveWriteRoots",
            BOOLEAN,
            "Notes may be written in `allowedWriteRoots` only, not in the workspace's folders.",
        ),
    ] = False
    notes_directory: Annotated[
        str,
        Setting(
            "notes.directory",
            NOTES_DIRECTORY,
            "Where a note without a path goes, from the chat (`::capture`) and from the editor. `${workspaceFolder}` is the "
            "conversation's own folder; where no folder is open, the note goes to Kato's recordings folder.",
        ),
    ] = "${workspaceFolder}/notes"
    notes_file_name: Annotated[
        str,
        Setting(
            "notes.fileName",
            FILE_NAME,
            "How Kato names notes for which you give no name. Kato adds `.md` to a template without a note's suffix.",
        ),
    ] = NAME_TEMPLATE
    notes_redact_secrets: Annotated[
        Literal["off", "mask"],
        Setting(
            "notes.redactSecrets",
            REDACTION,
            "Replace secrets such as access keys and passwords in notes and exports by `[redacted: kind]`. The journal "
            "keeps the original.",
        ),
    ] = "mask"
    keep_history: Annotated[
        Literal["seen", "all"],
        Setting(
            "keepHistory",
            HISTORY,
            "Which conversations the journal keeps: those that Kato follows, or also all older ones in the assistants' logs, which "
            "Kato then reads in the background.",
            scope="machine",
        ),
    ] = "seen"
    provider_session_roots: Annotated[
        Mapping[str, tuple[str, ...]],
        Setting(
            "providerSessionRoots",
            PROVIDER_PATHS,
            "The folders with an assistant's session logs, instead of its usual ones. `[]` switches an assistant off.",
            scope="machine",
        ),
    ] = {}
    markdown_include_frontmatter: Annotated[
        bool, Setting("markdown.includeFrontmatter", BOOLEAN, "Begin a new note with frontmatter.")
    ] = True
    markdown_include_commentary: Annotated[
        bool,
        Setting("markdown.includeCommentary", BOOLEAN, "Write the assistant's comments between its steps."),
    ] = True
    markdown_include_boundaries: Annotated[
        bool,
        Setting(
            "markdown.includeBoundaries",
            BOOLEAN,
            "Write one line in italics where the conversation was rewound, compacted, interrupted, moved or forked.",
        ),
    ] = True
    markdown_include_thinking: Annotated[
        bool, Setting("markdown.includeThinking", BOOLEAN, "Write the assistant's thinking, folded.")
    ] = False
    markdown_tool_calls: Annotated[
        Literal["hidden", "summary", "full"],
        Setting(
            "markdown.toolCalls",
            TOOL_CALLS,
            "What a note shows of tool calls: nothing, one folded block at the end of each turn that says what was done, or "
            "each call with its result, folded.",
        ),
    ] = "summary"
    markdown_include_tool_calls: Annotated[
        bool,
        Setting(
            "markdown.includeToolCalls", BOOLEAN, "The older name of `markdown.toolCalls`: true means `full`."
        ),
    ] = False
    markdown_tool_lines: Annotated[
        int,
        Setting(
            "markdown.toolLines",
            LINES,
            "The most lines of an output or a file that a note shows when it shows tool calls in full: the first and the "
            "last ones. 0 shows all.",
        ),
    ] = 60
    markdown_heading_style: Annotated[
        Literal["kato", "readable"],
        Setting(
            "markdown.headingStyle",
            HEADING_STYLE,
            "The headings of messages: `# User_2026-02-24_1609_26`, or `## You, 16:09: first words`, which gives an outline.",
        ),
    ] = "kato"
    markdown_frontmatter_fields: Annotated[
        tuple[str, ...],
        Setting(
            "markdown.frontmatterFields",
            FIELDS,
            "What the frontmatter says of the conversation, as far as it is known.",
        ),
    ] = FRONTMATTER_FIELDS
    markdown_images: Annotated[
        Literal["placeholders", "files"],
        Setting(
            "markdown.images",
            IMAGES,
            "Pictures in notes: a line that says where one was, or files in a folder next to the note. Recordings get those of "
            "messages that come from then on; they need the journal.",
        ),
    ] = "placeholders"
    markdown_include_system_events: Annotated[
        bool,
        Setting("markdown.includeSystemEvents", BOOLEAN, "Write the messages of the assistant's program."),
    ] = False
    markdown_include_sub_agents: Annotated[
        bool,
        Setting(
            "markdown.includeSubAgents",
            BOOLEAN,
            "Fold the conversations of sub-agents under the calls that started them.",
        ),
    ] = False
    markdown_italicize_user_messages: Annotated[
        bool, Setting("markdown.italicizeUserMessages", BOOLEAN, "Write your own messages in italics.")
    ] = False
    markdown_timezone: Annotated[
        str | None,
        Setting(
            "markdown.timezone",
            TIME_ZONE,
            "The time zone of headings, such as `Europe/Berlin`.",
            default_in_words="the machine's time zone",
        ),
    ] = None
    log_level: Annotated[
        LogLevel,
        Setting(
            "logLevel",
            LOG_LEVEL,
            "How much the server logs. Logs hold ids and sizes, never conversation text.",
            environment="KATO_LOG_LEVEL",
        ),
    ] = "info"


class Key(NamedTuple):
    """A setting with its field in `Settings` and its default."""

    field: str
    setting: Setting
    default: Any

    @property
    def name(self) -> str:
        """Its name in every layer."""
        return self.setting.name

    @property
    def rule(self) -> str:
        """Its rule in words, after "must be"."""
        return self.setting.rule.words

    @property
    def environment(self) -> str | None:
        """The environment variable that sets it."""
        return self.setting.environment

    @property
    def check(self) -> Callable[[Any], Any]:
        """Returns the value to keep, or raises ValueError."""
        return self.setting.rule.check


def difference(before: Settings, after: Settings) -> frozenset[str]:
    """The names of the settings that differ."""
    old, new = structs.asdict(before), structs.asdict(after)
    return frozenset(key.name for key in TABLE if old[key.field] != new[key.field])


def _table() -> tuple[Key, ...]:
    declared = get_type_hints(Settings, include_extras=True)
    defaults = structs.asdict(Settings())
    return tuple(Key(field, hint.__metadata__[0], defaults[field]) for field, hint in declared.items())


#: Every setting, in the order of its declaration.
TABLE: Final = _table()

#: By the name that they have in every layer.
BY_NAME: Final = {key.name: key for key in TABLE}
#: The tables that group settings: `markdown`, `notes`.
SECTIONS: Final = frozenset(key.name.partition(".")[0] for key in TABLE if "." in key.name)

#: The settings that take effect only at the next start: the files below them are open.
RESTART_KEYS: Final = frozenset(key.name for key in TABLE if key.setting.needs_restart)
