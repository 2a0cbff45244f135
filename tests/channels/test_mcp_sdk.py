"""`kato mcp` with the official SDK as its client, in both kinds of revisions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import assistant, user
from channels.stored import store
from kato.channels.mcp.tools import TOOLS

if TYPE_CHECKING:
    from mcp.client import Client


def connect(environment: dict[str, str], cwd: Path, mode: str) -> "Client":
    from mcp import (
        StdioServerParameters,  # it takes a second, and cannot be imported where Windows is imitated
    )
    from mcp.client import Client
    from mcp.client.stdio import stdio_client

    arguments = ["-m", "kato", "mcp", "--state-dir", str(cwd.parent / "state")]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environment, cwd=cwd)
    return Client(stdio_client(server), mode=mode)


def configure(environment: dict[str, str], text: str) -> None:
    Path(environment["KATO_CONFIG"]).write_text(text)


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_the_official_client_lists_and_calls_the_tools(
    environment: dict[str, str], work: Path, mode: str
) -> None:
    name = store(
        work.parent / "state",
        [user("Why does a B-tree split?", 1), assistant("Because a page is full.", 2)],
        cwd=work,
        title="B-trees",
    )
    async with connect(environment, work, mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == [tool.name for tool in TOOLS]
        answers = {
            "search_conversations": {"query": "page FULL"},
            "list_conversations": {},
            "read_conversation": {"id": name},
            "recording_status": {},
        }
        texts = {}
        for tool, arguments in answers.items():
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result
            (block,) = result.content
            assert block.type == "text"
            texts[tool] = block.text
        refused = await client.call_tool("capture", {"path": "n.md"})
    assert f"{name} #2 assistant B-trees" in texts["search_conversations"]
    assert "B-trees" in texts["list_conversations"]
    assert "Because a page is full." in texts["read_conversation"]
    assert "No conversation of this folder is recorded." in texts["recording_status"]
    assert refused.is_error
    assert "No Kato is running" in str(refused.content)
    assert not (work / "n.md").exists()


async def test_the_client_learns_which_revision_the_server_speaks(
    environment: dict[str, str], work: Path
) -> None:
    async with connect(environment, work, "auto") as client:
        assert client.session.protocol_version == "2026-07-28"
    async with connect(environment, work, "legacy") as client:
        assert client.session.protocol_version == "2025-11-25"


@pytest.mark.parametrize(("setting", "is_shown"), [("mask", False), ("off", True)])
async def test_secrets_are_masked_as_the_setting_for_notes_says(
    environment: dict[str, str], work: Path, setting: str, is_shown: bool
) -> None:
    token = "gh" + "p_aBcD1234567890efGHijKLmnOPqrSTuvWX12"
    name = store(work.parent / "state", [user(f"My token is {token}", 1)], cwd=work)
    configure(environment, f'[notes]\nredactSecrets = "{setting}"\n')
    async with connect(environment, work, "auto") as client:
        result = await client.call_tool("read_conversation", {"id": name})
    assert (token in str(result.content)) is is_shown
    assert ("[redacted: GitHub token]" in str(result.content)) is not is_shown
