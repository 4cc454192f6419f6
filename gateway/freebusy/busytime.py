"""Busy time with its types.

And how busy periods are merged (RFC 5545 section 3.2.9, RFC 4791 section 7.10).
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from gateway.errors import Refused
from gateway.model.component import Component
from gateway.model.recurrence import ObjectTimes, Occurrence
from gateway.model.timerange import Instant, TimeRange, merge


class BusyType(StrEnum):
    """FBTYPE of RFC 5545 section 3.2.9, strongest first."""

    BUSY = "BUSY"
    UNAVAILABLE = "BUSY-UNAVAILABLE"
    TENTATIVE = "BUSY-TENTATIVE"
    FREE = "FREE"


class BusyPeriod(NamedTuple):
    """A half-open busy interval."""

    start: Instant
    end: Instant
    type: BusyType


def coalesce(periods: Iterable[BusyPeriod], window: TimeRange) -> list[BusyPeriod]:
    """Clip to the window and merge what touches or overlaps, per type; sorted by start, then type.

    FREE and empty periods are dropped. Types stay apart: where BUSY and BUSY-TENTATIVE overlap,
    both are told.
    """
    by_type: dict[BusyType, list[tuple[Instant, Instant]]] = {}
    low, high = window.start, window.end
    for start, end, kind in periods:
        clipped_start = max(low, start)  # a call for each of thousands is dear
        clipped_end = min(high, end)
        if clipped_start < clipped_end and kind is not BusyType.FREE:
            by_type.setdefault(kind, []).append((clipped_start, clipped_end))
    merged = [
        BusyPeriod(start, end, kind)
        for kind, spans in by_type.items()
        for start, end in merge(spans)
    ]
    if len(by_type) > 1:
        merged.sort(key=lambda period: (period.start, period.type))
    return merged


def without(periods: Iterable[BusyPeriod], span: TimeRange) -> list[BusyPeriod]:
    """Return what is left of busy periods outside a span."""
    return [
        BusyPeriod(low, high, kind)
        for start, end, kind in periods
        for low, high in ((start, min(end, span.start)), (max(start, span.end), end))
        if low < high
    ]


def busy_type_of(component: Component) -> BusyType:
    """Return what an event does to its owner's time (RFC 4791 section 7.10, RFC 5545 3.8.2.7).

    What is neither cancelled, transparent nor tentative is busy, whatever else it calls itself.
    """
    if component.name != "VEVENT":
        return BusyType.FREE
    status = component.value("STATUS").strip().upper()
    if status == "CANCELLED" or component.value("TRANSP").strip().upper() == "TRANSPARENT":
        return BusyType.FREE
    if component.value("X-MICROSOFT-CDO-BUSYSTATUS").strip().upper() == "OOF":
        return BusyType.UNAVAILABLE
    return BusyType.TENTATIVE if status == "TENTATIVE" else BusyType.BUSY


def busy_of(
    times: ObjectTimes,
    window: TimeRange,
    type_of: Callable[[Occurrence], BusyType] | None = None,
) -> list[BusyPeriod]:
    """Return the busy time of an object in a window, coalesced; `type_of` says what blocks.

    Where the step limit is reached, the rest of the window counts as busy: it is never free
    because nobody looked.
    """
    periods = stored_periods(times)
    found = window.start
    try:
        for one in times.occurrences(window, wanted=can_block, joined=True):
            found = one.start
            kind = type_of(one) if type_of else busy_type_of(one.component)
            periods.append(BusyPeriod(one.start, one.end, kind))
    except Refused:
        periods.append(BusyPeriod(max(found, window.start), window.end, BusyType.BUSY))
    return coalesce(periods, window)


def stored_periods(times: ObjectTimes) -> list[BusyPeriod]:
    """Return the periods of a stored VFREEBUSY; an FBTYPE that nobody knows is busy (3.2.9)."""
    known = {kind.value: kind for kind in BusyType}
    return [
        BusyPeriod(start, end, known.get(fbtype, BusyType.BUSY))
        for start, end, fbtype in times.freebusy
    ]


def can_block(component: Component, has_length: bool) -> bool:  # noqa: FBT001 - a `Wanted`
    """Tell whether instances of a component can be busy; others need not even be looked for."""
    return has_length and busy_type_of(component) is not BusyType.FREE
