"""Open documents against the real process: what a client sends of them, and what the server asks of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from builders import assistant, request, user
from conftest import Start
from editors import Editor
from kato.cli.client import Client, RequestFailed
from kato.core.lenient_json import dumps
from kato.lsp.framing import encode_frame

EDITS = {"workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}}}
KATOS = EDITS | {"experimental": {"katoNotice": True, "katoDocuments": True}}


class Desk:
    """A client of the server with an editor in front of it."""

    def __init__(self, client: Client, **more: Any) -> None:
        self.client = client
        self.editor = Editor(client.notify, **more)

    def play(self) -> None:
        """Answers what the server asks, until it asks nothing more."""
        while True:
            self.client.request("kato/memory")
            asked = [one for one in self.client.notifications if one["method"] == "workspace/applyEdit"]
            if not asked:
                return
            for one in asked:
                self.client.notifications.remove(one)
                self.editor.apply_edit(one["params"], partial(self.answer, one["id"]))

    def answer(self, number: Any, applied: bool) -> None:
        body = {"jsonrpc": "2.0", "id": number, "result": {"applied": applied}}
        self.client.write(encode_frame(dumps(body)))

    def say(self, *events: dict[str, Any], **fields: Any) -> Any:
        answer = self.client.request("kato/appendEvents", request(events, **fields))
        self.play()
        return answer

    def do(self, action: Callable[..., None], *arguments: Any, **more: Any) -> None:
        action(*arguments, **more)
        self.play()

    def notices(self) -> list[Any]:
        return [one["params"] for one in self.client.notifications if one["method"] == "kato/notice"]


@pytest.mark.parametrize("journal", [True, False])
@pytest.mark.parametrize(("capabilities", "reports"), [(EDITS, False), (KATOS, True)])
def test_an_unsaved_note_is_appended_to_in_the_editor(
    start: Start, notes: Path, capabilities: Any, reports: bool, journal: bool
) -> None:
    desk = Desk(start({"journal": journal}, capabilities=capabilities), reports=reports)
    desk.say(user("hello\n::capture talk.md"), cwd=str(notes))
    note = notes / "talk.md"
    desk.do(desk.editor.open, note)
    desk.do(desk.editor.type, note, "my remark")
    desk.say(assistant("said while it was unsaved 😀", 1))
    desk.say(assistant("and more", 2))
    assert desk.editor.edits == 2
    desk.do(desk.editor.save, note)
    desk.do(desk.editor.close, note)
    desk.say(assistant("after", 3))
    assert note.read_text().endswith(
        "::capture talk.md\nmy remark\n\n# Assistant_2026-02-25_0613_21\n\nsaid while it was unsaved 😀\n"
        "\nand more\n\nafter\n"
    )


def test_positions_are_counted_as_it_was_negotiated(start: Start, notes: Path) -> None:
    capabilities = KATOS | {"general": {"positionEncodings": ["utf-8", "utf-16"]}}
    desk = Desk(start(capabilities=capabilities), encoding="utf-8")
    desk.say(user("hello\n::capture talk.md"), cwd=str(notes))
    note = notes / "talk.md"
    desk.do(desk.editor.open, note)
    desk.do(desk.editor.type, note, "€ 😀 ä")
    desk.say(assistant("said", 1))
    assert desk.editor.buffers[note].text.endswith("€ 😀 ä\n\n# Assistant_2026-02-25_0613_21\n\nsaid\n")


@pytest.mark.parametrize(
    "capabilities",
    [
        None,
        {"experimental": {"katoDocuments": True}},
        {"workspace": {"applyEdit": True}},
        {"workspace": {"workspaceEdit": {"documentChanges": True}}},
    ],
)
def test_a_client_that_cannot_edit_for_a_version_is_not_asked_to(
    start: Start, notes: Path, capabilities: Any
) -> None:
    desk = Desk(start(capabilities=capabilities))
    desk.say(user("hello\n::capture talk.md"), cwd=str(notes))
    note = notes / "talk.md"
    desk.do(desk.editor.open, note)
    desk.do(desk.editor.type, note, "my remark")
    desk.say(assistant("said", 1))
    assert desk.editor.edits == 0
    assert note.read_text().endswith("said\n")


def test_an_error_in_answer_to_an_edit_is_a_refusal(start: Start, notes: Path) -> None:
    desk = Desk(start({"heartbeatSeconds": 3600}, capabilities=KATOS))
    desk.say(user("hello\n::capture talk.md"), cwd=str(notes))
    note = notes / "talk.md"
    desk.do(desk.editor.open, note)
    desk.do(desk.editor.type, note, "a")
    desk.client.request("kato/appendEvents", request([assistant("said", 1)]))
    desk.client.request("kato/memory")
    (asked,) = [one for one in desk.client.notifications if one["method"] == "workspace/applyEdit"]
    desk.client.notifications.remove(asked)
    error = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32603, "message": "no"}}
    desk.client.write(encode_frame(dumps(error)))
    desk.play()
    desk.do(desk.editor.type, note, "b")
    assert desk.editor.buffers[note].text.endswith("ab\n\n# Assistant_2026-02-25_0613_21\n\nsaid\n")


def test_the_server_that_ends_and_the_next_one_lose_nothing_that_was_unsaved(
    start: Start, notes: Path
) -> None:
    first = Desk(start(capabilities=KATOS))
    first.say(user("hello\n::capture talk.md"), cwd=str(notes))
    note = notes / "talk.md"
    first.do(first.editor.open, note)
    first.do(first.editor.type, note, "my remark")
    first.say(assistant("never saved", 1))
    unsaved = first.editor.buffers[note].text
    first.client.close()
    second = Desk(start(capabilities=KATOS))
    second.do(second.editor.open, note, unsaved)
    second.say(assistant("next", 2))
    assert second.editor.buffers[note].text == unsaved + "\nnext\n"
    second.do(second.editor.close, note)
    assert note.read_text().endswith("# Assistant_2026-02-25_0613_21\n\nnever saved\n\nnext\n")


def test_renaming_and_deleting_in_the_editor_is_followed(start: Start, notes: Path) -> None:
    desk = Desk(start(capabilities=KATOS))
    desk.say(user("hello\n::capture log/talk.md"), cwd=str(notes))
    (notes / "log").rename(notes / "renamed folder")
    old, new = (notes / "log").as_uri(), (notes / "renamed folder").as_uri()
    desk.client.notify("workspace/didRenameFiles", {"files": [{"oldUri": old, "newUri": new}]})
    note = notes / "renamed folder" / "talk.md"
    desk.say(assistant("more", 1))
    assert note.read_text().endswith("more\n")
    assert not (notes / "log").exists()
    note.unlink()
    desk.client.notify("workspace/didDeleteFiles", {"files": [{"uri": note.as_uri()}]})
    desk.play()
    (notice,) = desk.notices()
    assert notice["kind"] == "note_missing"
    assert notice["data"]["path"] == str(note)
    desk.say(assistant("and more", 2))
    assert not note.exists()
    outcome = desk.client.request(
        "workspace/executeCommand",
        {
            "command": "kato.capture",
            "arguments": [{"provider": "claude", "sessionId": "session-1", "path": notice["data"]["path"]}],
        },
    )
    assert outcome["status"] == "ok"
    assert note.read_text().endswith("more\n\nand more\n")


def test_the_client_is_asked_to_report_notes_and_folders_alone(start: Start, notes: Path) -> None:
    client = start(initialize=False)
    capabilities = {"workspace": {"fileOperations": {"didRename": True, "didDelete": True}}}
    result = client.initialize(options={"stateDir": str(notes.parent / "state")}, capabilities=capabilities)
    operations = result["capabilities"]["workspace"]["fileOperations"]
    assert operations["didRename"] == operations["didDelete"]
    patterns = [one["pattern"] for one in operations["didRename"]["filters"]]
    assert patterns == [
        {"glob": "**/*{.md,.markdown,.txt,.jsonl}"},
        {"glob": "**", "matches": "folder"},
    ]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/didOpen", {"textDocument": {"uri": "untitled:Untitled-1", "version": 1, "text": "x"}}),
        (
            "textDocument/didOpen",
            {"textDocument": {"uri": "file:///gone/talk.md", "version": 1, "text": "x"}},
        ),
        ("textDocument/didOpen", {"textDocument": {"uri": 3}}),
        (
            "textDocument/didChange",
            {"textDocument": {"uri": "file:///never/opened.md", "version": 2}, "contentChanges": []},
        ),
        ("textDocument/didSave", {}),
        ("textDocument/didClose", {"textDocument": {"uri": "file:///never/opened.md"}}),
        ("kato/documentDirty", {"uri": "file:///never/opened.md", "dirty": True}),
        ("kato/documentDirty", {"dirty": "yes"}),
        ("workspace/didRenameFiles", {"files": [{"oldUri": "x:", "newUri": "file:///y"}]}),
        ("workspace/didDeleteFiles", {"files": "all"}),
    ],
    ids=range(10),
)
def test_what_is_not_a_note_or_not_valid_changes_nothing(start: Start, method: str, params: Any) -> None:
    client = start(capabilities=KATOS)
    client.notify(method, params)
    assert client.request("kato/memory")["snapshots"]["sessionCount"] == 0


def test_the_text_of_open_documents_is_not_kept(start: Start, notes: Path) -> None:
    client = start(capabilities=KATOS)
    before = client.request("kato/memory")["process"]["rss"]
    for number in range(20):
        document = {"uri": (notes / f"{number}.md").as_uri(), "version": 1, "text": "text\n" * 200_000}
        client.notify("textDocument/didOpen", {"textDocument": document})
    after = client.request("kato/memory")["process"]["rss"]
    assert after - before < 15 * 1024 * 1024, "20 MB of text were opened"


def test_where_an_unknown_session_would_go_is_not_known(start: Start) -> None:
    client = start()
    with pytest.raises(RequestFailed) as failure:
        client.request("kato/destination", {"provider": "claude", "sessionId": "nothing"})
    assert failure.value.code == -32011
