"""What editors are shown of Kato's own notes, by the real process: symbols, folding, links, code lenses, hovers."""

from pathlib import Path
from typing import Any

import pytest

from builders import assistant, conversation, request, user
from conftest import Start
from editors import Editor
from kato.cli.client import Client, RequestFailed
from kato.core import limits
from kato.core.lenient_json import dumps
from kato.lsp.framing import encode_frame
from logs import ClaudeLog, wait_for

TREE = {"textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}}}
REFRESH = {"workspace": {"codeLens": {"refreshSupport": True}}}
QUESTIONS = ("documentSymbol", "foldingRange", "documentLink", "codeLens")
SESSION = {"provider": "claude", "sessionId": "session-1"}


class Desk:
    """A server with an editor in front of it, and the note of a conversation that is open there."""

    def __init__(self, client: Client, notes: Path, **more: Any) -> None:
        self.client = client
        self.editor = Editor(client.notify, reports=False, **more)
        self.note = notes / "talk.md"
        self.notes = notes

    def capture(self, *events: dict[str, Any]) -> None:
        said = events or (
            user("why?\n::capture talk.md"),
            assistant("Because.\n\n## More\n\nText.", 1, model="opus"),
        )
        self.client.request("kato/appendEvents", request(said, cwd=str(self.notes)))

    def ask(self, question: str, path: Path | None = None, **more: Any) -> Any:
        document = {"textDocument": {"uri": (path or self.note).as_uri()}}
        return self.client.request(f"textDocument/{question}", document | more)

    def hover(self, line: int) -> Any:
        return self.ask("hover", position={"line": line, "character": 0})

    def line_of(self, text: str) -> int:
        return self.editor.buffers[self.note].text.split("\n").index(text)

    def lenses(self) -> list[str]:
        """The titles of the note's lenses, resolved as an editor does it."""
        return [
            (lens if "command" in lens else self.client.request("codeLens/resolve", lens))["command"]["title"]
            for lens in self.ask("codeLens")
        ]

    def answers(self, count: int) -> list[int]:
        """The ids of the next answers, in the order in which they come."""
        found: list[int] = []
        while len(found) < count:
            message = self.client.read_message()
            if "method" not in message:
                found.append(message["id"])
        return found

    def refreshes(self) -> int:
        self.client.request("kato/memory")
        asked = [one for one in self.client.notifications if one["method"] == "workspace/codeLens/refresh"]
        for one in asked:
            self.client.notifications.remove(one)
            self.client.write(encode_frame(dumps({"jsonrpc": "2.0", "id": one["id"], "result": None})))
        return len(asked)


@pytest.fixture
def desk(start: Start, notes: Path) -> Desk:
    return Desk(start(capabilities=TREE | REFRESH), notes)


def names(symbols: list[Any]) -> list[Any]:
    return [(one["name"], names(one["children"])) if "children" in one else one["name"] for one in symbols]


def test_the_turns_of_a_note_are_its_symbols(desk: Desk) -> None:
    desk.capture()
    desk.editor.open(desk.note)
    symbols = desk.ask("documentSymbol")
    assert names(symbols) == [("You, 06:13: why?", [("opus, 06:13", ["More"])])]
    (turn,) = symbols
    line = desk.line_of("# User_2026-02-25_0613_20")
    assert turn["range"]["start"] == {"line": line, "character": 0}
    assert turn["range"]["end"] == {"line": desk.line_of("Text."), "character": 5}
    assert turn["selectionRange"]["end"] == {"line": line, "character": 25}
    assert turn["detail"] == "2026-02-25 06:13:20"


def test_a_client_that_takes_no_tree_gets_a_list(start: Start, notes: Path) -> None:
    desk = Desk(start(), notes)
    desk.capture()
    desk.editor.open(desk.note)
    shown = [(one["name"], one.get("containerName")) for one in desk.ask("documentSymbol")]
    turn, reply = "You, 06:13: why?", "opus, 06:13"
    assert shown == [(turn, None), (reply, turn), ("More", reply)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_positions_are_counted_as_it_was_negotiated(start: Start, notes: Path, encoding: str) -> None:
    offered = {"general": {"positionEncodings": [encoding]}}
    desk = Desk(start(capabilities=TREE | offered), notes, encoding=encoding)
    desk.capture(user("why?\n::capture talk.md"), assistant("ä 😀", 1, model="😀"))
    desk.editor.open(desk.note)
    (turn,) = desk.ask("documentSymbol")
    heading = {"utf-8": 25, "utf-16": 23, "utf-32": 22}[encoding]
    assert turn["children"][0]["selectionRange"]["end"]["character"] == heading
    assert turn["range"]["end"]["character"] == {"utf-8": 7, "utf-16": 4, "utf-32": 3}[encoding]


def test_a_note_is_folded_by_its_parts(start: Start, notes: Path) -> None:
    folding = {"textDocument": {"foldingRange": {"rangeLimit": 3}}}
    desk = Desk(start(capabilities=folding), notes)
    desk.capture()
    desk.editor.open(desk.note)
    last = desk.line_of("Text.")
    turn, reply = desk.line_of("# User_2026-02-25_0613_20"), desk.line_of("# opus_2026-02-25_0613_21")
    assert desk.ask("foldingRange") == [
        {"startLine": 0, "endLine": turn - 2, "kind": "region"},
        {"startLine": turn, "endLine": last},
        {"startLine": reply, "endLine": last},
    ]


def test_a_hover_on_a_heading_says_who_spoke_when(desk: Desk) -> None:
    desk.capture()
    desk.editor.open(desk.note)
    desk.editor.type(desk.note, "tokens: 1234\n", len("---\n"))
    turn = desk.hover(desk.line_of("# User_2026-02-25_0613_20"))["contents"]
    assert turn["kind"] == "markdown"
    assert turn["value"].split("\n\n") == [
        "**You**, 2026-02-25 06:13:20",
        "Turn 1 of 1, answered by opus",
        "Conversation: why?",
        "Session: Claude Code `session-1`, recording, now",
        "Tokens of the conversation: 1,234",
    ]
    reply = desk.hover(desk.line_of("# opus_2026-02-25_0613_21"))["contents"]["value"].split("\n\n")
    assert reply[:3] == ["**opus**, 2026-02-25 06:13:21", "Model: opus", "Turn 1 of 1"]
    assert desk.hover(desk.line_of("## More")) is None
    assert desk.hover(desk.line_of("Because.")) is None


def test_links_and_tokens_of_a_conversation_that_is_followed(start: Start, notes: Path, home: Path) -> None:
    log = ClaudeLog(home, notes)
    (notes / "src").mkdir()
    (notes / "src" / "app.py").write_text("b\n")
    call = {"type": "tool_use", "id": "t1", "name": "Edit", "input": {"file_path": str(notes / "src" / "app.py"), "old_string": "a", "new_string": "b"}}  # fmt: skip
    gone = {"type": "tool_use", "id": "t2", "name": "Edit", "input": {"file_path": str(notes / "gone.py"), "old_string": "a", "new_string": "b"}}  # fmt: skip
    done = log.text("done")
    done[0]["message"]["usage"] = {"input_tokens": 1200, "output_tokens": 34}
    log.write(log.user("why?"), *log.reply(call, gone, stop="tool_use"), *done)
    desk = Desk(start(), notes)
    sessions = lambda: desk.client.request("kato/status", {"includeStale": True})["sessions"]  # noqa: E731
    wait_for(sessions, "the session")
    capture = {"provider": "claude", "sessionId": log.session, "path": str(desk.note)}
    desk.client.request("workspace/executeCommand", {"command": "kato.capture", "arguments": [capture]})
    desk.editor.open(desk.note)
    session, *files = desk.ask("documentLink")
    lines = desk.editor.buffers[desk.note].text.split("\n")

    def text_of(link: Any) -> str:
        first, last = link["range"]["start"], link["range"]["end"]
        return str(lines[first["line"]][first["character"] : last["character"]])

    app = (notes / "src" / "app.py").as_uri()
    found = [(text_of(link), link["target"]) for link in files]
    assert found == [(str(notes), notes.as_uri()), ("src/app.py", app), ("src/app.py", app)]
    assert "gone.py" in desk.note.read_text()
    assert text_of(session) == log.session
    line = next(number for number, text in enumerate(lines) if text.startswith("# User_"))
    assert "Tokens of the conversation: 1,234" in desk.hover(line)["contents"]["value"]
    resolved = desk.client.request("documentLink/resolve", session)
    assert resolved == session | {"target": log.path.as_uri()}
    log.path.unlink()
    with pytest.raises(RequestFailed, match="no log of this session"):
        desk.client.request("documentLink/resolve", session)


def test_lenses_show_the_state_of_the_recording(desk: Desk) -> None:
    desk.capture()
    desk.editor.open(desk.note)
    assert desk.lenses() == ["Recording, now", "Stop", "Update"]
    _, stop, _ = desk.ask("codeLens")
    assert desk.client.request("workspace/executeCommand", _call(stop))["status"] == "ok"
    wait_for(desk.refreshes, "the request to fetch lenses again")
    assert desk.lenses() == ["Captured, now", "Update"]


def test_update_writes_the_conversation_again(desk: Desk) -> None:
    desk.capture()
    desk.client.request("workspace/executeCommand", {"command": "kato.stop", "arguments": [SESSION]})
    desk.client.request("kato/appendEvents", request([assistant("said since", 2)]))
    assert "said since" not in desk.note.read_text()
    desk.editor.open(desk.note)
    *_, update = desk.ask("codeLens")
    outcome = desk.client.request("workspace/executeCommand", _call(update))
    assert (outcome["status"], outcome["outputPath"]) == ("ok", str(desk.note))
    assert desk.note.read_text().endswith("said since\n")
    assert desk.lenses()[-1] == "Update"


def _call(lens: Any) -> dict[str, Any]:
    return {"command": lens["command"]["command"], "arguments": lens["command"]["arguments"]}


def test_many_changes_are_one_refresh_and_none_is_sent_without_a_change(desk: Desk) -> None:
    desk.capture()
    desk.editor.open(desk.note)
    desk.lenses()
    for name in ("stop", "record", "stop", "record", "stop"):
        desk.client.request("workspace/executeCommand", {"command": f"kato.{name}", "arguments": [SESSION]})
    assert wait_for(desk.refreshes, "the request to fetch lenses again") == 1
    desk.lenses()
    desk.client.request("workspace/executeCommand", {"command": "kato.stop", "arguments": [SESSION]})
    other = request(conversation(2, session="other"), sessionId="other")
    desk.client.request("kato/appendEvents", other)
    with pytest.raises(pytest.fail.Exception):
        wait_for(desk.refreshes, "a refresh", 2 * limits.LENS_COALESCE_SECONDS)


def test_a_client_that_does_not_refresh_is_not_asked_to(start: Start, notes: Path) -> None:
    desk = Desk(start(capabilities=TREE), notes)
    desk.capture()
    desk.editor.open(desk.note)
    desk.lenses()
    desk.client.request("workspace/executeCommand", {"command": "kato.stop", "arguments": [SESSION]})
    with pytest.raises(pytest.fail.Exception):
        wait_for(desk.refreshes, "a refresh", 2 * limits.LENS_COALESCE_SECONDS)


FOREIGN = {
    "text": "# User_2026-02-25_0613_20\n\n## A\n",
    "a user's frontmatter": "---\ntitle: x\ntags: [a]\n---\n\n# User_2026-02-25_0613_20\n",
    "almost Kato's": "---\nprovider: claude\nsessionId: s\n---\n\n# User_2026-02-25_0613_20\n",
    "empty": "",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_a_document_that_is_not_a_note_has_no_answers(desk: Desk, text: str) -> None:
    other = desk.notes / "other.md"
    other.write_text(text)
    desk.editor.open(other)
    assert [desk.ask(question, other) for question in QUESTIONS] == [None] * 4
    assert desk.ask("hover", other, position={"line": 0, "character": 3}) is None
    desk.editor.type(other, "more\n", 0)
    assert [desk.ask(question, other) for question in QUESTIONS] == [None] * 4


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "file:///never/opened.md"])
def test_a_document_that_is_not_open_or_not_a_file_has_no_answers(desk: Desk, uri: str) -> None:
    for question in QUESTIONS:
        assert desk.client.request(f"textDocument/{question}", {"textDocument": {"uri": uri}}) is None


def test_unsaved_changes_are_in_the_answers(desk: Desk) -> None:
    desk.capture()
    desk.editor.open(desk.note)
    text = desk.note.read_text()
    desk.editor.type(desk.note, "# User_2026-02-25_0613_30\n\ntyped by the user\n\n", text.index("# opus"))
    assert [one["name"] for one in desk.ask("documentSymbol")] == [
        "You, 06:13: why?",
        "You, 06:13: typed by the user",
    ]
    desk.editor.delete(desk.note, "## More")
    (_, last) = desk.ask("documentSymbol")
    assert names([last]) == [("You, 06:13: typed by the user", ["opus, 06:13"])]
    desk.editor.delete(desk.note, "recordingIds")
    assert desk.ask("documentSymbol") is None


def test_a_document_that_becomes_a_note_while_it_is_open_has_answers(desk: Desk) -> None:
    desk.note.write_text("")
    desk.editor.open(desk.note)
    desk.capture()
    desk.editor.look()  # loads it again
    assert names(desk.ask("documentSymbol")) == [("You, 06:13: why?", [("opus, 06:13", ["More"])])]
    desk.editor.type(desk.note, "\n## Mine\n")
    assert names(desk.ask("documentSymbol")) == [("You, 06:13: why?", [("opus, 06:13", ["More", "Mine"])])]


def test_what_kato_appends_is_in_the_answers_once_the_editor_shows_it(desk: Desk) -> None:
    desk.capture()
    desk.editor.open(desk.note)
    assert len(desk.ask("documentSymbol")) == 1
    desk.client.request("kato/appendEvents", request([user("next", 2)]))
    assert len(desk.ask("documentSymbol")) == 1, "the editor shows the old text"
    desk.editor.look()
    assert [one["name"] for one in desk.ask("documentSymbol")] == ["You, 06:13: why?", "You, 06:13: next"]


def open_large(desk: Desk, megabytes: int) -> None:
    """A note that is larger than what is kept of it, and does not record."""
    desk.capture()
    desk.client.request("workspace/executeCommand", {"command": "kato.stop", "arguments": [SESSION]})
    more = "\n# User_2026-02-25_0613_30\n\n" + "some words\n" * 90_000
    text = desk.note.read_text() + more * megabytes
    desk.note.write_text(text)
    desk.editor.open(desk.note)


@pytest.mark.slow
def test_a_large_note_is_read_from_its_file_while_it_is_saved(desk: Desk) -> None:
    open_large(desk, 10)
    assert len(desk.ask("documentSymbol")) == 11
    desk.editor.type(desk.note, "x")
    assert desk.ask("documentSymbol") is None
    desk.editor.save(desk.note)
    assert len(desk.ask("documentSymbol")) == 11


@pytest.mark.slow
def test_a_note_that_is_closed_while_it_is_read_does_not_mix_with_the_next_one(desk: Desk) -> None:
    desk.capture()
    text = desk.note.read_text()
    paths = [desk.notes / "large.md", desk.notes / "small.md"]
    for path, content in zip(paths, (text + "more words\n" * 300_000, text + "\n## Small\n"), strict=True):
        path.write_text(content)
        document = {"uri": path.as_uri(), "version": 1, "text": content}
        desk.client.notify("textDocument/didOpen", {"textDocument": document})
    large, small = ({"textDocument": {"uri": path.as_uri()}} for path in paths)
    first = desk.client.send_request("textDocument/documentSymbol", large)
    desk.client.notify("textDocument/didClose", large)
    second = desk.client.send_request("textDocument/documentSymbol", small)
    assert desk.client.wait_for(first) is None
    assert names(desk.client.wait_for(second))[0][1] == [("opus, 06:13", ["More", "Small"])]


def test_a_note_whose_file_is_gone_or_cannot_be_read_is_answered(desk: Desk) -> None:
    desk.capture(user("why?\n::capture talk.md"))
    desk.client.request("workspace/executeCommand", {"command": "kato.stop", "arguments": [SESSION]})
    desk.note.write_text(desk.note.read_text() + "more words\n" * 500_000)
    desk.editor.open(desk.note)
    assert desk.ask("documentSymbol") is not None
    desk.note.unlink()
    assert desk.ask("documentSymbol") is None
    desk.note.mkdir()
    assert desk.ask("documentSymbol") is None


@pytest.mark.slow
def test_a_large_note_delays_no_other_request(desk: Desk) -> None:
    open_large(desk, 10)
    document = {"textDocument": {"uri": desk.note.as_uri()}}
    asked = [desk.client.send_request(f"textDocument/{question}", document) for question in QUESTIONS]
    other = desk.client.send_request("kato/memory")
    first, *later = desk.answers(5)
    assert first == other
    assert sorted(later) == asked


@pytest.mark.slow
def test_the_texts_of_notes_take_no_more_than_their_bound(desk: Desk) -> None:
    desk.capture()
    text = desk.note.read_text() + "some words\n" * 90_000
    before = desk.client.request("kato/memory")["process"]["rss"]
    for number in range(20):
        path = desk.notes / f"{number}.md"
        path.write_text(text)
        desk.editor.open(path)
        desk.ask("documentSymbol", path)
    after = desk.client.request("kato/memory")["process"]["rss"]
    assert after - before < limits.NOTE_TEXTS_BYTES_MAX + 15 * 1024 * 1024, "20 MB of notes were opened"
    assert desk.ask("documentSymbol", desk.notes / "0.md") is not None, "it is read from its file"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("textDocument/documentSymbol", None),
        ("textDocument/documentSymbol", {"textDocument": {"uri": 3}}),
        ("textDocument/foldingRange", {}),
        ("textDocument/codeLens", {"textDocument": []}),
        ("textDocument/documentLink", {"textDocument": {}}),
        (
            "textDocument/hover",
            {"textDocument": {"uri": "file:///x"}, "position": {"line": -1, "character": 0}},
        ),
        ("codeLens/resolve", {"range": {}}),
        ("codeLens/resolve", {"data": {"provider": "claude"}}),
        ("documentLink/resolve", {"data": 1}),
    ],
    ids=range(9),
)
def test_invalid_params_are_refused(desk: Desk, method: str, params: Any) -> None:
    with pytest.raises(RequestFailed) as failure:
        desk.client.request(method, params)
    assert failure.value.code == -32602


def test_the_capabilities_name_what_there_is(start: Start, notes: Path) -> None:
    client = start(initialize=False)
    capabilities = client.initialize(options={"stateDir": str(notes.parent / "state")})["capabilities"]
    assert capabilities["documentSymbolProvider"] is True
    assert capabilities["foldingRangeProvider"] is True
    assert capabilities["hoverProvider"] is True
    assert capabilities["codeLensProvider"] == {"resolveProvider": True}
    assert capabilities["documentLinkProvider"] == {"resolveProvider": True}


@pytest.mark.slow
def test_a_server_that_ends_answers_what_waits(desk: Desk) -> None:
    open_large(desk, 10)
    document = {"textDocument": {"uri": desk.note.as_uri()}}
    asked = [
        desk.client.send_request("textDocument/documentSymbol", document),
        desk.client.send_request("shutdown"),
    ]
    desk.client.notify("exit")
    assert sorted(desk.answers(2)) == asked
