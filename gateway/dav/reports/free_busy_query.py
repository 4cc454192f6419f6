"""CALDAV:free-busy-query (RFC 4791 section 7.10): when the owner is busy, and nothing else.

On a calendar for that calendar; on the home set and on `merged/` for all selected ones together.
The answer is text/calendar with status 200, never a multistatus.
"""

from aiohttp import web

from gateway.dav import tree
from gateway.dav.answers import HEADERS
from gateway.dav.context import Context, Depth
from gateway.dav.reports.scope import assert_answers
from gateway.dav.tree import CalendarResource
from gateway.dav.wire.report_requests import FREE_BUSY_QUERY, read_free_busy_query
from gateway.dav.wire.xml import Element


async def free_busy_query(context: Context, body: Element) -> web.StreamResponse:
    """Answer with the busy time; it is the same at every Depth."""
    window = read_free_busy_query(body).window
    context.depth(missing=Depth.ONE)
    freebusy = context.services.freebusy
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        assert_answers(resource, FREE_BUSY_QUERY)
        if isinstance(resource, CalendarResource):
            collections = [resource.collection]
        else:
            collections = await freebusy.selected(context.owner.id, tx=tx)
        told = await freebusy.told(context.owner, collections, window, tx=tx)
    return web.Response(body=told, content_type="text/calendar", charset="utf-8", headers=HEADERS)
