"""Instants and dates of the API as text: RFC 3339 in, UTC out."""

import re
from datetime import date, datetime, timedelta

from gateway.errors import Invalid
from gateway.freebusy.availability import FIRST_DATE, LAST_DATE, opening
from gateway.model.local_time import day_of
from gateway.model.timerange import (
    DAY,
    MAX_INSTANT,
    MIN_INSTANT,
    Instant,
    TimeRange,
    format_rfc3339,
    to_instant,
)
from gateway.model.zones import Zone, iana_zone

MAX_DAYS, MAX_NAME = 62, 64
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# A plus that was not encoded reaches us as a space.
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:[Zz]|[ +-][0-9]{2}:[0-9]{2})"
)
_FRACTION = re.compile(r"\.[0-9]+")


def read_instant(name: str, text: str) -> Instant:
    """Return the instant of an RFC 3339 text; Invalid names the field."""
    if _INSTANT.fullmatch(text):
        try:
            plain = _FRACTION.sub("", text.replace(" ", "+")).upper()
            instant = to_instant(datetime.fromisoformat(plain))
        except (ValueError, OverflowError):
            instant = MAX_INSTANT
        if MIN_INSTANT <= instant < MAX_INSTANT:
            return instant
    raise Invalid({name: "Give a time with its offset, such as 2026-12-01T09:00:00+01:00."})


def read_zone(name: str, text: str) -> Zone:
    """Return the zone of this name; Invalid names the field."""
    found = iana_zone(text) if 0 < len(text) <= MAX_NAME else None
    if found is None:
        raise Invalid({name: "This time zone is unknown; use a name such as Europe/Amsterdam."})
    return found


def read_window(first: str, last: str, place: Zone) -> TimeRange:
    """Return a window from `from` and `to`: dates are both included, instants half-open."""
    start = _edge("from", first, place, days=0)
    end = _edge("to", last, place, days=1)
    if end <= start:
        raise Invalid({"to": "The end must come after the start."})
    # A clock change may make the 62nd day an hour longer.
    slack = DAY // 12 if _DATE.fullmatch(last) else 0
    if end - start > MAX_DAYS * DAY + slack:
        raise Invalid({"to": f"Ask for at most {MAX_DAYS} days."})
    return TimeRange(start, end)


def _edge(name: str, text: str, place: Zone, *, days: int) -> Instant:
    if not _DATE.fullmatch(text):
        return read_instant(name, text)
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError):
        raise Invalid({name: "There is no such date."}) from None
    midnight = day_of(day.year, day.month, day.day) * DAY
    instant = opening(place, midnight) if FIRST_DATE <= day <= LAST_DATE else MAX_INSTANT
    if not MIN_INSTANT + DAY <= instant < MAX_INSTANT:
        raise Invalid({name: "Dates from 1900 to 2199 are known."})
    return instant


def text_of(instant: Instant) -> str:
    """Return the instant as RFC 3339 in UTC."""
    return format_rfc3339(instant)


def text_or_none(instant: Instant | None) -> str | None:
    """Return the instant as RFC 3339 in UTC, or None."""
    return None if instant is None else format_rfc3339(instant)
