"""DELETE of an object or a calendar (RFC 4918 section 9.6)."""

from aiohttp import web

from gateway.dav.answers import fail
from gateway.dav.conditions import if_match
from gateway.dav.context import Context, Depth
from gateway.dav.tree import CalendarResource, Kind, ObjectResource
from gateway.errors import Condition, NotFound


async def delete(context: Context) -> web.StreamResponse:
    """Remove what is at the path; a calendar goes with all that is in it."""
    try:
        resource = await context.find()
    except NotFound:
        tags = if_match(context.request)
        is_own = context.target.email == context.owner.email
        if tags is None or not is_own or context.target.kind is not Kind.OBJECT:
            raise
        raise fail(412, "It is not there any more.") from None
    objects = context.services.objects
    if isinstance(resource, ObjectResource):
        await objects.remove(
            context.owner,
            resource.collection,
            resource.record.name,
            if_match=if_match(context.request),
        )
    elif isinstance(resource, CalendarResource):
        if context.depth(missing=Depth.INFINITY) is not Depth.INFINITY:
            raise fail(400, "A collection goes whole, with Depth: infinity.")
        await objects.remove_collection(context.owner, resource.collection)
    else:
        raise fail(403, "This belongs to the server.", Condition.NEED_PRIVILEGES)
    return web.Response(status=204)
