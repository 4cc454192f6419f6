"""Wall times, durations and offsets as integers, read from RFC 5545 section 3.3 values.

A wall time is the number of seconds its clock shows since 1970-01-01T00:00:00, whatever the zone;
a day is a number of days since 1970-01-01. Integers neither overflow nor know a year 10000.
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from gateway.model.timerange import DAY, HOUR, MINUTE

WallTime = int
"""Seconds on the wall since 1970-01-01T00:00:00."""
DayNumber = int
"""Days since 1970-01-01."""

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall times have no zone by definition
LOWEST_WALL: WallTime = (date(1, 1, 2).toordinal() - EPOCH_ORDINAL) * DAY
HIGHEST_WALL: WallTime = (date(9999, 12, 30).toordinal() - EPOCH_ORDINAL) * DAY
_DATE = re.compile(r"[0-9]{8}")
_DATE_TIME = re.compile(r"([0-9]{8})T([0-9]{6})(Z?)", re.IGNORECASE)
_DURATION = re.compile(
    r"([+-]?)P(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})([0-9]{2})?")


class WallValue(NamedTuple):
    """A DATE or DATE-TIME as written: its wall time, and whether it is a date or in UTC."""

    wall: WallTime
    is_date: bool
    is_utc: bool


class Duration(NamedTuple):
    """A duration: nominal days (weeks included) and exact seconds (RFC 5545 section 3.3.6)."""

    days: int
    seconds: int

    @property
    def nominal_seconds(self) -> int:
        """The length if every day had 24 hours."""
        return self.days * DAY + self.seconds


@lru_cache(maxsize=4096)  # a list of dates has few days and times of day; what is none is not kept
def parse_day(text: str) -> DayNumber:
    """Return the day of a DATE value; raise ValueError where the calendar has no such day."""
    if _DATE.fullmatch(text) is None:
        raise ValueError(f"no date: {text[:40]}")
    return date.fromisoformat(text).toordinal() - EPOCH_ORDINAL


def parse_wall(text: str) -> WallValue:
    """Return a DATE or DATE-TIME value; second 60 reads as 59 (RFC 5545 section 3.3.12)."""
    text = text.strip()
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return WallValue(parse_day(text) * DAY, is_date=True, is_utc=False)
    wall = parse_day(found[1]) * DAY + parse_time_of_day(found[2])
    return WallValue(wall, is_date=False, is_utc=bool(found[3]))


@lru_cache(maxsize=4096)
def parse_time_of_day(text: str) -> int:
    """Return the seconds since midnight that six digits tell; second 60 reads as 59."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"no time of day: {text}")
    hour, minute, second = int(text[:2]), int(text[2:4]), int(text[4:])
    if hour >= 24 or minute >= 60 or second > 60:  # noqa: PLR2004 - the clock
        raise ValueError(f"no time of day: {text}")
    return hour * HOUR + minute * MINUTE + min(second, 59)


def parse_duration(text: str) -> Duration:
    """Return a DURATION value; raise ValueError where it is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.group(i) for i in (2, 3, 5, 6, 7)):
        raise ValueError(f"no duration: {text[:40]}")
    sign = -1 if found[1] == "-" else 1
    weeks, days, hours, minutes, seconds = (int(found[i] or 0) for i in (2, 3, 5, 6, 7))
    return Duration(sign * (weeks * 7 + days), sign * (hours * HOUR + minutes * MINUTE + seconds))


def parse_offset(text: str) -> int:
    """Return a UTC-OFFSET in seconds; `-0000` is forbidden but common, and means none."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no offset: {text[:40]}")
    hours, minutes, seconds = int(found[2]), int(found[3]), int(found[4] or 0)
    if hours >= 24 or minutes >= 60 or seconds >= 60:  # noqa: PLR2004 - the clock
        raise ValueError(f"no offset: {text[:40]}")
    size = hours * HOUR + minutes * MINUTE + seconds
    return -size if found[1] == "-" else size


def day_of(year: int, month: int, day: int) -> DayNumber:
    """Return the day number of a calendar date."""
    return date(year, month, day).toordinal() - EPOCH_ORDINAL


def date_of(day: DayNumber) -> date:
    """Return the calendar date of a day number."""
    return date.fromordinal(day + EPOCH_ORDINAL)


def wall_of(moment: datetime) -> WallTime:
    """Return the wall time a naive datetime shows."""
    return (moment.replace(tzinfo=None) - _NAIVE_EPOCH) // timedelta(seconds=1)


def datetime_of(wall: WallTime) -> datetime:
    """Return a wall time as a naive datetime, held inside the years 1 to 9999."""
    return _NAIVE_EPOCH + timedelta(seconds=min(max(wall, LOWEST_WALL), HIGHEST_WALL))


def format_day(day: DayNumber) -> str:
    """Return a DATE value."""
    return f"{date_of(day):%Y%m%d}".rjust(8, "0")


def format_wall(wall: WallTime) -> str:
    """Return a local DATE-TIME value, without zone."""
    return f"{datetime_of(wall):%Y%m%dT%H%M%S}".rjust(15, "0")
