"""Which events of a calendar block its owner's time, by the owner's rules for that calendar.

Slots, feeds and the last look before a booking all ask here, so that they never differ.
"""

from collections.abc import Iterable

from gateway.freebusy.busytime import BusyPeriod, BusyType, busy_of, busy_type_of
from gateway.model.collection import BusyRules
from gateway.model.component import Component
from gateway.model.participants import answer_of
from gateway.model.recurrence import ObjectTimes, Occurrence
from gateway.model.timerange import TimeRange


def blocking_periods(
    occurrences: Iterable[Occurrence], rules: BusyRules, *, address: str
) -> list[BusyPeriod]:
    """Return the busy periods of the occurrences that block; `address` is the owner's own."""
    types: dict[tuple[int, bool], BusyType] = {}
    periods = []
    for occurrence in occurrences:
        key = id(occurrence.component), occurrence.all_day
        kind = types.get(key)
        if kind is None:
            kind = types[key] = occurrence_type(occurrence, rules, address)
        if kind is not BusyType.FREE and occurrence.start < occurrence.end:
            periods.append(BusyPeriod(occurrence.start, occurrence.end, kind))
    return periods


def blocking_time(
    times: ObjectTimes, window: TimeRange, rules: BusyRules, *addresses: str
) -> list[BusyPeriod]:
    """Return when an object as just read blocks; what cannot be told to its end is busy."""
    return busy_of(times, window, lambda one: occurrence_type(one, rules, *addresses))


def occurrence_type(occurrence: Occurrence, rules: BusyRules, *addresses: str) -> BusyType:
    """Return what one occurrence does to the time of whoever goes by these addresses."""
    if occurrence.all_day and not rules.all_day_blocks:
        return BusyType.FREE
    return blocking_type(occurrence.component, rules, *addresses)


def blocking_type(component: Component, rules: BusyRules, *addresses: str) -> BusyType:
    """Return what an event does to the time of whoever goes by these addresses."""
    kind = busy_type_of(component)
    answer = answer_of(component, *addresses)
    if answer == "DECLINED":
        return BusyType.FREE
    if answer == "NEEDS-ACTION" and kind is BusyType.BUSY:
        return BusyType.TENTATIVE if rules.unanswered_blocks else BusyType.FREE
    if answer == "TENTATIVE" and kind is BusyType.BUSY:
        kind = BusyType.TENTATIVE
    unwanted = (
        (kind is BusyType.TENTATIVE and not rules.tentative_blocks)
        or (kind is BusyType.UNAVAILABLE and not rules.out_of_office_blocks)
        or (answer == "NEEDS-ACTION" and not rules.unanswered_blocks)
    )
    return BusyType.FREE if unwanted else kind
