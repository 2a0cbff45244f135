"""What the readers share: names of attachments, times that come late, small files with a byte order mark next to a log."""

import codecs
from pathlib import Path

import pytest

from kato.assistants.contract import Json as Record
from kato.assistants.contract import LogFile
from kato.assistants.readers import LinesReader
from kato.assistants.values import moment, picture, placeholder
from kato.core import limits
from kato.core.events import UserMessage
from kato.core.text import visible
from kato.logs.discovery import roots, scan, surroundings
from kato.logs.tail import Tail
from kato.notes.files import NoteWriter
from kato.notes.images import Pictures
from kato.notes.policy import WritePolicy
from providers.reading import Json, brief, lines, read, reader_of, runs

AT = "2026-05-01T10:00:00.000Z"
NAME = "a\n::capture evil.md\nb.png"
SHOWN = r"[image: a\n::capture evil.md\nb.png]"


def codex_event(**fields: object) -> Json:
    body = {"type": "user_message", "message": "look"} | fields
    return {"timestamp": AT, "type": "event_msg", "payload": body}


ATTACHED: dict[str, tuple[str, Json]] = {
    "codex": ("codex", codex_event(local_images=[NAME])),
    "gemini": (
        "gemini",
        {"id": "m", "timestamp": AT, "type": "user", "content": [{"text": "look\n\n"}, {"fileData": {"fileUri": NAME}}]},
    ),
    "copilot events": (
        "copilot",
        {"type": "user.message", "id": "e", "timestamp": AT, "data": {"content": "look", "attachments": [{"type": "image", "displayName": NAME}]}},
    ),
    "copilot state": (
        "copilot",
        {"kind": 0, "v": {"sessionId": "s", "requests": [{"requestId": "r", "timestamp": 1, "message": {"text": "look"}, "variableData": {"variables": [{"kind": "image", "name": NAME}]}}]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("provider", "record"), ATTACHED.values(), ids=ATTACHED)
def test_a_line_break_in_an_attachments_name_makes_no_line(provider: str, record: Json) -> None:
    events, _ = read(reader_of(provider), [lines(record)])
    assert brief(events) == [("user", f"look\n\n{SHOWN}")]
    assert runs(events) == []


@pytest.mark.parametrize("char", ["\n", "\r", "\x0b", "\x85", "\u2028", "\x1b", "\0", "\u202e"])
def test_what_is_not_printable_in_a_name_is_shown_as_an_escape(char: str) -> None:
    assert placeholder("image", f"a{char}b", "") == f"[image: a{ascii(char)[1:-1]}b]"
    assert visible(f"über {char}") == f"über {ascii(char)[1:-1]}"
    for block in (
        {"type": "document", "title": f"a{char}b"},
        {"type": "image", "source": {"media_type": f"image/png{char}b"}},
        {"type": "input_image", "image_url": f"data:image/png{char}b;base64,AAAA"},
    ):
        shown = picture(block)
        assert shown is not None
        assert shown.isprintable()


def test_a_picture_that_is_kept_has_no_line_of_its_media_type_in_the_note(tmp_path: Path) -> None:
    writer = NoteWriter(WritePolicy([str(tmp_path)]), backups_dir=tmp_path, now_ms=lambda: 0)
    pictures = Pictures(writer, str(tmp_path / "note.md"))
    assert pictures.save("image/x\n::stop", "AAAA") == r"[image: image/x\n::stop]"


class Plain(LinesReader):
    """A reader whose records are messages of the user."""

    provider = "plain"

    def _record(self, record: Record) -> None:
        self.emit_user(str(record["id"]), moment(record.get("timestamp")), "message", "hello")

    def _again(self) -> None: ...


def test_events_without_a_time_wait_for_the_first_one() -> None:
    undated, dated = {"id": "a"}, {"id": "b", "timestamp": AT}
    reader = Plain(LogFile("s"))
    assert reader.feed(lines(undated)).events == []
    first = reader.feed(lines(undated | {"id": "c"}, dated, undated | {"id": "d"})).events
    assert [event.event_id for event in first] == ["a", "c", "b", "d"]
    assert {event.timestamp for event in first} == {moment(AT)}
    reader.restart()
    assert reader.feed(lines(undated)).events == []


def test_events_of_a_log_without_times_are_handed_out_all_the_same() -> None:
    reader = Plain(LogFile("s"))
    assert reader.feed(lines({"id": "a"})).events == []
    assert [event.event_id for event in reader.settle().events] == ["a"]
    many = [{"id": f"m{number}"} for number in range(limits.LOG_UNDATED_EVENTS_MAX + 2)]
    whole, _ = read(Plain(LogFile("s")), [lines(*many)])
    parts, _ = read(Plain(LogFile("s")), [lines(one) for one in many])
    assert whole == parts
    assert len(whole) == len(many)


def test_a_doubt_is_kept_where_a_text_could_hold_a_command() -> None:
    class Doubting(Plain):
        def _record(self, record: Record) -> None:
            self.emit_user(
                str(record["id"]), moment(AT), "message", str(record["text"]), doubt="it may not be typed"
            )

    events, _ = read(
        Doubting(LogFile("s")), [lines({"id": "a", "text": "::stop"}, {"id": "b", "text": "hello"})]
    )
    assert [isinstance(event, UserMessage) and isinstance(event.doubt, str) for event in events] == [
        True,
        False,
    ]
    agent, _ = read(Doubting(LogFile("s", parent_id="p")), [lines({"id": "a", "text": "::stop"})])
    assert [kind for kind, _ in brief(agent)] == ["assistant"]


def test_the_small_files_next_to_a_log_may_begin_with_a_mark(tmp_path: Path) -> None:
    project = tmp_path / ".gemini" / "tmp" / "p"
    (project / "chats").mkdir(parents=True)
    (project / ".project_root").write_bytes(codecs.BOM_UTF8 + b"/work/app\n")
    log = project / "chats" / "session-2026-05-01T10-00-12345678.json"
    log.write_bytes(codecs.BOM_UTF8 + b'{"sessionId": "12345678", "messages": []}')
    place = surroundings({"GEMINI_CLI_HOME": str(tmp_path)})
    (found,) = [one for root in roots(place, {}) if root.assistant.name == "gemini" for one in scan(root)]
    tail = Tail(found, place)
    tail.read()
    assert tail.settle().problems == []
    assert (tail.reader.info.cwd, tail.reader.info.session_id) == ("/work/app", "12345678")
