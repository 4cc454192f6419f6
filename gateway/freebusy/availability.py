"""When a page is open: its weekly hours and overrides as spans of instants.

An opening is the first instant with its wall time, a closing the last one; a wall time that a
clock change skips is the instant of the change.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from gateway.model.page import WEEKDAYS, SchedulingPage
from gateway.model.timerange import DAY, Instant, TimeRange
from gateway.model.zones import Zone, zone

LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time has no zone; that is the point
SECOND = timedelta(seconds=1)
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2199, 12, 31)


class OpenSpan(NamedTuple):
    """One interval of opening hours; candidate starts are counted from `start`."""

    start: Instant
    end: Instant


def zone_of(page: SchedulingPage) -> Zone:
    """Return the page's zone; a page whose zone is unknown has no hours, so this raises."""
    found = zone(page.time_zone)
    if found is None:
        raise ValueError(f"the page's time zone {page.time_zone!r} is unknown")
    return found


def open_spans(page: SchedulingPage, window: TimeRange) -> list[OpenSpan]:
    """Return every non-empty interval that may hold a slot of the window, sorted by start.

    Dates run from two before the window to one after it: hours may end on the next day, and a
    zone may be a day from UTC.
    """
    place = zone_of(page)
    spans = [
        OpenSpan(start, end)
        for day in _dates(place, window)
        for opens, closes in _walls(page, day)
        if (start := opening(place, opens)) < (end := closing(place, closes))
    ]
    return sorted(spans)


def opening(place: Zone, wall: datetime) -> Instant:
    """Return the first instant that shows this wall time, or the change that skips it."""
    first = place.to_instant(wall)
    return first if place.to_local(first) == wall else _change_before(place, first)


def closing(place: Zone, wall: datetime) -> Instant:
    """Return the last instant that shows this wall time, or the change that skips it."""
    first = place.to_instant(wall)
    if place.to_local(first) != wall:
        return _change_before(place, first)
    again = _seconds(wall) - _offset(place, first + DAY)
    return again if again > first and place.to_local(again) == wall else first


def _change_before(place: Zone, after: Instant) -> Instant:
    """Return the first instant of the offset that holds at `after`, which changed within a day."""
    low, high = after - DAY, after
    offset = _offset(place, high)
    while low + 1 < high:
        middle = (low + high) // 2
        if _offset(place, middle) == offset:
            high = middle
        else:
            low = middle
    return high


def _offset(place: Zone, at: Instant) -> int:
    return _seconds(place.to_local(at)) - at


def _seconds(wall: datetime) -> int:
    return (wall - LOCAL_EPOCH) // SECOND


def _dates(place: Zone, window: TimeRange) -> Iterator[date]:
    day = max(place.to_local(window.start).date(), FIRST_DATE + timedelta(days=2))
    day -= timedelta(days=2)
    last = min(place.to_local(window.end).date(), LAST_DATE - timedelta(days=1))
    while day <= last + timedelta(days=1):
        yield day
        day += timedelta(days=1)


def _walls(page: SchedulingPage, day: date) -> Iterator[tuple[datetime, datetime]]:
    """Yield the wall times of a date; an override replaces the weekly hours, also by none."""
    hours = page.overrides.get(day.isoformat())
    if hours is None:
        hours = page.weekly_hours.get(WEEKDAYS[day.weekday()], ())
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time
    for opens, closes in hours:
        start, end = _minutes(opens), _minutes(closes)
        if end <= start:
            end += 24 * 60
        yield midnight + timedelta(minutes=start), midnight + timedelta(minutes=end)


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return int(hours) * 60 + int(minutes)
