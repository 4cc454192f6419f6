"""EWS recurrence patterns and ranges as one RRULE (pure).

Day 29, 30 or 31 of a month means its last day where the month is shorter; "Weekday", "Day" and
"WeekendDay" with an index mean one day of that set, the n-th of all.
"""

from gateway.adapters.exchange.fields import Element, children_of, name_of, read_date, text_of
from gateway.model.local_time import format_day
from gateway.model.spot import Spot
from gateway.model.timerange import DAY, format_utc

SHORTEST_MONTH = 28
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAYS = {
    "Monday": "MO",
    "Tuesday": "TU",
    "Wednesday": "WE",
    "Thursday": "TH",
    "Friday": "FR",
    "Saturday": "SA",
    "Sunday": "SU",
    "Weekday": "MO,TU,WE,TH,FR",
    "WeekendDay": "SA,SU",
    "Day": "SU,MO,TU,WE,TH,FR,SA",
}
PLACES = {"First": "1", "Second": "2", "Third": "3", "Fourth": "4", "Last": "-1"}


def rule_of(recurrence: Element, start: Spot) -> str:
    """Return the RRULE of a Recurrence element; what is not understood is ValueError."""
    pattern = reach = ""
    for element in recurrence:
        kind = name_of(element)
        if kind in RANGES:
            reach = RANGES[kind](element, start)
        elif kind in PATTERNS:
            pattern = PATTERNS[kind](element)
        else:
            raise ValueError("an unknown recurrence")
    if not pattern:
        raise ValueError("a recurrence without a pattern")
    return pattern + reach


def _daily(element: Element) -> str:
    return f"FREQ=DAILY{_interval(element)}"


def _weekly(element: Element) -> str:
    first = DAYS[text_of(element, "FirstDayOfWeek") or "Monday"]
    return f"FREQ=WEEKLY{_interval(element)};BYDAY={_days(element)};WKST={first}"


def _absolute_monthly(element: Element) -> str:
    return f"FREQ=MONTHLY{_interval(element)}{_day_of_month(element)}"


def _relative_monthly(element: Element) -> str:
    return f"FREQ=MONTHLY{_interval(element)}{_relative(element)}"


def _absolute_yearly(element: Element) -> str:
    return f"FREQ=YEARLY;BYMONTH={_month(element)}{_day_of_month(element)}"


def _relative_yearly(element: Element) -> str:
    return f"FREQ=YEARLY;BYMONTH={_month(element)}{_relative(element)}"


def _interval(element: Element) -> str:
    interval = int(text_of(element, "Interval") or 1)
    return "" if interval == 1 else f";INTERVAL={interval}"


def _month(element: Element) -> int:
    return MONTHS.index(text_of(element, "Month")) + 1


def _days(element: Element) -> str:
    names = text_of(element, "DaysOfWeek").split()
    if not names:
        raise ValueError("no days")
    return ",".join(DAYS[name] for name in names)


def _day_of_month(element: Element) -> str:
    day = int(text_of(element, "DayOfMonth"))
    if not 1 <= day <= 31:  # noqa: PLR2004 - days of a month
        raise ValueError("no day of a month")
    if day <= SHORTEST_MONTH:
        return f";BYMONTHDAY={day}"
    return f";BYMONTHDAY={','.join(map(str, range(SHORTEST_MONTH, day + 1)))};BYSETPOS=-1"


def _relative(element: Element) -> str:
    place, days = PLACES[text_of(element, "DayOfWeekIndex")], _days(element)
    if "," in days:
        return f";BYDAY={days};BYSETPOS={place}"
    return f";BYDAY={place}{days}"


def _no_end(_element: Element, _start: Spot) -> str:
    return ""


def _numbered(element: Element, _start: Spot) -> str:
    return f";COUNT={int(text_of(element, 'NumberOfOccurrences'))}"


def _end_date(element: Element, start: Spot) -> str:
    """End with the date's instance: the date is told on the wall of the series."""
    day = read_date(text_of(element, "EndDate"))
    if start.is_date:
        return f";UNTIL={format_day(day)}"
    return f";UNTIL={format_utc(start.zone.instant_of(day * DAY + start.wall % DAY))}"


PATTERNS = {
    "DailyRecurrence": _daily,
    "WeeklyRecurrence": _weekly,
    "AbsoluteMonthlyRecurrence": _absolute_monthly,
    "RelativeMonthlyRecurrence": _relative_monthly,
    "AbsoluteYearlyRecurrence": _absolute_yearly,
    "RelativeYearlyRecurrence": _relative_yearly,
}
RANGES = {
    "NoEndRecurrence": _no_end,
    "NumberedRecurrence": _numbered,
    "EndDateRecurrence": _end_date,
}


def deleted_starts(item: Element) -> list[str]:
    """Return the starts of the instances that were deleted."""
    return [text_of(one, "Start") for one in children_of(item, "DeletedOccurrences")]
