"""Kato: own your AI conversations.

This package is a language server (`kato serve`) and a library. The names below are the library; docs/library.md shows it in
use. Importing the package loads none of it: each name is loaded when it is first used.

    import kato

    log = kato.parse_log("session.jsonl")
    print(log.assistant.title, log.session.title, len(log.events))

- Read logs: `parse_log`, `iter_log`, `ParsedLog`, `LogEvents`, `ASSISTANTS`, `all_assistants`, `Assistant`, `SessionInfo`, `Problem`.
- Events: `ConversationEvent`, one of `UserMessage`, `AssistantMessage`, `SystemMessage`, `ToolCall`, `ToolResult`, `Thinking`,
  `Decision` and `ProviderInfo`; `SessionKey` identifies their session.
- Write Markdown: `Transcript`, `MarkdownOptions`.
- Keep conversations: `open_engine`, `OpenEngine`, `Appended`, `SessionRecord`, `CommandOutcome`, `Listener`, `Notice`.
- Errors: `KatoError` and what is derived from it.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kato.app.library import Appended, OpenEngine, open_engine
    from kato.app.parsing import LogEvents, ParsedLog, all_assistants, iter_log, parse_log
    from kato.assistants.contract import Assistant, Problem, SessionInfo
    from kato.assistants.registry import ASSISTANTS
    from kato.core.errors import KatoError, LogNotRecognized, SettingsInvalid, UnknownSession
    from kato.core.events import (
        AssistantMessage,
        ConversationEvent,
        Decision,
        ProviderInfo,
        SessionKey,
        Source,
        SystemMessage,
        Thinking,
        ToolCall,
        ToolResult,
        UserMessage,
    )
    from kato.core.notices import Notice
    from kato.core.outcomes import CommandOutcome
    from kato.core.ports import Listener
    from kato.core.records import SessionRecord
    from kato.notes.options import MarkdownOptions
    from kato.notes.transcript import Transcript

__version__ = "0.1.0"

__all__ = [
    "ASSISTANTS",
    "Appended",
    "Assistant",
    "AssistantMessage",
    "CommandOutcome",
    "ConversationEvent",
    "Decision",
    "KatoError",
    "Listener",
    "LogEvents",
    "LogNotRecognized",
    "MarkdownOptions",
    "Notice",
    "OpenEngine",
    "ParsedLog",
    "Problem",
    "ProviderInfo",
    "SessionInfo",
    "SessionKey",
    "SessionRecord",
    "SettingsInvalid",
    "Source",
    "SystemMessage",
    "Thinking",
    "ToolCall",
    "ToolResult",
    "Transcript",
    "UnknownSession",
    "UserMessage",
    "__version__",
    "all_assistants",
    "iter_log",
    "open_engine",
    "parse_log",
]

#: Where each name is, for `__getattr__`. A test compares it with `__all__` and with the imports for the type checker.
_MODULES: Final = {
    "kato.app.library": "Appended OpenEngine open_engine",
    "kato.app.parsing": "LogEvents ParsedLog all_assistants iter_log parse_log",
    "kato.assistants.contract": "Assistant Problem SessionInfo",
    "kato.assistants.registry": "ASSISTANTS",
    "kato.core.errors": "KatoError LogNotRecognized SettingsInvalid UnknownSession",
    "kato.core.events": "AssistantMessage ConversationEvent Decision ProviderInfo SessionKey Source SystemMessage Thinking "
    "ToolCall ToolResult UserMessage",
    "kato.core.notices": "Notice",
    "kato.core.outcomes": "CommandOutcome",
    "kato.core.ports": "Listener",
    "kato.core.records": "SessionRecord",
    "kato.notes.options": "MarkdownOptions",
    "kato.notes.transcript": "Transcript",
}


if not TYPE_CHECKING:  # which would take any name for a public one

    def __getattr__(name: str) -> Any:
        """Loads a public name when it is first used (PEP 562)."""
        for module, names in _MODULES.items():
            if name in names.split():
                from importlib import import_module  # noqa: PLC0415 - not for those that need the version only

                value = getattr(import_module(module), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
