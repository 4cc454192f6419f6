"""When a calendar object takes place: its recurrence set, compiled once and asked by window.

DTSTART, RRULEs, RDATEs, EXDATEs, overrides and THISANDFUTURE ranges (RFC 5545 sections 3.8.4.4 and
3.8.5) become series and single occurrences. Where the RFC is silent docs/policies.md decides.
"""

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.errors import Condition, Refused
from gateway.model.component import CalendarObject, Component
from gateway.model.content_line import Property
from gateway.model.extent import Extent, end_of, read_extent
from gateway.model.lenient_lines import MAX_RULES
from gateway.model.local_time import WallTime
from gateway.model.moment import Moment, Moments, assert_in_range
from gateway.model.occurrence import Occurrence, Overlap
from gateway.model.rrule import Rule, parse_rule
from gateway.model.rrule_times import Budget, RuleTimes
from gateway.model.series import BoundRule, Segment, Series, Wanted
from gateway.model.timerange import DAY, MAX_INSTANT, MIN_INSTANT, Instant, TimeRange, merge
from gateway.model.told_dates import Dates, read_dates
from gateway.model.zone import UTC_ZONE, Zone

__all__ = ["ObjectTimes", "Occurrence", "StoredBusy", "compile_object"]

DENSE = 2_000
"""Instances in a year from which on an object is computed when asked for, never stored."""
MAX_INSTANCES = 100_000
"""Instances in a year from which on an object is refused, the advertised `max-instances`."""
MAX_DATES = 100_000
MAX_RANGES = 250
"""THISANDFUTURE overrides of one series: each has rules and dates looked through once more."""


class StoredBusy(NamedTuple):
    """What FREEBUSY periods of a stored VFREEBUSY cover; `fbtype` as written, upper case."""

    start: Instant
    end: Instant
    fbtype: str


class _Single(NamedTuple):
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
        """Tell whether more than `limit` instances of the object may be in a year.

        Those that began before it and last into it count: it takes as long to find them.
        """
        return any(item.exceeds(limit) for item in self._series)

    def occurrences(
        self, window: TimeRange, *, wanted: Wanted | None = None, joined: bool = False
    ) -> Iterator[Occurrence]:
        """Yield the occurrences that overlap the window (RFC 4791 section 9.9), by start.

        `joined`, for who asks only when the object is busy, tells those of a dense series that
        overlap or touch as one.

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
        streams = []
        for series in self._series:
            runs = series.runs(window, budget, wanted) if joined and self.dense else None
            streams.append(series.occurrences(window, budget, wanted) if runs is None else runs)
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


def compile_object(obj: CalendarObject, default_zone: Zone, *, lenient: bool = True) -> ObjectTimes:
    """Return the times of an object; `default_zone` is its collection's.

    Strict: what breaks a rule of RFC 5545 is refused (valid-calendar-data). Lenient: only what
    has no usable time at all is.
    """
    moments = Moments(obj.calendar, default_zone, lenient=lenient)
    try:
        times = _Compiler(moments).compile(obj)
    except (ValueError, OverflowError) as error:
        raise Refused(Condition.VALID_CALENDAR_DATA, str(error)) from error
    if not lenient and times.exceeds(MAX_INSTANCES):
        what = f"more than {MAX_INSTANCES:,} instances in a year"
        raise Refused(Condition.MAX_INSTANCES, what)
    return times


class _Override(NamedTuple):
    """A component with a RECURRENCE-ID; of a range it is the first instance."""

    replaced: Moment
    component: Component
    extent: Extent
    is_range: bool


class _Compiler:
    """Turns the members of one object into series and single occurrences."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self.lenient = moments.lenient

    def compile(self, obj: CalendarObject) -> ObjectTimes:
        overrides = self._overrides([item for item in obj.members if item.first("RECURRENCE-ID")])
        masters = _latest([item for item in obj.members if not item.first("RECURRENCE-ID")])
        series: list[Series] = []
        singles = [
            self._occurrence(item.component, item.extent, item.replaced.instant)
            for item in overrides
        ]
        for master in masters:
            if master.first("DTSTART") and (master.first("RRULE") or master.first("RDATE")):
                series.append(self._series(master, overrides))
            else:
                singles += self._single(master, overrides)
        return ObjectTimes(
            series=series,
            singles=singles,
            freebusy=[period for item in obj.members for period in self._stored_busy(item)],
            floating=self.moments.depends_on_default,
        )

    # --- components ----------------------------------------------------------------------------

    def _overrides(self, items: list[Component]) -> list[_Override]:
        """Return one override for each RECURRENCE-ID, the latest where several share one."""
        found: dict[tuple[bool, int], _Override] = {}
        for item in sorted(items, key=_rank):
            name = item.first("RECURRENCE-ID")
            assert name is not None  # they were chosen by it
            replaced = self.moments.read(name)
            extent = read_extent(self.moments, item, replaced)
            if extent is not None:
                is_range = name.param("RANGE").upper() == "THISANDFUTURE"
                key = (replaced.is_date, replaced.key)
                found[key] = _Override(replaced, item, extent, is_range)
        return list(found.values())

    def _occurrence(
        self, item: Component, extent: Extent, recurrence_id: Instant | None
    ) -> _Single:
        start = extent.start
        self._assert_in_range(extent)
        occurrence = Occurrence(start.instant, extent.end, item, recurrence_id, start.is_date)
        return _Single(occurrence, extent.overlap)

    def _assert_in_range(self, extent: Extent) -> None:
        start = extent.start
        if not self.lenient:
            assert_in_range(end_of(start.instant, start.wall, extent.length, start.zone))

    def _single(self, item: Component, overrides: list[_Override]) -> list[_Single]:
        """Return the occurrence of a component that does not recur, unless it is replaced."""
        extent = read_extent(self.moments, item)
        if extent is None:
            return [
                _Single(Occurrence(start, end, item, None, all_day=False), Overlap.EVENT)
                for start, end, _ in self._stored_busy(item)
            ]
        if any(self._replaces(override, extent.start) for override in overrides):
            return []
        return [self._occurrence(item, extent, None)]

    def _replaces(self, override: _Override, start: Moment) -> bool:
        if override.replaced.is_date and not start.is_date:
            return override.replaced.wall == start.wall // DAY * DAY
        return self._joined(override.replaced, start).key == start.key

    def _stored_busy(self, item: Component) -> Iterator[StoredBusy]:
        if item.name != "VFREEBUSY":
            return
        by_type: dict[str, list[Property]] = {}
        for found in _countable(item.all("FREEBUSY")):
            by_type.setdefault(found.param("FBTYPE").upper() or "BUSY", []).append(found)
        for fbtype, items in by_type.items():
            spans: list[tuple[Instant, Instant]] = []
            for dates in read_dates(self.moments, items, MAX_DATES):
                if dates.lengths is not None:
                    told = zip(dates.instants, dates.lengths, strict=True)
                    spans += [(low, low + length) for low, length in told]
            yield from (StoredBusy(low, high, fbtype) for low, high in merge(spans))

    # --- series --------------------------------------------------------------------------------

    def _series(self, master: Component, overrides: list[_Override]) -> Series:
        extent = read_extent(self.moments, master)
        assert extent is not None  # it has a DTSTART
        self._assert_in_range(extent)
        start = extent.start
        removed: set[int] = set()
        removed_days: set[WallTime] = set()
        for dates in read_dates(self.moments, master.all("EXDATE"), MAX_DATES):
            if dates.is_date and not start.is_date:
                removed_days.update(dates.walls)
            else:
                removed.update(self._joined_all(dates, start))
        for moment in (override.replaced for override in overrides):
            if moment.is_date and not start.is_date:
                removed_days.add(moment.wall)
            else:
                removed.add(self._joined(moment, start).key)
        first = Segment(start.key, 0, extent.length, master, start.zone, start.is_date)
        ranges = [self._range(override, start) for override in overrides if override.is_range]
        if len(ranges) > MAX_RANGES:
            raise ValueError(f"more than {MAX_RANGES} changes of this and all that follows")
        walls: list[WallTime] = []
        instants: list[Instant] = []
        ends: dict[Instant, Instant] = {}
        for dates in read_dates(self.moments, _countable(master.all("RDATE")), MAX_DATES):
            keys = self._joined_all(dates, start)
            starts = start.zone.instants_of(keys) if start.is_date else keys
            walls += keys if start.is_date else []
            instants += starts
            if dates.lengths is not None:
                ends |= {
                    low: low + length for low, length in zip(starts, dates.lengths, strict=True)
                }
        return Series(
            start=start,
            rules=self._rules(master, start),
            instants=instants,
            days=walls,
            ends=ends,
            removed=removed,
            removed_days=removed_days,
            segments=[first, *sorted(ranges, key=lambda segment: segment.from_key)],
            overlap=extent.overlap,
        )

    def _joined_all(self, dates: Dates, start: Moment) -> list[int]:
        """Return the keys of dates or times in a series: the days of an all-day one, or instants.

        They are what `_joined` makes of each.
        """
        walls = dates.walls
        if start.is_date:
            if not dates.is_floating:
                odd = [wall for wall in walls if wall % DAY]
                told = start.zone.walls_of(dates.zone.instants_of(odd))
                known = dict(zip(odd, told, strict=True))
                walls = [known.get(wall, wall) for wall in walls]
            return [wall - wall % DAY for wall in walls]
        if dates.is_date:
            return start.zone.instants_of([wall + start.wall % DAY for wall in walls])
        return (start if dates.is_floating else dates).zone.instants_of(walls)

    def _joined(self, moment: Moment, start: Moment) -> Moment:
        """Return a date or time in the terms of a series: its kind of value, its zone."""
        if start.is_date:
            wall = moment.wall
            if wall % DAY and not moment.is_floating:
                wall = start.zone.wall_of(moment.instant)
            wall -= wall % DAY
            return start._replace(wall=wall, instant=start.zone.instant_of(wall))
        if moment.is_date:
            wall = moment.wall + start.wall % DAY
            return start._replace(wall=wall, instant=start.zone.instant_of(wall))
        if moment.is_floating and not start.is_floating:
            return start._replace(wall=moment.wall, instant=start.zone.instant_of(moment.wall))
        return moment

    def _range(self, override: _Override, start: Moment) -> Segment:
        """Return what a THISANDFUTURE override makes of the instances from its own on."""
        replaced = self._joined(override.replaced, start)
        moved = override.extent.start
        zone, wall = moved.zone, moved.wall
        if zone is UTC_ZONE:
            # Told in UTC by a client that converts everything: the series keeps its own clock.
            zone, wall = start.zone, start.zone.wall_of(moved.instant)
        before = replaced.wall if start.is_date else start.zone.wall_of(replaced.instant)
        key = replaced.key
        if override.replaced.is_date and not start.is_date:
            key = start.zone.instant_of(override.replaced.wall)
        return Segment(
            key, wall - before, override.extent.length, override.component, zone, moved.is_date
        )

    def _rules(self, master: Component, start: Moment) -> list[BoundRule]:
        found = master.all("RRULE")
        if len(found) > MAX_RULES and not self.lenient:
            raise ValueError(f"more than {MAX_RULES} rules")
        rules = [parse_rule(item.value, lenient=self.lenient) for item in found[:MAX_RULES]]
        return [self._bound(rule, start) for rule in rules if rule is not None]

    def _bound(self, rule: Rule, start: Moment) -> BoundRule:
        """Return a rule with its UNTIL told on the wall of DTSTART."""
        until, last, instant = rule.until, None, None
        if until is not None:
            last = until.wall
            if start.is_date:
                if until.is_utc and last % DAY:
                    last = start.zone.wall_of(last)
            elif until.is_date:
                last += DAY - 1
            elif until.is_utc:
                instant = until.wall
                last = start.zone.wall_of(instant) + (0 if start.zone.is_fixed else DAY)
        times = RuleTimes(rule, start.wall, all_day=start.is_date, until=last)
        return BoundRule(times, instant)


def _countable(items: list[Property]) -> list[Property]:
    """Refuse lists of more values than are read: what is cut off would be free."""
    if sum(item.value.count(",") + 1 for item in items) > MAX_DATES:
        raise ValueError(f"more than {MAX_DATES:,} dates")
    return items


def _latest(items: list[Component]) -> list[Component]:
    """Return the latest of several masters, all of them where nothing tells them apart."""
    if len(items) <= 1:
        return items
    latest = max(_rank(item) for item in items)
    return [item for item in items if _rank(item) == latest]


def _rank(item: Component) -> tuple[int, str]:
    """Return what says which of two versions is the later (RFC 5546 section 2.1.5)."""
    sequence = item.value("SEQUENCE").strip()
    number = int(sequence) if sequence.isascii() and sequence.isdigit() else 0
    return number, item.value("DTSTAMP").strip().upper()
