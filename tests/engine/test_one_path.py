"""Live events, replayed events and events that a recording appends later give the same note."""

from pathlib import Path

from builders import Json, assistant, user
from engine.machine import Window, words
from kato.core.commands import command_from_editor
from kato.core.events import SessionKey

TALK = [
    user("first question", 0),
    assistant("first answer", 1),
    user("second question\nwith two lines", 2),
    assistant("second answer", 3),
]


def note_of(folder: Path, before: list[Json], after: list[Json], *, replay: bool) -> list[str]:
    """The note of a capture between two appends, and what the window ran of the messages themselves."""
    folder.mkdir()
    one = Window(folder)
    first = TALK[0]
    key = SessionKey(first["provider"], first["sessionId"])
    one.append(*before, replay=replay)
    assert one.ran == []
    assert one.engine.run_editor_command(key, command_from_editor("capture", "talk.md", None)).status == "ok"
    for event in after:
        one.append(event, replay=replay)
    one.close()
    return words(folder / "notes" / "talk.md")


def test_live_replayed_and_recorded_events_give_the_same_note(tmp_path: Path) -> None:
    whole = note_of(tmp_path / "live", TALK, [], replay=False)
    assert whole == [
        "first question",
        "first answer",
        "second question",
        "with two lines",
        "second answer",
    ]
    assert note_of(tmp_path / "replayed", TALK, [], replay=True) == whole
    for count in range(1, len(TALK)):
        for replay in (False, True):
            folder = tmp_path / f"{count}-{replay}"
            assert note_of(folder, TALK[:count], TALK[count:], replay=replay) == whole


def test_a_replayed_event_runs_no_command(tmp_path: Path) -> None:
    one = Window(tmp_path)
    one.append(user("::capture talk.md", 0), replay=True)
    one.beat()
    assert one.ran == []
    assert not (one.notes / "talk.md").exists()
    one.close()
