"""When a page is open: its weekly hours and overrides as spans of instants.

An opening is the first instant with its wall time, a closing the last one; a wall time that a
clock change skips is the instant of the change.
"""

from datetime import date
from typing import NamedTuple

from gateway.model.local_time import EPOCH_ORDINAL, DayNumber, WallTime, day_of
from gateway.model.page import WEEKDAYS, Hours, SchedulingPage
from gateway.model.timerange import DAY, HOUR, MINUTE, Instant, TimeRange
from gateway.model.zones import Zone, zone

FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2199, 12, 31)
FIRST_DAY, LAST_DAY = (day.toordinal() - EPOCH_ORDINAL for day in (FIRST_DATE, LAST_DATE))
MONDAY: DayNumber = day_of(1970, 1, 5)
"""Any Monday."""


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
    weekly = {
        number: _hours(page.weekly_hours.get(name, ())) for number, name in enumerate(WEEKDAYS)
    }
    overrides = {
        day_of(*map(int, day.split("-"))): _hours(hours) for day, hours in page.overrides.items()
    }
    spans = [
        OpenSpan(start, end)
        for day in _days(place, window)
        for opens, closes in overrides.get(day, weekly[(day - MONDAY) % 7])
        if (start := opening(place, day * DAY + opens))
        < (end := closing(place, day * DAY + closes))
    ]
    return sorted(spans)


def opening(place: Zone, wall: WallTime) -> Instant:
    """Return the first instant that shows this wall time, or the change that skips it."""
    first = place.instant_of(wall)
    return first if place.wall_of(first) == wall else _change_before(place, first)


def closing(place: Zone, wall: WallTime) -> Instant:
    """Return the last instant that shows this wall time, or the change that skips it."""
    first = place.instant_of(wall)
    if place.is_fixed:
        return first
    if place.wall_of(first) != wall:
        return _change_before(place, first)
    again = wall - place.offset_at(first + DAY)
    return again if again > first and place.wall_of(again) == wall else first


def _change_before(place: Zone, after: Instant) -> Instant:
    """Return the first instant of the offset that holds at `after`, which changed within a day."""
    low, high = after - DAY, after
    offset = place.offset_at(high)
    while low + 1 < high:
        middle = (low + high) // 2
        if place.offset_at(middle) == offset:
            high = middle
        else:
            low = middle
    return high


def _days(place: Zone, window: TimeRange) -> range:
    first = max(place.wall_of(window.start) // DAY, FIRST_DAY + 2)
    last = min(place.wall_of(window.end) // DAY, LAST_DAY - 1)
    return range(first - 2, last + 2)


def _hours(hours: Hours) -> list[tuple[int, int]]:
    """Return hours as seconds after midnight; what ends before it starts ends the day after."""
    spans = ((_seconds(opens), _seconds(closes)) for opens, closes in hours)
    return [(start, end if end > start else end + DAY) for start, end in spans]


def _seconds(wall: str) -> int:
    hours, minutes = wall.split(":")
    return int(hours) * HOUR + int(minutes) * MINUTE
