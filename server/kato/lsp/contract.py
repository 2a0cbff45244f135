"""The wire contract as data, for clients that are not written in Python: `client-vscode/contract.json`.

    python -m kato.lsp.contract     writes the file, from the declarations in the code

It holds the methods, the commands, the kinds of notices, the settings, the codes, and a JSON Schema of each struct. The
extension's tests check its own declarations against it; a test of the server's checks that the file is up to date.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import orjson

from kato.core import errors
from kato.core.events import ConversationEvent
from kato.core.notices import NoticeKind, Severity
from kato.core.outcomes import CommandOutcome
from kato.core.settings import TABLE, Key
from kato.lsp import life, protocol, wire
from kato.lsp.methods import METHODS

PATH: Final = Path(__file__).parents[3] / "client-vscode" / "contract.json"

ERROR_CODES: Final = {
    "parseError": protocol.PARSE_ERROR,
    "invalidRequest": life.INVALID_REQUEST,
    "methodNotFound": protocol.METHOD_NOT_FOUND,
    "invalidParams": errors.INVALID_PARAMS,
    "internalError": errors.INTERNAL_ERROR,
    "notInitialized": life.NOT_INITIALIZED,
    "budgetExceeded": errors.BUDGET_EXCEEDED,
    "unknownSession": errors.UNKNOWN_SESSION,
    "pathDenied": errors.PATH_DENIED,
    "writeFailed": errors.WRITE_FAILED,
    "commandRefused": errors.COMMAND_REFUSED,
    "requestCancelled": errors.REQUEST_CANCELLED,
}
EXIT_CODES: Final = {
    "ok": errors.EXIT_OK,
    "noShutdown": errors.EXIT_NO_SHUTDOWN,
    "overBudget": errors.EXIT_BUDGET,
    "invalidConfiguration": errors.EXIT_CONFIG,
}


def contract() -> dict[str, Any]:
    """The contract as JSON values."""
    return {
        "methods": [
            {
                "name": method.name,
                "sender": method.sender,
                "kind": method.kind,
                "params": _name(method.params),
                "result": _name(method.result),
            }
            for method in METHODS
        ],
        "commands": {
            "names": list(wire.COMMANDS),
            "argument": _name(wire.CommandParams),
            "result": _name(CommandOutcome),
        },
        "notices": {"kinds": list(get_args(NoticeKind)), "severities": list(get_args(Severity))},
        "settings": [_setting(key) for key in TABLE],
        "errorCodes": ERROR_CODES,
        "exitCodes": EXIT_CODES,
        "events": [kind.__struct_config__.tag for kind in ConversationEvent.__args__],
        "structs": _structs(structs()),
    }


def structs() -> list[type[Any]]:
    """The structs of the contract, those of methods first."""
    named = [one for method in METHODS for one in (method.params, method.result) if one is not None]
    return list(dict.fromkeys([*named, wire.CommandParams, CommandOutcome]))


def text() -> bytes:
    """The content of the file."""
    return orjson.dumps(contract(), None, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _name(struct: type[Any] | None) -> str | None:
    return None if struct is None else struct.__name__


def _setting(key: Key) -> dict[str, Any]:
    """A setting as VS Code declares it in `package.json`, where an empty text stands for a default of null."""
    return {
        "name": key.name,
        **key.setting.rule.schema,
        "default": key.default,
        "scope": key.setting.scope,
        "markdownDescription": _description(key),
        "environment": key.environment,
        "needsRestart": key.setting.needs_restart,
    }


def _description(key: Key) -> str:
    """The description with links to other settings, in the syntax of VS Code."""
    names = "|".join(re.escape(one.name) for one in TABLE)
    parts = [re.sub(f"`({names})`", r"`#kato.\1#`", key.setting.description)]
    if key.setting.default_in_words is not None:
        parts.append(f"Empty: {key.setting.default_in_words}.")
    if key.setting.needs_restart:
        parts.append("Takes effect when the server restarts.")
    return " ".join(parts)


def _structs(types: Iterable[type[Any]]) -> dict[str, Any]:
    """A JSON Schema of each struct and of those in it, by name, without the texts of docstrings."""
    _, found = msgspec.json.schema_components(types, ref_template="#/structs/{name}")
    return {
        name: {part: value for part, value in schema.items() if part not in ("title", "description")}
        for name, schema in sorted(found.items())
    }


def main() -> int:
    """Writes the file."""
    PATH.write_bytes(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
