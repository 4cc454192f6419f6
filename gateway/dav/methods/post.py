"""POST: only some resources take one, each in a way of its own."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from aiohttp import web

from gateway.dav.context import Context
from gateway.dav.methods.add_member import add_member
from gateway.dav.methods.outbox import outbox
from gateway.dav.properties.webdav import ADD_MEMBER
from gateway.dav.tree import Kind


async def post(context: Context) -> web.StreamResponse:
    """Hand the request to what takes it here; 405 anywhere else."""
    if context.target.kind is Kind.OBJECT and context.target.name == ADD_MEMBER:
        return await add_member(context)
    resource = await context.find()
    found = BY_KIND.get(resource.kind)
    if found is None:
        raise web.HTTPMethodNotAllowed("POST", ())
    return await found(context)


BY_KIND: Mapping[Kind, Callable[[Context], Awaitable[web.StreamResponse]]] = MappingProxyType(
    {Kind.OUTBOX: outbox}
)
"""What takes a POST: the Outbox (RFC 6638 section 5)."""
