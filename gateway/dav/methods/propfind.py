"""PROPFIND (RFC 4918 section 9.1)."""

from aiohttp import web

from gateway.dav import tree
from gateway.dav.answers import fail
from gateway.dav.context import Context, Depth
from gateway.dav.properties.respond import Responder, gather
from gateway.dav.wire.requests import read_propfind
from gateway.errors import Condition


async def propfind(context: Context) -> web.StreamResponse:
    """Answer for the resource and, at depth 1, what is directly in it."""
    depth = context.depth(missing=Depth.INFINITY)
    if depth is Depth.INFINITY:
        raise fail(403, "Ask with Depth 0 or 1.", Condition.PROPFIND_FINITE_DEPTH)
    wanted = read_propfind(await context.xml())
    async with context.store.read() as tx:
        resource = await tree.find(tx, context.owner, context.target)
        inside = await tree.members(tx, context.owner, resource) if depth is Depth.ONE else ()
        without_root = context.prefer.depth_noroot and depth is Depth.ONE
        resources = [*(() if without_root else (resource,)), *inside]
        facts = await gather(tx, context.owner, wanted, resources)
    responder = Responder(wanted, facts, minimal=context.prefer.minimal)
    return context.multistatus(map(responder.response, resources))
