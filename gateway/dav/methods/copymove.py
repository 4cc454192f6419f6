"""COPY and MOVE of objects between an owner's local calendars (RFC 4918 sections 9.8 and 9.9)."""

from dataclasses import replace

from aiohttp import hdrs, web

from gateway.dav import tree
from gateway.dav.answers import fail
from gateway.dav.conditions import if_match
from gateway.dav.context import Context
from gateway.dav.properties.webdav import ADD_MEMBER
from gateway.dav.tree import Kind, ObjectResource, Target
from gateway.errors import NotFound, Refused
from gateway.services.relocation import Place, relocate


async def copy(context: Context) -> web.StreamResponse:
    """Copy an object; the UID allows no copy inside the same calendar."""
    return await _relocate(context, keep=True)


async def move(context: Context) -> web.StreamResponse:
    """Move or rename an object."""
    return await _relocate(context, keep=False)


async def _relocate(context: Context, *, keep: bool) -> web.StreamResponse:
    source = await context.find()
    if not isinstance(source, ObjectResource):
        raise fail(403, "Only objects can be copied and moved.")
    target = _destination(context)
    if target == context.target:
        raise fail(403, "It is there already.")
    try:
        calendar = await context.find_calendar(target)
    except NotFound:
        raise fail(409, "There is no such calendar to put it into.") from None
    overwrite = context.request.headers.get("Overwrite", "T").strip().upper()
    if overwrite not in ("T", "F"):
        raise fail(400, "Overwrite is T or F.")
    try:
        is_new = await relocate(
            context.store,
            context.services.clock,
            context.owner,
            Place(collection=source.collection, name=source.record.name),
            Place(collection=calendar.collection, name=target.name),
            keep=keep,
            overwrite=overwrite == "T",
            if_match=if_match(context.request),
        )
    except Refused as error:
        if error.href is None:
            raise
        path = tree.object_href(context.owner, calendar.collection, error.href)
        raise replace(error, href=path) from error
    path = tree.object_href(context.owner, calendar.collection, target.name)
    return web.Response(status=201 if is_new else 204, headers={hdrs.LOCATION: path})


def _destination(context: Context) -> Target:
    """Read the Destination header (RFC 4918 section 10.3)."""
    given = context.request.headers.getall("Destination", [])
    if len(given) != 1:
        raise fail(400, "Say in one Destination header where it goes.")
    if not tree.is_of_host(given[0], context.host):
        raise fail(502, "The destination is on another server.")
    try:
        target = tree.read_href(given[0], context.host)
    except NotFound:
        raise fail(409, "There is no such place.") from None
    if target.kind is not Kind.OBJECT or target.name == ADD_MEMBER:
        raise fail(403, "Objects belong into calendars.")
    return target
