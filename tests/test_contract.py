"""The wire contract is declared once: the documents, `contract.json` and `package.json` say what the code says."""

import json
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import pytest

from kato.app.catalogue import ConversationSummary
from kato.core import views
from kato.core.events import ConversationEvent
from kato.core.notices import Notice, NoticeKind
from kato.core.outcomes import CommandOutcome, OutcomeError
from kato.core.searching import Mark, SearchHit
from kato.core.settings import TABLE, Key, Settings
from kato.lsp import contract, wire
from kato.lsp.methods import METHODS, Method

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
README = (ROOT / "README.md").read_text()
PACKAGE = json.loads((ROOT / "client-vscode" / "package.json").read_text())
OFFERED = {
    name: offered
    for category in PACKAGE["contributes"]["configuration"]
    for name, offered in category["properties"].items()
}

#: The structs that the protocol document lists by name; all others stand in the row of their method.
DOCUMENTED: Final[dict[str, type[Any]]] = {
    struct.__name__: struct
    for struct in (
        views.MemoryStatus,
        views.ProcessMemory,
        views.SnapshotStats,
        views.JournalStats,
        views.StatusSnapshot,
        views.ProviderStatus,
        views.RecordingsStatus,
        views.SessionStatus,
        views.RecordingStatus,
        views.ParentStatus,
        views.WatchingStatus,
        views.UnreadableStatus,
        views.SearchStatus,
        ConversationSummary,
        SearchHit,
        Mark,
        CommandOutcome,
        OutcomeError,
        Notice,
    )
}


def signature(struct: type[Any]) -> str:
    """A struct's fields as the documents show them: `{provider, events[], title?}`."""
    hints = msgspec.inspect.type_info(struct)
    assert isinstance(hints, msgspec.inspect.StructType)
    shown = (
        field.encode_name
        + "[]" * isinstance(field.type, msgspec.inspect.ListType)
        + "?" * (not field.required)
        for field in hints.fields
    )
    return f"{{{', '.join(shown)}}}"


def row(text: str, name: str) -> str:
    """The row of a document's table that begins with a name."""
    found = [line for line in text.splitlines() if line.startswith(f"| `{name}`")]
    assert len(found) == 1, f"{name}: {len(found)} rows"
    return found[0]


def default_in_document(key: Key) -> str:
    if key.setting.default_in_words is not None:
        return key.setting.default_in_words
    number = f"{key.default:g}" if isinstance(key.default, float) else json.dumps(key.default)
    return f"`{number.strip(chr(34))}`"


def setting_row(key: Key) -> str:
    """A setting in the protocol document."""
    environment = "" if key.environment is None else f"`{key.environment}`"
    effect = "at the next start" if key.setting.needs_restart else "live"
    return f"| `{key.name}` | {key.rule} | {default_in_document(key)} | {environment} | {effect} |"


def readme_row(key: Key) -> str:
    """A setting in the README."""
    environment = "" if key.environment is None else f"`{key.environment}`"
    restart = " Takes effect at the next start." if key.setting.needs_restart else ""
    cells = (key.rule, default_in_document(key), environment, key.setting.description + restart)
    return f"| `{key.name}` | {' | '.join(cells)} |"


def test_the_contract_file_is_up_to_date() -> None:
    assert contract.PATH.read_bytes() == contract.text(), "run python -m kato.lsp.contract"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_protocol_document_gives_the_fields_of_every_method(method: Method) -> None:
    # One struct has one row: kato/events has the params of kato/appendEvents.
    if method.name == "kato/events":
        assert "the same, as a notification" in row(PROTOCOL, method.name)
        return
    for struct in (method.params, method.result):
        if struct is not None:
            shown = struct.__name__ if struct.__name__ in DOCUMENTED else signature(struct)
            assert f"`{shown}`" in row(PROTOCOL, method.name)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_protocol_document_gives_the_fields_of_every_structure(name: str) -> None:
    assert f"- `{name}`: `{signature(DOCUMENTED[name])}`" in PROTOCOL


def test_no_struct_of_the_contract_is_undocumented() -> None:
    in_rows = {
        one.__name__
        for method in METHODS
        for one in (method.params, method.result, wire.CommandParams)
        if one is not None
    }
    of_events = {kind.__name__ for kind in ConversationEvent.__args__} | {"Source"}
    assert set(contract.contract()["structs"]) - in_rows - of_events - DOCUMENTED.keys() == set()


@pytest.mark.parametrize("kind", ConversationEvent.__args__, ids=lambda kind: kind.__struct_config__.tag)
def test_the_protocol_document_gives_the_fields_of_every_event(kind: type[Any]) -> None:
    common = {"eventId", "provider", "sessionId", "timestamp", "source", "turnId"}
    own = [one.encode_name for one in msgspec.structs.fields(kind) if one.encode_name not in common]
    shown = row(PROTOCOL, kind.__struct_config__.tag)
    assert [name for name in own if f"`{name}" not in shown] == []


def test_the_protocol_document_gives_the_params_of_commands() -> None:
    assert signature(wire.CommandParams) in row(PROTOCOL, "workspace/executeCommand")
    assert [name for name in wire.COMMANDS if f"`{name}`" not in PROTOCOL] == []


@pytest.mark.parametrize("kind", get_args(NoticeKind))
def test_the_protocol_document_gives_every_kind_of_notice(kind: str) -> None:
    row(PROTOCOL, kind)


@pytest.mark.parametrize("code", [*contract.ERROR_CODES.values(), *contract.EXIT_CODES.values()])
def test_the_protocol_document_gives_every_code(code: int) -> None:
    assert f"`{code}`" in PROTOCOL


@pytest.mark.parametrize("key", TABLE, ids=lambda key: key.name)
def test_the_documents_give_the_rule_and_default_of_every_setting(key: Key) -> None:
    assert row(PROTOCOL, key.name) == setting_row(key)
    assert row(README, key.name) == readme_row(key)


@pytest.mark.parametrize("setting", contract.contract()["settings"], ids=lambda setting: setting["name"])
def test_the_extension_offers_every_setting_with_its_rule_and_default(setting: dict[str, Any]) -> None:
    offered = OFFERED[f"kato.{setting['name']}"]
    for part in ("type", "minimum", "maximum", "enum", "scope", "markdownDescription"):
        assert offered.get(part) == setting.get(part), part
    default = json.loads(json.dumps(setting["default"]))
    assert offered["default"] == ("" if default is None else default)


def test_the_extension_lets_no_untrusted_folder_change_where_and_how_the_server_runs() -> None:
    restricted = PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    scoped = {f"kato.{key.name}" for key in TABLE if key.setting.scope != "window"}
    assert scoped <= set(restricted)


@pytest.mark.parametrize("key", TABLE, ids=lambda key: key.name)
def test_every_default_keeps_its_own_rule(key: Key) -> None:
    default = getattr(Settings(), key.field)
    if default is None:
        assert key.setting.default_in_words is not None
    else:
        assert key.setting.rule.check(default) == default
