"""`/meetings/b/{token}`: a booking for whoever holds its link: shown, kept, cancelled.

Law: opening an address changes nothing; mail scanners open them all. Only a sent form cancels or
moves.
"""

from http import HTTPStatus

from aiohttp import hdrs, web

from gateway.errors import (
    CalendarUnavailable,
    Conflict,
    IdempotencyMismatch,
    Invalid,
    NotFound,
    SlotTaken,
)
from gateway.model.booking import BookingState
from gateway.model.page import PageState, stand_in
from gateway.model.timerange import Instant
from gateway.services.booking_views import LIVE, BookingView
from gateway.services.letters import answers
from gateway.services.registry import Services
from gateway.web.booking.move_times import (
    UNCHOSEN,
    can_move,
    read_wanted,
    said_of,
    times_to_move_to,
)
from gateway.web.booking.shown import PERSONAL, personal_page
from gateway.web.forms import read_form
from gateway.web.keys import REMOTE

TOKEN = "/meetings/b/{token:[A-Za-z0-9_-]{20,128}}"  # noqa: S105 - a route, not a secret
NOT_MOVED = (SlotTaken, CalendarUnavailable, Conflict, Invalid, IdempotencyMismatch)


def manage_routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of a booking's own pages."""

    async def show(request: web.Request) -> web.StreamResponse:
        return _page(request, services, await _view(request, services))

    async def cancel(request: web.Request) -> web.StreamResponse:
        await read_form(request)
        view = await _view(request, services)
        try:
            await services.bookings.cancel(request.match_info["token"])
        except Conflict as error:
            return _page(request, services, view, told=error.detail, status=HTTPStatus.CONFLICT)
        raise web.HTTPSeeOther(request.path.removesuffix("/cancel"))

    async def times(request: web.Request) -> web.StreamResponse:
        return await _times(request, services, await _view(request, services))

    async def move(request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        view = await _view(request, services)
        wanted = read_wanted(form, view.booking)
        if wanted is None:
            return await _times(request, services, view, told=UNCHOSEN, status=422)
        try:
            await services.moving.by_visitor(
                request.match_info["token"],
                wanted.start,
                wanted.duration,
                key=wanted.key,
                address=request[REMOTE],
            )
        except NOT_MOVED as error:
            return await _times(request, services, view, told=said_of(error), status=409)
        raise web.HTTPSeeOther(request.path.removesuffix("/move"))

    async def keep(request: web.Request) -> web.StreamResponse:
        body = await services.bookings.calendar_file(request.match_info["token"])
        headers = PERSONAL | {hdrs.CONTENT_DISPOSITION: 'attachment; filename="meeting.ics"'}
        return web.Response(
            body=body, content_type="text/calendar", charset="utf-8", headers=headers
        )

    async def missing(_request: web.Request) -> web.StreamResponse:
        raise NotFound("booking")

    return [
        web.get(TOKEN, show),
        web.post(TOKEN + "/cancel", cancel),
        web.get(TOKEN + "/move", times),
        web.post(TOKEN + "/move", move),
        web.get(TOKEN + "/meeting.ics", keep),
        web.get("/meetings/b/{anything:.*}", missing),
    ]


async def _view(request: web.Request, services: Services) -> BookingView:
    return await services.bookings.by_token(request.match_info["token"])


async def _times(
    request: web.Request,
    services: Services,
    view: BookingView,
    *,
    told: str = "",
    status: int = HTTPStatus.OK,
) -> web.Response:
    """Show where the meeting can go; what cannot be moved is shown as it is."""
    booking = (await _view(request, services)).booking
    live = view.page is not None and view.page.state is PageState.LIVE
    if not live or not can_move(booking, services.clock.now()):
        raise web.HTTPSeeOther(request.path.removesuffix("/move"))
    facts = await times_to_move_to(request, services, booking, booking.time_zone)
    return personal_page(request, "booking/move.html", {**facts, "told": told}, status=status)


def _page(
    request: web.Request,
    services: Services,
    view: BookingView,
    *,
    told: str = "",
    status: int = HTTPStatus.OK,
) -> web.Response:
    booking, page = view.booking, view.page
    if booking.is_on_record:
        page = stand_in(booking)
    return personal_page(
        request,
        "booking/manage.html",
        {
            "booking": booking,
            "shown": page,
            "host": view.owner,
            "state": booking.state.value,
            "answers": answers(page, booking) if page else [],
            "link": services.bookings.manage_url(booking, view.owner),
            "again": page.slug if page and page.state is PageState.LIVE else "",
            "can_cancel": booking.state in LIVE and not _is_over(booking.end, services),
            "can_move": page is not None
            and not booking.is_on_record
            and page.state is PageState.LIVE
            and can_move(booking, services.clock.now()),
            "has_file": booking.state in LIVE - {BookingState.REQUESTED},
            "told": told,
            "mailed": services.edge.mail_configured,
        },
        status=status,
    )


def _is_over(end: Instant, services: Services) -> bool:
    return end <= services.clock.now()
