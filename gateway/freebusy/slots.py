"""The slots of a page: its candidate starts against which nothing speaks."""

from collections.abc import Mapping, Sequence

from gateway.freebusy.busytime import BusyPeriod
from gateway.freebusy.explain import Circumstances, Decision, explain
from gateway.model.booking import Booking
from gateway.model.page import SchedulingPage
from gateway.model.timerange import MINUTE, Instant, TimeRange

MERGED = "merged"
"""The calendar's name where all selected calendars were merged into one."""


def find_slots(
    page: SchedulingPage,
    busy: Sequence[BusyPeriod],
    bookings: Sequence[Booking],
    window: TimeRange,
    *,
    now: Instant,
    duration: int,
) -> list[TimeRange]:
    """Return the offered slots that start and end inside the window, sorted.

    `busy` and `bookings` cover `explain.reading_window` of it.
    """
    given = Circumstances(page=page, now=now, busy={MERGED: busy}, bookings=bookings)
    return offered(given, window, duration)


def offered(given: Circumstances, window: TimeRange, duration: int) -> list[TimeRange]:
    """Return the slots of the window under the circumstances."""
    decision = Decision(given, window, duration)
    length = duration * MINUTE
    return [TimeRange(start, start + length) for start in decision.offered(window)]


def is_offered(
    page: SchedulingPage,
    busy: Sequence[BusyPeriod] | Mapping[str, Sequence[BusyPeriod]],
    bookings: Sequence[Booking],
    start: Instant,
    *,
    now: Instant,
    duration: int,
) -> bool:
    """Tell whether one start is offered; the claim asks this again inside its transaction."""
    by_calendar = busy if isinstance(busy, Mapping) else {MERGED: busy}
    given = Circumstances(page=page, now=now, busy=by_calendar, bookings=bookings)
    return not explain(given, start, duration)


def nearest(slots: Sequence[TimeRange], wanted: Instant, count: int = 3) -> tuple[Instant, ...]:
    """Return the starts closest to a wanted one, in order of time."""
    closest = sorted(slots, key=lambda slot: (abs(slot.start - wanted), slot.start))[:count]
    return tuple(sorted(slot.start for slot in closest))
