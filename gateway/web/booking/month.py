"""A month of a page as a visitor sees it: which days have free times, in the visitor's zone."""

from calendar import Calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time

from gateway.model.local_time import date_of
from gateway.model.timerange import DAY, MINUTE, Instant, TimeRange
from gateway.model.zone import Zone

DECEMBER = 12
MIDNIGHT = clock_time()
WEEK_OF_MONDAY = date(2024, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The weeks of a month, None for days of its neighbours, and the free starts of each day.

    `before` and `after` are the neighbouring months that may have free times.
    """

    first: date
    first_weekday: int
    weeks: tuple[tuple[date | None, ...], ...]
    free: Mapping[date, tuple[Instant, ...]]
    before: date | None
    after: date | None

    @property
    def weekdays(self) -> tuple[date, ...]:
        """A week of days, for the names of the columns."""
        return tuple(WEEK_OF_MONDAY + timedelta(days=self.first_weekday + at) for at in range(7))

    @property
    def first_free(self) -> date | None:
        """The first day with a free time."""
        return min(self.free, default=None)


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def next_month(first: date) -> date:
    """Return the first day of the month after one."""
    if first.month == DECEMBER:
        return date(first.year + 1, 1, 1)
    return date(first.year, first.month + 1, 1)


def bounds(now: Instant, horizon_days: int, place: Zone) -> tuple[date, date]:
    """Return the first and the last month in which anything can be free."""
    today = place.to_local(now).date()
    return month_of(today), month_of(today + timedelta(days=horizon_days))


def window(first: date, after: date, place: Zone, duration: int) -> TimeRange:
    """Return the range to ask for so that every slot that starts in these months is in it."""
    start, end = (place.to_instant(datetime.combine(day, MIDNIGHT)) for day in (first, after))
    return TimeRange(start, end + duration * MINUTE)


def by_day(slots: Iterable[TimeRange], place: Zone) -> dict[date, tuple[Instant, ...]]:
    """Return the starts of slots by local day."""
    days: dict[int, list[Instant]] = {}
    for slot in slots:
        days.setdefault(place.wall_of(slot.start) // DAY, []).append(slot.start)
    return {date_of(day): tuple(starts) for day, starts in days.items()}


def month(
    first: date,
    free: Mapping[date, tuple[Instant, ...]],
    within: tuple[date, date],
    *,
    today: date,
    first_weekday: int,
) -> Month:
    """Return the month as it is shown, weeks gone by left out; `first_weekday` is 0 for Monday."""
    earliest, latest = within
    previous = month_of(first - timedelta(days=1))
    weeks: Sequence[Sequence[date]] = Calendar(first_weekday).monthdatescalendar(
        first.year, first.month
    )
    return Month(
        first=first,
        first_weekday=first_weekday,
        weeks=tuple(
            tuple(day if day.month == first.month else None for day in week)
            for week in weeks
            if week[-1] >= today
        ),
        free={day: starts for day, starts in free.items() if month_of(day) == first},
        before=previous if previous >= earliest else None,
        after=next_month(first) if first < latest else None,
    )
