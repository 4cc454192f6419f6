"""Which events of a calendar block its owner's time, by the owner's rules for that calendar."""

from collections.abc import Iterable

from gateway.freebusy.busytime import BusyPeriod, BusyType, busy_type_of
from gateway.model.collection import BusyRules
from gateway.model.component import Component
from gateway.model.recurrence import Occurrence

ANSWER = "X-CALGATE-ANSWER"
"""The PARTSTAT of a connected calendar's own user, whatever address they go by at the source."""


def blocking_periods(
    occurrences: Iterable[Occurrence], rules: BusyRules, *, address: str
) -> list[BusyPeriod]:
    """Return the busy periods of the occurrences that block; `address` is the owner's own."""
    types: dict[int, BusyType] = {}
    periods = []
    for occurrence in occurrences:
        key = id(occurrence.component)
        kind = types.get(key)
        if kind is None:
            kind = types[key] = _type(occurrence.component, rules, address)
        if kind is BusyType.FREE or (occurrence.all_day and not rules.all_day_blocks):
            continue
        if occurrence.start < occurrence.end:
            periods.append(BusyPeriod(occurrence.start, occurrence.end, kind))
    return periods


def _type(component: Component, rules: BusyRules, address: str) -> BusyType:
    kind = busy_type_of(component)
    answer = component.value(ANSWER).strip().upper() or participation(component, address)
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


def participation(component: Component, address: str) -> str:
    """Return the PARTSTAT of the attendee with this address, or an empty string (RFC 5545 3.2.12).

    An organizer who is also listed as an attendee has accepted by calling the meeting.
    """
    if not address or _calendar_user(component.value("ORGANIZER")) == address:
        return ""
    for attendee in component.all("ATTENDEE"):
        if _calendar_user(attendee.value) == address:
            return attendee.params.get("PARTSTAT", ("NEEDS-ACTION",))[0].upper()
    return ""


def _calendar_user(value: str) -> str:
    lowered = value.strip().lower()
    return lowered.removeprefix("mailto:")
