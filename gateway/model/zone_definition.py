"""A VTIMEZONE for a zone (RFC 5545 section 3.6.5), for clients that know no zone by its name.

What changes by the same rule every year becomes an RRULE, everything else since 2000 is listed.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from gateway.model.component import Component, serialize
from gateway.model.content_line import Property, raw_property
from gateway.model.local_time import WallTime, date_of, day_of, format_wall
from gateway.model.rrule import WEEKDAYS
from gateway.model.rrule_days import weekday_of
from gateway.model.timerange import DAY, HOUR, MINUTE, Instant
from gateway.model.zone import CALM, Zone

FIRST_YEAR, LAST_YEAR = 2000, 2045
PROOF = 8
"""How many years a pattern must have held until the last one before it is told as a rule."""


class _Onset(NamedTuple):
    """A change of offset; `wall` is what the clock showed the moment before."""

    wall: WallTime
    before: int
    after: int

    @property
    def pattern(self) -> tuple[int, int, int, int, int]:
        """The month, weekday, time of day and offsets: what a yearly rule repeats."""
        day = self.wall // DAY
        return date_of(day).month, weekday_of(day), self.wall % DAY, self.before, self.after


@cache
def zone_definition(zone: Zone) -> bytes:
    """Return the VTIMEZONE of a zone as content lines, under the zone's own name."""
    return serialize(define(zone))


def define(zone: Zone) -> Component:
    """Return the VTIMEZONE of a zone."""
    onsets = [] if zone.is_fixed else _onsets(zone)
    start = day_of(FIRST_YEAR, 1, 1) * DAY
    offset = zone.offset_at(start)
    first = _Onset(day_of(1970, 1, 1) * DAY, offset, offset)
    yearly = list(_yearly(onsets))
    ruled = {onset for rule in yearly for onset in rule}
    single: dict[tuple[int, int], list[_Onset]] = {}
    for onset in onsets:
        if onset not in ruled:
            single.setdefault((onset.before, onset.after), []).append(onset)
    observances = [
        _observance([first]),
        *(_observance(group) for group in single.values()),
        *(_observance(rule, _rule(rule)) for rule in yearly),
    ]
    return Component("VTIMEZONE", [Property("TZID", {}, zone.name)], observances)


def _onsets(zone: Zone) -> list[_Onset]:
    low, end = day_of(FIRST_YEAR, 1, 1) * DAY, day_of(LAST_YEAR, 1, 1) * DAY
    found = []
    before = zone.offset_at(low)
    while low < end:
        high = low + CALM
        after = zone.offset_at(high)
        if after != before:
            instant = _change(zone, low, high, before)
            found.append(_Onset(instant + before, before, after))
        low, before = high, after
    return found


def _change(zone: Zone, low: Instant, high: Instant, before: int) -> Instant:
    """Return the first instant that has another offset than `before`."""
    while high - low > 1:
        middle = (low + high) // 2
        if zone.offset_at(middle) == before:
            low = middle
        else:
            high = middle
    return high


def _yearly(onsets: Sequence[_Onset]) -> Iterable[list[_Onset]]:
    """Yield the onsets that repeat every year until the last one, by their pattern."""
    patterns = dict.fromkeys(onset.pattern for onset in onsets[-2:])
    for pattern in patterns:
        tail: list[_Onset] = []
        for onset in reversed([one for one in onsets if one.pattern == pattern]):
            year = date_of(onset.wall // DAY).year
            if tail and date_of(tail[-1].wall // DAY).year != year + 1:
                break
            if not _place([*tail, onset]):
                break
            tail.append(onset)
        if len(tail) >= PROOF and date_of(tail[0].wall // DAY).year == LAST_YEAR - 1:
            yield tail[::-1]


def _rule(onsets: Sequence[_Onset]) -> str:
    month, weekday, *_ = onsets[0].pattern
    place = _place(onsets)
    day = WEEKDAYS[weekday]
    if isinstance(place, int):
        return f"FREQ=YEARLY;BYMONTH={month};BYDAY={place}{day}"
    days = ",".join(str(number) for number in place)
    return f"FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={days};BYDAY={day}"


def _place(onsets: Sequence[_Onset]) -> int | list[int]:
    """Return which weekday of the month it always is, or the seven days it can be; else none."""
    dates = [date_of(onset.wall // DAY) for onset in onsets]
    if len({(date.day - 1) // 7 for date in dates}) == 1:
        return (dates[0].day - 1) // 7 + 1
    following = [date_of(onset.wall // DAY + 7) for onset in onsets]
    if all(later.month != date.month for date, later in zip(dates, following, strict=True)):
        return -1
    days = [date.day for date in dates]
    return list(range(max(days) - 6, max(days) + 1)) if max(days) - min(days) < 7 else []  # noqa: PLR2004 - a week


def _observance(onsets: Sequence[_Onset], rule: str = "") -> Component:
    first, *others = onsets
    name = "DAYLIGHT" if first.after > first.before else "STANDARD"
    properties = [
        raw_property("DTSTART", format_wall(first.wall)),
        raw_property("TZOFFSETFROM", _offset(first.before)),
        raw_property("TZOFFSETTO", _offset(first.after)),
    ]
    if rule:
        properties.append(raw_property("RRULE", rule))
    else:
        properties += [raw_property("RDATE", format_wall(one.wall)) for one in others]
    return Component(name, properties)


def _offset(seconds: int) -> str:
    sign, size = "-" if seconds < 0 else "+", abs(seconds)
    text = f"{sign}{size // HOUR:02}{size % HOUR // MINUTE:02}"
    return f"{text}{size % MINUTE:02}" if size % MINUTE else text
