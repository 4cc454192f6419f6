"""Why a time is or is not offered: the one decision about a start.

A start is offered exactly when it has no reason against it. `Decision.offered` finds all of them in
a window at once, by the same bounds and spans; tests/unit/test_slots.py holds the two together.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import chain

from gateway.freebusy.availability import open_spans, zone_of
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.booking import BLOCKING, Booking, kept_clear
from gateway.model.page import PageState, SchedulingPage
from gateway.model.timerange import DAY, MIN_INSTANT, MINUTE, Instant, TimeRange, merge


class Rule(StrEnum):
    """The rules a start can break."""

    STATE = "state"
    DURATION = "duration"
    UNAVAILABLE = "calendar_unavailable"
    CLOSED = "closed"
    STEP = "step"
    NOTICE = "notice"
    HORIZON = "horizon"
    BUSY = "busy"
    BOOKING = "booking"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule that speaks against a start, with the facts.

    `subject` is a calendar's public id, a booking's id or `day`, `week`, `month`; `cause` says why
    a calendar is unavailable; `limit` is a number of bookings or an instant.
    """

    rule: Rule
    subject: str = ""
    start: Instant | None = None
    end: Instant | None = None
    limit: int | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """All that a decision rests on.

    `busy` is by calendar, `bookings` are the owner's, over `reading_window`; `unavailable` names
    the selected calendars that cannot be read, with the cause.
    """

    page: SchedulingPage
    now: Instant
    busy: Mapping[str, Sequence[BusyPeriod]] = field(default_factory=dict)
    bookings: Sequence[Booking] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)


def reading_window(page: SchedulingPage, window: TimeRange) -> TimeRange:
    """Return the range whose busy time and bookings decide about slots of the window.

    A day beyond each side covers the buffers of either party; limits count whole weeks and months.
    """
    margin = 2 * DAY + max(page.buffer_before, page.buffer_after) * MINUTE
    limits = page.limits
    if limits.per_month is not None:
        margin += 31 * DAY
    elif limits.per_week is not None:
        margin += 7 * DAY
    return TimeRange(window.start - margin, window.end + margin)


class Decision:
    """Answers, for one duration, what speaks against a start inside the window."""

    def __init__(self, given: Circumstances, window: TimeRange, duration: int) -> None:
        self._given = given
        self._page = given.page
        self._length = duration * MINUTE
        self._duration = duration
        self._spans = open_spans(given.page, window)
        self._step = given.page.step * MINUTE
        self._open = merge(self._spans)
        self._open_starts = [start for start, _ in self._open]
        blocked = merge(chain(_busy_spans(given), _booking_spans(given)))
        self._blocked_starts = [start for start, _ in blocked]
        self._blocked_ends = [end for _, end in blocked]
        self._refusals = tuple(self._refused_altogether())
        self._earliest = given.now + given.page.min_notice * MINUTE
        self._latest = given.now + given.page.horizon_days * DAY
        self._zone = zone_of(given.page)
        self._limits = _limits(given.page)
        self._counts = self._count() if self._limits else Counter()

    def reasons(self, start: Instant) -> Iterator[Reason]:
        """Yield what speaks against the start; nothing at all means that it is offered."""
        yield from self._refusals
        if not self._is_open(start):
            yield Reason(rule=Rule.CLOSED)
        elif not self._is_on_grid(start):
            yield Reason(rule=Rule.STEP, limit=self._page.step)
        if start < self._earliest:
            yield Reason(rule=Rule.NOTICE, limit=self._earliest)
        if start > self._latest:
            yield Reason(rule=Rule.HORIZON, limit=self._latest)
        end = start + self._length
        first, last = (
            bisect_right(self._blocked_ends, start),
            bisect_left(self._blocked_starts, end),
        )
        if first < last:
            yield from self._in_the_way(start, end, first, last)
        if self._limits:
            yield from self._over_limit(start)

    def candidates(self) -> list[Instant]:
        """Return every start of the grid whose slot lies in the opening hours."""
        starts = {
            start
            for low, high in self._spans
            for start in range(low, min(high, self._closes(low) - self._length + 1), self._step)
        }
        return sorted(starts)

    def offered(self, window: TimeRange) -> list[Instant]:
        """Return the starts of a window against which `reasons` has nothing, without asking it."""
        if self._refusals:
            return []
        low = max(window.start, self._earliest)
        high = min(window.end - self._length, self._latest)
        starts = self.candidates()
        found = []
        at, count, length = 0, len(self._blocked_ends), self._length
        for start in starts[bisect_left(starts, low) : bisect_right(starts, high)]:
            while at < count and self._blocked_ends[at] <= start:
                at += 1
            if at == count or self._blocked_starts[at] >= start + length:
                found.append(start)
        if self._limits:
            return [start for start in found if next(self._over_limit(start), None) is None]
        return found

    def _refused_altogether(self) -> Iterator[Reason]:
        if self._page.state is not PageState.LIVE:
            yield Reason(rule=Rule.STATE, subject=self._page.state.value)
        if self._duration not in self._page.durations:
            yield Reason(rule=Rule.DURATION, limit=self._duration)
        for calendar, cause in self._given.unavailable.items():
            yield Reason(rule=Rule.UNAVAILABLE, subject=calendar, cause=cause)

    def _is_open(self, start: Instant) -> bool:
        return start + self._length <= self._closes(start)

    def _closes(self, start: Instant) -> Instant:
        """Return the end of the opening hours that hold the start, or of those before it."""
        at = bisect_right(self._open_starts, start) - 1
        return self._open[at][1] if at >= 0 else MIN_INSTANT

    def _is_on_grid(self, start: Instant) -> bool:
        return any(
            low <= start < high and (start - low) % self._step == 0 for low, high in self._spans
        )

    @cached_property
    def _blockers(self) -> list["Blocker"]:
        return sorted([*_busy_blockers(self._given), *_booking_blockers(self._given)])

    @cached_property
    def _first_blockers(self) -> list[int]:
        # Sorted by start, the blockers of one merged span stand side by side.
        lows = [one[0] for one in self._blockers]
        return [*(bisect_left(lows, start) for start in self._blocked_starts), len(lows)]

    def _in_the_way(self, start: Instant, end: Instant, first: int, last: int) -> Iterator[Reason]:
        """Yield what meets the slot, looking only at the merged spans from `first` to `last`."""
        near = self._blockers[self._first_blockers[first] : self._first_blockers[last]]
        for low, high, rule, subject, span in near:
            if low < end and start < high:
                yield Reason(rule=rule, subject=subject, start=span[0], end=span[1])

    def _over_limit(self, start: Instant) -> Iterator[Reason]:
        day = self._zone.to_local(start).date()
        for name, limit in self._limits:
            if self._counts[name, _first_day(name, day)] >= limit:
                yield Reason(rule=Rule.LIMIT, subject=name, limit=limit)

    def _count(self) -> Counter[tuple[str, date]]:
        counts: Counter[tuple[str, date]] = Counter()
        for booking in self._given.bookings:
            if booking.page_id == self._page.id and booking.state in BLOCKING:
                day = self._zone.to_local(booking.start).date()
                counts.update((name, _first_day(name, day)) for name, _ in self._limits)
        return counts


def explain(given: Circumstances, start: Instant, duration: int) -> list[Reason]:
    """Return every reason against one start; an empty list means that it is offered."""
    window = TimeRange(start, start + max(duration, 1) * MINUTE)
    return list(Decision(given, window, duration).reasons(start))


def explain_window(
    given: Circumstances, window: TimeRange, duration: int
) -> list[tuple[Instant, list[Reason]]]:
    """Return the candidates of a window that are refused, each with its reasons."""
    decision = Decision(given, window, duration)
    judged = (
        (start, list(decision.reasons(start)))
        for start in decision.candidates()
        if window.start <= start and start + duration * MINUTE <= window.end
    )
    return [(start, reasons) for start, reasons in judged if reasons]


Blocker = tuple[Instant, Instant, Rule, str, tuple[Instant, Instant]]
"""A span that a slot may not meet, buffers included; the rule, the subject and the bare span."""


def _busy_blockers(given: Circumstances) -> Iterator[Blocker]:
    """Yield busy time, widened so that the raw slot can be held against it."""
    page = given.page
    before, after = page.buffer_before * MINUTE, page.buffer_after * MINUTE
    kinds = {kind for kind in BusyType if _blocks(kind, page)}
    for calendar, periods in given.busy.items():
        for start, end, kind in periods:
            if kind in kinds and start < end:
                yield start - after, end + before, Rule.BUSY, calendar, (start, end)


def _busy_spans(given: Circumstances) -> Iterator[tuple[Instant, Instant]]:
    """Yield the spans of `_busy_blockers` alone: a month of slots needs no more."""
    page = given.page
    before, after = page.buffer_before * MINUTE, page.buffer_after * MINUTE
    kinds = {kind for kind in BusyType if _blocks(kind, page)}
    for periods in given.busy.values():
        for start, end, kind in periods:
            if kind in kinds and start < end:
                yield start - after, end + before


def _booking_spans(given: Circumstances) -> Iterator[tuple[Instant, Instant]]:
    return (one[:2] for one in _booking_blockers(given))


def _blocks(kind: BusyType, page: SchedulingPage) -> bool:
    if kind is BusyType.TENTATIVE:
        return page.tentative_blocks
    return kind is not BusyType.FREE


def _booking_blockers(given: Circumstances) -> Iterator[Blocker]:
    page = given.page
    for booking in given.bookings:
        if booking.state in BLOCKING:
            kept = kept_clear(
                booking, buffer_before=page.buffer_before, buffer_after=page.buffer_after
            )
            for (low, high), span in zip(kept, booking.spans, strict=True):
                yield low, high, Rule.BOOKING, booking.id, span


def _limits(page: SchedulingPage) -> list[tuple[str, int]]:
    limits = page.limits
    named = (("day", limits.per_day), ("week", limits.per_week), ("month", limits.per_month))
    return [(name, limit) for name, limit in named if limit is not None]


def _first_day(name: str, day: date) -> date:
    """Return the date that stands for the day's day, week (Monday first) or month."""
    if name == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if name == "month" else day
