"""A patternedRecurrence as one RRULE, and the days that a series leaves out (pure).

https://learn.microsoft.com/graph/api/resources/recurrencepattern: what a type does not use arrives
as 0, "first" or "sunday", so every type reads its own fields only.
"""

from collections.abc import Iterator

from gateway.adapters._patterns import every, month_day, placed_day, until
from gateway.adapters.graph.fields import Item, text_of
from gateway.model.local_time import parse_day
from gateway.model.spot import Spot, date_spot, time_spot
from gateway.model.timerange import DAY

DAYS = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}
PLACES = {"first": "1", "second": "2", "third": "3", "fourth": "4", "last": "-1"}
MOST_CANCELLED = 5_000


def rule_of(recurrence: object, start: Spot) -> str:
    """Return the RRULE of a series; a pattern or range without meaning is ValueError."""
    if not isinstance(recurrence, dict):
        raise ValueError("no recurrence")  # noqa: TRY004 - one kind of failure, whatever is wrong
    pattern, reach = recurrence.get("pattern"), recurrence.get("range")
    if not isinstance(pattern, dict) or not isinstance(reach, dict):
        raise ValueError("a recurrence without a pattern or range")  # noqa: TRY004 - see above
    make = PATTERNS.get(text_of(pattern, "type").lower())
    if make is None:
        raise ValueError("an unknown pattern")
    return make(pattern) + _reach(reach, start)


def _daily(pattern: Item) -> str:
    return f"FREQ=DAILY{_every(pattern)}"


def _weekly(pattern: Item) -> str:
    first = DAYS[text_of(pattern, "firstDayOfWeek").lower() or "sunday"]
    return f"FREQ=WEEKLY{_every(pattern)};BYDAY={_days(pattern)};WKST={first}"


def _absolute_monthly(pattern: Item) -> str:
    return f"FREQ=MONTHLY{_every(pattern)}{month_day(_number(pattern, 'dayOfMonth'))}"


def _relative_monthly(pattern: Item) -> str:
    return f"FREQ=MONTHLY{_every(pattern)}{_relative(pattern)}"


def _absolute_yearly(pattern: Item) -> str:
    month = _month(pattern)
    day = month_day(_number(pattern, "dayOfMonth"), month)
    return f"FREQ=YEARLY{_every(pattern)};BYMONTH={month}{day}"


def _relative_yearly(pattern: Item) -> str:
    return f"FREQ=YEARLY{_every(pattern)};BYMONTH={_month(pattern)}{_relative(pattern)}"


PATTERNS = {
    "daily": _daily,
    "weekly": _weekly,
    "absolutemonthly": _absolute_monthly,
    "relativemonthly": _relative_monthly,
    "absoluteyearly": _absolute_yearly,
    "relativeyearly": _relative_yearly,
}


def _every(pattern: Item) -> str:
    return every(_number(pattern, "interval") if "interval" in pattern else 1)


def _month(pattern: Item) -> int:
    month = _number(pattern, "month")
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        raise ValueError("no month")
    return month


def _relative(pattern: Item) -> str:
    place = PLACES.get(text_of(pattern, "index").lower() or "first")
    if place is None:
        raise ValueError("an unknown place in the month")
    return placed_day(place, _days(pattern))


def _days(pattern: Item) -> str:
    told = pattern.get("daysOfWeek")
    days = [DAYS.get(str(day).lower(), "") for day in told] if isinstance(told, list) else []
    if not days or "" in days:
        raise ValueError("no days of the week")
    return ",".join(dict.fromkeys(days))


def _number(item: Item, name: str) -> int:
    found = item.get(name)
    if isinstance(found, bool) or not isinstance(found, int):
        raise ValueError(f"{name} is no number")  # noqa: TRY004 - see rule_of
    return found


def _reach(reach: Item, start: Spot) -> str:
    kind = text_of(reach, "type").lower()
    if kind == "noend":
        return ""
    if kind == "numbered":
        count = _number(reach, "numberOfOccurrences")
        if count < 1:
            raise ValueError("a series of nothing")
        return f";COUNT={count}"
    if kind == "enddate":
        return until(_day(text_of(reach, "endDate")), start)
    raise ValueError("an unknown range")


def left_out(master: Item, start: Spot) -> Iterator[Spot]:
    """Yield the instances that were deleted: `OID.{id}.{day}`, the day on the wall of the series.

    One that cannot be read stays busy.
    """
    told = master.get("cancelledOccurrences")
    for text in told[:MOST_CANCELLED] if isinstance(told, list) else []:
        try:
            yield instance_on(str(text).rpartition(".")[2], start)
        except (ValueError, OverflowError):
            continue


def instance_on(day: str, start: Spot) -> Spot:
    """Return the instance of a series on a day, `2026-03-27`."""
    number = _day(day)
    if start.is_date:
        return date_spot(number, start.zone)
    return time_spot(start.zone.instant_of(number * DAY + start.wall % DAY), start.zone)


def _day(text: str) -> int:
    return parse_day(text.strip()[:10].replace("-", ""))
