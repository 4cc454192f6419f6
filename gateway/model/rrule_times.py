"""The recurrence engine: when a rule starts, by arithmetic and never by stepping from DTSTART.

Everything is wall time. Periods (years, months, weeks, days, hours, minutes, seconds) are numbered
from DTSTART's, so the first one of a window is a division. Within a period BY parts are sets, and
BYSETPOS picks from that set, so periods can be skipped without looking at them.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from gateway.errors import Condition, Refused
from gateway.model.local_time import DayNumber, WallTime, date_of
from gateway.model.rrule import Frequency, Rule
from gateway.model.rrule_days import HORIZON_DAY, WEEK, DayMasks, bits, weekday_of
from gateway.model.rrule_defaults import UNITS, of_days, with_defaults
from gateway.model.timerange import DAY, HOUR, MINUTE

STEP_LIMIT = 100_000
"""How many periods or instances one question may cost, here and everywhere above."""
HORIZON: WallTime = HORIZON_DAY * DAY
_YEARS_COUNTED = 8  # any eight years in a row hold a leap year, save around 1900 and 2100


class Budget:
    """What is left of the step limit for one question."""

    __slots__ = ("left",)

    def __init__(self, limit: int = STEP_LIMIT) -> None:
        self.left = limit

    def spend(self, steps: int = 1) -> None:
        """Take steps off; refuse when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise Refused(Condition.MAX_INSTANCES, f"more than {STEP_LIMIT:,} steps of a rule")


class RuleTimes:
    """The starts of one rule from one DTSTART; `last` is the last of them, None without an end.

    COUNT is resolved here, once. UNTIL must be given as a wall time in DTSTART's zone.
    """

    def __init__(
        self,
        rule: Rule,
        start: WallTime,
        *,
        all_day: bool,
        until: WallTime | None = None,
    ) -> None:
        if all_day:
            rule = of_days(rule)
        self.start = start
        self.rule = rule = with_defaults(rule, start)
        self._day = start // DAY
        self._masks = DayMasks(rule)
        self._unit = UNITS.get(rule.frequency, 0)
        self._times = [start % DAY] if all_day else self._times_in_period()
        self._unit_mask = self._allowed_units() if self._unit else b""
        self.last = until
        self.never = self._masks.next_day(self._day) is None or (
            bool(self._unit and rule.by_set_pos) and not self._positions(len(self._times))
        )
        self.unresolved = False
        if rule.count is not None:
            self._end_at_count(rule.count)

    # --- what a rule is asked ----------------------------------------------------------------

    def starts(self, low: WallTime, high: WallTime, budget: Budget) -> Iterator[WallTime]:
        """Yield the starts from `low` to `high`, both included, ascending."""
        low = max(low, self.start)
        high = min(high, HORIZON if self.last is None else self.last)
        if low > high or self.never:
            return
        single = not self.rule.by_set_pos
        for days, times in self._periods(low, high, budget):
            if not single or len(days) != 1 or len(times) != 1:
                budget.spend()
            for wall in self._chosen(days, times, low):
                if wall > high:
                    return
                budget.spend()
                yield wall

    @property
    def several_a_day(self) -> bool:
        """Whether a day can hold more than one start."""
        return bool(self._unit) or len(self._times) > 1

    def last_start(self, high: WallTime, budget: Budget) -> WallTime | None:
        """Return the last start up to `high`, looking back over ever longer spans."""
        span = 400 * DAY
        while True:
            found = None
            for wall in self.starts(high - span, high, budget):
                found = wall
            if found is not None or high - span < self.start:
                return found
            span *= 8

    def exceeds(self, limit: int) -> bool:
        """Tell whether any year holds more than `limit` starts."""
        if self.unresolved:
            return True
        if self.never or self._most_in_a_year() <= limit:
            return False
        end = HORIZON_DAY if self.last is None else min(HORIZON_DAY, self.last // DAY + 1)
        years = range(self._day, min(end, self._day + _YEARS_COUNTED * 366), 366)
        try:
            return any(self._count(first, min(first + 366, end), limit) > limit for first in years)
        except Refused:
            return True

    # --- periods -----------------------------------------------------------------------------

    def _periods(
        self, low: WallTime, high: WallTime, budget: Budget
    ) -> Iterator[tuple[Sequence[DayNumber], Sequence[int]]]:
        """Yield periods from the one that holds `low` on: their days and the times of each day.

        The set of a period is the product of the two, so BYSETPOS needs no more than arithmetic.
        """
        frequency = self.rule.frequency
        first, last = low // DAY, min(high, HORIZON) // DAY
        if frequency is Frequency.YEARLY:
            periods = self._years(first, last)
        elif frequency is Frequency.MONTHLY:
            periods = self._months(first, last)
        elif frequency is Frequency.WEEKLY:
            periods = self._weeks(first, last, budget)
        elif frequency is Frequency.DAILY:
            periods = self._days(first, last, budget)
        else:
            yield from self._units(low, min(high, HORIZON), budget)
            return
        for days in periods:
            yield days, self._times

    def _years(self, day: DayNumber, last: DayNumber) -> Iterator[Sequence[DayNumber]]:
        by_week = bool(self.rule.by_week_no)
        anchor, year = self._week_year(self._day), self._week_year(day)
        if not by_week:
            anchor, year = date_of(self._day).year, date_of(day).year
        interval = self.rule.interval
        year = anchor + max(0, -(-(year - anchor) // interval)) * interval
        # The days of a week-numbering year may begin in the December before it.
        while year <= date_of(last).year + by_week:
            found = self._masks.year(year)
            if by_week:
                yield self._masks.week_days(year)
            else:
                yield [found.first_day + index for index in bits(self._masks.mask(found))]
            year += interval

    def _week_year(self, day: DayNumber) -> int:
        """Return the week-numbering year of a day; INTERVAL counts these with BYWEEKNO."""
        number = date_of(day).year
        week_start = self.rule.week_start
        after = self._masks.year(number + 1)
        if day >= after.first_day + after.first_week(week_start):
            return number + 1
        year = self._masks.year(number)
        before = day < year.first_day + year.first_week(week_start)
        return max(1, number - 1) if before else number

    def _months(self, day: DayNumber, last: DayNumber) -> Iterator[Sequence[DayNumber]]:
        first, wanted = date_of(self._day), date_of(day)
        anchor = first.year * 12 + first.month - 1
        month = wanted.year * 12 + wanted.month - 1
        interval = self.rule.interval
        month = anchor + max(0, -(-(month - anchor) // interval)) * interval
        end = date_of(last)
        while month < end.year * 12 + end.month:
            year = self._masks.year(month // 12)
            mask = self._masks.mask(year, month % 12 + 1)
            yield [year.first_day + index for index in bits(mask)]
            month += interval

    def _weeks(
        self, day: DayNumber, last: DayNumber, budget: Budget
    ) -> Iterator[Sequence[DayNumber]]:
        rule = self.rule
        anchor = self._day - (weekday_of(self._day) - rule.week_start) % WEEK
        step = WEEK * rule.interval
        only_weekdays = bool(rule.by_day) and not (
            rule.by_month or rule.by_month_day or rule.by_year_day or rule.by_week_no
        )
        offsets = sorted({(weekday - rule.week_start) % WEEK for _, weekday in rule.by_day})
        week = anchor + max(0, (day - anchor) // step) * step
        if week + WEEK <= day:
            week += step
        while week <= last:
            if only_weekdays:
                yield [week + offset for offset in offsets]
                week += step
                continue
            found = self._masks.next_day(week)
            if found is None:
                return
            if found >= week + WEEK:
                budget.spend()
                week = anchor + -(-(found - WEEK + 1 - anchor) // step) * step
                continue
            yield [day for day in range(week, week + WEEK) if self._masks.matches(day)]
            week += step

    def _days(
        self, day: DayNumber, last: DayNumber, budget: Budget
    ) -> Iterator[Sequence[DayNumber]]:
        interval, masks = self.rule.interval, self._masks
        day = self._day + max(0, -(-(day - self._day) // interval)) * interval
        while day <= last:
            if masks.everything or masks.matches(day):
                yield (day,)
                day += interval
                continue
            budget.spend()
            found = masks.next_day(day)
            if found is None:
                return
            day = self._day + -(-(found - self._day) // interval) * interval

    def _units(
        self, low: WallTime, high: WallTime, budget: Budget
    ) -> Iterator[tuple[Sequence[DayNumber], Sequence[int]]]:
        """Yield hours, minutes or seconds."""
        unit, interval = self._unit, self.rule.interval
        for day, first, hits in self._unit_days(low, high, budget):
            at = hits.find(1)
            while at >= 0:
                yield (day,), self._in_unit((first + at * interval) * unit)
                at = hits.find(1, at + 1)

    def _unit_days(
        self, low: WallTime, high: WallTime, budget: Budget
    ) -> Iterator[tuple[DayNumber, int, bytes]]:
        """Yield the next matching day by mask, its first unit of t ≡ DTSTART's, and which match."""
        unit, interval = self._unit, self.rule.interval
        per_day = DAY // unit
        anchor = self.start // unit
        period = max(low // unit, anchor)
        period = anchor + -(-(period - anchor) // interval) * interval
        while period * unit <= high:
            budget.spend()
            day = period // per_day
            found = self._masks.next_day(day)
            if found is None:
                return
            if found > day:
                period = anchor + -(-(found * per_day - anchor) // interval) * interval
                continue
            first = period - day * per_day
            hits = self._unit_mask[first::interval]
            yield day, first, hits
            period += len(hits) * interval

    def _in_unit(self, second: int) -> Sequence[int]:
        return [second + offset for offset in self._times] if self._unit > 1 else (second,)

    # --- sets --------------------------------------------------------------------------------

    def _chosen(
        self, days: Sequence[DayNumber], times: Sequence[int], low: WallTime
    ) -> Iterator[WallTime]:
        """Yield the members of a period from `low` on, those of BYSETPOS if there is one."""
        if self.rule.by_set_pos:
            for index in self._positions(len(days) * len(times)):
                day, time = divmod(index, len(times))
                wall = days[day] * DAY + times[time]
                if wall >= low:
                    yield wall
            return
        for day in days:
            base = day * DAY
            if base + times[-1] < low:
                continue
            for time in times if base >= low else times[bisect_left(times, low - base) :]:
                yield base + time

    def _positions(self, size: int) -> list[int]:
        return sorted(
            {
                position - 1 if position > 0 else size + position
                for position in self.rule.by_set_pos
                if (position <= size and -position <= size)
            }
        )

    def _times_in_period(self) -> list[int]:
        """Return the seconds of a day (or of an hour or minute) at which a period's days start."""
        rule, start = self.rule, self.start
        if rule.frequency is Frequency.SECONDLY:
            return [0]
        seconds = rule.by_second or (start % MINUTE,)
        if rule.frequency is Frequency.MINUTELY:
            return list(seconds)
        minutes = rule.by_minute or (start // MINUTE % 60,)
        in_hour = [minute * MINUTE + second for minute in minutes for second in seconds]
        if rule.frequency is Frequency.HOURLY:
            return in_hour
        hours = rule.by_hour or (start // HOUR % 24,)
        return [hour * HOUR + second for hour in hours for second in in_hour]

    def _allowed_units(self) -> bytes:
        """Return a byte for each hour, minute or second of a day: 1 where BY parts let it be."""
        rule = self.rule
        second = bytes(not rule.by_second or number in rule.by_second for number in range(60))
        if rule.frequency is not Frequency.SECONDLY:
            second = b"\x01"
        minutes = [not rule.by_minute or number in rule.by_minute for number in range(60)]
        if rule.frequency is Frequency.HOURLY:
            minutes = [True]
        hour = b"".join(second if allowed else bytes(len(second)) for allowed in minutes)
        hours = [not rule.by_hour or number in rule.by_hour for number in range(24)]
        return b"".join(hour if allowed else bytes(len(hour)) for allowed in hours)

    # --- counting ----------------------------------------------------------------------------

    def _size(self, days: Sequence[DayNumber], times: Sequence[int]) -> int:
        size = len(days) * len(times)
        return len(self._positions(size)) if self.rule.by_set_pos else size

    def _end_at_count(self, count: int) -> None:
        try:
            counted = self._resolve_count(count)
        except Refused:
            # Too far to count: read as endless, which is never less busy.
            self.unresolved = True
            return
        if counted is not None:
            self.last = counted if self.last is None else min(self.last, counted)

    def _resolve_count(self, count: int) -> WallTime | None:
        """Return the COUNT-th start, None if it lies past the horizon."""
        rule, left = self.rule, count
        if self.never:
            return None
        if self._masks.everything and not rule.by_set_pos:
            unit = self._unit or (DAY if rule.frequency is Frequency.DAILY else 0)
            if unit and self._times == [self.start % unit] and 0 not in self._unit_mask:
                return self.start + (count - 1) * rule.interval * unit
        budget = Budget()
        for days, times in self._periods(self.start, HORIZON, budget):
            budget.spend()
            size = self._size(days, times)
            if days and days[0] * DAY <= self.start:
                size = sum(1 for _ in self._chosen(days, times, self.start))
            if size >= left:
                return next(islice(self._chosen(days, times, self.start), left - 1, None))
            left -= size
        return None

    def _most_in_a_year(self) -> int:
        """Return a bound on the starts in a year, without looking at one."""
        rule = self.rule
        if self._unit:
            size = min(len(self._times), len(rule.by_set_pos) or len(self._times))
            by_interval = 366 * DAY // self._unit // rule.interval + 1
            return min(366 * self._unit_mask.count(1), by_interval) * size
        if rule.by_set_pos:
            periods = {Frequency.YEARLY: 2, Frequency.MONTHLY: 13, Frequency.WEEKLY: 54}
            return periods.get(rule.frequency, 366) * len(rule.by_set_pos)
        return 366 * len(self._times)

    def _count(self, first: DayNumber, end: DayNumber, limit: int) -> int:
        """Count the starts of whole periods over some days, until there are more than `limit`."""
        total = 0
        budget = Budget(4 * STEP_LIMIT)
        low = max(first * DAY, self.start)
        if self._unit:
            return self._count_units(low, end * DAY - 1, limit, budget)
        for days, times in self._periods(low, end * DAY - 1, budget):
            if self.rule.by_set_pos:
                total += self._size(days, times)
            else:
                total += sum(first <= day < end for day in days) * len(times)
            if total > limit:
                break
        return total

    def _count_units(self, low: WallTime, high: WallTime, limit: int, budget: Budget) -> int:
        """Count by the day: every second of a year is as many steps as it has days."""
        times, total = self._in_unit(0), 0
        each = self._size((0,), times)
        for _, _, hits in self._unit_days(low, high, budget):
            total += hits.count(1) * each
            if total > limit:
                break
        return total
