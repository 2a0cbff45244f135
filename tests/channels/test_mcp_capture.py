"""An assistant captures a conversation: the Kato that follows it writes, under its own policy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builders import assistant, user
from channels.stored import store
from conftest import Start
from kato.channels.mcp.archive import Archive
from kato.channels.mcp.control import SocketControl
from kato.channels.mcp.protocol import ToolResult
from kato.channels.mcp.tools import Tools
from kato.storage.journal import Journal
from kato.storage.search import Indexer
from kato.system import local_sockets
from logs import wait_for

pytestmark = pytest.mark.skipif(not local_sockets.IS_SUPPORTED, reason="Python has no local sockets here")


class Assistant:
    """An assistant's MCP server in the folder `work`, with a Kato in whose window that folder is open."""

    def __init__(self, start: Start, environment: dict[str, str], tmp_path: Path) -> None:
        self.work, self.state = tmp_path / "work", tmp_path / "state"
        self.work.mkdir()
        self.name = store(self.state, [user("What is a heap?", 1), assistant("A tree.", 2)], cwd=self.work)
        self.tools = Tools(self.open, SocketControl(environment), folder=str(self.work), nonce=lambda: "n")
        self.client = start(initialize=False)
        self.client.initialize(options={"stateDir": str(self.state)}, folders=[str(self.work)])
        self.client.request("kato/memory")
        wait_for(lambda: local_sockets.sockets(environment), "the socket")

    @contextmanager
    def open(self) -> Iterator[Archive]:
        journal = Journal.open(self.state, now_ms=lambda: 0)
        yield Archive(journal, str(self.work), Indexer(self.state), str)
        journal.close()

    def capture(self, path: str, **more: str) -> ToolResult:
        return self.tools.call("capture", {"path": path, **more})


@pytest.fixture
def helper(start: Start, environment: dict[str, str], tmp_path: Path) -> Assistant:
    return Assistant(start, environment, tmp_path)


def test_a_capture_writes_the_note_and_goes_on_recording(helper: Assistant) -> None:
    assert helper.capture("notes/heap.md") == ToolResult("Kato: recording to notes/heap.md")
    assert "A tree." in (helper.work / "notes" / "heap.md").read_text()
    status = helper.tools.call("recording_status", {}).text
    assert status.startswith("Kato is running. Recorded in this folder: 1 conversation.")
    assert f"records to {helper.work}/notes/heap.md" in status


def test_an_export_writes_once(helper: Assistant) -> None:
    assert helper.capture("heap.jsonl", mode="export") == ToolResult("Kato: exported to heap.jsonl")
    lines = (helper.work / "heap.jsonl").read_text().splitlines()
    assert [json.loads(line)["content"] for line in lines] == ["What is a heap?", "A tree."]
    assert "No conversation" in helper.tools.call("recording_status", {}).text


@pytest.mark.parametrize(
    "path", ["/etc/heap.md", "../heap.md", "~/heap.md", "heap.sh", ".git/heap.md", "a\nb.md", "link/heap.md"]
)
def test_the_write_policy_decides(helper: Assistant, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (helper.work / "link").symlink_to(outside)
    before = sorted(tmp_path.rglob("heap*"))
    result = helper.capture(path)
    assert result.is_error
    assert sorted(tmp_path.rglob("heap*")) == before


def test_text_that_stands_in_the_note_is_copied_first(helper: Assistant) -> None:
    (helper.work / "mine.md").write_text("my own words\n")
    result = helper.capture("mine.md")
    backup = result.text.split("(what stood there is in ")[1].removesuffix(")")
    assert Path(backup).read_text() == "my own words\n"


def test_a_kato_in_another_folder_does_not_write(
    start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "notes"
    other.mkdir()
    client = start(initialize=False)
    client.initialize(options={"stateDir": str(tmp_path / "s")}, folders=[str(other)])
    client.request("kato/memory")
    wait_for(lambda: local_sockets.sockets(environment), "the socket")
    store(tmp_path / "s", [user("x", 1)], cwd=tmp_path / "work")
    journal = Journal.open(tmp_path / "s", now_ms=lambda: 0)
    (found,) = [one for one, _ in journal.status_sessions(since_ms=None, limit=5)]
    journal.close()
    result = SocketControl(environment).capture(found, "n.md", "capture")
    assert result.is_error
    assert "no running Kato has the conversation's folder open" in result.text
    assert "run `kato watch`" in result.text
