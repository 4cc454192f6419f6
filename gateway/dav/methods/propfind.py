"""PROPFIND (RFC 4918 section 9.1)."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from gateway.dav import tree
from gateway.dav.answers import fail
from gateway.dav.context import Context, Depth
from gateway.dav.listings import key_of
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.tree import CalendarResource, Resource
from gateway.dav.wire.requests import PropRequest, read_propfind
from gateway.errors import Condition
from gateway.ports import Transaction

MANY = 500
"""Resources from which rendering leaves the event loop."""


async def propfind(context: Context) -> web.StreamResponse:
    """Answer for the resource and, at depth 1, what is directly in it."""
    depth = context.depth(missing=Depth.INFINITY)
    if depth is Depth.INFINITY:
        raise fail(403, "Ask with Depth 0 or 1.", Condition.PROPFIND_FINITE_DEPTH)
    wanted = read_propfind(await context.xml())
    parts: list[str] = []
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        if depth is Depth.ZERO or not context.prefer.depth_noroot:
            parts.append(await _rendered(tx, context, wanted, [resource]))
        if depth is Depth.ONE:
            parts.append(await _members(tx, context, wanted, resource))
    return context.multistatus(parts)


async def _members(
    tx: Transaction, context: Context, wanted: PropRequest, resource: Resource
) -> str:
    """Return what is in a collection; a calendar's objects are rendered once per revision."""
    if not isinstance(resource, CalendarResource):
        return await _rendered(tx, context, wanted, await tree.members(tx, context.owner, resource))
    key = key_of(resource, wanted, minimal=context.prefer.minimal)
    listing = context.listings.get(key)
    if listing is None:
        members = await tree.members(tx, context.owner, resource)
        listing = await _rendered(tx, context, wanted, members)
        context.listings.keep(key, listing, len(listing))
    return listing


async def _rendered(
    tx: Transaction, context: Context, wanted: PropRequest, resources: Sequence[Resource]
) -> str:
    facts = await gather(tx, context.owner, wanted, resources)
    responder = Responder(wanted, facts, minimal=context.prefer.minimal)

    def render() -> str:
        return "".join([responder.response(one).xml() for one in resources])

    return await asyncio.to_thread(render) if len(resources) > MANY else render()
