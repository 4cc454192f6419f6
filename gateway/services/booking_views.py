"""What bookings look like to those who ask: what a page offers, a booking to its link's holder."""

from dataclasses import dataclass, replace

from gateway.errors import CalendarUnavailable, SlotTaken
from gateway.model.booking import Booking, BookingState
from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from gateway.model.timerange import Instant, TimeRange

LIVE = frozenset(
    {
        BookingState.HELD,
        BookingState.WRITING,
        BookingState.PENDING,
        BookingState.CONFIRMED,
        BookingState.REQUESTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a page offers.

    `unavailable` holds the names of lost calendars: then nothing is offered. `stale` holds those
    that could not be read lately; all was read at or after `fresh_as_of`.
    """

    slots: tuple[TimeRange, ...]
    is_offline: bool
    unavailable: tuple[str, ...]
    stale: tuple[str, ...]
    fresh_as_of: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingView:
    """A booking with its page and owner, for whoever holds its link."""

    booking: Booking
    page: SchedulingPage | None
    owner: Owner


def told(booking: Booking, *, again: bool) -> Booking:
    """Return the booking as it is told, or raise why there is none."""
    if booking.state is BookingState.REJECTED or (
        booking.state is BookingState.REQUESTED and booking.reason and not again
    ):
        if booking.reason == "slot_taken":
            raise SlotTaken
        raise CalendarUnavailable((), "A calendar could not be read.")
    if booking.state is BookingState.WRITING:
        return replace(booking, state=BookingState.PENDING)
    return booking
