"""PUT of a calendar object resource (RFC 4791 section 5.3.2)."""

import codecs
from dataclasses import replace

from aiohttp import hdrs, web

from gateway.dav import tree
from gateway.dav.answers import fail
from gateway.dav.conditions import if_match, if_none_match
from gateway.dav.context import Context
from gateway.dav.methods.get import PERSONAL
from gateway.dav.properties.calendar import LIMITS
from gateway.dav.properties.webdav import ADD_MEMBER, content_type
from gateway.dav.tree import CalendarResource, Kind, ObjectResource
from gateway.errors import Condition, NotFound, Refused, StaleETag
from gateway.services.objects import PutResult

CHARSETS = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"}
MEDIA_TYPES = {"text/calendar", "application/octet-stream"}


async def put(context: Context) -> web.StreamResponse:
    """Store an object; its ETag is given only if the very bytes that came are kept."""
    if context.target.kind is not Kind.OBJECT or context.target.name == ADD_MEMBER:
        await context.find()
        raise fail(403, "Objects are put into calendars.")
    try:
        calendar = await context.find_calendar(context.target)
    except NotFound:
        if context.target.email != context.owner.email:
            raise
        raise fail(409, "There is no such calendar to put it into.") from None
    data, is_kept = await read_calendar(context)
    try:
        result = await store(context, calendar, context.target.name, data)
    except StaleETag as error:
        if error.current is None or not context.prefer.representation:
            raise
        return await _as_it_is(context)
    return answer(context, calendar, result, is_kept=is_kept)


async def _as_it_is(context: Context) -> web.Response:
    """Refuse with what is there instead (RFC 8144 section 3.2), so that a client can merge."""
    resource = await context.find()
    assert isinstance(resource, ObjectResource)
    return representation(context, resource, 412)


async def store(context: Context, calendar: CalendarResource, name: str, data: bytes) -> PutResult:
    """Store an object under the request's conditions; a UID conflict names the other's path."""
    try:
        return await context.services.objects.put(
            context.owner,
            calendar.collection,
            name,
            data,
            if_match=if_match(context.request),
            if_none_match=if_none_match(context.request),
        )
    except Refused as error:
        if error.href is None:
            raise
        path = tree.object_href(context.owner, calendar.collection, error.href)
        raise replace(error, href=path) from error


async def read_calendar(context: Context) -> tuple[bytes, bool]:
    """Return the body as UTF-8, and whether it came as that."""
    charset = _charset(context.request)
    data = await context.body(LIMITS.resource_size, Condition.MAX_RESOURCE_SIZE)
    if charset in ("utf-8", "ascii"):
        return data, True
    try:
        return data.decode(charset).encode(), False
    except UnicodeError:
        raise Refused(
            Condition.VALID_CALENDAR_DATA, "The body is not in the charset it claims."
        ) from None


def answer(
    context: Context, calendar: CalendarResource, result: PutResult, *, is_kept: bool
) -> web.Response:
    """Return what is told of a stored object; with its representation where that is preferred."""
    if context.prefer.representation:
        resource = tree.object_resource(calendar, result.record)
        return representation(context, resource, 201 if result.created else 200)
    headers = {hdrs.ETAG: result.etag} if is_kept else {}
    return web.Response(status=201 if result.created else 204, headers=headers)


def representation(context: Context, resource: ObjectResource, status: int) -> web.Response:
    """Return what is stored, with its tag, in the answer to a PUT (RFC 8144 section 3.2)."""
    headers = PERSONAL | context.prefer.applied
    headers |= {
        hdrs.ETAG: resource.record.etag,
        hdrs.CONTENT_TYPE: content_type(resource),
        hdrs.CONTENT_LOCATION: resource.href,
    }
    return web.Response(status=status, headers=headers, body=resource.record.data)


def _charset(request: web.Request) -> str:
    """Return the charset of the body; Refused for what is no iCalendar at all."""
    if hdrs.CONTENT_TYPE in request.headers and request.content_type not in MEDIA_TYPES:
        raise Refused(Condition.SUPPORTED_CALENDAR_DATA, "Only text/calendar is taken here.")
    try:
        name = codecs.lookup(request.charset or "utf-8").name
    except (LookupError, ValueError):
        name = ""
    if name not in CHARSETS:
        raise Refused(Condition.SUPPORTED_CALENDAR_DATA, "Send the calendar in UTF-8.")
    return name
