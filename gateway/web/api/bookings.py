"""Bookings as the page's owner has them, and why a time is or is not offered."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Invalid
from gateway.freebusy.explain import Reason, Rule
from gateway.model import booking as model
from gateway.model.collection import Collection
from gateway.model.timerange import DAY, MAX_INSTANT, Instant, TimeRange
from gateway.web.api import shapes
from gateway.web.api.operation import KEY, Call, Operation, Parameter
from gateway.web.api.texts import read_instant, text_of, text_or_none

PAST = 90 * DAY
"""How far back the list goes where nobody asks for more."""
MAX_LISTED = 1000
MAX_MINUTES = 1440


def shown(one: model.Booking) -> shapes.Booking:
    """Return a booking as the page's owner sees it."""
    return shapes.Booking(
        id=one.id,
        page=one.page_id,
        state=one.state.value,
        reason=one.reason,
        start=text_of(one.start),
        end=text_of(one.end),
        time_zone=one.time_zone,
        name=one.name,
        email=one.email,
        answers=dict(one.answers),
        guests=list(one.guests),
        created_at=text_of(one.created_at),
        moving_to=_slot(one.moving) if one.moving else None,
    )


def _slot(move: model.Move) -> shapes.Slot:
    return shapes.Slot(start=text_of(move.start), end=text_of(move.end))


async def list_bookings(call: Call) -> list[shapes.Booking]:
    """Return the owner's bookings by start, the first thousand of the window."""
    first, last = call.query("from"), call.query("to")
    now = call.services.clock.now()
    start = read_instant("from", first) if first else now - PAST
    end = read_instant("to", last) if last else MAX_INSTANT
    if end <= start:
        raise Invalid({"to": "The end must come after the start."})
    found = await call.services.bookings.of_owner(call.me.id, TimeRange(start, end))
    return [shown(one) for one in found[:MAX_LISTED]]


async def get_booking(call: Call) -> shapes.Booking:
    """Return a booking."""
    return shown(await call.services.bookings.get(call.me.id, call.id))


async def cancel_booking(call: Call) -> shapes.Booking:
    """Cancel a booking; its visitor is told."""
    return shown(await call.services.bookings.cancel_as_owner(call.me.id, call.id))


async def reschedule_booking(call: Call) -> shapes.Booking:
    """Move a booking to another offered time; both sides are told."""
    wanted: shapes.NewTime = call.body
    return shown(
        await call.services.moving.by_owner(
            call.me.id,
            call.id,
            read_instant("start", wanted.start),
            wanted.duration,
            key=call.key,
        )
    )


async def accept_booking(call: Call) -> shapes.Booking:
    """Accept a request: availability is checked again."""
    return shown(await call.services.bookings.accept(call.me.id, call.id))


async def decline_booking(call: Call) -> shapes.Booking:
    """Decline a request; its visitor is told."""
    return shown(await call.services.bookings.decline(call.me.id, call.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What reasons refer to."""

    calendars: Mapping[str, Collection]
    now: Instant


async def explain(call: Call) -> shapes.Explanation:
    """Return the reasons against a start."""
    view = await call.services.pages.get(call.me, call.query("page"))
    start = read_instant("start", call.query("start"))
    duration = _minutes(call, view.page.durations)
    reasons = await call.services.bookings.explain(view.page, start, duration)
    async with call.services.store.read() as tx:
        owned = await tx.collections.of_owner(call.me.id)
    known = _Known(calendars={one.public_id: one for one in owned}, now=call.services.clock.now())
    return shapes.Explanation(
        page=view.page.id,
        start=text_of(start),
        duration=duration,
        offered=not reasons,
        reasons=[_reason(one, known) for one in reasons],
    )


def _minutes(call: Call, durations: tuple[int, ...]) -> int:
    text = call.query("duration") or str(durations[0])
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_MINUTES))):
        raise Invalid({"duration": "Give a number of minutes."})
    if not 1 <= int(text) <= MAX_MINUTES:
        raise Invalid({"duration": f"Give 1 to {MAX_MINUTES} minutes."})
    return int(text)


def _reason(one: Reason, known: _Known) -> shapes.Reason:
    calendar = known.calendars.get(one.subject)
    name = (calendar.display_name or calendar.name) if calendar else ""
    is_instant = one.rule in (Rule.NOTICE, Rule.HORIZON)
    fresh = None
    if calendar is not None:
        fresh = known.now if calendar.is_local else calendar.health.last_success_at
    return shapes.Reason(
        rule=one.rule.value,
        text=_text(one, name),
        subject=one.subject,
        name=name,
        start=text_or_none(one.start),
        end=text_or_none(one.end),
        limit=text_or_none(one.limit) if is_instant else one.limit,
        cause=one.cause,
        fresh_as_of=text_or_none(fresh),
    )


def _text(one: Reason, name: str) -> str:
    """Return the reason as a sentence for the page's owner."""
    limit = text_of(one.limit or 0)
    texts = {
        Rule.STATE: f"The page is not live: its state is {one.subject}.",
        Rule.DURATION: f"The page does not offer {one.limit} minutes.",
        Rule.UNAVAILABLE: f"The calendar {name} cannot be read: {one.cause}",
        Rule.CLOSED: "The page is not open for all of this time.",
        Rule.STEP: f"No step of {one.limit} minutes from an opening leads to this start.",
        Rule.NOTICE: f"It is too soon: the page takes bookings from {limit} on.",
        Rule.HORIZON: f"It is too far ahead: the page takes bookings until {limit}.",
        Rule.BUSY: f"The calendar {name} is busy, or too close with the buffers.",
        Rule.BOOKING: "A booking is there, or too close with the buffers.",
        Rule.LIMIT: f"The limit of {one.limit} bookings in a {one.subject} is reached.",
    }
    return texts[one.rule]


WINDOW = (
    Parameter(
        name="from",
        about="An instant; 90 days ago if left out.",
        example="2026-12-01T00:00:00+01:00",
    ),
    Parameter(
        name="to", about="An instant; without end if left out.", example="2027-01-01T00:00:00+01:00"
    ),
)

OPERATIONS = (
    Operation(
        name="listBookings",
        method="GET",
        path="/bookings",
        about="The owner's bookings by start, at most 1000.",
        handler=list_bookings,
        gives=list[shapes.Booking],
        parameters=WINDOW,
    ),
    Operation(
        name="getBooking",
        method="GET",
        path="/bookings/{id}",
        about="One booking.",
        handler=get_booking,
        gives=shapes.Booking,
    ),
    Operation(
        name="cancelBooking",
        method="POST",
        path="/bookings/{id}/cancel",
        about="Cancel a booking and tell its visitor.",
        handler=cancel_booking,
        gives=shapes.Booking,
        failures=("not_booked", "over", "booking_changed"),
    ),
    Operation(
        name="rescheduleBooking",
        method="POST",
        path="/bookings/{id}/reschedule",
        about="Move a confirmed booking to another offered time, and tell its visitor.",
        handler=reschedule_booking,
        takes=shapes.NewTime,
        gives=shapes.Booking,
        parameters=(KEY,),
        failures=(
            "not_confirmed",
            "over",
            "moving",
            "page_gone",
            "slot_taken",
            "calendar_unavailable",
            "idempotency_mismatch",
        ),
    ),
    Operation(
        name="acceptBooking",
        method="POST",
        path="/bookings/{id}/accept",
        about="Accept a request, if its time is still free.",
        handler=accept_booking,
        gives=shapes.Booking,
        failures=("not_requested", "page_gone", "offline", "slot_taken", "calendar_unavailable"),
    ),
    Operation(
        name="declineBooking",
        method="POST",
        path="/bookings/{id}/decline",
        about="Decline a request and tell its visitor.",
        handler=decline_booking,
        gives=shapes.Booking,
        failures=("not_requested", "booking_changed"),
    ),
    Operation(
        name="explain",
        method="GET",
        path="/explain",
        about="Why a time is or is not offered.",
        handler=explain,
        gives=shapes.Explanation,
        failures=("not_found",),
        parameters=(
            Parameter(name="page", about="The page's id.", required=True),
            Parameter(
                name="start",
                about="An instant.",
                required=True,
                example="2026-12-01T09:00:00+01:00",
            ),
            Parameter(
                name="duration",
                about="Minutes; the page's first duration if left out.",
                kind="integer",
                example="30",
            ),
        ),
    ),
)
