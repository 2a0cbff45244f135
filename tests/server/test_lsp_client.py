"""An ordinary LSP client, as pytest-lsp drives one, against the real server."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

from builders import assistant, conversation, request, user


@pytest_lsp.fixture(
    config=ClientServerConfig(server_command=[sys.executable, "-m", "kato", "serve", "--stdio"])
)
async def client(lsp_client: LanguageClient, tmp_path: Path) -> AsyncIterator[None]:
    told: list[tuple[str, Any]] = []
    lsp_client.told = told  # type: ignore[attr-defined]
    for method in ("kato/statusChanged", "kato/commandExecuted"):

        @lsp_client.feature(method)
        def note(params: Any, method: str = method) -> None:
            told.append((method, params))

    result = await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(),
            initialization_options={"stateDir": str(tmp_path / "state")},
            workspace_folders=[types.WorkspaceFolder(uri=tmp_path.as_uri(), name="notes")],
        )
    )
    lsp_client.result = result  # type: ignore[attr-defined]
    yield
    await lsp_client.shutdown_session()


async def test_initialize_names_the_server_and_its_commands(client: LanguageClient) -> None:
    result: types.InitializeResult = client.result  # type: ignore[attr-defined]
    assert result.server_info is not None
    assert result.server_info.name == "kato"
    provider = result.capabilities.execute_command_provider
    assert provider is not None
    names = ("init", "record", "capture", "export", "stop", "off", "on")
    assert set(provider.commands) == {f"kato.{name}" for name in names}
    sync = result.capabilities.text_document_sync
    assert isinstance(sync, types.TextDocumentSyncOptions)
    assert (sync.open_close, sync.change) == (True, types.TextDocumentSyncKind.Incremental)
    assert sync.save == types.SaveOptions(include_text=False)
    assert not sync.will_save


async def test_a_conversation_is_captured_by_command(client: LanguageClient, tmp_path: Path) -> None:
    answer = await client.protocol.send_request_async(
        "kato/appendEvents", request(conversation(3), cwd=str(tmp_path))
    )
    assert answer.accepted == 3
    outcome = await client.workspace_execute_command_async(
        types.ExecuteCommandParams(
            command="kato.capture",
            arguments=[{"provider": "claude", "sessionId": "session-1", "path": "talk.md"}],
        )
    )
    assert outcome is not None
    assert outcome["status"] == "ok" if isinstance(outcome, dict) else outcome.status == "ok"
    client.protocol.notify("kato/events", request([assistant("and on", 3)]))
    memory = await client.protocol.send_request_async("kato/memory", None)
    assert memory.snapshots.eventCount == 4
    assert (tmp_path / "talk.md").read_text().endswith("and on\n")


async def test_a_failed_command_is_shown_and_reported(client: LanguageClient) -> None:
    await client.protocol.send_request_async("kato/appendEvents", request([user("::capture /etc/x.md")]))
    await client.protocol.send_request_async("kato/memory", None)
    assert [message.type for message in client.messages] == [types.MessageType.Error]
    told = [params for method, params in client.told if method == "kato/commandExecuted"]  # type: ignore[attr-defined]
    assert [one.status for one in told] == ["error"]


async def test_a_note_is_shown_by_its_turns(client: LanguageClient, tmp_path: Path) -> None:
    said = request(
        [user("why?\n::capture talk.md"), assistant("Because.", 1, model="opus")], cwd=str(tmp_path)
    )
    await client.protocol.send_request_async("kato/appendEvents", said)
    note = tmp_path / "talk.md"
    item = types.TextDocumentItem(note.as_uri(), "markdown", 1, note.read_text())
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    document = types.TextDocumentIdentifier(note.as_uri())
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(document))
    assert symbols is not None
    assert [one.name for one in symbols] == ["You, 06:13: why?", "opus, 06:13"]
    folds = await client.text_document_folding_range_async(types.FoldingRangeParams(document))
    assert folds is not None
    assert len(folds) == 3
    lenses = await client.text_document_code_lens_async(types.CodeLensParams(document))
    assert lenses is not None
    assert lenses[0].command is None
    state = await client.code_lens_resolve_async(lenses[0])
    commands = [one.command for one in (state, *lenses[1:])]
    assert [one.title for one in commands if one is not None] == ["Recording, now", "Stop", "Update"]
    line = note.read_text().split("\n").index("# opus_2026-02-25_0613_21")
    at = types.HoverParams(document, types.Position(line, 2))
    hover = await client.text_document_hover_async(at)
    assert hover is not None
    assert isinstance(hover.contents, types.MarkupContent)
    assert hover.contents.value.startswith("**opus**, 2026-02-25 06:13:21\n\nModel: opus\n")
    links = await client.text_document_document_link_async(types.DocumentLinkParams(document))
    assert links is not None
    assert [one.target for one in links] == [None, tmp_path.as_uri()]
