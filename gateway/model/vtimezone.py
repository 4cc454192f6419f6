"""Zones defined by a VTIMEZONE (RFC 5545 section 3.6.5), evaluated by our own rules in bounds.

Onsets are computed a decade at a time and only when asked for, so a zone whose rules began in 1601
costs no more than one whose rules began last year.
"""

from bisect import bisect_right
from typing import NamedTuple

from gateway.errors import Refused
from gateway.model.component import Component
from gateway.model.lenient_lines import MAX_OBSERVANCES, OBSERVANCES
from gateway.model.local_time import WallTime, parse_offset, parse_wall
from gateway.model.rrule import Frequency, Rule, parse_rule
from gateway.model.rrule_times import Budget, RuleTimes
from gateway.model.timerange import DAY, Instant
from gateway.model.zone import FixedZone, Zone

MAX_ONSETS = 2_000
_DECADE = 3653 * DAY
_LOOK_BACK = 400 * DAY
_NEAR = 3 * DAY


class _Observance(NamedTuple):
    """A STANDARD or DAYLIGHT; walls are in the offset that was in force before."""

    start: WallTime
    before: int
    offset: int
    rules: tuple[RuleTimes, ...]
    dates: tuple[WallTime, ...]

    def onsets(self, low: Instant, high: Instant) -> list[Instant]:
        """Return the onsets from `low` to `high`, and the last one before if none is near."""
        low, high = low + self.before, high + self.before
        walls = [wall for wall in (self.start, *self.dates) if wall <= high]
        for rule in self.rules:
            budget = Budget(MAX_ONSETS)
            try:
                found = list(rule.starts(low - _LOOK_BACK, high, budget))
                if not found:
                    last = rule.last_start(low, budget)
                    found = [] if last is None else [last]
            except Refused:
                found = []
            walls.extend(found)
        return [wall - self.before for wall in walls]


class CustomZone(Zone):
    """A zone by its definition."""

    __slots__ = ("_decades", "_observances")

    def __init__(self, name: str, observances: list[_Observance]) -> None:
        super().__init__(name)
        self._observances = observances
        self._decades: dict[int, tuple[list[Instant], list[int]]] = {}

    def offset_at(self, instant: Instant) -> int:
        """Return the offset after the last onset; before the first one, what that one replaces."""
        onsets, offsets = self._decade(instant // _DECADE)
        found = bisect_right(onsets, instant)
        return offsets[found]

    def is_calm(self, low: Instant, high: Instant) -> bool:
        """Tell whether no onset lies between or within days: there may be many in a week.

        `instant_of` looks a day ahead and back from where the wall time would be in UTC.
        """
        low, high = low - _NEAR, high + _NEAR
        return all(
            bisect_right(onsets, low) == bisect_right(onsets, high)
            for onsets, _ in map(self._decade, range(low // _DECADE, high // _DECADE + 1))
        )

    def _decade(self, number: int) -> tuple[list[Instant], list[int]]:
        """Return the onsets that matter in a decade, and the offset before and after each."""
        known = self._decades.get(number)
        if known is not None:
            return known
        low = number * _DECADE
        found = [
            (onset, order, observance.offset)
            for order, observance in enumerate(self._observances)
            for onset in observance.onsets(low, low + _DECADE)
        ]
        found.sort()
        first = min(self._observances, key=lambda item: item.start - item.before)
        onsets = [onset for onset, _, _ in found]
        offsets = [first.before, *(offset for _, _, offset in found)]
        self._decades[number] = onsets, offsets
        return onsets, offsets


def zone_from_vtimezone(component: Component, *, lenient: bool = True) -> Zone | None:
    """Return the zone a VTIMEZONE defines, None if it has no usable observance.

    Strict: raise ValueError for what section 3.6.5 forbids. Lenient: broken observances are left
    out, a rule finer than monthly is ignored, and only the first ones of too many are read.
    """
    name = component.text("TZID")
    if not name and not lenient:
        raise ValueError("a VTIMEZONE without TZID")
    told = [item for item in component.components if item.name in OBSERVANCES]
    if len(told) > MAX_OBSERVANCES and not lenient:
        raise ValueError(f"more than {MAX_OBSERVANCES:,} observances in a VTIMEZONE")
    observances: list[_Observance] = []
    for item in told[:MAX_OBSERVANCES]:
        try:
            observances.append(_observance(item, lenient=lenient))
        except ValueError:
            if not lenient:
                raise
    if not observances:
        return None
    if len(observances) == 1 and observances[0].before == observances[0].offset:
        return FixedZone(name, observances[0].offset)
    return CustomZone(name, observances)


def _observance(item: Component, *, lenient: bool) -> _Observance:
    start = parse_wall(item.value("DTSTART")).wall  # a Z here is wrong, and read as local
    before = parse_offset(item.value("TZOFFSETFROM"))
    offset = parse_offset(item.value("TZOFFSETTO"))
    rules = [parse_rule(found.value, lenient=lenient) for found in item.all("RRULE")[:5]]
    dates: list[WallTime] = []
    for found in item.all("RDATE"):
        for text in found.value.split(",")[: MAX_ONSETS - len(dates)]:
            value = parse_wall(text.partition("/")[0])
            dates.append(value.wall + before if value.is_utc else value.wall)
    return _Observance(
        start=start,
        before=before,
        offset=offset,
        rules=tuple(
            _times(rule, start, before) for rule in rules if rule and _is_coarse(rule, lenient)
        ),
        dates=tuple(dates),
    )


def _is_coarse(rule: Rule, lenient: bool) -> bool:  # noqa: FBT001 - handed through
    if rule.frequency >= Frequency.MONTHLY and not (rule.by_hour or rule.by_minute):
        return True
    if not lenient:
        raise ValueError("a VTIMEZONE may change its offset by the month or year only")
    return False


def _times(rule: Rule, start: WallTime, before: int) -> RuleTimes:
    until = rule.until
    last = None
    if until is not None:
        # UNTIL is in UTC here; a local one is read as local, a date to its end.
        last = until.wall + (before if until.is_utc else 0) + (DAY - 1 if until.is_date else 0)
    return RuleTimes(rule, start, all_day=False, until=last)
