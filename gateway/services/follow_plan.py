"""What a booking makes of its event's own life in the calendar, as pure decisions.

Rule 1: a copy raises a suspicion, never a verdict; what the calendar says when asked decides.
Rule 2: an event is deleted when a complete read had lost it and the calendar, asked, has none.
Rule 3: what a calendar tells soon after we wrote may be older than what we wrote.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import Refused
from gateway.model.booking import Booking, BookingState
from gateway.model.booking_mark import Marks
from gateway.model.event_time import event_time
from gateway.model.timerange import MINUTE, Instant, TimeRange
from gateway.model.zone import Zone

SETTLING = 2 * MINUTE
"""How long after a write its calendar may still tell what was before it."""
CONFLICT = "conflict"
"""The reason of a booking whose event its owner put onto another booking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A booking whose event looks deleted (`gone`), or to be at another time."""

    booking: Booking
    gone: bool


def suspicions(
    marks: Marks,
    puts: Iterable[tuple[str, bytes]],
    removed: Iterable[tuple[str, bytes]],
    home: Zone,
) -> Iterator[Suspicion]:
    """Yield what a change of a copy says of bookings: objects written and removed, UID and data."""
    seen: set[str] = set()
    for uid, data in puts:
        booking = marks.booking_of(uid, data)
        if booking is None:
            continue
        seen.add(booking.id)
        try:
            found = event_time(data, home)
        except (Refused, ValueError):
            continue  # it is there, and busy; when it is, nobody can say
        if found is None:
            yield Suspicion(booking=booking, gone=True)
        elif booking.reason == CONFLICT or (found.start, found.end) not in booking.spans:
            yield Suspicion(booking=booking, gone=False)
    for uid, data in removed:
        booking = marks.booking_of(uid, data)
        if booking is not None and booking.id not in seen:
            yield Suspicion(booking=booking, gone=True)


def is_replaced(*, complete: bool, stored: int, removed: int) -> bool:
    """Tell whether a read looks like another calendar's: nothing of what was known is in it.

    Only a read that lists everything can say so; a source that tells of deletions one by one
    means each of them.
    """
    return complete and stored > 1 and removed == stored


class Finding(StrEnum):
    """What asking the calendar about a booking's event came to."""

    SAME = "same"
    GONE = "gone"
    MOVED = "moved"
    LATER = "later"


def judge(
    booking: Booking,
    found: TimeRange | None,
    *,
    gone: bool,
    now: Instant,
    settling: int = SETTLING,
) -> Finding:
    """Decide on a booking from what its calendar says; `gone` is the suspicion's."""
    if booking.state is not BookingState.CONFIRMED or booking.end <= now:
        return Finding.SAME
    if booking.moving is not None or now < booking.written_at + settling:
        return Finding.LATER
    if found is None:
        return Finding.GONE if gone else Finding.SAME
    return (
        Finding.SAME if (found.start, found.end) == (booking.start, booking.end) else Finding.MOVED
    )
