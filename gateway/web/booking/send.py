"""A sent form: booked, or shown again with what is in the way and all that was filled in."""

from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from gateway.errors import (
    CalendarUnavailable,
    CalgateError,
    IdempotencyMismatch,
    Invalid,
    SlotTaken,
    TooManyRequests,
)
from gateway.services.booking_request import BookingRequest
from gateway.services.tokens import new_secret
from gateway.web.booking.details import Details, details_page
from gateway.web.booking.remembered import remember
from gateway.web.booking.shown import Visit
from gateway.web.booking.times import times_page
from gateway.web.forms import Form
from gateway.web.i18n import translate
from gateway.web.keys import LOCALE, REMOTE

HIDDEN_FIELDS = frozenset({"start", "duration", "time_zone", "Idempotency-Key"})
"""What no visitor can mend in the form: they choose again."""
REFUSALS = (SlotTaken, CalendarUnavailable, IdempotencyMismatch, TooManyRequests)


async def send(visit: Visit, form: Form) -> web.StreamResponse:
    """Book what the form says, and go to the booking's own page."""
    choice, bookings = visit.choice, visit.services.bookings
    details = Details.of(form)
    wanted = _request(visit, details, form.text("tz"))
    if wanted is None or choice.unknown_zone or str(choice.duration) != form.text("duration"):
        return await _choose_again(visit)
    try:
        booking = await bookings.book(visit.view.page, wanted, details.key)
    except Invalid as error:
        if HIDDEN_FIELDS & set(error.fields):
            return await _choose_again(visit)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return details_page(visit, details, errors=error.fields, status=status)
    except REFUSALS as error:
        return _refused(visit, details, error)
    # The path alone: whoever came by another of our hosts stays there.
    booked = web.HTTPSeeOther(urlsplit(bookings.manage_url(booking)).path)
    remember(booked, visit.services, details)
    raise booked


def forget(visit: Visit) -> web.Response:
    """Forget who booked before in this browser, and show the form empty ("Not you?")."""
    answer = web.Response(
        status=HTTPStatus.SEE_OTHER,
        headers={hdrs.LOCATION: f"{visit.request.path}{visit.choice.query()}"},
    )
    remember(answer, visit.services, Details.empty())
    return answer


def _refused(visit: Visit, details: Details, error: CalgateError) -> web.Response:
    match error:
        case SlotTaken():
            return details_page(
                visit, details, told="taken", nearest=error.nearest, status=HTTPStatus.CONFLICT
            )
        case IdempotencyMismatch():
            # Whoever sends it again means a second booking: under a key of its own.
            again = replace(details, key=new_secret())
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return details_page(visit, again, told="sent_before", status=status)
        case TooManyRequests():
            return details_page(
                visit,
                details,
                told="too_many",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                headers={hdrs.RETRY_AFTER: str(error.retry_after)},
            )
    return details_page(visit, details, told="unavailable", status=HTTPStatus.CONFLICT)


async def tell(visit: Visit) -> web.Response:
    """Let the owner know of somebody who could not book because a calendar is lost (S30)."""
    view, locale = visit.view, visit.request[LOCALE]
    await visit.services.bookings.attempted(view.page, visit.request[REMOTE])
    told = translate(locale, "Thank you. {name} is told that somebody tried to book.")
    return await times_page(visit, told=told.format(name=view.owner.name))


async def _choose_again(visit: Visit) -> web.Response:
    told = translate(visit.request[LOCALE], "Nothing was booked. Choose a time again.")
    again = replace(visit, choice=replace(visit.choice, start=None))
    return await times_page(again, told=told, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _request(visit: Visit, details: Details, zone_name: str) -> BookingRequest | None:
    """Return what the form asks for; None without a start."""
    choice = visit.choice
    if choice.start is None:
        return None
    return BookingRequest(
        start=choice.start,
        duration=choice.duration,
        time_zone=zone_name,
        name=details.name,
        email=details.email,
        answers=details.answers,
        guests=details.guest_list(),
        source="page",
        locale=visit.request[LOCALE],
        address=visit.request[REMOTE],
    )
