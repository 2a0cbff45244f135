"""`kato acp` between the official SDK's client and an agent that is written with it."""

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from builders import START_MS
from kato.core.events import SessionKey
from kato.core.lenient_json import loads
from kato.storage.journal import Journal
from kato.system import local_sockets
from logs import wait_for

pytestmark = pytest.mark.skipif(not local_sockets.IS_SUPPORTED, reason="Python has no local sockets here")

AGENT = """
import asyncio
from acp import Agent, PromptResponse, run_agent, start_tool_call, tool_diff_content, update_agent_message_text, update_tool_call
from acp.schema import Implementation, InitializeResponse, NewSessionResponse, PermissionOption, ToolCallUpdate


class Careful(Agent):
    def on_connect(self, conn):
        self.client = conn

    async def initialize(self, protocol_version, **_):
        return InitializeResponse(protocol_version=protocol_version, agent_info=Implementation(name="careful-agent", title="Careful", version="1"))

    async def new_session(self, cwd, **_):
        return NewSessionResponse(session_id="sdk-1")

    async def prompt(self, session_id, prompt, **_):
        await self.client.session_update(session_id=session_id, update=update_agent_message_text("I want to change a file."))
        call = start_tool_call("c-1", "Edit a.py", kind="edit", content=[tool_diff_content("/work/a.py", "new", "old")])
        await self.client.session_update(session_id=session_id, update=call)
        asked = await self.client.request_permission(
            session_id=session_id,
            tool_call=ToolCallUpdate(tool_call_id="c-1"),
            options=[PermissionOption(option_id="no", name="No", kind="reject_once")],
        )
        await self.client.session_update(session_id=session_id, update=update_tool_call("c-1", status="failed"))
        await self.client.session_update(session_id=session_id, update=update_agent_message_text("Then not."))
        return PromptResponse(stop_reason="end_turn")


asyncio.run(run_agent(Careful()))
"""


async def test_the_official_client_and_agent_talk_through_kato(
    environment: dict[str, str], work: Path
) -> None:
    import acp  # it takes a second, and cannot be imported where Windows is imitated
    from acp.schema import AllowedOutcome, ClientCapabilities, RequestPermissionResponse

    shown: list[str] = []

    class Editor:
        def on_connect(self, conn: Any) -> None:
            del conn

        async def request_permission(
            self, session_id: str, tool_call: Any, options: Any, **_: Any
        ) -> RequestPermissionResponse:
            chosen = options[0].option_id
            return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen))

        async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
            if update.session_update == "agent_message_chunk":
                shown.append(update.content.text)

    editor = cast("acp.Client", Editor())  # it needs no other methods
    program, state = work.parent / "agent.py", work.parent / "state"
    program.write_text(AGENT)
    command = ["-m", "kato", "acp", "--state-dir", str(state), "--", sys.executable, str(program)]
    async with acp.spawn_agent_process(editor, sys.executable, *command, env=environment, cwd=work) as (
        agent,
        _,
    ):
        opened = await agent.initialize(protocol_version=1, client_capabilities=ClientCapabilities())
        assert opened.agent_info is not None
        assert opened.agent_info.name == "careful-agent"
        session = await agent.new_session(cwd=str(work), mcp_servers=[])
        done = await agent.prompt(
            session_id=session.session_id, prompt=[acp.text_block("Change it.\n::capture sdk.md")]
        )
        assert done.stop_reason == "end_turn"
        await wait_until(lambda: len(shown) == 3)
    assert [one for one in shown if "Kato" not in one] == ["I want to change a file.", "Then not."]
    assert "\n\nKato: recording to sdk.md\n\n" in shown
    note = work / "sdk.md"
    wait_for(lambda: note.exists() and "Then not." in note.read_text(), "the note", 30)
    assert "# Careful_" in note.read_text()
    journal = Journal.open(state, now_ms=lambda: START_MS)
    stored = [loads(line) for _, line in journal.read(SessionKey("careful-agent", "sdk-1"))]
    journal.close()
    assert [one["kind"].rpartition(".")[2] for one in stored] == [
        "user",
        "assistant",
        "call",
        "result",
        "assistant",
    ]
    assert stored[0]["content"] == "Change it.\n::capture sdk.md"
    assert stored[2]["input"] == {"file_path": "/work/a.py", "old_string": "old", "new_string": "new"}
    assert stored[3]["outcome"] == "denied"


async def wait_until(condition: Any) -> None:
    """Waits without holding up the client."""
    import asyncio

    for _ in range(1500):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("what Kato shows did not come within 30 s")
