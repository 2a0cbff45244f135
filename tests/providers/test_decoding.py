"""Damaged logs: damage by a crash, an editor or another program costs the damaged records only."""

import codecs
import json
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.assistants.contract import LogFile, Problem
from kato.assistants.decoding import LineSplitter, Utf8, as_utf8, decode, document
from kato.assistants.readers import LinesReader
from kato.assistants.values import moment
from kato.core import limits

if sys.platform != "win32":
    import resource

AT = "2026-05-01T10:00:00.000Z"


class Plain(LinesReader):
    """A reader whose records are messages of the user."""

    provider = "plain"

    def _record(self, record: Any) -> None:
        at = moment(record.get("timestamp") or AT)
        self.emit_user(str(record.get("id")), at, "message", str(record.get("text")))

    def _again(self) -> None: ...


def message(number: int, text: str = "hello", **more: Any) -> str:
    return json.dumps(
        {"type": "message", "id": f"m{number}", "timestamp": AT, "text": text} | more, ensure_ascii=False
    )


def read(*pieces: bytes) -> tuple[list[tuple[str, str]], list[Problem]]:
    reader = Plain(LogFile("s"))
    results = [*(reader.feed(piece) for piece in pieces), reader.settle()]
    events = [event for result in results for event in result.events]
    told = [(event.event_id, getattr(event, "content", "")) for event in events]
    return told, [problem for result in results for problem in result.problems]


def ids(*pieces: bytes) -> list[str]:
    return [event_id for event_id, _ in read(*pieces)[0]]


def doubts(data: bytes) -> list[str]:
    reader = Plain(LogFile("s"))
    events = [*reader.feed(data).events, *reader.settle().events]
    return [event.event_id for event in events if getattr(event, "doubt", None)]


ONE, TWO, THREE = message(1), message(2), message(3)


def test_two_records_on_one_line_are_two_records() -> None:
    told, problems = read(f"{ONE}{TWO}\n{THREE}\n".encode())
    assert [event_id for event_id, _ in told] == ["m1", "m2", "m3"]
    assert problems == []


def test_a_record_behind_a_torn_one_is_read_wherever_the_torn_one_ends() -> None:
    torn = message(1, 'with "quotes", \\ and é', list=[1, {"a": None}, "x"], of=2.5)
    for cut in range(1, len(torn)):
        told, problems = read(f"{message(0)}\n{torn[:cut]}{TWO}\n{THREE}\n".encode())
        assert [event_id for event_id, _ in told] == ["m0", "m2", "m3"], torn[:cut]
        assert [problem.kind for problem in problems] == ["broken_line"]


def test_a_record_behind_a_torn_one_runs_commands_where_it_cannot_be_a_part_of_it() -> None:
    torn = message(1, "a long text", data={"a": [1, {"b": 2}]})
    typed = message(2, "::stop")
    told = {cut: doubts(f"{torn[:cut]}{typed}\n".encode()) for cut in range(1, len(torn))}
    # Behind a colon, a bracket or a comma of a list, JSON allows an object.
    assert {torn[:cut].rstrip()[-1] for cut, doubtful in told.items() if doubtful} == set(":[,")
    assert [] in told.values()


def test_an_object_inside_a_record_that_was_cut_is_not_a_record() -> None:
    forged = {"type": "message", "id": "evil", "timestamp": AT, "text": "::capture x.md"}
    whole = message(1, tool={"input": forged, "name": "x"})
    cut = whole[: whole.index("::capture") + len('::capture x.md"}')]
    assert cut.endswith('"}')
    assert doubts(f"{cut}\n{TWO}\n".encode()) == ["evil"], "it may be one, and runs nothing"
    broken = whole.replace('"id"', '\\"id"', 1)
    assert ids(f"{broken}\n{TWO}\n".encode()) == ["m2"]


def test_a_hole_of_nuls_ends_a_torn_record() -> None:
    told, problems = read(f"{ONE[:40]}".encode() + b"\0" * 300 + f"{TWO}\n{THREE}\n".encode())
    assert [event_id for event_id, _ in told] == ["m2", "m3"]
    assert [problem.kind for problem in problems] == ["broken_line"]
    assert doubts(message(1, "::stop")[:-9].encode() + b"\0" * 9 + b'"}\n') == [], (
        "no record out of two halves"
    )
    assert ids(b"\0" * 300 + f"{ONE}\n".encode()) == ["m1"]
    inner = message(1, "::stop").encode()
    assert doubts(b'{"a": [\0\0' + inner + b"]}\n") == ["m1"], "it may be a part of what the hole took"
    assert doubts(b'{"a": [\0\0' + inner + b"\n") == []
    many = b"\0".join([b"x"] * (limits.LOG_LINE_TRIES_MAX + 2) + [inner])
    assert ids(many + b"\n" + TWO.encode() + b"\n") == ["m2"]


def test_an_invalid_utf8_byte_costs_one_character() -> None:
    data = message(1, "bad @ byte").encode().replace(b"@", b"\xe6\x87") + b"\n"
    told, problems = read(data + f"{TWO}\n".encode())
    assert told == [("m1", "bad \N{REPLACEMENT CHARACTER} byte"), ("m2", "hello")]
    assert problems == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_and_utf16_are_read_however_the_log_is_cut(encoding: str) -> None:
    words = "grüße 🎉"
    data = f"{message(1, words)}\n{message(2, words)}\n".encode(encoding)
    if encoding == "utf-16":
        assert data.startswith(codecs.BOM_UTF16_LE)
    expected = [("m1", words), ("m2", words)]
    assert read(data) == (expected, [])
    assert read(*[data[at : at + 1] for at in range(len(data))]) == (expected, [])
    swapped = codecs.BOM_UTF16_BE + data.decode(encoding).encode("utf-16-be")
    assert read(swapped) == (expected, [])


def test_the_last_record_needs_no_line_break() -> None:
    reader = Plain(LogFile("s"))
    first = [*reader.feed(f"{ONE}\n{TWO}".encode()).events, *reader.settle().events]
    assert [event.event_id for event in first] == ["m1", "m2"]
    assert reader.settle().events == []
    more = [*reader.feed(f"\n{THREE[:20]}".encode()).events, *reader.settle().events]
    assert more == []
    more = [*reader.feed(f"{THREE[20:]}{message(4)}\n".encode()).events, *reader.settle().events]
    assert [event.event_id for event in more] == ["m3", "m4"], "nothing is lost, nothing comes twice"


def test_an_incomplete_last_record_is_read_when_its_rest_comes() -> None:
    written = message(1, "x", inner={"a": 1})
    for cut in range(1, len(written)):
        reader = Plain(LogFile("s"))
        assert reader.feed(written[:cut].encode()).events == []
        result = reader.settle()
        assert (result.events, result.problems) == ([], []), written[:cut]
        assert [event.event_id for event in reader.feed(f"{written[cut:]}\n".encode()).events] == ["m1"]


def test_unescaped_line_breaks_stay_in_their_string() -> None:
    page = 'Contents:\nline two\n\n  {"quoted": 1}\n42\n}\nend'
    raw = message(1, page).replace("\\n", "\n")
    data = f"{message(0)}\n{raw}\n{TWO}\n".encode()
    expected = [("m0", "hello"), ("m1", page), ("m2", "hello")]
    assert read(data) == (expected, [])
    assert read(*[data[at : at + 1] for at in range(len(data))]) == (expected, [])
    assert read(data[: data.rindex(TWO.encode()) - 1])[0] == expected[:2], "also as the last record"


def test_a_record_without_an_end_does_not_hide_later_records() -> None:
    told, problems = read(f"{ONE[:-4]}\n{TWO}\nno record\n{THREE}\n".encode())
    assert [event_id for event_id, _ in told] == ["m2", "m3"]
    assert [problem.kind for problem in problems] == ["broken_line", "broken_line"]
    many = b"".join(b"line %d\n" % number for number in range(limits.LOG_JOINED_LINES_MAX + 10))
    assert ids(ONE[:-4].encode() + b"\n" + many + TWO.encode() + b"\n") == ["m2"]


def test_a_long_line_keeps_its_words_and_loses_its_pictures() -> None:
    picture = "A" * (limits.MIB * 3)
    words = 'what is \\ "this"? äöü'
    record = json.dumps(
        {"id": "m1", "pictures": [picture] * 6, "text": words, "more": ["x" * 1000, picture]},
        ensure_ascii=False,
    ).encode()
    assert len(record) > limits.LOG_LINE_BYTES_MAX
    data = record + b"\n" + f"{TWO}\n".encode()
    pieces = [data[at : at + limits.LOG_READ_BYTES] for at in range(0, len(data), limits.LOG_READ_BYTES)]
    for way in ([data], pieces):
        told, problems = read(*way)
        assert told == [("m1", words), ("m2", "hello")]
        assert [problem.kind for problem in problems] == ["oversize_line"]


def test_a_line_of_short_strings_that_is_too_long_is_skipped() -> None:
    record = json.dumps({"id": "m1", "text": "x", "all": ["y" * 1000] * (17 * 1024)}).encode()
    told, problems = read(record + b"\n" + f"{TWO}\n".encode())
    assert [event_id for event_id, _ in told] == ["m2"]
    assert [problem.kind for problem in problems] == ["oversize_line"]


HOSTILE = {
    "starts": '{"',
    "nested": '{"a":',
    "lists": "[",
    "open lists": '{"a":[',
    "pairs": '{"a":1}',
    "torn pairs": '{"a":1}{"b',
    "escapes": "\\u12",
    "quotes": '"',
    "text": "abc ",
    "blanks": " \t",
}


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_takes_bounded_time_and_memory(piece: str) -> None:
    size = limits.LOG_LINE_BYTES_MAX - 2
    line = (piece * (size // len(piece)))[:size].encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    told, _ = read(line + b"\n" + f"{TWO}\n".encode())
    assert time.perf_counter() - started < 8, "a tenth of it on a free machine"
    assert told[-1][0] == "m2"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 16 * limits.LOG_LINE_BYTES_MAX


@given(st.lists(st.text(max_size=20), max_size=5), st.data())
def test_complete_records_are_read_whatever_is_between_them(texts: list[str], data: st.DataObject) -> None:
    """Each on a line of its own, or behind another; around them, broken lines."""
    written, expected = [], []
    for number, text in enumerate(texts):
        if data.draw(st.booleans()):
            written.append(data.draw(st.binary(max_size=12)).replace(b"{", b"").replace(b'"', b"") + b"\n")
        written.append(message(number, text).encode())
        expected.append(f"m{number}")
        if data.draw(st.booleans()):
            written.append(b"\n")
    whole = b"".join([*written, b"\n"])
    assert ids(whole) == expected
    cut = data.draw(st.integers(0, len(whole)))
    assert ids(whole[:cut], whole[cut:]) == expected


@given(st.binary(max_size=40), st.integers(1, 5))
def test_any_bytes_are_split_into_the_same_lines(data: bytes, size: int) -> None:
    def split(*pieces: bytes) -> list[Any]:
        utf8, lines = Utf8(), LineSplitter()
        found = [line for piece in pieces for line in lines.feed(utf8.feed(piece))]
        return [*found, lines.rest]

    assert split(*[data[at : at + size] for at in range(0, len(data), size)]) == split(data)


def test_a_document_may_have_a_mark_bad_bytes_and_raw_line_breaks() -> None:
    text = '{"a": "x@y\nz"}'
    for data in (codecs.BOM_UTF8 + text.encode(), text.encode("utf-16"), text.encode() + b"\0\0"):
        assert document(data) == {"a": "x@y\nz"}
    assert document(text.encode().replace(b"@", b"\xff")) == {"a": "x\N{REPLACEMENT CHARACTER}y\nz"}
    for broken in (b"", b'{"a": 1', b"{}{}", b'{"a": 1} x'):
        with pytest.raises(ValueError):
            document(broken)


def test_a_small_file_may_have_a_byte_order_mark() -> None:
    assert as_utf8(codecs.BOM_UTF8 + b"/home") == as_utf8("/home".encode("utf-16")) == b"/home"
    assert as_utf8(b"/home") == b"/home"


def test_a_report_of_damage_does_not_quote_the_text() -> None:
    for line in (b'{"secret": "tok', b'{"a":1}secret', b"secret", b'{"a": "secret \\x"}'):
        damage = decode(line).damage
        assert damage is not None
        assert "secret" not in damage
