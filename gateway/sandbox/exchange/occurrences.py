"""The instances of an item in a window, found by trying every day: slow, simple, and its own."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.soap import T
from gateway.sandbox.exchange.zones import zone_of

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SETS = {
    "Day": DAYS,
    "Weekday": DAYS[:5],
    "WeekendDay": DAYS[5:],
}
MONTHS = [
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
]
PLACES = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
MOST_YEARS = 30


def moment(text: str) -> datetime:
    """Read an instant."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def told(when: datetime) -> str:
    """Write an instant."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spans(item: ET.Element) -> tuple[datetime, datetime]:
    """Return when an item begins and ends."""
    return moment(item.findtext(f"{T}Start", "")), moment(item.findtext(f"{T}End", ""))


def starts_of(item: ET.Element, until: datetime) -> Iterator[datetime]:
    """Yield the starts of a series, deleted and modified ones included."""
    start, _ = spans(item)
    recurrence = item.find(f"{T}Recurrence")
    if recurrence is None:
        yield start
        return
    zone = zone_of(item)
    local = start.astimezone(zone)
    pattern = next(
        one for one in recurrence if one.tag.endswith("Recurrence") and not _is_range(one)
    )
    reach = next((one for one in recurrence if _is_range(one)), None)
    left = int(reach.findtext(f"{T}NumberOfOccurrences", "100000")) if reach is not None else 100000
    last = reach.findtext(f"{T}EndDate", "")[:10] if reach is not None else ""
    end = date.fromisoformat(last) if last else local.date() + timedelta(days=366 * MOST_YEARS)
    day = local.date()
    while day <= end and left > 0:
        if fits(pattern, day, local.date()):
            found = datetime.combine(day, local.time(), zone).astimezone(UTC)
            if found >= until:
                return
            left -= 1
            yield found
        day += timedelta(days=1)


def instances(
    item: ET.Element, low: datetime, high: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the instances that meet a window and were neither deleted nor modified."""
    start, end = spans(item)
    gone = {moment(one.findtext(f"{T}Start", "")) for one in item.iter(f"{T}DeletedOccurrence")}
    changed = item.find(f"{T}ModifiedOccurrences")
    for one in changed if changed is not None else ():
        gone.add(moment(one.findtext(f"{T}OriginalStart", "")))
    for begin in starts_of(item, high):
        if begin not in gone and begin < high and begin + (end - start) > low:
            yield begin, begin + (end - start)


def fits(pattern: ET.Element, day: date, first: date) -> bool:
    """Tell whether a day is one of a pattern's."""
    kind = pattern.tag.rpartition("}")[2]
    interval = int(pattern.findtext(f"{T}Interval", "1"))
    names = pattern.findtext(f"{T}DaysOfWeek", "").split()
    months = (day.year - first.year) * 12 + day.month - first.month
    if kind == "DailyRecurrence":
        return (day - first).days % interval == 0
    if kind == "WeeklyRecurrence":
        begins = DAYS.index(pattern.findtext(f"{T}FirstDayOfWeek", "Monday"))
        return DAYS[day.weekday()] in names and _weeks(first, day, begins) % interval == 0
    if "Yearly" in kind:
        if MONTHS[day.month - 1] != pattern.findtext(f"{T}Month"):
            return False
    elif months % interval:
        return False
    if kind.startswith("Absolute"):
        return day.day == min(int(pattern.findtext(f"{T}DayOfMonth", "1")), _length(day))
    wanted = [name for one in names for name in SETS.get(one, (one,))]
    days = [
        number
        for number in range(1, _length(day) + 1)
        if DAYS[day.replace(day=number).weekday()] in wanted
    ]
    place = PLACES[pattern.findtext(f"{T}DayOfWeekIndex", "First")]
    return place < len(days) and days[place] == day.day


def _weeks(first: date, day: date, begins: int) -> int:
    start = first - timedelta(days=(first.weekday() - begins) % 7)
    return (day - start).days // 7


def _length(day: date) -> int:
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return (following - timedelta(days=1)).day


def _is_range(element: ET.Element) -> bool:
    return element.find(f"{T}StartDate") is not None
