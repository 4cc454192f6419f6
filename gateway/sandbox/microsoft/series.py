"""Days of a patternedRecurrence by counting days, as Exchange means them.

Nothing here knows of an RRULE, so that what reads the patterns as rules is held against this.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count

from gateway.sandbox.microsoft.call import Json

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
LAST_YEAR = 2199


def days_of(recurrence: Json, until: date) -> Iterator[date]:
    """Yield the days of a series in order, up to and with a day; cancelled ones count."""
    pattern, reach = recurrence["pattern"], recurrence["range"]
    first = date.fromisoformat(reach["startDate"])
    last = until
    if reach["type"] == "endDate":
        last = min(until, date.fromisoformat(reach["endDate"]))
    left = reach["numberOfOccurrences"] if reach["type"] == "numbered" else -1
    for day in _days(pattern, first, last):
        if day < first:
            continue
        if day > last or left == 0:
            return
        left -= 1
        yield day


def _days(pattern: Json, first: date, last: date) -> Iterator[date]:
    interval = pattern.get("interval", 1)
    kind = pattern["type"]
    if kind == "daily":
        for number in count():
            day = first + timedelta(days=number * interval)
            yield day
            if day > last:
                return
    if kind == "weekly":
        yield from _weekly(pattern, first, last, interval)
        return
    yearly = kind.endswith("Yearly")
    months = 12 * interval if yearly else interval
    month = date(first.year, pattern["month"] if yearly else first.month, 1)
    while month <= last and month.year < LAST_YEAR:
        yield _in_month(pattern, kind, month)
        number = month.month - 1 + months
        month = date(month.year + number // 12, number % 12 + 1, 1)


def _weekly(pattern: Json, first: date, last: date, interval: int) -> Iterator[date]:
    begins = WEEK.index(pattern.get("firstDayOfWeek", "sunday"))
    week = first - timedelta(days=(first.weekday() - begins) % 7)
    wanted = [WEEK.index(name) for name in pattern["daysOfWeek"]]
    while week <= last:
        yield from sorted(week + timedelta(days=(day - begins) % 7) for day in wanted)
        week += timedelta(days=7 * interval)


def _in_month(pattern: Json, kind: str, month: date) -> date:
    length = monthrange(month.year, month.month)[1]
    if kind.startswith("absolute"):
        # What a short month does not have happens on its last day.
        return month.replace(day=min(pattern["dayOfMonth"], length))
    names = pattern["daysOfWeek"]
    days = [month.replace(day=number) for number in range(1, length + 1)]
    fitting = [day for day in days if WEEK[day.weekday()] in names]
    return fitting[PLACES[pattern["index"]]]
