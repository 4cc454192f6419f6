"""`/dashboard`: how the calendars fare, what is booked and requested, pages and kept mails."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from gateway.errors import (
    CalendarUnavailable,
    Conflict,
    IdempotencyMismatch,
    Invalid,
    NotFound,
    SlotTaken,
)
from gateway.model.booking import BLOCKING, Booking, BookingState
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, TimeRange
from gateway.ports import StoredMail
from gateway.services.registry import Services
from gateway.web.auth import HOME, Visit, acts, reads, see
from gateway.web.booking.move_times import UNCHOSEN, read_wanted, said_of, times_to_move_to
from gateway.web.settings.calendars_seen import calendars_seen
from gateway.web.settings.mails import show_mail
from gateway.web.settings.wording import BOOKING, CHANGED, _, note
from gateway.web.templating import page

TEMPLATE = "settings/dashboard.html"
LOOK_AHEAD, LOOK_BACK = 800 * DAY, 7 * DAY
MOST = 50
"""How many bookings and mails are shown; the API lists all."""
TAKEN = _("That time is not free any more. The request stays open: decline it, or make room.")
UNREADABLE = _("A calendar cannot be read right now, so nothing was booked. Try again later.")
NO_PAGE = _("The page of this meeting offers no times any more.")
Decide = Callable[[int, str], Awaitable[Booking]]
OPEN = BLOCKING | {BookingState.REQUESTED}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the dashboard."""
    return [
        reads(services, HOME, show),
        reads(services, "/dashboard/mails/{id}", show_mail),
        acts(services, "/dashboard/bookings/{id}/accept", accept),
        acts(services, "/dashboard/bookings/{id}/decline", decline),
        acts(services, "/dashboard/bookings/{id}/cancel", cancel),
        reads(services, "/dashboard/bookings/{id}/move", times),
        acts(services, "/dashboard/bookings/{id}/move", move),
    ]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the dashboard."""
    return await _shown(visit)


async def _shown(visit: Visit, *, problem: str = "", status: int = 200) -> web.Response:
    services, owner, now = visit.services, visit.owner, visit.services.clock.now()
    async with services.store.read() as tx:
        calendars = await calendars_seen(tx, owner, now)
        booked = await tx.bookings.of_owner(owner.id, TimeRange(now - DAY, now + LOOK_AHEAD))
        mails = await tx.mails.of_owner(owner.id, MOST)
    pages = await services.pages.of_owner(owner)
    coming = [one for one in booked if one.state in OPEN and one.end > now]
    return page(
        visit.request,
        TEMPLATE,
        {
            "note": note(visit.request),
            "problem": problem,
            "calendars": calendars,
            "requests": [one for one in coming if one.state is BookingState.REQUESTED],
            "changed": [one for one in booked if one.reason in CHANGED and one.end > now][:MOST],
            "changes": CHANGED,
            "bookings": [one for one in coming if one.state in BLOCKING][:MOST],
            "titles": {one.page.id: one.page.title for one in pages},
            "words": BOOKING,
            "pages": pages,
            "base": meetings_base(services, owner),
            "mails": _kept(mails, sends=services.edge.mail_configured, since=now - LOOK_BACK),
            "sends": services.edge.mail_configured,
        },
        status=status,
    )


def _kept(mails: Sequence[StoredMail], *, sends: bool, since: int) -> list[StoredMail]:
    """Return the mails to show: all where none is sent, else those that failed of late."""
    return [one for one in mails if not sends or (one.error and one.created_at >= since)]


def meetings_base(services: Services, owner: Owner) -> str:
    """Return the address under which an owner's pages are."""
    return f"{services.edge.home_of(owner)}/meetings/"


async def accept(visit: Visit) -> web.StreamResponse:
    """Accept a request; what stands against it is said on the dashboard, and it stays open."""
    return await _decided(visit, visit.services.bookings.accept, "accepted")


async def decline(visit: Visit) -> web.StreamResponse:
    """Decline a request."""
    return await _decided(visit, visit.services.bookings.decline, "declined")


async def cancel(visit: Visit) -> web.StreamResponse:
    """Cancel a meeting."""
    return await _decided(visit, visit.services.bookings.cancel_as_owner, "cancelled")


async def times(visit: Visit) -> web.StreamResponse:
    """Show where a meeting can go."""
    return await _times(visit)


async def move(visit: Visit) -> web.StreamResponse:
    """Move a meeting; what stands against it is said above the times."""
    assert visit.form is not None, "a change comes with a form"
    bookings = visit.services.bookings
    wanted = read_wanted(visit.form, await bookings.get(visit.owner.id, visit.id))
    if wanted is None:
        return await _times(visit, problem=UNCHOSEN, status=422)
    try:
        await visit.services.moving.by_owner(
            visit.owner.id, visit.id, wanted.start, wanted.duration, key=wanted.key
        )
    except (SlotTaken, CalendarUnavailable, Conflict, Invalid, IdempotencyMismatch) as error:
        return await _times(visit, problem=said_of(error), status=409)
    raise see(HOME, done="moved")


async def _times(visit: Visit, *, problem: str = "", status: int = 200) -> web.Response:
    booking = await visit.services.bookings.get(visit.owner.id, visit.id)
    try:
        facts = await times_to_move_to(
            visit.request, visit.services, booking, visit.owner.time_zone
        )
    except NotFound:
        return await _shown(visit, problem=NO_PAGE, status=409)
    shown = {**facts, "problem": problem}
    return page(visit.request, "settings/move.html", shown, status=status)


async def _decided(visit: Visit, decide: Decide, done: str) -> web.StreamResponse:
    try:
        await decide(visit.owner.id, visit.id)
    except SlotTaken:
        return await _shown(visit, problem=TAKEN, status=409)
    except CalendarUnavailable as error:
        return await _shown(visit, problem=error.cause or UNREADABLE, status=409)
    except Conflict as error:
        return await _shown(visit, problem=error.detail, status=409)
    raise see(HOME, done=done)
