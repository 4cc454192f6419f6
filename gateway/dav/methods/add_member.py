"""POST of a new member (RFC 5995): the server chooses the name."""

from aiohttp import hdrs, web

from gateway.dav import tree
from gateway.dav.context import Context
from gateway.dav.methods.put import answer, read_calendar, store
from gateway.services.tokens import new_id


async def add_member(context: Context) -> web.StreamResponse:
    """Store an object under a fresh name and say where it is."""
    calendar = await context.find_calendar(context.target)
    data, is_kept = await read_calendar(context)
    name = f"{new_id('ob_')}.ics"
    result = await store(context, calendar, name, data)
    told = answer(context, calendar, result, is_kept=is_kept)
    told.headers[hdrs.LOCATION] = tree.object_href(context.owner, calendar.collection, name)
    return told
