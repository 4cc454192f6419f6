"""`/feeds/{token}.ics` and `/feeds/{token}.ifb`: merged feeds for whoever has the address."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

from aiohttp import web
from multidict import MultiMapping

from gateway.errors import Invalid, NotFound
from gateway.model.timerange import DAY, Instant, TimeRange, to_datetime, to_instant
from gateway.services.feeds import FeedService, Form, Rendered
from gateway.services.registry import Services

TOKEN = "{token:[A-Za-z0-9_-]{20,128}}"  # noqa: S105 - a route pattern
HEADERS = {
    # Kept by the reader alone, and asked for again each time: a revoked feed is dead at once.
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Encoding",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
NAMES = {Form.EVENTS: "calendar.ics", Form.FREE_BUSY: "freebusy.ifb"}
UTC_FORMS = ("%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ")
DURATION = re.compile(
    r"\+?P(?:(?P<weeks>\d{1,3})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?"
)
UNITS = {"weeks": 7 * DAY, "days": DAY, "hours": 3600, "minutes": 60, "seconds": 1}
DEFAULT_SPAN = 60 * DAY


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the merged feeds."""
    feeds = services.feeds

    async def events(request: web.Request) -> web.StreamResponse:
        return await _answer(request, feeds, Form.EVENTS, None)

    async def free_busy(request: web.Request) -> web.StreamResponse:
        try:
            window = read_window(request.query, services.clock.now())
        except Invalid as error:
            return _plain(HTTPStatus.BAD_REQUEST, str(next(iter(error.fields.values()))))
        return await _answer(request, feeds, Form.FREE_BUSY, window)

    return [
        web.get(f"/feeds/{TOKEN}.ics", events),
        web.get(f"/feeds/{TOKEN}.ifb", free_busy),
        web.get("/feeds/{anything:.*}", _missing),
    ]


async def _answer(
    request: web.Request, feeds: FeedService, form: Form, window: TimeRange | None
) -> web.StreamResponse:
    try:
        rendered = await feeds.render(request.match_info["token"], form, window)
    except NotFound:
        return await _missing(request)
    except Invalid as error:
        return _plain(HTTPStatus.BAD_REQUEST, str(next(iter(error.fields.values()))))
    headers = HEADERS | {
        "ETag": rendered.etag,
        "Last-Modified": format_datetime(to_datetime(rendered.modified_at), usegmt=True),
    }
    if _is_known(request, rendered):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{NAMES[form]}"'
    body = rendered.body
    if _accepts_gzip(request):
        headers["Content-Encoding"], body = "gzip", rendered.packed
    return web.Response(body=body, headers=headers, content_type="text/calendar", charset="utf-8")


async def _missing(request: web.Request) -> web.Response:
    """Answer alike for every address that is not a live feed."""
    del request
    return _plain(HTTPStatus.NOT_FOUND, "There is no such feed.")


def _plain(status: HTTPStatus, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence + "\n", headers=HEADERS)


def _is_known(request: web.Request, rendered: Rendered) -> bool:
    """Tell whether the reader has this rendering (RFC 9110 section 13.2.2: the ETag decides)."""
    asked = request.headers.get("If-None-Match")
    if asked is not None:
        return asked.strip() == "*" or rendered.etag in {
            tag.strip().removeprefix("W/") for tag in asked.split(",")
        }
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
        return to_instant(since) >= rendered.modified_at
    except (ValueError, TypeError, OverflowError):
        return False


def _accepts_gzip(request: web.Request) -> bool:
    for entry in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = entry.partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def read_window(query: MultiMapping[str], now: Instant) -> TimeRange | None:
    """Read `start` and `end`, or `period`, in basic or extended UTC form; None where none is asked.

    One end alone asks for 60 days from there; `end` alone asks from today on.
    """
    start_text, end_text = query.get("start", ""), query.get("end", "")
    period = query.get("period", "")
    if period:
        if start_text or end_text:
            raise Invalid({"period": "Give either a period, or a start and an end."})
        start_text, slash, end_text = period.partition("/")
        if not slash or not (start_text or end_text):
            raise Invalid({"period": "A period has a start and an end, with a slash between."})
    if not start_text and not end_text:
        return None
    start = _instant("start", start_text) if start_text else now - now % DAY
    if DURATION.fullmatch(end_text) and end_text.lstrip("+") not in {"P", ""}:
        end = start + _duration(end_text)
    else:
        end = _instant("end", end_text) if end_text else start + DEFAULT_SPAN
    if end <= start:
        raise Invalid({"end": "The end must come after the start."})
    return TimeRange(start, end)


def _instant(name: str, text: str) -> Instant:
    for form in UTC_FORMS:
        try:
            return to_instant(datetime.strptime(text, form).replace(tzinfo=UTC))
        except ValueError:
            continue
    raise Invalid(
        {name: f"The {name} must be a UTC time like 20261124T090000Z or 2026-11-24T09:00:00Z."}
    )


def _duration(text: str) -> int:
    match = DURATION.fullmatch(text)
    assert match is not None, "the caller has matched it"
    return sum(int(count) * UNITS[unit] for unit, count in match.groupdict("0").items())
