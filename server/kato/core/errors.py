"""The errors Kato raises, split by who can act on them.

    KatoError
    ├── ClientError          the program that sent the message
    │   ├── InvalidParams        -32602  data: path, expected, got
    │   ├── UnknownSession       -32011  data: provider, sessionId
    │   └── RequestCancelled     -32800
    ├── UserError            the person who typed the command
    │   ├── CommandRefused       -32014
    │   ├── LogNotRecognized     -32603  data: path           (the library alone)
    │   ├── PathDenied           -32012  data: path, rule
    │   └── WriteFailed          -32013  data: path
    │       └── NoteUnsaved              data: path, rule
    └── OperatorError        the person who runs the process
        ├── SettingsInvalid      -32602  data: key, rule, got   (exit 78)
        ├── BudgetExceeded       -32010  data: neededBytes, budgetBytes
        └── JournalUnavailable   -32603  data: path
            ├── JournalNotOpened     at the start             (exit 78)
            └── JournalLost          removed or replaced while it was open

Rule: a message names what, where and the rule; it never holds conversation text. A value of the client's is shown through
`brief`, so that no error, log line or notice is longer than Kato makes it.
"""

import reprlib
from typing import Any, ClassVar, Final

from kato.core.events import SessionKey

INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
BUDGET_EXCEEDED = -32010
UNKNOWN_SESSION = -32011
PATH_DENIED = -32012
WRITE_FAILED = -32013
COMMAND_REFUSED = -32014
REQUEST_CANCELLED = -32800

EXIT_OK = 0
EXIT_NO_SHUTDOWN = 1
EXIT_BUDGET = 70
EXIT_CONFIG = 78


_BRIEF: Final = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother, _BRIEF.maxlong = 3, 200, 200, 40
_SHOWN_PARTS_MAX: Final = 64
_SHOWN_CHARS_MAX: Final = 1000


def brief(value: Any) -> str:
    """A value as text, cut if it is long or deeply nested, so that error messages have a bounded length."""
    return _BRIEF.repr(value)


def shown(value: Any) -> Any:
    """A JSON value for an error's data: a small value as it is, a large one as cut text."""
    parts, chars, waiting = 0, 0, [value]
    while waiting:
        one = waiting.pop()
        parts += 1
        chars += len(one) if isinstance(one, str) else 0
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            waiting += one
        if parts + len(waiting) > _SHOWN_PARTS_MAX or chars > _SHOWN_CHARS_MAX:
            return brief(value)
    return value


class KatoError(Exception):
    """The base of all errors that Kato raises. `code` is the JSON-RPC error code, `data` its JSON data."""

    code: ClassVar[int] = INTERNAL_ERROR

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, Any] = data


class ClientError(KatoError):
    """The message is at fault; the program that sent it can act."""


class InvalidParams(ClientError):
    """Params that break the contract. `path` is a JSON path such as `$.events[3].content`."""

    code = INVALID_PARAMS

    def __init__(self, path: str, expected: str, got: str) -> None:
        got = got if len(got) <= _SHOWN_CHARS_MAX else got[: _SHOWN_CHARS_MAX - 1] + "…"
        super().__init__(f"{path}: expected {expected}, got {got}", path=path, expected=expected, got=got)


class UnknownSession(ClientError):
    """No session with this provider and id was ever stored."""

    code = UNKNOWN_SESSION

    def __init__(self, provider: str, session_id: str) -> None:
        super().__init__(
            f"no session {session_id!r} of provider {provider!r}", provider=provider, sessionId=session_id
        )


class RequestCancelled(ClientError):
    """The client cancelled its request before it was answered."""

    code = REQUEST_CANCELLED


class UserError(KatoError):
    """The command is at fault or cannot be carried out; the person who typed it can act."""


class CommandRefused(UserError):
    """Bad grammar, a wrong or missing argument."""

    code = COMMAND_REFUSED


class LogNotRecognized(UserError):
    """A file that is not the log of a known assistant, or not of the assistant that was named."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, path=path)


class PathDenied(UserError):
    """The write policy refuses a path. `rule` is "outside" if an entry in `allowedWriteRoots` would allow the path."""

    code = PATH_DENIED

    def __init__(self, message: str, path: str, rule: str = "refused") -> None:
        super().__init__(message, path=path, rule=rule)


class WriteFailed(UserError):
    """The file system refuses a write: it is full or read-only, or the file is missing."""

    code = WRITE_FAILED

    def __init__(self, message: str, path: str, **data: Any) -> None:
        super().__init__(message, path=path, **data)


class NoteUnsaved(WriteFailed):
    """An editor has changes of the note that are not on disk. Replacing the file would conflict with them."""

    def __init__(self, path: str, where: str = "the editor") -> None:
        message = f"{path} has changes in {where} that are not saved: save it, then try again"
        super().__init__(message, path, rule="unsaved")


class OperatorError(KatoError):
    """The installation or its configuration is at fault."""


class SettingsInvalid(OperatorError):
    """A setting that breaks its rule. `key` is the setting's name, `origin` where it was read."""

    code = INVALID_PARAMS

    def __init__(self, key: str, rule: str, got: Any, origin: str = "settings") -> None:
        key = shown(key)
        super().__init__(f"{key} ({origin}): {rule}; got {brief(got)}", key=key, rule=rule, got=shown(got))
        self.key = key
        self.rule = rule
        self.got = got
        self.origin = origin


class BudgetExceeded(OperatorError):
    """More memory is needed than `daemonMaxMemoryMb` allows. `fatal`: the process ends after the answer, because of `session`."""

    code = BUDGET_EXCEEDED

    def __init__(
        self,
        message: str,
        *,
        needed_bytes: int,
        budget_bytes: int,
        fatal: bool,
        session: SessionKey | None = None,
    ) -> None:
        super().__init__(message, neededBytes=needed_bytes, budgetBytes=budget_bytes)
        self.fatal = fatal
        self.session = session


class JournalUnavailable(OperatorError):
    """The journal cannot be opened, read or written: what is wrong with which file, and what to do."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, path=path)


class JournalNotOpened(JournalUnavailable):
    """The process cannot start with the journal of this `stateDir` (exit 78)."""


class JournalLost(JournalUnavailable):
    """A file of the open journal was removed or replaced: the process stores nothing more."""


class SearchUnavailable(OperatorError):
    """The search index cannot be used now: why, and what Kato or the user does about it. It is derived from the journal, so
    that nothing is lost.
    """
