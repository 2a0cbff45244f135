"""Moments as users write them: ages, days, dates and times. One grammar for every command that takes a moment.

    30m  2h  3d  2w  6mo  1y  "2 weeks ago"  "an hour"     an age, from now
    today  yesterday  monday  "last friday"  2026-11-24    the beginning of a day
    14:30  "yesterday 14:30"  2026-11-24T14:30  …Z         a time of a day, today's or the last one

A weekday is the last one before today. An age in hours or less is exact; one in days or more keeps the time on the clock.
"""

import re
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

#: What messages and help show.
EXAMPLES: Final = "3d, '2 weeks ago', yesterday, monday, 14:30, 2026-11-24 or 2026-11-24T14:30"
_CHARS_MAX: Final = 64

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS: Final = {
    "s": "second",
    "sec": "second",
    "second": "second",
    "m": "minute",
    "min": "minute",
    "minute": "minute",
    "h": "hour",
    "hr": "hour",
    "hour": "hour",
    "d": "day",
    "day": "day",
    "w": "week",
    "wk": "week",
    "week": "week",
    "mo": "month",
    "month": "month",
    "y": "year",
    "yr": "year",
    "year": "year",
}
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "year": 12}
_AGE: Final = re.compile(r"(?P<count>\d{1,40}|an?|last)\s*(?P<unit>[a-z]+?)(?P<plural>s?)(?:\s+ago)?")
_TIME: Final = re.compile(
    r"(?P<day>.*?)(?:^|[ t])(?P<time>\d{1,2}:\d\d(?::\d\d(?:\.\d{3}(?:\d{3})?)?)?)(?P<zone>z|[+-]\d\d:?\d\d)?"
)


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that a text means at `now`, which has the user's time zone. A moment before the calendar is its first day. Raises
    ValueError.
    """
    words = " ".join(text.lower().split())
    if not words or len(words) > _CHARS_MAX or not words.isascii():
        raise ValueError(text)
    found = _ago(words, now) or _of_day(words, now)
    if found is None:
        raise ValueError(text)
    return found


def _ago(words: str, now: datetime) -> datetime | None:
    """The moment of an age."""
    if words == "now":
        return now
    match = _AGE.fullmatch(words)
    if match is None:
        return None
    unit = _UNITS.get(match["unit"]) or _UNITS.get(match["unit"] + match["plural"])
    if unit is None:
        return None
    count = int(match["count"]) if match["count"].isdecimal() else 1
    try:
        if unit in _SECONDS:
            age = timedelta(seconds=count * _SECONDS[unit])
            return (now.astimezone(timezone.utc) - age).astimezone(now.tzinfo)
        if unit in _DAYS:
            return now - timedelta(days=count * _DAYS[unit])
        return _months_before(now, count * _MONTHS[unit])
    except OverflowError:
        return datetime.min.replace(day=2, tzinfo=timezone.utc)  # every zone can show it


def _months_before(now: datetime, count: int) -> datetime:
    """The same day of an earlier month, or the last day of a shorter one."""
    year, month = divmod(now.year * 12 + now.month - 1 - count, 12)
    if year < date.min.year:
        raise OverflowError
    following = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return now.replace(year=year, month=month + 1, day=min(now.day, (following - timedelta(days=1)).day))


def _of_day(words: str, now: datetime) -> datetime | None:
    """The beginning of a day, or a time of it."""
    match = _TIME.fullmatch(words)
    if match is None:
        day = _day(words, now.date())
        return None if day is None else datetime.combine(day, time(), now.tzinfo)
    clock = time.fromisoformat(match["time"].zfill(5) if match["time"].count(":") == 1 else match["time"])
    zone = now.tzinfo if match["zone"] is None else _zone(match["zone"])
    named = match["day"].strip()
    if named:
        day = _day(named, now.date())
        return None if day is None else datetime.combine(day, clock, zone)
    found = datetime.combine(now.date(), clock, zone)
    return found if found <= now else found - timedelta(days=1)


def _day(words: str, today: date) -> date | None:
    if words in ("today", "yesterday"):
        return today - timedelta(days=words == "yesterday")
    name = words.removeprefix("last ")
    for number, weekday in enumerate(_WEEKDAYS):
        if len(name) >= 3 and weekday.startswith(name):
            return today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)
    return date.fromisoformat(words) if re.fullmatch(r"\d{4}-\d\d-\d\d", words) else None


def _zone(text: str) -> timezone:
    if text == "z":
        return timezone.utc
    hours, minutes = int(text[1:3]), int(text[-2:])
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
