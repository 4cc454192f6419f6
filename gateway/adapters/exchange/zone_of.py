"""The zone of an EWS item: by its id, by its definition, by its display name (pure).

Our own lookup comes first: ids are Windows names in any language, IANA names, or "Customized Time
Zone", whose inline definition alone says what is meant.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from gateway.adapters.exchange.fields import (
    Element,
    child_of,
    children_of,
    name_of,
    read_bias,
    read_date,
    text_of,
)
from gateway.errors import CalgateError
from gateway.model.component import Component
from gateway.model.content_line import raw_property
from gateway.model.local_time import date_of, day_of, format_wall
from gateway.model.rrule import WEEKDAYS
from gateway.model.rrule_days import weekday_of
from gateway.model.spot import fixed_zone, zone_called
from gateway.model.timerange import DAY, HOUR, MINUTE, Instant
from gateway.model.windows_zones import WINDOWS_ZONES
from gateway.model.zone import Zone
from gateway.model.zones import iana_zone, zone_from_vtimezone

# The zones that most definitions mean, before all others that have the same rules.
LIKELY = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SAMPLES = tuple(week * 7 * DAY for week in range(-60, 110))
FIRST_YEAR = 1971


class _Change(NamedTuple):
    """A yearly change of offset: on the n-th weekday of a month, or on a day of it."""

    month: int
    weekday: int
    place: int
    time: int
    offset: int


class Definition(NamedTuple):
    """What an inline definition comes to: an offset, and its changes if it has any."""

    offset: int
    changes: tuple[_Change, ...]


def zone_of(item: Element, home: Zone) -> Zone:
    """Return the zone that an item's times are told in; the mailbox's where nobody can know."""
    told = child_of(item, "StartTimeZone")
    start = text_of(item, "Start")
    if told is not None:
        named = zone_called(told.get("Id", "")) or zone_called(told.get("Name", ""))
        if named is not None:
            return named
        defined = _by_definition(told, start, home)
        if defined is not None:
            return defined
    named = zone_called(text_of(child_of(item, "MeetingTimeZone"), "TimeZoneName"))
    return named or zone_called(text_of(item, "TimeZone")) or home


def _by_definition(told: Element, start: str, home: Zone) -> Zone | None:
    try:
        around = read_date(start) * DAY
        definition = _read(told, around)
    except (ValueError, KeyError, OverflowError):
        return None
    if definition is None:
        return None
    if not definition.changes:
        return fixed_zone(definition.offset)
    return _matching(definition, around - around % (365 * DAY), told.get("Id") or "Custom", home)


def _read(told: Element, around: Instant) -> Definition | None:
    """Return the rules in force around a time; a definition may hold a group for each era."""
    biases = {
        period.get("Id"): -read_bias(period.get("Bias")) for period in children_of(told, "Periods")
    }
    groups = {group.get("Id"): group for group in children_of(told, "TransitionsGroups")}
    chosen = None
    for transition in children_of(told, "Transitions"):
        when = text_of(transition, "DateTime")
        if chosen is None or (when and read_date(when) * DAY <= around):
            chosen = groups.get(text_of(transition, "To"))
    if chosen is None:
        return None
    changes = tuple(_changes(chosen, biases))
    if changes:
        return Definition(offset=changes[0].offset, changes=changes)
    fixed = [text_of(transition, "To") for transition in chosen]
    return Definition(offset=biases[fixed[0]], changes=()) if fixed else None


def _changes(group: Element, biases: dict[str, int]) -> Iterator[_Change]:
    for transition in group:
        kind = name_of(transition)
        if not kind.startswith("Recurring"):
            continue
        by_date = kind == "RecurringDateTransition"
        yield _Change(
            month=int(text_of(transition, "Month")),
            weekday=-1 if by_date else DAYS.index(text_of(transition, "DayOfWeek")),
            place=int(text_of(transition, "Day" if by_date else "Occurrence")),
            time=read_bias(text_of(transition, "TimeOffset") or "PT0H"),
            offset=biases[text_of(transition, "To")],
        )


def _matching(definition: Definition, around: Instant, name: str, home: Zone) -> Zone | None:
    """Return a known zone with the same offsets in the years around, else the definition's own."""
    made = _custom(definition, name)
    if made is None:
        return None
    wanted = tuple(made.offset_at(around + step) for step in SAMPLES)
    names = (home.name, *LIKELY, *WINDOWS_ZONES.values())
    for candidate in dict.fromkeys(names):
        known = iana_zone(candidate)
        if known is not None and _offsets(known.name, around) == wanted:
            return known
    return made


@lru_cache(maxsize=512)
def _offsets(name: str, around: Instant) -> tuple[int, ...]:
    found = iana_zone(name)
    assert found is not None, "only names that were found are asked for"
    return tuple(found.offset_at(around + step) for step in SAMPLES)


@lru_cache(maxsize=64)
def _custom(definition: Definition, name: str) -> Zone | None:
    observances = []
    for number, change in enumerate(definition.changes):
        before = definition.changes[number - 1].offset
        rule = f"FREQ=YEARLY;BYMONTH={change.month}"
        if change.weekday >= 0:
            place = change.place if change.place < 5 else -1  # noqa: PLR2004 - "the fifth" is the last
            rule += f";BYDAY={place}{WEEKDAYS[change.weekday]}"
        else:
            rule += f";BYMONTHDAY={change.place}"
        observances.append(
            Component(
                "DAYLIGHT" if change.offset > before else "STANDARD",
                [
                    raw_property("DTSTART", format_wall(_first_day(change) * DAY + change.time)),
                    raw_property("TZOFFSETFROM", _offset(before)),
                    raw_property("TZOFFSETTO", _offset(change.offset)),
                    raw_property("RRULE", rule),
                ],
            )
        )
    try:
        return zone_from_vtimezone(
            Component("VTIMEZONE", [raw_property("TZID", name)], observances)
        )
    except (CalgateError, ValueError):
        return None


def _first_day(change: _Change) -> int:
    """Return the day of the first change that the rule makes."""
    if change.weekday < 0:
        return day_of(FIRST_YEAR, change.month, change.place)
    first = day_of(FIRST_YEAR, change.month, 1)
    days = [day for day in range(first, first + 31) if date_of(day).month == change.month]
    fitting = [day for day in days if weekday_of(day) == change.weekday]
    return fitting[-1] if change.place in {-1, 5} else fitting[change.place - 1]


def _offset(seconds: int) -> str:
    sign, size = "-" if seconds < 0 else "+", abs(seconds)
    return f"{sign}{size // HOUR:02}{size % HOUR // MINUTE:02}"
