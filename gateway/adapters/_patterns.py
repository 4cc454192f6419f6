"""Exchange's recurrence patterns as parts of an RRULE, however a protocol writes them (pure).

Day 29, 30 or 31 of a month means its last day where the month is shorter; several days with a
place mean one day, the n-th of them all.
"""

from calendar import monthrange

from gateway.model.local_time import format_day
from gateway.model.spot import Spot
from gateway.model.timerange import DAY, format_utc

SHORTEST_MONTH, LONGEST_MONTH = 28, 31
COMMON_YEAR = 2001


def every(interval: int) -> str:
    """Return the INTERVAL."""
    if interval < 1:
        raise ValueError("an interval below one")
    return "" if interval == 1 else f";INTERVAL={interval}"


def month_day(day: int, month: int = 0) -> str:
    """Return the day of a month, or of every month."""
    if not 1 <= day <= LONGEST_MONTH:
        raise ValueError("no day of a month")
    shortest = monthrange(COMMON_YEAR, month)[1] if month else SHORTEST_MONTH
    if day <= shortest:
        return f";BYMONTHDAY={day}"
    return f";BYMONTHDAY={','.join(map(str, range(shortest, day + 1)))};BYSETPOS=-1"


def placed_day(place: str, days: str) -> str:
    """Return the n-th of the days; `days` are BYDAY's, parted by commas."""
    return f";BYDAY={days};BYSETPOS={place}" if "," in days else f";BYDAY={place}{days}"


def until(day: int, start: Spot) -> str:
    """Return the UNTIL of a last day, which is told on the wall of the series."""
    if start.is_date:
        return f";UNTIL={format_day(day)}"
    return f";UNTIL={format_utc(start.zone.instant_of(day * DAY + start.wall % DAY))}"
