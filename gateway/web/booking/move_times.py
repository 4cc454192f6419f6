"""A week of times that a meeting can be moved to, for its visitor and for its owner."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aiohttp import web

from gateway.errors import CalendarUnavailable, CalgateError, Conflict, SlotTaken
from gateway.model.booking import Booking, BookingState
from gateway.model.timerange import MINUTE, Instant, TimeRange
from gateway.model.zone import Zone
from gateway.model.zones import UTC_ZONE, zone
from gateway.services.registry import Services
from gateway.services.tokens import new_secret
from gateway.web.booking.choice import read_day, read_start
from gateway.web.booking.month import MIDNIGHT, by_day
from gateway.web.forms import Form

WEEK = timedelta(days=7)
TAKEN = "That time is not free any more. The meeting stays where it is."
UNREADABLE = (
    "A calendar cannot be read right now, so the meeting stays where it is. Try again later."
)
UNCHOSEN = "Your meeting stays where it is. Choose another time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The time that a form asks for, under the key that the form carries."""

    start: Instant
    duration: int
    key: str | None


def read_wanted(form: Form, booking: Booking) -> Wanted | None:
    """Return what a form asks for; None where no time is chosen."""
    start = read_start(form.text("start"))
    if start is None:
        return None
    return Wanted(start=start, duration=_minutes(booking), key=form.text("key") or None)


def said_of(error: CalgateError) -> str:
    """Return why a meeting was not moved, as its page says it."""
    match error:
        case SlotTaken():
            return TAKEN
        case CalendarUnavailable():
            return UNREADABLE
        case Conflict():
            return error.detail
    return UNCHOSEN


def can_move(booking: Booking, now: Instant) -> bool:
    """Tell whether a meeting may be moved now."""
    stands = booking.state is BookingState.CONFIRMED
    return stands and booking.moving is None and booking.end > now


async def times_to_move_to(
    request: web.Request, services: Services, booking: Booking, zone_name: str
) -> Mapping[str, Any]:
    """Return what the page of times shows: a week of days, and the ways to its neighbours."""
    place = zone(zone_name) or UTC_ZONE
    today = place.to_local(services.clock.now()).date()
    first = max(read_day(request.query.get("from", "")) or today, today)
    offer = await services.moving.slots(booking, _window(first, place), _minutes(booking))
    starts = [slot for slot in offer.slots if slot.start != booking.start]
    return {
        "booking": booking,
        "days": by_day(starts, place),
        "zone": place.name,
        "unavailable": bool(offer.unavailable),
        "earlier": max(first - WEEK, today) if first > today else None,
        "later": first + WEEK,
        "key": new_secret(),
    }


def _window(first: date, place: Zone) -> TimeRange:
    start, end = (
        place.to_instant(datetime.combine(day, MIDNIGHT)) for day in (first, first + WEEK)
    )
    return TimeRange(start, end)


def _minutes(booking: Booking) -> int:
    return (booking.end - booking.start) // MINUTE
