"""One member of a recurrence set, and when it overlaps a time range (RFC 4791 section 9.9)."""

from enum import Enum, auto
from typing import NamedTuple

from gateway.model.component import Component
from gateway.model.timerange import Instant, TimeRange


class Occurrence(NamedTuple):
    """A recurrence instance; `recurrence_id` is its original start, None for a single event."""

    start: Instant
    end: Instant
    component: Component
    recurrence_id: Instant | None
    all_day: bool


class Overlap(Enum):
    """The rows of the tables of section 9.9, by what a component says about its time."""

    EVENT = auto()
    TODO_DURATION = auto()
    TODO_DUE = auto()
    TODO_DUE_ONLY = auto()
    TODO_DONE = auto()
    FREE_BUSY = auto()

    def holds(self, start: Instant, end: Instant, window: TimeRange) -> bool:
        """Tell whether `[start, end)` overlaps the window under this row."""
        low, high = window.start, window.end
        if self is Overlap.EVENT:
            return start < high and (end > low or (start == end and start >= low))
        if self is Overlap.TODO_DURATION:
            return low <= end and (high > start or high >= end)
        if self is Overlap.TODO_DUE:
            return (low < end or low <= start) and (high > start or high >= end)
        if self is Overlap.TODO_DUE_ONLY:
            return low < end <= high
        if self is Overlap.TODO_DONE:
            return low <= end and high >= start
        return low <= end and high > start
