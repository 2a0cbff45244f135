"""Times: no time from a client, a log, a journal or a file system makes Kato raise an error."""

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from builders import request, struct, user
from kato.app.config import LocalZone
from kato.assistants.contract import LogFile
from kato.assistants.readers import LinesReader
from kato.assistants.values import moment
from kato.core import moments
from kato.core.errors import InvalidParams
from kato.core.events import ConversationEvent, SessionKey, decode_line, encode_line
from kato.core.moments import MOMENT_MAX, MOMENT_MIN, clamped, epoch_ms, in_zone, is_supported, rfc3339, utc
from kato.core.paths import default_file_name
from kato.lsp import wire
from kato.notes.options import MarkdownOptions
from kato.notes.transcript import Transcript

#: What programs write where they have no date, in every zone, and what lies just within the calendar.
ENDS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T23:59:59.999Z",
    "9999-12-31T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59.999999-08:00",
    "9999-12-31T23:59:59-23:59",
]
WITHIN = ["0001-01-02T00:00:00Z", "1883-11-18T12:00:00Z", "1969-12-31T23:59:59Z", "9999-12-30T23:59:59.999Z"]
ZONES: list[tzinfo] = [
    timezone.utc,
    timezone(timedelta(hours=23, minutes=59)),
    timezone(-timedelta(hours=23, minutes=59)),
    ZoneInfo("Pacific/Auckland"),
    ZoneInfo("America/Los_Angeles"),
    LocalZone(),
]
MOMENTS = st.datetimes(timezones=st.sampled_from([*ZONES[:3], timezone(timedelta(hours=-8))]))
MS = st.integers(-(1 << 70), 1 << 70) | st.sampled_from([epoch_ms(MOMENT_MIN), epoch_ms(MOMENT_MAX), -1, 0])


def at(text: str) -> datetime:
    return struct(user("x", timestamp=text)).timestamp


@pytest.mark.parametrize("text", ENDS)
def test_a_pushed_event_beyond_the_calendar_is_refused_with_its_place_and_the_rule(text: str) -> None:
    with pytest.raises(InvalidParams) as failure:
        wire.decode_append(request([user("fine"), user("x", 1, timestamp=text)]))
    assert failure.value.data["path"] == "$.events[1].timestamp"
    assert failure.value.data["expected"] == "a moment from 0001-01-02 to 9999-12-30, in UTC"
    assert failure.value.data["got"][:10] == text[:10]


@pytest.mark.parametrize("text", WITHIN)
def test_every_moment_within_the_calendar_is_taken(text: str) -> None:
    (event,) = wire.decode_append(request([user("x", timestamp=text)])).events
    assert is_supported(event.timestamp)
    assert clamped(event.timestamp) == event.timestamp


@given(MOMENTS, st.sampled_from(ZONES))
def test_every_moment_can_be_shown_in_every_zone(when: datetime, zone: tzinfo) -> None:
    shown = in_zone(when, zone)
    assert MOMENT_MIN <= shown <= MOMENT_MAX
    if is_supported(when):
        assert shown == when
    assert shown.isoformat()
    assert utc(epoch_ms(when)) - clamped(when) < timedelta(milliseconds=1)


@given(MS, st.sampled_from(ZONES))
def test_every_number_of_milliseconds_is_a_moment_and_names_a_file(ms: int, zone: tzinfo) -> None:
    assert is_supported(utc(ms))
    assert len(rfc3339(ms)) == len("2026-02-25T00:09:26.000Z")
    name = default_file_name("Title", when_ms=ms, tz=zone, key=SessionKey("p", "abc"))
    assert len(name) == len("2026-02-24_1609-title-abc.md")


@pytest.mark.parametrize("text", [*ENDS, *WITHIN])
@pytest.mark.parametrize("zone", ZONES, ids=["utc", "east", "west", "auckland", "los-angeles", "local"])
def test_an_event_of_an_earlier_kato_still_has_its_heading(text: str, zone: tzinfo) -> None:
    stored = decode_line(encode_line(struct(user("hello", timestamp=text))))
    note = Transcript(MarkdownOptions(), zone).feed(stored)
    assert note.startswith("# User_")
    assert "hello" in note


@pytest.mark.parametrize("local", ["UTC", "America/Los_Angeles", "Pacific/Auckland"])
@pytest.mark.parametrize("text", [*ENDS, *WITHIN])
def test_the_local_zone_raises_for_no_time(text: str, local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", local)
    time.tzset()
    zone = LocalZone()
    try:
        naive = at(text).astimezone(timezone.utc) if is_supported(at(text)) else at(text)
        for one in (naive.replace(tzinfo=zone), zone.fromutc(naive.replace(tzinfo=zone))):
            assert abs(one.utcoffset() or timedelta()) < timedelta(days=1)
            assert one.tzname()
    finally:
        monkeypatch.undo()
        time.tzset()


class OneLine(LinesReader):
    """A log of texts with times."""

    provider = "test"

    def _record(self, record: object) -> None:
        assert isinstance(record, dict)
        self.emit_note(record["id"], moment(record.get("at")), "line", record["id"])

    def _again(self) -> None:
        pass


def times(*values: str) -> tuple[list[ConversationEvent], list[str]]:
    lines = [f'{{"id": "{index}", "at": {value}}}\n' for index, value in enumerate(values)]
    reader = OneLine(LogFile("s"))
    results = [reader.feed("".join(lines).encode()), reader.settle()]
    events = [event for result in results for event in result.events]
    return events, [problem.kind for result in results for problem in result.problems]


@pytest.mark.parametrize("value", [*(f'"{text}"' for text in ENDS), "253402300800000", "1e300"])
def test_a_log_line_beyond_the_calendar_has_the_time_of_the_line_before_and_is_counted(value: str) -> None:
    events, problems = times('"2026-02-25T00:00:00Z"', value)
    assert [event.timestamp for event in events] == [at("2026-02-25T00:00:00Z")] * 2
    assert problems == ["invalid_record"]


def test_a_log_line_without_a_usable_time_is_not_a_problem_of_the_calendar() -> None:
    events, problems = times("null", "-5", '"yesterday"', "true")
    assert [event.timestamp for event in events] == [utc(0)] * 4
    assert problems == []


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (-5, "now"),
        (0.9, "now"),
        (1, "1 min ago"),
        (119, "119 min ago"),
        (120, "2 h ago"),
        (2879, "47 h ago"),
        (2880, "2 days ago"),
        (14_400, "10 days ago"),
    ],
)
def test_an_age_is_in_minutes_then_hours_then_days(minutes: float, text: str) -> None:
    assert moments.ago(int(minutes * 60_000)) == text
