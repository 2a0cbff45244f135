"""The main job against the real process: events in, commands run, notes written, memory and status reported."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import assistant, conversation, request, tool_call, tool_result, user
from conftest import SHARED, Start
from kato.cli.client import Client, RequestFailed
from kato.lsp.framing import encode_frame

SAMPLE = SHARED / "samples" / "first-capture"
KEY = {"provider": "claude", "sessionId": "session-1"}


def append(client: Client, *events: dict[str, Any], **fields: Any) -> Any:
    return client.request("kato/appendEvents", request(events, **fields))


def run(client: Client, command: str, **fields: Any) -> Any:
    return client.request(
        "workspace/executeCommand", {"command": f"kato.{command}", "arguments": [KEY | fields]}
    )


def body(path: Path) -> str:
    return path.read_text().split("---\n\n", 1)[1]


def notifications(client: Client, method: str) -> list[Any]:
    client.request("kato/memory")
    return [one["params"] for one in client.notifications if one["method"] == method]


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the samples are not here")
def test_the_first_capture_comes_out_byte_for_byte(start: Start, notes: Path) -> None:
    client = start({"markdown": {"timezone": "America/Los_Angeles"}})
    target = notes / "conv.2026.2026-02-24_1549-memory-and-status-gca.md"
    events = [orjson.loads(line) for line in (SAMPLE / "events.jsonl").read_bytes().splitlines()]
    asked = next(one for one in events if "::capture" in one.get("content", ""))
    original = asked["content"].split("\n")[0].split(" ", 1)[1]
    asked["content"] = asked["content"].replace(f"::capture {original}", f"::capture {target}")
    last = events.pop()
    answer = append(client, *events)
    assert [one["status"] for one in answer["commands"]] == ["ok"]
    assert answer["commands"][0]["outputPath"] == str(target)
    assert append(client, last)["accepted"] == 1
    expected = (SAMPLE / "expected.md").read_text().split("---\n\n", 1)[1]
    assert body(target) == expected.replace(f"::capture {original}", f"::capture {target}")
    assert "title: 2026 02 24_1549 Memory and Status Gca\n" in target.read_text()


def test_a_capture_keeps_recording_what_comes_after(start: Start, notes: Path) -> None:
    client = start()
    append(client, user("hello"), assistant("hi", 1), cwd=str(notes))
    outcome = append(client, user("keep it\n::capture talk.md\nand go on", 2))["commands"][0]
    assert outcome["status"] == "ok"
    assert outcome["outputPath"] == str(notes / "talk.md")
    assert outcome["eventsWritten"] == 3
    append(client, assistant("going on", 3))
    assert body(notes / "talk.md") == (
        "# User_2026-02-25_0613_20\n\nhello\n\n"
        "# Assistant_2026-02-25_0613_21\n\nhi\n\n"
        "# User_2026-02-25_0613_22\n\nkeep it\n::capture talk.md\nand go on\n\n"
        "# Assistant_2026-02-25_0613_23\n\ngoing on\n"
    )


def test_record_starts_at_its_line_and_stop_ends_after_its_line(start: Start, notes: Path) -> None:
    client = start()
    append(client, user("before"), assistant("not in the note", 1), cwd=str(notes))
    append(client, user("::init talk.md\nnot yet\n::record\nfrom here", 2))
    append(client, assistant("in the note", 3))
    outcomes = append(client, user("enough\n::stop\nnot this", 4))["commands"]
    assert [one["status"] for one in outcomes] == ["ok"]
    append(client, assistant("nor this", 5))
    assert body(notes / "talk.md") == (
        "# User_2026-02-25_0613_22\n\n::record\nfrom here\n\n"
        "# Assistant_2026-02-25_0613_23\n\nin the note\n\n"
        "# User_2026-02-25_0613_24\n\nenough\n::stop\n"
    )


def test_a_recording_resumes_in_the_same_note(start: Start, notes: Path) -> None:
    client = start()
    append(client, user("one\n::capture talk.md"), cwd=str(notes))
    append(client, user("::stop", 1))
    append(client, assistant("missed", 2))
    outcome = append(client, user("::record", 3))["commands"][0]
    append(client, assistant("seen", 4))
    text = body(notes / "talk.md")
    assert "missed" not in text
    assert text.endswith("::record\n\n# Assistant_2026-02-25_0613_24\n\nseen\n")
    assert outcome["status"] == "ok"
    again = append(client, user("::record", 5))["commands"][0]
    assert again["status"] == "noop"
    assert again["recordingId"] == outcome["recordingId"]
    assert text.count("recordingIds") == 0


def test_export_writes_up_to_its_line_and_changes_nothing(start: Start, notes: Path) -> None:
    client = start()
    events = [user("one"), assistant("two", 1), user("::export out.md\nnot this", 2)]
    append(client, *events, cwd=str(notes))
    append(client, user("::export out.jsonl", 3))
    assert body(notes / "out.md").endswith("::export out.md\n")
    lines = (notes / "out.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines] == [*events, user("::export out.jsonl", 3)]
    status = client.request("kato/status", {"includeStale": True})
    assert status["recordings"] == {"activeRecordings": 0, "destinations": 0}


def test_stop_without_a_recording_is_a_noop(start: Start) -> None:
    client = start()
    assert append(client, user("::stop"))["commands"][0]["status"] == "noop"


def test_the_editor_commands_do_the_same(start: Start, notes: Path) -> None:
    client = start()
    append(client, *conversation(4), cwd=str(notes))
    captured = run(client, "capture", path="talk.md")
    assert (captured["status"], captured["origin"], captured["eventsWritten"]) == ("ok", "editor", 4)
    append(client, assistant("more", 4))
    assert run(client, "record")["status"] == "noop"
    assert run(client, "stop")["status"] == "ok"
    assert run(client, "stop")["status"] == "noop"
    assert "more" in body(notes / "talk.md")
    assert run(client, "export", path="x.txt", format="jsonl")["eventsWritten"] == 5
    assert len((notes / "x.txt").read_bytes().splitlines()) == 5
    assert run(client, "init", path="other.md")["status"] == "ok"
    assert run(client, "record")["outputPath"] == str(notes / "other.md")


@pytest.mark.parametrize(
    ("directory", "folders", "cwd", "where"),
    [
        (None, ["one", "two"], "two/inner", "two/notes"),
        (None, ["one", "two"], "elsewhere", "one/notes"),
        (None, ["one", "one/nested"], "one/nested", "one/nested/notes"),
        (None, ["one"], None, "one/notes"),
        (None, [], "one", "state/recordings"),
        ("${workspaceFolder}", ["one", "two"], "two", "two"),
        ("${workspaceFolder}/log/ai", ["one"], "one", "one/log/ai"),
        ("${workspaceFolder}/notes", [], "one", "state/recordings"),
        ("~/vault", ["one"], "one", "home/vault"),
        ("~/vault", [], None, "home/vault"),
    ],
)
def test_a_note_without_a_path_goes_to_the_notes_directory(
    start: Start, tmp_path: Path, directory: str | None, folders: list[str], cwd: str | None, where: str
) -> None:
    for name in ("one/nested", "two/inner", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    options = {"stateDir": str(tmp_path / "state")}
    client = start(initialize=False)
    client.initialize(
        options=options | ({} if directory is None else {"notes": {"directory": directory}}),
        folders=[str(tmp_path / name) for name in folders],
    )
    more = {} if cwd is None else {"cwd": str(tmp_path / cwd)}
    append(client, user("What is a monad?"), **more)
    proposed = client.request("kato/destination", KEY)["path"]
    exported = client.request("kato/destination", KEY | {"format": "jsonl"})["path"]
    outcome = append(client, user("::capture", 1))["commands"][0]
    assert outcome["status"] == "ok", outcome
    assert outcome["outputPath"] == proposed
    assert Path(proposed).parent == tmp_path / where
    assert exported == proposed.replace(".md", ".jsonl")


def test_a_path_is_checked_while_the_user_types_it(start: Start, notes: Path, tmp_path: Path) -> None:
    client = start()
    append(client, user("hello"), cwd=str(notes))

    def typed(path: str) -> Any:
        return client.request("kato/destination", KEY | {"path": path})

    assert typed("sub/a.md") == {"path": str(notes / "sub" / "a.md")}
    outside = typed(str(tmp_path / "elsewhere" / "a.md"))
    assert (outside["error"]["code"], outside["error"]["rule"]) == (-32012, "outside")
    assert "a.exe" in typed("a.exe")["error"]["message"]
    assert "folder" in typed(str(notes))["error"]["message"]
    assert typed("")["error"]["code"] == -32012
    assert not (tmp_path / "state" / "audit.jsonl").exists(), "nothing was written, and nothing was refused"


def test_a_path_from_the_conversation_is_still_held_to_the_folders(start: Start, tmp_path: Path) -> None:
    client = start({"notes.directory": "~/vault"})
    outcome = append(client, user(f"::capture {tmp_path}/outside.md"))["commands"][0]
    assert (outcome["error"]["code"], outcome["error"]["rule"]) == (-32012, "outside")
    (tmp_path / "notes" / "folder").mkdir()
    outcome = append(client, user("::capture folder", 1), cwd=str(tmp_path / "notes"))["commands"][0]
    assert outcome["error"]["code"] == -32012
    assert outcome["error"]["rule"] != "outside", "no other folder cures it"


@pytest.mark.parametrize(("exclusive", "allowed"), [(False, ["vault", "notes", "state"]), (True, ["vault"])])
def test_allowed_write_roots_add_to_the_folders_unless_they_are_exclusive(
    start: Start, tmp_path: Path, exclusive: bool, allowed: list[str]
) -> None:
    (tmp_path / "vault").mkdir()
    client = start({"allowedWriteRoots": [str(tmp_path / "vault")], "exclusiveWriteRoots": exclusive})
    places = {"vault": "vault/a.md", "notes": "notes/a.md", "state": "state/recordings/a.md", "none": "a.md"}
    written = []
    for number, (name, path) in enumerate(places.items()):
        outcome = append(client, user(f"::export {tmp_path / path}", number))["commands"][0]
        written += [name] if outcome["status"] == "ok" else []
    assert written == allowed


def test_a_generated_name_says_what_the_conversation_is_about(start: Start) -> None:
    client = start()
    outcome = append(client, user("What is a monad?"), user("::capture", 1))["commands"][0]
    path = Path(outcome["outputPath"])
    assert path.name.endswith("-what-is-a-monad-session1.md")
    assert "title: What is a monad?\n" in path.read_text()
    assert append(client, user("::capture", 2))["commands"][0]["outputPath"] == str(path)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("::capture /etc/kato.md", -32012, "allowed"),
        ("::capture ../up.md", -32012, "allowed"),
        ("::capture folder/", -32014, "folder"),
        ("::export", -32014, "needs a path"),
        ("::record now", -32014, "no argument"),
        ("::captrue x.md", -32014, "did you mean ::capture"),
        ("::export dangling.md", -32012, ""),
        ("::export pipe.md", -32012, "no file"),
        ("::capture /dev/null", -32012, "holds no notes"),
    ],
)
def test_a_refused_command_changes_nothing_and_is_reported(
    start: Start, notes: Path, line: str, code: int, words: str
) -> None:
    import os

    (notes / "dangling.md").symlink_to(notes / "nowhere")
    os.mkfifo(notes / "pipe.md")
    before = sorted(notes.rglob("*"))
    client = start()
    outcomes = append(client, user(f"{line}\n::stop"), cwd=str(notes))["commands"]
    assert [one["status"] for one in outcomes] == ["error", "noop"], "the other commands still run"
    assert outcomes[0]["error"]["code"] == code
    assert words in outcomes[0]["error"]["message"]
    assert ("path" in outcomes[0]["error"]) == (code == -32012), "the file that was denied is named"
    assert sorted(notes.rglob("*")) == before
    assert notifications(client, "kato/commandExecuted") == outcomes
    shown = notifications(client, "window/showMessage")
    assert len(shown) == 1
    assert shown[0]["type"] == 1


def test_commands_in_code_quotes_and_lists_are_text(start: Start, notes: Path) -> None:
    client = start()
    text = "```\n::capture a.md\n```\n> ::capture b.md\n- ::capture c.md\n::before\n~~~~\n::stop"
    assert append(client, user(text), cwd=str(notes))["commands"] == []
    assert list(notes.iterdir()) == []


def test_only_the_user_runs_commands(start: Start, notes: Path) -> None:
    client = start()
    line = "::capture a.md"
    events = [assistant(line), tool_call("x", 1, input={"text": line}), tool_result(line, 2)]
    assert append(client, *events, cwd=str(notes))["commands"] == []
    assert append(client, user(line, 3), replay=True)["commands"] == []
    assert list(notes.iterdir()) == []


def test_an_event_that_is_sent_again_has_no_effect(start: Start, notes: Path) -> None:
    client = start()
    first = append(client, user("::capture a.md"), cwd=str(notes))
    again = append(client, user("::capture a.md"), user("other", 1), cwd=str(notes))
    assert (again["accepted"], again["duplicates"], again["eventCount"]) == (1, 1, 2)
    assert len(first["commands"]) == 1
    assert again["commands"] == []
    assert body(notes / "a.md").count("::capture") == 1


def test_one_invalid_event_refuses_its_whole_request(start: Start) -> None:
    client = start()
    with pytest.raises(RequestFailed) as failure:
        append(client, user("fine"), user("fine", 1), user("x", 2) | {"content": 5})
    assert failure.value.code == -32602
    assert failure.value.data == {"path": "$.events[2].content", "expected": "str", "got": "int"}
    with pytest.raises(RequestFailed, match=r"\$\.events\[0\]\.sessionId"):
        client.request("kato/appendEvents", request([user("x")]) | {"sessionId": "other"})
    deep = orjson.dumps(request([tool_call("x", input={"deep": "DEEP"})]))
    deep = deep.replace(b'"DEEP"', b"[" * 260 + b"]" * 260)
    client.write(
        encode_frame(b'{"jsonrpc":"2.0","id":50,"method":"kato/appendEvents","params":' + deep + b"}")
    )
    with pytest.raises(RequestFailed, match="nested at most 254"):
        client.wait_for(50)
    assert client.request("kato/memory")["snapshots"]["eventCount"] == 0


def test_sessions_are_read_in_pages(start: Start) -> None:
    client = start()
    events = conversation(25)
    append(client, *events)
    read: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = client.request("kato/readSession", KEY | {"after": after, "limit": 10})
        assert page["total"] == 25
        read += page["events"]
        after = page["nextAfter"]
    assert read == events


def test_a_new_empty_note_is_adopted(start: Start, notes: Path) -> None:
    note = notes / "conv.md"
    note.write_text("---\nid: abc\ntitle: 'My talk'   # mine\ncustom: [a,  b]\ncreated: 5\n---\n\n\n")
    client = start()
    outcome = append(client, user("hi\n::capture conv.md"), cwd=str(notes))["commands"][0]
    assert "backupPath" not in outcome
    text = note.read_text()
    assert text.startswith("---\nid: abc\ntitle: 'My talk'   # mine\ncustom: [a,  b]\ncreated: 5\n")
    assert "updated: " in text
    assert f"recordingIds: [{outcome['recordingId']}]" in text
    assert body(note) == "# User_2026-02-25_0613_20\n\nhi\n::capture conv.md\n"


def test_foreign_text_is_copied_before_it_is_replaced(start: Start, notes: Path, tmp_path: Path) -> None:
    note = notes / "conv.md"
    note.write_text("my own words\n")
    client = start()
    outcome = append(client, user("hi\n::capture conv.md"), cwd=str(notes))["commands"][0]
    backup = Path(outcome["backupPath"])
    assert backup.read_text() == "my own words\n"
    assert backup.parent == tmp_path / "state" / "backups"
    assert "my own words" not in note.read_text()
    assert [str(backup) in one["message"] for one in notifications(client, "window/showMessage")] == [True]


def test_what_kato_wrote_itself_is_replaced_without_a_copy(start: Start, notes: Path) -> None:
    client = start()
    append(client, user("hi\n::capture conv.md"), assistant("one", 1), cwd=str(notes))
    again = append(client, user("::capture conv.md", 2))["commands"][0]
    assert "backupPath" not in again
    (notes / "conv.md").write_text((notes / "conv.md").read_text().replace("one", "one, edited"))
    edited = append(client, user("::capture conv.md", 3))["commands"][0]
    assert "one, edited" in Path(edited["backupPath"]).read_text()


def test_the_users_edits_stay_while_a_recording_appends(start: Start, notes: Path) -> None:
    note = notes / "conv.md"
    client = start()
    append(client, user("hi\n::capture conv.md"), cwd=str(notes))
    edited = (
        note.read_text().replace("hi\n", "hi, I added this\n") + "\nand this at the end, without a newline"
    )
    (notes / "edited.tmp").write_text(edited)
    (notes / "edited.tmp").replace(note)  # a heartbeat must not see half of it
    append(client, assistant("next", 1))
    text = note.read_text()
    assert "hi, I added this\n" in text
    assert text.endswith("without a newline\n\n# Assistant_2026-02-25_0613_21\n\nnext\n")


def test_a_recording_that_cannot_write_is_reported_once_and_catches_up(start: Start, notes: Path) -> None:
    note = notes / "conv.md"
    client = start({"heartbeatSeconds": 0.1})
    append(client, user("hi\n::capture conv.md"), cwd=str(notes))
    kept = note.read_text()
    note.unlink()
    note.mkdir()
    append(client, assistant("one", 1))
    append(client, assistant("two", 2))
    assert len([m for m in notifications(client, "window/showMessage") if "is paused" in m["message"]]) == 1
    note.rmdir()
    note.write_text(kept)
    append(client, assistant("three", 3))
    assert note.read_text().endswith("one\n\ntwo\n\nthree\n")
