"""Errors as pages for people: one total table from what happened to a status and two sentences."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from gateway import errors
from gateway.dav import answers
from gateway.web.api.problems import answer_to
from gateway.web.i18n import translate
from gateway.web.keys import LOCALE
from gateway.web.templating import page

RETRY_SECONDS = 30


def _(text: str) -> str:
    """Mark a string for translation; it is translated when a reader is known."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a reader is told; `retry_after` is in seconds."""

    status: int
    title: str
    text: str = ""
    retry_after: int | None = None


BY_STATUS = {
    400: Told(status=400, title=_("This request makes no sense"), text=_("Go back and try again.")),
    401: Told(status=401, title=_("Please sign in")),
    403: Told(
        status=403,
        title=_("This is not allowed"),
        text=_("Open the page again and send the form from there."),
    ),
    404: Told(
        status=404, title=_("There is nothing here"), text=_("Check the address, or ask for it.")
    ),
    405: Told(status=405, title=_("This cannot be done here")),
    413: Told(status=413, title=_("This is too large")),
    415: Told(status=415, title=_("This form of data is not understood here")),
    421: Told(
        status=421,
        title=_("This host is not served here"),
        text=_("Nothing is published under the name you asked for."),
    ),
    429: Told(status=429, title=_("Too many tries"), text=_("Wait a while, then try again.")),
    503: Told(
        status=503,
        title=_("Too busy right now"),
        text=_("Nothing was changed. Try again in a moment."),
        retry_after=RETRY_SECONDS,
    ),
}
BUG = Told(
    status=500,
    title=_("Something went wrong on our side"),
    text=_("Nothing was changed. The people who run this gateway find the cause in its log."),
)

Tell = Callable[[errors.CalgateError], Told]
BY_ERROR: dict[type[errors.CalgateError], Tell] = {
    errors.NotFound: lambda _error: BY_STATUS[404],
    errors.Forbidden: lambda error: Told(status=403, title=BY_STATUS[403].title, text=str(error)),
    errors.Conflict: lambda error: Told(
        status=409, title=_("This clashes with what is there"), text=str(error)
    ),
    errors.Refused: lambda error: Told(
        status=422, title=_("This was not accepted"), text=getattr(error, "detail", "")
    ),
    errors.Invalid: lambda error: Told(
        status=422, title=_("Some fields need another look"), text=str(error)
    ),
    errors.StaleETag: lambda _error: Told(
        status=412, title=_("It has changed in the meantime"), text=_("Open the page again.")
    ),
    errors.SlotTaken: lambda _error: Told(
        status=409, title=_("That time was just taken"), text=_("Nothing was booked.")
    ),
    errors.CalendarUnavailable: lambda _error: Told(
        status=409,
        title=_("Booking is not possible right now"),
        text=_("Nothing was booked. The owner has been told; try again later."),
    ),
    errors.IdempotencyMismatch: lambda _error: Told(
        status=422, title=_("This form was sent before with other words")
    ),
    errors.TooManyRequests: lambda error: Told(
        status=429,
        title=BY_STATUS[429].title,
        text=BY_STATUS[429].text,
        retry_after=getattr(error, "retry_after", RETRY_SECONDS),
    ),
    errors.Overloaded: lambda error: Told(
        status=503,
        title=BY_STATUS[503].title,
        text=BY_STATUS[503].text,
        retry_after=getattr(error, "retry_after", RETRY_SECONDS),
    ),
    errors.UpstreamError: lambda error: Told(
        status=422, title=_("The other side did not cooperate"), text=str(error)
    ),
}


def told_of(error: Exception) -> Told:
    """Return what is told of an error, by the nearest class in the table."""
    if isinstance(error, web.HTTPException):
        return BY_STATUS.get(error.status, BY_STATUS[400])
    for kind in type(error).__mro__:
        if kind in BY_ERROR and isinstance(error, errors.CalgateError):
            return BY_ERROR[kind](error)
    return BUG


def error_page(request: web.Request, error: Exception) -> web.Response:
    """Return the page of an error, in the reader's language; below /api/ its problem.

    Below /dav/ it is what WebDAV clients read.
    """
    if request.path.startswith("/dav/"):
        return answers.answer_to(error)
    if request.path.startswith("/api/"):
        return answer_to(error)
    told = told_of(error)
    locale = request[LOCALE]
    headers = {"X-Robots-Tag": "noindex"}
    if told.retry_after is not None:
        headers["Retry-After"] = str(told.retry_after)
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    facts = {"title": translate(locale, told.title), "text": translate(locale, told.text)}
    if not told.text:
        facts["text"] = ""
    return page(request, "error.html", facts, status=told.status, headers=headers)
