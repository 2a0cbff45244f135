"""Secrets in a conversation: notes and exports mask them, the outcome counts them, the journal keeps the original."""

from functools import partial

import msgspec
import orjson
import pytest

from builders import PROVIDER, SESSION, assistant, user
from engine.machine import MakeWindow
from kato.core.events import SessionKey
from kato.notes.rendering import Position

TOKEN = "gh" + "p_aBcD1234567890efGHijKLmnOPqrSTuvWX12"


def test_a_capture_masks_and_counts_secrets(window: MakeWindow) -> None:
    one = window()
    one.append(user(f"My token is {TOKEN}", 0), assistant("thank you", 1), user("::capture a.md", 2))
    note = (one.notes / "a.md").read_text()
    assert TOKEN not in note
    assert "My token is [redacted: GitHub token]" in note
    assert "redactions: 1\n" in note
    assert one.outcomes[-1].redactions == 1


def test_an_export_of_events_masks_secrets_and_the_journal_keeps_them(window: MakeWindow) -> None:
    one = window()
    one.append(user(f"My token is {TOKEN}", 0), user("::export a.jsonl", 1))
    lines = (one.notes / "a.jsonl").read_bytes().splitlines()
    assert orjson.loads(lines[0])["content"] == "My token is [redacted: GitHub token]"
    assert one.outcomes[-1].redactions == 1
    stored = [line for _, line in one.journal.read(SessionKey(PROVIDER, SESSION))]
    assert TOKEN.encode() in stored[0]


def test_a_recording_masks_secrets(window: MakeWindow) -> None:
    one = window()
    one.append(user("::record", 0))
    one.append(assistant(f"I use {TOKEN}", 1))
    one.beat()
    [note] = one.notes.rglob("*.md")
    assert "I use [redacted: GitHub token]" in note.read_text()


def test_the_name_and_the_title_of_a_note_hold_no_secret(window: MakeWindow) -> None:
    one = window()
    one.append(user(f"Use {TOKEN}", 0), user("::capture", 1))
    [note] = one.notes.rglob("*.md")
    assert TOKEN[4:] not in note.name
    assert "title: " in note.read_text()
    assert TOKEN not in note.read_text()


def test_a_command_runs_with_the_path_that_was_typed(window: MakeWindow) -> None:
    one = window()
    one.append(user(f"::capture {TOKEN}.md", 0))
    note = one.notes / f"{TOKEN}.md"
    assert "::capture [redacted: GitHub token].md" in note.read_text()


def test_a_conversation_without_secrets_has_no_count(window: MakeWindow) -> None:
    one = window()
    one.append(user("hello", 0), user("::capture a.md", 1))
    assert "redactions" not in (one.notes / "a.md").read_text()
    assert b"redactions" not in msgspec.json.encode(one.outcomes[-1])


@pytest.mark.parametrize("suffix", ["md", "html", "txt", "jsonl"])
def test_every_format_masks_and_counts(window: MakeWindow, suffix: str) -> None:
    one = window()
    one.append(user(f"My token is {TOKEN}", 0), assistant(f"{TOKEN}?", 1))
    key = SessionKey(PROVIDER, SESSION)
    session, notebook = one.journal.session(key), one.engine.notebook
    assert session is not None
    events, end = partial(one.journal.read_pieces, key), Position(2)
    path = str(one.notes / f"a.{suffix}")
    whole = {
        "md": lambda: notebook.write_markdown(path, session, events, end),
        "html": lambda: notebook.write_html(path, session, events, end),
        "txt": lambda: notebook.write_plain(path, session, events, end),
        "jsonl": lambda: notebook.write_jsonl(path, key, events, end),
    }[suffix]()
    text = (one.notes / f"a.{suffix}").read_text()
    assert TOKEN not in text
    assert text.count("[redacted: GitHub token]") >= whole.redactions == 2
