"""What one component says about its own time: where it starts, how long it is, which row it takes.

The rows are those of RFC 4791 section 9.9; what the RFCs leave open is decided in docs/policies.md.
"""

from typing import NamedTuple

from gateway.model.component import Component
from gateway.model.local_time import Duration, parse_duration
from gateway.model.moment import Moment, Moments
from gateway.model.occurrence import Overlap
from gateway.model.timerange import DAY, MAX_INSTANT, MIN_INSTANT, Instant
from gateway.model.zone import UTC_ZONE, Zone

NO_LENGTH = Duration(0, 0)
ONE_DAY = Duration(1, 0)
_LONGEST = MAX_INSTANT - MIN_INSTANT
_ANY_TIME = Duration(0, _LONGEST)


class Extent(NamedTuple):
    """The start of a component, its length, and the row of section 9.9 that it falls under."""

    start: Moment
    length: Duration
    overlap: Overlap

    @property
    def end(self) -> Instant:
        """The end, held inside the advertised range of dates."""
        end = end_of(self.start.instant, self.start.wall, self.length, self.start.zone)
        return max(self.start.instant, min(end, MAX_INSTANT))


def end_of(start: Instant, wall: int, length: Duration, zone: Zone) -> Instant:
    """Return where an instance ends: days are nominal, seconds exact (RFC 5545 section 3.3.6)."""
    if length.days:
        start = zone.instant_of(wall + length.days * DAY)
    return start + length.seconds


def read_extent(moments: Moments, item: Component, replaced: Moment | None = None) -> Extent | None:
    """Return the extent of a component, None where section 9.9 says that it has none.

    `replaced` is an override's RECURRENCE-ID: without a DTSTART of its own it stays there.
    """
    found = item.first("DTSTART")
    start = moments.read(found) if found is not None else replaced
    if item.name == "VEVENT":
        if start is None:
            raise ValueError("a VEVENT without DTSTART")
        return Extent(start, _length(moments, item, start, "DTEND"), Overlap.EVENT)
    if item.name == "VTODO":
        return _todo(moments, item, start)
    if item.name == "VFREEBUSY":
        return _free_busy(moments, item, start)
    if start is None:
        return None
    return Extent(start, ONE_DAY if start.is_date else NO_LENGTH, Overlap.EVENT)


def _todo(moments: Moments, item: Component, start: Moment | None) -> Extent:
    due = item.first("DUE")
    if start is None:
        if due is not None:
            return Extent(moments.read(due), NO_LENGTH, Overlap.TODO_DUE_ONLY)
        return _undated(moments, item)
    if due is not None:
        return Extent(start, _length(moments, item, start, "DUE"), Overlap.TODO_DUE)
    if item.first("DURATION") is not None:
        return Extent(start, _length(moments, item, start, "DUE"), Overlap.TODO_DURATION)
    return Extent(start, NO_LENGTH, Overlap.EVENT)


def _undated(moments: Moments, item: Component) -> Extent:
    """Return the extent of a to-do that only knows when it was created or completed."""
    created, completed = item.first("CREATED"), item.first("COMPLETED")
    told = [moments.read(found).instant for found in (created, completed) if found is not None]
    if completed is None:
        start = _utc(told[0]) if told else _utc(MIN_INSTANT)
        return Extent(start, _ANY_TIME, Overlap.FREE_BUSY)
    return Extent(_utc(min(told)), Duration(0, max(told) - min(told)), Overlap.TODO_DONE)


def _free_busy(moments: Moments, item: Component, start: Moment | None) -> Extent | None:
    if start is None or item.first("DTEND") is None:
        return None
    return Extent(start, _length(moments, item, start, "DTEND"), Overlap.FREE_BUSY)


def _utc(instant: Instant) -> Moment:
    return Moment(instant, instant, UTC_ZONE, is_date=False, is_floating=False)


def _length(moments: Moments, item: Component, start: Moment, end_name: str) -> Duration:
    """Return the length: exact from an end, nominal in its days from a DURATION."""
    ended, lasting = item.first(end_name), item.first("DURATION")
    if ended is not None and lasting is not None and not moments.lenient:
        raise ValueError(f"both {end_name} and DURATION")
    if ended is not None:
        length = _between(moments, start, moments.read(ended), end_name)
    elif lasting is not None:
        length = parse_duration(lasting.value)
    else:
        return ONE_DAY if start.is_date else NO_LENGTH
    if length.nominal_seconds < 0:
        if not moments.lenient:
            raise ValueError(f"a {item.name} that ends before it starts")
        length = NO_LENGTH
    if length == NO_LENGTH and start.is_date and end_name != "DUE":
        return ONE_DAY
    return Duration(min(length.days, _LONGEST // DAY), min(length.seconds, _LONGEST))


def _between(moments: Moments, start: Moment, end: Moment, end_name: str) -> Duration:
    if start.is_date and end.is_date:
        return Duration((end.wall - start.wall) // DAY, 0)
    if start.is_date is not end.is_date and not moments.lenient:
        raise ValueError(f"DTSTART and {end_name} are not both dates or both times")
    if end.is_floating and not start.is_floating:
        # The end of a time that has a zone is told in that zone.
        return Duration(0, start.zone.instant_of(end.wall) - start.instant)
    return Duration(0, end.instant - start.instant)
