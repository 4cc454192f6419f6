"""Busy time with its types.

And how busy periods are merged (RFC 5545 section 3.2.9, RFC 4791 section 7.10).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from gateway.model.timerange import Instant, TimeRange


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
        clipped_start, clipped_end = max(start, low), min(end, high)
        if clipped_start < clipped_end and kind is not BusyType.FREE:
            by_type.setdefault(kind, []).append((clipped_start, clipped_end))
    merged = [
        BusyPeriod(start, end, kind)
        for kind, spans in by_type.items()
        for start, end in merge(spans)
    ]
    merged.sort(key=lambda period: (period.start, period.type))
    return merged


def merge(spans: Iterable[tuple[Instant, Instant]]) -> list[tuple[Instant, Instant]]:
    """Return the union of half-open spans as sorted spans that do not touch."""
    union: list[tuple[Instant, Instant]] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            if end > union[-1][1]:
                union[-1] = (union[-1][0], end)
        else:
            union.append((start, end))
    return union
