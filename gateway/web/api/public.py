"""What anybody may ask: a page, its slots, a booking."""

from typing import Any

from gateway.errors import Invalid
from gateway.model.booking import Booking, BookingState
from gateway.model.page import Location, SchedulingPage
from gateway.services.booking_request import BookingRequest
from gateway.services.pages import PageView
from gateway.services.registry import Services
from gateway.web.api import shapes
from gateway.web.api.operation import KEY, Call, Operation, Parameter
from gateway.web.api.pages import page_url, questions_of
from gateway.web.api.texts import read_instant, read_window, read_zone, text_of
from gateway.web.keys import REMOTE

MAX_SLUG = 200
UNDECIDED = frozenset({BookingState.HELD, BookingState.WRITING, BookingState.PENDING})


def shown(services: Services, view: PageView) -> shapes.PublicPage:
    """Return a page as anybody sees it."""
    page = view.page
    return shapes.PublicPage(
        id=page.id,
        slug=page.slug,
        url=page_url(services, view),
        title=page.title,
        description=page.description,
        owner_name=view.owner.name,
        durations=list(page.durations),
        time_zone=page.time_zone,
        seats=page.seats,
        questions=questions_of(page),
        location=_place(page.location),
        is_offline=view.is_offline,
    )


def _place(location: Location | None) -> shapes.PublicPlace | None:
    if location is None:
        return None
    kind: Any = location.type  # one of the four words, by the page's rules
    return shapes.PublicPlace(type=kind)


async def page_by_slug(call: Call) -> shapes.PublicPage:
    """Return the live page with this slug."""
    slug = call.query("slug")[:MAX_SLUG]
    return shown(call.services, await call.services.pages.by_slug(slug))


async def slots(call: Call) -> shapes.Slots:
    """Return the slots of a window."""
    view = await call.services.pages.public(call.id)
    place = read_zone("tz", call.query("tz") or view.page.time_zone)
    window = read_window(call.query("from"), call.query("to"), place)
    duration = _duration(call, view.page)
    offer = await call.services.bookings.slots(
        view.page, window, call.services.clock.now(), duration
    )
    return shapes.Slots(
        time_zone=place.name,
        is_offline=offer.is_offline,
        unavailable="calendar_unavailable" if offer.unavailable else None,
        fresh_as_of=text_of(offer.fresh_as_of),
        slots=[
            shapes.Slot(start=text_of(slot.start), end=text_of(slot.end)) for slot in offer.slots
        ],
    )


def _duration(call: Call, page: SchedulingPage) -> int:
    """Return the wanted length; only those of the page, or a fine step would map all busy time."""
    text = call.query("duration")
    if not text and len(page.durations) == 1:
        return page.durations[0]
    known = {str(minutes): minutes for minutes in page.durations}
    if text not in known:
        raise Invalid({"duration": f"This page offers {', '.join(known)} minutes."})
    return known[text]


async def book(call: Call) -> shapes.BookingReceipt:
    """Book a slot, or ask for it where the owner is offline."""
    async with call.services.bookings.turn:
        view = await call.services.pages.public(call.id)
    wanted: shapes.NewBooking = call.body
    booking = await call.services.bookings.book(
        view.page,
        BookingRequest(
            start=read_instant("start", wanted.start),
            duration=wanted.duration,
            time_zone=wanted.time_zone,
            name=wanted.name,
            email=wanted.email,
            answers=wanted.answers,
            guests=tuple(wanted.guests),
            source="api",
            address=call.request[REMOTE],
        ),
        call.key,
    )
    return shapes.BookingReceipt(
        id=booking.id,
        state=_booked_as(booking),
        start=text_of(booking.start),
        end=text_of(booking.end),
        manage_url=call.services.bookings.manage_url(booking, view.owner),
    )


def _booked_as(booking: Booking) -> shapes.ReceiptStage:
    """Return what a receipt says, also one that is asked for again under its key.

    That it was cancelled or declined since is told by its manage link; the receipt stays one.
    """
    if booking.state in UNDECIDED:
        return "pending"
    return "requested" if booking.collection_id is None else "confirmed"


OPERATIONS = (
    Operation(
        name="pageBySlug",
        method="GET",
        path="/pages/by-slug",
        about="The page at an address.",
        handler=page_by_slug,
        gives=shapes.PublicPage,
        public=True,
        parameters=(
            Parameter(name="slug", about="jane or jane/intro", required=True, example="jane/intro"),
        ),
        failures=("not_found",),
    ),
    Operation(
        name="slots",
        method="GET",
        path="/pages/{id}/slots",
        about="The times that can be booked.",
        handler=slots,
        gives=shapes.Slots,
        public=True,
        parameters=(
            Parameter(
                name="from",
                about="A date (included) or an instant (included).",
                required=True,
                example="2026-12-01",
            ),
            Parameter(
                name="to",
                about="A date (included) or an instant (not included); at most 62 days in all.",
                required=True,
                example="2026-12-31",
            ),
            Parameter(
                name="tz",
                about="The zone of the dates; the page's if left out.",
                example="Europe/Amsterdam",
            ),
            Parameter(
                name="duration",
                about="One of the page's durations; needed if it has several.",
                kind="integer",
                example="30",
            ),
        ),
    ),
    Operation(
        name="book",
        method="POST",
        path="/pages/{id}/bookings",
        about="Book a time; send the same key and body again to get the same answer.",
        handler=book,
        takes=shapes.NewBooking,
        gives=shapes.BookingReceipt,
        status=201,
        public=True,
        parameters=(KEY,),
        failures=(
            "slot_taken",
            "calendar_unavailable",
            "idempotency_mismatch",
            "too_many_requests",
        ),
    ),
)
