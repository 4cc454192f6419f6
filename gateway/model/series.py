"""A recurring component as sorted streams of occurrences (RFC 5545 section 3.8.5).

Bases are the members of the recurrence set at their original times. Segments say what becomes of
them: the master's from its start on, each THISANDFUTURE override's from its RECURRENCE-ID on.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from gateway.model.component import Component
from gateway.model.extent import end_of
from gateway.model.local_time import Duration, WallTime
from gateway.model.moment import Moment
from gateway.model.occurrence import Occurrence, Overlap
from gateway.model.rrule_times import Budget, RuleTimes
from gateway.model.runs import Run, runs
from gateway.model.timerange import DAY, HOUR, MAX_INSTANT, Instant, TimeRange
from gateway.model.zone import Zone

_SLACK = 26 * HOUR
"""More than any offset or gap, so that a wall time is surely inside what was looked at."""
_YEAR = 366 * DAY
Wanted = Callable[[Component, bool], bool]
"""Whether a component matters to the asker, and whether its instances have any length."""


class Segment(NamedTuple):
    """What the instances from one key on look like; `shift` moves their wall times."""

    from_key: int
    shift: int
    length: Duration
    component: Component
    zone: Zone
    all_day: bool


class BoundRule(NamedTuple):
    """A rule with the instant of its UNTIL, where that is in UTC."""

    times: RuleTimes
    until: Instant | None


class _Base(NamedTuple):
    instant: Instant
    wall: WallTime
    end: Instant | None


_Timed = TypeVar("_Timed", _Base, Occurrence)


class Series:
    """A master with its rules, dates, exceptions and ranges."""

    __slots__ = (
        "_dates",
        "_days",
        "_ends",
        "_longest",
        "_removed",
        "_removed_days",
        "_rules",
        "overlap",
        "segments",
        "start",
    )

    def __init__(
        self,
        *,
        start: Moment,
        rules: Sequence[BoundRule],
        instants: Sequence[Instant],
        days: Sequence[WallTime],
        ends: Mapping[Instant, Instant],
        removed: set[int],
        removed_days: set[WallTime],
        segments: Sequence[Segment],
        overlap: Overlap,
    ) -> None:
        self.start = start
        self.segments = segments
        self.overlap = overlap
        self._rules = rules
        self._removed = removed
        self._removed_days = removed_days
        # Of a hundred thousand instants only those that are asked for are made into bases. Two days
        # may begin at one instant, where a zone has left one out: the first that is told counts.
        self._days = dict(zip(reversed(instants), reversed(days), strict=True)) if days else {}
        self._ends = ends
        self._days[start.instant] = start.wall
        self._dates = [*sorted({*instants, start.instant})]
        self._longest = max((end - low for low, end in ends.items()), default=0)

    # --- spans -------------------------------------------------------------------------------

    @property
    def longest(self) -> int:
        """A bound on the length of any instance, in seconds."""
        lengths = [abs(item.length.nominal_seconds) + DAY for item in self.segments]
        return max([*lengths, self._longest])

    @property
    def first_start(self) -> Instant:
        """A bound below every start; an instance can start before DTSTART by RDATE or shift."""
        moved = [item.shift - 2 * DAY for item in self.segments if self._moves(item)]
        return self._dates[0] + min([0, *moved])

    @property
    def last_end(self) -> Instant | None:
        """A bound above every end, None without one."""
        last = self._dates[-1]
        for rule in self._rules:
            if rule.times.never:
                continue
            if rule.times.last is None:
                return None
            last = max(last, self.start.zone.instant_of(rule.times.last))
        return last + max(0, *(item.shift for item in self.segments)) + self.longest + 2 * DAY

    def exceeds(self, limit: int) -> bool:
        """Tell whether more than `limit` instances may be in a year, begun in it or before."""
        begun = limit // (1 + 2 * self.longest // _YEAR)  # to find one may cost two steps
        return len(self._dates) > limit or any(rule.times.exceeds(begun) for rule in self._rules)

    # --- occurrences -------------------------------------------------------------------------

    def occurrences(
        self, window: TimeRange, budget: Budget, wanted: Wanted | None
    ) -> Iterator[Occurrence]:
        """Yield the instances that overlap a window, by start."""
        ends = [*(item.from_key for item in self.segments[1:]), None]
        streams = [
            self._segment(segment, end, window, budget)
            for segment, end in zip(self.segments, ends, strict=True)
            if wanted is None or wanted(segment.component, self._has_length(segment))
        ]
        return iter(streams[0]) if len(streams) == 1 else heapq.merge(*streams, key=_start)

    def runs(
        self, window: TimeRange, budget: Budget, wanted: Wanted | None
    ) -> Iterator[Occurrence] | None:
        """Yield the instances, those that overlap or touch as one; None where that needs all."""
        (segment, *more), zone = self.segments, self.start.zone
        days, length = segment.length
        # As long as that only where the offset never changes, or where no day is counted; and only
        # dates, which are sorted, keep their order where it does.
        exact = zone.is_fixed or not (days or self._rules)
        same = not more and not segment.all_day and exact and not self._moves(segment)
        length += days * DAY
        if not same or (length <= 0 and not self._ends) or self._removed_days:
            return None
        if wanted is not None and not wanted(segment.component, True):
            return iter(())

        def starts(low: Instant, high: Instant) -> Iterator[Instant]:
            budget.spend()
            at = bisect_left(self._dates, low), bisect_right(self._dates, high)
            streams: list[Iterable[Instant]] = [self._dates[slice(*at)]]
            for rule in self._rules:
                last = high if rule.until is None else min(high, rule.until)
                walls = rule.times.starts(zone.wall_of(low), zone.wall_of(last), budget)
                streams.append(map(zone.instant_of, walls))
            found = heapq.merge(*streams) if self._rules else iter(streams[0])
            return (one for one in found if one not in self._removed and one not in self._ends)

        found = [self._ended_runs(window)] if self._ends else []
        if length > 0:
            found.append(runs(starts, length, window))
        return (
            Occurrence(start, end, segment.component, start, all_day=False)
            for start, end in heapq.merge(*found)
        )

    def _ended_runs(self, window: TimeRange) -> Iterator[Run]:
        """Yield the runs of dates that were told with their ends."""
        low = bisect_left(self._dates, window.start - self._longest)
        high = bisect_left(self._dates, window.end)
        run: Run | None = None
        for start in self._dates[low:high]:
            end = self._ends.get(start, start)
            if end <= max(start, window.start) or start in self._removed:
                continue
            if run is not None and start > run.end:
                yield run
                run = None
            run = Run(start, end) if run is None else Run(run.start, max(run.end, end))
        if run is not None:
            yield run

    def _has_length(self, segment: Segment) -> bool:
        return segment.length != (0, 0) or bool(self._longest)

    def _segment(
        self, segment: Segment, end_key: int | None, window: TimeRange, budget: Budget
    ) -> Iterator[Occurrence]:
        low = window.start - self.longest - segment.shift - _SLACK
        high = window.end - segment.shift + _SLACK
        first = segment is self.segments[0]
        # Between its own keys only: of thousands of ranges each would look through all instances.
        if not first:
            low = max(low, segment.from_key - _SLACK)
        if end_key is not None:
            high = min(high, end_key + _SLACK)
        if low > high:
            return iter(())
        found: Iterator[Occurrence] = (
            self._occurrence(segment, base)
            for base in self._bases(low, high, budget)
            if (first or self._key(base) >= segment.from_key)
            and (end_key is None or self._key(base) < end_key)
            and self._key(base) not in self._removed
            and not (self._removed_days and base.wall // DAY * DAY in self._removed_days)
        )
        if self._moves(segment) and not (segment.zone.is_fixed and self.start.zone.is_fixed):
            found = _in_order(found)
        return (item for item in found if self.overlap.holds(item.start, item.end, window))

    def _key(self, base: _Base) -> int:
        return base.wall if self.start.is_date else base.instant

    def _moves(self, segment: Segment) -> bool:
        return segment.shift != 0 or segment.zone is not self.start.zone

    def _occurrence(self, segment: Segment, base: _Base) -> Occurrence:
        wall = base.wall + segment.shift
        if segment.all_day:
            wall -= wall % DAY
        start = segment.zone.instant_of(wall) if self._moves(segment) else base.instant
        if base.end is not None:
            end = start + base.end - base.instant
        else:
            end = end_of(start, wall, segment.length, segment.zone)
        end = max(start, min(end, MAX_INSTANT))
        return Occurrence(start, end, segment.component, base.instant, segment.all_day)

    def _bases(self, low: Instant, high: Instant, budget: Budget) -> Iterator[_Base]:
        """Yield the recurrence set from `low` to `high`, exceptions not yet taken out."""
        at = range(bisect_left(self._dates, low), bisect_right(self._dates, high))
        streams: list[Iterable[_Base]] = [(self._date(self._dates[number]) for number in at)]
        streams += [self._of_rule(rule, low, high, budget) for rule in self._rules]
        last: _Base | None = None
        for base in heapq.merge(*streams, key=_instant):
            if base.instant > high:
                return
            if last is not None and base.instant == last.instant:
                continue
            last = base
            yield base

    def _date(self, instant: Instant) -> _Base:
        wall = self._days.get(instant)
        if wall is None:
            wall = self.start.zone.wall_of(instant)
        return _Base(instant, wall, self._ends.get(instant))

    def _of_rule(
        self, rule: BoundRule, low: Instant, high: Instant, budget: Budget
    ) -> Iterator[_Base]:
        zone = self.start.zone
        walls = rule.times.starts(zone.wall_of(low) - _SLACK, zone.wall_of(high) + _SLACK, budget)
        bases: Iterator[_Base] = (_Base(zone.instant_of(wall), wall, None) for wall in walls)
        if not zone.is_fixed and rule.times.several_a_day:
            bases = _in_order(bases)
        for base in bases:
            if rule.until is None or base.instant <= rule.until:
                yield base


def _in_order(items: Iterable[_Timed]) -> Iterator[_Timed]:
    """Yield items by instant; a gap or fold can only have moved them by less than the slack."""
    waiting: list[tuple[Instant, int, _Timed]] = []
    for order, item in enumerate(items):
        heapq.heappush(waiting, (item[0], order, item))
        while waiting[0][0] <= item[0] - _SLACK:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _start(item: Occurrence) -> Instant:
    return item.start


def _instant(item: _Base) -> Instant:
    return item.instant
