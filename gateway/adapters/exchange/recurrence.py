"""EWS recurrence patterns and ranges as one RRULE (pure).

"Weekday", "Day" and "WeekendDay" are sets of days.
"""

from gateway.adapters._patterns import every, month_day, placed_day, until
from gateway.adapters.exchange.fields import Element, children_of, name_of, read_date, text_of
from gateway.model.spot import Spot

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
    month = _month(element)
    return f"FREQ=YEARLY;BYMONTH={month}{_day_of_month(element, month)}"


def _relative_yearly(element: Element) -> str:
    return f"FREQ=YEARLY;BYMONTH={_month(element)}{_relative(element)}"


def _interval(element: Element) -> str:
    return every(int(text_of(element, "Interval") or 1))


def _month(element: Element) -> int:
    return MONTHS.index(text_of(element, "Month")) + 1


def _days(element: Element) -> str:
    names = text_of(element, "DaysOfWeek").split()
    if not names:
        raise ValueError("no days")
    return ",".join(DAYS[name] for name in names)


def _day_of_month(element: Element, month: int = 0) -> str:
    return month_day(int(text_of(element, "DayOfMonth")), month)


def _relative(element: Element) -> str:
    return placed_day(PLACES[text_of(element, "DayOfWeekIndex")], _days(element))


def _no_end(_element: Element, _start: Spot) -> str:
    return ""


def _numbered(element: Element, _start: Spot) -> str:
    return f";COUNT={int(text_of(element, 'NumberOfOccurrences'))}"


def _end_date(element: Element, start: Spot) -> str:
    return until(read_date(text_of(element, "EndDate")), start)


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
