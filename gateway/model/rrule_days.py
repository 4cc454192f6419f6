"""Which days of a year a recurrence rule matches, as bit masks.

Day masks depend only on whether the year is a leap year, the weekday of 1 January and WKST, so a
rule needs at most 14 of them (plus week spill) whatever the span of time; they make it possible
to jump to the next matching day and to prove that a rule never matches.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.model.local_time import DayNumber, date_of, day_of
from gateway.model.rrule import Frequency, Rule, Skip

WEEK = 7
_EVERY_SEVENTH = sum(1 << (WEEK * week) for week in range(54))
_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = range(1, 13)
_FEBRUARY = 2
# The first week of a year has at least four days in it (section 3.3.10, WKST).
_MOST_OF_A_WEEK = 4
HORIZON_DAY: DayNumber = day_of(2200, 1, 1)
"""No rule is followed past the advertised `max-date-time`."""


class Year(NamedTuple):
    """A year: its number, first day, first weekday (Monday 0) and length."""

    number: int
    first_day: DayNumber
    weekday: int
    length: int

    def month(self, month: int) -> tuple[int, int]:
        """Return where a month starts in the year, counted from 0, and its length."""
        leap = self.length == 366  # noqa: PLR2004 - the calendar
        start = sum(_MONTH_LENGTHS[: month - 1]) + (leap and month > _FEBRUARY)
        return start, _MONTH_LENGTHS[month - 1] + (leap and month == _FEBRUARY)

    def first_week(self, week_start: int) -> int:
        """Return where week 1 starts, relative to 1 January."""
        into = (self.weekday - week_start) % WEEK
        return -into if WEEK - into >= _MOST_OF_A_WEEK else WEEK - into


def year_of(number: int) -> Year:
    """Return a year of the Gregorian calendar."""
    first = day_of(number, 1, 1)
    length = 365 + (number % 4 == 0 and (number % 100 != 0 or number % 400 == 0))
    return Year(number, first, weekday_of(first), length)


def weekday_of(day: DayNumber) -> int:
    """Return the weekday of a day, Monday 0; 1 January 1970 was a Thursday."""
    return (day + 3) % WEEK


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits of a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class DayMasks:
    """The days a rule's BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY and BYDAY leave, year by year.

    The rule comes with its defaults filled in: without any of these every day matches.
    """

    __slots__ = ("_masks", "_rule", "_years", "everything")

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._masks: dict[tuple[int, int, int], int] = {}
        self._years: dict[int, Year] = {}
        self.everything = not (
            rule.by_month or rule.by_week_no or rule.by_year_day or rule.by_month_day or rule.by_day
        )

    def year(self, number: int) -> Year:
        """Return a year, remembered."""
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = year_of(number)
        return year

    def mask(self, year: Year, month: int = 0, *, weeks: bool = True) -> int:
        """Return the matching days of a year, or of one month of it, as bits from 1 January."""
        weeks = weeks and bool(self._rule.by_week_no)
        # Weeks spill over from neighbours, so with BYWEEKNO every year is its own type.
        kind = year.number if weeks else -(year.weekday * 2 + (year.length & 1)) - 1
        key = (kind, month, weeks)
        found = self._masks.get(key)
        if found is None:
            found = self._masks[key] = self._build(year, month, weeks=weeks)
        return found

    def matches(self, day: DayNumber) -> bool:
        """Tell whether a day matches."""
        year = self.year(date_of(day).year)
        return bool(self.mask(year) >> (day - year.first_day) & 1)

    def next_day(self, day: DayNumber) -> DayNumber | None:
        """Return the first matching day from `day` on, None if there is none before the horizon."""
        if self.everything:
            return day if day < HORIZON_DAY else None
        number = date_of(min(day, HORIZON_DAY)).year
        offset = day - self.year(number).first_day
        while day < HORIZON_DAY:
            year = self.year(number)
            rest = self.mask(year) >> offset
            if rest:
                return year.first_day + offset + (rest & -rest).bit_length() - 1
            number, offset, day = number + 1, 0, year.first_day + year.length
        return None

    def week_days(self, number: int) -> list[DayNumber]:
        """Return the matching days of a week-numbering year, whose edges are not 1 January."""
        year, after = self.year(number), self.year(number + 1)
        start = year.first_week(self._rule.week_start)
        weeks = (year.length + after.first_week(self._rule.week_start) - start) // WEEK
        days: list[DayNumber] = []
        for week in sorted({w if w > 0 else weeks + 1 + w for w in self._rule.by_week_no}):
            if 1 <= week <= weeks:
                first = year.first_day + start + (week - 1) * WEEK
                days.extend(
                    day for day in range(first, first + WEEK) if self._matches_without_weeks(day)
                )
        return days

    def _matches_without_weeks(self, day: DayNumber) -> bool:
        year = self.year(date_of(day).year)
        return bool(self.mask(year, weeks=False) >> (day - year.first_day) & 1)

    def _build(self, year: Year, month: int, *, weeks: bool) -> int:
        rule = self._rule
        months = [month] if month else list(rule.by_month or _MONTHS)
        if month and rule.by_month and month not in rule.by_month:
            return 0
        if rule.by_month_day:
            mask = self._month_days(year, months)
        else:
            mask = sum(_run(*year.month(number)) for number in months)
        if rule.by_year_day:
            mask &= _numbered(rule.by_year_day, 0, year.length)
        if rule.by_day:
            mask &= self._weekdays(year, months)
        if weeks:
            mask &= self._weeks(year)
        return mask

    def _month_days(self, year: Year, months: list[int]) -> int:
        mask = 0
        for month in months:
            start, length = year.month(month)
            mask |= _numbered(self._rule.by_month_day, start, length)
            if self._rule.skip is not Skip.OMIT and max(self._rule.by_month_day) > length:
                mask |= 1 << (start + length - (self._rule.skip is Skip.BACKWARD))
        return mask

    def _weekdays(self, year: Year, months: list[int]) -> int:
        """Return the BYDAY days; ordinals count in the month, or in the year without BYMONTH."""
        rule = self._rule
        in_months = rule.frequency is Frequency.MONTHLY or bool(rule.by_month)
        spans = [year.month(month) for month in months] if in_months else [(0, year.length)]
        mask = 0
        for ordinal, weekday in rule.by_day:
            same = _EVERY_SEVENTH << ((weekday - year.weekday) % WEEK)
            if not ordinal:
                mask |= same
                continue
            for start, length in spans:
                mask |= _nth(same >> start & _run(0, length), ordinal) << start
        return mask & _run(0, year.length)

    def _weeks(self, year: Year) -> int:
        mask = 0
        for number in range(max(1, year.number - 1), year.number + 2):
            neighbour = self.year(number)
            start = neighbour.first_week(self._rule.week_start)
            after = self.year(neighbour.number + 1)
            end = neighbour.length + after.first_week(self._rule.week_start)
            count = (end - start) // WEEK
            shift = neighbour.first_day - year.first_day + start
            for week in self._rule.by_week_no:
                position = week if week > 0 else count + 1 + week
                if 1 <= position <= count:
                    at = shift + (position - 1) * WEEK
                    mask |= _run(0, WEEK) << at if at >= 0 else _run(0, WEEK) >> -at
        return mask & _run(0, year.length)


def _run(start: int, length: int) -> int:
    return ((1 << length) - 1) << start


def _numbered(numbers: tuple[int, ...], start: int, length: int) -> int:
    """Return the days of a span by their numbers, counted from 1 or, negative, from its end."""
    mask = 0
    for number in numbers:
        if number <= length and -number <= length:
            mask |= 1 << (start + (number - 1 if number > 0 else length + number))
    return mask


def _nth(mask: int, ordinal: int) -> int:
    """Return the n-th bit of a mask, from its end when negative, or nothing."""
    days = list(bits(mask))
    index = ordinal - 1 if ordinal > 0 else ordinal
    return 1 << days[index] if -len(days) <= index < len(days) else 0
