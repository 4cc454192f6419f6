"""When a calendar object takes place: its recurrence set, compiled once and asked by window.

DTSTART, RRULEs, RDATEs, EXDATEs, overrides and THISANDFUTURE ranges (RFC 5545 sections 3.8.4.4 and
3.8.5) become series and single occurrences. Where the RFC is silent docs/policies.md decides.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import Condition, Refused
from gateway.model.component import CalendarObject, Component
from gateway.model.local_time import Duration, parse_duration, parse_wall
from gateway.model.moment import Moment, Moments, Period
from gateway.model.occurrence import Occurrence, Overlap
from gateway.model.rrule import Rule, parse_rule
from gateway.model.rrule_times import Budget, RuleTimes
from gateway.model.series import BoundRule, Segment, Series, Wanted, end_of
from gateway.model.timerange import DAY, HOUR, MAX_INSTANT, MIN_INSTANT, Instant, TimeRange
from gateway.model.zone import UTC_ZONE, Zone

__all__ = ["ObjectTimes", "Occurrence", "StoredBusy", "compile_object"]

DENSE = 2_000
"""Instances in a year from which on an object is computed when asked for, never stored."""
MAX_RULES = 5
MAX_DATES = 100_000
_NO_LENGTH = Duration(0, 0)
_ONE_DAY = Duration(1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBusy:
    """A FREEBUSY period of a stored VFREEBUSY; `fbtype` as written, upper case."""

    start: Instant
    end: Instant
    fbtype: str


@dataclass(frozen=True, slots=True)
class _Single:
    occurrence: Occurrence
    overlap: Overlap


class ObjectTimes:
    """The times of one object.

    `first_start` and `last_end` (None: endless) bound everything its time-range tests can match,
    for a plain half-open overlap test; `dense` objects are too many to store; `floating` ones
    change with the collection's zone (all-day events too); `freebusy` is a stored VFREEBUSY's.
    """

    __slots__ = (
        "_series",
        "_singles",
        "dense",
        "first_start",
        "floating",
        "freebusy",
        "last_end",
        "recurring",
    )

    def __init__(
        self,
        *,
        series: Sequence[Series],
        singles: Sequence[_Single],
        freebusy: Sequence[StoredBusy],
        floating: bool,
    ) -> None:
        self._series = series
        self._singles = sorted(singles, key=lambda single: single.occurrence.start)
        self.freebusy = tuple(freebusy)
        self.floating = floating
        self.recurring = bool(series)
        self.dense = len(singles) > DENSE or self.exceeds(DENSE)
        self.first_start, self.last_end = self._bounds()

    def exceeds(self, limit: int) -> bool:
        """Tell whether any year may hold more than `limit` instances of the object."""
        return any(item.exceeds(limit) for item in self._series)

    def occurrences(
        self, window: TimeRange, *, wanted: Wanted | None = None
    ) -> Iterator[Occurrence]:
        """Yield the occurrences that overlap the window (RFC 4791 section 9.9), by start.

        They are found one by one, so asking for the first of an endless window is cheap. More
        than the step limit is refused (max-instances); all that came before is complete.
        """
        budget = Budget()
        singles = (
            single.occurrence
            for single in self._singles
            if single.overlap.holds(single.occurrence.start, single.occurrence.end, window)
            and (wanted is None or wanted(single.occurrence.component, True))
        )
        streams = [series.occurrences(window, budget, wanted) for series in self._series]
        return heapq.merge(singles, *streams, key=lambda found: found.start)

    def _bounds(self) -> tuple[Instant, Instant | None]:
        # Some rows of section 9.9 include an edge, and a moment has no length: hence the seconds.
        starts = [single.occurrence.start - 1 for single in self._singles]
        starts += [item.first_start - 1 for item in self._series]
        starts += [period.start for period in self.freebusy]
        ends: list[Instant | None] = [single.occurrence.end + 1 for single in self._singles]
        ends += [None if (end := item.last_end) is None else end + 1 for item in self._series]
        ends += [period.end for period in self.freebusy]
        if not starts:
            return MAX_INSTANT, MIN_INSTANT
        known = [end for end in ends if end is not None]
        return min(starts), max(known) if len(known) == len(ends) else None


def compile_object(
    obj: CalendarObject, default_zone: Zone, *, lenient: bool = True
) -> ObjectTimes:
    """Return the times of an object; `default_zone` is its collection's.

    Strict: what breaks a rule of RFC 5545 is refused (valid-calendar-data). Lenient: only what
    has no usable time at all is.
    """
    moments = Moments(obj.calendar, default_zone, lenient=lenient)
    try:
        return _Compiler(moments).compile(obj)
    except (ValueError, OverflowError) as error:
        raise Refused(Condition.VALID_CALENDAR_DATA, str(error)) from error


class _Compiler:
    """Turns the members of one object into series and single occurrences."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self.lenient = moments.lenient

    def compile(self, obj: CalendarObject) -> ObjectTimes:
        overrides = [item for item in obj.members if item.first("RECURRENCE-ID")]
        masters = _latest([item for item in obj.members if not item.first("RECURRENCE-ID")])
        replaced = self._overrides(overrides)
        series: list[Series] = []
        singles = [single for item in replaced for single in item.singles]
        for master in masters:
            if any(master.first(name) for name in ("RRULE", "RDATE")):
                series.append(self._series(master, replaced))
            else:
                singles += self._single(master, replaced)
        return ObjectTimes(
            series=series,
            singles=singles,
            freebusy=[period for item in obj.members for period in self._stored_busy(item)],
            floating=self.moments.depends_on_default,
        )
