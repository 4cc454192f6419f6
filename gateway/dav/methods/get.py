"""GET and HEAD: an object's own bytes, a calendar as one stream (RFC 9110 section 9.3)."""

import asyncio
from dataclasses import replace
from email.utils import format_datetime
from http import HTTPStatus

from aiohttp import hdrs, web

from gateway.dav.answers import HEADERS
from gateway.dav.conditions import is_known
from gateway.dav.context import Context
from gateway.dav.properties.webdav import content_type
from gateway.dav.tree import CalendarResource, ObjectResource
from gateway.model.timerange import to_datetime
from gateway.services.transfer import joined

PERSONAL = {
    # Kept by the client alone, and asked for again each time.
    "Cache-Control": "private, no-cache",
    "X-Robots-Tag": "noindex",
}
_FOR_PEOPLE = "This is a CalDAV address. Open it with a calendar program.\n"


async def get(context: Context) -> web.StreamResponse:
    """Answer with what is at the path; a collection that is no calendar has nothing to show."""
    resource = await context.find()
    if isinstance(resource, ObjectResource):
        return _object(context, resource)
    if isinstance(resource, CalendarResource):
        return await _calendar(context, resource)
    return web.Response(text=_FOR_PEOPLE, headers=HEADERS)


def _object(context: Context, resource: ObjectResource) -> web.Response:
    record = resource.record
    headers = PERSONAL | {
        hdrs.ETAG: record.etag,
        hdrs.LAST_MODIFIED: format_datetime(to_datetime(record.modified_at), usegmt=True),
    }
    if is_known(context.request, record.etag, record.modified_at):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(
        body=record.data, headers=headers | {hdrs.CONTENT_TYPE: content_type(resource)}
    )


async def _calendar(context: Context, resource: CalendarResource) -> web.Response:
    """Answer with all objects as one stream, tagged by the calendar's revision."""
    collection = resource.collection
    headers = PERSONAL | {hdrs.ETAG: f'"{collection.public_id}-{collection.version}"'}
    if is_known(context.request, headers[hdrs.ETAG]):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    records = await context.services.objects.list(collection)
    # Here the calendar's zone is a property of its own; a copy must not turn it into a second one.
    bare = replace(collection, time_zone="")
    data = await asyncio.to_thread(joined, [record.data for record in records], bare)
    headers[hdrs.CONTENT_TYPE] = "text/calendar; charset=utf-8"
    headers[hdrs.CONTENT_DISPOSITION] = 'attachment; filename="calendar.ics"'
    return web.Response(body=data, headers=headers)
