"""Instances that overlap or touch, told as one run: what a dense rule with long events comes to.

An event of an hour every second has 3,600 instances at any time, and one run. From a run's end only
the last start before it matters, so the instances between are never made.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.model.timerange import Instant, TimeRange

WIDER = 8

Starts = Callable[[Instant, Instant], Iterator[Instant]]
"""Yields the starts between two instants, both included, ascending."""


class Run(NamedTuple):
    """A stretch of time that instances cover without a gap."""

    start: Instant
    end: Instant


def runs(starts: Starts, length: int, window: TimeRange) -> Iterator[Run]:
    """Yield the runs that overlap a window, of instances of one length (more than nothing)."""
    low = window.start - length + 1
    while (first := next(starts(low, window.end - 1), None)) is not None:
        last = first
        while last + length < window.end:
            later = _last(starts, last + 1, last + length)
            if later is None:
                break
            last = later
        yield Run(first, last + length)
        low = last + length + 1


def _last(starts: Starts, low: Instant, high: Instant) -> Instant | None:
    """Return the last start between two instants, looking back over ever longer spans."""
    span = 0
    while True:
        found = max(starts(max(low, high - span), high), default=None)
        if found is not None or high - span <= low:
            return found
        span = span * WIDER + 1
