"""Moments as users write them: one grammar for all commands."""

from datetime import datetime
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from kato.core.when import parse_moment

BERLIN = ZoneInfo("Europe/Berlin")
#: A Thursday.
NOW = datetime(2026, 11, 26, 20, 15, tzinfo=BERLIN)

MEANT = {
    "now": "2026-11-26T20:15",
    "0d": "2026-11-26T20:15",
    "30s": "2026-11-26T20:14:30",
    "45 min": "2026-11-26T19:30",
    "30m": "2026-11-26T19:45",
    "2h": "2026-11-26T18:15",
    "an hour ago": "2026-11-26T19:15",
    "3d": "2026-11-23T20:15",
    "3 days": "2026-11-23T20:15",
    "2w": "2026-11-12T20:15",
    "2 weeks ago": "2026-11-12T20:15",
    "2  Weeks  AGO": "2026-11-12T20:15",
    "a week ago": "2026-11-19T20:15",
    "last week": "2026-11-19T20:15",
    "1 month": "2026-10-26T20:15",
    "9mo": "2026-02-26T20:15",
    "12 months ago": "2025-11-26T20:15",
    "1y": "2025-11-26T20:15",
    "last year": "2025-11-26T20:15",
    "today": "2026-11-26T00:00",
    "yesterday": "2026-11-25T00:00",
    "Yesterday 14:30": "2026-11-25T14:30",
    "wednesday": "2026-11-25T00:00",
    "wed": "2026-11-25T00:00",
    "friday": "2026-11-20T00:00",
    "last friday": "2026-11-20T00:00",
    "thursday": "2026-11-19T00:00",
    "monday 9:05": "2026-11-23T09:05",
    "14:30": "2026-11-26T14:30",
    "23:30": "2026-11-25T23:30",
    "2026-01-31": "2026-01-31T00:00",
    "2026-07-01T14:30": "2026-07-01T14:30",
    "2026-07-01 14:30:15": "2026-07-01T14:30:15",
    "2026-07-01T14:30:15.250": "2026-07-01T14:30:15.250",
}

NOT_MEANT = (
    "", " ", "soon", "tomorrow", "90", "d", "-1d", "1.5d", "1 fortnight", "25:00", "14:30:1", "14:30 yesterday", "2026-13-01",
    "2026-02-30", "2026-1-1", "today 99:99", "last today", "yesterday yesterday", "2 weeks hence", "mo", "\u0661d", "9" * 100 + "d",
)  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), MEANT.items())
def test_a_moment_means_the_users_own_time(text: str, meant: str) -> None:
    assert parse_moment(text, NOW) == datetime.fromisoformat(meant).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-07-01T14:30Z", "2026-07-01T14:30:00+00:00"),
        ("2026-07-01T14:30:15+05:30", "2026-07-01T14:30:15+05:30"),
        ("2026-07-01 14:30-0800", "2026-07-01T14:30:00-08:00"),
    ],
)
def test_a_zone_counts_where_one_is_written(text: str, meant: str) -> None:
    assert parse_moment(text, NOW) == datetime.fromisoformat(meant)


@pytest.mark.parametrize("text", NOT_MEANT)
def test_what_is_not_a_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_moment(text, NOW)


def test_hours_are_exact_and_days_keep_the_clock_when_it_is_set() -> None:
    after = datetime(2026, 10, 25, 12, 0, tzinfo=BERLIN)  # the clock was set back at three
    assert parse_moment("12h", after).isoformat() == "2026-10-25T01:00:00+02:00"
    assert parse_moment("1d", after).isoformat() == "2026-10-24T12:00:00+02:00"
    assert parse_moment("today", after).isoformat() == "2026-10-25T00:00:00+02:00"


def test_a_month_before_a_longer_one_ends_on_its_last_day() -> None:
    assert parse_moment("1 month", datetime(2026, 3, 31, tzinfo=BERLIN)).isoformat()[:10] == "2026-02-28"
    assert parse_moment("1 month", datetime(2026, 1, 5, tzinfo=BERLIN)).isoformat()[:10] == "2025-12-05"
    assert parse_moment("1y", datetime(2028, 2, 29, tzinfo=BERLIN)).isoformat()[:10] == "2027-02-28"


@pytest.mark.parametrize("text", ["999999999999d", "9999999999h", "99999999999 months", "9999y"])
def test_an_age_beyond_the_calendar_is_its_beginning(text: str) -> None:
    found = parse_moment(text, NOW)
    assert found.year == 1
    assert found.timestamp() < 0


@given(st.text(max_size=80))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        found = parse_moment(text, NOW)
    except ValueError:
        return
    assert found.tzinfo is not None
